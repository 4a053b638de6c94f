"""Finds the lesson notebooks, executes them and writes them as HTML."""

import os
from collections.abc import Iterator
from pathlib import Path

from course_utils.core import settings
from course_utils.core.files import atomic_write
from course_utils.core.progress import Progress

# nbconvert's own page says of every picture that it has no description; ours carry one.
PAGE = """{%- extends 'lab/index.html.j2' -%}
{%- block data_png scoped -%}
<div class="jp-RenderedImage jp-OutputArea-output" tabindex="0">
<img alt="{{ output | get_metadata('alt', 'image/png') | escape_html }}"
src="data:image/png;base64,{{ output.data['image/png'] }}">
</div>
{%- endblock -%}"""
CELL_LIMIT = 4 * 3600  # seconds; the full profile computes for hours on a CPU


def list_lessons() -> dict[str, Path]:
    """Returns the notebooks by their numbers: `"00"` … for lessons, `"exercises/01"` … ."""
    folder = settings.project_dir() / "notebooks"
    found = {path.name[:2]: path for path in sorted(folder.glob("[0-9][0-9]-*.ipynb"))}
    exercises = sorted((folder / "exercises").glob("[0-9][0-9]-*.ipynb"))
    return found | {f"exercises/{path.name[:2]}": path for path in exercises}


def find_lesson(number: str) -> Path:
    """Returns a lesson's notebook.

    Args:
        number: Such as `"02"`, `"2"`, or the notebook's file name.

    Raises:
        ValueError: If there is none.
    """
    lessons = list_lessons()
    head, _, tail = number.rpartition("/")
    name = f"{head}/{tail.zfill(2)}".lstrip("/") if tail.isdigit() else number
    by_name = {path.name: path for path in lessons.values()}
    found = lessons.get(name) or by_name.get(Path(number).name)
    if not found:
        raise ValueError(
            f"Expected a lesson out of {', '.join(lessons) or 'none (no notebooks here)'}, "
            f"received {number!r}."
        )
    return found


def name_below_notebooks(path: Path) -> str:
    """Returns a notebook's name without its ending, with `exercises/` before an exercise's.

    Args:
        path: One that `list_lessons` gives.
    """
    return path.relative_to(settings.project_dir() / "notebooks").with_suffix("").as_posix()


def run_lesson(path: Path, *, in_place: bool = False, progress: bool = True) -> list[Path]:
    """Executes a notebook from its first cell to its last.

    Args:
        path: The notebook.
        in_place: Whether the executed notebook replaces it; otherwise a copy and a page for
            the browser go to the folder `runs`.
        progress: Whether a line shows how far it is.

    Returns:
        The files written.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails; it names the cell.
    """
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with Progress(cells, path.stem, shown=progress) as line:
        build_client(notebook, path, on_cell_executed=lambda **_: line.advance()).execute()
    if in_place:
        return [_write_notebook(notebook, path)]
    folder = settings.project_dir() / "runs"
    page = folder / f"{path.stem}.html"
    with atomic_write(page) as beside:
        beside.write_text(to_html(notebook), encoding="utf-8")
    return [_write_notebook(notebook, folder / path.name), page]


def build_client(notebook, path: Path, **options):
    """Returns the `nbclient.NotebookClient` that executes a notebook as the course does.

    Args:
        notebook: The notebook, read.
        path: Where it lies; its kernel starts in that folder.
        **options: More of the client's own, such as `on_cell_executed`.
    """
    from nbclient import NotebookClient

    # ipykernel then leaves the file descriptor of standard error alone, as under nbval, so that
    # native code's notes do not end up in a cell's output.
    os.environ["PYTEST_CURRENT_TEST"] = "1"
    return NotebookClient(
        notebook,
        timeout=CELL_LIMIT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        # The kernel listens on this machine only: no need for its note on encryption.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        **options,
    )


def _write_notebook(notebook, path: Path) -> Path:
    import nbformat

    for cell in notebook.cells:
        # When each cell ran, to the microsecond: nothing but noise between two versions.
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("widgets", None)
    # Each patch of Python would be a change; the kernel's name is all that matters.
    notebook.metadata["language_info"] = {"name": "python"}
    with atomic_write(path) as beside:
        nbformat.write(notebook, beside)
    return path


def to_html(notebook) -> str:
    """Returns an executed notebook as one page, pictures and their alt texts included."""
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter(raw_template=PAGE).from_notebook_node(notebook)
    return page


def choose_lessons(numbers: list[str]) -> Iterator[Path]:
    """Returns the notebooks of some numbers; `"all"` stands for every one."""
    if "all" in numbers:
        return iter(list_lessons().values())
    return iter([find_lesson(number) for number in numbers])
