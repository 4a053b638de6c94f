"""What several questions ask of an augmentation; each returns a sentence, or `None` if all is well.

Geometry and color are judged apart. What holds for every view is compared with a limit; what is
random is tested with `distributions`.
"""

import numpy as np
import pandas as pd

from course_utils.exercises.framework import distributions
from course_utils.exercises.framework.views import Reading

# What a reading may be off, several times over: rounding to 256 levels stays within each.
STRANGE = 0.06  # of the probe's own variation
TURNED, HUE = 0.5, 2.0  # degrees
MOVED = 0.5  # pixels
RESIZED, FACTOR, COLOR = 0.01, 0.005, 0.03  # factors
SHIFTED = 0.006  # of a mean, from 0 to 1
DULL = 0.97  # detail that is left


def judge_pixels(reading: Reading) -> str | None:
    """What is wrong with the pixels that come back, or `None`."""
    if not reading.finite:
        return "Some pixels come back as NaN or infinity. Look for a division by 0."
    if reading.lowest < -1e-3 or reading.highest > 1 + 1e-3:
        return (
            f"Pixels leave [0, 1]: they come back from {reading.lowest:.2f} to "
            f"{reading.highest:.2f}. Tell each layer its range of pixels, or clip in your function."
        )
    return None


def judge_draws(reading: Reading) -> str | None:
    """What is wrong with when random numbers are drawn, or `None`."""
    if reading.unchanged:
        return None
    if reading.repeats:
        return (
            "The same batch came back twice with the same changes. Draw again at every use of a "
            "photo."
        )
    for column, what in {
        "mirrored": "mirrored",
        "contrast": "given the same contrast",
        "angle": "turned",
        "brightness": "made brighter or darker",
    }.items():
        draws = reading.draws(column).astype("float64")
        alike = np.ptp(draws, axis=1).max() < 1e-3
        if alike and np.ptp(draws) > 1e-2:
            return (
                f"All photos of a batch are {what} together. Make a random draw for each photo, "
                "not one for the batch."
            )
    if np.ptp(reading.draws("mirrored").astype(int), axis=0).max() == 0 and (
        reading.views["mirrored"].nunique() == 2
    ):
        return (
            "The same places of a batch are mirrored at every use. Let a random draw decide for "
            "each photo, not its place."
        )
    return None


def judge_predicted(reading: Reading) -> str | None:
    """What is wrong with `training=False`, or `None`."""
    if reading.predicted > 1e-3 or not np.isfinite(reading.predicted):
        return (
            "With `training=False`, photos still come out changed, so `predict` and `evaluate` "
            "would see changed photos. Augment in training only."
        )
    return None


def judge_geometry(reading: Reading) -> str | None:
    """What is wrong with where pixels went, if only mirroring was asked for, or `None`."""
    views = reading.views
    strange = (views["strangeness"] > STRANGE).mean()
    upside = views["angle"].abs() > 170
    if strange < 0.5 and upside.any():
        both = " `RandomFlip()` without a mode flips both ways." if upside.any() else ""
        return f"Some views are upside down. The task mirrors photos from left to right only.{both}"
    if strange:
        return (
            "Some views are changed in a way that neither mirroring nor contrast explains: parts "
            "are covered, distorted or grainy. Leave out what the task does not ask for."
        )
    if (views["angle"].abs() > TURNED).any():
        return (
            f"Some views are turned, by up to {views['angle'].abs().max():.1f}°. The task asks for "
            "no rotation."
        )
    if (
        (views["shift"] > MOVED)
        | ((views["zoom"] - 1).abs() > RESIZED)
        | (views["stretch"] - 1 > RESIZED)
    ).any():
        return "Some views are moved, resized or distorted. The task asks for neither."
    if reading.sharpness < DULL:
        return "Fine detail is lost: photos come out blurred or resized. Leave the sharpness alone."
    return None


def judge_colors(reading: Reading) -> str | None:
    """What is wrong with color and brightness, if neither was to change, or `None`."""
    views = reading.views
    contrast_too = (views["contrast"] - 1).abs().max() > 0.02
    follows = np.abs(views["color"] - views["contrast"]).max() < COLOR
    follows &= views["brightness"].abs().max() < 0.05
    if contrast_too and follows and (views["color"] - 1).abs().max() > COLOR:
        return (
            "Colors change along with the contrast. Take the mean of each color channel, not one "
            "mean for all three."
        )
    if (views["hue"].abs() > HUE).any() or (views["color"] - 1).abs().max() > COLOR:
        return "The colors of some views have changed. The task leaves colors alone."
    if (views["brightness"].abs() > SHIFTED).any() or (views["channel"] > SHIFTED).any():
        largest = max(views["brightness"].abs().max(), views["channel"].max())
        return (
            f"The mean brightness of some views has moved, by up to {largest:.3f}. Contrast pulls "
            "pixels away from their mean and leaves the mean alone; leave brightness out."
        )
    return None


def judge_mirroring(reading: Reading) -> str | None:
    """What is wrong with the fraction of mirrored views, or `None`."""
    hits, count = int(reading.views["mirrored"].sum()), len(reading.views)
    if hits == 0:
        return (
            "No view is mirrored. Mirror half of them, left to right. `RandomFlip` does nothing, "
            'and says nothing, if its mode is another word than `"horizontal"`, `"vertical"` or '
            '`"horizontal_and_vertical"`.'
        )
    if hits == count:
        return "Every view is mirrored. Mirror half of them, at random."
    if not distributions.fits_fraction(hits, count, 0.5):
        return f"{hits / count:.0%} of the views are mirrored. Half of them should be."
    if not distributions.vary_alike(reading.draws("mirrored")):
        return (
            "Half of the views are mirrored, but not at random: some batches, or some places in a "
            "batch, are mirrored more often. Draw for each photo at each use."
        )
    return None


def judge_contrast(reading: Reading, low: float, high: float) -> str | None:
    """What is wrong with the contrast, if factors from low to high were asked for."""
    factors = reading.views["contrast"]
    seen = f"factors from {factors.min():.2f} to {factors.max():.2f}"
    asked = f"the task asks for {low:g} to {high:g}"
    reach = distributions.nearest_end(high - low, len(factors))
    if np.ptp(factors) < 0.01:
        return f"The contrast never varies; {asked}."
    if factors.min() > 1 - 2 * FACTOR:
        return (
            f"The contrast is only ever raised: {seen}; {asked}. What does a single number mean "
            "to Keras, and what does a pair?"
        )
    if factors.max() < 1 + 2 * FACTOR:
        return f"The contrast is only ever lowered: {seen}; {asked}."
    if factors.min() < low - FACTOR or factors.max() > high + FACTOR:
        return f"The contrast varies too much: {seen}; {asked}."
    if factors.min() > low + reach + FACTOR or factors.max() < high - reach - FACTOR:
        return f"The contrast varies too little: {seen}; {asked}."
    if not distributions.fits_uniform(factors.to_numpy(), low, high):
        return (
            f"The range is right ({seen}), but some factors are more likely than others. Any "
            "factor in the range should be as likely as another."
        )
    if not distributions.vary_alike(reading.draws("contrast")):
        return (
            "Some batches, or some places in a batch, get another contrast than the rest. Draw "
            "for each photo at each use."
        )
    return None


def judge_together(reading: Reading) -> str | None:
    """Whether contrast tells whether a view is mirrored, which is wrong; or `None`."""
    views: pd.DataFrame = reading.views
    if distributions.are_independent(
        views["mirrored"].to_numpy(dtype=bool), views["contrast"].to_numpy()
    ):
        return None
    return (
        "Mirrored views have another contrast than the others: both come from the same random "
        "draw. Give each layer a seed of its own, or none."
    )
