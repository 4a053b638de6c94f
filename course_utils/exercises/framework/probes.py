"""Probe photos: what an augmentation does, seen from its pictures and not from its layers.

A probe is a smooth, colored pattern without any symmetry, different for each photo of a batch.
Since its formula is known at every point, a fit tells how a view of it was turned, mirrored, moved
and resized (its geometry), and, apart from that, what became of its light and its colors.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.framework.reading import Misread, quote, quote_error

SIDE = 128  # pixels, as every photo of the course
PHOTOS, BATCHES = 48, 8  # photos in a batch, and how often the batch is used
NOISE = 16  # photos of noise, which use all of [0, 1]
LUMINANCE = np.array([0.299, 0.587, 0.114])
STEP = 4  # a fit looks at every fourth pixel of a row and a column
BUMPS = 6
RETRIES = 4  # other starts for a view that the first fit does not explain
EDGE = 0.96  # beyond it a view may mix its probe with what a turn uncovered


# --- the patterns ----------------------------------------------------------------------------


@dataclass(frozen=True)
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
        x, y = (points[:, :, None, axis] - self.centers[:, None, :, axis] for axis in (0, 1))
        inverse = 1 / self.widths[:, None] ** 2
        bumps = self.heights[:, None] * np.exp(-(x**2 + y**2) * (inverse / 2))
        light = 0.5 + bumps.sum(axis=-1)
        if not slopes:
            return light, None
        weighted = -bumps * inverse
        return light, np.stack([(weighted * x).sum(axis=-1), (weighted * y).sum(axis=-1)], axis=-1)

    def take(self, places: np.ndarray) -> "Patterns":
        """Returns the probes at some places, which may repeat."""
        return Patterns(
            self.centers[places], self.widths[places], self.heights[places], self.tints[places]
        )


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


def render(patterns: Patterns) -> np.ndarray:
    """Returns the probes as photos: float32 within [0, 1], shape (count, 128, 128, 3)."""
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
    return (light[..., None] + patterns.tints[:, None, None]).astype("float32")


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
        Misread: If it fails, or gives something else than such images.
    """
    try:
        views = transform(images.copy(), training)
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
    return views


def observe_transformation(answer: Any, what: str = "an augmentation", *, probe_seed: int) -> dict:
    """Runs an answer on probes and noise, as in training and as in prediction.

    Args:
        answer: What the student handed in.
        what: What was asked for, for a message.
        probe_seed: Of the probes and the noise.

    Returns:
        Plain values: `probe_seed`; `views`, float32, shape (8, 48, 128, 128, 3), the same batch of
        probes used eight times in training; `noise`, float32, shape (2, 16, 128, 128, 3), the same
        batch of noise used twice in training; and `predicted`, float32, shape (32, 128, 128, 3),
        16 probes and 16 photos of noise with `training=False`.

    Raises:
        Misread: If it cannot be run.
    """
    transform = read_transformation(answer, what)
    probes, noise = render(make_patterns(probe_seed)), make_noise(probe_seed)
    views = [run(transform, probes, training=True) for _ in range(BATCHES)]
    return {
        "probe_seed": probe_seed,
        "views": np.stack(views),
        "noise": np.stack([run(transform, noise, training=True) for _ in range(2)]),
        "predicted": run(transform, _mix(probes, noise), training=False),
    }


def _mix(probes: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return np.concatenate([probes[:NOISE], noise])


# --- reading what came out -------------------------------------------------------------------


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
    """

    views: pd.DataFrame
    lowest: float
    highest: float
    finite: bool
    unchanged: bool
    repeats: bool
    predicted: float
    sharpness: float

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
        "noise": (2, NOISE, SIDE, SIDE, 3),
        "predicted": (2 * NOISE, SIDE, SIDE, 3),
    }
    made = {name: np.asarray(observed[name], "float32") for name in shapes}
    if any(made[name].shape != shape for name, shape in shapes.items()):
        raise Misread("Expected views of the probes, received arrays of other shapes.")
    patterns, noise = make_patterns(seed), make_noise(seed)
    probes = render(patterns)
    finite = all(bool(np.isfinite(each).all()) for each in made.values())
    made = {name: np.nan_to_num(each) for name, each in made.items()}
    views = made["views"]
    table = read_views(patterns, views)
    return Reading(
        views=table,
        lowest=float(made["noise"].min()),
        highest=float(made["noise"].max()),
        finite=finite,
        unchanged=bool(np.allclose(views, probes, atol=1e-4)),
        repeats=bool(np.allclose(views, views[:1], atol=1e-4)),
        predicted=float(np.abs(made["predicted"] - _mix(probes, noise)).max()),
        sharpness=float(np.median(_detail(made["noise"]) / _detail(noise))),
    )


def _detail(images: np.ndarray) -> np.ndarray:
    """How much neighboring pixels differ, apart from the photo's contrast."""
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
        # A start near the wrong turn may end in another valley: try the next best one.
        doubtful = np.flatnonzero(found["strangeness"] > 0.01)
        if not len(doubtful):
            break
        again = _explain(
            patterns.take(doubtful),
            *(each[doubtful] for each in (seen, light, dark, bright)),
            _best(sides, doubtful),
        )
        better = (again["strangeness"] < found["strangeness"].iloc[doubtful].to_numpy()).to_numpy()
        found.iloc[doubtful[better]] = again[better]
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
    shift = np.zeros((len(light), 2))
    gain, offset = np.ones(len(light)), np.zeros(len(light))
    for _ in range(10):
        source = points @ matrix.transpose(0, 2, 1) + shift[:, None]
        pure, slope = patterns.luminance(source)
        pure = pure - 0.5
        used = inside & (np.abs(source) < EDGE).all(axis=-1)
        scaled = gain[:, None, None] * slope
        columns = [pure[..., None], np.ones_like(pure)[..., None]]
        columns += [scaled[..., :1] * points, scaled[..., 1:] * points, scaled]
        columns = np.concatenate(columns, axis=-1) * used[..., None]
        wanted = light - 0.5 - gain[:, None] * pure - offset[:, None]
        across = columns.transpose(0, 2, 1)
        normal = across @ columns + 1e-6 * np.eye(8)
        step = np.linalg.solve(normal, across @ wanted[..., None])[..., 0]
        gain, offset = gain + step[:, 0], offset + step[:, 1]
        # Small steps only: a view that is no view of the probe must not run away.
        bounded = np.clip(step[:, 2:], -0.2, 0.2)
        matrix = np.clip(matrix + bounded[:, :4].reshape(-1, 2, 2), -3, 3)
        shift = np.clip(shift + bounded[:, 4:], -1, 1)
        if np.abs(step).max() < 1e-5:
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


def _compare(patterns: Patterns, light, inside, batches: int) -> np.ndarray:
    """Returns how much each view looks like its probe under each of `STARTS`."""
    points = grid(STEP)
    chosen = np.flatnonzero((points**2).sum(axis=1) < 0.9)[::3]
    count, points = len(patterns.tints), points[chosen]
    pure = np.stack(
        [
            patterns.luminance(
                np.broadcast_to(points @ start.T, (count, *points.shape)), slopes=False
            )[0]
            for start in STARTS
        ],
        axis=-1,
    )  # (photos, points, starts)
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
