"""Are features between a few contrasts as good as thirty views? Writes the answer to data/results/.

    COURSE_DATA_DIR=../shared/car-or-truck python benchmarks/interpolated_contrast.py

Contrast is a smooth change with one number, so that features at any contrast may be interpolated
between those at a few: a new view at every use, from flip × 3 (or 5) passes of each photo. That
is set against 1 to 30 stored views of the lesson's policy, with 20 starts each. Thirty views and
thirty epochs stand for plain online training. 1,250 train photos in batches of 16, which make as
many steps as all photos in batches of 64; all valid photos.
"""

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from publish_results import EPOCHS, LESSON, SEED, SEEDS, Study, load_study, write_table

from course_utils import features
from course_utils.comparison import Comparison, PolicyRuns
from course_utils.features import StoredFeatures, StoredViews
from course_utils.heads import Heads, gather_weights, in_order, measure_losses
from course_utils.model import build_classifier, split_model

PHOTOS, BATCH_SIZE = 1250, 16
VIEW_COUNTS = (30, 16, 8, 4, 2, 1)
BASELINE = f"{VIEW_COUNTS[0]} views"
LOW, HIGH = 0.5, 1.5  # contrast factors of the lesson
LEVEL_COUNTS = (3, 5)
PROBES = 100  # photos, of which features are compared
PROBED = (0.625, 0.75, 0.875, 1.125, 1.25, 1.375)


class InterpolatedViews(StoredViews):
    """Batches of features at contrasts drawn anew at every use, each photo once an epoch.

    Args:
        views: Features of unmirrored photos at equally spaced contrasts, rising, then of
            mirrored ones at the same.
        labels: float32, shape (count, 1).
        **options: As in `StoredViews`.
    """

    def read_epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        count, levels = len(self.labels), len(self.views) // 2
        order = np.arange(count)
        if self.shuffle:
            order = features.epoch_order(count, seed=self.seed, epoch=epoch)
        random = np.random.default_rng([self.seed, epoch, 1])
        first = levels * random.integers(2, size=count)
        place = random.uniform(0, levels - 1, size=count)
        below = np.minimum(place.astype(int), levels - 2)
        share = (place - below).astype("float32")
        for start in range(0, count, self.batch_size):
            chosen = order[start : start + self.batch_size]
            mixed = np.zeros((len(chosen), *self.views[0].shape), "float32")
            for step, weights in ((0, 1 - share), (1, share)):
                needed = (first + below + step)[chosen]
                for number in np.unique(needed):
                    here = needed == number
                    weight = weights[chosen[here], None, None, None]
                    mixed[here] += weight * self.views[number].read(chosen[here])
            yield mixed, self.labels[chosen]


def list_contrasts(factors: Sequence[float], *, mirrored: bool) -> list[features.View]:
    """Returns views of photos that all have one contrast factor, mirrored or not."""
    (layer,) = LESSON.__class__(contrast=LESSON.contrast).layers(SEED)

    def change(images, factor):
        images = images[:, :, ::-1] if mirrored else images
        drawn = layer.get_random_transformation(images, training=True)
        drawn["contrast_factor"] = 0 * drawn["contrast_factor"] + factor
        return layer.transform_images(images, drawn, training=True)

    return [
        features.changed_view(
            (), lambda images, factor=factor: change(images, factor), ["contrast", factor, mirrored]
        )
        for factor in factors
    ]


def measure_features(study: Study) -> pd.DataFrame:
    """Returns how far interpolated features lie from true ones, in shares of their length."""
    photos = study.splits.train.take(PROBES)
    factors = sorted({*PROBED, *(each for count in LEVEL_COUNTS for each in space(count))})
    views = list_contrasts(factors, mirrored=False)
    store = prepare(study, [(photos, views)])
    opened = [store.open(photos, view).read(range(photos.count)) for view in views]
    true = {factor: each.reshape(photos.count, -1) for factor, each in zip(factors, opened)}  # noqa: B905
    rows = []
    for count in LEVEL_COUNTS:
        levels = space(count)
        for factor in PROBED:
            place = (factor - LOW) / (HIGH - LOW) * (count - 1)
            below = min(int(place), count - 2)
            share = place - below
            mixed = (1 - share) * true[levels[below]] + share * true[levels[below + 1]]
            apart = np.linalg.norm(mixed - true[factor], axis=1)
            apart /= np.linalg.norm(true[factor], axis=1)
            rows.append({"levels": count, "factor": factor, "error": apart.mean()})
    return pd.DataFrame(rows).set_index(["levels", "factor"])


def space(count: int) -> list[float]:
    """Returns equally spaced contrast factors."""
    return np.linspace(LOW, HIGH, count).tolist()


def prepare(study: Study, needed, front=()) -> features.FeatureStore:
    """Computes what is missing, through whatever is fast here."""
    return features.prepare_features(front, study.fast, needed, precision="float32", seed=SEED)


def train_heads(heads: Heads, starts, batches, augmented, clean, valid, splits) -> PolicyRuns:
    """Trains all heads from their starts and measures them after every epoch."""
    heads.restart(starts)
    labels, rows, answers, dead = splits.train.labels, [], [], []

    def measure(epoch: int) -> None:
        on_clean, alive = heads.answer(in_order([clean], labels))
        row = []
        for given in (on_clean, heads.answer(augmented, epoch=epoch)[0]):
            row += [measure_losses(given, labels).mean(axis=0)]
            row += [((given > 0.5) == (labels > 0.5)).mean(axis=0)]
        rows.append(row)
        answers.append(heads.answer(in_order([valid], splits.valid.labels))[0].T)
        dead.append(~alive)

    heads.fit(batches, epochs=EPOCHS, on_epoch_end=measure)
    train = np.array(rows, "float32").swapaxes(0, 1)
    return PolicyRuns(train, np.array(answers, "float32"), np.array(dead), heads.get_weights())


def compare_ways(study: Study) -> Comparison:
    """Returns the runs with stored views and with interpolated contrasts."""
    splits, base = study.splits, study.base
    front = LESSON.layers(SEED)
    drawn = features.list_views(front, views=max(VIEW_COUNTS), seed=SEED)
    clean = features.clean_view(front)
    store = prepare(study, [(splits.valid, [clean]), (splits.train, [clean, *drawn])], front)
    stored = [store.open(splits.train, view) for view in drawn]
    on_clean, on_valid = store.open(splits.train, clean), store.open(splits.valid, clean)
    ways: dict[str, tuple[type, list[StoredFeatures], int]] = {
        f"{count} view{'s' if count > 1 else ''}": (StoredViews, stored[:count], SEED)
        for count in VIEW_COUNTS
    }
    for count in LEVEL_COUNTS:
        views = [
            view
            for mirrored in (False, True)
            for view in list_contrasts(space(count), mirrored=mirrored)
        ]
        store = prepare(study, [(splits.train, views)])
        opened = [store.open(splits.train, view) for view in views]
        ways[f"interpolated, {len(views)} passes"] = (InterpolatedViews, opened, SEED)
    ways[f"{BASELINE} again"] = (StoredViews, stored, SEED + 1)
    starts = gather_weights(
        [split_model(build_classifier(base, (), seed=start)).head for start in range(SEEDS)],
        base.output_shape[1:],
    )
    heads, finished = Heads(starts), {}
    for name, (kind, views, seed) in ways.items():
        print(f"{name}: {SEEDS} runs.", flush=True)
        labels = splits.train.labels
        batches = kind(views, labels, batch_size=BATCH_SIZE, shuffle=True, seed=seed)
        # Measured in large batches, as `heads.in_order` does.
        augmented = kind(views, labels, batch_size=512, seed=seed)
        finished[name] = train_heads(heads, starts, batches, augmented, on_clean, on_valid, splits)
    return Comparison(finished, splits, baseline=BASELINE, seed=SEED)


def main() -> None:
    """Measures features, then curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="keras", choices=("keras", "mnn"))
    study = load_study(parser.parse_args().engine)
    write_table(measure_features(study), "interpolation-features")
    fewer = study.splits.take_train(PHOTOS, batch_size=BATCH_SIZE)
    found = compare_ways(Study(fewer, study.base, study.fast))
    passes = {name: int(name.split(", ")[-1].split()[0]) for name in found.policies}
    columns = ["policy", "views", "seed", "epoch", "clean_loss", "clean_binary_accuracy"]
    columns += ["augmented_loss", "augmented_binary_accuracy", "val_loss", "val_binary_accuracy"]
    runs = found.runs.assign(views=found.runs["policy"].map(passes))
    write_table(
        runs[[*columns, "gap", "dead_head"]].set_index(columns[:4]), "interpolation-histories"
    )
    for living in (False, True):
        ending = "-living" if living else ""
        for measure in ("accuracy", "loss"):
            table = found.differences(measure, photos="sealed", living=living)
            write_table(table, f"interpolation-differences-{measure}{ending}")
        write_table(found.summary(living=living), f"interpolation-summary{ending}")
    for measure in ("accuracy", "loss"):
        print(f"\n{found.verdict(measure)}")


if __name__ == "__main__":
    main()
