"""Views: the versions of a photo that training draws from, and what tells one from another."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from course_utils.core import backend
from course_utils.models import copies

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


@dataclass(frozen=True)
class View:
    """One version of the photos: as they are, changed alike, or augmented by the layers' own dice.

    Args:
        description: Text that is equal for equal versions, and for no others.
        flips: For each `RandomFlip` of the front, whether it flips; `None` if dice decide.
        number: Which throw of the dice this is.
        change: What is done to every photo alike before it enters the front: from images to
            images, float32 (batch, height, width, 3); `None` leaves them as they are.
    """

    description: str
    flips: tuple[bool, ...] | None
    number: int = 0
    change: Callable | None = field(default=None, repr=False, compare=False)


def is_random(layer: keras.Layer) -> bool:
    """Whether a layer throws dice: whether it, or a layer inside it, holds a seed's state."""
    return bool(_seed_states(layer))


def _seed_states(layer: keras.Layer) -> list:
    return [variable for variable in layer.variables if variable.name == "seed_generator_state"]


@contextmanager
def keep_random_states(layers: Sequence[keras.Layer]) -> Iterator[list]:
    """Gives the variables that hold the layers' dice, and puts these back where they were.

    Args:
        layers: Keras layers, random or not.
    """
    states = [state for layer in layers for state in _seed_states(layer)]
    kept = [state.numpy() for state in states]
    try:
        yield states
    finally:
        for state, value in zip(states, kept, strict=True):
            state.assign(value)


def list_views(front: Sequence[keras.Layer], *, views: int, seed: int) -> list[View]:
    """Returns the views of the train photos that training draws from, equally likely each.

    What has few outcomes is listed exactly: one where nothing is random, two for a flip, four
    for two flips. Otherwise there are `views` throws of the dice.

    Args:
        front: The model's layers before the base.
        views: How many throws of the dice.
        seed: Of the dice.

    Raises:
        ValueError: If `views` is under 1.
    """
    if not isinstance(views, int) or views < 1:
        raise ValueError(f"Expected `views` to be a whole number from 1, received {views!r}.")
    random = [layer for layer in front if is_random(layer)]
    if all(isinstance(layer, keras.layers.RandomFlip) for layer in random):
        outcomes = itertools.product((False, True), repeat=len(random))
        return [View(_describe(front, flips), flips) for flips in outcomes]
    return [
        View(_describe(front, None) + f", seed {seed}, throw {number}", None, number)
        for number in range(views)
    ]


def clean_view(front: Sequence[keras.Layer]) -> View:
    """Returns the view that `predict` sees: nothing random happens."""
    flips = (False,) * sum(isinstance(layer, keras.layers.RandomFlip) for layer in front)
    return View(_describe(front, flips), flips)


def changed_view(front: Sequence[keras.Layer], change: Callable, about: Sequence) -> View:
    """Returns the view that `predict` sees of photos that all have been changed alike.

    Args:
        front: The model's layers before the base.
        change: As in `View`.
        about: What JSON can write; equal for equal changes, and for no others.
    """
    clean = clean_view(front)
    described = json.dumps(["changed", about], sort_keys=True)
    return View(f"{described} {clean.description}", clean.flips, change=change)


def _describe(front, flips) -> str:
    """Says what the front does to a photo; a random layer that does nothing is left out."""
    steps, outcome = [], iter(flips or ())
    for layer in front:
        if not is_random(layer):
            weights = [
                hashlib.sha256(weight.tobytes()).hexdigest()[:12] for weight in layer.get_weights()
            ]
            steps.append([type(layer).__name__, copies.describe_layer(layer), weights])
        elif flips is None:
            steps.append([type(layer).__name__, copies.describe_layer(layer)])
        elif isinstance(layer, keras.layers.RandomFlip) and next(outcome):
            steps.append(["flipped", _flipped_axes(layer)])
    return json.dumps(steps, sort_keys=True, default=str)


def _flipped_axes(layer: keras.layers.RandomFlip) -> list[int]:
    axes = {"horizontal": [2], "vertical": [1], "horizontal_and_vertical": [1, 2]}
    return axes[layer.mode]
