"""Photos a second through the feature store against the bare forward pass, and against PyTorch.

The store reads pixels, augments photo by photo (flip and contrast), computes and writes to disk.
"""

import argparse
import statistics
import time
from pathlib import Path

from measuring import Row, build_photos, median_ratio, new_cache, run_python, time_in_turns

from course_utils.core import backend
from course_utils.features.store import FeatureStore
from course_utils.features.views import list_views

tensorflow = backend.import_tensorflow()
from course_utils.augmentation.policy import Augmentation  # noqa: E402 (TensorFlow is to be quiet first)
from course_utils.core.progress import Progress  # noqa: E402
from course_utils.features.forward import choose_precision  # noqa: E402
from course_utils.models.vgg16 import load_vgg16_base  # noqa: E402

BATCH, ROUNDS, PHOTOS = 64, 3, 128
TORCH = Path(__file__).with_name("torch_vgg16.py")


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns a row for the store, and one for PyTorch where its Python is named."""
    base = load_vgg16_base()
    with new_cache():
        precision = choose_precision(base)
        front = Augmentation(flip="horizontal", contrast=0.5).layers(seed=1)
        store = FeatureStore(front, base, precision="float32", seed=1)
        view = list_views(front, views=1, seed=1)[0]
        bare = tensorflow.function(lambda images: base(images, training=False), autograph=False)
        images = tensorflow.random.uniform((BATCH, 128, 128, 3), seed=1)
        rounds = iter(build_photos(PHOTOS, seed=number) for number in range(ROUNDS))
        torch_seconds = []

        def pass_bare():
            for _ in range(PHOTOS // BATCH):
                bare(images).numpy()

        def pass_torch():
            # Its own clock counts: PyTorch's start-up is not what is compared.
            printed = run_python(TORCH, str(PHOTOS), "float32", python=chosen.torch_python)
            torch_seconds.append(float(printed))

        rivals = {
            "bare": pass_bare,
            "stored": lambda: store.compute(next(rounds), view, Progress(0, "")),
        }
        if chosen.torch_python:
            rivals["torch"] = pass_torch
        pass_bare()
        store.compute(build_photos(PHOTOS, seed=ROUNDS), view, Progress(0, ""))
        seconds = time_in_turns(rivals, ROUNDS)
    speeds = {name: PHOTOS / statistics.median(each) for name, each in seconds.items()}
    rows = [
        Row(
            "the frozen VGG16's bare forward pass, float32, batches of 64",
            f"{speeds['bare']:.1f} a second",
            "1",
            f"`auto` chooses {precision} here",
        ),
        Row(
            "the store: read, augment, compute, write; by the bare pass",
            f"{speeds['stored']:.1f} a second",
            f"{median_ratio(seconds['bare'], seconds['stored']):.2f}",
        ),
    ]
    name = "PyTorch's VGG16, channels last, float32, by the bare pass"
    if not chosen.torch_python:
        return [*rows, Row(name, "not asked for", "", "`--torch-python PATH` measures it")]
    ratio = median_ratio(seconds["bare"], torch_seconds)
    speed = PHOTOS / statistics.median(torch_seconds)
    version = run_python("-c", "import torch; print(torch.__version__)", python=chosen.torch_python)
    rows.append(Row(name, f"{speed:.1f} a second", f"{ratio:.2f}", f"PyTorch {version}"))
    if precision == "bfloat16":
        start = time.perf_counter()
        pass_bare()
        beside = time.perf_counter() - start
        halved = float(run_python(TORCH, str(PHOTOS), precision, python=chosen.torch_python))
        rows.append(
            Row(
                "the same in bfloat16",
                f"{PHOTOS / halved:.1f} a second",
                f"{beside / halved:.2f}",
                "one round",
            )
        )
    return rows
