"""The numbers of each profile."""

import dataclasses

import pytest

from course_utils.core import settings


def test_full_profile_has_the_lessons_numbers():
    full = settings.load_settings("full")
    assert (full.train_photos, full.valid_photos) == (None, None)
    assert (full.epochs, full.batch_size, full.image_size) == (30, 64, (128, 128))
    assert full.seed == 31415


def test_quick_profile_costs_at_most_1500_forward_passes():
    quick = settings.load_settings("quick")
    assert quick.train_photos * (1 + quick.views) + quick.valid_photos <= 1500
    # The synthetic dataset fills the profile.
    assert quick.synthetic_train_photos >= quick.train_photos
    assert quick.synthetic_valid_photos >= quick.valid_photos


def test_profiles_are_the_same_but_for_their_size():
    quick, full = settings.load_settings("quick"), settings.load_settings("full")
    for name in ("epochs", "image_size", "seed"):
        assert getattr(quick, name) == getattr(full, name)


def test_unknown_profile_is_refused_with_the_known_ones_and_the_variable():
    with pytest.raises(ValueError, match=r"'quick', 'full', received 'fast'.*COURSE_PROFILE.*auto"):
        settings.load_settings("fast")


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.load_settings("quick").epochs = 3
