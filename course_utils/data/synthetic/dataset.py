"""The synthetic dataset: images of cars and trucks that need no network, in memory or as files."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from course_utils.core.checks import check_choice, check_count, check_image_size
from course_utils.core.manifest import made_folder
from course_utils.data.synthetic.parameters import (
    CLASS_NAMES,
    LABELS,
    MOST,
    SPLITS,
    sample_parameters,
)
from course_utils.data.synthetic.render import render_mask, render_vehicle

# Raise it with every change that moves a pixel: caches are named after it.
VERSION = 1


def make_synthetic_vehicles(
    count: int,
    *,
    seed: int = 31415,
    image_size: tuple[int, int] = (128, 128),
    label: str = "type",
    split: str = "train",
    **nuisances: Any,
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Makes labeled images of cars and trucks, with every parameter that they were made from.

    The dataset that needs no network. Every nuisance of every image is known: which way the
    vehicle faces, the light, the paint, the size, the place, the background. Exercise 01 and
    lesson 03 use it.

    Cars and trucks are equally many, within one. Image i depends on `seed`, `split`, i and
    the nuisances, not on `count` and not on `label`: the same images can ask another
    question. A nuisance that is set moves no other: what it leaves alone stays as it was.

    A nuisance, by its name in `NUISANCES`, may be set to

    - a value: `light="dusk"`, `size=0.9`;
    - for a number, a range to sample from: `azimuth=(60, 120)`;
    - for a name, several with equal odds, `background=("hills", "trees")`, or with weights,
      `heading={"left": 0.9, "right": 0.1}`;
    - any of these by class, which is a bias: `light=PerClass(car="day", truck="dusk")`.

    A body is sampled from those of its class that the setting names.

    Args:
        count: How many images, 1 to 99,999.
        seed: From 0 to 2**32 - 1.
        image_size: (height, width) in pixels, each from 16 to 1024.
        label: What the labels say: "type" (0 = Car, 1 = Truck), "heading"
            (0 = left, 1 = right), "light" (0 = day, 1 = dusk) or "paint" (0 = bright,
            1 = dark).
        split: "train" or "valid". The two have no image in common at the same seed.
        **nuisances: Settings by name; what is not set is sampled from its default.

    Returns:
        images: float32 of shape (count, height, width, 3), RGB in [0, 1].
        labels: float32 of shape (count, 1), 0 or 1.
        parameters: DataFrame with one row per image, column "type" and one column per nuisance;
            `render_vehicle` gives the same image from such a row.

    Raises:
        ValueError: If a value is outside its limits.
        TypeError: If a nuisance is unknown, or a value has the wrong type.

    Example:
        >>> images, labels, parameters = make_synthetic_vehicles(4, seed=1, light="dusk")
        >>> images.shape, labels.shape, set(parameters["light"])
        ((4, 128, 128, 3), (4, 1), {'dusk'})
    """
    rows = sample_parameters(count, seed=seed, split=split, **nuisances)
    height, width = check_image_size(image_size)
    check_choice("label", label, tuple(LABELS))
    parameters = pd.DataFrame(rows)
    images = redraw_vehicles(parameters, image_size=(height, width))
    labels = (parameters[label] == LABELS[label][1]).to_numpy(np.float32)[:, None]
    return images, labels, parameters


def redraw_vehicles(
    parameters: pd.DataFrame, *, image_size: tuple[int, int] = (128, 128)
) -> np.ndarray:
    """Renders synthetic vehicles from their parameters, as they are or after a change to them.

    The same vehicles before another background, for example. Lesson 08 does so.

    Args:
        parameters: The rows that `make_synthetic_vehicles` returns, or some of them.
        image_size: (height, width) in pixels, each from 16 to 1024.

    Returns:
        float32, shape (rows, height, width, 3), RGB in [0, 1].

    Raises:
        ValueError: If a parameter is missing or outside its limits.

    Example:
        >>> images, _, parameters = make_synthetic_vehicles(2, seed=1, background="hills")
        >>> bool((redraw_vehicles(parameters) == images).all())
        True
        >>> redraw_vehicles(parameters.assign(background="trees")).shape
        (2, 128, 128, 3)
    """
    size = check_image_size(image_size)
    images = np.empty((len(parameters), *size, 3), dtype=np.float32)
    for image, row in zip(images, parameters.to_dict("records"), strict=True):
        image[:] = render_vehicle(row, size)
    images /= 255
    return images


def find_vehicles(
    parameters: pd.DataFrame, *, image_size: tuple[int, int] = (128, 128)
) -> np.ndarray:
    """Returns where the vehicle is in each synthetic image, without its shadow.

    Lesson 08 compares it with where a model looks.

    Args:
        parameters: As in `redraw_vehicles`.
        image_size: The same.

    Returns:
        bool, shape (rows, height, width).

    Raises:
        ValueError: As `redraw_vehicles` does.

    Example:
        >>> images, _, parameters = make_synthetic_vehicles(2, seed=1)
        >>> masks = find_vehicles(parameters)
        >>> masks.shape, bool(0.02 < masks.mean() < 0.9)
        ((2, 128, 128), True)
    """
    size = check_image_size(image_size)
    return np.array([render_mask(row, size) for row in parameters.to_dict("records")])


def write_vehicles(
    folder: str | os.PathLike,
    *,
    train: int,
    valid: int,
    seed: int,
    image_size: tuple[int, int] = (128, 128),
    **nuisances: Any,
) -> Path:
    """Writes synthetic vehicles as a folder of photos, once and completely.

    The layout is train/Car/00000.png, train/Truck/00001.png, ..., valid/..., and beside the
    classes parameters.csv, whose column "file" names each image below its split. A folder
    that exists is left as it is. A half-written folder is never seen: everything is written
    beside it and renamed at the end; where another process was faster, its folder stays.

    Args:
        folder: Where to write.
        train: How many images in train, 2 to 99,999; cars and trucks balance within one.
        valid: The same for valid. The two splits share no image.
        seed: From 0 to 2**32 - 1.
        image_size: (height, width) in pixels, each from 16 to 1024.
        **nuisances: As for `make_synthetic_vehicles`; they hold in both splits.

    Returns:
        The folder.

    Raises:
        ValueError: If a value is outside its limits.
        TypeError: If a nuisance is unknown, or a value has the wrong type.
        OSError: If the folder cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as parent:
        ...     folder = write_vehicles(f"{parent}/photos", train=2, valid=2, seed=1)
        ...     sorted(path.name for path in folder.glob("train/*"))
        ['Car', 'Truck', 'parameters.csv']
    """
    folder = Path(folder)
    image_size = check_image_size(image_size)
    for name, count in (("train", train), ("valid", valid)):
        check_count(name, count, 2, MOST)
    rows = {
        split: sample_parameters(count, seed=seed, split=split, **nuisances)
        for split, count in zip(SPLITS, (train, valid), strict=True)
    }
    if folder.is_dir():
        return folder
    with made_folder(folder) as beside:
        for split in SPLITS:
            _write_split(beside / split, rows[split], image_size)
    return folder


def _write_split(folder: Path, rows: list[dict[str, Any]], image_size: tuple[int, int]) -> None:
    for class_name in CLASS_NAMES:
        (folder / class_name).mkdir(parents=True)
    files = [f"{row['type']}/{index:05d}.png" for index, row in enumerate(rows)]
    for file, row in zip(files, rows, strict=True):
        Image.fromarray(render_vehicle(row, image_size)).save(folder / file)
    pd.DataFrame(rows).assign(file=files).to_csv(folder / "parameters.csv", index=False)
