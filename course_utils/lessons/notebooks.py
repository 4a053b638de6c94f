"""Finds the lesson notebooks, executes them and writes them as HTML."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from course_utils.core import environment
from course_utils.core.files import atomic_write, check_writable
from course_utils.core.progress import Progress

# nbconvert's template writes "No description" for every picture; ours have alt texts.
PAGE = """{%- extends 'lab/index.html.j2' -%}
{%- block data_png scoped -%}
<div class="jp-RenderedImage jp-OutputArea-output" tabindex="0">
<img alt="{{ output | get_metadata('alt', 'image/png') | e }}"
src="data:image/png;base64,{{ output.data['image/png'] }}">
</div>
{%- endblock -%}"""
PLACES = ("", "notebooks", "notebooks/exercises")  # below the project, for a file by its name
# The tag of cells that only check what the lesson relies on, collapsed in JupyterLab.
GUARD = "guard"
# Minutes that a cell may take. In the quick profile the longest takes a few; in the full profile,
# which is asked for by COURSE_PROFILE, a training takes hours on a CPU.
CELL_MINUTES, FULL_CELL_MINUTES = 30, 300


def list_lessons() -> dict[str, Path]:
    """Returns the notebooks by number: `"00"` … for lessons, `"exercises/01"` … for exercises."""
    folder = environment.project_dir() / "notebooks"
    found = {path.name[:2]: path for path in sorted(folder.glob("[0-9][0-9]-*.ipynb"))}
    exercises = sorted((folder / "exercises").glob("[0-9][0-9]-*.ipynb"))
    return found | {f"exercises/{path.name[:2]}": path for path in exercises}


def find_lesson(number: str) -> Path:
    """Returns a lesson's notebook.

    Args:
        number: The lesson's number, such as `"02"` or `"2"`, a lesson's file name, or the path of
            any notebook.

    Returns:
        The path of the notebook.

    Raises:
        ValueError: If there is no such lesson.
    """
    lessons = list_lessons()
    head, _, tail = number.rpartition("/")
    name = f"{head}/{tail.zfill(2)}".lstrip("/") if tail.isdigit() else number
    found = lessons.get(name)
    if not found and number.endswith(".ipynb"):
        # That very file, wherever it is; never another one of the same name.
        beside = (Path(number), *(environment.project_dir() / part / number for part in PLACES))
        found = next((path.resolve() for path in beside if path.is_file()), None)
        if not found:
            raise ValueError(f"Expected a notebook's path, found no file {number}.")
    if not found:
        raise ValueError(f"Expected one of the lessons {', '.join(lessons)}, received {number!r}.")
    return found


def name_below_notebooks(path: Path) -> str:
    """Returns a notebook's path in notebooks/ without its extension, with `/` on every system.

    Args:
        path: A notebook's path; of one from elsewhere the file name is taken.
    """
    folder = environment.project_dir() / "notebooks"
    below = path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)
    return below.with_suffix("").as_posix()


def choose_cell_minutes() -> float:
    """Returns how many minutes a cell may take before its notebook is stopped.

    Raises:
        ValueError: If COURSE_CELL_MINUTES is no number above 0.
    """
    written = environment.read("COURSE_CELL_MINUTES")
    if not written:
        full = environment.profile_override() == "full"
        return FULL_CELL_MINUTES if full else CELL_MINUTES
    try:
        minutes = float(written)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < float("inf"):
        raise ValueError(
            f"Expected minutes above 0 in COURSE_CELL_MINUTES, received {written!r}. Write for "
            "example 30, or leave it out."
        )
    return minutes


def run_lesson(
    path: Path, folder: Path | None = None, *, in_place: bool = False, progress: bool = True
) -> list[Path]:
    """Executes a notebook from the first cell to the last.

    Args:
        path: The notebook.
        folder: Where a copy and a page for the browser are written; `None` means the folder `runs`.
        in_place: Whether to replace the notebook with the executed one instead.
        progress: Whether to show a progress line.

    Returns:
        The files written.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails, or shows an error without
            failing, as a widget that cannot be displayed does; the message shows the cell.
        OSError: If the folder cannot be written; that is checked before the first cell runs.
    """
    import nbformat
    from nbclient.exceptions import CellExecutionError

    folder = path.parent if in_place else folder or environment.project_dir() / "runs"
    check_writable(folder)
    notebook = nbformat.read(path, as_version=4)
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with Progress(cells, path.stem, shown=progress) as line:
        build_client(notebook, path, after_cell=lambda *_: line.advance()).execute()
    for _, cell, output in find_errors(notebook):
        raise CellExecutionError.from_cell_and_msg(cell, output)
    if in_place:
        return [_write_notebook(notebook, path)]
    page = folder / f"{path.stem}.html"
    with atomic_write(page) as beside:
        beside.write_text(to_html(notebook), encoding="utf-8")
    return [_write_notebook(notebook, folder / path.name), page]


def build_client(
    notebook,
    path: Path,
    *,
    before_cell: Callable[[], None] = lambda: None,
    after_cell: Callable[[int, float], None] = lambda number, seconds: None,
    **options,
):
    """Returns the `nbclient.NotebookClient` that the course executes notebooks with.

    Args:
        notebook: The notebook as `nbformat.read` returns it.
        path: The notebook's file; the kernel starts in its folder.
        before_cell: Called before each cell.
        after_cell: Called after each code cell with its number among all cells, from 0, and the
            seconds that it took.
        **options: Other options of the client, such as `allow_errors`.
    """
    from nbclient import NotebookClient

    class Client(NotebookClient):
        # Not nbclient's hooks, which came with 0.6; Kaggle has 0.5.
        async def async_execute_cell(self, cell, cell_index, *words, **more):
            before_cell()
            start = time.perf_counter()
            executed = await super().async_execute_cell(cell, cell_index, *words, **more)
            if cell.cell_type == "code":
                after_cell(cell_index, time.perf_counter() - start)
            return executed

    # With this variable, ipykernel does not capture the file descriptor of standard error, so
    # that native code's notes do not appear in a cell's output; the same as under nbval.
    os.environ["PYTEST_CURRENT_TEST"] = "1"
    return Client(
        notebook,
        timeout=round(60 * choose_cell_minutes()),
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        # The kernel listens on this machine only, so its note on encryption is not needed.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        **options,
    )


def find_errors(notebook) -> Iterator[tuple]:
    """Gives every error in a notebook's outputs, except in cells that are meant to fail.

    Args:
        notebook: The notebook as `nbformat.read` returns it.

    Yields:
        The number of the cell among all cells, from 0; the cell; and the output.
    """
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if output.output_type == "error":
                    yield number, cell, output


def _write_notebook(notebook, path: Path) -> Path:
    import nbformat

    for cell in notebook.cells:
        # The time at which each cell ran would be a change in every version.
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("widgets", None)
    # Each patch version of Python would be a change; only the kernel's name matters.
    notebook.metadata["language_info"] = {"name": "python"}
    with atomic_write(path) as beside:
        nbformat.write(notebook, beside)
    return path


def to_html(notebook) -> str:
    """Returns an executed notebook as one HTML page, with its pictures and their alt texts.

    Cells with the tag `guard` are left out.

    Args:
        notebook: The notebook as `nbformat.read` returns it.
    """
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    without = Config({"TagRemovePreprocessor": {"enabled": True, "remove_cell_tags": {GUARD}}})
    page, _ = HTMLExporter(raw_template=PAGE, config=without).from_notebook_node(notebook)
    return page


def choose_lessons(numbers: list[str]) -> list[Path]:
    """Returns the notebooks of the given lessons.

    Args:
        numbers: Numbers as in `find_lesson`; `"all"` stands for every notebook.

    Raises:
        FileNotFoundError: If there are no notebooks at all.
        ValueError: If there is no such lesson.
    """
    lessons = list_lessons()
    if not lessons:
        raise FileNotFoundError(
            f"Expected the course's notebooks in {environment.project_dir() / 'notebooks'}, found "
            "none. Run this in the folder that holds the course's README.md."
        )
    return list(lessons.values()) if "all" in numbers else [find_lesson(each) for each in numbers]
