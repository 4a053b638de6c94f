"""The intervals cover what they say."""

import numpy as np
import pytest

from course_utils.evaluation import statistics
from course_utils.evaluation.statistics import (
    bootstrap_interval,
    minimum_detectable_effect,
    t_interval,
)

TRIALS = 2000


def test_without_a_true_difference_nineteen_intervals_in_twenty_cover_zero():
    random = np.random.default_rng(31415)
    # Two policies on the same twenty starts: what a start is worth is common to both.
    starts = random.normal(0.87, 0.02, (TRIALS, 20))
    first, second = (starts + random.normal(0, 0.004, starts.shape) for _ in range(2))
    found = [t_interval(row).excludes_zero for row in first - second]
    assert 0.93 <= 1 - np.mean(found) <= 0.97


def test_no_spread_is_an_interval_of_one_point():
    assert t_interval(np.zeros(20)) == (0, 0, 0)
    assert bootstrap_interval(np.zeros((20, 5)), np.arange(5)) == (0, 0, 0)
    assert t_interval(np.full(3, 0.5)) == (0.5, 0.5, 0.5)


def test_the_interval_is_students():
    # Mean 2, standard deviation 1, three seeds: 2 ± 4.3027 / √3.
    interval = t_interval([1.0, 2.0, 3.0])
    assert interval.mean == 2
    assert interval.high - 2 == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert 2 - interval.low == pytest.approx(interval.high - 2)


def test_other_photos_widen_the_interval_and_cover_zero_often_enough():
    random = np.random.default_rng(7)
    covered = 0
    for trial in range(200):
        # Each photo favors one policy by itself; each seed adds a little.
        photos, seeds = random.normal(0, 0.3, 60), random.normal(0, 0.02, (12, 1))
        differences = photos + seeds + random.normal(0, 0.1, (12, 60))
        interval = bootstrap_interval(differences, np.arange(60), seed=trial)
        covered += not interval.excludes_zero
        over_seeds = t_interval(differences.mean(axis=1))
        assert interval.high - interval.low > over_seeds.high - over_seeds.low
    assert 0.87 <= covered / 200 <= 0.99  # 0.95, give or take what 200 trials and 60 photos leave


def test_near_duplicates_count_once():
    photos = np.random.default_rng(1).normal(size=(8, 50))
    doubled, together = np.tile(photos, 4), np.tile(np.arange(50), 4)
    once = bootstrap_interval(photos, np.arange(50))
    clustered = bootstrap_interval(doubled, together)
    blind = bootstrap_interval(doubled, np.arange(200))
    assert clustered.high - clustered.low == pytest.approx(once.high - once.low, rel=0.05)
    assert blind.high - blind.low < 0.8 * (once.high - once.low)


def test_the_detectable_difference_is_found_four_times_in_five():
    random = np.random.default_rng(3)
    noise = random.normal(0, 1, (TRIALS, 40))
    detectable = np.mean([minimum_detectable_effect(t_interval(row)) for row in noise])
    found = [t_interval(row + detectable).excludes_zero for row in noise]
    assert np.mean(found) == pytest.approx(statistics.POWER, abs=0.05)


def test_what_has_no_spread_is_refused():
    with pytest.raises(ValueError, match="two seeds or more, received 1"):
        t_interval([0.1])
    with pytest.raises(ValueError, match="one cluster for each of 5 photos"):
        bootstrap_interval(np.zeros((3, 5)), np.arange(4))
