"""Fingerprints of layers and bases: configuration, weights, wiring, and the code of own layers."""

import json
import re
import warnings
from collections.abc import Mapping
from functools import cache

from course_utils.core import backend
from course_utils.core.fingerprints import fingerprint, is_own, register

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# What changes nothing in what a layer computes. Its own seed is left out too: the random states of
# stored views come from elsewhere.
LEFT_OUT = {"name", "trainable", "seed", "dtype", "build_config", "build_input_shape"}
SEED_STATE = "seed_generator_state"  # how Keras names the variable of a `SeedGenerator`


def fingerprint_layer(layer: keras.Layer) -> str:
    """Returns text that differs where what layers of their kind compute differs.

    Configuration, weights and data type count, and for own layers and functions their code, with
    the global names and helpers that it uses and what it closes over.

    Args:
        layer: A layer, a container of layers or a model.

    Raises:
        NotFollowedError: If an own layer holds something whose content cannot be read.
    """
    return fingerprint(layer)


def fingerprint_base(base: keras.Model) -> str:
    """Returns text that differs where a base's layers, weights, wiring or image size differ."""
    return f"{fingerprint(base)[:20]} {base.input_shape[1:]}"


def seed_states(layer: keras.Layer) -> list:
    """Returns the variables that hold a layer's random state, those inside it included.

    Args:
        layer: Any Keras layer; an empty list says that it draws nothing with Keras's own state.
    """
    return [variable for variable in layer.variables if variable.name == SEED_STATE]


def is_random(layer: keras.Layer) -> bool:
    """Whether a layer draws at random in training, with Keras's own random state.

    Args:
        layer: Any Keras layer; what is fixed in inference by its call (`training=False`) is not.
    """
    return bool(seed_states(layer)) and getattr(layer, "fixed_training", None) is not False


def _describe_layer(layer: keras.Layer) -> list:
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
    """Returns a layer's own variables, those of inner layers and random states left out."""
    inner = {id(each) for below in _inner_layers(layer) for each in below.variables}
    return [each for each in layer.variables if id(each) not in inner and each.name != SEED_STATE]


def _inner_layers(layer: keras.Layer) -> list[keras.Layer]:
    return [each for each in getattr(layer, "_layers", []) if isinstance(each, keras.Layer)]


def _read_config(layer: keras.Layer) -> dict | None:
    """Returns a layer's configuration; `None` where its attributes have to stand for it."""
    if isinstance(layer, keras.Model):
        return {}  # Its layers say it all.
    if is_own(type(layer)):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # Of functions that cannot be saved.
            config = layer.get_config()
    except Exception:  # A function typed into a session has no source, which Keras asks for.
        return None
    # Functions are followed as attributes; a configuration says where they were written.
    followed = {name for name, value in vars(layer).items() if _holds_own_code(value)}
    return {name: value for name, value in config.items() if name not in followed}


def _strip(config):
    """Returns a configuration, inner ones included, without what computes nothing."""
    if isinstance(config, Mapping):
        return {key: _strip(value) for key, value in config.items() if key not in LEFT_OUT}
    if isinstance(config, list | tuple):
        return [_strip(value) for value in config]
    if isinstance(config, keras.Layer) or callable(config):
        return type(config).__name__
    return config


def _holds_own_code(value) -> bool:
    """Whether an attribute of Keras's layer is a student's: a function, or an object of one."""
    if isinstance(value, keras.Layer | type):
        return False
    if isinstance(value, list | tuple):
        return any(map(_holds_own_code, value))
    return is_own(value) if hasattr(value, "__code__") else is_own(type(value))


@cache
def _keras_attributes() -> frozenset[str]:
    """Returns the names that every layer's attributes have, built and called."""

    class Plain(keras.layers.Layer):
        def build(self, shape):
            self.weight = self.add_weight(shape=())

        def call(self, inputs):
            return inputs

    plain = Plain()
    plain(keras.ops.zeros((1, 1)))
    return frozenset(vars(plain)) - {"weight"}


def _describe_wiring(layer: keras.Layer) -> str:
    """Returns what feeds what, operations other than layers included; empty for a plain chain."""
    if isinstance(layer, keras.Sequential) or not hasattr(layer, "operations"):
        return ""
    steps = layer.get_config()["layers"]
    fed = [json.dumps(step["inbound_nodes"], default=str) for step in steps]
    sources = [re.findall(r'"keras_history": \["(.*?)", 0, 0\]', text) for text in fed]
    chain = [[], *([step["config"]["name"]] for step in steps[:-1])]
    if sources == chain and all(isinstance(each, keras.Layer) for each in layer.operations):
        return ""
    text = json.dumps([[step["class_name"], step["inbound_nodes"]] for step in steps], default=str)
    for number, step in enumerate(steps):  # Keras numbers its names on from model to model.
        text = text.replace(json.dumps(step["config"]["name"]), str(number))
    return text


def _describe_object(thing) -> list:
    """Takes apart what of Keras is no layer: an initializer, a data type, a random state."""
    return [type(thing), _strip(thing.get_config())]


register(keras.Operation, _describe_object)
register(keras.Layer, _describe_layer)
register(keras.random.SeedGenerator, lambda generator: "random state")
for each in (keras.initializers.Initializer, keras.regularizers.Regularizer):
    register(each, _describe_object)
for each in (keras.DTypePolicy, keras.constraints.Constraint, keras.Optimizer):
    register(each, _describe_object)
