"""Figures of comparisons: groups of photos, differences, single pairs of runs, confusions."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from course_utils.figures.base import (
    COLORS,
    GRAY,
    DescribedFigure,
    add_legend_below,
    add_rows,
    check_columns,
    course_style,
)
from course_utils.figures.lines import MARKERS, count_dead

MISTAKES_NAMED = 5  # in the alt text of a confusion matrix


@course_style
def plot_subgroups(
    results: Mapping[str, pd.DataFrame], groups: Sequence[str], *, title: str
) -> DescribedFigure:
    """Shows the accuracy on each group of photos: a small mark for a run, a large one the mean.

    Lessons 03 and 05 show it.

    Args:
        results: From what was trained to its runs: a column for each group, accuracies from 0 to
            1, and `dead_head`.
        groups: One to six columns to show.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Raises:
        ValueError: If a column is missing.

    Example:
        >>> runs = pd.DataFrame({"day": [0.75, 0.25], "dead_head": [False, True]})
        >>> plot_subgroups({"flip": runs}, ["day"], title="By day").alt_text
        'By day. Mean accuracy on each group of photos, without heads that died; chance is 0.50. \
flip: day 0.75 (runs from 0.75 to 0.75); 1 of 2 heads died.'
    """
    parts = ["Mean accuracy on each group of photos, without heads that died; chance is 0.50."]
    for name, runs in results.items():
        check_columns(runs, [*groups, "dead_head"], "Take it from `evaluate_subgroups`.")
        alive = runs[~runs["dead_head"]]
        means = ", ".join(
            f"{group} {alive[group].mean():.2f} (runs from {alive[group].min():.2f} to "
            f"{alive[group].max():.2f})"
            for group in groups
        )
        means = means if len(alive) else "no head that did not die"
        parts.append(f"{name}: {means}; {count_dead(runs['dead_head'])}.")
    fig = DescribedFigure(
        title=title, alt_text=" ".join(parts), figsize=(7.6, 1.6 + 0.75 * len(results))
    )
    dead = {name: runs["dead_head"].sum() for name, runs in results.items()}
    ax = add_rows(
        fig, [f"{name}\n({count} died)" if count else name for name, count in dead.items()]
    )
    ax.axvline(0.5, color=GRAY, linestyle=":")
    ax.annotate("chance", (0.5, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    for row, runs in enumerate(results.values()):
        alive = runs[~runs["dead_head"]]
        means = [alive[group].mean() for group in groups]
        ax.plot((min(means), max(means)), (row, row), color="0.75", linewidth=4, zorder=1)
        for number, (group, mean) in enumerate(zip(groups, means, strict=True)):
            look = {"color": COLORS[number], "marker": MARKERS[number], "linestyle": ""}
            # Dots keep to their side of the line; runs of equal accuracy stack up.
            away = (1 if number % 2 else -1) * (0.2 + 0.05 * alive.groupby(group).cumcount())
            ax.plot(alive[group], row + away, markersize=4, alpha=0.45, **look)
            ax.plot(mean, row, markersize=10, label=group, **look)
    ax.set_ylim(len(results) - 0.3, -0.7)
    ax.set_xlim(min(0.45, ax.get_xlim()[0]), 1)
    ax.set_xlabel("accuracy")
    add_legend_below(fig, ax)
    return fig


@course_style
def plot_differences(
    differences: pd.DataFrame, *, baseline: str, measure: str, title: str
) -> DescribedFigure:
    """Shows each policy's difference from the baseline with both of its intervals.

    Lessons 04 and 05 show it.

    Args:
        differences: As `Comparison.differences` returns it: a row for each policy, with
            `difference`, `seeds_low`, `seeds_high`, `photos_low` and `photos_high`.
        baseline: What the policies are compared with.
        measure: What the differences are of, such as `"validation accuracy"`.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Raises:
        ValueError: If there is no row, or a column is missing.

    Example:
        >>> row = {"difference": 0.02, "seeds_low": 0.01, "seeds_high": 0.03}
        >>> table = pd.DataFrame([row | {"photos_low": 0.0, "photos_high": 0.04}], index=["flip"])
        >>> fig = plot_differences(table, baseline="none", measure="accuracy", title="Flip")
        >>> fig.axes[0].get_xlabel()
        'accuracy: difference from none'
    """
    columns = ("difference", "seeds_low", "seeds_high", "photos_low", "photos_high")
    advice = "Take it from `Comparison.differences`, several rows with `.loc[[…]]`."
    check_columns(differences, columns, advice)
    parts = [f"Difference in {measure} from {baseline}, with 95% intervals."]
    for found in differences.itertuples():
        parts.append(
            f"{found.Index}: {found.difference:+.3f}; from random initialization alone "
            f"{found.seeds_low:+.3f} to {found.seeds_high:+.3f}, from random initialization and "
            f"photos {found.photos_low:+.3f} to {found.photos_high:+.3f}."
        )
    fig = DescribedFigure(
        title=title, alt_text=" ".join(parts), figsize=(7.6, 1.9 + 0.45 * len(differences))
    )
    ax = add_rows(fig, differences.index)
    ax.axvline(0, color=GRAY, linestyle=":")
    looks = {
        "seeds": {"linewidth": 6, "label": "other runs, same photos"},
        "photos": {"linewidth": 2, "label": "other runs, other photos"},
    }
    for row, found in enumerate(differences.itertuples()):
        for color, (kind, look) in zip(COLORS, looks.items(), strict=False):
            ends = (getattr(found, f"{kind}_low"), getattr(found, f"{kind}_high"))
            # A line must not be longer than its interval, by the caps at its ends.
            ax.plot(ends, (row, row), color=color, solid_capstyle="butt", **look)
        ax.plot(found.difference, row, "o", color="black", label="mean")
    ax.set_xlabel(f"{measure}: difference from {baseline}")
    add_legend_below(fig, ax, note="95% intervals, and the mean")
    return fig


@course_style
def plot_pairs(
    pairs: pd.DataFrame, dead: pd.DataFrame, *, baseline: str, measure: str, title: str
) -> DescribedFigure:
    """Shows every comparison of one run with one run: a dot for a pair, a large mark the mean.

    Lesson 04 shows it.

    Args:
        pairs: float, one row for each seed, one column for each policy: the policy's run minus
            the baseline's from the same random initialization.
        dead: bool, of the same rows and columns: whether either head of the pair died, which
            makes the dot a cross.
        baseline: What the policies are compared with.
        measure: What the differences are of, such as `"validation accuracy"`.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Raises:
        ValueError: If there is no pair, or `dead` has other rows or columns.

    Example:
        >>> pairs = pd.DataFrame({"flip": [0.25, -0.5, 1.0]})
        >>> fig = plot_pairs(pairs, pairs > 0.5, baseline="none", measure="accuracy", title="Three")
        >>> fig.alt_text
        'Three. Single pairs of runs, accuracy minus that of none. flip: 2 of 3 above zero, 1 \
below, from -0.500 to +1.000, mean +0.250; in 1 a head died.'
    """
    if pairs.empty or not (pairs.index.equals(dead.index) and pairs.columns.equals(dead.columns)):
        raise ValueError(
            f"Expected one or more pairs and whether a head of each died, received tables of "
            f"shape {pairs.shape} and {dead.shape}. Make both from the same runs."
        )
    parts = [f"Single pairs of runs, {measure} minus that of {baseline}."]
    for policy, values in pairs.items():
        parts.append(
            f"{policy}: {(values > 0).sum()} of {len(values)} above zero, {(values < 0).sum()} "
            f"below, from {values.min():+.3f} to {values.max():+.3f}, mean {values.mean():+.3f}; "
            f"in {dead[policy].sum()} a head died."
        )
    fig = DescribedFigure(
        title=title, alt_text=" ".join(parts), figsize=(7.6, 1.8 + 0.9 * pairs.shape[1])
    )
    ax = add_rows(fig, pairs)
    ax.axvline(0, color=GRAY, linestyle=":")
    for row, policy in enumerate(pairs):
        # Pairs of equal difference stack up, away from the line that carries the mean; rounded,
        # since equal fractions of photos may differ in their last digit.
        height = row - 0.16 - 0.08 * pairs.groupby(pairs[policy].round(6)).cumcount()
        for died, marker, label in ((False, "o", "one pair of runs"), (True, "x", "a head died")):
            shown = dead[policy] == died
            look = {"color": COLORS[row % len(COLORS)], "alpha": 0.7, "label": label}
            ax.plot(pairs.loc[shown, policy], height[shown], marker, **look)
        ax.plot(pairs[policy].mean(), row, "D", color="black", markersize=7, label="mean of all")
    ax.set_ylim(pairs.shape[1] - 0.6, -0.9)
    ax.set_xlabel(f"{measure}: one run minus one run of {baseline}")
    add_legend_below(fig, ax)
    for handle in fig.legends[0].legend_handles:
        handle.set_color("black")  # The marks mean the same in every row's color.
    return fig


@course_style
def plot_confusion(
    matrix: np.ndarray, class_names: Sequence[str], *, title: str
) -> DescribedFigure:
    """Shows how many pictures of each class were taken for which (lesson 05).

    Args:
        matrix: int, shape (classes, classes): a row for each true class, a column for each
            predicted one, as scikit-learn's `confusion_matrix` returns it.
        class_names: What the rows and the columns stand for.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Raises:
        ValueError: If there is not a row and a column of counts for each class.

    Example:
        >>> plot_confusion(np.array([[5, 1], [0, 4]]), ("Car", "Truck"), title="Ten").alt_text
        'Ten. 9 of 10 pictures right. Most frequent mistakes by count: Car taken for Truck: 1.'
    """
    from sklearn.metrics import ConfusionMatrixDisplay  # slow to import, and needed only here

    matrix, count = np.asarray(matrix), len(class_names)
    if matrix.shape != (count, count) or np.any(matrix < 0) or np.any(matrix % 1):
        raise ValueError(
            f"Expected counts, {count} × {count} for the classes {', '.join(class_names)}, "
            f"received shape {matrix.shape} with values from {matrix.min():g} to "
            f"{matrix.max():g}. Rows are true classes, columns predicted ones."
        )
    wrong = [
        (int(number), f"{class_names[row]} taken for {class_names[column]}: {int(number)}")
        for (row, column), number in np.ndenumerate(matrix)
        if row != column and number
    ]
    wrong.sort(key=lambda mistake: -mistake[0])
    mistakes = "; ".join(words for _, words in wrong[:MISTAKES_NAMED]) or "none"
    fig = DescribedFigure(
        title=title,
        alt_text=f"{int(np.trace(matrix)):,} of {int(matrix.sum()):,} pictures right. Most "
        f"frequent mistakes by count: {mistakes}.",
        figsize=(1.6 + 0.5 * count, 1.4 + 0.5 * count),
    )
    ax = fig.add_subplot()
    ax.grid(visible=False)
    display = ConfusionMatrixDisplay(matrix.astype(int), display_labels=class_names)
    # From white to dark in one hue: the same order to every eye, and in gray.
    display.plot(ax=ax, cmap="Blues", im_kw={"vmin": 0, "aspect": "auto"}, colorbar=False)
    ax.set(xlabel="predicted", ylabel="true")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return fig


@course_style
def plot_affinity(table: pd.DataFrame, *, title: str) -> DescribedFigure:
    """Shows each policy's affinity and diversity, with 95% intervals.

    Args:
        table: As `evaluate_affinity` returns it: a row for each policy, with `affinity`,
            `diversity`, and the ends of their intervals, `…_low` and `…_high`.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Raises:
        ValueError: If there is no row, or a column is missing.

    Example:
        >>> row = {"affinity": 0.9, "affinity_low": 0.8, "affinity_high": 1.0}
        >>> row |= {"diversity": 1.5, "diversity_low": 1.4, "diversity_high": 1.6}
        >>> plot_affinity(pd.DataFrame([row], index=["flip"]), title="Two numbers").alt_text
        'Two numbers. Affinity and diversity of each policy. flip: affinity 0.90, diversity 1.50.'
    """
    columns = [
        f"{name}{end}" for name in ("affinity", "diversity") for end in ("", "_low", "_high")
    ]
    check_columns(table, columns, "Take it from `evaluate_affinity`.")
    parts = [
        f"{row.Index}: affinity {row.affinity:.2f}, diversity {row.diversity:.2f}."
        for row in table.itertuples()
    ]
    alt_text = " ".join(["Affinity and diversity of each policy.", *parts])
    fig = DescribedFigure(title=title, alt_text=alt_text, figsize=(7.6, 5.0))
    ax = fig.add_subplot()
    for line in (ax.axvline, ax.axhline):
        line(1, color=GRAY, linestyle=":")
    for row in table.itertuples():
        ax.plot((row.affinity_low, row.affinity_high), [row.diversity] * 2, color=COLORS[0])
        ax.plot([row.affinity] * 2, (row.diversity_low, row.diversity_high), color=COLORS[0])
        ax.plot(row.affinity, row.diversity, "o", color="black")
        place = {"xytext": (6, 4), "textcoords": "offset points"}
        ax.annotate(row.Index, (row.affinity, row.diversity), **place)
    ax.margins(0.15)
    ax.set_xlabel("affinity: accuracy on augmented by accuracy on clean validation photos")
    ax.set_ylabel("diversity: training loss by that without augmentation")
    return fig
