"""A reliability diagram: do predicted probabilities come true?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from course_utils.figures.base import (
    COLORS,
    GRAY,
    DescribedFigure,
    add_legend_below,
    check_columns,
    course_style,
)
from course_utils.figures.lines import MARKERS

LARGEST = 14  # the diameter of the largest dot, in points; its area stands for photos
COLUMNS = ("probability", "fraction", "photos")


@course_style
def plot_reliability(
    tables: Mapping[str, pd.DataFrame], *, outcome: str, title: str
) -> DescribedFigure:
    """Shows how often predictions come true, against how probable they were said to be.

    Lesson 09 shows it.

    Args:
        tables: From what was trained to its table, as `evaluate_reliability` returns it; one to
            four of them.
        outcome: The class that the probabilities are of, such as `"Truck"`.
        title: Of the figure.

    Returns:
        The figure: a dot for each bin, larger where it holds more predictions. On the diagonal,
        predictions come true as often as they say. The legend gives the mean distance from it,
        each prediction counted once.

    Raises:
        ValueError: If a column is missing, or there are more tables than can be told apart.

    Example:
        >>> bins = {"probability": [0.1, 0.8], "fraction": [0.3, 0.7], "photos": [10, 30]}
        >>> fig = plot_reliability({"none": pd.DataFrame(bins)}, outcome="Truck", title="True?")
        >>> fig.alt_text
        'True? Fraction of Truck by predicted probability of Truck, in bins. none: 0.10 came true \
0.30 of the time, 0.80 came true 0.70 of the time; mean distance from the diagonal 0.125.'
    """
    if not 1 <= len(tables) <= 4:
        raise ValueError(f"Expected one to four tables, received {len(tables)}. Show fewer.")
    parts, labels = [f"Fraction of {outcome} by predicted probability of {outcome}, in bins."], {}
    for name, table in tables.items():
        check_columns(table, COLUMNS, "Take it from `evaluate_reliability`.")
        gaps = (table["probability"] - table["fraction"]).abs()
        distance = np.average(gaps, weights=table["photos"])
        bins = ", ".join(
            f"{row.probability:.2f} came true {row.fraction:.2f} of the time"
            for row in table.itertuples()
        )
        parts.append(f"{name}: {bins}; mean distance from the diagonal {distance:.3f}.")
        labels[name] = f"{name} ({distance:.3f})"
    fig = DescribedFigure(title=title, alt_text=" ".join(parts), figsize=(6.2, 6.4))
    ax = fig.add_subplot()
    ax.plot((0, 1), (0, 1), color=GRAY, linestyle=":")
    for number, (name, table) in enumerate(tables.items()):
        look = {"color": COLORS[number], "marker": MARKERS[number]}
        ax.plot(table["probability"], table["fraction"], label=labels[name], markersize=4, **look)
        areas = LARGEST**2 * table["photos"] / table["photos"].max()
        ax.scatter(table["probability"], table["fraction"], s=areas, alpha=0.5, **look)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set_xlabel(f"predicted probability of {outcome}")
    ax.set_ylabel(f"fraction that is {outcome}")
    add_legend_below(fig, ax, note="in brackets: mean distance from the diagonal", columns=2)
    return fig
