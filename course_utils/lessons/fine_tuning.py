"""What the published runs of fine-tuning say, in sentences that their numbers write."""

import pandas as pd

from course_utils.lessons.published import load_results

# What the primary question's verdict says of the idea that lesson 08 tests.
ANSWERS = {
    "better": "So here the idea holds: where more weights learn, augmentation helps more.",
    "worse": "So here the idea is refuted: where more weights learn, augmentation helps less.",
}
# Of the same level: questions of the table, and what they are in words.
FURTHER = {
    "fresh views": "a new view at every use, in place of 4 stored ones, changes the test loss by",
    "beside the head alone": "beside the head alone, both augmented, the test loss differs by",
}


def describe_fine_tuning(table: pd.DataFrame | None = None) -> list[str]:
    """Returns what the published runs say of augmentation where more weights learn.

    Lesson 08 prints it, whatever it is.

    Args:
        table: `load_results("fine-tuning-differences")`, which is loaded if it is `None`.

    Returns:
        How much more augmentation changes with block 5 than with the head alone, which is the
        primary question, and its answer; the same for the other levels; for block 5, what fresh
        views change, and what it gives beside the head alone. The differences are in test loss,
        with 95 % intervals over runs and test photos.

    Raises:
        ValueError: If the runs have not been published.

    Example:
        >>> row = {"question": "more than for the head", "level": "block 5 and head"}
        >>> row |= {"measure": "loss", "difference": -0.02, "photos_low": -0.03, "pairs": 10}
        >>> row |= {"photos_high": -0.01, "verdict": "better", "primary": True, "detectable": 0.01}
        >>> describe_fine_tuning(pd.DataFrame([row]))[1]
        'So here the idea holds: where more weights learn, augmentation helps more.'
    """
    table = load_results("fine-tuning-differences") if table is None else table
    asked = table[table["measure"] == "loss"].sort_values("primary", ascending=False, kind="stable")
    primary, *others = asked[asked["question"] == "more than for the head"].itertuples()
    said = [_tell_more(primary), _answer(primary), *map(_tell_more, others)]
    about = asked[asked["level"] == primary.level].set_index("question")
    for question, words in FURTHER.items():
        if question in about.index:
            row = about.loc[question]
            said.append(
                f"{primary.level}: {words} {_write(row)}, {row.pairs} pairs: {row.verdict}."
            )
    return said


def _tell_more(row) -> str:
    """Returns a difference of differences as a sentence."""
    word = {"better": "augmentation helps more", "worse": "augmentation helps less"}
    return (
        f"{row.level}, compared with the head alone: what augmentation changes differs by "
        f"{_write(row)}, {row.pairs} pairs of runs: {word.get(row.verdict, row.verdict)}."
    )


def _write(row) -> str:
    return f"{row.difference:+.3f} ({row.photos_low:+.3f} to {row.photos_high:+.3f})"


def _answer(row) -> str:
    """Returns what the primary comparison says of the idea."""
    if row.verdict in ANSWERS:
        return ANSWERS[row.verdict]
    if row.verdict == "can't tell":
        return (
            "So these runs can't tell whether the idea holds; they would have shown a difference "
            f"of {row.detectable:.3f} or more."
        )
    return f"So here the idea does not hold: what augmentation does is {row.verdict}."
