"""The figures of the lessons and the README, each drawn by one function.

To add one, write a function that returns a `DescribedFigure`, with the line `@figure(…)` above
it. The pictures are made as the lessons make them, with the same functions of `figures.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from course_utils.core import backend
from course_utils.data.dataset import Splits, splits_from_arrays
from course_utils.data.synthetic.dataset import make_synthetic_vehicles
from course_utils.data.synthetic.parameters import PerClass
from course_utils.figures import comparisons, photos
from course_utils.figures.photos import DescribedFigure
from course_utils.lessons.published import (
    EIGHT_VIEWS,
    GROUPS,
    HISTORIES,
    PHOTO_COUNTS,
    PHOTO_WORTH,
    SENSITIVITY,
    VIEWS,
    choose_runs,
)

backend.import_tensorflow()
from keras import layers  # noqa: E402 (TensorFlow is to be quiet first)

# What a figure is drawn from: nothing but the kit, the photos of the quick profile, or a file of
# data/results by its name. The function receives nothing, `Splits`, or the file's table.
NOTHING = "nothing"
PHOTOS = "photos"

# How lesson 03 names its groups of valid photos.
GROUPS_OF_VEHICLES = ("with the bias", "against the bias", "all vehicles")


@dataclass(frozen=True)
class Entry:
    """A figure that can be drawn.

    Args:
        name: Of its file, without ending.
        lesson: Where it is shown: a lesson's number, or "README".
        source: `NOTHING`, `PHOTOS`, or the name of a file in data/results.
        draw: The function.
    """

    name: str
    lesson: str
    source: str
    draw: Callable[..., DescribedFigure]


FIGURES: dict[str, Entry] = {}


def figure(lesson: str, *, source: str) -> Callable:
    """Puts the function below it into `FIGURES`, under its own name.

    Args:
        lesson: Where the figure is shown: a lesson's number, or `"README"`.
        source: `NOTHING`, `PHOTOS`, or the name of a file in data/results.
    """

    def register(draw):
        name = draw.__name__.replace("_", "-")
        FIGURES[name] = Entry(name, lesson, source, draw)
        return draw

    return register


# --- README ------------------------------------------------------------------------------


@figure("README", source=NOTHING)
def synthetic_vehicles() -> DescribedFigure:
    images, labels, _ = make_synthetic_vehicles(48)
    title = "Vehicles drawn by the course kit"
    return photos.plot_classes(images, labels, ("Car", "Truck"), title=title)


# --- 00 and 01 ---------------------------------------------------------------------------


@figure("00", source=PHOTOS)
def photos_and_labels(splits: Splits) -> DescribedFigure:
    images, labels = splits.train.take(16).unshuffled()[0]
    names = [splits.class_names[int(label)] for label in labels[:, 0]]
    title = "Sixteen train photos and their labels"
    return photos.plot_photos(images, names, columns=6, title=title)


@figure("01", source=HISTORIES)
def curves_without_augmentation(histories: pd.DataFrame) -> DescribedFigure:
    return photos.plot_seed_bands(
        {"no augmentation": choose_runs(histories, "none")},
        title="Learning curves without augmentation",
    )


@figure("01", source=PHOTO_COUNTS)
def more_photos(results: pd.DataFrame) -> DescribedFigure:
    title = "Do more photos lower the valid loss?"
    return photos.plot_photo_counts(results, title=title)


# --- 02 ----------------------------------------------------------------------------------


def _make_flip_and_contrast() -> Callable[[np.ndarray], np.ndarray]:
    """Returns lesson 02's two layers as one function; they throw their dice anew at each call."""
    flip = layers.RandomFlip("horizontal", seed=1, dtype="float32")
    contrast = layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=2, dtype="float32")
    return lambda images: np.asarray(contrast(flip(images, training=True), training=True))


@figure("02", source=PHOTOS)
def one_photo_sixteen_ways(splits: Splits) -> DescribedFigure:
    photo = splits.train.take(16).read([5])[0]
    views = _make_flip_and_contrast()(np.repeat(photo[None], 16, axis=0))
    title = "Figure 1. One photo, transformed sixteen ways"
    return photos.plot_views(photo, views, title=title)


@figure("02", source=PHOTOS)
def sixteen_photos_in_two_epochs(splits: Splits) -> DescribedFigure:
    images = splits.train.take(16).read(range(16))
    augment = _make_flip_and_contrast()
    augment(np.repeat(images[5:6], 16, axis=0))  # The lesson's dice have fallen for figure 1.
    epochs = {name: augment(images) for name in ("in epoch 1", "in epoch 2")}
    title = "Figure 2. Sixteen photos as two epochs see them"
    return photos.plot_epochs(epochs, title=title)


@figure("02", source=EIGHT_VIEWS)
def curves_with_and_without_augmentation(histories: pd.DataFrame) -> DescribedFigure:
    return photos.plot_seed_bands(
        {
            "no augmentation": choose_runs(histories, "none"),
            "flip and contrast": choose_runs(histories, "flip + contrast"),
        },
        title="Figure 3. Learning curves without and with augmentation",
    )


# --- 03 ----------------------------------------------------------------------------------


def _draw_biased(**bias: tuple[str, str]) -> tuple[Splits, pd.DataFrame]:
    """Returns lesson 03's train photos with one bias: nine cars in ten have the first value."""
    fair = {
        "heading": ("left", "right"),
        "light": ("day", "dusk"),
        "background": ("buildings", "trees"),
    }
    biased = {
        name: PerClass(car={car: 0.9, truck: 0.1}, truck={car: 0.1, truck: 0.9})
        for name, (car, truck) in bias.items()
    }
    images, labels, facts = make_synthetic_vehicles(240, **{**fair, **biased})
    both = (images, labels)
    splits = splits_from_arrays(
        both, both, class_names=("Car", "Truck"), source="Drawn for lesson 03."
    )
    return splits, facts


@figure("03", source=NOTHING)
def most_cars_face_left() -> DescribedFigure:
    splits, facts = _draw_biased(heading=("left", "right"))
    captions = [f"{row.type}, {row.heading}" for row in facts[:16].itertuples()]
    title = "Most cars face left"
    return photos.plot_photos(splits.train.read(range(16)), captions, title=title)


@figure("03", source=NOTHING)
def a_car_in_other_lights() -> DescribedFigure:
    splits, facts = _draw_biased(light=("day", "dusk"))
    relight = [
        layers.RandomBrightness(0.3, value_range=(0, 1), seed=2, dtype="float32"),
        layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=3, dtype="float32"),
    ]
    red = facts.query("type == 'Car' and light == 'day' and color == 'red'").index
    car = splits.train.read(red[:1])[0]
    views = np.repeat(car[None], 16, axis=0)
    for layer in relight:
        views = layer(views, training=True)
    title = "A car by day, brightness and contrast changed at random"
    return photos.plot_views(car, np.asarray(views), title=title)


@figure("03", source=NOTHING)
def vehicles_at_dusk() -> DescribedFigure:
    splits, facts = _draw_biased(light=("day", "dusk"))
    at_dusk = facts.query("light == 'dusk'")[:8]
    images = splits.train.read(at_dusk.index)
    return photos.plot_photos(images, at_dusk["type"].tolist(), title="Vehicles at dusk")


@figure("03", source=NOTHING)
def most_trucks_before_trees() -> DescribedFigure:
    splits, facts = _draw_biased(background=("buildings", "trees"))
    captions = [f"{row.type}, {row.background}" for row in facts[:8].itertuples()]
    title = "Most trucks stand before trees"
    return photos.plot_photos(splits.train.read(range(8)), captions, title=title)


def _plot_question(groups: pd.DataFrame, question: str, *, title: str) -> DescribedFigure:
    runs = groups[groups["question"] == question].dropna(axis="columns")
    by_augmentation = dict(list(runs.groupby("augmentation", sort=False)))
    sides = [name for name in GROUPS_OF_VEHICLES if name in runs]
    return comparisons.plot_subgroups(by_augmentation, sides, title=title)


@figure("03", source=GROUPS)
def heading_bias(groups: pd.DataFrame) -> DescribedFigure:
    return _plot_question(groups, "heading", title="Heading bias: most train cars face left")


@figure("03", source=GROUPS)
def light_bias(groups: pd.DataFrame) -> DescribedFigure:
    title = "Light bias: most train trucks stand in the dusk"
    return _plot_question(groups, "light", title=title)


@figure("03", source=GROUPS)
def background_bias(groups: pd.DataFrame) -> DescribedFigure:
    title = "Background bias: most train trucks before trees"
    return _plot_question(groups, "background", title=title)


@figure("03", source=GROUPS)
def left_or_right(groups: pd.DataFrame) -> DescribedFigure:
    return _plot_question(groups, "left or right", title="Does it face left or right?")


# --- 04 and 05 ---------------------------------------------------------------------------

# What the figures show of all the policies published: lines of one look each, not too many.
SHOWN_POLICIES = ("none", "flip + contrast", "geometry", "everything")


def _choose_policies(table: pd.DataFrame, policies: tuple[str, ...]) -> pd.DataFrame:
    """Returns the rows of these policies, in this order."""
    return pd.concat([table[table["policy"] == policy] for policy in policies], ignore_index=True)


@figure("04", source=HISTORIES)
def curves_of_policies(histories: pd.DataFrame) -> DescribedFigure:
    policies = {policy: choose_runs(histories, policy) for policy in SHOWN_POLICIES}
    return photos.plot_seed_bands(policies, title="Learning curves of four policies")


@figure("04", source=SENSITIVITY)
def dose_response(table: pd.DataFrame) -> DescribedFigure:
    chosen = _choose_policies(table, SHOWN_POLICIES)
    return comparisons.plot_robustness(chosen, title="What did augmentation teach?")


@figure("04", source=PHOTO_WORTH)
def photo_worth(table: pd.DataFrame) -> DescribedFigure:
    chosen = _choose_policies(table, ("none", "flip", "flip + contrast"))
    title = "One flip is worth how many photos?"
    return comparisons.plot_equivalent_photos(chosen, title=title)


def _plot_differences(differences: pd.DataFrame, measure: str) -> DescribedFigure:
    title = f"Difference in {measure} from no augmentation"
    return comparisons.plot_differences(differences, baseline="none", measure=measure, title=title)


@figure("05", source="differences-accuracy.csv")
def differences_in_accuracy(differences: pd.DataFrame) -> DescribedFigure:
    return _plot_differences(differences, "accuracy on sealed photos")


@figure("05", source="differences-loss.csv")
def differences_in_loss(differences: pd.DataFrame) -> DescribedFigure:
    return _plot_differences(differences, "loss on sealed photos")


@figure("05", source=VIEWS)
def views_needed(histories: pd.DataFrame) -> DescribedFigure:
    # Each number of views is a policy there; the baseline trained again and interpolated
    # contrasts are left out.
    runs = histories[histories["policy"].str.fullmatch(r"\d+ views?")]
    return comparisons.plot_views_needed(runs, title="How many stored views are enough?")
