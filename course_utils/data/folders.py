"""A folder of photos: which files are train and valid, and which of two classes each shows."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils.core.files import readable_name
from course_utils.data.images import ENDINGS, is_photo

SPLITS = ("train", "valid")
VALID_SHARE = 4  # one photo in four, where the kit splits a folder itself


@dataclass(frozen=True)
class Listing:
    """The photos of a folder.

    Args:
        folder: Where they lie.
        class_names: The two class folders' names, in alphabetical order.
        files: By split, the photos' paths, sorted within each class.
        labels: By split, float32, shape (count, 1), 0 or 1.
        split_by_kit: Whether the folder held classes only and was split here.
    """

    folder: Path
    class_names: tuple[str, str]
    files: dict[str, list[Path]]
    labels: dict[str, np.ndarray]
    split_by_kit: bool


def list_photos(folder: Path, *, seed: int) -> Listing:
    """Returns the photos of train|valid / two classes, or of two classes split by seed.

    A folder that holds nothing but one other folder stands for that one, as unpacking often
    leaves it.

    Args:
        folder: The folder.
        seed: Of the split, where the folder has none. A photo's own name and the seed decide,
            so that adding photos moves few of the others.

    Raises:
        FileNotFoundError: If train or valid is missing.
        ValueError: If there are not two classes, the same in both, with photos in each.
    """
    folder = _descend(folder)
    names = _visible_folders(folder)
    # Folders within folders are splits under other names, not classes.
    within = any(_visible_folders(folder / name) for name in names)
    if len(names) == 2 and not set(names) & set(SPLITS) and not within:
        return _split_by_seed(folder, tuple(names), seed)
    class_names = _find_class_names(folder)
    files, labels = {}, {}
    for split in SPLITS:
        by_class = [_list_class(folder / split / name) for name in class_names]
        files[split], labels[split] = _join(by_class)
    return Listing(folder, class_names, files, labels, split_by_kit=False)


def _descend(folder: Path) -> Path:
    while True:
        entries = [entry for entry in folder.iterdir() if entry.name[0] not in "._"]
        if len(entries) != 1 or not entries[0].is_dir() or entries[0].name in SPLITS:
            return folder
        folder = entries[0]


def _split_by_seed(folder: Path, class_names: tuple[str, str], seed: int) -> Listing:
    by_class = {split: [] for split in SPLITS}
    for name in class_names:
        found = _list_class(folder / name)
        if len(found) < 2:
            raise ValueError(
                f"Expected two photos or more in {readable_name(folder / name)}, one each for "
                f"train and valid, received {len(found)}. Put more there."
            )

        def draw(path, name=name):
            return hashlib.sha256(os.fsencode(f"{seed}/{name}/{path.name}")).digest()

        drawn = sorted(found, key=draw)
        share = max(1, len(found) // VALID_SHARE)
        by_class["valid"].append(sorted(drawn[:share]))
        by_class["train"].append(sorted(drawn[share:]))
    files, labels = {}, {}
    for split in SPLITS:
        files[split], labels[split] = _join(by_class[split])
    return Listing(folder, class_names, files, labels, split_by_kit=True)


def _join(by_class: list[list[Path]]) -> tuple[list[Path], np.ndarray]:
    labels = np.repeat(np.arange(2, dtype="float32"), [len(found) for found in by_class])
    return [*by_class[0], *by_class[1]], labels[:, None]


def _visible_folders(folder: Path) -> list[str]:
    return sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] not in "._"
    )


def _find_class_names(folder: Path) -> tuple[str, str]:
    named = {}
    for split in SPLITS:
        if not (folder / split).is_dir():
            raise FileNotFoundError(
                f"Expected the folders train and valid (or two folders of photos, one a class) "
                f"in {readable_name(folder)}, received {_visible_folders(folder) or 'none'}. "
                "Put one folder a class into each of them."
            )
        named[split] = _visible_folders(folder / split)
        if len(named[split]) != 2:
            raise ValueError(
                f"Expected two folders, one a class, in {readable_name(folder / split)}, received "
                f"{named[split] or 'none'}. The lesson's question has two answers: leave two."
            )
    if named["train"] != named["valid"]:
        raise ValueError(
            f"Expected the same two classes in train and valid of {readable_name(folder)}, "
            f"received {named['train']} and {named['valid']}. Rename the folders so that they "
            "agree."
        )
    return tuple(named["train"])


def _list_class(folder: Path) -> list[Path]:
    found = sorted(Path(entry) for entry in os.scandir(folder) if _is_photo_file(entry))
    if not found:
        raise ValueError(
            f"Expected photos ({', '.join(ENDINGS)}) in {readable_name(folder)}, received none. "
            "Put some there, or name another folder."
        )
    return found


def _is_photo_file(entry: os.DirEntry) -> bool:
    # A pipe or a folder of such a name is none; opening a pipe would wait for ever.
    return is_photo(entry.name) and entry.is_file()
