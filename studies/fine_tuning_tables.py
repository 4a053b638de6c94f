"""The tables of the study of fine-tuning: every run, and the differences of differences."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from course_utils.evaluation.comparison import MARGINS, choose_word
from course_utils.evaluation.runs import is_right
from course_utils.evaluation.statistics import LEAST_SEEDS, correct_by_holm, estimate_difference
from course_utils.training.heads import measure_losses

NONE, STORED, FRESH = "none", "flip + contrast", "flip + contrast, fresh views"


def list_runs(found: Mapping, labels: np.ndarray, rates: Mapping[str, float]) -> pd.DataFrame:
    """Returns a row for each run.

    Args:
        found: From (level, policy, seed) to a run, as `load_run` returns it.
        labels: The test photos'.
        rates: Each level's learning rate.
    """
    rows = []
    for (level, policy, seed), run in found.items():
        given = run["probabilities"][:, None]
        rows.append(
            {
                "level": level,
                "policy": policy,
                "seed": seed,
                "weights": run["weights"],
                "learning_rate": rates[level],
                "train_loss": run["train_loss"],
                "test_loss": measure_losses(given, labels).mean(),
                "test_accuracy": is_right(given, labels).mean(),
            }
        )
    return pd.DataFrame(rows)


def list_differences(
    found: Mapping, labels: np.ndarray, clusters: np.ndarray, least: str, most: str
) -> pd.DataFrame:
    """Returns a row for each question and measure, with intervals over runs and test photos.

    The questions are: what augmentation does at each level; how much more or less that is than
    for the head alone (the difference of the differences); what fresh views add to stored ones;
    and what a level gives beside the head alone, both with augmentation.

    Args:
        found: As in `list_runs`.
        labels: The test photos'.
        clusters: Which of them belong together.
        least: The level that the others are compared with: the head alone.
        most: The level of the primary question.
    """

    def measure(level, policy, seeds, how):
        given = np.stack([found[level, policy, seed]["probabilities"] for seed in seeds])
        return how(given.T, labels).T.astype(float)

    seeds_of = {}
    for level, policy, seed in found:
        seeds_of.setdefault((level, policy), []).append(seed)
    rows = []
    for name, how in (("loss", measure_losses), ("accuracy", is_right)):
        measured = {key: measure(*key, seeds, how) for key, seeds in seeds_of.items()}
        levels = list(dict.fromkeys(level for level, _ in measured))
        effects = {each: measured[each, STORED] - measured[each, NONE] for each in levels}
        for level in levels:
            rows.append(("augmentation", level, name, effects[level]))
            if level != least:
                rows.append(
                    ("more than for the head", level, name, effects[level] - effects[least])
                )
                gained = measured[level, STORED] - measured[least, STORED]
                rows.append(("beside the head alone", level, name, gained))
            if (level, FRESH) in measured:
                fresh = measured[level, FRESH]
                rows.append(
                    ("fresh views", level, name, fresh - measured[level, STORED][: len(fresh)])
                )
    table = pd.DataFrame([describe_difference(*row, clusters) for row in rows if len(row[3]) > 1])
    weights = {level: run["weights"] for (level, _, _), run in found.items()}
    table.insert(2, "weights", table["level"].map(weights))
    table["p_holm"] = table["p_value"]
    # The primary question stands by itself; the others are corrected within their kind.
    primary = (table["question"] == "more than for the head") & (table["level"] == most)
    primary &= table["measure"] == "loss"
    for _, rows in table[~primary].groupby(["question", "measure"]):
        table.loc[rows.index, "p_holm"] = correct_by_holm(rows["p_value"])
    table["primary"] = primary
    table["verdict"] = [
        choose_word(row.measure, row.difference, row.p_holm, row.p_same, MARGINS[row.measure])
        if row.pairs >= LEAST_SEEDS
        else "can't tell"  # as in comparisons: two pairs are too few
        for row in table.itertuples()
    ]
    return table


def describe_difference(question, level, measure, differences, clusters) -> dict:
    """Returns a row of the table: a mean over runs and photos, with its intervals and tests."""
    estimate = estimate_difference(differences, clusters)
    over_seeds, over_photos = estimate.over_seeds(), estimate.interval()
    return {
        "question": question,
        "level": level,
        "measure": measure,
        "difference": estimate.mean,
        "seeds_low": over_seeds.low,
        "seeds_high": over_seeds.high,
        "photos_low": over_photos.low,
        "photos_high": over_photos.high,
        "p_value": estimate.p_value(),
        "p_same": estimate.equivalence_p_value(MARGINS[measure]),
        "detectable": estimate.minimum_detectable_effect(),
        "pairs": len(differences),
    }
