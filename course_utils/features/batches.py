"""Stored features as batches that the head trains on."""

import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from course_utils.core import backend
from course_utils.core.entries import StoredArray
from course_utils.data.dataset import epoch_order

tensorflow = backend.import_tensorflow()
import ml_dtypes  # noqa: E402 (TensorFlow is to be quiet first)


class StoredFeatures:
    """The features of one view of a set of photos, read from the blocks of a store.

    Args:
        blocks: Arrays of features, (photos, …) each.
        places: int64, shape (count, 2): each photo's block and its row there.
        precision: `"float32"` or `"bfloat16"`, what the blocks hold.
    """

    def __init__(self, blocks: Sequence[StoredArray], places: np.ndarray, precision: str):
        self.precision = precision
        self.dtype = np.dtype(ml_dtypes.bfloat16 if precision == "bfloat16" else precision)
        self.shape = blocks[0].shape[1:]
        used = np.unique(places[:, 0])
        self._files = [blocks[number].file for number in used]
        # Plain Python: NumPy takes ten times as long to look up one number.
        self._places = [(blocks[number], row) for number, row in places.tolist()]

    @property
    def count(self) -> int:
        """The number of photos."""
        return len(self._places)

    def __getitem__(self, position: int) -> np.ndarray:
        """Returns one photo's features as they are stored, shape (height, width, channels).

        Args:
            position: Which photo, from 0 to `count` - 1.
        """
        block, row = self._places[position]
        return block[row].view(self.dtype)

    def read(self, positions) -> np.ndarray:
        """Returns features as float32, shape (len(positions), height, width, channels).

        Args:
            positions: Which photos, from 0 to `count` - 1.
        """
        self.check()
        return read_rows([self], [0] * len(positions), positions)

    def locate(self, position: int) -> tuple[StoredArray, int]:
        """Returns the block that one photo's features are in, and the row there."""
        return self._places[position]

    def check(self) -> None:
        """Raises an OSError if a block has been changed since it was opened."""
        for file in self._files:
            file.check()


def read_rows(views: Sequence[StoredFeatures], drawn, positions) -> np.ndarray:
    """Returns photos' features as float32, (len(positions), …), each in its own view.

    Args:
        views: The views' features, of the same photos in the same order.
        drawn: Which view of each of the photos asked for.
        positions: Which photos.
    """
    features = np.empty((len(positions), *views[0].shape), views[0].dtype)
    target = memoryview(features.reshape(-1).view(np.uint8))
    places = [views[view].locate(photo) for view, photo in zip(drawn, positions, strict=True)]
    size, start = len(target) // max(1, len(places)), 0
    # Each photo's features are copied once, straight to their place; neighbors together.
    while start < len(places):
        (block, row), end = places[start], start + 1
        while end < len(places) and places[end] == (block, row + end - start):
            end += 1
        block.read_into(row, target[start * size : end * size])
        start = end
    return features.astype("float32", copy=False)


class StoredViews:
    """Batches of stored features: each photo once per epoch, in one view drawn at random.

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
        for view in self.views:
            view.check()
        for start in range(0, count, self.batch_size):
            chosen = order[start : start + self.batch_size]
            features = read_rows(self.views, drawn[chosen].tolist(), chosen.tolist())
            yield features, self.labels[chosen]

    def as_dataset(self):
        """Returns a `tf.data.Dataset` that goes through epoch 0, 1, 2 … each time it is used.

        Keras traces a Python dataset again for every `evaluate`, which costs more than the head
        itself; a `tf.data.Dataset` is traced once. `from_generator` would make each batch cost
        twice: it sets glibc's M_TRIM_THRESHOLD, and memory is asked of the system every time.
        """
        reader = _Epochs(self)
        read = weakly(reader.read)

        def read_batch(step):
            features, labels = tensorflow.numpy_function(read, [step], ["float32", "float32"])
            features.set_shape((None, *self.views[0].shape))
            labels.set_shape((None, 1))
            return features, labels

        dataset = tensorflow.data.Dataset.range(len(self)).map(read_batch).prefetch(2)
        dataset.reader = reader  # It lives as long as the dataset.
        return dataset


class _Epochs:
    """Goes through the batches of one epoch after the other."""

    def __init__(self, views: StoredViews):
        self._views = views
        self._numbers = itertools.count()
        self._batches = iter(())

    def read(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the next batch; step 0 begins the next epoch."""
        if step == 0:
            self._batches = self._views.read_epoch(next(self._numbers))
        return next(self._batches)


def weakly(method: Callable) -> Callable:
    """Returns a function that calls a method without keeping its object alive.

    TensorFlow keeps every Python function of a dataset for good, with all that it holds.

    Args:
        method: A bound method. Whoever uses the function keeps its object.
    """
    weak = weakref.WeakMethod(method)
    return lambda *arguments: weak()(*arguments)


def draw_views(count: int, views: int, *, seed: int, epoch: int) -> np.ndarray:
    """Returns which stored view of each photo an epoch uses: int64, shape (count,).

    Args:
        count: The number of photos.
        views: The number of stored views; each is equally likely.
        seed: The run's seed.
        epoch: The epoch's number, from 0.
    """
    return np.random.default_rng([seed, epoch, 1]).integers(views, size=count)
