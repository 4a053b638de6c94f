"""Tests of random draws: fractions, ranges and shapes, each at a level of `LEVEL`.

The level is the probability that a test refuses draws that are right. A question that uses these
tests counts a mistake only if a second, independent observation shows one too (`Question.sampled`).
With ten tests for an observation, a right answer is refused less than once in 100,000 checks.
"""

import numpy as np

LEVEL = 1e-4


def fits_fraction(hits: int, count: int, low: float, high: float | None = None) -> bool:
    """Whether so many hits can come from a probability between two limits (binomial test).

    Args:
        hits: How many of the draws were hits.
        count: How many draws there were.
        low: The lowest probability that is right.
        high: The highest one; the same as `low` if `None`.

    Example:
        >>> fits_fraction(100, 200, 0.5), fits_fraction(60, 200, 0.5)
        (True, False)
    """
    from scipy.stats import binom

    high = low if high is None else high
    return bool(
        binom.cdf(hits, count, low) > LEVEL / 2 and binom.sf(hits - 1, count, high) > LEVEL / 2
    )


def nearest_end(span: float, count: int) -> float:
    """Returns how far the largest of many uniform draws may stay from the end of their range.

    Args:
        span: The width of the range.
        count: How many draws there are.

    Example:
        >>> round(nearest_end(0.6, 384), 4)
        0.0153
    """
    return span * (1 - (LEVEL / 2) ** (1 / count))


def fits_uniform(values: np.ndarray, low: float, high: float) -> bool:
    """Whether draws can come from a uniform distribution (Kolmogorov-Smirnov test).

    The ends of the range are another question: see `nearest_end`.

    Args:
        values: float, shape (draws,).
        low: The range's lower end.
        high: The range's upper end.

    Example:
        >>> even = np.linspace(0.7, 1.3, 200)
        >>> fits_uniform(even, 0.7, 1.3), fits_uniform(np.where(even < 1, 0.7, 1.3), 0.7, 1.3)
        (True, False)
    """
    from scipy.stats import kstest

    return bool(kstest(values, "uniform", args=(low, high - low)).pvalue > LEVEL)


def are_independent(flags: np.ndarray, values: np.ndarray) -> bool:
    """Whether values are distributed alike where a flag is set and where it is not (two-sample
    Kolmogorov-Smirnov test).

    Args:
        flags: bool, shape (draws,).
        values: float, shape (draws,).
    """
    from scipy.stats import ks_2samp

    if flags.all() or not flags.any():
        return True
    return bool(ks_2samp(values[flags], values[~flags]).pvalue > LEVEL)


def vary_alike(draws: np.ndarray) -> bool:
    """Whether no batch and no place in a batch differs from the others in its draws (a chi-square
    test of means, for either).

    Args:
        draws: float or bool, shape (batches, photos).

    Example:
        >>> coins = np.random.default_rng(1).random((8, 48)) < 0.5
        >>> vary_alike(coins), vary_alike(np.repeat(coins[:, :1], 48, axis=1))
        (True, False)
    """
    from scipy.stats import chi2

    draws = np.asarray(draws, "float64")
    variance = draws.var(ddof=1)
    if variance == 0:
        return True
    for axis in (0, 1):
        means = draws.mean(axis=axis)
        statistic = draws.shape[axis] * ((means - means.mean()) ** 2).sum() / variance
        if chi2.sf(statistic, len(means) - 1) < LEVEL:
            return False
    return True
