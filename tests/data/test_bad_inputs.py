"""A table of what students hand in: each works, or is answered by one clear sentence.

Longer than 350 lines because the table of inputs is its content.
"""

import dataclasses
import os
import random
import stat
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as fuzzing
from hypothesis import strategies as st
from PIL import Image

from course_utils.core import environment, settings
from course_utils.data import archives, images, sources
from course_utils.data.dataset import load_car_or_truck
from course_utils.data.images import read_photo

CHOSEN = dataclasses.replace(settings.PROFILES["full"], image_size=(16, 16), batch_size=4)
LAYOUT = (("train", "Car"), ("train", "Truck"), ("valid", "Car"), ("valid", "Truck"))


def noise(number: int, size=(16, 16), mode="RGB") -> Image.Image:
    """A picture of noise, its own for each number; `size` is (width, height)."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encode(image: Image.Image, kind: str, **options) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def fill(folder: Path, layout=LAYOUT, count=3, ending=".png") -> Path:
    """Writes `count` photos into each folder of the layout, no two alike."""
    for place, parts in enumerate(layout):
        (folder / Path(*parts)).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            noise(100 * place + number).save(folder / Path(*parts) / f"{place}-{number}{ending}")
    return folder


def pack(folder: Path, archive: Path, prefix="", **options) -> Path:
    with zipfile.ZipFile(archive, "w", **options) as opened:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                opened.write(path, prefix + path.relative_to(folder).as_posix())
    return archive


def load(folder):
    """Loads; returns the splits and the warnings, as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        splits = load_car_or_truck(CHOSEN, folder=folder)
    return splits, [str(warning.message) for warning in caught]


# One file. Each row: how its bytes are made, and part of the reason why it cannot be read, or
# `None` where it can.


def bomb_png(side=20_000) -> bytes:
    """A gray picture of 400 million pixels in 0.4 MB, made without ever being in memory."""
    import struct
    import zlib

    def chunk(name, content):
        crc = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)

    packer = zlib.compressobj(9)
    row = b"\0" * (side + 1)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16))


def moving() -> bytes:
    return encode(noise(1), "GIF", save_all=True, append_images=[noise(2), noise(3)])


FILES = {
    "empty.jpeg": (lambda: b"", "the file is empty"),
    "text.jpeg": (lambda: b"hello, this is no photo", "not an image"),
    "page.png": (lambda: b"<!doctype html><p>Please log in", "not an image"),
    "zip.jpeg": (lambda: b"PK\x03\x04" + bytes(100), "not an image"),
    "pickle.png": (lambda: b"\x80\x04\x95cos\nsystem\n", "not an image"),
    "one-byte.jpeg": (lambda: b"\xff", "not an image"),
    "cut.jpeg": (lambda: cut(encode(noise(1, (64, 64)), "JPEG")), "truncated"),
    "cut.png": (lambda: cut(encode(noise(1), "PNG")), "truncated"),
    "cut.webp": (lambda: cut(encode(noise(1), "WEBP", lossless=True)), ""),
    "cut.gif": (lambda: cut(encode(noise(1, (64, 64)), "GIF")), "truncated"),
    "cut.bmp": (lambda: cut(encode(noise(1), "BMP")), "truncated"),
    "cut.tiff": (lambda: cut(encode(noise(1), "TIFF")), ""),
    "header-only.png": (lambda: encode(noise(1), "PNG")[:33], "not an image"),
    "wrong-sum.png": (lambda: encode(noise(1), "PNG").replace(b"IHDR", b"IHDX"), ""),
    "bomb.png": (bomb_png, "more than 67,108,864"),
    "decimals.tiff": (
        lambda: encode(Image.fromarray(np.full((4, 4), -3e9, "float32")), "TIFF"),
        "gray values from -3e+09",
    ),
    "not-numbers.tiff": (
        lambda: encode(Image.fromarray(np.full((4, 4), np.nan, "float32")), "TIFF"),
        "gray values from nan",
    ),
    "cmyk.jpeg": (lambda: encode(noise(1, mode="CMYK"), "JPEG"), None),
    "palette.png": (lambda: encode(noise(1, mode="P"), "PNG"), None),
    "gray.jpeg": (lambda: encode(noise(1, mode="L"), "JPEG"), None),
    "black-and-white.tiff": (lambda: encode(noise(1, mode="1"), "TIFF"), None),
    "transparent.png": (lambda: encode(noise(1, mode="RGBA"), "PNG"), None),
    "gray-transparent.png": (lambda: encode(noise(1, mode="LA"), "PNG"), None),
    "sixteen.png": (lambda: encode(sixteen_bits(), "PNG"), None),
    "sixteen.tiff": (lambda: encode(sixteen_bits(), "TIFF"), None),
    "photo.webp": (lambda: encode(noise(1), "WEBP"), None),
    "moving.gif": (moving, None),
    "photo.bmp": (lambda: encode(noise(1), "BMP"), None),
    "photo.avif": (lambda: encode(noise(1), "AVIF"), None),
    "PHOTO.JPG": (lambda: encode(noise(1), "JPEG"), None),
    "png-in-truth.jpeg": (lambda: encode(noise(1), "PNG"), None),
    "one-pixel.png": (lambda: encode(noise(1, (1, 1)), "PNG"), None),
    "thin.png": (lambda: encode(noise(1, (3000, 1)), "PNG"), None),
    "with spaces é 日本 <b>&amp;<b>.png": (lambda: encode(noise(1), "PNG"), None),
    "line\nbreak $x^2$.png": (lambda: encode(noise(1), "PNG"), None),
    os.fsdecode(b"no-utf8-\xff.png"): (lambda: encode(noise(1), "PNG"), None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_each_file_is_read_or_named_with_its_reason(tmp_path, name):
    make, reason = FILES[name]
    # Enough others that one unreadable file is a warning.
    fill(tmp_path, count=60, ending=".bmp")
    (tmp_path / "train" / "Car" / name).write_bytes(make())
    splits, said = load(tmp_path)
    if reason is None:
        assert said == [] and splits.train.count == 121
        pixels = splits.train.read([splits.train.names.index(f"train/Car/{name}")])[0]
        assert pixels.shape == (16, 16, 3) and pixels.std() > 0 or name.startswith("one-pixel")
    else:
        assert splits.train.count == 120
        (sentence,) = said
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        assert sentence.startswith("1 of 241 photos cannot be read: ") and shown in sentence
        assert reason in sentence and sentence.endswith(").")
        assert load(tmp_path)[1] == said  # out of the cache, the same


@pytest.mark.slow
def test_a_bomb_eats_no_memory(tmp_path):
    resource = pytest.importorskip("resource", reason="Windows has no such count of memory")
    (tmp_path / "bomb.png").write_bytes(bomb_png())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="more than 67,108,864"):
        read_photo(tmp_path / "bomb.png", (128, 128))
    # Kilobytes; the picture itself would be 400,000.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    expected = np.round(np.linspace(0, 65535, 256).astype(np.uint16) / 257).reshape(16, 16)
    for kind in ("png", "tiff"):
        path = tmp_path / f"gray.{kind}"
        sixteen_bits().save(path)
        for channel in read_photo(path, (16, 16)).transpose(2, 0, 1):
            np.testing.assert_array_equal(channel, expected)


def test_transparent_pixels_are_black_as_the_letterbox_is(tmp_path):
    image = Image.new("RGBA", (16, 16), (255, 255, 255, 0))
    image.paste((255, 0, 0, 255), (0, 0, 8, 16))
    image.save(tmp_path / "a.png")
    pixels = read_photo(tmp_path / "a.png", (16, 16))
    assert pixels[:, 8:].max() == 0 and pixels[0, 0].tolist() == [255, 0, 0]


def test_cmyk_keeps_its_color(tmp_path):
    Image.new("RGB", (16, 16), (200, 40, 90)).convert("CMYK").save(tmp_path / "a.jpeg", quality=95)
    mean = read_photo(tmp_path / "a.jpeg", (16, 16)).mean((0, 1))
    assert np.abs(mean - (200, 40, 90)).max() < 6


def test_a_large_photo_is_scaled_with_antialiasing(tmp_path):
    checks = np.indices((1024, 1024)).sum(0) % 2 * np.uint8(255)
    Image.fromarray(checks.astype(np.uint8)).save(tmp_path / "a.png")
    pixels = read_photo(tmp_path / "a.png", (16, 16))
    assert np.abs(pixels.astype(int) - 127).max() <= 2  # one in two white: gray, no pattern


def test_an_iphones_photo_is_read_or_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "a.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50))
    monkeypatch.setattr(images, "pillow_heif", None)
    with pytest.raises(ValueError, match="HEIC: run python -m pip install pillow-heif"):
        read_photo(path, (16, 16))


# A folder. Each row: what is done to it, the folder that is named, and the answer: a number of
# train photos, or parts of the sentence of the error, or (a number, parts of each warning).


def as_it_is(folder):
    fill(folder)


def one_folder_too_deep(folder):
    fill(folder / "archive" / "car-or-truck")


def classes_only(folder):
    fill(folder, [("Katze",), ("Hund",)], count=8)


def hidden_things(folder):
    fill(folder)
    for name in (".git", ".ipynb_checkpoints", "__MACOSX"):
        (folder / name).mkdir()
        (folder / "train" / name).mkdir()
    (folder / "train" / "Car" / "Thumbs.db").write_bytes(b"x")
    (folder / "train" / "Car" / ".DS_Store").write_bytes(b"x")
    (folder / "train" / "Car" / "._0-0.png").write_bytes(b"x")


def odd_names(folder):
    fill(folder, [(s, c) for s in ("train", "valid") for c in ("<b>car & co", "грузовик 1")])


def folder_named_like_a_photo(folder):
    fill(folder)
    (folder / "train" / "Car" / "more.png").mkdir()


def a_pipe(folder):
    fill(folder)
    os.mkfifo(folder / "train" / "Car" / "pipe.png")


def a_broken_link(folder):
    fill(folder)
    (folder / "train" / "Car" / "link.png").symlink_to("nowhere.png")


def no_valid(folder):
    fill(folder, LAYOUT[:2])


def no_train(folder):
    fill(folder, LAYOUT[2:])


def other_splits(folder):
    fill(folder, [(s, c) for s in ("training", "test") for c in ("Car", "Truck")])


def one_class(folder):
    fill(folder, [("train", "Car"), ("valid", "Car")])


def one_class_without_splits(folder):
    fill(folder, [("Car",)])


def three_classes(folder):
    fill(folder, [(s, c) for s in ("train", "valid") for c in ("Bus", "Car", "Truck")])


def three_classes_without_splits(folder):
    fill(folder, [("Bus",), ("Car",), ("Truck",)])


def an_empty_class(folder):
    fill(folder)
    for path in (folder / "train" / "Truck").iterdir():
        path.unlink()


def an_empty_class_without_splits(folder):
    fill(folder, [("Car",)], count=8)
    (folder / "Truck").mkdir()


def one_photo_without_splits(folder):
    fill(folder, [("Car",)], count=8)
    fill(folder, [("Truck",)], count=1)


def other_classes_in_valid(folder):
    fill(folder, [("train", "Car"), ("train", "Truck"), ("valid", "Car"), ("valid", "Lorry")])


def nothing(folder):
    folder.mkdir(exist_ok=True)


def photos_without_classes(folder):
    fill(folder, [()])


def documents_only(folder):
    fill(folder, ending=".tga")


def many_unreadable(folder):
    fill(folder)
    (folder / "train" / "Car" / "0-0.png").write_bytes(b"text")


def the_same_photo_in_both(folder):
    fill(folder)
    for number in range(2):
        photo = folder / "train" / "Car" / f"0-{number}.png"
        (folder / "valid" / "Car" / f"copy-{number}.png").write_bytes(photo.read_bytes())


def the_same_photo_in_both_classes(folder):
    fill(folder)
    copied = (folder / "train" / "Car" / "0-0.png").read_bytes()
    (folder / "train" / "Truck" / "copy.png").write_bytes(copied)


def a_photo_in_the_wrong_class_of_valid(folder):
    fill(folder)
    copied = (folder / "train" / "Car" / "0-0.png").read_bytes()
    (folder / "valid" / "Truck" / "copy.png").write_bytes(copied)


def the_same_photo_without_splits(folder):
    fill(folder, [("Car",), ("Truck",)], count=8)
    for number in range(8):
        photo = folder / "Car" / f"0-{number}.png"
        (folder / "Car" / f"copy-{number}.png").write_bytes(photo.read_bytes())


FOLDERS = [
    (as_it_is, 6),
    (one_folder_too_deep, 6),
    (classes_only, 12),
    (hidden_things, 6),
    (odd_names, 6),
    (folder_named_like_a_photo, 6),
    (a_pipe, 6),
    (a_broken_link, 6),
    (no_valid, ["train and valid", "['train']", "Put one folder for each"]),
    (no_train, ["train and valid", "['valid']", "Put one folder for each"]),
    (other_splits, ["train and valid", "['test', 'training']"]),
    (one_class, ["Expected two folders", "['Car']", "leave two"]),
    (
        one_class_without_splits,
        ["Expected the folders train and valid", "Put one folder for each"],
    ),
    (three_classes, ["Expected two folders", "['Bus', 'Car', 'Truck']", "leave two"]),
    (three_classes_without_splits, ["two folders of photos", "['Bus', 'Car', 'Truck']"]),
    (an_empty_class, ["Expected photos (.jpeg", "Truck, received none", "Put some there"]),
    (an_empty_class_without_splits, ["Expected photos (.jpeg", "Truck, received none"]),
    (one_photo_without_splits, ["two photos or more", "received 1", "Put more there"]),
    (other_classes_in_valid, ["['Car', 'Truck'] and ['Car', 'Lorry']", "Rename"]),
    (nothing, ["train and valid", "received none"]),
    (photos_without_classes, ["train and valid", "received none"]),
    (documents_only, ["Expected photos (.jpeg", "received none"]),
    (many_unreadable, ["at most 1%", "1 of 6", "0-0.png (not an image", "take these files away"]),
    (the_same_photo_in_both, (6, ["no photo in both", "received 2", "copy-0.png", "Take them"])),
    (
        the_same_photo_in_both_classes,
        (7, ["no photo in both Car and Truck, received 1: train/Truck/copy.png equals train/Car"]),
    ),
    (
        a_photo_in_the_wrong_class_of_valid,
        (6, ["no photo in both train and valid"], ["no photo in both Car and Truck"]),
    ),
    (the_same_photo_without_splits, (18, ["no photo in both", "Take them out"])),
]


@pytest.mark.parametrize(("do", "answer"), FOLDERS, ids=[row[0].__name__ for row in FOLDERS])
def test_each_folder_works_or_is_answered_by_one_sentence(tmp_path, do, answer):
    folder = tmp_path / "my photos"
    do(folder)
    if isinstance(answer, list):
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            load(folder)
        message = str(caught.value)
        assert message.startswith("Expected ") and all(part in message for part in answer), message
        return
    count, *warned = answer if isinstance(answer, tuple) else (answer,)
    splits, said = load(folder)
    assert splits.train.count == count
    for sentence, parts in zip(said, warned, strict=True):
        assert all(part in sentence for part in parts), sentence


def test_a_folder_of_two_classes_is_split_by_the_seed_and_says_so(tmp_path):
    folder = tmp_path / "pets"
    classes_only(folder)
    splits, _ = load(folder)
    assert splits.class_names == ("Hund", "Katze")
    assert splits.counts.to_numpy().tolist() == [[6, 6], [2, 2]]
    assert "one photo in four is valid, by seed 31415" in splits.source
    assert not set(splits.train.names) & set(splits.valid.names)
    assert load(folder)[0].valid.names == splits.valid.names
    other = load_car_or_truck(dataclasses.replace(CHOSEN, seed=1), folder=folder)
    assert other.valid.names != splits.valid.names


# An archive. Each row: how it is made, and a number of train photos or parts of the sentence.


def member(name, mode=0o644, content=b"x"):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry, content


def with_members(*entries):
    def make(folder, archive):
        pack(fill(folder), archive)
        with zipfile.ZipFile(archive, "a") as opened:
            for entry, content in entries:
                opened.writestr(entry, content)

    return make


def bomb(folder, archive):
    pack(fill(folder), archive)
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as opened:
        for number in range(40):
            opened.writestr(f"train/Car/bomb-{number}.png", bytes(10**6))


def lying(folder, archive):
    """A member that says it is small and is not."""
    bomb(folder, archive)
    size = (10**6).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(size, (10).to_bytes(4, "little")))


def spoiled(folder, archive):
    pack(fill(folder), archive)
    content = bytearray(archive.read_bytes())
    content[200] ^= 0xFF
    archive.write_bytes(content)


def encrypted(folder, archive):
    pack(fill(folder), archive)
    content = archive.read_bytes()
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := content.find(mark, start + 1)) >= 0:
            flag = start + place
            content = content[:flag] + bytes([content[flag] | 1]) + content[flag + 1 :]
    archive.write_bytes(content)


def two_places(folder, archive):
    fill(folder / "a")
    pack(fill(folder / "b"), archive)
    pack(folder, archive)


OUTSIDE = "the name leads outside"
ARCHIVES = {
    "plain": (lambda f, a: pack(fill(f), a), 6),
    "deep": (lambda f, a: pack(fill(f), a, "Car or Truck/v 1/"), 6),
    "deflated": (lambda f, a: pack(fill(f), a, compression=zipfile.ZIP_DEFLATED), 6),
    "other names": (with_members(member("README.md"), member("train/notes.txt")), 6),
    "other files": (
        with_members(
            member("train/Car/notes.txt"),
            member("valid/Truck/notes.TXT"),
            member("train/Car/raw.dng"),
            member("train/Car/more/x.png"),
            member("x.png"),
            member("train/Car/Thumbs.db"),
        ),
        6,
    ),
    "from a Mac": (with_members(member("__MACOSX/train/Car/._0-0.png")), 6),
    "slip": (with_members(member("train/Car/../../../../../outside.png")), 6),
    "slip by class": (with_members(member("train/../outside.png")), 6),
    "absolute": (with_members(member("/tmp/outside.png")), 6),
    "drive": (with_members(member("train/Car/C:outside.png")), 6),
    "backslash": (with_members(member("train/Car/..\\..\\outside.png")), 6),
    "link": (with_members(member("train/Car/link.png", stat.S_IFLNK | 0o777, b"/etc/passwd")), 6),
    "link as class": (with_members(member("train/Bus", stat.S_IFLNK | 0o777, b"/etc")), 6),
    "bomb": (bomb, ["52 photos of 40 MB", "too many for photos", "remove it"]),
    "lying bomb": (lying, ["cannot be unpacked"]),
    "cut": (lambda f, a: a.write_bytes(cut(pack(fill(f), a).read_bytes())), ["cannot be unpacked"]),
    "empty": (lambda f, a: a.write_bytes(b""), ["cannot be unpacked", "Download it again"]),
    "text": (lambda f, a: a.write_text("<html>log in"), ["cannot be unpacked"]),
    "spoiled": (spoiled, ["cannot be unpacked"]),
    "encrypted": (encrypted, ["cannot be unpacked", "encrypted"]),
    "no splits": (lambda f, a: pack(fill(f, [("Car",), ("Truck",)]), a), ["train and valid"]),
    "no valid": (lambda f, a: pack(fill(f, LAYOUT[:2]), a), ["train and valid", "received none"]),
    "two places": (two_places, ["one place", "2 places"]),
    "no member": (lambda f, a: zipfile.ZipFile(a, "w").close(), ["train and valid"]),
}


# What the loader says of an archive; nothing of the others.
NOT_TAKEN = {
    "other files": "5 files were not taken: 2 .txt, 1 .dng, 1 in a subfolder, 1 outside the class "
    "folders.",
    "slip": "1 file was not taken: 1 with an unsafe path.",
    "slip by class": "1 file was not taken: 1 with an unsafe path.",
    "absolute": "1 file was not taken: 1 with an unsafe path.",
    "drive": "1 file was not taken: 1 with an unsafe path.",
    "backslash": "1 file was not taken: 1 with an unsafe path.",
    "link": "1 file was not taken: 1 behind a link.",
    "link as class": "1 file was not taken: 1 behind a link.",
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_each_archive_works_or_is_answered_and_writes_nowhere_else(
    tmp_path, own_cache, capsys, name
):
    make, answer = ARCHIVES[name]
    archive = tmp_path / "archive.zip"
    make(tmp_path / "made", archive)
    before = sorted(tmp_path.rglob("*"))
    if isinstance(answer, int):
        splits, said = load(archive)
        assert splits.train.count == answer and said == []
        line = NOT_TAKEN.get(name)
        assert capsys.readouterr().out == (f"{line}\n" if line else "")
        assert splits.source.startswith("Photos from the archive archive.zip, named by")
    else:
        with pytest.raises(ValueError) as caught:
            load(archive)
        message = str(caught.value)
        assert message.startswith("Expected ") and all(part in message for part in answer), message
        assert not list((own_cache / "photos").rglob("*"))
    written = set(tmp_path.rglob("*")) - set(before)
    assert all(path.is_relative_to(own_cache) for path in written)
    assert not any(path.is_symlink() or "outside" in path.name for path in written)


# The same photos by every way


def both_batches(splits):
    return [batch for half in (splits.train, splits.valid) for batch in half]


def test_folder_zip_mount_and_kaggle_give_the_same_batches(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_DATA_DIR")
    folder, data = fill(tmp_path / "photos", count=7), tmp_path / "data"
    data.mkdir()
    monkeypatch.setattr(environment, "data_dir", lambda: data)
    expected = both_batches(load(folder)[0])

    def assert_same(source):
        splits, said = load(None)
        assert splits.source.startswith(source) and said == []
        for batch, other in zip(expected, both_batches(splits), strict=True):
            for array, same in zip(batch, other, strict=True):
                np.testing.assert_array_equal(array, same)

    import shutil

    from course_utils.data import kaggle

    script = (
        "import os, shutil; to = os.environ['KAGGLEHUB_CACHE'] + '/datasets/x/versions/1';"
        f"shutil.copytree({str(folder)!r}, to); print(to)"
    )
    monkeypatch.setattr(kaggle, "COMMAND", [*kaggle.COMMAND[:2], script])
    assert_same("Photos of Kaggle's ryanholbrook/car-or-truck, downloaded.")
    pack(folder, data / "any name.zip", "Car or Truck/", compression=zipfile.ZIP_DEFLATED)
    assert_same("Photos from the archive data/any name.zip.")
    monkeypatch.setattr(sources, "MOUNTS", (tmp_path / "nowhere", folder))
    assert_same("Photos from Kaggle's mount")
    shutil.copytree(folder, data / "car-or-truck")
    assert_same("Photos from data/car-or-truck.")


# Fuzz: whatever the bytes, the answer is a picture or one of our own errors. For longer, set
# COURSE_FUZZ to the number of examples.

EXAMPLES = int(os.environ.get("COURSE_FUZZ", "150"))
KINDS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO", "PCX", "AVIF")


def spoil(content: bytes, generator: random.Random) -> bytes:
    """Returns bytes with some of them flipped, cut, doubled or put elsewhere."""
    spoiled = bytearray(content)
    for _ in range(generator.randint(1, 8)):
        place = generator.randrange(len(spoiled) + 1)
        length = generator.choice((1, 1, 2, 4, 30))
        how = generator.randrange(4)
        if how == 0:
            spoiled[place : place + length] = generator.randbytes(length)
        elif how == 1:
            del spoiled[place : place + length]
        elif how == 2:
            spoiled[place:place] = spoiled[place - length : place]
        else:
            spoiled[place : place + length] = bytes([generator.choice((0, 255))]) * length
    return bytes(spoiled)


@pytest.fixture(scope="module")
def whole_files():
    from contextlib import suppress

    made = []
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in KINDS:
        for mode in ("RGB", "L", "P", "RGBA", "CMYK", "1", "I;16", "F"):
            with suppress(Exception):
                made.append(encode(noise(1, (24, 20), mode), kind, exif=exif))
    return made


@fuzzing(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**63), st.binary(max_size=64))
@pytest.mark.filterwarnings("ignore")
def test_fuzzed_photos_are_pictures_or_our_own_errors(whole_files, tmp_path, seed, tail):
    generator = random.Random(seed)
    path = tmp_path / "fuzz.jpeg"
    path.write_bytes(spoil(generator.choice(whole_files), generator) + tail)
    try:
        pixels = read_photo(path, (16, 16))
    except ValueError as error:
        assert str(error)
    else:
        assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8


@fuzzing(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**63))
@pytest.mark.filterwarnings("ignore")
def test_fuzzed_archives_are_unpacked_or_our_own_errors(tmp_path, seed):
    generator = random.Random(seed)
    whole = tmp_path / "whole.zip"
    if not whole.exists():
        pack(fill(tmp_path / "made"), whole, compression=zipfile.ZIP_DEFLATED)
    archive = tmp_path / "fuzz.zip"
    archive.write_bytes(spoil(whole.read_bytes(), generator))
    place = tmp_path / "unpacked"
    try:
        unpacked, _ = archives.unpack_photos(archive, place)
    except ValueError as error:
        assert str(error).startswith("Expected ")
    else:
        assert unpacked.parent == place
    assert {path.name for path in tmp_path.iterdir()} <= {
        *("whole.zip", "made", "fuzz.zip", "unpacked", "cache")
    }
    assert not place.exists() or all(path.name.startswith("zip-") for path in place.iterdir())
