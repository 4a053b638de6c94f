"""Runs an exercise notebook's cells in this process, with answers put into its blank cells."""

from functools import cache
from pathlib import Path

import nbformat

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "exercises"


@cache
def read_cells(stem: str) -> tuple[tuple[str, str | None], ...]:
    """Returns a notebook's code cells: their source, and the question whose answer they hold."""
    path = next(FOLDER.glob(f"{stem}-*.ipynb"))
    cells = []
    for cell in nbformat.read(path, 4).cells:
        tags = cell.metadata.get("tags", [])
        answered = [tag.removeprefix("answer-") for tag in tags if tag.startswith("answer-")]
        if cell.cell_type == "code":
            cells.append((cell.source, answered[0] if answered else None))
    return tuple(cells)


def run_notebook(
    stem: str,
    answers: dict[str, str],
    *,
    replaced: dict[str, str] | None = None,
    given: dict | None = None,
):
    """Runs all cells from the top.

    Args:
        stem: The notebook's number, such as `"02"`.
        answers: From questions to source that replaces their blank cell.
        replaced: Text to put in place of other text, in every cell.
        given: Names that the cells find already.

    Returns:
        The checks' boxes by question, and the namespace.
    """
    namespace, boxes = {"__name__": "__main__", **(given or {})}, {}
    for source, question in read_cells(stem):
        source = answers.get(question, source)
        for old, new in (replaced or {}).items():
            source = source.replace(old, new)
        run_cell(source, namespace, boxes)
    return boxes, namespace


def run_cell(source: str, namespace: dict, boxes: dict) -> None:
    """Runs one cell; where it is a check, keeps its box."""
    if ".check(" in source:
        box = eval(source.strip(), namespace)
        boxes[box.question] = box
    else:
        exec(compile(source, "<cell>", "exec"), namespace)


def check_answer(stem: str, question: str, source: str, namespace: dict):
    """Runs one answer in a copy of a namespace and returns what its check says."""
    scope, boxes = dict(namespace), {}
    exec(compile(source, "<answer>", "exec"), scope)
    check = next(cell for cell, _ in read_cells(stem) if cell.startswith(f"{question}.check("))
    run_cell(check, scope, boxes)
    return boxes[question]
