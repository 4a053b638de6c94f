"""What all figures share: the course's look, a title, alt text, legends and labels."""

import base64
import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib
import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.core.checks import check_choice

_LOOK = matplotlib.rc_params_from_file(
    Path(__file__).with_name("course.mplstyle"), use_default_template=False
)
COLORS = tuple(_LOOK["axes.prop_cycle"].by_key()["color"])
GRAY = "0.5"
LETTERS_PER_INCH = 9  # of a title, about
# A decorator: inside the function, figures have the course's look, whatever the reader's own
# matplotlibrc says. What is drawn later has it too: see `DescribedFigure.savefig`.
course_style = matplotlib.style.context(["default", _LOOK])


class DescribedFigure(Figure):
    """A Matplotlib figure with its title drawn, which carries its alt text wherever it is shown.

    Args:
        title: One line that says what it shows, the same on every machine.
        alt_text: What a reader who cannot see the figure needs, numbers included. The title is
            put before it.
        **options: For `matplotlib.figure.Figure`, such as `figsize` in inches.

    Example:
        >>> fig = DescribedFigure(title="A line", alt_text="It rises from 0 to 1.")
        >>> line = fig.add_subplot().plot([0, 1])
        >>> fig.alt_text
        'A line. It rises from 0 to 1.'
    """

    @course_style
    def __init__(self, *, title: str, alt_text: str = "", **options):
        super().__init__(**{"layout": "constrained"} | options)
        self.title = title
        self.alt_text = f"{end_sentence(title)} {alt_text}".strip()
        letters = max(1, int(LETTERS_PER_INCH * self.get_figwidth()))
        self.suptitle(textwrap.fill(title, letters), x=0.01, ha="left")

    @course_style
    def savefig(self, *args, **options) -> None:
        """Saves the figure: ticks and labels are made only now, and take the course's look.

        Args:
            *args: As `matplotlib.figure.Figure.savefig` takes them.
            **options: The same.
        """
        super().savefig(*args, **options)

    def to_bytes(self, file_format: str = "png") -> bytes:
        """Returns the figure as a file, on white so that it can be read on a dark page too.

        The same figure gives the same bytes: no date, and nothing random.

        Args:
            file_format: `"png"`, `"svg"` or `"pdf"`; the last two carry title and alt text.

        Raises:
            ValueError: If the format is another.

        Example:
            >>> DescribedFigure(title="Empty").to_bytes("svg")[:5]
            b'<?xml'
        """
        metadata = {
            "png": {"Software": None},
            "svg": {"Date": None, "Title": self.title, "Description": self.alt_text},
            "pdf": {"CreationDate": None, "Title": self.title, "Subject": self.alt_text},
        }
        check_choice("file_format", file_format, metadata)
        # A little smaller, pixel for pixel the same: notebooks carry a dozen of them.
        options = {"pil_kwargs": {"optimize": True}} if file_format == "png" else {}
        stream = io.BytesIO()
        self.savefig(stream, format=file_format, metadata=metadata[file_format], **options)
        content = stream.getvalue()
        return _number_clips(content) if file_format == "svg" else content

    def to_png(self) -> bytes:
        """Returns the figure as PNG.

        Example:
            >>> DescribedFigure(title="Empty").to_png()[1:4]
            b'PNG'
        """
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


def end_sentence(title: str) -> str:
    """Returns a title with a period, unless it ends with a mark of its own.

    Args:
        title: Of a figure.

    Example:
        >>> end_sentence("Learning curves"), end_sentence("How many?")
        ('Learning curves.', 'How many?')
    """
    return title if title.endswith(("?", ".", "!")) else f"{title}."


def check_columns(table: pd.DataFrame, columns: Sequence[str], advice: str) -> None:
    """Refuses what is no table, has no row, or lacks a column that a figure is about to draw.

    Args:
        table: What was given.
        columns: What is to be there.
        advice: Where such a table comes from, in a sentence.

    Raises:
        ValueError: If the table cannot be drawn.

    Example:
        >>> check_columns(pd.DataFrame({"loss": [0.3]}), ["loss"], "Take it from `train`.")
    """
    if not isinstance(table, pd.DataFrame) or table.empty or not set(columns) <= set(table):
        received = list(table) if isinstance(table, pd.DataFrame) else type(table).__name__
        raise ValueError(
            f"Expected a table with a row or more and the columns {', '.join(columns)}, received "
            f"{received}. {advice}"
        )


def add_rows(fig: DescribedFigure, names: Iterable[str]) -> Axes:
    """Adds axes with one row for each name, the first on top, and no line at their left.

    Args:
        fig: The figure.
        names: What stands before the rows.

    Example:
        >>> ax = add_rows(DescribedFigure(title="Rows"), ["none", "flip"])
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['none', 'flip']
    """
    ax = fig.add_subplot()
    labels = ["\n".join(textwrap.fill(line, 24) for line in name.split("\n")) for name in names]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.tick_params(axis="y", left=False, labelsize=10)
    ax.grid(visible=False, axis="y")
    ax.spines["left"].set_visible(False)
    return ax


def add_legend_below(fig: DescribedFigure, ax: Axes, *, note: str = "", columns: int = 4) -> None:
    """Adds below the figure what a panel's labels stand for, under a note.

    Args:
        fig: The figure.
        ax: The panel. Where several lines have the same label, the first is shown.
        note: What holds for all of them.
        columns: How many labels stand side by side.

    Example:
        >>> fig = DescribedFigure(title="A line")
        >>> ax = fig.add_subplot()
        >>> line = ax.plot([0, 1], label="one run")
        >>> add_legend_below(fig, ax, note="20 epochs")
        >>> [text.get_text() for text in fig.legends[0].texts]
        ['one run']
    """
    handles, labels = ax.get_legend_handles_labels()
    if not (labels or note):
        return
    first = dict(zip(reversed(labels), reversed(handles), strict=True))
    fig.legend(
        [first[label] for label in dict.fromkeys(labels)],
        dict.fromkeys(labels),
        title=note or None,
        loc="outside lower center",
        ncols=columns,
    )
