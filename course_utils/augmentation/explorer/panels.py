"""The explorer's panels: judging the views, the epochs, and the setting as code."""

import html
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets

from course_utils.augmentation.explorer import judging
from course_utils.augmentation.explorer.controls import (
    build_button,
    build_menu,
    build_row,
    build_text,
    set_visible,
    write_paragraph,
)
from course_utils.augmentation.policy import Augmentation

EPOCHS = 30
# Where a page may not use the clipboard (plain http, a denied permission), the code is selected.
COPY = """
const button = this, code = this.parentElement.querySelector("pre");
new Promise(resolve => resolve(navigator.clipboard.writeText(code.textContent))).then(
  () => { button.textContent = "Copied"; },
  () => {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected: press Ctrl+C";
  });
"""


def build_switch(
    panels: Mapping[str, widgets.Widget], on_switch: Callable[[], None]
) -> widgets.ToggleButtons:
    """Returns buttons that show one panel and hide the others; the first one begins shown.

    Args:
        panels: The panels by the words on their buttons.
        on_switch: Called when another panel is shown.

    Example:
        >>> first, second = build_text(), build_text()
        >>> build_switch({"First": first, "Second": second}, lambda: None).value is first
        True
    """
    switch = widgets.ToggleButtons(
        options=list(panels.items()), style={"button_width": "auto"}
    ).add_class("ax-panels")

    def show(_: object) -> None:
        for panel in panels.values():
            set_visible(panel, panel is switch.value)
        on_switch()

    for panel in list(panels.values())[1:]:
        set_visible(panel, False)
    switch.observe(show, "value")
    return switch


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
        buttons = build_row(self._ask.add_class("ax-first"), build_button("Clear marks", on_clear))
        set_visible(self.task, len(self._tasks) > 1)
        self.widget = widgets.VBox(
            [questions, self.task, self._instruction, buttons, self._outcome]
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
        self._outcome.value = write_paragraph(f"No verdict: {reason}")

    def count(self, found: Sequence[judging.Outcome], untouched: str) -> None:
        """Says how often each outcome was found, and what the model says of the photos themselves.

        Args:
            found: The outcome of each view.
            untouched: Words on the photos before augmentation.
        """
        lines = [
            f"<li><b>{outcome.sign} {found.count(outcome)}</b>: {outcome.who} — "
            f"{outcome.meaning}</li>"
            for outcome in judging.OUTCOMES
        ]
        self._outcome.value = f"{write_paragraph(untouched)}<ul>{''.join(lines)}</ul>"


class CodePanel:
    """The setting in words and as Keras code, with a button that copies the code."""

    def __init__(self) -> None:
        self._words, self._code = build_text(), build_text()
        self._complete = widgets.Checkbox(
            description="with seed and dtype", indent=False, layout={"width": "auto"}
        )
        self._complete.observe(lambda _: self._write(), "value")
        self._shown = (Augmentation(), 0)
        top = widgets.Box([self._words, self._complete]).add_class("ax-setting")
        self.widget = widgets.VBox([top, self._code])

    def show(self, augmentation: Augmentation, seed: int) -> None:
        """Shows a setting and, when asked, the seed that gives these very views."""
        self._shown = (augmentation, seed)
        self._words.value = write_paragraph(augmentation.describe())
        self._write()

    def _write(self) -> None:
        augmentation, seed = self._shown
        code = html.escape(augmentation.code(seed if self._complete.value else None))
        self._code.value = (
            f'<div class="ax-code"><button type="button" onclick="{html.escape(COPY)}">Copy'
            '</button><pre tabindex="0" role="region" aria-label="Keras code of this setting">'
            f"{code}</pre></div>"
        )


class Epochs:
    """A slider over the epochs, which plays by itself, and how many views were seen by then.

    Args:
        views: How many views each epoch shows.
        on_move: Called when the epoch changes.
    """

    def __init__(self, views: int, on_move: Callable[[], None]):
        self._views = views
        self._slider = widgets.IntSlider(
            value=1,
            min=1,
            max=EPOCHS,
            description="Epoch",
            style={"description_width": "auto"},
            layout={"flex": "1 1 150px"},
        )
        play = widgets.Play(value=1, min=1, max=EPOCHS, interval=1000)
        # In the browser, so that playing needs the kernel for the views alone.
        widgets.jslink((play, "value"), (self._slider, "value"))
        self._seen = build_text().add_class("ax-seen")
        self.widget = build_row(play, self._slider, self._seen)
        self._slider.observe(lambda _: on_move(), "value")
        self._slider.observe(lambda _: self._count(), "value")
        self._count()

    @property
    def value(self) -> int:
        """The epoch, from 1."""
        return self._slider.value

    def _count(self) -> None:
        self._seen.value = write_paragraph(f"{self._views * self.value} views seen so far")
