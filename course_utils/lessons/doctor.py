"""Checks whether the machine has what the lessons need, and says what to do."""

import importlib.metadata
import platform
import shutil
import sys
from dataclasses import dataclass

from course_utils.core import settings
from course_utils.core.files import folder_size

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "pandas",
    "matplotlib",
    "pillow",
    "ipywidgets",
    "jupyterlab",
    "nbval",
)
# In bytes: weights, synthetic vehicles and features of the quick profile, with a margin.
NEEDED_DISK = 1e9


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        thing: What was checked.
        well: Whether the lessons can run with it.
        found: What is there, or what is missing and what to do.
    """

    thing: str
    well: bool
    found: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.well else 'FIX '}  {self.thing:<8}  {self.found}"


def check_environment() -> list[Finding]:
    """Checks Python, packages, device, profile, cache, photos, weights and disk.

    If `COURSE_PREPARED_DIR` is set, it also checks the folder prepared for the class. Missing
    weights are fine, since the first lesson downloads them. Lesson 00 shows the findings.

    Returns:
        One finding for each check.
    """
    return [
        *_examine_prepared(),
        _examine_python(),
        _examine_packages(),
        _examine_device(),
        _examine_profile(),
        _examine_cache(),
        _examine_photos(),
        _examine_weights(),
        _examine_disk(),
    ]


def _examine_python() -> Finding:
    version = platform.python_version()
    well = (3, 11) <= sys.version_info[:2] <= (3, 13)
    advice = "" if well else ": the course runs on 3.11 to 3.13; make a virtual environment of one"
    return Finding("Python", well, f"{version} on {platform.system()}{advice}")


def _examine_packages() -> Finding:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "packages",
            False,
            f"missing: {', '.join(missing)}: run python -m pip install -r requirements.txt",
        )
    return Finding("packages", True, ", ".join(found))


def _examine_device() -> Finding:
    from course_utils.core import backend, gpu

    if backend.device() == "GPU":
        precision = "mixed_float16" if gpu.has_fast_half() else "float32"
        described = f"GPU ({gpu.describe_gpus()}): training runs in the model, in {precision}"
        return Finding("device", True, described)
    described = f"CPU ({backend.processor()}): training runs on stored features, in minutes"
    return Finding("device", True, f"{described}. {gpu.explain_unseen()}".rstrip(". "))


def _examine_profile() -> Finding:
    named = settings.profile_override()
    if named in (None, "auto"):
        return Finding("profile", True, "chosen by each lesson (full on a GPU, quick on a CPU)")
    try:
        settings.load_settings(named)
    except ValueError as error:
        return Finding("profile", False, str(error))
    return Finding("profile", True, f"{named}, as COURSE_PROFILE asks")


def _examine_prepared() -> list[Finding]:
    from course_utils.models import vgg16

    try:
        folder = settings.prepared_dir()
    except FileNotFoundError as error:
        return [Finding("prepared", False, str(error))]
    if not folder:
        return []
    if not (folder / vgg16.STORED_NAME).is_file():
        return [Finding("prepared", False, f"{folder} {settings.EMPTY_PREPARED}")]
    return [Finding("prepared", True, f"{folder}, as COURSE_PREPARED_DIR asks")]


def _examine_photos() -> Finding:
    from course_utils.data import dataset

    if not _examine_cache().well:
        return Finding("photos", False, "cannot be read without a cache: see the line on the cache")
    try:
        splits = dataset.load_car_or_truck(settings.load_settings("quick"))
    except (OSError, ValueError) as error:
        return Finding("photos", False, str(error))
    sizes = (
        f"{splits.train.count} training and {splits.valid.count} validation photos in the quick "
        "profile."
    )
    return Finding("photos", True, f"{splits.source} {sizes}")


def _examine_weights() -> Finding:
    from course_utils.models import vgg16

    try:
        stored = settings.find_stored(vgg16.STORED_NAME)
    except FileNotFoundError:
        return Finding("weights", False, "cannot be found: see the line on the prepared folder")
    if not stored:
        return Finding("weights", True, "not here yet: downloaded when first needed (60 MB)")
    try:
        vgg16.read_stored(stored)
    except vgg16.DAMAGE as error:
        return Finding("weights", False, f"{stored} is damaged ({error}): delete it")
    return Finding("weights", True, f"VGG16's ImageNet weights, verified, in {stored.parent.name}")


def _examine_cache() -> Finding:
    folder = settings.cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding(
            "cache",
            False,
            f"{folder} cannot be written ({error}): set COURSE_CACHE_DIR to a folder of yours",
        )
    if folder.is_relative_to(settings.project_dir()):
        folder_named = folder.relative_to(settings.project_dir())
    else:
        folder_named = folder
    return Finding("cache", True, f"{folder_named}, {folder_size(folder) / 1e6:,.0f} MB")


def _examine_disk() -> Finding:
    folder = settings.cache_dir()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    advice = "" if free >= NEEDED_DISK else ": free 1 GB, or set COURSE_CACHE_DIR to another disk"
    return Finding("disk", free >= NEEDED_DISK, f"{free / 1e9:,.1f} GB free{advice}")
