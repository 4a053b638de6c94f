"""What the published comparisons of lesson 09 say, in sentences made from their table."""

import pandas as pd

from course_utils.lessons.published import load_results

UNITS = {"accuracy": (100, 1, " percentage points"), "loss": (1, 3, "")}


def describe_tricks(table: pd.DataFrame | None = None) -> list[str]:
    """Returns a sentence for each trick of lesson 09: what it did to validation loss and accuracy.

    The trick of the primary comparison comes first.

    Args:
        table: `load_results("beyond-differences")`, which is loaded if it is `None`.

    Returns:
        The sentences, in the table's order behind the first.

    Raises:
        ValueError: If the comparisons have not been published.

    Example:
        >>> row = {"where": "pixels", "trick": "MixUp", "baseline": "none", "primary": False}
        >>> row |= {"difference": -0.02, "photos_low": -0.03, "photos_high": -0.01}
        >>> rows = [row | {"measure": "loss", "verdict": "better"}]
        >>> rows.append(row | {"measure": "accuracy", "verdict": "can't tell"})
        >>> describe_tricks(pd.DataFrame(rows))
        ["MixUp (pixels): loss -0.020 (-0.030 to -0.010; better), accuracy -2.0 percentage points \
(-3.0 to -1.0; can't tell), compared with none."]
    """
    table = load_results("beyond-differences") if table is None else table
    groups = table.groupby(["where", "trick", "baseline"], sort=False)
    said = {True: [], False: []}
    for (where, trick, baseline), rows in groups:
        told = ", ".join(_tell(row) for row in rows.itertuples())
        sentence = f"{trick} ({where}): {told}, compared with {baseline}."
        said[bool(rows["primary"].any())].append(sentence)
    return said[True] + said[False]


def _tell(row) -> str:
    scale, places, unit = UNITS[row.measure]
    numbers = [
        f"{scale * number:+.{places}f}"
        for number in (row.difference, row.photos_low, row.photos_high)
    ]
    return f"{row.measure} {numbers[0]}{unit} ({numbers[1]} to {numbers[2]}; {row.verdict})"
