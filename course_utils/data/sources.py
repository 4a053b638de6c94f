"""Finds the folder of photos to use, and says which one it is and why."""

from pathlib import Path

from course_utils.core import cache, environment
from course_utils.core.environment import SYNTHETIC
from course_utils.core.files import explain_failure, readable_name
from course_utils.core.settings import Settings
from course_utils.data import archives, kaggle
from course_utils.data.folders import describe_not_taken

# In the folder prepared for a class: the instructor's own photos.
CLASS_PHOTOS = Path("photos", "class")
# Where notebooks on Kaggle find a dataset that was added to them.
MOUNTS = (
    Path("/kaggle/input/car-or-truck"),
    Path("/kaggle/input/datasets/ryanholbrook/car-or-truck"),
)


def find_photos(
    chosen: Settings, folder: str | Path | None = None, *, download: bool | None = None
) -> tuple[Path, str]:
    """Returns the folder of the photos, and a sentence that says where they come from.

    It takes the first of these that it finds: the folder or zip archive that is given (the
    argument, then `COURSE_DATA_DIR`), photos prepared for a class, data/car-or-truck, Kaggle's
    mounted dataset, a zip archive in data/, Kaggle's download, synthetic vehicles.

    Args:
        chosen: The settings; the synthetic dataset uses their numbers, image size and seed.
        folder: A folder, a zip archive, or the word `"synthetic"`.
        download: Whether to download from Kaggle if no photos are here and no download failed in
            the last six hours. `None` does so in the full profile only.

    Returns:
        The folder, with train and valid or with one folder per class, and the sentence.

    Raises:
        FileNotFoundError: If there is no such folder or archive.
        ValueError: If an archive is damaged.
        OSError: If the cache cannot be written.
    """
    for given, giver in (
        (folder, "the argument `folder`"),
        (environment.photos_override(), "the environment variable COURSE_DATA_DIR"),
    ):
        if given and str(given) == SYNTHETIC:
            source = f"Synthetic vehicles from the course kit (set by {giver})."
            return _find_synthetic(chosen), source
        if given:
            return _find_given(Path(given).expanduser(), giver)
    prepared = environment.prepared_dir()
    if prepared and (prepared / CLASS_PHOTOS).is_dir():
        return prepared / CLASS_PHOTOS, "Photos from the folder prepared for this class."
    kept = environment.data_dir() / "car-or-truck"
    if kept.is_dir():
        return kept, "Photos from data/car-or-truck."
    for mount in MOUNTS:
        if mount.is_dir():
            return mount, f"Photos from Kaggle's mount {mount}."
    missing = ["no folder was named", "there is no data/car-or-truck"]
    for archive in sorted(environment.data_dir().glob("*.zip")):
        try:
            unpacked = _unpack(archive)
        except archives.NoPhotos:
            missing.append(f"{readable_name(archive.name)} holds no train and valid")
            continue
        return unpacked, f"Photos from the archive data/{readable_name(archive.name)}."
    try:
        if download is None and not _is_downloaded():
            if chosen.profile != "full":
                raise kaggle.DownloadFailed(
                    "not tried in the quick profile; lesson 00 and python -m course_utils fetch try"
                )
            if prepared:
                raise kaggle.DownloadFailed("not tried, as the prepared folder has none")
        found = kaggle.download_photos()
        return found, f"Photos of Kaggle's {kaggle.DATASET}, downloaded."
    except kaggle.DownloadFailed as error:
        missing.append(f"Kaggle's download: {error}")
    source = f"Synthetic vehicles from the course kit, because {', '.join(missing)}."
    print(f"No photos here. {source}", flush=True)
    return _find_synthetic(chosen), source


def _is_downloaded() -> bool:
    return cache.find_stored(kaggle.STORED_NAME) is not None


def _find_given(path: Path, giver: str) -> tuple[Path, str]:
    name = readable_name(path.name)
    if path.is_dir():
        return path, f"Photos from the folder {name}, named by {giver}."
    if path.is_file() and path.suffix.lower() == ".zip":
        return _unpack(path), f"Photos from the archive {name}, named by {giver}."
    raise FileNotFoundError(
        f"Expected a folder of photos or a zip archive, received {readable_name(path)!r} from "
        f"{giver}, which is neither. Correct it, or leave it out to use data/car-or-truck "
        "or synthetic vehicles."
    )


def _unpack(archive: Path) -> Path:
    prepared = environment.prepared_dir()
    unpacked, not_taken = archives.unpack_photos(
        archive,
        environment.cache_dir() / "photos",
        looked_at_first=[prepared / "photos"] if prepared else [],
    )
    if not_taken:
        print(describe_not_taken(not_taken), flush=True)
    return unpacked


def _find_synthetic(chosen: Settings) -> Path:
    from course_utils.data.synthetic.dataset import VERSION, write_vehicles

    height, width = chosen.image_size
    train, valid = chosen.synthetic_train_photos, chosen.synthetic_valid_photos
    name = f"synthetic/v{VERSION}-{train}-{valid}-{height}x{width}-{chosen.seed}"
    stored = cache.find_stored(name)
    if stored:
        return stored
    folder = environment.cache_dir() / name
    with explain_failure(folder):
        return write_vehicles(
            folder, train=train, valid=valid, seed=chosen.seed, image_size=chosen.image_size
        )
