"""The questions of exercise 02 about fixing: augmentation in predict, and a leaking split."""

import numpy as np

from course_utils.exercises.framework import probes
from course_utils.exercises.framework.judgements import (
    judge_colors,
    judge_geometry,
    judge_mirroring,
    judge_predict,
    judge_random_draws,
)
from course_utils.exercises.framework.questions import Misread, Question, quote, quote_error

# --- q5: on in predict -----------------------------------------------------------------------


def _judge_front(front) -> str | None:
    transform = probes.read_transformation(front, "the fixed layer")
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
            "In predict photos are still mirrored by chance: ask twice and get two predictions. "
            "Who decides whether the inner layer trains?"
        )
    if judge_predict(transform):
        return "In predict photos are not mirrored any more, but still changed in another way."
    if share == 0:
        return (
            "Predict is clean now, but so is training: nothing is mirrored any more. Keep the "
            "augmentation where it belongs."
        )
    if share == 1:
        return "In training every photo is mirrored. Half of them should be, by chance."
    if judge_geometry(views) or judge_colors(views) or (views["contrast"] - 1).abs().max() > 0.03:
        return "In training photos are changed in other ways than left to right."
    return judge_mirroring(views) or judge_random_draws(transform)


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
    "and gave two predictions for one photo. Handing on what Keras says fixes it; so does leaving "
    "the wrapper out and using `RandomFlip` itself. A fixed seed would not help: the predictions "
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


# --- q7: the leak ----------------------------------------------------------------------------


def _make_marked_photos(count: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Returns photos that can be recognized in any mirror image, cars first, and their labels."""
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
    title="Fix the leak",
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
