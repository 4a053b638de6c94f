"""How sure a mean difference is: over random initializations, and over photos as well."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

POWER = 0.8  # how often a difference of the detectable size is found
LEAST_SEEDS, LEAST_PHOTOS = 3, 30  # with fewer, no verdict


class Interval(NamedTuple):
    """A mean with the interval around it."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0 or self.high < 0


class Estimate(NamedTuple):
    """A mean, and all that its intervals and tests need.

    Args:
        mean: Over runs and photos.
        errors: Standard errors of the mean: for other runs alone, and for other photos as well.
        freedom: The degrees of freedom of each of the two.
    """

    mean: float
    errors: tuple[float, float]
    freedom: tuple[float, float]

    def interval(self, confidence: float = 0.95) -> Interval:
        """Returns the interval for other runs and photos: the wider of the two."""
        return self._surround(max(self._halves(confidence)))

    def over_seeds(self, confidence: float = 0.95) -> Interval:
        """Returns the interval for other runs on the same photos."""
        return self._surround(self._halves(confidence)[0])

    def p_value(self, difference: float = 0.0, *, side: int = 0) -> float:
        """Returns the p-value of the true mean being `difference`: the larger of the two t-tests.

        Args:
            difference: The true mean that is tested.
            side: 0 tests against both sides, 1 against larger true means, -1 against smaller ones.
        """
        if self.errors[1] == 0:
            return 1.0  # Where nothing varies, nothing says how sure the mean is.
        distance = self.mean - difference
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.nan_to_num(np.divide(distance, self.errors))
        tails = stats.t.sf(side * scores if side else np.abs(scores), self.freedom)
        return float(tails.max() if side else 2 * tails.max())

    def equivalence_p_value(self, margin: float) -> float:
        """Returns the p-value of the true mean being outside of ±`margin`: two one-sided tests."""
        return max(self.p_value(-margin, side=1), self.p_value(margin, side=-1))

    def minimum_detectable_effect(self, *, level: float = 0.05) -> float:
        """Returns the smallest true difference that would have been found four times in five."""
        scores = stats.t.isf(level / 2, self.freedom) + stats.t.isf(1 - POWER, self.freedom)
        return float((scores * self.errors).max())

    def _halves(self, confidence: float) -> np.ndarray:
        return stats.t.ppf(0.5 + confidence / 2, self.freedom) * self.errors

    def _surround(self, half: float) -> Interval:
        return Interval(self.mean, self.mean - float(half), self.mean + float(half))


def t_interval(differences: np.ndarray, *, confidence: float = 0.95) -> Interval:
    """Returns the paired Student-t interval: the same photos, other random initializations.

    Args:
        differences: float, shape (seeds,): one policy minus the other, seed by seed.
        confidence: From 0 to 1.

    Raises:
        ValueError: If there are fewer than two seeds: one difference has no spread.

    Example:
        >>> low, high = t_interval(np.array([0.01, 0.03, 0.02]))[1:]
        >>> round(low, 3), round(high, 3)
        (-0.005, 0.045)
    """
    differences = _check(differences)
    mean, error = float(differences.mean()), float(stats.sem(differences))
    half = float(stats.t.ppf(0.5 + confidence / 2, len(differences) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def estimate_difference(differences: np.ndarray, clusters: np.ndarray) -> Estimate:
    """Estimates a mean difference, and how far it would move with other runs and other photos.

    Runs and photos are two crossed random effects: every run is measured on every photo. The
    variance of the mean is the sum of what runs, photos, and both together add, each estimated by
    its mean square, with Satterthwaite's degrees of freedom. That is a little too sure with two or
    three runs, so whichever is wider counts: this or the paired t-interval over runs.
    `studies/coverage_study.py` measures how often the interval covers the truth.

    Args:
        differences: float, shape (seeds, photos): one policy minus the other.
        clusters: int, shape (photos,): equal for photos that belong together, as
            near-duplicates do. A cluster counts as one photo of its photos' total weight.

    Raises:
        ValueError: If there are fewer than two seeds or clusters, or not one cluster per photo.

    Source:
        Satterthwaite, An Approximate Distribution of Estimates of Variance Components, Biometrics
        Bulletin 2 (1946), 110-114.

    Example:
        >>> differences = np.random.default_rng(1).normal(0.02, 0.1, (5, 200))
        >>> estimate_difference(differences, np.arange(200)).interval().excludes_zero
        True
    """
    differences = _check(differences)
    if np.shape(clusters) != differences.shape[1:]:
        raise ValueError(
            f"Expected one cluster for each of {differences.shape[1]} photos, received shape "
            f"{np.shape(clusters)}. Give photos without a double a number of their own."
        )
    _, members = np.unique(clusters, return_inverse=True)
    count, seeds = int(members.max()) + 1, len(differences)
    if count < 2:
        raise ValueError("Expected photos of two clusters or more, received one: add photos.")
    # Sums scaled so that the mean over clusters is the mean over photos.
    scale = count / differences.shape[1]
    values = scale * np.stack([np.bincount(members, row, count) for row in differences])
    mean = float(values.mean())
    by_seed, by_photo = values.mean(axis=1) - mean, values.mean(axis=0) - mean
    rest = values - mean - by_seed[:, None] - by_photo
    squares = np.array(
        [
            count * np.sum(by_seed**2) / (seeds - 1),
            seeds * np.sum(by_photo**2) / (count - 1),
            np.sum(rest**2) / (seeds - 1) / (count - 1),
        ]
    )
    # The mean squares of runs and of photos both contain that of the rest, which counts once.
    total = squares[0] + max(squares[1] - squares[2], 0)
    freedoms = np.array([seeds - 1, count - 1, (seeds - 1) * (count - 1)])
    freedom = total**2 / max(np.sum(squares**2 / freedoms), np.finfo(float).tiny)
    errors = (float(np.sqrt(squares[0] / seeds / count)), float(np.sqrt(total / seeds / count)))
    return Estimate(mean, errors, (seeds - 1, float(max(freedom, 1))))


def correct_by_holm(p_values: Sequence[float]) -> np.ndarray:
    """Returns p-values corrected for being several, by Holm's method.

    Args:
        p_values: One for each comparison.

    Returns:
        float, in the same order, 1 at the most. Judging each of them at 5% keeps the chance of
        any false finding at 5% or less.

    Source:
        Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
        Statistics 6 (1979), 65-70.

    Example:
        >>> correct_by_holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected[np.argsort(order)]


def _check(differences: np.ndarray) -> np.ndarray:
    differences = np.asarray(differences, dtype=float)
    if len(differences) < 2:
        raise ValueError(
            f"Expected differences of two seeds or more, received {len(differences)}. One run "
            "has no spread: train from more seeds."
        )
    return differences
