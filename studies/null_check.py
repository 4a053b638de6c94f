"""A policy against itself, a thousand times: how often does the interval contain zero?

    python studies/null_check.py

Each comparison trains the same initial weights twice, in other orders and with other draws among
the stored views, on the synthetic vehicles of the quick profile. The true difference is zero. The
table goes to data/results/null-check.csv.
"""

import argparse
import hashlib

import numpy as np
import pandas as pd
from published_tables import write_table

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend, cache, settings
from course_utils.data.dataset import load_car_or_truck
from course_utils.data.duplicates import group_near_duplicates
from course_utils.evaluation.runs import build_heads, is_right
from course_utils.evaluation.statistics import estimate_difference
from course_utils.models.classifier import build_classifier
from course_utils.models.fingerprints import fingerprint_base
from course_utils.models.partition import split_model
from course_utils.models.vgg16 import load_vgg16_base
from course_utils.training.heads import Order, in_order, measure_losses, open_features

SEED, COMPARISONS, EPOCHS, VIEWS = 31415, 1000, 5, 4
SEEDS = (2, 5)  # runs in each arm of a comparison
AT_ONCE = 400  # runs, 0.2 GB of weights each way
LEAST_COVERAGE = 0.93


def measure_null(stored, valid, splits, base, *, seeds: int, comparisons: int) -> pd.DataFrame:
    """Returns a row for each comparison and measure: its difference and interval.

    Args:
        stored: The training photos' features in each stored view.
        valid: The validation photos' features.
        splits: The photos.
        base: The frozen VGG16.
        seeds: Runs in each of the two arms of a comparison.
        comparisons: How many.
    """
    clusters, tables = group_near_duplicates(splits.valid), []
    keys = hashlib.sha256(np.concatenate([splits.train.keys, splits.valid.keys])).hexdigest()
    together = max(AT_ONCE // seeds, 1)
    for first in range(0, comparisons, together):
        count = min(together, comparisons - first)
        runs = range(10_000 + first * seeds, 10_000 + (first + count) * seeds)

        def train(runs=runs, count=count) -> dict[str, np.ndarray]:
            arms = []
            for draws in (SEED, SEED + 1):
                heads = build_heads(base, runs, "stable")
                order, size = Order(draws, runs), splits.train.batch_size
                heads.fit(stored, splits.train.labels, order=order, batch_size=size, epochs=EPOCHS)
                arms.append(heads.predict(in_order([valid], splits.valid.labels))[0])
            found = {}
            for measure, function in (("accuracy", is_right), ("loss", measure_losses)):
                one, other = (function(arm, splits.valid.labels).T.astype(float) for arm in arms)
                estimates = [
                    estimate_difference(each, clusters) for each in np.split(one - other, count)
                ]
                found[measure] = np.array([estimate.interval() for estimate in estimates])
            return found

        # Kept, so that a study that is stopped goes on with the next comparisons.
        about = [seeds, first, count, EPOCHS, len(stored), keys, fingerprint_base(base)]
        kept = cache.load_or_make(cache.name_entry("null-check", about), train)
        for measure in ("accuracy", "loss"):
            table = pd.DataFrame(kept[measure][:], columns=["difference", "low", "high"])
            tables.append(table.assign(measure=measure, seeds=seeds))
        print(f"{seeds} runs in each arm: {first + count:,} comparisons", flush=True)
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Measures, writes how often intervals contain zero, and fails where they do too seldom."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--comparisons", type=int, default=COMPARISONS)
    asked = parser.parse_args()
    backend.set_seed()
    splits = load_car_or_truck(settings.load_settings("quick"), folder="synthetic")
    base = load_vgg16_base()
    layers = Augmentation(flip="horizontal", contrast=0.5).layers(SEED)
    parts = split_model(build_classifier(base, layers, seed=SEED))
    options = {"views": VIEWS, "seed": SEED, "precision": "auto", "progress": True}
    stored, _, valid = open_features(parts, splits, **options)
    tables = [
        measure_null(stored, valid, splits, base, seeds=seeds, comparisons=asked.comparisons)
        for seeds in asked.seeds
    ]
    table = pd.concat(tables, ignore_index=True)
    contains = (table["low"] <= 0) & (table["high"] >= 0)
    found = table.assign(contains_zero=contains, standard_deviation=table["difference"])
    found = found.groupby(["measure", "seeds"]).agg(
        comparisons=("contains_zero", "size"),
        contains_zero=("contains_zero", "mean"),
        mean_difference=("difference", "mean"),
        standard_deviation=("standard_deviation", "std"),
    )
    notes = [f"Flip and contrast against itself; {splits.train.count} synthetic training and "]
    notes[0] += f"{splits.valid.count} validation photos, {EPOCHS} epochs, {VIEWS} stored views."
    write_table(found.reset_index(), "null-check", notes)
    print(found.round(4))
    if found["contains_zero"].min() < LEAST_COVERAGE:
        raise SystemExit(f"Fewer than {LEAST_COVERAGE:.0%} of the intervals contain zero.")


if __name__ == "__main__":
    main()
