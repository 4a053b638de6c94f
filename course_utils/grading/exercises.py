"""The kit's own exercise notebooks: the cells that a student's answers are put into."""

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from course_utils.core.environment import project_dir
from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.report import EXERCISES

SKIP = "skip-grading"  # the tag of cells whose work the grader does itself


@dataclass(frozen=True)
class Cell:
    """A code cell of the kit's own notebook.

    Args:
        source: Its source; empty for a cell that only shows something.
        question: The question whose answer it holds, or `None`.
        checks: The question that it checks, or `None`.
    """

    source: str
    question: str | None = None
    checks: str | None = None


@dataclass(frozen=True)
class Exercise:
    """One of the kit's exercise notebooks.

    Args:
        number: Such as `"02"`.
        cells: Its code cells, in order.
        questions: Those with a check, by name.
        names: For each question the variables that its answer sets.
        ids: For each question the id of its answer's cell.
        modules: The modules that its first cells import questions from.
    """

    number: str
    cells: tuple[Cell, ...]
    questions: Mapping[str, Question]
    names: Mapping[str, tuple[str, ...]]
    ids: Mapping[str, str]
    modules: tuple[str, ...]


def load_exercises() -> dict[str, Exercise]:
    """Returns the kit's exercise notebooks by number."""
    folder = project_dir() / "notebooks" / "exercises"
    return {number: _load_exercise(number, folder) for number in EXERCISES}


def _load_exercise(number: str, folder: Path) -> Exercise:
    path = next(folder.glob(f"{number}-*.ipynb"))
    notebook = json.loads(path.read_text(encoding="utf-8"))
    questions = {each.name: each for each in EXERCISES[number][1] if each.observe}
    cells, ids, names, modules = [], {}, {}, []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        source, tags = "".join(cell["source"]), cell["metadata"].get("tags", [])
        question = next((t.removeprefix("answer-") for t in tags if t.startswith("answer-")), None)
        checked = re.match(r"\s*(q\d+)\.check\(", source)
        if question:
            ids[question] = cell["id"]
            names[question] = tuple(list_set(ast.parse(source)))
            cells.append(Cell("", question=question))
        elif checked:
            cells.append(Cell("", checks=checked[1]))
        elif SKIP not in tags and not _only_shows(source):
            cells.append(Cell(source))
            modules += re.findall(r"course_utils\.exercises\.\w+", source)
    return Exercise(number, tuple(cells), questions, names, ids, tuple(modules))


def _only_shows(source: str) -> bool:
    """Whether a cell sets no name, so that an answer cannot need it."""
    return all(isinstance(node, ast.Expr) for node in ast.parse(source).body)


def list_set(tree: ast.AST) -> list[str]:
    """Returns the names that a module's top level sets, functions and classes included.

    Args:
        tree: A parsed module.

    Example:
        >>> list_set(ast.parse("a, b = 1, 2\\ndef f(): pass"))
        ['a', 'b', 'f']
    """
    names = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                names += [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
    return names
