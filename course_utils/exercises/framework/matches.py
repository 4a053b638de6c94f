"""Which photo an image was made of, for photos that a student's function or pipeline was given."""

import numpy as np

from course_utils.exercises.framework import probes

SAME = 1e-3  # how far a pixel of a photo that was left alone may be off


def make_photos(probe_seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns photos that can be recognized by their pattern, cars first, and their labels.

    Args:
        probe_seed: Of the patterns.
        count: How many photos; half of them are cars.

    Returns:
        float32 in [0, 1], shape (count, 128, 128, 3), read-only, and float32, shape (count, 1).
    """
    labels = (np.arange(count) >= count // 2).astype("float32")[:, None]
    return probes.render(probes.make_patterns(probe_seed, count)), labels


class Matches:
    """For each image the photo that it was made of, and what became of it.

    Args:
        images: float32, shape (images, 128, 128, 3).
        photos: What `make_photos` returned.

    Attributes:
        photo: The number of the photo, int, shape (images,).
        like: How much the image looks like it, flipped or not: a correlation, 1 at the most.
        mirrored: Whether it looks most like the photo mirrored left to right.
        upside_down: Whether it looks most like the photo upside down, mirrored or not.
        same: Whether it is the photo itself.
        plain: Whether it is the photo itself or its mirror image.

    Example:
        >>> photos, _ = make_photos(7, 4)
        >>> seen = Matches(photos[[2, 0], :, ::-1], photos)
        >>> seen.photo.tolist(), seen.mirrored.all(), seen.same.any(), seen.plain.all()
        ([2, 0], np.True_, np.False_, np.True_)
    """

    def __init__(self, images: np.ndarray, photos: np.ndarray):
        upside_down = photos[:, ::-1]
        looks = (photos, photos[:, :, ::-1], upside_down, upside_down[:, :, ::-1])
        seen = _shrink(images)
        likeness = np.stack([seen @ _shrink(look).T for look in looks])
        self.photo = likeness.max(axis=0).argmax(axis=1)
        own = likeness[:, np.arange(len(images)), self.photo]
        self.like = own.max(axis=0)
        self.mirrored = own.argmax(axis=0) == 1
        self.upside_down = own.argmax(axis=0) >= 2
        found = photos[self.photo]
        self.same = np.abs(images - found).max(axis=(1, 2, 3)) < SAME
        self.plain = self.same | (np.abs(images - found[:, :, ::-1]).max(axis=(1, 2, 3)) < SAME)


def _shrink(images: np.ndarray) -> np.ndarray:
    """Returns each image as 256 gray values, of mean 0 and length 1."""
    small = images.mean(axis=-1).reshape(len(images), 16, probes.SIDE // 16, 16, -1)
    small = small.mean(axis=(2, 4)).reshape(len(images), -1).astype("float64")
    small = small - small.mean(axis=1, keepdims=True)
    return small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-9)
