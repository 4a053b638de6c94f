"""Stored features as batches that the head trains on."""

import itertools
from collections.abc import Iterator

import numpy as np

from course_utils.core import backend
from course_utils.data.dataset import epoch_order

tensorflow = backend.import_tensorflow()
import ml_dtypes  # noqa: E402 (TensorFlow is to be quiet first)


class StoredFeatures:
    """The features of one view of a set of photos, read from memory-mapped blocks.

    Args:
        blocks: Arrays of features, (photos, …) each.
        places: int64, shape (count, 2): each photo's block and its row there.
        precision: `"float32"` or `"bfloat16"`, what the blocks hold.
    """

    def __init__(self, blocks: list[np.ndarray], places: np.ndarray, precision: str):
        # Plain arrays over the same mapped files: NumPy takes ten times as long to index a memmap.
        self.blocks = [np.asarray(block) for block in blocks]
        if precision == "bfloat16":
            self.blocks = [block.view(ml_dtypes.bfloat16) for block in self.blocks]
        self.places = places
        self.precision = precision
        self.shape = blocks[0].shape[1:]

    @property
    def count(self) -> int:
        """The number of photos."""
        return len(self.places)

    def __getitem__(self, position: int) -> np.ndarray:
        """Returns one photo's features as they are stored, shape (height, width, channels).

        Args:
            position: Which photo, from 0 to `count` - 1.
        """
        block, row = self.places[position]
        return self.blocks[block][row]

    def read(self, positions) -> np.ndarray:
        """Returns features as float32, shape (len(positions), height, width, channels).

        Args:
            positions: Which photos, from 0 to `count` - 1.
        """
        features = np.empty((len(positions), *self.shape), "float32")
        for place, position in enumerate(positions):
            features[place] = self[position]
        return features


class StoredViews:
    """Batches of stored features: each photo once an epoch, in one view drawn at random.

    Args:
        views: The views' features, of the same photos in the same order.
        labels: float32, shape (count, 1).
        batch_size: Photos in a batch; the last batch may be smaller.
        shuffle: Whether each epoch has its own order, as `Photos` has with the same seed.
        seed: Of the order and of the draw among views.
    """

    def __init__(self, views, labels, *, batch_size=64, shuffle=False, seed=31415):
        self.views = views
        self.labels = labels
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def read_epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Gives the batches of an epoch: features, float32 (batch, …), and labels.

        Args:
            epoch: The epoch's number, from 0.
        """
        count = len(self.labels)
        order = np.arange(count)
        if self.shuffle:
            order = epoch_order(count, seed=self.seed, epoch=epoch)
        drawn = draw_views(count, len(self.views), seed=self.seed, epoch=epoch)
        for start in range(0, count, self.batch_size):
            chosen = order[start : start + self.batch_size]
            features = np.empty((len(chosen), *self.views[0].shape), "float32")
            # Photo by photo, so that each is copied once, straight to its place.
            for place, photo in enumerate(chosen):
                features[place] = self.views[drawn[photo]][photo]
            yield features, self.labels[chosen]

    def as_dataset(self):
        """Returns a `tf.data.Dataset` that goes through epoch 0, 1, 2 … each time it is used.

        Keras traces a Python data set anew for every `evaluate`, which costs more than the head
        itself; a `tf.data.Dataset` is traced once. `from_generator` would make each batch cost
        twice: it sets glibc's M_TRIM_THRESHOLD, and memory is asked of the system every time.
        """
        epochs, batches = itertools.count(), iter(())

        def read(step):
            nonlocal batches
            if step == 0:
                batches = self.read_epoch(next(epochs))
            return next(batches)

        def read_batch(step):
            features, labels = tensorflow.numpy_function(read, [step], ["float32", "float32"])
            features.set_shape((None, *self.views[0].shape))
            labels.set_shape((None, 1))
            return features, labels

        return tensorflow.data.Dataset.range(len(self)).map(read_batch).prefetch(2)


def draw_views(count: int, views: int, *, seed: int, epoch: int) -> np.ndarray:
    """Returns which stored view of each photo an epoch uses: int64, shape (count,).

    Args:
        count: The number of photos.
        views: The number of stored views; each is equally likely.
        seed: The run's seed.
        epoch: The epoch's number, from 0.
    """
    return np.random.default_rng([seed, epoch, 1]).integers(views, size=count)
