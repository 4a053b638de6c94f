"""Sliders over a live grid of augmented photos, bound to the value that a lesson trains with.

The only module that imports ipywidgets.
"""

import base64
import html
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from traitlets import Unicode

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.layer_call import LayerCall
from course_utils.augmentation.policy import Augmentation
from course_utils.data.images import ENDINGS, is_photo
from course_utils.data.pixels import list_unreadable, load_pixels

VIEWS = 16
SIDE = 4
BORDER = 2
BORDER_GRAY = 128  # between the photos: seen on a white page and on a dark one
FIRST_CONTROLS = ("flip", "rotation", "zoom", "brightness", "contrast")
EPOCHS = 30
# Choices of menus that stand for nothing in particular: ipywidgets shows None as an empty menu.
ALL = "all"
NONE = "none"
SHOWN = {"one": "one photo, 16 views", "sixteen": "16 photos, a view each"}
FLIP_CHOICES = (
    ("none", NONE),
    ("left ↔ right", "horizontal"),
    ("up ↕ down", "vertical"),
    ("both", "horizontal_and_vertical"),
)
# What d3 makes of a number on a slider, by unit, and what stands behind the slider's name.
READOUTS = {"percent": (".0%", ""), "degrees": (".0f", " °"), "pixels": (".1f", " px")}

SENTENCE = (
    "AugmentationExplorer: a grid of augmented photos with sliders. No sliders here? Open the "
    "notebook in JupyterLab or Notebook 7, run pip install ipywidgets, restart Jupyter, and run "
    "this cell again."
)
QUESTIONS = (
    "Does it keep this task's class?",
    "Could my camera take it?",
    "Does my train set lack it?",
)

STYLE = """<style>
.augmentation-explorer { max-width: 1100px; overflow: visible; }
.augmentation-explorer .ax-columns { display: flex; flex-flow: row wrap; gap: 12px 24px; }
.augmentation-explorer .ax-left { flex: 10 1 400px; max-width: 540px; min-width: 320px; }
.augmentation-explorer .ax-right { flex: 1 1 290px; min-width: 280px; max-width: 500px; }
.augmentation-explorer .ax-row { flex-flow: row wrap; gap: 4px 8px; align-items: center; }
.augmentation-explorer .ax-stack { display: grid; overflow: hidden; margin: 2px; }
.augmentation-explorer .ax-stack > * { grid-area: 1 / 1; margin: 0; }
.augmentation-explorer .ax-stack img { width: 100%; height: auto; display: block; }
.augmentation-explorer .ax-buttons { display: grid; grid-template-columns: repeat(4, 1fr);
  grid-template-rows: repeat(4, 1fr); overflow: hidden; }
.augmentation-explorer .ax-buttons button { width: auto; height: auto; min-height: 0; margin: 0;
  padding: 0; background: transparent; border: 0; box-shadow: none; font-size: 0;
  position: relative; cursor: pointer; }
.augmentation-explorer .ax-buttons button:hover { box-shadow: inset 0 0 0 2px #fff; }
.augmentation-explorer .ax-buttons button.mod-active { background: rgba(0, 0, 0, 0.35);
  box-shadow: inset 0 0 0 3px #fff, inset 0 0 0 5px #000; }
.augmentation-explorer .ax-buttons button.mod-active::after { content: "✕"; font-size: 44px;
  line-height: 1; color: #fff; position: absolute; inset: 0; display: grid;
  place-items: center; text-shadow: 0 0 4px #000, 0 0 8px #000; }
.augmentation-explorer .ax-buttons button:disabled { cursor: default; opacity: 1; }
.augmentation-explorer button:focus-visible { outline: 3px solid #fff; outline-offset: -3px;
  box-shadow: inset 0 0 0 6px #1a56b0; }
.augmentation-explorer .ax-captions { pointer-events: none; overflow: hidden; z-index: 1; }
.augmentation-explorer .ax-captions .widget-html-content { height: 100%; display: grid;
  grid-template-columns: repeat(4, 1fr); grid-template-rows: repeat(4, 1fr); }
.augmentation-explorer .ax-captions p { margin: 2px; align-self: end; padding: 1px 4px;
  font-size: 11px; line-height: 1.25; color: #fff; background: rgba(0, 0, 0, 0.72);
  max-height: 100%; overflow: hidden; }
.augmentation-explorer .ax-text { line-height: 1.4; margin: 2px; }
.augmentation-explorer .ax-text .widget-html-content { font-size: 13px; line-height: 1.4;
  color: var(--jp-ui-font-color1, inherit); white-space: normal; }
.augmentation-explorer .ax-text p { margin: 2px 0; }
.augmentation-explorer .ax-text ol, .augmentation-explorer .ax-text ul { margin: 2px 0;
  padding-left: 20px; }
.augmentation-explorer .ax-text pre { margin: 2px 0; padding: 8px 10px; overflow: auto;
  max-height: 300px; user-select: all; font-size: 12px; line-height: 1.4;
  font-family: var(--jp-code-font-family, monospace);
  color: var(--jp-content-font-color1, inherit);
  background: var(--jp-layout-color2, rgba(128, 128, 128, 0.15));
  border: 1px solid var(--jp-border-color1, rgba(128, 128, 128, 0.5)); }
.augmentation-explorer .ax-text pre:focus-visible { outline: 2px solid #1a56b0; }
.augmentation-explorer .widget-toggle-buttons { margin-top: 6px; }
.augmentation-explorer .ax-pinned { display: grid; grid-template-columns: repeat(3, 1fr);
  gap: 0 4px; text-align: center; font-size: 12px; }
.augmentation-explorer .widget-dropdown, .augmentation-explorer .widget-hslider { width: auto; }
.augmentation-explorer .widget-label, .augmentation-explorer .widget-readout {
  color: var(--jp-ui-font-color1, inherit); }
</style>"""


class NamedImage(widgets.Image):
    """An image whose tooltip is its name for who cannot see it.

    The browser's part of ipywidgets looks for a description before it sets a tooltip, and stops
    with an error at widgets that have none, as images.
    """

    description = Unicode("").tag(sync=True)


class FolderPhotos:
    """Pictures of an own folder, read as the photos of a split are.

    Args:
        folder: A folder; pictures in its subfolders count too, and a picture's own folder names
            its class.
        image_size: (height, width) in pixels.

    Raises:
        FileNotFoundError: If the folder does not exist or holds no picture.
        ValueError: If more than 1 % of the pictures cannot be read.
    """

    def __init__(self, folder: str | Path, *, image_size: tuple[int, int]):
        root = Path(folder)
        if not root.is_dir():
            raise FileNotFoundError(
                f"Expected a folder with pictures, received {str(folder)!r}, which is none. "
                "Pass the path of a folder that exists."
            )
        files = sorted(file for file in root.rglob("*") if is_photo(file.name) and file.is_file())
        if not files:
            raise FileNotFoundError(
                f"Expected at least one picture in {str(folder)!r}, found none. Put files in it "
                f"that end with {', '.join(ENDINGS)}."
            )
        self._pixels = load_pixels(root, files, image_size)
        if self._pixels.unreadable:
            warnings.warn(list_unreadable(self._pixels.unreadable, len(files)), stacklevel=4)
        folders = [files[row].resolve().parent.name for row in self._pixels.readable]
        self.class_names = tuple(sorted(set(folders)))
        self.labels = np.float32([[self.class_names.index(name)] for name in folders])

    @property
    def count(self) -> int:
        """The number of pictures."""
        return len(self.labels)

    def read(self, positions: Sequence[int]) -> np.ndarray:
        """Returns pictures as float32 in [0, 1], shape (len(positions), height, width, 3)."""
        rows = self._pixels.readable[np.asarray(positions)]
        return self._pixels.stored[rows].astype("float32") / 255


@dataclass(frozen=True)
class Step:
    """One layer at work on the grid: what it drew, and the images before and after it."""

    name: str
    call: LayerCall
    layer: Any
    drawn: Any
    before: Any = None
    after: Any = None


class ViewMaker:
    """Applies an augmentation's layers to a batch, doing again only what a change touches.

    The views are those that `augmentation.layers(seed)` give when they are called eagerly with
    `training=True`: at the first call for epoch 1, at the second for epoch 2, and so on.
    """

    def __init__(self) -> None:
        self._images = None
        self._epoch = None
        self._steps: list[Step] = []

    def make(
        self, images: np.ndarray, augmentation: Augmentation, *, seed: int, epoch: int
    ) -> np.ndarray:
        """Returns the views of a batch.

        Args:
            images: float32 in [0, 1], shape (batch, height, width, 3). The same array object is
                taken to hold the same photos.
            augmentation: What is applied.
            seed: Of the layers.
            epoch: Which call of the layers, from 1.

        Returns:
            float32 in [0, 1], of the same shape.
        """
        if images is not self._images or epoch != self._epoch:
            self._images, self._epoch, self._steps = images, epoch, []
            self._views = _as_tensor(images)
        known, self._steps, views = self._steps, [], self._views
        for name, call in augmentation.calls(seed):
            step = next((step for step in known if step.call == call), None)
            if step is None:
                step = _apply(_sample(name, call, views, epoch), views, epoch)
            elif step.before is not views:
                step = _apply(step, views, epoch)
            self._steps.append(step)
            views = step.after
        return np.asarray(views)

    def tell(self) -> list[str]:
        """Returns what was drawn for each view, in words."""
        told = [[] for _ in self._images]
        for step in self._steps:
            if step.drawn is not None:
                words = CATALOGUE[step.name].describe_views(step.layer, step.drawn)
                for view, said in zip(told, words, strict=True):
                    view += [said] if said else []
        return [", ".join(words) or "unchanged" for words in told]


def _sample(name: str, call: LayerCall, images: Any, epoch: int) -> Step:
    """Throws the dice of a layer for a batch."""
    layer = call.reuse()
    if not hasattr(layer, "get_random_transformation"):
        return Step(name, call, layer, None)
    drawn = layer.get_random_transformation(images, training=True)
    if epoch > 1:
        # The state is (seed, numbers drawn). Every call draws equally often, so that the dice
        # of a later call can be thrown without making the calls in between.
        draws = int(np.asarray(layer.generator.state)[1])
        layer = call.reuse(skip=draws * (epoch - 1))
        drawn = layer.get_random_transformation(images, training=True)
    return Step(name, call, layer, drawn)


def _apply(step: Step, images: Any, epoch: int) -> Step:
    """Applies a layer with the dice it threw: they follow the images' shape, not their pixels."""
    if step.drawn is not None:
        views = step.layer.transform_images(images, step.drawn, training=True)
    else:  # noise throws its dice when it is called, once a call
        views = step.call.reuse(skip=epoch - 1)(images, training=True)
    return replace(step, before=images, after=views)


def _as_tensor(images: Any) -> Any:
    import keras

    return keras.ops.convert_to_tensor(images)


class AugmentationExplorer:
    """Sliders over a grid of sixteen augmented photos.

    Show it as the last line of a cell. What the sliders say is `explorer.augmentation`, for the
    next cell to train with. It is tested in JupyterLab and Notebook 7; VS Code and Colab, which
    show ordinary ipywidgets, are untested. Notebook 7 keeps the arrow keys for itself: there
    Page Up, Page Down, Home and End move a slider.

    Args:
        splits: What `load_car_or_truck` returns, of which the train photos are shown; or the
            path of a folder with own pictures.
        augmentation: Where the sliders start.
        seed: Of the dice, from 0 to 42,000,000; "Throw the dice again" adds 1.
        classifier: A Keras model, or any function from float32 images of shape
            (batch, height, width, 3) to the probability of the second class, shape (batch, 1)
            or (batch,). It answers for the first task, and only after the student has.
        tasks: Names of tasks such as `"faces left or right"` and their labels for the train
            photos, 0 or 1, shape (count, 1) or (count,): 0 stands for the word before "or".
            `None` is the one task of telling `splits.class_names` apart.
        show: `"one"` for sixteen views of one photo, `"sixteen"` for sixteen photos with a view
            each: what the grid begins with.
        controls: Names from `CATALOGUE` for a small explorer with these sliders alone, without
            epochs and judging; `None` is the whole explorer.
        image_size: (height, width) in pixels for own pictures; photos of splits keep theirs.

    Raises:
        TypeError: If `splits` is neither splits nor a path.
        ValueError: If there is no photo, or a name or a number of labels does not fit.
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
        self._photos, class_names = _find_photos(splits, image_size)
        self._tasks = _find_tasks(self._photos, class_names, tasks)
        self._controls = _check_controls(controls)
        self._whole = controls is None
        self._augmentation = Augmentation() if augmentation is None else augmentation
        self._seed = seed
        self._augmentation.calls(seed)
        self._classifier = classifier
        self._order = np.random.default_rng(seed).permutation(self._photos.count)
        self._place = 0
        self._maker = ViewMaker()
        active = (name for name in self._augmentation.active if name in self._controls)
        self._pinned = next(active, self._controls[0])
        self._verdicts: list[Verdict] | None = None
        self._quiet = False
        self._build(_check_show(show))
        self._load()

    @property
    def augmentation(self) -> Augmentation:
        """What the sliders say now; setting it moves the sliders."""
        return self._augmentation

    @augmentation.setter
    def augmentation(self, augmentation: Augmentation) -> None:
        self._augmentation = augmentation
        self._quiet = True
        try:
            for name, control in self._sliders.items():
                value = getattr(augmentation, name)
                # In one message, so that a browser never rounds an old value to a new step.
                with control.hold_sync():
                    if CATALOGUE[name].unit != "choice":
                        control.step = _find_step(value, CATALOGUE[name].step)
                    control.value = NONE if value is None else value
        finally:
            self._quiet = False
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
        """The task that labels are told for; setting it chooses another one of `tasks`."""
        return self._task.value

    @task.setter
    def task(self, task: str) -> None:
        if task not in self._tasks:
            raise ValueError(
                f"Expected a task out of {', '.join(map(repr, self._tasks))}, received {task!r}. "
                "Choose one of these."
            )
        self._task.value = task

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
        """The label of each view's photo in the task chosen."""
        names, labels = self._tasks[self._task.value]
        return [names[int(labels[position])] for position in self._positions]

    @property
    def marked(self) -> list[int]:
        """The views, counted from 1, that the student says no longer are what the label says."""
        return [number for number, button in enumerate(self._buttons, 1) if button.value]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """Returns the live widget and, for pages that run nothing, a still picture."""
        data = dict(self.widget._repr_mimebundle_())
        data["text/plain"] = SENTENCE
        data["image/png"] = base64.b64encode(self.draw_still()).decode("ascii")
        return data, {"image/png": {"alt": self._alternative()}}

    def draw_still(self) -> bytes:
        """Returns the grid, its labels and two lines of text as a PNG, for pages that run
        nothing."""
        grid = _size(_tile(self._views))
        font = ImageFont.load_default(13)
        lines = [
            *_wrap(self._augmentation.describe(), font, grid.width - 12),
            *_wrap(
                "A still picture: run the notebook to move the sliders. No sliders there? "
                "pip install ipywidgets, then restart Jupyter.",
                font,
                grid.width - 12,
            ),
        ]
        sheet = Image.new("RGB", (grid.width, grid.height + 18 * len(lines) + 10), "white")
        sheet.paste(grid, (0, 0))
        pen = ImageDraw.Draw(sheet)
        if self._mode.value == "sixteen":
            side = grid.width // SIDE
            for number, label in enumerate(self.labels):
                place = (side * (number % SIDE) + 8, side * (number // SIDE + 1) - 6)
                pen.rectangle(pen.textbbox(place, label, font=font, anchor="ls"), fill="black")
                pen.text(place, label, fill="white", font=font, anchor="ls")
        for number, line in enumerate(lines):
            pen.text((6, grid.height + 5 + 18 * number), line, fill="black", font=font)
        # A palette of 256 colours takes a third of the space, which a notebook keeps for ever.
        return _encode(sheet.quantize(), "PNG", optimize=True)

    # What the widget is made of

    def _build(self, show: str) -> None:
        self._grid = NamedImage(format="jpeg")
        self._captions = widgets.HTML().add_class("ax-captions")
        self._buttons = [
            widgets.ToggleButton(description=f"View {number}") for number in range(1, VIEWS + 1)
        ]
        for button in self._buttons:
            button.observe(self._on_mark, "value")
        stack = widgets.Box(
            [self._grid, widgets.GridBox(self._buttons).add_class("ax-buttons"), self._captions]
        ).add_class("ax-stack")

        left = widgets.VBox([self._build_choice(show), stack, self._build_steps()])
        right = widgets.VBox(self._build_right())
        columns = widgets.Box([left.add_class("ax-left"), right.add_class("ax-right")])
        self._code = widgets.HTML().add_class("ax-text")
        self.widget = widgets.VBox(
            [widgets.HTML(STYLE), columns.add_class("ax-columns"), self._code]
        ).add_class("augmentation-explorer")

    def _build_choice(self, show: str) -> widgets.Widget:
        """Which photos the grid shows."""
        self._mode = widgets.Dropdown(
            options=[(title, value) for value, title in SHOWN.items()],
            value=show,
            description="Show",
            style={"description_width": "auto"},
            layout={"flex": "1 1 190px"},
        )
        names, _ = self._tasks[next(iter(self._tasks))]
        self._class = widgets.Dropdown(
            options=[("all", ALL), *((name, place) for place, name in enumerate(names))],
            description="of class",
            style={"description_width": "auto"},
            layout={"flex": "0 1 140px"},
        )
        self._mode.observe(lambda _: self._load(), "value")
        self._class.observe(self._on_class, "value")
        return widgets.Box([self._mode, self._class]).add_class("ax-row")

    def _build_steps(self) -> widgets.Widget:
        """From one photo, throw or epoch to the next."""
        buttons = [
            _button("◀ Previous", lambda _: self._turn(-1), width="100px"),
            _button("Next ▶", lambda _: self._turn(1), width="74px"),
            _button("Throw the dice again", lambda _: self._sample(), width="168px"),
        ]
        self._tell = widgets.Checkbox(
            description="Say what was drawn", indent=False, layout={"width": "auto"}
        )
        self._tell.observe(lambda _: self._caption(), "value")
        self._epoch = widgets.IntSlider(
            value=1,
            min=1,
            max=EPOCHS,
            description="Epoch",
            style={"description_width": "auto"},
            layout={"flex": "1 1 200px"},
        )
        self._epoch.observe(lambda _: self._draw(), "value")
        shown = [*buttons, self._tell] + ([self._epoch] if self._whole else [])
        return widgets.Box(shown).add_class("ax-row")

    def _build_right(self) -> list[widgets.Widget]:
        self._sliders = {name: self._build_slider(name) for name in self._controls}
        self._ends = NamedImage(format="jpeg", layout={"width": "calc(100% - 4px)"})
        self._ends_words = widgets.HTML().add_class("ax-text")
        self._about = widgets.HTML().add_class("ax-text")
        reset = _button("Back to no augmentation", self._reset, width="auto")
        pinned = [self._ends, self._ends_words]
        self._build_judging()
        if not self._whole:
            return [*pinned, *self._sliders.values(), self._about, reset]
        rest = widgets.VBox([self._sliders[name] for name in self._controls[5:]])
        more = widgets.ToggleButton(description="More transformations", layout={"width": "auto"})
        _show(rest, False)
        more.observe(lambda change: _show(rest, change["new"]), "value")
        first = [self._sliders[name] for name in FIRST_CONTROLS]
        changing = widgets.VBox([*first, more, rest, self._about, reset])
        _show(self._judging, False)
        names, _ = self._tasks[next(iter(self._tasks))]
        question = "Is it still a car?" if "car" in map(str.lower, names) else "Still the label?"
        self._panel = widgets.ToggleButtons(
            options=[("Change the photos", "change"), (question, "judge")],
            style={"button_width": "auto"},
            tooltips=["Sliders", "You judge the labels, then the model does"],
        )

        def switch(change: dict) -> None:
            _show(changing, change["new"] == "change")
            _show(self._judging, change["new"] == "judge")
            self._caption()

        self._panel.observe(switch, "value")
        return [*pinned, self._panel, changing, self._judging]

    def _build_slider(self, name: str) -> widgets.Widget:
        entry = CATALOGUE[name]
        value = getattr(self._augmentation, name)
        style = {"description_width": "96px"}
        if entry.unit == "choice":
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
        control.observe(lambda change: self._move(name, change["new"]), "value")
        return control

    def _build_judging(self) -> None:
        questions = "".join(f"<li>{question}</li>" for question in QUESTIONS)
        self._task = widgets.Dropdown(
            options=list(self._tasks), description="Task", style={"description_width": "auto"}
        )
        self._task.observe(self._on_task, "value")
        self._instruction = widgets.HTML().add_class("ax-text")
        self._ask = _button("Ask the classifier", lambda _: self._judge(), width="auto")
        clear = _button("Clear marks", lambda _: self._clear(), width="auto")
        self._outcome = widgets.HTML().add_class("ax-text")
        self._judging = widgets.VBox(
            [
                widgets.HTML(f"<ol>{questions}</ol>").add_class("ax-text"),
                self._task,
                self._instruction,
                widgets.Box([self._ask, clear]).add_class("ax-row"),
                self._outcome,
            ]
        )

    # What happens

    def _move(self, name: str, value: Any) -> None:
        if self._quiet:
            return
        # A browser's steps add up to 0.15000000000000002.
        value = round(value, 6) if isinstance(value, float) else value
        value = None if value == NONE else value
        if value == getattr(self._augmentation, name):
            return
        self._augmentation = replace(self._augmentation, **{name: value})
        self._pinned = name
        self._draw()

    def _turn(self, steps: int) -> None:
        self._place += steps * (VIEWS if self._mode.value == "sixteen" else 1)
        self._load()

    def _sample(self) -> None:
        self._seed += 1
        self._draw()

    def _reset(self, _: Any) -> None:
        self.augmentation = Augmentation()

    def _on_class(self, change: dict) -> None:
        self._place = 0
        self._load()

    def _on_task(self, change: dict) -> None:
        self._clear()

    def _on_mark(self, change: dict) -> None:
        number = self._buttons.index(change["owner"]) + 1
        change["owner"].description = f"View {number}" + (", marked" if change["new"] else "")
        self._forget_verdicts()

    def _load(self) -> None:
        """Reads the photos that stand at the present place."""
        _, labels = self._tasks[next(iter(self._tasks))]
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
        self._grid.value = _encode(_size(_tile(self._views)), "JPEG", quality=90)
        self._clear()
        self._draw_ends()
        code = html.escape(self._augmentation.code(self._seed))
        self._code.value = (
            f"<p>{html.escape(self._augmentation.describe())}</p>"
            f'<pre tabindex="0" aria-label="Keras code of this setting">{code}</pre>'
        )
        self._grid.tooltip = self._alternative()

    def _draw_ends(self) -> None:
        image, entry = self._images[0], CATALOGUE[self._pinned]
        ends, told = self._augmentation.show_ends(self._pinned, image)
        words = ["the photo itself", *told]
        strip = _tile(np.concatenate([image[None], ends]), columns=3)
        self._ends.value = _encode(_size(strip, columns=3), "JPEG", quality=90)
        self._ends.tooltip = "; ".join(words)
        cells = "".join(f"<span>{html.escape(word)}</span>" for word in words)
        self._ends_words.value = f'<div class="ax-pinned">{cells}</div>'
        self._about.value = (
            f"<p><b>{entry.title}</b> teaches the model to ignore {entry.ignores}. "
            f"It breaks a label {entry.breaks}.</p>"
        )

    # Is it still a car?

    def _caption(self) -> None:
        """Writes over the views their labels, what was drawn, and the verdicts."""
        captions: list[list[str]] = [[] for _ in range(VIEWS)]
        if self._verdicts is not None:
            for caption, outcome, verdict in zip(
                captions, self._compare(), self._verdicts, strict=True
            ):
                caption.append(f"{outcome.sign} model: {verdict.name} {verdict.share:.0%}")
        elif self._whole and self._panel.value == "judge" and self._mode.value == "sixteen":
            for caption, label in zip(captions, self.labels, strict=True):
                caption.append(f"label: {label}")
        if self._tell.value and self._verdicts is None:
            for caption, told in zip(captions, self._maker.tell(), strict=True):
                caption.append(told)
        self._captions.value = "".join(
            f"<p>{html.escape('; '.join(caption))}</p>" if caption else "<i></i>"
            for caption in captions
        )

    def _instruct(self) -> None:
        labels = set(self.labels)
        label = f"is <b>{html.escape(labels.pop())}</b>" if len(labels) == 1 else "stands below it"
        text = (
            f"You judge first. The label of each view {label}. Click every view for which that "
            "is no longer true."
        )
        if self._classifier is None:
            text += " (No classifier was given, so only you can judge.)"
        elif self._task.value != next(iter(self._tasks)):
            text += f" (The classifier knows another task: {next(iter(self._tasks))}.)"
        self._instruction.value = f"<p>{text}</p>"
        self._ask.disabled = self._classifier is None or self._task.value != next(iter(self._tasks))

    def _judge(self) -> None:
        """Asks the classifier about the views, after the student has judged them."""
        self._outcome.value = "<p>The classifier is looking …</p>"
        try:
            answers = self._ask_classifier()
        except Exception as error:
            # ipywidgets only logs what a click raises; the student is to see it.
            self._outcome.value = f"<p>No verdict: {html.escape(str(error))}</p>"
            raise
        names, _ = self._tasks[self._task.value]
        self._verdicts = [
            Verdict(names[int(answer > 0.5)], float(max(answer, 1 - answer))) for answer in answers
        ]
        self._caption()
        found = self._compare()
        lines = [
            f"<li><b>{outcome.sign} {found.count(outcome)}</b>: {outcome.who} — "
            f"{outcome.meaning}</li>"
            for outcome in OUTCOMES
        ]
        self._outcome.value = f"<ul style='list-style: none; padding: 0'>{''.join(lines)}</ul>"

    def _ask_classifier(self) -> np.ndarray:
        answers = np.asarray(self._classifier(self._views), "float32").reshape(-1)
        if len(answers) != VIEWS:
            raise ValueError(
                f"Expected one probability for each of {VIEWS} views from the classifier, "
                f"received {len(answers)} numbers. Pass a model with one sigmoid output."
            )
        return answers

    def _compare(self) -> list["Outcome"]:
        """Returns what student and classifier say together, for each view."""
        return [
            NO_LONGER if button.value else (AGREED if verdict.name == label else MISSED)
            for button, verdict, label in zip(
                self._buttons, self._verdicts, self.labels, strict=True
            )
        ]

    def _clear(self) -> None:
        for button in self._buttons:
            button.value = False
        self._forget_verdicts()

    def _forget_verdicts(self) -> None:
        """Hides the verdicts: new views, or a changed mind, are judged by the student first."""
        self._verdicts = None
        self._outcome.value = ""
        self._instruct()
        self._caption()

    def _alternative(self) -> str:
        return f"Sixteen augmented views. {self._augmentation.describe()}"


@dataclass(frozen=True)
class Verdict:
    """What the classifier says of one view: a class, and its probability from 0.5 to 1."""

    name: str
    share: float


@dataclass(frozen=True)
class Outcome:
    """What the student's and the classifier's answers mean together."""

    sign: str
    who: str
    meaning: str


AGREED = Outcome("✓", "you yes, the model yes", "nothing to learn here")
MISSED = Outcome("◆", "you yes, the model no", "what augmentation may teach")
NO_LONGER = Outcome("✕", "you no, whatever the model says", "label noise: a wrong answer, taught")
OUTCOMES = (AGREED, MISSED, NO_LONGER)


def _find_photos(splits: Any, image_size: tuple[int, int]) -> tuple[Any, tuple[str, ...]]:
    if isinstance(splits, str | Path):
        photos = FolderPhotos(splits, image_size=image_size)
        return photos, photos.class_names
    if not hasattr(splits, "train") or not hasattr(splits, "class_names"):
        raise TypeError(
            f"Expected splits or the path of a folder, received {type(splits).__name__}. "
            "Pass what load_car_or_truck returns."
        )
    if splits.train.count < 1:
        raise ValueError("Expected at least one train photo, received none. Load some photos.")
    return splits.train, tuple(splits.class_names)


def _find_tasks(
    photos: Any, class_names: tuple[str, ...], tasks: Mapping[str, Any] | None
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Returns the tasks: the names of their classes, and a whole number for each photo."""
    if not tasks:
        tasks = {" or ".join(class_names): photos.labels}
        names = {next(iter(tasks)): class_names}
    else:
        names = {task: _split_task(task) for task in tasks}
    found = {}
    for task, given in tasks.items():
        labels = np.asarray(given).reshape(-1).astype(int)
        if len(labels) != photos.count:
            raise ValueError(
                f"Expected {photos.count} labels for the task {task!r}, received {len(labels)}. "
                "Pass one label for each train photo, in the order of splits.train.labels."
            )
        found[task] = (names[task], labels)
    return found


def _split_task(task: str) -> tuple[str, str]:
    before, _, after = task.partition(" or ")
    if not after.strip():
        raise ValueError(
            f"Expected a task such as 'faces left or right', received {task!r}. "
            "Name both classes, with the word or between them."
        )
    return before.split()[-1], after.strip()


def _check_show(show: str) -> str:
    if show not in SHOWN:
        raise ValueError(
            f"Expected `show` out of {', '.join(map(repr, SHOWN))}, received {show!r}. "
            "Choose one of these."
        )
    return show


def _check_controls(controls: Sequence[str] | None) -> tuple[str, ...]:
    if controls is None:
        return (*FIRST_CONTROLS, *(name for name in CATALOGUE if name not in FIRST_CONTROLS))
    unknown = [name for name in controls if name not in CATALOGUE]
    if unknown or not controls or isinstance(controls, str):
        raise ValueError(
            f"Expected controls from {', '.join(CATALOGUE)}, received {controls!r}. "
            'Pass a tuple of names, such as ("contrast",).'
        )
    return tuple(controls)


def _find_step(value: float, step: float) -> float:
    """Returns a slider's step that `value` is a multiple of: a browser rounds to the next step,
    and sends back what it rounded."""
    for parts in (1, 5, 50, 500):
        if abs(value / step * parts - round(value / step * parts)) < 1e-6:
            return step / parts
    return 1e-6


def _button(label: str, action: Callable[[Any], None], *, width: str) -> widgets.Button:
    button = widgets.Button(description=label, layout={"width": width})
    button.on_click(action)
    return button


def _show(widget: widgets.DOMWidget, visible: bool) -> None:
    widget.layout.display = None if visible else "none"


def _tile(views: np.ndarray, *, columns: int = SIDE) -> np.ndarray:
    """Lays views out row by row, each with its own border, as uint8."""
    pixels = np.rint(255 * np.clip(views, 0, 1)).astype("uint8")
    framed = np.pad(
        pixels,
        [(0, 0), (BORDER, BORDER), (BORDER, BORDER), (0, 0)],
        constant_values=BORDER_GRAY,
    )
    count, height, width, _ = framed.shape
    grid = framed.reshape(count // columns, columns, height, width, 3).swapaxes(1, 2)
    return grid.reshape(count // columns * height, columns * width, 3)


def _size(grid: np.ndarray, *, columns: int = SIDE) -> Image.Image:
    """Makes a picture of a size that a screen shows well, by whole factors only."""
    picture = Image.fromarray(grid)
    side = picture.width // columns
    if side < 96:
        factor = -(-96 // side)
        size = (picture.width * factor, picture.height * factor)
        return picture.resize(size, Image.Resampling.NEAREST)
    return picture.reduce(max(1, side // 192))


def _encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _wrap(text: str, font: Any, width: int) -> list[str]:
    """Breaks text into lines that are no wider than `width` pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
