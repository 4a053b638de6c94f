"""Photos of two classes as Keras takes them: checked, in batches, train and valid.

Longer than 350 lines because `Photos`, `Splits` and their loader are one interface, most of it
docstrings and errors.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count as count_from
from pathlib import Path

import numpy as np
import pandas as pd

from course_utils.core import backend
from course_utils.core.checks import check_count
from course_utils.core.settings import Settings
from course_utils.data.equal_photos import describe_equal_photos
from course_utils.data.folders import SPLITS, describe_not_taken, list_photos
from course_utils.data.pixels import fingerprint_pixels, list_unreadable, load_pixels
from course_utils.data.sources import find_photos

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def epoch_order(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Returns the order in which an epoch goes through the training photos.

    Args:
        count: The number of photos.
        seed: The run's seed.
        epoch: The epoch's number, from 0.

    Returns:
        A permutation of 0 … count - 1, int64, shape (count,), its own for each epoch.
    """
    return np.random.default_rng([seed, epoch]).permutation(count)


class Photos(keras.utils.PyDataset):
    """Photos of one split, as batches that Keras's `fit`, `evaluate` and `predict` take.

    The pixels stay uint8 in a file of the cache; a batch is turned into floats when it is
    asked for. With `shuffle`, every epoch has its own permutation, seeded.

    Args:
        pixels: uint8 in [0, 255] or float32 in [0, 1], shape (stored, height, width, 3).
        labels: float32, shape (count, 1), 0 or 1.
        keys: uint64, shape (count,): each photo's fingerprint, the same for equal pixels.
        names: The photos' file names, `count` of them.
        rows: int64, shape (count,): where in `pixels` each photo stands.
        batch_size: Photos in a batch; the last batch may be smaller.
        shuffle: Whether each epoch goes through the photos in an order of its own.
        seed: Of those orders.
    """

    def __init__(
        self, pixels, labels, keys, names, *, rows=None, batch_size=64, shuffle=False, seed=31415
    ):
        super().__init__()
        self.pixels = pixels
        self.labels = labels
        self.keys = keys
        self.names = names
        self.rows = np.arange(len(labels)) if rows is None else rows
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self._epoch = None
        self._order = self._draw_order()

    @property
    def count(self) -> int:
        """The number of photos (`len` is the number of batches, as Keras wants it)."""
        return len(self.labels)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[1:3]

    def read(self, positions) -> np.ndarray:
        """Returns photos as float32 in [0, 1], shape (len(positions), height, width, 3).

        Args:
            positions: Which photos, from 0 to `count` - 1, in the split's own order.
        """
        chosen = self.pixels[self.rows[np.asarray(positions)]]
        return chosen.astype("float32") / 255 if chosen.dtype == np.uint8 else chosen

    def take(self, count: int, *, seed: int | None = None) -> "Photos":
        """Returns the first `count` photos of a seeded permutation, both classes in proportion.

        A smaller number gives a part of what a larger one gives.

        Args:
            count: How many, from 1 to this set's count.
            seed: Of the permutation; the set's own where it is `None`.

        Raises:
            TypeError: If `count` is not a whole number.
            ValueError: If there are not that many photos.
        """
        count = check_count("count", count, 1, self.count)
        chosen = choose_balanced(self.labels, count, seed=self.seed if seed is None else seed)
        return self._with(chosen)

    def unshuffled(self) -> "Photos":
        """Returns the same photos in the split's own order: what `predict` gives then stands
        beside `labels`."""
        return self._with(np.arange(self.count), shuffle=False)

    def shuffled(self, *, seed: int) -> "Photos":
        """Returns the same photos in a new order every epoch, beginning with epoch 0."""
        return self._with(np.arange(self.count), shuffle=True, seed=seed)

    def in_batches_of(self, batch_size: int) -> "Photos":
        """Returns the same photos in batches of another size, beginning with epoch 0."""
        return self._with(np.arange(self.count), batch_size=batch_size)

    def repeated(self, times: int) -> "Photos":
        """Returns the same photos, each `times` times in every epoch.

        So that few photos make as many steps as many photos do.
        """
        return self._with(np.tile(np.arange(self.count), times))

    def as_dataset(self):
        """Returns a `tf.data.Dataset` of the batches of epoch 0, 1, 2 … without an end.

        For training on several GPUs, with `steps_per_epoch=len(photos)`: Keras then begins a
        Python dataset once in vain, which would move every epoch's order on by one.
        """
        shapes = (
            tensorflow.TensorSpec((None, *self.image_size, 3), "float32"),
            tensorflow.TensorSpec((None, 1), "float32"),
        )
        batches = tensorflow.data.Dataset.from_generator(self._read_on, output_signature=shapes)
        return batches.prefetch(2)

    def _read_on(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for epoch in count_from():
            order = np.arange(self.count)
            if self.shuffle:
                order = epoch_order(self.count, seed=self.seed, epoch=epoch)
            for start in range(0, self.count, self.batch_size):
                chosen = order[start : start + self.batch_size]
                yield self.read(chosen), self.labels[chosen]

    def _with(self, chosen, **changes) -> "Photos":
        options = {"batch_size": self.batch_size, "shuffle": self.shuffle, "seed": self.seed}
        return Photos(
            self.pixels,
            self.labels[chosen],
            self.keys[chosen],
            [self.names[position] for position in chosen],
            rows=self.rows[chosen],
            **{**options, **changes},
        )

    def _draw_order(self) -> np.ndarray:
        if self.shuffle:
            return epoch_order(self.count, seed=self.seed, epoch=self._epoch or 0)
        return np.arange(self.count)

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        # Python's `for … in` stops at an IndexError; without it, it would never end.
        if not 0 <= batch < len(self):
            raise IndexError(f"Expected a batch from 0 to {len(self) - 1}, received {batch}.")
        chosen = self._order[batch * self.batch_size : (batch + 1) * self.batch_size]
        return self.read(chosen), self.labels[chosen]

    def on_epoch_begin(self) -> None:
        """Keras calls this before each epoch, the first one too: each has its own order.

        (It calls `on_epoch_end` once before the first epoch as well, which therefore cannot
        count epochs.)
        """
        self._epoch = 0 if self._epoch is None else self._epoch + 1
        self._order = self._draw_order()


@dataclass(frozen=True)
class Splits:
    """The photos of a run.

    Args:
        train: Shuffled again in every epoch.
        valid: In the folder's order.
        class_names: The folders' names, in alphabetical order: labels 0 and 1.
        source: A sentence: where the photos come from, and why from there.
        counts: A DataFrame, photos by split (rows) and class (columns).
    """

    train: Photos
    valid: Photos
    class_names: tuple[str, str]
    source: str
    counts: pd.DataFrame

    def take_train(self, count: int, *, batch_size: int | None = None) -> "Splits":
        """Returns the same splits with only `count` training photos, both classes in proportion.

        Args:
            count: How many training photos stay.
            batch_size: Photos in a train batch; as before where it is `None`.
        """
        train = self.train.take(count)
        train.batch_size = batch_size or train.batch_size
        return replace(self, train=train)


def load_car_or_truck(
    chosen: Settings, *, folder: str | Path | None = None, download: bool | None = None
) -> Splits:
    """Loads the photos of cars and trucks, or of any two classes.

    In this order: the folder given (argument, then `COURSE_DATA_DIR`), photos that were
    prepared for a class, the folder `data/car-or-truck`, Kaggle's mount, a zip archive in
    `data`, Kaggle's download, the synthetic dataset. A folder of two classes without train
    and valid is split by the seed, one photo in four valid. A photo of another size is turned
    upright, scaled with antialiasing and letterboxed on black; one of the right size is taken
    as it is. Pixels are decoded and checked once and kept in the cache. One line says how many
    files were not taken, and why. Warnings name unreadable photos, photos in both splits, and
    photos in both classes.

    Args:
        chosen: The numbers of the run: how many photos, image size, batch size, seed.
        folder: A folder or zip archive with train/ and valid/, each with one folder a class; a
            folder with one folder a class; or the word `"synthetic"` for the vehicles that the kit
            draws itself.
        download: Whether to download from Kaggle where no photos are here and no download failed
            in the last six hours. `None` does so in the full profile only; lesson 00 in both.

    Returns:
        `Splits`; images come as float32 RGB in [0, 1], labels as float32 (batch, 1).

    Raises:
        FileNotFoundError: If the folder given, or a part of it, is not there.
        TypeError: If `chosen` is no `Settings`.
        ValueError: If it does not hold two classes of readable photos, or an archive is damaged.
        OSError: If the cache cannot be written; the message says what to do.

    Example:
        >>> splits = load_car_or_truck(chosen, folder="synthetic")
        >>> splits.source
        'Synthetic vehicles from the course kit (set by the argument `folder`).'
    """
    if not isinstance(chosen, Settings):
        raise TypeError(
            f"Expected the settings of a lesson, received {chosen!r}. Write settings = "
            'start_lesson(profile="quick") and pass them on.'
        )
    found, source = find_photos(chosen, folder, download=download)
    listed = list_photos(found, seed=chosen.seed)
    if listed.split_by_kit:
        source += f" It has no train and valid: one photo in four is valid, by seed {chosen.seed}."
    if listed.not_taken:
        print(describe_not_taken(listed.not_taken), flush=True)
    wanted = {"train": chosen.train_photos, "valid": chosen.valid_photos}
    loaded, unreadable, checked = {}, {}, 0
    for split in SPLITS:
        files, labels = listed.files[split], listed.labels[split]
        if wanted[split] is not None and wanted[split] < len(files):
            kept = np.sort(choose_balanced(labels, wanted[split], seed=chosen.seed))
            files, labels = [files[position] for position in kept], labels[kept]
        pixels = load_pixels(listed.folder, files, chosen.image_size)
        unreadable |= pixels.unreadable
        checked += len(files)
        loaded[split] = Photos(
            pixels.stored,
            labels[pixels.readable],
            pixels.keys,
            [files[row].relative_to(listed.folder).as_posix() for row in pixels.readable],
            rows=pixels.readable,
            batch_size=chosen.batch_size,
            shuffle=split == "train",
            seed=chosen.seed,
        )
    names = listed.class_names
    doubts = [list_unreadable(unreadable, checked)] if unreadable else []
    for doubt in [*doubts, *describe_equal_photos(loaded, names)]:
        warnings.warn(doubt, stacklevel=2)
    return Splits(**loaded, class_names=names, source=source, counts=_count(loaded, names))


def splits_from_arrays(
    train: tuple[np.ndarray, np.ndarray],
    valid: tuple[np.ndarray, np.ndarray],
    *,
    class_names: tuple[str, str],
    source: str,
    batch_size: int = 64,
    seed: int = 31415,
) -> Splits:
    """Returns splits of photos that are in memory already, as `make_synthetic_vehicles` gives them.

    Args:
        train: Images, float in [0, 1], shape (count, height, width, 3), and labels, 0 or 1,
            shape (count, 1).
        valid: The same for the validation photos.
        class_names: What the labels 0 and 1 mean.
        source: A sentence: where the photos come from.
        batch_size: Photos in a batch.
        seed: Of the order of the training photos.

    Returns:
        `Splits`, as `load_car_or_truck` returns them.

    Raises:
        ValueError: If images or labels have another shape or range.

    Example:
        >>> photos = np.zeros((4, 8, 8, 3)), np.array([[0], [0], [1], [1]])
        >>> made = splits_from_arrays(photos, photos, class_names=("Car", "Truck"), source="Black.")
        >>> made.counts.loc["train"].tolist()
        [2, 2]
    """
    loaded = {}
    for split, (images, labels) in zip(SPLITS, (train, valid), strict=True):
        if not len(images):
            raise ValueError(f"Expected one {split} photo or more, received none.")
        if images.ndim != 4 or images.shape[-1] != 3 or labels.shape != (len(images), 1):
            raise ValueError(
                f"Expected {split} images of shape (count, height, width, 3) and labels of shape "
                f"(count, 1), received {images.shape} and {labels.shape}. Reshape them."
            )
        if not (images.min() >= 0 and images.max() <= 1 and np.isin(labels, (0, 1)).all()):
            raise ValueError(
                f"Expected {split} images in [0, 1] and labels 0 or 1, received images from "
                f"{images.min():g} to {images.max():g} and the labels {np.unique(labels)[:5]}. "
                "Divide pixels from 0 to 255 by 255."
            )
        pixels = _as_pixels(images)
        loaded[split] = Photos(
            pixels,
            labels.astype("float32"),
            np.array([int(fingerprint_pixels(image), 16) for image in pixels], np.uint64),
            [f"{split}/{number:05d}" for number in range(len(pixels))],
            batch_size=batch_size,
            shuffle=split == "train",
            seed=seed,
        )
    return Splits(
        **loaded, class_names=class_names, source=source, counts=_count(loaded, class_names)
    )


def _as_pixels(images: np.ndarray) -> np.ndarray:
    """Returns images as 8-bit pixels where these are exact, and as float32 in [0, 1] elsewhere."""
    images = images.astype("float32")
    pixels = np.round(images * 255).astype(np.uint8)
    return pixels if np.array_equal(pixels.astype("float32") / 255, images) else images


def _count(loaded: dict[str, Photos], class_names: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: [int(np.sum(loaded[split].labels == label)) for split in SPLITS]
            for label, name in enumerate(class_names)
        },
        index=pd.Index(SPLITS, name="split"),
    )


def choose_balanced(labels: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Returns `count` positions, the classes as near to their fractions as whole numbers allow.

    Args:
        labels: float32, shape (n, 1), 0 or 1.
        count: How many, from 1 to n.
        seed: Of the draw. The positions of a smaller count are the first of a larger one's.

    Returns:
        int64, shape (count,).
    """
    random = np.random.default_rng(seed)
    classes = [random.permutation(np.flatnonzero(labels[:, 0] == label)) for label in (0, 1)]
    # Each photo's place between 0 and 1 within its class: sorting by it mixes the classes
    # evenly, so that every beginning of the list has them in proportion.
    places = [(np.arange(len(members)) + 0.5) / max(len(members), 1) for members in classes]
    order = np.argsort(np.concatenate(places), kind="stable")
    return np.concatenate(classes)[order][:count]
