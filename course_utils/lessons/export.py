"""A lesson as slides, as a page, or as a PDF file, from the notebook as it is, outputs included."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from course_utils.core.checks import check_choice
from course_utils.core.files import atomic_write
from course_utils.lessons import notebooks

FORMATS = ("slides", "html", "pdf")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
PDF_SECONDS = 180


def export_lesson(path: Path, file_format: str, folder: Path) -> Path:
    """Writes a lesson in another format.

    Args:
        path: The notebook, with its outputs.
        file_format: `"slides"` (reveal.js, which the browser loads from the internet), `"html"`,
            or `"pdf"`.
        folder: Where to.

    Returns:
        The file.

    Raises:
        ValueError: If the format is unknown.
        RuntimeError: If there is no browser to print a PDF file with, or it fails.
    """
    import nbformat

    check_choice("format", file_format, FORMATS)
    notebook = nbformat.read(path, as_version=4)
    if file_format == "slides":
        return _write(_to_slides(notebook), folder / f"{path.stem}.slides.html")
    page = notebooks.to_html(notebook)
    if file_format == "html":
        return _write(page, folder / f"{path.stem}.html")
    return _print_page(page, folder / f"{path.stem}.pdf")


def _write(text: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path


def mark_slides(notebook) -> None:
    """Marks where slides begin: at headings, and at each cell that shows a figure.

    A cell that already says what it is on a slide keeps that.

    Args:
        notebook: The notebook as `nbformat.read` returns it; its metadata changes.
    """
    fresh = False
    for cell in notebook.cells:
        heading = cell.cell_type == "markdown" and cell.source.lstrip().startswith("#")
        figure = any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
        guard = notebooks.GUARD in cell.metadata.get("tags", [])
        kind = "skip" if guard else "slide" if heading else "subslide" if figure else "-"
        if kind == "subslide" and fresh:
            kind = "-"  # The first figure after a heading stays with it.
        cell.metadata.setdefault("slideshow", {"slide_type": kind})
        fresh = heading or (fresh and not figure)


def _to_slides(notebook) -> str:
    from nbconvert import SlidesExporter

    mark_slides(notebook)
    slides, _ = SlidesExporter(reveal_scroll=True).from_notebook_node(notebook)
    return slides


def _print_page(page: str, path: Path) -> Path:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        raise RuntimeError(
            f"Expected a browser to print with, found none of {', '.join(BROWSERS)}. Install "
            "Chromium, or write html and print it from your browser."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        source, made = Path(name, "page.html"), Path(name, "page.pdf")
        source.write_text(page, encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
        command += [f"--user-data-dir={name}/profile", f"--print-to-pdf={made}", source.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PDF_SECONDS)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{browser} did not print within {PDF_SECONDS} s.") from None
        if not made.is_file():
            raise RuntimeError(f"{browser} printed nothing: {done.stderr[-400:]}")
        with atomic_write(path) as beside:
            shutil.copyfile(made, beside)
    return path
