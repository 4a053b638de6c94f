"""Stored features are what the model computes, or training on them is refused by name."""

import os
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from course_utils.data.dataset import splits_from_arrays
from course_utils.features.storable import NotStorableError, check_storable
from course_utils.features.views import clean_view
from course_utils.models.partition import split_model
from course_utils.training.train import train

SIZE = (16, 16)
KEPT = keras.random.SeedGenerator(3)  # a random state that no layer holds
NULL = open(os.devnull)  # noqa: SIM115 (what no fingerprint can follow)


def own(call, **attributes):
    """A layer of its own class, as a student writes one."""
    layer = type("Own", (layers.Layer,), {"call": call})()
    for name, value in attributes.items():
        setattr(layer, name, value)
    return layer


class SeededNoise(layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, x, training=False):
        noise = keras.random.normal(keras.ops.shape(x), stddev=0.1, seed=self.seeds)
        return 0.5 * x + noise if training else 0.5 * x


class Counting(layers.Layer):
    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x


def remember(self, x):
    self.seen = getattr(self, "seen", 0) + 1
    return x


def in_training(change):
    return lambda self, x, training=False: change(x) if training else x


RANDOM = "whose random values no stored view can repeat"
REFUSED = {
    "tf.image": (own(in_training(tf.image.random_flip_left_right)), RANDOM),
    "tf.random": (own(lambda self, x: x + tf.random.normal((3,))), RANDOM),
    "keras.random": (own(lambda self, x: x + keras.random.normal((3,))), RANDOM),
    "numpy": (own(lambda self, x: x + np.random.default_rng().random()), RANDOM),
    "python": (own(lambda self, x: x * random.random()), RANDOM),
    "Lambda": (layers.Lambda(lambda x: x + tf.random.normal((3,))), RANDOM),
    "a state of nobody's": (
        own(lambda self, x: x + keras.random.normal((3,), seed=KEPT)),
        RANDOM,
    ),
    "a layer made at each call": (
        own(lambda self, x: layers.GaussianNoise(0.5)(x, training=True)),
        "gives another result at each call",
    ),
    "mean of the batch": (
        own(lambda self, x: x - keras.ops.mean(x, axis=0, keepdims=True)),
        "when another photo of the batch changes",
    ),
    "neighbors": (own(lambda self, x: 0.5 * (x + keras.ops.roll(x, 1, axis=0))), "another photo"),
    "counting": (Counting(), "gives another result|changes itself"),
    "remembering": (own(remember), "changes itself"),
    "a file": (own(lambda self, x: x + 0 * len(NULL.name), kept=NULL), "content cannot be read"),
    "place in the batch": (
        own(lambda self, x: tf.image.stateless_random_flip_left_right(x, (1, 2))),
        "in another place of the batch",
    ),
    "MixUp": (layers.MixUp(seed=1), "mixes photos.*tf.data"),
    "CutMix": (layers.CutMix(seed=1), "mixes photos.*tf.data"),
    "several tensors": (own(lambda self, x: [x, x]), "returns list"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_stored_is_refused_by_its_own_name(name, make_base):
    layer, message = REFUSED[name]
    for wrapped in ([layer], [layers.RandomFlip(seed=1), layer]):
        with pytest.raises(NotStorableError, match=message) as caught:
            check_storable(wrapped, make_base(), SIZE)
        assert repr(layer.name) in str(caught.value)


STORABLE = {
    "seeded": SeededNoise(),
    "own": own(lambda self, x: x * 0.5),
    "Lambda": layers.Lambda(lambda x: 1 - x),
    "stateless": own(lambda self, x: tf.image.stateless_random_brightness(x, 0.2, (1, 2))),
    "crop": layers.RandomCrop(16, 16, seed=1),
    "RandAugment": layers.RandAugment(value_range=(0, 1), seed=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STORABLE)
def test_what_depends_on_photo_and_seed_alone_is_admitted(name, make_base):
    notes = check_storable([STORABLE[name]], make_base(), SIZE)
    assert bool(notes) == (name == "RandAugment")
    assert all("chooses its transformations once per batch" in note for note in notes)


def test_random_states_stand_where_they_stood_after_a_probe(make_base):
    layer = layers.RandomContrast(0.3, seed=1)
    before = np.asarray(layer.generator.state).tolist()
    check_storable([layer], make_base(), SIZE)
    assert np.asarray(layer.generator.state).tolist() == before


def test_a_base_that_drops_in_training_is_refused_with_the_way_out(make_base):
    tiny = make_base()
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(3, 1)(inputs)
    base = keras.Model(inputs, layers.add([tiny(x), layers.Dropout(0.5)(tiny(inputs))]))
    base.trainable = False
    model = keras.Sequential([inputs, base, layers.Flatten(), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"random.*training=False"):
        parts = split_model(model)
        check_storable(parts.front, parts.base, SIZE)


# What a student edits


def make_arrays(count, draw):
    images = np.random.default_rng(draw).random((count, *SIZE, 3), "float32")
    labels = (np.arange(count) % 2).astype("float32")[:, None]
    images[labels[:, 0] == 1, 4:12, 2:7] += 0.4
    return images.clip(0, 1), labels


@pytest.fixture(scope="module")
def arrays():
    return make_arrays(24, 1), make_arrays(12, 2)


def fit_behind(front, base, arrays):
    splits = splits_from_arrays(*arrays, class_names=("a", "b"), source="made here", batch_size=8)
    start = keras.initializers.GlorotUniform
    head = [
        layers.Flatten(),
        layers.Dense(4, activation="tanh", kernel_initializer=start(1)),
        layers.Dense(1, activation="sigmoid", kernel_initializer=start(2)),
    ]
    model = keras.Sequential([keras.Input((*SIZE, 3)), *front, base, *head])
    model.compile("adam", "binary_crossentropy", metrics=["binary_accuracy"])
    options = {"epochs": 2, "method": "stored_features", "precision": "float32", "views": 2}
    last = train(model, splits, progress=False, **options).iloc[-1]
    return last, model


def assert_history_is_the_model_s(front, base, arrays):
    last, model = fit_behind(front, base, arrays)
    for prefix, (images, labels) in zip(("clean_", "val_"), arrays, strict=True):
        loss, _ = model.evaluate(images, labels, verbose=0)
        assert last[f"{prefix}loss"] == pytest.approx(loss, abs=1e-4), prefix
    return last["val_loss"]


@pytest.mark.slow
def test_a_clean_view_after_another_one_is_never_the_other_s(make_base, arrays):
    base = make_base()
    scaled = layers.Pipeline(
        [layers.Rescaling(2.0, offset=-1.0), layers.RandomContrast(0.3, seed=1)]
    )
    plain = assert_history_is_the_model_s([], base, arrays)
    assert assert_history_is_the_model_s([scaled], base, arrays) != pytest.approx(plain, abs=1e-6)
    assert assert_history_is_the_model_s([], base, arrays) == pytest.approx(plain, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["call", "closure", "global", "attribute", "Lambda"])
def test_edited_code_gets_features_of_its_own(kind, make_base, arrays):
    def build(factor):
        names = {"factor": factor, "__name__": "__main__"}
        exec("def scale(self, x):\n    return x * factor\n", names)
        return {
            "call": lambda: own(eval(f"lambda self, x: x * {factor}")),
            "closure": lambda: own(lambda self, x: x * factor),
            "global": lambda: own(names["scale"]),
            "attribute": lambda: own(lambda self, x: x * self.factor, factor=factor),
            "Lambda": lambda: layers.Lambda(lambda x: x * factor),
        }[kind]()

    base = make_base()
    losses = [
        assert_history_is_the_model_s([build(factor)], base, arrays) for factor in (0.5, 0.9, 0.5)
    ]
    assert losses[0] == pytest.approx(losses[2], abs=1e-6)
    assert losses[0] != pytest.approx(losses[1], abs=1e-5)


@pytest.mark.slow
def test_half_precision_s_features_are_not_read_in_full_precision(make_base, arrays):
    half = make_base(dtype="mixed_float16")
    assert_history_is_the_model_s([], make_base(), arrays)
    last, _ = fit_behind([], half, arrays)
    full, _ = fit_behind([], make_base(), arrays)
    assert last["val_loss"] != full["val_loss"]


def test_layers_of_one_seed_draw_alike_in_stored_views_too(make_base, make_photos):
    from course_utils.features.store import prepare_features
    from course_utils.features.views import list_views

    photos = make_photos(16)
    passage = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(3, 1, trainable=False)])
    passage.layers[0].set_weights([np.eye(3)[None, None], np.zeros(3)])
    flips = [layers.RandomFlip("horizontal", seed=7), layers.RandomFlip("vertical", seed=7)]
    views = list_views(flips, views=4, seed=1)
    store = prepare_features(
        flips, passage, [(photos, views)], precision="float32", seed=1, progress=False
    )
    images = photos.read(np.arange(16))
    turned = images[:, ::-1, ::-1]
    for view in views:
        read = store.open(photos, view).read(np.arange(16))
        same = [
            np.allclose(made, image, atol=1e-5) for made, image in zip(read, images, strict=True)
        ]
        both = [
            np.allclose(made, image, atol=1e-5) for made, image in zip(read, turned, strict=True)
        ]
        assert all(one != other for one, other in zip(same, both, strict=True))


@pytest.mark.slow
def test_a_crop_gives_features_of_one_size_in_training_and_another_in_inference(arrays):
    inputs = keras.Input((None, None, 3))
    start = keras.initializers.GlorotUniform(1)
    base = keras.Model(inputs, layers.Conv2D(4, 3, kernel_initializer=start)(inputs))
    base.trainable = False
    front = [layers.Resizing(20, 20), layers.RandomCrop(16, 16, seed=1)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential([keras.Input((*SIZE, 3)), *front, base, *head])
    model.compile("adam", "binary_crossentropy")
    splits = splits_from_arrays(*arrays, class_names=("a", "b"), source="", batch_size=8)
    options = {"epochs": 1, "method": "stored_features", "precision": "float32", "views": 2}
    for _ in range(2):  # Computed, then cached.
        last = train(model, splits, progress=False, **options).iloc[-1]
        loss = model.evaluate(*arrays[1], verbose=0)
        assert last["val_loss"] == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize(
    "layer",
    [layers.RandomRotation(0.1), layers.RandomErasing(), layers.RandAugment(value_range=(0, 1))],
    ids=lambda layer: type(layer).__name__,
)
def test_the_clean_view_behind_a_random_layer_of_keras_is_the_photo_itself(layer):
    assert clean_view([layer]) == clean_view([])
