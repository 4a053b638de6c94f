"""Writes files so that no half-written one is ever taken for a whole one."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to, and renames it to `path` when that went well.

    Rename replaces a file in one step on one file system, so that another process sees the
    old file, the new one, or none. What fails leaves nothing behind.

    Args:
        path: The file to be written; its folder is made if need be.
    """
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
