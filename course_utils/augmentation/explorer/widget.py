"""Sliders over a live grid of augmented photos, bound to the value that a lesson trains with.

The other modules that import ipywidgets are `choosing`, `controls`, `panels`, `parts`, `uploads`.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.explorer import judging, pictures
from course_utils.augmentation.explorer.choosing import SHOWN, VIEWS, PhotoChoice
from course_utils.augmentation.explorer.controls import (
    PRESETS,
    Later,
    build_button,
    build_row,
    build_text,
    check_controls,
)
from course_utils.augmentation.explorer.panels import CodePanel, Epochs, JudgingPanel, build_switch
from course_utils.augmentation.explorer.parts import Ends, Grid, Sliders, load_style
from course_utils.augmentation.explorer.photos import find_photos, find_tasks
from course_utils.augmentation.explorer.views import ViewMaker
from course_utils.augmentation.policy import Augmentation
from course_utils.core.checks import check_choice
from course_utils.core.display import view_widget

SENTENCE = (
    "AugmentationExplorer: a grid of augmented photos with sliders. No sliders here? Open the "
    "notebook in JupyterLab or Notebook 7, run pip install ipywidgets, restart Jupyter, and run "
    "this cell again."
)
FIRST_ACTION = "Move a slider or press a preset. The model trains on what you see."
STILL = "This is a still picture. Run the notebook to move the sliders."


class AugmentationExplorer:
    """Sliders over a grid of sixteen augmented photos.

    Show it as the last line of a cell. What the sliders say is `explorer.augmentation`, for the
    next cell to train with. In Notebook 7, which keeps the arrow keys for itself, Page Up, Page
    Down, Home and End move a slider. Lessons 02 and 03 use it.

    Args:
        splits: What `load_car_or_truck` returns, of which the training photos are shown; or the
            path of a folder with photos of your own, in folders of any depth. A photo's class is
            the name of the folder that it is in.
        augmentation: Where the sliders start, and where "Back to the start" returns to.
        seed: Of the random draws, from 0 to 42,000,000; "Draw again" adds 1.
        classifier: A Keras model, or any function from float32 images of shape
            (batch, height, width, 3) to the probability of the second class, of shape (batch, 1)
            or (batch,), or to the probabilities of both classes, of shape (batch, 2). It answers
            for the first task, and only after the student has.
        tasks: Names of tasks such as `"faces left or right"` and their labels for the training
            photos, 0 or 1, shape (count, 1) or (count,): 0 stands for the word before "or".
            `None` is the one task of telling `splits.class_names` apart.
        show: `"one"` for sixteen views of one photo, `"sixteen"` for sixteen photos with a view
            each: what the grid begins with.
        controls: Names from `CATALOGUE` for a small explorer with these sliders alone, without
            epochs and judging; `None` is the complete explorer.
        image_size: (height, width) in pixels for photos of your own; those of splits keep theirs.

    Raises:
        FileNotFoundError: If the folder does not exist or holds no photo.
        TypeError: If `splits` is neither splits nor a path, or the classifier cannot be called.
        ValueError: If there is no photo, or a name or a number of labels does not fit.

    Example:
        >>> AugmentationExplorer(splits, Augmentation(contrast=0.5)).augmentation
        Augmentation(contrast=0.5)
    """

    def __init__(
        self,
        splits: Any,
        augmentation: Augmentation | None = None,
        *,
        seed: int = 31415,
        classifier: Callable[[np.ndarray], Any] | None = None,
        tasks: Mapping[str, Any] | None = None,
        show: str = "one",
        controls: Sequence[str] | None = None,
        image_size: tuple[int, int] = (128, 128),
    ):
        self._photos, class_names = find_photos(splits, image_size)
        self._tasks = find_tasks(self._photos, class_names, tasks)
        self._first_task = next(iter(self._tasks))
        self._controls = check_controls(controls)
        self._complete = controls is None
        self._start = Augmentation() if augmentation is None else augmentation
        self._augmentation = self._start
        self._seed = seed
        self._augmentation.calls(seed)
        self._classifier = judging.check_classifier(classifier)
        self._maker = ViewMaker()
        active = [name for name in self._augmentation.active if name in self._controls]
        # What is in use and has a slider tells most at its two ends.
        sliding = [name for name in active if not CATALOGUE[name].choices]
        self._pinned = next(iter([*sliding, *active]), self._controls[0])
        self._verdicts: list[judging.Verdict] | None = None
        self._draw_rest = Later(self._describe)
        self._build(check_choice("show", show, SHOWN))
        self._load()

    @property
    def augmentation(self) -> Augmentation:
        """What the sliders say now; setting it moves the sliders."""
        return self._augmentation

    @augmentation.setter
    def augmentation(self, augmentation: Augmentation) -> None:
        self._augmentation = augmentation
        self._sliders.set(augmentation)
        self._draw()

    @property
    def seed(self) -> int:
        """The seed of the views shown."""
        return self._seed

    @property
    def epoch(self) -> int:
        """The epoch shown, from 1: the first use of the photos, the second, and so on."""
        return self._epochs.value

    @property
    def task(self) -> str:
        """The task that the labels belong to; setting it chooses another one of `tasks`."""
        return self._judging.task.value

    @task.setter
    def task(self, task: str) -> None:
        if task not in self._tasks:
            raise ValueError(
                f"Expected a task, one of {', '.join(map(repr, self._tasks))}, received {task!r}. "
                "Choose one of these."
            )
        self._judging.task.value = task

    @property
    def photos(self) -> np.ndarray:
        """The photos before augmentation, float32 in [0, 1], shape (16, height, width, 3)."""
        return self._images

    @property
    def views(self) -> np.ndarray:
        """The views as shown, float32 in [0, 1], shape (16, height, width, 3)."""
        return self._views

    @property
    def labels(self) -> list[str]:
        """The label of each view's photo in the chosen task."""
        return self._choice.list_labels(self.task)

    @property
    def marked(self) -> list[int]:
        """The views, counted from 1, that the student says no longer are what the label says."""
        return [number for number, mark in enumerate(self._grid.marks, 1) if mark]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """Returns the live widget and, for pages that run nothing, a still picture."""
        data = view_widget(self.widget) | {"text/plain": SENTENCE}
        data["image/png"] = base64.b64encode(self.draw_still()).decode("ascii")
        return data, {"image/png": {"alt": self._alternative()}}

    def draw_still(self) -> bytes:
        """Returns the grid, its labels and some text as a PNG, for pages that run nothing."""
        labels = self.labels if not self._choice.is_one else []
        text = [self._augmentation.describe(), STILL]
        return pictures.encode_png(pictures.draw_page(self._views, labels, text))

    # What the widget is made of

    def _build(self, show: str) -> None:
        self._grid = Grid(VIEWS, self._forget_verdicts)
        self._ends = Ends()
        self._judging = JudgingPanel(
            list(self._tasks),
            has_classifier=self._classifier is not None,
            on_task=self._change_task,
            on_ask=self._judge,
            on_clear=self._clear,
        )
        self._code = CodePanel()
        self._choice = PhotoChoice(
            self._photos,
            self._tasks,
            seed=self._seed,
            show=show,
            takes_uploads=self._complete,
            on_photos=self._load,
            on_label=self._clear,
        )
        left = widgets.VBox([self._choice.widget, self._grid.widget, *self._build_steps()])
        right = widgets.VBox(self._build_right())
        columns = widgets.Box([left.add_class("ax-left"), right.add_class("ax-right")])
        parts = [load_style(), columns.add_class("ax-columns"), self._code.widget]
        self.widget = widgets.VBox(parts).add_class("augmentation-explorer")

    def _build_steps(self) -> list[widgets.Widget]:
        """From one photo, random draw or epoch to the next."""
        self._epochs = Epochs(VIEWS, self._draw_moving)
        steps = build_row(
            build_button("◀ Previous", lambda: self._choice.turn(-1)),
            build_button("Next ▶", lambda: self._choice.turn(1)),
            build_button("Draw again", self._draw_again),
            self._grid.hold,
        )
        return [steps, *[self._epochs.widget] * self._complete]

    def _build_right(self) -> list[widgets.Widget]:
        self._sliders = Sliders(self._controls, self._augmentation, self._move)
        back = build_button("Back to the start", lambda: self._choose(self._start))
        if not self._complete:
            nothing = build_button("Nothing", lambda: self._choose(PRESETS["Nothing"]))
            return [self._ends.widget, *self._sliders.all, build_row(back, nothing)]
        presets = [
            build_button(name, lambda value=value: self._choose(value))
            for name, value in PRESETS.items()
        ]
        first = build_text(FIRST_ACTION).add_class("ax-first-action")
        changing = widgets.VBox(
            [first, build_row(*presets, back), self._ends.widget, *self._sliders.fold(self._pinned)]
        )
        question = judging.name_question(self._tasks[self._first_task][0])
        panels = {"Change the photos": changing, question: self._judging.widget}
        self._panel = build_switch(panels, self._caption)
        return [self._panel, changing, self._judging.widget]

    # What happens

    def _move(self, name: str, value: Any) -> None:
        if value == getattr(self._augmentation, name):
            return
        self._augmentation = replace(self._augmentation, **{name: value})
        self._pinned = name
        self._draw_moving()

    def _draw_again(self) -> None:
        self._seed += 1
        self._draw()

    def _choose(self, augmentation: Augmentation) -> None:
        """Moves the sliders, and pins what of it the student sees first."""
        self._pinned = next(iter(augmentation.active), self._pinned)
        self.augmentation = augmentation

    def _change_task(self) -> None:
        self._choice.set_task(self.task)
        self._clear()

    def _load(self) -> None:
        """Reads the chosen photos."""
        self._images = self._choice.read()
        self._grid.keep(self._images)
        self._draw()

    def _draw(self) -> None:
        """Shows the views of the present setting, and what belongs to it."""
        self._draw_views()
        self._clear()
        self._draw_rest.now()

    def _draw_moving(self) -> None:
        """Shows the views at once, since the eye waits for them, and the rest a pause later."""
        self._draw_views()
        if self._verdicts is not None or any(self._grid.marks):
            self._clear()
        self._draw_rest.soon()

    def _draw_views(self) -> None:
        self._views = self._maker.make(
            self._images, self._augmentation, seed=self._seed, epoch=self.epoch
        )
        self._grid.show(self._views)

    def _describe(self) -> None:
        """Shows what belongs to the views: random values, both ends, code, names."""
        self._caption()
        self._ends.show(self._augmentation, self._pinned, self._images[0])
        self._code.show(self._augmentation, self._seed)
        self._sliders.name_folds(self._augmentation)
        self._grid.name(self._alternative())

    # Is it still a car?

    def _caption(self) -> None:
        """Writes over the views their labels, their random values, and the verdicts."""
        captions, outcomes = [""] * VIEWS, []
        if self._verdicts is not None:
            outcomes = self._find_outcomes()
            captions = [
                f"{outcome.sign} label {label} · model: {verdict}"
                for outcome, label, verdict in zip(
                    outcomes, self.labels, self._verdicts, strict=True
                )
            ]
        elif (
            self._complete and self._panel.value is self._judging.widget and not self._choice.is_one
        ):
            captions = [f"label {label}" for label in self.labels]
        self._grid.write(captions, self._maker.describe(), outcomes)

    def _judge(self) -> None:
        """Asks the classifier about the views, after the student has judged them."""
        self._forget_verdicts()
        self._judging.wait()
        names, _ = self._tasks[self.task]
        try:
            verdicts = judging.judge(self._classifier, self._views, names)
            untouched = self._judge_untouched(names)
        except Exception as error:
            # ipywidgets only logs what a click raises; the student is to see it.
            self._judging.refuse(error)
            raise
        self._verdicts = verdicts
        self._caption()
        self._judging.count(self._find_outcomes(), untouched)

    def _judge_untouched(self, names: Sequence[str]) -> str:
        """Asks the classifier about the photos before augmentation."""
        alike = self._choice.is_one
        images = self._images[:1] if alike else self._images
        verdicts = judging.judge(self._classifier, images, names)
        if alike:
            return f"The untouched photo: label {self.labels[0]} · model: {verdicts[0]}."
        right = sum(one.name == label for one, label in zip(verdicts, self.labels, strict=True))
        return f"On the untouched photos the model agrees with {right} of {VIEWS} labels."

    def _find_outcomes(self) -> list[judging.Outcome]:
        return judging.compare_judgments(self._verdicts, self.labels, self._grid.marks)

    def _clear(self) -> None:
        self._grid.clear()
        self._forget_verdicts()

    def _forget_verdicts(self) -> None:
        """Hides the verdicts: new views, or a changed mind, are judged by the student first."""
        self._verdicts = None
        self._judging.instruct(self.labels)
        self._caption()

    def _alternative(self) -> str:
        return f"Sixteen augmented views. {self._augmentation.describe()}"
