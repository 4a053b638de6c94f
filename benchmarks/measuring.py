"""What the parts of `run.py` share: rows of the table, taking turns, photos, memory."""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils.core import environment


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: What was measured.
        measured: The value with its unit, as it was on this machine.
        ratio: Of what stands beside it in the same run, or empty.
        remark: What has to be known to read it.
    """

    what: str
    measured: str
    ratio: str = ""
    remark: str = ""


def time_in_turns(rivals: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list]:
    """Returns each rival's seconds, one for each round; a busy machine disturbs all alike.

    Args:
        rivals: From a name to what is timed.
        rounds: How often each has its turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, rival in rivals.items():
            start = time.perf_counter()
            rival()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def median_ratio(above: list[float], below: list[float]) -> float:
    """Returns the median over rounds of one rival's value by the other's."""
    return statistics.median(np.divide(above, below).tolist())


@contextmanager
def new_cache() -> Iterator[Path]:
    """Gives an empty cache for what is timed; what needs the weights has to load them before."""
    with (
        tempfile.TemporaryDirectory() as folder,
        environment.using(COURSE_CACHE_DIR=folder, COURSE_PREPARED_DIR=None),
    ):
        yield Path(folder)


def build_photos(count: int, *, seed: int, **options):
    """Returns photos of random pixels.

    Args:
        count: How many.
        seed: Of pixels, labels and keys.
        **options: Of `Photos`.
    """
    from course_utils.data.dataset import Photos

    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 128, 128, 3), dtype=np.uint8)
    labels = random.permutation(np.arange(count) % 2).astype("float32")[:, None]
    keys = random.integers(2**63, size=count, dtype=np.uint64)
    return Photos(pixels, labels, keys, [""] * count, **options)


def build_splits(train: int, valid: int, *, batch_size: int):
    """Returns splits of random pixels.

    Args:
        train: How many train photos.
        valid: How many valid photos.
        batch_size: Of both.
    """
    from course_utils.data.dataset import Splits

    return Splits(
        build_photos(train, seed=1, shuffle=True, batch_size=batch_size),
        build_photos(valid, seed=2, batch_size=batch_size),
        ("a", "b"),
        "Random pixels.",
        None,
    )


def build_small_base():
    """Returns a frozen base of one layer, with features of VGG16's shape: (4, 4, 512)."""
    import keras

    kernel = keras.initializers.GlorotUniform(seed=0)
    layer = keras.layers.Conv2D(
        512, 32, strides=32, activation="relu", kernel_initializer=kernel, trainable=False
    )
    base = keras.Sequential([keras.Input((128, 128, 3)), layer])
    base.trainable = False
    return base


def read_anonymous() -> int:
    """Returns this process's anonymous memory in bytes: what the system cannot take back by
    dropping pages of files. Linux only (it reads /proc)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("RssAnon:")[1].split()[0])


@contextmanager
def watch_memory() -> Iterator[list[int]]:
    """Gives a list whose one number is the peak of anonymous memory so far, in bytes."""
    peak, ended = [0], threading.Event()

    def watch():
        while not ended.wait(0.02):
            peak[0] = max(peak[0], read_anonymous())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def run_python(*words: str, python: str | Path = sys.executable, **variables: str) -> str:
    """Returns what another Python prints, without the ends of lines.

    Args:
        *words: The words behind `python`.
        python: The interpreter.
        **variables: Of its environment.

    Raises:
        RuntimeError: If it fails, with what it said.
    """
    ended = subprocess.run(
        [python, *map(str, words)], capture_output=True, text=True, env=os.environ | variables
    )
    if ended.returncode:
        raise RuntimeError(f"{python} {' '.join(map(str, words))} failed:\n{ended.stderr[-2000:]}")
    return ended.stdout.strip()


def tell_load() -> str:
    """Returns the load average of the last minute: how many processes wanted a core."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
