"""The one cache: what is computed once, checked whenever it is opened, and made again if need be.

Everything the kit keeps is an entry (`entries.py`), found by its name: a path below the cache that
holds a fingerprint of all that the entry depends on. The folder that was prepared for a class is
looked at first, and never written to.
"""

import errno
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from course_utils.core import environment
from course_utils.core.entries import ENDING, Damaged, Entry, open_entry, write_entry
from course_utils.core.files import explain_failure, readable_name, replace
from course_utils.core.manifest import note_made
from course_utils.core.reading import file_version

# Reading fails for this one file; any other error is one of the machine or the program.
UNREADABLE = (errno.EACCES, errno.EPERM, errno.EIO)

RACES = 5  # times that another process may replace an entry while it is looked at

_told: set[tuple[str, str]] = set()  # damage that was named, and left where it is


def digest(about) -> str:
    """Returns 20 hex digits that differ where anything in `about` does.

    Args:
        about: What JSON can hold.

    Example:
        >>> digest({"epochs": 30, "seed": 1}) == digest({"seed": 1, "epochs": 30})
        True
    """
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:20]


def name_entry(folder: str, about) -> str:
    """Returns the name of an entry that depends on `about`, and on nothing else.

    Args:
        folder: A folder's path below the cache, with slashes.
        about: What JSON can hold.

    Example:
        >>> name_entry("pixels", ["photos", 128])
        'pixels/11457512ce044e082c24.entry'
    """
    return f"{folder}/{digest(about)}{ENDING}"


def find_stored(relative: str | Path) -> Path | None:
    """Returns a file or folder of the prepared folder or the cache, whichever has it first.

    Args:
        relative: The path relative to the cache.

    Returns:
        The path, or `None` if neither has it.
    """
    return next(iter(list_stored(relative)), None)


def list_stored(relative: str | Path) -> list[Path]:
    """Returns all copies of a file or folder: of the prepared folder first, then of the cache.

    Args:
        relative: The path relative to the cache.
    """
    folders = [folder for folder in (environment.prepared_dir(), environment.cache_dir()) if folder]
    return [folder / relative for folder in folders if (folder / relative).exists()]


def stored_place(folder: Path) -> Path | None:
    """Returns a folder's path relative to the prepared folder or the cache.

    Args:
        folder: Any folder.

    Returns:
        The relative path, or `None` if the folder is in neither of them.
    """
    for root in (environment.prepared_dir(), environment.cache_dir()):
        if root and folder.resolve().is_relative_to(root.resolve()):
            return folder.resolve().relative_to(root.resolve())
    return None


def load(
    name: str,
    *,
    arrays: Mapping[str, tuple] | None = None,
    check: Callable[[Entry], bool] = lambda entry: True,
) -> Entry | None:
    """Returns the entry of a name, verified, or `None` where there is none.

    What is damaged is named and set aside, as `<file>.damaged-…` beside it; in the prepared folder
    it is left where it is.

    Args:
        name: The entry's path below the cache, with slashes.
        arrays: The arrays it must hold, as for `open_entry`.
        check: Called with a verified entry. It returns whether to take it, or raises `Damaged`.
    """
    for path in list_stored(name):
        entry = _accept(path, _examine(path, name, arrays, check))
        if entry:
            return entry
    return None


def load_folder(folder: str, *, arrays: Mapping[str, tuple]) -> list[Entry]:
    """Returns all entries of a folder, prepared ones first, verified side by side on threads.

    Args:
        folder: The folder's path below the cache, with slashes.
        arrays: The arrays that each must hold, as for `open_entry`.
    """
    roots = dict.fromkeys(list_stored(folder))
    paths = [path for root in roots for path in sorted(root.glob(f"[!.]*{ENDING}"))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        examined = list(
            pool.map(lambda path: _examine(path, f"{folder}/{path.name}", arrays), paths)
        )
    return [entry for entry in map(_accept, paths, examined) if entry]


def save(
    name: str, parts: Mapping | Iterable[tuple[str, object]], *, replace: bool = True
) -> Entry:
    """Writes an entry into the cache and returns it, verified.

    Args:
        name: The entry's path below the cache, with slashes.
        parts: As for `write_entry`: names with arrays or facts, made one after another.
        replace: Whether an entry that another process has written meanwhile gives way. It stays
            where both hold the same, so that nothing changes under a reader.
    """
    path = environment.cache_dir() / name
    if not replace:
        found = _examine(path, name, None)
        if isinstance(found, Entry):
            return found
    note_made(path)
    write_entry(path, name, parts.items() if isinstance(parts, Mapping) else parts)
    return open_entry(path, name)


def load_or_make(name: str, make: Callable[[], Mapping | Iterable], **options) -> Entry:
    """Returns the entry of a name: the one that is there, or else one that is made now.

    Args:
        name: The entry's path below the cache, with slashes.
        make: Returns the entry's parts, as for `save`.
        **options: Of `load`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> def make():
        ...     print("making it")
        ...     return {"answer": 42}
        >>> with TemporaryDirectory() as folder, environment.using(COURSE_CACHE_DIR=folder):
        ...     [load_or_make("answers/a.entry", make).facts["answer"] for _ in range(2)]
        making it
        [42, 42]
    """
    return load(name, **options) or save(name, make())


def load_own(name: str) -> dict:
    """Returns what a student has written: the facts of an entry that nobody can make again.

    A damaged one is named and set aside, and nothing deletes it. Cleaning leaves both.

    Args:
        name: The entry's path below the cache, with slashes.
    """
    path = environment.cache_dir() / name
    try:
        return open_entry(path, name).facts
    except FileNotFoundError:
        return {}
    except Damaged as error:
        with explain_failure(path):
            aside = _set_aside(path)
        print(
            f"{readable_name(path)} is damaged: {error}. It is kept as {aside.name}, which a text "
            "editor opens; the kit starts with an empty one."
        )
        return {}


def save_own(name: str, facts: Mapping[str, object]) -> None:
    """Writes what a student has written.

    Args:
        name: The entry's path below the cache, with slashes.
        facts: What JSON can hold, by name.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, environment.using(COURSE_CACHE_DIR=folder):
        ...     save_own("guesses.entry", {"gap": "smaller"})
        ...     load_own("guesses.entry")
        {'gap': 'smaller'}
    """
    write_entry(environment.cache_dir() / name, name, facts.items())


def _examine(path: Path, name: str, arrays, check=lambda entry: True) -> Entry | Exception | None:
    """Returns a verified entry, `None` for one that is gone or not wanted, or what is wrong."""
    for _ in range(RACES):
        before = _find_version(path)
        found = _examine_once(path, name, arrays, check)
        if not isinstance(found, Exception) or _find_version(path) == before:
            break  # Otherwise another process has put its own in place meanwhile.
    return found


def _find_version(path: Path) -> tuple[int, ...] | None:
    try:
        return file_version(os.stat(path))
    except OSError:
        return None


def _examine_once(path: Path, name: str, arrays, check) -> Entry | Exception | None:
    try:
        entry = open_entry(path, name, arrays)
        return entry if check(entry) else None
    except FileNotFoundError:
        return None  # Another process has set it aside or cleaned.
    except Damaged as error:
        return error
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        return error


def _accept(path: Path, examined: Entry | Exception | None) -> Entry | None:
    """Returns the entry, or says what is wrong with the file and sets it aside."""
    if not isinstance(examined, Exception):
        return examined
    why = f"{readable_name(path)} is damaged: {examined}."
    aside = None
    prepared = environment.prepared_dir()
    is_prepared = prepared and prepared != environment.cache_dir() and path.is_relative_to(prepared)
    if isinstance(examined, Damaged) and not is_prepared:
        with suppress(OSError):  # Gone already, or in a place that cannot be written.
            aside = _set_aside(path)
    if aside:
        print(f"{why} It is set aside as {aside.name} and made again.")
    elif (str(path), why) not in _told:
        _told.add((str(path), why))
        print(f"{why} It is passed over and made again in the cache.")
    return None


def _set_aside(path: Path) -> Path:
    """Renames a damaged file, so that it is found no more."""
    aside = path.with_name(f"{path.name}.damaged-{uuid.uuid4().hex[:6]}")
    replace(path, aside)
    return aside
