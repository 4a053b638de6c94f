"""Reads what was measured and published in data/results, and takes the runs of one policy out."""

from pathlib import Path

import pandas as pd

from course_utils import settings
from course_utils.files import readable_name

HISTORIES = "histories.csv"
RUN = ("policy", "views", "seed")  # Without `views`, the file has one number of them throughout.
MEASURED = (
    *("clean_loss", "val_loss", "clean_binary_accuracy", "val_binary_accuracy", "gap"),
    "dead_head",
)


def results_dir() -> Path:
    """Returns the folder of the published results."""
    return settings.data_dir() / "results"


def read_histories(path: Path) -> pd.DataFrame:
    """Returns the histories of many runs, checked: every run has all epochs, once, in order.

    Args:
        path: A CSV file with the columns policy, seed, epoch (from 1), clean_loss, val_loss,
            clean_binary_accuracy, val_binary_accuracy, gap and dead_head, and views where a
            policy has runs with several numbers of them; others stay as they are.

    Returns:
        A DataFrame, one row an epoch of a run, sorted by run and epoch in the file's order of
        policies; `dead_head` is bool.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns, numbers or epochs are missing or twice there.
    """
    table = pd.read_csv(path)
    run_columns = [name for name in RUN if name != "views" or name in table]
    columns = [*run_columns, "epoch", *MEASURED]
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(
            f"Expected the columns {', '.join(columns)} in "
            f"{readable_name(path)}, received none called {', '.join(missing)}. Write it anew."
        )
    empty = table[columns].isna().any(axis=1)
    if empty.any():
        raise ValueError(
            f"Expected a value in every cell of {readable_name(path)}, received none in line "
            f"{int(empty.idxmax()) + 2}. Write the file anew."
        )
    table["dead_head"] = table["dead_head"].astype(bool)
    order = {policy: place for place, policy in enumerate(dict.fromkeys(table["policy"]))}
    table = table.sort_values(
        [*run_columns, "epoch"],
        key=lambda column: column.map(order) if column.name == "policy" else column,
        ignore_index=True,
    )
    epochs = table["epoch"].nunique()
    for run, history in table.groupby(run_columns):
        if history["epoch"].tolist() != list(range(1, epochs + 1)):
            raise ValueError(
                f"Expected the epochs 1 to {epochs} of every run in {readable_name(path)}, "
                f"received {history['epoch'].tolist()} where {', '.join(run_columns)} is {run}. "
                "Write the file anew."
            )
    return table


def choose_runs(histories: pd.DataFrame, policy: str, *, views: int | None = None) -> pd.DataFrame:
    """Returns the runs of one policy: all its seeds, with one number of stored views.

    Args:
        histories: As `read_histories` gives them.
        policy: Its name.
        views: Of how many stored views; the most there are where it is `None`.

    Raises:
        ValueError: If the policy is not there, or not with so many views.
    """
    runs = histories[histories["policy"] == policy]
    if runs.empty:
        raise ValueError(
            f"Expected a policy out of {', '.join(dict.fromkeys(histories['policy']))}, received "
            f"{policy!r}. Correct its name in gallery.py, or the file in data/results."
        )
    there = runs.get("views")
    if views is None:
        return runs if there is None else runs[there == there.max()]
    if there is None or views not in set(there):
        known = "one number" if there is None else f"{sorted(set(there))}"
        raise ValueError(
            f"Expected {policy!r} with {known} of views, received {views}. Choose one that is "
            "there."
        )
    return runs[there == views]
