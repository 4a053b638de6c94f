"""A probe shows what was done to it."""

import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.exercises.framework import probes, views
from course_utils.exercises.framework.judgements import STRANGE
from course_utils.exercises.framework.reading import Misread

pytestmark = pytest.mark.slow


def see(**settings):
    observed = probes.observe_transformation(Augmentation(**settings), probe_seed=3)
    return views.read_observed(observed)


def test_nothing_is_seen_where_nothing_was_done():
    reading = see()
    assert reading.unchanged and reading.repeats and reading.predicted == 0
    assert reading.finite and reading.sharpness == pytest.approx(1)
    neutral = {"mirrored": 0, "zoom": 1, "stretch": 1, "contrast": 1, "color": 1}
    for name in reading.views.drop(columns="corners"):
        np.testing.assert_allclose(
            reading.views[name].astype(float), neutral.get(name, 0), atol=1e-4, err_msg=name
        )


def test_probes_of_another_seed_are_other_photos_within_the_range():
    first, second = (probes.render(probes.make_patterns(seed)) for seed in (1, 2))
    assert first.shape == (probes.PHOTOS, 128, 128, 3) and first.dtype == np.float32
    assert first.min() > 0 and first.max() < 1 and np.abs(first - second).mean() > 0.05


def test_mirrored_and_upside_down_are_told_apart():
    mirrored, upside = see(flip="horizontal").views, see(flip="vertical").views
    assert 0.35 < mirrored["mirrored"].mean() < 0.65 and (mirrored["angle"].abs() < 0.1).all()
    assert (upside.loc[upside["mirrored"], "angle"].abs() > 179.9).all()


def test_each_strength_is_read_off():
    turned = see(rotation=30).views
    assert turned["angle"].abs().max() == pytest.approx(30, abs=0.5)
    assert turned["corners"].max() < 1e-3
    contrast = see(contrast=0.4).views["contrast"]
    assert (contrast.min(), contrast.max()) == (
        pytest.approx(0.6, abs=0.02),
        pytest.approx(1.4, abs=0.02),
    )
    assert see(brightness=0.2).views["brightness"].abs().max() == pytest.approx(0.2, abs=0.01)
    assert see(hue=40).views["hue"].abs().max() == pytest.approx(40, abs=3)
    assert (see(grayscale=0.5).views["color"] < 0.05).mean() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("settings", [{"noise": 0.1}, {"erasing": 0.3}])
def test_what_is_none_of_these_is_strange(settings):
    assert (see(**settings).views["strangeness"] > STRANGE).mean() > 0.5
    assert (see(rotation=180).views["strangeness"] < STRANGE).all()


@pytest.mark.parametrize(
    "answer", [3, "flip", {"flip": 1}, [1], object(), Augmentation, lambda images: images[0]]
)
def test_what_cannot_be_run_is_explained_in_a_sentence(answer):
    with pytest.raises(Misread, match="Expected"):
        probes.observe_transformation(answer, probe_seed=1)
