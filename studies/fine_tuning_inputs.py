"""What the study of fine-tuning trains on: features of photos and of their augmented views."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from fine_tuning_tables import NONE, STORED

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend, cache
from course_utils.data.dataset import Photos, epoch_order
from course_utils.features.batches import draw_views
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view, list_views
from course_utils.models.fingerprints import fingerprint_base

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

SEED = 31415  # of the photos and the stored views; a run's own seed is its number
VIEWS = 4
POLICY = Augmentation(flip="horizontal", contrast=0.5)
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Inputs:
    """What a level trains and is measured on, in memory.

    Args:
        clean: The training photos' features, (photos, …).
        views: The same of each augmented view, (views, photos, …).
        test: The test photos'.
        about: All that they depend on, as text.
    """

    clean: np.ndarray
    views: np.ndarray
    test: np.ndarray
    about: str

    def read_epochs(self, policy: str, *, seed: int, epochs: Sequence[int]) -> Iterator[tuple]:
        """Gives the features of each epoch and the photos' positions, in the epoch's order.

        Runs of the same seed see the photos in the same order, whatever the policy.

        Args:
            policy: `NONE`; `STORED` draws one of the first views of each photo; any other takes a
                view in epoch n that no other epoch has.
            seed: Of order and draws.
            epochs: Their numbers, from 0.
        """
        count = len(self.clean)
        for epoch in epochs:
            order = epoch_order(count, seed=seed, epoch=epoch)
            if policy == NONE:
                yield self.clean[order], order
                continue
            drawn = np.full(count, epoch)
            if policy == STORED:
                drawn = draw_views(count, VIEWS, seed=seed, epoch=epoch)
            yield self.views[drawn[order], order], order


def build_thumbnails(shape: tuple) -> keras.Model:
    """Returns the first layer of the small network, which has nothing to learn: half the size."""
    return keras.Sequential([keras.Input(shape), keras.layers.AveragePooling2D(2)])


def load_inputs(frozen: keras.Model, train: Photos, test: Photos, *, views: int) -> Inputs:
    """Returns what a frozen model makes of clean photos and of augmented views.

    Args:
        frozen: From images to features.
        train: The training photos, clean and in every view.
        test: The test photos, clean.
        views: How many there are.
    """
    frozen.trainable = False
    layers = POLICY.layers(SEED)
    clean = clean_view(layers)
    drawn = list_views(layers, views=views, seed=SEED)
    needed = [(train, [clean, *drawn]), (test, [clean])]
    store = prepare_features(layers, frozen, needed, precision="float32", seed=SEED)

    def read(photos, view):
        return store.open(photos, view).read(range(photos.count))

    about = [fingerprint_base(frozen), *(view.fingerprint for view in (clean, *drawn))]
    return Inputs(
        read(train, clean),
        np.stack([read(train, view) for view in drawn]),
        read(test, clean),
        cache.digest(about),
    )


def apply_layers(inputs: Inputs, layers: Sequence[keras.Layer]) -> Inputs:
    """Returns what more frozen layers make of features."""
    model = keras.Sequential([keras.Input(inputs.clean.shape[1:]), *layers])
    apply = lambda values: model.predict(values, batch_size=EVALUATION_BATCH, verbose=0)  # noqa: E731
    views = np.stack([apply(view) for view in inputs.views])
    about = cache.digest([inputs.about, fingerprint_base(model)])
    return Inputs(apply(inputs.clean), views, apply(inputs.test), about)
