"""No half-written file is ever taken for a whole one."""

import errno
import os
import subprocess
import sys

import pytest

from course_utils.core import files, reading
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
        "import os, pathlib, sys\n"
        "from course_utils.core.files import atomic_write\n"
        "with atomic_write(pathlib.Path(sys.argv[1])) as beside:\n"
        "    beside.write_text('half')\n"
        "    os._exit(9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)])
    assert ended.returncode == 9
    assert path.read_text() == "old"


class Windows:
    """Stands in for Windows: it neither renames over nor removes what is open in this process."""

    def __init__(self, monkeypatch):
        self.others = 0  # refusals for a file that somebody else has open for a moment
        self.replace, self.unlink = os.replace, os.unlink
        monkeypatch.setattr(files.os, "replace", self.refuse_open(self.replace))
        monkeypatch.setattr(files.os, "unlink", self.refuse_open(self.unlink))
        monkeypatch.setattr(files, "PAUSE", 0)

    def refuse_open(self, action):
        def act(*paths):
            held = {reader.path for reader in reading._open_files if reader._stream}
            if self.others or held & set(paths):
                self.others = max(self.others - 1, 0)
                raise PermissionError(errno.EACCES, "it is used by another process", str(paths[0]))
            return action(*paths)

        return act


def test_a_file_that_is_open_here_is_replaced_and_removed_on_windows_too(tmp_path, monkeypatch):
    Windows(monkeypatch)
    path = tmp_path / "file"
    path.write_bytes(b"old")
    reader = reading.FileReader(path)
    assert reader.read(0, 3) == b"old"
    with pytest.raises(PermissionError):
        files.os.replace(path, tmp_path / "other")
    with atomic_write(path) as beside:
        beside.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    # The reader does not mix the old file with the new one.
    with pytest.raises(OSError, match="has been changed"):
        reader.read(0, 3)
    reader = reading.FileReader(path)
    reader.read(0, 1)
    files.remove(path)
    assert not path.exists()


def test_a_file_that_another_process_has_open_is_tried_again_on_windows(tmp_path, monkeypatch):
    windows = Windows(monkeypatch)
    monkeypatch.setattr(files.os, "name", "nt")
    path = tmp_path / "file"
    path.write_text("old")
    windows.others = 3
    files.replace(path, tmp_path / "new")
    windows.others = files.TRIES
    with pytest.raises(PermissionError):
        files.remove(tmp_path / "new")
    assert (tmp_path / "new").read_text() == "old"


def test_on_other_systems_a_refusal_is_final(tmp_path, monkeypatch):
    windows = Windows(monkeypatch)
    windows.others = 2
    with pytest.raises(PermissionError):
        files.remove(tmp_path / "file")
    assert windows.others == 1


@pytest.mark.parametrize("place, advice", [("cache/features", "COURSE_CACHE_DIR"), ("o", "--out")])
def test_a_place_that_cannot_be_written_is_named_with_advice(tmp_path, place, advice):
    files.check_writable(tmp_path / "fine" / "below")
    assert list((tmp_path / "fine" / "below").iterdir()) == []
    (tmp_path / place.split("/")[0]).write_text("a file in the way")
    with pytest.raises(OSError, match=f"cannot be written.*{advice}"):
        files.check_writable(tmp_path / place)


def test_a_folder_that_cannot_be_written_is_found_before_the_work(tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(files.Path, "touch", refuse)
    with pytest.raises(OSError, match="Name a folder of yours with --out .Read-only") as caught:
        files.check_writable(tmp_path)
    assert caught.value.errno == errno.EROFS
