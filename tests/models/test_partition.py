"""A model's parts are found by what its layers do, and together they are the model."""

import keras
import numpy as np
import pytest
from keras import layers

from course_utils.models.classifier import build_classifier
from course_utils.models.fingerprints import fingerprint_base, is_random
from course_utils.models.partition import flatten, split_model

SHAPE = (16, 16, 3)


def flip():
    return layers.RandomFlip("horizontal", seed=1)


def contrast(**options):
    return layers.RandomContrast((0.3, 0.3), value_range=(-1, 1), seed=2, **options)


def scaled_pipeline():
    return layers.Pipeline([layers.Rescaling(2.0, offset=-1.0), flip(), contrast()])


def normalized_sequential():
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(0).random((8, *SHAPE)))
    return keras.Sequential([keras.Input(SHAPE), normalization, flip()])


def functional_front():
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, contrast()(flip()(inputs) * 2.0 - 1.0))


def deep_front():
    return keras.Sequential([keras.Sequential([scaled_pipeline()]), layers.Pipeline([flip()])])


def chain_with_head(*front, base, head=None):
    head = head or [layers.Flatten(), layers.Dense(3, activation="tanh"), layers.Dense(1)]
    return keras.Sequential([keras.Input(SHAPE), *front, base, *head])


def functional_model(base, *, training=None):
    inputs = keras.Input(SHAPE)
    scaled = flip()(inputs) * 2.0 - 1.0
    features = layers.GlobalAveragePooling2D()(base(scaled, training=training))
    left, right = layers.Dense(2)(features), layers.Dense(2)(layers.Dropout(0.3)(features))
    return keras.Model(inputs, layers.Dense(1)(layers.add([left, right])))


def branching_base(*, dropout=False):
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    y = layers.Conv2D(4, 3, padding="same")(x)
    if dropout:
        y = layers.Dropout(0.5, name="drop")(y)
    z = layers.Conv2D(4, 3, strides=2, name="last")(layers.add([x, y]))
    return keras.Model(inputs, layers.BatchNormalization()(z), name="branching")


def frozen(base, *, but=()):
    base.trainable = True
    for layer in base.layers:
        layer.trainable = layer.name in but
    if not but:
        base.trainable = False
    return base


def joined(parts):
    """The parts, one after the other, as in inference."""
    return keras.Sequential([keras.Input(SHAPE), *parts.front, parts.base, *parts.head])


def assert_together_they_are(model):
    parts = split_model(model)
    images = np.random.default_rng(0).random((5, *SHAPE), "float32")
    np.testing.assert_allclose(
        joined(parts)(images, training=False), model(images, training=False), atol=1e-5
    )
    learning = {id(each) for layer in parts.head for each in layer.trainable_weights}
    assert learning == {id(each) for each in model.trainable_weights}
    assert not parts.base.trainable_weights
    entering = _enter(parts)
    trained, inferred = (parts.base(entering, training=each) for each in (True, False))
    np.testing.assert_allclose(trained, inferred)
    return parts


def _enter(parts):
    """What goes into the base."""
    images = np.random.default_rng(0).random((5, *SHAPE), "float32")
    for layer in parts.front:
        images = layer(images, training=False)
    return images


@pytest.mark.parametrize(
    "front", [scaled_pipeline, normalized_sequential, functional_front, deep_front]
)
def test_containers_are_taken_apart_and_the_base_is_found_behind_them(front, make_base):
    base = make_base()
    parts = assert_together_they_are(chain_with_head(front(), base=base))
    assert parts.base is base
    assert not any(isinstance(each, keras.Model | layers.Pipeline) for each in parts.front)
    assert any(map(is_random, parts.front))


def test_the_lesson_s_model_gives_front_base_and_head(make_base):
    base, augmentation = make_base(), [flip(), contrast()]
    model = build_classifier(base, augmentation, imagenet_preprocessing=True)
    parts = assert_together_they_are(model)
    assert parts.front == (*augmentation, model.layers[2])
    assert parts.base is base and parts.head == tuple(model.layers[4:])


def test_layers_in_a_row_are_a_base_too(make_base):
    rows = [layers.Conv2D(4, 3, trainable=False), layers.Conv2D(4, 3, trainable=False)]
    parts = assert_together_they_are(chain_with_head(flip(), rows[0], base=rows[1]))
    assert parts.base.layers == rows and len(parts.front) == 1


def test_a_layer_inside_a_frozen_model_may_be_named_as_the_base():
    base = frozen(branching_base())
    model = chain_with_head(flip(), base=base)
    parts = split_model(model, "first")
    assert [layer.name for layer in parts.base.layers] == ["first"] and len(parts.front) == 1
    images = np.random.default_rng(0).random((5, *SHAPE), "float32")
    expected = model(images, training=False)
    np.testing.assert_allclose(joined(parts)(images, training=False), expected, atol=1e-5)
    # Its features are those of a model whose later layers learn.
    learning = chain_with_head(flip(), base=frozen(base, but=("last",)))
    named = split_model(learning, "first").base
    assert fingerprint_base(named) == fingerprint_base(parts.base)
    # The model's own name still means all of it.
    assert split_model(chain_with_head(base=frozen(base)), base).base is base


@pytest.mark.parametrize("but", [("last",), ("last", "dense")])
def test_a_base_whose_last_block_learns_ends_before_it(but):
    base = frozen(branching_base(), but=but)
    parts = assert_together_they_are(chain_with_head(flip(), base=base))
    assert [each.name for each in parts.head][:1] == ["last"]
    assert parts.base.output_shape == (None, 16, 16, 4)


def test_pooling_of_the_frozen_block_is_stored_with_it():
    rows = [layers.Conv2D(4, 3, trainable=False), layers.MaxPooling2D(2), layers.Conv2D(2, 3)]
    parts = assert_together_they_are(
        chain_with_head(base=keras.Sequential([keras.Input(SHAPE), *rows]))
    )
    assert parts.base.output_shape == (None, 7, 7, 4)


@pytest.mark.parametrize("training", [None, False])
def test_a_functional_model_with_branches_in_its_head(training):
    base = frozen(branching_base())
    parts = assert_together_they_are(functional_model(base, training=training))
    assert parts.base is base and len(parts.front) == 3


def test_random_layers_in_a_base_count_unless_it_is_called_as_in_inference():
    base = frozen(branching_base(dropout=True))
    assert_together_they_are(functional_model(base, training=False))
    # In `fit`, a frozen base's dropout drops; what comes before it is then part of the front.
    parts = split_model(functional_model(base))
    assert any(map(is_random, parts.front)) and not is_random(parts.base)


def test_a_base_that_is_fixed_by_its_call_stays_so_where_a_part_of_it_learns():
    base = frozen(branching_base(dropout=True), but=("last",))
    model = functional_model(base, training=False)
    parts = assert_together_they_are(model)
    images = np.random.default_rng(0).random((5, 16, 16, 4), "float32")
    first = parts.head[0](images, training=True)
    np.testing.assert_allclose(first, parts.head[0](images, training=True))


def test_the_base_can_be_named(make_base):
    base = make_base()
    fixed = layers.Dense(5, trainable=False, name="between")
    model = chain_with_head(base=base, head=[layers.Flatten(), fixed, layers.Dense(1)])
    assert split_model(model).base.layers[-1] is fixed
    assert split_model(model, base="tiny").base is base
    assert split_model(model, base).base is base
    with pytest.raises(ValueError, match=r"one of the layers tiny, flatten.*received 'other'"):
        split_model(model, "other")
    with pytest.raises(ValueError, match=r"frozen base.*learns"):
        split_model(model, model.layers[-1].name)


def subclassed(base):
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.steps = [base, layers.Flatten(), layers.Dense(1)]

        def call(self, images):
            for step in self.steps:
                images = step(images)
            return images

    model = Own()
    model.build((None, *SHAPE))
    return model


def two_outputs(base):
    inputs = keras.Input(SHAPE)
    features = layers.Flatten()(base(inputs))
    return keras.Model(inputs, [layers.Dense(1)(features), layers.Dense(1)(features)])


def learning(base):
    base.trainable = True
    return chain_with_head(base=base)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (subclassed, r"Sequential or a functional model, received Own 'own'.*in_model"),
        (
            lambda base: chain_with_head(base=frozen(subclassed(base))),
            r"received Own .own..*in_model",
        ),
        (two_outputs, r"one input and one output.*1 and 2"),
        (learning, r"no frozen weights before it.*base.trainable = False.*in_model"),
        (lambda base: keras.Sequential([keras.Input(SHAPE), base]), r"a layer that learns"),
        (lambda base: chain_with_head(base=layers.Flatten()), r"received none"),
    ],
)
def test_what_has_no_frozen_part_is_refused_by_name(build, message, make_base):
    with pytest.raises(ValueError, match=message):
        split_model(build(make_base()))


def test_layers_of_one_name_in_nested_models_do_not_clash():
    inner = keras.Sequential(
        [keras.Input(SHAPE), layers.Conv2D(2, 3, trainable=False), layers.Conv2D(2, 3, name="same")]
    )
    model = chain_with_head(base=inner, head=[layers.Flatten(), layers.Dense(1, name="same")])
    assert_together_they_are(model)


def test_flatten_keeps_order_and_leaves_what_is_fixed_whole():
    fixed = layers.Pipeline([layers.Rescaling(2.0)])
    inside = [flip(), contrast()]
    assert flatten([fixed, layers.Pipeline(inside)]) == (fixed, *inside)
