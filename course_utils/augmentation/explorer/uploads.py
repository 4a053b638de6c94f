"""Photos that a student uploads in the page: read in memory, nothing is written.

The script beside it, `explorer.js`, gives photos that are dropped onto the explorer to the button.
"""

import html
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils.augmentation.explorer.controls import build_text
from course_utils.core.files import readable_name
from course_utils.data.images import decode_photo

MOST = 200  # photos at a time
NAMED = 5  # files that cannot be read and are named; more are counted
LONGEST_NAME = 60


class Upload:
    """A button that takes photos, and a line on what became of them.

    Args:
        image_size: (height, width) in pixels, of the photos returned.
        on_photos: Called with float32 in [0, 1], shape (count, height, width, 3), when at least
            one photo could be read.
    """

    def __init__(self, image_size: tuple[int, int], on_photos: Callable[[np.ndarray], None]):
        self._image_size = image_size
        self._on_photos = on_photos
        self.button = widgets.FileUpload(
            accept="image/*",
            multiple=True,
            description="Your photos",
            tooltip="Choose photos, or drop them onto the explorer",
            layout={"width": "auto"},
        )
        self.button.observe(self._take, "value")
        self.message = build_text()

    def _take(self, change: dict) -> None:
        files = list_files(change["new"])
        if not files:
            return  # emptied below
        photos, refused = read_files(files[:MOST], self._image_size)
        self.message.value = describe_files(len(photos), refused, len(files) - MOST)
        _empty(self.button)
        if photos:
            self._on_photos(np.stack(photos).astype("float32") / np.float32(255))


def list_files(value: Any) -> list[tuple[str, bytes]]:
    """Returns the names and contents in the value of `ipywidgets.FileUpload`.

    Args:
        value: Version 8 gives a tuple of dicts, version 7 a dict by name.

    Example:
        >>> list_files(({"name": "car.jpg", "content": memoryview(b"abc")},))
        [('car.jpg', b'abc')]
        >>> list_files({"car.jpg": {"metadata": {}, "content": b"abc"}})
        [('car.jpg', b'abc')]
    """
    if isinstance(value, Mapping):
        value = [{"name": name} | file for name, file in value.items()]
    return [(file["name"], bytes(file["content"])) for file in value]


def read_files(
    files: list[tuple[str, bytes]], image_size: tuple[int, int]
) -> tuple[list[np.ndarray], list[tuple[str, str]]]:
    """Returns photos, and the name of each file that is none with the reason.

    Args:
        files: Names and contents.
        image_size: (height, width) in pixels.

    Example:
        >>> read_files([("empty.png", b"")], (16, 16))
        ([], [('empty.png', 'the file is empty')])
    """
    photos, refused = [], []
    for name, content in files:
        try:
            photos.append(decode_photo(content, name, image_size))
        except ValueError as error:
            refused.append((name, str(error)))
    return photos, refused


def describe_files(taken: int, refused: list[tuple[str, str]], left_out: int) -> str:
    """Returns as HTML what became of uploaded files.

    Args:
        taken: How many photos are shown.
        refused: Names and reasons.
        left_out: How many files more there were than are taken at a time.

    Example:
        >>> describe_files(1, [("<b>.jpg", "the file is empty")], 0)
        '<p>1 photo is shown.</p><p><b>Not read:</b> &lt;b&gt;.jpg (the file is empty)</p>'
    """
    lines = [f"<p>{taken} photo{' is' if taken == 1 else 's are'} shown.</p>"] * bool(taken)
    if refused:
        named = "; ".join(f"{_shorten(name)} ({reason})" for name, reason in refused[:NAMED])
        more = f"; {len(refused) - NAMED} more" if len(refused) > NAMED else ""
        lines.append(f"<p><b>Not read:</b> {html.escape(named + more)}</p>")
    if left_out > 0:
        lines.append(f"<p>{left_out} more files were left out: at most {MOST} at a time.</p>")
    return "".join(lines)


def _shorten(name: str) -> str:
    readable = readable_name(name)
    return readable if len(readable) <= LONGEST_NAME else readable[: LONGEST_NAME - 1] + "…"


def _empty(button: widgets.FileUpload) -> None:
    """Forgets the files, so that they take no memory and may be chosen again."""
    if hasattr(button, "_counter"):  # ipywidgets 7
        button.metadata, button.data, button._counter = [], [], 0
    else:
        button.value = ()
