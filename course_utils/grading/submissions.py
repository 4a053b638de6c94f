"""Reads students' notebooks as they come out of an LMS: who, which exercise, which answers.

Longer than 350 lines because what students hand in comes in many forms, and each is read or named
here.
"""

import ast
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.grading.exercises import Exercise, list_set

LARGEST_FILE = 30 * 10**6  # bytes; an executed exercise has about one million
LONGEST_ANSWER = 20_000  # characters
# An answer that reads these may look up what it should find out.
PEEKS = ("solution", "course_utils.exercises", "inspect", "__import__", "_getframe", "sys.modules")


@dataclass
class Submission:
    """What one student handed in for one exercise.

    Args:
        student: From the name of the folder or file.
        number: The exercise's number.
        path: The notebook.
        answers: From questions to source; a question without a cell is missing.
        notes: What was unusual, in sentences.
        hints: From questions to how many hints were shown, as far as the notebook tells.
        solutions: Questions whose solution was shown, as far as the notebook tells.
    """

    student: str
    number: str
    path: Path
    answers: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    hints: dict[str, int] = field(default_factory=dict)
    solutions: set[str] = field(default_factory=set)


class Unreadable(Exception):
    """A file is no exercise notebook that can be graded; the message says why."""


def find_notebooks(folder: Path) -> list[Path]:
    """Returns all notebooks below a folder, checkpoints and links left out, in order of names."""
    return sorted(
        path
        for path in folder.rglob("*.ipynb")
        if path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def name_student(path: Path, folder: Path) -> str:
    """Returns a student's name: that of the first folder, or else what precedes the file's title.

    Args:
        path: The notebook.
        folder: The folder with all of them.

    Example:
        >>> name_student(Path("in/Ada Lovelace/01-curves.ipynb"), Path("in"))
        'Ada Lovelace'
        >>> name_student(Path("in/lovelaceada_8_99_01-curves-and-weights-2.ipynb"), Path("in"))
        'lovelaceada_8_99'
    """
    parts = path.relative_to(folder).parts
    if len(parts) > 1:
        return parts[0]
    stem = re.sub(r"[-_ ]*(exercise[-_ ]*)?\d\d-[a-z-]+[-_ ()\d]*$", "", path.stem)
    return stem or path.stem


def read_submissions(
    folder: Path, exercises: Mapping[str, Exercise]
) -> tuple[list[Submission], dict[Path, str]]:
    """Reads every notebook below a folder.

    If a student handed in an exercise more than once, the newest file counts.

    Args:
        folder: One folder or one file for each student, or both.
        exercises: From `load_exercises`.

    Returns:
        The submissions, by student and exercise, and why files could not be read.
    """
    found: dict[tuple[str, str], list[Submission]] = {}
    unread = {}
    for path in find_notebooks(folder):
        try:
            made = read_notebook(path, name_student(path, folder), exercises)
        except Unreadable as reason:
            unread[path] = str(reason)
            continue
        found.setdefault((made.student, made.number), []).append(made)
    chosen = []
    for _, versions in sorted(found.items()):
        versions.sort(key=lambda each: (each.path.stat().st_mtime, _version(each.path)))
        newest = versions[-1]
        if len(versions) > 1:
            newest.notes.append(
                f"{len(versions)} files for this exercise; graded {newest.path.name}, the newest."
            )
        chosen.append(newest)
    return chosen, unread


def _version(path: Path) -> tuple[int, str]:
    number = re.search(r"[-_ (](\d{1,3})\)?$", path.stem)
    return (int(number[1]) if number else 0, path.name)


def read_notebook(path: Path, student: str, exercises: Mapping[str, Exercise]) -> Submission:
    """Reads one notebook's answers; nothing in it is run.

    Args:
        path: The notebook.
        student: Whose it is.
        exercises: From `load_exercises`.

    Raises:
        Unreadable: If it is no exercise notebook.
    """
    if path.stat().st_size > LARGEST_FILE:
        raise Unreadable(f"It has more than {LARGEST_FILE // 10**6} MB. Clear its outputs.")
    try:
        notebook = json.loads(path.read_bytes().decode("utf-8-sig"))
        listed = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        cells = [_plain_cell(cell) for cell in listed if cell.get("cell_type") == "code"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"It is no notebook: {type(error).__name__}.") from None
    exercise = _recognize(path, cells, exercises)
    made = Submission(student, exercise.number, path)
    for question in exercise.questions:
        answer, note = _find_answer(question, cells, exercise)
        if note:
            made.notes.append(f"{question}: {note}")
        if answer is None:
            continue
        if len(answer) > LONGEST_ANSWER:
            made.notes.append(f"{question}: longer than {LONGEST_ANSWER:,} characters, not run.")
            continue
        made.answers[question] = answer
        if is_same(answer, exercise.questions[question].code):
            made.notes.append(f"{question}: the same as the kit's solution.")
        made.notes += [
            f"{question}: its source mentions `{word}`." for word in PEEKS if word in answer
        ]
    _read_help(cells, exercise, made)
    return made


def _plain_cell(cell) -> dict:
    def text(value) -> str:
        return "".join(map(str, value)) if isinstance(value, list) else str(value or "")

    tags = cell.get("metadata", {}).get("tags", [])
    outputs = [
        text(out.get("text")) + text((out.get("data") or {}).get("text/plain"))
        for out in cell.get("outputs", [])
        if isinstance(out, dict)
    ]
    return {
        "source": text(cell.get("source", cell.get("input"))),
        "id": str(cell.get("id", "")),
        "tags": [str(tag) for tag in tags] if isinstance(tags, list) else [],
        "output": "\n".join(outputs)[:10_000],
    }


def _recognize(path: Path, cells: Sequence[dict], exercises: Mapping[str, Exercise]) -> Exercise:
    """Returns the exercise by what the notebook imports, or else by its name."""
    text = "\n".join(cell["source"] for cell in cells)
    scores = {
        number: sum(module in text for module in set(each.modules))
        for number, each in exercises.items()
    }
    best = max(scores, key=scores.get)
    if scores[best] and list(scores.values()).count(scores[best]) == 1:
        return exercises[best]
    named = re.search(r"(\d\d)-[a-z-]+", path.stem)
    if named and named[1] in exercises:
        return exercises[named[1]]
    raise Unreadable(
        "It imports none of the exercises' modules, and its name does not begin with one of "
        f"{', '.join(exercises)}."
    )


def _find_answer(
    question: str, cells: Sequence[dict], exercise: Exercise
) -> tuple[str | None, str | None]:
    """Returns the source of an answer, and what was unusual about finding it."""
    names = set(exercise.names[question])
    tagged = [cell for cell in cells if f"answer-{question}" in cell["tags"]]
    written = [cell for cell in tagged if not _is_blank(cell["source"])]
    if written:
        different = len({cell["source"].strip() for cell in written}) > 1
        note = (
            f"{len(written)} cells with different answers; the last counts." if different else None
        )
        return _without_magics(written[-1]["source"]), note
    other = [
        cell
        for cell in cells
        if cell not in tagged
        and names & set(_try_list_set(cell["source"]))
        and not _is_blank(cell["source"])
        and not any(tag.startswith("answer-") for tag in cell["tags"])
        and not any(cell["source"].strip() == kit.source.strip() for kit in exercise.cells)
        and cell["id"] not in {each for name, each in exercise.ids.items() if name != question}
    ]
    # An answer may be spread over several cells; of several complete ones the last counts.
    complete = [cell for cell in other if names <= set(_try_list_set(cell["source"]))]
    if complete:
        return _without_magics(complete[-1]["source"]), "its cell had lost its tag."
    if other and names <= {name for cell in other for name in _try_list_set(cell["source"])}:
        source = "\n".join(_without_magics(cell["source"]) for cell in other)
        return source, "its cell had lost its tag."
    if tagged:
        return tagged[-1]["source"], None
    return None, "no cell with its answer was found."


def _is_blank(source: str) -> bool:
    """Whether nothing was written: every name is still set to `...`."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    blanks = (
        isinstance(node, ast.Assign)
        and all(
            isinstance(each, ast.Constant) and each.value is ...
            for each in _list_values(node.value)
        )
        for node in body
    )
    return all(blanks)


def _list_values(node: ast.expr) -> Iterable[ast.expr]:
    if isinstance(node, ast.Dict):
        return node.values
    return node.elts if isinstance(node, ast.List | ast.Tuple) else [node]


def _try_list_set(source: str) -> list[str]:
    try:
        return list_set(ast.parse(_without_magics(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _without_magics(source: str) -> str:
    """Returns a cell's source without the lines that only a notebook understands."""
    return "\n".join(line for line in source.split("\n") if line.lstrip()[:1] not in ("%", "!"))


def is_same(answer: str, solution: str) -> bool:
    """Whether two sources are the same program, whatever their layout and comments.

    Example:
        >>> is_same("x = 1  # mine", "x=1"), is_same("x = 2", "x = 1")
        (True, False)
    """
    try:
        return ast.dump(ast.parse(answer)) == ast.dump(ast.parse(solution))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _read_help(cells: Sequence[dict], exercise: Exercise, made: Submission) -> None:
    """Looks for hints and solutions that the notebook still shows."""
    for cell in cells:
        for question, total in re.findall(r"\b(q\d+): hint\. \((\d+) of", cell["output"]):
            if question in exercise.questions:
                made.hints[question] = max(int(total), made.hints.get(question, 0))
        for question in re.findall(r"\b(q\d+)\.hint\(", cell["source"]):
            if question in exercise.questions:
                made.hints.setdefault(question, 1)
        shown = re.findall(r"\b(q\d+)\.solution\(", cell["source"])
        shown += re.findall(r"\b(q\d+): solution\.", cell["output"])
        made.solutions |= {name for name in shown if name in exercise.questions}
