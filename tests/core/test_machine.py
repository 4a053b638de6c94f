"""What TensorFlow and Keras refuse is said in one sentence before they are imported."""

import json
import subprocess
import sys

import pytest

from course_utils.core import machine


@pytest.fixture(autouse=True)
def keras_not_imported(monkeypatch, tmp_path):
    """As in a new kernel, with no configuration of Keras."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))


def test_this_machine_fits():
    machine.check_machine()


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("version_info", (3, 10, 2), "Expected Python 3.11 to 3.13"),
        ("version_info", (3, 14, 0), "make a virtual environment"),
        ("maxsize", 2**31 - 1, "64-bit Python"),
    ],
)
def test_a_python_that_does_not_fit_is_named(monkeypatch, name, value, words):
    monkeypatch.setattr(machine.sys, name, value)
    (misfit,) = machine.list_misfits()
    assert words in misfit
    with pytest.raises(RuntimeError, match=words):
        machine.check_machine()


@pytest.mark.parametrize(
    "system, processor, words",
    [
        ("Darwin", "x86_64", "a Mac with an Intel processor"),
        ("Windows", "ARM64", "Windows on ARM"),
        ("Darwin", "arm64", None),
        ("Windows", "AMD64", None),
        ("Linux", "aarch64", None),
    ],
)
def test_a_machine_without_packages_of_tensorflow_is_named(monkeypatch, system, processor, words):
    monkeypatch.setattr(machine.platform, "system", lambda: system)
    monkeypatch.setattr(machine.platform, "machine", lambda: processor)
    monkeypatch.setattr(machine, "_has_avx", lambda: True)
    found = list(machine.list_misfits())
    assert words in found[0] if words else not found


@pytest.mark.parametrize(
    "flags, fits", [("flags : fpu avx avx2", True), ("flags : fpu sse4_2", False), ("", True)]
)
def test_a_processor_without_avx_is_named(monkeypatch, tmp_path, flags, fits):
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine, "CPU_FACTS", tmp_path / "cpuinfo")
    assert not list(machine.list_misfits())  # Not Linux: nothing is known.
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\n")
    assert [("AVX" in misfit) for misfit in machine.list_misfits()] == [True] * (not fits)


def test_another_backend_is_named_with_its_place(monkeypatch, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}))
    assert "'torch'" in machine.find_keras_misfit()
    assert str(tmp_path / "keras.json") in machine.find_keras_misfit()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert "'jax' in the environment variable KERAS_BACKEND" in machine.find_keras_misfit()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert machine.find_keras_misfit() is None


def test_another_image_format_is_named(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"image_data_format": "channels_first"}))
    assert "image_data_format channels_last" in machine.find_keras_misfit()
    (tmp_path / "keras.json").write_text("not JSON")
    assert machine.find_keras_misfit() is None


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run 02", "doctor", "fetch", "check 02"])
def test_a_command_ends_in_one_sentence_for_another_backend(command, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "no_such_backend")
    words = [sys.executable, "-m", "course_utils", *command.split()]
    ended = subprocess.run(words, capture_output=True, text=True)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1 and "Traceback" not in said
    assert "Expected Keras's backend tensorflow, found 'no_such_backend'" in said
