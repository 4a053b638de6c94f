"""Runs an exercise notebook's cells in this process, with answers put into its blank cells."""

import linecache
from functools import cache
from itertools import count
from pathlib import Path

import nbformat

NUMBERS = count()
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
        run_source(source, namespace)


def run_source(source: str, namespace: dict) -> None:
    """Runs source that can be read again, as a notebook's: TensorFlow reads what `map` gets."""
    name = f"<cell {next(NUMBERS)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)


def check_answer(stem: str, question: str, source: str, namespace: dict):
    """Runs one answer in a copy of a namespace and returns what its check says."""
    scope, boxes = dict(namespace), {}
    run_source(source, scope)
    check = next(cell for cell, _ in read_cells(stem) if cell.startswith(f"{question}.check("))
    run_cell(check, scope, boxes)
    return boxes[question]


class AnswerTests:
    """What holds of every exercise; a subclass in the exercise's test file says of which.

    It sets `stem`, the notebook's number; `graded`, the questions with a check; `right`, from a
    question to sources that pass; and `wrong`, from a question to pairs of a source and words that
    the box then has. The file's fixture `untouched` runs the notebook without answers.
    """

    def pytest_generate_tests(self, metafunc):
        for argument in ("right", "wrong"):
            if argument in metafunc.fixturenames:
                planted = getattr(self, argument)
                listed = [(name, each) for name, found in planted.items() for each in found]
                metafunc.parametrize(("name", argument), listed)

    def test_untouched_every_check_says_not_attempted(self, untouched):
        boxes, _ = untouched
        assert {box.state for box in boxes.values()} == {"not attempted"}
        assert list(boxes) == [question.name for question in self.graded]

    def test_every_right_answer_passes(self, untouched, name, right):
        box = check_answer(self.stem, name, right, untouched[1])
        assert box.state == "right", box

    def test_every_mistake_hears_its_own_sentence(self, untouched, name, wrong):
        source, fragment = wrong
        box = check_answer(self.stem, name, source, untouched[1])
        assert box.state in ("not yet", "error") and fragment in box.message, box

    def test_no_sentence_answers_two_kinds_of_mistakes(self):
        for listed in self.wrong.values():
            assert len({fragment for _, fragment in listed}) >= 5
