"""Every number a run depends on, and the only place that reads environment variables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from course_utils.core.checks import check_choice

SYNTHETIC = "synthetic"
EMPTY_PREPARED = (
    "holds no weights: is it mounted, and did python -m course_utils fetch --all fill it? What is "
    "not there, every student computes"
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The numbers of one run.

    Args:
        profile: `"quick"` or `"full"`.
        train_photos: How many train photos are used; `None` is all of them.
        valid_photos: How many valid photos are used; `None` is all of them.
        synthetic_train_photos: How many train vehicles the synthetic dataset has.
        synthetic_valid_photos: How many valid vehicles the synthetic dataset has.
        views: How many augmented versions of each train photo are stored when
            training runs on stored features.
        batch_size: Photos per gradient step.
        epochs: How often training goes through the train photos.
        image_size: (height, width) in pixels.
        seed: The seed that lessons use, as in Kaggle's lesson.
    """

    profile: str
    train_photos: int | None
    valid_photos: int | None
    synthetic_train_photos: int
    synthetic_valid_photos: int
    views: int
    batch_size: int
    epochs: int = 30
    image_size: tuple[int, int] = (128, 128)
    seed: int = 31415


PROFILES = {
    # A lesson costs 300 + 200 clean passes and 300 x 3 augmented ones: minutes on a laptop's CPU.
    "quick": Settings(
        profile="quick",
        train_photos=300,
        valid_photos=200,
        synthetic_train_photos=300,
        synthetic_valid_photos=200,
        views=3,
        # Few photos make few steps: smaller batches make more of them in thirty epochs.
        batch_size=16,
    ),
    "full": Settings(
        profile="full",
        train_photos=None,
        valid_photos=None,
        synthetic_train_photos=4000,
        synthetic_valid_photos=2000,
        # Could not be told from thirty: data/results/views-differences-….csv.
        views=8,
        batch_size=64,
    ),
}


def load_settings(profile: str) -> Settings:
    """Returns the settings of a profile.

    Args:
        profile: `"quick"` or `"full"`.

    Raises:
        ValueError: If there is no such profile.
    """
    hint = (
        "Correct the notebook's profile, or the environment variable COURSE_PROFILE if it is set; "
        "start_lesson also takes 'auto'."
    )
    return PROFILES[check_choice("profile", profile, PROFILES, hint)]


def profile_override() -> str | None:
    """Returns the profile that `COURSE_PROFILE` asks for, or `None`."""
    return os.environ.get("COURSE_PROFILE", "").lower() or None


def overrides() -> dict[str, str]:
    """Returns `COURSE_PROFILE` and `COURSE_DATA_DIR=synthetic`, as far as they are set: anyone
    who is to get the same photos and features elsewhere has to set them too."""
    found = {"COURSE_PROFILE": profile_override(), "COURSE_DATA_DIR": photos_override()}
    return {
        name: value
        for name, value in found.items()
        if value and (name == "COURSE_PROFILE" or value == SYNTHETIC)
    }


def project_dir() -> Path:
    """Returns the folder of the course: the checkout, or else where Python was started."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def _from_project(folder: str | Path) -> Path:
    # A notebook's kernel starts in notebooks/, a command elsewhere: one variable, one folder.
    return project_dir() / Path(folder).expanduser()


def photos_override() -> str | None:
    """Returns what `COURSE_DATA_DIR` says: a folder, the word `synthetic`, or `None`.

    A relative path counts from the course's folder, wherever Python was started.
    """
    named = os.environ.get("COURSE_DATA_DIR") or None
    return named if named in (None, SYNTHETIC) else str(_from_project(named))


def data_dir() -> Path:
    """Returns the folder `data` of the course."""
    return project_dir() / "data"


def cache_dir() -> Path:
    """Returns the folder that downloads and computed features go to (`COURSE_CACHE_DIR`)."""
    return _from_project(os.environ.get("COURSE_CACHE_DIR") or data_dir() / "cache")


def prepared_dir() -> Path | None:
    """Returns the read-only folder that is looked at before the cache (`COURSE_PREPARED_DIR`).

    Raises:
        FileNotFoundError: If there is no such folder: every student would quietly compute what
            was prepared for all.
    """
    named = os.environ.get("COURSE_PREPARED_DIR")
    if not named:
        return None
    folder = _from_project(named)
    if not folder.is_dir():
        raise FileNotFoundError(
            "Expected the environment variable COURSE_PREPARED_DIR to name the folder that "
            f"python -m course_utils fetch --all made, received {named!r}, which is no folder "
            "here. Mount it, correct the variable, or unset it to compute everything yourself."
        )
    return folder


def stored_place(folder: Path) -> Path | None:
    """Returns a folder's path below the prepared folder or the cache, `None` where it is outside.

    Args:
        folder: Any folder.
    """
    for root in (prepared_dir(), cache_dir()):
        if root and folder.resolve().is_relative_to(root.resolve()):
            return folder.resolve().relative_to(root.resolve())
    return None


@contextmanager
def environment(**variables: str | None) -> Iterator[None]:
    """Sets environment variables, for kernels started meanwhile too, and puts them back.

    Args:
        **variables: By their names; `None` unsets one.
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
    """Returns the folder that Keras keeps its downloads in (`KERAS_HOME`)."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()


def visible_gpus() -> str | None:
    """Returns what `CUDA_VISIBLE_DEVICES` says, which hides GPUs where it is empty or -1."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def find_stored(relative: str | Path) -> Path | None:
    """Returns where a file or folder of the cache lies already: prepared, cached, or nowhere.

    Args:
        relative: The path below the cache's folder.
    """
    return next(iter(list_stored(relative)), None)


def list_stored(relative: str | Path) -> list[Path]:
    """Returns every place where a file or folder of the cache lies already, prepared first.

    Args:
        relative: The path below the cache's folder.
    """
    folders = [folder for folder in (prepared_dir(), cache_dir()) if folder]
    return [folder / relative for folder in folders if (folder / relative).exists()]
