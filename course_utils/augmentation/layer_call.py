"""One Keras layer before it is built: from it come both the layer and its source code."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class LayerCall:
    """The name and the arguments of a Keras layer.

    Args:
        layer: The layer's name in `keras.layers`.
        arguments: Its keyword arguments.
        seeded: Whether the layer draws random numbers, and so takes a `seed`.
        force: From what the layer sampled, a dict as `get_random_transformation` returns it, to
            the values that take its place; `None` keeps what was sampled.

    Example:
        >>> LayerCall("RandomFlip", {"mode": "horizontal"}).code()
        'keras.layers.RandomFlip(mode="horizontal")'
    """

    layer: str
    arguments: dict[str, Any]
    seeded: bool = True
    force: Callable[[Any], dict[str, Any]] | None = field(default=None, repr=False, compare=False)

    def fix(self, **values: float) -> "LayerCall":
        """Returns a call whose ranges are single values: `fix(factor=0.2)` samples only 0.2."""
        ranges = {name: (value, value) for name, value in values.items()}
        return replace(self, arguments=self.arguments | ranges)

    def build(self) -> Any:
        """Returns a new `keras.layers.Layer`."""
        import keras

        return getattr(keras.layers, self.layer)(**self.arguments)

    def find(self) -> Any:
        """Returns a layer that was built before, in whatever random state it is."""
        settings = tuple((name, value) for name, value in self.arguments.items() if name != "seed")
        return _build_once(self.layer, settings)

    def reuse(self, *, skip: int = 0) -> Any:
        """Returns a layer that was built before, with the random state of a new one.

        For callers that show many settings: building a layer takes milliseconds.

        Args:
            skip: How many random numbers the layer's generator has already given.
        """
        layer = self.find()
        if self.seeded:
            generator = layer.generator if hasattr(layer, "generator") else layer.seed_generator
            generator.state.assign([self.arguments["seed"], skip])
        return layer

    def code(self) -> str:
        """Returns the Python expression that builds the layer, wrapped if it is long."""
        written = [f"{name}={_value_code(value)}" for name, value in self.arguments.items()]
        joined = ", ".join(written)
        line = f"keras.layers.{self.layer}({joined})"
        if len(line) <= 84:
            return line
        if len(joined) > 80:
            joined = ",\n        ".join(written) + ","
        return f"keras.layers.{self.layer}(\n        {joined}\n    )"


def force_calls(calls: tuple[LayerCall, ...], images: Any) -> tuple[Any, list[tuple[Any, Any]]]:
    """Applies layers to photos, with the values that the calls force.

    Args:
        calls: One end of a transformation, such as `CATALOGUE["rotation"].build(15).high`.
        images: float32 in [0, 1], shape (batch, height, width, 3).

    Returns:
        The photos after all layers, and each layer that can say what it sampled, with that.

    Example:
        >>> import keras
        >>> brighter = LayerCall("RandomBrightness", {"value_range": (0, 1)}).fix(factor=0.25)
        >>> photos, _ = force_calls((brighter,), keras.ops.full((1, 2, 2, 3), 0.5))
        >>> float(keras.ops.max(photos))
        0.75
    """
    applied = []
    for call in calls:
        seed = {"seed": 0} if call.seeded else {}
        layer = replace(call, arguments=call.arguments | seed | {"dtype": "float32"}).reuse()
        if not hasattr(layer, "get_random_transformation"):
            images = layer(images, training=True)
            continue
        sampled = layer.get_random_transformation(images, training=True)
        if call.force is not None:
            sampled = sampled | call.force(sampled)
        applied.append((layer, sampled))
        images = layer.transform_images(images, sampled, training=True)
    return images, applied


@lru_cache(maxsize=1024)
def _build_once(layer: str, settings: tuple[tuple[str, Any], ...]) -> Any:
    # TensorFlow keeps 35 KB for good for each new name of a variable. Keras counts its names in
    # each thread from zero, so a layer built in a new thread brings no new name.
    with ThreadPoolExecutor(max_workers=1) as new_thread:
        return new_thread.submit(LayerCall(layer, dict(settings)).build).result()


def _value_code(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)
