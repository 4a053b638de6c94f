"""Every lesson is complete: title, guess, page rows, outputs. Finds new ones."""

import json
import re

import pytest

import course_utils
from course_utils.core.environment import project_dir

LESSONS = sorted((project_dir() / "notebooks").glob("[0-9][0-9]-*.ipynb"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_is_complete(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    first = "".join(cells[0]["source"])
    assert first.startswith("# "), f"{path.name}: the first cell begins with `# ` and the title."
    uses_kit = "import course_utils" in text and not path.name.startswith("00")
    assert "start_lesson(" in text or not uses_kit, f"{path.name}: call start_lesson."
    assert not re.search(r"\b[A-Z]{4,} [A-Z]{2,} ?[A-Z]*\b|SHORT-NAME|LESSON'S NAME", text), (
        f"{path.name}: words of the template are left."
    )
    assert any(cell["execution_count"] for cell in code), (
        f"{path.name} has no outputs. Run COURSE_DATA_DIR=synthetic COURSE_PROFILE=quick "
        f"python -m course_utils run {path.name[:2]} --in-place"
    )
    asked = set(re.findall(r'cu\.guess\(\s*"([^"]+)"', text))
    revealed = set(re.findall(r'cu\.reveal\(\s*"([^"]+)"', text))
    assert revealed <= asked, f"{path.name}: {revealed - asked} is revealed, but never guessed."


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
@pytest.mark.parametrize("page", ["README.md", "docs/instructors.md"])
def test_every_lesson_has_its_rows(path, page):
    text = (project_dir() / page).read_text(encoding="utf-8")
    number = path.name[:2]
    assert re.search(rf"^\| \[?`?{number}", text, re.MULTILINE), (
        f"{page}: the table of lessons has no row that begins with {number}."
    )


def test_the_template_s_cell_runs(make_splits):
    cells = json.loads((project_dir() / "templates/lesson.ipynb").read_text("utf-8"))["cells"]
    (code,) = [code for cell in cells if "plot_photos" in (code := "".join(cell["source"]))]
    exec(code, {"cu": course_utils, "splits": make_splits(8, 4)})
