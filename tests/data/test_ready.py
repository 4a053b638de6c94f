"""The folder that lessons read with Keras: the photos of `load_car_or_truck`, pixel for pixel."""

from dataclasses import replace

import keras
import numpy as np
from PIL import Image

from course_utils.core import environment, settings
from course_utils.data.dataset import load_car_or_truck
from course_utils.data.ready import prepare_photos

FEW = replace(settings.load_settings("quick"), train_photos=8, valid_photos=4, image_size=(32, 32))


def make_folder(root):
    """Two classes of photos in two shapes, one of them turned by its EXIF note."""
    random = np.random.default_rng(0)
    for split, count in (("train", 6), ("valid", 3)):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                size = (40, 24 + number, 3)
                image = Image.fromarray(random.integers(0, 256, size, dtype=np.uint8))
                exif = Image.Exif()
                exif[0x0112] = 6 if number == 0 else 1
                image.save(folder / f"{number}.png", exif=exif)
    return root


def test_keras_reads_the_pixels_and_labels_of_the_course(tmp_path, capsys):
    folder = make_folder(tmp_path / "photos")
    splits = load_car_or_truck(FEW, folder=folder)
    ready = prepare_photos(FEW, folder=folder)
    assert splits.source in capsys.readouterr().out
    for split in ("train", "valid"):
        dataset = keras.utils.image_dataset_from_directory(
            ready / split,
            label_mode="binary",
            image_size=FEW.image_size,
            interpolation="nearest",
            shuffle=False,
        )
        assert dataset.class_names == ["cat", "dog"]
        images, labels = map(np.concatenate, zip(*dataset.as_numpy_iterator(), strict=True))
        photos = getattr(splits, split)
        order = np.argsort(photos.labels[:, 0], kind="stable")
        np.testing.assert_array_equal(images / np.float32(255), photos.read(order))
        np.testing.assert_array_equal(labels, photos.labels[order])


def test_a_folder_is_written_once_and_for_each_choice_of_photos(tmp_path):
    folder = make_folder(tmp_path / "photos")
    ready = prepare_photos(FEW, folder=folder)
    marked = ready / "train" / "cat" / "marked.txt"
    marked.touch()
    assert prepare_photos(FEW, folder=folder) == ready and marked.exists()
    assert prepare_photos(replace(FEW, train_photos=6), folder=folder) != ready
    assert ready.is_relative_to(environment.cache_dir())
