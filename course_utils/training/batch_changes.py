"""Functions that change what a head learns from: a batch's stored features and its labels.

A frozen base has made the features already, so such a function costs no further pass. Lesson 09
mixes photos' features and labels with one, and augments features with another.
"""

from collections.abc import Callable

import numpy as np

from course_utils.core.fingerprints import fingerprint, random_sources

# From features, float32 (batch, features), labels, float32 (batch, 1), and a random generator to
# features and labels of the same shapes.
BatchChange = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def describe_change(change: BatchChange) -> str:
    """Returns a fingerprint of a function of stored features.

    Args:
        change: The function.

    Raises:
        ValueError: If it draws from anything but the generator that it is given: what it draws
            then differs from run to run, and from one computer to another.

    Example:
        >>> blur = lambda features, labels, random: (features + random.normal(), labels)
        >>> len(describe_change(blur))
        32
    """
    others = random_sources(change)
    if others:
        raise ValueError(
            f"Expected {change.__name__} to draw its random numbers from its third argument, but "
            f"it calls {', '.join(others)}. With `def {change.__name__}(features, labels, "
            "random)`, write `random.random(…)` or `random.beta(…)`."
        )
    return fingerprint(change)


def change_batch(
    change: BatchChange, features: np.ndarray, targets: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what a function makes of a batch, and checks that a head can learn from it.

    Args:
        change: The function.
        features: float32, shape (batch, features).
        targets: float32, shape (batch,).
        random: What the function draws from.

    Raises:
        ValueError: If the function returns other shapes, or labels outside of 0 to 1.

    Example:
        >>> features, targets = np.ones((2, 3), "float32"), np.array([0, 1], "float32")
        >>> swap = lambda features, labels, random: (features[::-1], labels[::-1])
        >>> change_batch(swap, features, targets, np.random.default_rng(0))[1].tolist()
        [1.0, 0.0]
    """
    given = change(features, targets[:, None], random)
    shapes = [np.shape(each) for each in given] if isinstance(given, tuple) else [np.shape(given)]
    if shapes != [features.shape, (len(targets), 1)]:
        raise ValueError(
            f"Expected features of shape {features.shape} and labels of shape ({len(targets)}, 1) "
            f"from {getattr(change, '__name__', 'the function')}, received the shapes "
            f"{', '.join(map(str, shapes))}. End it with `return features, labels`, and keep one "
            "row for each photo."
        )
    changed, labels = (np.asarray(each, "float32") for each in given)
    if not (labels.min() >= 0 and labels.max() <= 1):
        raise ValueError(
            f"Expected labels from 0 to 1 from {getattr(change, '__name__', 'the function')}, "
            f"received {labels.min():g} to {labels.max():g}. Give the two labels weights that add "
            "up to 1."
        )
    return changed, labels[:, 0]
