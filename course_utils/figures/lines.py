"""Lines of means over seeds: how they are computed, drawn, and labeled."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats
from scipy.optimize import isotonic_regression

from course_utils.figures.base import COLORS

ACCURACY = "accuracy"
LOSS = "loss (binary cross-entropy)"
CONFIDENCE = 0.95
INTERVAL = f"mean of the runs in which no head died, with its {CONFIDENCE:.0%} interval"
# Line styles and markers say what the color says, for readers and printers without colors.
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
MARKERS = "os^Dv*"
LABEL_HEIGHT = 0.065  # of a line of text beside a panel, as a fraction of the panel's height


class SeedLine(NamedTuple):
    """Means over seeds along an axis, with their intervals: arrays of the same length.

    Args:
        x: Along the axis, rising.
        mean: At each of them.
        low: The interval's lower end, NaN where there is none.
        high: Its upper end.
    """

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def average_seeds(runs: pd.DataFrame, along: str, measure: str) -> SeedLine:
    """Returns the mean over seeds at each value of a column, with its 95% Student-t interval.

    Args:
        runs: One policy's rows, one for each value and seed. A single seed has no interval.
        along: The column along the axis.
        measure: The column that is averaged.

    Example:
        >>> runs = pd.DataFrame({"views": [1, 1, 2, 2], "gap": [0.25, 0.75, 0.5, 0.5]})
        >>> average_seeds(runs, "views", "gap").mean
        array([0.5, 0.5])
    """
    groups = runs.groupby(along)[measure]
    mean, count = groups.mean(), groups.count()
    reach = groups.sem() * stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)
    columns = (mean.index, mean, mean - reach, mean + reach)
    return SeedLine(*(column.to_numpy() for column in columns))


def split_policies(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Returns each policy's rows without heads that died, policies in the table's order.

    Args:
        table: With the columns `policy` and `dead_head`.

    Raises:
        ValueError: If there are more policies than can be told apart, or all heads of one died.

    Example:
        >>> table = pd.DataFrame({"policy": ["none", "none"], "dead_head": [False, True]})
        >>> len(split_policies(table)["none"])
        1
    """
    policies = list(dict.fromkeys(table["policy"]))
    check_curves(policies)
    alive = table[~table["dead_head"]]
    split = {policy: alive[alive["policy"] == policy] for policy in policies}
    check_alive(split)
    return split


def check_curves(names: Sequence[str]) -> None:
    """Refuses more runs or policies than can be told apart, or none.

    Args:
        names: Of the runs or policies.

    Raises:
        ValueError: If there are not one to six.

    Example:
        >>> check_curves(["none", "flip"])
    """
    if not 1 <= len(names) <= len(COLORS):
        raise ValueError(
            f"Expected one to {len(COLORS)} curves, which can be told apart, received "
            f"{len(names)}: {', '.join(names)}. Choose those that you want to compare."
        )


def check_alive(alive: Mapping[str, pd.DataFrame]) -> None:
    """Refuses runs whose heads all died.

    Args:
        alive: From a policy's name to its runs without heads that died.

    Raises:
        ValueError: If one has none left.

    Example:
        >>> check_alive({"none": pd.DataFrame({"loss": [0.3]})})
    """
    for name, runs in alive.items():
        if runs.empty:
            raise ValueError(
                f"Expected a head of {name!r} that did not die, received none. Leave {name!r} out, "
                "or train it with more seeds."
            )


def draw_lines(ax: Axes, lines: Mapping[str, SeedLine]) -> None:
    """Draws a line with markers and a band for each policy.

    Args:
        ax: The panel.
        lines: By what the legend calls them, at most six.

    Example:
        >>> from matplotlib.figure import Figure
        >>> x = np.array([1.0, 2.0])
        >>> ax = Figure().add_subplot()
        >>> draw_lines(ax, {"none": SeedLine(x, x, x - 1, x + 1)})
        >>> ax.lines[0].get_marker()
        'o'
    """
    for number, (label, line) in enumerate(lines.items()):
        look = {"color": COLORS[number], "linestyle": LINES[number], "marker": MARKERS[number]}
        ax.plot(line.x, line.mean, label=label, **look)
        ax.fill_between(line.x, line.low, line.high, color=COLORS[number], alpha=0.18, linewidth=0)


def draw_points(ax: Axes, lines: Mapping[str, SeedLine]) -> None:
    """Draws a marker with its interval for each policy, side by side: nothing lies between.

    Args:
        ax: The panel.
        lines: By what the legend calls them, at most six.

    Example:
        >>> from matplotlib.figure import Figure
        >>> x = np.array([0.0, 1.0])
        >>> ax = Figure().add_subplot()
        >>> draw_points(ax, {"none": SeedLine(x, x, x - 1, x + 1)})
        >>> ax.lines[0].get_linestyle()
        'None'
    """
    for number, (label, line) in enumerate(lines.items()):
        aside = 0.1 * (number - (len(lines) - 1) / 2)
        ends = (line.mean - line.low, line.high - line.mean)
        look = {"color": COLORS[number], "linestyle": "", "marker": MARKERS[number], "capsize": 3}
        ax.errorbar(line.x + aside, line.mean, ends, label=label, **look)


def scale_counts(ax: Axes, counts: pd.Series) -> None:
    """Gives an axis of counts a logarithmic scale, with a tick at each count there is.

    Args:
        ax: The panel.
        counts: int, 1 or more.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().add_subplot()
        >>> scale_counts(ax, pd.Series([100, 1000]))
        >>> [label.get_text() for label in ax.get_xticklabels()]
        ['100', '1,000']
    """
    ax.set_xscale("log", base=2)
    ticks = sorted(counts.unique())
    # Neighbors less than half an octave apart would write over each other.
    crowded = (np.diff(np.log2(ticks)) < 0.5).any()
    slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    ax.set_xticks(ticks, [f"{count:,}" for count in ticks], **slant)
    ax.minorticks_off()


def count_dead(died: pd.Series) -> str:
    """Returns how many heads died in words.

    Args:
        died: bool, one for each run.

    Example:
        >>> count_dead(pd.Series([True, False]))
        '1 of 2 heads died'
    """
    return f"{died.sum()} of {len(died)} heads died"


def label_ends(ax: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Writes labels at the right of a panel, each as near to its height as the others allow.

    Args:
        ax: The panel, whose limits stay as they are now.
        labels: For each one the height in the axis' units, the text, and its color.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().add_subplot(ylim=(0, 1))
        >>> label_ends(ax, [(0.51, "upper", "black"), (0.49, "lower", "black")])
        >>> [f"{text.get_text()} at {text.xy[1]:.4f}" for text in ax.texts]
        ['lower at 0.4675', 'upper at 0.5325']
    """
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    labels = sorted(labels, key=lambda label: label[0])
    wanted = np.array([height for height, *_ in labels])
    tall = np.array([1 + text.count("\n") for _, text, _ in labels]) * LABEL_HEIGHT * (high - low)
    # The nearest heights with room between neighbors: without that room, they must not fall.
    room = np.concatenate([[0], np.cumsum((tall[1:] + tall[:-1]) / 2)])
    heights = isotonic_regression(wanted - room).x + room
    for height, (_, text, color) in zip(heights, labels, strict=True):
        ax.annotate(
            text,
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            color=color,
            va="center",
            fontsize=9,
        )
