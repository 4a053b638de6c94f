"""Peak anonymous memory of training on stored features, against the number of photos.

    python benchmarks/memory.py

Anonymous memory is what the operating system cannot take back by dropping file pages; pixels and
features are memory-mapped files, so it should not grow with the photos. A small frozen base with
features of VGG16's shape stands in for the passes; VGG16 itself is loaded and run on one batch,
so that its memory counts. Linux only (it reads /proc).
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

COUNTS = (1250, 2500, 5000, 10000)


def read_anonymous() -> int:
    """Returns this process's anonymous memory in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


def write_photos(folder: Path, count: int) -> np.ndarray:
    path = folder / "pixels.npy"
    shape = (count, 128, 128, 3)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    random = np.random.default_rng(count)
    for photo in pixels:
        photo[:] = random.integers(0, 256, photo.shape, dtype=np.uint8)
    del pixels, photo
    return np.load(path, mmap_mode="r")


def measure(count: int) -> None:
    from course_utils import runtime

    runtime.import_tensorflow()
    import keras

    from course_utils.data import Photos, Splits
    from course_utils.model import build_classifier
    from course_utils.training import train
    from course_utils.weights import load_vgg16_base

    load_vgg16_base().predict(np.zeros((64, 128, 128, 3), "float32"), verbose=0)
    base = keras.Sequential(
        [keras.Input((128, 128, 3)), keras.layers.Conv2D(512, 32, strides=32, trainable=False)]
    )
    base.trainable = False
    peak = [0]

    def watch():
        while True:
            peak[0] = max(peak[0], read_anonymous())
            time.sleep(0.02)

    with tempfile.TemporaryDirectory() as folder:
        os.environ["COURSE_CACHE_DIR"] = folder
        pixels = write_photos(Path(folder), count)
        labels = (np.arange(count) % 2).astype("float32")[:, None]
        keys = np.arange(count, dtype=np.uint64)
        train_photos = Photos(pixels, labels, keys, [""] * count, shuffle=True)
        valid_photos = train_photos.take(100).unshuffled()
        splits = Splits(train_photos, valid_photos, ("a", "b"), "random", None)
        threading.Thread(target=watch, daemon=True).start()
        train(build_classifier(base), splits, epochs=3, precision="float32", progress=False)
    print(f"{count:6,} photos: {peak[0] / 1e9:.2f} GB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]))
    else:
        for count in COUNTS:
            subprocess.run([sys.executable, __file__, str(count)], check=True)
