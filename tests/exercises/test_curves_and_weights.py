"""Exercise 01: right answers pass whatever form they take, each mistake hears its own sentence."""

import numpy as np
import pytest
from exercise_answers import AnswerTests, run_notebook

from course_utils.exercises.curves_and_weights import QUESTIONS, take_step

# The real base is loaded in the notebook; here a tiny one stands in, with layers of that name.
STAND_IN = {"cu.load_vgg16_base()": "make_base()", "cu.make_synthetic_vehicles(8)": "draw(8)"}

RIGHT = {
    "q1": [
        "memorizing, stop, gap = True, 18, 0.408",
        "memorizing, stop, gap = 1, 18, 0.408",
        "memorizing, stop, gap = True, '18', history['gap'].tail(1)",
        "memorizing, stop, gap = 'yes', 14, float(history.gap.iloc[-1])",
        "memorizing, stop, gap = np.True_, history.val_loss.idxmin(), 0.408",
    ],
    "q2": [
        "moves = ['hidden', 'output']",
        "moves = {'output bias', 'output kernel', 'Hidden_kernel', 'hidden bias'}",
        "moves = 'head'",
        "moves = ('Hidden', 'Output')",
    ],
    "q3": [
        "dead, since, answer = ['C'], 1, 0.5",
        "dead, since, answer = 'c', 1, 0.5",
        "dead, since, answer = 'run C', 1, float(runs['C'].val_binary_accuracy.iloc[-1])",
        "dead, since, answer = 'C', np.int64(1), 0.501",
    ],
}
WRONG = {
    "q1": [
        ("memorizing, stop, gap = False, 18, 0.408", "Is it not memorizing"),
        ("memorizing, stop, gap = True, 30, 0.408", "training loss is lowest"),
        ("memorizing, stop, gap = True, 3, 0.408", "too early"),
        ("memorizing, stop, gap = True, 28, 0.408", "too late"),
        ("memorizing, stop, gap = True, 18, -0.408", "wrong sign"),
        ("memorizing, stop, gap = True, 18, 0.22", "gap of the accuracies"),
        ("memorizing, stop, gap = True, 18, (history.val_loss - history.loss)[30]",
         "weights still moved"),
        ("memorizing, stop, gap = True, 18, 0.41", "Give three decimals"),
        ("memorizing, stop, gap = True, 18, 0.35", "at the lowest validation"),
        ("memorizing, stop, gap = True, 18, 0.43", "validation loss alone"),
        ("memorizing, stop, gap = True, 18, 0.8", "not what the last row"),
        ("memorizing, stop, gap = True, 0, 0.4", "from 1 to 30"),
        ("memorizing, stop, gap = 'a bit', 18, 0.408", "`True` or `False` for `memorizing`"),
        ("memorizing, stop, gap = True, 'late', 0.408", "number for `stop`"),
        ("memorizing, stop, gap = True, ..., 0.408", "1 of 3"),
    ],
    "q2": [
        ("moves = list(diff.index)", "named every weight"),
        ("moves = [n for n in diff.index if n.split()[0] not in ('hidden', 'output')]",
         "other way round"),
        ("moves = []", "You named none"),
        ("moves = ['head', diff.index[0]]", "a part of the base"),
        ("moves = ['output', diff.index[0]]", "All of it is frozen"),
        ("moves = ['hidden kernel', 'output kernel']", "A bias is a weight too"),
        ("moves = ['output']", "Only the output layer"),
        ("moves = ['hidden']", "Only the hidden layer"),
        ("moves = ['output', 'hidden kernel']", "but more does"),
        ("moves = ['dense_7']", "gives each its own"),
        ("moves = ['fc1']", "Expected names"),
        ("moves = 4", "Expected a list"),
    ],
    "q3": [
        ("dead, since, answer = 'A', 1, 0.5", "learns slowly"),
        ("dead, since, answer = 'B', 1, 0.5", "nearly memorized"),
        ("dead, since, answer = 'D', 1, 0.5", "healthy"),
        ("dead, since, answer = 'C', 30, 0.5", "since epoch 30"),
        ("dead, since, answer = 'C', 2, 0.5", "one epoch earlier"),
        ("dead, since, answer = 'C', 0, 0.5", "counts from 1"),
        ("dead, since, answer = 'C', 1, 0.69", "that is its loss"),
        ("dead, since, answer = 'C', 1, 0", "not never"),
        ("dead, since, answer = 'C', 1, 50", "Divide it by 100"),
        ("dead, since, answer = 'C', 1, float('nan')", "number for `answer`"),
        ("dead, since, answer = 'C', 1, 0.8", "not the fraction"),
        ("dead, since, answer = ['A', 'C'], 1, 0.5", "out of 'A'"),
        ("dead, since, answer = 'C', 'start', 0.5", "number for `since`"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def make_run(make_base, make_photos):
    tools = {
        "np": np,
        "make_base": make_base,
        "draw": lambda count: (*make_photos(count)[0], np.arange(count)),
    }
    return lambda answers: run_notebook("01", answers, replaced=STAND_IN, given=tools)


@pytest.fixture(scope="module")
def untouched(make_run):
    return make_run({})


class TestAnswers(AnswerTests):
    stem, graded, right, wrong = "01", QUESTIONS, RIGHT, WRONG


@pytest.mark.slow
def test_filled_with_solutions_every_check_passes(make_run):
    boxes, _ = make_run({question.name: question.code for question in QUESTIONS})
    assert {box.state for box in boxes.values()} == {"right"}, boxes


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_filled_with_mistakes_no_check_passes(make_run, number):
    # The notebook takes its step after the prediction: an answer cannot use `diff`.
    chosen = {
        name: [source for source, _ in listed if "diff" not in source][number]
        for name, listed in WRONG.items()
    }
    boxes, _ = make_run(chosen)
    assert not [box for box in boxes.values() if box.state in ("right", "not attempted")]


def test_a_step_is_measured_and_leaves_the_base(make_base, make_photos):
    from course_utils.models.classifier import build_classifier

    diff = take_step(build_classifier(make_base(), seed=1), *make_photos(8)[0])
    heads = diff.index.str.startswith(("hidden", "output"))
    assert (diff.loc[~heads, "moved"] == 0).all() and (diff.loc[heads, "moved"] > 0).all()
    assert (diff["moved"] <= diff["weights"]).all()
