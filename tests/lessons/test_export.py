"""Slides, pages and PDF files of a lesson."""

import shutil

import nbformat
import pytest

from course_utils import cli
from course_utils.lessons import export, notebooks

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
PNG += "rkJggg=="


@pytest.fixture
def lesson(tmp_path):
    def figure(source):
        made = nbformat.v4.new_code_cell(source)
        made.outputs = [nbformat.v4.new_output("display_data", {"image/png": PNG})]
        return made

    guard = nbformat.v4.new_code_cell("assert True", metadata={"tags": [notebooks.GUARD]})
    cells = [
        nbformat.v4.new_markdown_cell("# A lesson"), figure("one"), figure("two"), guard,
        nbformat.v4.new_markdown_cell("plain words"),
    ]  # fmt: skip
    path = tmp_path / "02-lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_slides_begin_at_headings_and_figures(lesson):
    notebook = nbformat.read(lesson, 4)
    notebook.cells[4].metadata["slideshow"] = {"slide_type": "notes"}
    export.mark_slides(notebook)
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in notebook.cells]
    assert kinds == ["slide", "-", "subslide", "skip", "notes"]


@pytest.mark.parametrize(("kind", "part"), [("slides", "reveal"), ("html", "jp-Notebook")])
def test_slides_and_pages_hold_the_lesson(lesson, tmp_path, kind, part, capsys):
    assert cli.main(["export", str(lesson), "--to", kind, "--out", str(tmp_path / "out")]) == 0
    (made,) = (tmp_path / "out").iterdir()
    text = made.read_text(encoding="utf-8")
    assert part in text and "plain words" in text and str(made) in capsys.readouterr().out


@pytest.mark.skipif(not any(map(shutil.which, export.BROWSERS)), reason="needs a browser")
def test_a_browser_prints_the_pdf_file(lesson, tmp_path):
    assert export.export_lesson(lesson, "pdf", tmp_path).read_bytes().startswith(b"%PDF")


def test_without_a_browser_a_pdf_file_is_refused(lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(export.shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="Install Chromium"):
        export.export_lesson(lesson, "pdf", tmp_path)
