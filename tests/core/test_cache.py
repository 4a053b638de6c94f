"""The cache gives what was made under a name, or makes it again, and cleans nothing but its own."""

import errno
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from course_utils.core import cache, entries, manifest
from course_utils.core.entries import Damaged
from course_utils.core.manifest import clean_cache, made_folder, note_made

NUMBERS = np.arange(10, dtype="int64")
ARRAYS = {"numbers": ("int64", (10,))}


@pytest.fixture
def made():
    """Counts how often something is made."""
    made = []

    def make():
        made.append(1)
        return {"numbers": NUMBERS}

    make.times = made
    return make


@pytest.fixture
def prepared(own_cache, tmp_path, monkeypatch):
    """Turns what is in the cache into the prepared folder."""

    def prepare():
        own_cache.rename(tmp_path / "prepared")
        monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
        return tmp_path / "prepared"

    return prepare


def spoil(path, position=40):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def list_files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# Load or make


def test_what_is_there_is_not_made_again(made):
    for _ in range(2):
        entry = cache.load_or_make("pixels/a.entry", made, arrays=ARRAYS)
        np.testing.assert_array_equal(entry["numbers"], NUMBERS)
    assert len(made.times) == 1


def test_names_depend_on_all_that_is_said():
    names = [cache.name_entry(*each) for each in (("a", [1]), ("b", [1]), ("a", [2]), ("a", ["1"]))]
    assert len(set(names)) == 4
    assert cache.name_entry("a", {"x": 1, "y": 2}) == cache.name_entry("a", {"y": 2, "x": 1})
    assert names[0].startswith("a/") and names[0].endswith(".entry")


def test_what_is_prepared_comes_first_and_is_never_written(made, own_cache, prepared):
    cache.load_or_make("a/b.entry", made)
    folder = prepared()
    before = list_files(folder)
    cache.load_or_make("a/b.entry", made)
    assert len(made.times) == 1 and not own_cache.exists()
    spoil(folder / "a/b.entry")
    cache.load_or_make("a/b.entry", made)
    cache.load_or_make("a/b.entry", made)
    assert len(made.times) == 2
    assert list_files(folder) == before and (own_cache / "a/b.entry").is_file()


def test_damage_is_named_set_aside_and_made_again(made, own_cache, capsys):
    cache.load_or_make("a/b.entry", made)
    spoil(own_cache / "a/b.entry")
    content = (own_cache / "a/b.entry").read_bytes()
    for _ in range(2):
        cache.load_or_make("a/b.entry", made)
    assert len(made.times) == 2
    (aside,) = (own_cache / "a").glob("*.damaged-*")
    assert aside.read_bytes() == content
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and f"{own_cache / 'a/b.entry'} is damaged: the checksum" in said
    assert f"set aside as {aside.name} and made again." in said


def test_prepared_damage_is_named_once(made, prepared, capsys):
    cache.load_or_make("a/b.entry", made)
    spoil(prepared() / "a/b.entry")
    for _ in range(3):
        cache.load_or_make("a/b.entry", made)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "passed over and made again in the cache" in said


def test_a_check_may_refuse_quietly_or_call_it_damaged(made, own_cache, capsys):
    cache.load_or_make("a/b.entry", made)
    cache.load_or_make("a/b.entry", made, check=lambda entry: False)
    assert len(made.times) == 2 and capsys.readouterr().out == ""

    def check(entry):
        raise Damaged("it is of another kind")

    cache.load_or_make("a/b.entry", made, check=check)
    assert len(made.times) == 3 and "it is of another kind" in capsys.readouterr().out


def test_a_file_that_may_not_be_read_is_passed_over_and_other_errors_are_not(
    made, own_cache, monkeypatch, capsys
):
    cache.load_or_make("a/b.entry", made)

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cache, "open_entry", fail)
    number = errno.EACCES
    assert cache.load("a/b.entry") is None and "Permission denied" in capsys.readouterr().out
    number = errno.EMFILE
    with pytest.raises(OSError, match="Too many open files"):
        cache.load("a/b.entry")
    assert list_files(own_cache) == {"a/b.entry", "manifest.txt"}


def test_a_folder_gives_all_its_entries_and_leaves_out_what_is_damaged(own_cache, capsys):
    for number in range(5):
        cache.save(f"a/{number}.entry", {"numbers": NUMBERS + number})
    (own_cache / "a" / "0.keys.npy").write_bytes(b"as an earlier version left it")
    spoil(own_cache / "a/3.entry")
    for _ in range(2):
        found = cache.load_folder("a", arrays=ARRAYS)
        assert [int(entry["numbers"][0]) for entry in found] == [0, 1, 2, 4]
    assert capsys.readouterr().out.count("is damaged") == 1
    assert cache.load_folder("nowhere", arrays=ARRAYS) == []


def test_what_another_process_is_writing_is_left_to_it(own_cache):
    cache.save("a/one.entry", {"numbers": NUMBERS})
    beside = own_cache / "a" / ".two.1234.entry"  # as `atomic_write` names it
    beside.write_bytes(b"half of it")
    assert len(cache.load_folder("a", arrays=ARRAYS)) == 1
    assert beside.read_bytes() == b"half of it"


def test_what_a_student_wrote_is_set_aside_and_stays(own_cache, capsys):
    assert cache.load_own("guesses.entry") == {}
    cache.save_own("guesses.entry", {"gap": "smaller"})
    assert cache.load_own("guesses.entry") == {"gap": "smaller"}
    for _ in range(2):
        spoil(own_cache / "guesses.entry", -10)
        assert cache.load_own("guesses.entry") == {}
        cache.save_own("guesses.entry", {"gap": "larger"})
    said = capsys.readouterr().out
    aside = sorted(path.name for path in own_cache.glob("guesses.entry.damaged-*"))
    assert len(aside) == 2 and all(f"kept as {name}" in said for name in aside)
    clean_cache(everything=True)
    assert list_files(own_cache) == {"guesses.entry", *aside}


# The manifest and cleaning


def test_cleaning_removes_what_was_made_set_aside_or_left_by_a_killed_process(own_cache, made):
    cache.load_or_make("a/b.entry", made)
    spoil(own_cache / "a/b.entry")
    cache.load_or_make("a/b.entry", made)
    (own_cache / "a" / f".b.{'0' * 32}.entry").write_bytes(b"half")
    with made_folder(own_cache / "synthetic" / "v1") as beside:
        (beside / "Car").mkdir()
        (beside / "Car" / "1.png").write_bytes(b"photo")
    (own_cache / "synthetic" / ".v1.x7" / "Car").mkdir(parents=True)
    (own_cache / "synthetic" / ".v1.x7" / "Car" / "1.png").write_bytes(b"half")
    cache.save("weights/w.entry", {"numbers": NUMBERS})
    freed = sum(path.stat().st_size for path in own_cache.rglob("*") if path.is_file())
    freed -= sum((own_cache / name).stat().st_size for name in ("weights/w.entry", "manifest.txt"))
    assert clean_cache(everything=False) == freed
    assert list_files(own_cache) == {"weights/w.entry", "manifest.txt"}
    assert sorted(path.name for path in own_cache.iterdir()) == ["manifest.txt", "weights"]
    clean_cache(everything=True)
    assert list(own_cache.iterdir()) == []


def test_cleaning_leaves_own_files_in_folders_of_the_kit(own_cache, made):
    with made_folder(own_cache / "synthetic" / "v1") as beside:
        (beside / "1.png").write_bytes(b"photo")
    cache.load_or_make("a/b.entry", made)
    own = {
        *("synthetic/v1/own.png", "synthetic/v2/1.png", "synthetic/own.png"),
        *("a/own.entry", "a/b.entry.txt", "a/b.png", "a/bb.entry", "features/x/1.keys.npy"),
    }
    for name in own:
        (own_cache / name).parent.mkdir(parents=True, exist_ok=True)
        (own_cache / name).write_bytes(b"own")
    clean_cache(everything=True)
    assert list_files(own_cache) == own


def test_folders_outside_the_cache_are_not_noted(tmp_path, own_cache):
    with made_folder(tmp_path / "elsewhere") as beside:
        (beside / "1.png").write_bytes(b"photo")
    note_made(tmp_path / "elsewhere" / "2.png")
    assert (tmp_path / "elsewhere" / "1.png").is_file() and not own_cache.exists()


def test_without_a_manifest_nothing_is_removed(own_cache, made):
    cache.load_or_make("a/b.entry", made)
    (own_cache / manifest.MANIFEST).unlink()
    assert clean_cache(everything=True) == 0
    assert list_files(own_cache) == {"a/b.entry"}


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_manifest_never_costs_an_own_file(own_cache, made, seed):
    generator = random.Random(seed)
    names = [f"a/{number:02d}.entry" for number in range(20)]
    for name in names[::2]:
        cache.load_or_make(name, made)
    for name in names[1::2]:
        (own_cache / name).write_bytes(b"own")
    path = own_cache / manifest.MANIFEST
    content = bytearray(path.read_bytes())
    for _ in range(30):
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    path.write_bytes(content[: generator.randrange(len(content) // 2, len(content))])
    clean_cache(everything=True)
    assert list_files(own_cache) >= set(names[1::2])
    cache.load_or_make("a/new.entry", made)  # goes on behind whatever the file ends with
    assert "a/new.entry" in manifest.list_made()


def test_many_write_to_the_manifest_at_once(own_cache):
    def note(number):
        note_made(*(own_cache / f"{number}/{each}/{'x' * 50}" for each in range(300)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(24)))
    assert len(manifest.list_made()) == 24 * 300


def test_a_line_that_names_a_file_outside_is_not_followed(own_cache, tmp_path, made):
    cache.load_or_make("a/b.entry", made)
    (tmp_path / "precious").write_bytes(b"own")
    line = json.dumps("../precious").encode()
    with open(own_cache / manifest.MANIFEST, "ab") as stream:
        stream.write(manifest._line_checksum(line) + b" " + line + b"\n")
    clean_cache(everything=True)
    assert (tmp_path / "precious").is_file()


def test_the_manifest_of_a_copied_folder_serves_the_copy(own_cache, made, tmp_path, monkeypatch):
    cache.load_or_make("a/b.entry", made)
    own_cache.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert clean_cache(everything=True) > 0 and not list_files(tmp_path / "elsewhere")


def test_an_entry_of_another_format_is_set_aside(own_cache, made, monkeypatch, capsys):
    cache.load_or_make("a/b.entry", made)
    monkeypatch.setattr(entries, "FIRST_LINE", b"course_utils entry, format 3\n")
    cache.load_or_make("a/b.entry", made)
    assert len(made.times) == 2
    assert "as an entry of this version of course_utils" in capsys.readouterr().out
