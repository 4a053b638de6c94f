"""Prepares a folder with everything that the lessons need, which a class then only reads."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from course_utils.core import backend, cache, environment, settings
from course_utils.core.files import atomic_folder, atomic_write, folder_size, readable_name
from course_utils.core.manifest import MANIFEST, list_made
from course_utils.core.settings import Settings
from course_utils.data import kaggle, sources
from course_utils.data.folders import Listing, list_photos
from course_utils.lessons import check, notebooks
from course_utils.models import vgg16


def prepare_folder(folder: Path, *, source: str | None = None) -> list[check.Outcome]:
    """Downloads weights and photos into a folder, and runs every notebook with it as the cache.

    Files that are there already are not made again. A student's own files that a notebook writes,
    such as guesses, are removed at the end. All files become readable for everyone.

    Args:
        folder: The folder; it is created if it is missing.
        source: A file or folder of VGG16's weights to use.

    Returns:
        The outcome of each notebook.

    Raises:
        ValueError: If the folder was prepared with other photos.
        OSError: If it cannot be written.
    """
    folder = folder.resolve()
    chosen = settings.load_settings(backend.choose_profile())
    _put_weights(folder, source)
    with environment.using(COURSE_CACHE_DIR=str(folder), COURSE_PREPARED_DIR=None):
        _put_photos(folder, chosen)
        before = set(_list_files(folder))
        chosen_photos = (
            environment.SYNTHETIC
            if environment.photos_override() == environment.SYNTHETIC
            else None
        )
        # As the class will run them: with photos and features from the prepared folder only.
        with environment.using(COURSE_PREPARED_DIR=str(folder), COURSE_DATA_DIR=chosen_photos):
            outcomes = check.check_notebooks(
                list(notebooks.list_lessons().values()),
                environment.project_dir() / "runs" / "prepared",
                at_once=1,
            )
        made = {folder / name for name in (MANIFEST, *list_made())}
    for path in set(_list_files(folder)) - before - made:
        path.unlink()
    _open_to_all(folder)
    return outcomes


def describe_folder(folder: Path) -> str:
    """Returns a sentence with the size of each part of a prepared folder, in MB.

    Args:
        folder: The folder.
    """
    parts = [
        f"{part.name} {folder_size(part) / 1e6:,.0f} MB"
        for part in sorted(folder.iterdir())
        if part.is_dir()
    ]
    return f"{readable_name(folder)} holds {folder_size(folder) / 1e6:,.0f} MB: {', '.join(parts)}."


def _put_weights(folder: Path, source: str | None) -> None:
    stored = cache.find_stored(vgg16.STORED_NAME)
    target = folder / vgg16.STORED_NAME
    if stored and not source and not target.exists():
        with atomic_write(target) as beside:
            shutil.copyfile(stored, beside)
    with environment.using(COURSE_CACHE_DIR=str(folder), COURSE_PREPARED_DIR=None):
        vgg16.load_vgg16_weights(source=source)
    print("VGG16's ImageNet weights are there and verified.")


def _put_photos(folder: Path, chosen: Settings) -> None:
    """Copies the instructor's photos to where the lessons look for a class's photos."""
    target = folder / sources.CLASS_PHOTOS
    kaggle.forget_failure()
    found, why = sources.find_photos(chosen, download=True)
    print(why)
    place = cache.stored_place(found)
    if place and (place.parts[0] == "synthetic" or place == kaggle.STORED_NAME):
        # The lessons look there anyway.
        if target.is_dir():
            raise ValueError(_explain_others(folder))
        return
    listed = list_photos(found, seed=chosen.seed)
    if not target.is_dir():
        print(f"Copying {sum(map(len, listed.files.values())):,} photos …", flush=True)
        with atomic_folder(target) as beside:
            for name, path in _name_photos(listed):
                (beside / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, beside / name)
    # Names and sizes are enough to see whether the folder was prepared with the same photos.
    there = {path.relative_to(target): path.stat().st_size for path in _list_files(target)}
    if there != {name: path.stat().st_size for name, path in _name_photos(listed)}:
        raise ValueError(_explain_others(folder))
    if place and place.match("photos/zip-*"):
        shutil.rmtree(found)  # Unpacked above, and copied now.


def _name_photos(listed: Listing) -> Iterator[tuple[Path, Path]]:
    """Gives each photo's path relative to the class's folder, and the photo's own path."""
    for split in listed.files:
        for path in listed.files[split]:
            yield path.relative_to(listed.folder), path


def _explain_others(folder: Path) -> str:
    return (
        f"Expected a folder that is new or was prepared with the same photos, received "
        f"{readable_name(folder)}, which holds other photos in {sources.CLASS_PHOTOS.as_posix()}. "
        "Name another folder with --out, or delete this one."
    )


def _list_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
