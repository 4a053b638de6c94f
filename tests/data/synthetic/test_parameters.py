"""The parameters of synthetic images: sampled as asked, biased as asked, one by one."""

import numpy as np
import pandas as pd
import pytest

from course_utils.data.synthetic.parameters import (
    NUISANCES,
    Numbers,
    PerClass,
    sample_parameters,
)
from course_utils.data.synthetic.vehicle import BODIES

NUMBERS = [name for name, nuisance in NUISANCES.items() if isinstance(nuisance, Numbers)]
NAMES = [name for name in NUISANCES if name not in NUMBERS]


def sample_table(count, *, seed, split="train", **nuisances):
    """The parameters as a table."""
    return pd.DataFrame(sample_parameters(count, seed=seed, split=split, **nuisances))


@pytest.fixture(scope="module")
def many():
    return sample_table(400, seed=5)


def test_classes_balance_within_one_at_any_count(many):
    is_truck = (many["type"] == "Truck").to_numpy()
    counts = np.arange(1, len(is_truck) + 1)
    assert np.abs(2 * np.cumsum(is_truck) - counts).max() == 1
    # The order is no pattern to learn from: neither class always comes first.
    assert 0.3 < is_truck[::2].mean() < 0.7


def test_train_and_valid_share_no_image(many):
    valid = sample_table(400, seed=5, split="valid")
    assert not set(many["details"]) & set(valid["details"])
    assert len(set(many["details"])) == 400


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_reaches_its_range(many, name):
    nuisance = NUISANCES[name]
    low, high = nuisance.default
    assert nuisance.low <= low < high <= nuisance.high
    values = many[name]
    assert low <= values.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < values.max() <= high


@pytest.mark.parametrize("name", NAMES)
def test_every_name_turns_up(many, name):
    assert set(many[name]) == set(NUISANCES[name].names)


def test_bodies_are_of_their_type(many):
    assert (many["body"].map(lambda body: BODIES[body].type) == many["type"]).all()


def test_a_number_can_be_fixed_or_ranged():
    parameters = sample_table(20, seed=2, size=0.9, azimuth=(80, 85))
    assert (parameters["size"] == 0.9).all()
    assert parameters["azimuth"].between(80, 85).all()
    assert np.ptp(parameters["azimuth"]) > 2


def test_a_name_can_be_fixed_several_or_weighted():
    parameters = sample_table(
        120,
        seed=2,
        light="dusk",
        background=["hills", "trees"],
        color={"red": 0.75, "blue": 0.25},
    )
    assert set(parameters["light"]) == {"dusk"}
    assert 0.35 < (parameters["background"] == "hills").mean() < 0.65
    assert set(parameters["background"]) == {"hills", "trees"}
    assert 0.62 < (parameters["color"] == "red").mean() < 0.87


@pytest.mark.parametrize("fraction", [0.0, 0.9, 1.0])
def test_a_bias_by_class_is_as_asked(fraction):
    mostly_left, mostly_right = (
        {"left": left, "right": 1 - left} for left in (fraction, 1 - fraction)
    )
    heading = PerClass(car=mostly_left, truck=mostly_right)
    parameters = sample_table(200, seed=3, heading=heading)
    left = parameters["heading"] == "left"
    is_car = parameters["type"] == "Car"
    tolerance = 0.08 if 0 < fraction < 1 else 0
    assert left[is_car].mean() == pytest.approx(fraction, abs=tolerance)
    assert left[~is_car].mean() == pytest.approx(1 - fraction, abs=tolerance)


def test_only_what_a_setting_says_matters_not_how_it_is_written():
    written = ({"left": 0.3, "right": 0.7}, {"right": 7, "left": 3})
    one, other = (sample_table(9, seed=3, heading=each) for each in written)
    pd.testing.assert_frame_equal(one, other)


def test_numbers_and_bodies_can_be_biased():
    parameters = sample_table(
        12,
        seed=3,
        size=PerClass(car=(0.5, 0.6), truck=0.9),
        body=("station wagon", "suv"),
    ).set_index("type")
    assert parameters.loc["Car", "size"].between(0.5, 0.6).all()
    assert (parameters.loc["Truck", "size"] == 0.9).all()
    assert set(parameters.loc["Car", "body"]) == {"station wagon"}
    assert set(parameters.loc["Truck", "body"]) == {"suv"}


@pytest.mark.parametrize(
    ("name", "setting"), [("light", "dusk"), ("size", 0.9), ("heading", PerClass("left", "right"))]
)
def test_setting_one_nuisance_moves_no_other(many, name, setting):
    parameters = sample_table(20, seed=5, **{name: setting})
    assert not parameters[name].equals(many[name][:20])
    pd.testing.assert_frame_equal(parameters.drop(columns=name), many[:20].drop(columns=name))
