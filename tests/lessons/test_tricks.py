"""The sentences of lesson 09 say what its table says."""

import pandas as pd

from course_utils.lessons.tricks import describe_tricks


def make_table():
    rows = []
    for where, trick, baseline in (
        ("pixels", "CutMix", "none"),
        ("stored features", "manifold mixup", "none"),
        ("test time", "test-time augmentation", "clean photo alone"),
    ):
        for measure, difference, verdict in (
            ("loss", -0.0214, "better"),
            ("accuracy", 0.004, "can't tell"),
        ):
            rows.append(
                {
                    "where": where,
                    "trick": trick,
                    "baseline": baseline,
                    "measure": measure,
                    "difference": difference,
                    "photos_low": difference - 0.01,
                    "photos_high": difference + 0.01,
                    "verdict": verdict,
                    "primary": trick == "manifold mixup" and measure == "loss",
                }
            )
    return pd.DataFrame(rows)


def test_each_trick_has_a_sentence_the_primary_first():
    said = describe_tricks(make_table())
    assert len(said) == 3
    assert said[0] == (
        "manifold mixup (stored features): loss -0.021 (-0.031 to -0.011; better), accuracy "
        "+0.4 percentage points (-0.6 to +1.4; can't tell), compared with none."
    )
    assert said[1].startswith("CutMix (pixels)")
    assert said[2].endswith("compared with clean photo alone.")
