"""The frames of the site's explorer: views made by the Keras layers, once, for a page that runs
nothing.

`python -m course_utils site --frames` writes them to docs/site/frames, with `frames.json`, which
says what each frame shows, what lesson 01's model makes of it, and which versions made it.
"""

import datetime
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.explorer.pictures import draw_grid
from course_utils.augmentation.explorer.views import ViewMaker
from course_utils.augmentation.policy import Augmentation
from course_utils.core.files import atomic_folder

VIEWS = 16
SEED = 31415
QUALITY = 75  # of WebP: blocks cannot be seen yet, and all frames stay under 6 MB
# By label: the training photo that is shown, bright and colorful, by its position.
PHOTOS = {"Car": 101, "Truck": 160}
# By control: the strengths at which the page's slider stops, in the units of `Augmentation`.
STRENGTHS: dict[str, tuple[Any, ...]] = {
    "flip": (None, "horizontal", "vertical", "horizontal_and_vertical"),
    "rotation": (0.0, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0, 90.0, 135.0, 180.0),
    "zoom": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
    "brightness": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
    "contrast": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
}
# The pair of lesson 02: a flip, and contrast at every strength, in several epochs.
PAIR, PAIR_FLIP, EPOCHS = "lesson", "horizontal", 5


@dataclass(frozen=True)
class Frame:
    """One picture of sixteen views.

    Args:
        control: What the page's menu chooses: a transformation, or `"lesson"` for the pair.
        place: The slider's stop, from 0.
        augmentation: What is applied.
        epoch: Which use of the photo, from 1.
    """

    control: str
    place: int
    augmentation: Augmentation
    epoch: int = 1


def list_frames() -> Iterator[Frame]:
    """Yields the frames of a photo.

    Example:
        >>> len(list(list_frames()))
        86
    """
    for control, strengths in STRENGTHS.items():
        for place, strength in enumerate(strengths):
            yield Frame(control, place, Augmentation(**{control: strength}))
    for epoch in range(1, EPOCHS + 1):
        for place, strength in enumerate(STRENGTHS["contrast"]):
            yield Frame(PAIR, place, Augmentation(flip=PAIR_FLIP, contrast=strength), epoch)


def write_frames(folder: Path) -> Path:
    """Makes every frame and asks lesson 01's model about every view.

    Args:
        folder: Where to write; what is there gives way when all is made.

    Returns:
        The path of `frames.json`.

    Raises:
        OSError: If the folder cannot be written.
    """
    splits, model = _train_lesson_model()
    photos = splits.train.read(list(PHOTOS.values()))
    pictures: dict[bytes, str] = {}  # Neutral settings look the same whatever they belong to.
    frames, maker = [], ViewMaker()
    for number, photo in enumerate(photos):
        images = np.repeat(photo[None], VIEWS, axis=0)
        for frame in list_frames():
            views = maker.make(images, frame.augmentation, seed=SEED, epoch=frame.epoch)
            file = pictures.setdefault(_encode(views), f"{len(pictures):03d}.webp")
            frames.append(
                {"photo": number, "control": frame.control, "place": frame.place}
                | {"epoch": frame.epoch, "file": file, "truck": _ask(model, views)}
            )
    about = {
        "made": datetime.date.today().isoformat(),
        "versions": {name: version(name) for name in ("keras", "tensorflow")},
        "photos": [
            {"label": label, "truck": _ask(model, photo[None])[0]}
            for label, photo in zip(PHOTOS, photos, strict=True)
        ],
        "controls": _describe_controls(),
        "frames": frames,
    }
    shutil.rmtree(folder, ignore_errors=True)
    with atomic_folder(folder) as made:
        for picture, name in pictures.items():
            (made / name).write_bytes(picture)
        (made / "frames.json").write_text(json.dumps(about), "utf-8")
    return folder / "frames.json"


def _train_lesson_model():
    """Returns the synthetic vehicles, and lesson 01's model trained on them."""
    from course_utils.core import settings
    from course_utils.data import dataset
    from course_utils.models.classifier import build_classifier
    from course_utils.models.vgg16 import load_vgg16_base
    from course_utils.training.train import train

    chosen = settings.load_settings("quick")
    splits = dataset.load_car_or_truck(chosen, folder="synthetic")
    model = build_classifier(load_vgg16_base(), seed=SEED)
    train(model, splits, epochs=chosen.epochs, seed=SEED)
    return splits, model


def _encode(views: np.ndarray) -> bytes:
    stream = io.BytesIO()
    draw_grid(views).save(stream, "WEBP", quality=QUALITY, method=6)
    return stream.getvalue()


def _ask(model, views: np.ndarray) -> list[int]:
    """Returns the model's probability of a truck for each view, in percent."""
    probabilities = np.asarray(model(views, training=False)).reshape(-1)
    return np.rint(100 * probabilities).astype(int).tolist()


def _describe_controls() -> list[dict]:
    """Returns for each control its title, and for each stop of its slider words and Keras code."""
    found = {}
    for frame in list_frames():
        if frame.epoch > 1:
            continue
        entry = CATALOGUE["contrast" if frame.control == PAIR else frame.control]
        control = found.setdefault(
            frame.control,
            {
                "name": frame.control,
                "title": "Lesson 02: flip and contrast" if frame.control == PAIR else entry.title,
                "epochs": EPOCHS if frame.control == PAIR else 1,
                "breaks": entry.breaks,
                "stops": [],
            },
        )
        value = getattr(frame.augmentation, entry.name)
        control["stops"].append(
            {
                "value": value,
                "shown": _tell_value(entry, value),
                "words": frame.augmentation.describe(),
                "code": frame.augmentation.code(),
            }
        )
    return list(found.values())


def _tell_value(entry, value: Any) -> str:
    if entry.choices:
        return str(value or "none").replace("_", " ")
    return f"{value * entry.scale:g}{'°' if entry.unit == 'degrees' else ' %'}"
