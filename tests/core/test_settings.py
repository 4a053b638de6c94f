"""The numbers of a run, and the environment variables that only `settings` reads."""

import dataclasses
import re
from pathlib import Path

import pytest

from course_utils.core import settings


def test_full_profile_has_the_lessons_numbers():
    full = settings.load_settings("full")
    assert (full.train_photos, full.valid_photos) == (None, None)
    assert (full.epochs, full.batch_size, full.image_size) == (30, 64, (128, 128))
    assert full.seed == 31415


def test_quick_profile_costs_at_most_1500_forward_passes():
    quick = settings.load_settings("quick")
    assert quick.train_photos * (1 + quick.views) + quick.valid_photos <= 1500
    # The synthetic dataset fills the profile.
    assert quick.synthetic_train_photos >= quick.train_photos
    assert quick.synthetic_valid_photos >= quick.valid_photos


def test_profiles_are_the_same_but_for_their_size():
    quick, full = settings.load_settings("quick"), settings.load_settings("full")
    for name in ("epochs", "image_size", "seed"):
        assert getattr(quick, name) == getattr(full, name)


def test_unknown_profile_is_refused_with_the_known_ones_and_the_variable():
    with pytest.raises(ValueError, match=r"'quick', 'full', received 'fast'.*COURSE_PROFILE.*auto"):
        settings.load_settings("fast")


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.load_settings("quick").epochs = 3


@pytest.mark.parametrize(
    ("function", "variable", "named"),
    [
        (settings.profile_override, "COURSE_PROFILE", "something"),
        (settings.photos_override, "COURSE_DATA_DIR", str(settings.project_dir() / "something")),
        (settings.prepared_dir, "COURSE_PREPARED_DIR", str(settings.project_dir() / "tests")),
    ],
)
def test_an_empty_variable_counts_as_unset(monkeypatch, function, variable, named):
    monkeypatch.setenv(variable, "")
    assert function() is None
    monkeypatch.delenv(variable)
    assert function() is None
    monkeypatch.setenv(variable, Path(named).name)
    assert str(function()) == named


def test_cache_lies_in_the_projects_data_unless_the_variable_names_another(monkeypatch):
    monkeypatch.delenv("COURSE_CACHE_DIR")
    assert settings.cache_dir() == settings.project_dir() / "data" / "cache"
    monkeypatch.setenv("COURSE_CACHE_DIR", "")
    assert settings.cache_dir() == settings.project_dir() / "data" / "cache"
    monkeypatch.setenv("COURSE_CACHE_DIR", "~/elsewhere")
    assert settings.cache_dir() == Path.home() / "elsewhere"


def test_project_is_the_checkout():
    assert (settings.project_dir() / "course_utils" / "core" / "settings.py").is_file()


def test_prepared_folder_comes_before_the_cache(tmp_path, own_cache, monkeypatch):
    assert settings.find_stored("a/b") is None
    assert settings.list_stored("a/b") == []
    (own_cache / "a" / "b").mkdir(parents=True)
    assert settings.find_stored("a/b") == own_cache / "a" / "b"
    prepared = tmp_path / "prepared"
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(prepared))
    with pytest.raises(FileNotFoundError, match="COURSE_PREPARED_DIR to name the folder"):
        settings.find_stored("a/b")
    prepared.mkdir()
    assert settings.find_stored("a/b") == own_cache / "a" / "b"
    (prepared / "a" / "b").mkdir(parents=True)
    assert settings.find_stored("a/b") == prepared / "a" / "b"
    assert settings.list_stored("a/b") == [prepared / "a" / "b", own_cache / "a" / "b"]


def test_no_other_module_reads_environment_variables():
    reading = re.compile(r"getenv|environ\.get\(|environ\[[^]]+\](?!\s*=[^=])")
    package = Path(settings.__file__).parents[1]
    modules = [path for path in package.rglob("*.py") if path.name != "settings.py"]
    assert len(modules) > 8
    assert [path.name for path in modules if reading.search(path.read_text("utf-8"))] == []
