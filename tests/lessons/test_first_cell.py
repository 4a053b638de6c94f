"""The cell that fetches the course on Colab and Kaggle, and does nothing elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from course_utils.core import environment
from course_utils.lessons import doctor, first_cell, notebooks

pytestmark = pytest.mark.slow

NOTEBOOKS = notebooks.list_lessons()


@pytest.fixture
def elsewhere(tmp_path):
    """Runs the cell in an empty folder, and gives what it prints; git clones this checkout."""
    project = environment.project_dir()

    def run(after="", *, reachable=True, **variables):
        address = project.as_uri() if reachable else (tmp_path / "nowhere").as_uri()
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("COURSE_") and name != "PYTHONPATH"
        }
        kept |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{address}.insteadOf",
            "GIT_CONFIG_VALUE_0": first_cell.ADDRESS,
        }
        return subprocess.run(
            [sys.executable, "-P", "-c", f"{first_cell.CELL}\n{after}"],
            cwd=folder,
            env=kept | variables,
            capture_output=True,
            text=True,
        )

    return run


def test_the_cell_is_short():
    assert sum(map(bool, first_cell.CELL.splitlines())) <= 12


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_every_notebook_begins_with_the_cell(number):
    cells = nbformat.read(NOTEBOOKS[number], as_version=4).cells
    first = next(cell for cell in cells if cell.cell_type == "code")
    assert first_cell.is_first_cell(first) and first.source == first_cell.CELL, (
        f"python -m course_utils.lessons.first_cell {number} puts the cell into it"
    )
    assert sum(map(first_cell.is_first_cell, cells)) == 1


def test_the_badges_lead_to_the_one_address_and_to_lessons():
    page = environment.project_dir() / "docs" / "environments.md"
    text = page.read_text(encoding="utf-8")
    name = first_cell.ADDRESS.removeprefix("https://")
    linked = re.findall(r"(github[\w./-]*)/blob/main/notebooks/([\w-]+\.ipynb)", text)
    assert len(linked) == 4
    for address, lesson in linked:
        assert address.replace("github/", "github.com/", 1) == name
        assert lesson in {path.name for path in NOTEBOOKS.values()}


def test_on_a_prepared_machine_it_does_nothing(elsewhere):
    ended = elsewhere("print('course_utils' in sys.modules, os.listdir())")
    assert (ended.stdout, ended.stderr, ended.returncode) == ("False []\n", "", 0)


@pytest.mark.skipif(
    not (environment.project_dir() / ".git").exists(), reason="a checkout is what it clones"
)
@pytest.mark.parametrize("image", ["COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"])
def test_on_an_image_the_course_is_fetched_once(elsewhere, image):
    after = "import course_utils\nprint(Path(course_utils.__file__).parents[1].name)"
    for _ in range(2):
        ended = elsewhere(after, **{image: "one"})
        assert ended.returncode == 0, ended.stderr
        told, name = ended.stdout.splitlines()
        assert told.startswith("The course is in ") and "nothing was installed" in told
        assert name == "course"


def test_without_internet_the_course_is_an_input_of_kaggle(elsewhere, monkeypatch, tmp_path):
    inputs = tmp_path / "input" / "datasets" / "somebody" / "the-course"
    inputs.mkdir(parents=True)
    (tmp_path / "input" / "car-or-truck" / "train" / "Car").mkdir(parents=True)
    package = environment.project_dir() / "course_utils"
    (inputs / "course_utils").symlink_to(package, target_is_directory=True)
    cell = first_cell.CELL.replace("/kaggle/input", (tmp_path / "input").as_posix())
    monkeypatch.setattr(first_cell, "CELL", cell)
    ended = elsewhere("print(sys.path[0])", reachable=False, KAGGLE_KERNEL_RUN_TYPE="one")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == str(inputs)


def test_what_is_too_old_is_named_and_left_alone(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "list_requirements", lambda: [Requirement("numpy>=99")])
    monkeypatch.setattr(first_cell, "_install", lambda missing: pytest.fail("installed"))
    first_cell.prepare()
    assert "ATTENTION: numpy" in capsys.readouterr().out


def test_where_the_course_cannot_be_fetched_that_is_said(elsewhere):
    ended = elsewhere(reachable=False, COLAB_RELEASE_TAG="one")
    assert ended.returncode == 1 and "Turn on the internet" in ended.stderr


def test_what_is_missing_is_installed_and_nothing_else_changed(monkeypatch, capsys):
    asked = []

    def install(words, **_):
        pins = Path(words[words.index("--constraint") + 1])
        asked.append((words[-1], pins.read_text(encoding="utf-8")))
        return subprocess.CompletedProcess(words, 0, "", "")

    needed = [Requirement("numpy>=2.0"), Requirement("no-such-package>=3")]
    monkeypatch.setattr(doctor, "list_requirements", lambda: needed)
    monkeypatch.setattr(first_cell.subprocess, "run", install)
    first_cell.prepare()
    ((package, pins),) = asked
    assert package == "no-such-package>=3"
    version = first_cell._find_version("numpy")
    assert f"numpy=={version}\n" in pins
    said = capsys.readouterr().out
    assert "Installed: no-such-package." in said


def test_what_cannot_be_installed_is_said(monkeypatch):
    def refuse(words, **_):
        return subprocess.CompletedProcess(words, 1, "", "ERROR: no route\n")

    monkeypatch.setattr(doctor, "list_requirements", lambda: [Requirement("no-such-package")])
    monkeypatch.setattr(first_cell.subprocess, "run", refuse)
    with pytest.raises(RuntimeError, match="no-such-package.*no route.*Turn on the internet"):
        first_cell.prepare()


def test_a_course_that_cannot_be_written_has_its_cache_elsewhere(monkeypatch, tmp_path, capsys):
    (tmp_path / "data").write_text("a file in the way")
    monkeypatch.delenv("COURSE_CACHE_DIR")
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path)
    monkeypatch.setattr(doctor, "list_requirements", list)
    monkeypatch.setattr(first_cell, "WORKING", tmp_path / "working")
    first_cell.prepare()
    assert environment.cache_dir() == tmp_path / "working"
    assert str(tmp_path / "working") in capsys.readouterr().out


def test_the_cell_is_put_in_once_and_renewed(tmp_path):
    path = tmp_path / "00-one.ipynb"
    cells = [nbformat.v4.new_markdown_cell("# One"), nbformat.v4.new_code_cell("1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    first_cell.put_cell(path)
    renewed = nbformat.read(path, as_version=4)
    renewed.cells[1].source = "# an older one"
    nbformat.write(renewed, path)
    first_cell.put_cell(path)
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    assert sources == ["# One", first_cell.CELL, "1"]
