"""Reads pieces of files, with a limited number of open files, and notices when a file has changed.

Files are read with `pread` and not mapped into memory. If a file is cut off while a kernel uses it,
that is an error; with a mapped file, it would end Python.
"""

import errno
import io
import os
import threading
import weakref
from pathlib import Path

from course_utils.core.files import readable_name


def file_version(status: os.stat_result) -> tuple[int, ...]:
    """Returns numbers that differ between files, and before and after a change of a file.

    Args:
        status: As `os.stat` returns it.

    Returns:
        Device, inode, size in bytes, and the times of the last changes of the content and of the
        file's metadata, in nanoseconds.
    """
    return (
        *(status.st_dev, status.st_ino, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns),
    )


class FileReader:
    """A file of which pieces are read; it is opened when it is needed.

    Args:
        path: The file.
    """

    def __init__(self, path: Path):
        self.path = path
        self.version: tuple[int, ...] | None = None
        self._stream: _Stream | None = None
        stream = self._open()  # Kept by name: a stream that nobody holds closes.
        self.version = file_version(os.fstat(stream.fileno()))

    def __reduce__(self):
        # In another process the same path is opened again.
        return FileReader, (self.path,)

    def read(self, offset: int, size: int) -> bytes:
        """Returns a piece of the file.

        Args:
            offset: The position of its first byte.
            size: The number of bytes.

        Raises:
            OSError: If the file is too short or deleted.
        """
        found = bytearray(size)
        self.read_into(offset, memoryview(found))
        return bytes(found)

    def read_into(self, offset: int, target: memoryview) -> None:
        """Reads bytes until the target is full.

        Args:
            offset: The position of the first byte in the file.
            target: Writable bytes.

        Raises:
            OSError: If the file is too short or deleted.
        """
        stream = self._stream or self._open()
        count = _read_at(stream, target, offset)
        while count < len(target):  # Seldom: a system reads 2 GB at once at the most.
            more = _read_at(stream, target[count:], offset + count)
            if not more:
                raise self._error("has been cut off")
            count += more

    def check(self) -> None:
        """Raises an OSError if the file's content has been changed since it was opened."""
        self._check(self._open())

    def _check(self, stream: "_Stream") -> None:
        # Not the last time, of the last change: a file that is renamed or deleted has that too.
        if self.version and file_version(os.fstat(stream.fileno()))[:-1] != self.version[:-1]:
            raise self._error("has been changed")

    def _open(self) -> "_Stream":
        stream = self._stream
        if stream is None:
            stream = _Stream(self.path)
            self._check(stream)
            with _open_lock:
                while len(_open_files) >= MOST_OPEN:
                    # Whoever reads in it just now holds the stream, which closes after that.
                    _open_files.pop()._stream = None
                _open_files.add(self)
                self._stream = stream
        return stream

    def _error(self, what: str) -> OSError:
        why = f"{what} while it was in use. Run the cell again: what is damaged is made again"
        return OSError(errno.EIO, f"The file {why}", readable_name(self.path))


def close_files(*paths: Path) -> int:
    """Closes this process's handles of files, which Windows needs to replace or remove them.

    A file is opened again when it is read again.

    Args:
        *paths: The files.

    Returns:
        How many handles were closed.
    """
    with _open_lock:
        held = [reader for reader in _open_files if reader.path in paths]
        for reader in held:
            _open_files.discard(reader)
            reader._stream = None
    return len(held)


class _Stream(io.FileIO):
    """A file's handle, given back when nobody holds it any more."""

    def __init__(self, path: Path):
        super().__init__(path)
        self.number = self.fileno()
        self.lock = threading.Lock()

    def __del__(self):
        self.close()


def _count_handles() -> int:
    """Returns how many files may be open at once: half of what the system allows a process."""
    try:
        import resource
    except ImportError:  # Windows
        return 256
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(allowed, 4096) // 2 if allowed > 0 else 2048


MOST_OPEN = _count_handles()
_open_files: weakref.WeakSet = weakref.WeakSet()
_open_lock = threading.Lock()


def _pread(stream: _Stream, target: memoryview, offset: int) -> int:
    return os.preadv(stream.number, (target,), offset)


def _seek_and_read(stream: _Stream, target: memoryview, offset: int) -> int:
    with stream.lock:
        stream.seek(offset)
        return stream.readinto(target)


_read_at = _pread if hasattr(os, "preadv") else _seek_and_read
