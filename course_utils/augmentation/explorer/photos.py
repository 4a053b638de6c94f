"""The photos that the explorer shows and their labels: of splits, or of a folder of one's own."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.core.checks import check_image_size
from course_utils.core.files import readable_name
from course_utils.data.dataset import Photos
from course_utils.data.folders import describe_not_taken, list_all_photos
from course_utils.data.images import ENDINGS
from course_utils.data.pixels import list_unreadable, load_pixels


def find_photos(splits: Any, image_size: tuple[int, int]) -> tuple[Any, tuple[str, ...]]:
    """Returns photos with labels, and the names of their classes.

    Args:
        splits: `Splits`, of which the training photos are taken, or the path of a folder.
        image_size: (height, width) in pixels for the photos of a folder.

    Raises:
        FileNotFoundError: If there is no such folder, or no photo in it.
        TypeError: If `splits` is neither splits nor a path.
        ValueError: If there is no training photo, or more than 1% of the photos in the folder
            cannot be read.

    Example:
        >>> from types import SimpleNamespace
        >>> splits = SimpleNamespace(train=SimpleNamespace(count=4), class_names=["Car", "Truck"])
        >>> photos, class_names = find_photos(splits, (128, 128))
        >>> photos.count, class_names
        (4, ('Car', 'Truck'))
    """
    if isinstance(splits, str | Path):
        return load_folder(splits, image_size)
    if not hasattr(splits, "train") or not hasattr(splits, "class_names"):
        raise TypeError(
            f"Expected splits or the path of a folder, received {type(splits).__name__}. "
            "Pass what load_car_or_truck returns."
        )
    if splits.train.count < 1:
        raise ValueError("Expected at least one training photo, received none. Load some photos.")
    return splits.train, tuple(splits.class_names)


def load_folder(folder: str | Path, image_size: tuple[int, int]) -> tuple[Photos, tuple[str, ...]]:
    """Returns the photos of a folder and of all folders in it, each in the class of its folder.

    Args:
        folder: The folder. `~` is the home folder.
        image_size: (height, width) in pixels.

    Returns:
        The photos, labeled by the position of their class's name, and the names: those of the
        folders that the photos are in, in alphabetical order.

    Raises:
        FileNotFoundError: If the folder does not exist or holds no photo.
        ValueError: If more than 1% of the photos cannot be read, or a side of `image_size` is
            not from 16 to 1,024.

    Example:
        >>> load_folder("my photos", (128, 128))
        Traceback (most recent call last):
            ...
        FileNotFoundError: Expected a folder of photos, received 'my photos', which is not a \
folder. Pass the path of a folder that exists.
    """
    image_size = check_image_size(image_size)
    root = Path(os.path.expanduser(folder))
    if not root.is_dir():
        raise FileNotFoundError(
            f"Expected a folder of photos, received {readable_name(folder)!r}, which is not a "
            "folder. Pass the path of a folder that exists."
        )
    if root.name in ("", ".."):  # The photos in "." are named after the folder that it is.
        root = root.resolve()
    files, not_taken = list_all_photos(root)
    if not files:
        raise FileNotFoundError(
            f"Expected at least one photo in {readable_name(folder)!r}, found none. Put photos "
            f"there. Their names must end with {', '.join(ENDINGS)}."
        )
    if not_taken:
        print(describe_not_taken(not_taken), flush=True)
    pixels = load_pixels(root, files, image_size)
    if pixels.unreadable:
        warnings.warn(list_unreadable(pixels.unreadable, len(files)), stacklevel=4)
    readable = [files[row] for row in pixels.readable]
    class_names = tuple(sorted({path.parent.name for path in readable}))
    photos = Photos(
        pixels.stored,
        np.float32([[class_names.index(path.parent.name)] for path in readable]),
        pixels.keys,
        [path.relative_to(root).as_posix() for path in readable],
        rows=pixels.readable,
    )
    return photos, class_names


def find_tasks(
    photos: Any, class_names: tuple[str, ...], tasks: Mapping[str, Any] | None
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Returns the tasks by name: the names of their classes, and a whole number for each photo.

    Args:
        photos: The photos, whose labels are those of the only task where `tasks` is `None`.
        class_names: The names for these labels.
        tasks: Labels by the name of the task, such as `"faces left or right"`.

    Raises:
        ValueError: If a task does not name two classes, or its labels do not fit.

    Example:
        >>> from types import SimpleNamespace
        >>> photos = SimpleNamespace(count=2, labels=np.array([[0.0], [1.0]]))
        >>> find_tasks(photos, ("Car", "Truck"), None)
        {'Car or Truck': (('Car', 'Truck'), array([0, 1]))}
    """
    if not tasks:
        tasks = {" or ".join(class_names): photos.labels}
        names = {next(iter(tasks)): class_names}
    else:
        names = {task: _split_task(task) for task in tasks}
    found = {}
    for task, given in tasks.items():
        labels = np.asarray(given).reshape(-1)
        if len(labels) != photos.count:
            raise ValueError(
                f"Expected {photos.count} labels for the task {task!r}, received {len(labels)}. "
                "Pass one label for each training photo, in the order of splits.train.labels."
            )
        allowed = range(len(names[task]))
        if not np.isin(labels, allowed).all():
            raise ValueError(
                f"Expected the labels {' and '.join(map(str, allowed))} for the task {task!r}, "
                f"received {', '.join(map(str, np.unique(labels)[:5]))}. Pass 0 for the word "
                'before "or", 1 for the word after it.'
            )
        found[task] = (names[task], labels.astype(int))
    return found


def _split_task(task: str) -> tuple[str, str]:
    before, _, after = task.partition(" or ")
    if not before.strip() or not after.strip():
        raise ValueError(
            f"Expected a task such as 'faces left or right', received {task!r}. "
            'Name both classes, with the word "or" between them.'
        )
    return before.split()[-1], after.strip()
