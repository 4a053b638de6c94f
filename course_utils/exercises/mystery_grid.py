"""The question of exercise 02 about a grid of views: which settings made them?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.framework import distributions, probes, views
from course_utils.exercises.framework.judgements import (
    RESIZED,
    STRANGE,
    judge_draws,
    judge_pixels,
    judge_predicted,
)
from course_utils.exercises.framework.questions import Question

MYSTERY = Augmentation(rotation=30, brightness=0.3, grayscale=0.5)
MYSTERY_SEED = 29  # sixteen views that show it: eight gray, turned and lit up to both ends

# What passes: from sixteen views nobody can read more exactly.
TURN, LIGHT, GRAY = (20, 40), (0.15, 0.42), (1 / 3, 2 / 3)
# Turning smooths fine noise as well: a view that was turned once keeps 0.83 of it or more, one that
# was turned twice 0.73. With a blur of up to one pixel a tenth of the views keep less than 0.6.
SOFT = 0.65


def make_mystery_views(photo: np.ndarray) -> np.ndarray:
    """Returns sixteen views of a photo under settings that are to be found out.

    Args:
        photo: float32 in [0, 1], shape (height, width, 3).
    """
    transform = probes.read_transformation(MYSTERY.layers(MYSTERY_SEED))
    return probes.run(transform, np.repeat(photo[None], 16, axis=0), training=True)


def _observe_mystery(mystery, *, probe_seed: int) -> dict[str, Any]:
    return probes.observe_transformation(mystery, probe_seed=probe_seed)


def _judge_mystery(observed: Mapping[str, Any]) -> str | None:
    reading = views.read_observed(observed)
    return (
        judge_pixels(reading)
        or _judge_mystery_color(reading.views)
        or _judge_mystery_level(reading.views)
        or _judge_mystery_geometry(reading.views)
        or _judge_mystery_light(reading.views)
        or _judge_mystery_sharpness(reading)
        or judge_draws(reading)
        or judge_predicted(reading)
    )


def _judge_mystery_level(table: pd.DataFrame) -> str | None:
    """Before geometry: of a photo that is nearly all white or black no fit can tell its angle."""
    if table["level"].abs().max() > LIGHT[1]:
        return "Your views grow darker and brighter than any in the grid."
    return None


def _judge_mystery_geometry(table: pd.DataFrame) -> str | None:
    plain = table[table["strangeness"] <= STRANGE]
    if len(plain) > len(table) / 2 and plain["mirrored"].any():
        return (
            "Some of your views are mirrored. Does any of the sixteen views face the other way, "
            "apart from being turned?"
        )
    if len(plain) > len(table) / 2 and (
        (plain["shift"].quantile(0.9) > 1)
        or ((plain["zoom"] - 1).abs().quantile(0.9) > RESIZED)
        or (plain["stretch"].quantile(0.9) - 1 > RESIZED)
    ):
        return (
            "Your views are also moved, resized or distorted. In the grid the vehicle keeps its "
            "size and its place: leave it out."
        )
    # A few views are so bright or so turned that the fit has little to hold on to.
    if len(plain) < 0.9 * len(table):
        return (
            "Your views are also moved, resized, covered, distorted or grainy. Nothing of that can "
            "be seen in the grid: leave it out."
        )
    turned = plain["angle"].abs()
    if turned.max() < 1:
        return "None of your views is turned. Look at the horizon in the grid."
    least = TURN[0] - distributions.nearest_end(TURN[0], len(table)) - 0.5
    if turned.max() > TURN[1] + 0.5:
        return (
            f"Your views are turned by up to {turned.max():.0f}°. Find the most "
            "tilted view of the grid: it is tilted less."
        )
    if turned.max() < least:
        return (
            f"Your views are turned by {turned.max():.0f}° at the most. Some views of the grid are "
            "turned further."
        )
    if plain["angle"].min() > -TURN[0] / 2 or plain["angle"].max() < TURN[0] / 2:
        return "Your views are turned one way only. In the grid they are turned both ways."
    if plain["corners"].quantile(0.75) > 0.004:
        return (
            "Look at the corners that a turn uncovers: in the grid they have one plain color, in "
            "yours they are filled with parts of the photo. See `fill_mode`."
        )
    return None


def _judge_mystery_color(table: pd.DataFrame) -> str | None:
    plain = table[table["strangeness"] <= STRANGE]
    if len(plain) < 0.5 * len(table):
        return None  # Geometry has more to say.
    gray = plain["color"] < 0.1
    colored = plain[~gray]
    # Another hue also looks like a little more or less color, so it comes first.
    if (colored["hue"].abs() > 5).mean() > 0.1:
        return "In your views colors turn into others. In the grid each view has its own, or none."
    if ((colored["color"] - 1).abs() > 0.1).mean() > 0.1:
        return (
            "In your views colors get stronger or weaker by degrees. In the grid a view has either "
            "all of its colors or none."
        )
    if not gray.any():
        return "None of your views is gray. Count the gray ones in the grid."
    if not distributions.fits_fraction(int(gray.sum()), len(plain), *GRAY):
        return (
            f"{gray.mean():.0%} of your views are gray. Count those of the grid: sixteen views are "
            "few, so a third to two thirds would pass."
        )
    return None


def _judge_mystery_light(table: pd.DataFrame) -> str | None:
    plain = table[table["strangeness"] <= STRANGE]
    if ((plain["contrast"] - 1).abs() > 0.1).mean() > 0.1:
        return (
            "In your views the contrast varies. Look at a dark and a bright part of one photo in "
            "the grid: do they move apart, or up and down together?"
        )
    shift = plain["brightness"]
    if shift.abs().max() < 0.02:
        return "Your views are all as bright as the photo. Those of the grid are not."
    if shift.min() > -0.05 or shift.max() < 0.05:
        return "Your views change their brightness one way only. In the grid it goes both ways."
    if shift.abs().max() < LIGHT[0] - distributions.nearest_end(LIGHT[0], len(plain)) - 0.005:
        return "Some views of the grid are darker and brighter than any of yours."
    return None


def _judge_mystery_sharpness(reading: views.Reading) -> str | None:
    if reading.softest < SOFT:
        return (
            "Some of your views are blurred, more than turning alone does it. In the grid edges "
            "stay as sharp as in the photo: leave the blur out."
        )
    return None


Q3 = Question(
    name="q3",
    title="The mystery grid",
    aim="read from views which transformations made them, and how strong they were",
    lesson="02",
    observe=_observe_mystery,
    judge=_judge_mystery,
    sampled=True,
    praise="By mirroring, angle, size, brightness, contrast and color your views are like those of "
    "the grid, as far as sixteen views can show.",
    hints=(
        "Look for one kind of change at a time: geometry first, then light, then color.",
        "Three transformations are at work; one of them either happens or does not.",
        "Rotation of about 30°, brightness of about 0.3 either way, gray half of the time.",
    ),
    explanation="The horizon is tilted both ways, but no vehicle faces the other way: rotation "
    "without a flip. Bright and dark parts move together: brightness, not contrast. Some views "
    "are gray and the others keep their colors: grayscale, not saturation. Sixteen views cannot "
    "show the exact numbers, so 20° to 40° pass, as do 0.15 to 0.4 for the brightness and a third "
    "to two thirds of gray views. With layers, `fill_mode` has to be `constant`: the corners in "
    "the grid are plain.",
    code="mystery = cu.Augmentation(rotation=30, brightness=0.3, grayscale=0.5)",
    misconceptions=("stronger is better",),
)
