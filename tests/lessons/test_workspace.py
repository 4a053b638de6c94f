"""Working copies: an update brings what is new and keeps what a student has written."""

import json

import pytest

from course_utils import cli
from course_utils.core import environment
from course_utils.lessons import workspace


def cell(name, source, **more):
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {},
        "source": source,
        "outputs": [],
        **more,
    }


def notebook(*cells):
    return {
        "cells": list(cells),
        "metadata": {"kernelspec": {}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture
def course(tmp_path, monkeypatch):
    (tmp_path / "course" / "notebooks" / "exercises").mkdir(parents=True)
    monkeypatch.setattr(workspace, "project_dir", lambda: tmp_path / "course")
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path / "course")
    path = tmp_path / "course" / "notebooks" / "exercises" / "01-sums.ipynb"

    def publish(*cells):
        path.write_text(json.dumps(notebook(*cells)), encoding="utf-8")

    publish(cell("a", "import math"), cell("b", "x = ..."), cell("c", "q1.check(x)"))
    return publish


@pytest.fixture
def copy(course, tmp_path):
    assert workspace.start_folder(tmp_path / "mine")[0].what == "new"
    return tmp_path / "mine" / "exercises" / "01-sums.ipynb"


def read(path):
    return [(c["id"], "".join(c["source"])) for c in json.loads(path.read_text("utf-8"))["cells"]]


def write(path, *cells):
    path.write_text(json.dumps(notebook(*cells)), encoding="utf-8")


def test_an_update_keeps_answers_and_own_cells_and_brings_the_rest(course, copy, tmp_path):
    seen = [{"output_type": "stream", "name": "stdout", "text": "seen"}]
    write(
        copy,
        cell("a", "import math", outputs=seen),
        cell("b", "x = 42"),
        cell("own", "print(x)"),
        cell("c", "q1.check(x)"),
    )
    course(cell("a", "import math"), cell("new", "y = 1"), cell("b", "x = ... "), cell("c", "q1!"))
    (update,) = workspace.start_folder(tmp_path / "mine")
    assert (update.what, update.kept) == ("updated", 2)
    assert read(copy) == [
        ("a", "import math"), ("new", "y = 1"), ("b", "x = 42"), ("own", "print(x)"), ("c", "q1!"),
    ]  # fmt: skip
    assert json.loads(copy.read_text("utf-8"))["cells"][0]["outputs"] == seen
    assert workspace.start_folder(tmp_path / "mine")[0].what == "unchanged"


def test_deleted_cells_stay_deleted_and_deleted_notebooks_come_back(course, copy, tmp_path):
    write(copy, cell("a", "import math"), cell("c", "q1.check(x)"))
    workspace.start_folder(tmp_path / "mine")
    assert [name for name, _ in read(copy)] == ["a", "c"]
    copy.unlink()
    assert workspace.start_folder(tmp_path / "mine")[0].what == "new"
    assert [name for name, _ in read(copy)] == ["a", "b", "c"]


def test_what_is_no_notebook_or_was_not_handed_out_is_left_alone(course, copy, tmp_path):
    copy.write_text("mine alone", encoding="utf-8")
    assert "cannot be read" in str(workspace.start_folder(tmp_path / "mine")[0])
    assert copy.read_text(encoding="utf-8") == "mine alone"
    write(tmp_path / "other.ipynb", cell("a", "mine"))
    (tmp_path / "fresh" / "exercises").mkdir(parents=True)
    (tmp_path / "other.ipynb").rename(tmp_path / "fresh" / "exercises" / "01-sums.ipynb")
    assert "not handed out" in str(workspace.start_folder(tmp_path / "fresh")[0])


def test_the_course_s_own_folder_is_refused(course, tmp_path, capsys):
    assert cli.main(["start", str(tmp_path / "course" / "notebooks" / "mine")]) == 1
    assert "apart from the course's own files" in capsys.readouterr().err
