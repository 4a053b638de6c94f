"""The questions of exercise 02: building augmentation, recognizing it, fixing it.

Answers are judged by what they do to probe images. Which layers do it, and in which order, does not
matter. The questions about fixing are in `fixing_augmentations`.
"""

import numpy as np
import pandas as pd

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.fixing_augmentations import Q5, Q7
from course_utils.exercises.framework import probes
from course_utils.exercises.framework.histories import load_histories
from course_utils.exercises.framework.judgements import (
    judge_colors,
    judge_contrast,
    judge_geometry,
    judge_mirroring,
    judge_predict,
    judge_random_draws,
    judge_range,
)
from course_utils.exercises.framework.questions import (
    Misread,
    Question,
    read_choice,
    read_number,
)

MYSTERY = Augmentation(rotation=30, brightness=0.3, grayscale=0.5)
MYSTERY_SEED = 29  # sixteen views that show it: eight gray, turned and lit up to both ends

# --- q1: to a specification ------------------------------------------------------------------


def _judge_specification(augmentation) -> str | None:
    transform = probes.read_transformation(augmentation)
    views = probes.measure_views(transform)
    return (
        judge_range(transform)
        or judge_geometry(views)
        or judge_colors(views)
        or _judge_shared_draws(transform)
        or judge_mirroring(views)
        or judge_contrast(views, 0.7, 1.3)
        or judge_random_draws(transform)
        or judge_predict(transform)
    )


def _judge_shared_draws(transform) -> str | None:
    """Judged before views are counted: one draw for a batch would look like no flip at all."""
    within, between = probes.draws_again(transform)
    return judge_random_draws(transform) if between and not within else None


Q1 = Question(
    name="q1",
    title="Build to a specification",
    aim="write an augmentation that does what was agreed on, and nothing else",
    lesson="02",
    judge=_judge_specification,
    praise="Half mirrored, contrast both ways, pixels within [0, 1], a new draw for every photo at "
    "every use, and nothing in predict. All of that was seen on pictures, not read from your code.",
    hints=(
        "Two layers are enough. Print what one of them draws: "
        "`layer.get_random_transformation(images, training=True)`.",
        "A single number for contrast means upwards only; a pair `(down, up)` means both ways.",
        '`RandomFlip("horizontal")`, and `RandomContrast` with `(0.3, 0.3)` and `value_range`.',
    ),
    explanation="The pair lowers and raises the contrast; `value_range=(0, 1)` says where white "
    'is. The order of the two does not matter. `cu.Augmentation(flip="horizontal", '
    "contrast=0.3)` does the same. A plain function passes too, if it heeds `training` and "
    "samples for each photo. `RandomContrast(0.3)` would only raise, and `RandomFlip()` without a "
    "mode turns photos upside down as well.",
    code="""augmentation = [
    layers.RandomFlip("horizontal"),
    layers.RandomContrast((0.3, 0.3), value_range=(0, 1)),
]""",
    misconceptions=("made once",),
)


# --- q2: the layer with the wrong range ------------------------------------------------------

CULPRIT = "contrast"


def make_suspects() -> dict[str, object]:
    """Returns five Keras layers by name, one of which was made for another range of pixels."""
    made = Augmentation(
        rotation=20, brightness=0.2, contrast=0.5, saturation=0.2, flip="horizontal"
    )
    suspects = dict(zip(made.active, made.layers(31415), strict=True))
    import keras

    suspects[CULPRIT] = keras.layers.RandomContrast((0.5, 0.5), seed=7, dtype="float32")
    return suspects


_INNOCENT = {
    "flip": "A flip only moves pixels: what comes out is what went in, in another place.",
    "rotation": "Rotation fills the corners with black: that is 0, still within the range. Look "
    "for a layer whose pixels leave it.",
    "brightness": "Brightness adds to every pixel, and this one cuts off at 0 and at 1, as it "
    "should. Look at the smallest and the largest pixel that each layer returns.",
    "saturation": "Saturation changes colors a good deal, and stays within 0 and 1. Compare the "
    "largest pixels.",
}


def _judge_suspect(wrong, fixed) -> str | None:
    suspects = make_suspects()
    named = wrong
    for name, layer in suspects.items():
        if type(layer) is type(wrong) or wrong is type(layer):
            named = name
    if isinstance(wrong, int) and not isinstance(wrong, bool):
        raise Misread(f"Expected the layer's name, received {wrong}. Write it in quotes.")
    if isinstance(named, str):
        told = [name for name in suspects if name in named.casefold()]
        named = told[0] if len(told) == 1 else named
    named = read_choice(named, tuple(suspects), "the layer's name")
    if named != CULPRIT:
        return _INNOCENT[named]
    transform = probes.read_transformation(fixed, "the fixed layer")
    views = probes.measure_views(transform)
    if judge_range(transform):
        low, high = probes.find_leaving(transform)
        return (
            f"That is the layer. Your fixed one still gives pixels from {low:.2f} to {high:.2f}: "
            "tell it which range it works in."
        )
    if views["contrast"].max() - views["contrast"].min() < 0.03:
        return (
            "That is the layer, and your fixed one changes no contrast at all any more. Keep "
            "what it does; fix only the range."
        )
    other = judge_geometry(views) or judge_colors(views)
    if other or views["mirrored"].any():
        return "That is the layer. The fixed one is to change contrast and nothing else."
    strength = judge_contrast(views, 0.5, 1.5)
    return f"That is the layer, fixed to another strength. {strength}" if strength else None


Q2 = Question(
    name="q2",
    title="The wrong range",
    aim="find a layer that works in another range of pixels, and fix it",
    lesson="02",
    judge=_judge_suspect,
    praise="The default of `value_range` is (0, 255). The layer cut off at 255, where your photos "
    "end at 1, so nothing stopped the brightest pixels.",
    hints=(
        "Send photos through each layer with `training=True`.",
        "Print the smallest and the largest pixel of what comes back, before any plot cuts them.",
        "It is `contrast`. Make a new one, of the same strength, with `value_range=(0, 1)`.",
    ),
    explanation="Only the contrast layer returns pixels above 1: it was made without "
    "`value_range`, whose default expects 0 to 255. A plot would hide it, because Matplotlib cuts "
    "off above 1. Rotation's black corners and brightness's cut-off whites look as bad, and are "
    "within the range. Dividing or clipping afterwards also keeps the range, if the contrast still "
    "runs from 0.5 to 1.5.",
    code="""wrong = "contrast"
fixed = layers.RandomContrast((0.5, 0.5), value_range=(0, 1))""",
)


# --- q3: the mystery grid --------------------------------------------------------------------


def make_mystery_views(photo: np.ndarray) -> np.ndarray:
    """Returns sixteen views of a photo under settings that are to be recovered.

    Args:
        photo: float32 in [0, 1], shape (height, width, 3).
    """
    transform = probes.read_transformation(MYSTERY.layers(MYSTERY_SEED))
    return probes.run(transform, np.repeat(photo[None], 16, axis=0), training=True)


def _judge_mystery(settings) -> str | None:
    transform = probes.read_transformation(settings)
    if outside := judge_range(transform):
        return outside
    views = probes.measure_views(transform)
    turned, shift = views["angle"].abs(), views["brightness"].abs()
    gray = (views["color"] < 0.15).mean()
    if shift.quantile(0.95) > 0.42:
        return "Your views grow darker and brighter than any in the grid."
    if (views["strangeness"] > 2 * probes.STRANGE).any():
        return (
            "Your views are also moved, resized, covered, blurred or grainy. Nothing of that can "
            "be seen in the grid: leave it out."
        )
    if views["mirrored"].any():
        return (
            "Your views are mirrored or upside down at times. Does any of the sixteen face "
            "the other way, apart from being turned?"
        )
    if turned.max() < 3:
        return "Your views all stand upright. Look at the horizon in the grid."
    if turned.quantile(0.97) > 42:
        return (
            f"Your views are turned by up to {turned.max():.0f}°. Find the most tilted view of the "
            "grid: it is not tilted that far."
        )
    if turned.quantile(0.97) < 20:
        return (
            f"Your views are turned by {turned.max():.0f}° at the most. Some of the grid are "
            "tilted further."
        )
    if gray == 0:
        return "None of your views is gray. Count the gray ones in the grid."
    if not 0.2 < gray < 0.8:
        return (
            f"{gray:.0%} of your views are gray. Count those of the grid: sixteen are few, so a "
            "third to two thirds would pass."
        )
    colored = views[views["color"] >= 0.15]
    if (colored["hue"].abs() > 8).any() or (colored["color"] - 1).abs().quantile(0.9) > 0.25:
        return "In your views colors change. In the grid a view has its own colors, or none."
    if (views["contrast"] - 1).abs().quantile(0.9) > 0.12:
        return (
            "In your views the contrast varies. Look at a dark and a bright part of one photo in "
            "the grid: do they move apart, or up and down together?"
        )
    if shift.quantile(0.95) < 0.12:
        return "Your views are all about as bright as the photo. Those of the grid are not."
    if views["brightness"].min() > -0.1 or views["brightness"].max() < 0.1:
        return "Your views change their brightness one way only. In the grid it goes both ways."
    return judge_random_draws(transform) or judge_predict(transform)


Q3 = Question(
    name="q3",
    title="The mystery grid",
    aim="read from views which transformations made them, and how strong they were",
    lesson="02",
    judge=_judge_mystery,
    praise="Your views and the mystery's could not be told apart by mirroring, angle, brightness, "
    "contrast and color, within what sixteen views let you see.",
    hints=(
        "Go through it one by one: geometry first, then light, then color.",
        "Three transformations are at work; one of them either happens or does not.",
        "Rotation of about 30°, brightness of about 0.3 either way, gray half of the time.",
    ),
    explanation="Tilted horizons both ways, but no vehicle that faces the other way: rotation "
    "without a flip. Bright and dark parts move together: brightness, not contrast. Some views "
    "are gray and the others keep their colors: grayscale, not saturation. From sixteen views "
    "the exact numbers cannot be known, so 20° to 40° pass, as do 0.15 to 0.4 for the brightness "
    "and a third to two thirds gray. Stronger would not be better: it would be another grid.",
    code="settings = cu.Augmentation(rotation=30, brightness=0.3, grayscale=0.5)",
    misconceptions=("stronger is better",),
)


# --- q4: which curve is augmented ------------------------------------------------------------


def load_two_runs() -> dict[str, pd.DataFrame]:
    """Returns two published histories, A and B: one with augmentation, one without."""
    published = load_histories()
    return {"A": published["flip"], "B": published["none"]}


def _judge_curves(augmented, gap_a, gap_b) -> str | None:
    runs = load_two_runs()
    named = read_choice(str(augmented).casefold().replace("run", ""), ("A", "B"), "the run")
    gaps = {"A": read_number(gap_a, "gap_a"), "B": read_number(gap_b, "gap_b")}
    if named != "A":
        return (
            "B learns its train photos further than A does: its train loss ends lower. With "
            "changed photos that is harder, so look at which dashed line ends higher."
        )
    last = {name: run.iloc[-1] for name, run in runs.items()}

    def miss(values):
        return max(abs(gaps[name] - values[name]) for name in runs)

    def fits(values):
        return miss(values) < 0.015

    true = {name: row["gap"] for name, row in last.items()}
    if miss({n: row["val_loss"] - row["loss"] for n, row in last.items()}) < min(0.003, miss(true)):
        return (
            "The augmented run is found. Your gaps set `loss` beside `val_loss`, but `loss` is "
            "about changed photos and moving weights. Like with like: `clean_loss`."
        )
    if fits(true):
        return None
    if fits({name: -value for name, value in true.items()}):
        return "The augmented run is found. Your gaps have the wrong sign: valid minus train."
    if fits({"A": true["B"], "B": true["A"]}):
        return "The augmented run is found. The two gaps have changed places."
    if fits({name: row["val_loss"] for name, row in last.items()}):
        return "The augmented run is found. These are valid losses alone; how far below is train?"
    if fits({n: r["clean_binary_accuracy"] - r["val_binary_accuracy"] for n, r in last.items()}):
        return "The augmented run is found. These are gaps of accuracy; asked for are losses."
    return "The augmented run is found. The gaps are not those of the last epoch's clean losses."


Q4 = Question(
    name="q4",
    title="Which of two curves is augmented?",
    aim="recognize augmentation in curves, and compare like with like",
    lesson="02",
    judge=_judge_curves,
    praise="The augmented run fits its train photos less closely. That is no harm: what decides "
    "is how low the valid loss comes.",
    hints=(
        "What does augmentation make harder: to memorize the train photos, or the valid ones?",
        "The gap is `val_loss` minus `clean_loss`, in the last row of each history.",
        "It is A.",
    ),
    explanation="Photos that keep changing are harder to memorize, so the augmented run's "
    "loss on clean train photos falls more slowly. The higher train loss is the working of the "
    "cure, and no harm; and the smaller gap alone is no success, since a model that has learned "
    "nothing has no gap. Compare the valid losses.",
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
