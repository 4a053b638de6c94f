"""Photos for an explorer, and hands for it: what finds its controls and reads what it shows."""

import base64
import io

import numpy as np
from augmentation_helpers import SEED, apply, random_photos
from PIL import Image

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.policy import Augmentation

LESSON = Augmentation(flip="horizontal", rotation=20, contrast=0.5)
SOME = {"flip": "horizontal_and_vertical"} | {
    name: 0.5 * entry.maximum for name, entry in CATALOGUE.items() if not entry.choices
}


class RandomPhotos:
    """Photos of two classes in turn, with the attributes that the explorer uses."""

    def __init__(self, count=40, height=16, width=12):
        self.pixels = random_photos(count, height, width)
        self.labels = np.float32([[number % 2] for number in range(count)])
        self.count = count

    def read(self, positions):
        return self.pixels[np.asarray(positions)]


def views_of(augmentation, images, seed=SEED, epoch=1):
    """What the model's layers give, call for call."""
    layers = augmentation.layers(seed)
    for _ in range(epoch):
        views = apply(layers, images)
    return views


def descendants(widget):
    """A widget and all widgets in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from descendants(child)


def control(explorer, description):
    """The control with this label."""
    found = [
        widget
        for widget in descendants(explorer.widget)
        if getattr(widget, "description", None) == description
    ]
    assert len(found) == 1, f"{len(found)} controls are called {description!r}"
    return found[0]


def slider(explorer, name):
    """The control of a transformation."""
    units = {"percent": "", "degrees": " °", "pixels": " px", "choice": ""}
    return control(explorer, CATALOGUE[name].title + units[CATALOGUE[name].unit])


def move(explorer, name, value):
    """Sets a slider or, for the flip, a menu, in which none is a choice of its own."""
    slider(explorer, name).value = "none" if value is None else value


def panels(explorer):
    """The buttons that switch between the sliders and judging."""
    (found,) = (
        widget
        for widget in descendants(explorer.widget)
        if hasattr(widget, "button_style") and hasattr(widget, "options")
    )
    return found


def decode(picture):
    """The pixels that a browser reads from a picture's data URL."""
    _, _, written = bytes(picture.value).partition(b",")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(written))))


def shown_grid(explorer):
    """The pixels that the browser is sent."""
    images = [w for w in descendants(explorer.widget) if type(w).__name__ == "NamedImage"]
    return decode(images[0])


def texts(explorer):
    """All texts that are shown."""
    return " ".join(w.value for w in descendants(explorer.widget) if type(w).__name__ == "HTML")


def judge(explorer, marks=()):
    """Marks views, and asks the classifier."""
    for mark in marks:
        control(explorer, f"View {mark}").value = True
    control(explorer, "Ask the classifier").click()
