"""`compare` of two policies over twenty seeds against one plain run on the same stored features."""

import argparse
import shutil
import statistics

from measuring import (
    Row,
    build_small_base,
    build_splits,
    median_ratio,
    new_cache,
    time_in_turns,
)

from course_utils.core import backend, environment

backend.import_tensorflow()
from course_utils.augmentation.policy import Augmentation  # noqa: E402 (TensorFlow is to be quiet first)
from course_utils.evaluation.compare import compare  # noqa: E402
from course_utils.models.classifier import build_classifier  # noqa: E402
from course_utils.training.train import train  # noqa: E402

# Train and valid photos, batch size, epochs: the quick profile's, and some thousand photos.
SIZES = ((300, 200, 16, 30), (2000, 1000, 64, 10))
ROUNDS = 3
BOUND = 8
POLICIES = {"none": Augmentation(), "flip": Augmentation(flip="horizontal")}


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns a row for each size."""
    return [_measure_size(*size) for size in SIZES]


def _measure_size(train_photos: int, valid_photos: int, batch_size: int, epochs: int) -> Row:
    base = build_small_base()
    splits = build_splits(train_photos, valid_photos, batch_size=batch_size)
    options = {"epochs": epochs, "precision": "float32", "progress": False}

    def run_once():
        train(build_classifier(base, seed=0), splits, method="stored_features", **options)

    def run_compare():
        # What is finished is kept; it is to be trained again.
        shutil.rmtree(environment.cache_dir() / "comparisons", ignore_errors=True)
        compare(POLICIES, splits, base, **options)

    with new_cache():
        compare(POLICIES, splits, base, **{**options, "epochs": 1})  # computes the features
        seconds = time_in_turns({"once": run_once, "compare": run_compare}, ROUNDS)
    once, many = (statistics.median(each) for each in seconds.values())
    ratio = median_ratio(seconds["compare"], seconds["once"])
    return Row(
        f"`compare`, 2 policies × 20 seeds and the baseline again, {train_photos:,} + "
        f"{valid_photos:,} photos, {epochs} epochs, by one `train`",
        f"{many:.1f} s by {once:.1f} s",
        f"{ratio:.2f}",
        f"60 runs for one; the bound is {BOUND}: {'kept' if ratio <= BOUND else 'missed'}",
    )
