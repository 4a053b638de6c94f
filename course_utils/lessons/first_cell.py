"""The first code cell of the lessons: on Colab and Kaggle it fetches the course, elsewhere nothing.

The cell stands in the notebooks word for word, since it cannot import what it has yet to fetch.
After a change, `python -m course_utils.lessons.first_cell all` puts it into every notebook again.
"""

import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from course_utils.core import environment
from course_utils.core.files import atomic_write, check_writable
from course_utils.lessons import doctor, notebooks

# The one place of the repository's address, a placeholder until there is one.
ADDRESS = "https://github.com/OWNER/augmentation-course"
TAG = "first-cell"
CELL = f"""\
# On Colab and Kaggle, this cell fetches the course. Elsewhere it does nothing.
import os
import sys
from pathlib import Path

if {{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}} & os.environ.keys():
    course = next(Path("/kaggle/input").rglob("course_utils"), Path("course/course_utils"))
    clone = "git clone --quiet --depth 1 {ADDRESS} course"
    assert course.exists() or os.system(clone) == 0, "Turn on the internet, then rerun this cell."
    sys.path.insert(0, str(course.parent.resolve()))
    from course_utils.lessons.first_cell import prepare

    prepare()"""
# Where the cache goes if the course is a data set on Kaggle, which cannot be written.
WORKING = Path("/kaggle/working/course-cache")


def prepare() -> None:
    """Installs what a lesson needs and the machine lacks, and says what it did.

    No package that is there is changed, since others of the image rely on it. What is too old is
    named.

    Raises:
        RuntimeError: If something cannot be installed; the message says what to do.
    """
    done = []
    if "COURSE_CACHE_DIR" not in os.environ:
        try:
            check_writable(environment.cache_dir())
        except OSError:
            os.environ["COURSE_CACHE_DIR"] = str(WORKING)
            done.append(f"Downloads and features go to {WORKING}.")
    missing = [needed for needed in doctor.list_requirements() if not _find_version(needed.name)]
    if missing:
        _install(list(map(str, missing)))
        done.append(f"Installed: {', '.join(needed.name for needed in missing)}.")
    else:
        done.append("Every package is there, so nothing was installed.")
    found = doctor.examine_packages()
    if not found.well:
        done.append(f"ATTENTION: {found.found}.")
    print(f"The course is in {environment.project_dir()}.", *done)


def _find_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _install(missing: list[str]) -> None:
    """Installs packages without changing any that is there."""
    there = {each.name: each.version for each in importlib.metadata.distributions()}
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder, "there.txt")
        pins.write_text("".join(f"{name}=={version}\n" for name, version in there.items()))
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(pins)]
        ended = subprocess.run([*words, *missing], capture_output=True, text=True)
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip().splitlines()
        raise RuntimeError(
            f"Expected to install {', '.join(missing)}, but pip could not ({' '.join(said[-1:])}). "
            "Turn on the internet in the notebook's settings, and run this cell again."
        )


def put_cell(path: Path) -> None:
    """Puts the cell into a notebook, before its first code cell or in place of an older one.

    Args:
        path: The notebook.
    """
    notebook = nbformat.read(path, as_version=4)
    places = [place for place, cell in enumerate(notebook.cells) if is_first_cell(cell)]
    if places:
        notebook.cells[places[0]].source = CELL
    else:
        number = path.name[:2]
        cell = nbformat.v4.new_code_cell(CELL, id=f"{number}-first", metadata={"tags": [TAG]})
        notebook.cells.insert(1, cell)
    with atomic_write(path) as beside:
        nbformat.write(notebook, beside)


def is_first_cell(cell) -> bool:
    """Whether a cell of a notebook is this one, whatever its words.

    Args:
        cell: As `nbformat.read` returns it.
    """
    return TAG in cell.metadata.get("tags", [])


if __name__ == "__main__":
    for lesson in notebooks.choose_lessons(sys.argv[1:]):
        put_cell(lesson)
