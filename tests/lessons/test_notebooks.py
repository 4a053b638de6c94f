import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from course_utils.core import environment
from course_utils.lessons import notebooks


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "exercises").mkdir(parents=True)
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path)
    return tmp_path


def write(path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_lessons_are_found_by_number_and_by_name(project, monkeypatch):
    monkeypatch.chdir(project)
    lesson = write(project / "notebooks" / "02-data-augmentation.ipynb")
    exercise = write(project / "notebooks" / "exercises" / "02-build.ipynb")
    for name in ("02", "2", "02-data-augmentation.ipynb", "notebooks/02-data-augmentation.ipynb"):
        assert notebooks.find_lesson(name) == lesson
    assert notebooks.find_lesson("exercises/02") == exercise
    assert list(notebooks.choose_lessons(["all"])) == [lesson, exercise]


def test_a_path_is_that_very_file_or_refused(project, tmp_path, monkeypatch):
    write(project / "notebooks" / "02-data-augmentation.ipynb")
    (tmp_path / "mine").mkdir()
    own = write(tmp_path / "mine" / "02-data-augmentation.ipynb")
    assert notebooks.find_lesson(str(own)) == own
    monkeypatch.chdir(own.parent)
    assert notebooks.find_lesson(own.name) == own
    assert notebooks.name_below_notebooks(own) == own.stem
    with pytest.raises(ValueError, match="found no file other/02-data"):
        notebooks.find_lesson("other/02-data-augmentation.ipynb")


def test_a_cell_has_minutes_not_hours(monkeypatch):
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    assert notebooks.choose_cell_minutes() == 30
    monkeypatch.setenv("COURSE_PROFILE", "full")
    assert notebooks.choose_cell_minutes() == 300
    monkeypatch.setenv("COURSE_CELL_MINUTES", "2.5")
    assert notebooks.choose_cell_minutes() == 2.5
    for wrong in ("soon", "-1", "nan", "inf"):
        monkeypatch.setenv("COURSE_CELL_MINUTES", wrong)
        with pytest.raises(ValueError, match="minutes above 0"):
            notebooks.choose_cell_minutes()


def test_an_unknown_lesson_is_answered_with_the_known_ones(project):
    write(project / "notebooks" / "00-start-here.ipynb")
    with pytest.raises(ValueError, match="one of the lessons 00, received '7'"):
        notebooks.find_lesson("7")


@pytest.mark.slow
def test_a_run_leaves_the_notebook_alone_and_writes_a_copy_and_a_page(project):
    path = write(project / "notebooks" / "00-sum.ipynb", "print(6 * 7)")
    before = path.read_bytes()
    copy, page = notebooks.run_lesson(path, progress=False)
    assert path.read_bytes() == before
    assert copy.parent == page.parent == project / "runs"
    assert nbformat.read(copy, 4).cells[0].outputs[0].text == "42\n"
    assert "42" in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_carries_the_alt_text_of_a_figure(project):
    source = "from course_utils.figures.base import DescribedFigure\n"
    source += "DescribedFigure(title='Dots', alt_text='Seven dots & a line.')"
    path = write(project / "notebooks" / "00-figure.ipynb", source)
    _, page = notebooks.run_lesson(path, progress=False)
    text = page.read_text(encoding="utf-8")
    assert 'alt="Dots. Seven dots &amp; a line."' in text and "No description" not in text


def test_guard_cells_run_and_are_left_out_of_the_page(project):
    path = write(project / "notebooks" / "00-sum.ipynb", "total = 6 * 7", "print(f'{total = }')")
    notebook = nbformat.read(path, 4)
    notebook.cells[1].metadata["tags"] = [notebooks.GUARD]
    nbformat.write(notebook, path)
    copy, page = notebooks.run_lesson(path, progress=False)
    assert nbformat.read(copy, 4).cells[1].outputs[0].text == "total = 42\n"
    text = page.read_text(encoding="utf-8")
    assert "total" in text and "total = 42" not in text


def test_in_place_the_notebook_gets_its_outputs_and_no_time_stamps(project):
    path = write(project / "notebooks" / "00-sum.ipynb", "print(6 * 7)")
    assert notebooks.run_lesson(path, in_place=True, progress=False) == [path]
    cell = nbformat.read(path, 4).cells[0]
    assert cell.outputs[0].text == "42\n" and cell.execution_count == 1
    assert "execution" not in cell.metadata


def test_a_failing_cell_is_named_and_nothing_is_written(project):
    path = write(project / "notebooks" / "00-fails.ipynb", "assert 1 == 2, 'one is not two'")
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="one is not two"):
        notebooks.run_lesson(path, in_place=True, progress=False)
    assert path.read_bytes() == before and not (project / "runs").exists()


def test_native_standard_error_stays_out_of_the_outputs(project):
    source = "import os; written = os.write(2, b'a note from native code')"
    path = write(project / "notebooks" / "00-note.ipynb", source)
    copy, _ = notebooks.run_lesson(path, progress=False)
    assert nbformat.read(copy, 4).cells[0].outputs == []
