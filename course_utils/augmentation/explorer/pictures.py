"""Lays views out as the pictures that a browser or a printed page shows."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS = 4
BORDER = 2
BORDER_GRAY = 128  # between the photos: seen on a white page and on a dark one
TEXT_SIZE = 13
LINE_HEIGHT = 18


def draw_grid(views: np.ndarray, *, columns: int = COLUMNS) -> Image.Image:
    """Returns views row by row, each with its own border, at a size that a screen shows well.

    Args:
        views: float32 in [0, 1], shape (count, height, width, 3); `count` fills the rows.
        columns: Views in a row.

    Example:
        >>> draw_grid(np.zeros((16, 128, 128, 3))).size
        (528, 528)
    """
    pixels = np.rint(255 * np.clip(views, 0, 1)).astype("uint8")
    framed = np.pad(
        pixels,
        [(0, 0), (BORDER, BORDER), (BORDER, BORDER), (0, 0)],
        constant_values=BORDER_GRAY,
    )
    count, height, width, _ = framed.shape
    grid = framed.reshape(count // columns, columns, height, width, 3).swapaxes(1, 2)
    grid = grid.reshape(count // columns * height, columns * width, 3)
    picture = Image.fromarray(grid)
    # By integer factors only: others would blur the pixels.
    if width < 96:
        factor = -(-96 // width)
        size = (picture.width * factor, picture.height * factor)
        return picture.resize(size, Image.Resampling.NEAREST)
    return picture.reduce(max(1, width // 192))


def draw_page(views: np.ndarray, labels: Sequence[str], text: Sequence[str]) -> Image.Image:
    """Returns a grid of views with text below it, for pages that run nothing.

    Args:
        views: As in `draw_grid`.
        labels: What is written onto each view; nothing where it is empty.
        text: Paragraphs.

    Example:
        >>> draw_page(np.zeros((16, 128, 128, 3)), ["Car"] * 16, ["A still picture."]).size
        (528, 556)
    """
    grid = draw_grid(views)
    font = ImageFont.load_default(TEXT_SIZE)
    lines = [line for paragraph in text for line in _wrap(paragraph, font, grid.width - 12)]
    height = grid.height + LINE_HEIGHT * len(lines) + 10
    page = Image.new("RGB", (grid.width, height), "white")
    page.paste(grid, (0, 0))
    pen = ImageDraw.Draw(page)
    side = grid.width // COLUMNS
    for number, label in enumerate(labels):
        place = (side * (number % COLUMNS) + 8, side * (number // COLUMNS + 1) - 6)
        pen.rectangle(pen.textbbox(place, label, font=font, anchor="ls"), fill="black")
        pen.text(place, label, fill="white", font=font, anchor="ls")
    for number, line in enumerate(lines):
        pen.text((6, grid.height + 5 + LINE_HEIGHT * number), line, fill="black", font=font)
    return page


def encode_url(picture: Image.Image) -> bytes:
    """Returns a picture as a data URL with a JPEG, which a moving slider needs.

    PNG takes twice as long to write. Bytes without a URL become a blob, which a browser hands
    from process to process before it shows it.

    Example:
        >>> encode_url(Image.new("RGB", (8, 8)))[:23]
        b'data:image/jpeg;base64,'
    """
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return b"data:image/jpeg;base64," + base64.b64encode(buffer.getvalue())


def encode_png(picture: Image.Image) -> bytes:
    """Returns a picture of 256 colors as PNG: a third of the space in a stored notebook.

    Example:
        >>> encode_png(Image.new("RGB", (8, 8)))[1:4]
        b'PNG'
    """
    buffer = io.BytesIO()
    picture.quantize().save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Breaks text into lines that are no wider than `width` pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
