"""Lint and format of the whole project, notebooks too."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(command):
    installed = shutil.which("ruff", path=Path(sys.executable).parent) or shutil.which("ruff")
    assert installed, "ruff is missing: python -m pip install -r requirements.txt"
    outcome = subprocess.run(
        [installed, *command, "--no-cache", str(PROJECT)], capture_output=True, text=True
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
