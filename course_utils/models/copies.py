"""Copies of a frozen base, in another precision or with some layers replaced."""

from collections.abc import Callable

from course_utils.core import backend

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def copy_base(base: keras.Model, copy: Callable[[keras.Layer], keras.Layer]) -> keras.Model:
    """Returns a frozen copy of a base with the same weights, made layer by layer.

    Args:
        base: A built `keras.Sequential` or functional model.
        copy: A function from a layer to the layer that replaces it, which has weights of the
            same shapes or none.

    Returns:
        A model with the same connections.
    """
    copies = []

    def copy_one(operation):
        if not isinstance(operation, keras.Layer):  # An addition or a slice has no state.
            return type(operation).from_config(operation.get_config())
        copies.append((operation, copy(operation)))
        return copies[-1][1]

    copied = keras.models.clone_model(base, clone_function=copy_one)
    for layer, its_copy in copies:
        if not its_copy.weights:
            continue  # It has no weights, or was given them when it was made.
        its_copy.set_weights(layer.get_weights())
        # `set_weights` does not update what this layer derives from its weights.
        if isinstance(its_copy, keras.layers.Normalization):
            its_copy.finalize_state()
    copied.trainable = False
    return copied
