"""The cache's manifest: the files that the kit has made there, so that it removes only those.

It has a line for each file, with a checksum, since a damaged line could name a student's own file.
"""

import errno
import glob
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from course_utils.core import environment
from course_utils.core.entries import ENDING
from course_utils.core.files import atomic_folder, atomic_write, explain_failure, remove

MANIFEST = "manifest.txt"
DOWNLOADED = ("weights", "photos")  # folders of the cache with downloads


def note_made(*paths: Path, ending: str = "") -> None:
    """Adds files to the manifest; call it before they are written.

    Args:
        *paths: Files in the cache; files elsewhere are left out.
        ending: A slash for folders.

    Raises:
        OSError: If the manifest cannot be written.
    """
    folder = environment.cache_dir()
    lines = [
        _write_line(path.relative_to(folder).as_posix() + ending)
        for path in paths
        if path.is_relative_to(folder)
    ]
    if not lines:
        return
    # The empty line ends what a full disk may have left without an end.
    content = b"\n" + b"".join(lines)
    with explain_failure(folder / MANIFEST):
        folder.mkdir(parents=True, exist_ok=True)
        # In one call: other processes write before it or after it.
        with open(folder / MANIFEST, "ab", buffering=0) as stream:
            if stream.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def made_folder(folder: Path) -> Iterator[Path]:
    """Like `atomic_folder`, and adds the files to the manifest if the folder is in the cache.

    Args:
        folder: The folder to write.
    """
    note_made(folder, ending="/")
    with atomic_folder(folder) as beside:
        yield beside
        files = sorted(path for path in beside.rglob("*") if not path.is_dir())
        note_made(*(folder / path.relative_to(beside) for path in files))


def list_made() -> list[str]:
    """Returns the paths of the manifest, in the order in which they were noted.

    A folder's ends in a slash. What is noted need not be there any more.
    """
    made = {}
    try:
        lines = (environment.cache_dir() / MANIFEST).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        checksum, _, written = line.partition(b" ")
        if checksum == _line_checksum(written):
            made[json.loads(written)] = None
    return [name for name in made if ".." not in PurePosixPath(name).parts]


def clean_cache(*, everything: bool) -> int:
    """Removes the files of the cache that its manifest lists, and no others.

    Args:
        everything: Whether to remove downloads too.

    Returns:
        The number of bytes freed.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, environment.using(COURSE_CACHE_DIR=folder):
        ...     note_made(Path(folder, "made.txt"))
        ...     for name in ("made.txt", "own.txt"):
        ...         size = Path(folder, name).write_text("text")
        ...     clean_cache(everything=True), [path.name for path in Path(folder).iterdir()]
        (4, ['own.txt'])
    """
    folder, freed, kept = environment.cache_dir(), 0, []
    for name in list_made():
        if not everything and PurePosixPath(name).parts[0] in DOWNLOADED:
            kept.append(name)
            continue
        for path in _list_files(folder / name, is_folder=name.endswith("/")):
            freed += path.lstat().st_size
            remove(path)
            for above in path.parents:
                if above == folder or any(above.iterdir()):
                    break
                above.rmdir()
    if kept:
        with atomic_write(folder / MANIFEST) as beside:
            beside.write_bytes(b"".join(map(_write_line, kept)))
    else:
        (folder / MANIFEST).unlink(missing_ok=True)
    return freed


def _write_line(name: str) -> bytes:
    written = json.dumps(name).encode()
    return _line_checksum(written) + b" " + written + b"\n"


def _line_checksum(written: bytes) -> bytes:
    return f"{zlib.crc32(written):08x}".encode()


def _list_files(path: Path, *, is_folder: bool) -> list[Path]:
    """Returns the files of a line of the manifest: the file itself, damaged copies of it that were
    set aside, and what a killed process left behind."""
    name = glob.escape(path.name)
    files = [path]
    if is_folder:
        files = [each for beside in path.parent.glob(f".{name}.*") for each in beside.rglob("*")]
    elif path.suffix == ENDING:
        stem = glob.escape(path.stem)
        files += path.parent.glob(f"{name}.damaged-*")
        files += path.parent.glob(f".{stem}.*{ENDING}")
    return [file for file in files if file.is_file() or file.is_symlink()]
