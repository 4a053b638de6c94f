"""The whole lesson in the full profile: plain `fit` with augmentation in the model against `train`.

Few photos are measured: a few epochs in the model, counted up to thirty, and whole runs on stored
features, the first one and the second, which finds them. What all photos would take is projected
from passes counted and passes a second measured; the head's thirty epochs on features of all
photos are measured, as a whole second run is. What a machine times once, for the base to run its
fastest way, is counted in the projection alone. A small base with features of VGG16's shape makes
these.
"""

import argparse
import statistics
import time

from measuring import Row, build_small_base, build_splits, median_ratio, new_cache

from course_utils.core import backend

backend.import_tensorflow()
from course_utils.augmentation.policy import Augmentation  # noqa: E402 (TensorFlow is to be quiet first)
from course_utils.core.progress import describe_seconds  # noqa: E402
from course_utils.core.settings import load_settings  # noqa: E402
from course_utils.features.forward import choose_precision  # noqa: E402
from course_utils.models.classifier import build_classifier  # noqa: E402
from course_utils.models.vgg16 import load_vgg16_base  # noqa: E402
from course_utils.training.train import train  # noqa: E402

TRAIN, VALID, BATCH_SIZE, EPOCHS, ROUNDS = 64, 64, 32, 30, 3
ALL_TRAIN, ALL_VALID = 5110, 5044
LESSON = Augmentation(flip="horizontal", contrast=0.5)
FULL = load_settings("full")
OPTIONS = {"views": FULL.views, "precision": "float32", "progress": False}


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns rows for each way, at a small size and projected to all photos."""
    base = load_vgg16_base()
    splits = build_splits(TRAIN, VALID, batch_size=BATCH_SIZE)
    plain, measured = _build(base), _build(base)

    def fit(epochs):
        plain.fit(splits.train, validation_data=splits.valid, epochs=epochs, verbose=0)

    def train_in_model(epochs):
        train(measured, splits, method="in_model", epochs=epochs, **OPTIONS)

    in_model = {"fit": fit, "train": train_in_model}
    for way in in_model.values():
        way(1)  # builds the graph, which thirty epochs do once
    seconds = {name: [] for name in (*in_model, "machine", "first", "second")}
    for _ in range(ROUNDS):
        for name, way in in_model.items():
            # What a call does once counts once: one epoch, and what each further one adds.
            one, two = _time(way, 1), _time(way, 2)
            seconds[name].append(one + (EPOCHS - 1) * (two - one))
        with new_cache():
            seconds["machine"].append(_time(choose_precision, base))
            for name in ("first", "second"):
                seconds[name].append(_time(_train_stored, base, splits))
    passes = _count_passes(TRAIN, VALID)
    names = {
        "fit": "plain `fit` with validation photos",
        "train": '`train(…, method="in_model")`, which measures clean training photos too',
        "first": f"`train` on stored features, {FULL.views} views, first run",
        "second": "the second run",
    }
    rows = [
        Row(
            f"{TRAIN} + {VALID} photos, float32: {names[way]}",
            describe_seconds(statistics.median(seconds[way])),
            f"{median_ratio(seconds['fit'], seconds[way]):.1f} times plain `fit`",
            f"{passes[way]:,} passes" if way in passes else "no passes",
        )
        for way in names
    ]
    of_base = [both - head for both, head in zip(seconds["first"], seconds["second"], strict=True)]
    speeds = {
        "fit": passes["fit"] / statistics.median(seconds["fit"]),
        "train": passes["train"] / statistics.median(seconds["train"]),
        "first": passes["first"] / statistics.median(of_base),
    }
    return rows + _project(speeds, names, statistics.median(seconds["machine"]))


def _build(base):
    return build_classifier(base, LESSON.layers(seed=1), seed=1)


def _train_stored(base, splits):
    train(_build(base), splits, method="stored_features", epochs=EPOCHS, **OPTIONS)


def _time(way, *words) -> float:
    start = time.perf_counter()
    way(*words)
    return time.perf_counter() - start


def _count_passes(train_photos: int, valid_photos: int) -> dict[str, int]:
    """Returns how many photos each way sends through the base; the second run sends none."""
    return {
        "fit": EPOCHS * (train_photos + valid_photos),
        "train": EPOCHS * train_photos + train_photos + valid_photos,  # clean photos once
        "first": train_photos * (1 + FULL.views) + valid_photos,
    }


def _project(speeds, names, machine: float) -> list[Row]:
    base = build_small_base()
    splits = build_splits(ALL_TRAIN, ALL_VALID, batch_size=FULL.batch_size)
    with new_cache():
        _train_stored(base, splits)
        head = statistics.median(_time(_train_stored, base, splits) for _ in range(ROUNDS))
    passes = _count_passes(ALL_TRAIN, ALL_VALID)
    whole = {name: passes[name] / speeds[name] for name in passes}
    whole["first"] += machine + head
    whole["second"] = head
    remarks = {
        name: f"{passes[name]:,} passes at the {speeds[name]:.1f} a second above" for name in passes
    }
    remarks["first"] += (
        f", {describe_seconds(machine)} to time the ways to compute and {describe_seconds(head)} "
        "for the head, measured"
    )
    remarks["second"] = f"measured, median of {ROUNDS}, on features of a small base"
    return [
        Row(
            f"{'PROJECTION, ' if name in passes else ''}all {ALL_TRAIN:,} + {ALL_VALID:,} photos: "
            f"{names[name]}",
            describe_seconds(whole[name]),
            f"{whole['fit'] / whole[name]:.1f} times plain `fit`",
            remarks[name],
        )
        for name in names
    ]
