"""What several questions ask of an augmentation; each answer is a sentence, or `None` if well."""

from collections.abc import Callable

import pandas as pd

from course_utils.exercises.framework import probes

MIRRORED_SHARE = (0.35, 0.65)  # four standard deviations of 200 fair coins, less or more


def judge_range(transform: Callable) -> str | None:
    """What is wrong with the range of pixels that come back, or `None`."""
    low, high = probes.find_leaving(transform)
    if low < -1e-3 or high > 1 + 1e-3:
        return (
            f"Pixels leave [0, 1]: they come back from {low:.2f} to {high:.2f}. Some layer expects "
            "another range of pixels than it gets, or a function of yours cuts off nothing."
        )
    return None


def judge_random_draws(transform: Callable) -> str | None:
    """What is wrong with how often random values are sampled, or `None`."""
    within, between = probes.draws_again(transform)
    if not between:
        return (
            "The same batch came back twice alike. Online augmentation samples again at every use; "
            "yours samples once, or never."
        )
    if not within:
        return (
            "All photos of a batch were changed alike. Each photo needs a random draw of its own."
        )
    return None


def judge_predict(transform: Callable) -> str | None:
    """What is wrong with `training=False`, or `None`."""
    if probes.changes_in_predict(transform):
        return (
            "With `training=False` photos still come out changed, so `predict` and `evaluate` "
            "would judge photos that nobody took. Only training is to be augmented."
        )
    return None


def _describe_range(values: pd.Series) -> str:
    return f"{values.min():.2f} to {values.max():.2f}"


def judge_geometry(views: pd.DataFrame) -> str | None:
    """What is wrong with where pixels went, if only mirroring was asked for, or `None`."""
    if (views["strangeness"] > probes.STRANGE).any():
        return (
            "Some views are changed in a way that neither mirroring nor contrast explains: moved, "
            "resized, covered or made grainy. Leave out what was not asked for."
        )
    if (views["angle"].abs() > 170).mean() > 0.05:
        return (
            "Some views stand on their heads. The specification mirrors left to right only: think "
            "of the axis that you flip along."
        )
    if (views["angle"].abs() > 2).any():
        return (
            f"Some views are turned, by up to {views['angle'].abs().max():.0f}°. The "
            "specification asks for no rotation: do what it says and nothing more."
        )
    return None


def judge_colors(views: pd.DataFrame) -> str | None:
    """What is wrong with color and brightness, if neither was to change, or `None`."""
    if (views["hue"].abs() > 3).any() or (views["color"] - 1).abs().max() > 0.08:
        return "The colors of some views have changed. The specification leaves color alone."
    if (views["brightness"].abs() > 0.03).any():
        return (
            "The mean brightness of some views has moved. Contrast pulls pixels away from their "
            "mean and leaves the mean alone; brightness was not asked for."
        )
    return None


def judge_mirroring(views: pd.DataFrame) -> str | None:
    """What is wrong with the share of mirrored views, or `None`."""
    share = views["mirrored"].mean()
    if share == 0:
        return "No view is mirrored. Half of them should be, left to right."
    if share == 1:
        return (
            "Every view is mirrored, so none is as the camera took it. Half of the time is asked "
            "for, by chance."
        )
    if not MIRRORED_SHARE[0] < share < MIRRORED_SHARE[1]:
        return f"{share:.0%} of the views are mirrored. Half of them should be."
    return None


def judge_contrast(views: pd.DataFrame, low: float, high: float) -> str | None:
    """What is wrong with the contrast, if factors from low to high were asked for."""
    factors, slack = views["contrast"], 0.03
    asked = f"asked for are {low:g} to {high:g}"
    if factors.max() - factors.min() < slack:
        return f"The contrast never varies ({asked})."
    if factors.min() > 1 - slack:
        return (
            f"The contrast is only ever raised: factors from {_describe_range(factors)}; {asked}. "
            "What does a single number say to Keras, and what a pair?"
        )
    if factors.max() < 1 + slack:
        return f"The contrast is only ever lowered: {_describe_range(factors)}; {asked}."
    if factors.min() < low - slack or factors.max() > high + slack:
        return f"The contrast varies too much: {_describe_range(factors)}; {asked}."
    # Two hundred uniform draws leave an outermost tenth empty once in a billion times.
    if factors.min() > low + slack + 0.03 or factors.max() < high - slack - 0.03:
        return f"The contrast varies too little: {_describe_range(factors)}; {asked}."
    return None
