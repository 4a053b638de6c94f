"""Photos of a `tf.data` dataset: found again, in any order, by the hash of their pixels."""

import hashlib
import itertools
import math
import os
import tempfile
from collections.abc import Sequence

import numpy as np

from course_utils.core import backend, environment
from course_utils.data.pixels import fingerprint_pixels
from course_utils.features.batches import StoredFeatures, read_rows, weakly

tensorflow = backend.import_tensorflow()

CHANGING = (
    "received photos that were not there when it was first gone through. Stored features need the "
    "same photos in every epoch. If the dataset augments (a `map` with random layers), move these "
    "layers into the model, in front of its base. If it takes a part at random (`shuffle` before "
    "`take`), shuffle once: shuffle(…, reshuffle_each_iteration=False). Or train with "
    'method="in_model".'
)


class DatasetPhotos:
    """The distinct photos of a dataset, as the feature store takes photos.

    The dataset is gone through ahead of training; these passes then are the first epochs. Meanwhile
    the pixels wait in a temporary file.

    Args:
        dataset: Batches of (images, labels) or (images, labels, sample weights), images of shape
            (batch, height, width, 3).
        name: What it is to the student: `data` or `validation_data`.
        passes: How often it is gone through ahead. The second time tells whether its pixels stay
            as they are.

    Attributes:
        keys: uint64, shape (count,): each photo's fingerprint, as `Photos` has it.
        dataset: As it was given.
        ahead: Of each pass ahead its batches, the photos' positions in place of the images.
        error: What went wrong inside of TensorFlow, if anything did.

    Raises:
        ValueError: If it is empty, or has other photos the second time.
    """

    def __init__(self, dataset, *, name: str, passes: int):
        self.error: ValueError | None = None
        self.dataset = dataset
        self._name = name
        self._positions: dict[bytes, int] = {}
        self._pixels = _PixelFile()
        self.ahead: list[list[tuple]] = []
        for number in range(passes):
            self.begin_in_vain(number)
            self.ahead.append(
                [
                    (self.find(images, new=number == 0), *others)
                    for images, *others in dataset.as_numpy_iterator()
                ]
            )
        if not self._positions:
            raise ValueError(f"Expected photos in `{name}`, received an empty dataset.")
        self.keys = np.array(self._pixels.keys, np.uint64)

    def __len__(self) -> int:
        """The number of batches."""
        return len(self.ahead[0])

    @property
    def count(self) -> int:
        """The number of distinct photos."""
        return len(self.keys)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.read([0]).shape[1:3]

    def read(self, positions) -> np.ndarray:
        """Returns photos as the model sees them: float32, shape (len(positions), height, width, 3).

        Args:
            positions: Which photos, from 0 to `count` - 1.
        """
        return np.stack([self._pixels.read(position) for position in positions])

    def with_features(self, views: Sequence[StoredFeatures], *, seed: int):
        """Returns the dataset with stored features in place of its images; all else stays.

        Its order, its batches, labels and sample weights are the dataset's own.

        Args:
            views: The photos' features; of several views one is drawn for each photo of a batch.
            seed: Of that draw.
        """
        reader = _FeaturePasses(self, views, seed)
        batches = reader.as_dataset()
        batches.reader = reader  # It lives as long as the dataset.
        return batches

    def find(self, images: np.ndarray, *, new: bool = False) -> np.ndarray:
        """Returns which photos these are, by their pixels: int64, shape (len(images),).

        Args:
            images: A batch of the dataset, of its own type.
            new: Whether new ones are kept. Otherwise they raise a ValueError.
        """
        found = []
        for image in images:
            digest = hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest()
            if digest not in self._positions:
                if not new:
                    # TensorFlow makes an error of its own of it; this one is for the student.
                    self.error = ValueError(
                        f"Expected the same photos in `{self._name}` in every epoch, {CHANGING}"
                    )
                    raise self.error
                self._positions[digest] = len(self._positions)
                self._pixels.add(image)
            found.append(self._positions[digest])
        return np.array(found, np.int64)

    def has_length(self) -> bool:
        return self.dataset.cardinality() >= 0

    def begin_in_vain(self, number: int) -> None:
        """Begins the dataset once more before all passes but the first, as Keras does.

        A shuffled dataset draws its next order whenever it begins, so that the epochs come in the
        orders that they have in `fit`. Where the number of batches is not known, Keras learns it
        from the first pass, and does so from the second on.
        """
        if number > (0 if self.has_length() else 1):
            iter(self.dataset)


class _FeaturePasses:
    """Passes through a dataset with stored features in place of its images."""

    def __init__(self, photos: DatasetPhotos, views: Sequence[StoredFeatures], seed: int):
        self._photos = photos
        self._views = views
        self._seed = seed
        self._numbers = itertools.count()

    def as_dataset(self):
        """Returns a `tf.data.Dataset` that goes through pass 0, 1, 2 … each time it is used."""
        number = tensorflow.TensorSpec([], "int64")
        passes = tensorflow.data.Dataset.from_tensors(0).map(
            lambda _: _in_python(self._begin, [number])[0]
        )
        batches = passes.flat_map(self._go_through)
        if self._photos.has_length():
            length = len(self._photos)
            batches = batches.apply(tensorflow.data.experimental.assert_cardinality(length))
        return batches.prefetch(2)

    def _go_through(self, number):
        photos = self._photos
        positions = tensorflow.TensorSpec([None], "int64")
        others = photos.dataset.element_spec[1:]
        features = tensorflow.TensorSpec((None, *self._views[0].shape), "float32")
        ahead = number < len(photos.ahead)
        remembered = tensorflow.data.Dataset.range(_where(ahead, len(photos), 0)).map(
            lambda step: _in_python(self._remember, [positions, *others], number, step)
        )
        # Nothing is taken from the dataset itself, its shuffling included, while its passes are
        # remembered. Batches are looked for side by side, and drawn from in their order.
        live = photos.dataset.map(
            lambda images, *rest: (*_in_python(self._find, [positions], images), *rest),
            num_parallel_calls=tensorflow.data.AUTOTUNE,
            deterministic=True,
        )
        found = remembered.concatenate(live.take(_where(ahead, 0, -1)))
        return found.enumerate().map(
            lambda step, batch: (
                *_in_python(self._read, [features], number, step, batch[0]),
                *batch[1:],
            )
        )

    def _begin(self):
        number = next(self._numbers)
        if number >= len(self._photos.ahead):
            self._photos.begin_in_vain(number)
        for view in self._views:
            view.check()
        return [np.int64(number)]

    def _remember(self, number, step):
        return self._photos.ahead[number][step]

    def _find(self, images):
        return [self._photos.find(images)]

    def _read(self, number, step, positions):
        random = np.random.default_rng([self._seed, number, step, 3])
        drawn = random.integers(len(self._views), size=len(positions))
        return [read_rows(self._views, drawn.tolist(), positions.tolist())]


class _PixelFile:
    """Pixels of photos in a temporary file: as bytes where they once were bytes, else as floats.

    Attributes:
        keys: Each photo's fingerprint; of bytes the one that `Photos` has.
    """

    def __init__(self):
        folder = environment.cache_dir()
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it ends with this object)
        self._places: list[tuple[int, np.dtype, tuple[int, ...]]] = []
        self.keys: list[int] = []

    def add(self, image: np.ndarray) -> None:
        """Appends a photo, of any type of number."""
        pixels = np.ascontiguousarray(image, "float32")
        key = hashlib.blake2b(pixels, digest_size=8).hexdigest()
        as_bytes = np.clip(np.nan_to_num(pixels) * 255, 0, 255).round().astype(np.uint8)
        if np.array_equal(as_bytes.astype("float32") / 255, pixels):
            pixels, key = as_bytes, fingerprint_pixels(as_bytes)
        self._places.append((self._file.seek(0, os.SEEK_END), pixels.dtype, pixels.shape))
        self._file.write(pixels.tobytes())
        self.keys.append(int(key, 16))

    def read(self, position: int) -> np.ndarray:
        """Returns a photo as float32, shape (height, width, 3)."""
        start, dtype, shape = self._places[position]
        self._file.seek(start)
        read = self._file.read(dtype.itemsize * math.prod(shape))
        pixels = np.frombuffer(read, dtype).reshape(shape)
        return pixels.astype("float32") / 255 if dtype == np.uint8 else pixels


def check_dataset(dataset, name: str) -> tuple[int, int]:
    """Returns the (height, width) of a dataset's photos; `None` where it does not say.

    Args:
        dataset: What was passed as data.
        name: What it is to the student: `data` or `validation_data`.

    Raises:
        TypeError: If it is no `tf.data.Dataset` of batches (images, labels).
        ValueError: If these are no batches of photos, or go on without an end.
    """
    expected = (
        f"Expected `{name}` to be photos of the kit, a tf.data.Dataset of batches (images, labels) "
        "or arrays (images, labels)"
    )
    if not isinstance(dataset, tensorflow.data.Dataset):
        raise TypeError(
            f'{expected}, received {type(dataset).__name__}. method="in_model" takes whatever '
            "`model.fit` takes."
        )
    spec = dataset.element_spec
    if (
        not isinstance(spec, tuple)
        or len(spec) not in (2, 3)
        or not all(isinstance(each, tensorflow.TensorSpec) for each in spec)
    ):
        raise TypeError(f"{expected}, received a dataset of {spec}. Bring it into that form.")
    images = spec[0]
    if images.shape.rank != 4:
        raise ValueError(
            f"{expected}, images of shape (batch, height, width, 3), received {images}. Put photos "
            "into batches with dataset.batch(64)."
        )
    if dataset.cardinality() == tensorflow.data.INFINITE_CARDINALITY:
        raise ValueError(
            f"Expected `{name}` to have an end, received a dataset that never ends. Take out "
            "its `repeat()`: each epoch begins it again."
        )
    return tuple(images.shape[1:3])


def _in_python(method, specs: Sequence, *arguments) -> tuple:
    """Returns what a method makes of arrays, as tensors of these specs."""
    kinds = [spec.dtype for spec in specs]
    made = tensorflow.numpy_function(weakly(method), arguments, kinds)
    for tensor, spec in zip(made, specs, strict=True):
        tensor.set_shape(spec.shape)
    return tuple(made)


def _where(condition, one: int, other: int):
    return tensorflow.where(condition, tensorflow.constant(one, "int64"), other)
