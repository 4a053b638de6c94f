"""docs/from-kaggle-to-keras-3.md: each line of its tables does what the page says."""

import re

import numpy as np
import pytest

from course_utils.core import backend, environment

tf = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)
from keras import layers  # noqa: E402

PROOFS = {}


def proves(line):
    """Puts the function below it down as the proof of a line of the page."""

    def register(proof):
        PROOFS[line] = proof
        return proof

    return register


def make_photos(count=1000, *, low=0.0, high=1.0):
    return np.random.default_rng(0).uniform(low, high, (count, 4, 4, 3)).astype("float32")


def draw_contrast(factor):
    layer = layers.RandomContrast(factor, seed=1)
    drawn = np.asarray(
        layer.get_random_transformation(make_photos(), training=True)["contrast_factor"]
    )
    return np.min(drawn), np.max(drawn)


@proves("from tensorflow.keras.layers.experimental import preprocessing")
def experimental_is_gone(tmp_path):
    with pytest.raises(ModuleNotFoundError):
        exec("from tensorflow.keras.layers.experimental import preprocessing")
    assert layers.RandomFlip


@proves('load_model("vgg16-pretrained-base")')
def a_folder_is_not_loaded(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ValueError, match="only supports V3 `.keras` files"):
        keras.models.load_model(tmp_path)


@proves("RandomWidth(factor=0.15)")
def width_and_height_are_gone(tmp_path):
    assert not hasattr(layers, "RandomWidth") and not hasattr(layers, "RandomHeight")
    zoom = layers.RandomZoom(height_factor=0, width_factor=0.15, seed=1)
    drawn = zoom.get_random_transformation(make_photos(), training=True)
    assert np.ptp(drawn["height_zoom"]) == 0 and np.ptp(drawn["width_zoom"]) > 0.2


@proves('model.save("my_model")')
def a_model_is_not_saved_as_a_folder(tmp_path):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="Invalid filepath extension"):
        model.save(tmp_path / "my_model")
    model.save(tmp_path / "my_model.keras")


@proves("RandomContrast(0.5)")
def a_single_number_only_raises(tmp_path):
    assert draw_contrast(0.5) == pytest.approx((1.0, 1.5), abs=0.01)
    assert draw_contrast((0.5, 0.5)) == pytest.approx((0.5, 1.5), abs=0.01)
    assert "lower = upper" in " ".join(layers.RandomContrast.__doc__.split())


@proves("RandomContrast((0.8, 0.2))")
def a_pair_is_sorted(tmp_path):
    assert draw_contrast((0.8, 0.2)) == pytest.approx((0.8, 1.8), abs=0.01)


@proves("RandomContrast((0.5, 0.5))")
def contrast_clips_at_255(tmp_path):
    photos = make_photos()
    without = layers.RandomContrast((0.5, 0.5), seed=1)(photos, training=True)
    told = layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=1)(photos, training=True)
    assert np.max(without) > 1 and np.max(told) <= 1
    bright = layers.RandomContrast((0.5, 0.5), seed=1)(255 * photos, training=True)
    assert np.max(bright) == 255


@proves("RandomBrightness(0.2)")
def brightness_adds_up_to_51(tmp_path):
    photos = np.full((1000, 4, 4, 3), 0.5, "float32")
    added = layers.RandomBrightness(0.2, seed=1)(photos, training=True) - photos
    assert np.max(added) == pytest.approx(51, abs=1)
    added = layers.RandomBrightness(0.2, value_range=(0, 1), seed=1)(photos, training=True) - photos
    assert np.max(added) == pytest.approx(0.2, abs=0.01)


@proves("layer(images)")
def a_bare_call_augments(tmp_path):
    photos, flip = make_photos(), layers.RandomFlip("horizontal", seed=1)
    assert not np.array_equal(flip(photos), photos)
    assert np.array_equal(flip(photos, training=False), photos)


@proves("RandomFlip()")
def one_draw_for_both_axes(tmp_path):
    photos = make_photos()
    flipped = np.asarray(layers.RandomFlip(seed=1)(photos, training=True))
    turned = photos[:, ::-1, ::-1]
    same = (flipped == photos).all(axis=(1, 2, 3))
    half = (flipped == turned).all(axis=(1, 2, 3))
    assert (same | half).all() and same.any() and half.any()


@proves("convert_image_dtype(image, tf.float32)")
def scaling_depends_on_the_interpolation(tmp_path):
    for name in ("car", "truck"):
        (tmp_path / name).mkdir()
        keras.utils.save_img(tmp_path / name / "1.png", 255 * make_photos(1)[0])
    highest = {}
    for interpolation in ("nearest", "bilinear"):
        dataset = keras.utils.image_dataset_from_directory(
            tmp_path, image_size=(4, 4), interpolation=interpolation, verbose=False
        )
        images, _ = next(iter(dataset))
        highest[interpolation] = np.max(tf.image.convert_image_dtype(images, tf.float32))
        assert np.max(tf.cast(images, "float32") / 255) <= 1
    assert highest["nearest"] <= 1 < 200 < highest["bilinear"]


@proves(".map(augment).cache()")
def a_cache_behind_the_layers_freezes_them(tmp_path):
    flip = layers.RandomFlip("horizontal", seed=1)
    photos = tf.data.Dataset.from_tensor_slices(make_photos(64)).batch(64)

    def read(dataset):
        return next(iter(dataset)).numpy()

    frozen = photos.map(lambda images: flip(images, training=True)).cache()
    assert np.array_equal(read(frozen), read(frozen))
    fresh = photos.cache().map(lambda images: flip(images, training=True))
    assert not np.array_equal(read(fresh), read(fresh))


@proves(".shuffle(1000).cache()")
def a_cache_behind_a_shuffle_freezes_the_order(tmp_path):
    def read(dataset):
        return list(dataset.as_numpy_iterator())

    frozen = tf.data.Dataset.range(50).shuffle(50, seed=1).cache()
    assert read(frozen) == read(frozen)
    fresh = tf.data.Dataset.range(50).cache().shuffle(50, seed=1)
    assert read(fresh) != read(fresh)


@pytest.mark.parametrize("line", PROOFS)
def test_the_line_does_what_the_page_says(line, tmp_path):
    PROOFS[line](tmp_path)


def test_every_line_of_the_page_is_proved():
    page = (environment.project_dir() / "docs" / "from-kaggle-to-keras-3.md").read_text("utf-8")
    lines = re.findall(r"^\| `(.*?)`", page, re.MULTILINE)
    assert sorted(lines) == sorted(PROOFS)


def test_what_needs_no_change_still_works():
    photos = make_photos(8)
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.RandomFlip("horizontal", seed=1)])
    assert np.array_equal(model.predict(photos, verbose=0), photos)
    generator = tf.keras.preprocessing.image.ImageDataGenerator(horizontal_flip=True)
    assert next(generator.flow(photos, batch_size=8)).shape == photos.shape
