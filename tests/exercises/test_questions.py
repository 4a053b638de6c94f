"""Questions never raise, know what is blank, and show themselves as text and as a box."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from course_utils import cli
from course_utils.exercises.framework.misconceptions import MISCONCEPTIONS
from course_utils.exercises.framework.questions import LOOKS, Box, Question
from course_utils.exercises.framework.reading import (
    Misread,
    count_blanks,
    read_choice,
    read_number,
    read_yes,
)
from course_utils.exercises.framework.report import list_questions, write_report


def ask(observe, **options):
    """A question whose judge finds nothing wrong with what was observed."""
    texts = {"title": "t", "aim": "a", "lesson": "01", "explanation": "why", "code": "x = 1"}
    options = {"judge": lambda observed: None, "praise": "Well seen.", **options}
    return Question(name="q9", observe=observe, **texts, **options)


@pytest.mark.parametrize("blank", [..., None, "", "  ", "...", "____", [..., ...], {"a": ...}])
def test_blank_is_not_attempted(blank):
    assert ask(lambda x: {}).check(blank).state == "not attempted"


def test_what_the_notebook_made_is_not_looked_at_for_blanks():
    question = ask(lambda x, made: {}, context=("made",))
    assert question.check(..., "table").state == "not attempted"
    assert question.check(1, None).state == "right"


def test_a_half_written_answer_is_not_yet():
    box = ask(lambda x, y: {}).check([1, ...], 3)
    assert box.state == "not yet" and "1 of 3" in box.message
    assert count_blanks([{"a": ..., "b": (1, None)}, []]) == (2, 4)


def raises(error):
    def judge(x):
        raise error

    return judge


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        KeyError("k"),
        ZeroDivisionError(),
        Misread("M"),
        SystemExit(),
        GeneratorExit(),
    ],
)
def test_whatever_is_raised_becomes_a_sentence(error):
    for question in (ask(raises(error)), ask(lambda x: {}, judge=raises(error))):
        box = question.check(1)
        assert box.state == "error" and "Traceback" not in str(box)


def test_an_ungraded_task_answers_too():
    question = Question(name="q8", title="t", aim="a", lesson="01", explanation="why", code="")
    assert question.check().state == "not attempted" and "no hints" in question.hint().message


def test_a_mistake_in_random_draws_counts_if_a_second_look_shows_it_too():
    seeds = []

    def observe(x, *, probe_seed):
        seeds.append(probe_seed)
        return {"look": len(seeds)}

    def judge(observed):
        return "unlucky" if observed["look"] == 1 else None

    assert ask(observe, judge=judge, sampled=True).check(1).state == "right"
    assert len(set(seeds)) == 2
    assert ask(lambda x: {"look": 1}, judge=judge).check(1).message == "unlucky"
    assert ask(lambda x: {"look": 1}, judge=judge, sampled=True).check(1).state == "not yet"


def test_under_nbgrader_a_check_that_is_not_right_raises(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert ask(lambda x: {}).check(1).state == "right"
    with pytest.raises(AssertionError, match="q9: not yet. no"):
        ask(lambda x: {}, judge=lambda observed: "no").check(1)


def test_solutions_are_not_shown_while_grading(monkeypatch):
    question = ask(lambda x: {})
    assert question.solution().code == "x = 1"
    monkeypatch.setenv("COURSE_GRADING", "1")
    assert question.solution().code == ""


def test_what_equals_everything_is_read_as_what_it_is():
    class Everything(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            return True

        def casefold(self):
            return self

    for read in (lambda v: read_choice(v, ("A", "B"), "one"), lambda v: read_number(v, "n")):
        with pytest.raises(Misread):
            read(Everything("no"))


def test_a_value_that_cannot_be_shown_does_not_break_a_check():
    class Broken:
        def __repr__(self):
            raise RuntimeError

    box = ask(lambda x: read_number(x, "x")).check(Broken())
    assert box.state == "error" and "a Broken" in box.message


def test_a_wrong_call_is_told_the_right_one():
    box = ask(lambda x, y: {}).check(1)
    assert box.state == "error" and "`q9.check(x, y)`" in box.message


def test_hints_grow_and_then_point_to_the_solution():
    question = ask(lambda x: None, hints=("first", "second"))
    told = [question.hint().message for _ in range(3)]
    assert "first" in told[0] and "second" in told[1] and told[1] == told[2]
    assert "q9.solution()" in told[1] and "q9.solution()" not in told[0]
    assert question.solution().code == "x = 1" and question.solution().message == "why"


@pytest.mark.parametrize("state", LOOKS)
def test_a_box_says_in_words_what_its_color_says(state):
    box = Box("q1", state, "Use `a < b` & more.", "x < 1")
    shown = box._repr_mimebundle_()
    word = LOOKS[state].word
    assert shown["text/plain"].startswith(f"q1: {word.lower()}.")
    page = shown["text/html"]
    assert f"q1: {word}." in page and f'aria-label="q1: {word}"' in page and 'role="status"' in page
    assert "a &lt; b" in page and "x &lt; 1" in page and "<code" in page


def luminance(color):
    def linear(value):
        value /= 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(color[place : place + 2], 16)) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_stands_out_and_no_two_states_share_a_look():
    # Text and ground are both set, so a dark page changes neither. 7 is WCAG's level AAA.
    for look in LOOKS.values():
        assert (luminance(look.background) + 0.05) / (luminance("#1a1a1a") + 0.05) > 7
    assert len({look.sign for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.border for look in LOOKS.values()}) == len(LOOKS)


def test_choices_and_numbers_are_read_leniently_and_refused_kindly():
    assert read_choice(" 'b'", ("A", "B"), "one") == "B"
    for text in ("Can't tell", "can’t tell.", "cannot_tell", "Can not tell"):
        assert read_choice(text, ("better", "cannot tell"), "one") == "cannot tell"
    assert read_number("0.13", "n") == 0.13
    assert read_number(pd.Series([0.2]).tail(1), "n") == 0.2
    assert read_number(np.float32(0.5), "n") == 0.5
    assert read_yes("Yes", "y") is True and read_yes(np.False_, "y") is False
    for wrong in ("two", True, None, [1, 2], float("nan"), float("inf"), "nan", 1j, object()):
        with pytest.raises(Misread, match="one finite number"):
            read_number(wrong, "n")
    with pytest.raises(Misread, match="True"):
        read_yes("maybe", "y")


def test_every_misconception_is_worked_against_and_known():
    used = {key for _, question in list_questions() for key in question.misconceptions}
    assert used == set(MISCONCEPTIONS) and len(MISCONCEPTIONS) == 10


def test_every_question_is_complete_and_in_the_report():
    report = write_report()
    for _, question in list_questions():
        assert question.title in report and question.aim in report
        assert not question.observe or (
            question.judge and question.hints and question.praise and question.code
        )


def test_the_command_line_prints_the_report(capsys):
    assert cli.main(["exercises", "--report"]) == 0
    assert "Fix the leak" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["exercises"])


@pytest.mark.slow
def test_questions_load_without_tensorflow_and_widgets():
    code = (
        "import sys; from course_utils.exercises import vehicle_questions; "
        "from course_utils.exercises.framework import probes, report; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'ipywidgets')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
