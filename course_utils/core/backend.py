"""The machine that runs a lesson: device, GPU memory, seeds, and TensorFlow without its notes."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

from course_utils.core import environment, settings
from course_utils.core.machine import check_machine
from course_utils.core.settings import Settings


@contextmanager
def _silenced_standard_error() -> Iterator[None]:
    """Drops what native code writes to standard error; Python's exceptions are still raised."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@cache
def import_tensorflow():
    """Imports TensorFlow without its start-up messages.

    TensorFlow writes notes about CPU instructions and missing GPU drivers to standard error
    before it reads its log level. `device` and the command `doctor` report what matters in them.
    GPU memory grows as it is needed, so that two notebooks can share one GPU.

    Returns:
        The module `tensorflow`.

    Raises:
        RuntimeError: If the machine or Keras's configuration does not fit the course.
    """
    check_machine()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silenced_standard_error():
        import keras  # noqa: F401
        import tensorflow

        # Its advice about retracing is for the author of a training loop, not for students.
        tensorflow.get_logger().setLevel("ERROR")
        for gpu in tensorflow.config.list_physical_devices("GPU"):
            # TensorFlow refuses once the GPU has been used; then memory growth stays as it is.
            with suppress(RuntimeError):
                tensorflow.config.experimental.set_memory_growth(gpu, True)
    return tensorflow


def device() -> str:
    """Returns `"GPU"` if TensorFlow sees one, otherwise `"CPU"`."""
    return "GPU" if import_tensorflow().config.list_physical_devices("GPU") else "CPU"


def processor() -> str:
    """Returns the processor's name and the number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            name = next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass  # Not Linux, or a processor without a model name: keep the platform's name.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def set_seed(seed: int = 31415) -> None:
    """Makes runs on one machine repeatable.

    It seeds Python, NumPy and TensorFlow, and switches TensorFlow to deterministic operations.

    Args:
        seed: A whole number from 0 to 2**32 - 1; 31415 is the seed of Kaggle's lesson.

    Example:
        >>> import numpy as np
        >>> set_seed(31415)
        >>> first = np.random.random()
        >>> set_seed(31415)
        >>> np.random.random() == first
        True
    """
    tensorflow = import_tensorflow()
    import keras

    os.environ["PYTHONHASHSEED"] = str(seed)
    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()


def choose_profile(profile: str = "auto") -> str:
    """Returns the profile to use: `COURSE_PROFILE` if it is set, otherwise `profile`.

    Args:
        profile: `"quick"`, `"full"`, or `"auto"`: full on a GPU, quick on a CPU.

    Returns:
        The profile's name, not checked; `load_settings` checks it.
    """
    wanted = environment.profile_override() or profile
    if wanted == "auto":
        return "full" if device() == "GPU" else "quick"
    return wanted


def start_lesson(profile: str = "auto") -> Settings:
    """Sets the seed, prints the device and the profile, and returns the lesson's settings.

    Every lesson calls it in its first cell.

    Args:
        profile: `"quick"` (minutes on a CPU), `"full"` (all photos, as in Kaggle's lesson), or
            `"auto"`: full on a GPU, quick on a CPU. The environment variable `COURSE_PROFILE`
            overrides it.

    Returns:
        The settings of the profile.

    Raises:
        ValueError: If there is no such profile.
        FileNotFoundError: If `COURSE_PREPARED_DIR` is set, but there is no such folder.

    Example:
        >>> lesson = start_lesson(profile="quick")  # doctest: +ELLIPSIS
        Device: ... Profile: quick (300 training photos, ...). Seed: 31415.
        >>> lesson.epochs
        30
    """
    prepared = environment.prepared_dir()
    if prepared and not (prepared / "weights").is_dir():
        print(f"ATTENTION: {prepared} {environment.EMPTY_PREPARED}.")
    found = device()
    chosen = settings.load_settings(choose_profile(profile))
    set_seed(chosen.seed)
    count = "all" if chosen.train_photos is None else chosen.train_photos
    print(f"Device: {found}. Profile: {chosen.profile} ({count} training photos, ", end="")
    print(f"{chosen.views} stored views of each, {chosen.epochs} epochs). Seed: {chosen.seed}.")
    return chosen
