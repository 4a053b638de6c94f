"""Arguments are checked in one place: what passes, what is refused, and what the message says."""

import numpy as np
import pytest

from course_utils.core import checks


@pytest.mark.parametrize("value", [1, 5, np.int64(3), np.uint8(5)])
def test_whole_numbers_come_back_as_int(value):
    found = checks.check_count("seeds", value, 1, 5)
    assert found == value and type(found) is int


@pytest.mark.parametrize("value", [True, np.True_, 2.0, np.float32(2), "2", None, [2], 1j])
def test_what_is_no_whole_number_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"`seeds` to be a whole number from 1, received .*seeds=1"):
        checks.check_count("seeds", value)


@pytest.mark.parametrize("value", [0, -1, 6, np.int64(6)])
def test_whole_numbers_out_of_range_are_a_value_error(value):
    with pytest.raises(ValueError, match="`seeds` to be a whole number from 1 to 5, received"):
        checks.check_count("seeds", value, 1, 5)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.int64(1), -0.0])
def test_fractions_come_back_as_float(value):
    found = checks.check_fraction("sure", value)
    assert found == value and type(found) is float


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), 70])
def test_fractions_out_of_range_are_a_value_error(value):
    with pytest.raises(ValueError, match="`sure` to be a number from 0 to 1, received .*70%"):
        checks.check_fraction("sure", value)


@pytest.mark.parametrize("value", [True, "0.5", None, (0.1, 0.2), np.array([0.5]), 1j])
def test_what_is_no_number_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"`size` to be a number from 2 to 4.5, received"):
        checks.check_number("size", value, 2, 4.5)


def test_a_hint_replaces_the_example():
    with pytest.raises(ValueError, match=r"received 9\. Write for example size=2\.$"):
        checks.check_number("size", 9, 2, 4)
    with pytest.raises(ValueError, match=r"received 9\. Choose less\.$"):
        checks.check_number("size", 9, 2, 4, hint="Choose less.")
    with pytest.raises(ValueError, match=r"received 'x'\. Ask\.$"):
        checks.check_choice("split", "x", ("train",), hint="Ask.")


def test_choices_may_be_the_keys_of_a_dict_and_none():
    assert checks.check_choice("policy", "flip", {"flip": 1}) == "flip"
    assert checks.check_choice("flip", None, (None, "horizontal")) is None


@pytest.mark.parametrize("value", ["test", "", None, 3, ["train"], {}, np.array(["train"])])
def test_what_is_no_choice_is_a_value_error(value):
    with pytest.raises(ValueError, match="`split` to be one of 'train', 'valid', received"):
        checks.check_choice("split", value, ("train", "valid"))


@pytest.mark.parametrize("value", [(128, 96), [128, 96], (np.int64(128), 96)])
def test_image_sizes_come_back_as_height_and_width(value):
    assert checks.check_image_size(value) == (128, 96)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (128, TypeError),
        ((128,), TypeError),
        ((128, 96, 3), TypeError),
        ((128.0, 96), TypeError),
        ("ab", TypeError),
        (None, TypeError),
        ((128, 15), ValueError),
        ((1025, 128), ValueError),
    ],
)
def test_wrong_image_sizes_are_refused(value, error):
    message = r"`image_size` as \(height, width\), whole numbers from 16 to 1024, received"
    with pytest.raises(error, match=message):
        checks.check_image_size(value)
