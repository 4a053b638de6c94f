"""The figures of the lessons and the pages, each drawn by one function.

To add one, write a function that returns a `DescribedFigure`, with the line `@figure(…)` above
it. The pictures are made as the lessons make them, with the same functions of the package
`figures`; each of these functions has a figure here, so that `figures --check` sees it change.
Longer than 350 lines because it has one short function for each figure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KNeighborsClassifier

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend
from course_utils.data.dataset import Splits, splits_from_arrays
from course_utils.data.synthetic.dataset import make_synthetic_vehicles
from course_utils.data.synthetic.parameters import PerClass
from course_utils.evaluation.calibration import evaluate_reliability
from course_utils.figures import comparisons, curves, photos, reliability, trends
from course_utils.figures import pipelines as pipeline_figures
from course_utils.figures.base import DescribedFigure
from course_utils.lessons import pipelines
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

# How lesson 03 names its groups of validation photos.
GROUPS_OF_VEHICLES = ("with the bias", "against the bias", "all vehicles")


@dataclass(frozen=True)
class Entry:
    """A figure that can be drawn.

    Args:
        name: Of its file, without ending.
        lesson: Where it is shown: a lesson's number, "README", or "docs" for docs/figures alone.
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
        lesson: Where the figure is shown: a lesson's number, `"README"`, or `"docs"`.
        source: `NOTHING`, `PHOTOS`, or the name of a file in data/results.

    Example:
        >>> @figure("docs", source=NOTHING)
        ... def empty_page():
        ...     return DescribedFigure(title="Empty")
        >>> FIGURES.pop("empty-page").lesson
        'docs'
    """

    def register(draw):
        name = draw.__name__.replace("_", "-")
        FIGURES[name] = Entry(name, lesson, source, draw)
        return draw

    return register


# --- docs --------------------------------------------------------------------------------


@figure("docs", source=NOTHING)
def synthetic_vehicles() -> DescribedFigure:
    images, labels, _ = make_synthetic_vehicles(48)
    title = "Synthetic vehicles from the course kit"
    return photos.plot_classes(images, labels, ("Car", "Truck"), title=title)


# --- 00 and 01 ---------------------------------------------------------------------------


@figure("00", source=PHOTOS)
def photos_and_labels(splits: Splits) -> DescribedFigure:
    images, labels = splits.train.take(16).unshuffled()[0]
    names = [splits.class_names[int(label)] for label in labels[:, 0]]
    title = "Sixteen training photos and their labels"
    return photos.plot_photos(images, names, title=title)


@figure("01", source=HISTORIES)
def curves_without_augmentation(histories: pd.DataFrame) -> DescribedFigure:
    return curves.plot_seed_bands(
        {"no augmentation": choose_runs(histories, "none")},
        title="Learning curves without augmentation",
    )


@figure("01", source=PHOTO_COUNTS)
def more_photos(results: pd.DataFrame) -> DescribedFigure:
    title = "Do more photos lower the validation loss?"
    return curves.plot_photo_counts(results, title=title)


# --- 02 ----------------------------------------------------------------------------------


def _make_flip_and_contrast() -> Callable[[np.ndarray], np.ndarray]:
    """Returns lesson 02's two layers as one function, which draws again at each call."""
    flip = layers.RandomFlip("horizontal", seed=1, dtype="float32")
    contrast = layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=2, dtype="float32")
    return lambda images: np.asarray(contrast(flip(images, training=True), training=True))


@figure("docs", source=PHOTOS)
def one_photo_sixteen_ways(splits: Splits) -> DescribedFigure:
    photo = splits.train.take(16).read([5])[0]
    views = _make_flip_and_contrast()(np.repeat(photo[None], 16, axis=0))
    title = "One photo, transformed sixteen ways"
    return photos.plot_views(photo, views, title=title)


@figure("docs", source=PHOTOS)
def sixteen_photos_in_two_epochs(splits: Splits) -> DescribedFigure:
    images = splits.train.take(16).read(range(16))
    augment = _make_flip_and_contrast()
    augment(np.repeat(images[5:6], 16, axis=0))  # As the lesson has for figure 1.
    epochs = {name: augment(images) for name in ("epoch 1", "epoch 2")}
    title = "The same sixteen photos in two epochs"
    return photos.plot_epochs(epochs, title=title)


@figure("02", source=EIGHT_VIEWS)
def curves_with_and_without_augmentation(histories: pd.DataFrame) -> DescribedFigure:
    return curves.plot_seed_bands(
        {
            "no augmentation": choose_runs(histories, "none"),
            "flip and contrast": choose_runs(histories, "flip + contrast"),
        },
        title="Learning curves without and with augmentation",
    )


@figure("02", source=EIGHT_VIEWS)
def curves_of_two_runs(histories: pd.DataFrame) -> DescribedFigure:
    runs = {}
    for name, policy in (("no augmentation", "none"), ("flip and contrast", "flip + contrast")):
        every = choose_runs(histories, policy)
        runs[name] = every[every["seed"] == every["seed"].min()].set_index("epoch")
    return curves.plot_curves(runs, title="One run without and one with augmentation")


# --- 03 ----------------------------------------------------------------------------------


@lru_cache(maxsize=1)  # Two figures in a row are drawn from the same photos.
def _draw_biased(**bias: tuple[str, str]) -> tuple[Splits, pd.DataFrame]:
    """Returns lesson 03's training photos with one bias: nine cars in ten have the first value."""
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
        both, both, class_names=("Car", "Truck"), source="Made for lesson 03."
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


@figure("docs", source=NOTHING)
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
    return _plot_question(groups, "heading", title="Heading bias: most training cars face left")


@figure("03", source=GROUPS)
def light_bias(groups: pd.DataFrame) -> DescribedFigure:
    title = "Light bias: most training trucks are photographed at dusk"
    return _plot_question(groups, "light", title=title)


@figure("03", source=GROUPS)
def background_bias(groups: pd.DataFrame) -> DescribedFigure:
    title = "Background bias: most training trucks are in front of trees"
    return _plot_question(groups, "background", title=title)


@figure("03", source=GROUPS)
def left_or_right(groups: pd.DataFrame) -> DescribedFigure:
    return _plot_question(groups, "left or right", title="Does it face left or right?")


# --- 04 and 05 ----------------------------------------------------------------------------


@figure("docs", source=NOTHING)
def digits_turned() -> DescribedFigure:
    pictures, digits = load_digits(return_X_y=True)
    nearest = KNeighborsClassifier(n_neighbors=1).fit(pictures, digits)
    # A digit turned by half has its pixels in reverse order.
    counts = confusion_matrix(digits, nearest.predict(pictures[:, ::-1]))
    title = "Turned by half, which digit is taken for which?"
    return comparisons.plot_confusion(counts, [str(digit) for digit in range(10)], title=title)


@figure("05", source=PHOTOS)
def one_photo_under_seven_policies(splits: Splits) -> DescribedFigure:
    geometry = {"rotation": 45, "translation": 0.3, "zoom": 0.4, "shear": 0.3, "perspective": 0.3}
    color = {"brightness": 0.5, "contrast": 0.8, "saturation": 0.4, "hue": 90, "grayscale": 0.3}
    policies = {
        "none": Augmentation(),
        "flip": Augmentation(flip="horizontal"),
        "flip + contrast": Augmentation(flip="horizontal", contrast=0.5),
        "vertical flip": Augmentation(flip="vertical"),
        "everything": Augmentation(flip="horizontal", **geometry, **color, blur=1.0, erasing=0.3),
        "RandAugment": Augmentation(rand_augment=0.5),
        "one operation": Augmentation(one_operation=0.5),
    }
    photo = splits.train.take(16).read([5])[0]
    views = {}
    for name, policy in policies.items():
        stack = policy.layers(31415)
        each = np.repeat(photo[None, None], 5, axis=0)  # one by one: RandAugment draws per batch
        for layer in stack:
            each = [layer(view, training=True) for view in each]
        views[name] = np.concatenate(each)
    return photos.plot_policies(photo, views, title="One photo under seven policies")


# What the figures show of all the policies published: lines of one look each, not too many.
SHOWN_POLICIES = ("none", "flip + contrast", "geometry", "everything")


def _choose_policies(table: pd.DataFrame, policies: tuple[str, ...]) -> pd.DataFrame:
    """Returns the rows of these policies, in this order."""
    return pd.concat([table[table["policy"] == policy] for policy in policies], ignore_index=True)


@figure("05", source=HISTORIES)
def curves_of_policies(histories: pd.DataFrame) -> DescribedFigure:
    policies = {policy: choose_runs(histories, policy) for policy in SHOWN_POLICIES}
    return curves.plot_seed_bands(policies, title="Learning curves of four policies")


@figure("docs", source=SENSITIVITY)
def dose_response(table: pd.DataFrame) -> DescribedFigure:
    chosen = _choose_policies(table, SHOWN_POLICIES)
    return trends.plot_robustness(chosen, title="What did augmentation teach?")


@figure("docs", source=PHOTO_WORTH)
def equivalent_photos(table: pd.DataFrame) -> DescribedFigure:
    chosen = _choose_policies(table, ("none", "flip", "flip + contrast"))
    title = "How many photos is one flip worth?"
    return trends.plot_equivalent_photos(chosen, title=title)


def _plot_differences(differences: pd.DataFrame, measure: str) -> DescribedFigure:
    title = f"How far is each policy's {measure} from no augmentation?"
    measure = f"{measure} on held-out validation photos"
    return comparisons.plot_differences(differences, baseline="none", measure=measure, title=title)


@figure("05", source="differences-accuracy.csv")
def differences_in_accuracy(differences: pd.DataFrame) -> DescribedFigure:
    return _plot_differences(differences, "accuracy")


@figure("05", source="differences-loss.csv")
def differences_in_loss(differences: pd.DataFrame) -> DescribedFigure:
    return _plot_differences(differences, "loss")


@figure("docs", source=VIEWS)
def views_needed(histories: pd.DataFrame) -> DescribedFigure:
    # Each number of views is a policy there; the baseline trained again and interpolated
    # contrasts are left out.
    runs = histories[histories["policy"].str.fullmatch(r"\d+ views?")]
    return trends.plot_views_needed(runs, title="How many stored views are enough?")


@figure("04", source=HISTORIES)
def single_comparisons(histories: pd.DataFrame) -> DescribedFigure:
    others = ["flip", "flip + contrast"]
    last = _choose_policies(histories, ("none", *others))
    last = last[last["views"] == last.groupby("policy")["views"].transform("max")]
    last = last.groupby(["policy", "seed"]).last().unstack("policy")
    accuracy, dead = last["val_binary_accuracy"], last["dead_head"]
    return comparisons.plot_pairs(
        accuracy[others].sub(accuracy["none"], axis=0),
        dead[others].apply(lambda column: column | dead["none"]),
        baseline="none",
        measure="validation accuracy",
        title="One run against one run, twenty times",
    )


# --- 09 and 10 ----------------------------------------------------------------------------


@figure("09", source=PHOTOS)
def mixup_above_cutmix_below(splits: Splits) -> DescribedFigure:
    images, labels = splits.train.take(16).unshuffled()[0]
    mixed = [
        mixer({"images": images, "labels": labels}, training=True)
        for mixer in (
            layers.MixUp(alpha=1.0, seed=1, dtype="float32"),
            layers.CutMix(seed=2, dtype="float32"),
        )
    ]
    trucks = np.concatenate([each["labels"][:8, 0] for each in mixed])
    return photos.plot_photos(
        np.concatenate([each["images"][:8] for each in mixed]),
        [f"{truck:.2f} truck" for truck in trucks],
        title="MixUp above, CutMix below",
    )


@figure("docs", source=NOTHING)
def calibrated_and_too_sure() -> DescribedFigure:
    random = np.random.default_rng(31415)
    honest = random.random(4000)
    labels = (random.random(4000) < honest)[:, None]
    odds = (honest / (1 - honest)) ** 2  # twice as far from one half, in log odds
    tables = {
        "calibrated": evaluate_reliability(honest, labels),
        "too sure": evaluate_reliability(odds / (1 + odds), labels),
    }
    title = "Two models, 4,000 made-up photos: do their probabilities come true?"
    return reliability.plot_reliability(tables, outcome="Truck", title=title)


@figure("docs", source=NOTHING)
def where_augmentation_runs() -> DescribedFigure:
    title = "Which step runs where, and how often, on a machine with a GPU"
    return pipeline_figures.plot_pipelines(pipelines.PLACES, device="GPU", title=title)


@figure("docs", source=PHOTOS)
def contrast_factors(splits: Splits) -> DescribedFigure:
    pale = pipelines.make_pale(splits.train.read(range(200)))
    flip = layers.RandomFlip("horizontal", seed=1, dtype="float32")
    title, draws = "RandomContrast: a pair of factors, or one", {}
    for factor in ((0.5, 0.5), 0.5):
        contrast = layers.RandomContrast(factor, value_range=(0, 1), seed=2, dtype="float32")
        views = np.asarray(contrast(flip(pale, training=True), training=True))
        draws[f"RandomContrast({factor})"] = pipelines.recover_draws(pale, views)
    return pipeline_figures.plot_draws(draws, title=title)
