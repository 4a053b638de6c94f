"""Fingerprints of layers: equal for equal layers, whatever Keras has named them."""

import keras
import pytest
from keras import layers

from course_utils.models.fingerprints import fingerprint_layer


class Scaled(layers.Layer):
    """Arguments and no `get_config`, as students write layers: its config has no name."""

    def __init__(self, scale, **options):
        super().__init__(**options)
        self.scale = scale

    def call(self, x):
        return self.scale * x


def in_branches(scale):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, 0.5 * Scaled(scale)(inputs) + 0.5 * inputs)


def in_other_branches(scale):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, 0.5 * inputs + 0.5 * Scaled(scale)(inputs))


def nested(scale):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, in_branches(scale)(inputs))


@pytest.mark.parametrize("build", [Scaled, in_branches, nested])
def test_equal_layers_have_equal_fingerprints(build):
    found = fingerprint_layer(build(0.5))
    assert fingerprint_layer(build(0.5)) == found
    assert fingerprint_layer(build(0.4)) != found


def test_the_wiring_counts():
    assert fingerprint_layer(in_branches(0.5)) != fingerprint_layer(in_other_branches(0.5))
