"""Features of clean photos, computed once and kept in memory for as long as a training lasts."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil

from course_utils.core import backend
from course_utils.core.progress import Progress
from course_utils.data.dataset import Photos
from course_utils.features.batches import weakly

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

FREE_PART = 0.5  # of the memory that is free, what features may take
CONTAINER = Path("/sys/fs/cgroup")  # where Linux says what a container may take


class KeptFeatures:
    """The features of clean photos in memory, in batches in the photos' own order.

    Args:
        values: Shape (photos, …), in the base's precision.
        photos: Whose features these are.
    """

    def __init__(self, values: np.ndarray, photos: Photos):
        self.values = values
        self._photos = photos

    def as_dataset(self):
        """Returns a `tf.data.Dataset` of (features, labels), float32, batched as the photos are."""
        read = weakly(self._read)

        def read_batch(step):
            features, labels = tensorflow.numpy_function(read, [step], ["float32", "float32"])
            features.set_shape((None, *self.values.shape[1:]))
            labels.set_shape((None, 1))
            return features, labels

        dataset = tensorflow.data.Dataset.range(len(self._photos)).map(read_batch).prefetch(2)
        dataset.reader = self  # It lives as long as the dataset.
        return dataset

    def _read(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        size = self._photos.batch_size
        chosen = slice(step * size, (step + 1) * size)
        return self.values[chosen].astype("float32"), self._photos.labels[chosen]


def has_room(base: keras.Model, photos: int) -> bool:
    """Whether the features of so many photos fit into the memory that is free.

    Args:
        base: What computes them.
        photos: How many.
    """
    size = tensorflow.as_dtype(base.compute_dtype).size
    return photos * size * np.prod(base.output_shape[1:]) < FREE_PART * count_free_bytes()


def keep_features(
    front: Sequence[keras.Layer], base: keras.Model, sets: Sequence[Photos], *, progress: bool
) -> tuple[list[KeptFeatures], float]:
    """Sends clean photos through front and base once.

    Args:
        front: The model's layers before the base; nothing random happens in them.
        base: The frozen base.
        sets: Whose features are wanted.
        progress: Whether a line shows how far it is.

    Returns:
        The features of each set in its own order, and how many photos per second went through.
    """

    @tensorflow.function(reduce_retracing=True)
    def forward(images):
        for layer in (*front, base):
            images = layer(images, training=False)
        return images

    kept, speeds = [], []
    with Progress(sum(photos.count for photos in sets), "Clean photos", shown=progress) as line:
        for photos in sets:
            values = None
            for start in range(0, photos.count, photos.batch_size):
                positions = np.arange(start, min(start + photos.batch_size, photos.count))
                begun = time.perf_counter()
                features = forward(photos.read(positions)).numpy()
                speeds.append(len(positions) / (time.perf_counter() - begun))
                if values is None:
                    values = np.empty((photos.count, *features.shape[1:]), features.dtype)
                values[positions] = features
                line.advance(len(positions))
            kept.append(KeptFeatures(values, photos))
    # The first batch builds the graph, and a last, smaller one again.
    return kept, max(speeds)


def count_free_bytes() -> int:
    """Returns how much memory this process may still take: the machine's, or its container's."""
    free = psutil.virtual_memory().available
    try:
        limit = int((CONTAINER / "memory.max").read_text())
        about = dict(line.split() for line in (CONTAINER / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # No container, or one without a limit ("max").
        return free
    return min(free, limit - int(about["anon"]))
