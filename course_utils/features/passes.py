"""From photos to the features of one of their views: augmentation, then the frozen base."""

import hashlib
from collections.abc import Sequence

import numpy as np

from course_utils.core import backend
from course_utils.data.dataset import Photos
from course_utils.features.forward import ForwardPass
from course_utils.features.views import View, _flipped_axes, _seed_states, keep_random_states

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
        self._front = tuple(front)
        self._seed = seed
        self._states = [state for layer in self._front for state in _seed_states(layer)]
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
            if view.flips is not None:
                images = self._apply_outcome(images, view.flips)
            else:
                states = self._draw_states(photos.keys[positions], view.number)
                images = self._augment(images, states)
        return self._forward(images).numpy()

    def _apply_outcome(self, images, flips: tuple[bool, ...]):
        outcome = iter(flips)
        for layer in self._front:
            if isinstance(layer, keras.layers.RandomFlip):
                if next(outcome):
                    images = tensorflow.reverse(images, _flipped_axes(layer))
            else:
                images = layer(images, training=False)
        return images

    def _augment_each(self, images, states):
        """Augments photo by photo, each with the dice that are its own."""

        def augment(image_and_states):
            image, own_states = image_and_states
            for number, state in enumerate(self._states):
                state.assign(own_states[number])
            batch = image[None]
            for layer in self._front:
                batch = layer(batch, training=True)
            return tensorflow.cast(batch[0], "float32")

        # One after the other: the photos share the variables that hold the dice.
        return tensorflow.map_fn(
            augment, (images, states), fn_output_signature="float32", parallel_iterations=1
        )

    def _draw_states(self, keys: np.ndarray, number: int) -> np.ndarray:
        """Returns the dice of each photo: uint32, shape (photos, random layers, 2)."""
        states = [
            hashlib.blake2b(f"{key} {number} {self._seed} {layer}".encode(), digest_size=8).digest()
            for key in keys.tolist()
            for layer in range(len(self._states))
        ]
        return np.frombuffer(b"".join(states), dtype="<u4").reshape(len(keys), len(self._states), 2)
