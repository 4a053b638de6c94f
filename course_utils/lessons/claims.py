"""What the published primary comparison says of lesson 02's two claims."""

import pandas as pd

from course_utils.lessons.published import load_results

TABLE = "primary-differences"
POLICY = "flip + contrast"


def load_claim(measure: str) -> pd.Series:
    """Returns lesson 02's policy minus none on the real photos, as published.

    Args:
        measure: `"gap"`, `"loss"` or `"accuracy"`, on all validation photos after the last epoch.

    Returns:
        `difference`, `photos_low`, `photos_high`, `detectable`, `verdict` and the other columns of
        `load_results("primary-differences")`, for the head of the comparisons, the course's own
        division of the photos, and the most stored views.

    Raises:
        ValueError: If there is no such measure, or the primary comparison has not been published.

    Example:
        >>> load_claim("accuracy").verdict
        'practically the same (within ±0.01)'
    """
    asked = _choose_rows(load_results(TABLE))
    asked = asked[(asked["division"] == "first") & (asked["head"] == "stable")]
    asked = asked.set_index("measure")
    if measure not in asked.index:
        there = ", ".join(map(repr, asked.index))
        raise ValueError(f"Expected `measure` to be one of {there}, received {measure!r}.")
    return asked.loc[measure]


def describe_claims(table: pd.DataFrame | None = None) -> list[str]:
    """Returns what the primary comparison says of lesson 02's claims, a sentence for each.

    The README, the lessons and data/results/README.md say it in these words.

    Args:
        table: `load_results("primary-differences")`, which is loaded if it is `None`.

    Returns:
        The sentences: on the gap, on validation loss and accuracy, on the second division of the
        photos, and on the lesson's own head.

    Raises:
        ValueError: If the primary comparison has not been published.

    Example:
        >>> row = {"policy": "flip + contrast", "epoch": "last", "class": "both", "views": 8}
        >>> row |= {"division": "first", "head": "stable", "pairs_counted": "all"}
        >>> row |= {"difference": -0.03, "photos_low": -0.05, "photos_high": -0.01}
        >>> table = [row | {"verdict": "better", "measure": one} for one in ("gap", "loss")]
        >>> table.append(table[1] | {"verdict": "can't tell", "measure": "accuracy"})
        >>> describe_claims(pd.DataFrame(table))[0].partition("the gap ")[2]
        'after 30 epochs changes by -0.030 (-0.050 to -0.010; better).'
    """
    asked = _choose_rows(load_results(TABLE) if table is None else table)

    def describe_views(division: str, head: str) -> str:
        chosen = (asked["division"] == division) & (asked["head"] == head)
        return f"{asked.loc[chosen, 'views'].iloc[0]} stored views of each photo"

    def tell(measure: str, division: str, head: str, pairs: str = "all") -> str:
        chosen = (asked["measure"] == measure) & (asked["division"] == division)
        chosen &= (asked["head"] == head) & (asked["pairs_counted"] == pairs)
        (row,) = asked[chosen].itertuples()
        scale, unit = (100, " percentage points") if measure == "accuracy" else (1, "")
        places = 1 if measure == "accuracy" else 3
        numbers = [
            f"{scale * number:+.{places}f}"
            for number in (row.difference, row.photos_low, row.photos_high)
        ]
        return f"{numbers[0]}{unit} ({numbers[1]} to {numbers[2]}; {row.verdict})"

    def tell_both(division: str, head: str, pairs: str = "all") -> str:
        return (
            f"validation loss {tell('loss', division, head, pairs)}, "
            f"validation accuracy {tell('accuracy', division, head, pairs)}"
        )

    new, old = "stable", "lesson"
    said = [
        f"*The two curves stay closer together*: with flip and contrast "
        f"({describe_views('first', new)}) the gap after 30 epochs changes by "
        f"{tell('gap', 'first', new)}.",
        "*Validation loss and accuracy improve modestly*: with flip and contrast "
        f"{tell_both('first', new)}.",
    ]
    if (asked["division"] == "second").any():
        said.append(
            f"With the photos divided a second time ({describe_views('second', new)}): "
            f"gap {tell('gap', 'second', new)}, {tell_both('second', new)}."
        )
    if (asked["head"] == old).any():
        counted = asked["pairs_counted"] != "all"
        said.append(
            f"With the lesson's own head, all runs ({describe_views('first', old)}): "
            f"gap {tell('gap', 'first', old)}, {tell_both('first', old)}."
        )
        if counted.any():
            alive = "neither head died"
            pairs = int(asked.loc[counted, "pairs"].max())
            said.append(
                f"The {pairs} pairs of these in which neither head died: gap "
                f"{tell('gap', 'first', old, alive)}, {tell_both('first', old, alive)}."
            )
    return said


def _choose_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the policy's rows on both classes after the last epoch."""
    asked = table[(table["policy"] == POLICY) & (table["epoch"] == "last")]
    asked = asked[asked["class"] == "both"]
    # The most stored views that there are of each comparison: nearest to a new view at each use.
    most = asked.groupby(["division", "head"])["views"].transform("max")
    return asked[asked["views"] == most]
