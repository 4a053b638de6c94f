"""The named environments hold what pyproject.toml promises; nox, CI and the workflow use them."""

import ast
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from course_utils.core import environment, machine

PROJECT = environment.project_dir()
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMED = ("colab", "kaggle", "lowest", "latest")
SESSIONS = {
    node.name
    for node in ast.parse((PROJECT / "noxfile.py").read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.decorator_list
}


def read_pins(name):
    text = (PROJECT / name).read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==([\w.+-]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): Version(version) for package, version in pins}


@pytest.mark.parametrize("file", ["constraints.txt", *(f"environments/{n}.txt" for n in NAMED)])
def test_each_environment_has_what_the_course_declares(file):
    pins = read_pins(file)
    for needed in map(Requirement, DECLARED["dependencies"]):
        # What an image lacks, or holds in a version that pip chooses, the first cell installs.
        if needed.name in pins:
            assert needed.specifier.contains(pins[needed.name]), (file, str(needed))
        else:
            assert file == "environments/kaggle.txt" and needed.name == "nbclient", needed


def test_the_lowest_environment_is_the_bounds():
    pins = read_pins("environments/lowest.txt")
    bounds = {each.name: each.specifier for each in map(Requirement, DECLARED["dependencies"])}
    assert pins.keys() == bounds.keys()
    assert all(str(bounds[name]) == f">={version}" for name, version in pins.items()), (
        "python environments/make.py writes it again"
    )


def test_the_pins_say_when_and_where_they_come_from():
    for name in ("colab", "kaggle", "latest"):
        head = (PROJECT / f"environments/{name}.txt").read_text(encoding="utf-8")[:600]
        assert re.search(r"\b20\d\d-\d\d-\d\d\b", head), name


def test_the_pythons_are_the_same_everywhere():
    oldest, newest = machine.OLDEST, machine.NEWEST
    assert DECLARED["requires-python"] == f">=3.{oldest[1]},<3.{newest[1] + 1}"
    named = {f"Programming Language :: Python :: 3.{minor}" for minor in range(11, 14)}
    assert named <= {*DECLARED["classifiers"]}


def test_nox_ci_and_the_workflow_run_them():
    assert {"pinned", *NAMED} == SESSIONS
    assert 'nox" --session lowest' in (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    text = (PROJECT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    chosen = jobs["environments"]["strategy"]["matrix"]["include"]
    assert {each["session"] for each in chosen} == {*NAMED}
    systems = jobs["systems"]["strategy"]["matrix"]["system"]
    assert systems == ["windows-latest", "macos-latest", "ubuntu-latest"]


def test_the_short_set_of_tests_exists():
    text = (PROJECT / "noxfile.py").read_text(encoding="utf-8")
    paths = re.findall(r'"(tests/[^"]+)"', text)
    assert len(paths) > 4 and all((PROJECT / path).exists() for path in paths)
