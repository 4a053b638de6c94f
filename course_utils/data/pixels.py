"""Photos decoded once: their pixels in one entry of the cache, checked file by file on the way."""

import hashlib
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils.core import cache
from course_utils.core.entries import Entry, StoredArray
from course_utils.core.files import readable_name
from course_utils.core.progress import Progress
from course_utils.data import images
from course_utils.data.images import read_photo

# More unreadable files than this is a broken download, not a few bad photos.
UNREADABLE_SHARE = 0.01
LISTED = 5  # unreadable photos that an error names; the warning names every one
WORTH_A_LINE = 10**8  # bytes of photos that take a while to decode


@dataclass(frozen=True)
class Pixels:
    """The decoded photos of a list of files.

    Args:
        stored: uint8, shape (files, height, width, 3), read when asked for; black where
            unreadable.
        keys: uint64, shape (readable,): a fingerprint of each readable photo's pixels.
        readable: int64, shape (readable,): which files could be read.
        unreadable: The reason for each file that could not, by its path.
    """

    stored: StoredArray
    keys: np.ndarray
    readable: np.ndarray
    unreadable: dict[Path, str]


def load_pixels(folder: Path, files: list[Path], image_size: tuple[int, int]) -> Pixels:
    """Returns the pixels of photos, decoded now or, where nothing has changed, from the cache.

    Args:
        folder: The folder that `files` are below.
        files: The photos.
        image_size: (height, width) in pixels.

    Raises:
        ValueError: If more than 1% of the files cannot be read.
        OSError: If the cache cannot be written.
    """
    count = len(files)

    def is_current(entry: Entry) -> bool:
        # What could not be read may have been fixed without a trace: a right given, a decoder
        # installed. There are few of them.
        return not any(_is_readable(files[row]) for row in map(int, entry.facts["unreadable"]))

    entry = cache.load_or_make(
        cache.name_entry("pixels", _describe_files(folder, files, image_size)),
        lambda: _decode(files, image_size),
        arrays={"pixels": ("uint8", (count, *image_size, 3)), "keys": ("uint64", (count,))},
        check=is_current,
    )
    unreadable = {int(row): reason for row, reason in entry.facts["unreadable"].items()}
    readable = np.array([row for row in range(count) if row not in unreadable], dtype=int)
    return Pixels(
        entry["pixels"],
        entry["keys"][readable],
        readable,
        {files[row]: reason for row, reason in unreadable.items()},
    )


def fingerprint_pixels(image: np.ndarray) -> str:
    """Returns 16 hex digits that are the same for equal pixels.

    Args:
        image: uint8, shape (height, width, 3).
    """
    return hashlib.blake2b(image.tobytes(), digest_size=8).hexdigest()


def list_unreadable(unreadable: dict[Path, str], count: int, *, most: int | None = None) -> str:
    """Returns a sentence that names the photos that cannot be read, with the reason for each.

    Args:
        unreadable: The reasons by path.
        count: How many photos there are.
        most: How many are named; all of them where it is `None`.
    """
    listed = [
        f"{readable_name(path)} ({reason})" for path, reason in list(unreadable.items())[:most]
    ]
    left = len(unreadable) - len(listed)
    more = f" and {left} more" if left else ""
    return f"{len(unreadable)} of {count} photos cannot be read: {', '.join(listed)}{more}."


def _is_readable(path: Path) -> bool:
    try:
        read_photo(path, (1, 1))
    except (OSError, ValueError):
        return False
    return True


def _describe_files(folder: Path, files: list[Path], image_size: tuple[int, int]) -> list:
    """Changes whenever a file is added, removed, renamed or written, or is read otherwise.

    What the kit has put among its own files is written once and never changed. A class may have
    it copied or mounted elsewhere, so neither its place nor its date counts.
    """
    stored = cache.stored_place(folder)
    kept = stored is not None and stored.parts[:1] in (("synthetic",), ("photos",))
    place = stored.as_posix() if kept else str(folder.resolve())
    facts = [(path, path.stat()) for path in files]
    described = [
        [str(path.relative_to(folder)), status.st_size, 0 if kept else status.st_mtime_ns]
        for path, status in facts
    ]
    return [place, image_size, images.VERSION, described]


def _decode(files: list[Path], image_size: tuple[int, int]) -> Iterator[tuple[str, object]]:
    """Gives the parts of the entry: pixels photo by photo, their fingerprints, and the reasons
    why photos are unreadable, by row."""
    keys, unreadable = [], {}
    for row, image in enumerate(_read_photos(files, image_size)):
        if isinstance(image, Exception):
            unreadable[row] = str(image) or type(image).__name__
            image = np.zeros((*image_size, 3), np.uint8)
        keys.append(int(fingerprint_pixels(image), 16))
        yield "pixels", image[None]
    if len(unreadable) > UNREADABLE_SHARE * len(files):
        named = {files[row]: reason for row, reason in unreadable.items()}
        raise ValueError(
            f"Expected at most {UNREADABLE_SHARE:.0%} unreadable photos. "
            + list_unreadable(named, len(files), most=LISTED)
            + " Fetch the photos again, or take these files away."
        )
    yield "keys", np.array(keys, np.uint64)
    yield "unreadable", unreadable


def _read_photos(files: list[Path], image_size: tuple[int, int]) -> Iterator:
    def read(path):
        try:
            return read_photo(path, image_size)
        except (OSError, ValueError) as error:
            return error

    shown = sum(path.stat().st_size for path in files) > WORTH_A_LINE
    # What Pillow warns of, file by file, is either harmless or the reason given here.
    with (
        warnings.catch_warnings(action="ignore"),
        Progress(len(files), "Decoding photos", shown=shown) as line,
        ThreadPoolExecutor() as pool,
    ):
        for image in pool.map(read, files):
            line.advance()
            yield image
