"""Every file of a folder is taken, hidden, or counted among those that were not taken."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.folders import (
    SPLITS,
    describe_not_taken,
    list_all_photos,
    list_photos,
)

CLASSES = ("Car", "Truck")
LAYOUT = [(split, name) for split in SPLITS for name in CLASSES]


def touch(*parts):
    path = Path(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def fill(folder, layout=LAYOUT, count=2):
    for parts in layout:
        for number in range(count):
            touch(folder, *parts, f"{number}.jpeg")
    return folder


# Each row: files that are added to train and valid with two classes, and what is said of them.
NOT_TAKEN = {
    "nothing": ([], {}),
    "other endings": (
        ["train/Car/a.dng", "train/Car/b.DNG", "valid/Car/c.txt"],
        {".dng": 2, ".txt": 1},
    ),
    "no ending": (["train/Car/README"], {"without a known ending": 1}),
    "a long ending": (["train/Car/holiday. At the sea"], {"without a known ending": 1}),
    "in a subfolder": (
        ["train/Car/more/a.jpeg", "train/Car/more/even more/b.dng", "valid/Truck/old/c.png"],
        {"in a subfolder": 3},
    ),
    "other splits": (
        ["test/Car/a.jpeg", "test/Truck/b.jpeg", "c.png", "train/d.png"],
        {"outside the class folders": 4},
    ),
    "papers outside": (["LICENSE", "train/notes.txt", "papers/a.pdf"], {}),
    "hidden": (
        [".git/a.png", "train/.git/b.png", "train/Car/.c.png", "train/Car/__MACOSX/d.png"]
        + ["train/Car/Thumbs.db", "train/Car/desktop.ini", "train/Car/.ipynb_checkpoints/e.png"],
        {},
    ),
}


@pytest.mark.parametrize(("added", "expected"), NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_what_is_not_taken_is_counted_by_its_reason(tmp_path, added, expected):
    fill(tmp_path)
    for file in added:
        touch(tmp_path, file)
    listed = list_photos(tmp_path, seed=1)
    assert listed.not_taken == Counter(expected)
    assert [len(listed.files[split]) for split in SPLITS] == [4, 4]


def test_links_and_what_is_no_file_are_counted(tmp_path):
    fill(tmp_path)
    (tmp_path / "train" / "Car" / "gone.jpeg").symlink_to("nowhere.jpeg")
    (tmp_path / "train" / "Car" / "self.jpeg").symlink_to("self.jpeg")
    (tmp_path / "train" / "Car" / "good.jpeg").symlink_to("0.jpeg")
    listed = list_photos(tmp_path, seed=1)
    assert listed.not_taken == {"behind a broken link": 2}
    assert tmp_path / "train" / "Car" / "good.jpeg" in listed.files["train"]


def test_classes_without_splits_count_too(tmp_path):
    fill(tmp_path, [("Car",), ("Truck",)], count=8)
    for file in ("Car/more/a.jpeg", "Car/b.dng", "c.png"):
        touch(tmp_path, file)
    listed = list_photos(tmp_path, seed=1)
    assert listed.split_by_kit and listed.class_names == CLASSES
    assert listed.not_taken == {
        "in a subfolder": 1,
        ".dng": 1,
        "outside the class folders": 1,
    }


def test_splits_under_other_names_are_not_taken_for_classes(tmp_path):
    fill(tmp_path, [(split, name) for split in ("test", "training") for name in CLASSES])
    with pytest.raises(FileNotFoundError, match=r"train and valid .*received \['test', 'training'"):
        list_photos(tmp_path, seed=1)


@pytest.mark.parametrize(
    ("not_taken", "sentence"),
    [
        ({"in a subfolder": 12, ".dng": 3}, "15 files were not taken: 12 in a subfolder, 3 .dng."),
        ({".txt": 1}, "1 file was not taken: 1 .txt."),
        ({".b": 2, ".a": 2}, "4 files were not taken: 2 .a, 2 .b."),
        ({".cr2": 1200}, "1,200 files were not taken: 1,200 .cr2."),
    ],
)
def test_one_line_says_what_was_not_taken(not_taken, sentence):
    assert describe_not_taken(Counter(not_taken)) == sentence


# Any folder

NAMES = st.sampled_from(
    ["a.jpeg", "B.PNG", "_c.webp", "d.dng", "notes", ".hidden.png", "Thumbs.db", "e.tar.gz"]
)
FOLDERS = st.sampled_from(
    [(), ("more",), ("more", "deep"), (".git",), ("__MACOSX",), ("more.png",)]
)
FILES = st.sets(st.tuples(FOLDERS, NAMES), max_size=12)


def is_hidden(parts):
    *folders, name = parts
    return name in (".hidden.png", "Thumbs.db") or any(one[0] in "._" for one in folders)


@settings(max_examples=60)
@given(st.lists(FILES, min_size=4, max_size=4), st.booleans())
def test_all_files_are_taken_or_hidden_or_counted(files, with_splits):
    layout = LAYOUT if with_splits else [("Car",), ("Truck",)]
    with tempfile.TemporaryDirectory() as name:
        folder = fill(Path(name).resolve(), layout)
        added = [
            (*parts, *inner, file)
            for parts, found in zip(layout, files, strict=False)
            for inner, file in found
        ]
        for parts in added:
            touch(folder, *parts)
        listed = list_photos(folder, seed=1)
        everything = {path for path in folder.rglob("*") if path.is_file()}
        taken = {path for split in SPLITS for path in listed.files[split]}
        hidden = {path for path in everything if is_hidden(path.relative_to(folder).parts)}
        assert len(taken) + listed.not_taken.total() + len(hidden) == len(everything)
        assert taken.isdisjoint(hidden) and taken <= everything
        for split in SPLITS:
            paths, labels = listed.files[split], listed.labels[split]
            assert labels.shape == (len(paths), 1) and labels.dtype == np.float32
            for path, label in zip(paths, labels[:, 0], strict=True):
                assert path.parent.name == CLASSES[int(label)]
        # The explorer takes the same photos, and those in subfolders.
        photos, others = list_all_photos(folder)
        assert taken <= set(photos) and len(set(photos)) == len(photos)
        assert len(photos) + others.total() + len(hidden) == len(everything)
