"""A model on several GPUs, each with a part of every batch, and kept equal to the student's."""

from collections.abc import Sequence

from course_utils.core import backend

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


class Mirror:
    """A copy of a model on several GPUs. What one learns or a callback changes, the other gets.

    Args:
        model: The student's compiled model.
        layers: What is copied: its layers, or what stands for them.
        gpus: The devices' names.
        frozen: The layer that neither learns nor is changed, if any.

    Attributes:
        model: The copy, compiled.
    """

    def __init__(
        self,
        model: keras.Model,
        layers: Sequence[keras.Layer],
        gpus: Sequence[str],
        *,
        frozen: keras.Layer | None,
    ):
        given = model._compile_config.config
        with tensorflow.distribute.MirroredStrategy(gpus).scope():
            copies = [_copy(layer) for layer in layers]
            self.model = keras.Sequential([keras.Input(model.input_shape[1:]), *copies])
            self.model.compile(
                optimizer=_copy(model.optimizer),
                jit_compile=False,
                auto_scale_loss=False,
                **{
                    name: keras.tree.map_structure(_copy, given[name])
                    for name in ("loss", "loss_weights", "metrics", "weighted_metrics")
                },
            )
            self.model.optimizer.build(self.model.trainable_variables)
        self._pairs = list(zip(model.optimizer.variables, self.model.optimizer.variables))  # noqa: B905
        for layer, copied in zip(layers, copies, strict=True):
            pairs = list(zip(layer.variables, copied.variables, strict=True))
            if layer is frozen:
                for original, variable in pairs:
                    variable.assign(original)
            else:
                self._pairs += pairs
        self.push()

    def push(self) -> None:
        """Gives the copy what the student's model has."""
        for original, copied in self._pairs:
            copied.assign(original)

    def pull(self) -> None:
        """Gives the student's model what the copy has."""
        for original, copied in self._pairs:
            original.assign(keras.ops.convert_to_numpy(copied))

    def callbacks(self) -> tuple[list, list]:
        """Returns the callbacks before and after the student's own."""
        pull = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.pull())
        push = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: self.push())
        return [pull], [push]


def _copy(given):
    """Returns a copy of an object of Keras's, without its state; anything else as it is."""
    if isinstance(given, keras.Model):
        return keras.models.clone_model(given)
    kinds = (keras.Layer, keras.Loss, keras.Metric, keras.Optimizer)
    return type(given).from_config(given.get_config()) if isinstance(given, kinds) else given
