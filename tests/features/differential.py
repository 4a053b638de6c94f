"""Writes models that a student might write, trains them on stored features, and holds the history
against the model itself.

    python tests/features/differential.py 300 1

tries that many of the first seed's cases; test_differential.py tries some. A case is a front of
Keras's augmentation layers, containers, own layers and functions, a base, and a head. Either the
last row says what `model.evaluate` says, or training refused by name.
"""

import sys

import keras
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from keras import layers

from course_utils.data.dataset import splits_from_arrays
from course_utils.features.storable import NotStorableError
from course_utils.training.train import train

SIZE = (12, 12)
glorot = keras.initializers.GlorotUniform
CLOSE = 1e-4


class SeededScale(layers.Layer):
    """An own layer with a random state as Keras wants it, and a fixed part."""

    def __init__(self, scale, seed, **options):
        super().__init__(**options)
        self.scale, self.seeds = scale, keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        drawn = keras.random.uniform((keras.ops.shape(x)[0], 1, 1, 1), seed=self.seeds)
        return x * self.scale * (1 + 0.2 * drawn if training else 1.0)


class Unseeded(layers.Layer):
    """An own layer whose draws nothing can repeat."""

    def call(self, x, training=False):
        return x + 0.1 * keras.random.normal((1, 1, 1, 3)) if training else x


class TrainingOnly(layers.Layer):
    """An own layer that is fixed, and another one in training than in inference."""

    def call(self, x, training=False):
        return 0.7 * x if training else x


def own_scale(factor):
    return type("OwnScale", (layers.Layer,), {"call": lambda self, x: x * factor})()


NUMBERS = st.sampled_from([0.1, 0.3, 0.5])
SEEDS = st.integers(0, 3)
UNIT = {"value_range": (0, 1)}

RANDOM = st.one_of(
    st.builds(layers.RandomFlip, st.sampled_from(["horizontal", "vertical"]), seed=SEEDS),
    st.builds(layers.RandomFlip, seed=SEEDS),
    st.builds(layers.RandomRotation, NUMBERS, seed=SEEDS),
    st.builds(layers.RandomZoom, NUMBERS, seed=SEEDS),
    st.builds(layers.RandomTranslation, NUMBERS, NUMBERS, seed=SEEDS),
    st.builds(layers.RandomShear, NUMBERS, NUMBERS, seed=SEEDS),
    st.builds(layers.RandomContrast, NUMBERS, value_range=st.just((0, 1)), seed=SEEDS),
    st.builds(layers.RandomBrightness, NUMBERS, value_range=st.just((0, 1)), seed=SEEDS),
    st.builds(layers.RandomHue, NUMBERS, value_range=st.just((0, 1)), seed=SEEDS),
    st.builds(layers.RandomSaturation, NUMBERS, value_range=st.just((0, 1)), seed=SEEDS),
    st.builds(layers.RandomSharpness, NUMBERS, value_range=st.just((0, 1)), seed=SEEDS),
    st.builds(layers.RandomGrayscale, NUMBERS, seed=SEEDS),
    st.builds(layers.RandomErasing, st.just((1, 1)), value_range=st.just((0, 1)), seed=SEEDS),
    st.builds(
        layers.RandomPosterization, st.sampled_from([2, 4]), value_range=st.just((0, 1)), seed=SEEDS
    ),
    st.builds(layers.RandomPerspective, st.just(1.0), NUMBERS, seed=SEEDS),
    st.builds(layers.RandomInvert, NUMBERS, value_range=st.just((0, 1)), seed=SEEDS),
    st.builds(layers.RandomColorDegeneration, NUMBERS, value_range=st.just((0, 1)), seed=SEEDS),
    st.builds(layers.RandomGaussianBlur, st.just(1.0), seed=SEEDS, value_range=st.just((0, 1))),
    st.builds(layers.RandomCrop, st.just(12), st.just(12), seed=SEEDS),
    st.builds(layers.GaussianNoise, NUMBERS, seed=SEEDS),
    st.builds(SeededScale, NUMBERS, SEEDS),
)
FIXED = st.one_of(
    st.builds(layers.Rescaling, st.sampled_from([0.5, 2.0]), offset=st.sampled_from([-1.0, 0.0])),
    st.builds(layers.Resizing, st.just(12), st.just(12)),
    st.builds(own_scale, NUMBERS),
    NUMBERS.map(lambda factor: layers.Lambda(lambda x: 1 - factor * x)),
    st.builds(TrainingOnly),
    st.builds(layers.AutoContrast, value_range=st.just((0, 1))),
    st.builds(layers.Solarization, value_range=st.just((0, 1)), seed=SEEDS),
)
REFUSED = st.one_of(
    st.builds(Unseeded),
    st.builds(layers.MixUp, seed=SEEDS),
    NUMBERS.map(lambda width: layers.Lambda(lambda x: x + keras.random.normal((3,), stddev=width))),
)
STEP = st.one_of(RANDOM, RANDOM, FIXED, st.deferred(lambda: CONTAINER), st.deferred(lambda: STEP))


def normalized(inner):
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).random((8, *SIZE, 3)))
    return keras.Sequential([keras.Input((*SIZE, 3)), layer, *inner])


def functional(inner):
    inputs = keras.Input((*SIZE, 3))
    x = inputs
    for layer in inner:
        x = layer(x) * 0.5 + 0.25
    return keras.Model(inputs, x)


def branching(inner):
    inputs = keras.Input((*SIZE, 3))
    x = inputs
    for layer in inner:
        x = layer(x)
    return keras.Model(inputs, 0.5 * x + 0.5 * inputs)


INNER = st.lists(st.one_of(RANDOM, FIXED), min_size=1, max_size=2)
CONTAINER = st.one_of(
    st.builds(layers.Pipeline, st.lists(STEP, min_size=1, max_size=2)),
    INNER.map(lambda inner: keras.Sequential([keras.Input((*SIZE, 3)), *inner])),
    INNER.map(normalized),
    INNER.map(functional),
    INNER.map(branching),
)
FRONTS = st.lists(STEP, max_size=3).flatmap(
    lambda front: st.integers(0, 9).flatmap(
        lambda chance: st.just(front) if chance else REFUSED.map(lambda one: [*front, one])
    )
)
HEADS = st.sampled_from(["tanh", "batch", "dropout", "nested", "deep"])


def build_base(last_learns):
    inputs = keras.Input((*SIZE, 3))
    x = layers.Conv2D(4, 3, strides=2, activation="relu", kernel_initializer=glorot(0))(inputs)
    x = layers.Conv2D(4, 3, activation="relu", kernel_initializer=glorot(1))(x)
    base = keras.Model(inputs, x)
    base.trainable = False
    if last_learns:
        base.trainable = True
        base.layers[1].trainable = False
    return base


def build_head(kind):
    hidden = layers.Dense(4, activation="tanh", kernel_initializer=glorot(3))
    inside = {
        "tanh": [hidden],
        "batch": [hidden, layers.BatchNormalization()],
        "dropout": [layers.Dropout(0.3, seed=1), hidden],
        "nested": [keras.Sequential([hidden])],
        "deep": [hidden, layers.Dense(3, kernel_initializer=glorot(5)), layers.Activation("tanh")],
    }[kind]
    out = layers.Dense(1, activation="sigmoid", kernel_initializer=glorot(4))
    return [layers.Flatten(), *inside, out]


def make_arrays(count, draw):
    images = np.random.default_rng(draw).random((count, *SIZE, 3), "float32") * 0.6
    labels = (np.arange(count) % 2).astype("float32")[:, None]
    images[labels[:, 0] == 1, 3:9, 2:6] += 0.4
    return images, labels


ARRAYS = make_arrays(24, 1), make_arrays(12, 2)
SPLITS = splits_from_arrays(*ARRAYS, class_names=("a", "b"), source="made here", batch_size=8)


def check_case(front, head, last_learns):
    """Trains; returns `"refused"` or `"right"`.

    Raises:
        AssertionError: If the history's last row is not what the model says.
    """
    base = build_base(last_learns)
    model = keras.Sequential([keras.Input((*SIZE, 3)), *front, base, *build_head(head)])
    model.compile(
        keras.optimizers.Adam(0.01),
        "binary_crossentropy",
        metrics=["binary_accuracy"],
        run_eagerly=True,
    )
    options = {"epochs": 2, "method": "stored_features", "precision": "float32", "views": 2}
    try:
        last = train(model, SPLITS, progress=False, **options).iloc[-1]
    except NotStorableError:
        return "refused"
    for prefix, (images, labels) in zip(("clean_", "val_"), ARRAYS, strict=True):
        # As `evaluate` and `predict` compute them, without the graphs that these would trace.
        answers = keras.ops.convert_to_numpy(model(images, training=False))
        loss = float(keras.ops.mean(keras.losses.binary_crossentropy(labels, answers)))
        assert abs(last[f"{prefix}loss"] - loss) < CLOSE, (prefix, last[f"{prefix}loss"], loss)
        if (np.abs(answers - 0.5) > CLOSE).all():
            accuracy = np.mean((answers > 0.5) == labels)
            assert abs(last[f"{prefix}binary_accuracy"] - accuracy) < 1e-6, prefix
    return "right"


def run(cases, outcomes, number=0):
    """Tries so many cases of a seed's; counts what came out."""

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(FRONTS, HEADS, st.booleans())
    def try_one(front, head, last_learns):
        outcomes.append(check_case(front, head, last_learns))
        if len(outcomes) % 50 == 0:
            keras.backend.clear_session()

    try_one()


if __name__ == "__main__":
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.environ["COURSE_CACHE_DIR"] = folder
        found = []
        run(int(sys.argv[1]), found, int(sys.argv[2]))
        print({kind: found.count(kind) for kind in sorted(set(found))})
