"""What `train` and `fit` make sure of and choose before the first epoch."""

import keras

from course_utils.core import backend
from course_utils.core.checks import check_choice
from course_utils.models.partition import IN_MODEL, Parts, split_model

METHODS = ("in_model", "stored_features")
# What a student may override to train in a way of their own.
OWN_STEPS = ("train_step", "test_step", "compute_loss", "compute_metrics", "call")


def choose_method(method: str) -> tuple[str, str]:
    """Returns the method that counts, and why.

    Args:
        method: `"in_model"`, `"stored_features"` or `"auto"`.
    """
    if check_choice("method", method, (*METHODS, "auto")) != "auto":
        return method, "as asked"
    if backend.device() == "GPU":
        return "in_model", "there is a GPU"
    return "stored_features", "no GPU was found"


def ready_model(model: keras.Model, image_size: tuple[int, int]) -> None:
    """Builds a model and its optimizer where they are not.

    Args:
        model: What is to be trained.
        image_size: (height, width) in pixels.

    Raises:
        ValueError: If it is not compiled, or trains in a way of its own.
    """
    if not getattr(model, "compiled", False):
        raise ValueError("Expected a compiled model, received one that is not: call compile().")
    own = [name for name in OWN_STEPS if not _is_kerass(getattr(type(model), name))]
    if own:
        raise ValueError(
            f"Expected a model that trains as Keras's own do, received {type(model).__name__}, "
            f"which has its own `{own[0]}`. Train it with its own `fit`."
        )
    if not model.built:
        model.build((None, *image_size, 3))
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def split_for_training(model: keras.Model, base=None) -> Parts:
    """Returns the parts of a model whose frozen part may be asked once for each photo.

    Args:
        model: A built model.
        base: As in `split_model`.

    Raises:
        ValueError: If no part of it may.
    """
    parts = split_model(model, base)
    for part in (*parts.front, parts.base):
        for layer in part._flatten_layers():
            if getattr(layer, "activity_regularizer", None) is not None:
                raise ValueError(
                    "Expected frozen layers that add nothing to the loss, but the layer "
                    f"{layer.name!r} has an `activity_regularizer`. Take it out, since it changes "
                    f"no weight of the head, or {IN_MODEL}."
                )
    return parts


def _is_kerass(function) -> bool:
    return function.__module__.partition(".")[0] == "keras"
