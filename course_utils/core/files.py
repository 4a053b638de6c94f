"""Writes files and folders in one step, so that nobody ever reads a half-written one."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from course_utils.core import environment

_ADVICE = {
    errno.ENOSPC: "The disk is full. Free some space (python -m course_utils clean empties the "
    "cache), or set COURSE_CACHE_DIR to another disk",
    errno.EROFS: "This place cannot be written. ",
}
_ADVICE |= dict.fromkeys((errno.EDQUOT, errno.EFBIG), _ADVICE[errno.ENOSPC])
_ADVICE |= dict.fromkeys((errno.EACCES, errno.EPERM), _ADVICE[errno.EROFS])
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
# Windows neither replaces nor removes a file that is open. This process closes its own handles; a
# virus scanner or another kernel holds one for a moment.
TRIES, PAUSE = 5, 0.1  # seconds


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
        advice = _ADVICE[number] + (_advise_place(path) if number in _REFUSED else "")
        raise OSError(
            number, f"{advice} ({error.strerror or error})", readable_name(path)
        ) from error


def _advise_place(path: Path) -> str:
    if path.is_relative_to(environment.cache_dir()):
        return "Set COURSE_CACHE_DIR to a folder of yours"
    return "Name a folder of yours with --out"


def check_writable(folder: Path) -> None:
    """Makes sure that files can be written to a folder, before any work is done for it.

    Args:
        folder: The folder; it is created if it is missing.

    Raises:
        OSError: If it cannot be written; the message says what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable.{uuid.uuid4().hex}"
        probe.touch()
        remove(probe)
    except OSError as error:
        why = f"{_ADVICE[errno.EROFS]}{_advise_place(folder)} ({error.strerror or error})"
        raise OSError(error.errno, why, readable_name(folder)) from error


def replace(source: Path, target: Path) -> None:
    """Renames a file, in place of another one if there is one, also where that one is open.

    Args:
        source: The file.
        target: Its new path, on the same disk.

    Raises:
        OSError: If it cannot be renamed.
    """
    _insist(lambda: os.replace(source, target), source, target)


def remove(path: Path) -> None:
    """Removes a file, also where this process has it open.

    Args:
        path: The file.

    Raises:
        OSError: If it cannot be removed.
    """
    _insist(lambda: os.unlink(path), path)


def _insist(action: Callable[[], None], *paths: Path) -> None:
    for left in reversed(range(TRIES)):
        try:
            action()
            return
        except PermissionError:
            from course_utils.core import reading  # It imports this module.

            if not reading.close_files(*paths) and os.name != "nt" or not left:
                raise
            time.sleep(PAUSE)


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
            replace(beside, path)
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
        # Not tempfile.mkdtemp: on Windows, nobody else could ever read what it makes.
        beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        beside.mkdir()
        try:
            yield beside
            beside.chmod(0o755)  # A cache may be shared, whatever the umask.
            try:
                os.rename(beside, folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
