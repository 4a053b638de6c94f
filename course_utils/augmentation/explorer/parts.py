"""The explorer's parts: the sliders, the grid, and the two ends of a setting."""

import html
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.explorer import judging, pictures
from course_utils.augmentation.explorer.controls import (
    NamedImage,
    build_control,
    build_text,
    group_controls,
    set_control,
    set_visible,
)
from course_utils.augmentation.policy import Augmentation

# Their two ends are weaker and stronger than the photo. Those of a rotation are equally strong.
MULTIPLIERS = ("contrast", "saturation")


class Sliders:
    """The controls of transformations.

    Args:
        names: Of the transformations, in order.
        augmentation: Where the controls start.
        on_move: Called with a name and its new value when the student moves a control.
    """

    def __init__(
        self,
        names: Sequence[str],
        augmentation: Augmentation,
        on_move: Callable[[str, Any], None],
    ):
        self._on_move = on_move
        self._quiet = False
        self._folds: dict[str, widgets.ToggleButton] = {}
        self._controls = {
            name: build_control(
                CATALOGUE[name],
                getattr(augmentation, name),
                lambda value, name=name: self._move(name, value),
            )
            for name in names
        }

    @property
    def all(self) -> list[widgets.Widget]:
        """The controls."""
        return list(self._controls.values())

    def fold(self, opened: str) -> list[widgets.Widget]:
        """Returns the controls in their groups, each below a button that opens and closes it.

        Args:
            opened: The name of a transformation, whose group begins open.
        """
        # Not an Accordion, whose titles the Tab key does not reach.
        shown = []
        for title, names in group_controls().items():
            begins_open = opened in names
            fold = widgets.ToggleButton(value=begins_open, description=title).add_class("ax-fold")
            controls = widgets.VBox([self._controls[name] for name in names])
            set_visible(controls, begins_open)
            fold.observe(
                lambda change, controls=controls: set_visible(controls, change["new"]), "value"
            )
            self._folds[title] = fold
            shown += [fold, controls]
        return shown

    def name_folds(self, augmentation: Augmentation) -> None:
        """Writes beside each group's title what of it is in use."""
        for title, fold in self._folds.items():
            used = [
                CATALOGUE[name].title
                for name in group_controls()[title]
                if name in augmentation.active
            ]
            fold.description = f"{title}: {', '.join(used)}" if used else title

    def set(self, augmentation: Augmentation) -> None:
        """Moves the controls to where an augmentation stands, without calling `on_move`."""
        self._quiet = True
        try:
            for name, control in self._controls.items():
                set_control(control, CATALOGUE[name], getattr(augmentation, name))
        finally:
            self._quiet = False

    def _move(self, name: str, value: Any) -> None:
        if not self._quiet:
            self._on_move(name, value)


class Grid:
    """A picture of views, a button over each view to mark it, captions, and the untouched photos.

    The style sheet shows a view's random values while its button has the pointer or the focus,
    and the untouched photos while the hold button is pressed: neither waits for the kernel.

    Args:
        count: How many views.
        on_mark: Called when a mark is set or taken away.
    """

    def __init__(self, count: int, on_mark: Callable[[], None]):
        self._picture = NamedImage(format="url")
        self._untouched = NamedImage(format="url").add_class("ax-untouched")
        self._untouched.tooltip = "The photos before augmentation"
        self.hold = widgets.Button(
            description="Hold: untouched photo",
            tooltip="Shows the photos before augmentation while you press it, or hold Space",
            layout={"width": "auto"},
        ).add_class("ax-hold")
        self._captions = widgets.HTML().add_class("ax-captions")
        self._buttons = [
            widgets.ToggleButton(description=f"View {number}") for number in range(1, count + 1)
        ]
        self._on_mark = on_mark
        for button in self._buttons:
            button.observe(self._mark, "value")
        buttons = widgets.GridBox(self._buttons).add_class("ax-buttons")
        stack = [self._picture, self._untouched, buttons, self._captions]
        self.widget = widgets.Box(stack).add_class("ax-stack")

    @property
    def marks(self) -> list[bool]:
        """Whether each view is marked."""
        return [button.value for button in self._buttons]

    def show(self, views: np.ndarray) -> None:
        """Shows views, float32 in [0, 1], shape (count, height, width, 3)."""
        self._picture.value = pictures.encode_url(pictures.draw_grid(views))

    def keep(self, images: np.ndarray) -> None:
        """Keeps the photos that are shown while the hold button is pressed, shaped like views."""
        self._untouched.value = pictures.encode_url(pictures.draw_grid(images))

    def name(self, words: str) -> None:
        """Says for a screen reader what is shown."""
        self._picture.tooltip = words

    def write(
        self, captions: Sequence[str], values: Sequence[str], outcomes: Sequence[judging.Outcome]
    ) -> None:
        """Writes over the views.

        Args:
            captions: Below each view; nothing where it is empty.
            values: What is shown while a view has the pointer or the focus.
            outcomes: What each view's frame says; empty for no frames.
        """
        frames = [f"ax-{outcome.frame}" for outcome in outcomes] or [""] * len(captions)
        self._captions.value = "".join(
            f'<p class="{frame}"><small>{html.escape(words)}</small>'
            f"<span>{html.escape(caption)}</span></p>"
            for caption, words, frame in zip(captions, values, frames, strict=True)
        )

    def clear(self) -> None:
        """Takes all marks away."""
        for button in self._buttons:
            button.value = False

    def _mark(self, change: dict) -> None:
        number = self._buttons.index(change["owner"]) + 1
        change["owner"].description = f"View {number}" + (", marked" if change["new"] else "")
        self._on_mark()


class Ends:
    """A photo at both ends of one setting, which random draws hide, and what the setting is for."""

    def __init__(self) -> None:
        self._strip = NamedImage(format="url")
        self._words = build_text()
        self._about = build_text()
        strip = widgets.VBox([self._strip, self._words]).add_class("ax-strip")
        self.widget = widgets.Box([strip, self._about]).add_class("ax-ends")

    def show(self, augmentation: Augmentation, name: str, image: np.ndarray) -> None:
        """Shows a setting.

        Args:
            augmentation: What the sliders say.
            name: The setting, a name in `CATALOGUE`.
            image: The photo, float32 in [0, 1], shape (height, width, 3).
        """
        ends, words = augmentation.show_ends(name, image)
        has_order = name in MULTIPLIERS or not CATALOGUE[name].build(CATALOGUE[name].strongest).low
        low, high = ("weakest", "strongest") if has_order else ("one end", "other end")
        words = ["the photo itself", f"{low}: {words[0]}", f"{high}: {words[1]}"]
        strip = pictures.draw_grid(np.concatenate([image[None], ends]), columns=3)
        self._strip.value = pictures.encode_url(strip)
        self._strip.tooltip = "; ".join(words)
        cells = "".join(f"<span>{html.escape(word)}</span>" for word in words)
        self._words.value = f'<div class="ax-pinned">{cells}</div>'
        entry = CATALOGUE[name]
        self._about.value = (
            f"<p><b>{entry.title}</b> teaches the model to ignore {entry.ignores}. "
            f"It breaks a label {entry.breaks}.</p>"
        )


def load_style() -> widgets.HTML:
    """Returns the style sheet, which runs the script beside it when the browser has loaded it."""
    style, script = (
        resources.files(__package__).joinpath(f"explorer.{ending}").read_text("utf-8")
        for ending in ("css", "js")
    )
    return widgets.HTML(f'<style onload="{html.escape(script)}">{style}</style>')
