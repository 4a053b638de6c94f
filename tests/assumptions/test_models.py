"""Keras's models: what learns, what is frozen, what is saved, and when XLA compiles.

Tests of Keras and TensorFlow, not of the kit. Where one fails, they have changed: the message
names the trap and the module that has to follow.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from course_utils.core import backend

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)
from keras import layers  # noqa: E402
from tensorflow.python.framework import config  # noqa: E402 (as Keras asks it)

FORWARD = "course_utils.features.forward"
COPIES = "course_utils.models.copies"
PARTITION = "course_utils.models.partition"
TRAIN = "course_utils.training.train"
HEADS = "course_utils.training.heads"


def noise(count=8, shape=(6, 6, 3)):
    return np.random.default_rng(0).random((count, *shape)).astype("float32")


def frozen(layer):
    layer.trainable = False
    return layer


# Frozen


def test_gradients_pass_through_a_frozen_layer_to_what_learns_before_it():
    first, middle = layers.Dense(2), frozen(layers.Dense(2))
    model = keras.Sequential([keras.Input((3,)), first, middle, layers.Dense(1)])
    model.compile("sgd", "mse")
    before, fixed = first.get_weights(), middle.get_weights()
    model.fit(noise(8, (3,)), np.ones((8, 1)), verbose=0)
    assert not np.array_equal(first.get_weights()[0], before[0]), (
        "Nothing before a frozen layer learns any more: split_model in "
        f"{PARTITION} ends the frozen part before the first layer that learns."
    )
    np.testing.assert_array_equal(
        middle.get_weights()[0],
        fixed[0],
        err_msg="A layer with trainable=False learns: all stored features rest on this.",
    )


def test_frozen_batch_normalization_works_as_in_inference():
    layer, values = frozen(layers.BatchNormalization()), 5 * noise()
    np.testing.assert_array_equal(
        layer(values, training=True),
        layer(values, training=False),
        err_msg="Frozen BatchNormalization depends on the batch now: course_utils.features.storable"
        " refuses such a base.",
    )


def test_frozen_dropout_drops_all_the_same():
    layer, values = frozen(layers.Dropout(0.5, seed=1)), noise() + 1
    assert not np.array_equal(layer(values, training=True), values), (
        f"A frozen Dropout rests in training now: {PARTITION} refuses a base with one because it "
        "does not."
    )


# Augmentation inside a model


def test_layers_in_a_model_augment_in_fit_and_in_nothing_else():
    seen = []

    class Recorder(layers.Layer):
        def call(self, images):
            tensorflow.py_function(lambda each: seen.append(each.numpy()), [images], [])
            return images

    shape, images = (6, 6, 3), noise()
    front = [layers.RandomBrightness((0.3, 0.3), value_range=(0, 1)), Recorder()]
    model = keras.Sequential([keras.Input(shape), *front, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    for act, augmented in (
        (lambda: model.fit(images, np.ones((8, 1)), verbose=0, shuffle=False), True),
        (lambda: model.evaluate(images, np.ones((8, 1)), verbose=0), False),
        (lambda: model.predict(images, verbose=0), False),
    ):
        seen.clear()
        act()
        assert np.array_equal(seen[-1], images) is not augmented, (
            "Random layers in a model work elsewhere than in fit alone now: lesson 02 says so, and "
            "course_utils.features.views keeps training and clean views apart."
        )


def test_the_older_place_of_the_layers_is_gone():
    assert not hasattr(layers, "experimental") and not hasattr(layers, "preprocessing"), (
        "keras.layers.experimental is back: lesson 02 and the docs on Kaggle's lesson say that it "
        "is gone."
    )
    assert not hasattr(keras, "preprocessing") or not hasattr(
        keras.preprocessing.image, "ImageDataGenerator"
    ), "keras.preprocessing has ImageDataGenerator again: lesson 10 takes it from tf.keras."


# Copied, compiled, saved


def test_a_copied_functional_model_asks_for_its_operations_too():
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 3)(inputs) * 2.0)
    asked = []

    def copy(operation):
        asked.append(type(operation).__name__)
        return type(operation).from_config(operation.get_config())

    keras.models.clone_model(model, clone_function=copy)
    assert asked == ["Conv2D", "Multiply"], (
        f"clone_model asks its function about {asked} of a convolution times two now: {COPIES} "
        "expects both and no input."
    )


def test_set_weights_does_not_derive_what_normalization_uses():
    adapted, copied = layers.Normalization(), layers.Normalization()
    adapted.adapt(noise(8, (3,)))
    copied.build((None, 3))
    copied.set_weights(adapted.get_weights())
    values = noise(2, (3,))
    assert not np.allclose(copied(values), adapted(values)), (
        f"Normalization follows set_weights now: {COPIES} calls finalize_state because it did not."
    )
    copied.finalize_state()
    np.testing.assert_allclose(
        copied(values),
        adapted(values),
        rtol=1e-6,
        err_msg=f"finalize_state no longer derives from the weights what {COPIES} wants derived.",
    )


def test_a_model_of_another_s_layers_shares_its_weights():
    dense = layers.Dense(1)
    whole = keras.Sequential([keras.Input((3,)), layers.ReLU(), dense])
    part = keras.Sequential([keras.Input((3,)), dense])
    part.compile("sgd", "mse")
    part.steps_per_execution = 4
    before = whole.get_weights()
    part.fit(noise(8, (3,)), np.ones((8, 1)), batch_size=2, verbose=0)
    assert not np.array_equal(whole.get_weights()[0], before[0]), (
        f"A layer in two models no longer learns for both: {TRAIN} trains a model's own head so."
    )
    assert part.optimizer.iterations == 4, (
        f"steps_per_execution set after compile changes the number of steps: see {TRAIN}."
    )


def test_zeroing_an_optimizer_s_variables_restarts_it():
    def learn(model):
        model.fit(noise(8, (3,)), np.ones((8, 1)), batch_size=2, verbose=0, shuffle=False)
        return model.get_weights()

    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("adam", "mse")
    start = model.get_weights()
    first = learn(model)
    rate = model.optimizer._learning_rate
    for variable in model.optimizer.variables:
        if variable is not rate:
            variable.assign(keras.ops.zeros_like(variable))
    model.set_weights(start)
    np.testing.assert_array_equal(
        learn(model)[0],
        first[0],
        err_msg=f"Adam remembers more than its variables now: see `restart` in {HEADS}.",
    )


def test_the_cross_entropy_cuts_probabilities_at_a_ten_millionth():
    loss = keras.losses.binary_crossentropy(np.ones((1, 1)), np.zeros((1, 1)))
    assert float(loss[0]) == pytest.approx(-np.log(1e-7), rel=1e-6), (
        f"binary_crossentropy cuts probabilities elsewhere now: see SMALLEST in {HEADS}."
    )


def test_a_saved_model_folder_is_not_loaded(tmp_path):
    tensorflow.saved_model.save(tensorflow.Module(), str(tmp_path))
    with pytest.raises(ValueError, match="SavedModel"):
        keras.models.load_model(tmp_path)
        pytest.fail(
            "load_model takes SavedModel folders again: course_utils.models.weight_files reads "
            "their variables because it did not."
        )


# XLA, the compiler that Keras uses on a GPU: which layers cost the whole model its use

NO_XLA = {
    "RandomRotation": {"factor": 0.1},
    "RandomZoom": {"height_factor": 0.1},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
    "RandomShear": {"x_factor": 0.1},
    "RandomPerspective": {"scale": 0.1},
    "RandomCrop": {"height": 6, "width": 6},
}
XLA = {
    "RandomFlip": {},
    "RandomContrast": {"factor": 0.1},
    "RandomBrightness": {"factor": 0.1},
    "RandomSaturation": {"factor": 0.1},
    "RandomHue": {"factor": 0.1},
}


@pytest.fixture
def undetermined(monkeypatch):
    """As in a program that has not asked for determinism, which switches XLA off altogether."""
    monkeypatch.setattr(config, "is_op_determinism_enabled", lambda: False)


def build_behind(name, arguments):
    layer = getattr(layers, name)(**arguments)
    return keras.Sequential([keras.Input((6, 6, 3)), layer, layers.Flatten()])


def compile_with_xla(model):
    model.compile(loss="mse", jit_compile=True)


@pytest.mark.parametrize("name", NO_XLA)
def test_layers_that_switch_xla_off_for_the_whole_model(name, undetermined, list_warnings):
    model = build_behind(name, NO_XLA[name])
    said = list_warnings(lambda: compile_with_xla(model))
    assert not model.jit_compile and not model.layers[0].supports_jit, (
        f"{name} leaves XLA on now: lesson 10 shows which layers do not."
    )
    assert any("Model doesn't support `jit_compile=True`" in each for each in said), (
        f"Keras switches XLA off for {name} without a warning now: lesson 10 may say so."
    )


@pytest.mark.parametrize("name", XLA)
def test_layers_that_leave_xla_to_the_model(name, undetermined, list_warnings):
    model = build_behind(name, XLA[name])
    said = list_warnings(lambda: compile_with_xla(model))
    assert model.jit_compile and model.layers[0].supports_jit and not said, (
        f"{name} switches XLA off for the whole model now: lesson 10 says that it does not."
    )


def test_the_seed_that_a_lesson_sets_switches_xla_off(monkeypatch, list_warnings):
    monkeypatch.setattr(config, "is_op_determinism_enabled", lambda: True)
    model = build_behind("RandomFlip", {})
    said = list_warnings(lambda: compile_with_xla(model))
    assert not model.jit_compile and any("doesn't support" in each for each in said), (
        "Keras compiles with XLA under op determinism now, which set_seed in "
        "course_utils.core.backend asks for: lesson 10 says that it does not."
    )


def test_a_cpu_is_given_no_xla_unless_it_is_asked_for(undetermined):
    model = build_behind("RandomFlip", {})
    model.compile(loss="mse")
    assert model.jit_compile is (backend.device() == "GPU"), (
        f"Keras uses XLA on a CPU unasked now, where it was slower: see {TRAIN} and {FORWARD}."
    )


TWO_DEVICES = """
from course_utils.core import backend

tensorflow = backend.import_tensorflow()
processor = tensorflow.config.list_physical_devices("CPU")[0]
half = tensorflow.config.LogicalDeviceConfiguration()
tensorflow.config.set_logical_device_configuration(processor, [half] * 2)
import keras
import numpy as np

for compiled in ("auto", True):
    with tensorflow.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        layers = [keras.layers.RandomFlip(seed=1), keras.layers.Flatten(), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
        model.compile("adam", "mse", jit_compile=compiled)
    try:
        model.fit(np.zeros((16, 8, 8, 3)), np.zeros((16, 1)), batch_size=8, verbose=0)
        print(compiled, "trains")
    except tensorflow.errors.InvalidArgumentError:
        print(compiled, "fails")
"""


@pytest.mark.slow
def test_several_devices_train_with_xla_left_to_keras_and_fail_with_xla_forced():
    answer = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert answer.stdout.split("\n")[:2] == ["auto trains", "True fails"], (
        f"MirroredStrategy trains otherwise with XLA now: see {TRAIN}. {answer.stderr[-2000:]}"
    )
