"""The intervals cover what they say, from two runs on; tests claim no more than they may."""

import sys
from pathlib import Path

import numpy as np
import pytest

from course_utils.evaluation import statistics
from course_utils.evaluation.statistics import (
    Estimate,
    correct_by_holm,
    estimate_difference,
    t_interval,
)

STUDIES = Path(__file__).resolve().parents[2] / "studies"
TRIALS = 2000


def test_without_a_true_difference_nineteen_intervals_in_twenty_cover_zero():
    random = np.random.default_rng(31415)
    # Two policies on the same twenty starts: what a start is worth is common to both.
    starts = random.normal(0.87, 0.02, (TRIALS, 20))
    first, second = (starts + random.normal(0, 0.004, starts.shape) for _ in range(2))
    found = [t_interval(row).excludes_zero for row in first - second]
    assert 0.93 <= 1 - np.mean(found) <= 0.97


def test_no_spread_is_an_interval_of_one_point_and_proves_nothing():
    assert t_interval(np.zeros(20)) == (0, 0, 0)
    assert t_interval(np.full(3, 0.5)) == (0.5, 0.5, 0.5)
    for difference in (0, 0.5):
        estimate = estimate_difference(np.full((20, 5), float(difference)), np.arange(5))
        assert estimate.interval() == (difference,) * 3
        assert estimate.p_value() == 1
        assert estimate.equivalence_p_value(0.6) == 1


def test_the_interval_is_students():
    # Mean 2, standard deviation 1, three seeds: 2 ± 4.3027 / √3.
    interval = t_interval([1.0, 2.0, 3.0])
    assert interval.mean == 2
    assert interval.high - 2 == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert 2 - interval.low == pytest.approx(interval.high - 2)


def test_the_variance_of_two_crossed_effects_is_as_computed_by_hand():
    # Runs 0 and 2 above each other, photos 0, 1, 2, and one cell that breaks the pattern by 3.
    values = np.array([[0.0, 1, 2], [2, 3, 7]])
    estimate = estimate_difference(values, np.arange(3))
    # Means of runs 1 and 4; of photos 1, 2, 4.5; of all 2.5. Sums of squares: 13.5, 13, 3.
    squares = 13.5 / 1, 13 / 2, 3 / 2
    total = squares[0] + squares[1] - squares[2]
    freedom = total**2 / (squares[0] ** 2 / 1 + squares[1] ** 2 / 2 + squares[2] ** 2 / 2)
    assert estimate.mean == 2.5
    assert estimate.errors == pytest.approx((np.sqrt(13.5 / 6), np.sqrt(total / 6)))
    assert estimate.freedom == pytest.approx((1, freedom))


@pytest.fixture
def coverage(monkeypatch):
    """The study that measures coverage in full."""
    monkeypatch.syspath_prepend(str(STUDIES))
    import coverage_study

    yield coverage_study
    sys.modules.pop("coverage_study")


@pytest.mark.parametrize("noise", ["normal", "t3"])
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_the_interval_for_runs_and_photos_covers_from_two_runs_on(coverage, noise, seeds):
    """A smaller version of `studies/coverage_study.py`, whose table is published."""
    for fraction, photo_fraction in ((0, 0.5), (0.3, 0.5), (0.5, 1), (1, 0)):
        found = coverage.measure_coverage(
            noise, seeds, fraction, photo_fraction, photos=60, trials=400
        )
        # 0.95, give or take three standard errors of 400 trials; a little wide with few runs.
        assert 0.917 <= found["coverage"] <= (1 if seeds < 10 else 0.985)
        assert found["inside_the_one_over_seeds"] == 0


def test_the_check_of_coverage_notices_an_interval_that_is_too_narrow(coverage, monkeypatch):
    estimate = statistics.estimate_difference

    def without_photos(differences, clusters):
        found = estimate(differences, clusters)
        return found._replace(errors=found.errors[:1] * 2, freedom=found.freedom[:1] * 2)

    monkeypatch.setattr(coverage, "estimate_difference", without_photos)
    found = coverage.measure_coverage("normal", 10, 0.3, 1, photos=60, trials=400)
    assert found["coverage"] < 0.85


def test_near_duplicates_count_once():
    photos = np.random.default_rng(1).normal(size=(8, 50))
    doubled, together = np.tile(photos, 4), np.tile(np.arange(50), 4)
    once = estimate_difference(photos, np.arange(50))
    clustered = estimate_difference(doubled, together)
    blind = estimate_difference(doubled, np.arange(200))
    assert clustered.errors == pytest.approx(once.errors)
    assert blind.errors[1] < 0.8 * once.errors[1]
    # A cluster of two weighs twice, so that the mean stays the mean over photos.
    uneven = estimate_difference(photos, np.minimum(np.arange(50), 48))
    assert uneven.mean == pytest.approx(photos.mean())


@pytest.mark.slow
def test_the_detectable_difference_is_found_four_times_in_five():
    random = np.random.default_rng(3)
    noise = random.normal(0, 1, (TRIALS, 10, 30)) + random.normal(0, 1, (TRIALS, 10, 1))
    found = [estimate_difference(each, np.arange(30)) for each in noise]
    detectable = np.mean([each.minimum_detectable_effect() for each in found])
    significant = [each._replace(mean=each.mean + detectable).p_value() < 0.05 for each in found]
    assert np.mean(significant) == pytest.approx(statistics.POWER, abs=0.05)


def test_equivalence_is_two_one_sided_tests():
    estimate = Estimate(0.004, (0.002, 0.003), (19.0, 40.0))
    low, high = estimate.interval(0.9)[1:]
    for margin in (0.005, 0.008, 0.0089, 0.0091, 0.02):
        same = -margin < low and high < margin
        assert (estimate.equivalence_p_value(margin) < 0.05) == same
    # A true difference at the margin is called the same in one case out of twenty at the most.
    random = np.random.default_rng(8)
    drawn = random.normal(0.1, 0.2, (TRIALS, 10, 1)) + random.normal(0, 0.5, (TRIALS, 10, 40))
    found = [estimate_difference(each, np.arange(40)) for each in drawn]
    assert np.mean([each.equivalence_p_value(0.1) < 0.05 for each in found]) < 0.065


def test_interval_and_p_value_say_the_same():
    random = np.random.default_rng(2)
    for shift in np.linspace(0, 0.3, 40):
        values = random.normal(shift, 0.5, (5, 30)) + random.normal(0, 0.1, (5, 1))
        estimate = estimate_difference(values, np.arange(30))
        assert estimate.interval().excludes_zero == (estimate.p_value() < 0.05)
        assert estimate.p_value() == pytest.approx(
            2 * min(estimate.p_value(side=1), estimate.p_value(side=-1))
        )


def test_holm_keeps_the_chance_of_any_false_finding():
    assert correct_by_holm([0.02, 0.01, 0.9, 0.013]).tolist() == pytest.approx(
        [0.04, 0.04, 0.9, 0.04]  # 0.04 and 0.039 under the 0.04 before it
    )
    assert correct_by_holm([0.6, 0.7]).tolist() == [1, 1]
    random = np.random.default_rng(4)
    false = [correct_by_holm(row).min() < 0.05 for row in random.random((TRIALS, 9))]
    assert np.mean(false) < 0.065


def test_what_has_no_spread_is_refused():
    with pytest.raises(ValueError, match="two seeds or more, received 1"):
        t_interval([0.1])
    with pytest.raises(ValueError, match="one cluster for each of 5 photos"):
        estimate_difference(np.zeros((3, 5)), np.arange(4))
    with pytest.raises(ValueError, match="two clusters or more, received one"):
        estimate_difference(np.zeros((3, 5)), np.zeros(5))
