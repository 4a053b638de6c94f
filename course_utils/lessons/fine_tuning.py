"""What the published runs of fine-tuning say, in sentences that their numbers write."""

import pandas as pd

from course_utils.lessons.published import load_results

# What the primary question's verdict says of the idea that lesson 08 tests.
ANSWERS = {
    "better": "So here the idea holds: where more weights learn, augmentation does more.",
    "worse": "So here the idea is refuted: where more weights learn, augmentation does less.",
}


def describe_fine_tuning(table: pd.DataFrame | None = None) -> list[str]:
    """Returns what the published runs say of augmentation where more weights learn.

    Lesson 08 prints it, whatever it is.

    Args:
        table: `load_results("fine-tuning-differences")`, which is loaded if it is `None`.

    Returns:
        A sentence for each comparison of a level with the head alone, the primary one first; its
        answer; what fresh views change; and what each level gives beside the head alone. The
        differences are in test loss, with 95 % intervals over runs and test photos.

    Raises:
        ValueError: If the runs have not been published.

    Example:
        >>> row = {"question": "more than for the head", "level": "block 5 and head"}
        >>> row |= {"measure": "loss", "difference": -0.02, "photos_low": -0.03, "pairs": 10}
        >>> row |= {"photos_high": -0.01, "verdict": "better", "primary": True, "detectable": 0.01}
        >>> describe_fine_tuning(pd.DataFrame([row]))[1]
        'So here the idea holds: where more weights learn, augmentation does more.'
    """
    table = load_results("fine-tuning-differences") if table is None else table
    asked = table[table["measure"] == "loss"].sort_values("primary", ascending=False, kind="stable")
    said = []
    for row in asked.itertuples():
        numbers = f"{row.difference:+.3f} ({row.photos_low:+.3f} to {row.photos_high:+.3f})"
        if row.question == "more than for the head":
            said.append(
                f"{row.level}: augmentation changes the test loss by {numbers} more than for the "
                f"head alone, in {row.pairs} pairs of runs: {_compare(row.verdict)}."
            )
        elif row.question == "fresh views":
            said.append(
                f"{row.level}: a new view at every use in place of stored ones changes the test "
                f"loss by {numbers}, in {row.pairs} pairs: {row.verdict}."
            )
        elif row.question == "beside the head alone":
            said.append(
                f"{row.level}: with augmentation, its test loss is that of the head alone "
                f"{numbers}: {row.verdict}."
            )
        if row.primary:
            said.append(_answer(row))
    return said


def _compare(verdict: str) -> str:
    """Returns a verdict on a difference of differences in plain words."""
    return {"better": "it does more", "worse": "it does less"}.get(verdict, verdict)


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
