"""The lesson's model: what it is made of, what learns, and what survives saving."""

import keras
import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.models import vgg16
from course_utils.models.classifier import (
    build_classifier,
    build_imagenet_preprocessing,
)
from course_utils.models.partition import split_model


def random_images(count=6, size=(16, 16), seed=3):
    return np.random.default_rng(seed).uniform(size=(count, *size, 3)).astype("float32")


def flip_and_contrast():
    return [
        keras.layers.RandomFlip("horizontal", seed=1),
        keras.layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=2),
    ]


# Its parts


def test_layers_stand_in_the_lessons_order(make_base):
    base, augmentation = make_base(), flip_and_contrast()
    model = build_classifier(base, augmentation, imagenet_preprocessing=True)
    assert isinstance(model, keras.Sequential)
    assert model.layers[:2] == augmentation
    assert model.layers[2].name == "imagenet_preprocessing"
    assert model.layers[3] is base
    flatten, hidden, output = model.layers[4:]
    assert isinstance(flatten, keras.layers.Flatten)
    assert (hidden.units, hidden.activation.__name__) == (6, "relu")
    assert (output.units, output.activation.__name__) == (1, "sigmoid")
    assert build_classifier(base).layers[0] is base


def test_it_is_compiled_as_the_lesson_says(make_base):
    model = build_classifier(make_base())
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert model.loss == "binary_crossentropy"
    measured = model.evaluate(random_images(), np.ones((6, 1)), verbose=0, return_dict=True)
    assert set(measured) == {"loss", "binary_accuracy"}


def test_real_base_gives_the_lessons_shapes(prepared_weights):
    model = build_classifier(vgg16.load_vgg16_base())
    assert model.input_shape == (None, 128, 128, 3)
    assert model.layers[1].output.shape == (None, 4 * 4 * 512)
    learning = sum(weight.size for weight in model.get_weights()[-4:])
    assert learning == 8192 * 6 + 6 + 6 + 1
    assert [weight.shape for weight in model.trainable_weights] == [(8192, 6), (6,), (6, 1), (1,)]


def test_equal_seeds_give_equal_heads_whatever_stands_before_them(make_base):
    plain = build_classifier(make_base(), seed=5)
    keras.utils.set_random_seed(99)
    augmented = build_classifier(make_base(), flip_and_contrast(), seed=5)
    other = build_classifier(make_base(), seed=6)
    for one, two, three in zip(
        plain.trainable_weights, augmented.trainable_weights, other.trainable_weights, strict=True
    ):
        np.testing.assert_array_equal(one, two)
        if one.path.endswith("kernel"):
            assert not np.allclose(one, three)


def test_only_the_head_learns(make_base, make_photos):
    model = build_classifier(make_base(), flip_and_contrast(), imagenet_preprocessing=True)
    parts = split_model(model)
    frozen = [layer.get_weights() for layer in (*parts.front, parts.base)]
    head = [weight.numpy() for weight in model.trainable_weights]
    model.fit(make_photos(), epochs=2, verbose=0)
    for layer, before in zip((*parts.front, parts.base), frozen, strict=True):
        for one, two in zip(before, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
    assert any((one != two.numpy()).any() for one, two in zip(head, model.trainable_weights))  # noqa: B905


def test_base_computes_the_same_in_training_as_in_inference(prepared_weights):
    base = vgg16.load_vgg16_base((32, 32))
    images = random_images(4, (32, 32))
    np.testing.assert_array_equal(base(images, training=True), base(images, training=False))


# Preprocessing


def test_imagenet_preprocessing_equals_kerass():
    images = random_images()
    expected = keras.applications.vgg16.preprocess_input(255 * images)
    result = build_imagenet_preprocessing()(images)
    np.testing.assert_allclose(result, expected, atol=1e-3)
    assert np.ptp(expected) > 200


def test_preprocessing_changes_what_the_base_sees(make_base):
    images = random_images()
    plain, preprocessed = (
        build_classifier(make_base(), imagenet_preprocessing=chosen).predict(images, verbose=0)
        for chosen in (False, True)
    )
    assert np.abs(plain - preprocessed).max() > 1e-3


# Precision


@pytest.fixture
def mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def test_augmentation_and_preprocessing_compute_in_float32_whatever_the_policy(
    mixed_precision, make_base
):
    augmentation = Augmentation(flip="horizontal", contrast=0.5, rotation=20).layers(seed=1)
    model = build_classifier(make_base(), augmentation, imagenet_preprocessing=True)
    front = split_model(model).front
    assert len(front) == len(augmentation) + 1 >= 4
    images = random_images()
    for layer in front:
        assert layer.compute_dtype == "float32"
        images = layer(images, training=True)
        assert keras.backend.standardize_dtype(images.dtype) == "float32"
    assert model.layers[-1].compute_dtype == "bfloat16"


# Saving


@pytest.mark.slow
@pytest.mark.parametrize("imagenet_preprocessing", [False, True])
def test_saved_model_loads_in_safe_mode_and_predicts_the_same(
    make_base, make_photos, tmp_path, imagenet_preprocessing
):
    model = build_classifier(
        make_base(), flip_and_contrast(), imagenet_preprocessing=imagenet_preprocessing
    )
    model.fit(make_photos(), epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    images = random_images()
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert len(loaded.trainable_weights) == 4
    assert split_model(loaded).base.name == "tiny"
