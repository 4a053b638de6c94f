"""Photos as a folder of PNG files that Keras's own loader reads: `prepare_photos`."""

from pathlib import Path

from PIL import Image

from course_utils.core import cache, environment
from course_utils.core.manifest import made_folder
from course_utils.core.settings import Settings
from course_utils.data.dataset import Photos, load_car_or_truck
from course_utils.data.folders import SPLITS


def prepare_photos(
    chosen: Settings, *, folder: str | Path | None = None, download: bool | None = None
) -> Path:
    """Writes the photos that `load_car_or_truck` finds as a folder of PNG files, and returns it.

    `keras.utils.image_dataset_from_directory` stretches photos of another shape, ignores how a
    phone was held, and takes every file. This folder holds as many photos as the profile asks
    for, in the classes' proportions, upright, RGB, and letterboxed on black to one size, so that
    Keras reads the same pixels as the rest of the course. A folder that was written before is
    used again.

    Args:
        chosen: The settings of the run: how many photos, image size and seed.
        folder: As in `load_car_or_truck`.
        download: As in `load_car_or_truck`.

    Returns:
        A folder with train/ and valid/, and in each one folder per class.

    Raises:
        FileNotFoundError: If the given folder, or a part of it, does not exist.
        ValueError: If it does not hold two classes of photos that can be read.
        OSError: If the cache cannot be written; the message says what to do.

    Example:
        >>> folder = prepare_photos(chosen, folder="synthetic")
        Synthetic vehicles from the course kit (set by the argument `folder`).
        >>> sorted(path.name for path in folder.iterdir())
        ['train', 'valid']
    """
    splits = load_car_or_truck(chosen, folder=folder, download=download)
    print(splits.source)
    photos = {split: getattr(splits, split) for split in SPLITS}
    about = [
        [splits.class_names, chosen.image_size],
        *([each.keys.tolist(), each.labels[:, 0].tolist()] for each in photos.values()),
    ]
    name = Path("ready", cache.digest(about))
    stored = cache.find_stored(name)
    if stored:
        return stored
    ready = environment.cache_dir() / name
    with made_folder(ready) as beside:
        for split in SPLITS:
            _write_split(photos[split], splits.class_names, beside / split)
    return ready


def _write_split(photos: Photos, class_names: tuple[str, str], folder: Path) -> None:
    for class_name in class_names:
        (folder / class_name).mkdir(parents=True)
    for position, label in enumerate(photos.labels[:, 0].astype(int)):
        path = folder / class_names[label] / f"{position:05d}.png"
        # A file is written once and read in every run: a quick compression is enough.
        Image.fromarray(photos.pixels[photos.rows[position]]).save(path, compress_level=1)
