"""An entry gives back what was written under its name, or says that it does not."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from course_utils.core import entries, reading
from course_utils.core.entries import Damaged, open_entry, write_entry

NAME = "features/ab/cd.entry"
PARTS = {
    "keys": np.arange(5, dtype="uint64"),
    "features": np.linspace(0, 1, 60, dtype="float32").reshape(5, 3, 4),
    "note": "größer",
}
ARRAYS = {"keys": ("uint64", (None,)), "features": ("float32", (None, 3, 4))}


def write(folder: Path, name=NAME, parts=PARTS) -> Path:
    path = folder / Path(name).name
    write_entry(path, name, parts.items())
    return path


@pytest.fixture
def remembering(monkeypatch):
    """Files count as old enough for their verification to be remembered."""
    monkeypatch.setattr(entries, "TICK", -(10**18))


# What is written comes back

names = st.text(min_size=1, max_size=8)
facts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
arrays = st_numpy.arrays(
    st.sampled_from(["bool", "uint8", "uint16", "int64", "uint64", "float32", ">f4", "float64"]),
    st_numpy.array_shapes(min_side=0, max_dims=3, max_side=6),
)


@pytest.mark.slow
@settings(max_examples=60, derandomize=True)
@given(st.dictionaries(names, arrays | facts, min_size=1, max_size=5), st.data())
def test_arrays_and_facts_come_back(tmp_path_factory, parts, data):
    path = write(tmp_path_factory.mktemp("entries"), "a/b.entry", parts)
    entry = open_entry(path, "a/b.entry")
    assert entry.facts == {n: each for n, each in parts.items() if not isinstance(each, np.ndarray)}
    for name, stored in entry.arrays.items():
        expected = parts[name]
        assert stored.shape == expected.shape and len(stored) == len(expected)
        assert stored.dtype == expected.dtype.newbyteorder("<")
        np.testing.assert_array_equal(np.asarray(stored), expected)
        index = data.draw(
            st_numpy.basic_indices(expected.shape[:1], allow_ellipsis=False, allow_newaxis=False)
            | st.lists(st.integers(-len(expected), len(expected) - 1), max_size=9).map(
                lambda rows: np.array(rows, int)
            )
            if len(expected)
            else st.just(slice(None))
        )
        np.testing.assert_array_equal(stored[index], expected[index])


def test_rows_are_added_as_they_are_made(tmp_path):
    path = tmp_path / "a.entry"
    write_entry(path, "a.entry", (("rows", np.full((2, 3), n, "int16")) for n in range(4)))
    expected = np.repeat(np.arange(4), 2)[:, None] * np.ones(3)
    np.testing.assert_array_equal(open_entry(path, "a.entry")["rows"], expected)


def test_a_number_beyond_the_rows_is_an_index_error(tmp_path):
    stored = open_entry(write(tmp_path), NAME)["keys"]
    for index in (5, -6, [0, 7]):
        with pytest.raises(IndexError):
            stored[index]


def test_what_fails_on_the_way_leaves_nothing(tmp_path):
    def parts():
        yield "rows", np.zeros(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_entry(tmp_path / "a.entry", "a.entry", parts())
    assert list(tmp_path.iterdir()) == []


def test_facts_alone_can_be_read_in_an_editor(tmp_path):
    text = write(tmp_path, "guesses.entry", {"gap": "größer, because …"}).read_text("utf-8")
    assert text.startswith("course_utils entry") and '"gap": "größer, because …"' in text


# What is damaged is told


def test_every_single_changed_byte_is_damage(tmp_path):
    path = write(tmp_path)
    content, random = path.read_bytes(), np.random.default_rng(1)
    for position in range(len(content)):
        for bit in (1 << random.integers(8), random.integers(1, 256)):
            changed = bytearray(content)
            changed[position] ^= int(bit)
            path.write_bytes(changed)
            with pytest.raises(Damaged):
                open_entry(path, NAME)
    path.write_bytes(content)
    open_entry(path, NAME)


def test_every_other_length_is_damage(tmp_path):
    path = write(tmp_path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(Damaged):
            open_entry(path, NAME)
    for more in (b"\n", bytes(100), content):
        path.write_bytes(content + more)
        with pytest.raises(Damaged):
            open_entry(path, NAME)


def test_an_entry_holds_under_its_own_name_only(tmp_path):
    path = write(tmp_path)
    with pytest.raises(Damaged, match=f"it was written as {NAME}"):
        open_entry(path, "features/ab/ef.entry")
    assert open_entry(path, None).name == NAME


def test_arrays_do_not_pass_under_another_entrys_header(tmp_path):
    parts = {"keys": PARTS["keys"]}
    one, two = (write(tmp_path, name, parts) for name in ("one.entry", "two.entry"))
    content = one.read_bytes(), two.read_bytes()
    end = len(entries.FIRST_LINE) + PARTS["keys"].nbytes
    assert content[0][:end] == content[1][:end]
    sums = [open_entry(path, None)._checksum for path in (one, two)]
    assert sums[0] != sums[1]


ROW = 1024  # numbers: a page of features
CHUNK = entries.CHUNK // 8  # numbers that are hashed at once


def move(numbers, start, end, size):
    numbers[start : start + size], numbers[end : end + size] = (
        numbers[end : end + size].copy(),
        numbers[start : start + size].copy(),
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda numbers: move(numbers, 0, ROW, ROW),  # one photo's features for another's
        lambda numbers: move(numbers, 5, 5 + 3 * ROW, 1),
        lambda numbers: move(numbers, 5, 6, 1),  # a number for its neighbor
        lambda numbers: move(numbers, 5, 2 * ROW + 6, 1),
        lambda numbers: move(numbers, 0, CHUNK, CHUNK),
        lambda numbers: move(numbers, 512, 512 + 64 * ROW, 512),  # a page of memory
        lambda numbers: numbers.__setitem__(slice(100, 100 + 20 * ROW), 0),
        lambda numbers: numbers.__setitem__(slice(CHUNK, None), 0),
        lambda numbers: numbers.__setitem__(
            [7, 7 + ROW], numbers[[7, 7 + ROW]] ^ np.uint64(1 << 63)
        ),
        lambda numbers: numbers.__setitem__(
            [7, 8], numbers[[7, 8]] + np.array([1, 2**64 - 1], "u8")
        ),
        lambda numbers: numbers.__setitem__(slice(None), numbers[::-1].copy()),
    ],
)
def test_what_is_moved_or_cleared_within_a_large_entry_is_damage(tmp_path, damage):
    numbers = np.random.default_rng(1).integers(2**64, size=3 * CHUNK + 5, dtype="u8")
    path = write(tmp_path, "a.entry", {"numbers": numbers})
    stored = np.memmap(path, "u8", "r+", len(entries.FIRST_LINE), numbers.shape)
    damage(stored)
    stored.flush()
    assert not np.array_equal(stored, numbers)
    with pytest.raises(Damaged, match="the checksum of its arrays"):
        open_entry(path, "a.entry")


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("keys", "int64", (None,)),
        ("keys", "uint64", (4,)),
        ("features", "float32", (None, 3)),
        ("features", "float32", (None, 4, 3)),
        ("labels", "float32", (None,)),
    ],
)
def test_arrays_of_another_kind_are_named(tmp_path, name, kind, shape):
    path = write(tmp_path)
    open_entry(path, NAME, ARRAYS)
    with pytest.raises(Damaged, match=f"expected {name} as {kind}"):
        open_entry(path, NAME, ARRAYS | {name: (kind, shape)})


def test_arrays_of_different_numbers_of_photos_are_named(tmp_path):
    path = write(tmp_path, parts={**PARTS, "keys": np.arange(4, dtype="uint64")})
    with pytest.raises(Damaged, match=r"different numbers of photos: \[4, 5\]"):
        open_entry(path, NAME, ARRAYS)


@pytest.mark.parametrize(
    "about",
    [
        *([], {}, None, {"arrays": [], "name": 3}),
        {"name": NAME, "arrays": [["a", "object", [0]]], "facts": {}, "checksum": 0},
        {"name": NAME, "arrays": [["a", "no such", [0]]], "facts": {}, "checksum": 0},
        {"name": NAME, "arrays": [["a", "uint8", ["x"]]], "facts": {}, "checksum": 0},
        {"name": NAME, "arrays": [["a", "uint8", [9]]], "facts": {}, "checksum": 0},
        {"name": NAME, "arrays": [], "facts": 7, "checksum": 0},
    ],
)
def test_a_header_that_makes_no_sense_is_damage(tmp_path, about):
    header = json.dumps(about).encode()
    last = entries.LAST_LINE.format(len(header), entries.xxhash.xxh3_64_intdigest(header)).encode()
    (tmp_path / "cd.entry").write_bytes(entries.FIRST_LINE + header + last)
    with pytest.raises(Damaged):
        open_entry(tmp_path / "cd.entry", NAME)


# Verified once


@pytest.fixture
def verified(monkeypatch):
    """The entries that have been verified, in order."""
    seen, verify = [], entries.Entry.verify
    monkeypatch.setattr(
        entries.Entry, "verify", lambda entry: (seen.append(entry.name), verify(entry))
    )
    return seen


def test_a_file_is_verified_once_and_again_when_it_has_changed(tmp_path, remembering, verified):
    path = write(tmp_path)
    for _ in range(3):
        open_entry(path, NAME)
    kept = open_entry(path, NAME)
    assert len(verified) == 1 and open_entry(path, NAME) is kept
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    open_entry(path, NAME)
    path.write_bytes(path.read_bytes())
    open_entry(path, NAME)
    os.replace(write(tmp_path / "new"), path)
    open_entry(path, NAME)
    assert len(verified) == 4


def test_a_file_written_just_now_is_verified_each_time(tmp_path, verified):
    # Within a tick of the clock, another change would leave the same times.
    path = write(tmp_path)
    kept = open_entry(path, NAME)
    assert open_entry(path, NAME) is kept and len(verified) == 2
    status, content = path.stat(), bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(Damaged):
        open_entry(path, NAME)


# Read while it is in use


@pytest.fixture(params=["pread", "seek and read"])
def way(request, monkeypatch):
    """Both ways to read: the second is for systems without the first."""
    if request.param == "seek and read":
        monkeypatch.setattr(reading, "_read_at", reading._seek_and_read)


def test_many_files_are_read_side_by_side_with_few_handles(tmp_path, monkeypatch, way):
    monkeypatch.setattr(reading, "MOST_OPEN", 3)
    stored = []
    for number in range(12):
        rows = np.arange(40, dtype="int32")[:, None] * 100 + np.full(50, number, "int32")
        path = write(tmp_path, f"{number}.entry", {"rows": rows})
        stored.append(open_entry(path, f"{number}.entry")["rows"])
    most = 0

    def read(seed):
        nonlocal most
        random = np.random.default_rng(seed)
        for _ in range(200):
            number, row = random.integers(12), random.integers(40)
            assert (stored[number][row] == 100 * row + number).all()
            most = max(most, len(reading._open_files))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(4)))
    assert most <= 3


def test_a_file_cut_off_or_changed_under_a_running_kernel_is_an_error(tmp_path, way):
    path = write(tmp_path)
    stored = open_entry(path, NAME)["features"]
    os.truncate(path, 60)
    with pytest.raises(OSError, match=r"cd\.entry|changed while it was in use"):
        stored[0]
    with pytest.raises(OSError, match="cut off while it was in use. Run the cell again"):
        stored.read_into(4, memoryview(bytearray(48)))


def test_a_file_is_read_on_after_it_was_renamed_or_deleted(tmp_path):
    path = write(tmp_path)
    stored = open_entry(path, NAME)["keys"]
    path.rename(tmp_path / "elsewhere")
    assert stored[3] == 3
    (tmp_path / "elsewhere").unlink()
    assert stored[4] == 4


def test_another_file_in_its_place_is_not_read_for_it(tmp_path):
    path = write(tmp_path)
    stored = open_entry(path, NAME)["keys"]
    stored.file._stream = None  # as when many others have been opened since
    os.replace(write(tmp_path / "new"), path)
    with pytest.raises(OSError, match="changed while it was in use"):
        stored[3]


@pytest.mark.filterwarnings("error")
def test_handles_are_given_back(tmp_path):
    before = threading.active_count(), len(reading._open_files)
    stored = open_entry(write(tmp_path), NAME)["keys"]
    stream = stored.file._stream
    del stored
    assert stream.closed is False
    del stream
    assert (threading.active_count(), len(reading._open_files)) == before
