"""Where in a photo a model finds what speaks for a class: `grad_cam`."""

from collections.abc import Sequence

import numpy as np

from course_utils.core import backend

tf = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def grad_cam(base: keras.Model, head: Sequence[keras.Layer], images, layer: str) -> np.ndarray:
    """Returns a map of heat for each photo: where a layer speaks for the model's answer.

    Args:
        base: From images to features.
        head: The layers after it; the last one is Dense(1) with a sigmoid.
        images: float32 in [0, 1], shape (photos, height, width, 3).
        layer: The name of a convolution in the base.

    Returns:
        float32, 0 or more, shape (photos, height, width) of the layer's output.

    Source:
        Selvaraju and others, Grad-CAM, arXiv:1610.02391. The gradients are kept by position, as in
        Draelos and Carin, arXiv:2011.08891, since a head that flattens has weights by position.

    Example:
        >>> head = keras.Sequential(model.layers[-3:]).layers
        >>> grad_cam(base, head, splits.valid.read([0, 1]), base.layers[-1].name).shape[0]
        2
    """
    middle = base.get_layer(layer).output
    after = [] if middle is base.output else [keras.Model(middle, base.output)]
    maps = values = keras.Model(base.input, middle)(images, training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        for each in (*after, *head[:-1]):
            values = each(values)
        score = values @ head[-1].kernel + head[-1].bias  # before the sigmoid; above 0: class 1
        answer = score * tf.sign(score)
    gradients = tape.gradient(answer, maps)
    return tf.nn.relu(tf.reduce_sum(gradients * maps, axis=-1)).numpy()
