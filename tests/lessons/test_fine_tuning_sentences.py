"""Sentences on the published runs of fine-tuning follow the numbers, whatever they are."""

import pandas as pd
import pytest

from course_utils.lessons.fine_tuning import describe_fine_tuning


def make_table(verdict, difference):
    common = {"measure": "loss", "pairs": 10, "detectable": 0.013, "primary": False}
    common |= {"difference": difference, "verdict": verdict}
    common |= {"photos_low": difference - 0.01, "photos_high": difference + 0.01}
    rows = [
        {"question": "augmentation", "level": "head alone"},
        {"question": "more than for the head", "level": "last convolution and head"},
        {"question": "more than for the head", "level": "block 5 and head", "primary": True},
        {"question": "fresh views", "level": "block 5 and head", "pairs": 3},
        {"question": "beside the head alone", "level": "block 5 and head"},
        {"question": "more than for the head", "level": "block 5 and head", "measure": "accuracy"},
    ]
    return pd.DataFrame([common | row for row in rows])


@pytest.mark.parametrize(
    ("verdict", "difference", "compared", "answer"),
    [
        ("better", -0.02, "augmentation helps more", "the idea holds"),
        ("worse", 0.02, "augmentation helps less", "the idea is refuted"),
        ("can't tell", -0.001, "can't tell", "of 0.013 or more"),
        ("practically the same (within ±0.01)", 0.001, "the same", "the idea does not hold"),
    ],
)
def test_the_answer_is_that_of_the_primary_comparison(verdict, difference, compared, answer):
    said = describe_fine_tuning(make_table(verdict, difference))
    assert len(said) == 5 and said[0].startswith("block 5 and head, compared")
    assert compared in said[0] and answer in said[1]
    numbers = f"{difference:+.3f} ({difference - 0.01:+.3f} to {difference + 0.01:+.3f})"
    assert all(numbers in sentence for sentence in (said[0], *said[2:]))
    assert "3 pairs" in said[3] and "stored" in said[3] and "both augmented" in said[4]
