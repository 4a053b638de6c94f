"""The environment variables, which only this module reads, and the folders that they name."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SYNTHETIC = "synthetic"
EMPTY_PREPARED = (
    "holds no weights: is it mounted, and did python -m course_utils fetch --all fill it? Every "
    "student computes what is missing there"
)


def profile_override() -> str | None:
    """Returns the profile that `COURSE_PROFILE` asks for, or `None`."""
    return os.environ.get("COURSE_PROFILE", "").lower() or None


def overrides() -> dict[str, str]:
    """Returns the variables that must be set on another machine to get the same features there.

    Returns:
        `COURSE_PROFILE`, and `COURSE_DATA_DIR` if it is `synthetic`, as far as they are set.
    """
    found = {"COURSE_PROFILE": profile_override(), "COURSE_DATA_DIR": photos_override()}
    return {
        name: value
        for name, value in found.items()
        if value and (name == "COURSE_PROFILE" or value == SYNTHETIC)
    }


def project_dir() -> Path:
    """Returns the course's folder: the checkout, or otherwise the folder Python was started in."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def _from_project(folder: str | Path) -> Path:
    # A notebook's kernel and a command start in different folders, but must find the same one.
    return project_dir() / Path(folder).expanduser()


def photos_override() -> str | None:
    """Returns the value of `COURSE_DATA_DIR`: a folder, the word `synthetic`, or `None`.

    A relative path starts at the course's folder.
    """
    named = os.environ.get("COURSE_DATA_DIR") or None
    return named if named in (None, SYNTHETIC) else str(_from_project(named))


def data_dir() -> Path:
    """Returns the course's folder `data`."""
    return project_dir() / "data"


def cache_dir() -> Path:
    """Returns the folder of downloads and computed features (`COURSE_CACHE_DIR`)."""
    return _from_project(os.environ.get("COURSE_CACHE_DIR") or data_dir() / "cache")


def prepared_dir() -> Path | None:
    """Returns the read-only folder that is searched before the cache (`COURSE_PREPARED_DIR`).

    Returns:
        The folder, or `None` if the variable is not set.

    Raises:
        FileNotFoundError: If the variable is set, but there is no such folder. Otherwise every
            student would compute again what was prepared for the class, without a word.
    """
    named = os.environ.get("COURSE_PREPARED_DIR")
    if not named:
        return None
    folder = _from_project(named)
    if not folder.is_dir():
        raise FileNotFoundError(
            "Expected the environment variable COURSE_PREPARED_DIR to name the folder that "
            f"python -m course_utils fetch --all made, received {named!r}, which is not a folder "
            "here. Mount it, correct the variable, or unset it to compute everything yourself."
        )
    return folder


@contextmanager
def using(**variables: str | None) -> Iterator[None]:
    """Sets environment variables inside a `with` block, also for kernels started there.

    Args:
        **variables: Names and values; `None` unsets a variable.
    """
    before = {name: os.environ.get(name) for name in variables}
    try:
        for name, value in variables.items():
            _set_variable(name, value)
        yield
    finally:
        for name, value in before.items():
            _set_variable(name, value)


def _set_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def keras_home() -> Path:
    """Returns the folder of Keras's own downloads (`KERAS_HOME`)."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()


def keras_backend() -> tuple[str, str] | None:
    """Returns the backend that Keras is set to, and what sets it; `None` if nothing does."""
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend(), "this kernel, which has imported Keras"
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "the environment variable KERAS_BACKEND"
    return _from_keras_file("backend")


def keras_image_format() -> tuple[str, str] | None:
    """Returns the image format that Keras is set to, and what sets it; `None` if nothing does."""
    return _from_keras_file("image_data_format")


def _from_keras_file(name: str) -> tuple[str, str] | None:
    path = keras_home() / "keras.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))[name]), str(path)
    except (OSError, ValueError, LookupError, TypeError):
        return None  # Keras ignores a file that it cannot read as well.


def image() -> str | None:
    """Returns `"Kaggle"` or `"Colab"` on one of their machines, otherwise `None`."""
    # Kaggle first: its image is built on Colab's.
    known = {"KAGGLE_KERNEL_RUN_TYPE": "Kaggle", "COLAB_RELEASE_TAG": "Colab"}
    return next((name for variable, name in known.items() if os.environ.get(variable)), None)


def read(name: str) -> str:
    """Returns a variable's value; `""` where it is not set."""
    return os.environ.get(name, "")


def visible_gpus() -> str | None:
    """Returns the value of `CUDA_VISIBLE_DEVICES`, which hides all GPUs if it is empty or -1."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")
