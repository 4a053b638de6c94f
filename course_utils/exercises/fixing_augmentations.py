"""The questions of exercise 02 about fixing: augmentation in predict, and a leaking split."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from course_utils.exercises.framework import probes, views
from course_utils.exercises.framework.judgements import (
    judge_colors,
    judge_draws,
    judge_geometry,
    judge_mirroring,
    judge_pixels,
    judge_predicted,
)
from course_utils.exercises.framework.matches import Matches, make_photos
from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.reading import Misread, quote, quote_error

# --- q5: on in predict -----------------------------------------------------------------------


def _observe_front(front, *, probe_seed: int) -> dict[str, Any]:
    return probes.observe_transformation(front, "the fixed layer", probe_seed=probe_seed)


def _judge_front(observed: Mapping[str, Any]) -> str | None:
    reading = views.read_observed(observed)
    fraction = reading.views["mirrored"].mean()
    predicted = views.find_mirrored(observed)
    if predicted.all():
        return (
            "In `predict` every photo is mirrored now. The same output twice is not enough: photos "
            "must come through as they are."
        )
    if predicted.any() and fraction == 0:
        return "Now it is the wrong way round: photos are mirrored in `predict`, not in training."
    if predicted.any():
        return (
            "In `predict` some photos are still mirrored. Who tells the inner layer whether it is "
            "training? A fixed seed does not help: it only mirrors the same photos every time."
        )
    if judge_predicted(reading):
        return "In `predict` photos are not mirrored any more, but changed in another way."
    if reading.unchanged:
        return (
            "`predict` is clean now, but training is too: nothing is mirrored any more. Keep the "
            "augmentation in training."
        )
    return (
        judge_pixels(reading)
        or judge_geometry(reading)
        or judge_colors(reading)
        or _judge_same_contrast(reading)
        or (judge_draws(reading) if 0 < fraction < 1 else None)
        or judge_mirroring(reading)
    )


def _judge_same_contrast(reading) -> str | None:
    if (reading.views["contrast"] - 1).abs().max() > 0.01:
        return "In training the contrast changes too. The layer should mirror photos, nothing else."
    return None


Q5 = Question(
    name="q5",
    title="Augmentation that will not stop",
    aim="keep augmentation to training, and know how a layer learns which of the two it is in",
    lesson="02",
    observe=_observe_front,
    judge=_judge_front,
    sampled=True,
    praise="Half of the views are mirrored in training, none in `predict`.",
    hints=(
        "Keras passes `training` to every `call` that has such an argument.",
        "The inner layer is told `training=True`, whatever the model is doing.",
        "Give `call` an argument `training=None`, and pass it on to `self.flip`.",
    ),
    explanation="`training=True` was written into the code, so `predict` flipped photos as well, "
    "and gave two outputs for one photo. Passing on what Keras says fixes it; so does leaving the "
    "wrapper out and using `RandomFlip` itself. A fixed seed would not help: the outputs would "
    "only repeat. Taking the layer out would fix `predict`, and end the augmentation.",
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

COUNT = 48  # photos that `prepare` is tried on, sorted by class
LIKE = 0.8  # correlation of a view with the photo that it was made of
FEWEST, MOST = 0.1, 0.42  # a quarter, if each of 48 photos is drawn by itself: missed 7 in 1,000


def _read_split(split, number: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        images, labels = (np.array(part, dtype="float32") for part in split)
    except Exception:
        raise Misread(
            f"Expected the {number} of two pairs (images, labels), received {quote(split)}."
        ) from None
    size = (probes.SIDE, probes.SIDE, 3)
    if images.ndim != 4 or images.shape[1:] != size or labels.shape[:1] != images.shape[:1]:
        raise Misread(
            f"Expected as many labels as images in the {number} pair, received images of shape "
            f"{images.shape} and labels of shape {labels.shape}."
        )
    if len(images) > 8 * COUNT:
        raise Misread(f"Expected a few hundred images at the most, received {len(images)}.")
    if labels[0:1].size > 1:
        raise Misread(f"Expected one label per image, received labels of shape {labels.shape}.")
    return images, labels.reshape(-1)


def _observe_leak(prepare, *, probe_seed: int) -> dict[str, Any]:
    if not callable(prepare):
        raise Misread(f"Expected the function `prepare`, received {quote(prepare)}.")
    photos, labels = make_photos(probe_seed, COUNT)
    try:
        made = prepare(photos.copy(), labels.copy())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A student's code may even raise SystemExit.
        raise Misread(f"`prepare` failed on {COUNT} photos: {quote_error(error)}") from None
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise Misread(
            f"Expected `prepare` to return two pairs, train and valid, received {quote(made)}."
        )
    train, valid = (
        _read_split(split, number) for split, number in zip(made, ("first", "second"), strict=True)
    )
    return {
        "probe_seed": probe_seed,
        "train": train[0],
        "train_labels": train[1],
        "valid": valid[0],
        "valid_labels": valid[1],
    }


def _judge_leak(observed: Mapping[str, Any]) -> str | None:
    photos, labels = make_photos(int(observed["probe_seed"]), COUNT)
    train, valid = (
        _read_split((observed[name], observed[f"{name}_labels"]), number)
        for name, number in (("train", "first"), ("valid", "second"))
    )
    if not np.isfinite(train[0]).all() or not np.isfinite(valid[0]).all():
        return "Some pixels come back as NaN or infinity. Look for a division by 0."
    if len(valid[0]) < 2 or len(train[0]) < 2:
        return f"There are {len(train[0])} train and {len(valid[0])} valid images: too few."
    in_train, in_valid = Matches(train[0], photos), Matches(valid[0], photos)
    if in_train.like.min() < LIKE or in_valid.like.min() < LIKE:
        return (
            "The check does not recognize some images as copies of one photo. Leave out what "
            "changes photos strongly."
        )
    both = np.intersect1d(in_train.photo, in_valid.photo)
    if len(both):
        return (
            f"{len(both)} of {COUNT} photos are in both splits, as themselves or as copies. A "
            "copy of a training photo is no new vehicle: the validation accuracy would be too high."
        )
    if not in_valid.same.all():
        return (
            "No photo is in both splits any more, but validation photos are changed too. Leave "
            "them as the camera took them."
        )
    if len(np.unique(in_valid.photo)) < len(in_valid.photo):
        return "Some validation photos are there twice. Each should count once."
    for found, given in ((in_train, train[1]), (in_valid, valid[1])):
        if not np.array_equal(labels[found.photo, 0], given):
            return "Some images have the label of another photo: shuffle both the same way."
    missing = COUNT - len(np.union1d(in_train.photo, in_valid.photo))
    if missing:
        return f"{missing} photos got lost on the way."
    if not in_train.mirrored.any() and in_train.upside_down.any():
        return (
            "The copies in train are upside down. To mirror left to right, turn the photos' third "
            "axis around, the width: `[:, :, ::-1]`."
        )
    if not in_train.mirrored.any():
        return "No photo is in both splits, but no training photo is mirrored either."
    kept = np.unique(in_train.photo[in_train.same])
    if len(kept) < len(np.unique(in_train.photo)):
        return (
            "Some training photos are there as mirrored or changed copies only. Keep the originals "
            "and add the copies."
        )
    copied = np.unique(in_train.photo[in_train.mirrored])
    if len(copied) < len(kept) / 4:
        return f"Only {len(copied)} of {len(kept)} training photos have a mirrored copy."
    if len(set(valid[1])) < 2 or len(set(train[1])) < 2:
        return (
            "One of the splits holds a single class: the photos come sorted by class. Shuffle "
            "before you split."
        )
    fraction = len(valid[0]) / COUNT
    if not FEWEST <= fraction <= MOST:
        return f"{fraction:.0%} of the photos are validation photos; the task asks for a quarter."
    return None


Q7 = Question(
    name="q7",
    title="Fix the leak",
    aim="split first and augment after, so that validation photos are truly unseen",
    lesson="02",
    observe=_observe_leak,
    judge=_judge_leak,
    sampled=True,
    praise="The check sent marked photos through your function, and none came out in both splits; "
    "training photos are augmented, validation photos are not.",
    hints=(
        "Follow one photo and its mirror image. Where may each of them end up?",
        "Change the order: which step has to come first?",
        "Shuffle and split `photos` and `labels`; then mirror only the training part.",
    ),
    explanation="If you augment first and split after, a photo may be in train and its mirror "
    "image in valid. The model has seen it, so its validation accuracy is too high. Split first, "
    "and augment training photos alone. Mirroring validation photos would not leak, but it would "
    "measure on photos that nobody took.",
    code="""def prepare(photos, labels):
    order = np.random.default_rng(1).permutation(len(photos))
    photos, labels = photos[order], labels[order]
    cut = len(photos) * 3 // 4
    train = np.concatenate([photos[:cut], photos[:cut, :, ::-1]])
    train_labels = np.concatenate([labels[:cut], labels[:cut]])
    return (train, train_labels), (photos[cut:], labels[cut:])""",
    misconceptions=("augment then split", "copies equal new data"),
)
