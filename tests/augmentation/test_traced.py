"""TensorFlow functions that serve every strength give the bits of the eager layers."""

import numpy as np
import pytest
import tensorflow as tf
from augmentation_helpers import SEED, apply, random_photos

from course_utils.augmentation import traced
from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.policy import Augmentation

# Layers that are called eagerly; traced.py says why.
EAGER = {"RandomGrayscale", "RandAugment", "GaussianNoise", "ReLU"}


def strengths(entry):
    return entry.choices or [
        fraction * entry.maximum for fraction in (0.5, 0.013, 0.37, 0.81, 1.0, 0.5)
    ]


def calls_of(name, value):
    return [call for _, call in Augmentation(**{name: value}).calls(SEED)]


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_bits_are_those_of_the_eager_layers(name):
    images = tf.constant(random_photos(5, 24, 20))
    for value in strengths(CATALOGUE[name]):
        for call in calls_of(name, value):
            layer = call.build()
            if not hasattr(layer, "get_random_transformation"):
                continue
            expected = layer.get_random_transformation(images, training=True)
            sampled, used = traced.sample(call, images)
            for ours, theirs in zip(
                tf.nest.flatten(sampled), tf.nest.flatten(expected), strict=True
            ):
                assert np.array_equal(ours, theirs), value
            assert used == layer.generator.state[1]
            views = traced.transform(call, images, sampled)
            assert np.array_equal(views, apply([call.build()], images)), value


@pytest.mark.parametrize("name", CATALOGUE)
def test_one_trace_serves_all_strengths_and_seeds(name):
    images = tf.constant(random_photos(3))
    found = {}
    for value in strengths(CATALOGUE[name]):
        for call in calls_of(name, value):
            if call.layer in traced.RANGES:
                functions = traced._find_traced(call)
                traced.transform(call, images, traced.sample(call, images)[0])
                counts = [
                    function.experimental_get_tracing_count()
                    for function in (functions.sample, functions.transform)
                ]
                assert found.setdefault(id(functions), counts) == counts


def test_every_layer_of_the_catalogue_is_traced_or_said_to_be_eager():
    names = {
        call.layer
        for name, entry in CATALOGUE.items()
        for value in strengths(entry)
        for call in calls_of(name, value)
    }
    assert names == EAGER | traced.RANGES.keys()


def test_layers_keep_their_own_ranges():
    (call,) = calls_of("rotation", 90)
    traced.sample(call, tf.constant(random_photos(2)))
    assert call.find().factor == (-0.25, 0.25)


@pytest.mark.parametrize("before", [True, False])
def test_tensorflows_optimizer_is_left_as_it_was(before):
    name = "disable_meta_optimizer"
    tf.config.optimizer.set_experimental_options({name: before})
    try:
        (call,) = calls_of("contrast", 0.5)
        traced.sample(call, tf.constant(random_photos(2)))
        assert tf.config.optimizer.get_experimental_options()[name] is before
    finally:
        tf.config.optimizer.set_experimental_options({name: False})
