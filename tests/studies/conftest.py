"""The studies import each other by their bare names, as scripts in one folder do."""

import sys
from pathlib import Path

import pytest

STUDIES = Path(__file__).resolve().parents[2] / "studies"


@pytest.fixture(autouse=True)
def importable_studies(monkeypatch):
    """Puts the folder of the studies on the path, and forgets their modules afterwards."""
    monkeypatch.syspath_prepend(str(STUDIES))
    yield
    for path in STUDIES.glob("*.py"):
        sys.modules.pop(path.stem, None)
