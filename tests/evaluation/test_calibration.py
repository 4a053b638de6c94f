"""Probabilities are compared with what comes true."""

import numpy as np
import pytest

from course_utils.evaluation.calibration import evaluate_reliability, find_calibration_error


def test_what_comes_true_as_often_as_it_says_has_no_error():
    given = np.repeat([0.1, 0.3, 0.6, 0.9], 10)
    labels = np.concatenate([np.arange(10) < count for count in (1, 3, 6, 9)])[:, None]
    table = evaluate_reliability(given, labels)
    np.testing.assert_allclose(table["probability"], [0.1, 0.3, 0.6, 0.9])
    np.testing.assert_allclose(table["fraction"], table["probability"])
    assert table["photos"].tolist() == [10] * 4
    assert find_calibration_error(table) == pytest.approx(0)


def test_the_error_weights_each_bin_by_its_photos():
    given, labels = np.array([0.95, 0.95, 0.95, 0.05]), np.array([[1], [1], [0], [0]])
    table = evaluate_reliability(given, labels)
    assert find_calibration_error(table) == pytest.approx((3 * (0.95 - 2 / 3) + 0.05) / 4)


def test_runs_count_together_and_the_ends_belong_to_bins():
    given, labels = np.array([[0.0, 1.0], [0.7, 0.3]]), np.array([[0], [1]])
    table = evaluate_reliability(given, labels, bins=10)
    assert table["photos"].sum() == 4
    np.testing.assert_allclose(table["probability"], [0, 0.3, 0.7, 1])
    np.testing.assert_allclose(table["fraction"], [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("given", "labels", "words"),
    [
        (np.array([0.5]), np.array([1]), r"labels of shape \(photos, 1\)"),
        (np.array([0.5, 0.5]), np.array([[1]]), "shape"),
        (np.array([1.5]), np.array([[1]]), "from 0 to 1, received 1.5 to 1.5"),
    ],
)
def test_other_shapes_and_values_are_refused(given, labels, words):
    with pytest.raises(ValueError, match=words):
        evaluate_reliability(given, labels)
