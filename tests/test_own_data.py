"""`pytest` says which photos it uses; `--own-data` runs notebooks on those of the environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


def collect(*words, **environment):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-n", "0", *words]
    kept = {name: text for name, text in os.environ.items() if not name.startswith("COURSE_")}
    outcome = subprocess.run(
        command, cwd=PROJECT, env={**kept, **environment}, capture_output=True, text=True
    )
    return outcome.stdout + outcome.stderr


@pytest.mark.slow
def test_the_header_says_that_own_photos_are_ignored():
    said = collect("tests/test_style.py", COURSE_DATA_DIR="/my/photos")
    assert "synthetic vehicles in the quick profile" in said, said
    assert "COURSE_DATA_DIR=/my/photos is ignored" in said, said


@pytest.mark.slow
@pytest.mark.parametrize("place", ["notebooks/exercises", "."])
def test_own_data_collects_notebooks_only_and_compares_nothing(place):
    said = collect("--own-data", place, COURSE_DATA_DIR="/my/photos")
    assert "notebooks only, on /my/photos; outputs are not compared" in said, said
    assert "01-curves-and-weights.ipynb" in said and "Function test_" not in said, said[-2000:]
