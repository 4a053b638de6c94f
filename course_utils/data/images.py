"""Reads one image file of any common format as the lesson's pixels."""

import io
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

try:  # Optional: the format of iPhones.
    import pillow_heif

    pillow_heif.register_heif_opener()
except ImportError:
    pillow_heif = None

# Part of the name of stored pixels: raise it when `read_photo` returns other pixels.
VERSION = 2
HEIC = (".heic", ".heif")
ENDINGS = (
    *(".jpeg", ".jpg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif"),
    *HEIC,
)
MOST_PIXELS = 2**26  # 67 million: phones have up to 50 million; takes 200 MB while it is read


def is_photo(name: str) -> bool:
    """Whether a file's name is a photo's: it has a known extension and is not hidden.

    Args:
        name: The file's name, without its folders.

    Example:
        >>> is_photo("car.JPG"), is_photo(".car.jpg"), is_photo("notes.txt")
        (True, False, False)
    """
    return name.lower().endswith(ENDINGS) and not name.startswith(".")


def read_photo(path: str | Path, image_size: tuple[int, int]) -> np.ndarray:
    """Returns a photo upright, as RGB, and letterboxed on black to the given size.

    Transparent pixels become black, like the letterbox. 16-bit pixels are scaled to 8 bits. Of
    an animation, the first picture is used. A photo of the right size keeps its pixels; other
    photos are scaled with antialiasing.

    Args:
        path: An image file of any format that Pillow reads without another program.
        image_size: (height, width) in pixels.

    Returns:
        uint8 in [0, 255], shape (height, width, 3).

    Raises:
        ValueError: If the file is empty, not an image, damaged, or has more than `MOST_PIXELS`
            pixels; the message is the reason.
        OSError: If the file cannot be opened.
    """
    # Opened here, so that a missing or locked file is not mistaken for a damaged one.
    with open(path, "rb") as stream:
        return _read(stream, os.fstat(stream.fileno()).st_size, path, image_size)


def decode_photo(content: bytes, name: str, image_size: tuple[int, int]) -> np.ndarray:
    """Returns a photo that is in memory, such as an upload, with the pixels of `read_photo`.

    Args:
        content: The bytes of an image file.
        name: The file's name, for the reason why it cannot be read.
        image_size: (height, width) in pixels.

    Returns:
        uint8 in [0, 255], shape (height, width, 3).

    Raises:
        ValueError: As in `read_photo`; the message is the reason.

    Example:
        >>> decode_photo(b"<html>", "car.jpg", (128, 128))
        Traceback (most recent call last):
            ...
        ValueError: not an image that can be read: it is damaged, or another kind of file
    """
    return _read(io.BytesIO(content), len(content), name, image_size)


def _read(stream: BinaryIO, size: int, path: str | Path, image_size: tuple[int, int]) -> np.ndarray:
    if not size:
        raise ValueError("the file is empty")
    height, width = image_size
    try:
        with Image.open(stream) as opened:
            return _letterbox(_normalize(opened, max(image_size)), (width, height))
    except Exception as error:
        # Decoders raise all kinds of errors on a damaged file.
        raise ValueError(_explain(error, path)) from error


def _explain(error: Exception, path: str | Path) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        if pillow_heif is None and str(path).lower().endswith(HEIC):
            return "HEIC: run python -m pip install pillow-heif, or save it as JPEG"
        return "not an image that can be read: it is damaged, or another kind of file"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MOST_PIXELS:,} pixels"
    return str(error) or type(error).__name__


def _normalize(opened: Image.Image, side: int) -> Image.Image:
    """Returns an opened image upright and as RGB."""
    if opened.format == "EPS":  # Pillow would run Ghostscript on it.
        raise ValueError("PostScript, which is a program: save it as PNG or JPEG")
    if opened.width * opened.height > MOST_PIXELS:
        raise ValueError(
            f"{opened.width:,} × {opened.height:,} pixels, more than {MOST_PIXELS:,}: scale it down"
        )
    if opened.width != side or opened.height != side:
        # A large JPEG is decoded at a fraction of its size, but at least twice the size wanted.
        opened.draft(None, (2 * side, 2 * side))
    image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_scale_wide(np.asarray(image), image.mode))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return image.convert("RGB")


def _scale_wide(values: np.ndarray, mode: str) -> np.ndarray:
    """Returns gray values of more than 8 bits as uint8.

    White is 65,535 for integers. For floats it is 1, or 255 if a value is above 1.
    """
    low, high = float(values.min()), float(values.max())
    largest = 65535 if mode != "F" else 1 if high <= 1 else 255
    if not 0 <= low <= high <= largest:
        raise ValueError(
            f"gray values from {low:g} to {high:g}: save it with 8 bits for each channel"
        )
    return np.round(values.astype("float64") * (255 / largest)).astype(np.uint8)


def _letterbox(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Returns an RGB image scaled to fit into (width, height), on black."""
    if image.size != size:
        scale = min(size[0] / image.width, size[1] / image.height)
        fitting = [max(1, round(scale * length)) for length in image.size]
        canvas = Image.new("RGB", size)
        place = tuple((whole - part) // 2 for whole, part in zip(size, fitting, strict=True))
        canvas.paste(image.resize(fitting, Image.Resampling.LANCZOS), place)
        image = canvas
    return np.asarray(image)
