"""Figures of trends: what policies give by strength, by training photos, by stored views."""

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
from course_utils.figures.lines import (
    ACCURACY,
    INTERVAL,
    LOSS,
    SeedLine,
    average_seeds,
    check_alive,
    count_dead,
    draw_lines,
    draw_points,
    label_ends,
    scale_counts,
    split_policies,
)

# What the second of two points is called, where a transformation is done or not.
DONE = {"flip": "mirrored", "grayscale": "gray"}
CHOICE = "choice"  # the unit of what is done or not
ROBUSTNESS = {"accuracy": ACCURACY, "unchanged": "fraction of predictions unchanged"}


@course_style
def plot_robustness(table: pd.DataFrame, *, title: str) -> DescribedFigure:
    """Plots accuracy and the fraction of unchanged predictions against each strength.

    Lesson 05 shows it.

    Args:
        table: As `evaluate_robustness` returns it, of one to six policies.
        title: Of the figure.

    Returns:
        The figure, a column for each transformation, strengths in the units of the sliders.
        Lines are means over heads that did not die, bands their 95% Student-t intervals over
        seeds; the legend counts heads that died. An interval that would pass 0 or 1 ends there:
        no fraction does.

    Raises:
        ValueError: If a column is missing, there are more policies than can be told apart, or all
            heads of one died.

    Example:
        >>> row = {"policy": "none", "transformation": "rotation", "unit": "degrees"}
        >>> runs = pd.DataFrame([row | {"seed": 1, "dead_head": False}] * 2)
        >>> runs = runs.assign(strength=[0, 20], accuracy=[0.9, 0.8], unchanged=[1, 0.85])
        >>> [ax.get_ylabel() for ax in plot_robustness(runs, title="Rotated").axes]
        ['accuracy', 'fraction of predictions unchanged']
    """
    columns = ("policy", "seed", "dead_head", "transformation", "unit", "strength", *ROBUSTNESS)
    check_columns(table, columns, "Take it from `evaluate_robustness`.")
    policies = split_policies(table)
    runs = table.drop_duplicates(["policy", "seed"])
    died = {policy: each["dead_head"] for policy, each in runs.groupby("policy")}
    alive = {
        f"{policy} ({count_dead(died[policy])})" if died[policy].any() else policy: rows
        for policy, rows in policies.items()
    }
    units = table.drop_duplicates("transformation").set_index("transformation")["unit"]
    widths = [0.6 if unit == CHOICE else 1 for unit in units]
    fig = DescribedFigure(
        title=title,
        alt_text=_describe_robustness(alive, units),
        figsize=(max(5.6, 1.2 + 2.8 * sum(widths)), 6.4),
    )
    axes = fig.subplots(
        *(len(ROBUSTNESS), len(units)),
        sharex="col",
        sharey="row",
        squeeze=False,
        width_ratios=widths,
    )
    for row, (measure, label) in zip(axes, ROBUSTNESS.items(), strict=True):
        row[0].set_ylabel(label)
        for ax, (name, unit) in zip(row, units.items(), strict=True):
            draw = draw_points if unit == CHOICE else draw_lines
            if unit != CHOICE:
                ax.axvline(0, color=GRAY, linestyle=":", linewidth=1)
            draw(ax, _average_strengths(alive, name, unit, measure))
    for ax, (name, unit) in zip(axes[-1], units.items(), strict=True):
        ax.set_xlabel(_name_axis(name, unit))
        if unit == CHOICE:
            ax.set_xlim(-0.4, 1.4)
            ax.set_xticks((0, 1), [_name_strength(name, unit, strength) for strength in (0, 1)])
            ax.tick_params(bottom=False)
    add_legend_below(fig, axes[0, 0], note=INTERVAL, columns=2 if len(alive) == 4 else 3)
    return fig


def _average_strengths(
    alive: Mapping[str, pd.DataFrame], name: str, unit: str, measure: str
) -> dict[str, SeedLine]:
    """Returns each policy's line for one transformation, strengths in the unit shown."""
    lines = {}
    for policy, runs in alive.items():
        line = average_seeds(runs[runs["transformation"] == name], "strength", measure)
        lines[policy] = line._replace(
            x=line.x * (100 if unit == "percent" else 1),
            low=np.clip(line.low, 0, 1),
            high=np.clip(line.high, 0, 1),
        )
    return lines


def _describe_robustness(alive: Mapping[str, pd.DataFrame], units: pd.Series) -> str:
    parts = [
        "Accuracy and fraction of predictions unchanged, by strength; 0 is the photo as it is; "
        "means over heads that did not die."
    ]
    for name, unit in units.items():
        accuracies, unchanged = (
            _average_strengths(alive, name, unit, measure) for measure in ROBUSTNESS
        )
        for policy, line in accuracies.items():
            ends = {0, len(line.x) - 1, *np.flatnonzero(line.x == 0).tolist()}
            points = "; ".join(
                f"{_name_strength(name, unit, line.x[place])} accuracy {line.mean[place]:.2f} "
                f"and {unchanged[policy].mean[place]:.2f} unchanged"
                for place in sorted(ends)
            )
            parts.append(f"{_name_axis(name, unit)}, {policy}: {points}.")
    return " ".join(parts)


def _name_axis(name: str, unit: str) -> str:
    return name if unit == CHOICE else f"{name} ({unit})"


def _name_strength(name: str, unit: str, strength: float) -> str:
    if unit == CHOICE:
        return DONE.get(name, name) if strength else "as it is"
    return f"at {strength:g}"


@course_style
def plot_equivalent_photos(table: pd.DataFrame, *, title: str) -> DescribedFigure:
    """Plots validation loss and accuracy against the number of training photos.

    Lesson 05 shows it.

    Args:
        table: A row for each run: `policy` (one to six of them), `train_photos`, `seed`,
            `dead_head`, and `held_out_loss` and `held_out_binary_accuracy`, which are measured on
            the held-out half of the validation photos, at the epoch that was best on the other
            half.
        title: Of the figure.

    Returns:
        The figure, a line for each policy: means over heads that did not die, with a band for
        their 95% Student-t intervals over seeds; the note counts heads that died.

    Raises:
        ValueError: If a column is missing, there are more policies than can be told apart, or all
            heads of one died.

    Example:
        >>> runs = pd.DataFrame({"policy": "none", "train_photos": [100, 200], "seed": 1})
        >>> runs = runs.assign(dead_head=False, held_out_loss=0.5, held_out_binary_accuracy=0.75)
        >>> plot_equivalent_photos(runs, title="More").alt_text
        'More. Loss and accuracy on the held-out half of the validation photos, means over heads \
that did not die. none (0 of 2 heads died): with 100 training photos loss 0.50, accuracy 0.75; \
with 200 training photos loss 0.50, accuracy 0.75.'
    """
    columns = ("policy", "train_photos", "seed", "dead_head")
    columns += ("held_out_loss", "held_out_binary_accuracy")
    check_columns(table, columns, 'Take it from `load_results("photo-counts")`.')
    alive = split_policies(table)
    measures = {"held_out_loss": LOSS, "held_out_binary_accuracy": ACCURACY}
    lines = {
        measure: {
            policy: average_seeds(runs, "train_photos", measure) for policy, runs in alive.items()
        }
        for measure in measures
    }
    died = {
        policy: count_dead(table.loc[table["policy"] == policy, "dead_head"]) for policy in alive
    }
    fig = DescribedFigure(
        title=title, alt_text=_describe_equivalent_photos(lines, died), figsize=(10.4, 4.6)
    )
    for ax, (measure, label) in zip(fig.subplots(1, 2), measures.items(), strict=True):
        draw_lines(ax, lines[measure])
        scale_counts(ax, table["train_photos"])
        ax.set(xlabel="training photos", title=label)
        if measure == "held_out_loss":
            ax.set_ylim(bottom=0)
        ends = [line.mean[-1] for line in lines[measure].values()]
        label_ends(ax, list(zip(ends, lines[measure], COLORS, strict=False)))
    counts = "; ".join(f"{policy}: {count}" for policy, count in died.items())
    note = f"On the half of the validation photos not used to choose: {INTERVAL}\n{counts}"
    fig.legend([], [], title=note, loc="outside lower center")
    return fig


def _describe_equivalent_photos(
    lines: Mapping[str, Mapping[str, SeedLine]], died: Mapping[str, str]
) -> str:
    parts = [
        "Loss and accuracy on the held-out half of the validation photos, means over heads that "
        "did not die."
    ]
    for policy, loss in lines["held_out_loss"].items():
        accuracy = lines["held_out_binary_accuracy"][policy]
        points = "; ".join(
            f"with {count:,} training photos loss {loss.mean[place]:.2f}, accuracy "
            f"{accuracy.mean[place]:.2f}"
            for place, count in enumerate(loss.x)
        )
        parts.append(f"{policy} ({died[policy]}): {points}.")
    return " ".join(parts)


@course_style
def plot_views_needed(table: pd.DataFrame, *, title: str) -> DescribedFigure:
    """Plots what a policy gives in the end against the number of stored views.

    docs/figures has it.

    Args:
        table: Histories of one policy with two numbers of stored views or more, a row for each
            `views`, `seed` and `epoch`: `gap`, `val_loss`, `val_binary_accuracy`, `dead_head`.
        title: Of the figure.

    Returns:
        The figure. Dots are means over heads that did not die, after the last epoch, with their
        95% Student-t intervals over seeds; those of the largest number of views, which comes
        nearest to a new view at every use, go through as a band.

    Raises:
        ValueError: If a column is missing, there is one number of views alone, a run is there
            twice, or all heads died with one of the numbers.

    Example:
        >>> runs = pd.DataFrame({"views": [1, 8], "seed": 1, "epoch": 30, "dead_head": False})
        >>> runs = runs.assign(gap=[0.2, 0.15], val_loss=0.4, val_binary_accuracy=0.85)
        >>> [ax.get_title(loc="left") for ax in plot_views_needed(runs, title="Views").axes]
        ['gap', 'validation loss', 'validation accuracy']
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
    alive = last[~last["dead_head"]]
    check_alive({f"{views} views": alive[alive["views"] == views] for views in numbers})
    measures = {
        "gap": "gap",
        "val_loss": "validation loss",
        "val_binary_accuracy": "validation accuracy",
    }
    lines = {measure: average_seeds(alive, "views", measure) for measure in measures}
    parts = [
        f"After {last['epoch'].max()} epochs: means over heads that did not die with 95% "
        "intervals over seeds."
    ]
    for place, views in enumerate(numbers):
        measured = ", ".join(
            f"{label} {_write(lines[measure], place)}" for measure, label in measures.items()
        )
        died = count_dead(last.loc[last["views"] == views, "dead_head"])
        parts.append(f"{views} view{'s' if views > 1 else ''}: {measured}; {died}.")
    fig = DescribedFigure(title=title, alt_text=" ".join(parts), figsize=(10.4, 4.2))
    for ax, (measure, label) in zip(fig.subplots(1, 3), measures.items(), strict=True):
        line = lines[measure]
        band = f"interval with {numbers[-1]} views"
        ax.axhspan(line.low[-1], line.high[-1], color="0.87", label=band)
        ends = (line.mean - line.low, line.high - line.mean)
        runs = f"each number of views ({count_dead(last['dead_head'])})"
        ax.errorbar(line.x, line.mean, ends, marker="o", capsize=3, label=runs)
        scale_counts(ax, last["views"])
        ax.set(xlabel="stored views of a training photo", title=label)
        if measure != "val_binary_accuracy":
            ax.set_ylim(bottom=0)
    add_legend_below(fig, ax, note=INTERVAL)
    return fig


def _write(line: SeedLine, place: int) -> str:
    if np.isnan(line.low[place]):
        return f"{line.mean[place]:.3f}"
    return f"{line.mean[place]:.3f} ({line.low[place]:.3f} to {line.high[place]:.3f})"
