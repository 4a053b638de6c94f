"""A model in three parts: augmentation layers, the frozen base, and the head that learns.

The parts are found by what the layers do. The base ends before the first layer that learns, and
begins after the last random layer before it. So the base may be a model, several layers in a row,
or the first blocks of a model whose last block learns; or, if it is named, of a frozen one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from course_utils.core import backend
from course_utils.core.fingerprints import register
from course_utils.models.fingerprints import is_random, seed_states

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

IN_MODEL = 'train with method="in_model"'


@dataclass(frozen=True)
class Parts:
    """A model's layers by what they do in training; one after the other, they are the model.

    Args:
        front: Augmentation and preprocessing layers before the base; may be empty.
        base: The frozen model from images to features; nothing in it is random.
        head: The layers after the base, up to the model's output; they learn.
    """

    front: tuple[keras.Layer, ...]
    base: keras.Model
    head: tuple[keras.Layer, ...]


@dataclass(frozen=True)
class _Step:
    """A layer of the chain, and the nested model that it was taken from."""

    layer: keras.Layer
    origin: object


class WiredLayer(keras.layers.Layer):
    """A step of a functional model as a layer: an operation and the arguments of its call.

    Args:
        operation: A Keras operation or layer.
        arguments: The arguments of the call, with one KerasTensor among them; `None` if that
            tensor is the only argument.
        training: `False` if the functional model calls the layer, or a model around it, with
            `training=False`.
    """

    def __init__(self, operation, arguments, *, training: bool | None = None):
        super().__init__()
        self.operation = operation
        self.fixed_training = training
        # In a dict of its own, since Keras would copy and wrap the arguments as an attribute.
        self._wired = {"arguments": arguments}

    def call(self, inputs, training=None):
        arguments, args, kwargs = self._wired["arguments"], (inputs,), {}
        if arguments is not None:
            args, kwargs = arguments.fill_in({id(arguments.keras_tensors[0]): inputs})
        kwargs.pop("training", None)
        if getattr(self.operation, "_call_has_training_arg", False):
            kwargs["training"] = training if self.fixed_training is None else self.fixed_training
        return self.operation(*args, **kwargs)


def split_model(model: keras.Model, base: keras.Layer | str | None = None) -> Parts:
    """Returns a model's augmentation layers, frozen base and head.

    Args:
        model: A built `keras.Sequential` or functional model from photos to one output.
        base: The last frozen layer or model, whose output is stored, or its name; it may be a
            layer inside a frozen model. `None` takes the last layer with weights before the first
            layer that learns.

    Raises:
        ValueError: If the model is neither sequential nor functional, no layer learns, no weights
            before the first layer that learns are frozen, or random layers are part of the base.
    """
    name = base if isinstance(base, str) else getattr(base, "name", None)
    steps = list_steps(model, opened=name)
    learning = next((n for n, step in enumerate(steps) if step.layer.trainable_weights), None)
    if learning is None:
        raise ValueError(
            "Expected a model with a layer that learns, received one whose layers are all frozen. "
            "Set `trainable = True` on the head, and compile again."
        )
    end = _find_end(steps, learning, name)
    front, frozen = _find_base(steps[:end], model.input_shape)
    return Parts(front, frozen, _make_distinct(step.layer for step in steps[end:]))


def _make_distinct(layers) -> tuple[keras.Layer, ...]:
    """Returns layers with different names, which `keras.Sequential` needs."""
    names, distinct = set(), []
    for layer in layers:
        distinct.append(WiredLayer(layer, None) if layer.name in names else layer)
        names.add(layer.name)
    return tuple(distinct)


def _find_end(steps: Sequence[_Step], learning: int, name: str | None) -> int:
    """Returns the number of steps before the head."""
    if name is not None:
        named = [
            n for n, step in enumerate(steps) if name in (_name(step), _name_origin(step.origin))
        ]
        if not named:
            listed = ", ".join(dict.fromkeys(_name(step) for step in steps))
            raise ValueError(
                f"Expected `base` to name one of the layers {listed}, received {name!r}."
            )
        if named[-1] >= learning:
            raise ValueError(
                f"Expected a frozen base, received {name!r}, in which {_name(steps[learning])!r} "
                f"learns. Set `trainable = False` and compile again, or {IN_MODEL}."
            )
        return named[-1] + 1
    weighted = [n for n, step in enumerate(steps[:learning]) if step.layer.weights]
    if not weighted:
        raise ValueError(
            f"Expected a frozen base before {_name(steps[learning])!r}, the first layer that "
            f"learns{_tell_origin(steps[learning])}, received none: "
            "there are no frozen weights before it. Set `base.trainable = False` and compile "
            f"again, name the layer whose output is to be stored (base=), or {IN_MODEL}."
        )
    end = weighted[-1] + 1
    # Layers of the same model without weights, such as the pooling layer after a block.
    while (
        end < learning
        and steps[end].origin is not None
        and steps[end].origin is steps[end - 1].origin
        and not is_random(steps[end].layer)
    ):
        end += 1
    return end


def _find_base(
    steps: Sequence[_Step], input_shape: tuple
) -> tuple[tuple[keras.Layer, ...], keras.Model]:
    """Returns the layers up to the last random one, and the layers after it as one model."""
    layers = [step.layer for step in steps]
    last = layers[-1]
    if (
        isinstance(last, WiredLayer)
        and isinstance(last.operation, keras.Model)
        and last.fixed_training is False
        and not seed_states(last.operation)
    ):
        last = last.operation  # A base is always called as in inference.
    random = [n for n, layer in enumerate(layers) if is_random(layer)]
    if random and random[-1] == len(layers) - 1:
        inner = [each.name for each in last._flatten_layers() if seed_states(each)]
        raise ValueError(
            f"Expected a base without random layers, received {last.name!r}, which contains "
            f"{inner[-1]!r}. It draws random values in training although it is frozen. Call the "
            f"base with `training=False` in a functional model, or {IN_MODEL}."
        )
    if isinstance(last, keras.Model):
        _check_listed(last)
        return tuple(layers[:-1]), last
    start = random[-1] + 1 if random else 0
    entering = keras.KerasTensor((None, *input_shape[1:]))
    for layer in layers[:start]:
        entering = layer.compute_output_spec(entering)
    base = keras.Sequential([keras.Input(entering.shape[1:]), *_make_distinct(layers[start:])])
    return tuple(layers[:start]), base


def list_steps(model: keras.Model, *, opened: str | None = None) -> list[_Step]:
    """Returns a model's layers one after the other, including those of nested models.

    A nested model without random layers and without layers that learn stays one step.

    Args:
        model: A built `keras.Sequential` or functional model.
        opened: The name of a layer; a nested model that has it is not one step.

    Raises:
        ValueError: If its layers cannot be listed, because it is subclassed or has several inputs
            or outputs.
    """
    return list(_expand(model, None, None, opened))


def flatten(layers: Sequence[keras.Layer]) -> tuple[keras.Layer, ...]:
    """Returns layers with every container that has random layers replaced by its layers.

    Args:
        layers: Augmentation layers and containers of them: `Pipeline`, `Sequential` and
            functional models.
    """
    return tuple(step.layer for layer in layers for step in _take_apart(layer, None, None))


def _take_apart(layer, training: bool | None, origin, opened: str | None = None) -> Iterator[_Step]:
    if isinstance(layer, keras.layers.InputLayer):
        return
    draws = seed_states(layer) and training is not False
    if isinstance(layer, keras.layers.Pipeline) and draws:
        for inner in layer.layers:
            yield from _take_apart(inner, training, layer, opened)
    elif isinstance(layer, keras.Model) and (
        draws or layer.trainable_weights or _contains(layer, opened)
    ):
        yield from _expand(layer, training, layer, opened)
    else:
        yield _Step(layer if training is None else _fix(layer), origin)


def _contains(model: keras.Model, name: str | None) -> bool:
    return name in [each.name for each in model._flatten_layers(include_self=False)]


def _fix(layer: keras.Layer) -> keras.Layer:
    """Returns a layer that always works as in inference."""
    if isinstance(layer, WiredLayer):
        return WiredLayer(layer.operation, layer._wired["arguments"], training=False)
    return WiredLayer(layer, None, training=False)


def _expand(
    model: keras.Model, training: bool | None, origin, opened: str | None = None
) -> Iterator[_Step]:
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            yield from _take_apart(layer, training, origin, opened)
        return
    _check_listed(model)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"Expected one input and one output, received {model.name!r} with "
            f"{len(model.inputs)} and {len(model.outputs)}. Leave one of each, or {IN_MODEL}."
        )
    for start, nodes, end in _list_segments(model):
        if len(nodes) > 1:  # Branches that meet again are one step.
            part = keras.Model(start, end)
            yield _Step(part if training is None else _fix(part), origin)
            continue
        arguments = nodes[0].arguments
        inner = arguments.kwargs.get("training", training)
        inner = training if inner is None else inner
        layer = nodes[0].operation
        given = {name for name, value in arguments.kwargs.items() if value is not None}
        plain = len(arguments.args) == 1 and not given - {"training"}
        if inner is True:
            inner = None  # Stored views and head set `training` themselves.
        if isinstance(layer, keras.Layer) and plain and len(arguments.keras_tensors) == 1:
            yield from _take_apart(layer, inner, origin, opened)
        else:
            yield _Step(WiredLayer(layer, arguments, training=inner), origin)


def _check_listed(model: keras.Model) -> None:
    if not isinstance(model, keras.Sequential) and not hasattr(model, "_nodes_by_depth"):
        raise ValueError(
            "Expected a keras.Sequential or a functional model, received "
            f"{type(model).__name__} {model.name!r}, whose layers cannot be listed in the order "
            f"in which they work. Build it with keras.Input, or {IN_MODEL}."
        )


def _list_segments(model: keras.Model) -> Iterator[tuple]:
    """Gives the pieces of a functional model between which only one tensor passes.

    Each piece is its input tensor, its calls, and its output tensor.
    """
    depths = sorted(model._nodes_by_depth, reverse=True)
    nodes = [node for depth in depths for node in model._nodes_by_depth[depth]]
    nodes = [node for node in nodes if not node.is_input]
    last_use = {id(tensor): n for n, node in enumerate(nodes) for tensor in node.input_tensors}
    last_use[id(model.outputs[0])] = len(nodes)
    start, segment, alive = model.inputs[0], [], {id(model.inputs[0])}
    for number, node in enumerate(nodes):
        segment.append(node)
        alive |= {id(tensor) for tensor in node.outputs}
        alive = {each for each in alive if last_use.get(each, -1) > number}
        if len(node.outputs) == 1 and alive == {id(node.outputs[0])}:
            yield start, segment, node.outputs[0]
            start, segment = node.outputs[0], []


def _name(step: _Step) -> str:
    return getattr(getattr(step.layer, "operation", step.layer), "name", step.layer.name)


def _tell_origin(step: _Step) -> str:
    return f" (in {step.origin.name!r})" if step.origin is not None else ""


def _name_origin(origin) -> str | None:
    return getattr(origin, "name", None)


def _describe_wired(layer: WiredLayer) -> list:
    arguments = layer._wired["arguments"]
    args, kwargs = arguments.convert(_name_tensor) if arguments is not None else ((), {})
    return [layer.operation, args, kwargs, layer.fixed_training]


def _name_tensor(value):
    return "input" if isinstance(value, keras.KerasTensor) else value


register(WiredLayer, _describe_wired)
