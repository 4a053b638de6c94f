"""Makes the views that the explorer shows, repeating only what a change affects."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from course_utils.augmentation import traced
from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.layer_call import LayerCall
from course_utils.augmentation.policy import Augmentation


@dataclass(frozen=True)
class Step:
    """One layer applied to a batch.

    Args:
        name: The transformation that the layer belongs to.
        call: The layer before it is built.
        layer: The layer.
        sampled: The random values, as `get_random_transformation` returns them; `None` where a
            layer does not say them.
        before: The batch that the layer was given.
        after: The batch that it returned.
    """

    name: str
    call: LayerCall
    layer: Any
    sampled: Any
    before: Any = None
    after: Any = None


class ViewMaker:
    """Applies an augmentation's layers to a batch.

    The views are those that `augmentation.layers(seed)` give when they are called eagerly with
    `training=True`: at the first call for epoch 1, at the second for epoch 2, and so on.
    """

    def __init__(self) -> None:
        self._images = None
        self._epoch = None
        self._steps: list[Step] = []

    def make(
        self, images: np.ndarray, augmentation: Augmentation, *, seed: int, epoch: int
    ) -> np.ndarray:
        """Returns the views of a batch.

        Args:
            images: float32 in [0, 1], shape (batch, height, width, 3). The same array object is
                taken to hold the same photos.
            augmentation: What is applied.
            seed: Of the layers.
            epoch: Which call of the layers, from 1.

        Returns:
            float32 in [0, 1], of the same shape.
        """
        if images is not self._images or epoch != self._epoch:
            self._images, self._epoch, self._steps = images, epoch, []
            self._batch = _as_tensor(images)
        known, self._steps, views = self._steps, [], self._batch
        for name, call in augmentation.calls(seed):
            step = next((step for step in known if step.call == call), None)
            if step is None:
                step = _apply(_sample(name, call, views, epoch), views, epoch)
            elif step.before is not views:
                step = _apply(step, views, epoch)
            self._steps.append(step)
            views = step.after
        return np.asarray(views)

    def describe(self) -> list[str]:
        """Returns the random values of each view, in words."""
        described = [[] for _ in self._images]
        for step in self._steps:
            if step.sampled is not None:
                words = CATALOGUE[step.name].describe_views(step.layer, step.sampled)
                for view, new in zip(described, words, strict=True):
                    view += [new] if new else []
        return [", ".join(words) or "unchanged" for words in described]


def _sample(name: str, call: LayerCall, images: Any, epoch: int) -> Step:
    """Samples the random values of a layer for a batch."""
    layer = call.find()
    if not hasattr(layer, "get_random_transformation"):
        return Step(name, call, layer, None)
    sampled, used = traced.sample(call, images)
    if epoch > 1:
        # The random state is (seed, numbers used). Every call uses equally many, so the values
        # of a later call can be sampled without making the calls in between.
        sampled, _ = traced.sample(call, images, skip=used * (epoch - 1))
    return Step(name, call, layer, sampled)


def _apply(step: Step, images: Any, epoch: int) -> Step:
    """Applies a layer with its random values, which depend on the images' shape alone."""
    if step.sampled is not None:
        views = traced.transform(step.call, images, step.sampled)
    else:  # Noise is sampled when the layer is called, with one random number for each call.
        views = step.call.reuse(skip=epoch - 1)(images, training=True)
    return replace(step, before=images, after=views)


def _as_tensor(images: Any) -> Any:
    import keras

    return keras.ops.convert_to_tensor(images)
