"""The questions of exercise 02: building an augmentation, recognizing it, fixing it.

Answers are judged by what they do to probe photos; any layers, in any order, may do it. What is to
be recognized is in `mystery_grid`, what is to be fixed in `fixing_augmentations`.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.fixing_augmentations import Q5, Q7
from course_utils.exercises.framework import probes, views
from course_utils.exercises.framework.histories import load_histories
from course_utils.exercises.framework.judgements import (
    judge_colors,
    judge_contrast,
    judge_draws,
    judge_geometry,
    judge_mirroring,
    judge_pixels,
    judge_predicted,
    judge_together,
)
from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.reading import Misread, quote, read_choice, read_number
from course_utils.exercises.mystery_grid import Q3

# --- q1: to a specification ------------------------------------------------------------------


def _observe_specification(augmentation, *, probe_seed: int) -> dict[str, Any]:
    return probes.observe_transformation(augmentation, probe_seed=probe_seed)


def _judge_specification(observed: Mapping[str, Any]) -> str | None:
    return judge_specified(views.read_observed(observed))


def judge_specified(reading: views.Reading) -> str | None:
    """Says what is not as question 1 specifies, or gives `None`.

    Args:
        reading: What was read off the observed views.
    """
    return (
        judge_pixels(reading)
        or judge_geometry(reading)
        or judge_colors(reading)
        or judge_draws(reading)
        or judge_mirroring(reading)
        or judge_contrast(reading, 0.7, 1.3)
        or judge_together(reading)
        or judge_predicted(reading)
    )


Q1 = Question(
    name="q1",
    title="Build to a specification",
    aim="write an augmentation that does what was agreed on, and nothing else",
    lesson="02",
    observe=_observe_specification,
    judge=_judge_specification,
    sampled=True,
    praise="Half of the views are mirrored, contrast goes both ways, pixels stay within [0, 1], "
    "every photo gets its own random draw at every use, and `predict` sees photos as they are. The "
    "check looked at pictures, not at your code.",
    hints=(
        "Two layers are enough. Print what one of them draws: "
        "`layer.get_random_transformation(images, training=True)`.",
        "A single number for contrast means upward only; a pair `(0.3, 0.3)`, both ways.",
        '`RandomFlip("horizontal")`, and `RandomContrast` with `(0.3, 0.3)` and `value_range`.',
    ),
    explanation="The pair lowers and raises the contrast; `value_range=(0, 1)` says what white "
    'is. The order of the two does not matter. `cu.Augmentation(flip="horizontal", '
    "contrast=0.3)` does the same. A function passes too, if it uses `training` and makes a random "
    "draw for each photo. `RandomContrast(0.3)` would only raise the contrast, and `RandomFlip()` "
    "without a mode turns half of the photos by half a turn, so that they are upside down. Layers "
    "with the same seed draw the same numbers: give each its own seed, or none.",
    code="""augmentation = [
    layers.RandomFlip("horizontal"),
    layers.RandomContrast((0.3, 0.3), value_range=(0, 1)),
]""",
    misconceptions=("made once",),
)


# --- q2: the layer with the wrong range ------------------------------------------------------

CULPRIT = "contrast"
SUSPECTS = ("flip", "rotation", "brightness", "contrast", "saturation")


def make_suspects() -> dict[str, object]:
    """Returns five Keras layers by name, one of which was made for another range of pixels."""
    made = Augmentation(
        rotation=20, brightness=0.2, contrast=0.5, saturation=0.2, flip="horizontal"
    )
    layers = dict(zip(made.active, made.layers(31415), strict=True))
    import keras

    layers[CULPRIT] = keras.layers.RandomContrast((0.5, 0.5), seed=7, dtype="float32")
    return {name: layers[name] for name in SUSPECTS}


_INNOCENT = {
    "flip": "A flip only moves pixels: every value that comes out also went in.",
    "rotation": "Rotation fills the corners with black: that is 0, still within the range. Look "
    "for a layer whose pixels leave it.",
    "brightness": "Brightness adds to every pixel, and this layer clips at 0 and at 1, as it "
    "should. Look at the smallest and the largest pixel that each layer returns.",
    "saturation": "Saturation changes colors a good deal, and stays within 0 and 1. Compare the "
    "largest pixels.",
}


def _name_suspect(wrong) -> str:
    """Returns the suspect's name for a name, a layer, or a layer's class."""
    if isinstance(wrong, list | tuple | set) and len(wrong) == 1:
        wrong = next(iter(wrong))
    if isinstance(wrong, str):
        words = re.sub(r"[^a-z]", " ", wrong.casefold())
        told = [name for name in SUSPECTS if name in words]
        return told[0] if len(told) == 1 else read_choice(wrong, SUSPECTS, "the layer's name")
    for name, layer in make_suspects().items():
        if type(layer) is type(wrong) or wrong is type(layer):
            return name
    raise Misread(
        f"Expected the layer's name out of {', '.join(map(repr, SUSPECTS))}, received "
        f"{quote(wrong)}. Write it in quotes."
    )


def _observe_suspect(wrong, fixed, *, probe_seed: int) -> dict[str, Any]:
    named = _name_suspect(wrong)
    if named != CULPRIT:
        return {"named": named}
    return {
        "named": named,
        **probes.observe_transformation(fixed, "the fixed layer", probe_seed=probe_seed),
    }


def _judge_suspect(observed: Mapping[str, Any]) -> str | None:
    named = read_choice(observed["named"], SUSPECTS, "the layer's name")
    if named != CULPRIT:
        return _INNOCENT[named]
    reading = views.read_observed(observed)
    if outside := judge_pixels(reading):
        if not reading.finite:
            return f"That is the layer. {outside}"
        return (
            f"That is the layer. Your fixed layer still gives pixels from {reading.lowest:.2f} to "
            f"{reading.highest:.2f}: tell it the range of your pixels."
        )
    if np.ptp(reading.views["contrast"]) < 0.01:
        return (
            "That is the layer, but your fixed one no longer varies the contrast. Keep what the "
            "layer does; fix only its range."
        )
    if other := judge_geometry(reading) or judge_colors(reading):
        return f"That is the layer. The fixed one should change contrast and nothing else. {other}"
    if reading.views["mirrored"].any():
        return (
            "That is the layer. The fixed one should change contrast and nothing else; yours "
            "mirrors photos."
        )
    if again := judge_draws(reading):
        return f"That is the layer. {again}"
    if strength := judge_contrast(reading, 0.5, 1.5):
        return f"That is the layer, but the fixed one has another strength. {strength}"
    if predicted := judge_predicted(reading):
        return f"That is the layer. {predicted}"
    return None


Q2 = Question(
    name="q2",
    title="The wrong range",
    aim="find a layer that works in another range of pixels, and fix it",
    lesson="02",
    observe=_observe_suspect,
    judge=_judge_suspect,
    sampled=True,
    praise="The default of `value_range` is (0, 255). The layer clips at 255, but your photos end "
    "at 1, so nothing stopped the brightest pixels.",
    hints=(
        "Send photos through each layer with `training=True`.",
        "Print the smallest and the largest pixel that come back. A plot would clip them.",
        "It is `contrast`. Make a new one, of the same strength, with `value_range=(0, 1)`.",
    ),
    explanation="Only the contrast layer returns pixels above 1: it was made without "
    "`value_range`, whose default expects 0 to 255. A plot hides this, because Matplotlib clips "
    "above 1. The black corners after a rotation and the white parts after a brightening look as "
    "bad, but are within the range. Clipping afterward also keeps the range.",
    code="""wrong = "contrast"
fixed = layers.RandomContrast((0.5, 0.5), value_range=(0, 1))""",
)


# --- q4: which curve is augmented ------------------------------------------------------------


def load_two_runs() -> dict[str, pd.DataFrame]:
    """Returns two published histories, A and B: one with augmentation, one without."""
    published = load_histories()
    return {"A": published["flip"], "B": published["none"]}


def _observe_curves(augmented, gap_a, gap_b) -> dict[str, Any]:
    if isinstance(augmented, str):
        augmented = re.sub(r"\brun\b", "", augmented, flags=re.IGNORECASE)
    return {
        "augmented": read_choice(augmented, ("A", "B"), "the run"),
        "A": read_number(gap_a, "gap_a"),
        "B": read_number(gap_b, "gap_b"),
    }


def _judge_curves(observed: Mapping[str, Any]) -> str | None:
    runs = load_two_runs()
    gaps = {name: read_number(observed[name], f"gap_{name.lower()}") for name in runs}
    if read_choice(observed["augmented"], ("A", "B"), "the run") != "A":
        return (
            "B fits its training photos better than A does: its training loss ends lower. Changed "
            "photos are harder to fit, so look which dashed line ends higher."
        )
    last = {name: run.iloc[-1] for name, run in runs.items()}

    def miss(values):
        return max(abs(gaps[name] - values[name]) for name in runs)

    def fits(values):
        return miss(values) < 0.011  # how near gaps are to what they may have been meant as

    true = {name: row["val_loss"] - row["clean_loss"] for name, row in last.items()}
    if miss({n: row["val_loss"] - row["loss"] for n, row in last.items()}) < min(0.006, miss(true)):
        return (
            "You found the augmented run. Your gaps set `loss` beside `val_loss`, but `loss` is "
            "measured during the epoch, on changed photos. Compare like with like: `clean_loss`."
        )
    if miss(true) < 0.0011:  # gaps of losses that were rounded to three decimals
        return None
    if fits(true):
        return (
            "You found the augmented run, and your gaps are nearly right. Give three decimals: "
            "with fewer, nobody can tell whether you took `clean_loss` or `loss`."
        )
    if fits({name: -value for name, value in true.items()}):
        return (
            "You found the augmented run. Your gaps have the wrong sign: validation minus training."
        )
    if fits({"A": true["B"], "B": true["A"]}):
        return "You found the augmented run. Your two gaps have changed places."
    if fits({name: row["val_loss"] for name, row in last.items()}):
        return (
            "You found the augmented run. These are validation losses alone; how far below is the "
            "training loss?"
        )
    accuracy = {
        n: row["clean_binary_accuracy"] - row["val_binary_accuracy"] for n, row in last.items()
    }
    if fits(accuracy) or fits({name: -value for name, value in accuracy.items()}):
        return "You found the augmented run. These are gaps of accuracy; the task asks for losses."
    lowest = {name: run.loc[run["val_loss"].idxmin()] for name, run in runs.items()}
    if fits({name: row["val_loss"] - row["clean_loss"] for name, row in lowest.items()}):
        return (
            "You found the augmented run. These are gaps at the lowest validation loss; the task "
            "asks for the last epoch."
        )
    return "You found the augmented run. The gaps are not those of the last row's clean losses."


Q4 = Question(
    name="q4",
    title="Which of two curves is augmented?",
    aim="recognize augmentation in curves, and compare like with like",
    lesson="02",
    observe=_observe_curves,
    judge=_judge_curves,
    praise="The augmented run fits its training photos less closely. That is no harm: what counts "
    "is how low the validation loss gets.",
    hints=(
        "Which photos does augmentation make harder to memorize: training or validation photos?",
        "The gap is `val_loss` minus `clean_loss`, in the last row of each history, with three "
        "decimals.",
        "It is A.",
    ),
    explanation="Photos that keep changing are harder to memorize, so the augmented run's loss on "
    "clean training photos falls more slowly. A higher training loss is how augmentation works, "
    "and no harm. The smaller gap alone is no success either: a model that has learned nothing has "
    "no gap. Compare the validation losses.",
    code="""last_a, last_b = runs["A"].iloc[-1], runs["B"].iloc[-1]
augmented = "A"
gap_a = last_a.val_loss - last_a.clean_loss
gap_b = last_b.val_loss - last_b.clean_loss""",
    misconceptions=("higher train loss is harm", "smaller gap is better"),
)


Q6 = Question(
    name="q6",
    title="Figure 1 from a picture of your own",
    aim="see what an augmentation does to a picture one knows well (ungraded)",
    lesson="02",
    explanation="There is nothing to judge here but with your own eyes.",
    code="",
)


q1, q2, q3, q4, q5, q6, q7 = QUESTIONS = (Q1, Q2, Q3, Q4, Q5, Q6, Q7)
