"""How time and peak anonymous memory grow with the photos, the seeds and the trainings.

Anonymous memory is what the operating system cannot take back by dropping file pages; pixels and
features are memory-mapped files, so it should not grow with the photos. A small frozen base with
features of VGG16's shape stands in for the passes; VGG16 itself is loaded and run on one batch, so
that its memory counts. Each size has a process of its own. Linux only (it reads /proc).
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from measuring import (
    Row,
    build_photos,
    build_small_base,
    build_splits,
    new_cache,
    read_anonymous,
    run_python,
    time_in_turns,
    watch_memory,
)

from course_utils.core import environment

TIMES = (1, 2, 4, 8)
PHOTOS, VGG16_PHOTOS = 1250, 32  # whole batches of the base
SEEDS = (2, 5, 20, 50)
ROUNDS = 3
LESSONS = ("01", "02", "03")
TRAININGS, SETTLED = 40, 3  # in one kernel; what the first ones take is not growth


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns rows for photos and seeds, and draws them to runs/benchmarks/growth.png."""
    lines = {
        f"features of {PHOTOS:,} photos × 1, 2, 4, 8, small base": (TIMES, "photos"),
        f"VGG16's features of {VGG16_PHOTOS} photos × 1, 2, 4, 8": (TIMES, "vgg16"),
        "`compare`, 2, 5, 20, 50 seeds, 300 + 200 photos, 10 epochs": (SEEDS, "seeds"),
    }
    rows, found = [], {}
    for name, (sizes, kind) in lines.items():
        if kind == "vgg16":
            pairs = json.loads(run_python(__file__, kind, "0"))
        else:
            pairs = [json.loads(run_python(__file__, kind, str(size))) for size in sizes]
        found[name] = sizes, np.array(pairs)
        rows.append(_tell(name, *found[name]))
    _draw(found)
    return [*rows, _tell_trainings(), _tell_lessons()]


def _tell(name: str, sizes, pairs: np.ndarray) -> Row:
    seconds, peaks = pairs.T
    exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    least = "; `compare` takes two seeds at the least, so 2 stands for 1" if 50 in sizes else ""
    memory = ", ".join(f"{peak / 1e9:.2f}" for peak in peaks)
    return Row(
        name,
        ", ".join(f"{each:.1f}" for each in seconds) + " s",
        f"exponent {exponent:.2f}",
        f"peak anonymous memory {memory} GB{least}",
    )


def _tell_trainings() -> Row:
    levels = json.loads(run_python(__file__, "trainings", str(TRAININGS)))
    growth = (levels[-1] - levels[SETTLED - 1]) / (TRAININGS - SETTLED)
    return Row(
        f"{TRAININGS} trainings on stored features in one kernel, a new model each time",
        f"{levels[SETTLED - 1] / 1e6:.0f} MB after {SETTLED}, {levels[-1] / 1e6:.0f} MB at the end",
        "",
        f"{growth / 1e6:.2f} MB each after the {SETTLED}rd, anonymous memory",
    )


def _tell_lessons() -> Row:
    peaks = json.loads(run_python(__file__, "lessons", "0"))
    return Row(
        f"lessons {', '.join(LESSONS)}, quick, one after another, from the weights alone",
        ", ".join(f"{peak / 1e9:.2f}" for peak in peaks) + " GB",
        "",
        "peak anonymous memory of the kernel, as `check` prints it",
    )


def _draw(found) -> None:
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, (sizes, pairs) in found.items():
        for ax, values in zip(axes, (pairs[:, 0], pairs[:, 1] / 1e9), strict=True):
            ax.plot(sizes, values, marker="o", label=name)
    for ax, title in zip(axes, ("seconds", "peak anonymous memory, GB"), strict=True):
        ax.set(xscale="log", title=title, xlabel="times as many photos, or seeds")
    axes[0].set_yscale("log")
    axes[1].set_ylim(bottom=0)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", fontsize=8)
    path = environment.project_dir() / "runs" / "benchmarks" / "growth.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=120)
    plt.close(fig)


def _time_features(base, photos_of_sizes) -> list[float]:
    """Returns for each size the median seconds of computing its features, without start-up."""
    from course_utils.core.progress import Progress
    from course_utils.features import forward
    from course_utils.features.store import FeatureStore
    from course_utils.features.views import clean_view

    clean = clean_view(())
    store = FeatureStore((), base, precision="float32", seed=1)
    with new_cache():
        # Two sizes, and the graph takes any; then a whole batch, which may be compiled for itself.
        for seed, size in enumerate((4, 8, forward.BATCH)):
            store.compute(build_photos(size, seed=seed), clean, Progress(0, ""))

    def compute(photos):
        with new_cache():
            store.compute(photos, clean, Progress(0, ""))

    rivals = {str(size): partial(compute, each) for size, each in enumerate(photos_of_sizes)}
    return [statistics.median(each) for each in time_in_turns(rivals, ROUNDS).values()]


def measure_photos(times: int) -> list[float]:
    """Returns seconds for the features, and the peak of memory in training on them."""
    from course_utils.core import backend

    backend.import_tensorflow()
    from course_utils.models.classifier import build_classifier
    from course_utils.models.vgg16 import load_vgg16_base
    from course_utils.training.train import train

    load_vgg16_base().predict(np.zeros((64, 128, 128, 3), "float32"), verbose=0)
    base = build_small_base()
    with new_cache() as folder:
        splits = build_splits(8, 100, batch_size=64)
        splits = replace(splits, train=_map_photos(folder / "pixels.npy", times * PHOTOS))
        with watch_memory() as peak:
            (seconds,) = _time_features(base, [splits.train])
            options = {"method": "stored_features", "precision": "float32", "progress": False}
            train(build_classifier(base, seed=0), splits, epochs=3, **options)
    return [seconds, peak[0]]


def _map_photos(path: Path, count: int):
    """Returns photos whose pixels are a memory-mapped file, as the kit's own are."""
    from course_utils.data.dataset import Photos

    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 128, 128, 3))
    random = np.random.default_rng(count)
    for photo in pixels:
        photo[:] = random.integers(0, 256, photo.shape, dtype=np.uint8)
    pixels.flush()
    del pixels, photo
    labels = (np.arange(count) % 2).astype("float32")[:, None]
    keys = np.arange(count, dtype=np.uint64)
    return Photos(np.load(path, mmap_mode="r"), labels, keys, [""] * count, shuffle=True)


def measure_vgg16(_: int) -> list[list[float]]:
    """Returns seconds for each number of photos, and the peak of memory of all together."""
    from course_utils.core import backend

    backend.import_tensorflow()
    from course_utils.models.vgg16 import load_vgg16_base

    base = load_vgg16_base()
    sizes = [build_photos(times * VGG16_PHOTOS, seed=times) for times in TIMES]
    with watch_memory() as peak:
        return [[seconds, peak[0]] for seconds in _time_features(base, sizes)]


def measure_seeds(seeds: int) -> list[float]:
    """Returns seconds and peak of memory of a comparison whose features lie ready."""
    from course_utils.core import backend

    backend.import_tensorflow()
    from course_utils.augmentation.policy import Augmentation
    from course_utils.evaluation.compare import compare

    policies = {"none": Augmentation(), "flip": Augmentation(flip="horizontal")}
    base, splits = build_small_base(), build_splits(300, 200, batch_size=16)
    options = {"precision": "float32", "progress": False}
    with new_cache(), watch_memory() as peak:
        compare(policies, splits, base, seeds=seeds, epochs=1, **options)  # computes the features
        start = time.perf_counter()
        compare(policies, splits, base, seeds=seeds, epochs=10, **options)
        return [time.perf_counter() - start, peak[0]]


def measure_trainings(count: int) -> list[int]:
    """Returns the anonymous memory after each training, in bytes."""
    from course_utils.core import backend

    backend.import_tensorflow()
    from course_utils.augmentation.policy import Augmentation
    from course_utils.models.classifier import build_classifier
    from course_utils.training.train import train

    base, splits, levels = build_small_base(), build_splits(300, 200, batch_size=64), []
    options = {"epochs": 3, "method": "stored_features", "precision": "float32", "progress": False}
    with new_cache():
        for seed in range(count):
            front = Augmentation(flip="horizontal").layers(seed=1)
            train(build_classifier(base, front, seed=seed), splits, **options)
            levels.append(read_anonymous())
    return levels


def measure_lessons(_: int) -> list[int]:
    """Returns the peak of each lesson's kernel, in bytes."""
    from course_utils.core import environment
    from course_utils.lessons import check, notebooks
    from course_utils.models import vgg16

    arrays = vgg16.load_vgg16_weights(verbose=False)
    paths = [notebooks.find_lesson(number) for number in LESSONS]
    quick = {"COURSE_DATA_DIR": "synthetic", "COURSE_PROFILE": "quick"}
    with new_cache() as folder, environment.using(**quick):
        vgg16.store_vgg16_weights(arrays)
        outcomes = check.check_notebooks(
            paths, folder / "pages", at_once=1, report=lambda outcome: None, progress=False
        )
    failed = [outcome.failures[0] for outcome in outcomes if outcome.failures]
    if failed:
        raise RuntimeError(f"A lesson failed: {failed[0]}")
    return [outcome.peak_memory for outcome in outcomes]


KINDS = {
    "lessons": measure_lessons,
    "photos": measure_photos,
    "vgg16": measure_vgg16,
    "seeds": measure_seeds,
    "trainings": measure_trainings,
}

if __name__ == "__main__":
    print(json.dumps(KINDS[sys.argv[1]](int(sys.argv[2]))))
