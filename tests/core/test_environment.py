"""The environment variables that only `environment` reads, and the folders they name."""

import re
from pathlib import Path

import pytest

from course_utils.core import cache, environment

PROJECT = environment.project_dir()


@pytest.mark.parametrize(
    ("function", "variable", "named"),
    [
        (environment.profile_override, "COURSE_PROFILE", "something"),
        (environment.photos_override, "COURSE_DATA_DIR", str(PROJECT / "something")),
        (environment.prepared_dir, "COURSE_PREPARED_DIR", str(PROJECT / "tests")),
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
    assert environment.cache_dir() == environment.project_dir() / "data" / "cache"
    monkeypatch.setenv("COURSE_CACHE_DIR", "")
    assert environment.cache_dir() == environment.project_dir() / "data" / "cache"
    monkeypatch.setenv("COURSE_CACHE_DIR", "~/elsewhere")
    assert environment.cache_dir() == Path.home() / "elsewhere"


def test_project_is_the_checkout():
    assert (environment.project_dir() / "course_utils" / "core" / "environment.py").is_file()


def test_prepared_folder_comes_before_the_cache(tmp_path, own_cache, monkeypatch):
    assert cache.find_stored("a/b") is None
    assert cache.list_stored("a/b") == []
    (own_cache / "a" / "b").mkdir(parents=True)
    assert cache.find_stored("a/b") == own_cache / "a" / "b"
    prepared = tmp_path / "prepared"
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(prepared))
    with pytest.raises(FileNotFoundError, match="COURSE_PREPARED_DIR to name the folder"):
        cache.find_stored("a/b")
    prepared.mkdir()
    assert cache.find_stored("a/b") == own_cache / "a" / "b"
    (prepared / "a" / "b").mkdir(parents=True)
    assert cache.find_stored("a/b") == prepared / "a" / "b"
    assert cache.list_stored("a/b") == [prepared / "a" / "b", own_cache / "a" / "b"]


def test_no_other_module_reads_environment_variables():
    reading = re.compile(r"getenv\(|environ\.get\(|environ\[[^]]+\](?!\s*=[^=])")
    package = Path(environment.__file__).parents[1]
    modules = [path for path in package.rglob("*.py") if path.name != "environment.py"]
    assert len(modules) > 8
    assert [path.name for path in modules if reading.search(path.read_text("utf-8"))] == []
