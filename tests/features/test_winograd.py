"""Winograd's convolutions compute what Keras's compute, and take the place of no others."""

import keras
import numpy as np
import pytest
import tensorflow
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.features import winograd
from course_utils.features.winograd import WinogradConv2D, copy_with_winograd, fits

layers = keras.layers


@pytest.fixture
def any_channels(monkeypatch):
    monkeypatch.setattr(winograd, "FEWEST_CHANNELS", 1)


def build_convolution(channels=3, filters=4, *, kernel_size=3, seed=0, **options):
    convolution = layers.Conv2D(
        filters,
        kernel_size,
        kernel_initializer=keras.initializers.RandomNormal(seed=seed),
        bias_initializer=keras.initializers.RandomNormal(seed=seed + 1),
        **options,
    )
    convolution.build((None, None, None, channels))
    return convolution


def convolve(images, convolution):
    """The definition, in float64: every output a sum of products, in Keras's padding."""
    kernel = convolution.kernel.numpy().astype("float64")
    if convolution.padding == "same":
        images = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(images.astype("float64"), (3, 3), (1, 2))
    sums = np.einsum("bhwcij,ijcf->bhwf", windows, kernel)
    return sums + (convolution.bias.numpy() if convolution.use_bias else 0)


@settings(max_examples=60)
@given(
    batch=st.integers(1, 3),
    height=st.integers(3, 14),
    width=st.integers(3, 14),
    channels=st.integers(1, 5),
    filters=st.integers(1, 5),
    padding=st.sampled_from(["same", "valid"]),
    use_bias=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_every_output_is_the_sum_of_products_that_defines_it(
    batch, height, width, channels, filters, padding, use_bias, seed
):
    convolution = build_convolution(
        channels, filters, padding=padding, use_bias=use_bias, seed=seed
    )
    images = np.random.default_rng(seed).normal(size=(batch, height, width, channels))
    images = images.astype("float32")
    computed = WinogradConv2D(convolution)(images)
    assert computed.dtype == "float32"
    expected = convolve(images, convolution)
    assert computed.shape == expected.shape
    np.testing.assert_allclose(computed, expected, atol=2e-5 * np.abs(images).max())


def test_the_activation_is_the_convolutions_own():
    images = np.random.default_rng(1).normal(size=(2, 9, 7, 3)).astype("float32")
    convolution = build_convolution(padding="same", activation="relu")
    computed = np.array(WinogradConv2D(convolution)(images))
    assert computed.min() == 0 and computed.max() > 0
    np.testing.assert_allclose(computed, np.maximum(convolve(images, convolution), 0), atol=1e-5)


@pytest.mark.parametrize("channels", [128, 512])
def test_rounding_stays_under_a_hundred_thousandth_of_the_largest(channels):
    convolution = build_convolution(channels, channels, padding="same")
    images = np.random.default_rng(2).random((1, 8, 8, channels)).astype("float32")
    expected = convolve(images, convolution)
    apart = np.abs(np.array(WinogradConv2D(convolution)(images)) - expected).max()
    assert apart < 2e-5 * np.abs(expected).max()


def test_a_layer_that_is_called_in_a_graph_takes_any_batch():
    layer = WinogradConv2D(build_convolution(padding="same"))
    graph = tensorflow.function(layer, reduce_retracing=True)
    images = np.random.default_rng(3).random((5, 8, 8, 3)).astype("float32")
    whole = graph(images)
    for count in (1, 2, 5):
        np.testing.assert_allclose(graph(images[:count]), whole[:count], atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 1},
        {"kernel_size": 5},
        {"kernel_size": (3, 1)},
        {"strides": 2},
        {"dilation_rate": 2},
        {"dtype": "mixed_bfloat16"},
    ],
)
def test_what_is_not_its_kind_does_not_fit(any_channels, options):
    assert fits(build_convolution(padding="same"))
    assert not fits(build_convolution(padding="same", **options))


def test_groups_other_kinds_and_few_channels_do_not_fit():
    assert fits(build_convolution(128, 128))
    assert not fits(build_convolution(127, 128)) and not fits(build_convolution(128, 127))
    grouped = layers.Conv2D(256, 3, groups=2)
    grouped.build((None, 8, 8, 256))
    turned = layers.Conv2D(128, 3, data_format="channels_first")
    turned.build((None, 128, 8, 8))
    assert not fits(grouped) and not fits(turned)

    class Squared(layers.Conv2D):
        def call(self, inputs):
            return super().call(inputs) ** 2

    squared = Squared(128, 3)
    squared.build((None, 8, 8, 128))
    assert not fits(squared) and not fits(layers.ReLU())


def build_branches():
    """A base with two ways through it, a layer used twice, and weights that are not trained."""
    inputs = keras.Input((12, 10, 3))
    first = layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(inputs)
    again = layers.Conv2D(8, 3, padding="same", name="again")
    normal = layers.BatchNormalization(name="normal")
    added = layers.Add()([again(first), again(again(first)), normal(first)])
    pooled = layers.MaxPooling2D()(layers.Conv2D(5, 3, name="last")(added))
    base = keras.Model(inputs, pooled, name="branches")
    normal.moving_mean.assign(np.linspace(-1, 1, 8))
    base.trainable = False
    return base


def test_a_copy_computes_what_the_base_computes_and_leaves_it_alone(any_channels):
    base = build_branches()
    weights = [weight.copy() for weight in base.get_weights()]
    images = np.random.default_rng(4).random((3, 12, 10, 3)).astype("float32")
    expected = base(images, training=False)
    copied = copy_with_winograd(base)
    replaced = [layer.name for layer in copied.layers if isinstance(layer, WinogradConv2D)]
    assert sorted(replaced) == ["again", "first", "last"]
    np.testing.assert_allclose(copied(images, training=False), expected, atol=1e-5)
    assert not copied.trainable_weights
    assert base.get_layer("first").output.shape == (None, 12, 10, 8)  # used in one place still
    for weight, kept in zip(base.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, kept)
