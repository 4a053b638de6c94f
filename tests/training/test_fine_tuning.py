"""A base whose last layers learn trains on stored features as plain `fit` trains it."""

import keras
import numpy as np
import pytest
from keras import layers

from course_utils.data.dataset import splits_from_arrays
from course_utils.data.synthetic.dataset import make_synthetic_vehicles
from course_utils.models.classifier import build_head
from course_utils.training.fit import fit
from course_utils.training.predict import predict

pytestmark = pytest.mark.slow

STORED = {"method": "stored_features", "precision": "float32"}


def build_base(size=16):
    """Two blocks, as small as they can be."""
    glorot = keras.initializers.GlorotUniform
    inputs = keras.Input((size, size, 3))
    options = {"padding": "same", "activation": "relu"}
    x = layers.Conv2D(4, 3, name="one", kernel_initializer=glorot(1), **options)(inputs)
    x = layers.MaxPooling2D(name="one_pool")(x)
    x = layers.Conv2D(4, 3, name="two", kernel_initializer=glorot(2), **options)(x)
    return keras.Model(inputs, layers.MaxPooling2D(name="two_pool")(x), name="small")


def build_model(base, learns=(), *, augmentation=(), rate=1e-3):
    base.trainable = True
    for layer in base.layers:
        layer.trainable = layer.name in learns
    head = build_head("stable", seed=1)
    model = keras.Sequential([keras.Input(base.input_shape[1:]), *augmentation, base, *head])
    adam = keras.optimizers.Adam(rate)
    model.compile(optimizer=adam, loss="binary_crossentropy", metrics=["binary_accuracy"])
    return model


def assert_alike(build, splits, *, epochs, photos):
    """Both ways of training give the same losses and the same weights."""
    options = {"epochs": epochs, "verbose": 0}
    plain, ours = build(), build()
    by_keras = plain.fit(
        splits.train.in_batches_of(32), validation_data=splits.valid, shuffle=False, **options
    )
    by_kit = fit(ours, splits, batch_size=32, **STORED, **options)
    assert splits.train.count == photos
    for name, values in by_keras.history.items():
        np.testing.assert_allclose(by_kit.history[name], values, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(
        predict(ours, splits.valid, **STORED),
        plain.predict(splits.valid, verbose=0),
        atol=5e-3,
    )


@pytest.mark.parametrize("learns", [(), ("two",)])
def test_what_learns_of_a_base_learns_as_in_plain_fit(learns, make_splits):
    assert_alike(lambda: build_model(build_base(), learns), make_splits(), epochs=3, photos=64)


@pytest.mark.slow
def test_block_5_of_vgg16_learns_as_in_plain_fit(prepared_weights):
    from course_utils.models.vgg16 import load_vgg16_base

    train, valid = (
        make_synthetic_vehicles(count, split=split, image_size=(64, 64))[:2]
        for count, split in ((128, "train"), (32, "valid"))
    )
    names = {"class_names": ("Car", "Truck"), "source": "Synthetic vehicles."}
    splits = splits_from_arrays(train, valid, **names)
    block5 = [f"block5_conv{number}" for number in (1, 2, 3)]

    def build():
        return build_model(load_vgg16_base((64, 64)), block5, rate=1e-4)

    assert_alike(build, splits, epochs=2, photos=128)


def test_levels_share_the_features_of_one_layer(make_splits, capsys):
    splits, base = make_splits(), build_base()
    flip = layers.RandomFlip("horizontal", seed=1)
    options = {"base": "one_pool", "progress": True, "verbose": 0, **STORED}
    fit(build_model(base, ["two"], augmentation=[flip]), splits, **options)
    assert "Running" in capsys.readouterr().out
    head_alone = build_model(base, augmentation=[flip])
    fit(head_alone, splits, **options)
    said = predict(head_alone, splits.valid, base="one_pool", progress=True, **STORED)
    told = capsys.readouterr().out
    assert "Running" not in told and told.count("Using cached features") == 2
    np.testing.assert_allclose(said, head_alone.predict(splits.valid, verbose=0), atol=1e-5)


def test_predict_keeps_the_photos_own_order_and_takes_the_kit_s_photos_alone(make_splits):
    splits, model = make_splits(), build_model(build_base())
    expected = model.predict(splits.train.unshuffled(), verbose=0)
    for method in ("stored_features", "in_model"):
        found = predict(model, splits.train, method=method, precision="float32")
        np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(TypeError, match="splits_from_arrays"):
        predict(model, splits.train.read([0]))
