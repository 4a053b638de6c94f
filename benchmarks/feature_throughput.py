"""Photos a second through the feature store against the bare forward pass, in one run.

    python benchmarks/feature_throughput.py [photos]

The bare pass and the store take turns, so that a noisy machine disturbs both alike. The store
reads pixels, augments photo by photo (flip and contrast), computes and writes to disk.
"""

import os
import statistics
import sys
import tempfile
import time

import numpy as np

from course_utils import runtime

tensorflow = runtime.import_tensorflow()
from course_utils.augmentation import Augmentation  # noqa: E402
from course_utils.data import Photos  # noqa: E402
from course_utils.features import BATCH, FeatureStore, list_views  # noqa: E402
from course_utils.progress import Progress  # noqa: E402
from course_utils.weights import load_vgg16_base  # noqa: E402

ROUNDS = 5


def build_photos(count: int, random: np.random.Generator) -> Photos:
    pixels = random.integers(0, 256, (count, 128, 128, 3), dtype=np.uint8)
    keys = random.integers(2**63, size=count, dtype=np.uint64)
    return Photos(pixels, np.zeros((count, 1), "float32"), keys, [""] * count)


def main(count: int) -> None:
    base = load_vgg16_base()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        # The weights above come from the usual cache; what is timed goes to a new one.
        os.environ["COURSE_CACHE_DIR"] = folder
        front = Augmentation(flip="horizontal", contrast=0.5).layers(seed=1)
        store = FeatureStore(front, base, precision="float32", seed=1)
        view = list_views(front, views=1, seed=1)[0]
        bare = tensorflow.function(lambda images: base(images, training=False), autograph=False)
        images = tensorflow.random.uniform((BATCH, 128, 128, 3), seed=1)
        store.compute(build_photos(BATCH, random), view, Progress(0, ""))
        bare(images)
        ratios = []
        for round_number in range(ROUNDS):
            start = time.perf_counter()
            for _ in range(count // BATCH):
                bare(images).numpy()
            bare_speed = count / (time.perf_counter() - start)
            photos = build_photos(count, random)
            start = time.perf_counter()
            store.compute(photos, view, Progress(0, ""))
            stored_speed = count / (time.perf_counter() - start)
            ratios.append(stored_speed / bare_speed)
            print(
                f"round {round_number + 1}: bare {bare_speed:5.1f}, stored {stored_speed:5.1f} "
                f"photos/s, ratio {ratios[-1]:.2f}",
                flush=True,
            )
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
