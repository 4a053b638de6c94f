"""Do contrasts interpolated between a few serve as well as stored views? Writes to data/results/.

    COURSE_DATA_DIR=../shared/car-or-truck python studies/publish_interpolation.py

Contrast is a smooth change with one number, so that features at any contrast may be interpolated
between those at a few: a new view at every use, from flip × 3 (or 5) passes of each photo. That
is set against 1 to 30 stored views of the lesson's policy, with 20 starts each; thirty views for
thirty epochs stand for plain online training. 1,250 train photos in batches of 16, which make as
many steps as all photos in batches of 64 (`--photos` takes others); all valid photos.
"""

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from publish_results import (
    EPOCHS,
    LESSON,
    NOTES,
    SEED,
    SEEDS,
    Study,
    load_study,
    write_comparison,
    write_table,
)

from course_utils.augmentation.policy import Augmentation
from course_utils.data.dataset import epoch_order
from course_utils.evaluation.compare import AGAIN
from course_utils.evaluation.comparison import Comparison
from course_utils.evaluation.runs import train_runs
from course_utils.features.batches import StoredViews
from course_utils.features.store import FeatureStore, prepare_features
from course_utils.features.views import View, changed_view, clean_view, list_views
from course_utils.models.classifier import build_classifier
from course_utils.models.partition import split_model
from course_utils.training.heads import EVALUATION_BATCH, Heads, gather_weights

PHOTOS, BATCH_SIZE = 1250, 16
VIEW_COUNTS = (30, 16, 8, 4, 2, 1)
BASELINE = f"{VIEW_COUNTS[0]} views"
LEVEL_COUNTS = (3, 5)
PROBES, FINEST = 100, 17  # photos of which features are compared, at how many contrasts
LOW, HIGH = 0.5, 1.5  # contrast factors of the lesson


class InterpolatedViews(StoredViews):
    """Batches of features at contrasts sampled at every use, each photo once an epoch.

    Args:
        views: Features of the photos at equally spaced contrasts, rising, then of their mirror
            images at the same.
        labels: float32, shape (count, 1).
        **options: As in `StoredViews`.
    """

    def read_epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        count, levels = len(self.labels), len(self.views) // 2
        order = np.arange(count)
        if self.shuffle:
            order = epoch_order(count, seed=self.seed, epoch=epoch)
        random = np.random.default_rng([self.seed, epoch, 1])
        first = levels * random.integers(2, size=count)
        place = random.uniform(0, levels - 1, size=count)
        below = np.minimum(place.astype(int), levels - 2)
        share = (place - below).astype("float32")
        for start in range(0, count, self.batch_size):
            chosen = order[start : start + self.batch_size]
            mixed = np.empty((len(chosen), *self.views[0].shape), "float32")
            for row, photo in enumerate(chosen):
                number = first[photo] + below[photo]
                low, high = (self.views[each][photo] for each in (number, number + 1))
                mixed[row] = low + share[photo] * (high - low)
            yield mixed, self.labels[chosen]


def list_contrasts(factors: Sequence[float], *, mirrored: bool) -> list[View]:
    """Returns views of photos that all have one contrast factor, mirrored or not."""
    (layer,) = Augmentation(contrast=LESSON.contrast).layers(SEED)

    def change(images, factor):
        images = images[:, :, ::-1] if mirrored else images
        drawn = layer.get_random_transformation(images, training=True)
        drawn["contrast_factor"] = 0 * drawn["contrast_factor"] + factor
        return layer.transform_images(images, drawn, training=True)

    return [
        changed_view(
            (), lambda images, factor=factor: change(images, factor), ["contrast", factor, mirrored]
        )
        for factor in factors
    ]


def measure_features(study: Study) -> pd.DataFrame:
    """Returns how far interpolated features lie from true ones, in shares of their length."""
    photos = study.splits.train.take(PROBES)
    # Seventeen contrasts hold those of three and of five, and some between.
    spaced = np.linspace(LOW, HIGH, FINEST).tolist()
    views = list_contrasts(spaced, mirrored=False)
    store = prepare(study, (), [(photos, views)])
    true = {
        factor: store.open(photos, view).read(range(photos.count)).reshape(photos.count, -1)
        for factor, view in zip(spaced, views, strict=True)
    }
    factors, rows = list(true), []
    for count in LEVEL_COUNTS:
        step = (FINEST - 1) // (count - 1)
        for place, factor in enumerate(factors):
            below = min(place // step, count - 2) * step
            share = (place - below) / step
            mixed = (1 - share) * true[factors[below]] + share * true[factors[below + step]]
            apart = np.linalg.norm(mixed - true[factor], axis=1)
            apart /= np.linalg.norm(true[factor], axis=1)
            rows.append({"levels": count, "factor": factor, "error": apart.mean()})
    return pd.DataFrame(rows).set_index(["levels", "factor"])


def prepare(study: Study, front, needed) -> FeatureStore:
    """Computes what is missing, through whatever is fast here."""
    return prepare_features(front, study.fast, needed, precision="float32", seed=SEED)


def compare_ways(study: Study) -> Comparison:
    """Returns the runs with stored views and with interpolated contrasts."""
    splits, base = study.splits, study.base
    front = LESSON.layers(SEED)
    clean = clean_view(front)
    drawn = list_views(front, views=VIEW_COUNTS[0], seed=SEED)
    store = prepare(study, front, [(splits.valid, [clean]), (splits.train, [clean, *drawn])])
    on_clean, on_valid = store.open(splits.train, clean), store.open(splits.valid, clean)
    stored = [store.open(splits.train, view) for view in drawn]
    ways: dict[str, tuple] = {
        f"{count} view{'s' if count > 1 else ''}": (StoredViews, stored[:count], SEED)
        for count in VIEW_COUNTS
    }
    for count in LEVEL_COUNTS:
        spaced = np.linspace(LOW, HIGH, count).tolist()
        views = [
            *list_contrasts(spaced, mirrored=False),
            *list_contrasts(spaced, mirrored=True),
        ]
        store = prepare(study, (), [(splits.train, views)])
        opened = [store.open(splits.train, view) for view in views]
        ways[f"interpolated, {len(views)} passes"] = (InterpolatedViews, opened, SEED)
    ways[AGAIN.format(BASELINE)] = (StoredViews, stored, SEED + 1)
    starts = gather_weights(
        [split_model(build_classifier(base, (), seed=start)).head for start in range(SEEDS)],
        base.output_shape[1:],
    )
    heads, finished = Heads(starts), {}
    for name, (kind, views, seed) in ways.items():
        print(f"{name}: {SEEDS} runs.", flush=True)
        labels = splits.train.labels
        options = {"batch_size": splits.train.batch_size, "shuffle": True, "seed": seed}
        heads.restart(starts)
        finished[name] = train_runs(
            heads,
            splits,
            batches=kind(views, labels, **options),
            augmented=kind(views, labels, batch_size=EVALUATION_BATCH, seed=seed),
            clean=on_clean,
            valid=on_valid,
            epochs=EPOCHS,
        )
    return Comparison(finished, splits, baseline=BASELINE, seed=SEED)


def main() -> None:
    """Measures features, then curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="keras", choices=("keras", "mnn"))
    parser.add_argument("--photos", type=int, default=PHOTOS, help="train photos")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    asked = parser.parse_args()
    study = load_study(asked.engine)
    write_table(measure_features(study), "interpolated-features")
    NOTES.append(f"{asked.photos:,} train photos, in batches of {asked.batch_size}.")
    fewer = study.splits.take_train(asked.photos, batch_size=asked.batch_size)
    found = compare_ways(Study(fewer, study.base, study.fast))
    passes = {name: int(name.split(", ")[-1].split()[0]) for name in found.policies}
    write_comparison(found, "interpolated-", lambda policy: passes[policy])


if __name__ == "__main__":
    main()
