"""Which photos the grid shows: one or sixteen, of which class, the next ones, or uploaded ones."""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils.augmentation.explorer.controls import (
    ALL,
    OWN,
    build_menu,
    build_row,
    set_visible,
)
from course_utils.augmentation.explorer.uploads import Upload

VIEWS = 16
SHOWN = {"one": "one photo, 16 views", "sixteen": "16 photos, a view each"}


class PhotoChoice:
    """Menus for the photos, and the photos that are chosen.

    Args:
        photos: The photos, with `count` and `read`.
        tasks: Names of classes and labels by the name of a task, as `find_tasks` returns them.
        seed: Of the order of the photos.
        show: One of `SHOWN`.
        takes_uploads: Whether the student may upload photos.
        on_photos: Called when other photos are chosen.
        on_label: Called when uploaded photos get another label.
    """

    def __init__(
        self,
        photos: Any,
        tasks: Mapping[str, tuple[tuple[str, ...], np.ndarray]],
        *,
        seed: int,
        show: str,
        takes_uploads: bool,
        on_photos: Callable[[], None],
        on_label: Callable[[], None],
    ):
        self._photos, self._tasks, self._on_photos = photos, tasks, on_photos
        self._first_task = next(iter(tasks))
        self._order = np.random.default_rng(seed).permutation(photos.count)
        self._place = 0
        self._own: np.ndarray | None = None
        modes = [(title, value) for value, title in SHOWN.items()]
        self._mode = build_menu("Show", modes, value=show, flex="1 1 170px")
        names, labels = tasks[self._first_task]
        there = [(name, label) for label, name in enumerate(names) if label in labels]
        self._class = build_menu("of class", [("all", ALL), *there], flex="1 1 110px")
        self._own_label = build_menu("which show", [("", 0)], flex="1 1 110px")
        self.set_task(self._first_task)
        set_visible(self._own_label, False)
        self._mode.observe(lambda _: on_photos(), "value")
        self._class.observe(lambda _: self._restart(), "value")
        self._own_label.observe(lambda _: on_label(), "value")
        self.widget = build_row(self._mode, self._class)
        if takes_uploads:
            upload = Upload(photos.read(self._order[:1]).shape[1:3], self._take_own)
            row = build_row(self._mode, self._class, self._own_label, upload.button)
            self.widget = widgets.VBox([row, upload.message])

    @property
    def is_one(self) -> bool:
        """Whether all views are of one photo."""
        return self._mode.value == "one"

    def read(self) -> np.ndarray:
        """Returns the chosen photos, float32 in [0, 1], shape (16, height, width, 3)."""
        _, labels = self._tasks[self._first_task]
        chosen = self._class.value
        if chosen == OWN:
            order = np.arange(len(self._own))
        else:
            order = self._order if chosen == ALL else self._order[labels[self._order] == chosen]
        offsets = np.zeros(VIEWS, int) if self.is_one else np.arange(VIEWS)
        self._positions = order[(self._place + offsets) % len(order)]
        unique, place = np.unique(self._positions, return_inverse=True)
        images = self._own[unique] if chosen == OWN else self._photos.read(unique)
        return images[place]

    def list_labels(self, task: str) -> list[str]:
        """Returns the label of each chosen photo in a task."""
        names, labels = self._tasks[task]
        if self._class.value == OWN:
            return [names[self._own_label.value]] * VIEWS
        return [names[labels[position]] for position in self._positions]

    def set_task(self, task: str) -> None:
        """Lets uploaded photos be labeled in this task."""
        names, _ = self._tasks[task]
        self._own_label.options = [(name, label) for label, name in enumerate(names)]

    def turn(self, steps: int) -> None:
        """Goes on by so many photos or, with sixteen, so many grids of them."""
        self._place += steps * (1 if self.is_one else VIEWS)
        self._on_photos()

    def _restart(self) -> None:
        set_visible(self._own_label, self._class.value == OWN)
        self._place = 0
        self._on_photos()

    def _take_own(self, photos: np.ndarray) -> None:
        """Shows uploaded photos, in place of those uploaded before."""
        self._own = photos
        if self._class.value == OWN:
            self._restart()
            return
        there = [choice for choice in self._class.options if choice[1] != OWN]
        self._class.options = [*there, ("your photos", OWN)]
        self._class.value = OWN
