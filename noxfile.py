"""Builds each named environment and runs the course in it: `nox --list`, `nox -s lowest`.

pyproject.toml and environments/ say what is in each. Words after `--` replace the tests or lessons.
"""

import nox

nox.options.sessions = ["lowest"]
nox.options.error_on_missing_interpreters = True

# What depends on versions the most, in less than four minutes on two cores.
SHORT = (
    "tests/assumptions",
    "tests/augmentation/explorer/test_explorer.py",
    "tests/core/test_backend.py",
    "tests/core/test_machine.py",
    "tests/lessons/test_first_cell.py",
    "tests/lessons/test_notebooks.py",
    "tests/models/test_partition.py",
)
QUICK = {"COURSE_DATA_DIR": "synthetic", "COURSE_PROFILE": "quick"}


@nox.session(python=["3.11", "3.12", "3.13"])
def pinned(session: nox.Session) -> None:
    """The README's command, and all tests, lessons included."""
    session.install("-r", "requirements.txt", "-c", "constraints.txt")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python="3.13")
def latest(session: nox.Session) -> None:
    """All tests with what pip chooses today."""
    session.install("-r", "requirements.txt")
    session.run("python", "-m", "pytest", *session.posargs)
    session.run("python", "environments/make.py", "--latest", "python")


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """A short set of tests, and lessons 00 and 02, with the lowest versions that are promised."""
    session.install("-e", ".[test]", "-c", "environments/lowest.txt")
    tests = session.posargs or SHORT
    session.run("python", "-m", "pytest", "-o", "addopts=-p no:cacheprovider -n 2", "-q", *tests)
    session.run("python", "-m", "course_utils", "check", "00", "02", env=QUICK)


@nox.session(python="3.13")
def colab(session: nox.Session) -> None:
    """Lessons opened from a badge in Colab's packages; none of these may change."""
    _open_badges(session, "COLAB_RELEASE_TAG")


@nox.session(python="3.12")
def kaggle(session: nox.Session) -> None:
    """Lessons opened from a badge in Kaggle's packages; none of these may change."""
    _open_badges(session, "KAGGLE_KERNEL_RUN_TYPE")


def _open_badges(session: nox.Session, variable: str) -> None:
    session.install("-r", f"environments/{session.name}.txt")
    lessons = session.posargs or ("00", "01", "02", "03")
    env = {**QUICK, variable: "nox"}
    session.run("python", "environments/open_badge.py", *lessons, env=env)
