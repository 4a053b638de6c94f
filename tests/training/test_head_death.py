"""A head is dead where its output does not vary over the clean training photos."""

import keras
import numpy as np
import pytest
from keras import layers

from course_utils.training.head_death import describe_death, is_dead
from course_utils.training.train import train

OPTIONS = {"epochs": 1, "precision": "float32", "views": 2}


def negative(units, activation=None):
    return layers.Dense(
        units,
        activation,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(-1.0),
    )


out = {"activation": "sigmoid"}
DEAD = {
    "lesson": lambda: [negative(6, "relu"), layers.Dense(1, **out)],
    "activation apart": lambda: [negative(6), layers.Activation("relu"), layers.Dense(1, **out)],
    "batch normalization": lambda: [
        negative(6, "relu"),
        layers.BatchNormalization(),
        layers.Dense(1, **out),
    ],
    "one Sequential": lambda: [keras.Sequential([negative(6, "relu"), layers.Dense(1, **out)])],
    "two hidden layers": lambda: [
        negative(6, "relu"),
        layers.Dense(5, "tanh"),
        layers.Dense(1, **out),
    ],
    "two outputs": lambda: [negative(6, "relu"), layers.Dense(2, activation="softmax")],
}


def build(base, head, loss="binary_crossentropy"):
    model = keras.Sequential([keras.Input((16, 16, 3)), base, layers.Flatten(), *head])
    model.compile("adam", loss, run_eagerly=True)
    return model


@pytest.mark.parametrize("method", ["in_model", "stored_features"])
@pytest.mark.parametrize("head", DEAD)
def test_a_dead_head_is_told_whatever_its_layers(make_base, make_splits, capsys, method, head):
    loss = "sparse_categorical_crossentropy" if head == "two outputs" else "binary_crossentropy"
    model = build(make_base(), DEAD[head](), loss)
    history = train(model, make_splits(32, 16), method=method, **OPTIONS)
    assert history["dead_head"].tolist() == [True]
    said = capsys.readouterr().out
    assert "The head is dead" in said and "another seed" in said


@pytest.mark.parametrize("method", ["in_model", "stored_features"])
def test_a_head_that_gives_every_photo_one_class_is_nearly_dead(
    make_base, make_splits, capsys, method
):
    small = keras.initializers.RandomNormal(stddev=1e-4, seed=1)
    bias = keras.initializers.Constant(1.0)
    head = [layers.Dense(1, "sigmoid", kernel_initializer=small, bias_initializer=bias)]
    model = build(make_base(), head)
    history = train(model, make_splits(32, 16), method=method, **OPTIONS)
    assert not history["dead_head"].any()
    said = capsys.readouterr().out
    assert "nearly dead" in said and "the same class" in said


def test_a_head_that_learns_is_alive(make_base, make_splits, capsys):
    head = [layers.Dense(6, "tanh"), layers.Dense(1, "sigmoid")]
    history = train(build(make_base(), head), make_splits(32, 16), method="in_model", **OPTIONS)
    assert not history["dead_head"].any() and "dead" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lowest", "highest", "dead", "words"),
    [
        ([0.3], [0.3], True, "is dead"),
        ([0.3], [0.3 + 1e-7], True, "is dead"),  # rounding
        ([0.3], [0.31], False, "nearly dead"),
        ([0.495], [0.505], False, ""),  # two classes
        ([0.3], [0.4], False, ""),  # one class, but far from dead
        ([-2.0], [-1.99], False, "nearly dead"),  # logits
        ([-0.005], [0.005], False, ""),
        ([1000.0], [1000.0005], True, "is dead"),
        ([0.2, 0.8], [0.2, 0.8], True, "is dead"),
        ([0.2, 0.8], [0.2, 0.81], False, "nearly dead"),
        ([0.495, 0.495], [0.505, 0.505], False, ""),
        ([np.nan], [np.nan], False, ""),  # another sentence tells of it
        ([-np.inf], [np.inf], False, ""),
    ],
)
def test_death_goes_by_how_far_outputs_lie_apart(lowest, highest, dead, words):
    lowest, highest = np.array(lowest, "float32"), np.array(highest, "float32")
    assert is_dead(lowest, highest) is dead
    described = describe_death(lowest, highest)
    assert words in described and bool(described) == bool(words)
