"""Calibration: of the photos that get a probability of 0.7, are seven in ten trucks?"""

import numpy as np
import pandas as pd

from course_utils.core.checks import check_count


def evaluate_reliability(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 10
) -> pd.DataFrame:
    """Compares predicted probabilities with how often they come true.

    Lesson 09 plots the table as a reliability diagram.

    Args:
        probabilities: Of class 1, from 0 to 1, shape (photos,) or (runs, photos). Runs are taken
            together, so a bin's photos are counted once for each run.
        labels: 0 or 1, shape (photos, 1).
        bins: Into how many equal parts the probabilities from 0 to 1 are divided.

    Returns:
        A DataFrame with a row for each bin that is not empty: `probability`, the mean of the
        predictions in it; `fraction`, how many of its photos are of class 1, from 0 to 1; and
        `photos`, how many predictions it holds.

    Raises:
        TypeError: If `bins` is not a whole number.
        ValueError: If there is not a label for each photo, or a probability is outside of 0 to 1.

    Source:
        Niculescu-Mizil and Caruana, Predicting Good Probabilities with Supervised Learning, ICML
        2005.

    Example:
        >>> given, labels = np.array([0.1, 0.1, 0.9, 0.7]), np.array([[0], [1], [1], [1]])
        >>> evaluate_reliability(given, labels, bins=2)
           probability  fraction  photos
        0          0.1       0.5       2
        1          0.8       1.0       2
    """
    check_count("bins", bins)
    given = np.atleast_2d(np.asarray(probabilities, float))
    if given.ndim != 2 or np.shape(labels) != (given.shape[1], 1):
        raise ValueError(
            f"Expected probabilities of shape (photos,) or (runs, photos) and labels of shape "
            f"(photos, 1), received {np.shape(probabilities)} and {np.shape(labels)}."
        )
    if not (given.min() >= 0 and given.max() <= 1):
        raise ValueError(
            f"Expected probabilities from 0 to 1, received {given.min():g} to {given.max():g}."
        )
    # Rounded, so that what is computed as 0.7 does not fall below 0.7 by its last digit.
    places = np.minimum(np.floor(np.round(given * bins, 9)), bins - 1).astype(int).ravel()
    truth = np.broadcast_to(np.ravel(labels) > 0.5, given.shape).ravel()
    table = pd.DataFrame({"probability": given.ravel(), "fraction": truth, "photos": 1})
    grouped = table.groupby(places)
    means = grouped[["probability", "fraction"]].mean().astype(float)
    return means.assign(photos=grouped["photos"].sum()).reset_index(drop=True)


def find_calibration_error(table: pd.DataFrame) -> float:
    """Returns how far predicted probabilities are from what comes true, on average.

    This is the expected calibration error: each bin's distance, weighted by its photos.

    Args:
        table: As `evaluate_reliability` returns it.

    Source:
        Guo and others, On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599.

    Example:
        >>> given, labels = np.array([0.1, 0.1, 0.9, 0.7]), np.array([[0], [1], [1], [1]])
        >>> round(find_calibration_error(evaluate_reliability(given, labels, bins=2)), 3)
        0.3
    """
    distances = (table["probability"] - table["fraction"]).abs()
    return float(np.average(distances, weights=table["photos"]))
