"""Every question is complete: found in its notebook, with answers that test it. Finds new ones."""

import ast
import importlib
import json
import pkgutil
import re

import pytest

import course_utils.exercises
from course_utils.core.environment import project_dir
from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.report import EXERCISES

TESTS = {
    "01": "test_curves_and_weights",
    "02": "test_building_augmentations",
    "03": "test_choosing_policies",
    "04": "test_traps",
}
LEAST_RIGHT, LEAST_WRONG = 2, 5
GRADED = [
    (number, each) for number, (_, listed) in EXERCISES.items() for each in listed if each.observe
]


def read_notebook(number):
    path = next((project_dir() / "notebooks" / "exercises").glob(f"{number}-*.ipynb"))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return path.name, [cell for cell in cells if cell["cell_type"] == "code"]


def test_every_question_that_a_module_has_is_in_an_exercise():
    listed = {id(each) for _, questions in EXERCISES.values() for each in questions}
    for module in pkgutil.iter_modules(course_utils.exercises.__path__):
        loaded = importlib.import_module(f"course_utils.exercises.{module.name}")
        for name, value in vars(loaded).items():
            assert not isinstance(value, Question) or id(value) in listed, (
                f"{name} in course_utils/exercises/{module.name}.py is in no exercise: add it to "
                "QUESTIONS in the last line of its notebook's module."
            )


def test_every_exercise_notebook_has_its_questions():
    for path in (project_dir() / "notebooks" / "exercises").glob("[0-9][0-9]-*.ipynb"):
        assert path.name[:2] in EXERCISES, (
            f"{path.name} has no questions: add its number to EXERCISES in "
            "course_utils/exercises/framework/report.py."
        )
        assert path.name[:2] in TESTS, f"Add the test file of {path.name} to TESTS in this file."


def name_case(case):
    return f"{case[0]}-{case[1].name}"


@pytest.mark.parametrize("case", GRADED, ids=name_case)
def test_every_question_has_its_cells(case):
    number, question = case
    name, cells = read_notebook(number)
    tag = f"answer-{question.name}"
    answers = [c for c in cells if tag in c["metadata"].get("tags", [])]
    assert len(answers) == 1, (
        f"{name}: expected one code cell with the tag {tag}, found {len(answers)}."
    )
    checks = [c for c in cells if "".join(c["source"]).startswith(f"{question.name}.check(")]
    assert len(checks) == 1, f"{name}: expected one cell with {question.name}.check(…)."
    call = ast.parse("".join(checks[0]["source"])).body[0].value
    given = tuple(each.id for each in call.args)
    assert given == question.arguments, (
        f"{name}: {question.name}.check takes {question.arguments}, its cell passes {given}."
    )
    own = [each for each in given if each not in question.context]
    blank = "".join(answers[0]["source"])
    assert "..." in blank and all(re.search(rf"\b{each} = ", blank) for each in own), (
        f"{name}: the cell {tag} has to set {own} to `...`."
    )
    for cell in (answers[0], checks[0]):
        assert "nbgrader" in cell["metadata"], (
            f"{name}: the cells of {question.name} need nbgrader's metadata, as others have it."
        )
    first = "".join("".join(cell["source"]) for cell in cells[:2])
    assert re.search(rf"\b{question.name}\b", first), f"{name}: import {question.name} at its top."


@pytest.mark.parametrize("case", GRADED, ids=name_case)
def test_every_question_is_written_in_full(case):
    _, question = case
    assert question.judge, f"{question.name} has no judge."
    for what in ("title", "aim", "praise", "explanation", "code"):
        text = getattr(question, what)
        assert text, f"{question.name} has no {what}."
        assert not re.search(r"\b[A-Z]{4,} [A-Z]{3,}\b", text), f"{what} is the template's."
    assert len(question.hints) >= 2, f"{question.name}: two hints or more."


@pytest.mark.parametrize("case", GRADED, ids=name_case)
def test_every_question_is_tried_with_right_and_wrong_answers(case):
    number, question = case
    module = importlib.import_module(TESTS[number])
    for what, least in (("RIGHT", LEAST_RIGHT), ("WRONG", LEAST_WRONG)):
        found = len(getattr(module, what).get(question.name, ()))
        assert found >= least, (
            f"{question.name}: expected {least} answers or more in {what} of "
            f"tests/exercises/{TESTS[number]}.py, found {found}."
        )


def test_the_template_s_cells_have_the_metadata_of_a_question_s():
    def describe(cells, name):
        return [
            {
                **cell["metadata"]["nbgrader"],
                "grade_id": cell["metadata"]["nbgrader"]["grade_id"][-9:],
            }
            for cell in cells
            if cell["metadata"].get("nbgrader", {}).get("grade_id", "").endswith(f"-{name}")
        ]

    path = project_dir() / "templates" / "question.ipynb"
    template = json.loads(path.read_text("utf-8"))["cells"]
    assert template[1]["metadata"]["tags"] == ["answer-q8"]
    _, cells = read_notebook("02")
    expected = [{**each, "grade_id": each["grade_id"][:-1] + "8"} for each in describe(cells, "q1")]
    assert describe(template, "q8") == expected and len(expected) == 2
