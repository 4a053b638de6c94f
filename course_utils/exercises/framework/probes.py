"""Probe photos: what an augmentation does, seen from its pictures and not from its layers.

A probe is a smooth, colored pattern without any symmetry, different for each photo of a batch.
Since its formula is known at every point, a fit tells how a view of it was turned, mirrored, moved
and resized (its geometry), and, apart from that, what became of its light and its colors.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.framework.reading import Misread, quote, quote_error

SIDE = 128  # pixels, as every photo of the course
PHOTOS, BATCHES = 48, 8  # photos in a batch, and how often the batch is used
NOISE, NOISE_USES = 16, 6  # photos of noise, which use all of [0, 1], and how often
LUMINANCE = np.array([0.299, 0.587, 0.114])
BUMPS = 6


# --- the patterns ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)  # compared and cached as the object that it is
class Patterns:
    """The formulas of a batch of probes; x and y run from -1 to 1, to the right and down.

    Args:
        centers: Of each probe's bumps, shape (photos, bumps, 2).
        widths: Of the bumps, shape (photos, bumps).
        heights: Of the bumps, positive or negative, shape (photos, bumps).
        tints: What each channel has above the luminance, shape (photos, 3).
    """

    centers: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    tints: np.ndarray

    def luminance(self, points: np.ndarray, *, slopes: bool = True):
        """Returns the luminance at points of each probe, and its gradient.

        Args:
            points: float, shape (photos, points, 2).
            slopes: Whether to compute the gradient; `None` otherwise.

        Returns:
            Shapes (photos, points) and (photos, points, 2).
        """
        light = np.full(points.shape[:2], 0.5)
        slope = np.zeros(points.shape) if slopes else None
        across, down = points[..., 0], points[..., 1]
        # One bump after the other: long rows are summed far faster than rows of six.
        for bump in range(BUMPS):
            x = across - self.centers[:, bump, None, 0]
            y = down - self.centers[:, bump, None, 1]
            inverse = 1 / self.widths[:, bump, None] ** 2
            height = self.heights[:, bump, None] * np.exp((x * x + y * y) * (-inverse / 2))
            light += height
            if slopes:
                height *= -inverse
                slope[..., 0] += height * x
                slope[..., 1] += height * y
        return light, slope

    def take(self, places: np.ndarray) -> "Patterns":
        """Returns the probes at some places, which may repeat."""
        return Patterns(
            self.centers[places], self.widths[places], self.heights[places], self.tints[places]
        )


@lru_cache(maxsize=4)
def make_patterns(seed: int, count: int = PHOTOS) -> Patterns:
    """Returns random patterns, the same for the same seed.

    Args:
        seed: Of the patterns.
        count: How many.
    """
    random = np.random.default_rng(seed)
    radius = 0.65 * np.sqrt(random.random((count, BUMPS)))
    turn = 2 * np.pi * random.random((count, BUMPS))
    centers = radius[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    widths = random.uniform(0.16, 0.28, (count, BUMPS))
    signs = np.tile([1.0, -1.0], (count, BUMPS // 2))
    heights = signs * random.uniform(0.12, 0.2, (count, BUMPS))
    hue = 2 * np.pi * random.random(count)
    thirds = 2 * np.pi * np.arange(3) / 3
    tints = 0.07 * np.cos(hue[:, None] + thirds)
    tints -= (tints @ LUMINANCE)[:, None]  # the tint leaves the luminance alone
    raw = Patterns(centers, widths, heights, tints)
    # So that no channel clips when the contrast is multiplied by up to 1.5.
    pixels = render(raw)
    means = pixels.mean(axis=(1, 2), keepdims=True)
    room = (np.minimum(means, 1 - means) / 1.55).min(axis=(1, 2, 3))
    reach = np.abs(pixels - means).max(axis=(1, 2, 3))
    return Patterns(centers, widths, heights * np.minimum(1, room / reach)[:, None], tints)


def grid(step: int = 1) -> np.ndarray:
    """Returns the middles of pixels as x and y from -1 to 1, row by row, shape (pixels, 2)."""
    line = (np.arange(step // 2, SIDE, step) - (SIDE - 1) / 2) / (SIDE / 2)
    x, y = np.meshgrid(line, line)
    return np.stack([x.ravel(), y.ravel()], axis=-1)


@lru_cache(maxsize=4)
def render(patterns: Patterns) -> np.ndarray:
    """Returns the probes as photos, read-only: float32 within [0, 1], (count, 128, 128, 3)."""
    count = len(patterns.tints)
    points = grid()
    light = np.full((count, SIDE, SIDE), 0.5)
    # A bump is a product of its parts in x and in y.
    line = points[:SIDE, 0]
    for bump in range(BUMPS):
        width = 2 * patterns.widths[:, bump, None] ** 2
        parts = [
            np.exp(-((line - patterns.centers[:, bump, axis, None]) ** 2) / width)
            for axis in (0, 1)
        ]
        height = patterns.heights[:, bump, None, None]
        light += height * parts[1][:, :, None] * parts[0][:, None, :]
    photos = (light[..., None] + patterns.tints[:, None, None]).astype("float32")
    photos.setflags(write=False)
    return photos


def make_noise(seed: int) -> np.ndarray:
    """Returns photos of noise that use all of [0, 1]: float32, shape (16, 128, 128, 3)."""
    return np.random.default_rng(seed).random((NOISE, SIDE, SIDE, 3), dtype="float32")


# --- running an answer -----------------------------------------------------------------------


def read_transformation(answer: Any, what: str = "an augmentation") -> Callable:
    """Returns a function of images and `training` that does what the answer does.

    Args:
        answer: A Keras layer or model, a list of them, an `Augmentation`, or a function of images,
            which may take `training` by this name or as its second argument.
        what: What was asked for, for the message.

    Raises:
        Misread: If it is none of these.
    """
    if isinstance(answer, Augmentation):
        answer = answer.layers(31415)
    if isinstance(answer, list | tuple):
        steps = [read_transformation(each, what) for each in answer]

        def apply_all(images, training):
            for step in steps:
                images = step(images, training)
            return images

        return apply_all
    if isinstance(answer, type) or not callable(answer):
        made = " Call it with its arguments to make one." if isinstance(answer, type) else ""
        raise Misread(
            f"Expected {what}: a list of Keras layers, a `keras.Sequential`, a `cu.Augmentation`, "
            f"or a function `f(images, training)`; received {quote(answer)}.{made}"
        )
    how = _find_training(answer)

    def apply(images, training):
        if how == "by name":
            return answer(images, training=training)
        return answer(images, training) if how == "second" else answer(images)

    return apply


def _find_training(function: Callable) -> str:
    """How a function takes `training`: by name, as its second argument, or not at all."""
    import keras

    if isinstance(function, keras.Layer):
        return "by name"  # Keras takes `training` out where `call` has no use for it.
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return "not at all"
    if any(each.name == "training" or each.kind is each.VAR_KEYWORD for each in parameters):
        return "by name"
    needed = [
        each
        for each in parameters
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        and each.default is each.empty
    ]
    return "second" if len(needed) == 2 else "not at all"


def run(transform: Callable, images: np.ndarray, *, training: bool) -> np.ndarray:
    """Runs a student's transformation on images.

    Args:
        transform: What `read_transformation` returned.
        images: float32 in [0, 1], shape (batch, height, width, 3).
        training: As a Keras layer takes it.

    Returns:
        float32 of the same shape.

    Raises:
        Misread: If it fails, writes into the images, or gives something else than such images.
    """
    given = images.copy()
    try:
        views = transform(given, training)
    except Misread:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A student's code may even raise SystemExit.
        raise Misread(
            f"Your augmentation failed on {len(images)} photos of {images.shape[1:]}: "
            f"{quote_error(error)}"
        ) from None
    try:
        import keras

        if views is None:
            raise TypeError
        views = np.array(keras.ops.convert_to_numpy(views), dtype="float32")
    except Exception:
        raise Misread(
            f"Expected your augmentation to return images, received {quote(views)}. Does your "
            "function `return` its result?"
        ) from None
    if views.shape != images.shape:
        raise Misread(
            f"Expected images of shape {images.shape} back, received {views.shape}. Every photo "
            "keeps its size, and the batch its length."
        )
    if not np.array_equal(given, images, equal_nan=True):
        raise Misread(
            "Your augmentation writes into the array that it is given, so the photos themselves "
            "change. Work on a copy: `images = images.copy()`."
        )
    return views


def observe_transformation(answer: Any, what: str = "an augmentation", *, probe_seed: int) -> dict:
    """Runs an answer on probes and noise, as in training and as in prediction.

    Args:
        answer: What the student handed in.
        what: What was asked for, for a message.
        probe_seed: Of the probes and the noise.

    Returns:
        Plain values: `probe_seed`; `views`, float32, shape (8, 48, 128, 128, 3), the same batch of
        probes used eight times in training; `noise`, float32, shape (6, 16, 128, 128, 3), the
        same batch of noise used six times in training; and `predicted`, float32, shape (32, 128,
        128, 3), 16 probes and 16 photos of noise with `training=False`.

    Raises:
        Misread: If it cannot be run.
    """
    transform = read_transformation(answer, what)
    probes, noise = render(make_patterns(probe_seed)), make_noise(probe_seed)
    views = [run(transform, probes, training=True) for _ in range(BATCHES)]
    return {
        "probe_seed": probe_seed,
        "views": np.stack(views),
        "noise": np.stack([run(transform, noise, training=True) for _ in range(NOISE_USES)]),
        "predicted": run(transform, mix(probes, noise), training=False),
    }


def mix(probes: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Returns the batch for prediction: 16 probes and 16 photos of noise."""
    return np.concatenate([probes[:NOISE], noise])
