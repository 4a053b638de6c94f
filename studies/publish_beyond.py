"""Lesson 09's tricks on the real photos: change the label, the features, or the question.

    COURSE_DATA_DIR=../shared/car-or-truck python studies/publish_beyond.py

trains what studies/PLAN.md says under *Beyond one photo* and writes data/results/beyond-*.csv.
Every block of features, every policy and every small network is an entry of the cache: stop
whenever you like and start again; `studies/in_pieces.sh` does so every few minutes.
"""

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from beyond_tables import (
    AVERAGED,
    FEATURES,
    PIXELS,
    QUESTION,
    VIEW_COUNTS,
    judge,
    list_differences,
    list_reliability,
    list_runs,
    list_views,
)
from published_tables import write_table

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend, cache, settings
from course_utils.data.dataset import Photos, Splits, load_car_or_truck
from course_utils.data.duplicates import group_near_duplicates
from course_utils.evaluation.averaging import predict_views
from course_utils.evaluation.compare import compare
from course_utils.models.vgg16 import load_vgg16_base

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)
from keras import layers  # noqa: E402

VERSION = 1  # Raise it when the same small network gives other numbers.
SEED, VIEWS = 31415, 2
PIXEL_BATCH = 32
LESSON = Augmentation(flip="horizontal", contrast=0.5)


@dataclass(frozen=True)
class Sizes:
    """How much is computed.

    Args:
        train: Training photos.
        judged: Photos of the other split that judge.
        views: How many of these are looked at in several views.
        starts: Seeds of the heads.
        pixel_starts: Seeds of the small networks.
        epochs: Of both.
    """

    train: int = 2000
    judged: int = 2000
    views: int = 500
    starts: range = range(20, 40)
    pixel_starts: range = range(20, 25)
    epochs: int = 30


# --- what lesson 09 has on its page: a test compares both --------------------------------


def mix(features, labels, random):
    partner = random.permutation(len(features))
    weight = random.random((len(features), 1), "float32")
    return tuple(weight * each + (1 - weight) * each[partner] for each in (features, labels))


def brighten(features, labels, random):
    maps = features.reshape(len(features), -1, 512)
    highest = maps.max(axis=1, keepdims=True)
    shift = random.uniform(-0.2, 0.2, highest.shape)
    brighter = np.clip(maps + shift * highest, 0, highest)
    return brighter.reshape(features.shape), labels


def build_network(seed):
    keras.utils.set_random_seed(seed)
    network = keras.Sequential([keras.Input((32, 32, 3))])
    for filters in (16, 32, 64):
        network.add(layers.Conv2D(filters, 3, strides=2, activation="relu"))
    network.add(layers.Flatten())
    network.add(layers.Dense(1, activation="sigmoid"))
    network.compile("adam", "binary_crossentropy", metrics=["binary_accuracy"])
    return network


# --- the runs ----------------------------------------------------------------------------

POLICIES = {"none": Augmentation(), "flip + contrast": LESSON}
POLICIES |= {"manifold mixup": mix, "frozen-feature brightness": brighten}
MIXERS = {"none": None, "MixUp": layers.MixUp, "CutMix": layers.CutMix}


def shrink(photos: Photos) -> np.ndarray:
    """Returns photos of 32 × 32 pixels: the mean of each 4 × 4."""
    pool = layers.AveragePooling2D(4)
    blocks = [range(start, min(start + 256, photos.count)) for start in range(0, photos.count, 256)]
    return np.concatenate([np.asarray(pool(photos.read(block))) for block in blocks])


def train_network(
    mixer: Callable | None, seed: int, train: tuple, judged: np.ndarray, epochs: int
) -> dict[str, np.ndarray]:
    """Trains one small network on pixels.

    Args:
        mixer: `MixUp`, `CutMix` or `None`.
        seed: Of its initial weights, the photos' order and the mixing.
        train: Small training photos and their labels.
        judged: Small photos that judge.
        epochs: How often every photo is used.

    Returns:
        `probabilities` of the photos that judge, and `measured`: running loss and accuracy of the
        last epoch, then loss and accuracy on clean training photos.
    """
    network = build_network(seed)
    batches = tensorflow.data.Dataset.from_tensor_slices(train)
    batches = batches.shuffle(len(train[0]), seed=seed).batch(PIXEL_BATCH)
    if mixer:
        layer = mixer(seed=seed)
        mixed = batches.map(lambda images, labels: layer({"images": images, "labels": labels}))
        batches = mixed.map(lambda batch: (batch["images"], batch["labels"]))
    history = network.fit(batches, epochs=epochs, shuffle=False, verbose=0).history
    running = [history[name][-1] for name in ("loss", "binary_accuracy")]
    clean = network.evaluate(*train, verbose=0)
    given = network.predict(judged, verbose=0)[:, 0]
    return {"probabilities": given, "measured": np.array([*running, *clean], "float32")}


def run_networks(splits: Splits, sizes: Sizes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns each trick's probabilities, (starts, photos), and what was measured while training.

    Args:
        splits: The photos.
        sizes: How many starts and epochs.
    """
    train, judged = (shrink(splits.train), splits.train.labels), shrink(splits.valid)
    arrays = [*train, judged]
    about = [hashlib.sha256(np.ascontiguousarray(each)).hexdigest() for each in arrays]
    about += [VERSION, sizes.epochs, PIXEL_BATCH, build_network(0).to_json()]
    expected = {"probabilities": ("float32", (len(judged),)), "measured": ("float32", (4,))}
    found = {}
    for name, mixer in MIXERS.items():
        runs = []
        for seed in sizes.pixel_starts:
            entry = cache.name_entry("beyond", [*about, name, seed])
            options = (mixer, seed, train, judged, sizes.epochs)
            kept = cache.load_or_make(
                entry, lambda options=options: train_network(*options), arrays=expected
            )
            runs.append([kept[part][:] for part in expected])
            print(f"pixels, {name}, start {seed}: done", flush=True)
        found[name] = tuple(np.stack(each) for each in zip(*runs, strict=True))
    return found


def publish(splits: Splits, base: keras.Model, sizes: Sizes, precision: str) -> None:
    """Computes everything and writes the four tables.

    Args:
        splits: The photos, as many as there are.
        base: The frozen base.
        sizes: How many photos, starts and epochs.
        precision: Of the features.
    """
    splits = replace(splits.take_train(sizes.train), valid=splits.valid.take(sizes.judged))
    labels, clusters = splits.valid.labels, group_near_duplicates(splits.valid)
    options = {"seed": SEED, "precision": precision}
    found = compare(
        POLICIES, splits, base, seeds=sizes.starts, epochs=sizes.epochs, views=VIEWS, **options
    )
    if len(found.policies) <= len(POLICIES):
        raise KeyboardInterrupt  # Tables of some of the policies would not say so.
    heads = {policy: found.probabilities(policy)[-1] for policy in found.policies}

    few = splits.valid.take(sizes.views)
    asked = (found, "flip + contrast", few, base)
    (clean,) = predict_views(*asked, **options)
    views = predict_views(*asked, LESSON.layers(SEED), views=max(VIEW_COUNTS), **options)
    averaged = {"clean photo alone": clean, AVERAGED: views.mean(axis=0)}

    networks = run_networks(splits, sizes)
    pixels = {trick: runs for trick, (runs, _) in networks.items()}

    notes = [
        f"Kaggle's car-or-truck photos: {splits.train.count:,} training photos, {len(labels):,} "
        f"photos of the other split that judge, {few.count:,} of these in several views; {VIEWS} "
        "stored views of each training photo.",
        f"{len(sizes.starts)} random initializations of the heads, {len(sizes.pixel_starts)} of "
        f"the small networks, {sizes.epochs} epochs; features in {precision}.",
        "The plan of the analysis is in studies/PLAN.md.",
    ]
    rows = list_differences(FEATURES, heads, labels, clusters)
    rows += list_differences(QUESTION, averaged, few.labels, group_near_duplicates(few))
    rows += list_differences(PIXELS, pixels, labels, clusters)
    table = judge(rows)
    write_table(table, "beyond-differences", notes)
    print(table[["where", "trick", "measure", "difference", "verdict"]].to_string())
    runs = list_runs(PIXELS, pixels, labels, sizes.pixel_starts)
    measured = np.concatenate([each for _, each in networks.values()])
    runs[["running_loss", "running_accuracy", "clean_loss", "clean_accuracy"]] = measured
    both = [list_runs(FEATURES, heads, labels, sizes.starts), runs]
    write_table(pd.concat(both, ignore_index=True), "beyond-runs", notes)
    both = [
        list_reliability(where, given, labels)
        for where, given in ((FEATURES, heads), (PIXELS, pixels))
    ]
    write_table(pd.concat(both, ignore_index=True), "beyond-reliability", notes)
    write_table(list_views(clean, views, few.labels, sizes.starts), "beyond-views", notes)


def main() -> None:
    """Publishes lesson 09's comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choices = ("bfloat16", "float32")
    parser.add_argument("--precision", default="float32", choices=choices, help="of the features")
    asked = parser.parse_args()
    backend.set_seed()
    splits = load_car_or_truck(settings.load_settings("full"))
    publish(splits, load_vgg16_base(), Sizes(), asked.precision)


if __name__ == "__main__":
    main()
