"""What trains in a model's place: some of its own layers, compiled as the model itself is."""

from collections.abc import Sequence

import numpy as np

from course_utils.core import backend

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# Training steps in one call of TensorFlow. A head is small, so that what Keras does between two
# calls counts. An interrupt waits for the call to end: half a second for twenty heads, a second or
# two for fifty.
STEPS_PER_EXECUTION = 64


class Trainee(keras.Model):
    """Layers of a student's model as a model of their own, with that model's compiled objects.

    The layers are the student's, so that what they learn is in the student's model. Loss, metrics
    and optimizer are the very objects given to `compile`, so that functions of a notebook's cell
    work. `measure` also notes the lowest and the highest of each output.

    Args:
        model: The student's compiled model.
        layers: What trains or is measured, in order.
        steps_per_execution: How many batches one call of TensorFlow takes.
        jit_compile: Whether XLA compiles a step.
    """

    def __init__(
        self,
        model: keras.Model,
        layers: Sequence[keras.Layer],
        *,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
    ):
        super().__init__()
        self.chain = list(layers)
        shape = model.output_shape[1:]
        self._lowest, self._highest = (
            self.add_weight(shape=shape, dtype="float32", trainable=False, name=name)
            for name in ("lowest", "highest")
        )
        given = model._compile_config.config
        self.compile(
            **{name: given[name] for name in ("loss", "loss_weights", "metrics")},
            weighted_metrics=given["weighted_metrics"],
            optimizer=model.optimizer,
            run_eagerly=model.run_eagerly,
            steps_per_execution=1 if model.run_eagerly else steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=False,  # The model's optimizer is scaled where it has to be.
        )

    def call(self, values, training=None):
        for layer in self.chain:  # Keras hands `training` on to each.
            values = layer(values)
        return values

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not training:
            outputs = keras.ops.cast(y_pred, "float32")
            self._lowest.assign(keras.ops.minimum(self._lowest, keras.ops.min(outputs, axis=0)))
            self._highest.assign(keras.ops.maximum(self._highest, keras.ops.max(outputs, axis=0)))
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def measure(self, batches) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
        """Returns loss and metrics, and each output's lowest and highest value over the photos.

        Args:
            batches: As `evaluate` takes them.
        """
        self._lowest.assign(np.full(self._lowest.shape, np.inf))
        self._highest.assign(np.full(self._highest.shape, -np.inf))
        measured = self.evaluate(batches, verbose=0, return_dict=True)
        return measured, self._lowest.numpy(), self._highest.numpy()
