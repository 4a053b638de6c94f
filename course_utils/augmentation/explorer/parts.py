"""The explorer's parts: the sliders, the grid, the two ends of a setting, the panel for judging."""

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.explorer import judging, pictures
from course_utils.augmentation.explorer.controls import (
    FIRST_CONTROLS,
    NamedImage,
    build_button,
    build_control,
    build_menu,
    build_text,
    set_control,
    set_visible,
)
from course_utils.augmentation.policy import Augmentation


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

    @property
    def folded(self) -> list[widgets.Widget]:
        """The first controls, and a button that shows the others."""
        first = [self._controls[name] for name in FIRST_CONTROLS]
        others = widgets.VBox([control for control in self.all if control not in first])
        more = widgets.ToggleButton(description="More transformations", layout={"width": "auto"})
        more.observe(lambda change: set_visible(others, change["new"]), "value")
        set_visible(others, False)
        return [*first, more, others]

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
    """A picture of views, a button over each view to mark it, and captions.

    Args:
        count: How many views.
        on_mark: Called when a mark is set or taken away.
    """

    def __init__(self, count: int, on_mark: Callable[[], None]):
        self._picture = NamedImage(format="jpeg")
        self._captions = widgets.HTML().add_class("ax-captions")
        self._buttons = [
            widgets.ToggleButton(description=f"View {number}") for number in range(1, count + 1)
        ]
        self._on_mark = on_mark
        for button in self._buttons:
            button.observe(self._mark, "value")
        buttons = widgets.GridBox(self._buttons).add_class("ax-buttons")
        self.widget = widgets.Box([self._picture, buttons, self._captions]).add_class("ax-stack")

    @property
    def marks(self) -> list[bool]:
        """Whether each view is marked."""
        return [button.value for button in self._buttons]

    def show(self, views: np.ndarray) -> None:
        """Shows views, float32 in [0, 1], shape (count, height, width, 3)."""
        self._picture.value = pictures.encode_jpeg(pictures.draw_grid(views))

    def name(self, words: str) -> None:
        """Says for a screen reader what is shown."""
        self._picture.tooltip = words

    def write(self, captions: Sequence[str]) -> None:
        """Writes a caption over each view; nothing where it is empty."""
        self._captions.value = "".join(
            f"<p>{html.escape(caption)}</p>" if caption else "<i></i>" for caption in captions
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
        self._strip = NamedImage(format="jpeg", layout={"width": "calc(100% - 4px)"})
        self._words = build_text()
        self.widget = widgets.VBox([self._strip, self._words])
        self.about = build_text()

    def show(self, augmentation: Augmentation, name: str, image: np.ndarray) -> None:
        """Shows a setting.

        Args:
            augmentation: What the sliders say.
            name: The setting, a name in `CATALOGUE`.
            image: The photo, float32 in [0, 1], shape (height, width, 3).
        """
        ends, words = augmentation.show_ends(name, image)
        words = ["the photo itself", *words]
        strip = pictures.draw_grid(np.concatenate([image[None], ends]), columns=3)
        self._strip.value = pictures.encode_jpeg(strip)
        self._strip.tooltip = "; ".join(words)
        cells = "".join(f"<span>{html.escape(word)}</span>" for word in words)
        self._words.value = f'<div class="ax-pinned">{cells}</div>'
        entry = CATALOGUE[name]
        self.about.value = (
            f"<p><b>{entry.title}</b> teaches the model to ignore {entry.ignores}. "
            f"It breaks a label {entry.breaks}.</p>"
        )


class JudgingPanel:
    """Three questions, a task, and what student and classifier say of the views.

    Args:
        tasks: The names of the tasks.
        has_classifier: Whether there is a classifier to ask. It knows the first task only.
        on_task: Called when another task is chosen.
        on_ask: Called when the classifier is to be asked.
        on_clear: Called when the marks are to be taken away.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        has_classifier: bool,
        on_task: Callable[[], None],
        on_ask: Callable[[], None],
        on_clear: Callable[[], None],
    ):
        self._tasks = list(tasks)
        self._has_classifier = has_classifier
        self.task = build_menu("Task", self._tasks)
        self.task.observe(lambda _: on_task(), "value")
        self._instruction = build_text()
        self._ask = build_button("Ask the classifier", on_ask)
        self._outcome = build_text()
        questions = build_text()
        questions.value = f"<ol>{''.join(f'<li>{one}</li>' for one in judging.QUESTIONS)}</ol>"
        buttons = widgets.Box([self._ask, build_button("Clear marks", on_clear)])
        self.widget = widgets.VBox(
            [questions, self.task, self._instruction, buttons.add_class("ax-row"), self._outcome]
        )

    def instruct(self, labels: Sequence[str]) -> None:
        """Says what to do with views of these labels, and forgets what was said of others."""
        self._outcome.value = ""
        different = set(labels)
        label = f"is <b>{html.escape(labels[0])}</b>" if len(different) == 1 else "is written on it"
        text = (
            f"You judge first. The label of each view {label}. Click every view for which that "
            "is no longer true."
        )
        knows_task = self.task.value == self._tasks[0]
        if not self._has_classifier:
            text += " (No classifier was given, so only you can judge.)"
        elif not knows_task:
            text += f" (The classifier knows another task: {html.escape(self._tasks[0])}.)"
        self._instruction.value = f"<p>{text}</p>"
        self._ask.disabled = not (self._has_classifier and knows_task)

    def wait(self) -> None:
        """Says that the classifier is at work."""
        self._outcome.value = "<p>The classifier is looking …</p>"

    def refuse(self, error: Exception) -> None:
        """Says why there is no verdict."""
        reason = str(error) or type(error).__name__
        self._outcome.value = f"<p>No verdict: {html.escape(reason)}</p>"

    def count(self, found: Sequence[judging.Outcome]) -> None:
        """Says how often each outcome was found."""
        lines = [
            f"<li><b>{outcome.sign} {found.count(outcome)}</b>: {outcome.who} — "
            f"{outcome.meaning}</li>"
            for outcome in judging.OUTCOMES
        ]
        self._outcome.value = f"<ul style='list-style: none; padding: 0'>{''.join(lines)}</ul>"
