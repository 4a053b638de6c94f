"""Heat is what a number says of a small change at each place, and shows what decides."""

import keras
import numpy as np
import pytest
from keras import layers

from course_utils.evaluation.grad_cam import grad_cam

STEP = 1e-2


def build(*, trainable=True):
    glorot = keras.initializers.GlorotUniform
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 3, strides=2, name="maps", kernel_initializer=glorot(1))(inputs)
    y = layers.Conv2D(4, 2, activation="tanh", kernel_initializer=glorot(2))(x)
    base = keras.Model(inputs, y)
    base.trainable = trainable
    head = [
        layers.Flatten(),
        layers.Dense(6, activation="tanh", kernel_initializer=glorot(3)),
        layers.Dense(1, activation="sigmoid", kernel_initializer=glorot(4)),
    ]
    keras.Sequential([keras.Input(base.output_shape[1:]), *head])
    return base, head


@pytest.mark.parametrize("trainable", [True, False])
def test_heat_is_the_numerical_derivative_place_by_place(trainable):
    base, head = build(trainable=trainable)
    images = np.random.default_rng(0).random((3, 8, 8, 3), "float32")
    maps = keras.Model(base.input, base.get_layer("maps").output)(images).numpy()
    after = keras.Sequential([keras.Input(maps.shape[1:]), base.layers[-1], *head])

    def answer(changed):
        probability = after(changed).numpy().astype(float)[:, 0]
        return np.log(probability / (1 - probability)) * np.sign(said - 0.5)

    said = after(maps).numpy()[:, 0]
    assert (said > 0.5).any() and (said < 0.5).any()  # Both answers are explained.
    expected = np.zeros(maps.shape[:3])
    for place in np.ndindex(maps.shape[1:3]):
        up, down = maps.copy(), maps.copy()
        up[:, *place] *= 1 + STEP
        down[:, *place] *= 1 - STEP
        expected[:, *place] = (answer(up) - answer(down)) / (2 * STEP)
    found = grad_cam(base, head, images, "maps")
    assert found.shape == (3, 3, 3) and (found == 0).any() and (found > 0).any()
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=2e-4)
    np.testing.assert_allclose(after(maps), keras.Sequential(head)(base(images)), atol=1e-6)
