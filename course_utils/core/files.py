"""Writes files and folders in one step, so that nobody ever reads a half-written one."""

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
    r"""Returns a path as text that can be printed, even if its bytes are not UTF-8.

    Args:
        path: Any path.

    Returns:
        The path, with a backslash escape for each byte that is not UTF-8.
    """
    return str(path).encode("utf-8", "backslashreplace").decode()


def folder_size(folder: Path) -> int:
    """Returns the size of all files in a folder and its subfolders.

    Args:
        folder: The folder. It may be missing, and files may be deleted meanwhile.

    Returns:
        Bytes; 0 for a missing folder.
    """
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size


@contextmanager
def explain_failure(path: Path) -> Iterator[None]:
    """Adds advice to the errors of a full disk and of a folder that cannot be written.

    Args:
        path: What is written inside the `with` block.

    Raises:
        OSError: With the same error number, and with advice.
    """
    try:
        yield
    except OSError as error:
        number = error.errno
        if number is None and "requested and" in str(error):
            number = errno.ENOSPC  # How NumPy reports a full disk, without an error number.
        if number not in _ADVICE:
            raise
        advice = f"{_ADVICE[number]} ({error.strerror or error})"
        raise OSError(number, advice, readable_name(path)) from error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to, and renames it to `path` at the end.

    Renaming replaces a file in one step, so that another process sees the old file, the new
    one, or none. If writing fails, the temporary file is removed.

    Args:
        path: The file to write; its folder is created if it is missing.

    Raises:
        OSError: If the file cannot be written; for a full disk, the message says what to do.
    """
    with explain_failure(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays at the end of the name, since Keras chooses the file format by it.
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
    """Gives an empty temporary folder to fill, and renames it to `folder` at the end.

    If another process has written `folder` meanwhile, that one stays.

    Args:
        folder: The folder to write; its parent folders are created if they are missing.

    Raises:
        OSError: If the folder cannot be written; for a full disk, the message says what to do.
    """
    with explain_failure(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            yield beside
            beside.chmod(0o755)  # mkdtemp's folder is private, but a cache may be shared.
            try:
                os.rename(beside, folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
