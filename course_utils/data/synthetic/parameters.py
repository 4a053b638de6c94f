"""What can vary in a synthetic image, and how each image's parameters are sampled.

Angles are in degrees and lengths in meters. Lesson 03 uses the nuisances to bias a dataset.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from course_utils.core.checks import check_choice, check_count
from course_utils.data.synthetic.vehicle import BODIES

CLASS_NAMES = ("Car", "Truck")
SPLITS = ("train", "valid")
MOST = 99_999  # an image's file name has five digits


@dataclass(frozen=True)
class PerClass:
    """One setting of a nuisance for cars and another for trucks: a bias.

    Args:
        car: What a nuisance may be set to (see `make_synthetic_vehicles`), for the cars.
        truck: The same, for the trucks.

    Example:
        Cars by day and trucks at dusk:

        >>> light = PerClass(car="day", truck="dusk")
        >>> rows = sample_parameters(4, seed=1, split="train", light=light)
        >>> sorted((row["type"], row["light"]) for row in rows)
        [('Car', 'day'), ('Car', 'day'), ('Truck', 'dusk'), ('Truck', 'dusk')]
    """

    car: Any
    truck: Any


@dataclass(frozen=True)
class Numbers:
    """A nuisance that is a number: its limits, and the range sampled from by default."""

    low: float
    high: float
    default: Any
    meaning: str

    def check(self, name: str, setting: Any) -> tuple[float, float]:
        """Returns the low and high end that a setting asks for; refuses what is no setting."""
        ends = setting if isinstance(setting, tuple | list) else (setting, setting)
        numbers = all(isinstance(end, Real) and not isinstance(end, bool) for end in ends)
        if len(ends) != 2 or not numbers:
            raise TypeError(
                f"Expected `{name}` as a number or a range (low, high), received {setting!r}. "
                f"Write for example {name}={self.default}."
            )
        low, high = ends
        if not self.low <= low <= high <= self.high:
            raise ValueError(
                f"Expected `{name}` ({self.meaning}) within [{self.low}, {self.high}], low end "
                f"first, received {setting!r}. Choose a number or a range within."
            )
        return low, high

    @staticmethod
    def sample(limits: tuple[float, float], uniform: float) -> float:
        """Returns a value between the limits for a random number from 0 to 1."""
        return limits[0] + (limits[1] - limits[0]) * uniform


@dataclass(frozen=True)
class Names:
    """A nuisance that is one of several names; `default` may give each name a weight."""

    names: tuple[str, ...]
    default: Any
    meaning: str

    def check(self, name: str, setting: Any) -> dict[str, float]:
        """Returns the weight of each name that a setting asks for; refuses what is no setting."""
        chosen = setting if isinstance(setting, Mapping | list | tuple | set) else (setting,)
        if not chosen or any(each not in self.names for each in chosen):
            raise ValueError(
                f"Expected `{name}` among {', '.join(self.names)} (one, several, or a dict of "
                f"weights), received {setting!r}. Choose among these names."
            )
        asked = setting if isinstance(setting, Mapping) else dict.fromkeys(chosen, 1.0)
        # In the names' own order: how a setting is written does not matter, only what it says.
        weights = {each: asked[each] for each in self.names if each in asked}
        for weight in weights.values():
            if isinstance(weight, bool) or not isinstance(weight, Real) or not 0 <= weight < np.inf:
                raise ValueError(
                    f"Expected weights of 0 or more for `{name}`, received {setting!r}. "
                    f"Write for example {{{self.names[0]!r}: 0.9, {self.names[1]!r}: 0.1}}."
                )
        if sum(weights.values()) <= 0:
            raise ValueError(
                f"Expected a weight above 0 for `{name}`, received {setting!r}. "
                "Give at least one name a weight."
            )
        return weights

    @staticmethod
    def sample(weights: dict[str, float], uniform: float) -> str:
        """Returns one of the names by their weights, for a random number from 0 to 1."""
        bounds = np.cumsum(list(weights.values()))
        chosen = int(np.searchsorted(bounds, uniform * bounds[-1], side="right"))
        return list(weights)[min(chosen, len(weights) - 1)]


NUISANCES: dict[str, Numbers | Names] = {
    "body": Names(
        tuple(BODIES),
        PerClass(
            car={"hatchback": 0.25, "sedan": 0.35, "station wagon": 0.2, "coupe": 0.2},
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
    "heading": Names(("left", "right"), ("left", "right"), "side of the image the nose is on"),
    "azimuth": Numbers(0, 180, (20, 160), "degrees from the nose round to the camera"),
    "distance": Numbers(5, 30, (6, 12), "meters from the camera to the vehicle's middle"),
    "camera_height": Numbers(1.2, 2.5, (1.4, 2.2), "meters above the ground"),
    "length_factor": Numbers(0.85, 1.15, (0.93, 1.07), "times the body's usual length"),
    "height_factor": Numbers(0.85, 1.15, (0.94, 1.06), "times the body's usual height"),
    "size": Numbers(0.3, 1, (0.78, 1.0), "fraction of the photo that the vehicle fills"),
    "place_x": Numbers(-1, 1, (-1, 1), "from the photo's left edge to its right"),
    "place_y": Numbers(-1, 1, (-0.4, 0.7), "from the photo's upper edge to its lower"),
    "aspect": Numbers(1, 2, (1.2, 1.7), "the photo's width divided by its height"),
    "light": Names(("day", "dusk"), {"day": 0.8, "dusk": 0.2}, "time of day"),
    "sun_azimuth": Numbers(-180, 180, (-130, 130), "degrees; 0 behind the camera, > 0 right"),
    "sun_elevation": Numbers(10, 80, (15, 65), "degrees above the horizon"),
    "exposure": Numbers(0.4, 2, (0.8, 1.5), "times the usual brightness"),
    "paint": Names(("bright", "dark"), ("bright", "dark"), "tone of the paint"),
    "color": Names(
        ("gray", "red", "blue", "green", "yellow"),
        {"gray": 0.55, "red": 0.16, "blue": 0.16, "green": 0.06, "yellow": 0.07},
        "color of the paint",
    ),
    "background": Names(
        ("buildings", "parking lot", "hills", "studio", "trees"),
        {"buildings": 0.22, "parking lot": 0.22, "hills": 0.16, "studio": 0.14, "trees": 0.26},
        "what stands behind",
    ),
    "softness": Numbers(0, 1.5, (0, 0.6), "radius of the blur, in pixels of 1/128 of the width"),
    "details": Numbers(0, 2**31, (0, 2**31), "seed of everything else: rims, trees, noise"),
}

LABELS = {"type": CLASS_NAMES} | {
    name: nuisance.names
    for name, nuisance in NUISANCES.items()
    if isinstance(nuisance, Names) and len(nuisance.names) == 2
}


def sample_parameters(
    count: int, *, seed: int, split: str, **nuisances: Any
) -> list[dict[str, Any]]:
    """Samples the parameters of every image, after a check of everything they follow from.

    Args:
        count: How many images, 1 to 99,999.
        seed: From 0 to 2**32 - 1.
        split: `"train"` or `"valid"`.
        **nuisances: Settings by name, as for `make_synthetic_vehicles`.

    Returns:
        For each image a dict with "type", `"Car"` or `"Truck"`, and every name in `NUISANCES`.

    Raises:
        ValueError: If a value is outside its limits.
        TypeError: If a nuisance is unknown, or a value has the wrong type.

    Example:
        >>> first, second = sample_parameters(2, seed=1, split="train", light="dusk")
        >>> first["type"], second["type"], first["light"]
        ('Truck', 'Car', 'dusk')
    """
    count = check_count("count", count, 1, MOST)
    seed = check_count("seed", seed, 0, 2**32 - 1)
    check_choice("split", split, SPLITS)
    unknown = [name for name in nuisances if name not in NUISANCES]
    if unknown:
        raise TypeError(
            f"Expected nuisances among {', '.join(NUISANCES)}, received {unknown[0]!r}. "
            "Choose one of these names."
        )
    settings = {
        type_name: {
            name: check_setting(name, nuisances.get(name, nuisance.default), type_name)
            for name, nuisance in NUISANCES.items()
        }
        for type_name in CLASS_NAMES
    }
    return [_sample_one(index, seed, split, settings) for index in range(count)]


def check_setting(name: str, setting: Any, type_name: str) -> Any:
    """Returns a nuisance's checked setting for one class: a dict of weights, or (low, high).

    Args:
        name: A name in `NUISANCES`.
        setting: What it may be set to, as for `make_synthetic_vehicles`.
        type_name: `"Car"` or `"Truck"`.

    Raises:
        ValueError: If the setting is outside the limits, or names no body of that class.
        TypeError: If it has the wrong type.

    Example:
        >>> check_setting("heading", PerClass(car="left", truck="right"), "Truck")
        {'right': 1.0}
        >>> check_setting("azimuth", 90, "Car")
        (90, 90)
    """
    if isinstance(setting, PerClass):
        setting = setting.car if type_name == "Car" else setting.truck
    checked = NUISANCES[name].check(name, setting)
    if name == "body":
        fitting = [each for each, body in BODIES.items() if body.type == type_name]
        checked = {each: weight for each, weight in checked.items() if each in fitting}
        if sum(checked.values()) <= 0:
            raise ValueError(
                f"Expected a body for {type_name}, received {setting!r}. "
                f"Add one of {', '.join(fitting)}, or set PerClass(car=..., truck=...)."
            )
    return checked


def _sample_one(index: int, seed: int, split: str, settings: Mapping) -> dict[str, Any]:
    """Samples the parameters of one image.

    One random number belongs to each nuisance, whatever its setting: to change the setting of
    one leaves all others as they were.
    """
    stream = SPLITS.index(split)
    # Two images in a row hold one car and one truck, so the classes balance at any count.
    truck_first = np.random.default_rng((seed, index // 2, stream, 1)).random() < 0.5
    type_name = CLASS_NAMES[(index + truck_first) % 2]
    uniforms = np.random.default_rng((seed, index, stream, 2)).random(len(NUISANCES)).tolist()
    row = {"type": type_name}
    for (name, nuisance), uniform in zip(NUISANCES.items(), uniforms, strict=True):
        row[name] = nuisance.sample(settings[type_name][name], uniform)
    row["details"] = int(row["details"])
    return row
