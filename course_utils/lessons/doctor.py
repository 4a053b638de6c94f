"""Checks whether the machine has what the lessons need, and says what to do."""

import importlib.metadata
import platform
import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement

from course_utils.core import cache, environment, machine, settings
from course_utils.core.files import check_writable, folder_size

PROJECT = "augmentation-course"
# A runtime that Colab lets one choose by name. Its TensorFlow, Keras, NumPy and pandas are those of
# environments/kaggle.txt, its ipywidgets that of environments/colab.txt.
KNOWN_COLAB = "2026.07"
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

    Example:
        >>> check_environment()[0].thing
        'Python'
    """
    needed = [_examine_python(), *_examine_image(), examine_packages(), *_examine_keras()]
    if not all(finding.well for finding in needed):
        # The others import TensorFlow.
        return [*needed, _examine_profile(), _examine_cache(), _examine_disk()]
    return [
        *_examine_prepared(),
        *needed,
        _examine_device(),
        _examine_profile(),
        _examine_cache(),
        _examine_photos(),
        _examine_weights(),
        _examine_disk(),
    ]


def _examine_python() -> Finding:
    misfits = list(machine.list_misfits())
    found = f"{platform.python_version()} on {platform.system()}"
    return Finding("Python", not misfits, " ".join(misfits) or found)


def _examine_image() -> list[Finding]:
    name = environment.image()
    if not name:
        return []
    advice = "the course adds packages and changes none"
    if name == "Colab":
        advice += f"; if a lesson fails, choose the runtime {KNOWN_COLAB} (Runtime, Change runtime)"
    return [Finding("image", True, f"{name}'s: {advice}")]


def examine_packages() -> Finding:
    """Compares the packages that are installed with the bounds that the course declares.

    Returns:
        The finding: every version, or what is missing or too old and what to do.
    """
    found, wrong = [], []
    for needed in list_requirements():
        try:
            version = importlib.metadata.version(needed.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{needed.name} is missing")
            continue
        if needed.specifier.contains(version, prereleases=True):
            found.append(f"{needed.name} {version}")
        else:
            wrong.append(f"{needed.name} {version} is too old (the course needs {needed})")
    if wrong:
        return Finding("packages", False, f"{', '.join(wrong)}: {_advise_packages()}")
    return Finding("packages", True, ", ".join([*found, *_list_newer()]))


def list_requirements() -> list[Requirement]:
    """Returns what the lessons need, with the bounds that the course declares.

    Returns:
        The dependencies of pyproject.toml, or of the installed course where there is no checkout.
    """
    file = environment.project_dir() / "pyproject.toml"
    if file.is_file():
        lines = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        lines = importlib.metadata.requires(PROJECT) or []
    needed = map(Requirement, lines)
    return [each for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]


def _list_newer() -> Iterator[str]:
    """Gives a note if TensorFlow or Keras is newer than in the last checked run."""
    pins = environment.project_dir() / "constraints.txt"
    text = pins.read_text(encoding="utf-8") if pins.is_file() else ""
    for name, checked in re.findall(r"^(tensorflow|keras)==(\d+\.\d+)", text, re.MULTILINE):
        found = re.match(r"(\d+)\.(\d+)", importlib.metadata.version(name))
        if found and tuple(map(int, found.groups())) > tuple(map(int, checked.split("."))):
            yield f"{name} is newer than {checked}, which the course was last checked with"


def _advise_packages() -> str:
    if environment.image():
        return (
            "the lesson's first cell installs what is missing; for what is too old, choose a newer "
            "image; never install requirements.txt here, which changes what others need"
        )
    return "run python -m pip install -r requirements.txt -c constraints.txt"


def _examine_keras() -> list[Finding]:
    misfit = machine.find_keras_misfit()
    return [Finding("Keras", False, misfit)] if misfit else []


def _examine_device() -> Finding:
    from course_utils.core import backend, gpu

    if backend.device() == "GPU":
        precision = "mixed_float16" if gpu.has_fast_half() else "float32"
        described = f"GPU ({gpu.describe_gpus()}): training runs in the model, in {precision}"
        return Finding("device", True, described)
    described = f"CPU ({backend.processor()}): training uses stored features and takes minutes"
    return Finding("device", True, f"{described}. {gpu.explain_unseen()}".rstrip(". "))


def _examine_profile() -> Finding:
    named = environment.profile_override()
    if named in (None, "auto"):
        return Finding("profile", True, "chosen by each lesson (full on a GPU, quick on a CPU)")
    try:
        settings.load_settings(named)
    except ValueError as error:
        return Finding("profile", False, str(error))
    return Finding("profile", True, f"{named} (set by COURSE_PROFILE)")


def _examine_prepared() -> list[Finding]:
    from course_utils.models import vgg16

    try:
        folder = environment.prepared_dir()
    except FileNotFoundError as error:
        return [Finding("prepared", False, str(error))]
    if not folder:
        return []
    if not (folder / vgg16.STORED_NAME).is_file():
        return [Finding("prepared", False, f"{folder} {environment.EMPTY_PREPARED}")]
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
        stored = cache.find_stored(vgg16.STORED_NAME)
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
    folder = environment.cache_dir()
    try:
        check_writable(folder)
    except OSError as error:
        return Finding("cache", False, str(error))
    if folder.is_relative_to(environment.project_dir()):
        folder_named = folder.relative_to(environment.project_dir())
    else:
        folder_named = folder
    return Finding("cache", True, f"{folder_named}, {folder_size(folder) / 1e6:,.0f} MB")


def _examine_disk() -> Finding:
    folder = environment.cache_dir()
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    advice = "" if free >= NEEDED_DISK else ": free 1 GB, or set COURSE_CACHE_DIR to another disk"
    return Finding("disk", free >= NEEDED_DISK, f"{free / 1e9:,.1f} GB free{advice}")
