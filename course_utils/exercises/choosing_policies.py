"""The questions of exercise 03: choosing a policy for a task, and writing it down.

Those about how sure one may be of it stand in `published_policies`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.framework import probes
from course_utils.exercises.framework.questions import Misread, Question, quote
from course_utils.exercises.published_policies import Q2, Q3
from course_utils.exercises.vehicle_questions import TASKS, measure_policies

MARGIN = 0.03  # of accuracy: what 200 valid photos and ten starts cannot tell from nothing
TRAIN, VALID = 200, 200  # pictures in the exercise itself
BASELINE = "none"
SEES_NOTHING = 0.01  # mean change of a pixel below which a policy leaves photos as they are


# --- q1: a policy for each question ----------------------------------------------------------


def measure_choice(base, splits: Mapping, policies: Mapping, **options) -> pd.DataFrame:
    """Measures a student's policies and, for comparison, no augmentation at all.

    Args:
        base: The frozen base.
        splits: What `build_question_splits` returned.
        policies: From each question to an `Augmentation`; blank ones are left out.
        **options: For `measure_policies`.

    Returns:
        A DataFrame, one row for each question: accuracy on valid `without` and `with` the policy,
        mean over heads that did not die, and `dead`, how many heads of the policy died; empty where
        every policy is blank. `attrs["settings"]` keeps what was measured.
    """
    chosen = {
        question: {BASELINE: Augmentation(), "chosen": policy}
        for question, policy in policies.items()
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
        "heading": "A mirrored vehicle faces the other way, and keeps its label all the same",
    },
    "light": {
        "light": "Day and dusk differ by their light, and that is what the policy varies",
        "paint": "Bright and dark paint differ by their light, and that is what the policy varies",
    },
    "color": {
        "paint": "The tone of the paint is what is asked for, and the policy changes it",
        "light": "Dusk has a color of its own, and the policy changes colors",
    },
}


def _explain_loss(policy: Augmentation, question: str) -> str:
    everything = policy.rand_augment or policy.one_operation
    kinds = {
        "flip": policy.flip is not None,
        "light": policy.brightness or policy.contrast or everything,
        "color": policy.hue or policy.saturation or policy.grayscale or everything,
    }
    for kind, used in kinds.items():
        if used and question in _LOST[kind]:
            return f"{_LOST[kind][question]}."
    return (
        "It does not touch what is asked for directly, so it may just be too strong for so few "
        "photos and so small a head: try less of it."
    )


def _judge_policies(policies, measured) -> str | None:
    if not isinstance(policies, Mapping):
        raise Misread(f"Expected a dict from question to policy, received {quote(policies)}.")
    missing = [question for question in TASKS if question not in policies]
    if missing:
        return f"There is no policy for {', '.join(missing)} yet."
    for question in TASKS:
        policy = policies[question]
        if not isinstance(policy, Augmentation):
            raise Misread(
                f"Expected a `cu.Augmentation` for {question}, received {quote(policy)}. Write for "
                "example `cu.Augmentation(contrast=0.3)`."
            )
    for question in TASKS:
        transform = probes.read_transformation(policies[question])
        batch = np.repeat(probes.make_full_range(), 4, axis=0)
        change = np.abs(probes.run(transform, batch, training=True) - batch).mean()
        if change < SEES_NOTHING:
            return (
                f"The policy for {question} leaves photos as good as unchanged. Declare at least "
                "one thing that does not matter."
            )
    kept = measured.attrs.get("settings", {}) if isinstance(measured, pd.DataFrame) else {}
    if kept != {name: policies[name].to_json() for name in TASKS}:
        return "These are not the policies that were measured. Run the measuring cell again."
    for question in TASKS:
        row = measured.loc[question]
        if np.isnan(row["with"]):
            return (
                f"Under the policy for {question} every head died: nothing was left to be learned. "
                f"{_explain_loss(policies[question], question)}"
            )
        if row["with"] < row["without"] - MARGIN:
            return (
                f"For {question} the policy costs accuracy: {row['without']:.2f} without, "
                f"{row['with']:.2f} with it. {_explain_loss(policies[question], question)}"
            )
    return None


Q1 = Question(
    name="q1",
    title="A policy for each question",
    aim="choose for each task what may vary, and bear it out by measured accuracy",
    lesson="03",
    judge=_judge_policies,
    praise="Each policy declares something irrelevant, and none lost more than three points of "
    "accuracy. The same pictures, four tasks: no policy is good or bad by itself.",
    hints=(
        "Say for each question what may change without changing the answer.",
        "Heading must not be mirrored; light and paint had better keep their light and colors.",
        "A flip for type, light and paint; for heading a change of colors.",
    ),
    explanation="A flip keeps type, light and paint, and destroys heading. Light and colors do "
    "not tell heading; strong changes of light take away what light and paint are told by. "
    "Turning and zooming keep every one of the answers, and still cost accuracy here when strong: "
    "what is admissible need not help. So the measurement decides, within its noise of "
    "about three points.",
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
FEWEST_WORDS = 4


def _judge_card(card) -> str | None:
    if not isinstance(card, Mapping):
        raise Misread(f"Expected a dict with {', '.join(FIELDS)}, received {quote(card)}.")
    missing = [field for field in FIELDS if field not in card]
    if missing:
        return f"The card says nothing about: {', '.join(missing)}."
    policy = card["policy"]
    if not isinstance(policy, Augmentation):
        raise Misread(f"Expected a `cu.Augmentation` as policy, received {quote(policy)}.")
    if not policy.active:
        return "The card's policy changes nothing. Write one for a policy that does something."
    texts = {field: card[field] for field in FIELDS if field != "policy"}
    for field, text in texts.items():
        if not isinstance(text, str):
            raise Misread(f"Expected words for `{field}`, received {quote(text)}.")
        if len(set(text.casefold().split())) < FEWEST_WORDS:
            return f"`{field}` says too little: write a sentence that someone else could use."
    if len({text.strip().casefold() for text in texts.values()}) < len(texts):
        return "Two fields say the same. Each asks for something else."
    task = texts["task"].casefold()
    asks_direction = any(
        word in task for word in ("facing", "faces", "heading", "direction", "left or right")
    )
    if asks_direction and policy.flip in ("horizontal", "horizontal_and_vertical"):
        return "The task asks for a direction, and the policy mirrors: it destroys the answer."
    if not any(character.isdigit() for character in texts["measured"]):
        return "`measured` has no number. What came out, over how many runs?"
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
    judge=_judge_card,
    praise="The card is complete. Whether it is true, no check can say: give it to someone who "
    "knows the photos.",
    hints=(
        "`breaks` is a task or a photo for which the policy would be wrong.",
        "`bias that stays` is something that train photos may be one-sided about and that this "
        "policy does not vary.",
        "`measured` holds numbers: an accuracy with and without, over how many runs.",
    ),
    explanation="A policy is a statement about a task, so the card names the task first. What it "
    "ignores and what it breaks are two sides of one thing. The bias that stays keeps others from "
    "believing that augmentation cures everything: a flip does nothing against trucks that always "
    "stand before trees.",
    code="""card = {
    "task": "Is the vehicle a car or a truck?",
    "policy": cu.Augmentation(flip="horizontal"),
    "ignores": "which way the vehicle is turned",
    "breaks": "reading a number plate, or asking which way it drives",
    "bias that stays": "trucks photographed before trees, cars before buildings",
    "measured": "accuracy 0.90 with and 0.86 without, means of 13 to 15 living heads",
}""",
    misconceptions=("cures any bias",),
)

q1, q2, q3, q4 = QUESTIONS = (Q1, Q2, Q3, Q4)
