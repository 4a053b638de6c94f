"""Entries: files of arrays and facts with a checksum, which is right under the file's name only.

An entry has a first line that names the format, the bytes of its arrays one after another, a
header in JSON, and a last line with the header's length and checksum. The header comes last, so
that arrays can be written while they are made. It has the entry's name, each array's dtype and
shape, and the checksum of their bytes. That checksum includes the name, so the same bytes are not
accepted under another name. An entry without arrays can be read in any text editor.

The checksum is xxHash's XXH3, 64 bits, which is computed about as fast as files are read from
memory; zlib's CRC-32 takes two to three times as long as reading.

Rows of arrays are read from the file when they are used (`reading.py` says how).
"""

import itertools
import json
import math
import os
import re
import time
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import xxhash

from course_utils.core.files import atomic_write
from course_utils.core.reading import FileReader, file_version

ENDING = ".entry"
FIRST_LINE = b"course_utils entry, format 2\n"
LAST_LINE = "\n{:016d} {:016x}\n"  # the header's length and checksum
LAST_PATTERN = re.compile(rb"\n([0-9]{16}) ([0-9a-f]{16})\n")
LAST_SIZE = len(LAST_LINE.format(0, 0))
CHUNK = 2**19  # bytes that are read and hashed at once: they stay in the processor's cache
# The clock of a file system ticks every 2 seconds at the coarsest. A file that was written so
# lately may be written once more and look the same.
TICK = 2 * 10**9


class Damaged(ValueError):
    """An entry is not what was written under its name; the message says what is wrong."""


class StoredArray:
    """An array in an entry, whose rows are read when they are used.

    Index it with a number, a slice or an array of numbers; `np.asarray` reads all of it.

    Args:
        file: The entry's file.
        dtype: The array's dtype.
        shape: The array's shape.
        offset: The position of its first byte in the file.
    """

    def __init__(self, file: FileReader, dtype: np.dtype, shape: tuple[int, ...], offset: int):
        self.file = file
        self.dtype = dtype
        self.shape = shape
        self.row_bytes = dtype.itemsize * math.prod(shape[1:])
        self._offset = offset

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        rows = np.arange(len(self))[index]
        found = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        target = memoryview(found.reshape(-1).view(np.uint8))
        self.file.check()
        # Rows that follow one another are read at once.
        breaks = np.flatnonzero(np.diff(rows.reshape(-1)) != 1) + 1
        for start, end in itertools.pairwise([0, *breaks.tolist(), rows.size]):
            if start < end:
                run = target[start * self.row_bytes : end * self.row_bytes]
                self.read_into(int(rows.reshape(-1)[start]), run)
        return found

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def read_into(self, row: int, target: memoryview) -> None:
        """Reads bytes from the beginning of a row on, until the target is full.

        It does not check whether the file has changed; `file.check` does.

        Args:
            row: The row's number, from 0.
            target: Writable bytes.

        Raises:
            OSError: If the file is too short or deleted.
        """
        self.file.read_into(self._offset + row * self.row_bytes, target)


class Entry:
    """An entry that is open for reading.

    Args:
        file: Its file.
        name: Its path in the cache, with slashes.
        arrays: The arrays by name.
        facts: The facts by name, values that JSON can hold.
        checksum: The checksum of the name and the arrays' bytes.
    """

    def __init__(
        self,
        file: FileReader,
        name: str,
        arrays: dict[str, StoredArray],
        facts: dict,
        checksum: int,
    ):
        self.file = file
        self.name = name
        self.arrays = arrays
        self.facts = facts
        self._checksum = checksum

    def __getitem__(self, name: str) -> StoredArray:
        return self.arrays[name]

    def verify(self) -> None:
        """Raises `Damaged` if the arrays' bytes are not those that were written."""
        end = len(FIRST_LINE) + sum(len(each) * each.row_bytes for each in self.arrays.values())
        checksum = _compute_checksum(self.file, self.name, end)
        self.file.check()
        if checksum != self._checksum:
            raise Damaged(f"the checksum of its arrays is not that of {self.name}")


def write_entry(path: Path, name: str, parts: Iterable[tuple[str, object]]) -> None:
    """Writes an entry in one step, so that nobody reads a half-written one.

    Args:
        path: The file to write.
        name: Its path in the cache, with slashes.
        parts: Names, each with a NumPy array or with a fact that JSON can hold. If an array has
            the same name as the array before it, its rows are added to that one. The file is
            created when the first part is there.

    Raises:
        OSError: If it cannot be written; for a full disk, the message says what to do.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.entry")
        ...     write_entry(path, "a.entry", [("numbers", np.arange(4)), ("unit", "cm")])
        ...     entry = open_entry(path, "a.entry")
        ...     entry["numbers"][1:3].tolist(), entry.facts
        ([1, 2], {'unit': 'cm'})
    """
    parts = iter(parts)
    first = list(itertools.islice(parts, 1))
    arrays: list[tuple[str, str, list[int]]] = []
    facts = {}
    with atomic_write(path) as beside, open(beside, "wb") as stream:
        stream.write(FIRST_LINE)
        for part, value in itertools.chain(first, parts):
            if not isinstance(value, np.ndarray):
                facts[part] = value
                continue
            value = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
            if arrays and arrays[-1][0] == part:
                arrays[-1][2][0] += len(value)
            else:
                arrays.append((part, value.dtype.str, list(value.shape)))
            stream.write(value.reshape(-1).view(np.uint8).data)
        stream.flush()
        checksum = _compute_checksum(FileReader(beside), name, stream.tell())
        about = {"name": name, "arrays": arrays, "checksum": checksum, "facts": facts}
        # A path that is not UTF-8 has lone surrogates in Python.
        header = json.dumps(about, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
        stream.write(header)
        stream.write(LAST_LINE.format(len(header), xxhash.xxh3_64_intdigest(header)).encode())


def open_entry(path: Path, name: str | None, arrays: Mapping[str, tuple] | None = None) -> Entry:
    """Returns an entry, and verifies it unless this process has verified the same file before.

    Args:
        path: The entry's file.
        name: The name that it must have been written under; `None` accepts any.
        arrays: The arrays that it must have: from a name to a dtype and a shape. `None` in a shape
            stands for the number of photos, which is the same in all arrays; a `...` at its end
            stands for any further axes. `None` accepts any arrays.

    Returns:
        The entry, open for reading.

    Raises:
        Damaged: If it is not what was written under this name.
        OSError: If it cannot be opened or read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.entry")
        ...     write_entry(path, "a.entry", [("numbers", np.arange(4))])
        ...     open_entry(path, "b.entry")
        Traceback (most recent call last):
        course_utils.core.entries.Damaged: it was written as a.entry
    """
    entry = _opened.get(str(path))
    if entry is None or entry.file.version != file_version(os.stat(path)):
        entry = _opened[str(path)] = _read_entry(path)
    if _verified.get(str(path)) != entry.file.version:
        entry.verify()
        if time.time_ns() - max(entry.file.version[-2:]) > TICK:
            _verified[str(path)] = entry.file.version
    if name not in (None, entry.name):
        raise Damaged(f"it was written as {entry.name}")
    if arrays is not None:
        _check_arrays(entry, arrays)
    return entry


# By path: the entries that are in use, and what each file looked like that has been verified.
_opened: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
_verified: dict[str, tuple[int, ...]] = {}


def _read_entry(path: Path) -> Entry:
    file = FileReader(path)
    about, end = _read_header(file)
    try:
        arrays, offset = {}, len(FIRST_LINE)
        for part, kind, shape in about["arrays"]:
            dtype = np.dtype(kind)
            if dtype.hasobject:
                raise TypeError(f"no plain numbers but {dtype}")
            arrays[part] = StoredArray(file, dtype, tuple(map(int, shape)), offset)
            offset += arrays[part].row_bytes * len(arrays[part])
        entry = Entry(file, str(about["name"]), arrays, dict(about["facts"]), about["checksum"])
    except (TypeError, ValueError, LookupError) as error:
        raise Damaged(f"its header makes no sense: {error}") from error
    if offset != end:
        raise Damaged(f"its arrays should end at byte {offset:,}, and end at {end:,}")
    return entry


def _read_header(file: FileReader) -> tuple[dict, int]:
    """Returns the header, and where the arrays before it end."""
    size = file.version[2]
    if size < len(FIRST_LINE) + LAST_SIZE:
        raise Damaged("it is cut off" if size else "it is empty")
    if file.read(0, len(FIRST_LINE)) != FIRST_LINE:
        raise Damaged("it does not begin as an entry of this version of course_utils")
    last = LAST_PATTERN.fullmatch(file.read(size - LAST_SIZE, LAST_SIZE))
    start = size - LAST_SIZE - int(last[1]) if last else 0
    if start < len(FIRST_LINE):
        raise Damaged("its end is missing")
    header = file.read(start, int(last[1]))
    if int(last[2], 16) != xxhash.xxh3_64_intdigest(header):
        raise Damaged("the checksum of its header is wrong")
    return json.loads(header.decode("utf-8", "surrogatepass")), start


def _compute_checksum(file: FileReader, name: str, end: int) -> int:
    """Returns the checksum of a name and of what is in the file, from the first line to `end`."""
    checksum = xxhash.xxh3_64(name.encode("utf-8", "surrogatepass"))
    chunk = memoryview(bytearray(CHUNK))
    for start in range(len(FIRST_LINE), end, CHUNK):
        piece = chunk[: end - start]
        file.read_into(start, piece)
        checksum.update(piece)
    return checksum.intdigest()


def _check_arrays(entry: Entry, expected: Mapping[str, tuple]) -> None:
    photos = set()
    for name, (dtype, shape) in expected.items():
        found = entry.arrays.get(name)
        if found and shape[-1] is ...:
            shape = (*shape[:-1], *found.shape[len(shape) - 1 :])
        if found is None or found.dtype != dtype or len(found.shape) != len(shape):
            raise Damaged(f"expected {name} as {dtype} {shape}, received {_describe(found)}")
        for length, wanted in zip(found.shape, shape, strict=True):
            if wanted is None:
                photos.add(length)
            elif length != wanted:
                raise Damaged(f"expected {name} as {dtype} {shape}, received {_describe(found)}")
    if len(photos) > 1:
        raise Damaged(f"its arrays are of different numbers of photos: {sorted(photos)}")


def _describe(array: StoredArray | None) -> str:
    return "nothing" if array is None else f"{array.dtype} {array.shape}"
