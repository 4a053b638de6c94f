"""Figures of photos: grids of them, views of one, several epochs, several policies.

Photos stand at places in inches, so that they are shown pixel for pixel wherever there is room:
Matplotlib's own layout would move them a little, and take a second for it.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from course_utils.core.checks import check_count
from course_utils.figures.base import LETTERS_PER_INCH, DescribedFigure, course_style

# In inches; a figure has 100 dots per inch.
PHOTO = 1.28  # the course's photos, pixel for pixel
SMALL_PHOTO = 0.96
WIDTH = 11  # at most, where there are many photos in a row
GAP = 0.06
MARGIN = 0.1
LINE = 0.17  # of small text
TOP = 0.4  # of the title
LARGEST_PIXEL = 2.0  # a contrast may carry a pixel a little past 1, where it is shown as 1


@course_style
def plot_photos(
    images: np.ndarray,
    captions: Sequence[str],
    *,
    columns: int = 8,
    title: str = "Photos",
    note: str = "",
) -> DescribedFigure:
    """Shows photos in a grid, a caption below each (lessons 00, 03 and 05).

    Args:
        images: float in [0, 1], shape (count, height, width, 3).
        captions: One for each photo, or none.
        columns: Photos in a row.
        title: Of the figure.
        note: Lines below the photos, which the alt text repeats.

    Returns:
        The figure, with its alt text.

    Raises:
        TypeError: If `columns` is not a whole number.
        ValueError: If there is no photo, not a caption for each, or pixels go up to 255.

    Example:
        >>> fig = plot_photos(np.zeros((3, 8, 8, 3)), ["Car", "Car", "Truck"], title="Three")
        >>> fig.alt_text
        'Three. 3 photos in 1 row: 2 × Car, 1 × Truck.'
    """
    captions = list(captions)
    check_count("columns", columns)
    if not len(images) or len(captions) not in (0, len(images)):
        raise ValueError(
            f"Expected one photo or more, and a caption for each or none at all, received "
            f"{len(images)} photos and {len(captions)} captions. Take both from the same batch."
        )
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    names = ", ".join(f"{captions.count(name)} × {name}" for name in dict.fromkeys(captions))
    size = min(PHOTO, WIDTH / columns - GAP)
    note_height = LINE * (1 + note.count("\n")) + MARGIN if note else 0
    fig = _open(
        title,
        f"{len(images)} photos in {rows} row{'s' if rows > 1 else ''}"
        f"{': ' if names else ''}{names}. {' '.join(note.split())}",
        width=_measure(columns, size),
        height=TOP + _measure(rows, size, captions) + note_height,
    )
    _place_grid(fig, images, captions, left=MARGIN, top=TOP, columns=columns, size=size)
    _write(fig, note, left=MARGIN, top=TOP + _measure(rows, size, captions))
    return fig


@course_style
def plot_views(
    original: np.ndarray,
    views: np.ndarray,
    *,
    title: str = "One photo, transformed at random",
    captions: Sequence[str] = (),
) -> DescribedFigure:
    """Shows one photo, large, beside a grid of its transformed versions (lessons 02 and 03).

    Args:
        original: float in [0, 1], shape (height, width, 3).
        views: float in [0, 1], shape (count, height, width, 3), count a square such as 16.
        title: Of the figure.
        captions: One for each view, or none.

    Returns:
        The figure, with its alt text.

    Raises:
        ValueError: If pixels go up to 255.

    Example:
        >>> photo = np.zeros((8, 8, 3))
        >>> plot_views(photo, np.stack([photo, photo + 1])).alt_text
        'One photo, transformed at random. Left, the original; right, 2 versions of it in a \
grid, 1 of which differs from the original.'
    """
    changed = _count_changed(views, original)
    side = int(np.ceil(np.sqrt(len(views))))
    large = _measure(2, PHOTO) - 2 * MARGIN
    top = TOP + LINE + GAP
    fig = _open(
        title,
        f"Left, the original; right, {len(views)} versions of it in a grid, {changed} of which "
        f"differ{'s' if changed == 1 else ''} from the original.",
        width=MARGIN + large + _measure(side, PHOTO),
        height=top + max(_measure(side, PHOTO, captions), large + MARGIN),
    )
    _write(fig, "the photo", left=MARGIN, top=TOP)
    _place_photo(fig, original, left=MARGIN, top=top, size=large)
    left = 2 * MARGIN + large
    _write(fig, f"{len(views)} versions, as the model sees them", left=left, top=TOP)
    _place_grid(fig, views, captions, left=left, top=top, columns=side)
    return fig


@course_style
def plot_policies(
    original: np.ndarray, views: Mapping[str, np.ndarray], *, title: str
) -> DescribedFigure:
    """Shows what each policy makes of one photo: a row for each, its name before it (lesson 05).

    Args:
        original: float in [0, 1], shape (height, width, 3).
        views: From a policy's name to its views, float in [0, 1], shape
            (count, height, width, 3), the same count for all.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Raises:
        ValueError: If the policies have different numbers of views, or none.

    Example:
        >>> photo = np.zeros((8, 8, 3))
        >>> views = {"none": photo[None], "brightness": photo[None] + 0.2}
        >>> plot_policies(photo, views, title="Two policies").alt_text
        'Two policies. A row for each policy, with 1 view of one photo; how many of them differ \
from the photo: none: 0; brightness: 1.'
    """
    counts = {name: len(images) for name, images in views.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise ValueError(
            f"Expected the same number of views of each policy, received {counts}. Make as many "
            "for each."
        )
    count = next(iter(counts.values()))
    differing = "; ".join(
        f"{name}: {_count_changed(images, original)}" for name, images in views.items()
    )
    left = 1.5  # inches for the names
    fig = _open(
        title,
        f"A row for each policy, with {count} view{'s' if count > 1 else ''} of one photo; how "
        f"many of them differ from the photo: {differing}.",
        width=left + _measure(count, PHOTO),
        height=TOP + _measure(len(views), PHOTO),
    )
    for row, (name, images) in enumerate(views.items()):
        top = TOP + row * (PHOTO + GAP)
        _place_grid(fig, images, (), left=left, top=top, columns=count)
        middle = {"va": "center", "ha": "right", "fontsize": 10}
        _write(fig, textwrap.fill(name, 16), left=left - MARGIN, top=top + PHOTO / 2, **middle)
    return fig


@course_style
def plot_epochs(epochs: Mapping[str, np.ndarray], *, title: str) -> DescribedFigure:
    """Shows the same photos as they enter the model at different times (lesson 02).

    Args:
        epochs: From a heading to images, float in [0, 1], shape (count, height, width, 3) each.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Raises:
        ValueError: If the headings have different numbers of photos, or none.

    Example:
        >>> photos = np.zeros((4, 8, 8, 3))
        >>> plot_epochs({"epoch 1": photos, "epoch 2": photos}, title="Twice").alt_text
        'Twice. 2 grids of the same 4 photos (epoch 1, epoch 2); 0 of 4 look different from the \
first grid to the last.'
    """
    counts = {heading: len(images) for heading, images in epochs.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise ValueError(
            f"Expected the same photos under each heading, received {counts} of them. Take one "
            "batch, and transform it once for each heading."
        )
    first, *_, last = [*epochs.values(), *epochs.values()]
    side = int(np.ceil(np.sqrt(len(first))))
    fig = _open(
        title,
        f"{len(epochs)} grids of the same {len(first)} photos ({', '.join(epochs)}); "
        f"{_count_changed(last, first)} of {len(first)} look different from the first grid to "
        "the last.",
        width=_measure(side, PHOTO) * len(epochs),
        height=TOP + LINE + GAP + _measure(side, PHOTO),
    )
    for number, (heading, images) in enumerate(epochs.items()):
        left = MARGIN + number * _measure(side, PHOTO)
        _write(fig, heading, left=left, top=TOP)
        _place_grid(fig, images, (), left=left, top=TOP + LINE + GAP, columns=side)
    return fig


@course_style
def plot_classes(
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    columns: int = 12,
    title: str = "Photos by class",
) -> DescribedFigure:
    """Shows photos class by class, closely side by side: a class at a glance (docs/photos.md).

    Args:
        images: float in [0, 1], shape (count, height, width, 3).
        labels: 0 or 1, shape (count, 1).
        class_names: What the labels mean.
        columns: Photos in a row; a class's last row may be shorter.
        title: Of the figure.

    Returns:
        The figure, with its alt text.

    Raises:
        TypeError: If `columns` is not a whole number.
        ValueError: If pixels go up to 255.

    Example:
        >>> images, labels = np.zeros((3, 8, 8, 3)), np.array([[0], [0], [1]])
        >>> plot_classes(images, labels, ("Car", "Truck")).alt_text
        'Photos by class. 2 of class Car and 1 of class Truck, in rows of up to 12.'
    """
    check_count("columns", columns)
    classes = {
        name: images[labels[:, 0] == label]
        for label, name in enumerate(class_names)
        if np.any(labels == label)
    }
    rows = [-(-len(photos) // columns) for photos in classes.values()]
    counts = " and ".join(f"{len(photos)} of class {name}" for name, photos in classes.items())
    size = min(SMALL_PHOTO, WIDTH / columns)
    fig = _open(
        title,
        f"{counts}, in rows of up to {columns}.",
        width=3 * MARGIN + size * columns + MARGIN,
        height=TOP + size * sum(rows) + GAP * (len(rows) - 1) + MARGIN,
    )
    top = TOP
    for height, (name, photos) in zip(rows, classes.items(), strict=True):
        tiles = np.ones((height * columns, *images.shape[1:]))
        tiles[: len(photos)] = photos
        lines = [
            np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)
        ]
        shape = (size * columns, size * height)
        ax = _place_photo(fig, np.vstack(lines), left=3 * MARGIN, top=top, size=shape)
        ax.set_ylabel(name)
        top += size * height + GAP
    return fig


def _open(title: str, alt_text: str, *, width: float, height: float) -> DescribedFigure:
    """Returns an empty figure, in inches, on which things are placed in inches."""
    width = max(width, len(title) / LETTERS_PER_INCH)
    return DescribedFigure(title=title, alt_text=alt_text, figsize=(width, height), layout="none")


def _measure(count: int, size: float, captions: Sequence[str] = ()) -> float:
    """Returns the inches that photos in a row, or in a column with captions, take up."""
    return count * (size + _caption_height(captions)) + (count - 1) * GAP + 2 * MARGIN


def _caption_height(captions: Sequence[str]) -> float:
    return LINE * max((1 + caption.count("\n") for caption in captions), default=0)


def _place_grid(
    fig: DescribedFigure,
    images: np.ndarray,
    captions: Sequence[str],
    *,
    left: float,
    top: float,
    columns: int,
    size: float = PHOTO,
) -> None:
    down = size + _caption_height(captions) + GAP
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        ax = _place_photo(
            fig, image, left=left + column * (size + GAP), top=top + row * down, size=size
        )
        ax.set_xlabel(captions[place] if len(captions) else "", fontsize=9, labelpad=2)


def _place_photo(
    fig: DescribedFigure,
    image: np.ndarray,
    *,
    left: float,
    top: float,
    size: float | tuple[float, float],
) -> Axes:
    if np.ndim(image) != 3 or np.shape(image)[-1] != 3 or np.max(image) > LARGEST_PIXEL:
        raise ValueError(
            "Expected photos of shape (height, width, 3) with values from 0 to 1, received one of "
            f"shape {np.shape(image)} with values up to {np.max(image):g}. Divide by 255 what "
            "goes up to 255, and repeat a gray photo's channel three times."
        )
    width, height = np.broadcast_to(size, 2)
    across, up = fig.get_size_inches()
    ax = fig.add_axes((left / across, 1 - (top + height) / up, width / across, height / up))
    # Photos are smoothed where they are shrunk; tiny digits, enlarged, keep their square pixels.
    ax.imshow(np.clip(image, 0, 1))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def _write(fig: DescribedFigure, text: str, *, left: float, top: float, **options) -> None:
    across, up = fig.get_size_inches()
    fig.text(left / across, 1 - top / up, text, **{"va": "top", "fontsize": 9} | options)


def _count_changed(images: np.ndarray, originals: np.ndarray) -> int:
    """Returns how many images differ from their original, or from the one they all have."""
    return int(np.any(np.not_equal(images, originals), axis=(1, 2, 3)).sum())
