"""The one reader of folders: which photos are in them, in which class, and what is not taken.

What is hidden is passed over: folders whose name begins with a dot or an underscore, files whose
name begins with a dot. Links are followed, and keep the name that they have in the folder.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_utils.core.files import readable_name
from course_utils.data.images import ENDINGS, is_photo

SPLITS = ("train", "valid")
VALID_SHARE = 4  # one photo in four, where the kit splits a folder itself
SYSTEM_FILES = ("thumbs.db", "desktop.ini")  # Windows puts them into folders and hides them
IN_A_SUBFOLDER = "in a subfolder"
OUTSIDE = "outside the class folders"


@dataclass(frozen=True)
class Listing:
    """The photos of a folder.

    Args:
        folder: Where they are.
        class_names: The two class folders' names, in alphabetical order.
        files: By split, the photos' paths, sorted within each class.
        labels: By split, float32, shape (count, 1), 0 or 1.
        split_by_kit: Whether the folder held classes only and was split here.
        not_taken: How many files were left out, by the reason; `describe_not_taken` says it.
    """

    folder: Path
    class_names: tuple[str, str]
    files: dict[str, list[Path]]
    labels: dict[str, np.ndarray]
    split_by_kit: bool
    not_taken: Counter[str]


class Contents(NamedTuple):
    """What is in one folder, apart from what is hidden.

    Args:
        photos: Its photos, sorted.
        folders: The folders in it, sorted.
        others: How many other files, by ending such as `".dng"` or by what they are.
    """

    photos: list[Path]
    folders: list[Path]
    others: Counter[str]


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

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     for place in ("train/Car", "train/Truck", "valid/Car", "valid/Truck"):
        ...         Path(name, place).mkdir(parents=True)
        ...         Path(name, place, "1.jpeg").touch()
        ...     listed = list_photos(Path(name), seed=1)
        >>> listed.class_names, [path.name for path in listed.files["train"]]
        (('Car', 'Truck'), ['1.jpeg', '1.jpeg'])
    """
    folder = _descend(folder)
    root = _scan(folder)
    names = [below.name for below in root.folders]
    if len(names) == 2 and not set(names) & set(SPLITS) and not _hold_classes(root.folders):
        return _split_by_seed(folder, root, seed)
    class_names = _find_class_names(folder, names)
    files, labels, not_taken = {}, {}, _count_outside(root)
    for split in SPLITS:
        by_class = [_list_class(folder / split / name, not_taken) for name in class_names]
        files[split], labels[split] = _join(by_class)
    return Listing(folder, class_names, files, labels, False, not_taken)


def list_all_photos(folder: Path) -> tuple[list[Path], Counter[str]]:
    """Returns the photos of a folder and of all folders in it, whatever their layout.

    Args:
        folder: The folder.

    Returns:
        The photos' paths, sorted, and how many files were left out, by the reason. A photo's
        `path.parent.name` is the name of the folder that it is in.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     for file in ("b.jpeg", "a.dng"):
        ...         Path(name, file).touch()
        ...     photos, not_taken = list_all_photos(Path(name))
        >>> [path.name for path in photos], dict(not_taken)
        (['b.jpeg'], {'.dng': 1})
    """
    found = list(_walk(folder))
    photos = sorted(path for contents in found for path in contents.photos)
    return photos, sum((contents.others for contents in found), Counter())


def describe_not_taken(not_taken: Mapping[str, int]) -> str:
    """Returns a sentence on the files that were left out.

    Args:
        not_taken: How many, by the reason, as `Listing` has it.

    Example:
        >>> describe_not_taken({"in a subfolder": 12, ".dng": 3})
        '15 files were not taken: 12 in a subfolder, 3 .dng.'
    """
    count = sum(not_taken.values())
    were = "file was" if count == 1 else "files were"
    most_first = sorted(not_taken.items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{number:,} {readable_name(reason)}" for reason, number in most_first)
    return f"{count:,} {were} not taken: {reasons}."


def _descend(folder: Path) -> Path:
    while True:
        entries = [entry for entry in folder.iterdir() if entry.name[0] not in "._"]
        if len(entries) != 1 or not entries[0].is_dir() or entries[0].name in SPLITS:
            return folder
        folder = entries[0]


def _scan(folder: Path) -> Contents:
    photos, folders, others = [], [], Counter()
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            folders += [path] if path.name[0] not in "._" else []
        elif is_hidden(path.name):
            continue
        elif not path.is_file():
            # Opening a pipe would never return.
            others["behind a broken link" if path.is_symlink() else "of a special kind"] += 1
        elif is_photo(path.name):
            photos.append(path)
        else:
            others[describe_ending(path.name)] += 1
    return Contents(photos, folders, others)


def is_hidden(name: str) -> bool:
    """Whether a file is passed over without a word, by its name.

    Example:
        >>> is_hidden("Thumbs.db"), is_hidden("notes.txt")
        (True, False)
    """
    return name[0] == "." or name.lower() in SYSTEM_FILES


def describe_ending(name: str) -> str:
    """Returns a file's ending, as the reason why it was not taken.

    Example:
        >>> describe_ending("a.DNG"), describe_ending("README")
        ('.dng', 'without a known ending')
    """
    ending = Path(name).suffix.lower()
    return ending if ending[1:].isalnum() and len(ending) <= 10 else "without a known ending"


def _walk(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Contents]:
    """Gives the contents of a folder and of all folders in it; a link to one above is no loop."""
    real = folder.resolve()
    if real in above:
        return
    try:
        contents = _scan(folder)
    except PermissionError:
        if not above:
            raise
        return
    yield contents
    for below in contents.folders:
        yield from _walk(below, (*above, real))


def _hold_classes(folders: list[Path]) -> bool:
    """Whether folders are splits under other names: they hold folders where photos would be."""
    found = map(_scan, folders)
    return any(contents.folders and not contents.photos for contents in found)


def _count_outside(root: Contents) -> Counter[str]:
    """Counts the photos beside train and valid, and those in them that have no class."""
    outside = len(root.photos)
    for below in root.folders:
        if below.name in SPLITS:
            outside += len(_scan(below).photos)
        else:
            outside += sum(len(contents.photos) for contents in _walk(below))
    return Counter({OUTSIDE: outside} if outside else {})


def _split_by_seed(folder: Path, root: Contents, seed: int) -> Listing:
    not_taken = Counter({OUTSIDE: len(root.photos)} if root.photos else {})
    by_class = {split: [] for split in SPLITS}
    for class_folder in root.folders:
        found = _list_class(class_folder, not_taken)
        if len(found) < 2:
            raise ValueError(
                f"Expected two photos or more in {readable_name(class_folder)}, one each for "
                f"train and valid, received {len(found)}. Put more there."
            )

        def draw(path, name=class_folder.name):
            return hashlib.sha256(os.fsencode(f"{seed}/{name}/{path.name}")).digest()

        drawn = sorted(found, key=draw)
        share = max(1, len(found) // VALID_SHARE)
        by_class["valid"].append(sorted(drawn[:share]))
        by_class["train"].append(sorted(drawn[share:]))
    files, labels = {}, {}
    for split in SPLITS:
        files[split], labels[split] = _join(by_class[split])
    class_names = tuple(class_folder.name for class_folder in root.folders)
    return Listing(folder, class_names, files, labels, True, not_taken)


def _join(by_class: list[list[Path]]) -> tuple[list[Path], np.ndarray]:
    labels = np.repeat(np.arange(2, dtype="float32"), [len(found) for found in by_class])
    return [*by_class[0], *by_class[1]], labels[:, None]


def _find_class_names(folder: Path, names: list[str]) -> tuple[str, str]:
    named = {}
    for split in SPLITS:
        if split not in names:
            raise FileNotFoundError(
                f"Expected the folders train and valid (or two folders of photos, one for each "
                f"class) in {readable_name(folder)}, received {names or 'none'}. Put one folder "
                "for each class into each of them."
            )
        named[split] = [below.name for below in _scan(folder / split).folders]
        if len(named[split]) != 2:
            raise ValueError(
                f"Expected two folders, one for each class, in {readable_name(folder / split)}, "
                f"received {named[split] or 'none'}. The lesson's question has two answers: leave "
                "two."
            )
    if named["train"] != named["valid"]:
        raise ValueError(
            f"Expected the same two classes in train and valid of {readable_name(folder)}, "
            f"received {named['train']} and {named['valid']}. Rename the folders so that they "
            "agree."
        )
    return tuple(named["train"])


def _list_class(folder: Path, not_taken: Counter[str]) -> list[Path]:
    """Returns the photos of a class, and counts what else its folder holds."""
    contents = _scan(folder)
    if not contents.photos:
        raise ValueError(
            f"Expected photos ({', '.join(ENDINGS)}) in {readable_name(folder)}, received none. "
            "Put some there, or name another folder."
        )
    not_taken.update(contents.others)
    for below in contents.folders:
        count = sum(len(found.photos) + found.others.total() for found in _walk(below))
        not_taken.update({IN_A_SUBFOLDER: count} if count else {})
    return contents.photos
