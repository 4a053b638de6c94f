"""Head death: a head whose output does not vary over the clean training photos."""

import numpy as np

# Outputs that lie no further apart differ by rounding alone (relative to the largest, above 1).
ROUNDING = 1e-6
NEARLY = 0.02  # apart by less than this, and all on one side: nearly dead


def is_constant(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Returns whether outputs do not vary over the photos: bool, shape of `lowest`.

    By far the most common reason is a dead ReLU layer: hidden units that are zero for every photo
    pass no gradient and so never come back. What the layers are does not count, only what comes
    out of them.

    Args:
        lowest: Each output's lowest value over the photos.
        highest: Each output's highest.
    """
    lowest, highest = np.asarray(lowest, float), np.asarray(highest, float)
    largest = np.maximum(np.abs(lowest), np.abs(highest))
    with np.errstate(invalid="ignore"):  # infinite less infinite
        spread = highest - lowest
    return np.isfinite(spread) & (spread <= ROUNDING * np.maximum(largest, 1))


def is_dead(lowest: np.ndarray, highest: np.ndarray) -> bool:
    """Whether none of a head's outputs varies over the photos.

    Args:
        lowest: Each output's lowest value over the photos, shape (outputs,).
        highest: Each output's highest.
    """
    return bool(is_constant(lowest, highest).all())


def describe_death(lowest: np.ndarray, highest: np.ndarray) -> str:
    """Returns in words that a head is dead or nearly dead, and what to do; "" for a living one.

    Args:
        lowest: Each output's lowest value over the clean training photos, shape (outputs,).
        highest: Each output's highest.
    """
    advice = (
        "Build the model with another seed and train again; if that does not help, try a smaller "
        "learning rate."
    )
    if is_dead(lowest, highest):
        return (
            "The head is dead: its output is the same for every clean training photo. As a rule "
            "all its hidden units are zero for every photo, so no gradient reaches them. That is "
            f"bad luck of the initial weights. {advice}"
        )
    spread = np.max(np.subtract(highest, lowest, dtype=float))
    if spread < NEARLY and _has_one_class(lowest, highest):
        return (
            "The head is nearly dead: over the clean training photos its output varies by "
            f"{spread:.2g} at the most, so it gives every photo the same class. {advice}"
        )
    return ""


def _has_one_class(lowest: np.ndarray, highest: np.ndarray) -> bool:
    """Whether every photo gets the same class, as far as the extremes tell."""
    if np.size(lowest) > 1:  # The largest output is the class.
        first = np.argmax(lowest)
        return bool(np.ravel(lowest)[first] > np.delete(np.ravel(highest), first).max())
    # A probability changes its class at one half, a logit at zero.
    limit = 0.5 if np.min(lowest) >= 0 and np.max(highest) <= 1 else 0.0
    return bool(np.min(lowest) > limit or np.max(highest) <= limit)
