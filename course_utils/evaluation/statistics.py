"""How sure a mean difference is: over seeds, and over seeds and photos together."""

from typing import NamedTuple

import numpy as np
from scipy import stats

RESAMPLES = 2000
CHUNK = 100  # resamples at once: what a few thousand photos leave small in memory
POWER = 0.8  # how often a difference of the detectable size is found


class Interval(NamedTuple):
    """A mean with the interval around it."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0 or self.high < 0


def t_interval(differences: np.ndarray, *, confidence: float = 0.95) -> Interval:
    """Returns the paired Student-t interval: the same photos, another start.

    Args:
        differences: float, shape (seeds,): one policy minus the other, seed by seed.
        confidence: From 0 to 1.

    Raises:
        ValueError: If there are fewer than two seeds: one difference has no spread.
    """
    differences = _check(differences)
    mean, error = float(differences.mean()), float(stats.sem(differences))
    if error == 0:
        return Interval(mean, mean, mean)
    low, high = stats.t.interval(confidence, len(differences) - 1, mean, error)
    return Interval(mean, float(low), float(high))


def bootstrap_interval(
    differences: np.ndarray, clusters: np.ndarray, *, confidence: float = 0.95, seed: int = 31415
) -> Interval:
    """Returns the bootstrap interval over seeds and photos: other valid photos, another start.

    Seeds and clusters of photos are resampled independently, with replacement (the percentile
    interval of what comes out). What a seed does to one photo in particular is counted twice,
    which errs on the wide side.

    Args:
        differences: float, shape (seeds, photos): one policy minus the other.
        clusters: int, shape (photos,): equal for photos that belong together, as
            near-duplicates do.
        confidence: From 0 to 1.
        seed: Of the draws.

    Raises:
        ValueError: If there are fewer than two seeds, or not one cluster a photo.

    Source:
        Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007), 386-411.
    """
    differences = _check(differences)
    if np.shape(clusters) != differences.shape[1:]:
        raise ValueError(
            f"Expected one cluster for each of {differences.shape[1]} photos, received shape "
            f"{np.shape(clusters)}. Give photos without a double a number of their own."
        )
    _, members = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(members)
    sums = np.stack([np.bincount(members, weights=row) for row in differences])
    random = np.random.default_rng(seed)
    means = []
    for _ in range(RESAMPLES // CHUNK):
        drawn_seeds = _draw(random, len(sums))
        synthetic_photos = _draw(random, len(sizes))
        totals = np.sum((drawn_seeds @ sums) * synthetic_photos, axis=1)
        means.append(totals / len(sums) / (synthetic_photos @ sizes))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), (tail, 1 - tail))
    return Interval(float(differences.mean()), float(low), float(high))


def minimum_detectable_effect(interval: Interval, *, confidence: float = 0.95) -> float:
    """Returns the smallest true difference that would have been found four times in five.

    Args:
        interval: Of the difference, at this confidence; its width tells the standard error.
        confidence: From 0 to 1.
    """
    error = (interval.high - interval.low) / 2 / stats.norm.ppf(0.5 + confidence / 2)
    return float((stats.norm.ppf(0.5 + confidence / 2) + stats.norm.ppf(POWER)) * error)


def _draw(random: np.random.Generator, count: int) -> np.ndarray:
    """Returns how often each of `count` things is drawn, shape (CHUNK, count)."""
    return random.multinomial(count, np.full(count, 1 / count), size=CHUNK).astype(float)


def _check(differences: np.ndarray) -> np.ndarray:
    differences = np.asarray(differences, dtype=float)
    if len(differences) < 2:
        raise ValueError(
            f"Expected differences of two seeds or more, received {len(differences)}. One run "
            "has no spread: train from more seeds."
        )
    return differences
