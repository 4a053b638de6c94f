"""Around the vehicle: sun and sky, the camera, and what stands behind.

Colors are linear RGB (light, not pixel values) until `Light.develop`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


@dataclass(frozen=True)
class Light:
    """The sun and the sky, as linear RGB; the axes are right, away, up."""

    toward_sun: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    horizon: np.ndarray
    ground: np.ndarray
    exposure: float

    def develop(self, linear: np.ndarray) -> np.ndarray:
        """Returns linear light as pixel values in [0, 255]."""
        exposed = 1.15 * self.exposure * np.maximum(linear, 0)
        # A little steeper than linear light (1 / 2.2): cameras add contrast.
        return 255 * np.clip(exposed / (1 + 0.15 * exposed), 0, 1) ** (1 / 1.9)

    def ink(self, linear: np.ndarray) -> tuple[int, ...]:
        """Returns linear light, RGB, as a color that Pillow takes."""
        return tuple(self.develop(linear).astype(int).tolist())


def linear(*color: float) -> np.ndarray:
    """Returns a color as one reads it from an image, in [0, 1], as linear light.

    Example:
        >>> linear(1.0, 0.5, 0.0).round(2).tolist()
        [1.0, 0.22, 0.0]
    """
    return np.array(color) ** 2.2


def sample_light(row: Mapping, side: int, random: np.random.Generator) -> Light:
    """Samples the light of one image.

    Args:
        row: The image's parameters: light, sun_azimuth, sun_elevation, exposure.
        side: 1, or -1 where the scene is rendered mirrored.
        random: Decides how cloudy it is.

    Example:
        >>> row = {"light": "day", "sun_azimuth": 90, "sun_elevation": 45, "exposure": 1.0}
        >>> sample_light(row, 1, np.random.default_rng(1)).toward_sun.round(2).tolist()
        [0.71, -0.0, 0.71]
    """
    around, up = np.radians(side * row["sun_azimuth"]), np.radians(row["sun_elevation"])
    toward = np.array((np.cos(up) * np.sin(around), -np.cos(up) * np.cos(around), np.sin(up)))
    cloud = random.random()
    if row["light"] == "day":
        sun = np.array((1.0, 0.95, 0.86)) * (1.35 - 1.1 * cloud**2)
        blue = linear(0.64, 0.74, 0.88)
        sky = blue + (linear(0.8, 0.82, 0.85) - blue) * cloud
        horizon = linear(0.82, 0.87, 0.93)
    else:
        sun = np.array((0.4, 0.24, 0.13)) * (1 - 0.5 * cloud)
        sky = linear(0.3, 0.32, 0.44)
        horizon = linear(0.75, 0.5, 0.38) * (1 - 0.5 * cloud)
    return Light(toward, sun, sky, horizon, 0.3 * sky + 0.12 * sun, row["exposure"])


def shade(light: Light, normals, toward_eye, heights, materials) -> np.ndarray:
    """Returns the linear color of every face: lit by sun and sky, and mirroring what is around.

    Args:
        light: The sun and the sky.
        normals: Unit vectors, shape (n, 3).
        toward_eye: Unit vectors from the faces to the camera, shape (n, 3).
        heights: Above the ground, in meters, shape (n,).
        materials: As `build_vehicle` returns them, shape (n, 6).

    Returns:
        Linear RGB, shape (n, 3).

    Example:
        >>> row = {"light": "day", "sun_azimuth": 90, "sun_elevation": 45, "exposure": 1.0}
        >>> light = sample_light(row, 1, np.random.default_rng(1))
        >>> up, material = np.array([[0.0, 0.0, 1.0]]), np.full((1, 6), 0.2)
        >>> shade(light, up, up, np.array([1.0]), material).shape
        (1, 3)
    """
    color, gloss, glow = materials[:, :3], materials[:, 3:4], materials[:, 4:5]
    facing = np.sum(normals * toward_eye, axis=1, keepdims=True)
    mirrored = 2 * facing * normals - toward_eye
    upward = normals[:, 2:]
    lit = light.sun * np.maximum(normals @ light.toward_sun, 0)[:, None]
    # Near the ground, the vehicle's own shadow takes much of the skylight away.
    open_sky = np.clip(0.3 + 0.8 * heights[:, None], 0, 1)
    lit = lit + open_sky * (light.sky * (0.5 + 0.5 * upward) + light.ground * (0.5 - 0.5 * upward))
    # What a mirror would show: ground below, a dark rim of things, a bright horizon, the sky.
    rise = mirrored[:, 2:]
    above = np.clip((rise - 0.06) / 0.08, 0, 1)
    heaven = light.horizon + (light.sky - light.horizon) * np.clip(rise, 0, 1) ** 0.6
    around = above * heaven + (1 - above) * light.ground * np.where(rise < 0, 0.9, 0.45)
    strength = 0.045 + 0.955 * (1 - np.clip(facing, 0, 1)) ** 4
    shine = glow * color / color.max(axis=1, keepdims=True)
    spark = 1.5 * light.sun * np.clip(mirrored @ light.toward_sun, 0, 1)[:, None] ** 150
    return color * lit * (1 - 0.3 * gloss * strength) + gloss * (strength * around + spark) + shine


@dataclass(frozen=True)
class Camera:
    """A level camera: turns the vehicle, then projects onto the photo."""

    azimuth: float
    distance: float
    height: float
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    def turn(self, points: np.ndarray) -> np.ndarray:
        """Points of the vehicle, in the camera's axes: right, away, up."""
        cosine, sine = np.cos(np.radians(self.azimuth)), np.sin(np.radians(self.azimuth))
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        return np.stack([cosine * y - sine * x, self.distance - cosine * x - sine * y, z], axis=-1)

    def project(self, turned: np.ndarray) -> np.ndarray:
        """Points in the camera's axes, as (x, y) in the photo; y grows downward."""
        away = np.maximum(turned[..., 1], 0.5)
        flat = np.stack([turned[..., 0], self.height - turned[..., 2]], axis=-1) / away[..., None]
        return flat * self.scale + self.shift


def _trees(draw, light: Light, width: float, foot: float, random) -> None:
    """Leafy clumps side by side, dark within."""
    leaves = ((0.24, 0.34, 0.14), (0.34, 0.4, 0.2), (0.45, 0.38, 0.2), (0.2, 0.28, 0.16))
    leaf = linear(*leaves[random.integers(4)]) * (0.6 * light.sun + light.sky)
    tall, spread = random.uniform(0.15, 0.8) * width, random.uniform(0.1, 0.3) * width
    count, inside = 70, 23
    for x in np.arange(-0.1, 1.1, random.uniform(0.08, 0.25)) * width:
        height = tall * random.uniform(0.6, 1.2)
        draw.line((x, foot, x, foot - 0.7 * height), fill=(45, 38, 30), width=3)
        lowest = 0 if random.random() < 0.85 else 0.35
        rises = random.uniform(lowest, 1, count) ** 0.7
        xs = x + random.normal(0, 0.5, count) * spread * np.sqrt(1.05 - rises)
        tones = random.uniform(0.15, 1.3, count) * (0.5 + 0.7 * rises)
        reaches = random.uniform(0.03, 0.2, count) * spread
        tones[:inside] *= 0.25
        reaches[:inside] = 0.3 * spread
        ys, inks = foot - rises * height, light.develop(tones[:, None] * leaf).astype(int)
        boxes = np.stack([xs - reaches, ys - reaches, xs + reaches, ys + reaches], axis=1)
        for box, ink in zip(boxes.tolist(), inks.tolist(), strict=True):
            draw.ellipse(box, fill=tuple(ink))


def _buildings(draw, light: Light, width: float, foot: float, random) -> None:
    """Walls with windows, side by side."""
    x = -random.uniform(0, 0.3) * width
    while x < width:
        wide, tall = random.uniform(0.3, 0.9) * width, random.uniform(0.15, 0.7) * width
        lit = 0.7 * light.sky + 0.4 * light.sun * random.random()
        wall = random.uniform(0.25, 0.9) * random.uniform(0.88, 1.12, 3)
        window = random.uniform(0.08, 0.5) * random.uniform(0.9, 1.1, 3)
        draw.rectangle((x, foot - tall, x + wide, foot + 2), fill=light.ink(linear(*wall) * lit))
        columns, floors = random.integers(2, 7), random.integers(1, 5)
        step, floor, inset = wide / columns, tall / floors, random.uniform(0.12, 0.3)
        for left in x + step * (np.arange(columns) + inset):
            for top in foot - tall + floor * (np.arange(floors) + inset):
                right, bottom = left + step * (1 - 2 * inset), top + floor * (1 - 1.6 * inset)
                draw.rectangle((left, top, right, bottom), fill=light.ink(linear(*window) * lit))
        x += wide * random.uniform(1, 1.15)


def _parking_lot(draw, light: Light, width: float, foot: float, random) -> None:
    """Other vehicles far behind, side on, before hills."""
    _hills(draw, light, width, foot, random)
    x, tall = -random.uniform(0, 0.2) * width, random.uniform(0.07, 0.16) * width
    foot = foot + 0.45 * tall
    while x < width:
        height = tall * random.uniform(0.85, 1.3)
        wide = height * random.uniform(1.3, 2.8)
        vivid = random.uniform(-0.3, 0.3, 3) * (random.random() < 0.5)
        paint = linear(*np.clip(random.uniform(0.08, 0.9) * (1 + vivid), 0, 1))
        fill = light.ink(paint * (light.sky + 0.5 * light.sun))
        hull = (x, foot - 0.62 * height, x + wide, foot - 0.1 * height)
        draw.rounded_rectangle(hull, 0.15 * height, fill=fill)
        roof = np.array(((0.1, -0.6), (0.25, -1), (0.75, -1), (0.92, -0.6))) * (wide, height)
        glass = np.array(((0.18, -0.6), (0.28, -0.93), (0.72, -0.93), (0.84, -0.6))) * (
            wide,
            height,
        )
        draw.polygon([tuple(point) for point in roof + (x, foot)], fill=fill)
        draw.polygon(
            [tuple(point) for point in glass + (x, foot)], fill=light.ink(0.12 * light.sky)
        )
        for middle in (x + 0.2 * wide, x + 0.8 * wide):
            wheel = (middle - 0.16 * height, foot - 0.32 * height, middle + 0.16 * height, foot)
            draw.ellipse(wheel, fill=(18, 18, 18))
        x += wide * random.uniform(1.02, 1.4)


def _hills(draw, light: Light, width: float, foot: float, random) -> None:
    """One or two ridges, hazy with distance."""
    for haze in (0.6, 0.25):
        xs = np.linspace(0, width, 9)
        ys = foot - width * random.uniform(0.0, 0.2) * random.uniform(0.4, 1, 9)
        earth = linear(*random.uniform((0.2, 0.25, 0.15), (0.5, 0.5, 0.4)))
        near = earth * (light.sky + 0.5 * light.sun)
        ridge = [(0, foot + 2), *zip(xs, ys, strict=True), (width, foot + 2)]
        draw.polygon(ridge, fill=light.ink(near + (0.6 * light.horizon - near) * haze))


CLUTTER = {"buildings": _buildings, "parking lot": _parking_lot, "hills": _hills, "trees": _trees}


def draw_background(
    row, light: Light, width: int, height: int, horizon: float, random
) -> Image.Image:
    """Draws sky, ground and what stands behind the vehicle.

    Args:
        row: The image's parameters: background, light.
        light: The sun and the sky.
        width: In pixels.
        height: In pixels.
        horizon: The row of pixels at which sky and ground meet.
        random: Decides what has no parameter.

    Example:
        >>> row = {"light": "day", "sun_azimuth": 90, "sun_elevation": 45, "exposure": 1.0}
        >>> random = np.random.default_rng(1)
        >>> light = sample_light(row, 1, random)
        >>> row["background"] = "trees"
        >>> draw_background(row, light, width=48, height=32, horizon=12, random=random).size
        (48, 32)
    """
    down = np.arange(height)[:, None] + 0.5
    rise = np.clip((horizon - down) / max(horizon, 1), 0, 1)
    near = np.clip((down - horizon) / max(height - horizon, 1), 0, 1)
    studio = row["background"] == "studio"
    if studio:
        wall = random.choice((0.1, 0.5, 0.95, 1, 1)) * (1.2 if row["light"] == "day" else 0.35)
        sky, ground = wall * (1 - 0.1 * rise), wall * (0.93 + 0.1 * near)
        rows = np.where(down < horizon, sky, ground) * np.ones(3)
    else:
        sky = light.horizon + (1.1 * light.sky - light.horizon) * rise**0.7
        stone = random.choice((0.42, 0.5, 0.58, 0.66)) * random.uniform(0.97, 1.03, 3)
        grass = np.array((0.36, 0.42, 0.24)) * random.uniform(0.8, 1.2)
        sunlit = light.sun * light.toward_sun[2] + light.sky
        ground = linear(*(grass if random.random() < 0.2 else stone)) * sunlit
        rows = np.where(down < horizon, sky, ground * (0.85 + 0.3 * near))
    rows = Image.fromarray(light.develop(rows)[:, None].astype(np.uint8))
    canvas = rows.resize((2 * width, 2 * height), Image.Resampling.NEAREST)
    if not studio:
        draw = ImageDraw.Draw(canvas)
        # The foot of what stands behind lies a little below the horizon.
        foot = 2 * horizon + random.uniform(0, 0.12) * height
        CLUTTER[row["background"]](draw, light, 2 * width, foot, random)
        for x in random.uniform(0, 2 * width, random.integers(0, 4)):
            gray = light.ink(linear(*[random.uniform(0.2, 0.7)] * 3) * light.sky)
            pole = (x, foot, x, foot - random.uniform(0.3, 1.5) * width)
            draw.line(pole, fill=gray, width=1 + int(0.03 * width * random.random()))
        if random.random() < 0.2:
            slope, gap = random.uniform(-3, 3) * width, random.uniform(0.6, 1.6) * width
            for x in width + np.arange(-2, 3) * gap:
                line = (0.9 * width + 0.1 * x, foot, x + slope, 2 * height)
                draw.line(line, fill=light.ink(0.5 * sunlit), width=2)
    # Stones and blades: grain that grows toward the camera.
    coarse = 0.5 if studio else random.uniform(1, 9)
    grain = random.normal(0, coarse, (height, width, 1)) * np.sqrt(near)[:, :, None]
    picture = np.clip(np.asarray(canvas.reduce(2)) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(picture).filter(ImageFilter.GaussianBlur(random.uniform(0, 0.9)))
