"""The machine a run meets: seeds, device, and a TensorFlow that keeps quiet."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest

from course_utils.core import backend


def run_python(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def test_importing_the_package_is_quick_and_leaves_tensorflow_alone():
    script = (
        "import sys, time\n"
        "start = time.perf_counter()\n"
        "import course_utils\n"
        "taken = time.perf_counter() - start\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'ipywidgets'} & set(sys.modules)\n"
        "print(taken, heavy or 'none')\n"
    )
    # The best of three: another program may hold the processor up.
    answers = [run_python(script).stdout.split() for _ in range(3)]
    assert [answer[1] for answer in answers] == ["none"] * 3
    assert min(float(answer[0]) for answer in answers) < 0.5


@pytest.mark.slow
def test_importing_tensorflow_writes_nothing():
    script = (
        "from course_utils.core import backend\n"
        "backend.import_tensorflow().constant(1)\n"
        "import sys\n"
        "print('error after import', file=sys.stderr)\n"
    )
    ended = run_python(script)
    assert ended.stdout == ""
    assert ended.stderr == "error after import\n"


def draw_numbers():
    import keras

    drawn = keras.random.uniform((4,))
    head = keras.initializers.GlorotUniform()((2, 2))
    return [random.random(), *np.random.rand(4), *np.array(drawn), *np.array(head).ravel()]  # noqa: NPY002


def test_equal_seeds_give_equal_numbers_and_others_do_not():
    backend.set_seed()
    first = draw_numbers()
    backend.set_seed(31415)
    assert draw_numbers() == first
    backend.set_seed(7)
    assert all(np.not_equal(draw_numbers(), first))


def test_seed_is_set_for_the_hashes_of_kernels_to_come(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    backend.set_seed(7)
    assert os.environ["PYTHONHASHSEED"] == "7"


def test_processor_is_named_with_its_cores():
    name, cores = backend.processor().rsplit(", ", 1)
    assert name
    assert cores.endswith(" cores") and int(cores.split()[0]) >= 1


@pytest.mark.parametrize(("found", "expected"), [("GPU", "full"), ("CPU", "quick")])
def test_profile_goes_by_the_device_where_nothing_else_is_asked(monkeypatch, found, expected):
    monkeypatch.delenv("COURSE_PROFILE")
    monkeypatch.setattr(backend, "device", lambda: found)
    assert backend.start_lesson().profile == expected
    assert backend.start_lesson("full").profile == "full"
    assert backend.start_lesson("quick").profile == "quick"


def test_environment_overrides_the_notebooks_profile(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    chosen = backend.start_lesson("full")
    assert chosen.profile == "quick"
    said = capsys.readouterr().out
    assert backend.device() in said and "quick" in said and str(chosen.seed) in said
    assert str(chosen.train_photos) in said and str(chosen.views) in said


def test_starting_a_lesson_sets_its_seed():
    backend.start_lesson("quick")
    first = draw_numbers()
    backend.start_lesson("quick")
    assert draw_numbers() == first


def test_unknown_profile_is_refused(monkeypatch):
    monkeypatch.delenv("COURSE_PROFILE")
    with pytest.raises(ValueError, match="'quickly'"):
        backend.start_lesson("quickly")
