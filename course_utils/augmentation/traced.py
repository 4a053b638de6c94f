"""A layer's random values and views from TensorFlow functions, which serve every strength.

Called eagerly, a layer spends most of its time in Python: sampling the angles of a rotation takes
10 ms, and 2 ms as a function. A function of its own for each strength would have to be traced at
each step of a slider, which takes 100 ms. So the numbers that a slider changes are inputs of the
functions. They give the same bits as the eager layer.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from course_utils.augmentation.layer_call import LayerCall

# The arguments that a slider changes, and under which names the layer keeps their numbers. Layers
# that are not listed are called eagerly: RandomGrayscale compares float32 with its factor, which a
# float64 input does not allow, and tracing RandAugment takes as long as three calls.
RANGES = {
    "RandomFlip": {},
    "RandomRotation": {"factor": ("factor",)},
    "RandomTranslation": {
        "height_factor": ("height_lower", "height_upper"),
        "width_factor": ("width_lower", "width_upper"),
    },
    "RandomZoom": {"height_factor": ("height_lower", "height_upper")},
    "RandomShear": {"x_factor": ("x_factor",)},
    "RandomPerspective": {"scale": ("scale",)},
    "RandomBrightness": {"factor": ("factor",)},
    "RandomContrast": {"factor": ("factor",)},
    "RandomSaturation": {"factor": ("factor",)},
    "RandomHue": {"factor": ("factor",)},
    "RandomGaussianBlur": {"sigma": ("sigma",)},
    "RandomErasing": {"scale": ("scale",)},
}


def sample(call: LayerCall, images: Any, *, skip: int = 0) -> tuple[Any, int]:
    """Samples the random values that a new layer samples for a batch.

    Args:
        call: The layer before it is built; it has a `get_random_transformation`.
        images: float32 tensor, shape (batch, height, width, 3).
        skip: How many random numbers the layer's generator has already given.

    Returns:
        What `get_random_transformation` returns, and how many random numbers were given by then.

    Example:
        >>> import keras
        >>> call = LayerCall("RandomFlip", {"mode": "horizontal", "seed": 1})
        >>> sampled, used = sample(call, keras.ops.ones((4, 8, 8, 3)))
        >>> sampled["flips"].shape, used > 0
        (TensorShape([4, 1, 1, 1]), True)
    """
    if call.layer not in RANGES:
        layer = call.reuse(skip=skip)
        sampled = layer.get_random_transformation(images, training=True)
        return sampled, _count_used(layer)
    traced = _find_traced(call)
    traced.layer.generator.state.assign([call.arguments["seed"], skip])
    with _as_written():
        sampled = traced.sample(images, _read_ranges(call.find()))
    return sampled, _count_used(traced.layer)


def transform(call: LayerCall, images: Any, sampled: Any) -> Any:
    """Returns a batch as the layer changes it with random values that `sample` returned.

    Args:
        call: As in `sample`.
        images: As in `sample`.
        sampled: The random values.

    Example:
        >>> import keras
        >>> call = LayerCall("RandomFlip", {"mode": "horizontal", "seed": 1})
        >>> images = keras.ops.ones((4, 8, 8, 3))
        >>> transform(call, images, sample(call, images)[0]).shape
        TensorShape([4, 8, 8, 3])
    """
    if call.layer not in RANGES:
        return call.find().transform_images(images, sampled, training=True)
    with _as_written():
        return _find_traced(call).transform(images, sampled)


class _Traced:
    """The TensorFlow functions of a layer, for all values of its ranges."""

    def __init__(self, layer: Any):
        import tensorflow as tf

        self.layer = layer
        self.sample = tf.function(self._sample, autograph=False)
        self.transform = tf.function(self._transform, autograph=False)

    def _sample(self, images: Any, ranges: dict[str, Any]) -> Any:
        own = {name: getattr(self.layer, name) for name in ranges}
        _set_ranges(self.layer, ranges)
        try:
            return self.layer.get_random_transformation(images, training=True)
        finally:
            _set_ranges(self.layer, own)

    def _transform(self, images: Any, sampled: Any) -> Any:
        return self.layer.transform_images(images, sampled, training=True)


def _find_traced(call: LayerCall) -> _Traced:
    """Returns the functions for a layer, the same for all its strengths and seeds."""
    changing = (*RANGES[call.layer], "seed")
    fixed = ((name, value) for name, value in call.arguments.items() if name not in changing)
    key = (call.layer, *fixed)
    if key not in _traced:
        _traced[key] = _Traced(call.find())
    return _traced[key]


_traced: dict[tuple, _Traced] = {}


def _read_ranges(layer: Any) -> dict[str, np.ndarray]:
    """Returns a layer's ranges in float64, in which Python computes too."""
    names = [name for kept in RANGES[type(layer).__name__].values() for name in kept]
    return {name: np.asarray(getattr(layer, name), "float64") for name in names}


def _set_ranges(layer: Any, ranges: dict[str, Any]) -> None:
    """Sets a layer's ranges, to tensors while a function is traced and back."""
    for name, value in ranges.items():
        # Keras would keep track of what it is given.
        object.__setattr__(layer, name, value)


def _count_used(layer: Any) -> int:
    return int(np.asarray(layer.generator.state)[1])


@contextlib.contextmanager
def _as_written() -> Iterator[None]:
    """Lets TensorFlow compute a function as it is written.

    Its optimizer makes (1 + epsilon) - x of 1 - x + epsilon, which rounds to other bits.
    """
    import tensorflow as tf

    optimizer = tf.config.optimizer
    name = "disable_meta_optimizer"
    before = optimizer.get_experimental_options().get(name, False)
    optimizer.set_experimental_options({name: True})
    try:
        yield
    finally:
        optimizer.set_experimental_options({name: before})
