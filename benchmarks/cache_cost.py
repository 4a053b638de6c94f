"""What checking costs: verifying a store against reading its files once, and against training.

Also, an epoch's reading from files against reading from files mapped into memory, which would end
Python where a file is cut off.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

import numpy as np
from measuring import (
    Row,
    build_small_base,
    build_splits,
    median_ratio,
    new_cache,
    time_in_turns,
)

from course_utils.core import backend, cache, entries

backend.import_tensorflow()
from course_utils.augmentation.policy import Augmentation  # noqa: E402 (TensorFlow is to be quiet first)
from course_utils.features.batches import StoredFeatures, StoredViews  # noqa: E402
from course_utils.models.classifier import build_classifier  # noqa: E402
from course_utils.training.train import train  # noqa: E402

BLOCKS, PHOTOS, SHAPE = 96, 256, (4, 4, 512)  # 0.8 GB in float32: three views of 8,192 photos
ARRAYS = {"keys": ("uint64", (None,)), "features": ("float32", (None, *SHAPE))}
VIEWS = 3
ROUNDS = 7
TRAINED, EPOCHS = (4000, 1000), 30


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns rows for verifying, warm and cold, for an epoch's reading, and for training."""
    with new_cache() as folder:
        random = np.random.default_rng(0)
        for number in range(BLOCKS):
            keys = np.arange(PHOTOS, dtype="uint64") + number * PHOTOS
            features = random.random((PHOTOS, *SHAPE), "float32")
            cache.save(f"features/store/{number:03d}.entry", {"keys": keys, "features": features})
        paths = sorted((folder / "features" / "store").glob("*.entry"))
        rows = [*_time_verifying(paths), _time_reading()]
    return [*rows, _time_training()]


def _verify() -> list[entries.Entry]:
    entries._verified.clear()
    return cache.load_folder("features/store", arrays=ARRAYS)


def _time_verifying(paths: list[Path]) -> list[Row]:
    size = sum(path.stat().st_size for path in paths)
    buffer = memoryview(bytearray(entries.CHUNK))

    def skim():
        for path in paths:
            with open(path, "rb", buffering=0) as stream:
                while stream.readinto(buffer):
                    pass

    rivals = {
        "verified": _verify,
        "read": lambda: [len(path.read_bytes()) for path in paths],
        "skimmed": skim,
    }
    rows = [_tell_verifying("in memory already", time_in_turns(rivals, ROUNDS), size)]
    if not hasattr(os, "posix_fadvise"):
        return rows
    seconds = {name: [] for name in rivals}
    for _ in range(ROUNDS):
        for name, rival in rivals.items():
            _forget(paths)
            seconds[name] += time_in_turns({name: rival}, 1)[name]
    return [*rows, _tell_verifying("on disk", seconds, size)]


def _forget(paths: list[Path]) -> None:
    """Lets the system drop what it keeps of files in memory."""
    for path in paths:
        with open(path, "rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _tell_verifying(where: str, seconds: dict[str, list[float]], size: int) -> Row:
    speed = size / statistics.median(seconds["verified"]) / 1e9
    skimmed = median_ratio(seconds["verified"], seconds["skimmed"])
    return Row(
        f"opening and verifying all {BLOCKS} blocks of a store, {where}, by reading each file once",
        f"{speed:.1f} GB a second",
        f"{median_ratio(seconds['verified'], seconds['read']):.2f}",
        f"{size / 1e9:.1f} GB; by one thread that reads into the same 1 MB again and again "
        f"{skimmed:.2f}",
    )


class _Mapped:
    """The features of a view in files mapped into memory, as the store had them before."""

    def __init__(self, stored: StoredFeatures):
        blocks = {array for array, _ in stored._places}
        mapped = {
            array: np.asarray(
                np.memmap(array.file.path, "float32", "r", array._offset, array.shape)
            )
            for array in blocks
        }
        self.shape = stored.shape
        self._rows = [(mapped[array], row) for array, row in stored._places]

    def __getitem__(self, position: int) -> np.ndarray:
        block, row = self._rows[position]
        return block[row]


def _time_reading() -> Row:
    blocks = [block["features"] for block in _verify()]
    each = BLOCKS // VIEWS
    places = np.random.default_rng(1).permutation(
        [(block, row) for block in range(each) for row in range(PHOTOS)]
    )
    views = [
        StoredFeatures(blocks[number * each : (number + 1) * each], places, "float32")
        for number in range(VIEWS)
    ]
    batches = StoredViews(views, np.zeros((len(places), 1), "float32"), shuffle=True, seed=1)
    mapped = [_Mapped(view) for view in views]

    def read_mapped():
        order = np.random.default_rng(1).permutation(len(places))
        drawn = np.random.default_rng(2).integers(VIEWS, size=len(places))
        for start in range(0, len(places), batches.batch_size):
            chosen = order[start : start + batches.batch_size]
            features = np.empty((len(chosen), *SHAPE), "float32")
            for place, photo in enumerate(chosen):
                features[place] = mapped[drawn[photo]][photo]

    rivals = {"read": lambda: [None for _ in batches.read_epoch(0)], "mapped": read_mapped}
    time_in_turns(rivals, 1)
    seconds = time_in_turns(rivals, ROUNDS)
    return Row(
        f"an epoch's reading of {len(places):,} photos in {VIEWS} views, by that from mapped files",
        f"{statistics.median(seconds['read']):.2f} s",
        f"{median_ratio(seconds['read'], seconds['mapped']):.2f}",
    )


def _time_training() -> Row:
    base, splits = build_small_base(), build_splits(*TRAINED, batch_size=64)
    layers = Augmentation(flip="horizontal").layers(seed=1)
    options = {"method": "stored_features", "precision": "float32", "progress": False}
    with new_cache() as folder:
        train(build_classifier(base, layers, seed=1), splits, epochs=1, **options)
        start = time.perf_counter()
        train(build_classifier(base, layers, seed=1), splits, epochs=EPOCHS, **options)
        trained = time.perf_counter() - start
        folders = [f"features/{path.name}" for path in sorted((folder / "features").iterdir())]
        entries._verified.clear()
        start = time.perf_counter()
        for each in folders:
            cache.load_folder(each, arrays=ARRAYS)
        verified = time.perf_counter() - start
    return Row(
        f"verifying the features of a training by that training, {TRAINED[0]:,} and "
        f"{TRAINED[1]:,} photos, 2 views, {EPOCHS} epochs",
        f"{verified:.2f} s",
        f"{verified / trained:.3f}",
        f"the training took {trained:.0f} s; its features are verified once a process",
    )
