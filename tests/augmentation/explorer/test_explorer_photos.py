"""Own photos: the folder names the class, and what the loader passes over is passed over here."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from explorer_hands import LESSON
from PIL import Image

from course_utils.augmentation.explorer.photos import find_tasks, load_folder
from course_utils.augmentation.explorer.widget import AugmentationExplorer
from course_utils.core import settings
from course_utils.data.dataset import load_car_or_truck

SIZE = (20, 20)


def save(path, shade=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE, (shade, shade, shade)).save(path)


def classes_of(folder):
    photos, class_names = load_folder(folder, SIZE)
    labels = photos.labels[:, 0].astype(int)
    return {name: class_names[label] for name, label in zip(photos.names, labels, strict=True)}


def test_own_photos_are_letterboxed_on_black(tmp_path):
    Image.new("RGB", (40, 20), "white").save(tmp_path / "wide.png")
    Image.new("L", (20, 40), "white").save(tmp_path / "tall.jpg", quality=100)
    photos, class_names = load_folder(tmp_path, SIZE)
    assert photos.count == 2 and class_names == (tmp_path.name,)
    tall, wide = photos.read([0, 1])
    assert wide.shape == (20, 20, 3) and wide.dtype == np.float32
    assert wide[10].min() == 1 and wide[:4].max() == 0 and wide[-4:].max() == 0
    assert tall[:, 10].min() > 0.97 and tall[:, :4].max() == 0
    explorer = AugmentationExplorer(tmp_path, LESSON, image_size=SIZE)
    assert explorer.views.shape == (16, 20, 20, 3)


def test_what_is_no_folder_of_photos_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="Expected a folder of photos"):
        AugmentationExplorer(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="found none"):
        AugmentationExplorer(str(tmp_path / "empty"))
    save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"1 of 2 photos cannot be read: .*cut\.png"):
        AugmentationExplorer(tmp_path)
    with pytest.raises(TypeError, match="load_car_or_truck"):
        AugmentationExplorer(np.zeros((4, 8, 8, 3)))


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    save(tmp_path / "pets" / "Car" / "a.png")
    assert classes_of("~/pets") == {"Car/a.png": "Car"}
    assert classes_of(Path("~", "pets")) == {"Car/a.png": "Car"}


def test_the_folder_that_one_is_in_gives_its_name(tmp_path, monkeypatch):
    save(tmp_path / "pets" / "a.png")
    monkeypatch.chdir(tmp_path / "pets")
    assert classes_of(".") == {"a.png": "pets"}


def test_links_keep_the_names_that_they_have_in_the_folder(tmp_path):
    save(tmp_path / "camera" / "img_1.png")
    save(tmp_path / "elsewhere" / "b.png", 90)
    photos = tmp_path / "photos"
    (photos / "Car").mkdir(parents=True)
    (photos / "Car" / "linked.png").symlink_to(tmp_path / "camera" / "img_1.png")
    (photos / "Truck").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert classes_of(photos) == {"Car/linked.png": "Car", "Truck/b.png": "Truck"}


def test_a_link_to_a_folder_above_ends(tmp_path):
    save(tmp_path / "Car" / "a.png")
    (tmp_path / "Car" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert classes_of(tmp_path) == {"Car/a.png": "Car"}


def test_explorer_and_loader_take_the_same_photos(tmp_path, capsys):
    folder = tmp_path / "photos"
    for place, parts in enumerate((s, c) for s in ("train", "valid") for c in ("Car", "Truck")):
        for number in range(3):
            save(folder.joinpath(*parts, f"{number}.png"), 10 * place + number)
            (folder.joinpath(*parts, "raw.dng")).write_bytes(b"x")
        for hidden in (".git", ".ipynb_checkpoints", "__MACOSX"):
            save(folder.joinpath(*parts, hidden, "hidden.png"))
            save(folder / hidden / parts[1] / "hidden.png")
        folder.joinpath(*parts, ".hidden.png").write_bytes(b"x")
        folder.joinpath(*parts, "broken.png").symlink_to("nowhere.png")
        if hasattr(os, "mkfifo"):
            os.mkfifo(folder.joinpath(*parts, "pipe.png"))
    chosen = dataclasses.replace(settings.PROFILES["full"], image_size=SIZE, batch_size=4)
    splits = load_car_or_truck(chosen, folder=folder)
    said = capsys.readouterr().out
    shown = classes_of(folder)
    assert capsys.readouterr().out == said and "4 .dng" in said and "4 behind a broken link" in said
    assert set(shown) == {*splits.train.names, *splits.valid.names} and len(shown) == 12
    assert all(name.split("/")[1] == class_name for name, class_name in shown.items())


def test_labels_that_fit_no_task_are_refused(splits):
    photos = splits.train
    with pytest.raises(ValueError, match=r"labels 0 and 1 for the task .*, received 0, 1, 2"):
        find_tasks(photos, splits.class_names, {"left or right": np.arange(40) % 3})
    with pytest.raises(ValueError, match="received .*nan"):
        find_tasks(photos, splits.class_names, {"left or right": np.full(40, np.nan)})
