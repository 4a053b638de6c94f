"""The questions of exercise 04: mistakes from public reports, found by what they do.

What goes wrong on the photos' way to the model is in `pipeline_traps`; here are layers and models.
Longer than 350 lines because five questions look at five different things.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from course_utils.exercises.framework import distributions, probes, views
from course_utils.exercises.framework.judgements import (
    HUE,
    MOVED,
    RESIZED,
    STRANGE,
    judge_draws,
    judge_geometry,
    judge_pixels,
    judge_predicted,
)
from course_utils.exercises.framework.matches import Matches, make_photos
from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.reading import Misread, quote, quote_error
from course_utils.exercises.pipeline_traps import Q1, Q2, Q5, Q6


def _attempt(name: str, function: Callable, *given: Any) -> Any:
    """Calls what a student wrote and says what failed."""
    try:
        return function(*given)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A student's code may even raise SystemExit.
        raise Misread(f"{name} failed: {quote_error(error)}") from None


# --- q3: a layer that was never put into the model -------------------------------------------

COUNT = 48  # photos that a model gets
USES = 4  # how often it gets them in training


def _make_base():
    """Returns a layer in the place of VGG16, and the list of the batches that it was given."""
    import keras

    seen = []

    class Base(keras.layers.Layer):
        def call(self, images):
            if hasattr(images, "numpy"):  # not while Keras only works out shapes
                seen.append(np.array(images, dtype="float32"))
            return keras.ops.average_pool(images, 32)

    return Base(trainable=False), seen


def _observe_built(build, *, probe_seed: int) -> dict[str, Any]:
    import keras

    if not callable(build):
        raise Misread(f"Expected the function `build`, received {quote(build)}.")
    photos, _ = make_photos(probe_seed, COUNT)
    base, seen = _make_base()
    model = _attempt("`build`", build, base)
    if not isinstance(model, keras.Model):
        raise Misread(f"Expected `build` to return a Keras model, received {quote(model)}.")
    given = {}
    for name, training, uses in (("trained", True, USES), ("predicted", False, 1)):
        batches = []
        for _ in range(uses):
            seen.clear()
            out = _attempt("The model", lambda: model(photos.copy(), training=training))  # noqa: B023
            if tuple(out.shape) != (COUNT, 1):
                raise Misread(
                    f"Expected one number for each photo, received shape {tuple(out.shape)}."
                )
            batches += seen[-1:]
        given[name] = np.concatenate(batches) if batches else np.zeros((0, *photos.shape[1:]), "f")
    return {"probe_seed": probe_seed, **given}


def _judge_built(observed: Mapping[str, Any]) -> str | None:
    photos, _ = make_photos(int(observed["probe_seed"]), COUNT)
    trained, predicted = (
        np.nan_to_num(np.asarray(observed[name], "float32"), nan=-1.0)
        for name in ("trained", "predicted")
    )
    if not len(trained) or not len(predicted):
        return "The base gets no photos at all: it is not part of the model any more."
    if trained.shape != (USES * COUNT, *photos.shape[1:]) or predicted.shape != photos.shape:
        return (
            f"The base gets other shapes than photos of 128 × 128: {trained.shape[1:]}. The "
            "augmentation belongs before it, and nothing else does."
        )
    before = Matches(predicted, photos)
    if not (before.same & (before.photo == np.arange(COUNT))).all():
        return (
            "In `predict` the base gets changed photos as well. Let Keras say whether it is "
            "training: pass no `training=True`."
        )
    during = Matches(trained, photos)
    if not during.plain.all():
        return (
            "In training photos are changed in another way than mirrored left to right. Leave out "
            "what the task does not ask for."
        )
    if not np.array_equal(during.photo, np.tile(np.arange(COUNT), USES)):
        return "In training the base gets the photos in another order than their labels."
    flags = during.mirrored.reshape(USES, COUNT)
    if not flags.any():
        return (
            "In training the base gets every photo as it is. The layer is made, but follow the "
            "names: whose output goes into the base?"
        )
    if (flags == flags[:, :1]).all():
        return "All photos of a batch are mirrored together. Make a random draw for each photo."
    if (flags == flags[0]).all():
        return "In training the same photos are mirrored each time. Make new random draws."
    if not distributions.fits_fraction(int(flags.sum()), flags.size, 0.5):
        return f"{flags.mean():.0%} of the views are mirrored. Half of them should be."
    return None


Q3 = Question(
    name="q3",
    title="The layer that nobody calls",
    aim="follow a photo through a model, and check that its augmentation is reached",
    lesson="02",
    observe=_observe_built,
    judge=_judge_built,
    sampled=True,
    praise="In training the base gets mirrored photos, in `predict` the photos as they are.",
    hints=(
        "Nothing fails, and `model.summary()` lists what the model has. What is missing there?",
        "`augment(inputs)` changes nothing in place: it returns new photos. Who takes them?",
        "`augmented = augment(inputs)`, then `features = base(augmented)`.",
    ),
    explanation="The layer was made and even called, but its output went nowhere: the base got "
    "`inputs`. A model made of inputs and outputs holds only what lies between them, so Keras "
    "leaves such a layer out without a word. `model.summary()` shows it, and so does the training "
    "loss, which is the same as without augmentation. A `keras.Sequential` with the layer in its "
    "list cannot lose it.",
    code="""def build(base):
    inputs = keras.Input((128, 128, 3))
    augmented = layers.RandomFlip("horizontal")(inputs)
    features = base(augmented)
    hidden = layers.Dense(6, "relu")(layers.Flatten()(features))
    return keras.Model(inputs, layers.Dense(1, "sigmoid")(hidden))""",
    misconceptions=(),
)


# --- q4: brightness in the wrong range -------------------------------------------------------

SHIFT = 0.2  # the largest shift of a photo's brightness
READ = 0.01  # how far a shift may be misread


def _observe_brightness(brighten, *, probe_seed: int) -> dict[str, Any]:
    return probes.observe_transformation(brighten, "the fixed layer", probe_seed=probe_seed)


def _judge_brightness(observed: Mapping[str, Any]) -> str | None:
    reading = views.read_observed(observed)
    table = reading.views
    level = table["level"].abs().max()
    if reading.finite and (reading.highest > 1.5 or level > 0.45):
        return (
            f"Photos get far too bright or far too dark: pixels from {reading.lowest:.2f} to "
            f"{reading.highest:.2f} come back, and in the most extreme view the mean moved by "
            f"{level:.2f}. What is 20 % of, for this layer?"
        )
    if mistake := judge_pixels(reading) or judge_geometry(reading):
        return mistake
    if table["mirrored"].any():
        return "Some views are mirrored. Change brightness and nothing else."
    if (table["contrast"] - 1).abs().max() > 0.05:
        return (
            "The contrast changes too: bright parts move further than dark ones. Add the same "
            "number to all pixels of a photo, instead of multiplying them."
        )
    if (table["hue"].abs() > 2 * HUE).any() or (table["color"] - 1).abs().max() > 0.1:
        return "The colors of some views have changed. Add the same number to all three channels."
    return judge_draws(reading) or _judge_shift(table["brightness"]) or judge_predicted(reading)


def _judge_shift(shifts) -> str | None:
    seen = f"the mean moves by {shifts.min():+.2f} to {shifts.max():+.2f}"
    asked = f"the task asks for {-SHIFT:+g} to {SHIFT:+g}"
    reach = distributions.nearest_end(2 * SHIFT, len(shifts))
    if np.ptp(shifts) < READ:
        return f"The brightness hardly varies: {seen}; {asked}."
    if shifts.min() > -READ or shifts.max() < READ:
        return f"The brightness moves one way only: {seen}; {asked}."
    if shifts.abs().max() > SHIFT + READ:
        return f"The brightness varies too much: {seen}; {asked}."
    if shifts.min() > -SHIFT + reach + READ or shifts.max() < SHIFT - reach - READ:
        return f"The brightness varies too little: {seen}; {asked}."
    if not distributions.fits_uniform(shifts.to_numpy(), -SHIFT, SHIFT):
        return (
            f"The range is right ({seen}), but some shifts are more likely than others. Any shift "
            "in the range should be as likely as another."
        )
    return None


Q4 = Question(
    name="q4",
    title="Nothing but black and white",
    aim="give each layer the range of the pixels that it works on",
    lesson="02",
    observe=_observe_brightness,
    judge=_judge_brightness,
    sampled=True,
    praise="The mean moves by up to 0.2 either way, and pixels stay within [0, 1].",
    hints=(
        "Look at numbers, not at a plot: print the largest pixel before and after.",
        "0.2 of what? The layer's documentation names the default of `value_range`.",
        "`layers.RandomBrightness(0.2, value_range=(0, 1))`.",
    ),
    explanation="Unless told, the layer takes pixels for 0 to 255. So 0.2 means up to 51 either "
    "way: of photos with pixels from 0 to 1, half become black and the rest far too bright. A "
    "smaller factor would hide it, 0.2 / 255, but the layer would still clip at 255, so that "
    "bright pixels pass 1. `Rescaling(255)` before and `Rescaling(1 / 255)` after it would do as "
    "well.",
    code="brighten = layers.RandomBrightness(0.2, value_range=(0, 1))",
    misconceptions=(),
)


# --- q7: a 6 that becomes a 9 ----------------------------------------------------------------

TURN = 15.0  # degrees
ANGLE = 0.5  # degrees that an angle may be misread by


def _observe_turn(turn, *, probe_seed: int) -> dict[str, Any]:
    return probes.observe_transformation(turn, "the fixed layer", probe_seed=probe_seed)


def _judge_turn(observed: Mapping[str, Any]) -> str | None:
    reading = views.read_observed(observed)
    table = reading.views
    plain = table[table["strangeness"] <= STRANGE]
    angles = plain["angle"]
    mistake = _judge_plain(plain) if len(plain) > len(table) / 2 else None
    if mistake := mistake or judge_pixels(reading):
        return mistake
    if len(plain) < len(table):
        return (
            "Some views are changed in a way that turning does not explain: parts are covered, "
            "distorted or grainy. Leave out what the task does not ask for."
        )
    if (plain["contrast"] - 1).abs().max() > 0.05 or plain["brightness"].abs().max() > 0.05:
        return "Brightness or contrast changes too. The task turns digits, nothing else."
    return judge_draws(reading) or _judge_angles(angles) or judge_predicted(reading)


def _judge_plain(plain) -> str | None:
    """What is wrong with where the pixels of the views that could be read went, or `None`."""
    if plain["mirrored"].any():
        return (
            "Some views are mirrored. Of the digits only 0, 1 and 8 stay what they are: a mirrored "
            "2 or 7 is no digit at all."
        )
    angles = plain["angle"].abs()
    if angles.max() > 120 and ((angles < ANGLE) | (angles > 180 - ANGLE)).all():
        return (
            "Some views are upside down, so a 6 becomes a 9 and keeps the label 6, and no view "
            "leans. `RandomFlip()` without a mode mirrors both ways at once."
        )
    if angles.max() > 120:
        return (
            f"Some views are turned by up to {angles.max():.0f}°, so a 6 becomes a 9 and keeps the "
            "label 6. Which unit does `factor` have?"
        )
    if (
        (plain["shift"] > MOVED)
        | ((plain["zoom"] - 1).abs() > RESIZED)
        | (plain["stretch"] - 1 > RESIZED)
    ).any():
        return "Some views are moved, resized or distorted. The task turns digits, nothing else."
    return None


def _judge_angles(angles) -> str | None:
    seen = f"by {angles.min():+.1f}° to {angles.max():+.1f}°"
    asked = f"the task asks for up to {TURN:g}° either way"
    reach = distributions.nearest_end(2 * TURN, len(angles))
    if angles.abs().max() < ANGLE:
        return f"Nothing is turned; {asked}."
    if angles.abs().max() > TURN + ANGLE:
        return (
            f"Views are turned too far, {seen}; {asked}. Is `factor` a fraction of a full turn, "
            "of half a turn, or a number of radians?"
        )
    if angles.min() > -ANGLE or angles.max() < ANGLE:
        return f"Views are turned one way only, {seen}; {asked}."
    if angles.min() > -TURN + reach + ANGLE or angles.max() < TURN - reach - ANGLE:
        return f"Views are turned too little, {seen}; {asked}."
    if not distributions.fits_uniform(angles.to_numpy(), -TURN, TURN):
        return (
            f"The range is right, {seen}, but some angles are more likely than others. Any angle "
            "in the range should be as likely as another."
        )
    return None


Q7 = Question(
    name="q7",
    title="A 6 that becomes a 9",
    aim="keep an augmentation within what leaves the label true",
    lesson="05",
    observe=_observe_turn,
    judge=_judge_turn,
    sampled=True,
    praise="Digits lean by up to 15° either way, as in handwriting, and a 6 stays a 6.",
    hints=(
        "Print what the layer draws: `layer.get_random_transformation(images, training=True)`.",
        "`factor` is a fraction of a full turn. 0.5 is half a turn, either way: any angle at all.",
        "15° are 15/360 of a full turn.",
    ),
    explanation="`factor` is a fraction of a full turn, so 0.5 turns by up to half a turn either "
    "way, which is any angle: a 6 becomes a 9 and is still called 6, which teaches a mistake. "
    "15° are `15 / 360`. In radians they would be 0.26, which this layer takes for 94°. What keeps "
    "a label true depends on the task: for photos of plankton under a microscope any angle would "
    "do.",
    code="turn = layers.RandomRotation(15 / 360)",
    misconceptions=("stronger is better", "flip is always safe"),
)


# --- q8: fine-tuning with the head's learning rate -------------------------------------------

LEAST, MOST = 1e-4, 0.05  # how far fine-tuning may move the base, as a fraction of its size


def make_small_model(seed: int = 1):
    """Returns a model whose head has been trained on a frozen base, both small, and its photos.

    The base stands for VGG16: it takes photos of 128 × 128, and its weights are as small as those
    of a large network.

    Args:
        seed: Of the weights and the photos.

    Returns:
        The compiled model, its base, 48 photos and their labels.
    """
    import keras
    from keras import layers

    def start(size, number):
        return keras.initializers.RandomNormal(size, seed=seed + number)

    base = keras.Sequential(
        [
            keras.Input((128, 128, 3)),
            layers.AveragePooling2D(16),
            layers.Conv2D(64, 3, activation="relu", kernel_initializer=start(0.1, 1)),
            layers.Conv2D(64, 3, activation="relu", kernel_initializer=start(0.01, 2)),
            layers.GlobalAveragePooling2D(),
        ],
        name="base",
    )
    base.trainable = False
    head = layers.Dense(1, activation="sigmoid", kernel_initializer=start(0.1, 3))
    model = keras.Sequential([keras.Input((128, 128, 3)), base, head])
    model.compile("adam", loss="binary_crossentropy")
    photos, labels = make_photos(seed, COUNT)
    model.fit(photos, labels, batch_size=16, verbose=0)
    return model, base, photos.copy(), labels


def measure_moves(before: list[np.ndarray], after: list[np.ndarray]) -> list[float]:
    """Returns how far each weight array moved, as a fraction of its size.

    Args:
        before: What `get_weights` returned before.
        after: What it returned after.

    Example:
        >>> measure_moves([np.array([3.0, 4.0])], [np.array([3.0, 4.5])])
        [0.1]
    """
    return [
        float(np.linalg.norm(new - old) / np.linalg.norm(old))
        for old, new in zip(before, after, strict=True)
        if np.linalg.norm(old) > 0  # biases begin at 0
    ]


def _observe_tuned(fine_tune, *, probe_seed: int) -> dict[str, Any]:
    if not callable(fine_tune):
        raise Misread(f"Expected the function `fine_tune`, received {quote(fine_tune)}.")
    model, base, photos, labels = make_small_model(probe_seed)
    before = base.get_weights()
    steps = int(model.optimizer.iterations)
    first = model.optimizer
    _attempt("`fine_tune`", fine_tune, model, base, photos, labels)
    trained = int(model.optimizer.iterations) - (steps if model.optimizer is first else 0)
    return {
        "moves": measure_moves(before, base.get_weights()),
        "finite": bool(all(np.isfinite(each).all() for each in model.get_weights())),
        "steps": trained,
    }


def _judge_tuned(observed: Mapping[str, Any]) -> str | None:
    moves = [float(each) for each in observed["moves"]]
    if not observed["finite"] or not moves or not np.isfinite(moves).all():
        return "After the training some weights are NaN: the steps were far too large."
    if max(moves) == 0:
        if int(observed["steps"]) == 0:
            return "Nothing was trained. Call `fit` as well."
        return (
            "The base did not move at all: only the head was trained. Set `trainable`, and compile "
            "after it: a model that has been trained goes on with the weights that it had."
        )
    if max(moves) > MOST:
        return (
            f"The base moved by {max(moves):.0%} of the size of its weights within a few steps; "
            f"the task allows {MOST:.0%}. Those weights were good already. Which learning rate "
            "does the optimizer have?"
        )
    if max(moves) < LEAST:
        return (
            f"The base moved by {max(moves):.2g} of the size of its weights, which is next to "
            f"nothing; the task asks for {LEAST:g} at the least."
        )
    return None


Q8 = Question(
    name="q8",
    title="Steps that are too large",
    aim="fine-tune a base with steps that keep what it knows",
    lesson="08",
    observe=_observe_tuned,
    judge=_judge_tuned,
    praise="The base was trained, and moved by little.",
    hints=(
        "The head began with random numbers, the base with good ones. Which of the two may take "
        "large steps?",
        'What is the learning rate of `"adam"` if you say nothing?',
        "`keras.optimizers.Adam(1e-5)`, in `compile`, after `base.trainable = True`.",
    ),
    explanation="Adam moves each weight by about its learning rate at each step, whatever the "
    "gradient's size. 0.001 suits a head that starts from random numbers. A base's weights are "
    "small, a few hundredths, so that some dozen such steps replace them, and with them what they "
    "had learned. A hundredth of that rate, 0.00001, is usual. The order counts as well: train the "
    "head first, set `trainable`, then compile, then fit.",
    code="""def fine_tune(model, base, photos, labels):
    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-5), loss="binary_crossentropy")
    model.fit(photos, labels, batch_size=16, epochs=3, verbose=0)""",
    misconceptions=(),
)


# --- q9: a Lambda that saves and does not load -----------------------------------------------

MEANS = np.array([103.939, 116.779, 123.68], "float32")  # blue, green, red: VGG16's own
CLOSE = 0.05  # of 255


def _observe_saved(front, *, probe_seed: int) -> dict[str, Any]:
    import keras

    if not isinstance(front, keras.Model):
        raise Misread(f"Expected `front`, a Keras model, received {quote(front)}.")
    photos = probes.make_noise(probe_seed)
    made = probes.run(lambda images, training: front(images, training=training), photos,
                      training=False)  # fmt: skip
    saved, again = "", made[:0]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "front.keras"
        try:
            front.save(path)
        except Exception as error:
            saved = f"`save` fails with {type(error).__name__}."
        else:
            try:
                loaded = keras.models.load_model(path)
                again = np.array(loaded(photos, training=False), dtype="float32")
            except Exception as error:
                saved = f"after saving, `load_model` fails with {type(error).__name__}."
    return {"probe_seed": probe_seed, "made": made, "again": again, "failed": saved}


def _judge_saved(observed: Mapping[str, Any]) -> str | None:
    photos = probes.make_noise(int(observed["probe_seed"]))
    made, again = (np.asarray(observed[name], "float32") for name in ("made", "again"))

    def is_like(wanted):
        return made.shape == wanted.shape and np.abs(made - wanted).max() < CLOSE

    if not is_like(255 * photos[..., ::-1] - MEANS):
        return _name_values(is_like, photos)
    if observed["failed"]:
        return (
            f"The values are right, but {str(observed['failed'])[:100]} The file has to hold what "
            "the layers do, not the name of a function or its program."
        )
    if again.shape != made.shape or not np.abs(again - made).max() < CLOSE:
        return "The model can be loaded, but gives other values than before it was saved."
    return None


def _name_values(is_like: Callable, photos: np.ndarray) -> str:
    """Says what is wrong with the values that come out."""
    if is_like(photos):
        return (
            "Photos come out as they were. Preprocessing is still needed: make it of something "
            "that can be loaded."
        )
    if is_like(photos[..., ::-1] - MEANS):
        return (
            "The means are subtracted from pixels between 0 and 1. VGG16's preprocessing expects 0 "
            "to 255: multiply first."
        )
    if is_like(255 * photos):
        return "Pixels are multiplied by 255, and that is all. What else does VGG16 expect?"
    if is_like(255 * photos - MEANS) or is_like(255 * photos - MEANS[::-1]):
        return "The channels stay red, green, blue. VGG16 expects blue, green, red."
    if is_like(255 * photos[..., ::-1] - MEANS[::-1]):
        return "The means are subtracted in the wrong order: the one of blue comes first now."
    if is_like(2 * photos - 1):
        return "Pixels from -1 to 1 are what other networks expect, not VGG16."
    return "The values are not those of `preprocess_input(255 * photos)`."


Q9 = Question(
    name="q9",
    title="Saved, and lost",
    aim="put preprocessing into a model so that the saved model can be loaded",
    lesson="06",
    observe=_observe_saved,
    judge=_judge_saved,
    praise="The model was saved and loaded, and gives the same values as before.",
    hints=(
        "A `Lambda` layer holds a Python function. What of it can a file hold?",
        "`preprocess_input` works on a `keras.Input` without `Lambda`; then Keras records what it "
        "does.",
        "`inputs = keras.Input((128, 128, 3))`, then `keras.Model(inputs, preprocess_input(255 * "
        "inputs))`.",
    ),
    explanation="A `Lambda` layer saves the name or the bytes of a function. A name cannot be "
    "found by whoever loads the file, and bytes are not loaded, since they could be anybody's "
    "program. Called on a `keras.Input`, the function becomes a row of Keras operations, which a "
    "file can hold. Layers do as well: `Rescaling`, `Normalization`, or a class of your own that "
    "is registered, though then the file needs your class wherever it is loaded. Loading it once, "
    "right after saving, would have shown the mistake.",
    code="""inputs = keras.Input((128, 128, 3))
front = keras.Model(inputs, preprocess_input(255 * inputs))""",
    misconceptions=(),
)


q1, q2, q3, q4, q5, q6, q7, q8, q9 = QUESTIONS = (Q1, Q2, Q3, Q4, Q5, Q6, Q7, Q8, Q9)
