"""The explorer's controls, each one in the units of the catalogue."""

import asyncio
import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
from traitlets import Unicode

from course_utils.augmentation.catalogue import CATALOGUE, Transformation
from course_utils.augmentation.policy import Augmentation

# Seconds without a move after which a hand rests: longer than between two steps of a held key.
PAUSE = 0.1
# What is in none of these comes last, in a group of its own.
GROUPS = {
    "Geometry": ("flip", "rotation", "translation", "zoom", "shear", "perspective"),
    "Light": ("brightness", "contrast", "blur", "noise"),
    "Color": ("saturation", "hue", "grayscale"),
    "Occlusion": ("erasing",),
}
OTHERS = "Several at once"
PRESETS = {
    "Lesson 02": Augmentation(flip="horizontal", contrast=0.5),
    "Phone camera": Augmentation(
        rotation=5, translation=0.05, zoom=0.1, perspective=0.05, brightness=0.2, contrast=0.2,
        saturation=0.1, blur=0.5, noise=0.02,
    ),
    "Too much": Augmentation(rotation=120, zoom=0.5, brightness=0.6, hue=180, erasing=0.5),
    "Nothing": Augmentation(),
}  # fmt: skip
# ipywidgets shows the value None as an empty menu; these two stand for it.
ALL = "all"
NONE = "none"
# The class menu's choice of uploaded photos.
OWN = "own"
FLIP_CHOICES = (
    ("none", NONE),
    ("left ↔ right", "horizontal"),
    ("up ↕ down", "vertical"),
    ("both", "horizontal_and_vertical"),
)
# How d3 writes a slider's number, by unit, and what is added to the slider's name.
READOUTS = {"percent": (".0%", ""), "degrees": (".0f", " °"), "pixels": (".1f", " px")}


class NamedImage(widgets.Image):
    """An image whose tooltip is its name for a screen reader.

    The browser's part of ipywidgets looks for a description before it sets a tooltip, and stops
    with an error at widgets that have none, such as images.
    """

    description = Unicode("").tag(sync=True)


class Later:
    """An action that can wait until the hand rests.

    Args:
        action: What is done, once for all requests that follow each other at less than `PAUSE`.

    Example:
        >>> greeting = Later(lambda: print("hello"))
        >>> greeting.now()
        hello
    """

    def __init__(self, action: Callable[[], None]):
        self._action = action
        self._waiting: asyncio.TimerHandle | None = None

    def now(self) -> None:
        """Does it at once, in place of a request that waits."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = None
        self._action()

    def soon(self) -> None:
        """Does it after a pause without another request."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # A kernel has a loop; a script has none.
            self.now()
            return
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = loop.call_later(PAUSE, self.now)


def check_controls(names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the names of transformations in the order of their controls; `None` is all.

    Args:
        names: Names from `CATALOGUE`.

    Raises:
        ValueError: If they are not names from `CATALOGUE`.

    Example:
        >>> check_controls(["contrast"])
        ('contrast',)
    """
    if names is None:
        return tuple(name for members in group_controls().values() for name in members)
    unknown = [name for name in names if name not in CATALOGUE]
    if unknown or not names or isinstance(names, str):
        raise ValueError(
            f"Expected controls from {', '.join(CATALOGUE)}, received {names!r}. "
            'Pass a tuple of names, such as ("contrast",).'
        )
    return tuple(names)


def group_controls() -> dict[str, tuple[str, ...]]:
    """Returns the names of all transformations by the title of their group.

    Example:
        >>> group_controls()["Several at once"]
        ('rand_augment', 'one_operation')
    """
    grouped = {name for members in GROUPS.values() for name in members}
    return GROUPS | {OTHERS: tuple(name for name in CATALOGUE if name not in grouped)}


def build_control(
    entry: Transformation, value: Any, on_change: Callable[[Any], None]
) -> widgets.Widget:
    """Returns the slider of a transformation or, for a choice, its menu.

    Args:
        entry: Of the catalogue.
        value: Where it starts.
        on_change: Called with each new value.

    Example:
        >>> build_control(CATALOGUE["contrast"], 0.5, print).value
        0.5
    """
    style = {"description_width": "96px"}
    if entry.choices:
        control = widgets.Dropdown(
            options=FLIP_CHOICES, value=value or NONE, description=entry.title, style=style
        )
    else:
        readout, unit = READOUTS[entry.unit]
        control = widgets.FloatSlider(
            value=value,
            min=0.0,
            max=entry.maximum,
            step=_find_step(value, entry.step),
            readout_format=readout,
            description=entry.title + unit,
            style=style,
        )
    control.observe(lambda change: on_change(_read_value(change["new"])), "value")
    return control


def set_control(control: widgets.Widget, entry: Transformation, value: Any) -> None:
    """Moves a control to a value.

    Example:
        >>> control = build_control(CATALOGUE["contrast"], 0.5, lambda value: None)
        >>> set_control(control, CATALOGUE["contrast"], 0.6)
        >>> control.value
        0.6
    """
    # In one message, so that a browser never rounds an old value to a new step.
    with control.hold_sync():
        if not entry.choices:
            control.step = _find_step(value, entry.step)
        control.value = NONE if value is None else value


def build_menu(description: str, options: Any, *, flex: str = "", **settings: Any) -> Any:
    """Returns a menu that takes as much room as its name and choices need.

    Args:
        description: Its name.
        options: Choices, or pairs of what is shown and the choice.
        flex: How it shares a row with others, in CSS.
        settings: Of `ipywidgets.Dropdown`.

    Example:
        >>> build_menu("Photo", ["a car", "a truck"]).value
        'a car'
    """
    return widgets.Dropdown(
        options=options,
        description=description,
        style={"description_width": "auto"},
        layout={"flex": flex} if flex else {},
        **settings,
    )


def build_button(label: str, action: Callable[[], None]) -> widgets.Button:
    """Returns a button that calls `action` when it is pressed.

    Example:
        >>> build_button("Greet", lambda: print("hello")).click()
        hello
    """
    button = widgets.Button(description=label, layout={"width": "auto"})
    button.on_click(lambda _: action())
    return button


def build_row(*children: widgets.Widget) -> widgets.Box:
    """Returns widgets side by side, in as many lines as they need.

    Example:
        >>> len(build_row(build_text(), build_text()).children)
        2
    """
    return widgets.Box(children).add_class("ax-row")


def build_text(words: str = "") -> widgets.HTML:
    """Returns a text that follows the page's theme: a paragraph of plain words, or empty.

    Example:
        >>> build_text("cars & trucks").value
        '<p>cars &amp; trucks</p>'
    """
    text = widgets.HTML().add_class("ax-text")
    text.value = write_paragraph(words) if words else ""
    return text


def write_paragraph(words: str) -> str:
    """Returns plain words as a paragraph of HTML.

    Example:
        >>> write_paragraph("cars & trucks")
        '<p>cars &amp; trucks</p>'
    """
    return f"<p>{html.escape(words)}</p>"


def set_visible(widget: widgets.DOMWidget, visible: bool) -> None:
    """Shows or hides a widget.

    Example:
        >>> text = build_text()
        >>> set_visible(text, False)
        >>> text.layout.display
        'none'
    """
    widget.layout.display = None if visible else "none"


def _read_value(shown: Any) -> Any:
    # A browser's steps add up to 0.15000000000000002.
    value = round(shown, 6) if isinstance(shown, float) else shown
    return None if value == NONE else value


def _find_step(value: float, step: float) -> float:
    """Returns a slider's step that `value` is a multiple of.

    A browser rounds a value to the nearest step, and sends back what it rounded.
    """
    for parts in (1, 5, 50, 500):
        if abs(value / step * parts - round(value / step * parts)) < 1e-6:
            return step / parts
    return 1e-6
