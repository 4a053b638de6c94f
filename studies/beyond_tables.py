"""The tables of lesson 09: differences with verdicts, runs, bins, numbers of views."""

import numpy as np
import pandas as pd

from course_utils.evaluation.calibration import evaluate_reliability, find_calibration_error
from course_utils.evaluation.comparison import MARGINS, choose_word
from course_utils.evaluation.runs import is_right
from course_utils.evaluation.statistics import correct_by_holm, estimate_difference
from course_utils.training.heads import measure_losses

VIEW_COUNTS = (1, 2, 4, 8)
FEATURES, PIXELS, QUESTION = "stored features", "pixels", "test time"
AVERAGED = "test-time augmentation"
PRIMARY = (FEATURES, "manifold mixup", "loss")
AGAIN = "none again"


def measure(kind: str, probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns each run's loss or right answer, photo by photo, shape of `probabilities`.

    Args:
        kind: `"loss"` or `"accuracy"`.
        probabilities: Shape (runs, photos).
        labels: 0 or 1, shape (photos, 1).
    """
    measured = {"loss": measure_losses, "accuracy": is_right}[kind]
    return measured(probabilities.T, labels).T.astype(float)


def list_differences(
    where: str, given: dict[str, np.ndarray], labels: np.ndarray, clusters: np.ndarray
) -> list[dict]:
    """Returns a row for each trick and measure: the trick minus the first one.

    Args:
        where: What the tricks have in common.
        given: Each trick's probabilities, (runs, photos), the baseline's first.
        labels: 0 or 1, shape (photos, 1).
        clusters: As for `estimate_difference`.
    """
    baseline, *tricks = given
    rows = []
    for trick in tricks:
        for kind in ("loss", "accuracy"):
            both = [measure(kind, given[name], labels) for name in (trick, baseline)]
            estimate = estimate_difference(both[0] - both[1], clusters)
            over_seeds, over_photos = estimate.over_seeds(), estimate.interval()
            rows.append(
                {
                    "where": where,
                    "trick": trick,
                    "baseline": baseline,
                    "measure": kind,
                    "difference": estimate.mean,
                    "seeds_low": over_seeds.low,
                    "seeds_high": over_seeds.high,
                    "photos_low": over_photos.low,
                    "photos_high": over_photos.high,
                    "p_value": estimate.p_value(),
                    "p_same": estimate.equivalence_p_value(MARGINS[kind]),
                    "detectable": estimate.minimum_detectable_effect(),
                    "pairs": len(both[0]),
                    "photos": len(labels),
                }
            )
    return rows


def judge(rows: list[dict]) -> pd.DataFrame:
    """Returns the differences with verdicts: one primary, all others corrected together.

    Args:
        rows: As `list_differences` gives them, of all parts.
    """
    table = pd.DataFrame(rows)
    named = list(zip(table["where"], table["trick"], table["measure"], strict=True))
    table["primary"] = [each == PRIMARY for each in named]
    corrected = ~table["primary"] & (table["trick"] != AGAIN)
    table["p_holm"] = table["p_value"]
    table.loc[corrected, "p_holm"] = correct_by_holm(table.loc[corrected, "p_value"])
    table["verdict"] = [
        choose_word(row.measure, row.difference, row.p_holm, row.p_same, MARGINS[row.measure])
        for row in table.itertuples()
    ]
    return table


def list_runs(where: str, given: dict[str, np.ndarray], labels, seeds) -> pd.DataFrame:
    """Returns a row for each run: loss, accuracy and calibration error on clean photos."""
    rows = [
        {
            "where": where,
            "trick": trick,
            "seed": seed,
            "loss": measure("loss", run[None], labels).mean(),
            "accuracy": measure("accuracy", run[None], labels).mean(),
            "calibration_error": find_calibration_error(evaluate_reliability(run, labels)),
        }
        for trick, runs in given.items()
        for seed, run in zip(seeds, runs, strict=True)
    ]
    return pd.DataFrame(rows)


def list_reliability(where: str, given: dict[str, np.ndarray], labels) -> pd.DataFrame:
    """Returns the bins of every trick's reliability diagram, all runs together."""
    tables = [
        evaluate_reliability(runs, labels).assign(where=where, trick=trick)
        for trick, runs in given.items()
    ]
    joined = pd.concat(tables, ignore_index=True)
    return joined[["where", "trick", "probability", "fraction", "photos"]]


def list_views(clean: np.ndarray, views: np.ndarray, labels, seeds) -> pd.DataFrame:
    """Returns a row for each run and number of views.

    Args:
        clean: Probabilities of the photos as they are, (runs, photos).
        views: Of their views, (views, runs, photos).
        labels: 0 or 1, shape (photos, 1).
        seeds: Of the runs.
    """
    rows = []
    right = measure("accuracy", clean, labels) > 0.5
    for count in VIEW_COUNTS:
        averaged = views[:count].mean(axis=0)
        each = np.mean([measure("loss", view, labels) for view in views[:count]], axis=(0, 2))
        now_right = measure("accuracy", averaged, labels) > 0.5
        rows.append(
            {
                "views": count,
                "seed": seeds,
                "loss": measure("loss", averaged, labels).mean(axis=1),
                "mean_loss_of_views": each,
                "clean_loss": measure("loss", clean, labels).mean(axis=1),
                "accuracy": now_right.mean(axis=1),
                "clean_accuracy": right.mean(axis=1),
                "became_wrong": (right & ~now_right).sum(axis=1),
                "became_right": (~right & now_right).sum(axis=1),
                "photos": len(labels),
            }
        )
    return pd.concat([pd.DataFrame(row) for row in rows], ignore_index=True)
