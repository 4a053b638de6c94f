"""Screenshots compared with committed ones, coarsely: other fonts pass, another layout does not.

What is committed are pictures whose pixels are means over squares, in tests/browser/looks/. After a
change that is meant, `UPDATE_LOOKS=1 pytest tests/browser` writes them again: look at the
screenshots that it leaves beside pytest's other temporary files, then commit.
"""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

KEPT = Path(__file__).parent / "looks"
SQUARE = 16  # pixels
OTHER = 0.15  # how far a square's color may be off, of the whole range
SHARE = 0.04  # of the squares that may be off further: another font wraps a line elsewhere
ROWS = 3  # squares that a page may be longer or shorter


def shrink(screenshot: bytes) -> np.ndarray:
    """Returns the mean color of each square: uint8, shape (rows, columns, 3)."""
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    size = [max(1, round(side / SQUARE)) for side in picture.size]
    return np.asarray(picture.resize(size, Image.Resampling.BOX))


def find_difference(kept: np.ndarray, seen: np.ndarray) -> float:
    """Returns the fraction of squares that differ; 1 where the sizes do.

    Args:
        kept: What `shrink` returned once.
        seen: What it returns now.
    """
    rows = min(len(kept), len(seen))
    if kept.shape[1] != seen.shape[1] or max(len(kept), len(seen)) > rows + ROWS:
        return 1.0
    apart = np.abs(kept[:rows].astype(float) - seen[:rows]).max(axis=-1) / 255
    return float((apart > OTHER).mean())


def compare(target, name: str, folder: Path) -> None:
    """Fails where a page or a part of it looks otherwise than it did.

    Args:
        target: Playwright's page or locator.
        name: Of the committed picture.
        folder: Where the screenshot is left.
    """
    screenshot = target.screenshot(animations="disabled", caret="hide")
    (folder / f"{name}.png").write_bytes(screenshot)
    seen, path = shrink(screenshot), KEPT / f"{name}.png"
    if os.environ.get("UPDATE_LOOKS"):
        KEPT.mkdir(exist_ok=True)
        Image.fromarray(seen).save(path)
    share = find_difference(np.asarray(Image.open(path)), seen)
    assert share <= SHARE, (
        f"{share:.0%} of {name} looks otherwise than {path} says; see {folder / name}.png. "
        "If that is meant, run with UPDATE_LOOKS=1 and commit."
    )
