"""A student's working copies of the notebooks, apart from the checkout, and their updates.

An update follows nbgitpuller's rule: what a student has written always stays. Beside the copies is
kept what was handed out, so that an update knows which cells a student has changed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_utils.core.environment import project_dir
from course_utils.core.files import atomic_write, check_writable
from course_utils.lessons.notebooks import list_lessons

HANDED_OUT = ".course"  # the folder of what was handed out


@dataclass(frozen=True)
class Update:
    """What happened to one working copy.

    Args:
        name: The notebook's path below the folder.
        what: `"new"`, `"updated"`, `"unchanged"`, or `"left alone"`.
        kept: How many cells stayed as the student has them.
    """

    name: str
    what: str
    kept: int = 0

    def __str__(self) -> str:
        cells = f" ({self.kept} of your cells kept)" if self.kept else ""
        return f"{self.name}: {self.what}{cells}"


def start_folder(folder: Path) -> list[Update]:
    """Puts working copies of all notebooks into a folder, or brings those there up to date.

    Cells that a student changed or added stay as they are; all other cells become those of the
    course. A cell that a student deleted stays deleted. A notebook that a student deleted comes
    back.

    Args:
        folder: The folder; it is made if it is missing.

    Returns:
        One entry for each notebook.

    Raises:
        ValueError: If the folder is inside the checkout's notebooks.
        OSError: If it cannot be written.
    """
    folder = folder.resolve()
    course = project_dir() / "notebooks"
    if folder == project_dir().resolve() or folder.is_relative_to(course.resolve()):
        raise ValueError(
            f"Expected a folder apart from the course's own files, received {folder}. Name another "
            "one, such as ../my-course."
        )
    check_writable(folder)
    updates = []
    for path in list_lessons().values():
        name = path.relative_to(course)
        updates.append(
            _bring_up_to_date(path, folder / name, folder / HANDED_OUT / name, str(name))
        )
    return updates


def _bring_up_to_date(course: Path, own: Path, before: Path, name: str) -> Update:
    new = _read(course)
    if not own.exists():
        _write(new, own, before, new)
        return Update(name, "new")
    old = _read(before) if before.is_file() else None
    try:
        mine = _read(own)
    except (ValueError, KeyError, TypeError):
        return Update(name, "left alone, since it cannot be read as a notebook")
    if old is None:
        return Update(name, "left alone, since it was not handed out by this command")
    merged, kept = merge_notebooks(old, mine, new)
    if merged == mine and old == new:
        return Update(name, "unchanged", kept)
    _write(merged, own, before, new)
    return Update(name, "unchanged" if merged == mine else "updated", kept)


def merge_notebooks(old: Mapping, mine: Mapping, new: Mapping) -> tuple[dict, int]:
    """Returns a notebook of the course's new cells and a student's own, and how many those are.

    Args:
        old: What was handed out.
        mine: What the student has made of it.
        new: What the course has now.
    """
    was = {cell["id"]: _text(cell) for cell in old["cells"]}
    now = {cell["id"]: cell for cell in new["cells"]}
    own = [cell for cell in mine["cells"] if was.get(cell.get("id")) != _text(cell)]
    own_ids = {cell.get("id") for cell in own}
    there = {cell.get("id"): cell for cell in mine["cells"]}
    cells = []
    for cell in new["cells"]:
        if cell["id"] in own_ids:
            # The student's words, with the tags of the course.
            cells.append({**there[cell["id"]], "metadata": cell["metadata"]})
        elif cell["id"] in there and _text(there[cell["id"]]) == _text(cell):
            cells.append(there[cell["id"]])  # With the outputs that the student has seen.
        elif cell["id"] in there or cell["id"] not in was:
            cells.append(cell)
    for place, cell in enumerate(mine["cells"]):
        if cell in own and cell.get("id") not in now:
            cells.insert(_find_place(cells, mine["cells"][:place]), cell)
    return {**new, "metadata": mine["metadata"], "cells": cells}, len(own)


def _find_place(cells: Sequence[Mapping], before: Sequence[Mapping]) -> int:
    """Returns the place after the nearest cell that stands before in the student's notebook."""
    ids = [cell.get("id") for cell in cells]
    for cell in reversed(before):
        if cell.get("id") in ids:
            return ids.index(cell.get("id")) + 1
    return 0


def _text(cell: Mapping) -> str:
    return "".join(cell["source"])


def _read(path: Path) -> dict:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return {**notebook, "cells": list(notebook["cells"]), "metadata": dict(notebook["metadata"])}


def _write(merged: Mapping, own: Path, before: Path, new: Mapping) -> None:
    for path, notebook in ((own, merged), (before, new)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as beside:
            text = json.dumps(notebook, indent=1, ensure_ascii=False)
            beside.write_text(f"{text}\n", encoding="utf-8")
