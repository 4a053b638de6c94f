"""Photos that are nearly the same: the same vehicle twice, cropped or saved again."""

import numpy as np
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from course_utils.data.dataset import Photos

SIDE = 16  # pixels of a thumbnail's side: small enough to survive re-saving and scaling
ALIKE = 0.99  # correlation of two thumbnails
ROWS = 1024  # photos compared with all others at once


def group_near_duplicates(photos: Photos) -> np.ndarray:
    """Returns a group number for each photo, the same for photos that are near-duplicates.

    Two photos are near-duplicates if their thumbnails correlate at 0.99 or more. Near-duplicates
    of near-duplicates are in the same group. `compare` (lessons 04 and 05) counts each group as
    one independent photo.

    Args:
        photos: Any number of photos.

    Returns:
        int, shape (count,): numbers from 0, without gaps.

    Example:
        >>> from course_utils.data.dataset import splits_from_arrays
        >>> images = np.random.default_rng(1).random((3, 16, 16, 3), dtype="float32")
        >>> images[2] = images[0]
        >>> arrays = images, np.float32([[0], [1], [0]])
        >>> splits = splits_from_arrays(
        ...     arrays, arrays, class_names=("Car", "Truck"), source="An example."
        ... )
        >>> group_near_duplicates(splits.train).tolist()
        [0, 1, 0]
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
    # A photo of a single color has no pattern to compare, so it has no near-duplicates.
    return (flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)).astype("float32")
