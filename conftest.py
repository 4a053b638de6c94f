"""Which photos the tests and the notebooks run on.

Strict comparison with the committed outputs needs the photos and the profile that these were made
with, so `pytest` sets both, whatever the environment says. `pytest --own-data` executes the
notebooks on the photos that COURSE_DATA_DIR names, and compares no outputs.
"""

import os
import sys

import pytest

OWN = "COURSE_TESTS_OWN_DATA"  # set for the processes that pytest-xdist starts
NAMES = ("COURSE_DATA_DIR", "COURSE_PROFILE")
OUTSIDE = {name: os.environ[name] for name in NAMES if name in os.environ}

if "--own-data" in sys.argv:
    os.environ[OWN] = "1"
if not os.environ.get(OWN):
    # Here, before any notebook's kernel starts: kernels inherit them.
    os.environ["COURSE_DATA_DIR"] = "synthetic"
    os.environ["COURSE_PROFILE"] = "quick"


def pytest_addoption(parser):
    parser.addoption(
        "--own-data",
        action="store_true",
        help="execute the notebooks on the photos in COURSE_DATA_DIR; outputs are not compared",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if config.getoption("--own-data") and hasattr(config.option, "nbval_lax"):
        config.option.nbval, config.option.nbval_lax = False, True


def pytest_report_header(config):
    if config.getoption("--own-data"):
        photos = os.environ.get("COURSE_DATA_DIR", "the photos that the kit finds")
        return f"notebooks only, on {photos}; outputs are not compared"
    ignored = [f"{name}={OUTSIDE[name]}" for name in OUTSIDE if OUTSIDE[name] != os.environ[name]]
    said = f"; {', '.join(ignored)} is ignored, --own-data uses it" if ignored else ""
    return f"photos: synthetic vehicles in the quick profile{said}"


def pytest_collection_modifyitems(config, items):
    """With a student's own photos only notebooks can run: tests know what their photos show."""
    if config.getoption("--own-data"):
        left = [item for item in items if item.path.suffix != ".ipynb"]
        items[:] = [item for item in items if item.path.suffix == ".ipynb"]
        config.hook.pytest_deselected(items=left)
