"""Exercise 04: every fix that works passes, and each mistake hears its own sentence.

Longer than 350 lines because each answer is written out.
"""

import numpy as np
import pytest
from exercise_answers import AnswerTests, run_notebook

from course_utils.exercises import pipeline_traps, traps
from course_utils.exercises.framework import distributions
from course_utils.exercises.traps import QUESTIONS

pytestmark = pytest.mark.slow

MAP = "lambda photo, label: ({}, label)"
FLIP = MAP.format("flip(photo, training=True)")
MIRROR = MAP.format("tf.image.flip_left_right(photo)")
MODEL = """def build(base):
    inputs = keras.Input((128, 128, 3))
    {}
    hidden = layers.Dense(6, 'relu')(layers.Flatten()(features))
    return keras.Model(inputs, layers.Dense(1, 'sigmoid')(hidden))"""
FLOWS = """def make_flows(photos, labels):
    augmenting = ImageDataGenerator({})
    plain = ImageDataGenerator({})
    train = augmenting.flow(photos, labels, batch_size=16{})
    valid = plain.flow(photos, labels, batch_size=16{})
    return train, valid"""
SUBSETS = (", subset='training'", ", subset='validation'")
SPLIT = """def split(data):
    {}
    return train.batch(16), valid.batch(16)"""
KEPT = "data = data.shuffle(48, seed=3, reshuffle_each_iteration=False)\n    "
TUNE = """def fine_tune(model, base, photos, labels):
    {}
    model.compile({}, loss='binary_crossentropy')
    model.fit(photos, labels, batch_size=16, epochs=3, verbose=0)"""
FREE = "base.trainable = True"
INPUTS = "inputs = keras.Input((128, 128, 3))\n"
MEANS = "[103.939, 116.779, 123.68]"


def pipeline(steps, name="pipeline"):
    return f"def {name}(data):\n    return data{steps}"


def seeded(steps):
    return pipeline(steps, "seeded_pipeline")


RIGHT = {
    "q1": [
        pipeline(f".cache().shuffle(48).map({FLIP}).batch(16)"),
        pipeline(f".cache().batch(16).map({FLIP}, num_parallel_calls=2).prefetch(1)"),
        pipeline(f".cache().map({MAP.format('flip(photo)')}).batch(48)"),
        """def pipeline(data):
    images, labels = (np.stack(part) for part in zip(*data.as_numpy_iterator()))
    class Epoch:
        def __iter__(self):
            order = np.random.permutation(len(images))
            flags = np.random.random((len(images), 1, 1, 1)) < 0.5
            views = np.where(flags, images[:, :, ::-1], images)
            for begin in range(0, len(images), 16):
                yield views[order[begin:begin + 16]], labels[order[begin:begin + 16]]
    return Epoch()""",
    ],
    "q2": [
        seeded(f".cache().map({FLIP}).batch(16)"),
        """draws = tf.random.Generator.from_seed(5)
def mirror_new(photo, label):
    if draws.uniform(()) < 0.5:
        photo = tf.image.flip_left_right(photo)
    return photo, label
"""
        + seeded(".cache().shuffle(48).map(mirror_new).batch(16)"),
        """def seeded_pipeline(data):
    seeds = tf.data.Dataset.random(seed=4, rerandomize_each_iteration=True).batch(2)
    def draw(pair, seed):
        return tf.image.stateless_random_flip_left_right(pair[0], seed), pair[1]
    pairs = tf.data.Dataset.zip((data, seeds))
    return pairs.map(draw).batch(16)""",
        """def seeded_pipeline(data):
    def some(photo):
        return photo[:, ::-1] if np.random.random() < 0.5 else photo
    def draw(photo, label):
        photo = tf.numpy_function(some, [photo], tf.float32)
        return tf.ensure_shape(photo, (128, 128, 3)), label
    return data.map(draw).batch(16)""",
    ],
    "q3": [
        "def build(base):\n"
        "    return keras.Sequential([layers.RandomFlip('horizontal'), base, layers.Flatten(),\n"
        "        layers.Dense(6, 'relu'), layers.Dense(1, 'sigmoid')])",
        MODEL.format(
            "features = base(keras.Sequential([layers.RandomFlip('horizontal')])(inputs))"
        ),
        "def build(base):\n"
        "    front = cu.Augmentation(flip='horizontal').layers(5)\n"
        "    return keras.Sequential([keras.Input((128, 128, 3)), *front, base,\n"
        "        layers.GlobalAveragePooling2D(), layers.Dense(1, 'sigmoid')])",
        # A model passes on its own `training`, whatever was said here.
        MODEL.format("features = base(layers.RandomFlip('horizontal')(inputs, training=True))"),
    ],
    "q4": [
        "brighten = [layers.RandomBrightness((-0.2, 0.2), value_range=(0, 1))]",
        "brighten = keras.Sequential([\n"
        "    layers.Rescaling(255), layers.RandomBrightness(0.2), layers.Rescaling(1 / 255)])",
        "brighten = cu.Augmentation(brightness=0.2)",
        """def brighten(images, training):
    if not training:
        return images
    shifts = np.random.uniform(-0.2, 0.2, (len(images), 1, 1, 1))
    return np.clip(images + shifts, 0, 1)""",
    ],
    "q5": [
        """def make_flows(photos, labels):
    train = ImageDataGenerator(horizontal_flip=True).flow(photos[12:], labels[12:], batch_size=16)
    return train, (photos[:12], labels[:12])""",
        """def make_flows(photos, labels):
    train, valid = ((tf.data.Dataset.from_tensor_slices((photos[part], labels[part])))
                    for part in (slice(0, 36), slice(36, None)))
    mirror = layers.RandomFlip('horizontal')
    return train.shuffle(36).batch(8).map(lambda p, l: (mirror(p), l)), valid.batch(8)""",
        FLOWS.format(
            "horizontal_flip=True, validation_split=0.3", "validation_split=0.3", *SUBSETS
        ),
    ],
    "q6": [
        SPLIT.format(
            KEPT + "train, valid = data.skip(12), data.take(12)\n"
            f"    train = train.concatenate(train.map({MIRROR})).shuffle(72)"
        ),
        """def split(data):
    train, valid = keras.utils.split_dataset(data, left_size=0.75, shuffle=True, seed=2)
    train = train.shuffle(36).batch(16).map(lambda p, l: (flip(p, training=True), l))
    return train, valid.batch(16)""",
        SPLIT.format(
            "data = data.enumerate()\n"
            "    valid = data.filter(lambda i, pair: i % 4 == 0).map(lambda i, pair: pair)\n"
            "    train = data.filter(lambda i, pair: i % 4 != 0)\n"
            "    train = train.map(lambda i, pair: (flip(pair[0], training=True), pair[1]))"
        ),
        """def split(data):
    images, labels = (np.stack(part) for part in zip(*data.as_numpy_iterator()))
    order = np.random.default_rng(5).permutation(len(images))
    valid, train = order[:12], order[12:]
    both = np.concatenate([images[train], images[train][:, :, ::-1]])
    return (both, np.tile(labels[train], (2, 1))), (images[valid], labels[valid])""",
    ],
    "q7": [
        "turn = [layers.RandomRotation((-15 / 360, 15 / 360), fill_mode='constant')]",
        "turn = keras.Sequential([layers.RandomRotation(0.0416667, fill_mode='nearest')])",
        "turn = cu.Augmentation(rotation=15)",
    ],
    "q8": [
        TUNE.format(FREE, "keras.optimizers.Adam(1e-4)"),
        TUNE.format(FREE, "keras.optimizers.SGD(1e-3, momentum=0.9)"),
        TUNE.format(
            FREE + "\n    for layer in base.layers[:-2]:\n        layer.trainable = False",
            "keras.optimizers.RMSprop(1e-5)",
        ),
    ],
    "q9": [
        INPUTS + "front = keras.Model(inputs, layers.Rescaling(\n"
        "    255, offset=[-103.939, -116.779, -123.68])(keras.ops.flip(inputs, axis=-1)))",
        INPUTS + f"front = keras.Model(inputs, layers.Normalization(mean={MEANS},\n"
        "    variance=[1, 1, 1])(inputs[..., ::-1] * 255))",
        """@keras.saving.register_keras_serializable()
class Preprocess(layers.Layer):
    def call(self, images):
        return preprocess_input(255 * images)
front = keras.Sequential([keras.Input((128, 128, 3)), Preprocess()])""",
    ],
}

WRONG = {
    "q1": [
        (pipeline(f".map({FLIP}).cache().shuffle(48).batch(16)"), "What exactly does `cache` keep"),
        (pipeline(f".cache().map({FLIP}).cache().batch(16)"), "same views"),
        (pipeline(f".map({FLIP}).batch(16)"), "epochs read each photo"),
        (pipeline(".cache().shuffle(48).batch(16)"), "No photo is mirrored"),
        (pipeline(f".cache().map({MIRROR}).batch(16)"), "Every photo is mirrored"),
        (pipeline(f".cache().map({FLIP})"), "Is there a `batch`?"),
        (pipeline(f".cache().repeat().map({FLIP}).batch(16)"), "leave `repeat` out"),
        (pipeline(f".cache().concatenate(data.map({MIRROR})).batch(16)"), "more than once"),
        (pipeline(f".cache().take(40).map({FLIP}).batch(16)"), "8 of 48 photos do not come"),
        (pipeline(f".cache().map({MAP.format('flip(0.9 * photo)')}).batch(16)"), "another way"),
        (pipeline(f".cache().map({FLIP}).batch(16).map(lambda p, l: (p, 1 - l))"), "the label of"),
        ("draws = tf.random.Generator.from_seed(5)\n"
         "def all_or_none(photos, labels):\n"
         "    if draws.uniform(()) < 0.5:\n        photos = photos[:, :, ::-1]\n"
         "    return photos, labels\n"
         + pipeline(".cache().batch(16).map(all_or_none)"), "mirrored together"),
        ("draws = tf.random.Generator.from_seed(5)\n"
         "def seldom(photo, label):\n"
         "    if draws.uniform(()) < 0.25:\n        photo = photo[:, ::-1]\n"
         "    return photo, label\n" + pipeline(".cache().map(seldom).batch(16)"), "Half of them"),
        ("pipeline = data", "Expected the function"),
        ("def pipeline(data):\n    data.cache()", "failed"),
    ],
    "q2": [
        (seeded(".cache().map(mirror_some).batch(16)"), "begin again"),
        (seeded(".cache().shuffle(48).map(mirror_some).batch(16)"), "the same places"),
        ("def seeded_pipeline(data):\n    tf.random.set_seed(123456)\n"
         "    return data.map(mirror_some).batch(16)", "same views"),
        (seeded(f".map({MAP.format('tf.image.random_flip_left_right(photo, seed=3)')}).batch(9)"),
         "same views"),
        (seeded(f".map({MAP.format('photo[:, ::-1] if np.random.random() < 2 else 0')}).batch(9)"),
         "Every photo is mirrored"),
        ("def seeded_pipeline(data):\n"
         "    flipped = tf.image.stateless_random_flip_left_right\n"
         "    return data.enumerate().map(lambda i, pair: (\n"
         "        flipped(pair[0], seed=(tf.cast(i, tf.int32), 1)), pair[1])).batch(9)", "same v"),
        (seeded(f".map({FLIP}).cache().batch(16)"), "same views"),
        (seeded(".cache().batch(16)"), "No photo is mirrored"),
        (seeded(f".cache().repeat(3).map({FLIP}).batch(16)"), "more than once"),
        (seeded(f".cache().take(24).map({FLIP}).batch(16)"), "24 of 48 photos do not come"),
    ],
    "q3": [
        (MODEL.format("augmented = layers.RandomFlip('horizontal')(inputs)\n"
                      "    features = base(inputs)"), "follow the names"),
        (MODEL.format("features = layers.RandomFlip('horizontal')(base(inputs))"), "follow the na"),
        ("class Mirror(layers.Layer):\n"
         "    def __init__(self):\n"
         "        super().__init__()\n        self.flip = layers.RandomFlip('horizontal')\n"
         "    def call(self, images):\n        return self.flip(images, training=True)\n"
         + MODEL.format("features = base(Mirror()(inputs))"), "In `predict` the base gets changed"),
        (MODEL.format("features = layers.RandomFlip('horizontal')(inputs)"), "no photos at all"),
        (MODEL.format("features = base(layers.RandomFlip('vertical')(inputs))"), "another way"),
        (MODEL.format("features = base(layers.RandomFlip()(inputs))"), "another way"),
        (MODEL.format("features = base(inputs[:, :, ::-1])"), "In `predict`"),
        (MODEL.format("features = base(layers.CenterCrop(64, 64)(inputs))"), "other shapes"),
        ("def build(base):\n    return base", "Expected `build` to return a Keras model"),
        ("def build(base):\n    return keras.Sequential([layers.RandomFlip('horizontal'), base])",
         "one number for each photo"),
        ("class Together(layers.Layer):\n"
         "    uses = 0\n"
         "    def call(self, images, training=None):\n"
         "        if not training:\n            return images\n"
         "        self.uses += 1\n"
         "        return images[:, :, ::-1] if self.uses % 2 else images\n"
         "def build(base):\n"
         "    return keras.Sequential([Together(), base, layers.Flatten(), layers.Dense(1)])",
         "mirrored together"),
    ],
    "q4": [
        ("brighten = layers.RandomBrightness(0.2)", "What is 20 % of"),
        ("brighten = layers.RandomBrightness(0.2 / 255)", "Pixels leave [0, 1]"),
        ("brighten = [layers.RandomBrightness(0.2), layers.Rescaling(1 / 255)]", "far too dark"),
        ("brighten = layers.RandomBrightness((0, 0.2), value_range=(0, 1))", "one way only"),
        ("brighten = layers.RandomBrightness(0.4, value_range=(0, 1))", "too much"),
        ("brighten = layers.RandomBrightness(0.1, value_range=(0, 1))", "too little"),
        ("brighten = layers.RandomContrast((0.2, 0.2), value_range=(0, 1))", "contrast changes"),
        ("brighten = cu.Augmentation(brightness=0.2, flip='horizontal')", "mirrored"),
        ("brighten = cu.Augmentation(brightness=0.2, hue=40)", "colors of some"),
        ("brighten = []", "hardly varies"),
        ("bright = layers.RandomBrightness(0.2, value_range=(0, 1))\n"
         "def brighten(images):\n    return bright(images, training=True)", "`training=False`"),
    ],
    "q5": [
        (FLOWS.format(*["horizontal_flip=True, validation_split=0.25"] * 2, *SUBSETS),
         "treats both of its parts alike"),
        (FLOWS.format(*["validation_split=0.25"] * 2, *SUBSETS), "nothing is mirrored"),
        (FLOWS.format("horizontal_flip=True, validation_split=0.25", "validation_split=0.5",
                      *SUBSETS), "photos are in both parts"),
        (FLOWS.format("horizontal_flip=True, validation_split=0.25", "validation_split=0.25",
                      SUBSETS[0], ""), "photos are in both parts"),
        (FLOWS.format("horizontal_flip=True, validation_split=0.25",
                      "validation_split=0.25, rescale=1 / 255", *SUBSETS), "another way"),
        (FLOWS.format("horizontal_flip=True, validation_split=0.5", "validation_split=0.5",
                      *SUBSETS), "50% of the photos"),
        ("def make_flows(photos, labels):\n"
         "    train = ImageDataGenerator(horizontal_flip=True).flow(photos[20:], labels[20:])\n"
         "    return train, (photos[:12], labels[:12])", "8 of 48 photos are in neither"),
        ("def make_flows(photos, labels):\n"
         "    train = ImageDataGenerator(horizontal_flip=True).flow(photos[12:])\n"
         "    return train, (photos[:12], labels[:12])", "Expected batches"),
        ("def make_flows(photos, labels):\n"
         "    both = np.concatenate([photos[12:], photos[12:, :, ::-1]])\n"
         "    return (both, np.tile(labels[12:], (2, 1))), (photos[:12], labels[:12])",
         "same training views"),
        ("def make_flows(photos, labels):\n    return ImageDataGenerator().flow(photos, labels)",
         "two things"),
    ],
    "q6": [
        (SPLIT.format(f"data = data.concatenate(data.map({MIRROR})).shuffle(96, seed=1)\n"
                      "    train, valid = data.skip(24), data.take(24)"), "to come first"),
        (SPLIT.format(f"data = data.concatenate(data.map({MIRROR}))\n"
                      "    data = data.shuffle(96, seed=1, reshuffle_each_iteration=False)\n"
                      "    train, valid = data.skip(24), data.take(24)"), "to come first"),
        (SPLIT.format("data = data.shuffle(48, seed=1)\n"
                      f"    train, valid = data.skip(12).map({FLIP}), data.take(12)"), "unless"),
        (SPLIT.format(KEPT + f"data = data.map({FLIP})\n"
                      "    train, valid = data.skip(12), data.take(12)"), "are mirrored too"),
        (SPLIT.format(KEPT + "train, valid = data.skip(12), data.take(12)"), "no training photo"),
        (SPLIT.format(f"train, valid = data.skip(12).map({FLIP}), data.take(12)"), "single class"),
        (SPLIT.format(KEPT + f"train, valid = data.skip(16).map({FLIP}), data.take(12)"), "in nei"),
        (SPLIT.format(KEPT + f"train, valid = data.skip(8).map({FLIP}), data.take(12)"),
         "Each belongs to one"),
        (SPLIT.format(KEPT + f"train, valid = data.skip(30).map({FLIP}), data.take(30)"), "62% of"),
        ("def split(data):\n    return data.batch(16)", "two things"),
    ],
    "q7": [
        ("turn = layers.RandomRotation(0.5)", "a 6 becomes a 9"),
        ("turn = layers.RandomFlip()", "mirrors both ways at once"),
        ("turn = layers.RandomFlip('horizontal')", "Some views are mirrored"),
        ("turn = layers.RandomRotation(np.deg2rad(15))", "fraction of a full turn"),
        ("turn = layers.RandomRotation(15 / 180)", "too far"),
        ("turn = layers.RandomRotation(5 / 360)", "too little"),
        ("turn = layers.RandomRotation((0, 15 / 360))", "one way only"),
        ("turn = [layers.RandomRotation(15 / 360), layers.RandomFlip('horizontal')]", "mirrored"),
        ("turn = cu.Augmentation(rotation=15, zoom=0.2)", "moved, resized"),
        ("turn = cu.Augmentation(rotation=15, noise=0.1)", "does not explain"),
        ("turn = cu.Augmentation(rotation=15, brightness=0.2)", "Brightness or contrast"),
        ("turn = []", "Nothing is turned"),
    ],
    "q8": [
        (TUNE.format(FREE, "'adam'"), "Which learning rate"),
        (TUNE.format("pass", "keras.optimizers.Adam(1e-5)"), "did not move at all"),
        ("def fine_tune(model, base, photos, labels):\n    base.trainable = True\n"
         "    model.fit(photos, labels, batch_size=16, epochs=3, verbose=0)", "compile after it"),
        (TUNE.format(FREE, "keras.optimizers.Adam(1e-8)"), "next to nothing"),
        (TUNE.format(FREE, "keras.optimizers.Adam(1e9)"), "Which learning rate"),
        ("def fine_tune(model, base, photos, labels):\n    base.trainable = True\n"
         "    model.compile(keras.optimizers.Adam(1e-5), loss='binary_crossentropy')",
         "Nothing was trained"),
        ("def fine_tune(model, base):\n    base.trainable = True", "failed"),
        ("fine_tune = keras.optimizers.Adam(1e-5)", "Expected the function"),
    ],
    "q9": [
        ("front = broken_front", "`load_model` fails"),
        ("front = keras.Sequential([keras.Input((128, 128, 3)), layers.Rescaling(255),\n"
         "    layers.Lambda(lambda images: preprocess_input(images))])", "`load_model` fails"),
        ("class Preprocess(layers.Layer):\n"
         "    def call(self, images):\n        return preprocess_input(255 * images)\n"
         "front = keras.Sequential([keras.Input((128, 128, 3)), Preprocess()])", "are right, but"),
        (INPUTS + "front = keras.Model(inputs, preprocess_input(1 * inputs))", "multiply first"),
        (INPUTS + "front = keras.Model(inputs, layers.Rescaling(255)(inputs))", "and that is all"),
        (INPUTS + f"front = keras.Model(inputs, 255 * inputs - np.array({MEANS}))", "stay red"),
        (INPUTS + f"front = keras.Model(inputs, 255 * inputs[..., ::-1] - np.array({MEANS}[::-1]))",
         "wrong order"),
        (INPUTS + "front = keras.Model(inputs, layers.Rescaling(2, offset=-1)(inputs))", "-1 to 1"),
        (INPUTS + "front = keras.Model(inputs, layers.Identity()(inputs))", "as they were"),
        (INPUTS + "front = keras.Model(inputs, layers.Rescaling(128)(inputs))", "not those of"),
        ("front = preprocess_input", "a Keras model"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def untouched():
    return run_notebook("04", {})


class TestAnswers(AnswerTests):
    stem, graded, right, wrong = "04", QUESTIONS, RIGHT, WRONG


def test_each_solution_is_right():
    boxes, _ = run_notebook("04", {question.name: question.code for question in QUESTIONS})
    assert {name: box.state for name, box in boxes.items()} == {
        question.name: "right" for question in QUESTIONS
    }, boxes


class _Seen:
    """Stands for `Matches`."""

    def __init__(self, random):
        self.photo = random.permutation(pipeline_traps.COUNT)
        self.mirrored = random.random(pipeline_traps.COUNT) < 0.5


def test_fair_draws_are_seldom_refused():
    # Twice in a row is what a refusal needs: a level of 1e-3 for one look leaves 1e-6.
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(3_000):
        epochs = [
            pipeline_traps._Epoch(_Seen(random), np.zeros(48), [slice(0, 16), slice(16, 48)])
            for _ in range(pipeline_traps.EPOCHS)
        ]
        refused += pipeline_traps._judge_mirrored(epochs, "the same") is not None
    assert refused <= 6, refused


def test_fair_shifts_and_angles_are_seldom_refused():
    import pandas as pd

    random = np.random.default_rng(4)
    refused = 0
    for _ in range(2_000):
        draws = random.uniform(-1, 1, 384)
        refused += traps._judge_shift(pd.Series(draws * traps.SHIFT)) is not None
        refused += traps._judge_angles(pd.Series(draws * traps.TURN)) is not None
    assert refused <= 4, refused
    assert distributions.LEVEL == 1e-4
