"""How long it takes until a lesson's first cell has run, and what of it is TensorFlow's."""

import argparse
import statistics

import nbformat
from measuring import Row, median_ratio, new_cache, run_python, time_in_turns

from course_utils.core import environment
from course_utils.lessons import notebooks

ROUNDS = 3
LESSON = "02"


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns a row for each import and one for the first cell, all in processes of their own."""
    notebook = nbformat.read(notebooks.find_lesson(LESSON), as_version=4)
    first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    scripts = {
        "Python alone": "pass",
        "`import course_utils`": "import course_utils",
        "`import tensorflow`": "import tensorflow",
        f"lesson {LESSON}'s first cell": first,
    }
    with (
        new_cache(),
        environment.using(TF_CPP_MIN_LOG_LEVEL="3", COURSE_DATA_DIR=environment.SYNTHETIC),
    ):
        rivals = {
            name: lambda script=script: run_python("-c", script) for name, script in scripts.items()
        }
        seconds = time_in_turns(rivals, ROUNDS)
    beside = seconds["`import tensorflow`"]
    return [
        Row(
            f"{name}, by `import tensorflow`",
            f"{statistics.median(each):.2f} s",
            f"{median_ratio(each, beside):.3f}",
            "a process of its own",
        )
        for name, each in seconds.items()
    ]
