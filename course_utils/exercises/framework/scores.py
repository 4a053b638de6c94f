"""Scores the tests before and after the course: each misconception's change, with an interval."""

from pathlib import Path

import numpy as np
import pandas as pd

from course_utils.exercises.framework.misconceptions import (
    FORMS,
    LETTERS,
    MISCONCEPTIONS,
    list_items,
)

FEWEST = 5  # students: below that a table says something about single ones
COLUMNS = ("student", "form", *(f"q{number}" for number in range(1, len(MISCONCEPTIONS) + 1)))


def read_answers(path: Path) -> pd.DataFrame:
    """Reads a class's answers.

    Args:
        path: A CSV file with the columns `student` (any code name), `form` (`before` or `after`),
            and `q1` to `q10` (`a`, `b`, `c`, or nothing).

    Returns:
        The table, as text without missing values, one row for each student and form.

    Raises:
        ValueError: If a column is missing, a form or an answer is unknown, or a student has a form
            twice.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.columns = [str(name).strip().casefold() for name in table.columns]
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise ValueError(
            f"Expected the columns {', '.join(COLUMNS)}, found no {', '.join(missing)} in "
            f"{path.name}. Add them to the first line."
        )
    table = table[list(COLUMNS)].apply(lambda column: column.str.strip())
    table.iloc[:, 1:] = table.iloc[:, 1:].apply(lambda column: column.str.casefold())
    unknown = table.loc[~table["form"].isin(FORMS), "form"].tolist()
    if unknown:
        raise ValueError(f"Expected the form before or after, received {unknown[0]!r}.")
    answers = table.iloc[:, 2:]
    wrong = answers.to_numpy()[~answers.isin([*LETTERS, ""]).to_numpy()]
    if len(wrong):
        raise ValueError(f"Expected the answers a, b, c or nothing, received {wrong[0]!r}.")
    twice = table[table.duplicated(["student", "form"])]
    if len(twice):
        raise ValueError(
            f"Expected each student once for each form, received {twice.iloc[0]['student']!r} "
            f"twice {twice.iloc[0]['form']}. Give each student a code name of their own."
        )
    return table


def _mark(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns who was right and who had the belief: bool, index (student, form), by key."""
    right, believed = {}, {}
    for form in FORMS:
        own = table[table["form"] == form].set_index(["student", "form"])
        for number, asked in enumerate(list_items(form), start=1):
            right.setdefault(asked.key, []).append(own[f"q{number}"] == asked.right)
            believed.setdefault(asked.key, []).append(own[f"q{number}"] == asked.believed)
    return tuple(
        pd.DataFrame({key: pd.concat(parts) for key, parts in each.items()})
        for each in (right, believed)
    )


def paired_change(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """Returns the change of a fraction among the same people, and its 95% interval.

    Args:
        before: bool, shape (people,).
        after: bool, of the same people.

    Example:
        >>> before, after = np.array([1] * 12 + [0] * 8), np.array([0] * 9 + [1] * 3 + [0] * 8)
        >>> change, low, high = paired_change(before, after)
        >>> round(change, 2), round(low, 2), round(high, 2)
        (-0.45, -0.65, -0.17)

    Source:
        Bonett and Price, Adjusted Wald confidence interval for a difference of binomial
        proportions based on paired data, Journal of Educational and Behavioral Statistics 37
        (2012), 479-488.
    """
    from scipy.stats import norm

    before, after = np.asarray(before, bool), np.asarray(after, bool)
    count = len(before)
    up = ((~before & after).sum() + 1) / (count + 2)
    down = ((before & ~after).sum() + 1) / (count + 2)
    reach = norm.ppf(0.975) * np.sqrt((up + down - (up - down) ** 2) / (count + 2))
    middle = up - down
    change = after.mean() - before.mean()
    return float(change), float(max(-1, middle - reach)), float(min(1, middle + reach))


def score_class(table: pd.DataFrame) -> pd.DataFrame:
    """Compares a class before and after the course.

    Args:
        table: What `read_answers` returned.

    Returns:
        A DataFrame, one row for each misconception: the fractions of students who had the belief
        `before` and `after`, their `change` with `low` and `high` of its 95% interval, and
        `right before` and `right after`; only students with both tests count.
        `attrs["students"]` says how many these are, `attrs["left out"]` how many have one test.

    Raises:
        ValueError: If fewer than five students have both tests.
    """
    right, believed = _mark(table)
    forms = table.groupby("student")["form"].nunique()
    both = forms.index[forms == len(FORMS)]
    if len(both) < FEWEST:
        raise ValueError(
            f"Expected at least {FEWEST} students with both tests, found {len(both)}. With fewer, "
            "the table would show single students' answers."
        )
    rows = {}
    for key in MISCONCEPTIONS:
        had = [believed[key].xs(form, level="form").loc[both].to_numpy() for form in FORMS]
        knew = [right[key].xs(form, level="form").loc[both].mean() for form in FORMS]
        rows[key] = (had[0].mean(), had[1].mean(), *paired_change(*had), *knew)
    columns = ["before", "after", "change", "low", "high", "right before", "right after"]
    scored = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    scored.attrs = {"students": len(both), "left out": int((forms < len(FORMS)).sum())}
    totals = [right.xs(form, level="form").loc[both].sum(axis=1).to_numpy() for form in FORMS]
    scored.attrs["totals"] = _describe_totals(*totals)
    return scored


def _describe_totals(before: np.ndarray, after: np.ndarray) -> str:
    from scipy import stats

    gained = after - before
    text = f"Right answers of ten: {before.mean():.1f} before, {after.mean():.1f} after"
    error = stats.sem(gained)
    if error == 0:
        return f"{text}; everyone changed by {gained[0]:+d}."
    low, high = stats.t.interval(0.95, len(gained) - 1, loc=gained.mean(), scale=error)
    return f"{text}; change {gained.mean():+.1f} (95% interval {low:+.1f} to {high:+.1f})."


def describe_scores(scored: pd.DataFrame) -> str:
    """Returns the comparison as text.

    Args:
        scored: What `score_class` returned.
    """
    lines = [
        f"{scored.attrs['students']} students took both tests; {scored.attrs['left out']} took "
        "only one and are left out.",
        scored.attrs["totals"],
        "",
        "Students who have the belief (intervals: 95%, paired):",
        "",
        f"{'misconception':<28}{'before':>8}{'after':>8}{'change':>9}   interval",
    ]
    for key, row in scored.iterrows():
        lines.append(
            f"{key:<28}{row['before']:>8.0%}{row['after']:>8.0%}{row['change']:>+9.0%}   "
            f"{row['low']:+.0%} to {row['high']:+.0%}"
        )
    lines += [
        "",
        "Ten intervals: even if nothing changed, one of them excludes 0 in four classes of ten.",
    ]
    return "\n".join(lines)
