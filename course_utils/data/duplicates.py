"""Photos that are nearly the same: the same vehicle twice, cropped or saved again."""

import numpy as np
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from course_utils.data.dataset import Photos

SIDE = 16  # a thumbnail's pixels each way: what re-saving and scaling leave alone
ALIKE = 0.99  # correlation of two thumbnails
ROWS = 1024  # photos compared with all others at once


def group_near_duplicates(photos: Photos) -> np.ndarray:
    """Returns a number for each photo, equal for photos that are nearly the same.

    Two photos are twins where their thumbnails correlate at 0.99 or more; a twin's twin counts.

    Args:
        photos: Any number of photos.

    Returns:
        int, shape (count,).
    """
    thumbnails = np.concatenate(
        [
            _shrink(photos.read(range(start, min(start + ROWS, photos.count))))
            for start in range(0, photos.count, ROWS)
        ]
    )
    pairs = []
    for start in range(0, len(thumbnails), ROWS):
        first, second = np.nonzero(thumbnails[start : start + ROWS] @ thumbnails.T >= ALIKE)
        pairs.append(np.stack([first + start, second]))
    first, second = np.concatenate(pairs, axis=1)
    shape = (len(thumbnails), len(thumbnails))
    graph = coo_matrix((np.ones(len(first), bool), (first, second)), shape=shape)
    return connected_components(graph, directed=False)[1]


def _shrink(images: np.ndarray) -> np.ndarray:
    """Returns thumbnails as unit vectors, shape (count, SIDE · SIDE · 3)."""
    pixels = np.rint(images * 255).astype(np.uint8)
    box = {"size": (SIDE, SIDE), "resample": Image.Resampling.BOX}
    flat = np.stack([np.ravel(Image.fromarray(image).resize(**box)) for image in pixels])
    flat = flat - flat.mean(axis=1, keepdims=True)
    # A photo of one grey has no pattern to compare: it is like none but itself.
    return (flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)).astype("float32")
