"""Figures of what was measured on several policies: DataFrames in, described figures out."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from course_utils.figures.photos import COLOURS, DescribedFigure, check_columns
from course_utils.figures.seed_lines import (
    Line,
    add_legend_below,
    average_seeds,
    count_dead,
    draw_lines,
    draw_points,
    label_policies,
    split_policies,
    tidy_axes,
)

# What the second of two points is called, where a transformation is done or not.
DONE = {"flip": "mirrored", "grayscale": "gray"}
CHOICE = "choice"  # the unit of what is done or not
ACCURACY = "share of photos right"
LOSS = "binary cross-entropy"
SENSITIVITY = {"accuracy": ACCURACY, "unchanged": "share of predictions unchanged"}


def plot_subgroups(
    results: Mapping[str, pd.DataFrame], groups: Sequence[str], *, title: str
) -> DescribedFigure:
    """Shows each group's accuracy, a row for each result: a dot a run, a large mark the mean.

    Args:
        results: From what was trained to its runs: a column for each group, and `dead_head`.
        groups: One to six columns to show.
        title: Of the figure.
    """
    fig = DescribedFigure(
        title=title,
        alt_text=_describe_groups(results, groups, title),
        figsize=(7.6, 1.5 + 0.75 * len(results)),
    )
    ax = fig.add_subplot()
    ax.axvline(0.5, color="0.5", linestyle=":")
    ax.annotate("chance", (0.5, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    names = []
    for row, (name, runs) in enumerate(results.items()):
        alive = runs[~runs["dead_head"]]
        dead = len(runs) - len(alive)
        names.append(textwrap.fill(name, 18) + (f"\n({dead} dead)" if dead else ""))
        means = [alive[group].mean() for group in groups]
        ax.plot((min(means), max(means)), (row, row), color="0.75", linewidth=4, zorder=1)
        for number, (group, mean) in enumerate(zip(groups, means, strict=True)):
            look = {"color": COLOURS[number], "marker": "os^Dv*"[number], "linestyle": ""}
            # Dots keep to their side of the line; runs of equal accuracy stack up.
            away = (1 if number % 2 else -1) * (0.2 + 0.05 * alive.groupby(group).cumcount())
            ax.plot(alive[group], row + away, markersize=4, alpha=0.45, **look)
            ax.plot(mean, row, markersize=10, label="" if row else group, **look)
    ax.set_yticks(range(len(results)), names)
    ax.set_ylim(len(results) - 0.3, -0.7)
    ax.set_xlim(min(0.45, ax.get_xlim()[0]), 1)
    ax.set_xlabel("accuracy on valid photos")
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(left=False)
    ax.set_title(title, fontsize=11, pad=20)  # above the word at the line of chance
    fig.legend(loc="outside lower center", ncols=len(groups), frameon=False)
    return fig


def _describe_groups(results: Mapping[str, pd.DataFrame], groups: Sequence[str], title: str) -> str:
    end = "" if title.endswith(("?", ".", "!")) else "."
    parts = [f"{title}{end} Mean valid accuracy over living heads, chance being 0.50."]
    for name, runs in results.items():
        alive = runs[~runs["dead_head"]]
        means = ", ".join(
            f"{group} {alive[group].mean():.2f} (runs from {alive[group].min():.2f} to "
            f"{alive[group].max():.2f})"
            for group in groups
        )
        means = means if len(alive) else "no living head"
        parts.append(f"{name}: {means}; {len(runs) - len(alive)} of {len(runs)} heads died.")
    return " ".join(parts)


def plot_differences(
    differences: pd.DataFrame, *, baseline: str, measure: str, title: str
) -> DescribedFigure:
    """Shows each policy's difference from the baseline with both of its intervals.

    Args:
        differences: As `Comparison.differences` returns it, one row a policy.
        baseline: What the policies are compared with.
        measure: What the differences are of, such as `"valid accuracy"`.
        title: Of the figure.

    Raises:
        ValueError: If there is no row, or a column is missing.
    """
    columns = ("difference", "seeds_low", "seeds_high", "photos_low", "photos_high")
    check_columns(
        differences,
        columns,
        "Take it from `Comparison.differences`, several rows with `.loc[[…]]`.",
    )
    fig = DescribedFigure(
        title=title,
        alt_text=_describe_differences(differences, baseline, measure, title),
        figsize=(7.6, 1.8 + 0.55 * len(differences)),
    )
    ax = fig.add_subplot()
    ax.axvline(0, color="0.5", linestyle=":")
    looks = {
        "seeds": {"color": COLOURS[0], "linewidth": 6, "label": "the same photos, another start"},
        "photos": {"color": COLOURS[1], "linewidth": 2, "label": "other photos, another start"},
    }
    for row, found in enumerate(differences.itertuples()):
        for kind, look in looks.items():
            ends = (getattr(found, f"{kind}_low"), getattr(found, f"{kind}_high"))
            look = look if not row else look | {"label": ""}
            # A line must not be longer than its interval, by the caps at its ends.
            ax.plot(ends, (row, row), solid_capstyle="butt", **look)
        ax.plot(found.difference, row, "o", color="black", markersize=5)
    ax.set_yticks(range(len(differences)), [textwrap.fill(name, 24) for name in differences.index])
    ax.set_ylim(len(differences) - 0.5, -0.5)
    ax.set_xlabel(f"{measure}: difference from {baseline}")
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(left=False)
    ax.set_title(title, fontsize=11)
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


def _describe_differences(differences, baseline: str, measure: str, title: str) -> str:
    parts = [f"{title}. Difference in {measure} from {baseline}, with 95 % intervals."]
    for found in differences.itertuples():
        parts.append(
            f"{found.Index}: {found.difference:+.3f}; for the same photos from another start "
            f"{found.seeds_low:+.3f} to {found.seeds_high:+.3f}, for other photos as well "
            f"{found.photos_low:+.3f} to {found.photos_high:+.3f}."
        )
    return " ".join(parts)


def plot_pairs(
    pairs: pd.DataFrame, dead: pd.DataFrame, *, baseline: str, measure: str, title: str
) -> DescribedFigure:
    """Shows every single comparison of one run with one run: a dot a pair, a large mark the mean.

    Args:
        pairs: float, one row a seed, one column a policy: the policy's run minus the baseline's
            from the same start.
        dead: bool, of the same rows and columns: whether either head of the pair is dead, which
            makes the dot a cross.
        baseline: What the policies are compared with.
        measure: What the differences are of, such as `"valid accuracy"`.
        title: Of the figure.

    Raises:
        ValueError: If there is no pair, or `dead` has other rows or columns.
    """
    if pairs.empty or not (pairs.index.equals(dead.index) and pairs.columns.equals(dead.columns)):
        raise ValueError(
            f"Expected one or more pairs and whether a head of each is dead, received tables of "
            f"shape {pairs.shape} and {dead.shape}. Make both from the same runs."
        )
    fig = DescribedFigure(
        title=title,
        alt_text=_describe_pairs(pairs, dead, baseline, measure, title),
        figsize=(7.6, 1.6 + 0.9 * pairs.shape[1]),
    )
    ax = fig.add_subplot()
    ax.axvline(0, color="0.5", linestyle=":")
    for row, policy in enumerate(pairs):
        # Pairs of equal difference stack up, away from the line that carries the mean; rounded,
        # since equal shares of photos may differ in their last digit.
        height = row - 0.16 - 0.08 * pairs.groupby(pairs[policy].round(6)).cumcount()
        for died, marker, label in ((False, "o", "one pair of runs"), (True, "x", "a head dead")):
            shown = dead[policy] == died
            look = {"color": COLOURS[row % len(COLOURS)], "markersize": 5, "alpha": 0.7}
            ax.plot(pairs.loc[shown, policy], height[shown], marker, **look, label=label)
        ax.plot(pairs[policy].mean(), row, "D", color="black", markersize=7, label="mean of all")
    ax.set_yticks(range(pairs.shape[1]), [textwrap.fill(name, 24) for name in pairs])
    ax.set_ylim(pairs.shape[1] - 0.6, -0.9)
    ax.set_xlabel(f"{measure}: one run minus one run of {baseline}")
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(left=False)
    ax.set_title(title, fontsize=11)
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    legend = fig.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False
    )
    for handle in legend.legend_handles:
        handle.set_color("black")  # The marks mean the same in every row's colour.
    return fig


def _describe_pairs(pairs, dead, baseline: str, measure: str, title: str) -> str:
    parts = [f"{_end(title)} Single pairs of runs, {measure} minus that of {baseline}."]
    for policy, values in pairs.items():
        parts.append(
            f"{policy}: {(values > 0).sum()} of {len(values)} above zero, {(values < 0).sum()} "
            f"below, from {values.min():+.3f} to {values.max():+.3f}, mean {values.mean():+.3f}; "
            f"{dead[policy].sum()} with a dead head."
        )
    return " ".join(parts)


def _end(title: str) -> str:
    return title if title.endswith(("?", ".", "!")) else f"{title}."


def plot_robustness(table: pd.DataFrame, *, title: str) -> DescribedFigure:
    """Plots accuracy and the share of unchanged predictions against each strength.

    Args:
        table: As `evaluate_robustness` returns it, of one to six policies.
        title: Of the figure.

    Returns:
        The figure, a column for each transformation, strengths in the units of the sliders.
        Lines are means over living heads, bands their 95 % Student-t intervals over seeds; the
        legend counts dead heads. An interval that would pass 0 or 1 ends there: no share does.

    Raises:
        ValueError: If a column is missing, there are more policies than can be told apart, or no
            head of one lives.
    """
    columns = ("policy", "seed", "dead_head", "transformation", "unit", "strength", *SENSITIVITY)
    check_columns(table, columns, "Take it from `evaluate_robustness`.")
    living = split_policies(table)
    labels = label_policies(table.drop_duplicates(["policy", "seed"]))
    units = table.drop_duplicates("transformation").set_index("transformation")["unit"]
    widths = [0.6 if unit == CHOICE else 1 for unit in units]
    fig = DescribedFigure(
        title=title,
        alt_text=_describe_sensitivity(living, labels, units, title),
        figsize=(max(5.6, 1.2 + 2.8 * sum(widths)), 6.2),
    )
    fig.suptitle(title, fontsize=11)
    axes = fig.subplots(
        *(len(SENSITIVITY), len(units)),
        sharex="col",
        sharey="row",
        squeeze=False,
        width_ratios=widths,
    )
    for row, (measure, label) in zip(axes, SENSITIVITY.items(), strict=True):
        row[0].set_ylabel(label)
        for ax, (name, unit) in zip(row, units.items(), strict=True):
            draw = draw_points if unit == CHOICE else draw_lines
            if unit != CHOICE:
                ax.axvline(0, color="0.5", linestyle=":", linewidth=1)
            draw(ax, _average_strengths(living, name, unit, measure), labels)
            tidy_axes(ax)
    for ax, (name, unit) in zip(axes[-1], units.items(), strict=True):
        ax.set_xlabel(_name_axis(name, unit))
        if unit == CHOICE:
            ax.set_xlim(-0.4, 1.4)
            ax.set_xticks((0, 1), [_name_strength(name, unit, strength) for strength in (0, 1)])
            ax.tick_params(bottom=False)
    add_legend_below(fig, axes[0, 0])
    return fig


def _average_strengths(living, name: str, unit: str, measure: str) -> dict[str, Line]:
    """Returns each policy's line for one transformation, strengths in the unit shown."""
    lines = {}
    for policy, runs in living.items():
        line = average_seeds(runs[runs["transformation"] == name], "strength", measure)
        lines[policy] = line._replace(
            places=line.places * (100 if unit == "percent" else 1),
            low=np.clip(line.low, 0, 1),
            high=np.clip(line.high, 0, 1),
        )
    return lines


def _describe_sensitivity(living, labels, units: pd.Series, title: str) -> str:
    parts = [
        f"{_end(title)} Share of photos right and share of predictions unchanged, by strength; 0 "
        "is the photo as it is; means over living heads."
    ]
    for name, unit in units.items():
        accuracies, unchanged = (
            _average_strengths(living, name, unit, measure) for measure in ("accuracy", "unchanged")
        )
        for policy, line in accuracies.items():
            ends = {0, len(line.places) - 1, *np.flatnonzero(line.places == 0).tolist()}
            points = "; ".join(
                f"{_name_strength(name, unit, line.places[place])} {line.mean[place]:.2f} right "
                f"and {unchanged[policy].mean[place]:.2f} unchanged"
                for place in sorted(ends)
            )
            parts.append(f"{_name_axis(name, unit)}, {labels[policy]}: {points}.")
    return " ".join(parts)


def _name_axis(name: str, unit: str) -> str:
    return name if unit == CHOICE else f"{name} ({unit})"


def _name_strength(name: str, unit: str, strength: float) -> str:
    if unit == CHOICE:
        return DONE.get(name, name) if strength else "as it is"
    return f"at {strength:g}"


def plot_equivalent_photos(table: pd.DataFrame, *, title: str) -> DescribedFigure:
    """Plots valid loss and accuracy against the number of train photos, a line for each policy.

    Args:
        table: A row a run: `policy` (one to six of them), `train_photos`, `seed`, `dead_head`,
            and at the epoch chosen on *select* `sealed_loss` and `sealed_binary_accuracy`.
        title: Of the figure.

    Returns:
        The figure. Lines are means over living heads, bands their 95 % Student-t intervals over
        seeds; the legend counts dead heads.

    Raises:
        ValueError: If a column is missing, there are more policies than can be told apart, or no
            head of one lives.
    """
    columns = ("policy", "train_photos", "seed", "dead_head")
    columns += ("sealed_loss", "sealed_binary_accuracy")
    check_columns(table, columns, 'Take it from `load_results("photo-counts")`.')
    living = split_policies(table)
    measures = {"sealed_loss": LOSS, "sealed_binary_accuracy": ACCURACY}
    lines = {
        measure: {
            policy: average_seeds(runs, "train_photos", measure) for policy, runs in living.items()
        }
        for measure in measures
    }
    fig = DescribedFigure(
        title=title,
        alt_text=_describe_photo_worth(table, lines, title),
        figsize=(9.2, 4.2),
    )
    fig.suptitle(title, fontsize=11)
    for ax, (measure, label) in zip(fig.subplots(1, 2), measures.items(), strict=True):
        draw_lines(ax, lines[measure], label_policies(table))
        tidy_axes(ax)
        _scale_counts(ax, table["train_photos"])
        ax.set_xlabel("train photos")
        ax.set_title(f"{label}, sealed valid photos", fontsize=10)
    add_legend_below(fig, ax)
    return fig


def _describe_photo_worth(table: pd.DataFrame, lines, title: str) -> str:
    parts = [f"{_end(title)} Loss and accuracy on sealed valid photos, means over living heads."]
    for policy, loss in lines["sealed_loss"].items():
        accuracy = lines["sealed_binary_accuracy"][policy]
        points = "; ".join(
            f"with {count:,} train photos loss {loss.mean[place]:.2f}, accuracy "
            f"{accuracy.mean[place]:.2f}"
            for place, count in enumerate(loss.places)
        )
        died = table.loc[table["policy"] == policy, "dead_head"]
        parts.append(f"{policy} ({count_dead(died)}): {points}.")
    return " ".join(parts)


def _scale_counts(ax: Axes, counts: pd.Series) -> None:
    """Gives an axis of counts a logarithmic scale, with a tick at each count there is."""
    ax.set_xscale("log", base=2)
    ticks = sorted(counts.unique())
    # Neighbours less than half an octave apart would write over each other.
    crowded = (np.diff(np.log2(ticks)) < 0.5).any()
    slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    ax.set_xticks(ticks, [f"{count:,}" for count in ticks], **slant)
    ax.minorticks_off()


def plot_views_needed(table: pd.DataFrame, *, title: str) -> DescribedFigure:
    """Plots what a policy gives in the end against the number of stored views.

    Args:
        table: Histories of one policy with two numbers of stored views or more, a row for each
            `views`, `seed` and `epoch`: `gap`, `val_loss`, `val_binary_accuracy`, `dead_head`.
        title: Of the figure.

    Returns:
        The figure. Dots are means over living heads after the last epoch, with their 95 %
        Student-t intervals over seeds; those of the largest number of views, which comes nearest
        to a new view at every use, go through as a band.

    Raises:
        ValueError: If a column is missing, there is one number of views alone, a run is there
            twice, or no head lives with one of the numbers.
    """
    columns = ("views", "seed", "epoch", "gap", "val_loss", "val_binary_accuracy", "dead_head")
    check_columns(table, columns, "Take it from a table of `load_results` with several views.")
    numbers = sorted(table["views"].unique())
    if len(numbers) < 2 or table.duplicated(["views", "seed", "epoch"]).any():
        raise ValueError(
            "Expected one policy with two numbers of stored views or more, each epoch of a run "
            f"once, received {len(table)} rows with {', '.join(map(str, numbers))} views. Choose "
            "the rows of one policy."
        )
    last = table.sort_values("epoch").groupby(["views", "seed"], as_index=False).last()
    living = last[~last["dead_head"]]
    if set(living["views"]) != set(numbers):
        raise ValueError("Expected a living head with each number of views: leave out the others.")
    measures = {
        "gap": "gap",
        "val_loss": "valid loss",
        "val_binary_accuracy": "valid accuracy",
    }
    lines = {measure: average_seeds(living, "views", measure) for measure in measures}
    fig = DescribedFigure(
        title=title, alt_text=_describe_views(last, lines, title), figsize=(9.6, 3.9)
    )
    fig.suptitle(title, fontsize=11)
    for ax, (measure, label) in zip(fig.subplots(1, 3), measures.items(), strict=True):
        line = lines[measure]
        ax.axhspan(
            line.low[-1], line.high[-1], color="0.85", label=f"interval at {numbers[-1]} views"
        )
        ax.errorbar(
            line.places,
            line.mean,
            (line.mean - line.low, line.high - line.mean),
            color=COLOURS[0],
            marker="o",
            capsize=3,
            label=f"with each number ({count_dead(last['dead_head'])})",
        )
        tidy_axes(ax)
        _scale_counts(ax, last["views"])
        ax.set_xlabel("stored views of a train photo")
        ax.set_title(label, fontsize=10)
    add_legend_below(fig, ax)
    return fig


def _describe_views(last: pd.DataFrame, lines: Mapping[str, Line], title: str) -> str:
    parts = [
        f"{_end(title)} After {last['epoch'].max()} epochs: means over living heads with 95 % "
        "intervals over seeds."
    ]
    for place, views in enumerate(lines["gap"].places):
        died = last.loc[last["views"] == views, "dead_head"]
        measured = ", ".join(
            f"{name} {_write(lines[measure], place)}"
            for name, measure in (
                ("gap", "gap"),
                ("valid loss", "val_loss"),
                ("valid accuracy", "val_binary_accuracy"),
            )
        )
        parts.append(f"{views} view{'s' if views > 1 else ''}: {measured}; {count_dead(died)}.")
    return " ".join(parts)


def _write(line: Line, place: int) -> str:
    if np.isnan(line.low[place]):
        return f"{line.mean[place]:.3f}"
    return f"{line.mean[place]:.3f} ({line.low[place]:.3f} to {line.high[place]:.3f})"
