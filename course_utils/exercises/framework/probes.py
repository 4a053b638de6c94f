"""Probe images: what an augmentation does, seen from its pictures and not from its layers.

A probe is a smooth, colored pattern without any symmetry, so that a view of it tells how it was
turned, whether it was mirrored, and what became of its light and its colors.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.framework.questions import Misread, quote, quote_error

SIDE = 40  # pixels
VIEWS = 200
ANGLES = np.arange(-180, 180, 3)
LUMINANCE = np.array([0.299, 0.587, 0.114])
# Unlike the probe by more than this: something else than turning, mirroring, light and color.
# Turning by Keras's bilinear interpolation leaves 0.02.
STRANGE = 0.1


def _pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns colors at places within the unit disc, every value well inside of [0, 1]."""
    light = (
        0.5
        + 0.17 * np.exp(-((x - 0.35) ** 2 + (y - 0.25) ** 2) / 0.12)
        - 0.17 * np.exp(-((x + 0.3) ** 2 + (y - 0.1) ** 2) / 0.1)
        + 0.12 * np.exp(-((x - 0.05) ** 2 + (y + 0.45) ** 2) / 0.05)
    )
    return np.stack([light + 0.08, light, light - 0.09], axis=-1)


def _grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns x, y and whether a pixel lies in the disc that no rotation leaves."""
    line = (np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 2)
    x, y = np.meshgrid(line, line)
    return x, y, x**2 + y**2 < 0.8


def make_probe() -> np.ndarray:
    """Returns the probe: float32 in [0.1, 0.9], shape (40, 40, 3)."""
    x, y, _ = _grid()
    return _pattern(x, y).astype("float32")


def make_full_range() -> np.ndarray:
    """Returns sixteen pictures that use all of [0, 1]: float32, (16, 40, 40, 3)."""
    return np.random.default_rng(7).random((16, SIDE, SIDE, 3), dtype="float32")


def _templates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns how the disc's luminance looks under each turn, mirrored or not, normalized."""
    x, y, disc = _grid()
    rows, angles, mirrored = [], [], []
    for mirror in (False, True):
        for angle in ANGLES:
            turn = np.deg2rad(angle)
            # Where the pixel came from: turned back, then mirrored back.
            from_x, from_y = (
                x * np.cos(turn) - y * np.sin(turn),
                x * np.sin(turn) + y * np.cos(turn),
            )
            light = _pattern(-from_x if mirror else from_x, from_y) @ LUMINANCE
            rows.append(light[disc])
            angles.append(angle)
            mirrored.append(mirror)
    rows = np.array(rows)
    return rows, np.array(angles), np.array(mirrored)


def read_transformation(answer: Any, what: str = "an augmentation") -> Callable:
    """Returns what a student handed in as a function of images and `training`.

    Args:
        answer: An `Augmentation`, a Keras layer or model, a list of them, or a function of
            images and `training`.
        what: What was asked for, for the message.

    Raises:
        Misread: If it is none of these.
    """
    if isinstance(answer, Augmentation):
        answer = answer.layers(31415)
    if isinstance(answer, type | str | bytes | int | float | dict):
        made = " Make one of it: call it with its arguments." if isinstance(answer, type) else ""
        raise Misread(
            f"Expected {what}: a list of Keras layers, a `keras.Sequential`, a `cu.Augmentation`, "
            f"or a function of images and `training`; received {quote(answer)}.{made}"
        )
    if isinstance(answer, list | tuple):
        steps = [read_transformation(each, what) for each in answer]

        def apply_all(images, training):
            for step in steps:
                images = step(images, training)
            return images

        return apply_all
    if not callable(answer):
        raise Misread(
            f"Expected {what}: a list of Keras layers, a `keras.Sequential`, a `cu.Augmentation`, "
            f"or a function of images and `training`; received {quote(answer)}."
        )
    takes_training = _takes_training(answer)

    def apply(images, training):
        return answer(images, training=training) if takes_training else answer(images)

    return apply


def _takes_training(function: Callable) -> bool:
    import keras

    if isinstance(function, keras.Layer):
        return True  # Keras takes `training` out where `call` has no use for it.
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(each.name == "training" or each.kind is each.VAR_KEYWORD for each in parameters)


def run(transform: Callable, images: np.ndarray, *, training: bool) -> np.ndarray:
    """Runs a student's transformation on images.

    Args:
        transform: What `read_transformation` returned.
        images: float32 in [0, 1], shape (batch, height, width, 3).
        training: As a Keras layer takes it.

    Returns:
        float64 of the same shape.

    Raises:
        Misread: If it fails, or gives something else than such images.
    """
    try:
        views = transform(images.copy(), training)
    except Misread:
        raise
    except Exception as error:
        raise Misread(
            f"Your augmentation failed on {len(images)} photos of {images.shape[1:]}: "
            f"{quote_error(error)}"
        ) from None
    try:
        import keras

        if views is None:
            raise TypeError
        views = keras.ops.convert_to_numpy(views).astype("float64")
    except Exception:
        raise Misread(
            f"Expected your augmentation to return images, received {quote(views)}. Does your "
            "function `return` what it made?"
        ) from None
    if views.shape != images.shape:
        raise Misread(
            f"Expected images of shape {images.shape} back, received {views.shape}. Every photo "
            "keeps its size, and the batch its length."
        )
    return views


def measure_views(transform: Callable, *, views: int = VIEWS) -> pd.DataFrame:
    """Runs an augmentation on one probe many times and reads off what became of it.

    Args:
        transform: What `read_transformation` returned.
        views: How many copies of the probe go in, as one batch.

    Returns:
        A DataFrame, one row for each view: `mirrored`; `angle` in degrees, counter-clockwise, where
        a photo upside down is mirrored and turned by 180; `contrast`, a factor; `brightness`, a
        shift of the mean; `color`, a factor of the chroma; `hue`, a turn in degrees; and
        `strangeness`, what of the view none of these explains, as a fraction.
    """
    probe = make_probe()
    made = run(transform, np.repeat(probe[None], views, axis=0), training=True)
    return read_views(made)


def read_views(made: np.ndarray) -> pd.DataFrame:
    """Reads off views of the probe what `measure_views` tells.

    Args:
        made: float, shape (views, 40, 40, 3).
    """
    _, _, disc = _grid()
    inside = np.nan_to_num(made[:, disc])  # (views, pixels, 3)
    original = make_probe()[disc].astype("float64")
    light = inside @ LUMINANCE
    rows, angles, mirrored = _templates()
    centered = rows - rows.mean(axis=1, keepdims=True)
    unit = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    varied = light - light.mean(axis=1, keepdims=True)
    spread = np.maximum(np.linalg.norm(varied, axis=1), 1e-9)
    likeness = varied @ unit.T / spread[:, None]
    best = likeness.argmax(axis=1)
    upright = np.flatnonzero(angles == 0)
    # Between two templates as near as can be, a view that was not turned is called unturned.
    straight = upright[likeness[:, upright].argmax(axis=1)]
    near = likeness.max(axis=1) - likeness[np.arange(len(made)), straight] < 2e-3
    best = np.where(near, straight, best)
    top = likeness[np.arange(len(made)), best]
    size = np.linalg.norm(centered[best], axis=1)
    chroma, first = _chroma(inside.mean(axis=1)), _chroma(original.mean(axis=0))
    ratio = np.abs(chroma) / np.abs(first)
    hue = np.where(ratio > 0.05, np.angle(chroma / first, deg=True), 0.0)
    return pd.DataFrame(
        {
            "mirrored": mirrored[best],
            "angle": angles[best].astype(float),
            "contrast": top * spread / size,
            "brightness": light.mean(axis=1) - (original @ LUMINANCE).mean(),
            "color": ratio,
            "hue": hue,
            "strangeness": np.sqrt(np.maximum(0, 1 - top**2)),
        }
    )


def _chroma(colors: np.ndarray) -> np.ndarray:
    """Returns colors, (…, 3), as complex numbers: angle the hue, length the chroma."""
    return colors @ np.exp(2j * np.pi * np.arange(3) / 3)


def find_leaving(transform: Callable) -> tuple[float, float]:
    """Returns the lowest and the highest pixel that pictures of the full range come back with."""
    lows, highs = [], []
    for _ in range(6):
        made = run(transform, make_full_range(), training=True)
        lows.append(np.nanmin(made))
        highs.append(np.nanmax(made))
    return float(min(lows)), float(max(highs))


def changes_in_predict(transform: Callable) -> bool:
    """Whether photos come out changed with `training=False`, in any of several tries."""
    images = make_full_range()
    images[:4] = make_probe()
    return any(
        not np.allclose(run(transform, images, training=False), images, atol=1e-5) for _ in range(4)
    )


def draws_again(transform: Callable) -> tuple[bool, bool]:
    """Whether each photo of a batch has a random draw of its own, and whether each use has.

    With two possible outcomes, two uses can agree by chance. A batch of 64 cannot.
    """
    batch = np.repeat(make_probe()[None], 64, axis=0)
    first, second = (run(transform, batch, training=True) for _ in range(2))
    within = any(not np.allclose(view, first[0], atol=1e-4) for view in first)
    return within, not np.allclose(first, second, atol=1e-4)
