"""A frozen base as such: what tells it from others, and copies of it."""

import hashlib
import json
import re
from collections.abc import Callable

import numpy as np

from course_utils.core import backend

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def fingerprint_base(base: keras.Model) -> str:
    """Returns text that differs where a base's layers, weights, wiring or image size differ."""
    digest = hashlib.blake2b(digest_size=10)
    for layer in base.layers:
        digest.update(json.dumps(describe_layer(layer), sort_keys=True, default=str).encode())
        for weight in layer.get_weights():
            digest.update(np.ascontiguousarray(weight))
    digest.update(_describe_wiring(base).encode())
    return f"{digest.hexdigest()} {base.input_shape[1:]}"


def _describe_wiring(base: keras.Model) -> str:
    """Returns what feeds what, operations other than layers included; empty for a plain chain."""
    if isinstance(base, keras.Sequential) or not hasattr(base, "operations"):
        return ""
    steps = base.get_config()["layers"]
    fed = [json.dumps(step["inbound_nodes"], default=str) for step in steps]
    sources = [re.findall(r'"keras_history": \["(.*?)", 0, 0\]', text) for text in fed]
    chain = [[], *([step["config"]["name"]] for step in steps[:-1])]
    if sources == chain and all(isinstance(each, keras.Layer) for each in base.operations):
        return ""
    text = json.dumps([[step["class_name"], step["inbound_nodes"]] for step in steps], default=str)
    for number, step in enumerate(steps):  # Keras numbers its names on from model to model.
        text = text.replace(json.dumps(step["config"]["name"]), str(number))
    return text


def describe_layer(layer: keras.Layer) -> dict:
    """Returns a layer's configuration without what changes nothing in the features stored.

    A random layer's own seed is left out: the dice of stored views come from elsewhere.
    """
    left_out = ("name", "dtype", "trainable", "seed")
    return {key: value for key, value in layer.get_config().items() if key not in left_out}


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
        # What a layer derives from its weights, `set_weights` does not derive anew.
        if isinstance(its_copy, keras.layers.Normalization):
            its_copy.finalize_state()
    copied.trainable = False
    return copied
