"""Arrays and DataFrames in, Matplotlib figures out, each with its alt text."""

import base64
import io
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's palette, told apart by colour-blind readers (https://jfly.uni-koeln.de/color/);
# line styles and direct labels say the same again, for print in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DPI = 100
MISTAKES_NAMED = 5  # in the alt text of a confusion matrix
# What a curve is of: its columns' prefix, its photos, its line style.
CURVES = (("clean_", "train", "--"), ("val_", "valid", "-"))


class DescribedFigure(Figure):
    """A Matplotlib figure that carries its alt text wherever it is shown.

    Args:
        title: One line that says what it shows, the same on every machine.
        alt_text: What a reader who cannot see the figure needs, numbers included.
        **options: For `matplotlib.figure.Figure`.
    """

    def __init__(self, *, title: str, alt_text: str = "", **options):
        super().__init__(layout="constrained", dpi=DPI, **options)
        self.title = title
        self.alt_text = alt_text or title

    def draw(self, renderer) -> None:
        """Draws the figure; texts stand as written, since names of classes may hold a `$`."""
        for text in self.findobj(Text):
            text.set_parse_math(False)
        super().draw(renderer)

    def to_bytes(self, file_format: str = "png") -> bytes:
        """Returns the figure as a file, on white so that it reads in a dark page as well.

        The same figure gives the same bytes: no date, and nothing random.

        Args:
            file_format: `"png"`, `"svg"` or `"pdf"`; the last two carry title and alt text.
        """
        metadata = {
            "png": {"Software": None},
            "svg": {"Date": None, "Title": self.title, "Description": self.alt_text},
            "pdf": {"CreationDate": None, "Title": self.title, "Subject": self.alt_text},
        }[file_format]
        # A little smaller, pixel for pixel the same: notebooks carry a dozen of them.
        options = {"pil_kwargs": {"optimize": True}} if file_format == "png" else {}
        stream = io.BytesIO()
        # Names within an SVG file are hashes, salted at random unless told otherwise.
        with rc_context({"svg.hashsalt": self.title}):
            self.savefig(
                stream, format=file_format, facecolor="white", metadata=metadata, **options
            )
        content = stream.getvalue()
        return _number_clips(content) if file_format == "svg" else content

    def to_png(self) -> bytes:
        """Returns the figure as PNG."""
        return self.to_bytes("png")

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {
            "text/plain": f"Figure: {self.title}",
            "image/png": base64.b64encode(self.to_png()).decode("ascii"),
        }
        return data, {"image/png": {"alt": self.alt_text}}


def _number_clips(svg: bytes) -> bytes:
    """Returns an SVG file with its clipping paths numbered.

    Matplotlib names them by a hash of their coordinates, which the layout's solver rounds now
    this way and now that; all that is drawn has fewer digits.
    """
    numbers: dict[bytes, int] = {}

    def number(found):
        place = numbers.setdefault(found[2], len(numbers))
        return found[1] + b"clip%d" % place

    return re.sub(rb'(\bid="|url\(#)(p[0-9a-f]{10})\b', number, svg)


def _draw_photo(ax, image: np.ndarray, caption: str = "") -> None:
    ax.imshow(np.clip(image, 0, 1), interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if caption:
        ax.set_xlabel(caption, fontsize=8, labelpad=2)


def plot_photos(
    images: np.ndarray, captions: Sequence[str], *, columns: int = 8, title: str = "Photos"
) -> DescribedFigure:
    """Shows photos in a grid, a caption under each.

    Args:
        images: float in [0, 1], shape (count, height, width, 3).
        captions: One a photo, or none.
        columns: Photos in a row.
        title: Of the figure.
    """
    rows = -(-len(images) // columns)
    names = ", ".join(f"{list(captions).count(name)} × {name}" for name in dict.fromkeys(captions))
    fig = DescribedFigure(
        title=title,
        alt_text=f"{title}: {len(images)} photos in {rows} rows{': ' if names else ''}{names}.",
        figsize=(columns * 1.05, rows * 1.2),
    )
    for place, image in enumerate(images):
        ax = fig.add_subplot(rows, columns, place + 1)
        _draw_photo(ax, image, captions[place] if len(captions) else "")
    return fig


def plot_views(
    original: np.ndarray,
    views: np.ndarray,
    *,
    title: str = "One photo, transformed at random",
    captions: Sequence[str] = (),
) -> DescribedFigure:
    """Shows one photo, large, beside a grid of its transformed versions.

    Args:
        original: float in [0, 1], shape (height, width, 3).
        views: float in [0, 1], shape (count, height, width, 3), count a square such as 16.
        title: Of the figure.
        captions: One a view, or none.
    """
    side = int(np.ceil(np.sqrt(len(views))))
    changed = int(np.sum([not np.array_equal(view, original) for view in views]))
    fig = DescribedFigure(
        title=title,
        alt_text=f"{title}. Left, the original; right, {len(views)} versions of it in a grid, "
        f"{changed} of which differ from the original.",
        figsize=(7.6, 5.2),
    )
    fig.suptitle(title, fontsize=11)
    left, right = fig.subfigures(1, 2, width_ratios=(1, 1.9))
    ax = left.add_subplot()
    _draw_photo(ax, original)
    ax.set_title("the photo", fontsize=10)
    right.suptitle(f"{len(views)} times into the model", fontsize=10)
    for place, view in enumerate(views):
        ax = right.add_subplot(side, side, place + 1)
        _draw_photo(ax, view, captions[place] if len(captions) else "")
    return fig


def plot_policies(
    original: np.ndarray, views: Mapping[str, np.ndarray], *, title: str
) -> DescribedFigure:
    """Shows what each policy makes of one photo: a row a policy, its name before it.

    Args:
        original: float in [0, 1], shape (height, width, 3).
        views: From a policy's name to its views, float in [0, 1], shape
            (count, height, width, 3), the same count for all.
        title: Of the figure.

    Raises:
        ValueError: If the policies have different numbers of views, or none.
    """
    counts = {name: len(images) for name, images in views.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise ValueError(
            f"Expected the same number of views of each policy, received {counts}. Make as many "
            "for each."
        )
    count = next(iter(counts.values()))
    differing = "; ".join(
        f"{name}: {sum(not np.array_equal(image, original) for image in images)}"
        for name, images in views.items()
    )
    fig = DescribedFigure(
        title=title,
        alt_text=f"{title}. A row for each policy, {count} views of one photo in it; how many of "
        f"these differ from the photo: {differing}.",
        figsize=(1.6 + 0.8 * count, 0.4 + 0.83 * len(views)),
    )
    fig.suptitle(title, fontsize=11)
    axes = fig.subplots(len(views), count, squeeze=False)
    for row, (name, images) in zip(axes, views.items(), strict=True):
        for ax, image in zip(row, images, strict=True):
            _draw_photo(ax, image)
        row[0].set_ylabel(
            textwrap.fill(name, 16), rotation="horizontal", ha="right", va="center", fontsize=10
        )
    return fig


def plot_epochs(epochs: Mapping[str, np.ndarray], *, title: str) -> DescribedFigure:
    """Shows the same photos as they enter the model at different times, side by side.

    Args:
        epochs: From a heading to images, float in [0, 1], (count, height, width, 3) each.
        title: Of the figure.
    """
    batches = list(epochs.values())
    count, side = len(batches[0]), int(np.ceil(np.sqrt(len(batches[0]))))
    differing = sum(
        not np.array_equal(first, last) for first, last in zip(batches[0], batches[-1], strict=True)
    )
    fig = DescribedFigure(
        title=title,
        alt_text=f"{title}. {len(batches)} grids of the same {count} photos ({', '.join(epochs)}); "
        f"{differing} of {count} look different from the first grid to the last.",
        figsize=(4.3 * len(batches), 4.9),
    )
    fig.suptitle(title, fontsize=11)
    parts = np.atleast_1d(fig.subfigures(1, len(batches), wspace=0.06))
    for part, (heading, images) in zip(parts, epochs.items(), strict=True):
        part.suptitle(heading, fontsize=10)
        for place, image in enumerate(images):
            _draw_photo(part.add_subplot(side, side, place + 1), image)
    return fig


def plot_curves(
    histories: Mapping[str, pd.DataFrame], *, title: str = "Learning curves"
) -> DescribedFigure:
    """Plots loss and accuracy by epoch, clean train photos against clean valid photos.

    Args:
        histories: From a run's name to its history, as `train` returns it.
        title: Of the figure.
    """
    fig = DescribedFigure(title=title, alt_text=_describe_curves(histories), figsize=(9.2, 4.2))
    fig.suptitle(title, fontsize=11)
    for ax, name in _add_curve_panels(fig):
        for colour, (run, history) in zip(COLOURS, histories.items(), strict=False):
            for prefix, split, style in CURVES:
                label = f"{run}, {split}" if len(histories) > 1 else split
                ax.plot(history.index, history[prefix + name], style, color=colour, label=label)
    _add_legend_below(fig, ax)
    return fig


def _add_curve_panels(fig: Figure) -> Iterator[tuple]:
    """Gives the axes for loss and for accuracy, each with its column's name, to be drawn on."""
    panels = (("loss", "binary cross-entropy"), ("binary_accuracy", "share of photos right"))
    for number, (name, label) in enumerate(panels):
        ax = fig.add_subplot(1, 2, number + 1)
        yield ax, name
        ax.set_xlabel("epoch")
        ax.set_title(label, fontsize=10)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)


def _add_legend_below(fig: Figure, ax) -> None:
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)


def plot_seed_bands(policies: Mapping[str, pd.DataFrame], *, title: str) -> DescribedFigure:
    """Plots loss and accuracy by epoch over many seeds: the mean, and where most seeds lie.

    Args:
        policies: From a policy's name to its runs, as `results.choose_runs` gives them. Dead
            heads are left out, and counted in the alt text.
        title: Of the figure.

    Returns:
        The figure: lines are means over the living heads of all seeds, bands reach from their
        10th to their 90th percentile.

    Raises:
        ValueError: If a policy's runs lack a column, or no head of it lives.
    """
    measured = [prefix + name for prefix, *_ in CURVES for name in ("loss", "binary_accuracy")]
    columns = ("seed", "epoch", "dead_head", *measured)
    for runs in policies.values():
        check_columns(runs, columns, "Take it from `results.choose_runs`.")
    living = {name: runs[~_died(runs)] for name, runs in policies.items()}
    for name, runs in living.items():
        if runs.empty:
            raise ValueError(f"Expected a living head of {name!r}, received none: leave it out.")
    alt_text = _describe_bands(policies, living)
    fig = DescribedFigure(title=title, alt_text=alt_text, figsize=(9.2, 4.2))
    fig.suptitle(title, fontsize=11)
    for ax, column in _add_curve_panels(fig):
        for colour, (name, runs) in zip(COLOURS, living.items(), strict=False):
            for prefix, split, style in CURVES:
                by_epoch = runs.groupby("epoch")[prefix + column]
                mean, low, high = by_epoch.mean(), by_epoch.quantile(0.1), by_epoch.quantile(0.9)
                label = f"{name}, {split}" if len(living) > 1 else split
                ax.plot(mean.index, mean, style, color=colour, label=label)
                ax.fill_between(mean.index, low, high, color=colour, alpha=0.15, linewidth=0)
    _add_legend_below(fig, ax)
    return fig


def check_columns(table: pd.DataFrame, columns: Sequence[str], advice: str) -> None:
    """Refuses what is no table, has no row, or lacks a column that a figure is about to draw.

    Args:
        table: What was given.
        columns: What is to be there.
        advice: Where such a table comes from, in a sentence.

    Raises:
        ValueError: If the table will not do.
    """
    if not isinstance(table, pd.DataFrame) or table.empty or not set(columns) <= set(table):
        received = list(table) if isinstance(table, pd.DataFrame) else type(table).__name__
        raise ValueError(
            f"Expected a table with a row or more and the columns {', '.join(columns)}, received "
            f"{received}. {advice}"
        )


def _died(runs: pd.DataFrame) -> pd.Series:
    """Returns, for each row, whether the head of its run was dead in the end."""
    return runs.groupby("seed")["dead_head"].transform("last")


def _describe_bands(
    policies: Mapping[str, pd.DataFrame], living: Mapping[str, pd.DataFrame]
) -> str:
    parts = [
        "Loss and accuracy by epoch on clean photos, the mean over seeds with a band from the "
        "10th to the 90th percentile."
    ]
    for name, runs in living.items():
        last = runs[runs["epoch"] == runs["epoch"].max()]
        means = last[["clean_loss", "val_loss", "val_binary_accuracy"]].mean()
        lowest = runs.groupby("seed")["val_loss"].min().mean()
        seeds = policies[name]["seed"].nunique()
        parts.append(
            f"{name}: of {seeds} seeds {seeds - len(last)} died; over the others, after "
            f"{len(runs) // len(last)} epochs, the train loss is {means['clean_loss']:.2f}, the "
            f"valid loss {means['val_loss']:.2f} (lowest {lowest:.2f}) and the valid accuracy "
            f"{means['val_binary_accuracy']:.2f}."
        )
    return " ".join(parts)


def _describe_curves(histories: Mapping[str, pd.DataFrame]) -> str:
    parts = ["Loss and accuracy by epoch, measured on clean photos."]
    for run, history in histories.items():
        first, last, best = history.iloc[0], history.iloc[-1], history["val_loss"].min()
        parts.append(
            f"{run}: over {len(history)} epochs the train loss goes from "
            f"{first['clean_loss']:.2f} to {last['clean_loss']:.2f}, the valid loss from "
            f"{first['val_loss']:.2f} to {last['val_loss']:.2f} (lowest {best:.2f}); the last "
            f"valid accuracy is {last['val_binary_accuracy']:.2f}."
        )
    return " ".join(parts)


def plot_photo_counts(results: pd.DataFrame, *, title: str) -> DescribedFigure:
    """Plots the lowest valid loss against the number of train photos.

    Args:
        results: Columns `train_photos`, `lowest_val_loss` and `dead_head`, a row a run.
        title: Of the figure.
    """
    alive = results[~results["dead_head"]]
    dead = results[results["dead_head"]]
    means = alive.groupby("train_photos")["lowest_val_loss"].mean()
    points = ", ".join(f"{loss:.2f} with {count} photos" for count, loss in means.items())
    fig = DescribedFigure(
        title=title,
        alt_text=f"{title} Mean of the lowest valid loss over living heads: {points}. "
        f"{len(dead)} of {len(results)} heads died.",
        figsize=(5.6, 3.7),
    )
    ax = fig.add_subplot()
    ax.plot(means.index, means.values, "-", color=COLOURS[0], label="mean of living heads")
    for runs, marker, label in ((alive, "o", "one run"), (dead, "x", "one run, head dead")):
        if len(runs):
            ax.plot(
                runs["train_photos"], runs["lowest_val_loss"], marker, color=COLOURS[1], label=label
            )
    ax.set_xscale("log", base=2)
    ticks = sorted(results["train_photos"].unique())
    ax.set_xticks(ticks, [f"{count:,}" for count in ticks])
    ax.minorticks_off()
    ax.set_xlabel("train photos")
    ax.set_ylabel("lowest valid loss")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return fig


def plot_classes(
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    columns: int = 12,
    title: str = "Photos by class",
) -> DescribedFigure:
    """Shows photos class by class, closely side by side: a class at a glance.

    Args:
        images: float in [0, 1], shape (count, height, width, 3).
        labels: 0 or 1, shape (count, 1).
        class_names: What the labels mean.
        columns: Photos in a row; a class's last row may be shorter.
        title: Of the figure.
    """
    classes = {
        name: images[labels[:, 0] == label]
        for label, name in enumerate(class_names)
        if np.any(labels == label)
    }
    rows = [-(-len(photos) // columns) for photos in classes.values()]
    counts = " and ".join(f"{len(photos)} of class {name}" for name, photos in classes.items())
    fig = DescribedFigure(
        title=title,
        alt_text=f"{title}: {counts}, in rows of up to {columns}.",
        figsize=(0.3 + 0.72 * columns, 0.72 * sum(rows) + 0.2),
    )
    axes = fig.subplots(len(classes), 1, squeeze=False, height_ratios=rows)[:, 0]
    for ax, height, (name, photos) in zip(axes, rows, classes.items(), strict=True):
        tiles = np.ones((height * columns, *images.shape[1:]))
        tiles[: len(photos)] = photos
        lines = [
            np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)
        ]
        ax.imshow(np.vstack(lines).clip(0, 1))
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(name)
    return fig


def plot_confusion(
    matrix: np.ndarray, class_names: Sequence[str], *, title: str
) -> DescribedFigure:
    """Shows how many pictures of each class were taken for which.

    Args:
        matrix: int, shape (classes, classes): a row a true class, a column a predicted one.
        class_names: What the rows and the columns stand for.
        title: Of the figure.

    Raises:
        ValueError: If there is not a row and a column of counts for each class.
    """
    matrix, count = np.asarray(matrix), len(class_names)
    if matrix.shape != (count, count) or np.any(matrix < 0) or np.any(matrix % 1):
        raise ValueError(
            f"Expected counts, {count} × {count} for the classes {', '.join(class_names)}, "
            f"received shape {matrix.shape} with values from {matrix.min():g} to "
            f"{matrix.max():g}. Rows are true classes, columns predicted ones."
        )
    fig = DescribedFigure(
        title=title,
        alt_text=_describe_confusion(matrix, class_names, title),
        figsize=(2.4 + 0.46 * count, 1.6 + 0.46 * count),
    )
    ax = fig.add_subplot()
    # From white to dark in one hue: the same order to every eye, and in grey.
    shown = ax.imshow(matrix, cmap="Blues", vmin=0, vmax=max(1, matrix.max()))
    for (row, column), number in np.ndenumerate(matrix):
        dark = number > 0.5 * matrix.max()
        ax.text(
            column,
            row,
            f"{int(number)}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if dark else "black" if number else "0.6",
        )
    ax.set_xticks(range(count), class_names)
    ax.set_yticks(range(count), class_names)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.set_title(title, fontsize=11)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    fig.colorbar(shown, label="pictures", shrink=0.8)
    return fig


def _describe_confusion(matrix: np.ndarray, class_names: Sequence[str], title: str) -> str:
    end = "" if title.endswith(("?", ".", "!")) else "."
    right, total = int(np.trace(matrix)), int(matrix.sum())
    wrong = [
        (int(number), f"{class_names[row]} taken for {class_names[column]}: {int(number)}")
        for (row, column), number in np.ndenumerate(matrix)
        if row != column and number
    ]
    wrong.sort(key=lambda mistake: -mistake[0])
    mistakes = "; ".join(words for _, words in wrong[:MISTAKES_NAMED]) or "none"
    return (
        f"{title}{end} {right:,} of {total:,} pictures right. Most frequent mistakes by count: "
        f"{mistakes}."
    )


def plot_pipelines(
    places: Mapping[str, Sequence[tuple[str, str, str]]], *, device: str, title: str
) -> DescribedFigure:
    """Draws who does what when in training, as blocks: one row a place for augmentation.

    Args:
        places: From a place's name to its steps: what happens, where (`"CPU"` or `"device"`), and
            how often (`"every epoch"` or anything rarer). The place with the most steps has all.
        device: What the device is on this machine: `"CPU"` or `"GPU"`.
        title: Of the figure.
    """
    columns = [what for what, _, _ in max(places.values(), key=len)]
    fig = DescribedFigure(
        title=title,
        alt_text=_describe_places(places, device, title),
        figsize=(9.6, 0.9 + 0.95 * len(places)),
    )
    ax = fig.add_subplot()
    for row, (name, steps) in enumerate(places.items()):
        ax.text(-0.55, row, textwrap.fill(name, 20), ha="right", va="center", fontsize=9.5)
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
    ax.set_xlim(-1.75, len(columns) - 0.5)
    ax.set_ylim(len(places) - 0.5, -0.5)
    ax.axis("off")
    ax.set_title(title, fontsize=11)
    shown = {
        "on the CPU": ("CPU", "every epoch"),
        f"on the device (here: {device})": ("device", "every epoch"),
        "dashed: computed once, then kept": ("", "once"),
    }
    blocks = [Rectangle((0, 0), 1, 1, **_block(*look)) for look in shown.values()]
    fig.legend(blocks, shown, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return fig


def _block(where: str, when: str) -> dict:
    """Returns a block's look: its colour says where, its outline how often."""
    # Tints of the palette's light blue and orange: black letters read on them, also in grey.
    colour = {"CPU": "#CBE6F8", "device": "#F5D08A"}.get(where, "white")
    often = {"linestyle": "-", "edgecolor": "0.2"}
    rare = {"linestyle": (0, (3, 2)), "edgecolor": "0.2"}
    return {"facecolor": colour, "linewidth": 1.3, **(often if when == "every epoch" else rare)}


def _describe_places(places: Mapping[str, Sequence[tuple]], device: str, title: str) -> str:
    rows = [
        f"{name}: " + ", then ".join(f"{what} ({where}, {when})" for what, where, when in steps)
        for name, steps in places.items()
    ]
    return f"{title}. The device here is the {device}. {'; '.join(rows)}."


def plot_draws(draws: Mapping[str, pd.DataFrame], *, title: str) -> DescribedFigure:
    """Shows what each way has drawn: a histogram of contrast factors, and the share of flips.

    Args:
        draws: From a way's name to its draws, as `places.recover_draws` returns them: columns
            `flipped` and `factor`, factors from 0.5 to 1.5.
        title: Of the figure.
    """
    parts = [
        f"{name}: {len(drawn)} draws, {drawn['flipped'].mean():.0%} mirrored, contrast factors "
        f"from {drawn['factor'].min():.2f} to {drawn['factor'].max():.2f} with mean "
        f"{drawn['factor'].mean():.2f}"
        for name, drawn in draws.items()
    ]
    fig = DescribedFigure(
        title=title,
        alt_text=f"{title}. Histograms of contrast factors. {'; '.join(parts)}.",
        figsize=(2.4 * len(draws), 3.0),
    )
    fig.suptitle(title, fontsize=11)
    edges = np.linspace(0.5, 1.5, 11)
    axes = fig.subplots(1, len(draws), sharey=True, squeeze=False)[0]
    for ax, (name, drawn) in zip(axes, draws.items(), strict=True):
        # A factor read off pixels may miss the outer edges by its rounding.
        ax.hist(drawn["factor"].clip(0.5, 1.5), edges, color=COLOURS[5], edgecolor="0.2")
        ax.axhline(len(drawn) / 10, color=COLOURS[1], linestyle="--")
        ax.set_title(f"{name}\n{drawn['flipped'].mean():.0%} mirrored", fontsize=9)
        ax.set_xlabel("contrast factor")
        ax.set_xticks((0.5, 1, 1.5))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("draws (dashed: equal shares)", fontsize=8)
    return fig
