"""Draws cars and trucks: the data set that needs no network.

Every picture follows from a row of parameters. A three-dimensional body is built from
curved surfaces, seen through a camera, shaded by a sun, and painted with Pillow over a
ground, a sky and some clutter. The kit therefore knows every nuisance of every picture:
which way the vehicle faces, the light, the paint, the size, the place, the background.

The module's axes: x points to the vehicle's nose, y to its left side, z up; lengths in
metres, angles in degrees, colours as RGB in [0, 1].
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter

from course_utils.core.files import atomic_folder

__all__ = [
    "BODIES", "LABELS", "NUISANCES", "VERSION", "PerClass", "draw_vehicle",
    "make_synthetic_vehicles", "write_vehicles",
]  # fmt: skip

CLASS_NAMES = ("Car", "Truck")
SPLITS = ("train", "valid")
MOST = 99_999  # a picture's file name has five digits

# Raise it with every change that moves a pixel: caches are named after it.
VERSION = 1


# --- What can vary -----------------------------------------------------------------------


@dataclass(frozen=True)
class PerClass:
    """One setting of a nuisance for cars and another for trucks: a bias.

    Args:
        car: what a nuisance may be set to (see `make_synthetic_vehicles`), for the cars.
        truck: the same, for the trucks.
    """

    car: Any
    truck: Any


@dataclass(frozen=True)
class Numbers:
    """A nuisance that is a number: its limits, and the range drawn from by default."""

    low: float
    high: float
    default: Any
    meaning: str


@dataclass(frozen=True)
class Names:
    """A nuisance that is one of several names; `default` gives each name's share."""

    names: tuple[str, ...]
    default: Any
    meaning: str


@dataclass(frozen=True)
class Body:
    """The proportions of one kind of vehicle.

    Lengths and heights are in metres. Places along the vehicle are shares of its length,
    from 0 at the front bumper to 1 at the rear one.
    """

    name: str
    type: str
    length: float
    width: float
    height: float
    clearance: float
    wheel_radius: float
    axles: tuple[float, float]
    nose: float  # height of the bonnet's front edge
    cowl: tuple[float, float]  # foot of the windscreen: place, height
    roof: tuple[float, float]  # where the roof begins and ends
    tail: tuple[float, float]  # foot of the rear window: place, height
    windows: tuple[tuple[float, float], ...]  # side windows, from place to place
    end: float = 1.0  # where the painted body ends
    bed: bool = False
    box: bool = False


BODIES = {body.name: body for body in (
    Body(
        "hatchback", "Car", 4.1, 1.76, 1.48, 0.17, 0.31, (0.19, 0.81), 0.74,
        (0.25, 0.95), (0.43, 0.86), (0.985, 0.98), ((0.33, 0.54), (0.56, 0.76), (0.78, 0.87)),
    ),
    Body(
        "saloon", "Car", 4.75, 1.82, 1.45, 0.16, 0.33, (0.19, 0.79), 0.72,
        (0.27, 0.93), (0.43, 0.67), (0.83, 1.0), ((0.33, 0.5), (0.515, 0.67), (0.68, 0.74)),
    ),
    Body(
        "estate", "Car", 4.75, 1.82, 1.48, 0.16, 0.33, (0.19, 0.79), 0.72,
        (0.26, 0.94), (0.41, 0.9), (0.985, 1.0), ((0.32, 0.49), (0.505, 0.68), (0.7, 0.9)),
    ),
    Body(
        "coupe", "Car", 4.5, 1.84, 1.32, 0.14, 0.33, (0.2, 0.79), 0.68,
        (0.3, 0.88), (0.47, 0.6), (0.87, 0.95), ((0.38, 0.6), (0.615, 0.7)),
    ),
    Body(
        "pickup single cab", "Truck", 5.3, 1.95, 1.85, 0.31, 0.4, (0.17, 0.77), 1.04,
        (0.26, 1.17), (0.35, 0.455), (0.48, 1.23), ((0.3, 0.445),), bed=True,
    ),
    Body(
        "pickup double cab", "Truck", 5.7, 1.98, 1.9, 0.31, 0.41, (0.17, 0.79), 1.04,
        (0.24, 1.17), (0.33, 0.58), (0.605, 1.23), ((0.28, 0.43), (0.445, 0.575)), bed=True,
    ),
    Body(
        "suv", "Truck", 4.75, 1.92, 1.8, 0.26, 0.39, (0.18, 0.8), 0.99,
        (0.24, 1.13), (0.36, 0.93), (0.985, 1.16), ((0.3, 0.47), (0.49, 0.68), (0.7, 0.92)),
    ),
    Body(
        "van", "Truck", 5.2, 1.98, 2.15, 0.22, 0.35, (0.16, 0.78), 0.95,
        (0.13, 1.15), (0.3, 0.97), (0.99, 1.2), ((0.2, 0.36), (0.4, 0.64), (0.68, 0.93)),
    ),
    Body(
        "box truck", "Truck", 6.3, 2.05, 2.2, 0.35, 0.42, (0.15, 0.78), 1.1,
        (0.13, 1.3), (0.21, 0.315), (0.335, 1.35), ((0.18, 0.3),), end=0.345, box=True,
    ),
)}  # fmt: skip

NUISANCES: dict[str, Numbers | Names] = {
    "body": Names(
        tuple(BODIES),
        PerClass(
            car={"hatchback": 0.25, "saloon": 0.35, "estate": 0.2, "coupe": 0.2},
            truck={
                "pickup single cab": 0.22,
                "pickup double cab": 0.25,
                "suv": 0.35,
                "van": 0.1,
                "box truck": 0.08,
            },
        ),
        "kind of vehicle",
    ),
    "heading": Names(("left", "right"), ("left", "right"), "side of the picture the nose is on"),
    "azimuth": Numbers(0, 180, (20, 160), "degrees from the nose round to the camera"),
    "distance": Numbers(5, 30, (6, 12), "metres from the camera to the vehicle's middle"),
    "camera_height": Numbers(1.2, 2.5, (1.4, 2.2), "metres above the ground"),
    "length_factor": Numbers(0.85, 1.15, (0.93, 1.07), "times the body's usual length"),
    "height_factor": Numbers(0.85, 1.15, (0.94, 1.06), "times the body's usual height"),
    "size": Numbers(0.3, 1, (0.78, 1.0), "share of the photo that the vehicle fills"),
    "place_x": Numbers(-1, 1, (-1, 1), "from the photo's left edge to its right"),
    "place_y": Numbers(-1, 1, (-0.4, 0.7), "from the photo's upper edge to its lower"),
    "aspect": Numbers(1, 2, (1.2, 1.7), "the photo's width divided by its height"),
    "light": Names(("day", "dusk"), {"day": 0.8, "dusk": 0.2}, "time of day"),
    "sun_azimuth": Numbers(-180, 180, (-130, 130), "degrees; 0 behind the camera, > 0 right"),
    "sun_elevation": Numbers(10, 80, (15, 65), "degrees above the horizon"),
    "exposure": Numbers(0.4, 2, (0.8, 1.5), "times the usual brightness"),
    "paint": Names(("bright", "dark"), ("bright", "dark"), "tone of the paint"),
    "colour": Names(
        ("grey", "red", "blue", "green", "yellow"),
        {"grey": 0.55, "red": 0.16, "blue": 0.16, "green": 0.06, "yellow": 0.07},
        "colour of the paint",
    ),
    "background": Names(
        ("buildings", "car park", "hills", "studio", "trees"),
        {"buildings": 0.22, "car park": 0.22, "hills": 0.16, "studio": 0.14, "trees": 0.26},
        "what stands behind",
    ),
    "softness": Numbers(0, 1.5, (0, 0.6), "radius of the blur, in pixels of 1/128 of the width"),
    "details": Numbers(0, 2**31, (0, 2**31), "seed of what has no name: rims, trees, noise"),
}

LABELS = {"type": CLASS_NAMES} | {
    name: nuisance.names
    for name, nuisance in NUISANCES.items()
    if isinstance(nuisance, Names) and len(nuisance.names) == 2
}


# --- From settings to parameters ---------------------------------------------------------


def _shares(name: str, setting: Any) -> dict[str, float]:
    """The share of each name that a setting asks for; refuses what is no such setting."""
    names = NUISANCES[name].names
    chosen = setting if isinstance(setting, Mapping | list | tuple | set) else (setting,)
    if not chosen or any(each not in names for each in chosen):
        raise ValueError(
            f"Expected {name} among {', '.join(names)} (one, several, or a dict of shares), "
            f"received {setting!r}. Choose among these names."
        )
    asked = setting if isinstance(setting, Mapping) else dict.fromkeys(chosen, 1.0)
    # In the names' own order: how a setting is written does not matter, only what it says.
    shares = {each: asked[each] for each in names if each in asked}
    for share in shares.values():
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share < np.inf:
            raise ValueError(
                f"Expected shares of 0 or more for {name}, received {setting!r}. "
                f"Write for example {{{names[0]!r}: 0.9, {names[1]!r}: 0.1}}."
            )
    if sum(shares.values()) <= 0:
        raise ValueError(
            f"Expected a share above 0 for {name}, received {setting!r}. "
            "Give at least one name a share."
        )
    return shares


def _limits(name: str, setting: Any) -> tuple[float, float]:
    """The low and high end that a setting asks for; refuses what is no such setting."""
    nuisance = NUISANCES[name]
    ends = setting if isinstance(setting, tuple | list) else (setting, setting)
    numbers = all(isinstance(end, Real) and not isinstance(end, bool) for end in ends)
    if len(ends) != 2 or not numbers:
        raise TypeError(
            f"Expected a number or a range (low, high) as {name}, received {setting!r}. "
            f"Write for example {name}={nuisance.default}."
        )
    low, high = ends
    if not nuisance.low <= low <= high <= nuisance.high:
        raise ValueError(
            f"Expected {name} ({nuisance.meaning}) within [{nuisance.low}, {nuisance.high}], low "
            f"end first, received {setting!r}. Choose a number or a range within."
        )
    return low, high


def _setting_for(name: str, setting: Any, type_name: str) -> Any:
    """A nuisance's checked setting for one class: dict of shares, or (low, high)."""
    if isinstance(setting, PerClass):
        setting = setting.car if type_name == "Car" else setting.truck
    if isinstance(NUISANCES[name], Numbers):
        return _limits(name, setting)
    shares = _shares(name, setting)
    if name == "body":
        shares = {each: share for each, share in shares.items() if BODIES[each].type == type_name}
        if sum(shares.values()) <= 0:
            fitting = tuple(each for each, body in BODIES.items() if body.type == type_name)
            raise ValueError(
                f"Expected a body for {type_name}, received {setting!r}. "
                f"Add one of {', '.join(fitting)}, or set PerClass(car=..., truck=...)."
            )
    return shares


def _settings(nuisances: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every nuisance's checked setting, for each class."""
    unknown = [name for name in nuisances if name not in NUISANCES]
    if unknown:
        raise TypeError(
            f"Expected nuisances among {', '.join(NUISANCES)}, received {unknown[0]!r}. "
            "Choose one of these names."
        )
    return {
        type_name: {
            name: _setting_for(name, nuisances.get(name, nuisance.default), type_name)
            for name, nuisance in NUISANCES.items()
        }
        for type_name in CLASS_NAMES
    }


def _check_whole_number(name: str, value: Any, low: int, high: int) -> int:
    """The value as an int; refuses anything but a whole number from low to high."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"Expected a whole number as {name}, received {value!r}. "
            f"Pass an int from {low} to {high}."
        )
    if not low <= value <= high:
        raise ValueError(
            f"Expected {name} from {low} to {high}, received {value}. Pass a number within."
        )
    return int(value)


def _check_image_size(image_size: Any) -> tuple[int, int]:
    """The image size as (height, width); refuses anything else."""
    if not isinstance(image_size, Sequence) or len(image_size) != 2:
        raise TypeError(
            f"Expected image_size as (height, width), received {image_size!r}. "
            "Write for example image_size=(128, 128)."
        )
    height, width = (_check_whole_number("image_size", side, 16, 1024) for side in image_size)
    return height, width


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(
            f"Expected {name} to be one of {', '.join(choices)}, received {value!r}. "
            "Choose one of these."
        )


def _draw_rows(count: Any, seed: Any, split: Any, nuisances: Mapping) -> list[dict[str, Any]]:
    """The parameters of every picture, after a check of everything they follow from."""
    count = _check_whole_number("count", count, 1, MOST)
    seed = _check_whole_number("seed", seed, 0, 2**32 - 1)
    _check_choice("split", split, SPLITS)
    settings = _settings(nuisances)
    return [_parameters(index, seed, split, settings) for index in range(count)]


def _parameters(index: int, seed: int, split: str, settings: Mapping) -> dict[str, Any]:
    """The parameters of one picture.

    One random number belongs to each nuisance, whatever its setting: to change the setting
    of one leaves all others as they were.
    """
    stream = SPLITS.index(split)
    # Two pictures in a row hold one car and one truck, so the classes balance at any count.
    truck_first = np.random.default_rng((seed, index // 2, stream, 1)).random() < 0.5
    type_name = CLASS_NAMES[(index + truck_first) % 2]
    draws = np.random.default_rng((seed, index, stream, 2)).random(len(NUISANCES)).tolist()
    row = {"type": type_name}
    for (name, setting), draw in zip(settings[type_name].items(), draws, strict=True):
        if isinstance(setting, dict):
            bounds = np.cumsum(list(setting.values()))
            chosen = int(np.searchsorted(bounds, draw * bounds[-1], side="right"))
            row[name] = list(setting)[min(chosen, len(setting) - 1)]
        else:
            row[name] = setting[0] + (setting[1] - setting[0]) * draw
    row["details"] = int(row["details"])
    return row


# --- The shape of a vehicle --------------------------------------------------------------

# Faces are painted layer by layer, within a layer from far to near: 0 tyres, 2 the shell and,
# up to 3, what lies on it, 4 wheels, 6 the cabin, 7 its glass, 8 the near mirror. The camera
# stands above bonnet and bed, so the cabin always comes after the shell. The rear of a box truck
# has its layers from here on, and goes before all others where the cab hides it.
BEHIND_CAB = 20


@dataclass(frozen=True)
class Surface:
    """A curved surface: a grid of points, shape (m, n, 3), with the coordinates of its lines.

    Seen from outside, u × v points towards the observer, which tells front from back.
    """

    points: np.ndarray
    u: np.ndarray
    v: np.ndarray

    def patch(self, u: Sequence[float], v: Sequence[float]) -> np.ndarray:
        """The points at every pair of these coordinates, shape (len(u), len(v), 3)."""
        return _between(self.v, _between(self.u, self.points, u, 0), v, 1)


def _between(lines: np.ndarray, points: np.ndarray, wanted: Sequence[float], axis: int):
    """Linear interpolation of the points along one axis of their grid."""
    # Some eighty times a picture: `np.clip` and `np.take` would cost more than the arithmetic.
    wanted = np.minimum(np.maximum(wanted, lines[0]), lines[-1])
    after = np.minimum(np.maximum(lines.searchsorted(wanted, side="right"), 1), len(lines) - 1)
    start, stop = lines[after - 1], lines[after]
    share = ((wanted - start) / (stop - start))[:, None]
    if axis == 0:
        share = share[:, None]
    low, high = points.take(after - 1, axis), points.take(after, axis)
    return low + (high - low) * share


class Mesh:
    """Four-cornered faces in the order in which to paint them, with their materials."""

    def __init__(self) -> None:
        self.faces, self.materials = [], []

    def add(self, grid, colour, *, layer: float, gloss: float = 0.0, glow: float = 0.0) -> None:
        """Adds every cell of a grid of points, shape (m, n, 3)."""
        rows, columns = grid.shape[0] - 1, grid.shape[1] - 1
        faces = np.empty((rows, columns, 4, 3))
        faces[:, :, 0], faces[:, :, 1] = grid[:-1, :-1], grid[1:, :-1]
        faces[:, :, 2], faces[:, :, 3] = grid[1:, 1:], grid[:-1, 1:]
        self.faces.append(faces.reshape(-1, 4, 3))
        self.materials.append((*colour, gloss, glow, layer))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Faces, shape (n, 4, 3), and materials, shape (n, 6): RGB, gloss, glow, layer."""
        counts = [len(faces) for faces in self.faces]
        return np.concatenate(self.faces), np.repeat(self.materials, counts, axis=0)


def _disc(x: float, y: float, z: float, radius: float, steps: int = 10) -> np.ndarray:
    """A disc at a constant y that faces left, as a grid of shape (2, steps + 1, 3)."""
    angles = np.linspace(0, np.pi, steps + 1)
    across, up = radius * np.sin(angles), z - radius * np.cos(angles)
    return np.stack([np.stack([x + end * across, 0 * up + y, up], 1) for end in (1, -1)])


def _tread(x: float, low: float, high: float, radius: float) -> np.ndarray:
    """The rolling surface of a wheel between two y, as a grid of shape (17, 2, 3)."""
    angles = np.linspace(0, 2 * np.pi, 17)
    along, up = x + radius * np.sin(angles), radius - radius * np.cos(angles)
    return np.stack([np.stack([along, 0 * up + y, up], 1) for y in (high, low)], axis=1)


def _cuboid(low: Sequence[float], high: Sequence[float]) -> list[np.ndarray]:
    """The five faces of a box that can be seen from above the ground."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    rings = (
        ((x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1)),  # left
        ((x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)),  # right
        ((x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)),  # front
        ((x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1)),  # rear
        ((x1, y1, z1), (x0, y1, z1), (x0, y0, z1), (x1, y0, z1)),  # top
    )
    return [np.array(((a, d), (b, c)), dtype=float) for a, b, c, d in rings]


def _lower_body(body: Body) -> tuple[Surface, Surface, Surface]:
    """Everything below the windows: the sides and top, the front, the rear."""
    (cowl, cowl_height), (tail, tail_height) = body.cowl, body.tail
    # A saloon's boot lies a little below the foot of its rear window.
    deck = tail_height - (0.04 if not body.bed and tail < 0.95 else 0)
    nose_and_tail = (0, 0.006, 0.02, 0.05, 0.1, 0.9, 0.93, 0.96, 0.985, 0.995, 1)
    between = np.linspace(0.15, 0.85, 9)
    share = np.unique((*nose_and_tail, *between, cowl / body.end, min(tail / body.end, 1)))
    top = np.interp(
        share,
        (0, 0.006, 0.03, cowl / body.end, min(tail / body.end, 0.985), 0.99, 1),
        (body.nose - 0.12, body.nose - 0.03, body.nose, cowl_height, deck, deck - 0.02, deck - 0.1),
    )
    # Seen from above the corners are rounded; seen from the side the bumpers rise.
    corner = np.minimum(np.minimum(share / 0.09, (1 - share) / 0.07), 1)
    half = body.width / 2 * (1 - 0.13 * (1 - corner) ** 2)
    sill = body.clearance + 0.04 * (1 - corner)
    # A cross-section, from the left sill over the bonnet to the right sill: v = 0 to 10.
    across = np.array((0.93, 1.0, 0.995, 0.97, 0.88, 0, -0.88, -0.97, -0.995, -1.0, -0.93))
    up = np.array((0, 0.28, 0.68, 0.93, 1, 1.035, 1, 0.93, 0.68, 0.28, 0))
    x = body.length * (0.5 - share * body.end)
    height = sill[:, None] + (top - sill)[:, None] * up
    points = np.stack([x[:, None] + 0 * height, half[:, None] * across, height], axis=2)
    shell = Surface(points, share * body.end, np.arange(11.0))
    # The first and last cross-section, each spanned from side to side, close the shell.
    left, right = points[:, :6], points[:, :4:-1]
    ends = [
        Surface(np.stack(pair), np.array((0.0, 1.0)), np.arange(6.0))
        for pair in ((right[0], left[0]), (left[-1], right[-1]))
    ]
    return shell, *ends


def _cabin(body: Body) -> Surface:
    """The part with the windows, from the windscreen's foot over the roof to the tail."""
    (front, front_height), (rear, rear_height) = body.cowl, body.tail
    (start, stop), height = body.roof, body.height
    outline = np.array([
        (front, front_height),
        (front + 0.88 * (start - front), front_height + 0.86 * (height - front_height)),
        (start + 0.01, height - 0.045),
        (start + 0.3 * (stop - start), height - 0.005),
        (start + 0.6 * (stop - start), height),
        (stop - 0.01, height - 0.03),
        (stop + 0.15 * (rear - stop), rear_height + 0.85 * (height - rear_height)),
        (rear, rear_height),
    ])  # fmt: skip
    places = np.unique(np.concatenate([outline[:, 0], np.linspace(front, rear, 15)]))
    top = np.interp(places, outline[:, 0], outline[:, 1])
    belt = np.interp(places, (front, rear), (front_height, rear_height)) - 0.03
    share = (places - front) / (rear - front)
    # The sides lean inwards from the belt to the eaves, those of a car more.
    base = body.width / 2 * (0.95 - 0.28 * (share - 0.45) ** 2)
    edge = np.maximum(top - 0.09, belt + 0.02)
    eaves = base - (0.22 if body.type == "Car" else 0.145) * body.width * (edge - belt)
    top = np.maximum(top, edge)
    # A cross-section from the left belt over the roof to the right belt: v = 0 to 6.
    columns = [(base, belt), (eaves, edge), (eaves - 0.09, top), (0 * base, top + 0.025)]
    columns += [(-across, up) for across, up in columns[2::-1]]
    x = body.length * (0.5 - places)
    points = np.stack([np.stack([x, across, up], axis=1) for across, up in columns], axis=1)
    return Surface(points, places, np.arange(7.0))


@cache
def _surfaces(body: Body) -> tuple[Surface, Surface, Surface, Surface]:
    """The curved surfaces of a body: shell, front, rear, cabin."""
    return *_lower_body(body), _cabin(body)


def _build(body: Body, paint: np.ndarray, lit: float, random: np.random.Generator):
    """The faces and materials of a whole vehicle, nose towards +x, wheels on z = 0.

    The camera never stands on the right: there, what lies flat on the side is left out.
    """
    mesh = Mesh()
    shell, front, rear, cabin = _surfaces(body)
    truck = body.type == "Truck"
    black, chrome, plastic = (0.01,) * 3, (0.5,) * 3, (0.05,) * 3
    glass = (random.choice((0.008, 0.02, 0.05)),) * 3
    trim = plastic if random.random() < (0.5 if truck else 0.15) else paint
    if truck and random.random() < 0.35:
        trim = chrome
    ends = np.array((0, 0.01, 0.03)), body.end - np.array((0.03, 0.01, 0))

    def both(u, v, colour, layer, **finish) -> None:
        """Adds a patch of the shell on the left side and its mirror image on the right."""
        v = np.asarray(v)
        mesh.add(shell.patch(u, v), colour, layer=layer, **finish)
        mesh.add(shell.patch(u, 10 - v[::-1]), colour, layer=layer, **finish)

    _add_wheels(mesh, body, random)

    # The painted shell, dark sills, seams of the doors, handles, bumpers.
    mesh.add(shell.patch(shell.u, np.arange(11.0)), paint, gloss=1, layer=2)
    for end in (front, rear):
        mesh.add(end.patch(np.linspace(0, 1, 7), np.linspace(0, 5, 7)), paint, gloss=1, layer=2)
        mesh.add(end.patch(np.linspace(0, 1, 5), (0, 0.7, 1.4)), trim, gloss=0.5, layer=2.5)
        plate = (0.6, 0.6, random.choice((0.1, 0.6)))
        mesh.add(end.patch((0.41, 0.59), (0.9, 1.35)), plate, layer=2.8)
    for u in ends:
        both(u, (0, 0.7, 1.4), trim, 2.5, gloss=0.5)
    sill = random.uniform(0.3, 0.8)
    along = np.linspace(0.03, 0.97, 8) * body.end
    mesh.add(shell.patch(along, (0, sill / 2, sill)), plastic, layer=2.4)
    seams = (body.windows[0][0] - 0.01, *(stop + 0.008 for _, stop in body.windows[:2]))
    for seam in seams:
        mesh.add(shell.patch((seam - 0.0015, seam + 0.0015), (0.6, 2.9)), black, layer=2.6)
    for seam in seams[1:]:
        handle = shell.patch((seam - 0.045, seam - 0.015), (2.45, 2.62))
        mesh.add(handle, plastic if truck else paint, layer=2.7)

    # The face: grille, air intake, headlamps; behind, tail lamps.
    edge, low = random.uniform(0.2, 0.34), random.uniform(1.5, 2.1)
    if not truck:
        low += 0.5
    mesh.add(front.patch((edge, 0.5, 1 - edge), (low, 3.3)), black, gloss=0.2, layer=2.6)
    for bar in np.linspace(low, 3.2, random.integers(2, 6)):
        mesh.add(front.patch((edge, 1 - edge), (bar, bar + 0.14)), chrome, gloss=0.6, layer=2.7)
    mesh.add(front.patch((0.22, 0.78), (0.3, 0.85)), black, layer=2.6)
    bottom, depth = random.uniform(2.0, 2.5), random.uniform(0.02, 0.06)
    lamp, red, tall = (0.75, 0.78, 0.8), (0.4, 0.008, 0.01), random.uniform(1.6, 2.4)
    inner = edge - 0.02
    for u in ((0, inner), (1 - inner, 1)):
        mesh.add(front.patch(u, (bottom - 0.08, 3.25)), black, gloss=0.5, layer=2.7)
        shrunk = (u[0] + 0.03, u[1] - 0.03)
        mesh.add(front.patch(shrunk, (bottom, 3.15)), lamp, gloss=1, glow=lit, layer=2.8)
    both((0, depth / 2, depth), (bottom, 3.0), lamp, 2.8, gloss=1, glow=lit)
    if not body.box:
        both((0.965, 0.985, 1), (tall, 3.0), red, 2.8, gloss=0.6, glow=0.6 * lit)
        for u in ((0.0, 0.15), (0.85, 1.0)):
            mesh.add(rear.patch(u, (tall, 3.4)), red, gloss=0.6, glow=0.6 * lit, layer=2.8)
        mesh.add(rear.patch((0.12, 0.88), (3.05, 3.1)), black, layer=2.7)

    # The cabin: its painted frame, then the glass. Some vans have no windows behind the door.
    mesh.add(cabin.patch(cabin.u, np.arange(7.0)), paint, gloss=1, layer=6)
    closed = body.height > 2 and random.random() < 0.6
    for start, stop in body.windows[: 1 if closed else None]:
        window = cabin.patch(np.linspace(start, stop, 6), (0.12, 0.88))
        mesh.add(window, glass, gloss=1, layer=7)
    across = (1.85, 2.5, 3, 3.5, 4.15)
    (cowl, _), (tail, _), (start, stop) = body.cowl, body.tail, body.roof
    for foot, top, low in ((cowl, start, 0.05), (tail, stop, 0.35 if tail > 0.95 else 0.12)):
        screen = np.sort(foot + (top - foot) * np.linspace(low, 0.95, 4))
        mesh.add(cabin.patch(screen, across), glass, gloss=1, layer=7)
    if body.name in ("estate", "suv") and random.random() < 0.5:
        for v in ((1.8, 1.95), (4.05, 4.2)):
            rail = cabin.patch(np.linspace(start + 0.03, stop - 0.03, 6), v) + (0, 0, 0.05)
            mesh.add(rail, plastic, layer=7.5)

    x, z = body.length * (0.5 - body.windows[0][0] - 0.01), body.cowl[1] + 0.09
    for side, layer in ((1, 8), (-1, 5.9)):
        y = side * (body.width / 2 + 0.07)
        for face in _cuboid((x - 0.06, y - 0.1, z - 0.07), (x + 0.06, y + 0.1, z + 0.09)):
            mesh.add(face, trim, gloss=0.6, layer=layer)

    if body.bed:
        # The bed is open: what shows is its dark inside.
        place = body.tail[0] + 0.01
        mesh.add(shell.patch((place, 0.97), (4.05, 5, 5.95)), paint * 0.15, layer=2.6)
    if body.box:
        cargo = np.full(3, 0.7) if random.random() < 0.7 else paint
        front_end, rear_end, half = 0.14 * body.length, -0.5 * body.length, 0.53 * body.width
        top = body.height + random.uniform(0.5, 1.0)
        for face in _cuboid((rear_end, -0.8 * half, 0.55), (front_end, 0.8 * half, 0.95)):
            mesh.add(face, black, layer=BEHIND_CAB + 1)
        for face in _cuboid((rear_end, -half, 0.95), (front_end, half, top)):
            mesh.add(face, cargo, gloss=0.3, layer=BEHIND_CAB + 6)
    return mesh.arrays()


def _add_wheels(mesh: Mesh, body: Body, random: np.random.Generator) -> None:
    """Tyres before the body is painted; arches, tyre walls and rims of the left side after it."""
    black, rim = (0.01,) * 3, (random.choice((0.04, 0.35, 0.5, 0.6)),) * 3
    radius, half, spokes = body.wheel_radius, body.width / 2 + 0.01, random.integers(5, 8)
    for axle in body.axles:
        x = body.length * (0.5 - axle)
        group = BEHIND_CAB if body.box and axle > 0.5 else 0
        mesh.add(_tread(x, half - 0.24, half, radius), black, layer=group)
        mesh.add(_tread(x, -half, 0.24 - half, radius), black, layer=group)
        if not group:
            mesh.add(_disc(x, half - 0.008, radius + 0.03, radius + 0.07), black, layer=3)
        mesh.add(_disc(x, half, radius, radius), (0.02,) * 3, layer=4 + group)
        mesh.add(_disc(x, half + 0.005, radius, 0.68 * radius), rim, gloss=0.4, layer=4.1 + group)
        angles = 2 * np.pi * (np.arange(spokes) + random.random()) / spokes
        for along, up in 0.44 * radius * np.stack([np.cos(angles), np.sin(angles)], axis=1):
            hole = _disc(x + along, half + 0.01, radius + up, 0.8 * radius / spokes, steps=3)
            mesh.add(hole, black, layer=4.2 + group)


# --- Light and camera --------------------------------------------------------------------


@dataclass(frozen=True)
class Light:
    """The sun and the sky, as linear RGB; the axes are right, away, up."""

    towards_sun: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    horizon: np.ndarray
    ground: np.ndarray
    exposure: float

    def develop(self, linear: np.ndarray) -> np.ndarray:
        """Linear light to the values of a picture, in [0, 255]."""
        exposed = 1.15 * self.exposure * np.maximum(linear, 0)
        # A little steeper than linear light (1 / 2.2): cameras add contrast.
        return 255 * np.clip(exposed / (1 + 0.15 * exposed), 0, 1) ** (1 / 1.9)

    def ink(self, linear: np.ndarray) -> tuple[int, ...]:
        """Linear light, RGB, as a colour that Pillow takes."""
        return tuple(self.develop(linear).astype(int).tolist())


def _linear(*colour: float) -> np.ndarray:
    """A colour as one reads it from a picture, in [0, 1], to linear light."""
    return np.array(colour) ** 2.2


def _light(row: Mapping, side: int, random: np.random.Generator) -> Light:
    """The light of a picture; `side` is -1 where the scene is drawn mirrored."""
    around, up = np.radians(side * row["sun_azimuth"]), np.radians(row["sun_elevation"])
    towards = np.array((np.cos(up) * np.sin(around), -np.cos(up) * np.cos(around), np.sin(up)))
    cloud = random.random()
    if row["light"] == "day":
        sun = np.array((1.0, 0.95, 0.86)) * (1.35 - 1.1 * cloud**2)
        blue = _linear(0.64, 0.74, 0.88)
        sky = blue + (_linear(0.8, 0.82, 0.85) - blue) * cloud
        horizon = _linear(0.82, 0.87, 0.93)
    else:
        sun = np.array((0.4, 0.24, 0.13)) * (1 - 0.5 * cloud)
        sky = _linear(0.3, 0.32, 0.44)
        horizon = _linear(0.75, 0.5, 0.38) * (1 - 0.5 * cloud)
    return Light(towards, sun, sky, horizon, 0.3 * sky + 0.12 * sun, row["exposure"])


def _shade(light: Light, normals, towards_eye, heights, materials) -> np.ndarray:
    """The linear colour of every face: lit by sun and sky, and mirroring what is around."""
    colour, gloss, glow = materials[:, :3], materials[:, 3:4], materials[:, 4:5]
    facing = np.sum(normals * towards_eye, axis=1, keepdims=True)
    mirrored = 2 * facing * normals - towards_eye
    upward = normals[:, 2:]
    lit = light.sun * np.maximum(normals @ light.towards_sun, 0)[:, None]
    # Near the ground, the vehicle's own shadow takes much of the skylight away.
    open_sky = np.clip(0.3 + 0.8 * heights[:, None], 0, 1)
    lit = lit + open_sky * (light.sky * (0.5 + 0.5 * upward) + light.ground * (0.5 - 0.5 * upward))
    # What a mirror would show: ground below, a dark rim of things, a bright horizon, the sky.
    rise = mirrored[:, 2:]
    above = np.clip((rise - 0.06) / 0.08, 0, 1)
    heaven = light.horizon + (light.sky - light.horizon) * np.clip(rise, 0, 1) ** 0.6
    around = above * heaven + (1 - above) * light.ground * np.where(rise < 0, 0.9, 0.45)
    strength = 0.045 + 0.955 * (1 - np.clip(facing, 0, 1)) ** 4
    shine = glow * colour / colour.max(axis=1, keepdims=True)
    spark = 1.5 * light.sun * np.clip(mirrored @ light.towards_sun, 0, 1)[:, None] ** 150
    return colour * lit * (1 - 0.3 * gloss * strength) + gloss * (strength * around + spark) + shine


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
        """Points in the camera's axes, as (x, y) in the photo; y grows downwards."""
        away = np.maximum(turned[..., 1], 0.5)
        flat = np.stack([turned[..., 0], self.height - turned[..., 2]], axis=-1) / away[..., None]
        return flat * self.scale + self.shift


# --- The picture -------------------------------------------------------------------------


def _trees(draw, light: Light, width: float, foot: float, random) -> None:
    """Leafy clumps side by side, dark within."""
    leaves = ((0.24, 0.34, 0.14), (0.34, 0.4, 0.2), (0.45, 0.38, 0.2), (0.2, 0.28, 0.16))
    leaf = _linear(*leaves[random.integers(4)]) * (0.6 * light.sun + light.sky)
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
        draw.rectangle((x, foot - tall, x + wide, foot + 2), fill=light.ink(_linear(*wall) * lit))
        columns, floors = random.integers(2, 7), random.integers(1, 5)
        step, floor, inset = wide / columns, tall / floors, random.uniform(0.12, 0.3)
        for left in x + step * (np.arange(columns) + inset):
            for top in foot - tall + floor * (np.arange(floors) + inset):
                right, bottom = left + step * (1 - 2 * inset), top + floor * (1 - 1.6 * inset)
                draw.rectangle((left, top, right, bottom), fill=light.ink(_linear(*window) * lit))
        x += wide * random.uniform(1, 1.15)


def _car_park(draw, light: Light, width: float, foot: float, random) -> None:
    """Other vehicles far behind, side on, before hills."""
    _hills(draw, light, width, foot, random)
    x, tall = -random.uniform(0, 0.2) * width, random.uniform(0.07, 0.16) * width
    foot = foot + 0.45 * tall
    while x < width:
        height = tall * random.uniform(0.85, 1.3)
        wide = height * random.uniform(1.3, 2.8)
        vivid = random.uniform(-0.3, 0.3, 3) * (random.random() < 0.5)
        paint = _linear(*np.clip(random.uniform(0.08, 0.9) * (1 + vivid), 0, 1))
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
        earth = _linear(*random.uniform((0.2, 0.25, 0.15), (0.5, 0.5, 0.4)))
        near = earth * (light.sky + 0.5 * light.sun)
        ridge = [(0, foot + 2), *zip(xs, ys, strict=True), (width, foot + 2)]
        draw.polygon(ridge, fill=light.ink(near + (0.6 * light.horizon - near) * haze))


CLUTTER = {"buildings": _buildings, "car park": _car_park, "hills": _hills, "trees": _trees}


def _backdrop(row, light: Light, width: int, height: int, horizon: float, random) -> Image.Image:
    """Sky, ground and clutter, width × height pixels."""
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
        sunlit = light.sun * light.towards_sun[2] + light.sky
        ground = _linear(*(grass if random.random() < 0.2 else stone)) * sunlit
        rows = np.where(down < horizon, sky, ground * (0.85 + 0.3 * near))
    rows = Image.fromarray(light.develop(rows)[:, None].astype(np.uint8))
    canvas = rows.resize((2 * width, 2 * height), Image.Resampling.NEAREST)
    if not studio:
        draw = ImageDraw.Draw(canvas)
        # The foot of what stands behind lies a little below the horizon.
        foot = 2 * horizon + random.uniform(0, 0.12) * height
        CLUTTER[row["background"]](draw, light, 2 * width, foot, random)
        for x in random.uniform(0, 2 * width, random.integers(0, 4)):
            grey = light.ink(_linear(*[random.uniform(0.2, 0.7)] * 3) * light.sky)
            pole = (x, foot, x, foot - random.uniform(0.3, 1.5) * width)
            draw.line(pole, fill=grey, width=1 + int(0.03 * width * random.random()))
        if random.random() < 0.2:
            slope, gap = random.uniform(-3, 3) * width, random.uniform(0.6, 1.6) * width
            for x in width + np.arange(-2, 3) * gap:
                line = (0.9 * width + 0.1 * x, foot, x + slope, 2 * height)
                draw.line(line, fill=light.ink(0.5 * sunlit), width=2)
    # Stones and blades: grain that grows towards the camera.
    coarse = 0.5 if studio else random.uniform(1, 9)
    grain = random.normal(0, coarse, (height, width, 1)) * np.sqrt(near)[:, :, None]
    picture = np.clip(np.asarray(canvas.reduce(2)) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(picture).filter(ImageFilter.GaussianBlur(random.uniform(0, 0.9)))


def _shadow(camera: Camera, light: Light, turned, normals, size) -> Image.Image:
    """How dark the vehicle makes the ground, as a mask in [0, 255]."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    sunny = light.sun[0] / (light.sun[0] + light.sky[0])
    # Along the sun's rays, and straight down: little skylight reaches the ground below.
    slanted = light.towards_sun / max(light.towards_sun[2], 0.3)
    for slope, strength in ((slanted, 210 * sunny), (np.array((0, 0, 1)), 140 + 70 * sunny)):
        # The faces turned to the light cast the whole shadow.
        casting = turned[normals @ slope > 0]
        fallen = camera.project(casting - casting[..., 2:] * slope)
        for outline in fallen.reshape(-1, 8).tolist():
            draw.polygon(outline, fill=int(strength))
    return mask.filter(ImageFilter.GaussianBlur(0.01 * size[0]))


# The colour of each paint as one reads it from a picture: bright, dark.
PAINTS = {
    "grey": ((0.8, 0.81, 0.82), (0.16, 0.16, 0.17)),
    "red": ((0.7, 0.08, 0.09), (0.36, 0.05, 0.07)),
    "blue": ((0.33, 0.47, 0.7), (0.08, 0.13, 0.35)),
    "green": ((0.45, 0.58, 0.38), (0.08, 0.22, 0.14)),
    "yellow": ((0.9, 0.7, 0.12), (0.34, 0.26, 0.15)),
}


def _paint_colour(row: Mapping, random: np.random.Generator) -> np.ndarray:
    """The linear colour of the paint, a little different on every vehicle."""
    colour = np.array(PAINTS[row["colour"]][row["paint"] == "dark"])
    varied = colour * random.uniform(0.8, 1.18) + random.uniform(-0.03, 0.03, 3)
    return _linear(*np.clip(varied, 0, 1))


def _render(row: Mapping, image_size: tuple[int, int]) -> np.ndarray:
    """Draws one picture from checked parameters, uint8 of shape (height, width, 3)."""
    # Everything is drawn facing left. A vehicle that faces right is the mirror image of one
    # facing left under a mirrored sun at a mirrored place: a flip is a picture like any other.
    side = 1 if row["heading"] == "left" else -1
    random = np.random.default_rng(int(row["details"]))
    outer_height, outer_width = image_size
    width = min(outer_width, round(outer_height * row["aspect"]))
    height = min(outer_height, round(outer_width / row["aspect"]))

    light = _light(row, side, random)
    body, lit = BODIES[row["body"]], 0.9 * (row["light"] == "dusk")
    faces, materials = _build(body, _paint_colour(row, random), lit, random)
    camera = Camera(row["azimuth"], row["distance"], row["camera_height"])
    turned = camera.turn(faces * (row["length_factor"], 1, row["height_factor"]))

    # Zoom until the vehicle fills its share of the photo, then move it to its place.
    flat = camera.project(turned)
    low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
    room, place = np.array((width, height)), np.array((side * row["place_x"], row["place_y"]))
    scale = row["size"] * np.min(room / (high - low))
    shift = (room - scale * (high - low)) * (1 + place) / 2 - scale * low
    camera = replace(camera, scale=scale, shift=tuple(shift))

    photo = _backdrop(row, light, width, height, shift[1], random)
    normals = np.cross(turned[:, 2] - turned[:, 0], turned[:, 3] - turned[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    photo.paste((6, 6, 10), mask=_shadow(camera, light, turned, normals, photo.size))
    vehicle = _paint_faces(camera, light, turned, normals, materials, body, photo.size)
    photo.paste(vehicle, mask=vehicle)

    if row["softness"] > 0:
        photo = photo.filter(ImageFilter.GaussianBlur(float(row["softness"]) * outer_width / 128))
    # A photo from the web has been through JPEG.
    stored = io.BytesIO()
    photo.save(stored, "JPEG", quality=int(random.integers(60, 95)))
    picture = np.zeros((outer_height, outer_width, 3), dtype=np.uint8)
    top, left = (outer_height - height) // 2, (outer_width - width) // 2
    picture[top : top + height, left : left + width] = np.asarray(Image.open(stored))
    return picture if side > 0 else picture[:, ::-1].copy()


def _paint_faces(camera, light, turned, normals, materials, body, size) -> Image.Image:
    """The vehicle alone on a transparent photo: far faces first, three pixels for one."""
    fine = 3
    middle = turned.mean(axis=1)
    towards_eye = np.array((0, 0, camera.height)) - middle
    distance = np.linalg.norm(towards_eye, axis=1)
    towards_eye /= distance[:, None]
    shown = np.flatnonzero(np.sum(normals * towards_eye, axis=1) > 0)
    layers = materials[:, 5].copy()
    if body.box and np.cos(np.radians(camera.azimuth)) * camera.distance > 0.14 * body.length:
        # Seen from ahead of the box, the cab hides the box, not the box the cab.
        layers[layers >= BEHIND_CAB] -= 2 * BEHIND_CAB
    shown = shown[np.lexsort((-distance[shown], layers[shown]))]
    shades = light.develop(
        _shade(light, normals[shown], towards_eye[shown], middle[shown, 2], materials[shown])
    )
    corners = (fine * camera.project(turned[shown])).reshape(-1, 8).tolist()
    canvas = Image.new("RGBA", (fine * size[0], fine * size[1]))
    draw = ImageDraw.Draw(canvas)
    for outline, shade in zip(corners, shades.astype(int).tolist(), strict=True):
        draw.polygon(outline, fill=(*shade, 255))
    return canvas.reduce(fine)


# --- What the lessons call ---------------------------------------------------------------


def draw_vehicle(
    parameters: Mapping[str, Any], image_size: tuple[int, int] = (128, 128)
) -> np.ndarray:
    """Draws one picture from explicit parameters.

    Swap the heading and negate `sun_azimuth` and `place_x`, and the picture is mirrored exactly.

    Args:
        parameters: a row of the DataFrame that `make_synthetic_vehicles` returns, or a dict with
            the same keys: "type" and every name in `NUISANCES`.
        image_size: (height, width) in pixels, each from 16 to 1024.

    Returns:
        The picture, uint8 of shape (height, width, 3), RGB in [0, 255].

    Raises:
        ValueError: A parameter is missing or outside what `NUISANCES` allows, or the body is
            none of the type's.
        TypeError: A parameter that is a number received something else.
    """
    image_size = _check_image_size(image_size)
    row = dict(parameters)
    missing = [name for name in ("type", *NUISANCES) if name not in row]
    if missing:
        raise ValueError(
            f"Expected every parameter of a picture, received none called {missing[0]!r}. "
            "Pass one row of the DataFrame that make_synthetic_vehicles returns."
        )
    _check_choice("type", row["type"], CLASS_NAMES)
    for name, nuisance in NUISANCES.items():
        if isinstance(nuisance, Names):
            _check_choice(name, row[name], nuisance.names)
        elif not isinstance(row[name], Real):
            raise TypeError(
                f"Expected one number as {name}, received {row[name]!r}. Pass a number from "
                f"{nuisance.low} to {nuisance.high}."
            )
        _setting_for(name, row[name], row["type"])
    return _render(row, image_size)


def make_synthetic_vehicles(
    count: int,
    *,
    seed: int = 31415,
    image_size: tuple[int, int] = (128, 128),
    label: str = "type",
    split: str = "train",
    **nuisances: Any,
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Draws labelled pictures of cars and trucks, and tells every truth about them.

    Cars and trucks are equally many, within one. Picture i depends on `seed`, `split`, i and
    the nuisances, not on `count` and not on `label`: the same pictures can ask another
    question. A nuisance that is set moves no other: what it leaves alone stays as it was.

    A nuisance, by its name in `NUISANCES`, may be set to

    - a value: `light="dusk"`, `size=0.9`;
    - for a number, a range to draw from: `azimuth=(60, 120)`;
    - for a name, several with equal odds, `background=("hills", "trees")`, or with shares,
      `heading={"left": 0.9, "right": 0.1}`;
    - any of these by class, which is a bias: `light=PerClass(car="day", truck="dusk")`.

    A body is drawn among those of its class that the setting names.

    Args:
        count: how many pictures, 1 or more.
        seed: from 0 to 2**32 - 1.
        image_size: (height, width) in pixels, each from 16 to 1024.
        label: the parameter that the labels tell: "type" (0 = Car, 1 = Truck), "heading"
            (0 = left, 1 = right), "light" (0 = day, 1 = dusk) or "paint" (0 = bright,
            1 = dark).
        split: "train" or "valid". The same seed gives the two no picture in common.
        **nuisances: settings by name; what is not set is drawn from its default.

    Returns:
        images: float32 of shape (count, height, width, 3), RGB in [0, 1].
        labels: float32 of shape (count, 1), 0 or 1.
        parameters: a DataFrame with one row per picture, column "type" and one column per
            nuisance; `draw_vehicle` draws the same picture from such a row.

    Raises:
        ValueError: A value is outside what can be drawn.
        TypeError: A nuisance is unknown, or a value has the wrong type.
    """
    rows = _draw_rows(count, seed, split, nuisances)
    height, width = _check_image_size(image_size)
    _check_choice("label", label, tuple(LABELS))
    images = np.empty((len(rows), height, width, 3), dtype=np.float32)
    for image, row in zip(images, rows, strict=True):
        image[:] = _render(row, (height, width))
    images /= 255
    parameters = pd.DataFrame(rows)
    labels = (parameters[label] == LABELS[label][1]).to_numpy(np.float32)[:, None]
    return images, labels, parameters


def write_vehicles(
    folder: str | os.PathLike,
    *,
    train: int,
    valid: int,
    seed: int,
    image_size: tuple[int, int] = (128, 128),
    **nuisances: Any,
) -> Path:
    """Writes synthetic vehicles as a folder of photos, once and as a whole.

    The layout is train/Car/00000.png, train/Truck/00001.png, ..., valid/..., and beside the
    classes parameters.csv, whose column "file" names each picture below its split. Where the
    folder exists it is taken as it stands. A folder half written is never seen: everything is
    written beside it and renamed at the end; where another process was faster, its folder
    stays.

    Args:
        folder: where to write.
        train: how many pictures in train, 2 or more; cars and trucks balance within one.
        valid: the same for valid. The two splits share no picture.
        seed: from 0 to 2**32 - 1.
        image_size: (height, width) in pixels, each from 16 to 1024.
        **nuisances: as for `make_synthetic_vehicles`; they hold in both splits.

    Returns:
        The folder.

    Raises:
        ValueError: A value is outside what can be drawn.
        TypeError: A nuisance is unknown, or a value has the wrong type.
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    image_size = _check_image_size(image_size)
    for name, count in (("train", train), ("valid", valid)):
        _check_whole_number(name, count, 2, MOST)
    rows = {
        split: _draw_rows(count, seed, split, nuisances)
        for split, count in zip(SPLITS, (train, valid), strict=True)
    }
    if folder.is_dir():
        return folder
    with atomic_folder(folder) as beside:
        for split in SPLITS:
            _write_split(beside / split, rows[split], image_size)
    return folder


def _write_split(folder: Path, rows: list[dict[str, Any]], image_size: tuple[int, int]) -> None:
    for class_name in CLASS_NAMES:
        (folder / class_name).mkdir(parents=True)
    files = [f"{row['type']}/{index:05d}.png" for index, row in enumerate(rows)]
    for file, row in zip(files, rows, strict=True):
        Image.fromarray(_render(row, image_size)).save(folder / file)
    pd.DataFrame(rows).assign(file=files).to_csv(folder / "parameters.csv", index=False)
