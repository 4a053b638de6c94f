"""Writes data/results/README.md: what was found, in sentences made from the tables beside it."""

import pandas as pd

from course_utils.core.files import atomic_write
from course_utils.lessons.claims import describe_claims
from course_utils.lessons.published import load_results, results_dir
from course_utils.lessons.tricks import describe_tricks

PAGE = """# Published results

`python studies/publish.py page` writes this page from the tables beside it; `studies/PLAN.md` was \
written before them.

## What was found

{found}

## What the numbers do not say

No interval covers other training photos: one set of them was used in each division. Nor do the \
intervals cover other stored views of the same policy{views}.

## The tables

Lines that begin with `#` say how a table was made. `cu.load_results("primary-differences")` \
reads one.

| file | what it holds |
| --- | --- |
{tables}
"""
# By name. Tables of an older plan say so at their top, in the command that made them.
TABLES = {
    "primary-runs": "the lesson's policy and none: every run and epoch, two divisions, two heads",
    "primary-differences": "their paired differences, with intervals and tests",
    "policies-runs": "every run and epoch of the policies",
    "policies-differences": "their paired differences from none",
    "policies-affinity": "affinity and diversity of each policy",
    "views-runs": "flip and contrast with 1 to 30 stored views: every run and epoch",
    "views-differences": "their paired differences from 30 views",
    "other-views-differences": "the primary differences with four sets of stored views",
    "preprocessing-differences": "with and without ImageNet's preprocessing: paired differences",
    "preprocessing-runs": "the same: every run and epoch",
    "photo-counts": "fewer training photos: every run",
    "sensitivity": "the heads on transformed photos",
    "fine-tuning-runs": "more and more of VGG16 learns, and a small network: every run",
    "fine-tuning-differences": "what augmentation changes there, and how much more or less",
    "fine-tuning-rates": "learning rates tried on synthetic vehicles for it",
    "beyond-differences": "lesson 09's tricks: paired differences, with intervals and tests",
    "beyond-runs": "the same: every run on clean photos",
    "beyond-reliability": "the same: what comes true of each predicted probability",
    "beyond-views": "test-time augmentation with 1, 2, 4 and 8 views: every run",
    "lesson-01-photo-counts": "lesson 01: runs with different numbers of training photos",
    "lesson-03-groups": "lesson 03: runs with the accuracy of each group of photos",
    "exercise-policies": "exercise 03: the policies that one bets on",
    "exercise-histories": "exercise 03: their histories",
    "heads": "the head of the comparisons and the lesson's, on photos that judge no policy",
    "coverage": "how often the intervals cover the truth, simulated",
    "null-check": "a policy against itself, a thousand times",
}


def write_page() -> None:
    """Writes the page from the tables that are there."""
    names = {file.stem for file in results_dir().glob("*.csv")}
    found = []
    if "primary-differences" in names:
        found = [f"* {sentence}" for sentence in describe_claims()]
    found += [f"* {sentence}" for sentence in describe_other_tables(names)]
    older = {name for name in names if "publish_results" in load_results(name).attrs["about"]}
    kept = [name for name in (*TABLES, *sorted(names - set(TABLES))) if name in names - older]
    rows = [f"| `{name}.csv` | {TABLES.get(name, 'see the lines at its top')} |" for name in kept]
    if older:
        listed = ", ".join(f"`{name}`" for name in sorted(older))
        rows.append(
            f"| {listed} | an older plan: seeds 0 to 19 of the lesson's own head, one order for "
            "all runs, judged on half of the validation photos |"
        )
    text = PAGE.format(found="\n".join(found), views=describe_views(names), tables="\n".join(rows))
    with atomic_write(results_dir() / "README.md") as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")
    print(text)


def describe_other_tables(names: set[str]) -> list[str]:
    """Returns a sentence for each other table that is there."""
    said = []
    if "policies-differences" in names:
        table = load_results("policies-differences").query("epoch == 'last' and `class` == 'both'")
        table = table[~table["policy"].str.endswith(" again")]
        for measure, rows in table.query("measure != 'gap'").groupby("measure", sort=False):
            verdicts = rows.groupby("verdict", sort=False)["policy"].agg(", ".join)
            listed = "; ".join(f"{word}: {policies}" for word, policies in verdicts.items())
            said.append(f"Validation {measure} of each policy, compared with none: {listed}.")
    if "heads" in names:
        heads = load_results("heads").groupby(["photos", "head"])[["dead", "runs"]].sum()
        listed = "; ".join(
            f"{head} on {photos} photos, {row.dead} of {row.runs}"
            for (photos, head), row in heads.iterrows()
        )
        said.append(f"Heads that died, over all policies together: {listed}.")
    if "beyond-differences" in names:
        said += [f"Lesson 09, {sentence}" for sentence in describe_tricks()]
    if "coverage" in names:
        table = load_results("coverage")
        least, most = table["coverage"].min(), table.query("seeds >= 10")["coverage"].max()
        said.append(
            f"Simulated, the 95% interval covers the truth in {least:.1%} of cases or more, and "
            f"from ten runs on in {most:.1%} or fewer."
        )
    if "null-check" in names:
        table = load_results("null-check")
        said.append(
            f"Of {table['comparisons'].min():,} comparisons of a policy with itself, "
            f"{table['contains_zero'].min():.1%} or more have an interval that contains zero."
        )
    return said


def describe_views(names: set[str]) -> str:
    """Returns how far the primary differences move with other stored views, in words."""
    if "other-views-differences" not in names:
        return ""
    table = load_results("other-views-differences")
    asked = table.query("epoch == 'last' and `class` == 'both' and policy == 'flip + contrast'")
    moved = asked.groupby("measure", sort=False)["difference"].agg(["min", "max"])
    listed = ", ".join(
        f"{name} {row['min']:+.3f} to {row['max']:+.3f}" for name, row in moved.iterrows()
    )
    return f"; with four other sets of views the differences were {listed}"


if __name__ == "__main__":
    pd.set_option("display.width", 200)
    write_page()
