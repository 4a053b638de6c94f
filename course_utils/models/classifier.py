"""The lesson's classifier: augmentation, frozen base and a small head in one `keras.Sequential`."""

from collections.abc import Iterable, Sequence

import numpy as np

from course_utils.core import backend

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# What VGG16 was trained on: BGR, 0 to 255, less these means (Keras's
# `keras.applications.vgg16.preprocess_input` does the same to a NumPy array).
IMAGENET_MEANS_BGR = (103.939, 116.779, 123.68)


def build_classifier(
    base: keras.Model,
    augmentation: Sequence[keras.Layer] = (),
    *,
    imagenet_preprocessing: bool = False,
    seed: int = 31415,
) -> keras.Sequential:
    """Builds the lesson's model, compiled: augmentation, base, Dense(6), Dense(1).

    Args:
        base: A frozen model from images to features, as `load_vgg16_base` gives.
        augmentation: Keras layers that transform float32 images in [0, 1]; active in `fit`,
            without effect in `evaluate` and `predict`.
        imagenet_preprocessing: Whether the base is fed what VGG16 was trained on (BGR, means
            subtracted) instead of RGB in [0, 1], as the lesson feeds it.
        seed: Of the head's initial weights: equal seeds, equal heads.

    Returns:
        A `keras.Sequential` from float32 RGB images in [0, 1], shape
        (batch, height, width, 3), to the probability of class 1, shape (batch, 1).
    """
    glorot = keras.initializers.GlorotUniform
    model = keras.Sequential(
        [
            keras.Input(base.input_shape[1:]),
            *augmentation,
            *([build_imagenet_preprocessing()] if imagenet_preprocessing else []),
            base,
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="relu", kernel_initializer=glorot(seed=seed)),
            keras.layers.Dense(1, activation="sigmoid", kernel_initializer=glorot(seed=seed + 1)),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["binary_accuracy"])
    return model


def build_imagenet_preprocessing() -> keras.layers.Conv2D:
    """Builds the layer that turns RGB in [0, 1] into what VGG16 was trained on.

    A convolution of one pixel can swap channels, scale and shift, so that a plain Keras layer
    does it and the model can be saved and loaded without custom code.

    Returns:
        A frozen layer from float32 (batch, height, width, 3) RGB in [0, 1] to BGR, 0 to 255
        less ImageNet's means.

    Source: `keras.applications.vgg16.preprocess_input`, mode "caffe".
    """
    layer = keras.layers.Conv2D(
        3, 1, trainable=False, dtype="float32", name="imagenet_preprocessing"
    )
    layer.build((None, None, None, 3))
    swapped = 255 * np.eye(3, dtype="float32")[::-1]
    layer.set_weights([swapped[None, None], -np.array(IMAGENET_MEANS_BGR, "float32")])
    return layer


def is_dead(model: keras.Model, batches: Iterable) -> bool:
    """Whether all units of the last hidden layer are zero on every input: a head that died.

    A ReLU unit that is zero for all photos passes no gradient, so it never comes back; with
    every unit dead the model answers the same whatever it sees.

    Args:
        model: A classifier or a head whose second-last layer is the hidden one.
        batches: Pairs of (inputs, labels).
    """

    def is_silent(values):
        for layer in model.layers[:-1]:
            values = layer(values, training=False)
        return not np.any(keras.ops.convert_to_numpy(values))

    # A living head shows itself in the first batch, so this costs one batch as a rule.
    return all(is_silent(inputs) for inputs, _ in batches)
