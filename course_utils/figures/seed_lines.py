"""Means over seeds whose head lives, with their intervals: one line and band for each policy."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from course_utils.figures.photos import COLOURS, DescribedFigure

# One look a policy, told apart without colour as well.
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
MARKERS = "os^Dv*"
CONFIDENCE = 0.95


class Line(NamedTuple):
    """What one policy's heads gave, all of the same length.

    Args:
        places: Along the axis, rising.
        mean: At each place.
        low: The interval's lower end, NaN where there is none.
        high: Its upper end.
    """

    places: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def average_seeds(runs: pd.DataFrame, place: str, measure: str) -> Line:
    """Returns the mean over seeds at each place, with its 95 % Student-t interval.

    Args:
        runs: One policy's rows, one for each place and seed. A single seed has no interval.
        place: The column of the places.
        measure: The column that is averaged.
    """
    by_place = runs.groupby(place)[measure]
    mean, count = by_place.mean(), by_place.count()
    reach = by_place.sem() * stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)
    return Line(*(column.to_numpy() for column in (mean.index, mean, mean - reach, mean + reach)))


def split_policies(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Returns the rows of each policy's living heads, policies named in the table's order.

    Args:
        table: With the columns `policy` and `dead_head`.

    Raises:
        ValueError: If there is no policy, more than can be told apart, or none of one's heads
            lives.
    """
    policies = list(dict.fromkeys(table["policy"]))
    if not 1 <= len(policies) <= len(COLOURS):
        raise ValueError(
            f"Expected one to {len(COLOURS)} policies, which can be told apart, received "
            f"{len(policies)}: {', '.join(policies)}. Take those out that you compare."
        )
    living = {
        policy: table[(table["policy"] == policy) & ~table["dead_head"]] for policy in policies
    }
    for policy, runs in living.items():
        if runs.empty:
            raise ValueError(f"Expected a living head of {policy!r}, received none: leave it out.")
    return living


def draw_lines(ax: Axes, lines: Mapping[str, Line], labels: Mapping[str, str]) -> None:
    """Draws a line with markers and a band for each policy.

    Args:
        ax: Where.
        lines: By policy, in the order of the looks.
        labels: What the legend calls them.
    """
    for number, (policy, line) in enumerate(lines.items()):
        look = {"color": COLOURS[number], "linestyle": LINES[number], "marker": MARKERS[number]}
        ax.plot(line.places, line.mean, markersize=4, label=labels[policy], **look)
        ax.fill_between(
            line.places, line.low, line.high, color=COLOURS[number], alpha=0.18, linewidth=0
        )


def draw_points(ax: Axes, lines: Mapping[str, Line], labels: Mapping[str, str]) -> None:
    """Draws a marker with its interval for each policy, side by side: nothing lies between.

    Args:
        ax: Where.
        lines: By policy, in the order of the looks.
        labels: What the legend calls them.
    """
    for number, (policy, line) in enumerate(lines.items()):
        aside = 0.1 * (number - (len(lines) - 1) / 2)
        ends = (line.mean - line.low, line.high - line.mean)
        look = {"color": COLOURS[number], "linestyle": "", "marker": MARKERS[number], "capsize": 3}
        ax.errorbar(
            line.places + aside, line.mean, ends, markersize=4, label=labels[policy], **look
        )


def tidy_axes(ax: Axes) -> None:
    """Gives axes a quiet grid and no frame above and to the right."""
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def add_legend_below(fig: DescribedFigure, ax: Axes) -> None:
    """Adds the legend of these axes below the figure; it says what lines and bands are."""
    fig.legend(
        *ax.get_legend_handles_labels(),
        title=f"mean and {CONFIDENCE:.0%} interval over seeds whose head lives",
        title_fontsize=9,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=9,
    )


def label_policies(runs: pd.DataFrame) -> dict[str, str]:
    """Returns each policy's name, with the number of its dead heads where there are any.

    Args:
        runs: One row a run.
    """
    return {
        policy: f"{policy} ({count_dead(died)})" if died.any() else policy
        for policy, died in runs.groupby("policy", sort=False)["dead_head"]
    }


def count_dead(died: pd.Series) -> str:
    """Returns how many heads died in words.

    Args:
        died: bool, one for each run.
    """
    return f"{died.sum()} of {len(died)} heads dead"
