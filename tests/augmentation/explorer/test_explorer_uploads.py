"""Photos that a student uploads: shown, or refused by name; nothing of them comes alive."""

import datetime
import html
import io
import re
import tempfile
import zipfile
import zlib

import numpy as np
import psutil
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


def swollen():
    """A PNG of two pixels whose few kilobytes of data unpack to four million."""
    content = photo(size=(2, 1))
    start, end = content.index(b"IDAT") - 4, content.index(b"IEND") - 4
    data = b"IDAT" + zlib.compress(bytes(4_000_000), 9)
    chunk = (len(data) - 4).to_bytes(4, "big") + data + zlib.crc32(data).to_bytes(4, "big")
    return content[:start] + chunk + content[end:]


def zip_bomb():
    """A zip file of ten kilobytes that unpacks to ten million bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("car.jpg", bytes(10_000_000))
    return stream.getvalue()


POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 10 10
%%EndComments
(here.txt) (w) file closefile
"""
DRAWING = (
    b"""<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>"""
)
BAD = {
    "page.jpg": b"<html><script>alert(1)</script></html>",
    "empty.png": b"",
    "bomb.png": bomb(),
    "archive.png": zip_bomb(),
    "cut.png": photo()[:50],
    "program.gif": b"MZ" + bytes(200),
    "drawing.svg": DRAWING,
    "drawing.jpg": DRAWING,
    "printed.jpg": POSTSCRIPT,
    "../../outside.png": b"no image",
    "<img src=x onerror=alert(1)>.jpg": b"no image",
    '"><script>alert(1)</script>.png': b"no image",
    "&lt;b&gt;.png": b"no image",
}
NAMES = (
    "{}.png", "<b onmouseover=alert(1)>{}.jpg", "{}</p><script>alert(1)</script>.png", "../{}.gif",
    "{}\n.webp", "javascript:alert({}).png",
)  # fmt: skip


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


def assert_nothing_is_alive(shown):
    """Of all tags in the page, only those that the explorer writes itself."""
    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z]+)", shown))
    own = {"p", "b", "small", "span", "div", "pre", "button", "style", "ol", "li", "ul"}
    assert tags <= own, tags - own


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in; temporary files would be seen in it too."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_bad_files_are_answered_by_name_and_change_nothing(splits, here):
    explorer = AugmentationExplorer(splits, LESSON)
    before = shown_grid(explorer)
    for name, content in BAD.items():
        upload(explorer, {name: content})
        shown = texts(explorer)
        assert html.escape(name) in shown
        assert_nothing_is_alive(shown)
    upload(explorer, {name: BAD[name] for name in ("empty.png", "bomb.png", "cut.png")})
    assert "the file is empty" in texts(explorer) and "more than 67,108,864 pixels" in texts(
        explorer
    )
    upload(explorer, {"printed.jpg": POSTSCRIPT})
    assert "printed.jpg (PostScript, which is a program" in texts(explorer)
    assert np.array_equal(shown_grid(explorer), before)
    assert not list(here.iterdir()), "nothing is written"
    upload(explorer, {"good.png": photo(), "page.jpg": BAD["page.jpg"]})
    assert "1 photo is shown" in texts(explorer) and "page.jpg" in texts(explorer)


def test_a_photo_with_a_wrong_ending_is_what_its_bytes_say(splits):
    explorer = AugmentationExplorer(splits)
    upload(explorer, {"photo.txt": photo(90), "swollen.png": swollen()})
    assert "2 photos are shown" in texts(explorer)


@pytest.mark.slow
def test_two_hundred_bad_files_are_each_answered_by_name(splits, here):
    explorer = AugmentationExplorer(splits, LESSON)
    before, kinds = shown_grid(explorer), list(BAD.values())
    chance = np.random.default_rng(1)
    memory = []
    for number in range(200):
        name = NAMES[number % len(NAMES)].format(number)
        content = bytearray(kinds[number % len(kinds)])
        if number > 50 and len(content) > 60:  # past what says which kind of file it is
            for place in chance.integers(60, len(content), 20):
                content[place] = chance.integers(256)
        upload(explorer, {name: bytes(content)})
        shown = texts(explorer)
        assert html.escape(name) in shown, name
        assert_nothing_is_alive(shown)
        memory.append(psutil.Process().memory_info().rss)
    assert np.array_equal(shown_grid(explorer), before)
    assert not list(here.iterdir()), "nothing is written"
    assert memory[-1] - memory[50] < 20e6


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
