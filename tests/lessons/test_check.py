import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from course_utils import cli as command_line
from course_utils.core import environment
from course_utils.data import dataset
from course_utils.lessons import check
from course_utils.models import vgg16

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "exercises").mkdir(parents=True)
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path)
    return tmp_path


def write(path, *sources, tags=()):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for cell in cells:
        cell.metadata["tags"] = list(tags)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture
def fetched(monkeypatch):
    """Weights and photos are there: what the command asks of them is kept here."""
    asked = []
    monkeypatch.setattr(vgg16, "load_vgg16_weights", lambda: asked.append("weights"))

    class Found:
        source = "Photos of the test."

    def load(chosen):
        asked.append((chosen.profile, environment.photos_override()))
        return Found

    monkeypatch.setattr(dataset, "load_car_or_truck", load)
    return asked


def test_notebooks_are_executed_and_measured_and_stay_as_they_are(project, fetched, capsys):
    lesson = write(
        project / "notebooks" / "00-sum.ipynb",
        *("quick = 1", "import time\ntime.sleep(0.5)", "held = bytearray(10**8)", "print(6 * 7)"),
    )
    exercise = write(project / "notebooks" / "exercises" / "01-name.ipynb", "print('seven')")
    before = {path: path.read_bytes() for path in (lesson, exercise)}
    assert command_line.main(["check"]) == 0
    said = capsys.readouterr().out
    assert "00-sum" in said and "exercises/01-name" in said and said.count(" ok ") == 2
    slowest = said.split("00-sum: ")[1].splitlines()[1:4]
    assert any("cell 1: import time" in line for line in slowest)
    assert len(slowest) == check.SLOWEST
    pages = project / "runs" / "check"
    assert "42" in (pages / "00-sum.html").read_text(encoding="utf-8")
    assert "seven" in (pages / "exercises" / "01-name.html").read_text(encoding="utf-8")
    assert {path: path.read_bytes() for path in before} == before
    assert len(list((project / "notebooks").rglob("*.ipynb"))) == 2


def test_an_outcome_holds_time_memory_and_cells(project, tmp_path):
    source = "import time\nheld = b'x' * 3 * 10**8\ntime.sleep(1)"
    path = write(project / "notebooks" / "00-large.ipynb", "one = 1", source)
    (outcome,) = check.check_notebooks([path], tmp_path / "pages", progress=False)
    assert outcome.peak_memory > 3 * 10**8 and outcome.seconds > 1
    assert [cell.number for cell in outcome.cells] == [1, 0] and outcome.cells[0].seconds >= 1
    assert not outcome.failures and outcome.page.is_file()


def test_a_failing_cell_is_named_on_the_line_in_the_end_and_on_the_page(project, fetched, capsys):
    write(project / "notebooks" / "00-fails.ipynb", "assert 1 == 2, 'one is not two'", "print(5)")
    write(project / "notebooks" / "01-well.ipynb", "print(7)")
    assert command_line.main(["check"]) == 1
    captured = capsys.readouterr()
    assert "1 FAILED" in captured.out
    assert "cell 0: AssertionError: one is not two" in captured.err and "01-well" in captured.out
    page = (project / "runs" / "check" / "00-fails.html").read_text(encoding="utf-8")
    assert "one is not two" in page and ">5\n" in page


def test_a_cell_that_is_to_fail_is_no_failure(project, tmp_path):
    path = write(project / "notebooks" / "00-error.ipynb", "1 / 0", tags=["raises-exception"])
    (outcome,) = check.check_notebooks([path], tmp_path, progress=False)
    assert not outcome.failures


def test_a_kernel_that_dies_is_its_notebook_s_failure_only(project, tmp_path):
    dies = write(project / "notebooks" / "00-dies.ipynb", "import os\nos._exit(1)")
    lives = write(project / "notebooks" / "01-lives.ipynb", "print(7)")
    first, second = check.check_notebooks([dies, lives], tmp_path, at_once=2, progress=False)
    assert "DeadKernelError" in first.failures[0] and not second.failures


def test_options_reach_the_kernels_and_not_beyond(project, fetched, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    source = "import os\nprint(os.environ['COURSE_PROFILE'], os.environ['COURSE_DATA_DIR'])"
    write(project / "notebooks" / "00-says.ipynb", source)
    monkeypatch.chdir(project)
    assert command_line.main(["check", "0", "--profile", "full", "--data", "mine"]) == 0
    assert fetched == [("full", str(project / "mine")), "weights"]
    page = (project / "runs" / "check" / "00-says.html").read_text(encoding="utf-8")
    assert f"full {project / 'mine'}" in page
    assert (
        environment.profile_override() == "quick" and environment.photos_override() == "synthetic"
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_an_interrupt_ends_the_command_and_its_kernel(project):
    running = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    path = write(project / "notebooks" / "00-long.ipynb", running)
    script = "import pathlib, sys\nfrom course_utils.lessons import check, notebooks\n"
    script += "notebooks.name_below_notebooks = lambda path: path.stem\n"
    script += "check.check_notebooks([pathlib.Path(sys.argv[1])], pathlib.Path(sys.argv[2]))"
    words = [sys.executable, "-c", script, str(path), str(project)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    note = project / "notebooks" / "pid"
    while not (note.is_file() and note.read_text()) and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=50)[1]
    assert process.returncode and not check.psutil.pid_exists(int(note.read_text()))


@pytest.mark.parametrize("free, cores, expected", [(1, 8, 1), (5.9, 8, 1), (6, 8, 2), (99, 1, 1)])
def test_memory_and_cores_decide_how_many_run_at_once(monkeypatch, free, cores, expected):
    class Memory:
        available = int(free * 10**9)

    monkeypatch.setattr(check.psutil, "virtual_memory", lambda: Memory)
    monkeypatch.setattr(check.os, "cpu_count", lambda: cores)
    assert check.choose_at_once() == expected


def test_notebooks_are_checked_where_an_event_loop_runs_already(project):
    path = write(project / "notebooks" / "00-sum.ipynb", "print(6 * 7)")

    async def check_within():
        return check.check_notebooks([path], project / "pages", progress=False)

    # In a thread: the tests of the browser may have left a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        (outcome,) = pool.submit(asyncio.run, check_within()).result()
    assert not outcome.failures and "42" in outcome.page.read_text(encoding="utf-8")
