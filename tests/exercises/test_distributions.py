"""Each test refuses right draws at its level, and wrong ones nearly always."""

import numpy as np
import pandas as pd
import pytest

from course_utils.exercises.building_augmentations import judge_specified
from course_utils.exercises.framework import distributions as d
from course_utils.exercises.framework.probes import BATCHES, PHOTOS
from course_utils.exercises.framework.views import Reading

RUNS, DRAWS = 3_000, 384


@pytest.fixture(scope="module")
def random():
    return np.random.default_rng(20261127)


def count_refusals(fits, runs=RUNS):
    return sum(not fits() for _ in range(runs))


@pytest.mark.slow
def test_right_draws_are_refused_no_more_than_the_level_says(random):
    # At 1e-4, three or more refusals in 3,000 runs have a probability of 0.4 %.
    def uniform():
        return random.uniform(0.7, 1.3, DRAWS)

    def coins():
        return random.random((8, 48)) < 0.5

    assert count_refusals(lambda: d.fits_uniform(uniform(), 0.7, 1.3)) < 3
    assert count_refusals(lambda: d.fits_fraction(int(coins().sum()), DRAWS, 0.5)) < 3
    assert count_refusals(lambda: d.are_independent(coins().ravel(), uniform())) < 3
    assert count_refusals(lambda: d.vary_alike(coins())) < 6  # two tests each time
    reach = d.nearest_end(0.6, DRAWS)
    assert count_refusals(lambda: uniform().max() > 1.3 - reach) < 3


def test_wrong_draws_are_refused(random):
    def narrow():
        return random.uniform(0.75, 1.25, DRAWS)

    reach = d.nearest_end(0.6, DRAWS)
    assert count_refusals(lambda: narrow().max() > 1.3 - reach, 200) == 200
    two = random.choice([0.7, 1.3], DRAWS)
    assert not d.fits_uniform(two, 0.7, 1.3)
    bell = np.clip(random.normal(1, 0.1, DRAWS), 0.7, 1.3)
    assert not d.fits_uniform(bell, 0.7, 1.3)
    flags = random.random(DRAWS) < 0.5
    assert not d.are_independent(flags, np.where(flags, 0.7, 1.0) + 0.3 * random.random(DRAWS))
    by_place = np.tile(random.random(48) < 0.5, (8, 1))
    by_batch = np.tile((random.random(8) < 0.5)[:, None], (1, 48))
    by_batch[0], by_batch[1] = True, False
    assert not d.vary_alike(by_place) and not d.vary_alike(by_batch)
    assert d.vary_alike(np.zeros((8, 48)))


def read_right_answer(random) -> Reading:
    """What is read off the views of an answer to question 1 that is right."""
    count = BATCHES * PHOTOS
    columns = ["angle", "shift", "brightness", "hue", "channel", "level", "strangeness"]
    table = pd.DataFrame(np.zeros((count, len(columns))), columns=columns)
    table[["zoom", "stretch", "color"]] = 1.0
    table["corners"] = np.nan
    table["mirrored"] = random.random(count) < 0.5
    table["contrast"] = random.uniform(0.7, 1.3, count)
    return Reading(table, 0.0, 1.0, True, False, False, 0.0, 1.0, 1.0)


def test_a_right_answer_is_not_refused(random):
    # The first look refuses one in a thousand; a refusal needs a second look that refuses too.
    looks = [judge_specified(read_right_answer(random)) for _ in range(500)]
    refused = [said for said in looks if said]
    assert len(refused) <= 5, refused
    assert not [said for said in refused if judge_specified(read_right_answer(random))]
