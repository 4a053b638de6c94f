"""Figures of where augmentation runs: who does what, and what each way has drawn at random."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from course_utils.figures.base import (
    COLORS,
    DescribedFigure,
    add_legend_below,
    check_columns,
    course_style,
)


@course_style
def plot_pipelines(
    sites: Mapping[str, Sequence[tuple[str, str, str]]], *, device: str, title: str
) -> DescribedFigure:
    """Draws who does what when in training, as blocks: a row for each site (lesson 10).

    Args:
        sites: From the name of a site, where augmentation runs, to its steps: what happens, where
            (`"CPU"` or `"device"`), and how often (`"every epoch"` or anything rarer). The site
            with the most steps has all of them.
        device: What the device is on this machine: `"CPU"` or `"GPU"`.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Example:
        >>> steps = [("read photo", "CPU", "once"), ("augment", "device", "every epoch")]
        >>> plot_pipelines({"in the model": steps}, device="GPU", title="Who?").alt_text
        'Who? The device here is the GPU. in the model: read photo (CPU, once), then augment \
(device, every epoch).'
    """
    columns = [what for what, _, _ in max(sites.values(), key=len)]
    fig = DescribedFigure(
        title=title,
        alt_text=_describe_sites(sites, device),
        figsize=(9.6, 1.0 + 0.95 * len(sites)),
    )
    ax = fig.add_subplot()
    for row, (name, steps) in enumerate(sites.items()):
        ax.text(-0.55, row, textwrap.fill(name, 20), ha="right", va="center")
        before = None
        for what, where, when in steps:
            column = columns.index(what)
            ax.add_patch(Rectangle((column - 0.4, row - 0.36), 0.8, 0.72, **_block(where, when)))
            ax.text(column, row, f"{what}\n{where}\n{when}", ha="center", va="center", fontsize=9)
            if before is not None:
                arrow = {"arrowstyle": "->", "color": "0.3", "shrinkA": 2, "shrinkB": 2}
                ends = ((column - 0.4, row), (before + 0.4, row))
                ax.annotate("", ends[0], xytext=ends[1], arrowprops=arrow)
            before = column
    ax.set(xlim=(-1.75, len(columns) - 0.5), ylim=(len(sites) - 0.5, -0.5))
    ax.set_axis_off()
    shown = {
        "on the CPU": ("CPU", "every epoch"),
        f"on the device (here: {device})": ("device", "every epoch"),
        "dashed: computed once, then stored": ("", "once"),
    }
    blocks = [Rectangle((0, 0), 1, 1, **_block(*look)) for look in shown.values()]
    fig.legend(blocks, shown, loc="outside lower center", ncols=len(shown))
    return fig


def _block(where: str, when: str) -> dict:
    """Returns a block's look: its color says where, its outline how often."""
    # Tints of the palette's light blue and orange: black letters can be read on them, and they
    # differ in gray as well.
    color = {"CPU": "#CBE6F8", "device": "#F5D08A"}.get(where, "white")
    outline = "-" if when == "every epoch" else (0, (3, 2))
    return {"facecolor": color, "edgecolor": "0.2", "linewidth": 1.3, "linestyle": outline}


def _describe_sites(sites: Mapping[str, Sequence[tuple]], device: str) -> str:
    rows = [
        f"{name}: " + ", then ".join(f"{what} ({where}, {when})" for what, where, when in steps)
        for name, steps in sites.items()
    ]
    return f"The device here is the {device}. {'; '.join(rows)}."


@course_style
def plot_draws(draws: Mapping[str, pd.DataFrame], *, title: str) -> DescribedFigure:
    """Shows what each site has drawn: a histogram of contrast factors, and how many flips.

    Args:
        draws: From a site's name to its draws: a row for each photo, `flipped`, bool, and
            `factor`, float from 0.5 to 1.5. Lesson 10 reads them off the photos.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Raises:
        ValueError: If a column is missing, or there is no draw.

    Example:
        >>> drawn = pd.DataFrame({"flipped": [True, False], "factor": [0.6, 1.4]})
        >>> plot_draws({"in the model": drawn}, title="Draws").alt_text
        'Draws. Histograms of contrast factors. in the model: 2 draws, 50% mirrored, contrast \
factors from 0.60 to 1.40 with mean 1.00.'
    """
    for drawn in draws.values():
        check_columns(drawn, ("flipped", "factor"), "Take it from `pipelines.recover_draws`.")
    parts = [
        f"{name}: {len(drawn)} draws, {drawn['flipped'].mean():.0%} mirrored, contrast factors "
        f"from {drawn['factor'].min():.2f} to {drawn['factor'].max():.2f} with mean "
        f"{drawn['factor'].mean():.2f}"
        for name, drawn in draws.items()
    ]
    fig = DescribedFigure(
        title=title,
        alt_text=f"Histograms of contrast factors. {'; '.join(parts)}.",
        figsize=(max(5, 2.5 * len(draws)), 3.4),
    )
    edges = np.linspace(0.5, 1.5, 11)
    axes = fig.subplots(1, len(draws), sharey=True, squeeze=False)[0]
    for ax, (name, drawn) in zip(axes, draws.items(), strict=True):
        # A factor read off pixels may miss the outer edges by its rounding.
        bars, label = drawn["factor"].clip(0.5, 1.5), "number of draws"
        ax.hist(bars, edges, color=COLORS[5], edgecolor="white", label=label)
        label = "expected, if all factors are equally likely"
        ax.axhline(len(drawn) / 10, color=COLORS[1], linestyle="--", label=label)
        ax.set_title(f"{name}\n{drawn['flipped'].mean():.0%} mirrored")
        ax.set(xlabel="contrast factor", xticks=(0.5, 1, 1.5))
        ax.grid(visible=False, axis="x")
    axes[0].set_ylabel("draws")
    add_legend_below(fig, axes[0])
    return fig
