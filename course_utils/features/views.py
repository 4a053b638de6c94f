"""Views: the versions of a photo that training draws from, and what tells one from another."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from course_utils.core import backend
from course_utils.core.fingerprints import fingerprint, is_own
from course_utils.models.fingerprints import fingerprint_layer, is_random, seed_states
from course_utils.models.partition import flatten

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# Keras's random layers that are more than the identity in inference.
CHANGING_IN_INFERENCE = (keras.layers.RandomCrop,)
# Keras's random layers that hold others, and ask none of them in inference.
HOLDING = (keras.layers.RandAugment,)
# Keras's layers that take `training` and do the same either way.
ALIKE = (keras.layers.Resizing, keras.layers.CenterCrop, keras.layers.Rescaling)


@dataclass(frozen=True)
class View:
    """One version of the photos: as in inference, or augmented with random values of its own.

    Args:
        fingerprint: Text that is equal for equal versions, and for no others.
        training: Whether the layers work as in training.
        flips: For each `RandomFlip` of the front, whether it flips, where flips alone are random;
            `None` otherwise.
        number: Which of the random draws this is.
        change: What is done to every photo alike before it enters the front: from images to
            images, float32 (batch, height, width, 3); `None` leaves them as they are.
    """

    fingerprint: str
    training: bool = field(compare=False)
    flips: tuple[bool, ...] | None = field(default=None, compare=False)
    number: int = field(default=0, compare=False)
    change: Callable | None = field(default=None, repr=False, compare=False)


@contextmanager
def keep_random_states(layers: Sequence[keras.Layer]) -> Iterator[list]:
    """Gives the layers' random states, and puts these back where they were.

    Args:
        layers: Keras layers, random or not.
    """
    states = [state for layer in layers for state in seed_states(layer)]
    kept = [state.numpy() for state in states]
    try:
        yield states
    finally:
        for state, value in zip(states, kept, strict=True):
            state.assign(value)


def group_random_states(front: Sequence[keras.Layer]) -> tuple[list, list[int]]:
    """Returns the front's random states, and for each the first one that stands where it does.

    Layers made with the same seed draw the same numbers. They do so in stored views too.

    Args:
        front: The model's layers before the base.

    Returns:
        The variables, and as many numbers: equal for states that are equal now.
    """
    states = list({id(each): each for layer in front for each in seed_states(layer)}.values())
    values = [tuple(np.asarray(state).tolist()) for state in states]
    return states, [values.index(value) for value in values]


def list_views(front: Sequence[keras.Layer], *, views: int, seed: int) -> list[View]:
    """Returns the views of the training photos that training draws from, equally likely each.

    What has few outcomes is listed exactly: one where nothing is random, two for a flip, four
    for two flips. Otherwise there are `views` random draws.

    Args:
        front: The model's layers before the base.
        views: How many random draws.
        seed: Of the draws.

    Raises:
        ValueError: If `views` is under 1.
    """
    if isinstance(views, bool) or not isinstance(views, int | np.integer) or views < 1:
        raise ValueError(f"Expected `views` to be a whole number from 1, received {views!r}.")
    front = flatten(front)
    random = [layer for layer in front if is_random(layer)]
    groups = group_random_states(front)[1]
    independent = len(set(groups)) == len(random)
    if independent and all(map(_is_exact_flip, random)):
        outcomes = itertools.product((False, True), repeat=len(random))
        return [View(_describe_outcome(front, flips), True, flips) for flips in outcomes]
    described = [["training", fingerprint_layer(layer)] for layer in front]
    return [
        View(fingerprint([described, groups, seed, number]), True, None, number)
        for number in range(views)
    ]


def clean_view(front: Sequence[keras.Layer]) -> View:
    """Returns the view that `predict` sees: every layer works as in inference."""
    steps = [step for layer in flatten(front) for step in _describe_inference(layer)]
    return View(fingerprint(steps), False)


def changed_view(front: Sequence[keras.Layer], change: Callable, about: Sequence) -> View:
    """Returns the view that `predict` sees of photos that all have been changed alike.

    Args:
        front: The model's layers before the base.
        change: As in `View`.
        about: Numbers and text; equal for equal changes, and for no others.
    """
    clean = clean_view(front)
    return View(fingerprint(["changed", about, clean.fingerprint]), False, change=change)


def flipped_axes(layer: keras.layers.RandomFlip) -> list[int]:
    """Returns the axes of (batch, height, width, 3) that a flip reverses."""
    axes = {"horizontal": [2], "vertical": [1], "horizontal_and_vertical": [1, 2]}
    return axes[layer.mode]


def is_identity_in_inference(layer: keras.Layer) -> bool:
    """Whether a layer is one of Keras's own that `predict` passes by."""
    return (
        is_random(layer)
        and not is_own(type(layer))
        and type(layer).__module__.startswith("keras.src.layers.")
        and not isinstance(layer, (*CHANGING_IN_INFERENCE, keras.layers.Pipeline))
        and (type(layer) in HOLDING or not layer._flatten_layers(include_self=False))
        and layer.compute_dtype == "float32"
    )


def _is_exact_flip(layer: keras.Layer) -> bool:
    return (
        type(layer) is keras.layers.RandomFlip
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
    )


def _describe_inference(layer: keras.Layer) -> list:
    """Returns what a layer does in inference; nothing where that is nothing."""
    if is_identity_in_inference(layer):
        return []
    return [["inference" if _asks_training(layer) else "fixed", fingerprint_layer(layer)]]


def _describe_outcome(front: Sequence[keras.Layer], flips: tuple[bool, ...]) -> str:
    steps, outcome = [], iter(flips)
    for layer in front:
        if is_random(layer):
            steps += [["flipped", flipped_axes(layer)]] if next(outcome) else []
        else:
            steps += [["training" if _asks_training(layer) else "fixed", fingerprint_layer(layer)]]
    return fingerprint(steps)


def _asks_training(layer: keras.Layer) -> bool:
    """Whether a layer, or one inside it, may do something else in training than in inference."""
    if getattr(layer, "fixed_training", None) is False or isinstance(layer, ALIKE):
        return False
    return any(each._call_has_training_arg for each in layer._flatten_layers())
