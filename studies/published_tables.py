"""Writes the tables of data/results, and the page beside them that says what was found."""

import datetime
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from course_utils.core import backend
from course_utils.core.files import atomic_write
from course_utils.evaluation.comparison import MEASURES, Comparison
from course_utils.lessons.published import results_dir

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "pillow")
DECIMALS = 5
# What a row of a table of differences is about, before its numbers.
ABOUT = ("policy", "baseline", "measure", "class", "photos", "epoch", "pairs_counted")
RUN_COLUMNS = (
    *("policy", "seed", "epoch", "clean_loss", "clean_binary_accuracy", "augmented_loss"),
    *("augmented_binary_accuracy", "val_loss", "val_binary_accuracy", "gap", "dead_head"),
)


def write_table(table: pd.DataFrame, name: str, notes: list[str]) -> None:
    """Writes a table to data/results, complete or not at all, and says above it how it was made.

    Args:
        table: Without an index that counts.
        name: Of the file, without `.csv`.
        notes: More lines above the table.
    """
    about = [
        f"Made by: python studies/{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}".rstrip(),
        f"On {datetime.date.today().isoformat()}, {backend.processor()}, {backend.device()}, "
        + ", ".join(f"{package} {version(package)}" for package in PACKAGES),
        *notes,
    ]
    text = "".join(f"# {line}\n" for line in about)
    text += table.round(DECIMALS).to_csv(index=False, lineterminator="\n")
    with atomic_write(results_dir() / f"{name}.csv") as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")
    print(f"\n{name}.csv: {len(table):,} rows", flush=True)


def list_runs(found: Comparison, views) -> pd.DataFrame:
    """Returns a row for each policy, run and epoch.

    Args:
        found: The comparison.
        views: From a policy's name to how many stored views it has.
    """
    by_class = [f"accuracy_{name}" for name in found.class_names]
    table = found.runs[[*RUN_COLUMNS[:-2], *by_class, *RUN_COLUMNS[-2:]]]
    table.insert(1, "views", table["policy"].map(views))
    return table


def list_differences(found: Comparison) -> pd.DataFrame:
    """Returns a row for each policy and question: measure, class, photos, epoch, which pairs.

    All validation photos count after the last epoch; the held-out half after an epoch that was
    chosen on the selection half. Where heads died, the pairs in which neither did are a second
    reading.

    Args:
        found: The comparison.
    """
    questions = [(measure, None, "last") for measure in MEASURES]
    questions += [("accuracy", name, "last") for name in found.class_names]
    questions += [(measure, None, "chosen") for measure in MEASURES]
    readings = (False, True) if found.runs["dead_head"].any() else (False,)
    tables = []
    for exclude_dead in readings:
        for measure, class_name, epoch in questions:
            table = found.differences(
                measure, epoch=epoch, class_name=class_name, exclude_dead=exclude_dead
            )
            about = {
                "baseline": found.baseline,
                "measure": measure,
                "class": class_name or "both",
                "photos": "all" if epoch == "last" else "held-out half",
                "epoch": epoch,
                "pairs_counted": "neither head died" if exclude_dead else "all",
            }
            tables.append(table.reset_index().assign(**about))
    joined = pd.concat(tables, ignore_index=True)
    return joined[[*ABOUT, *(name for name in joined if name not in ABOUT)]]
