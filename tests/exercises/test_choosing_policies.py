"""Exercise 03: policies are judged by measured accuracy, bets by the sealed half."""

import numpy as np
import pandas as pd
import pytest
from exercise_answers import AnswerTests, run_notebook

from course_utils.augmentation.policy import Augmentation
from course_utils.core import environment
from course_utils.exercises import choosing_policies
from course_utils.exercises.choosing_policies import QUESTIONS
from course_utils.exercises.published_policies import score_bet, score_bets
from course_utils.exercises.vehicle_questions import POLICIES, TASKS

PUBLISHED = pd.read_csv(
    environment.project_dir() / "data" / "results" / "exercise-policies.csv", comment="#"
)
NAMES = {policy: name for name, policy in POLICIES.items()}


def look_up(base, splits, policies):
    """Measures as `measure_choice` does, but in the published runs: no pass through the base.

    A policy that was not published counts as one that costs ten points.
    """
    chosen = {name: each for name, each in policies.items() if isinstance(each, Augmentation)}
    alive = PUBLISHED[~PUBLISHED["dead_head"]]
    means = alive.groupby(["question", "policy"])["select"].mean()
    rows = {
        name: {
            "without": means[name, "none"],
            "with": means.get((name, NAMES.get(policy)), means[name, "none"] - 0.1),
            "dead": 0,
        }
        for name, policy in chosen.items()
        if name in TASKS
    }
    table = pd.DataFrame(rows).T
    table.attrs["settings"] = {name: policy.to_json() for name, policy in chosen.items()}
    return table


# Neither pictures nor the base are needed where accuracy is looked up.
STAND_IN = {
    "build_question_splits(TRAIN, VALID)": "build_question_splits(12, 12)",
    "cu.load_vgg16_base()": "None",
    "measure_choice(base": "look_up(base",
}


def policies(**changed):
    written = dict.fromkeys(TASKS, "cu.Augmentation(flip='horizontal')")
    written["heading"] = "POLICIES['color']"
    written |= changed
    body = ", ".join(f"{name!r}: {policy}" for name, policy in written.items())
    return f"policies = {{{body}}}\nmeasured = look_up(None, None, policies)"


CARD = {
    "task": "'is the vehicle a car or a truck'",
    "policy": "cu.Augmentation(flip='horizontal')",
    "ignores": "'which way the vehicle is turned'",
    "breaks": "'reading a number plate or a sign'",
    "bias that stays": "'trucks photographed before trees only'",
    "measured": "'0.90 with, 0.86 without, 14 pairs of runs'",
}


def card(**changed):
    written = CARD | {name.replace("_", " "): text for name, text in changed.items()}
    return f"card = {{{', '.join(f'{k!r}: {v}' for k, v in written.items() if v)}}}"


PAIRS = """living = runs[(runs.question == 'paint') & ~runs.dead_head]
wide = living.pivot(index='seed', columns='policy', values='accuracy')
d = (wide['color'] - wide['none']).dropna().to_numpy()
mean, error = d.mean(), d.std(ddof=1) / len(d) ** 0.5
"""

RIGHT = {
    "q1": [
        policies(),
        policies(type="POLICIES['light']", paint="POLICIES['light']"),
        policies(heading="POLICIES['camera']", type="POLICIES['color']"),
        policies() + "\npolicies = {name.title(): policy for name, policy in policies.items()}",
    ],
    "q2": [
        PAIRS + "from scipy import stats\n"
        "low, high = stats.t.interval(0.95, len(d) - 1, loc=mean, scale=error)\n"
        "says = 'cannot tell'",
        PAIRS + "low, high, says = mean - 1.96 * error, mean + 1.96 * error, 'Cannot tell'",
        PAIRS + "low, high, says = mean - 2 * error, mean + 2 * error, \"Can't tell.\"",
        PAIRS + "low, high, says = mean - 2 * error, mean + 2 * error, 'Can’t tell'",
        # A method whose interval just misses 0 is read as it is.
        PAIRS + "low, high, says = mean - 1.8 * error, mean + 1.8 * error, 'better'\n"
        "says = 'cannot tell' if low <= 0 <= high else 'better' if mean > 0 else 'worse'",
        PAIRS + "import numpy as np\nrandom = np.random.default_rng(1)\n"
        "means = random.choice(d, (4000, len(d))).mean(axis=1)\n"
        "low, high = np.quantile(means, (0.025, 0.975))\nsays = 'cannot tell'",
    ],
    "q3": [
        "bets = [('heading', 'none', 0.99), ('type', 'none', 0.1), ('light', 'camera', 0.02)]",
        "bets = (('Paint', 'camera', 0), ('type', 'color', 0.1), ['heading', 'light', 1.0])",
        "bets = [('light', 'light', 0.2), ('paint', 'light', 0.45), ('type', 'light', 0.1)]",
    ],
    "q4": [
        card(),
        card(task="'which way is the vehicle facing'", policy="cu.Augmentation(contrast=0.4)",
             ignores="'how hazy the day was'"),
        card(task="'Car or Truck'"),
        card(policy="POLICIES['camera']", measured="'10 heads lost 2 points each'"),
        card(measured="'nothing yet: 0 runs'"),
    ],
}  # fmt: skip
WRONG = {
    "q1": [
        (policies(heading="cu.Augmentation(flip='horizontal')"), "faces the other way"),
        (policies(light="POLICIES['light'] if False else cu.Augmentation(brightness=0.9)"),
         "Day and dusk differ"),
        (policies(paint="cu.Augmentation(contrast=0.9)"), "Bright and dark paint"),
        (policies(paint="cu.Augmentation(grayscale=1)"), "the paint's tone"),
        (policies(light="cu.Augmentation(hue=180)"), "Dusk has a color"),
        (policies(type="cu.Augmentation(rotation=180)"), "too strong"),
        (policies(heading="cu.Augmentation(rotation=180)"), "turned by 180°"),
        (policies(heading="cu.Augmentation(flip='vertical')"), "for so few photos"),
        (policies(type="cu.Augmentation(contrast=0.01)"), "hardly changes"),
        (policies(type="'flip'"), "Expected a `cu.Augmentation` for type"),
        (policies() + "\npolicies['type'] = cu.Augmentation(hue=20)", "Run the measuring cell"),
        ("policies = {'type': cu.Augmentation(flip='horizontal')}", "no policy for heading"),
        ("policies = [cu.Augmentation()]", "Expected a dict"),
        (policies(light="..."), "1 of 4"),
    ],
    "q2": [
        (PAIRS + "low, high, says = mean - 2 * d.std(), mean + 2 * d.std(), 'cannot tell'",
         "standard deviation"),
        (PAIRS + "mean = -mean\nlow, high, says = mean - 2 * error, mean + 2 * error, 'better'",
         "turned round"),
        (PAIRS + "low, high, says = mean - 2 * error, mean + 2 * error, 'worse'", "Is 0 within"),
        (PAIRS + "low, high, says = mean - error, mean + error, 'worse'", "too narrow"),
        (PAIRS + "low, high, says = mean, mean + 4.3 * error, 'better'", "in the middle"),
        (PAIRS + "low, high, says = mean - 2 * error, float('inf'), 'better'", "number for `high`"),
        (PAIRS + "low, high, says = mean - 3 * error, mean + 3 * error, 'cannot tell'",
         "too wide"),
        ("wide = runs[runs.question == 'paint'].pivot(index='seed', columns='policy',\n"
         "    values='accuracy')\nmean = (wide['color'] - wide['none']).mean()\n"
         "low, high, says = mean - 0.05, mean + 0.05, 'cannot tell'", "Dead heads"),
        (PAIRS + "low, high, says = mean + error, mean - error, 'cannot tell'", "swap the two"),
        (PAIRS + "mean, low, high, says = 0.1, 0.05, 0.15, 'better'", "not that of the pairs"),
        (PAIRS + "low, high, says = 0.86, 0.9, 'better'", "within your interval"),
        (PAIRS + "mean, low, high, says = -0.5, -1.1, 0.1, 'cannot tell'", "divide by 100"),
        (PAIRS + "low, high, says = mean - 2 * error, mean + 2 * error, 'maybe'", "one of"),
        ("mean, low, high, says = 'small', 0, 1, 'better'", "number for `mean`"),
        ("mean, low, high, says = float('nan'), 0, 1, 'better'", "missing value"),
    ],
    "q3": [
        ("bets = [('heading', 'none', 0.5), ('type', 'none', 0.5), ('light', 'camera', 0.5)]",
         "Half sure of everything"),
        ("bets = [('heading', 'none', 0.0), ('type', 'none', 0.1), ('light', 'camera', 1.0)]",
         "certain and lost"),
        ("bets = [('heading', 'none', 0.1), ('type', 'none', 0.8), ('light', 'camera', 0.7)]",
         "no better than 0.25"),
        ("bets = [('heading', 'none', 1), ('heading', 'light', 1), ('type', 'none', 0.1)]",
         "three different questions"),
        ("bets = [('heading', 'none', 1), ('type', 'flip', 0.5), ('light', 'camera', 0.1)]",
         "cannot beat itself"),
        ("bets = [('heading', 'none', 1), ('type', 'none', 0.1)]", "these are 2"),
        ("bets = [('heading', 'none', 99), ('type', 'none', 10), ('light', 'camera', 2)]",
         "Write 0.7 for 70"),
        ("bets = [('heading', 'mirror', 0.9)] * 3", "Expected the policy"),
        ("bets = [('color', 'none', 0.9)] * 3", "Expected the question"),
        ("bets = ['heading', 'type', 'light']", "Expected each bet"),
        ("bets = [('heading', 'none', 1), ('type', 'none', ...), ...]", "still blank"),
        ("bets = 'flip wins'", "Expected a list"),
    ],
    "q4": [
        (card(policy="cu.Augmentation()"), "changes nothing"),
        (card(breaks="'Nothing, it works for each task'"), "`breaks` names nothing"),
        (card(task="'which way is the vehicle facing'"), "destroys the label"),
        (card(ignores="'stuff'"), "too little"),
        (card(breaks=CARD["ignores"]), "say the same"),
        (card(measured="'it was clearly better every time'"), "no number in digits"),
        (card(bias_that_stays=None), "says nothing about: bias that stays"),
        (card(policy="'flip'"), "as policy"),
        (card(measured="0.9"), "Expected words for `measured`"),
        (card(breaks="..."), "1 of 6"),
        ("card = 'flip for type'", "Expected a dict"),
    ],
}  # fmt: skip


def run(answers):
    return run_notebook(
        "03", answers, replaced=STAND_IN, given={"look_up": look_up, "POLICIES": POLICIES}
    )


@pytest.fixture(scope="module")
def untouched():
    return run({})


class TestAnswers(AnswerTests):
    stem, graded, right, wrong = "03", QUESTIONS, RIGHT, WRONG


@pytest.mark.slow
def test_filled_with_solutions_every_check_passes():
    boxes, _ = run({question.name: question.code for question in QUESTIONS})
    assert {box.state for box in boxes.values()} == {"right"}, boxes


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_filled_with_mistakes_no_check_passes(number):
    boxes, _ = run({name: listed[number][0] for name, listed in WRONG.items()})
    assert not [box for box in boxes.values() if box.state in ("right", "not attempted")]


@pytest.mark.slow
def test_a_choice_is_measured_where_it_was_made(make_base, make_splits):
    splits = dict.fromkeys(TASKS, make_splits())
    chosen = {"type": Augmentation(flip="horizontal"), "heading": ..., "light": None, "hue": 3}
    options = {"seeds": 4, "epochs": 2, "progress": False}
    measured = choosing_policies.measure_choice(make_base(), splits, chosen, **options)
    assert list(measured.index) == ["type"]
    assert measured.attrs["settings"] == {"type": '{"flip": "horizontal"}'}
    assert 0 <= measured.loc["type", "with"] <= 1
    assert choosing_policies.measure_choice(make_base(), splits, {"type": ...}).empty


def test_bets_are_settled_on_the_sealed_half_and_scored_by_brier():
    alive = PUBLISHED[~PUBLISHED["dead_head"]]
    means = alive.groupby(["question", "policy"])["sealed"].mean()
    for question in TASKS:
        for policy in POLICIES:
            assert score_bet(question, policy) == (
                means[question, policy] > means[question, "flip"]
            )
    scores = score_bets([("heading", "none", 0.9), ("type", "none", 0.2), ("light", "camera", 1)])
    won = scores["won"].astype(float)
    np.testing.assert_allclose(scores["score"], (scores["sure"] - won) ** 2)


def test_the_published_table_is_whole():
    assert len(PUBLISHED) == 4 * 6 * 20
    counted = PUBLISHED.groupby(["question", "policy"])["seed"].nunique()
    assert (counted == 20).all() and set(PUBLISHED["question"]) == set(TASKS)
    for settings_text, name in PUBLISHED[["settings", "policy"]].drop_duplicates().to_numpy():
        assert Augmentation.from_json(settings_text) == POLICIES[name]
