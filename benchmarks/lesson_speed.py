"""The whole lesson: plain `fit` with augmentation in the model against stored features.

One epoch of plain `fit` is measured and taken thirty times; the first run on stored features and
the second one, which finds them, are measured whole. How many photos go through the base is
counted, so that what all photos would take can be projected from the measured passes a second.
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

TRAIN, VALID, EPOCHS, ROUNDS = 48, 32, 30, 3
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

    # `train` also passes two batches to say how long it will take.
    epoch_passes = count_passes(TRAIN, VALID, quick.batch_size)
    passes = epoch_passes + 2 * quick.batch_size
    plain = build()
    time_training(plain, "in_model", 1)  # builds the graph, which thirty epochs do once
    epoch, first, second = [], [], []
    for _ in range(ROUNDS):
        epoch.append(time_training(plain, "in_model", 1) * epoch_passes / passes)
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
        *_project(plain_speed, stored_speed),
    ]


def _project(plain_speed: float, stored_speed: float) -> list[Row]:
    full = load_settings("full")
    views = full.views
    plain = EPOCHS * count_passes(ALL_TRAIN, ALL_VALID, full.batch_size)
    stored = ALL_TRAIN * (1 + views) + ALL_VALID
    photos = f"all {ALL_TRAIN:,} + {ALL_VALID:,} photos"
    by = (stored / stored_speed) / (plain / plain_speed)
    return [
        Row(
            f"PROJECTION, plain `fit`, {photos}",
            describe_seconds(plain / plain_speed),
            "1",
            f"{plain:,} passes at the speed above",
        ),
        Row(
            f"PROJECTION, stored features, {views} views, first run, {photos}, by plain `fit`",
            describe_seconds(stored / stored_speed),
            f"1 / {1 / by:.1f}",
            f"{stored:,} passes at the speed above, without the head's epochs",
        ),
    ]
