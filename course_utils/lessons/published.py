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
    table = load_results("primary-differences") if table is None else table
    asked = table[(table["policy"] == "flip + contrast") & (table["epoch"] == "last")]
    asked = asked[asked["class"] == "both"]
    # The most stored views that there are of each comparison: nearest to a new view at each use.
    most = asked.groupby(["division", "head"])["views"].transform("max")
    asked = asked[asked["views"] == most]

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
