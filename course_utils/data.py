"""Finds, checks and loads photos of two classes: an own folder, data/car-or-truck, or drawn."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from course_utils import runtime, settings
from course_utils.files import write_whole
from course_utils.settings import DRAWN, Settings

runtime.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

SPLITS = ("train", "valid")
ENDINGS = (".jpeg", ".jpg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
# More unreadable files than this is a broken download, not a few bad photos.
UNREADABLE_SHARE = 0.01


def epoch_order(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Returns the order in which an epoch goes through the train photos.

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

    The pixels stay uint8 in a memory-mapped file; a batch is turned into floats when it is
    asked for. With `shuffle`, every epoch has its own permutation, seeded.

    Args:
        pixels: uint8, shape (stored, height, width, 3), usually a `numpy.memmap`.
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
        return self.pixels[self.rows[np.asarray(positions)]].astype("float32") / 255

    def take(self, count: int, *, seed: int | None = None) -> "Photos":
        """Returns the first `count` photos of a seeded permutation, both classes in proportion.

        A smaller number gives a part of what a larger one gives.

        Args:
            count: How many, from 1 to this set's count.
            seed: Of the permutation; the set's own where it is `None`.
        """
        if not 1 <= count <= self.count:
            raise ValueError(
                f"Expected a number of photos from 1 to {self.count}, received {count!r}."
            )
        chosen = choose_balanced(self.labels, count, seed=self.seed if seed is None else seed)
        return self._with(chosen)

    def unshuffled(self) -> "Photos":
        """Returns the same photos in the split's own order: what `predict` gives then stands
        beside `labels`."""
        return self._with(np.arange(self.count), shuffle=False)

    def shuffled(self, *, seed: int) -> "Photos":
        """Returns the same photos in a new order every epoch, beginning with epoch 0."""
        return self._with(np.arange(self.count), shuffle=True, seed=seed)

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
        # Python's `for … in` stops at an IndexError; without it, it would go on for ever.
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
        train: Shuffled anew every epoch.
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
        """Returns the same splits with only `count` train photos, both classes in proportion.

        Args:
            count: How many train photos stay.
            batch_size: Photos in a train batch; as before where it is `None`.
        """
        train = self.train.take(count)
        train.batch_size = batch_size or train.batch_size
        return replace(self, train=train)


def load_car_or_truck(chosen: Settings, *, folder: str | Path | None = None) -> Splits:
    """Loads the photos of cars and trucks, or of any two classes.

    In this order: the folder given (argument, then `COURSE_DATA_DIR`), the folder
    `data/car-or-truck`, the drawn set. A photo of another size is turned upright, scaled with
    antialiasing and letterboxed on black; one of the right size is taken as it is. Pixels are
    decoded once and kept in the cache.

    Args:
        chosen: The numbers of the run: how many photos, image size, batch size, seed.
        folder: A folder with train/ and valid/, each with one folder a class; or the word
            `"drawn"` for the vehicles that the kit draws itself.

    Returns:
        `Splits`; images come as float32 RGB in [0, 1], labels as float32 (batch, 1).

    Raises:
        FileNotFoundError: If the folder given, or a part of it, is not there.
        ValueError: If it does not hold two classes of readable photos.
    """
    found, source = _find_folder(chosen, folder)
    class_names = _find_class_names(found)
    wanted = {"train": chosen.train_photos, "valid": chosen.valid_photos}
    loaded = {}
    for split in SPLITS:
        files, labels = _list_photos(found / split, class_names)
        if wanted[split] is not None and wanted[split] < len(files):
            kept = np.sort(choose_balanced(labels, wanted[split], seed=chosen.seed))
            files, labels = [files[position] for position in kept], labels[kept]
        pixels, keys, readable = _load_pixels(found, files, chosen.image_size)
        loaded[split] = Photos(
            pixels,
            labels[readable],
            keys,
            [files[position].relative_to(found).as_posix() for position in readable],
            rows=readable,
            batch_size=chosen.batch_size,
            shuffle=split == "train",
            seed=chosen.seed,
        )
    return Splits(
        **loaded, class_names=class_names, source=source, counts=_count(loaded, class_names)
    )


def build_splits(
    train: tuple[np.ndarray, np.ndarray],
    valid: tuple[np.ndarray, np.ndarray],
    *,
    class_names: tuple[str, str],
    source: str,
    batch_size: int = 64,
    seed: int = 31415,
) -> Splits:
    """Returns splits of photos that are in memory already, as `draw_vehicles` gives them.

    Args:
        train: Images, float in [0, 1], shape (count, height, width, 3), and labels, 0 or 1,
            shape (count, 1).
        valid: The same for the valid photos.
        class_names: What the labels 0 and 1 mean.
        source: A sentence: where the photos come from.
        batch_size: Photos in a batch.
        seed: Of the order of the train photos.

    Raises:
        ValueError: If images or labels have another shape or range.
    """
    loaded = {}
    for split, (images, labels) in zip(SPLITS, (train, valid), strict=True):
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
        pixels = np.round(images * 255).astype(np.uint8)
        loaded[split] = Photos(
            pixels,
            labels.astype("float32"),
            np.array([int(_fingerprint_pixels(image), 16) for image in pixels], np.uint64),
            [f"{split}/{number:05d}" for number in range(len(pixels))],
            batch_size=batch_size,
            shuffle=split == "train",
            seed=seed,
        )
    return Splits(
        **loaded, class_names=class_names, source=source, counts=_count(loaded, class_names)
    )


def _count(loaded: dict[str, Photos], class_names: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: [int(np.sum(loaded[split].labels == label)) for split in SPLITS]
            for label, name in enumerate(class_names)
        },
        index=pd.Index(SPLITS, name="split"),
    )


def _fingerprint_pixels(image: np.ndarray) -> str:
    return hashlib.blake2b(image.tobytes(), digest_size=8).hexdigest()


def choose_balanced(labels: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Returns `count` positions, the classes as near to their shares as whole numbers allow.

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


def _find_folder(chosen: Settings, folder: str | Path | None) -> tuple[Path, str]:
    """Returns the folder of the photos and the sentence that says why this one."""
    for given, giver in (
        (folder, "the argument `folder`"),
        (settings.photos_override(), "the environment variable COURSE_DATA_DIR"),
    ):
        if not given:
            continue
        if str(given) == DRAWN:
            return _find_drawn(chosen), f"Vehicles drawn by the course kit, as {giver} asks."
        path = Path(given).expanduser()
        if not path.is_dir():
            raise FileNotFoundError(
                f"Expected a folder of photos, received {str(given)!r} from {giver}, which is not "
                "a folder. Correct it, or leave it out to use data/car-or-truck or drawn vehicles."
            )
        return path, f"Photos from the folder {path.name}, named by {giver}."
    kept = settings.data_dir() / "car-or-truck"
    if kept.is_dir():
        return kept, "Photos from data/car-or-truck."
    return _find_drawn(chosen), (
        "Vehicles drawn by the course kit, because no folder was named and there is no "
        "data/car-or-truck."
    )


def _find_drawn(chosen: Settings) -> Path:
    from course_utils import vehicles

    height, width = chosen.image_size
    train, valid = chosen.drawn_train_photos, chosen.drawn_valid_photos
    name = f"drawn/v{vehicles.VERSION}-{train}-{valid}-{height}x{width}-{chosen.seed}"
    stored = settings.find_stored(name)
    return stored or vehicles.write_vehicles(
        settings.cache_dir() / name,
        train=train,
        valid=valid,
        seed=chosen.seed,
        image_size=chosen.image_size,
    )


def _visible_folders(folder: Path) -> list[str]:
    return sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] not in "._"
    )


def _find_class_names(folder: Path) -> tuple[str, str]:
    named = {}
    for split in SPLITS:
        if not (folder / split).is_dir():
            raise FileNotFoundError(
                f"Expected the folders train and valid in {folder}, received "
                f"{_visible_folders(folder) or 'none'}. Put one folder a class into each of them."
            )
        named[split] = _visible_folders(folder / split)
        if len(named[split]) != 2:
            raise ValueError(
                f"Expected two folders, one a class, in {folder / split}, received "
                f"{named[split] or 'none'}. The lesson's question has two answers: leave two."
            )
    if named["train"] != named["valid"]:
        raise ValueError(
            f"Expected the same two classes in train and valid of {folder}, received "
            f"{named['train']} and {named['valid']}. Rename the folders so that they agree."
        )
    return tuple(named["train"])


def _list_photos(folder: Path, class_names: Iterable[str]) -> tuple[list[Path], np.ndarray]:
    files, labels = [], []
    for label, name in enumerate(class_names):
        found = sorted(
            path
            for path in (folder / name).iterdir()
            if path.suffix.lower() in ENDINGS and not path.name.startswith(".")
        )
        if not found:
            raise ValueError(
                f"Expected photos ({', '.join(ENDINGS)}) in {folder / name}, received none. "
                "Put some there, or name another folder."
            )
        files += found
        labels += [[label]] * len(found)
    return files, np.array(labels, dtype="float32")


def _load_pixels(folder: Path, files: list[Path], image_size: tuple[int, int]):
    """Returns the decoded pixels (memory-mapped), a key for each, and which files were readable."""
    name = Path("pixels", f"{_fingerprint(folder, files, image_size)}.json")
    shape = (len(files), *image_size, 3)
    for about in settings.list_stored(name):
        try:
            pixels, keys, unreadable = _open_pixels(about, shape)
            break
        except (OSError, ValueError, TypeError, LookupError, AttributeError, EOFError) as error:
            print(f"The stored pixels {about} are damaged ({error}); decoding the photos again.")
    else:
        about = settings.cache_dir() / name
        _decode(files, image_size, about)
        pixels, keys, unreadable = _open_pixels(about, shape)
    if unreadable:
        warnings.warn(_list_unreadable(files, unreadable), stacklevel=3)
    readable = np.array([row for row, key in enumerate(keys) if key is not None], dtype=int)
    return pixels, np.array([keys[row] for row in readable], dtype=np.uint64), readable


def _open_pixels(about: Path, shape: tuple[int, ...]):
    """Returns what `_decode` wrote: the pixels (memory-mapped), each photo's key or `None`, and
    the reasons why photos are unreadable, by row."""
    facts = json.loads(about.read_text(encoding="utf-8"))
    keys = [int(key, 16) if key else None for key in facts["keys"]]
    unreadable = {int(row): str(reason) for row, reason in facts["unreadable"].items()}
    pixels = np.load(about.with_suffix(".npy"), mmap_mode="r")
    if pixels.dtype != np.uint8 or pixels.shape != shape or len(keys) != len(pixels):
        raise ValueError(
            f"expected uint8 {shape}, received {pixels.dtype} {pixels.shape} and {len(keys)} keys"
        )
    return pixels, keys, unreadable


def _fingerprint(folder: Path, files: list[Path], image_size: tuple[int, int]) -> str:
    """Changes whenever a file is added, removed, renamed or written."""
    digest = hashlib.sha256(repr((str(folder.resolve()), image_size)).encode())
    for path in files:
        facts = path.stat()
        digest.update(f"{path.relative_to(folder)}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:20]


def _decode(files: list[Path], image_size: tuple[int, int], about: Path) -> None:
    """Writes all pixels to one .npy file and what is known of them to the .json beside it."""
    keys, unreadable = [], {}
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), *image_size, 3)}
    # The .json is renamed into place last: where it stands, the pixels stand whole.
    with write_whole(about.with_suffix(".npy")) as beside, open(beside, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for row, image in enumerate(_read_photos(files, image_size)):
            if isinstance(image, Exception):
                unreadable[row] = str(image) or type(image).__name__
                image = np.zeros((*image_size, 3), np.uint8)
            stream.write(image.tobytes())
            keys.append("" if row in unreadable else _fingerprint_pixels(image))
        if len(unreadable) > UNREADABLE_SHARE * len(files):
            raise ValueError(
                f"Expected at most {UNREADABLE_SHARE:.0%} unreadable photos. "
                + _list_unreadable(files, unreadable)
                + " Fetch the photos again, or take these files away."
            )
    with write_whole(about) as beside:
        facts = {"keys": keys, "unreadable": unreadable}
        beside.write_text(json.dumps(facts), encoding="utf-8")


def _list_unreadable(files: list[Path], unreadable: dict) -> str:
    first = [f"{files[row]} ({reason})" for row, reason in list(unreadable.items())[:5]]
    more = f" and {len(unreadable) - 5} more" if len(unreadable) > 5 else ""
    return f"{len(unreadable)} of {len(files)} photos cannot be read: {', '.join(first)}{more}."


def _read_photos(files: list[Path], image_size: tuple[int, int]) -> Iterator:
    def read(path):
        try:
            return read_photo(path, image_size)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            return error

    with ThreadPoolExecutor() as pool:
        yield from pool.map(read, files)


def read_photo(path: str | Path, image_size: tuple[int, int]) -> np.ndarray:
    """Returns one photo, upright, RGB, letterboxed on black to the size asked for.

    Args:
        path: An image file of any kind that Pillow reads.
        image_size: (height, width) in pixels.

    Returns:
        uint8, shape (height, width, 3), the file's own pixels where the size fits already.

    Raises:
        OSError: If Pillow cannot read the file.
    """
    height, width = image_size
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    if image.size != (width, height):
        image = ImageOps.pad(image, (width, height), method=Image.Resampling.LANCZOS)
    return np.asarray(image)
