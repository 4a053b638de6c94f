"""The whole lesson: plain `fit` with augmentation in the model against stored features.

One epoch of plain `fit` is measured and taken thirty times; the first run on stored features and
the second one, which finds them, are measured whole. How many photos go through the base is
counted, so that what all photos would take can be projected from measured passes a second.
"""

import argparse
import statistics
import time

from measuring import Row, build_splits, median_ratio, new_cache

from course_utils import runtime

runtime.import_tensorflow()
from course_utils.augmentation import Augmentation  # noqa: E402 (TensorFlow is to be quiet first)
from course_utils.model import build_classifier  # noqa: E402
from course_utils.progress import describe_seconds  # noqa: E402
from course_utils.settings import load_settings  # noqa: E402
from course_utils.training import train  # noqa: E402
from course_utils.weights import load_vgg16_base  # noqa: E402

TRAIN, VALID, EPOCHS, ROUNDS = 32, 32, 30, 3
ALL_TRAIN, ALL_VALID = 5110, 5044
LESSON = Augmentation(flip="horizontal", contrast=0.5)


def count_passes(train_photos: int, valid_photos: int, batch_size: int) -> int:
    """Returns how many photos an epoch in the model sends through the base: the train photos
    learning and once more clean, the valid photos, and a batch to see that the head lives."""
    return 2 * train_photos + valid_photos + batch_size


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns rows for both methods, at a small size and projected to all photos."""
    base = load_vgg16_base()
    quick = load_settings("quick")
    splits = build_splits(TRAIN, VALID, batch_size=quick.batch_size)
    options = {"views": quick.views, "precision": "float32", "progress": False}

    def build():
        return build_classifier(base, LESSON.layers(seed=1), seed=1)

    def time_training(model, method, epochs):
        start = time.perf_counter()
        train(model, splits, method=method, epochs=epochs, **options)
        return time.perf_counter() - start

    epoch_passes = count_passes(TRAIN, VALID, quick.batch_size)
    plain = build()
    time_training(plain, "in_model", 1)  # builds the graph, which thirty epochs do once
    epoch, first, second = [], [], []
    for _ in range(ROUNDS):
        # What two epochs take more than one: what a call does once is not to count thirty times.
        one, two = (time_training(plain, "in_model", epochs) for epochs in (1, 2))
        epoch.append(two - one)
        with new_cache():
            first.append(time_training(build(), "stored_features", EPOCHS))
            second.append(time_training(build(), "stored_features", EPOCHS))
    whole = [EPOCHS * seconds for seconds in epoch]
    stored_passes = TRAIN * (1 + quick.views) + VALID
    plain_speed = epoch_passes / statistics.median(epoch)
    stored_speed = stored_passes / statistics.median(
        [both - head for both, head in zip(first, second, strict=True)]
    )
    size = f"{TRAIN} + {VALID} photos, {EPOCHS} epochs, float32"
    return [
        Row(
            f"plain `fit`, {size}: one epoch, × {EPOCHS}",
            describe_seconds(statistics.median(whole)),
            "1",
            f"{EPOCHS * epoch_passes:,} passes, {plain_speed:.1f} a second",
        ),
        Row(
            f"stored features, {quick.views} views, first run, by plain `fit`",
            describe_seconds(statistics.median(first)),
            f"1 / {median_ratio(whole, first):.1f}",
            f"{stored_passes:,} passes, {stored_speed:.1f} a second",
        ),
        Row(
            "the second run, by plain `fit`",
            describe_seconds(statistics.median(second)),
            f"1 / {median_ratio(whole, second):.0f}",
            "no passes",
        ),
        *_project(max(plain_speed, stored_speed)),
    ]


def _project(speed: float) -> list[Row]:
    # One speed for both: that of few photos in the model is low, since Keras traces the graph anew
    # for every `evaluate`, which all photos would hardly notice.
    full = load_settings("full")
    plain = EPOCHS * count_passes(ALL_TRAIN, ALL_VALID, full.batch_size)
    stored = ALL_TRAIN * (1 + full.views) + ALL_VALID
    photos = f"all {ALL_TRAIN:,} + {ALL_VALID:,} photos, at the faster of these speeds"
    return [
        Row(
            f"PROJECTION, plain `fit`, {photos}",
            describe_seconds(plain / speed),
            "1",
            f"{plain:,} passes",
        ),
        Row(
            f"PROJECTION, stored features, {full.views} views, first run, {photos}, by plain `fit`",
            describe_seconds(stored / speed),
            f"1 / {plain / stored:.1f}",
            f"{stored:,} passes, without the head's epochs",
        ),
    ]
