"""A probe tells what was done to it."""

import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.framework import probes
from course_utils.exercises.framework.questions import Misread


def see(**settings):
    return probes.measure_views(probes.read_transformation(Augmentation(**settings)))


def test_nothing_is_seen_where_nothing_was_done():
    views = see()
    assert not views["mirrored"].any()
    for name, neutral in {
        "angle": 0,
        "contrast": 1,
        "brightness": 0,
        "color": 1,
        "hue": 0,
    }.items():
        np.testing.assert_allclose(views[name], neutral, atol=1e-3)


def test_mirrored_and_upside_down_are_told_apart():
    mirrored, upside = see(flip="horizontal"), see(flip="vertical")
    assert 0.35 < mirrored["mirrored"].mean() < 0.65 and (mirrored["angle"] == 0).all()
    assert (upside.loc[upside["mirrored"], "angle"].abs() == 180).all()


def test_each_strength_is_read_off():
    assert see(rotation=30)["angle"].abs().max() == pytest.approx(30, abs=3)
    contrast = see(contrast=0.4)["contrast"]
    assert (contrast.min(), contrast.max()) == (pytest.approx(0.6, abs=0.03),) + (
        pytest.approx(1.4, abs=0.03),
    )
    assert see(brightness=0.2)["brightness"].abs().max() == pytest.approx(0.2, abs=0.01)
    assert see(hue=40)["hue"].abs().max() == pytest.approx(40, abs=4)
    assert (see(grayscale=0.5)["color"] < 0.05).mean() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("settings", [{"noise": 0.1}, {"translation": 0.2}, {"erasing": 0.3}])
def test_what_is_none_of_these_is_strange(settings):
    assert (see(**settings)["strangeness"] > probes.STRANGE).mean() > 0.5
    assert (see(rotation=180)["strangeness"] < probes.STRANGE).all()


@pytest.mark.parametrize(
    "answer", [3, "flip", {"flip": 1}, [1], object(), Augmentation, lambda images: images[0]]
)
def test_what_cannot_be_run_is_told_in_a_sentence(answer):
    with pytest.raises(Misread, match="Expected"):
        probes.run(probes.read_transformation(answer), probes.make_full_range(), training=True)
