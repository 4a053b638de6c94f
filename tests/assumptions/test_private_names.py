"""Names of Keras and TensorFlow that no documentation promises, and that course_utils uses.

Where one of these tests fails, a library has moved or renamed something: the message names it and
the lines that use it. A private name that is used without a pin here fails as well.
"""

import ast
import json
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pytest

from course_utils.core import backend

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)
from keras import layers  # noqa: E402
from tensorflow.python.framework import ops as tensorflow_ops  # noqa: E402

PROJECT = Path(__file__).resolve().parents[2]
# Documented, though they begin with an underscore: Python's named tuples, Jupyter's protocol.
PUBLIC = {"_replace", "_repr_mimebundle_"}


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name not in PUBLIC


def find_uses():
    """From each private name of a library to where course_utils uses it: "file:line", …"""
    uses = {}
    for file in sorted((PROJECT / "course_utils").rglob("*.py")):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        own = {getattr(node, "name", None) for node in nodes}
        own |= {node.id for node in nodes if isinstance(node, ast.Name)}
        reached = []
        for node in nodes:
            if isinstance(node, ast.Attribute) and is_private(node.attr):
                mine = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                if mine and isinstance(node.ctx, ast.Store):
                    own.add(node.attr)
                reached.append((node.attr, node.lineno))
            elif (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") in ("getattr", "hasattr", "setattr")
                and isinstance(node.args[1], ast.Constant)
                and is_private(node.args[1].value)
            ):
                reached.append((node.args[1].value, node.lineno))
        for name, line in reached:
            if name not in own:
                uses.setdefault(name, []).append(f"{file.relative_to(PROJECT)}:{line}")
    return uses


def build_chain():
    inputs = keras.Input((4, 4, 3))
    return keras.Model(inputs, layers.Conv2D(2, 3, name="inner")(inputs) * 2.0)


def names(found):
    return [type(each).__name__ for each in found]


def order(model):
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [node.operation.name for depth in depths for node in model._nodes_by_depth[depth]]


def compiled(loss="mse"):
    """A compiled model that has not been trained."""
    model = build_chain()
    model.compile("adam", loss, metrics=["mae"])
    return model


def keeps_what_it_was_compiled_with(loss):
    kept = compiled(loss)._compile_config.config
    return kept["loss"] is loss and {"loss_weights", "metrics", "weighted_metrics"} <= set(kept)


def begins_where_it_is_told_to(model):
    model._initial_epoch = 2
    arrays = np.zeros((1, 4, 4, 3)), np.zeros((1, 2, 2, 2))
    return model.fit(*arrays, epochs=3, verbose=0).epoch == [2]


def registers_its_gradients():
    before = set(tensorflow_ops.gradient_registry._registry)
    doubled = tensorflow.custom_gradient(lambda x: (2 * x, lambda upstream: 2 * upstream))
    tensorflow.function(doubled)(tensorflow.zeros(()))
    added = set(tensorflow_ops.gradient_registry._registry) - before
    return any(name.startswith("CustomGradient-") for name in added)


# From each name to a check that it means what the kit takes it to mean.
def file_counter():
    """ipywidgets 7 counts the files of an upload apart from them; version 8 does not."""
    button = widgets.FileUpload()
    return hasattr(button, "_counter") == isinstance(button.value, dict)


PINS = {
    "_counter": file_counter,
    "_AUGMENT_LAYERS": lambda: "random_rotation" in layers.RandAugment(seed=1)._AUGMENT_LAYERS,
    "_call_has_training_arg": lambda: (
        layers.Dropout(0.5)._call_has_training_arg and not layers.Flatten()._call_has_training_arg
    ),
    "_compile_config": lambda: keeps_what_it_was_compiled_with(keras.losses.MeanSquaredError()),
    "_compile_metrics": lambda: hasattr(compiled()._compile_metrics, "build"),
    "_flatten_layers": lambda: (
        names(layers.Pipeline([layers.ReLU()])._flatten_layers()) == ["Pipeline", "ReLU"]
        and list(layers.ReLU()._flatten_layers(include_self=False)) == []
    ),
    "_initial_epoch": lambda: begins_where_it_is_told_to(compiled()),
    "_layers": lambda: names(build_chain()._layers) == ["InputLayer", "Conv2D"],
    "_nodes_by_depth": lambda: order(build_chain())[1] == "inner",
    "_registry": registers_its_gradients,
}
USES = find_uses()


@pytest.mark.parametrize("name", sorted(USES | PINS))
def test_private_name(name):
    assert name in USES, f"course_utils no longer uses {name}: delete its line in PINS."
    assert name in PINS, f"{', '.join(USES[name])} now uses {name}: add a check of it to PINS."
    try:
        holds = PINS[name]()
    except (AttributeError, TypeError, ValueError, IndexError):
        holds = False
    assert holds, f"{name} is gone or means something else now: {', '.join(USES[name])} uses it."


# Without an underscore, and undocumented all the same


def test_keras_s_layers_are_in_keras_src_layers():
    module = layers.RandomFlip.__module__
    assert module.startswith("keras.src.layers."), (
        f"Keras's layers are in {module} now: is_identity_in_inference in "
        "course_utils.features.views knows them by their module."
    )


def test_a_functional_model_s_nodes_say_what_was_called_with_what():
    model = build_chain()
    multiply, convolution, start = (nodes[0] for nodes in model._nodes_by_depth.values())
    partition = "course_utils.models.partition takes functional models apart by their nodes"
    assert start.is_input and not multiply.is_input, f"Node.is_input has changed: {partition}."
    assert convolution.operation is model.get_layer("inner"), (
        f"Node.operation is no longer the layer: {partition}."
    )
    assert (
        multiply.input_tensors[0] is convolution.outputs[0]
        and multiply.outputs[0] is model.outputs[0]
    ), f"Node.input_tensors and Node.outputs no longer hang together: {partition}."
    arguments = multiply.arguments
    assert arguments.args[1] == 2.0 and arguments.keras_tensors == [convolution.outputs[0]], (
        f"A node's arguments are kept otherwise now: {partition}."
    )
    filled, _ = arguments.fill_in({id(arguments.keras_tensors[0]): "filled"})
    assert filled == ("filled", 2.0), f"SymbolicArguments.fill_in has changed: {partition}."
    converted, _ = arguments.convert(lambda value: type(value).__name__)
    assert converted == ("KerasTensor", "float"), (
        f"SymbolicArguments.convert has changed: {partition}."
    )


def test_a_functional_model_s_config_says_what_feeds_what():
    steps = build_chain().get_config()["layers"]
    fed = [json.dumps(step["inbound_nodes"], default=str) for step in steps]
    assert '"keras_history": ["inner", 0, 0]' in fed[2], (
        "A functional model writes its wiring in other words now: _describe_wiring in "
        "course_utils.models.fingerprints reads it."
    )
    assert names(build_chain().operations) == ["InputLayer", "Conv2D", "Multiply"], (
        "Functional.operations has changed: _describe_wiring in course_utils.models.fingerprints "
        "uses it."
    )
