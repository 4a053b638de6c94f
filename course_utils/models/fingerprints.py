"""Fingerprints of layers and bases: configuration, weights, connections, code of own layers."""

import json
import re
import warnings
from collections.abc import Mapping
from functools import cache

from course_utils.core import backend
from course_utils.core.fingerprints import NotFollowedError, fingerprint, is_own, register

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# Settings that do not change what a layer computes. The seed is among them, since stored views
# set the random states themselves.
LEFT_OUT = {"name", "trainable", "seed", "dtype", "build_config", "build_input_shape"}
SEED_STATE = "seed_generator_state"  # how Keras names the variable of a `SeedGenerator`


def fingerprint_layer(layer: keras.Layer) -> str:
    """Returns a layer's fingerprint, which differs if the layer computes something else.

    It covers configuration, weights and data type. For a student's own layers and functions it
    also covers their code, with the global names and helpers it uses and what it closes over.

    Args:
        layer: A layer, a container of layers or a model.

    Returns:
        32 hexadecimal digits.

    Raises:
        NotFollowedError: If an own layer holds something whose content cannot be read.
    """
    try:
        return fingerprint(layer)
    except NotFollowedError as error:
        raise NotFollowedError(
            f"Expected layers whose content the kit can read, received {layer.name!r}: {error}. "
            "Keep numbers, text, arrays or Keras's own objects in it instead, or train with "
            'method="in_model".'
        ) from error


def fingerprint_base(base: keras.Model) -> str:
    """Returns a base's fingerprint, which covers layers, weights, connections and image size.

    Args:
        base: The frozen base.

    Returns:
        20 hexadecimal digits, then the shape of one photo.
    """
    return f"{fingerprint(base)[:20]} {base.input_shape[1:]}"


def seed_states(layer: keras.Layer) -> list:
    """Returns the variables that hold the random states of a layer and of the layers inside it.

    Args:
        layer: Any Keras layer.

    Returns:
        Variables of a `keras.random.SeedGenerator`, uint32, shape (2,); empty if there are none.
    """
    return [variable for variable in layer.variables if variable.name == SEED_STATE]


def is_random(layer: keras.Layer) -> bool:
    """Whether a layer draws random values in training, with Keras's own random state.

    Args:
        layer: Any Keras layer. A layer that a functional model calls with `training=False` draws
            none.
    """
    return bool(seed_states(layer)) and getattr(layer, "fixed_training", None) is not False


def describe_layer(layer: keras.Layer) -> list:
    """Returns all that counts of a layer, for `fingerprint` to follow.

    Args:
        layer: A layer, a container of layers or a model.
    """
    kind, config = type(layer), _read_config(layer)
    return [
        kind,
        _strip(config),
        getattr(layer, "compute_dtype", None),
        [weight.numpy() for weight in _own_weights(layer)],
        list(_inner_layers(layer)),
        _describe_wiring(layer),
        {
            name: value
            for name, value in vars(layer).items()
            if name not in _keras_attributes() and (config is None or _holds_own_code(value))
        },
    ]


def _own_weights(layer: keras.Layer) -> list:
    """Returns a layer's own variables, without those of inner layers and without random states."""
    inner = {id(each) for below in _inner_layers(layer) for each in below.variables}
    return [each for each in layer.variables if id(each) not in inner and each.name != SEED_STATE]


def _inner_layers(layer: keras.Layer) -> list[keras.Layer]:
    return [each for each in getattr(layer, "_layers", []) if isinstance(each, keras.Layer)]


def _read_config(layer: keras.Layer) -> dict | None:
    """Returns a layer's configuration; `None` if its attributes are described instead."""
    if isinstance(layer, keras.Model):
        return {}  # Its layers are described one by one.
    if is_own(type(layer)):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # Of functions that cannot be saved.
            config = layer.get_config()
    except Exception:  # A function typed into a session has no source, which Keras asks for.
        return None
    # Functions are described as attributes; the configuration has only their names.
    followed = {name for name, value in vars(layer).items() if _holds_own_code(value)}
    return {name: value for name, value in config.items() if name not in followed}


def _strip(config):
    """Returns a configuration, also an inner one, without settings that compute nothing."""
    if isinstance(config, Mapping):
        return {key: _strip(value) for key, value in config.items() if key not in LEFT_OUT}
    if isinstance(config, list | tuple):
        return [_strip(value) for value in config]
    if isinstance(config, keras.Layer) or callable(config):
        return type(config).__name__
    return config


def _holds_own_code(value) -> bool:
    """Whether an attribute of a Keras layer is the student's own function or object."""
    if isinstance(value, keras.Layer | type):
        return False
    if isinstance(value, list | tuple):
        return any(map(_holds_own_code, value))
    return is_own(value) if hasattr(value, "__code__") else is_own(type(value))


@cache
def _keras_attributes() -> frozenset[str]:
    """Returns the names of the attributes that every layer has once it is built and called."""

    class Plain(keras.layers.Layer):
        def build(self, shape):
            self.weight = self.add_weight(shape=())

        def call(self, inputs):
            return inputs

    plain = Plain()
    plain(keras.ops.zeros((1, 1)))
    return frozenset(vars(plain)) - {"weight"}


def _describe_wiring(layer: keras.Layer) -> str:
    """Returns how layers and operations are connected; "" for a plain chain of layers."""
    if isinstance(layer, keras.Sequential) or not hasattr(layer, "operations"):
        return ""
    steps = layer.get_config()["layers"]
    fed = [json.dumps(step["inbound_nodes"], default=str) for step in steps]
    sources = [re.findall(r'"keras_history": \["(.*?)", 0, 0\]', text) for text in fed]
    chain = [[], *([step["name"]] for step in steps[:-1])]
    if sources == chain and all(isinstance(each, keras.Layer) for each in layer.operations):
        return ""
    text = json.dumps([[step["class_name"], step["inbound_nodes"]] for step in steps], default=str)
    for number, step in enumerate(steps):  # Keras's names have numbers that go on between models.
        text = text.replace(json.dumps(step["name"]), str(number))
    return text


def _describe_object(thing) -> list:
    """Describes a Keras object that is not a layer, such as an initializer or a data type."""
    return [type(thing), _strip(thing.get_config())]


register(keras.Operation, _describe_object)
register(keras.Layer, describe_layer)
register(keras.random.SeedGenerator, lambda generator: "random state")
for each in (keras.initializers.Initializer, keras.regularizers.Regularizer):
    register(each, _describe_object)
for each in (keras.DTypePolicy, keras.constraints.Constraint, keras.Optimizer):
    register(each, _describe_object)
