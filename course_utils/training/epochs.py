"""Epochs of training in a model's place, with callbacks that see the student's complete model."""

import gc
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from course_utils.core import backend
from course_utils.models.fingerprints import SEED_STATE

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)
from tensorflow.python.framework import ops as tensorflow_ops  # noqa: E402

BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
# What the losses of a history are losses of, by the prefix of their columns.
SETS = {
    "": "training photos",
    "clean_": "clean training photos",
    "val_": "validation photos",
    "augmented_": "augmented training photos",
    "val_augmented_": "augmented validation photos",
}


def run_epochs(
    trainee: keras.Model,
    model: keras.Model,
    batches,
    *,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    steps: int | None = None,
    verbose: int | str = 0,
    **options,
) -> keras.callbacks.History:
    """Trains as Keras's `fit` does, and lets every callback see the student's model.

    Args:
        trainee: What trains: the model itself, or what trains in its place.
        model: The student's model: `callback.model`.
        batches: As `fit` takes them, in an order of their own.
        epochs: How often they are gone through.
        callbacks: In the order in which they are called.
        steps: Batches per epoch, for the progress bar; `None` where that is not known.
        verbose: As in `fit`.
        **options: Of `fit`.
    """
    called = keras.callbacks.CallbackList(
        [*callbacks, *([] if trainee is model else [_Relay(trainee)])],
        add_history=True,
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
    )
    model.stop_training = False
    trainee.history = model.history
    if trainee is not model:
        _build_metrics(model, batches)
    with freeing_graphs():
        return trainee.fit(batches, epochs=epochs, shuffle=False, callbacks=called, **options)


def list_callbacks(callbacks) -> list[keras.callbacks.Callback]:
    """Returns callbacks as a list, however they were given.

    Args:
        callbacks: One, several, or `None`, as `fit` takes them.

    Raises:
        TypeError: If one of them is none.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    listed = keras.tree.flatten(callbacks) if callbacks else []
    for callback in listed:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                "Expected `callbacks` to be keras.callbacks.Callback objects, received "
                f"{callback!r}. Write callbacks=[keras.callbacks.EarlyStopping()], for example."
            )
    return listed


def watches_batches(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Whether a callback does something between two batches."""
    return any(
        getattr(getattr(callback, hook), "__func__", None)
        is not getattr(keras.callbacks.Callback, hook)
        for callback in callbacks
        for hook in BATCH_HOOKS
    )


def _build_metrics(model: keras.Model, batches) -> None:
    """Builds the metrics of a model that does not train itself: callbacks look at them to learn
    whether more is better."""
    metrics = model._compile_metrics
    if metrics is None or metrics.built:
        return
    if isinstance(batches, tensorflow.data.Dataset):
        spec = batches.element_spec[1]
        labels = np.zeros([size or 1 for size in spec.shape], spec.dtype.as_numpy_dtype)
    else:
        labels = batches[0][1]
    metrics.build(labels, np.zeros((len(labels), *model.output_shape[1:]), "float32"))


class _Relay(keras.callbacks.Callback):
    """Hands on to what trains what callbacks ask of the student's model."""

    def __init__(self, trainee: keras.Model):
        super().__init__()
        self._trainee = trainee

    def on_train_begin(self, logs=None):
        self._trainee._initial_epoch = self.model._initial_epoch  # BackupAndRestore sets it.

    def on_train_batch_end(self, batch, logs=None):
        self._trainee.stop_training = self.model.stop_training

    def on_epoch_end(self, epoch, logs=None):
        self._trainee.stop_training = self.model.stop_training


class FixedPartWatch(keras.callbacks.Callback):
    """Refuses what changes the layers whose features are kept.

    Args:
        fixed: These layers.
        optimizer: The model's.
    """

    def __init__(self, fixed: Sequence[keras.Layer], optimizer: keras.optimizers.Optimizer):
        super().__init__()
        self._fixed = fixed
        self._optimizer = optimizer
        self._before = self._describe()

    def _describe(self) -> dict[str, tuple[int, bool]]:
        return {
            variable.path: (_checksum(variable), variable.trainable)
            for layer in self._fixed
            for variable in layer.variables
            if variable.name != SEED_STATE  # Each draw moves it.
        }

    def on_epoch_end(self, epoch, logs=None):
        now = self._describe()
        changed = [path for path in self._before if now.get(path) != self._before[path]]
        if changed:
            path = changed[0]
            what = "weights" if now[path][0] != self._before[path][0] else "`trainable`"
            raise ValueError(
                f"Expected the frozen layers to stay as they are, but in epoch {epoch + 1} the "
                f"{what} of the layer {path.rpartition('/')[0]!r} changed. Its features were "
                "computed before training. Take out the callback that changes it, or use the "
                "model's own `fit`."
            )
        if self.model.optimizer is not self._optimizer:
            raise ValueError(
                f"Expected the model to stay compiled as it is, but in epoch {epoch + 1} it got "
                "another optimizer. Take out the callback that compiles it, or use the model's "
                "own `fit`."
            )


def _checksum(variable) -> int:
    values = np.ascontiguousarray(variable.numpy())
    return zlib.crc32(values.reshape(-1).view(np.uint8))


class FiniteLossWatch(keras.callbacks.Callback):
    """Stops training after the first epoch with a loss that is not finite.

    Attributes:
        words: Which loss, and what to do; empty as long as all are finite.
    """

    words = ""

    def on_epoch_end(self, epoch, logs=None):
        losses = {prefix: logs[f"{prefix}loss"] for prefix in SETS if f"{prefix}loss" in logs}
        broken = next((prefix for prefix in losses if not np.isfinite(losses[prefix])), None)
        if broken is None:
            return
        self.model.stop_training = True
        advice = (
            "As a rule a smaller learning rate helps."
            if broken == ""
            else "Look for photos or labels among them that are not finite numbers."
        )
        self.words = (
            f"Training stopped: in epoch {epoch + 1} the loss of the {SETS[broken]} is "
            f"{losses[broken]}, not a finite number. The history ends with this epoch. {advice}"
        )


@contextmanager
def freeing_graphs() -> Iterator[None]:
    """Frees the graphs of training: the last one's before, this one's afterwards.

    TensorFlow adds up gradients over devices inside a custom gradient, even on one device, and
    keeps each custom gradient in a registry for good, with the graph of the training step around
    it: several megabytes each time that a model is trained.
    """
    gc.collect()  # A graph's parts hold each other, and are many when Python comes to them itself.
    registry = tensorflow_ops.gradient_registry._registry
    before = set(registry)
    try:
        yield
    finally:
        for name in set(registry) - before:
            if name.startswith("CustomGradient-"):
                del registry[name]
