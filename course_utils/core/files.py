"""Writes files and folders so that no half-written one is ever taken for a whole one."""

import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ADVICE = {
    errno.ENOSPC: "The disk is full. Free some space (python -m course_utils clean empties the "
    "cache), or set COURSE_CACHE_DIR to another disk",
    errno.EROFS: "This place cannot be written. Set COURSE_CACHE_DIR to a folder of yours",
}
_ADVICE |= dict.fromkeys((errno.EDQUOT, errno.EFBIG), _ADVICE[errno.ENOSPC])
_ADVICE |= dict.fromkeys((errno.EACCES, errno.EPERM), _ADVICE[errno.EROFS])


def readable_name(path: str | Path) -> str:
    """Returns a path as text that can be printed, even where its bytes are no UTF-8.

    Args:
        path: Any path.
    """
    return str(path).encode("utf-8", "backslashreplace").decode()


def folder_size(folder: Path) -> int:
    """Returns the bytes of all files below a folder; 0 if there is none.

    Args:
        folder: The folder; files that vanish meanwhile do not count.
    """
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size


@contextmanager
def explain_failure(path: Path) -> Iterator[None]:
    """Lets a full disk and a place that cannot be written say what to do.

    Args:
        path: What is written inside the `with`.

    Raises:
        OSError: Of the same number, with advice.
    """
    try:
        yield
    except OSError as error:
        number = error.errno
        if number is None and "requested and" in str(error):
            number = errno.ENOSPC  # NumPy's own words, without a number, for a full disk.
        if number not in _ADVICE:
            raise
        advice = f"{_ADVICE[number]} ({error.strerror or error})"
        raise OSError(number, advice, readable_name(path)) from error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to, and renames it to `path` when that went well.

    Rename replaces a file in one step on one file system, so that another process sees the
    old file, the new one, or none. What fails leaves nothing behind.

    Args:
        path: The file to be written; its folder is made if need be.

    Raises:
        OSError: If it cannot be written; a full disk says what to do.
    """
    with explain_failure(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The ending stays the last part of the name: savers such as Keras's choose by it.
        beside = path.with_name(f".{path.stem}.{uuid.uuid4().hex}{path.suffix}")
        try:
            yield beside
            with open(beside, "rb+") as written:
                os.fsync(written.fileno())
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Gives an empty folder beside `folder` to fill, and renames it when that went well.

    Where another process was faster, its folder stays.

    Args:
        folder: The folder to be written; those above it are made if need be.

    Raises:
        OSError: If it cannot be written; a full disk says what to do.
    """
    with explain_failure(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            yield beside
            beside.chmod(0o755)  # mkdtemp lets nobody else read; a cache may be shared.
            try:
                os.rename(beside, folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
