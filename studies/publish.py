"""Runs the comparisons of studies/PLAN.md on the real photos and writes data/results.

    COURSE_DATA_DIR=../shared/car-or-truck python studies/publish.py primary …

Everything that takes long is kept in the cache, block by block and policy by policy: stop a part
whenever you like and start it again. `studies/in_pieces.sh` does so every few minutes.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import pandas as pd
from divisions import divide_again
from published_tables import list_differences, list_runs, write_table
from results_page import write_page

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend, settings
from course_utils.data.dataset import Splits, load_car_or_truck
from course_utils.evaluation.affinity import evaluate_affinity
from course_utils.evaluation.compare import compare
from course_utils.evaluation.comparison import MARGINS, Comparison, choose_word
from course_utils.evaluation.robustness import evaluate_robustness
from course_utils.evaluation.runs import build_heads, train_runs
from course_utils.evaluation.statistics import correct_by_holm
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view, list_views
from course_utils.lessons.published import load_results
from course_utils.models.classifier import build_classifier, build_imagenet_preprocessing
from course_utils.models.partition import split_model
from course_utils.models.vgg16 import load_vgg16_base
from course_utils.training.heads import Order, in_order, open_features

SEED, SEEDS, EPOCHS, VIEWS, PRIMARY_VIEWS = 31415, range(20, 40), 30, 4, 8
PRECISION = "bfloat16"
SECOND_DIVISION = 2  # its seed
OTHER_SEEDS = range(100, 120)  # none of those that are published

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
    # Too much of everything: it is meant to close the gap and to spoil what counts.
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
    "one operation": Augmentation(one_operation=0.5),
}
PRIMARY = {name: POLICIES[name] for name in ("none", "flip + contrast")}
# Division, head and stored views, in the order in which they are computed.
PRIMARY_RUNS = (
    *(("first", "stable", VIEWS), ("first", "lesson", VIEWS)),
    *(("first", "stable", PRIMARY_VIEWS), ("second", "stable", PRIMARY_VIEWS)),
    ("first", "lesson", PRIMARY_VIEWS),
)
# The most stand for plain online training, with a new view at every use.
VIEW_COUNTS = (30, 16, 8, 4, 2, 1)
PHOTO_COUNTS = (100, 500, 1250, 2500, 4000)
SENSITIVITY = {
    "rotation": (-45, -30, -20, -10, 0, 10, 20, 30, 45),
    "contrast": (-0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6),
    "flip": (0, 1),
}
SENSITIVITY_PHOTOS = 500


@dataclass(frozen=True)
class Study:
    """What every part compares on.

    Args:
        splits: The photos.
        base: The frozen VGG16.
        notes: Lines that say so above every table.
        precision: Of the features. Where a CPU has no bfloat16, float32 is faster.
        client: Of a Dask cluster, or `None` for this machine alone.
        only: The policies that take part where there are many; none stands for all.
    """

    splits: Splits
    base: keras.Model
    notes: tuple[str, ...]
    precision: str = PRECISION
    client: Any = None
    only: tuple[str, ...] = ()

    def compare(self, policies, *, views=VIEWS, splits=None, **options) -> Comparison:
        """Returns the head of the comparisons under each policy."""
        options = {"seeds": SEEDS, "epochs": EPOCHS, "client": self.client} | options
        options = {"seed": SEED, "precision": self.precision} | options
        found = compare(policies, splits or self.splits, self.base, views=views, **options)
        if len(found.policies) <= len(policies):
            raise KeyboardInterrupt  # A table of some of the policies would not say so.
        return found

    def write(self, tables: list[pd.DataFrame], name: str) -> None:
        """Writes one table of several that have the same columns."""
        write_table(pd.concat(tables, ignore_index=True), name, list(self.notes))


def count_views(policy: str, views: int = VIEWS) -> int:
    """Returns how many stored views of a photo a policy has: flips are listed, others sampled."""
    layers = POLICIES.get(policy, Augmentation()).layers(SEED)
    return len(list_views(layers, views=views, seed=SEED))


def publish_comparison(study: Study, found: Comparison, name: str, views: Callable) -> None:
    """Writes the runs and the differences of one comparison."""
    study.write([list_runs(found, views)], f"{name}-runs")
    study.write([list_differences(found)], f"{name}-differences")
    for measure in ("loss", "accuracy"):
        print(f"\n{found.verdict(measure)}")


def publish_primary(study: Study) -> None:
    """The lesson's policy against none, in both divisions, with both heads, 4 and 8 views."""
    runs, differences = [], []
    for division, head, views in PRIMARY_RUNS:
        splits = study.splits
        if division == "second":
            splits = divide_again(splits, seed=SECOND_DIVISION)
        found = study.compare(PRIMARY, views=views, splits=splits, head=head)
        about = {"division": division, "head": head}
        counts = {name: count_views(name, views) for name in found.policies}
        runs.append(list_runs(found, counts).assign(**about))
        table = correct_measures(list_differences(found))
        differences.append(table.assign(views=views, **about))
        for measure in ("gap", "loss", "accuracy"):
            print(f"\n{division} division, {head}, {views} views\n{found.verdict(measure)}")
        # After each, so that a part that is stopped leaves what is finished.
        study.write(runs, "primary-runs")
        study.write(differences, "primary-differences")


def correct_measures(table: pd.DataFrame) -> pd.DataFrame:
    """Returns differences of one policy with Holm's correction over its three measures."""
    table = table.copy()
    several = (table["class"] == "both") & ~table["policy"].str.endswith(" again")
    for _, rows in table[several].groupby(["policy", "photos", "epoch", "pairs_counted"]):
        table.loc[rows.index, "p_holm"] = correct_by_holm(rows["p_value"])
    table["verdict"] = [
        choose_word(row.measure, row.difference, row.p_holm, row.p_same, MARGINS[row.measure])
        for row in table.itertuples()
    ]
    return table


def publish_policies(study: Study) -> None:
    """All policies, with affinity and diversity."""
    policies = {name: POLICIES[name] for name in study.only or POLICIES}
    found = study.compare(policies)
    publish_comparison(study, found, "policies", count_views)
    if study.only:
        return  # Affinity needs one more pass of the validation photos for each policy.
    table = evaluate_affinity(
        found, POLICIES, study.splits.valid, study.base, seed=SEED, precision=study.precision
    )
    study.write([table.reset_index()], "policies-affinity")


def publish_views(study: Study) -> None:
    """The lesson's policy with more and fewer stored views, against the most."""
    numbers = {f"{count} view{'s' if count > 1 else ''}": count for count in VIEW_COUNTS}
    found = study.compare(dict.fromkeys(numbers, LESSON), views=numbers)
    publish_comparison(study, found, "views", lambda policy: int(policy.split()[0]))


def publish_other_views(study: Study) -> None:
    """How much the primary difference depends on which views are stored."""
    parts = split_model(build_classifier(study.base, LESSON.layers(SEED), seed=SEED))
    options = {"seed": SEED, "precision": study.precision, "progress": True}
    stored, clean, valid = open_features(parts, study.splits, views=4 * PRIMARY_VIEWS, **options)
    baseline = study.compare(PRIMARY, views=PRIMARY_VIEWS)._find("none")
    tables = []
    for number in range(4):
        views = stored[number * PRIMARY_VIEWS : (number + 1) * PRIMARY_VIEWS]
        runs = train_runs(
            build_heads(study.base, SEEDS, "stable"),
            study.splits,
            views=views,
            augmented=in_order(views, study.splits.train.labels, seed=SEED),
            clean=clean,
            valid=valid,
            order=Order(SEED, SEEDS),
            epochs=EPOCHS,
        )
        both = {"none": baseline, "flip + contrast": runs}
        found = Comparison(both, study.splits, baseline="none", seed=SEED)
        tables.append(list_differences(found).assign(views_set=number + 1))
    study.write(tables, "other-views-differences")


def publish_preprocessing(study: Study) -> None:
    """RGB in [0, 1], as in the lesson, against what VGG16 was trained on."""
    policies = {}
    for name in PRIMARY:
        plain = POLICIES[name].layers(SEED)
        policies[name] = plain
        policies[f"{name}, ImageNet's preprocessing"] = [*plain, build_imagenet_preprocessing()]
    found = study.compare(policies)
    publish_comparison(
        study, found, "preprocessing", lambda policy: 1 if policy.startswith("none") else VIEWS
    )


def publish_photo_counts(study: Study) -> None:
    """Fewer training photos, used so often that the steps are as many."""
    policies = {name: POLICIES[name] for name in ("none", "flip", "flip + contrast")}
    every, tables = study.splits.train.count, []
    for count in (*PHOTO_COUNTS, every):
        fewer = study.splits.take_train(count)
        fewer = replace(fewer, train=fewer.train.repeated(every // count))
        print(f"\n{count} training photos", flush=True)
        tables.append(describe_photo_count(study.compare(policies, splits=fewer), count))
    study.write(tables, "photo-counts")


def describe_photo_count(found: Comparison, count: int) -> pd.DataFrame:
    """Returns a row for each run: the held-out half at the chosen epoch, and the end."""
    rows = []
    for (policy, seed), run in found.runs.groupby(["policy", "seed"], sort=False):
        chosen, last = run.loc[run["selection_loss"].idxmin()], run.iloc[-1]
        rows.append(
            {
                "policy": policy,
                "train_photos": count,
                "seed": seed,
                "epoch": chosen["epoch"],
                "held_out_loss": chosen["held_out_loss"],
                "held_out_binary_accuracy": chosen["held_out_binary_accuracy"],
                "last_val_loss": last["val_loss"],
                "last_val_binary_accuracy": last["val_binary_accuracy"],
                "dead_head": last["dead_head"],
            }
        )
    return pd.DataFrame(rows)


def publish_sensitivity(study: Study) -> None:
    """What the heads of each policy predict for photos that are turned, flattened, mirrored."""
    found = study.compare(POLICIES)
    photos = study.splits.valid.take(SENSITIVITY_PHOTOS, seed=SEED)
    table = evaluate_robustness(found, photos, study.base, SENSITIVITY, precision=study.precision)
    study.write([table], "sensitivity")


def check_row(study: Study) -> None:
    """Another twenty runs of the primary comparison: does their mean lie in the interval?

    Raises:
        SystemExit: If it does not. Of intervals that are right, one in six misses the mean of as
            many new runs, since that has chance in it too.
    """
    found = study.compare(PRIMARY, views=PRIMARY_VIEWS, seeds=OTHER_SEEDS)
    table = load_results("primary-differences")
    asked = f"division == 'first' and head == 'stable' and views == {PRIMARY_VIEWS}"
    asked += " and `class` == 'both' and epoch == 'last'"
    published = table.query(f"{asked} and policy == 'flip + contrast'").set_index("measure")
    outside = []
    for measure, row in published.iterrows():
        again = found.differences(measure).loc["flip + contrast", "difference"]
        print(f"{measure}: {again:+.4f}; published {row.seeds_low:+.4f} to {row.seeds_high:+.4f}")
        if not row.seeds_low <= again <= row.seeds_high:
            outside.append(measure)
    if outside:
        raise SystemExit(f"Outside the published interval: {', '.join(outside)}.")


def prepare(study: Study) -> None:
    """Only the features of the primary comparison, for a start while the code is being written."""
    layers = LESSON.layers(SEED)
    for splits in (study.splits, divide_again(study.splits, seed=SECOND_DIVISION)):
        views = [clean_view(layers), *list_views(layers, views=PRIMARY_VIEWS, seed=SEED)]
        needed = [(splits.valid, [clean_view(layers)]), (splits.train, views)]
        prepare_features(layers, study.base, needed, precision=study.precision, seed=SEED)


PARTS = {
    "prepare": prepare,
    "primary": publish_primary,
    "policies": publish_policies,
    "views": publish_views,
    "other-views": publish_other_views,
    "preprocessing": publish_preprocessing,
    "photo-counts": publish_photo_counts,
    "sensitivity": publish_sensitivity,
    "check-row": check_row,
    "page": lambda study: write_page(),
}


def load_study(scheduler: str | None, precision: str) -> Study:
    """Returns the photos and the base, what they are, and a client.

    Args:
        scheduler: The address of a Dask scheduler; `None` computes everything here.
        precision: Of the features.
    """
    backend.set_seed()
    splits = load_car_or_truck(settings.load_settings("full"))
    photos = ", ".join(f"{split} {int(row.sum()):,}" for split, row in splits.counts.iterrows())
    notes = (
        f"Kaggle's car-or-truck photos ({photos}); {len(SEEDS)} random initializations with seeds "
        f"{SEEDS[0]} to {SEEDS[-1]}, {EPOCHS} epochs; features in {precision}.",
        "The plan of the analysis is in studies/PLAN.md.",
    )
    client = None
    if scheduler:
        from distributed import Client

        client = Client(scheduler)
    return Study(splits, load_vgg16_base(), notes, precision, client)


def main() -> None:
    """Publishes the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--only", nargs="+", default=(), choices=POLICIES, help="policies")
    parser.add_argument("--scheduler", help="address of a Dask scheduler, see docs/cluster.md")
    parser.add_argument("--precision", default=PRECISION, choices=("bfloat16", "float32"))
    asked = parser.parse_args()
    study = replace(load_study(asked.scheduler, asked.precision), only=tuple(asked.only))
    for part in asked.parts:
        PARTS[part](study)


if __name__ == "__main__":
    main()
