"""The questions of exercise 03: choosing a policy for a task, and writing it down.

Those about how sure one may be of it are in `published_policies`.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.framework import probes
from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.reading import Misread, plain_words, quote
from course_utils.exercises.published_policies import Q2, Q3
from course_utils.exercises.vehicle_questions import (
    TASKS,
    build_question_splits,
    measure_policies,
)

MARGIN = 0.03  # of accuracy: less than 200 validation photos and ten runs can tell from nothing
TRAIN, VALID = 200, 200  # photos in the exercise itself
BASELINE = "none"
SEES_NOTHING = 0.01  # mean change of a pixel below which a policy leaves photos as they are


# --- q1: a policy for each question ----------------------------------------------------------


def _by_question(policies: Mapping) -> dict:
    """Returns policies by their questions' names, whatever case these are written in."""
    return {str(question).lower(): policy for question, policy in policies.items()}


def measure_choice(base, splits: Mapping, policies: Mapping, **options) -> pd.DataFrame:
    """Measures a student's policies and, for comparison, no augmentation at all.

    Args:
        base: The frozen base.
        splits: What `build_question_splits` returned.
        policies: From each question to an `Augmentation`; blank ones are left out.
        **options: For `measure_policies`.

    Returns:
        A DataFrame, one row for each question: the validation accuracy `without` and `with` the
        policy, mean over the heads that did not die, and `dead`, how many heads of the policy died;
        empty if every policy is blank. `attrs["settings"]` says which policies were measured.
    """
    chosen = {
        question: {BASELINE: Augmentation(), "chosen": policy}
        for question, policy in _by_question(policies).items()
        if isinstance(policy, Augmentation) and question in splits
    }
    table = pd.DataFrame(columns=["without", "with", "dead"])
    if chosen:
        runs = measure_policies(base, splits, chosen, **options)
        alive = runs["valid"].where(~runs["dead_head"])
        means = alive.groupby([runs["question"], runs["policy"]]).mean().unstack()
        dead = runs[runs["policy"] == "chosen"].groupby("question")["dead_head"].sum()
        table = pd.DataFrame(
            {"without": means[BASELINE], "with": means["chosen"], "dead": dead}
        ).reindex(list(chosen))
    table.attrs["settings"] = {name: each["chosen"].to_json() for name, each in chosen.items()}
    return table


_LOST = {
    "flip": {
        "heading": "A mirrored vehicle faces the other way, but it keeps its label",
    },
    "turn": {
        "heading": "A vehicle that is turned by 180° faces the other way, but it keeps its label",
    },
    "light": {
        "light": "Day and dusk differ in their light, and that is what the policy varies",
        "paint": "Bright and dark paint differ in their light, and that is what the policy varies",
    },
    "color": {
        "paint": "The question is about the paint's tone, and the policy changes it",
        "light": "Dusk has a color of its own, and the policy changes colors",
    },
}


def _explain_loss(policy: Augmentation, question: str) -> str:
    everything = policy.rand_augment or policy.one_operation
    kinds = {
        "flip": "horizontal" in (policy.flip or ""),
        "turn": policy.rotation > 90,
        "light": policy.brightness or policy.contrast or everything,
        "color": policy.hue or policy.saturation or policy.grayscale or everything,
    }
    for kind, used in kinds.items():
        if used and question in _LOST[kind]:
            return f"{_LOST[kind][question]}."
    return (
        "It does not change what the question is about, so it may be too strong for so few photos "
        "and so small a head: try less of it."
    )


def _observe_policies(policies, measured) -> dict[str, Any]:
    if not isinstance(policies, Mapping):
        raise Misread(f"Expected a dict from question to policy, received {quote(policies)}.")
    policies = _by_question(policies)
    for question in TASKS:
        if question in policies and type(policies[question]) is not Augmentation:
            raise Misread(
                f"Expected a `cu.Augmentation` for {question}, received "
                f"{quote(policies[question])}. Write for example `cu.Augmentation(contrast=0.3)`."
            )
    return {
        "policies": {name: policies[name].to_json() for name in TASKS if name in policies},
        **_plain_measured(measured),
    }


def _plain_measured(measured) -> dict[str, Any]:
    if not isinstance(measured, pd.DataFrame):
        return {"settings": {}, "measured": {}}
    rows = {
        str(name): {column: float(row[column]) for column in ("without", "with")}
        for name, row in measured.iterrows()
    }
    return {"settings": dict(measured.attrs.get("settings", {})), "measured": rows}


def _measure_policies(observed: Mapping[str, Any]) -> dict[str, Any]:
    """Measures a student's policies again: they are settings, and no code of the student's."""
    from course_utils.models.vgg16 import load_vgg16_base

    policies = {
        name: Augmentation.from_json(text)
        for name, text in observed["policies"].items()
        if name in TASKS
    }
    if len(policies) < len(TASKS) or any(map(_sees_nothing, policies.values())):
        return {}  # The judge says so without a measurement.
    splits = build_question_splits(TRAIN, VALID)
    measured = measure_choice(load_vgg16_base(), splits, policies, progress=False)
    return _plain_measured(measured)


def _sees_nothing(policy: Augmentation) -> bool:
    transform = probes.read_transformation(policy)
    batch = np.repeat(probes.make_noise(0)[:4], 8, axis=0)
    return np.abs(probes.run(transform, batch, training=True) - batch).mean() < SEES_NOTHING


def _judge_policies(observed: Mapping[str, Any]) -> str | None:
    missing = [question for question in TASKS if question not in observed["policies"]]
    if missing:
        return f"There is no policy for {', '.join(missing)} yet."
    policies = {name: Augmentation.from_json(observed["policies"][name]) for name in TASKS}
    for question, policy in policies.items():
        if _sees_nothing(policy):
            return (
                f"The policy for {question} hardly changes photos. Declare at least one thing that "
                "does not matter."
            )
    if observed["settings"] != {name: policy.to_json() for name, policy in policies.items()}:
        return "These are not the policies that were measured. Run the measuring cell again."
    for question, policy in policies.items():
        row = observed["measured"][question]
        if np.isnan(row["with"]):
            return (
                f"With the policy for {question} every head died: the model learned nothing. "
                f"{_explain_loss(policy, question)}"
            )
        if row["with"] < row["without"] - MARGIN:
            return (
                f"For {question} the policy costs accuracy: {row['without']:.2f} without, "
                f"{row['with']:.2f} with it. {_explain_loss(policy, question)}"
            )
    return None


Q1 = Question(
    name="q1",
    title="A policy for each question",
    aim="choose for each task what may vary, and test the choice by measured accuracy",
    lesson="03",
    observe=_observe_policies,
    judge=_judge_policies,
    measure=_measure_policies,
    praise="Each policy declares something irrelevant, and none lost more than three percentage "
    "points of accuracy. The same photos, four tasks: no policy is good or bad by itself.",
    hints=(
        "Say for each question what may change without changing the answer.",
        "Heading must not be mirrored; light and paint had better keep their light and colors.",
        "A flip for type, light and paint; for heading a change of colors.",
    ),
    explanation="A flip keeps type, light and paint, and destroys heading. Light and colors say "
    "nothing about heading, but strong changes of light hide what light and paint are known by. "
    "Rotation and zoom keep every one of the labels, and still cost accuracy here when strong: a "
    "policy that is allowed may not help. So the measurement decides, within its noise of about "
    "three percentage points.",
    code="""policies = {
    "type": cu.Augmentation(flip="horizontal"),
    "heading": cu.Augmentation(hue=180, saturation=0.4),
    "light": cu.Augmentation(flip="horizontal"),
    "paint": cu.Augmentation(flip="horizontal"),
}""",
    misconceptions=("flip is always safe", "stronger is better"),
    context=("measured",),
)


# --- q4: the policy card ---------------------------------------------------------------------

FIELDS = ("task", "policy", "ignores", "breaks", "bias that stays", "measured")
FEWEST_WORDS = {"task": 2}  # different words that a field needs; four where it is not named
DIRECTION = ("facing", "faces", "face", "heading", "headed", "direction", "left")


def _observe_card(card) -> dict[str, Any]:
    if not isinstance(card, Mapping):
        raise Misread(f"Expected a dict with {', '.join(FIELDS)}, received {quote(card)}.")
    observed = {}
    for field in FIELDS:
        if field not in card:
            continue
        value = card[field]
        if field == "policy":
            if type(value) is not Augmentation:
                raise Misread(f"Expected a `cu.Augmentation` as policy, received {quote(value)}.")
            observed[field] = value.to_json()
        elif isinstance(value, str):
            observed[field] = str(value)
        else:
            raise Misread(f"Expected words for `{field}`, received {quote(value)}.")
    return observed


def _judge_card(observed: Mapping[str, Any]) -> str | None:
    missing = [field for field in FIELDS if field not in observed]
    if missing:
        return f"The card says nothing about: {', '.join(missing)}."
    policy = Augmentation.from_json(observed["policy"])
    if not policy.active:
        return "The card's policy changes nothing. Write one for a policy that does something."
    texts = {field: str(observed[field]) for field in FIELDS if field != "policy"}
    for field, text in texts.items():
        if len(set(plain_words(text).split())) < FEWEST_WORDS.get(field, 4):
            return f"`{field}` says too little: write a sentence that someone else could use."
    for field in ("breaks", "bias that stays"):
        if plain_words(texts[field]).split()[0].strip(",;:.") in ("nothing", "none"):
            return (
                f"`{field}` names nothing. Every policy is wrong for some task, and leaves "
                "something as one-sided as it was."
            )
    if len({plain_words(text) for text in texts.values()}) < len(texts):
        return "Two fields say the same. Each asks for something else."
    task = set(re.findall("[a-z]+", texts["task"].casefold()))
    if task & set(DIRECTION) and policy.flip in ("horizontal", "horizontal_and_vertical"):
        return "The task asks for a direction, and the policy mirrors: it destroys the label."
    if not any(character.isdigit() for character in texts["measured"]):
        return (
            "`measured` has no number in digits. What was measured, over how many runs? If nothing "
            "has been measured yet, write `0 runs`."
        )
    return None


def plot_policy_card(card: Mapping, photo: np.ndarray):
    """Shows a policy card: one photo, eight views of it, and the card's words.

    Args:
        card: As question 4 asks for it.
        photo: float32 in [0, 1], shape (height, width, 3).

    Returns:
        A figure with its alt text; `None` while the card is not finished.
    """
    from course_utils.figures.photos import plot_photos

    if not isinstance(card, Mapping) or not isinstance(card.get("policy"), Augmentation):
        return None
    transform = probes.read_transformation(card["policy"])
    views = probes.run(transform, np.repeat(photo[None], 7, axis=0), training=True)
    captions = ["the photo", *[f"view {number}" for number in range(1, 8)]]
    words = [f"{field}: {card[field]}" for field in FIELDS if field != "policy" and field in card]
    words.insert(1, card["policy"].describe())
    return plot_photos(
        np.concatenate([photo[None], views]),
        captions,
        columns=4,
        title="My policy card",
        note="\n".join(_wrap(line) for line in words),
    )


def _wrap(line: str) -> str:
    import textwrap

    return textwrap.fill(line, 78, subsequent_indent="    ")


Q4 = Question(
    name="q4",
    title="A policy card",
    aim="write down a policy so that others can use it: what for, what it breaks, what it leaves",
    lesson="03",
    observe=_observe_card,
    judge=_judge_card,
    praise="The card is complete. Whether it is true, no check can say: give it to someone who "
    "knows the photos.",
    hints=(
        "`breaks` is a task or a photo for which the policy would be wrong.",
        "`bias that stays` is something that the training photos may be one-sided about and that "
        "this policy does not vary.",
        "`measured` holds numbers: an accuracy with and without, over how many runs.",
    ),
    explanation="A policy is a statement about a task, so the card names the task first. What it "
    "ignores and what it breaks are two sides of one choice. The bias that stays reminds others "
    "that augmentation does not cure everything: a flip does nothing against trucks that always "
    "stand before trees.",
    code="""card = {
    "task": "Is the vehicle a car or a truck?",
    "policy": cu.Augmentation(flip="horizontal"),
    "ignores": "which way the vehicle is turned",
    "breaks": "reading a number plate, or asking which way it drives",
    "bias that stays": "trucks photographed before trees, cars before buildings",
    "measured": "accuracy 0.90 with and 0.86 without, means of 13 to 15 runs without dead heads",
}""",
    misconceptions=("cures any bias",),
)

q1, q2, q3, q4 = QUESTIONS = (Q1, Q2, Q3, Q4)
