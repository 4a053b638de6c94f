"""What became of the probes: a fit of every view, and what it tells about geometry and color.

A view is explained as its probe, seen through an affine map, with another contrast and brightness.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from course_utils.exercises.framework.probes import (
    BATCHES,
    LUMINANCE,
    NOISE,
    NOISE_USES,
    PHOTOS,
    SIDE,
    Patterns,
    grid,
    make_noise,
    make_patterns,
    mix,
    render,
)
from course_utils.exercises.framework.reading import Misread

STEP = 4  # a fit looks at every fourth pixel of a row and a column
RETRIES = 4  # other starts for a view that the first fit does not explain
PILOTS = 48  # of these views, how many try another start before the others do
DOUBTFUL = 0.01  # a view's strangeness above which another start may explain it better
SAME = 1e-4  # how far pixels that were left alone may be off
MIDDLE = slice(20, 108)  # of a side, the part that no turn uncovers
EDGE = 0.96  # beyond it a view may mix its probe with what a turn uncovered


@dataclass(frozen=True)
class Reading:
    """What was read off the observed pictures.

    Args:
        views: A DataFrame, one row for each view; see `read_views`.
        lowest: The lowest pixel that came back from noise.
        highest: The highest one.
        finite: Whether every pixel that came back is a finite number.
        unchanged: Whether every view is the probe as it was.
        repeats: Whether every use of the batch gave the same views.
        predicted: How far `training=False` changed any pixel, at the most.
        sharpness: What of the noise's fine detail is left in the median view, 1 for all.
        softest: The same of the view that is less sharp than nine tenths of the others.
    """

    views: pd.DataFrame
    lowest: float
    highest: float
    finite: bool
    unchanged: bool
    repeats: bool
    predicted: float
    sharpness: float
    softest: float

    def draws(self, column: str) -> np.ndarray:
        """Returns a column of `views` as an array of shape (batches, photos)."""
        return self.views[column].to_numpy().reshape(BATCHES, PHOTOS)


def read_observed(observed: Mapping[str, Any]) -> Reading:
    """Reads off what `observe_transformation` returned.

    Raises:
        Misread: If these are no such arrays.
    """
    seed = int(observed["probe_seed"])
    shapes = {
        "views": (BATCHES, PHOTOS, SIDE, SIDE, 3),
        "noise": (NOISE_USES, NOISE, SIDE, SIDE, 3),
        "predicted": (2 * NOISE, SIDE, SIDE, 3),
    }
    made = {name: np.asarray(observed[name], "float32") for name in shapes}
    if any(made[name].shape != shape for name, shape in shapes.items()):
        raise Misread("Expected views of the probes, received arrays of other shapes.")
    patterns, noise = make_patterns(seed), make_noise(seed)
    probes = render(patterns)
    finite = all(bool(np.isfinite(each).all()) for each in made.values())
    if not finite:
        made = {name: np.nan_to_num(each) for name, each in made.items()}
    views = made["views"]
    table = read_views(patterns, views)
    left = _detail(made["noise"]) / _detail(noise)
    return Reading(
        views=table,
        lowest=float(made["noise"].min()),
        highest=float(made["noise"].max()),
        finite=finite,
        unchanged=all(_differ(each, probes) < SAME for each in views),
        repeats=all(_differ(each, views[0]) < SAME for each in views[1:]),
        predicted=_differ(made["predicted"], mix(probes, noise)),
        sharpness=float(np.median(left)),
        softest=float(np.quantile(left, 0.1)),
    )


def _differ(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).max())


def _detail(images: np.ndarray) -> np.ndarray:
    """How much neighboring pixels differ, apart from the photo's contrast.

    Only the middle counts, which is there at any angle.
    """
    images = images[..., MIDDLE, MIDDLE, :]
    steps = np.diff(images, axis=-2).std(axis=(-3, -2, -1))
    return steps / np.maximum(images.std(axis=(-3, -2, -1)), 1e-9)


def read_views(patterns: Patterns, made: np.ndarray) -> pd.DataFrame:
    """Reads off views of probes what became of each.

    Args:
        patterns: Of the probes in a batch.
        made: float, shape (batches, photos, 128, 128, 3).

    Returns:
        A DataFrame, one row for each view, batch by batch. Geometry: `mirrored`; `angle` in
        degrees, where a photo that was mirrored top to bottom is mirrored and turned by 180;
        `zoom`, a factor; `stretch`, how much longer one side became, a factor of at least 1;
        `shift` in pixels. Light and color: `contrast`, a factor; `brightness`, a shift of the
        mean; `color`, a factor of the chroma; `hue`, a turn in degrees; `channel`, the largest
        shift of a channel's mean; `level`, how much brighter the view is, whatever made it so.
        `strangeness`: what of the view none of these explains, as a fraction of the probe's own
        variation. `corners`: how much the parts that a turn uncovers
        vary, missing where it uncovers none.
    """
    batches = len(made)
    seen = made[:, :, STEP // 2 :: STEP, STEP // 2 :: STEP].astype("float64")
    seen = seen.reshape(-1, (SIDE // STEP) ** 2, 3)
    light = seen @ LUMINANCE
    # A clipped pixel says no more than that it is at the end of the range.
    dark, bright = (seen < 1e-4).any(axis=-1), (seen > 1 - 1e-4).any(axis=-1)
    sides = _compare(patterns, light, ~(dark | bright), batches)
    patterns = patterns.take(np.tile(np.arange(len(patterns.tints)), batches))
    found = _explain(patterns, seen, light, dark, bright, _best(sides))
    for _ in range(RETRIES):
        # A start near the wrong turn may end in another valley: try the next best one. Where it
        # explains none of the first views, no others are tried: noise is noise in all of them.
        doubtful = np.flatnonzero(found["strangeness"] > DOUBTFUL)
        for places in (doubtful[:PILOTS], doubtful[PILOTS:]):
            if not len(places):
                break
            again = _explain(
                patterns.take(places),
                *(each[places] for each in (seen, light, dark, bright)),
                _best(sides, places),
            )
            before = found["strangeness"].iloc[places].to_numpy()
            better = (again["strangeness"] < before).to_numpy()
            found.iloc[places[better]] = again[better]
            if not (again["strangeness"] <= DOUBTFUL).any():
                break
    return found


def _explain(patterns: Patterns, seen, light, dark, bright, matrix) -> pd.DataFrame:
    """Fits views from a first guess of their maps, and says what the fit tells."""
    points = grid(STEP)
    inside = ~(dark | bright)
    matrix, shift, gain, offset = _fit(patterns, points, light, inside, matrix)
    source = points @ matrix.transpose(0, 2, 1) + shift[:, None]
    within = (np.abs(source) < EDGE).all(axis=-1)
    outside = (np.abs(source) > 1.06).any(axis=-1)
    pure, _ = patterns.luminance(source, slopes=False)
    explained = gain[:, None] * (pure - 0.5) + 0.5 + offset[:, None]
    # A pixel that was clipped is explained if it should be near that end of the range.
    left = np.where(inside, light - explained, 0.0)
    left = np.where(dark, np.maximum(0, explained - 0.2), left)
    left = np.where(bright, np.maximum(0, 0.8 - explained), left)
    original, _ = patterns.luminance(
        np.broadcast_to(points, (len(light), *points.shape)), slopes=False
    )
    middle = original.mean(axis=1)
    used = within & inside
    disc = (points**2).sum(axis=1) < 0.9

    mirrored = np.linalg.det(matrix) < 0
    upright = np.where(mirrored[:, None, None], [[-1.0], [1.0]], [[1.0], [1.0]]) * matrix
    angle = np.degrees(
        np.arctan2(upright[:, 0, 1] - upright[:, 1, 0], upright[:, 0, 0] + upright[:, 1, 1])
    )
    sizes = np.maximum(np.linalg.svd(matrix, compute_uv=False), 1e-6)
    first = _chroma(patterns.tints)
    chroma = _chroma(_mean(seen - light[..., None], used))
    color = np.abs(chroma) / np.abs(first)
    # What each channel's mean should be over the same pixels, if only contrast had changed.
    expected = (_mean(pure, used) - middle) * gain + middle
    channels = _mean(seen, used) - expected[:, None] - patterns.tints
    return pd.DataFrame(
        {
            "mirrored": mirrored,
            "angle": angle,
            "zoom": 1 / np.sqrt(sizes[:, 0] * sizes[:, 1]),
            "stretch": sizes[:, 0] / sizes[:, 1],
            "shift": np.linalg.norm(shift, axis=1) * SIDE / 2,
            "contrast": gain,
            "brightness": offset + (gain - 1) * (middle - 0.5),
            "color": color,
            "hue": np.where(color > 0.2, np.angle(chroma / first, deg=True), 0.0),
            "channel": np.abs(channels).max(axis=1),
            "level": light[:, disc].mean(axis=1) - original[:, disc].mean(axis=1),
            "strangeness": np.sqrt(_mean(left**2, within)) / original.std(axis=1),
            "corners": _spread(seen, outside),
        }
    )


def _mean(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Means over the chosen points of each view."""
    weights = chosen if values.ndim == 2 else chosen[..., None]
    return (values * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)


def _spread(seen: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Standard deviation over the chosen points of each view, missing below twenty points."""
    mean = _mean(seen, chosen)
    variance = _mean((seen - mean[:, None]) ** 2, chosen).mean(axis=-1)
    return np.where(chosen.sum(axis=1) >= 20, np.sqrt(variance), np.nan)


def _chroma(colors: np.ndarray) -> np.ndarray:
    """Returns colors, (…, 3), as complex numbers: angle the hue, length the chroma."""
    return colors @ np.exp(2j * np.pi * np.arange(3) / 3)


def _fit(patterns: Patterns, points, light, inside, matrix):
    """Fits each view as a gain and an offset of its probe, seen through an affine map.

    Returns:
        The map's matrix, (views, 2, 2), and shift, (views, 2), from a view's points to those of the
        probe; the gain and the offset of the luminance about 0.5.
    """
    disc = (points**2).sum(axis=1) < 0.9
    points, light, inside = points[disc], light[:, disc], inside[:, disc]
    matrix, shift = matrix.copy(), np.zeros((len(light), 2))
    gain, offset = np.ones(len(light)), np.zeros(len(light))
    moving = np.arange(len(light))  # the views whose fit has not come to rest
    for _ in range(10):
        source = points @ matrix[moving].transpose(0, 2, 1) + shift[moving, None]
        pure, slope = patterns.take(moving).luminance(source)
        pure -= 0.5
        used = inside[moving] & (np.abs(source) < EDGE).all(axis=-1)
        scaled = gain[moving, None, None] * slope
        rows = [pure, np.ones_like(pure)]
        rows += [scaled[..., axis] * points[:, other] for axis in (0, 1) for other in (0, 1)]
        rows = np.stack([*rows, scaled[..., 0], scaled[..., 1]], axis=1) * used[:, None]
        wanted = light[moving] - 0.5 - gain[moving, None] * pure - offset[moving, None]
        normal = rows @ rows.transpose(0, 2, 1) + 1e-6 * np.eye(8)
        step = np.linalg.solve(normal, rows @ wanted[..., None])[..., 0]
        gain[moving] += step[:, 0]
        offset[moving] += step[:, 1]
        # Small steps only: a view that is no view of the probe must not run away.
        bounded = np.clip(step[:, 2:], -0.2, 0.2)
        matrix[moving] = np.clip(matrix[moving] + bounded[:, :4].reshape(-1, 2, 2), -3, 3)
        shift[moving] = np.clip(shift[moving] + bounded[:, 4:], -1, 1)
        moving = moving[np.abs(step).max(axis=1) >= 1e-5]
        if not len(moving):
            break
    return matrix, shift, gain, offset


TURNS = np.deg2rad(np.arange(0, 360, 12))
# The maps that a fit may start from: every turn, and every turn mirrored.
STARTS = np.array(
    [
        [[mirror * np.cos(turn), mirror * np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        for mirror in (1, -1)
        for turn in TURNS
    ]
)


@lru_cache(maxsize=4)
def _make_templates(patterns: Patterns) -> tuple[np.ndarray, np.ndarray]:
    """Returns some pixels, and the luminance there of each probe under each of `STARTS`."""
    points = grid(STEP)
    chosen = np.flatnonzero((points**2).sum(axis=1) < 0.9)[::3]
    count, points = len(patterns.tints), points[chosen]
    looks = [
        patterns.luminance(np.broadcast_to(points @ start.T, (count, *points.shape)), slopes=False)
        for start in STARTS
    ]
    return chosen, np.stack([light for light, _ in looks], axis=-1)  # (photos, points, starts)


def _compare(patterns: Patterns, light, inside, batches: int) -> np.ndarray:
    """Returns how much each view looks like its probe under each of `STARTS`."""
    chosen, pure = _make_templates(patterns)
    count = len(patterns.tints)
    light, mask = (
        each[:, chosen].reshape(batches, count, -1).transpose(1, 0, 2)
        for each in (light, inside.astype("float64"))
    )
    seen = light * mask
    number = np.maximum(mask.sum(axis=-1, keepdims=True), 1)
    sums, own = mask @ pure, seen.sum(axis=-1, keepdims=True)
    both = seen @ pure - own * sums / number
    spread = np.maximum(mask @ pure**2 - sums**2 / number, 1e-12)
    varied = np.maximum((seen**2).sum(axis=-1, keepdims=True) - own**2 / number, 1e-12)
    return (both / np.sqrt(spread * varied)).transpose(1, 0, 2).reshape(len(inside), -1)


def _best(sides: np.ndarray, places: np.ndarray | None = None) -> np.ndarray:
    """Returns the best start of each view, and rules it and its neighbors out for the next time."""
    places = np.arange(len(sides)) if places is None else places
    best = sides[places].argmax(axis=1)
    turns = len(TURNS)
    for near in (-1, 0, 1):
        sides[places, best // turns * turns + (best % turns + near) % turns] = -np.inf
    return STARTS[best]


def find_mirrored(observed: Mapping[str, Any]) -> np.ndarray:
    """Whether each probe came out mirrored with `training=False`: bool, shape (16,).

    Args:
        observed: What `observe_transformation` returned.
    """
    patterns = make_patterns(int(observed["probe_seed"])).take(np.arange(NOISE))
    made = np.nan_to_num(np.asarray(observed["predicted"], "float32")[:NOISE])
    return read_views(patterns, made[None])["mirrored"].to_numpy(dtype=bool)
