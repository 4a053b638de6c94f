"""From photos to the features of one of their views: augmentation, then the frozen base."""

import hashlib
from collections.abc import Sequence

import numpy as np

from course_utils.core import backend
from course_utils.data.dataset import Photos
from course_utils.features.forward import ForwardPass
from course_utils.features.views import (
    View,
    flipped_axes,
    group_random_states,
    keep_random_states,
)
from course_utils.models.fingerprints import is_random
from course_utils.models.partition import flatten

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


class ViewPass:
    """Computes features of views. What is random depends on photo, view and seed alone.

    Args:
        front: The model's layers before the base.
        base: The frozen base.
        precision: `"float32"` or `"bfloat16"`: what the base computes in.
        seed: Of the random draws.
    """

    def __init__(self, front: Sequence[keras.Layer], base: keras.Model, *, precision, seed: int):
        self._front = flatten(front)
        self._seed = seed
        self._states, self._groups = group_random_states(self._front)
        self._forward = ForwardPass(base, precision)
        self._augment = tensorflow.function(
            self._augment_each, autograph=False, reduce_retracing=True
        )

    def __call__(self, photos: Photos, positions: np.ndarray, view: View) -> np.ndarray:
        """Returns features in the pass's precision, shape (len(positions), …).

        Args:
            photos: The photos.
            positions: Which of them.
            view: Which version of them.
        """
        images = tensorflow.convert_to_tensor(photos.read(positions))
        with keep_random_states(self._front):
            if view.change is not None:
                images = view.change(images)
            if view.training and view.flips is None:
                states = self._draw_states(photos.keys[positions], view.number)
                images = self._augment(images, states)
            else:
                images = self._apply(images, view)
        return self._forward(images).numpy()

    def _apply(self, images, view: View):
        """Applies the layers to a batch: as in inference, or in training with given flips."""
        outcome = iter(view.flips or ())
        for layer in self._front:
            if view.training and is_random(layer):
                images = (
                    tensorflow.reverse(images, flipped_axes(layer)) if next(outcome) else images
                )
            else:
                images = layer(images, training=view.training)
        return tensorflow.cast(images, "float32")

    def _augment_each(self, images, states):
        """Augments photo by photo, each with random states of its own."""

        def augment(image_and_states):
            image, own_states = image_and_states
            for number, state in enumerate(self._states):
                state.assign(own_states[number])
            batch = image[None]
            for layer in self._front:
                batch = layer(batch, training=True)
            return tensorflow.cast(batch[0], "float32")

        # One after the other: the photos share the variables that hold the random states.
        return tensorflow.map_fn(
            augment, (images, states), fn_output_signature="float32", parallel_iterations=1
        )

    def _draw_states(self, keys: np.ndarray, number: int) -> np.ndarray:
        """Returns the random states of each photo: uint32, shape (photos, states, 2)."""
        states = [
            hashlib.blake2b(f"{key} {number} {self._seed} {group}".encode(), digest_size=8).digest()
            for key in keys.tolist()
            for group in self._groups
        ]
        return np.frombuffer(b"".join(states), dtype="<u4").reshape(len(keys), len(self._groups), 2)
