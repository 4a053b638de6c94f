"""This checkout against an older one: the same work in processes of their own, taking turns.

git worktree add /tmp/older COMMIT
python benchmarks/run.py changes --against /tmp/older
"""

import argparse
import json
import shutil
import statistics
import sys
import time

from measuring import (
    Row,
    build_small_base,
    build_splits,
    median_ratio,
    new_cache,
    run_python,
)

from course_utils import settings

TRAIN, VALID, EPOCHS, ROUNDS, VIEWS = 2000, 1000, 5, 3, 4
WORDS = {
    "order": "reading 2,000 photos' features in their order",
    "shuffled": f"reading an epoch of them in shuffled batches of 64 out of {VIEWS} views",
    "answer": "the answers of 20 heads to them",
    "compare": f"`compare`, 2 policies × 20 seeds, {EPOCHS} epochs",
    "train": f"one `train`, {EPOCHS} epochs",
    "one missing": "VGG16's features of 16 photos, of which one is missing",
}


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns a row for each kind of work, seconds of the older checkout by this one's."""
    if not chosen.against:
        return [Row("older by newer", "not asked for", "", "`--against PATH` measures it")]
    checkouts = {"older": chosen.against.resolve(), "newer": settings.project_dir()}
    found = {name: [] for name in checkouts}
    weights = settings.find_stored("weights")
    with new_cache() as cache:
        if weights:
            (cache / "weights").symlink_to(weights.resolve())
        # The features are computed once, and both find them: their names are the same.
        run_python(__file__, "prepare", PYTHONPATH=str(checkouts["newer"]))
        for _ in range(ROUNDS):
            for name, folder in checkouts.items():
                shutil.rmtree(cache / "comparisons", ignore_errors=True)
                printed = run_python(__file__, "time", PYTHONPATH=str(folder))
                found[name].append(json.loads(printed.splitlines()[-1]))
    rows = []
    for work, words in WORDS.items():
        older, newer = ([each[work] for each in found[name]] for name in checkouts)
        rows.append(
            Row(
                f"{words}: older by newer",
                f"{statistics.median(older):.2f} by {statistics.median(newer):.2f} s",
                f"{median_ratio(older, newer):.2f}",
            )
        )
    return rows


def _build():
    from course_utils import runtime

    runtime.import_tensorflow()
    return build_small_base(), build_splits(TRAIN, VALID, batch_size=64)


def _prepare() -> None:
    from course_utils import features

    base, splits = _build()
    for front, views in _list_fronts():
        clean = features.clean_view(front)
        needed = [(splits.valid, [clean]), (splits.train, [clean, *views])]
        features.prepare_features(
            front, base, needed, precision="float32", seed=31415, progress=False
        )


def _list_fronts():
    from course_utils import features
    from course_utils.augmentation import Augmentation

    for policy in (Augmentation(flip="horizontal"), Augmentation(brightness=0.2)):
        front = policy.layers(31415)
        yield front, features.list_views(front, views=VIEWS, seed=31415)


def _time_all() -> dict[str, float]:
    from course_utils.augmentation import Augmentation
    from course_utils.comparison import compare
    from course_utils.features import (
        FeatureStore,
        StoredViews,
        clean_view,
        list_views,
        prepare_features,
    )
    from course_utils.heads import Heads, gather_weights, in_order
    from course_utils.model import build_classifier, split_model
    from course_utils.training import train
    from course_utils.weights import load_vgg16_base

    base, splits = _build()
    labels = splits.train.labels
    front, views = list(_list_fronts())[1]
    store = FeatureStore(front, base, precision="float32", seed=31415)
    stored = [store.open(splits.train, view) for view in views]
    clean = in_order([store.open(splits.train, clean_view(front))], labels)
    shuffled = StoredViews(stored, labels, batch_size=64, shuffle=True, seed=1)
    starts = [split_model(build_classifier(base, (), seed=seed)).head for seed in range(20)]
    heads = Heads(gather_weights(starts, base.output_shape[1:]))
    options = {"epochs": EPOCHS, "precision": "float32", "progress": False}
    policies = {"none": Augmentation(), "flip": Augmentation(flip="horizontal")}
    vgg16, few = load_vgg16_base(), splits.train.take(16)
    # The throws of this process alone, so that the photo is missing in each of them.
    seed = time.time_ns() % 2**32
    last = (few, list_views(front, views=1, seed=seed))
    prepare_features(
        front, vgg16, [(few.take(15), last[1])], precision="float32", seed=seed, progress=False
    )

    work = {
        "order": lambda: [None for _ in clean.read_epoch(0)],
        "shuffled": lambda: [None for _ in shuffled.read_epoch(0)],
        "answer": lambda: heads.answer(clean),
        "compare": lambda: compare(policies, splits, base, **options),
        "train": lambda: train(
            build_classifier(base, seed=0), splits, method="stored_features", **options
        ),
        "one missing": lambda: prepare_features(
            front, vgg16, [last], precision="float32", seed=seed
        ),
    }
    seconds = {}
    for name, one_of_them in work.items():
        if name in ("order", "shuffled", "answer"):
            one_of_them()  # pages come from the disk once
        start = time.perf_counter()
        one_of_them()
        seconds[name] = time.perf_counter() - start
    return seconds


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        _prepare()
    else:
        print(json.dumps(_time_all()))
