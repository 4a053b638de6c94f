"""Photos that a student uploads: shown, or refused by name; nothing of them comes alive."""

import datetime
import html
import io
import zlib

import numpy as np
import pytest
from augmentation_helpers import SEED
from explorer_hands import LESSON, control, descendants, judge, shown_grid, texts, views_of
from PIL import Image

from course_utils.augmentation.explorer.uploads import MOST, list_files
from course_utils.augmentation.explorer.widget import AugmentationExplorer
from course_utils.data.images import decode_photo, read_photo


def photo(shade=200, size=(40, 30)):
    stream = io.BytesIO()
    Image.new("RGB", size, (shade, 10, 10)).save(stream, "PNG")
    return stream.getvalue()


def bomb():
    """A PNG of a few kilobytes that says it has 900 million pixels."""
    content = bytearray(photo())
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


BAD = {
    "page.jpg": b"<html><script>alert(1)</script></html>",
    "empty.png": b"",
    "bomb.png": bomb(),
    "cut.png": photo()[:50],
    "<img src=x onerror=alert(1)>.jpg": b"no image",
}


def upload(explorer, files):
    """Gives files to the button as the installed ipywidgets does."""
    (button,) = (w for w in descendants(explorer.widget) if type(w).__name__ == "FileUpload")
    if hasattr(button, "_counter"):
        button.metadata = [{"name": name} for name in files]
        button.data = list(files.values())
        button._counter = len(files)
    else:
        button.value = tuple(
            {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
            | {"last_modified": datetime.datetime.now(datetime.UTC)}
            for name, content in files.items()
        )
    return button


def test_uploaded_photos_are_shown_and_augmented(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    button = upload(explorer, {"a.png": photo(200), "b.png": photo(90)})
    assert "2 photos are shown" in texts(explorer)
    assert explorer.photos.shape == (16, 16, 12, 3)
    expected = decode_photo(photo(200), "a.png", (16, 12)).astype("float32") / np.float32(255)
    assert np.array_equal(explorer.photos[0], expected)
    assert np.array_equal(explorer.views, views_of(LESSON, explorer.photos, seed=SEED))
    assert not button.value, "the bytes are forgotten"
    control(explorer, "Show").value = "sixteen"
    assert len(np.unique(explorer.photos.reshape(16, -1), axis=0)) == 2
    upload(explorer, {"c.png": photo(30)})
    assert len(np.unique(explorer.photos.reshape(16, -1), axis=0)) == 1
    control(explorer, "of class").value = 1
    assert set(explorer.labels) == {"Truck"}


def test_the_student_labels_uploaded_photos(splits):
    explorer = AugmentationExplorer(
        splits, classifier=lambda images: np.ones(len(images)), controls=None
    )
    upload(explorer, {"a.png": photo()})
    assert set(explorer.labels) == {"Car"}
    judge(explorer)
    assert "label Car · model: Truck 100 %" in texts(explorer)
    control(explorer, "which show").value = 1
    assert set(explorer.labels) == {"Truck"} and "model: Truck" not in texts(explorer)


def test_bad_files_are_answered_by_name_and_change_nothing(splits, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    explorer = AugmentationExplorer(splits, LESSON)
    before = shown_grid(explorer)
    for _ in range(40):
        upload(explorer, BAD)
    shown = texts(explorer)
    for name in BAD:
        assert html.escape(name) in shown
    assert "the file is empty" in shown and "pixels" in shown
    assert "<img" not in shown and "<script" not in shown
    assert np.array_equal(shown_grid(explorer), before)
    assert not list(here.iterdir()), "nothing is written"
    upload(explorer, BAD | {"good.png": photo()})
    assert "1 photo is shown" in texts(explorer) and "page.jpg" in texts(explorer)


def test_too_many_files_and_long_names(splits):
    explorer = AugmentationExplorer(splits)
    upload(explorer, {f"{number}{'x' * 300}.png": b"" for number in range(MOST + 3)})
    shown = texts(explorer)
    assert "195 more" in shown and "3 more files were left out" in shown and "x" * 100 not in shown


def test_a_photo_in_memory_has_the_pixels_of_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(photo())
    read = read_photo(tmp_path / "a.png", (16, 16))
    assert np.array_equal(decode_photo(photo(), "a.png", (16, 16)), read)


@pytest.mark.parametrize("content", [b"abc", memoryview(b"abc")])
def test_the_values_of_both_versions_of_ipywidgets(content):
    assert list_files(({"name": "a.jpg", "content": content},)) == [("a.jpg", b"abc")]
    value = {"a.jpg": {"metadata": {"name": "a.jpg"}, "content": content}}
    assert list_files(value) == [("a.jpg", b"abc")]
    assert list_files(()) == list_files({}) == []
