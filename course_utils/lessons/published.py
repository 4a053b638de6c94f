"""Reads what was measured and published in data/results, and takes the runs of one policy out."""

import difflib
from pathlib import Path

import pandas as pd

from course_utils.core import settings
from course_utils.core.files import readable_name

HISTORIES = "histories.csv"
EIGHT_VIEWS = "eight-views-histories.csv"  # of the lesson's policy, with more stored views
PHOTO_COUNTS = "lesson-01-photo-counts.csv"
GROUPS = "lesson-03-groups.csv"
SENSITIVITY = "sensitivity.csv"
PHOTO_WORTH = "photo-counts.csv"
VIEWS = "views-histories.csv"
RUN = ("policy", "views", "seed")  # Without `views`, the file has one number of them throughout.
MEASURED = (
    *("clean_loss", "val_loss", "clean_binary_accuracy", "val_binary_accuracy", "gap"),
    "dead_head",
)


def results_dir() -> Path:
    """Returns the folder of the published results."""
    return settings.data_dir() / "results"


def load_results(name: str) -> pd.DataFrame:
    """Returns a published table: what was measured with all photos or many seeds, long before.

    Args:
        name: Of a file in data/results, without its ending, such as `"summary"`.

    Returns:
        The table; where it has one row a policy, these are its index, as in
        `Comparison.summary()`. `attrs["about"]` says how it was made: the command, the date, the
        machine.

    Raises:
        ValueError: If there is no such table, or it is not whole.
    """
    path = results_dir() / f"{name}.csv"
    if not path.is_file():
        there = sorted(file.stem for file in results_dir().glob("*.csv"))
        near = difflib.get_close_matches(str(name), there, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"Expected a table out of {', '.join(there) or 'none'}, received {name!r}.{hint}"
        )
    read = READERS.get(path.name)
    table = read(path) if read else pd.read_csv(path, comment="#")
    if "policy" in table and table["policy"].is_unique:
        table = table.set_index("policy")
    table.attrs["about"] = _tell_origin(path)
    return table


def _tell_origin(path: Path) -> str:
    """Returns how a table was made: the lines above it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))


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


def read_sensitivity(path: Path) -> pd.DataFrame:
    """Returns how each head withstands each transformation, one row for each strength.

    Args:
        path: A CSV file as `evaluate_robustness` gives it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns, numbers or rows are missing, or a share is none.
    """
    measured = ("accuracy", "unchanged")
    names = ("policy", "transformation", "unit", "strength", "seed", *measured, "dead_head")
    table = _read_table(path, names)
    _check_shares(table, measured, path)
    _check_seeds(table, ["policy", "transformation", "strength"], path)
    return table


def read_equivalent_photos(path: Path) -> pd.DataFrame:
    """Returns policies' runs with fewer and more train photos, one row each.

    Args:
        path: A CSV file with the columns policy, train_photos, seed; sealed_loss and
            sealed_binary_accuracy at the epoch chosen on *select*; last_val_loss and
            last_val_binary_accuracy after the last epoch; and dead_head.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns, numbers or rows are missing, or a share is none.
    """
    shares = ("sealed_binary_accuracy", "last_val_binary_accuracy")
    names = ("policy", "train_photos", "seed", "sealed_loss", "last_val_loss", *shares, "dead_head")
    table = _read_table(path, names)
    _check_shares(table, shares, path)
    _check_seeds(table, ["policy", "train_photos"], path)
    return table


def _check_shares(table: pd.DataFrame, names: tuple[str, ...], path: Path) -> None:
    for name in names:
        low, high = table[name].min(), table[name].max()
        if low < 0 or high > 1:
            raise ValueError(
                f"Expected {name} from 0 to 1 in {readable_name(path)}, received {low:g} to "
                f"{high:g}. Write the file anew."
            )


def _check_seeds(table: pd.DataFrame, columns: list[str], path: Path) -> None:
    """Checks that each group of rows has each of its policy's seeds once."""
    expected = table.groupby("policy")["seed"].unique().map(lambda seeds: sorted(seeds.tolist()))
    for group, seeds in table.groupby(columns)["seed"]:
        if sorted(seeds) != expected[group[0]]:
            raise ValueError(
                f"Expected each of the seeds {expected[group[0]]} once in {readable_name(path)} "
                f"where {', '.join(columns)} is {group}, received {sorted(seeds)}. Write the file "
                "anew."
            )


# How each file of data/results that figures are drawn from is read.
READERS = {
    HISTORIES: read_histories,
    EIGHT_VIEWS: read_histories,
    PHOTO_COUNTS: read_photo_counts,
    GROUPS: read_groups,
    SENSITIVITY: read_sensitivity,
    PHOTO_WORTH: read_equivalent_photos,
    VIEWS: read_histories,
}


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
