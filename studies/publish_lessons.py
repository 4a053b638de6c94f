"""Runs lessons 01 and 03 and writes what they measured to data/results/, for their figures.

    COURSE_DATA_DIR=synthetic COURSE_PROFILE=quick python studies/publish_lessons.py

The numbers are the lessons' own: each notebook runs as it stands, with one cell more at its end.
"""

import datetime
from importlib.metadata import version

import nbformat

from course_utils.core import backend, environment
from course_utils.core.files import atomic_write
from course_utils.lessons import notebooks, published

PACKAGES = ("tensorflow", "keras", "numpy")
# By file: the lesson, and the cell that prints its table from the lesson's own variables.
TABLES = {
    published.PHOTO_COUNTS: ("01", "table = results.assign(seed=[1, 2, 3] * 4)"),
    published.GROUPS: (
        "03",
        """table = pd.concat(
    {
        ("heading", "no augmentation"): plain,
        ("heading", "flip"): flipped,
        ("light", "no augmentation"): plain_light,
        ("light", "brightness and contrast"): relit,
        ("background", "no augmentation"): plain_behind,
        ("background", "flip"): flipped_behind,
        ("left or right", "no augmentation"): plain_sides,
        ("left or right", "flip"): flipped_sides,
    },
    names=["question", "augmentation"],
).reset_index()""",
    ),
}
DECIMALS = 5


def main() -> None:
    """Runs the lessons and writes the tables."""
    about = [
        "Made by: COURSE_DATA_DIR=synthetic COURSE_PROFILE=quick python studies/publish_lessons.py",
        f"On {datetime.date.today().isoformat()}, {backend.processor()}, {backend.device()}, "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    ]
    for name, (number, source) in TABLES.items():
        path = notebooks.find_lesson(number)
        notebook = nbformat.read(path, as_version=4)
        printed = f"{source}\nprint(table.round({DECIMALS}).to_csv(index=False), end='')"
        notebook.cells.append(nbformat.v4.new_code_cell(printed))
        notebooks.build_client(notebook, path).execute()
        text = "".join(output.text for output in notebook.cells[-1].outputs)
        head = "".join(f"# {line}\n" for line in (*about, f"What lesson {number} measured."))
        with atomic_write(environment.data_dir() / "results" / name) as beside:
            beside.write_text(head + text, encoding="utf-8")
        print(f"{name} is written.", flush=True)


if __name__ == "__main__":
    main()
