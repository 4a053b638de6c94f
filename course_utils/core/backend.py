"""The machine a run meets: seeds, the device, GPU memory, and a quiet TensorFlow."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

from course_utils.core import settings
from course_utils.core.settings import Settings


@contextmanager
def _silenced_standard_error() -> Iterator[None]:
    """Drops what native code writes to standard error; Python's exceptions still pass."""
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
    """Imports TensorFlow without its start-up messages and returns the module.

    TensorFlow writes notes about CPU instructions and missing GPU drivers to standard error
    before its log level counts. `device` and the `doctor` say in words what matters of them.
    A GPU's memory is set to grow with need, so that two notebooks can share it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silenced_standard_error():
        import keras  # noqa: F401
        import tensorflow

        # Its advice on tracing functions anew is for whoever wrote the loop, not for who reads it.
        tensorflow.get_logger().setLevel("ERROR")
        for gpu in tensorflow.config.list_physical_devices("GPU"):
            # Refused where the program has used the GPU already: then it stays as it is.
            with suppress(RuntimeError):
                tensorflow.config.experimental.set_memory_growth(gpu, True)
    return tensorflow


def device() -> str:
    """Returns `"GPU"` where TensorFlow sees one, else `"CPU"`."""
    return "GPU" if import_tensorflow().config.list_physical_devices("GPU") else "CPU"


def processor() -> str:
    """Returns the processor's name and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            name = next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass  # Not Linux, or a processor that names no model: the platform's word stands.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def set_seed(seed: int = 31415) -> None:
    """Makes runs on one machine repeatable: Python's, NumPy's and Keras's seeds, and the order
    of arithmetic.

    Args:
        seed: Any non-negative integer; 31415 is the one of Kaggle's lesson.
    """
    tensorflow = import_tensorflow()
    import keras

    os.environ["PYTHONHASHSEED"] = str(seed)
    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()


def choose_profile(profile: str = "auto") -> str:
    """Returns the profile that counts: `COURSE_PROFILE`'s, or else the one given.

    Args:
        profile: `"auto"` is full where there is a GPU and quick where there is none.
    """
    wanted = settings.profile_override() or profile
    if wanted == "auto":
        return "full" if device() == "GPU" else "quick"
    return wanted


def start_lesson(profile: str = "auto") -> Settings:
    """Readies the kernel for a lesson, says what it found, and returns the lesson's numbers.

    Args:
        profile: `"quick"` (minutes on a CPU), `"full"` (the lesson's own numbers), or `"auto"`:
            full where there is a GPU, quick where there is none. The environment variable
            `COURSE_PROFILE` overrides it.

    Returns:
        The settings of the profile, with the seed set.

    Raises:
        ValueError: If there is no such profile.
        FileNotFoundError: If `COURSE_PREPARED_DIR` names no folder.
    """
    prepared = settings.prepared_dir()
    if prepared and not (prepared / "weights").is_dir():
        print(f"ATTENTION: {prepared} {settings.EMPTY_PREPARED}.")
    found = device()
    chosen = settings.load_settings(choose_profile(profile))
    set_seed(chosen.seed)
    count = "all" if chosen.train_photos is None else chosen.train_photos
    print(f"Device: {found}. Profile: {chosen.profile} ({count} train photos, ", end="")
    print(f"{chosen.views} stored views of each, {chosen.epochs} epochs). Seed: {chosen.seed}.")
    return chosen
