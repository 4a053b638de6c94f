"""What the lessons promise as texts: short, in plain Keras, and with their checks out of sight."""

import re

import nbformat
import pytest

from course_utils.lessons import notebooks

LESSONS = {
    number: nbformat.read(path, as_version=4).cells
    for number, path in notebooks.list_lessons().items()
    if not number.startswith("exercises/")
}
SEED_LESSON, PROJECT = "02", "06"


def is_hidden(cell):
    return {notebooks.GUARD, "first-cell"} & {*cell.metadata.get("tags", ())}


def list_shown(number, kind):
    cells = LESSONS[number]
    return [cell.source for cell in cells if cell.cell_type == kind and not is_hidden(cell)]


@pytest.mark.parametrize("number", LESSONS)
def test_a_lesson_is_short(number):
    prose = re.sub(r"\]\([^)]*\)", "]", " ".join(list_shown(number, "markdown")))
    words = [word for word in prose.split() if re.search(r"\w", word)]
    assert len(words) <= (900 if number == SEED_LESSON else 1200)
    code = list_shown(number, "code")
    assert len(code) <= 30
    assert all(source.count("\n") < 20 for source in code)


@pytest.mark.parametrize("number", LESSONS)
def test_a_lesson_promises_something_and_says_at_its_end_what_you_have_seen(number):
    prose = list_shown(number, "markdown")
    assert re.search(r"^\*\d+ minutes", prose[0], re.MULTILINE)
    assert number == "00" or "**What you have seen.**" in prose[-1]


@pytest.mark.parametrize("number", LESSONS)
def test_what_only_checks_is_collapsed(number):
    assert not [
        source for source in list_shown(number, "code") if re.search(r"^\s*assert ", source, re.M)
    ]
    for cell in LESSONS[number]:
        if notebooks.GUARD in cell.metadata.get("tags", ()):
            assert cell.metadata["jupyter"]["source_hidden"], cell.source
            assert not cell.outputs, cell.source


def test_the_project_is_plain_keras():
    code = "\n".join(list_shown(PROJECT, "code"))
    assert re.findall(r".*course_utils.*", code) == ["%run -m course_utils project"]
    assert not re.search(r"\bcu\.", code)


def test_the_seed_lesson_calls_keras_itself():
    code = "\n".join(list_shown(SEED_LESSON, "code"))
    for called in (
        "keras.utils.image_dataset_from_directory",
        ".cache()",
        ".prefetch(tf.data.AUTOTUNE)",
        'layers.RandomFlip("horizontal"',
        "layers.RandomContrast((0.5, 0.5)",
        'layers.Dense(6, activation="relu"',
        'layers.Dense(1, activation="sigmoid"',
        'loss="binary_crossentropy"',
        ".fit(few, epochs=3",
        "pd.DataFrame(history.history)",
        ".evaluate(valid",
        ".predict(",
    ):
        assert called in code, called
