import subprocess
import sys

import nbformat
import numpy as np
import pytest
from packaging.requirements import Requirement

from course_utils import cli as command_line
from course_utils.core import cache as store
from course_utils.core import environment
from course_utils.lessons import doctor, guesses
from course_utils.models import vgg16


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 1000)


def test_clean_removes_what_was_computed_and_keeps_weights_and_guesses(cache, capsys):
    for name in ("features/a/b.entry", "pixels/a.entry", "weights/w.entry"):
        store.save(name, {"numbers": np.arange(1000)})
    guesses.keep_guess("gap", "smaller")
    put(cache / "my own pictures/Car/one.jpeg")
    put(cache / "photos/Car/one.jpeg")
    assert command_line.main(["clean"]) == 0
    left = {path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file()}
    assert left == {"weights/w.entry", "guesses.entry", "manifest.txt"} | {
        f"{own}/Car/one.jpeg" for own in ("my own pictures", "photos")
    }
    assert "weights and downloaded photos stay" in capsys.readouterr().out


def test_clean_all_removes_the_weights_too(cache):
    store.save("weights/w.entry", {"numbers": np.arange(1000)})
    guesses.keep_guess("gap", "smaller")
    assert command_line.main(["clean", "--all"]) == 0
    assert [path.name for path in cache.iterdir()] == ["guesses.entry"]


def test_clean_of_no_cache_does_nothing(cache, capsys):
    assert command_line.main(["clean"]) == 0
    assert "0 MB freed" in capsys.readouterr().out


def test_an_unknown_lesson_exits_with_one_line(capsys):
    assert command_line.main(["run", "99"]) == 1
    error = capsys.readouterr().err
    assert "Expected one of the lessons 00" in error and "Traceback" not in error


def test_no_command_shows_what_there_is():
    outcome = subprocess.run([sys.executable, "-m", "course_utils"], capture_output=True, text=True)
    assert outcome.returncode == 2
    for command in ("doctor", "fetch", "run", "clean"):
        assert command in outcome.stderr


def test_doctor_exits_with_1_if_something_is_to_be_fixed(monkeypatch, capsys):
    good, bad = doctor.Finding("disk", True, "fine"), doctor.Finding("photos", False, "none")
    monkeypatch.setattr(doctor, "check_environment", lambda: [good])
    assert command_line.main(["doctor"]) == 0
    monkeypatch.setattr(doctor, "check_environment", lambda: [good, bad])
    assert command_line.main(["doctor"]) == 1
    assert "FIX   photos" in capsys.readouterr().out


@pytest.mark.slow
def test_doctor_examines_everything_a_lesson_needs(monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", "synthetic")
    things = [finding.thing for finding in doctor.check_environment()]
    assert things == [
        *("Python", "packages", "device", "profile", "cache", "photos", "weights", "disk")
    ]


@pytest.mark.slow
def test_doctor_names_a_profile_that_does_not_exist(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    found = {finding.thing: finding for finding in doctor.check_environment()}["profile"]
    assert not found.well and "'fast'" in found.found and "COURSE_PROFILE" in found.found
    monkeypatch.setenv("COURSE_PROFILE", "FULL")
    found = {finding.thing: finding for finding in doctor.check_environment()}["profile"]
    assert found.well and found.found.startswith("full")


def test_a_relative_folder_counts_from_the_course_and_not_from_where_python_started(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path / "course")
    mine = tmp_path / "course" / "data" / "mine"
    mine.mkdir(parents=True)
    for name in ("COURSE_DATA_DIR", "COURSE_CACHE_DIR", "COURSE_PREPARED_DIR"):
        monkeypatch.setenv(name, "data/mine")
    assert environment.photos_override() == str(mine)
    assert environment.cache_dir() == environment.prepared_dir() == mine


def test_doctor_names_a_folder_of_photos_that_is_not_there(monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", "/nowhere/at/all")
    photos = next(found for found in doctor.check_environment() if found.thing == "photos")
    assert not photos.well and "COURSE_DATA_DIR" in photos.found


@pytest.mark.slow
def test_doctor_names_damaged_weights(cache):
    put(cache / vgg16.STORED_NAME)
    weights = next(found for found in doctor.check_environment() if found.thing == "weights")
    assert not weights.well and "damaged" in weights.found


@pytest.mark.parametrize(
    "line, words",
    [
        ("no-such-package>=1", "no-such-package is missing"),
        ("numpy>=99", "is too old (the course needs numpy>=99)"),
    ],
)
@pytest.mark.parametrize(
    "image, advice",
    [
        (None, "-r requirements.txt -c constraints.txt"),
        ("COLAB_RELEASE_TAG", "never install requirements.txt here"),
        ("KAGGLE_KERNEL_RUN_TYPE", "never install requirements.txt here"),
    ],
)
def test_doctor_names_what_is_missing_or_too_old_and_the_right_advice(
    monkeypatch, line, words, image, advice
):
    monkeypatch.setattr(doctor, "list_requirements", lambda: [Requirement(line)])
    if image:
        monkeypatch.setenv(image, "one")
    found = {finding.thing: finding for finding in doctor.check_environment()}
    assert not found["packages"].well
    assert words in found["packages"].found and advice in found["packages"].found
    # What needs TensorFlow is not tried.
    assert "device" not in found and "photos" not in found
    assert ("image" in found) == bool(image)


def test_doctor_asks_for_the_dependencies_that_the_course_declares(monkeypatch, tmp_path):
    names = {needed.name for needed in doctor.list_requirements()}
    assert {"tensorflow", "keras", "ipywidgets"} <= names
    assert not {"jupyterlab", "notebook", "nbval", "pytest", "onnx"} & names


def test_doctor_says_that_keras_is_newer_than_what_was_checked(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path)
    (tmp_path / "constraints.txt").write_text("keras==3.1.0\ntensorflow==99.0.0\n")
    (note,) = doctor._list_newer()
    assert note == "keras is newer than 3.1, which the course was last checked with"


def test_doctor_knows_colab_and_names_the_runtime_that_works(monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    (image,) = doctor._examine_image()
    assert image.found.startswith("Colab's") and doctor.KNOWN_COLAB in image.found
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")  # Its image is built on Colab's.
    (image,) = doctor._examine_image()
    assert image.found.startswith("Kaggle's")


def test_doctor_names_a_cache_that_cannot_be_written(cache):
    cache.write_text("a file where the folder should be")
    found = {finding.thing: finding for finding in doctor.check_environment()}["cache"]
    assert not found.well and "COURSE_CACHE_DIR" in found.found


def test_the_cache_is_found_first_where_it_was_prepared(tmp_path, monkeypatch, cache):
    put(cache / "weights" / "w.npz")
    assert store.find_stored("weights/w.npz") == cache / "weights/w.npz"
    put(tmp_path / "prepared" / "weights" / "w.npz")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    assert store.find_stored("weights/w.npz") == tmp_path / "prepared/weights/w.npz"


def test_answers_go_with_the_test_alone(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["exercises", "--report", "--answers"])
    assert "course_utils exercises: error: --answers goes with --test" in capsys.readouterr().err


def test_a_reader_that_has_enough_is_no_error():
    report = [sys.executable, "-m", "course_utils", "exercises", "--report"]
    with subprocess.Popen(report, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)


@pytest.mark.parametrize("words", [["run", "all"], ["run", "02"], ["check"]])
def test_where_no_notebooks_are_that_is_said(words, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path)
    assert command_line.main(words) == 1
    error = capsys.readouterr().err
    assert f"notebooks in {tmp_path / 'notebooks'}, found none" in error


def write_lesson(folder, source):
    (folder / "notebooks").mkdir()
    path = folder / "notebooks" / "00-one.ipynb"
    cells = [nbformat.v4.new_code_cell(source)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


# IPython shows the error of a display and goes on with the next cell.
UNSHOWN = """class Box:
    def _repr_mimebundle_(self, include=None, exclude=None):
        raise AttributeError("'VBox' object has no such method")
Box()"""


@pytest.mark.parametrize("words", [["run", "00"], ["check", "00"]])
def test_a_value_that_cannot_be_shown_is_a_failure(words, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path)
    monkeypatch.setenv("COURSE_DATA_DIR", "synthetic")
    monkeypatch.setattr(vgg16, "load_vgg16_weights", list)
    write_lesson(tmp_path, UNSHOWN)
    assert command_line.main(words) == 1
    assert "'VBox' object has no such method" in capsys.readouterr().err


def test_run_writes_where_it_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path)
    write_lesson(tmp_path, "print(6 * 7)")
    assert command_line.main(["run", "00", "--out", str(tmp_path / "mine")]) == 0
    made = {path.name for path in (tmp_path / "mine").iterdir()}
    assert made == {"00-one.ipynb", "00-one.html"} and not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "words, advice",
    [
        (["run", "00", "--out", "place"], "--out"),
        (["check", "00", "--out", "place"], "--out"),
        (["run", "00"], "COURSE_CACHE_DIR"),
    ],
)
def test_a_place_that_cannot_be_written_is_said_before_a_cell_runs(
    words, advice, monkeypatch, tmp_path, cache, capsys
):
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    write_lesson(tmp_path, "open('begun', 'w')")
    (tmp_path / "place" if "--out" in words else cache).write_text("a file in the way")
    assert command_line.main(words) == 1
    assert "cannot be written" in (error := capsys.readouterr().err) and advice in error
    assert not (tmp_path / "notebooks" / "begun").exists()


def test_grading_on_windows_is_refused_in_words(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    assert command_line.main(["grade", str(tmp_path)]) == 1
    assert "found Windows" in capsys.readouterr().err


def test_a_site_without_its_builder_is_refused_in_words(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("course_utils.lessons.site.BUILDERS", ("no_such_builder",))
    assert command_line.main(["site", "--out", str(tmp_path / "site")]) == 1
    assert "pip install -e .[docs]" in capsys.readouterr().err
