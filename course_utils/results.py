"""Reads what was measured and published in data/results, and takes the runs of one policy out."""

from pathlib import Path

import pandas as pd

from course_utils import settings
from course_utils.files import readable_name

HISTORIES = "histories.csv"
PHOTO_COUNTS = "lesson-01-photo-counts.csv"
GROUPS = "lesson-03-groups.csv"
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
    table = _read_table(path, ("policy", "seed", "epoch", *MEASURED))
    run_columns = [name for name in RUN if name in table]
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


def read_photo_counts(path: Path) -> pd.DataFrame:
    """Returns lesson 01's runs with fewer and more train photos, one row each.

    Args:
        path: A CSV file with the columns train_photos, seed, lowest_val_loss and dead_head.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns or numbers are missing.
    """
    return _read_table(path, ("train_photos", "seed", "lowest_val_loss", "dead_head"))


def read_groups(path: Path) -> pd.DataFrame:
    """Returns lesson 03's runs, one row each: the accuracy of each group, empty where a question
    has no such group.

    Args:
        path: A CSV file with the columns question, augmentation, seed, dead_head and one a group.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns or numbers are missing.
    """
    return _read_table(path, ("question", "augmentation", "seed", "dead_head"))


# How each file of data/results that figures are drawn from is read.
READERS = {HISTORIES: read_histories, PHOTO_COUNTS: read_photo_counts, GROUPS: read_groups}


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Returns a published table that has these columns, and a value in each of their rows."""
    table = pd.read_csv(path, comment="#")  # Such lines say how it was made.
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(
            f"Expected the columns {', '.join(columns)} in {readable_name(path)}, received none "
            f"called {', '.join(missing)}. Write it anew."
        )
    empty = table[list(columns)].isna().any(axis=1)
    if empty.any():
        raise ValueError(
            f"Expected a value in every cell of {readable_name(path)}, received none in row "
            f"{int(empty.idxmax()) + 1}. Write the file anew."
        )
    return table.assign(dead_head=table["dead_head"].astype(bool))


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
