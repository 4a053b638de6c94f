"""Photos are found, checked and loaded as the lesson says, and every refusal says what to do.

Longer than 350 lines because one set of fixtures serves the loader, its batches and its refusals.
"""

import dataclasses
import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from course_utils.core import environment, settings
from course_utils.data import pixels
from course_utils.data.dataset import choose_balanced, epoch_order, load_car_or_truck
from course_utils.data.images import read_photo
from course_utils.data.synthetic.parameters import CLASS_NAMES

SMALL = dataclasses.replace(
    settings.PROFILES["full"],
    image_size=(24, 24),
    batch_size=4,
    synthetic_train_photos=14,
    synthetic_valid_photos=6,
)


def save_photo(path, *, size=(24, 24), seed=None, **options):
    """Saves noise, given as (width, height); the name seeds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(list(path.name.encode()) if seed is None else seed)
    pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return pixels


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder of photos: 6 + 4 train, 2 + 3 valid."""
    photos = tmp_path / "photos"
    for split, class_name, count in (
        ("train", "Car", 6),
        ("train", "Truck", 4),
        ("valid", "Car", 2),
        ("valid", "Truck", 3),
    ):
        for number in range(count):
            save_photo(photos / split / class_name / f"{split}-{class_name}-{number}.png")
    return photos


@pytest.fixture
def no_variable(monkeypatch):
    monkeypatch.delenv("COURSE_DATA_DIR")


@pytest.fixture
def count_reads(monkeypatch):
    """The list of files that are decoded from now on."""
    reads = []

    def read(path, image_size):
        reads.append(path)
        return read_photo(path, image_size)

    monkeypatch.setattr(pixels, "read_photo", read)
    return reads


def load_quietly(*args, **options):
    """Loads and lets no warning pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_car_or_truck(*args, **options)


# Splits


def test_splits_have_the_lessons_labels_shapes_dtypes_ranges_and_batches(folder):
    splits = load_quietly(SMALL, folder=folder)
    assert splits.class_names == ("Car", "Truck")
    assert splits.counts.to_dict("index") == {
        "train": {"Car": 6, "Truck": 4},
        "valid": {"Car": 2, "Truck": 3},
    }
    assert (splits.train.count, len(splits.train)) == (10, 3)
    assert (splits.valid.count, len(splits.valid)) == (5, 2)
    for photos in (splits.train, splits.valid):
        assert photos.image_size == (24, 24)
        batches = list(photos)
        sizes = [len(images) for images, _ in batches]
        assert sizes == [4] * (photos.count // 4) + [photos.count % 4]
        for images, labels in batches:
            assert images.dtype == labels.dtype == np.float32
            assert images.shape[1:] == (24, 24, 3) and labels.shape == (len(images), 1)
            assert images.min() >= 0 and 0.9 < images.max() <= 1
            assert set(labels.ravel()) <= {0.0, 1.0}


def test_labels_names_and_pixels_belong_together(folder):
    splits = load_quietly(SMALL, folder=folder)
    for photos in (splits.train, splits.valid):
        for position, name in enumerate(photos.names):
            assert photos.labels[position, 0] == ("Truck" in name)
            with Image.open(folder / name) as image:
                expected = np.asarray(image, "float32") / 255
            np.testing.assert_array_equal(photos.read([position])[0], expected)
    assert len(set(splits.train.keys.tolist())) == 10


def test_valid_comes_in_the_folders_order_and_train_does_not(folder):
    splits = load_quietly(SMALL, folder=folder)
    labels = np.concatenate([labels for _, labels in splits.valid])
    np.testing.assert_array_equal(labels, splits.valid.labels)
    assert splits.valid.names == sorted(splits.valid.names)
    first = np.concatenate([images for images, _ in splits.train])
    order = epoch_order(10, seed=SMALL.seed, epoch=0)
    np.testing.assert_array_equal(first, splits.train.read(order))
    assert not np.array_equal(order, np.arange(10))


def test_key_depends_on_the_pixels_alone(folder, tmp_path):
    keys = dict(zip(*both(load_quietly(SMALL, folder=folder).train), strict=True))
    copied = folder / "train" / "Car" / "copied.png"
    copied.write_bytes((folder / "train" / "Car" / "train-Car-0.png").read_bytes())
    moved = folder.rename(tmp_path / "moved")
    again = dict(zip(*both(load_quietly(SMALL, folder=moved).train), strict=True))
    assert again.pop("train/Car/copied.png") == keys["train/Car/train-Car-0.png"]
    assert again == keys


def both(photos):
    return photos.names, photos.keys.tolist()


# Order


@given(st.integers(1, 300), st.integers(0, 2**32), st.integers(0, 1000))
def test_epoch_order_is_a_permutation_and_repeatable(count, seed, epoch):
    order = epoch_order(count, seed=seed, epoch=epoch)
    assert sorted(order) == list(range(count))
    np.testing.assert_array_equal(order, epoch_order(count, seed=seed, epoch=epoch))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {
        tuple(epoch_order(50, seed=seed, epoch=epoch)) for seed in range(5) for epoch in range(20)
    }
    assert len(orders) == 100


@pytest.mark.slow
def test_fit_goes_through_one_new_permutation_an_epoch_beginning_with_the_first(make_photos):
    import keras
    import tensorflow

    seen = []

    class Recorder(keras.layers.Layer):
        """Keeps the first pixel of every photo that training shows it."""

        def call(self, images, training=False):
            if training:
                tensorflow.py_function(
                    lambda pixels: seen.append(pixels.numpy()), [images[:, 0, 0]], []
                )
            return images

    train, valid = make_photos(30, shuffle=True), make_photos(10, draw=5)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            Recorder(),
            keras.layers.Flatten(),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy")

    class EvaluateBetween(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(valid, verbose=0)
            self.model.evaluate(train.unshuffled(), verbose=0)

    model.fit(
        train,
        validation_data=valid,
        epochs=3,
        verbose=0,
        shuffle=False,
        callbacks=[EvaluateBetween()],
    )
    seen = np.concatenate(seen).reshape(3, 30, 3)
    for epoch in range(3):
        order = epoch_order(30, seed=train.seed, epoch=epoch)
        np.testing.assert_array_equal(seen[epoch], train.read(order)[:, 0, 0], f"epoch {epoch}")


def test_shuffled_begins_with_the_first_epoch_again(make_photos):
    photos = make_photos(30, shuffle=True)
    photos.on_epoch_begin()
    photos.on_epoch_begin()
    np.testing.assert_array_equal(
        photos[0][0], photos.read(epoch_order(30, seed=31415, epoch=1)[:8])
    )
    fresh = photos.shuffled(seed=9)
    np.testing.assert_array_equal(fresh[0][0], photos.read(epoch_order(30, seed=9, epoch=0)[:8]))


def test_unshuffled_predictions_stand_beside_the_labels(make_photos):
    import keras

    photos = make_photos(30, shuffle=True)
    brightness = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    )
    brightness.layers[-1].set_weights([np.ones((3, 1)), np.zeros(1)])
    plain = photos.unshuffled()
    # The second class of these photos is brighter, by far more than the noise.
    answers = brightness.predict(plain, verbose=0) > 1.2
    np.testing.assert_array_equal(answers, plain.labels == 1)
    assert not np.array_equal(brightness.predict(photos, verbose=0) > 1.2, photos.labels == 1)


def test_iterating_ends_after_the_last_batch(make_photos):
    photos = make_photos(9)
    assert [len(labels) for _, labels in photos] == [8, 1]
    with pytest.raises(IndexError, match="0 to 1, received 2"):
        photos[2]


# Parts


@st.composite
def labels_and_counts(draw):
    labels = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=80))
    small = draw(st.integers(1, len(labels)))
    large = draw(st.integers(small, len(labels)))
    return np.array(labels, "float32")[:, None], small, large


@given(labels_and_counts(), st.integers(0, 10))
def test_a_smaller_part_is_the_beginning_of_a_larger_and_both_are_balanced(drawn, seed):
    labels, small, large = drawn
    chosen = choose_balanced(labels, large, seed=seed)
    np.testing.assert_array_equal(choose_balanced(labels, small, seed=seed), chosen[:small])
    assert len(set(chosen.tolist())) == large
    for count in (small, large):
        trucks = labels[chosen[:count]].sum()
        assert abs(trucks - count * labels.mean()) <= 1


def test_take_gives_nested_parts_that_keep_the_seed_and_the_shuffling(make_photos):
    photos = make_photos(40, shuffle=True)
    large, small = photos.take(20), photos.take(10)
    assert (large.count, small.count) == (20, 10)
    assert set(small.names) < set(large.names) < set(photos.names)
    assert small.labels.sum() == 5
    assert small.shuffle and small.seed == photos.seed
    for position in range(10):
        original = photos.names.index(small.names[position])
        np.testing.assert_array_equal(small.read([position]), photos.read([original]))
        assert small.keys[position] == photos.keys[original]
    assert set(photos.take(10, seed=1).names) != set(small.names)


@pytest.mark.parametrize("count", [0, -1, 41])
def test_take_refuses_what_is_not_there(make_photos, count):
    with pytest.raises(ValueError, match=f"from 1 to 40, received {count}"):
        make_photos(40).take(count)
    assert make_photos(40).take(np.int64(40)).count == 40


def test_splits_take_train_leaves_valid_alone(make_splits):
    splits = make_splits()
    part = splits.take_train(16)
    assert part.train.count == 16 and part.valid is splits.valid


def test_profile_limits_the_photos_and_keeps_the_classes_in_proportion(folder):
    chosen = dataclasses.replace(SMALL, train_photos=5, valid_photos=99)
    splits = load_quietly(chosen, folder=folder)
    assert splits.counts.to_dict("index") == {
        "train": {"Car": 3, "Truck": 2},
        "valid": {"Car": 2, "Truck": 3},
    }
    assert splits.train.names == sorted(splits.train.names)
    # The same photos whatever else is asked for, and among those of a larger profile.
    larger = load_quietly(dataclasses.replace(chosen, train_photos=8), folder=folder)
    assert set(splits.train.names) < set(larger.train.names)


# Where the photos come from


def test_argument_comes_first(folder, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", "/nowhere")
    source = load_quietly(SMALL, folder=str(folder)).source
    assert source == "Photos from the folder photos, named by the argument `folder`."


def test_environment_comes_second(folder, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(folder))
    source = load_quietly(SMALL).source
    expected = "named by the environment variable COURSE_DATA_DIR."
    assert source == f"Photos from the folder photos, {expected}"


def test_project_data_come_third(folder, tmp_path, monkeypatch, no_variable):
    (tmp_path / "data").mkdir()
    folder.rename(tmp_path / "data" / "car-or-truck")
    monkeypatch.setattr(environment, "data_dir", lambda: tmp_path / "data")
    splits = load_quietly(SMALL)
    assert splits.source == "Photos from data/car-or-truck."
    assert splits.train.count == 10


def test_synthetic_vehicles_come_last(tmp_path, monkeypatch, no_variable):
    monkeypatch.setattr(environment, "data_dir", lambda: tmp_path / "data")
    splits = load_quietly(SMALL)
    assert "Synthetic vehicles" in splits.source and "no data/car-or-truck" in splits.source
    assert (splits.train.count, splits.valid.count) == (14, 6)


def test_synthetic_vehicles_come_when_asked_for(own_cache):
    splits = load_quietly(SMALL)  # COURSE_DATA_DIR=synthetic, as all tests have it
    assert splits.source == (
        "Synthetic vehicles from the course kit (set by the environment variable COURSE_DATA_DIR)."
    )
    assert splits.class_names == CLASS_NAMES
    assert splits.counts.loc["train"].tolist() == [7, 7]
    again = load_quietly(SMALL, folder="synthetic")
    assert again.source == "Synthetic vehicles from the course kit (set by the argument `folder`)."
    np.testing.assert_array_equal(again.train.keys, splits.train.keys)
    # A train vehicle never stands among the valid ones.
    assert not set(splits.train.keys.tolist()) & set(splits.valid.keys.tolist())


def test_another_seed_gives_other_vehicles():
    first = load_quietly(SMALL)
    second = load_quietly(dataclasses.replace(SMALL, seed=1))
    assert not set(first.train.keys.tolist()) & set(second.train.keys.tolist())


# Refusals


@pytest.mark.parametrize("giver", ["argument", "variable"])
def test_a_folder_that_is_not_there_is_named_with_its_giver(monkeypatch, giver):
    if giver == "variable":
        monkeypatch.setenv("COURSE_DATA_DIR", "no/such/folder")
    with pytest.raises(FileNotFoundError) as caught:
        load_car_or_truck(SMALL, folder="no/such/folder" if giver == "argument" else None)
    message = str(caught.value)
    assert "no/such/folder" in message and "synthetic vehicles" in message
    assert ("COURSE_DATA_DIR" if giver == "variable" else "argument `folder`") in message


def test_a_file_is_no_folder(folder):
    with pytest.raises(FileNotFoundError, match="which is neither"):
        load_car_or_truck(SMALL, folder=folder / "train" / "Car" / "train-Car-0.png")


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_missing_split_is_named_with_what_there_is(folder, split):
    (folder / split).rename(folder / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"train and valid.*'elsewhere'.*Put one"):
        load_car_or_truck(SMALL, folder=folder)


def test_three_classes_are_refused(folder):
    save_photo(folder / "valid" / "Bus" / "bus.png")
    with pytest.raises(ValueError, match=r"Expected two folders.*valid.*'Bus', 'Car', 'Truck'"):
        load_car_or_truck(SMALL, folder=folder)


def test_photos_without_class_folders_are_refused(tmp_path):
    for split in ("train", "valid"):
        save_photo(tmp_path / split / "photo.png")
    with pytest.raises(ValueError, match=r"Expected two folders.*received none"):
        load_car_or_truck(SMALL, folder=tmp_path)


def test_classes_of_other_names_in_valid_are_refused(folder):
    (folder / "valid" / "Truck").rename(folder / "valid" / "Lorry")
    with pytest.raises(ValueError, match=r"'Car', 'Truck'\] and \['Car', 'Lorry'"):
        load_car_or_truck(SMALL, folder=folder)


def test_an_empty_class_is_refused_with_the_endings_that_count(folder):
    for path in (folder / "valid" / "Car").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(ValueError, match=r"\.jpeg.*valid.Car, received none"):
        load_car_or_truck(SMALL, folder=folder)


def test_what_is_no_photo_is_left_alone(folder):
    (folder / "train" / "Car" / "notes.txt").write_text("mine")
    (folder / "train" / "Car" / ".hidden.png").write_text("not a photo")
    (folder / "train" / "Car" / "._train-Car-0.png").write_text("a Mac's")
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    (folder / "train" / "__MACOSX").mkdir()
    (folder / "LICENSE").write_text("mine")
    assert load_quietly(SMALL, folder=folder).train.count == 10


# Unreadable photos


def spoil(path, how):
    whole = path.read_bytes()
    path.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"hello"}[how])


@pytest.mark.parametrize("how", ["truncated", "empty", "text"])
@pytest.mark.parametrize("ending", [".jpeg", ".png"])
def test_a_few_unreadable_photos_are_left_out_and_named_once(folder, how, ending):
    for number in range(110):
        save_photo(folder / "train" / "Car" / f"more-{number:03}{ending}")
    bad = folder / "train" / "Car" / f"more-050{ending}"
    spoil(bad, how)
    for _ in range(2):  # decoded, then out of the cache
        with pytest.warns(UserWarning) as caught:
            splits = load_car_or_truck(SMALL, folder=folder)
        (warning,) = caught
        message = str(warning.message)
        assert message.startswith("1 of 125 photos cannot be read: ")
        assert re.search(re.escape(str(bad)) + r" \(.+\)", message)
        assert warning.filename == __file__
        assert splits.train.count == 119
        assert f"train/Car/{bad.name}" not in splits.train.names
        assert splits.counts.loc["train"].tolist() == [115, 4]
        # Names, labels and pixels of what is left still belong together.
        last = splits.train.names[-1]
        with Image.open(folder / last) as image:
            expected = np.asarray(image, "float32") / 255
        np.testing.assert_array_equal(splits.train.read([118])[0], expected)
        assert splits.train.labels[114:].ravel().tolist() == [0, 1, 1, 1, 1]


def test_many_unreadable_photos_are_an_error_that_lists_some(folder):
    for path in (folder / "train").rglob("*.png"):
        spoil(path, "text")
    with pytest.raises(ValueError) as caught:
        load_car_or_truck(SMALL, folder=folder)
    message = str(caught.value)
    assert "at most 1%" in message and "10 of 10" in message and "and 5 more" in message
    assert "train-Car-0.png" in message and "Fetch the photos again" in message


def test_an_error_keeps_nothing_so_that_fixed_photos_load(folder):
    bad = folder / "train" / "Car" / "train-Car-3.png"
    spoil(bad, "text")
    with pytest.raises(ValueError, match="1 of 10"):
        load_car_or_truck(SMALL, folder=folder)
    save_photo(bad)
    assert load_quietly(SMALL, folder=folder).train.count == 10


# The cache


def stored_files(cache):
    return sorted((cache / "pixels").glob("*.entry"))


def test_photos_are_decoded_once(folder, count_reads):
    first = load_quietly(SMALL, folder=folder)
    assert len(count_reads) == 15
    second = load_quietly(SMALL, folder=folder)
    assert len(count_reads) == 15
    np.testing.assert_array_equal(second.train.pixels, first.train.pixels)
    np.testing.assert_array_equal(second.train.keys, first.train.keys)


def test_prepared_pixels_are_used(folder, own_cache, tmp_path, monkeypatch, count_reads):
    load_quietly(SMALL, folder=folder)
    own_cache.rename(tmp_path / "prepared")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    load_quietly(SMALL, folder=folder)
    assert len(count_reads) == 15
    assert not own_cache.exists()


def add(folder):
    save_photo(folder / "train" / "Car" / "new.png")


def remove(folder):
    (folder / "train" / "Car" / "train-Car-0.png").unlink()


def rename(folder):
    path = folder / "train" / "Car" / "train-Car-0.png"
    path.rename(path.with_name("other.png"))


def rewrite(folder):
    path = folder / "train" / "Car" / "train-Car-0.png"
    before = path.stat()
    save_photo(path, seed=99, compress_level=0)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


@pytest.mark.parametrize("change", [add, remove, rename, rewrite])
def test_a_changed_folder_is_decoded_again(folder, count_reads, change):
    before = load_quietly(SMALL, folder=folder).train
    change(folder)
    count_reads.clear()
    after = load_quietly(SMALL, folder=folder).train
    assert len(count_reads) == after.count  # valid is as it was
    assert both(after) != both(before)
    for position, name in enumerate(after.names):
        with Image.open(folder / name) as image:
            expected = np.asarray(image, "float32") / 255
        np.testing.assert_array_equal(after.read([position])[0], expected)


def test_another_image_size_is_decoded_again(folder):
    load_quietly(SMALL, folder=folder)
    smaller = load_quietly(dataclasses.replace(SMALL, image_size=(12, 20)), folder=folder)
    assert smaller.train[0][0].shape == (4, 12, 20, 3)


def cut_short(path):
    os.truncate(path, path.stat().st_size - 100)


def empty(path):
    path.write_bytes(b"")


def garbage(path):
    path.write_bytes(b"\x93NUMPY garbage {[")


def one_pixel(path):
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)


def swap(path):
    """Gives the first of two files the other's name, and the other the first one's."""
    first, second = stored_files(path.parents[1])
    if path == first:
        first.rename(path.with_name("aside"))
        second.rename(first)
        path.with_name("aside").rename(second)


@pytest.mark.parametrize("damage", [cut_short, empty, garbage, one_pixel, swap, Path.unlink])
def test_damaged_pixels_are_decoded_again(folder, own_cache, capsys, count_reads, damage):
    expected = load_quietly(SMALL, folder=folder)
    pixels, keys = np.array(expected.train.pixels), expected.train.keys
    damaged = stored_files(own_cache)
    for path in damaged:
        damage(path)
    count_reads.clear()
    again = load_quietly(SMALL, folder=folder)
    assert len(count_reads) == 15
    np.testing.assert_array_equal(again.train.pixels, pixels)
    np.testing.assert_array_equal(again.train.keys, keys)
    said = capsys.readouterr().out
    if damage == Path.unlink:
        assert said == ""  # as if nothing had been stored
    else:
        assert said.count("is damaged: ") == 2  # train and valid
        assert all(path.name in said for path in damaged)
    # Made again for good.
    load_quietly(SMALL, folder=folder)
    assert len(count_reads) == 15
    assert capsys.readouterr().out == ""


def test_damaged_prepared_pixels_do_not_hide_whole_ones_in_the_cache(
    folder, own_cache, tmp_path, monkeypatch, count_reads
):
    load_quietly(SMALL, folder=folder)
    prepared = own_cache.rename(tmp_path / "prepared")
    for path in stored_files(prepared):
        garbage(path)
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(prepared))
    for _ in range(2):
        assert load_quietly(SMALL, folder=folder).train.count == 10
    assert len(count_reads) == 30  # once before, once for the damage, not a third time


def test_a_killed_decoding_is_done_again(folder, own_cache, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(pixels, "read_photo", stop)
        load_car_or_truck(SMALL, folder=folder)
    assert stored_files(own_cache) == []
    assert load_quietly(SMALL, folder=folder).train.count == 10


# One photo


def test_a_photo_of_the_right_size_is_taken_as_it_is(tmp_path):
    pixels = save_photo(tmp_path / "photo.png", size=(20, 12))
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.png", (12, 20)), pixels)


def test_a_photo_of_another_shape_is_letterboxed_on_black(tmp_path):
    Image.new("RGB", (40, 20), "white").save(tmp_path / "wide.png")
    pixels = read_photo(tmp_path / "wide.png", (16, 16))
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    assert pixels[:4].max() == 0 and pixels[-4:].max() == 0
    assert pixels[4:12].min() == 255


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_every_kind_of_color_becomes_rgb(tmp_path, mode):
    kind = "tiff" if mode == "CMYK" else "png"
    Image.new("RGB", (16, 16), "white").convert(mode).save(tmp_path / f"photo.{kind}")
    pixels = read_photo(tmp_path / f"photo.{kind}", (16, 16))
    assert pixels.shape == (16, 16, 3) and pixels.min() >= 254


def test_a_photo_taken_sideways_is_turned_upright(tmp_path):
    image = Image.new("RGB", (30, 20), "black")
    image.paste("white", (0, 0, 10, 20))  # left part
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    image.save(tmp_path / "photo.png", exif=exif)
    pixels = read_photo(tmp_path / "photo.png", (30, 20))
    assert pixels[:10].min() == 255 and pixels[10:].max() == 0


# The real photos


@pytest.mark.real_photos
def test_real_photos_load_unchanged_and_balanced(real_photos):
    chosen = dataclasses.replace(
        settings.PROFILES["full"], train_photos=64, valid_photos=32, batch_size=16
    )
    splits = load_quietly(chosen, folder=real_photos)
    assert splits.class_names == ("Car", "Truck")
    assert (splits.train.count, splits.valid.count) == (64, 32)
    shares = splits.counts.div(splits.counts.sum(axis=1), axis=0)["Truck"]
    assert shares.between(0.38, 0.46).all()  # 42 % of the real photos are trucks
    assert not set(splits.train.keys.tolist()) & set(splits.valid.keys.tolist())
    with Image.open(real_photos / splits.train.names[5]) as image:
        assert image.size == (128, 128)
        expected = np.asarray(image.convert("RGB"), "float32") / 255
    np.testing.assert_array_equal(splits.train.read([5])[0], expected)


def test_a_profiles_name_is_no_settings():
    with pytest.raises(TypeError, match=r"settings of a lesson, received 'quick'.*start_lesson"):
        load_car_or_truck("quick")
