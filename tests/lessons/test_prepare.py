import os
import shutil
import stat

import numpy as np
import pytest
from PIL import Image

from course_utils import cli as command_line
from course_utils.core import backend, environment, settings
from course_utils.data import archives, pixels, sources
from course_utils.data.dataset import load_car_or_truck
from course_utils.features import forward
from course_utils.lessons import check, doctor, prepare
from course_utils.lessons.guesses import keep_guess
from course_utils.models import vgg16

pytestmark = pytest.mark.slow

QUICK = settings.load_settings("quick")


@pytest.fixture
def failures():
    """What the lesson of the test fails with: nothing, at first."""
    return []


@pytest.fixture
def project(tmp_path, monkeypatch, failures):
    """A course without photos, whose weights are fetched at once and whose one lesson runs here
    and not in a kernel, which test_check.py has."""
    place = tmp_path / "course"
    (place / "data").mkdir(parents=True)
    monkeypatch.setattr(environment, "project_dir", lambda: place)

    def run_lessons(paths, folder, *, at_once):
        assert at_once == 1
        load_car_or_truck(settings.load_settings("quick"))
        keep_guess("anything", "an answer of the student's")
        page = folder / "00-one.html"
        return [check.Outcome("00-one", 1.0, 10**9, [], failures, page)]

    monkeypatch.setattr(check, "check_notebooks", run_lessons)

    def fetch(*, source=None):
        path = environment.cache_dir() / vgg16.STORED_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")

    monkeypatch.setattr(vgg16, "load_vgg16_weights", fetch)
    small = settings.Settings(
        **{**vars(QUICK), "synthetic_train_photos": 8, "synthetic_valid_photos": 4}
    )
    monkeypatch.setitem(settings.PROFILES, "quick", small)
    return place


@pytest.fixture
def own_photos(tmp_path):
    """A folder of sixteen small pictures of two classes, without train and valid."""
    random = np.random.default_rng(3)
    for name in ("Bus", "Tram"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(8):
            image = Image.fromarray(random.integers(0, 256, (24, 32, 3), np.uint8))
            image.save(tmp_path / "own" / name / f"{number}.png")
    return tmp_path / "own"


def list_files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_prepared_without_what_is_a_student_s_own(project, tmp_path, capsys):
    out = tmp_path / "prepared"
    assert command_line.main(["fetch", "--all", "--out", str(out)]) == 0
    files = list_files(out)
    assert vgg16.STORED_NAME.as_posix() in files
    assert any(name.startswith("synthetic/v") for name in files)
    assert sum(name.startswith("pixels/") for name in files) == 2  # train and valid
    assert "guesses.entry" not in files
    for path in (out, *out.rglob("*")):
        assert path.stat().st_mode & stat.S_IROTH
    said = capsys.readouterr().out
    assert f"COURSE_PREPARED_DIR={out}" in said and "COURSE_DATA_DIR=synthetic" in said


def test_a_class_reads_what_was_prepared_wherever_it_is_mounted(
    project, tmp_path, monkeypatch, own_cache
):
    command_line.main(["fetch", "--all", "--out", str(tmp_path / "prepared")])
    shutil.copytree(tmp_path / "prepared", tmp_path / "mounted", copy_function=shutil.copyfile)
    shutil.rmtree(tmp_path / "prepared")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "mounted"))
    monkeypatch.setattr(pixels, "_decode", lambda *all: pytest.fail("decoded once more"))
    splits = load_car_or_truck(settings.load_settings("quick"))
    assert splits.train.count == 8
    assert not own_cache.exists()


def test_own_photos_are_copied_and_found_by_the_prepared_folder_alone(
    project, tmp_path, monkeypatch, own_photos, own_cache
):
    monkeypatch.setenv("COURSE_DATA_DIR", str(own_photos))
    before = load_car_or_truck(QUICK)
    shutil.rmtree(own_cache)
    assert command_line.main(["fetch", "--all", "--out", str(tmp_path / "prepared")]) == 0
    monkeypatch.delenv("COURSE_DATA_DIR")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    shutil.rmtree(own_photos)
    monkeypatch.setattr(pixels, "_decode", lambda *all: pytest.fail("decoded once more"))
    after = load_car_or_truck(QUICK)
    assert after.class_names == ("Bus", "Tram") and "prepared for this class" in after.source
    assert after.train.names == before.train.names
    np.testing.assert_array_equal(after.train.keys, before.train.keys)
    assert not own_cache.exists()


def test_a_folder_prepared_with_other_photos_is_refused(
    project, tmp_path, monkeypatch, own_photos, capsys
):
    words = ["fetch", "--all", "--out", str(tmp_path / "prepared")]
    monkeypatch.setenv("COURSE_DATA_DIR", str(own_photos))
    assert command_line.main(words) == 0
    assert command_line.main(words) == 0
    (own_photos / "Bus" / "0.png").unlink()
    assert command_line.main(words) == 1
    assert "prepared with the same photos" in capsys.readouterr().err
    monkeypatch.setenv("COURSE_DATA_DIR", "synthetic")
    assert command_line.main(words) == 1


@pytest.mark.filterwarnings("ignore:Expected no photo in both")
def test_photos_of_an_archive_are_prepared_too(project, tmp_path, monkeypatch, own_photos):
    for split in ("train", "valid"):
        shutil.copytree(own_photos, tmp_path / "packed" / split)
    shutil.make_archive(str(tmp_path / "photos"), "zip", tmp_path / "packed")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "photos.zip"))
    out = tmp_path / "prepared"
    assert command_line.main(["fetch", "--all", "--out", str(out)]) == 0
    assert (out / sources.CLASS_PHOTOS / "train" / "Bus" / "0.png").is_file()
    assert [path.name for path in (out / "photos").iterdir()] == ["class"]


def test_a_failing_lesson_is_told_in_the_end(project, tmp_path, capsys, failures):
    failures.append("cell 3: ValueError: not with these photos")
    assert command_line.main(["fetch", "--all", "--out", str(tmp_path / "prepared")]) == 1
    assert "not with these photos" in capsys.readouterr().err


# What looks into the prepared folder first (weights, pixels and features in their own tests)


def test_a_prepared_folder_that_is_not_there_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "gone"))
    for call in (backend.start_lesson, lambda: load_car_or_truck(QUICK)):
        with pytest.raises(FileNotFoundError, match="COURSE_PREPARED_DIR"):
            call()
    findings = {finding.thing: finding for finding in doctor.check_environment()}
    assert not findings["prepared"].well and "fetch --all" in findings["prepared"].found
    assert not findings["weights"].well and not findings["photos"].well


def test_a_prepared_folder_without_weights_is_told_loudly(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path))
    backend.start_lesson()
    assert f"ATTENTION: {tmp_path} holds no weights" in capsys.readouterr().out
    (finding,) = doctor._examine_prepared()
    assert finding.thing == "prepared" and not finding.well


def test_a_prepared_archive_is_not_unpacked_again(tmp_path, monkeypatch, own_photos, own_cache):
    for split in ("train", "valid"):
        shutil.copytree(own_photos, tmp_path / "packed" / split)
    archive = shutil.make_archive(str(tmp_path / "photos"), "zip", tmp_path / "packed")
    there, _ = archives.unpack_photos(tmp_path / "photos.zip", tmp_path / "prepared" / "photos")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    assert sources.find_photos(QUICK, archive)[0] == there
    assert not own_cache.exists()


def test_the_prepared_machine_is_not_timed_again(tmp_path, monkeypatch, own_cache, make_base):
    monkeypatch.setattr(forward, "_time_forward", lambda base, precision: 1.0)
    forward.choose_precision(make_base())
    own_cache.rename(tmp_path / "prepared")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    monkeypatch.setattr(forward, "_time_forward", lambda *all: pytest.fail("timed again"))
    assert forward.choose_precision(make_base()) == "float32"
    assert not own_cache.exists()


def test_a_class_does_not_download_in_the_full_profile(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_DATA_DIR")
    monkeypatch.setattr(environment, "data_dir", lambda: tmp_path / "data")
    (tmp_path / "prepared").mkdir()
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    monkeypatch.setattr(sources.kaggle, "download_photos", lambda **_: pytest.fail("downloads"))
    monkeypatch.setattr(sources, "_find_synthetic", lambda chosen: tmp_path)
    _, why = sources.find_photos(settings.load_settings("full"))
    assert "not tried, as the prepared folder has none" in why


def test_own_pictures_in_the_cache_are_read_again_when_their_date_changes(own_cache, own_photos):
    shutil.copytree(own_photos, own_cache / "mine")
    kept = own_photos.rename(own_cache / "photos")
    for folder, changes in ((own_cache / "mine", True), (kept, False)):
        files = sorted(folder.rglob("*.png"))
        before = pixels._describe_files(folder, files, (24, 32))
        os.utime(files[0], (0, 0))
        assert (pixels._describe_files(folder, files, (24, 32)) != before) == changes


def test_the_environment_is_put_back(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    with (
        pytest.raises(KeyError),
        environment.using(COURSE_PROFILE="full", COURSE_DATA_DIR=None),
    ):
        assert environment.profile_override() == "full" and environment.photos_override() is None
        raise KeyError
    assert (
        environment.profile_override() == "quick" and environment.photos_override() == "synthetic"
    )


def test_describing_a_folder_names_its_parts(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.npz").write_bytes(b"x" * 2_000_000)
    assert "holds 2 MB: weights 2 MB" in prepare.describe_folder(tmp_path)
