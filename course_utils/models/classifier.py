"""The lesson's classifier: augmentation, frozen base and a small head in one `keras.Sequential`."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from course_utils.core import backend
from course_utils.core.checks import check_choice

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# VGG16 was trained on BGR images from 0 to 255, from which these means were subtracted
# (`keras.applications.vgg16.preprocess_input` does it to a NumPy array).
IMAGENET_MEANS_BGR = (103.939, 116.779, 123.68)


def build_classifier(
    base: keras.Model,
    augmentation: Sequence[keras.Layer] = (),
    *,
    imagenet_preprocessing: bool = False,
    head: str = "lesson",
    seed: int = 31415,
) -> keras.Sequential:
    """Builds and compiles the lesson's model: augmentation, base, Dense(6), Dense(1).

    Lesson 02 builds it in plain Keras.

    Args:
        base: A frozen model from images to features, as `load_vgg16_base` returns it.
        augmentation: Keras layers that transform float32 images in [0, 1]. They are active in
            `fit` and have no effect in `evaluate` and `predict`.
        imagenet_preprocessing: Whether the base receives images as VGG16 was trained on (BGR,
            means subtracted). The lesson gives it RGB images in [0, 1].
        head: `"lesson"`, or `"stable"`, the head of `compare`, which cannot die (see `Head`).
        seed: For the head's initial weights: the same seed gives the same weights.

    Returns:
        A `keras.Sequential` from float32 RGB images in [0, 1], shape
        (batch, height, width, 3), to the probability of class 1, shape (batch, 1).

    Example:
        >>> model = build_classifier(base, [keras.layers.RandomFlip("horizontal")])
        >>> [type(layer).__name__ for layer in model.layers[-3:]], model.output_shape
        (['Flatten', 'Dense', 'Dense'], (None, 1))
    """
    model = keras.Sequential(
        [
            keras.Input(base.input_shape[1:]),
            *augmentation,
            *([build_imagenet_preprocessing()] if imagenet_preprocessing else []),
            base,
            *build_head(head, seed=seed),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["binary_accuracy"])
    return model


class Head(NamedTuple):
    """What tells one kind of head from another.

    The features of VGG16's base are large: those of one photo add up to about 1,300. So Adam's
    first steps of 0.001 move a hidden unit by more than one, and often below zero for every photo.
    There a ReLU passes no gradient, and the unit stays dead. A stable head gets smaller features,
    and its units pass a fifth of the gradient below zero. `studies/choose_head.py` compares both.

    Args:
        activation: Of the hidden layer, as Keras names it.
        slope: Of the activation for negative inputs.
        scale: What the features are multiplied by first.
    """

    activation: str
    slope: float
    scale: float


HEADS = {
    "lesson": Head("relu", slope=0.0, scale=1.0),
    "stable": Head("leaky_relu", slope=0.2, scale=0.1),
}


def build_head(head: str = "lesson", *, seed: int = 31415) -> list[keras.Layer]:
    """Builds the layers after the base: Flatten, Dense(6), Dense(1).

    Args:
        head: `"lesson"` or `"stable"`. A stable head scales the features first.
        seed: For the initial weights.

    Example:
        >>> [layer.units for layer in build_head()[1:]]
        [6, 1]
    """
    kind = HEADS[check_choice("head", head, HEADS)]
    glorot = keras.initializers.GlorotUniform
    return [
        *([keras.layers.Rescaling(kind.scale)] if kind.scale != 1 else []),
        keras.layers.Flatten(),
        keras.layers.Dense(6, activation=kind.activation, kernel_initializer=glorot(seed=seed)),
        keras.layers.Dense(1, activation="sigmoid", kernel_initializer=glorot(seed=seed + 1)),
    ]


def build_imagenet_preprocessing() -> keras.layers.Conv2D:
    """Builds the layer that turns RGB images in [0, 1] into images as VGG16 was trained on.

    A 1 × 1 convolution can swap channels, scale and shift. So a plain Keras layer does it, and
    the model can be saved and loaded without custom code.

    Returns:
        A frozen layer from RGB in [0, 1] to BGR from 0 to 255 minus ImageNet's means, both
        float32, shape (batch, height, width, 3).

    Source: `keras.applications.vgg16.preprocess_input`, mode "caffe".
    """
    layer = keras.layers.Conv2D(
        3, 1, trainable=False, dtype="float32", name="imagenet_preprocessing"
    )
    layer.build((None, None, None, 3))
    swapped = 255 * np.eye(3, dtype="float32")[::-1]
    layer.set_weights([swapped[None, None], -np.array(IMAGENET_MEANS_BGR, "float32")])
    return layer
