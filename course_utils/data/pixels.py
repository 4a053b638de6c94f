"""Photos decoded once: their pixels in one memory-mapped file, checked file by file on the way."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils.core import settings
from course_utils.core.files import atomic_write, readable_name
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
        stored: uint8, shape (files, height, width, 3), memory-mapped; black where unreadable.
        keys: uint64, shape (readable,): a fingerprint of each readable photo's pixels.
        readable: int64, shape (readable,): which files could be read.
        unreadable: The reason for each file that could not, by its path.
    """

    stored: np.ndarray
    keys: np.ndarray
    readable: np.ndarray
    unreadable: dict[Path, str]


def load_pixels(folder: Path, files: list[Path], image_size: tuple[int, int]) -> Pixels:
    """Returns the pixels of photos, decoded now or, where nothing has changed, out of the cache.

    Args:
        folder: The folder that `files` lie below.
        files: The photos.
        image_size: (height, width) in pixels.

    Raises:
        ValueError: If more than 1 % of the files cannot be read.
        OSError: If the cache cannot be written.
    """
    name = Path("pixels", f"{_fingerprint(folder, files, image_size)}.json")
    shape = (len(files), *image_size, 3)
    for about in settings.list_stored(name):
        try:
            stored, keys, unreadable = _open_pixels(about, shape)
        except (OSError, ValueError, TypeError, LookupError, AttributeError, EOFError) as error:
            print(f"The stored pixels {about} are damaged ({error}); decoding the photos again.")
            continue
        # What could not be read may have been mended without a trace: a right given, a decoder
        # installed. There are few of them.
        if not any(_is_readable(files[row]) for row in unreadable):
            break
    else:
        about = settings.cache_dir() / name
        _decode(files, image_size, about)
        stored, keys, unreadable = _open_pixels(about, shape)
    readable = np.array([row for row, key in enumerate(keys) if key is not None], dtype=int)
    return Pixels(
        stored,
        np.array([keys[row] for row in readable], dtype=np.uint64),
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


def _open_pixels(about: Path, shape: tuple[int, ...]):
    """Returns what `_decode` wrote: the pixels (memory-mapped), each photo's key or `None`, and
    the reasons why photos are unreadable, by row."""
    facts = json.loads(about.read_text(encoding="utf-8"))
    keys = [int(key, 16) if key else None for key in facts["keys"]]
    unreadable = {int(row): str(reason) for row, reason in facts["unreadable"].items()}
    stored = np.load(about.with_suffix(".npy"), mmap_mode="r")
    if stored.dtype != np.uint8 or stored.shape != shape or len(keys) != len(stored):
        raise ValueError(
            f"expected uint8 {shape}, received {stored.dtype} {stored.shape} and {len(keys)} keys"
        )
    return stored, keys, unreadable


def _is_readable(path: Path) -> bool:
    try:
        read_photo(path, (1, 1))
    except (OSError, ValueError):
        return False
    return True


def _fingerprint(folder: Path, files: list[Path], image_size: tuple[int, int]) -> str:
    """Changes whenever a file is added, removed, renamed or written, or is read otherwise.

    What the kit has put among its own files is written once and never changed. A class may have
    it copied or mounted elsewhere, so neither its place nor its date counts.
    """
    stored = settings.stored_place(folder)
    kept = stored is not None and stored.parts[:1] in (("synthetic",), ("photos",))
    place = stored.as_posix() if kept else str(folder.resolve())
    digest = hashlib.sha256(
        repr((place, image_size, images.VERSION)).encode("utf-8", "surrogateescape")
    )
    for path in files:
        facts = path.stat()
        digest.update(os.fsencode(path.relative_to(folder)))
        digest.update(f"|{facts.st_size}|{0 if kept else facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:20]


def _decode(files: list[Path], image_size: tuple[int, int], about: Path) -> None:
    """Writes all pixels to one .npy file and what is known of them to the .json beside it."""
    keys, unreadable = [], {}
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), *image_size, 3)}
    # The .json is renamed into place last: where it stands, the pixels stand whole.
    with atomic_write(about.with_suffix(".npy")) as beside, open(beside, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for row, image in enumerate(_read_photos(files, image_size)):
            if isinstance(image, Exception):
                unreadable[row] = str(image) or type(image).__name__
                image = np.zeros((*image_size, 3), np.uint8)
            stream.write(image.tobytes())
            keys.append("" if row in unreadable else fingerprint_pixels(image))
        if len(unreadable) > UNREADABLE_SHARE * len(files):
            named = {files[row]: reason for row, reason in unreadable.items()}
            raise ValueError(
                f"Expected at most {UNREADABLE_SHARE:.0%} unreadable photos. "
                + list_unreadable(named, len(files), most=LISTED)
                + " Fetch the photos again, or take these files away."
            )
    with atomic_write(about) as beside:
        facts = {"keys": keys, "unreadable": unreadable}
        beside.write_text(json.dumps(facts), encoding="utf-8")


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
