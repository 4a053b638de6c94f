"""Copies of a frozen base: in another precision, or with other layers in place of some."""

from collections.abc import Callable

from course_utils.core import backend

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def copy_base(base: keras.Model, copy: Callable[[keras.Layer], keras.Layer]) -> keras.Model:
    """Returns a frozen copy of a base with its weights, made layer by layer.

    Args:
        base: A built `keras.Sequential` or functional model.
        copy: From a layer to what takes its place: with weights like the layer's, or without any.
    """
    copies = []

    def copy_one(operation):
        if not isinstance(operation, keras.Layer):  # A sum or a slice, say, has no state.
            return type(operation).from_config(operation.get_config())
        copies.append((operation, copy(operation)))
        return copies[-1][1]

    copied = keras.models.clone_model(base, clone_function=copy_one)
    for layer, its_copy in copies:
        if not its_copy.weights:
            continue  # It has none, or took what it needs when it was made.
        its_copy.set_weights(layer.get_weights())
        # What a layer derives from its weights, `set_weights` does not derive again.
        if isinstance(its_copy, keras.layers.Normalization):
            its_copy.finalize_state()
    copied.trainable = False
    return copied
