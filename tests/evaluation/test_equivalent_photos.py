"""A worth that was planted is found again, and what cannot be told is said to be so."""

import numpy as np
import pandas as pd
import pytest

from course_utils.evaluation.equivalent_photos import find_equivalent_photos

COUNTS = (100, 250, 500, 1000, 2500, 5000)


def lose(photos):
    """The baseline's true loss: it falls with the logarithm of the number of photos."""
    return 0.9 - 0.06 * np.log(photos)


def make_table(worth, *, seeds=20, noise=0.0, draw=0, dead=()):
    """Runs of "none", and of "flip", which is as good as `worth` times as many photos."""
    random = np.random.default_rng(draw)
    starts = random.normal(0, noise, seeds)  # what a start is worth is common to both
    rows = []
    for policy, times in (("none", 1), ("flip", worth)):
        for photos in COUNTS:
            losses = lose(times * photos) + starts + random.normal(0, noise, seeds)
            for seed, loss in enumerate(losses):
                died = (policy, seed) in dead
                rows.append([policy, photos, seed, 0.69 if died else loss, died])
    names = ["policy", "train_photos", "seed", "held_out_loss", "dead_head"]
    return pd.DataFrame(rows, columns=names)


def test_without_noise_the_planted_worth_is_found_exactly():
    # Between two numbers measured the line is straight, as the planted truth is.
    found = find_equivalent_photos(make_table(1.7), "flip", "none")
    assert list(found.index) == list(COUNTS)
    expected = [1.7 * photos for photos in COUNTS[:-1]]
    for name in ("worth", "low", "high"):
        np.testing.assert_allclose(found[name][:-1], expected, rtol=1e-9)
    np.testing.assert_allclose(found["held_out_loss"], [lose(1.7 * photos) for photos in COUNTS])


def test_what_lies_beyond_the_numbers_measured_is_not_made_up():
    better = find_equivalent_photos(make_table(1.7), "flip", "none").loc[5000]
    assert better[["worth", "low", "high"]].tolist() == [np.inf] * 3
    assert (
        "are equivalent to more than 5,000 (the largest measured) with 'none'; 95%"
        in better["says"]
    )
    worse = find_equivalent_photos(make_table(0.5), "flip", "none")
    assert worse.loc[100, ["worth", "low", "high"]].tolist() == [0] * 3
    assert (
        "equivalent to less than 100 (the smallest measured) with 'none'" in worse.loc[100, "says"]
    )
    assert worse.loc[250, "worth"] == pytest.approx(125)


def test_the_same_policy_is_worth_what_it_is():
    found = find_equivalent_photos(make_table(1.0), "none", "none")
    np.testing.assert_allclose(found["worth"], COUNTS)


@pytest.mark.slow
def test_the_interval_covers_the_planted_worth_as_often_as_it_says():
    covered = []
    for draw in range(100):
        found = find_equivalent_photos(make_table(1.5, noise=0.01, draw=draw), "flip", "none")
        covered += [row.low <= 1.5 * photos <= row.high for photos, row in found[1:4].iterrows()]
    assert 0.88 <= np.mean(covered) <= 0.99  # 0.95, less what 20 seeds leave of it


def test_an_interval_may_be_open_on_one_side():
    found = find_equivalent_photos(make_table(1.9, noise=0.02, draw=1), "flip", "none").loc[2500]
    assert np.isfinite(found["low"]) and found["high"] == np.inf
    assert "to more than 5,000 (the largest measured)." in found["says"]


def test_dead_heads_count_only_when_asked():
    table = make_table(1.5, dead={*(("flip", seed) for seed in range(4)), ("none", 5)})
    alive = find_equivalent_photos(table, "flip", "none")
    np.testing.assert_allclose(alive["worth"][:-1], [1.5 * photos for photos in COUNTS[:-1]])
    every = find_equivalent_photos(table, "flip", "none", exclude_dead=False)
    assert (every["held_out_loss"] > alive["held_out_loss"]).all()
    assert every.loc[1000, "worth"] < 1000 < alive.loc[1000, "worth"]


def test_a_loss_that_rises_by_chance_is_taken_as_not_falling():
    table = make_table(1.5)
    table.loc[(table["policy"] == "none") & (table["train_photos"] == 500), "held_out_loss"] += 0.1
    found = find_equivalent_photos(table, "flip", "none")["worth"]
    assert found.is_monotonic_increasing and 500 <= found[250] <= 1000


def test_tables_that_do_not_fit_are_refused():
    table = make_table(1.5)
    with pytest.raises(ValueError, match="one of 'none', 'flip', received 'zoom'"):
        find_equivalent_photos(table, "zoom", "none")
    with pytest.raises(ValueError, match="none called dead_head"):
        find_equivalent_photos(table.drop(columns="dead_head"), "flip", "none")
    with pytest.raises(ValueError, match="`confidence` between 0 and 1, received 95"):
        find_equivalent_photos(table, "flip", "none", confidence=95)
    one = (table["policy"] == "flip") | (table["train_photos"] == 100)
    with pytest.raises(ValueError, match="'none' with two numbers of train photos"):
        find_equivalent_photos(table[one], "flip", "none")
    fewer = table[(table["policy"] == "flip") | (table["seed"] < 10)]
    with pytest.raises(ValueError, match="received 20 of 'flip' and 10 of 'none'"):
        find_equivalent_photos(fewer, "flip", "none")
    died = table.assign(dead_head=(table["policy"] == "none") & (table["train_photos"] == 500))
    with pytest.raises(ValueError, match="a head of 'none' that did not die with 500 train photos"):
        find_equivalent_photos(died, "flip", "none")
