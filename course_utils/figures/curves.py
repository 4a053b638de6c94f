"""Figures of learning curves, of one run each or over many seeds, and of photo counts."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.ticker import MaxNLocator

from course_utils.figures.base import (
    COLORS,
    DescribedFigure,
    add_legend_below,
    check_columns,
    course_style,
)
from course_utils.figures.lines import (
    ACCURACY,
    LOSS,
    check_alive,
    check_curves,
    count_dead,
    label_ends,
    scale_counts,
)

# What a history measures on clean photos at the end of every epoch.
MEASURES = {"loss": LOSS, "binary_accuracy": ACCURACY}
SPLITS = {"clean_": ("training", "--"), "val_": ("validation", "-")}
GAPS_SHADED = 2  # of more runs, the shades lie over each other
CURVES = [prefix + measure for prefix in SPLITS for measure in MEASURES]


@course_style
def plot_curves(
    histories: Mapping[str, pd.DataFrame], *, title: str = "Learning curves"
) -> DescribedFigure:
    """Plots loss and accuracy by epoch, on clean training photos and on validation photos.

    Lessons 01 and 02 and exercises 01 and 02 show it.

    Args:
        histories: From a run's name to its history, as `train` returns it: a row for each epoch
            (index), with `clean_loss`, `val_loss`, `clean_binary_accuracy` and
            `val_binary_accuracy`. One to six runs.
        title: Of the figure.

    Returns:
        The figure: training dashed, validation solid, the gap between the two losses shaded.

    Raises:
        ValueError: If a column is missing, or there are more runs than can be told apart.

    Example:
        >>> history = pd.DataFrame({name: [0.75, 0.5] for name in CURVES}, index=[1, 2])
        >>> plot_curves({"one run": history}).alt_text
        'Learning curves. Loss and accuracy by epoch, measured on clean photos. one run: over 2 \
epochs the training loss goes from 0.75 to 0.50, the validation loss from 0.75 to 0.50 (lowest \
0.50); the last validation accuracy is 0.50.'
    """
    check_curves(list(histories))
    parts = ["Loss and accuracy by epoch, measured on clean photos."]
    for run, history in histories.items():
        check_columns(history, CURVES, "Take it from `train`.")
        first, last, best = history.iloc[0], history.iloc[-1], history["val_loss"].min()
        parts.append(
            f"{run}: over {len(history)} epochs the training loss goes from "
            f"{first['clean_loss']:.2f} to {last['clean_loss']:.2f}, the validation loss from "
            f"{first['val_loss']:.2f} to {last['val_loss']:.2f} (lowest {best:.2f}); the last "
            f"validation accuracy is {last['val_binary_accuracy']:.2f}."
        )
    fig = DescribedFigure(title=title, alt_text=" ".join(parts), figsize=(10.4, 4.4))
    _draw_curves(fig, histories)
    return fig


@course_style
def plot_seed_bands(policies: Mapping[str, pd.DataFrame], *, title: str) -> DescribedFigure:
    """Plots loss and accuracy by epoch over many seeds: the mean, and a band for most of them.

    Lesson 05 shows it.

    Args:
        policies: From a policy's name to its runs, one to six of them: a row for each `seed` and
            `epoch`, with `dead_head` and the columns that `plot_curves` takes. Heads that died are
            left out, and counted in the alt text.
        title: Of the figure.

    Returns:
        The figure: lines are means over the seeds whose head did not die, bands reach from their
        10th to their 90th percentile.

    Raises:
        ValueError: If a policy's runs lack a column, all its heads died, or there are more
            policies than can be told apart.

    Example:
        >>> runs = pd.DataFrame({"seed": [1, 2], "epoch": 1, "dead_head": False})
        >>> runs[CURVES] = [[0.5] * 4, [0.75] * 4]
        >>> fig = plot_seed_bands({"none": runs}, title="Two seeds")
        >>> fig.axes[0].lines[0].get_ydata()
        array([0.625])
    """
    check_curves(list(policies))
    for runs in policies.values():
        check_columns(runs, ("seed", "epoch", "dead_head", *CURVES), "Take it from `load_results`.")
    # Whether a run's head was dead in the end, for each of its rows.
    alive = {
        name: runs[~runs.groupby("seed")["dead_head"].transform("last")]
        for name, runs in policies.items()
    }
    check_alive(alive)
    by_epoch = {name: runs.groupby("epoch")[CURVES] for name, runs in alive.items()}
    fig = DescribedFigure(
        title=title, alt_text=_describe_bands(policies, alive), figsize=(10.4, 4.4)
    )
    _draw_curves(
        fig,
        {name: runs.mean() for name, runs in by_epoch.items()},
        {name: (runs.quantile(0.1), runs.quantile(0.9)) for name, runs in by_epoch.items()},
    )
    return fig


def _draw_curves(
    fig: DescribedFigure,
    curves: Mapping[str, pd.DataFrame],
    bands: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]] | None = None,
) -> None:
    """Draws a panel for loss and one for accuracy, with the curves of one run or more."""
    for ax, (measure, words) in zip(fig.subplots(1, 2), MEASURES.items(), strict=True):
        ends = []
        for color, (name, curve) in zip(COLORS, curves.items(), strict=False):
            for prefix, (_, style) in SPLITS.items():
                column = curve[prefix + measure]
                ax.plot(curve.index, column, style, color=color)
                if bands:
                    low, high = (edge[prefix + measure] for edge in bands[name])
                    ax.fill_between(low.index, low, high, color=color, alpha=0.2, linewidth=0)
            ends += _name_ends(curve, measure, color, name if len(curves) > 1 else "")
            if measure == "loss" and len(curves) <= GAPS_SHADED:
                between = (curve["clean_loss"], curve["val_loss"])
                ax.fill_between(curve.index, *between, color=color, alpha=0.08, linewidth=0)
        ax.set(xlabel="epoch", title=words)
        ax.margins(x=0.02)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if measure == "loss":
            ax.set_ylim(bottom=0)
        label_ends(ax, ends)
    if len(curves) > 1:
        for split, style in SPLITS.values():
            ax.plot([], [], style, color="black", label=f"{split} photos")
    note = "means over seeds, without heads that died; bands from the 10th to the 90th percentile"
    add_legend_below(fig, ax, note=note if bands else "")


def _name_ends(curve: pd.DataFrame, measure: str, color: str, run: str) -> list[tuple]:
    """Returns what is written at the ends of one run's curves, for `label_ends`."""
    training, validation = (curve[prefix + measure].iloc[-1] for prefix in SPLITS)
    gap = f"gap {validation - training:z.2f}".replace("-", "−") if measure == "loss" else ""
    if run:
        return [(validation, f"{run}\n{gap}".strip(), color)]
    middle = [((training + validation) / 2, gap, color)] if gap else []
    return [(training, "training", color), *middle, (validation, "validation", color)]


def _describe_bands(policies: Mapping[str, pd.DataFrame], alive: Mapping[str, pd.DataFrame]) -> str:
    parts = [
        "Loss and accuracy by epoch on clean photos, the mean over seeds with a band from the "
        "10th to the 90th percentile."
    ]
    for name, runs in alive.items():
        last = runs[runs["epoch"] == runs["epoch"].max()]
        means = last[["clean_loss", "val_loss", "val_binary_accuracy"]].mean()
        lowest = runs.groupby("seed")["val_loss"].min().mean()
        seeds = policies[name]["seed"].nunique()
        parts.append(
            f"{name}: of {seeds} heads {seeds - len(last)} died; over the others, after "
            f"{len(runs) // len(last)} epochs, the training loss is {means['clean_loss']:.2f}, "
            f"the validation loss {means['val_loss']:.2f} (lowest {lowest:.2f}) and the "
            f"validation accuracy {means['val_binary_accuracy']:.2f}."
        )
    return " ".join(parts)


@course_style
def plot_photo_counts(results: pd.DataFrame, *, title: str) -> DescribedFigure:
    """Plots the lowest validation loss against the number of training photos (lesson 01).

    Args:
        results: A row for each run: `train_photos`, `lowest_val_loss` and `dead_head`.
        title: Of the figure.

    Returns:
        The figure: a dot for each run, a cross where its head died, and a line through the means
        of the others.

    Raises:
        ValueError: If a column is missing, or all heads died.

    Example:
        >>> runs = pd.DataFrame({"train_photos": [40, 80, 80], "dead_head": [False, False, True]})
        >>> runs["lowest_val_loss"] = [0.6, 0.5, 0.7]
        >>> plot_photo_counts(runs, title="More?").alt_text
        'More? Mean of the lowest validation loss, without heads that died: 0.60 with 40 photos, \
0.50 with 80 photos. 1 of 3 heads died.'
    """
    check_columns(
        results, ("train_photos", "lowest_val_loss", "dead_head"), "One row for each run."
    )
    alive, dead = results[~results["dead_head"]], results[results["dead_head"]]
    check_alive({"all runs": alive})
    means = alive.groupby("train_photos")["lowest_val_loss"].mean()
    points = ", ".join(f"{loss:.2f} with {count} photos" for count, loss in means.items())
    fig = DescribedFigure(
        title=title,
        alt_text=f"Mean of the lowest validation loss, without heads that died: {points}. "
        f"{count_dead(results['dead_head'])}.",
        figsize=(6.4, 4.2),
    )
    ax = fig.add_subplot()
    for runs, marker, label in ((alive, "o", "one run"), (dead, "x", "one run, its head died")):
        if len(runs):
            points = (runs["train_photos"], runs["lowest_val_loss"])
            ax.plot(*points, marker, color=COLORS[1], alpha=0.7, label=label)
    ax.plot(means.index, means.values, color=COLORS[0], label="mean of runs without a dead head")
    scale_counts(ax, results["train_photos"])
    ax.set(xlabel="training photos", ylabel="lowest validation loss")
    ax.set_ylim(bottom=0)
    add_legend_below(fig, ax)
    return fig
