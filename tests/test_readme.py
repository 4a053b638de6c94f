"""What the README and the workflow name exists."""

import re

import nbformat
import pytest
import yaml

from course_utils.core import environment
from course_utils.lessons import notebooks

PROJECT = environment.project_dir()
README = (PROJECT / "README.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (PROJECT / "docs").glob("*.md")}


def test_the_sections_that_answer_misconceptions_exist():
    table = PAGES["instructors.md"].split("## Common misconceptions")[1]
    named = re.findall(r"(exercise \d\d|\b\d\d), \*([^*]+)\*", table)
    assert len(named) >= 10
    for number, section in named:
        path = notebooks.find_lesson(number.replace("exercise ", "exercises/"))
        text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        assert f"## {section}\n" in f"{text}\n", (number, section)


@pytest.mark.parametrize(
    "command",
    [
        *("check", "figures", "fetch", "exercises", "doctor", "clean", "project"),
        *("start", "export", "share", "class", "grade"),
    ],
)
def test_the_pages_tell_of_every_command(command):
    told = "\n".join([README, *PAGES.values()])
    assert f"course_utils {command}" in told or f"`{command}" in told


def test_the_readme_lists_every_lesson_and_fits_one_screen():
    for number, path in notebooks.list_lessons().items():
        assert f"`{path.stem}`" in README or number.startswith("exercises/")
    words = re.sub(r"```.*?```", "", README, flags=re.DOTALL).split()
    assert len(words) < 680


def test_the_workflow_runs_the_readme_s_test_command_on_the_pythons_it_promises():
    path = PROJECT / ".github" / "workflows" / "check.yml"
    job = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]["check"]
    versions = job["strategy"]["matrix"]["python-version"]
    assert all(version in README for version in versions) and len(versions) == 3
    steps = [step.get("run") for step in job["steps"]]
    assert "python -m pytest" in steps and "python -m course_utils figures --check" in steps
