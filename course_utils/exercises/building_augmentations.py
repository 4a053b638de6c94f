"""The questions of exercise 02: building augmentation, recognising it, mending it.

Answers are judged by what they do to probe images; which layers do it, and in which order, is
the student's own affair.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from course_utils.augmentation import Augmentation
from course_utils.exercises import probes
from course_utils.exercises.histories import load_histories
from course_utils.exercises.questions import (
    Misread,
    Question,
    quote,
    quote_error,
    read_choice,
    read_number,
)

MYSTERY = Augmentation(rotation=30, brightness=0.3, grayscale=0.5)
MIRRORED_SHARE = (0.38, 0.62)  # four standard deviations of 200 fair coins, less or more


# --- What several questions ask --------------------------------------------------------------


def _judge_range(transform: Callable) -> str | None:
    low, high = probes.find_leaving(transform)
    if low < -1e-3 or high > 1 + 1e-3:
        return (
            f"Pixels leave [0, 1]: they come back from {low:.2f} to {high:.2f}. Some layer expects "
            "another range of pixels than it gets."
        )
    return None


def _judge_dice(transform: Callable) -> str | None:
    within, between = probes.throws_anew(transform)
    if not between:
        return (
            "The same batch came back twice alike. Online augmentation throws its dice anew at "
            "every use; yours does so once, or never."
        )
    if not within:
        return (
            "All photos of a batch were changed alike. Each photo needs dice of its own, or a "
            "batch is one augmented photo after the other only in name."
        )
    return None


def _judge_predict(transform: Callable) -> str | None:
    if probes.changes_in_predict(transform):
        return (
            "With `training=False` photos still come out changed, so `predict` and `evaluate` "
            "would judge photos that nobody took. Only training is to be augmented."
        )
    return None


def _describe_range(values: pd.Series) -> str:
    return f"{values.min():.2f} to {values.max():.2f}"


# --- q1: to a specification ------------------------------------------------------------------


def _judge_specification(augmentation) -> str | None:
    transform = probes.read_transformation(augmentation)
    views = probes.measure_views(transform)
    return (
        _judge_range(transform)
        or _judge_geometry(views)
        or _judge_colours(views)
        or _judge_mirroring(views)
        or _judge_contrast(views, 0.7, 1.3)
        or _judge_dice(transform)
        or _judge_predict(transform)
    )


def _judge_geometry(views: pd.DataFrame) -> str | None:
    if (views["strangeness"] > probes.STRANGE).any():
        return (
            "Some views are changed in a way that neither mirroring nor contrast explains: moved, "
            "resized, covered or made grainy. Leave out what was not asked for."
        )
    if (views["angle"].abs() > 170).mean() > 0.05:
        return (
            "Some views stand on their heads. The specification mirrors left to right only: think "
            "of the axis that you flip along."
        )
    if (views["angle"].abs() > 2).any():
        return (
            f"Some views are turned, by up to {views['angle'].abs().max():.0f}°. The "
            "specification asks for no rotation: do what it says and nothing more."
        )
    return None


def _judge_colours(views: pd.DataFrame) -> str | None:
    if (views["hue"].abs() > 3).any() or (views["colour"] - 1).abs().max() > 0.08:
        return "The colours of some views have changed. The specification leaves colour alone."
    if (views["brightness"].abs() > 0.03).any():
        return (
            "The mean brightness of some views has moved. Contrast pulls pixels away from their "
            "mean and leaves the mean alone; brightness was not asked for."
        )
    return None


def _judge_mirroring(views: pd.DataFrame) -> str | None:
    share = views["mirrored"].mean()
    if share == 0:
        return "No view is mirrored. Half of them should be, left to right."
    if share == 1:
        return (
            "Every view is mirrored, so none is as the camera took it. Half of the time is asked "
            "for, by chance."
        )
    if not MIRRORED_SHARE[0] < share < MIRRORED_SHARE[1]:
        return f"{share:.0%} of the views are mirrored. Half of them should be."
    return None


def _judge_contrast(views: pd.DataFrame, low: float, high: float) -> str | None:
    factors, slack = views["contrast"], 0.03
    asked = f"asked for are {low:g} to {high:g}"
    if factors.max() - factors.min() < slack:
        return f"The contrast never varies ({asked})."
    if factors.min() > 1 - slack:
        return (
            f"The contrast is only ever raised: factors from {_describe_range(factors)}; {asked}. "
            "What does a single number say to Keras, and what a pair?"
        )
    if factors.max() < 1 + slack:
        return f"The contrast is only ever lowered: {_describe_range(factors)}; {asked}."
    if factors.min() < low - slack or factors.max() > high + slack:
        return f"The contrast varies too much: {_describe_range(factors)}; {asked}."
    # Two hundred uniform draws leave the outermost twentieth empty once in 30,000 times.
    if factors.min() > low + slack + 0.03 or factors.max() < high - slack - 0.03:
        return f"The contrast varies too little: {_describe_range(factors)}; {asked}."
    return None


Q1 = Question(
    name="q1",
    title="Build to a specification",
    aim="write an augmentation that does what was agreed on, and nothing else",
    lesson="02",
    judge=_judge_specification,
    praise="Half mirrored, contrast both ways, pixels within [0, 1], fresh dice for every photo at "
    "every use, and nothing in predict. All of that was seen on pictures, not read from your code.",
    hints=(
        "Two layers are enough. Print what one of them draws: "
        "`layer.get_random_transformation(images, training=True)`.",
        "A single number for contrast means upwards only; a pair `(down, up)` means both ways.",
        '`RandomFlip("horizontal")`, and `RandomContrast` with `(0.3, 0.3)` and `value_range`.',
    ),
    explanation="The pair lowers and raises the contrast; `value_range=(0, 1)` says where white "
    'is. The order of the two does not matter. `cu.Augmentation(flip="horizontal", '
    "contrast=0.3)` does the same. A plain function passes too, if it heeds `training` and throws "
    "dice for each photo. `RandomContrast(0.3)` would only raise, and `RandomFlip()` without a "
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
    "saturation": "Saturation changes colours a good deal, and stays within 0 and 1. Compare the "
    "largest pixels.",
}


def _judge_suspect(wrong, mended) -> str | None:
    suspects = make_suspects()
    named = wrong
    for name, layer in suspects.items():
        if type(layer) is type(wrong) or wrong is type(layer):
            named = name
    if isinstance(wrong, int) and not isinstance(wrong, bool):
        raise Misread(f"Expected the layer's name, received {wrong}. Write it in quotes.")
    if isinstance(named, str):
        named = named.strip().casefold().replace("random", "").strip("_ ")
    named = read_choice(named, tuple(suspects), "the layer's name")
    if named != CULPRIT:
        return _INNOCENT[named]
    transform = probes.read_transformation(mended, "the mended layer")
    views = probes.measure_views(transform)
    if _judge_range(transform):
        low, high = probes.find_leaving(transform)
        return (
            f"That is the layer. Your mended one still gives pixels from {low:.2f} to {high:.2f}: "
            "tell it which range it works in."
        )
    if views["contrast"].max() - views["contrast"].min() < 0.03:
        return (
            "That is the layer, and your mended one changes no contrast at all any more. Keep "
            "what it does; mend only the range."
        )
    other = _judge_geometry(views) or _judge_colours(views)
    if other or views["mirrored"].any():
        return "That is the layer. The mended one is to change contrast and nothing else."
    strength = _judge_contrast(views, 0.5, 1.5)
    return f"That is the layer, mended to another strength. {strength}" if strength else None


Q2 = Question(
    name="q2",
    title="The wrong range",
    aim="find a layer that works in another range of pixels, and mend it",
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
mended = layers.RandomContrast((0.5, 0.5), value_range=(0, 1))""",
)


# --- q3: the mystery grid --------------------------------------------------------------------


def make_mystery_views(photo: np.ndarray) -> np.ndarray:
    """Returns sixteen views of a photo under settings that are to be recovered.

    Args:
        photo: float32 in [0, 1], shape (height, width, 3).
    """
    transform = probes.read_transformation(MYSTERY)
    return probes.run(transform, np.repeat(photo[None], 16, axis=0), training=True)


def _judge_mystery(settings) -> str | None:
    transform = probes.read_transformation(settings)
    if outside := _judge_range(transform):
        return outside
    views = probes.measure_views(transform)
    turned, shift = views["angle"].abs(), views["brightness"].abs()
    gray = (views["colour"] < 0.15).mean()
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
    if not 0.25 < gray < 0.75:
        return (
            f"{gray:.0%} of your views are gray. Count those of the grid: sixteen are few, so a "
            "third to two thirds would pass."
        )
    coloured = views[views["colour"] >= 0.15]
    if (coloured["hue"].abs() > 8).any() or (coloured["colour"] - 1).abs().quantile(0.9) > 0.25:
        return "In your views colours change. In the grid a view has its own colours, or none."
    if (views["contrast"] - 1).abs().quantile(0.9) > 0.12:
        return (
            "In your views the contrast varies. Look at a dark and a bright part of one photo in "
            "the grid: do they move apart, or up and down together?"
        )
    if shift.quantile(0.95) < 0.12:
        return "Your views are all about as bright as the photo. Those of the grid are not."
    if views["brightness"].min() > -0.1 or views["brightness"].max() < 0.1:
        return "Your views change their brightness one way only. In the grid it goes both ways."
    return _judge_dice(transform) or _judge_predict(transform)


Q3 = Question(
    name="q3",
    title="The mystery grid",
    aim="read from views which transformations made them, and how strong they were",
    lesson="02",
    judge=_judge_mystery,
    praise="Your views and the mystery's could not be told apart by mirroring, angle, brightness, "
    "contrast and colour, within what sixteen views let you see.",
    hints=(
        "Go through it one by one: geometry first, then light, then colour.",
        "Three transformations are at work; one of them either happens or does not.",
        "Rotation of about 30°, brightness of about 0.3 either way, gray half of the time.",
    ),
    explanation="Tilted horizons both ways, but no vehicle that faces the other way: rotation "
    "without a flip. Bright and dark parts move together: brightness, not contrast. Some views "
    "are gray and the others keep their colours: grayscale, not saturation. From sixteen views "
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

    def fits(values):
        return all(abs(gaps[name] - values[name]) < 0.015 for name in runs)

    true = {name: row["gap"] for name, row in last.items()}
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
    aim="recognise augmentation in curves, and compare like with like",
    lesson="02",
    judge=_judge_curves,
    praise="The augmented run fits its train photos less closely. That is no harm: what decides "
    "is how low the valid loss comes.",
    hints=(
        "What does augmentation make harder: to know the train photos by heart, or the valid ones?",
        "The gap is `val_loss` minus `clean_loss`, in the last row of each history.",
        "It is A.",
    ),
    explanation="Photos that keep changing are harder to learn by heart, so the augmented run's "
    "loss on clean train photos falls more slowly. The higher train loss is the working of the "
    "cure, and no harm; and the smaller gap alone is no success, since a model that has learned "
    "nothing has no gap. Compare the valid losses.",
    code="""last_a, last_b = runs["A"].iloc[-1], runs["B"].iloc[-1]
augmented = "A"
gap_a = last_a.val_loss - last_a.clean_loss
gap_b = last_b.val_loss - last_b.clean_loss""",
    misconceptions=("higher train loss is harm", "smaller gap is better"),
)


# --- q5: on in predict -----------------------------------------------------------------------


def _judge_front(front) -> str | None:
    transform = probes.read_transformation(front, "the mended layer")
    views = probes.measure_views(transform)
    share = views["mirrored"].mean()
    probe = np.repeat(probes.make_probe()[None], 32, axis=0)
    predicted = probes.read_views(probes.run(transform, probe, training=False))
    if predicted["mirrored"].all():
        return (
            "In predict every photo is mirrored now. The same answer twice is not enough: photos "
            "must come through as they are."
        )
    if predicted["mirrored"].any() and share == 0:
        return "Now it is the wrong way round: photos are mirrored in predict, not in training."
    if predicted["mirrored"].any():
        return (
            "In predict photos are still mirrored by chance: ask twice and get two answers. Who "
            "decides whether the inner layer trains?"
        )
    if _judge_predict(transform):
        return "In predict photos are not mirrored any more, but still changed in another way."
    if share == 0:
        return (
            "Predict is clean now, but so is training: nothing is mirrored any more. Keep the "
            "augmentation where it belongs."
        )
    if share == 1:
        return "In training every photo is mirrored. Half of them should be, by chance."
    if (views["angle"].abs() > 2).any() or (views["strangeness"] > probes.STRANGE).any():
        return "In training photos are changed in other ways than left to right."
    return _judge_mirroring(views) or _judge_dice(transform)


Q5 = Question(
    name="q5",
    title="Augmentation that will not stop",
    aim="keep augmentation to training, and know how a layer learns which of the two it is in",
    lesson="02",
    judge=_judge_front,
    praise="Half mirrored in training, untouched in predict.",
    hints=(
        "Keras passes `training` to every `call` that has such an argument.",
        "The inner layer is told `training=True`, whatever the model is doing.",
        "Give `call` an argument `training=None`, and hand it on to `self.flip`.",
    ),
    explanation="`training=True` was written down for good, so `predict` flipped photos as well, "
    "and gave two answers to one question. Handing on what Keras says mends it; so does leaving "
    "the wrapper out and using `RandomFlip` itself. A fixed seed would not help: the answers "
    "would only repeat. Taking the layer out would help predict, and end the augmentation.",
    code="""class Mirror(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.flip = layers.RandomFlip("horizontal")

    def call(self, images, training=None):
        return self.flip(images, training=training)


front = Mirror()""",
    misconceptions=("predict augments too",),
)


Q6 = Question(
    name="q6",
    title="Figure 1 from a picture of your own",
    aim="see what an augmentation does to a picture one knows well (ungraded)",
    lesson="02",
    explanation="There is nothing to judge here but with your own eyes.",
    code="",
)


# --- q7: the leak ----------------------------------------------------------------------------


def _make_marked_photos(count: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Returns photos that can be recognised in any mirror image, cars first, and their labels."""
    labels = (np.arange(count) >= count // 2).astype("float32")[:, None]
    photos = np.zeros((count, 12, 12, 3), "float32")
    photos[:] = 0.2 + 0.6 * np.arange(count)[:, None, None, None] / count
    photos[:, :, :6] += 0.1  # the left half is brighter: a mirrored copy shows
    return photos, labels


def _read_split(split, number: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        images, labels = (np.asarray(part, dtype="float64") for part in split)
    except (TypeError, ValueError):
        raise Misread(
            f"Expected the {number} of two pairs (images, labels), received {quote(split)}."
        ) from None
    if images.ndim != 4 or images.shape[1:] != (12, 12, 3) or len(labels) != len(images):
        raise Misread(
            f"Expected as many labels as images in the {number} pair, received images of shape "
            f"{images.shape} and labels of shape {labels.shape}."
        )
    return images, labels.reshape(len(labels), int(np.prod(labels.shape[1:])))[:, 0]


def _judge_leak(prepare) -> str | None:
    if not callable(prepare):
        raise Misread(f"Expected the function `prepare`, received {quote(prepare)}.")
    photos, labels = _make_marked_photos()
    try:
        made = prepare(photos.copy(), labels.copy())
    except Exception as error:
        raise Misread(f"`prepare` failed on {len(photos)} photos: {quote_error(error)}") from None
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise Misread(
            f"Expected `prepare` to return two pairs, train and valid, received {quote(made)}."
        )
    (train, train_labels), (valid, valid_labels) = (
        _read_split(split, number) for split, number in zip(made, ("first", "second"), strict=True)
    )
    if len(valid) < 4 or len(train) < 4:
        return f"There are {len(train)} train and {len(valid)} valid images: one side is empty."
    brightness = photos.mean(axis=(1, 2, 3))

    def find(images):
        # Mirroring leaves the mean alone, and the means are further apart than rounding.
        return np.abs(images.mean(axis=(1, 2, 3))[:, None] - brightness).argmin(axis=1)

    def are_mirrored(images):
        return images[:, :, :6].mean(axis=(1, 2, 3)) < images[:, :, 6:].mean(axis=(1, 2, 3))

    in_train, in_valid = find(train), find(valid)
    both = np.intersect1d(in_train, in_valid)
    if len(both):
        return (
            f"{len(both)} of {len(photos)} photos stand in both piles, as themselves or mirrored. "
            "A mirrored copy of a train photo is no new vehicle: valid would flatter the model."
        )
    if are_mirrored(valid).any() or len(np.unique(in_valid)) < len(in_valid):
        return (
            "No photo stands in both piles any more, but the valid photos are augmented too. "
            "Valid is to be what the camera takes: leave it alone."
        )
    if not are_mirrored(train).any():
        return "No photo stands in both piles, but no train photo is mirrored either."
    for found, given in ((in_train, train_labels), (in_valid, valid_labels)):
        if not np.array_equal(labels[found, 0], given):
            return "Some images have the label of another photo: shuffle both the same way."
    if len(np.union1d(in_train, in_valid)) < len(photos):
        return f"{len(photos) - len(np.union1d(in_train, in_valid))} photos got lost on the way."
    if len(set(valid_labels)) < 2 or len(set(train_labels)) < 2:
        return (
            "One of the piles holds a single class: the photos come sorted by class. Shuffle "
            "before you split."
        )
    if not 0.1 <= len(valid) / len(photos) <= 0.5:
        return f"{len(valid) / len(photos):.0%} of the photos are valid; about a quarter should be."
    return None


Q7 = Question(
    name="q7",
    title="Mend the leak",
    aim="split first and augment after, so that valid photos are truly unseen",
    lesson="02",
    judge=_judge_leak,
    praise="Probe photos went through your function, and none came out in both piles; train is "
    "augmented, valid is not.",
    hints=(
        "Follow one photo and its mirror image. Where may each of them end up?",
        "Change the order: which step has to come first?",
        "Shuffle and split `photos` and `labels`; then mirror only the train part.",
    ),
    explanation="Augmenting first and splitting after lets a photo stand in train and its mirror "
    "image in valid. The model has seen it, and valid says that it does well. Split first, "
    "augment train alone. Mirroring valid as well would not leak, but it would measure on photos "
    "that nobody took. A copy is not a new vehicle; that is why it leaks.",
    code="""def prepare(photos, labels):
    order = np.random.default_rng(1).permutation(len(photos))
    photos, labels = photos[order], labels[order]
    cut = len(photos) * 3 // 4
    train = np.concatenate([photos[:cut], photos[:cut, :, ::-1]])
    train_labels = np.concatenate([labels[:cut], labels[:cut]])
    return (train, train_labels), (photos[cut:], labels[cut:])""",
    misconceptions=("augment then split", "copies equal new data"),
)

q1, q2, q3, q4, q5, q6, q7 = QUESTIONS = (Q1, Q2, Q3, Q4, Q5, Q6, Q7)
