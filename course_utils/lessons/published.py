"""Reads the published results in data/results."""

import difflib
from pathlib import Path

import pandas as pd

from course_utils.core import environment
from course_utils.core.files import readable_name

HISTORIES = "histories.csv"
EIGHT_VIEWS = "eight-views-histories.csv"  # of the lesson's policy, with more stored views
PHOTO_COUNTS = "lesson-01-photo-counts.csv"
GROUPS = "lesson-03-groups.csv"
SENSITIVITY = "sensitivity.csv"
PHOTO_WORTH = "photo-counts.csv"
VIEWS = "views-histories.csv"
RUN = ("policy", "views", "seed")  # Without `views`, all runs of a file have the same number.
MEASURED = (
    *("clean_loss", "val_loss", "clean_binary_accuracy", "val_binary_accuracy", "gap"),
    "dead_head",
)


def results_dir() -> Path:
    """Returns the folder of the published results."""
    return environment.data_dir() / "results"


def load_results(name: str) -> pd.DataFrame:
    """Returns a published table, which was measured in advance with all photos or many seeds.

    Args:
        name: The name of a file in data/results without `.csv`, such as `"summary"`.

    Returns:
        The table. If it has one row per policy, the policies are its index, as in
        `Comparison.summary()`. `attrs["about"]` says how it was made: the command, the date and
        the machine.

    Raises:
        ValueError: If there is no such table, or something is missing in it.

    Example:
        >>> load_results("summary").index[0]
        'none'
    """
    path = results_dir() / f"{name}.csv"
    if not path.is_file():
        there = sorted(file.stem for file in results_dir().glob("*.csv"))
        near = difflib.get_close_matches(str(name), there, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"Expected one of the tables {', '.join(there) or '(none)'}, received {name!r}.{hint}"
        )
    read = READERS.get(path.name)
    table = read(path) if read else pd.read_csv(path, comment="#")
    if "policy" in table and table["policy"].is_unique:
        table = table.set_index("policy")
    table.attrs["about"] = _tell_origin(path)
    return table


def _tell_origin(path: Path) -> str:
    """Returns how a table was made: the comment lines at the top of its file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))


def read_histories(path: Path) -> pd.DataFrame:
    """Returns the histories of many runs, and checks that every run has each epoch once.

    Args:
        path: A CSV file with the columns policy, seed, epoch (from 1), clean_loss, val_loss,
            clean_binary_accuracy, val_binary_accuracy, gap and dead_head. It has the column views
            if the runs differ in their number of stored views. Other columns stay as they are.

    Returns:
        A DataFrame with a row for each epoch of each run, sorted by run and epoch, policies in
        the file's order; `dead_head` is bool.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns, values or epochs are missing, or epochs are repeated.
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
                "Make the file again."
            )
    return table


def read_photo_counts(path: Path) -> pd.DataFrame:
    """Returns lesson 01's runs with different numbers of training photos.

    Args:
        path: A CSV file with the columns train_photos, seed, lowest_val_loss and dead_head.

    Returns:
        A DataFrame with a row for each run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns or values are missing.
    """
    return _read_table(path, ("train_photos", "seed", "lowest_val_loss", "dead_head"))


def read_groups(path: Path) -> pd.DataFrame:
    """Returns lesson 03's runs with the accuracy of each group of photos.

    Args:
        path: A CSV file with the columns question, augmentation, seed, dead_head and one for each
            group.

    Returns:
        A DataFrame with a row for each run. Accuracies are fractions from 0 to 1, and NaN if a
        question has no such group.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns or values are missing.
    """
    return _read_table(path, ("question", "augmentation", "seed", "dead_head"))


def read_sensitivity(path: Path) -> pd.DataFrame:
    """Returns how robust each head is to each transformation.

    Args:
        path: A CSV file of a table that `evaluate_robustness` returns.

    Returns:
        A DataFrame with a row for each head, transformation and strength.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns, values or rows are missing, or a fraction is outside of 0 to 1.
    """
    measured = ("accuracy", "unchanged")
    names = ("policy", "transformation", "unit", "strength", "seed", *measured, "dead_head")
    table = _read_table(path, names)
    _check_fractions(table, measured, path)
    _check_seeds(table, ["policy", "transformation", "strength"], path)
    return table


def read_equivalent_photos(path: Path) -> pd.DataFrame:
    """Returns the policies' runs with different numbers of training photos.

    Args:
        path: A CSV file with the columns policy, train_photos, seed; held_out_loss and
            held_out_binary_accuracy, measured on the held-out half of the validation photos after
            the epoch chosen on the selection half; last_val_loss and last_val_binary_accuracy,
            measured on all validation photos after the last epoch; and dead_head.

    Returns:
        A DataFrame with a row for each run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If columns, values or rows are missing, or a fraction is outside of 0 to 1.
    """
    fractions = ("held_out_binary_accuracy", "last_val_binary_accuracy")
    losses = ("held_out_loss", "last_val_loss")
    table = _read_table(path, ("policy", "train_photos", "seed", *losses, *fractions, "dead_head"))
    _check_fractions(table, fractions, path)
    _check_seeds(table, ["policy", "train_photos"], path)
    return table


def _check_fractions(table: pd.DataFrame, names: tuple[str, ...], path: Path) -> None:
    for name in names:
        low, high = table[name].min(), table[name].max()
        if low < 0 or high > 1:
            raise ValueError(
                f"Expected {name} from 0 to 1 in {readable_name(path)}, received {low:g} to "
                f"{high:g}. Make the file again."
            )


def _check_seeds(table: pd.DataFrame, columns: list[str], path: Path) -> None:
    """Raises a ValueError unless each group of rows has each of its policy's seeds once."""
    expected = table.groupby("policy")["seed"].unique().map(lambda seeds: sorted(seeds.tolist()))
    for group, seeds in table.groupby(columns)["seed"]:
        if sorted(seeds) != expected[group[0]]:
            raise ValueError(
                f"Expected each of the seeds {expected[group[0]]} once in {readable_name(path)} "
                f"where {', '.join(columns)} is {group}, received {sorted(seeds)}. Make the file "
                "again."
            )


# The files of data/results that have a reader of their own.
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
    """Returns a published table, and checks that these columns are there, without empty cells."""
    table = pd.read_csv(path, comment="#")  # Comment lines say how it was made.
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(
            f"Expected the columns {', '.join(columns)} in {readable_name(path)}, received none "
            f"called {', '.join(missing)}. Make the file again."
        )
    empty = table[list(columns)].isna().any(axis=1)
    if empty.any():
        raise ValueError(
            f"Expected a value in every cell of {readable_name(path)}, received none in row "
            f"{int(empty.idxmax()) + 1}. Make the file again."
        )
    return table.assign(dead_head=table["dead_head"].astype(bool))


def choose_runs(histories: pd.DataFrame, policy: str, *, views: int | None = None) -> pd.DataFrame:
    """Returns the runs of one policy with all its seeds and one number of stored views.

    Args:
        histories: As `read_histories` returns them.
        policy: The policy's name.
        views: The number of stored views; `None` takes the largest there is.

    Returns:
        The rows of these runs.

    Raises:
        ValueError: If there is no such policy, or no run of it with so many views.
    """
    runs = histories[histories["policy"] == policy]
    if runs.empty:
        raise ValueError(
            f"Expected one of the policies {', '.join(dict.fromkeys(histories['policy']))}, "
            f"received {policy!r}. Correct its name in gallery.py, or the file in data/results."
        )
    there = runs.get("views")
    if views is None:
        return runs if there is None else runs[there == there.max()]
    if there is None or views not in set(there):
        known = "None" if there is None else f"one of {sorted(set(there))}"
        raise ValueError(
            f"Expected `views` of {policy!r} to be {known}, as in the file, received {views}."
        )
    return runs[there == views]
