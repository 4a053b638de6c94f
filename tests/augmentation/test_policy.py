"""The value: what a setting says, reads and writes is what its Keras layers really do."""

import copy
import inspect
import pickle
import subprocess
import sys
from dataclasses import fields, replace

import keras
import numpy as np
import pytest
from augmentation_helpers import SEED, apply, comparable, random_photos
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.policy import Augmentation

STRENGTHS = [name for name, entry in CATALOGUE.items() if not entry.choices]
ALL_STRONGEST = {name: entry.strongest for name, entry in CATALOGUE.items()}


@st.composite
def augmentations(draw, names=tuple(CATALOGUE)):
    """Any augmentation of up to three transformations."""
    chosen = draw(st.sets(st.sampled_from(names), max_size=3))
    return Augmentation(
        **{
            name: draw(
                st.sampled_from((None, *CATALOGUE[name].choices))
                if CATALOGUE[name].choices
                else st.floats(0.0, CATALOGUE[name].maximum, allow_subnormal=False)
            )
            for name in chosen
        }
    )


def test_catalogue_and_fields_agree():
    assert [(entry.name, entry.default) for entry in fields(Augmentation)] == [
        (name, entry.neutral) for name, entry in CATALOGUE.items()
    ]
    assert list(inspect.signature(Augmentation).parameters) == list(CATALOGUE)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_the_docstring_says_what_each_setting_means(entry):
    bounds = "" if entry.choices else f"0 to {entry.maximum:g}. "
    documented = " ".join(Augmentation.__doc__.split())
    assert f"{entry.name}: {bounds}{entry.meaning}" in documented


@given(augmentations())
@settings(max_examples=200, deadline=None)
def test_repr_and_json_rebuild_the_value(augmentation):
    assert eval(repr(augmentation), {"Augmentation": Augmentation}) == augmentation
    assert Augmentation.from_json(augmentation.to_json()) == augmentation
    assert hash(Augmentation.from_json(augmentation.to_json())) == hash(augmentation)


def test_equal_values_give_the_same_text():
    whole, fractional = Augmentation(rotation=15), Augmentation(rotation=np.float64(15.0))
    assert whole == fractional
    assert (repr(whole), whole.to_json()) == (repr(fractional), fractional.to_json())
    assert repr(whole) == "Augmentation(rotation=15.0)"
    assert repr(Augmentation(zoom=-0.0)) == "Augmentation()"
    assert Augmentation(flip="horizontal").to_json() == '{"flip": "horizontal"}'


def test_value_survives_copying_and_pickling():
    value = Augmentation(rotation=15, flip="vertical")
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    assert replace(value, zoom=0.2) == Augmentation(rotation=15, flip="vertical", zoom=0.2)


def test_value_cannot_be_changed():
    with pytest.raises(AttributeError):
        Augmentation().contrast = 0.5


@pytest.mark.parametrize("name", STRENGTHS)
@pytest.mark.parametrize("wrong", [-0.01, float("nan"), float("inf")])
def test_values_out_of_range_are_refused(name, wrong):
    with pytest.raises(ValueError, match=f"Expected `{name}` to be a number from 0 to"):
        Augmentation(**{name: wrong})
    with pytest.raises(ValueError, match="received"):
        Augmentation(**{name: CATALOGUE[name].maximum + 0.01})


@pytest.mark.parametrize("wrong", ["0.5", None, True, (0.1, 0.2)])
def test_strengths_that_are_no_numbers_are_refused(wrong):
    with pytest.raises(TypeError, match="`contrast` to be a number from 0 to 1.*leave it out"):
        Augmentation(contrast=wrong)


def test_wrong_choices_seeds_and_texts_are_refused():
    with pytest.raises(ValueError, match="'horizontal_and_vertical'"):
        Augmentation(flip="both")
    with pytest.raises(ValueError, match="received tilt"):
        Augmentation.from_json('{"tilt": 3}')
    for text in ("[0.5]", "{}x", None):
        with pytest.raises(ValueError, match="JSON object"):
            Augmentation.from_json(text)
    with pytest.raises(TypeError, match="from flip, .*received tilt"):
        Augmentation(tilt=3)
    with pytest.raises(TypeError, match=r"by name, .*received 0\.5"):
        Augmentation(0.5)
    with pytest.raises(ValueError, match="`seed` to be a whole number from 0 to .*, received -1"):
        Augmentation(contrast=0.5).layers(-1)
    with pytest.raises(TypeError, match="`seed` to be a whole number from 0 to .*, received None"):
        Augmentation(contrast=0.5).layers(None)


def test_importing_the_module_does_not_import_tensorflow():
    program = (
        "import sys, course_utils.augmentation.policy as a; a.Augmentation(contrast=0.5).code(1); "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_neutral_settings_give_no_layer():
    assert Augmentation().layers(SEED) == []
    assert Augmentation().active == {}
    assert Augmentation().describe() == "No augmentation: every photo stays exactly as it is."


@given(augmentations(), st.integers(1, 3), st.sampled_from([(16, 12), (9, 9), (7, 20)]))
@settings(max_examples=20, deadline=None)
def test_views_keep_shape_type_and_range_and_follow_the_seed(augmentation, count, size):
    images = random_photos(count, *size)
    views = apply(augmentation.layers(SEED), images)
    assert views.shape == images.shape and views.dtype == np.float32
    assert np.isfinite(views).all()
    assert views.min() >= -1e-6 and views.max() <= 1 + 1e-6
    assert np.array_equal(views, apply(augmentation.layers(SEED), images))
    assert np.array_equal(images, apply(augmentation.layers(SEED), images, training=False))


@pytest.mark.parametrize("name", CATALOGUE)
def test_code_makes_equal_layers(name):
    augmentation = Augmentation(**{name: CATALOGUE[name].strongest})
    scope = {}
    exec(augmentation.code(SEED), scope)
    pasted, made = scope["augmentation_layers"], augmentation.layers(SEED)
    assert [type(layer) for layer in pasted] == [type(layer) for layer in made]
    assert [comparable(layer) for layer in pasted] == [comparable(layer) for layer in made]
    images = random_photos(4)
    assert np.array_equal(apply(pasted, images), apply(made, images))
    assert "seed" not in augmentation.code()
    exec(augmentation.code(), {})


@given(augmentations())
@settings(max_examples=15, deadline=None)
def test_code_of_any_setting_makes_equal_layers(augmentation):
    scope = {}
    exec(augmentation.code(SEED), scope)
    pasted, made = scope["augmentation_layers"], augmentation.layers(SEED)
    assert [comparable(layer) for layer in pasted] == [comparable(layer) for layer in made]


def test_every_layer_has_its_own_seed_and_float32():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layers = Augmentation(**ALL_STRONGEST).layers(SEED)
        assert apply(layers[:4], random_photos(2)).dtype == np.float32
    finally:
        keras.config.set_dtype_policy(policy)
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    seeds = [layer.seed for layer in layers if hasattr(layer, "seed")]
    assert len(seeds) == len(layers) - 1  # all but the ReLU that ends the noise
    assert len(set(seeds)) == len(seeds)
    following = [
        layer.seed
        for layer in Augmentation(**ALL_STRONGEST).layers(SEED + 1)[:-1]
        if hasattr(layer, "seed")
    ]
    assert not set(seeds) & set(following)


def test_another_transformation_leaves_the_random_draws_of_the_others():
    alone = Augmentation(contrast=0.5).layers(SEED)[-1]
    among = Augmentation(flip="horizontal", rotation=30, contrast=0.5).layers(SEED)[-1]
    assert alone.seed == among.seed


def test_model_with_the_layers_can_be_saved_and_loaded(tmp_path):
    layers = Augmentation(**ALL_STRONGEST).layers(SEED)
    model = keras.Sequential([keras.Input((16, 12, 3)), *layers])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = random_photos(2)
    assert np.array_equal(loaded(images, training=False), images)
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]


@pytest.mark.slow
@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(flip="horizontal_and_vertical", contrast=0.5, brightness=0.3),
        Augmentation(rotation=20, zoom=0.2, translation=0.1, shear=0.2, perspective=0.2),
        Augmentation(saturation=0.3, hue=30, grayscale=0.3, blur=1.0, noise=0.1, erasing=0.3),
    ],
    ids=["flip and light", "places", "color and camera"],
)
def test_fit_trains_on_the_very_views(augmentation):
    images = random_photos(8)
    views = apply(augmentation.layers(SEED), images)

    def largest_difference(expected, received):
        return keras.ops.max(keras.ops.abs(expected - received))

    model = keras.Sequential([keras.Input(images.shape[1:]), *augmentation.layers(SEED), Shift()])
    # A rate of zero, so that the one weight stays zero and the output is what the layers gave.
    model.compile(keras.optimizers.SGD(0.0), loss="mse", metrics=[largest_difference])
    history = model.fit(images, views, batch_size=8, shuffle=False, verbose=0)
    assert history.history["largest_difference"][0] <= 1e-6


class Shift(keras.layers.Layer):
    """Adds one trainable number that starts at zero, so that `fit` has something to train."""

    def build(self, input_shape):
        self.shift = self.add_weight(shape=(), initializer="zeros")

    def call(self, images):
        return images + self.shift


def test_replacing_one_setting_leaves_the_others():
    augmentation = replace(Augmentation(flip="horizontal", contrast=0.5), contrast=0.2)
    assert augmentation == Augmentation(flip="horizontal", contrast=0.2)
