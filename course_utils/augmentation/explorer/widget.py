"""Sliders over a live grid of augmented photos, bound to the value that a lesson trains with.

Only this module, `parts` and `controls` import ipywidgets.
"""

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils.augmentation.explorer import judging, pictures
from course_utils.augmentation.explorer.controls import (
    ALL,
    build_button,
    build_menu,
    build_text,
    check_controls,
    set_visible,
)
from course_utils.augmentation.explorer.parts import Ends, Grid, JudgingPanel, Sliders
from course_utils.augmentation.explorer.photos import find_photos, find_tasks
from course_utils.augmentation.explorer.views import ViewMaker
from course_utils.augmentation.policy import Augmentation
from course_utils.core.checks import check_choice
from course_utils.core.display import view_widget

VIEWS = 16
EPOCHS = 30
SHOWN = {"one": "one photo, 16 views", "sixteen": "16 photos, a view each"}
SENTENCE = (
    "AugmentationExplorer: a grid of augmented photos with sliders. No sliders here? Open the "
    "notebook in JupyterLab or Notebook 7, run pip install ipywidgets, restart Jupyter, and run "
    "this cell again."
)
STILL = "A still picture: run the notebook to move the sliders."


class AugmentationExplorer:
    """Sliders over a grid of sixteen augmented photos.

    Show it as the last line of a cell. What the sliders say is `explorer.augmentation`, for the
    next cell to train with. In Notebook 7, which keeps the arrow keys for itself, Page Up, Page
    Down, Home and End move a slider. Lessons 02 and 03 use it.

    Args:
        splits: What `load_car_or_truck` returns, of which the training photos are shown; or the
            path of a folder with photos of your own, in folders of any depth. A photo's class is
            the name of the folder that it is in.
        augmentation: Where the sliders start.
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
        self._augmentation = Augmentation() if augmentation is None else augmentation
        self._seed = seed
        self._augmentation.calls(seed)
        self._classifier = judging.check_classifier(classifier)
        self._order = np.random.default_rng(seed).permutation(self._photos.count)
        self._place = 0
        self._maker = ViewMaker()
        active = (name for name in self._augmentation.active if name in self._controls)
        self._pinned = next(active, self._controls[0])
        self._verdicts: list[judging.Verdict] | None = None
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
        return self._epoch.value

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
        names, labels = self._tasks[self.task]
        return [names[labels[position]] for position in self._positions]

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
        labels = self.labels if self._mode.value == "sixteen" else []
        text = [self._augmentation.describe(), STILL]
        return pictures.encode_png(pictures.draw_page(self._views, labels, text))

    # What the widget is made of

    def _build(self, show: str) -> None:
        style = resources.files(__package__).joinpath("explorer.css").read_text("utf-8")
        self._grid = Grid(VIEWS, self._forget_verdicts)
        self._ends = Ends()
        self._judging = JudgingPanel(
            list(self._tasks),
            has_classifier=self._classifier is not None,
            on_task=self._clear,
            on_ask=self._judge,
            on_clear=self._clear,
        )
        self._code = build_text()
        left = widgets.VBox([self._build_choice(show), self._grid.widget, self._build_steps()])
        right = widgets.VBox(self._build_right())
        columns = widgets.Box([left.add_class("ax-left"), right.add_class("ax-right")])
        parts = [widgets.HTML(f"<style>{style}</style>"), columns.add_class("ax-columns")]
        self.widget = widgets.VBox([*parts, self._code]).add_class("augmentation-explorer")

    def _build_choice(self, show: str) -> widgets.Widget:
        """Which photos the grid shows."""
        modes = [(title, value) for value, title in SHOWN.items()]
        self._mode = build_menu("Show", modes, value=show, flex="1 1 190px")
        names, labels = self._tasks[self._first_task]
        there = [(name, label) for label, name in enumerate(names) if label in labels]
        self._class = build_menu("of class", [("all", ALL), *there], flex="0 1 140px")
        self._mode.observe(lambda _: self._load(), "value")
        self._class.observe(lambda _: self._restart(), "value")
        return widgets.Box([self._mode, self._class]).add_class("ax-row")

    def _build_steps(self) -> widgets.Widget:
        """From one photo, random draw or epoch to the next."""
        self._values = widgets.Checkbox(
            description="Show the random values", indent=False, layout={"width": "auto"}
        )
        self._values.observe(lambda _: self._caption(), "value")
        self._epoch = widgets.IntSlider(
            value=1,
            min=1,
            max=EPOCHS,
            description="Epoch",
            style={"description_width": "auto"},
            layout={"flex": "1 1 200px"},
        )
        self._epoch.observe(lambda _: self._draw(), "value")
        shown = [
            build_button("◀ Previous", lambda: self._turn(-1), width="100px"),
            build_button("Next ▶", lambda: self._turn(1), width="74px"),
            build_button("Draw again", self._draw_again, width="100px"),
            self._values,
        ]
        return widgets.Box(shown + [self._epoch] * self._complete).add_class("ax-row")

    def _build_right(self) -> list[widgets.Widget]:
        self._sliders = Sliders(self._controls, self._augmentation, self._move)
        after = [self._ends.about, build_button("Back to no augmentation", self._reset)]
        if not self._complete:
            return [self._ends.widget, *self._sliders.all, *after]
        changing = widgets.VBox([*self._sliders.folded, *after])
        set_visible(self._judging.widget, False)
        names, _ = self._tasks[self._first_task]
        question = "Is it still a car?" if "car" in map(str.lower, names) else "Still the label?"
        self._panel = widgets.ToggleButtons(
            options=[("Change the photos", "change"), (question, "judge")],
            style={"button_width": "auto"},
            tooltips=["Sliders", "You judge the labels, then the model does"],
        )

        def switch(change: dict) -> None:
            set_visible(changing, change["new"] == "change")
            set_visible(self._judging.widget, change["new"] == "judge")
            self._caption()

        self._panel.observe(switch, "value")
        return [self._ends.widget, self._panel, changing, self._judging.widget]

    # What happens

    def _move(self, name: str, value: Any) -> None:
        if value == getattr(self._augmentation, name):
            return
        self._augmentation = replace(self._augmentation, **{name: value})
        self._pinned = name
        self._draw()

    def _turn(self, steps: int) -> None:
        self._place += steps * (VIEWS if self._mode.value == "sixteen" else 1)
        self._load()

    def _restart(self) -> None:
        self._place = 0
        self._load()

    def _draw_again(self) -> None:
        self._seed += 1
        self._draw()

    def _reset(self) -> None:
        self.augmentation = Augmentation()

    def _load(self) -> None:
        """Reads the photos at the present place."""
        _, labels = self._tasks[self._first_task]
        chosen = self._class.value
        order = self._order if chosen == ALL else self._order[labels[self._order] == chosen]
        offsets = np.arange(VIEWS) if self._mode.value == "sixteen" else np.zeros(VIEWS, int)
        self._positions = order[(self._place + offsets) % len(order)]
        unique, place = np.unique(self._positions, return_inverse=True)
        self._images = self._photos.read(unique)[place]
        self._draw()

    def _draw(self) -> None:
        """Shows the views of the present setting; the grid first, since the eye waits for it."""
        self._views = self._maker.make(
            self._images, self._augmentation, seed=self._seed, epoch=self.epoch
        )
        self._grid.show(self._views)
        self._clear()
        self._ends.show(self._augmentation, self._pinned, self._images[0])
        code = html.escape(self._augmentation.code(self._seed))
        self._code.value = (
            f"<p>{html.escape(self._augmentation.describe())}</p>"
            f'<pre tabindex="0" aria-label="Keras code of this setting">{code}</pre>'
        )
        self._grid.name(self._alternative())

    # Is it still a car?

    def _caption(self) -> None:
        """Writes over the views their labels, their random values, and the verdicts."""
        captions = [""] * VIEWS
        if self._verdicts is not None:
            captions = [
                f"{outcome.sign} model: {verdict.name} {verdict.probability:.0%}"
                for outcome, verdict in zip(self._find_outcomes(), self._verdicts, strict=True)
            ]
        elif self._complete and self._panel.value == "judge" and self._mode.value == "sixteen":
            captions = [f"label: {label}" for label in self.labels]
        if self._values.value and self._verdicts is None:
            both = zip(captions, self._maker.describe(), strict=True)
            captions = ["; ".join(filter(None, pair)) for pair in both]
        self._grid.write(captions)

    def _judge(self) -> None:
        """Asks the classifier about the views, after the student has judged them."""
        self._forget_verdicts()
        self._judging.wait()
        names, _ = self._tasks[self.task]
        try:
            self._verdicts = judging.judge(self._classifier, self._views, names)
        except Exception as error:
            # ipywidgets only logs what a click raises; the student is to see it.
            self._judging.refuse(error)
            raise
        self._caption()
        self._judging.count(self._find_outcomes())

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
