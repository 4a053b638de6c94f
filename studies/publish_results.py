"""Compares policies on the real photos and writes what came out to data/results/.

    COURSE_DATA_DIR=../shared/car-or-truck python studies/publish_results.py policies …

All photos, the lesson's head, 20 starts, 30 epochs. Each policy's features are computed once (for
every view of all train photos some minutes to an hour, by machine); a run that was broken off
goes on where it stopped. What has been compared before stands in the cache. `--engine mnn`
is three times as fast as Keras here (`pip install mnn`), and says how far its features lie from
Keras's.
"""

import argparse
import datetime
import sys
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from mnn_base import MnnBase, check_features

from course_utils.core import backend, environment, settings
from course_utils.core.files import atomic_write
from course_utils.features.batches import StoredViews
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view, list_views

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

from course_utils.augmentation.policy import Augmentation  # noqa: E402
from course_utils.data.dataset import Splits, load_car_or_truck  # noqa: E402
from course_utils.evaluation.compare import compare  # noqa: E402
from course_utils.evaluation.comparison import Comparison  # noqa: E402
from course_utils.evaluation.robustness import evaluate_robustness  # noqa: E402
from course_utils.evaluation.runs import train_runs  # noqa: E402
from course_utils.lessons.published import load_results  # noqa: E402
from course_utils.models.classifier import (  # noqa: E402
    build_classifier,
    build_imagenet_preprocessing,
    split_model,
)
from course_utils.models.vgg16 import load_vgg16_base  # noqa: E402
from course_utils.training.heads import Heads, gather_weights, in_order, open_features  # noqa: E402

SEED, SEEDS, EPOCHS, VIEWS = 31415, 20, 30, 4
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "pillow")
DECIMALS = 5

LESSON = Augmentation(flip="horizontal", contrast=0.5)
POLICIES = {
    "none": Augmentation(),
    "flip": Augmentation(flip="horizontal"),
    "contrast": Augmentation(contrast=0.5),
    "flip + contrast": LESSON,
    "geometry": Augmentation(flip="horizontal", rotation=15, translation=0.1, zoom=0.2),
    "color": Augmentation(brightness=0.2, contrast=0.5, saturation=0.25, hue=20),
    "vertical flip": Augmentation(flip="vertical"),
    "RandAugment": Augmentation(rand_augment=0.5),
    # Too much of it all: it is to close the gap and to spoil what counts.
    "everything": Augmentation(
        flip="horizontal",
        rotation=45,
        translation=0.3,
        zoom=0.4,
        shear=0.3,
        perspective=0.3,
        brightness=0.5,
        contrast=0.8,
        saturation=0.4,
        hue=90,
        grayscale=0.3,
        blur=1.0,
        erasing=0.3,
    ),
}
# How many views of the lesson's policy: the most stand for plain online training, with its new view
# at every use.
VIEW_COUNTS = (30, 16, 8, 4, 2, 1)
PHOTO_COUNTS = (100, 500, 1250, 2500, 4000)
COPIED, COPIES = 500, 8
SENSITIVITY = {
    "rotation": (-45, -30, -20, -10, 0, 10, 20, 30, 45),
    "contrast": (-0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6),
    "flip": (0, 1),
}
SENSITIVITY_PHOTOS = 500
OTHER_STARTS = range(100, 100 + SEEDS)  # none of those that are published


@dataclass(frozen=True)
class Study:
    """What every part compares on.

    Args:
        splits: The photos.
        base: The frozen VGG16.
        fast: What computes features that are missing: the base itself, or MNN's.
    """

    splits: Splits
    base: keras.Model
    fast: keras.Model | MnnBase

    def compare(self, policies, *, views=VIEWS, splits: Splits | None = None) -> Comparison:
        """Returns the lesson's head under each policy, from the same starts."""
        splits = splits or self.splits
        for name, policy in policies.items():
            front = policy.layers(SEED) if isinstance(policy, Augmentation) else policy
            number = views[name] if isinstance(views, dict) else views
            clean = clean_view(front)
            drawn = list_views(front, views=number, seed=SEED)
            needed = [(splits.valid, [clean]), (splits.train, [clean, *drawn])]
            prepare_features(front, self.fast, needed, precision="float32", seed=SEED)
        options = {"seeds": SEEDS, "epochs": EPOCHS, "seed": SEED, "precision": "float32"}
        return compare(policies, splits, self.base, views=views, **options)


def publish_policies(study: Study, names) -> None:
    """Nine policies."""
    found = study.compare({name: POLICIES[name] for name in names or POLICIES})
    write_comparison(found, "", lambda policy: count_views(POLICIES.get(policy, Augmentation())))


def publish_eight_views(study: Study, names) -> None:
    """The lesson's policy with as many views as the full profile stores."""
    policies = {name: POLICIES[name] for name in ("none", "flip + contrast")}
    found = study.compare(policies, views=8)
    write_comparison(found, "eight-views-", lambda policy: 8 if policy == "flip + contrast" else 1)


def publish_views(study: Study, names) -> None:
    """The lesson's policy with more and fewer stored views, and what each lacks of the most."""
    numbers = {f"{count} view{'s' if count > 1 else ''}": count for count in VIEW_COUNTS}
    found = study.compare(dict.fromkeys(numbers, LESSON), views=numbers)
    write_comparison(found, "views-", lambda policy: int(policy.split()[0]))


def publish_preprocessing(study: Study, names) -> None:
    """RGB in [0, 1], as in the lesson, against what VGG16 was trained on."""
    policies = {}
    for name in names or ("none", "flip + contrast"):
        plain = POLICIES[name].layers(SEED)
        policies[name] = plain
        policies[f"{name}, ImageNet's preprocessing"] = [*plain, build_imagenet_preprocessing()]
    found = study.compare(policies)
    write_comparison(
        found, "preprocessing-", lambda policy: 1 if policy.startswith("none") else VIEWS
    )


def publish_photo_counts(study: Study, names) -> None:
    """Fewer train photos, used so often that the steps are as many (with 4,000 a fifth fewer)."""
    policies = {name: POLICIES[name] for name in names or ("none", "flip", "flip + contrast")}
    every = study.splits.train.count
    tables = []
    for count in (*PHOTO_COUNTS, every):
        fewer = study.splits.take_train(count)
        fewer = replace(fewer, train=fewer.train.repeated(every // count))
        views = dict.fromkeys(policies, VIEWS)
        # Few photos in as many versions as many photos: are these worth the same?
        more = {f"flip + contrast, {COPIES} views": LESSON} if count == COPIED else {}
        print(f"\n{count} train photos", flush=True)
        found = study.compare(
            policies | more, views=views | dict.fromkeys(more, COPIES), splits=fewer
        )
        tables.append(tell_photo_count(found, count))
    write_table(pd.concat(tables), "photo-counts")


def tell_photo_count(found: Comparison, count: int) -> pd.DataFrame:
    """Returns a row for each run: sealed photos at the epoch chosen on select, and the end."""
    rows = []
    for (policy, seed), run in found.runs.groupby(["policy", "seed"], sort=False):
        chosen, last = run.loc[run["select_loss"].idxmin()], run.iloc[-1]
        rows.append(
            {
                "policy": policy,
                "train_photos": count,
                "seed": seed,
                "epoch": chosen["epoch"],
                "sealed_loss": chosen["sealed_loss"],
                "sealed_binary_accuracy": chosen["sealed_binary_accuracy"],
                "last_val_loss": last["val_loss"],
                "last_val_binary_accuracy": last["val_binary_accuracy"],
                "dead_head": last["dead_head"],
            }
        )
    return pd.DataFrame(rows).set_index(["policy", "train_photos", "seed"])


def publish_sensitivity(study: Study, names) -> None:
    """What the heads of each policy answer to photos that are turned, flattened, mirrored."""
    found = study.compare({name: POLICIES[name] for name in names or POLICIES})
    photos = study.splits.valid.take(SENSITIVITY_PHOTOS, seed=SEED)
    table = evaluate_robustness(found, photos, study.fast, SENSITIVITY, precision="float32")
    write_table(table.set_index(["policy", "transformation", "strength", "seed"]), "sensitivity")


def check_row(study: Study, names) -> None:
    """Another twenty starts of one policy: do their means lie in the published intervals?

    Raises:
        SystemExit: If one does not. Of intervals that are right, one in six misses the mean of as
            many new starts, since that has chance in it too.
    """
    (policy,) = names or ["none"]
    parts = split_model(build_classifier(study.base, POLICIES[policy].layers(SEED), seed=SEED))
    views, clean, valid = open_features(
        parts, study.splits, views=VIEWS, seed=SEED, precision="float32", progress=True
    )
    starts = [
        split_model(build_classifier(study.base, (), seed=start)).head for start in OTHER_STARTS
    ]
    labels, order = study.splits.train.labels, {"shuffle": True, "seed": SEED}
    runs = train_runs(
        Heads(gather_weights(starts, study.base.output_shape[1:])),
        study.splits,
        batches=StoredViews(views, labels, batch_size=study.splits.train.batch_size, **order),
        augmented=in_order(views, labels, seed=SEED),
        clean=clean,
        valid=valid,
        epochs=EPOCHS,
    )
    found = Comparison({policy: runs}, study.splits, baseline=policy, seed=SEED)
    again = found.summary(living=True).loc[policy]
    published = load_results("summary-living").loc[policy]
    outside = []
    print(f"{policy}, living heads, starts {OTHER_STARTS[0]} to {OTHER_STARTS[-1]}:")
    for measure in ("clean_loss", "augmented_loss", "val_loss", "val_binary_accuracy", "gap"):
        middle, half = published[measure], published[f"{measure} ±"]
        print(f"{measure} {again[measure]:.4f}; published {middle:.4f} ± {half:.4f}")
        if abs(again[measure] - middle) > half:
            outside.append(measure)
    if outside:
        raise SystemExit(f"Outside the published interval: {', '.join(outside)}.")


PARTS = {
    "policies": publish_policies,
    "eight-views": publish_eight_views,
    "views": publish_views,
    "preprocessing": publish_preprocessing,
    "photo-counts": publish_photo_counts,
    "sensitivity": publish_sensitivity,
    "check-row": check_row,
}


def count_views(policy: Augmentation) -> int:
    """Returns how many views training drew from: flips are listed, other values are sampled."""
    return len(list_views(policy.layers(SEED), views=VIEWS, seed=SEED))


def write_comparison(found: Comparison, prefix: str, views) -> None:
    """Writes and prints every epoch, the paired differences and the summary of a comparison.

    Args:
        found: The comparison.
        prefix: Of the files' names.
        views: From a policy's name to how many views it drew from.
    """
    runs = found.runs.assign(views=found.runs["policy"].map(views))
    columns = ["policy", "views", "seed", "epoch", "clean_loss", "clean_binary_accuracy"]
    columns += ["augmented_loss", "augmented_binary_accuracy", "val_loss", "val_binary_accuracy"]
    columns += ["gap", "dead_head"]
    write_table(runs[columns].set_index(columns[:4]), f"{prefix}histories")
    for living in (False, True):
        ending = "-living" if living else ""
        for measure in ("accuracy", "loss"):
            table = found.differences(measure, photos="sealed", living=living)
            write_table(table, f"{prefix}differences-{measure}{ending}")
        chosen = found.differences("loss", photos="sealed", epoch="chosen", living=living)
        write_table(chosen, f"{prefix}differences-loss-chosen{ending}")
        write_table(found.summary(living=living), f"{prefix}summary{ending}")
    for measure in ("accuracy", "loss"):
        print(f"\n{found.verdict(measure)}")


def write_table(table: pd.DataFrame, name: str) -> None:
    """Writes a table to data/results/, whole or not at all, and says above it how it was made."""
    about = [
        f"Made by: python benchmarks/{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}",
        f"On {datetime.date.today().isoformat()}, {backend.processor()}, {backend.device()}, "
        + ", ".join(f"{package} {version(package)}" for package in PACKAGES),
        *NOTES,
    ]
    text = "".join(f"# {line}\n" for line in about)
    text += table.round(DECIMALS).to_csv(lineterminator="\n")
    with atomic_write(environment.data_dir() / "results" / f"{name}.csv") as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")
    print(f"\n{name}.csv\n{table.round(4).to_string(max_rows=40)}", flush=True)


NOTES: list[str] = []  # what was measured, for every file


def load_study(engine: str) -> Study:
    """Returns the photos and the base, and notes for every table what they are.

    Args:
        engine: `"keras"` or `"mnn"`.
    """
    backend.set_seed()
    splits = load_car_or_truck(settings.load_settings("full"))
    base = load_vgg16_base()
    photos = ", ".join(f"{split} {int(row.sum()):,}" for split, row in splits.counts.iterrows())
    NOTES.append(f"Kaggle's car-or-truck photos ({photos}), {SEEDS} starts, {EPOCHS} epochs.")
    if engine == "keras":
        return Study(splits, base, base)
    apart = check_features(base, splits.valid.read(np.arange(64)))
    NOTES.append(f"Features through MNN {version('mnn')}: {apart:.0e} of the largest from Keras's.")
    return Study(splits, base, MnnBase(base))


def main() -> None:
    """Publishes the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--only", nargs="+", default=[], help="policies")
    parser.add_argument("--engine", default="keras", choices=("keras", "mnn"))
    chosen = parser.parse_args()
    study = load_study(chosen.engine)
    for part in chosen.parts:
        PARTS[part](study, chosen.only)


if __name__ == "__main__":
    main()
