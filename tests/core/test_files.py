"""No half-written file is ever taken for a whole one."""

import signal
import subprocess
import sys

import pytest

from course_utils.core.files import atomic_write


def test_file_appears_at_the_end_and_its_folder_is_made(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    with atomic_write(path) as beside:
        beside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with atomic_write(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as beside:
        beside.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_ending_stays_the_last_part_of_the_name(tmp_path):
    with atomic_write(tmp_path / "model.keys.npy") as beside:
        # A search for whole files must not find this one.
        assert beside.suffix == ".npy" and not beside.match("*.keys.npy")
        beside.write_bytes(b"")


def test_two_writers_at_once_do_not_share_a_file(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_write(path) as first, atomic_write(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # it left last
    assert list(tmp_path.iterdir()) == [path]


def test_killed_while_writing_the_old_file_stands(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    script = (
        "import os, pathlib, signal, sys\n"
        "from course_utils.core.files import atomic_write\n"
        "with atomic_write(pathlib.Path(sys.argv[1])) as beside:\n"
        "    beside.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)])
    assert ended.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
