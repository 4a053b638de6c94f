"""Many heads that train side by side on the same stored features, as one Keras model."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from course_utils.core import backend
from course_utils.data.dataset import Splits
from course_utils.features.batches import StoredFeatures, StoredViews
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view, list_views
from course_utils.models.partition import Parts
from course_utils.training.epochs import freeing_graphs
from course_utils.training.head_death import is_constant
from course_utils.training.trainee import STEPS_PER_EXECUTION

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

EVALUATION_BATCH = 512  # photos' features at once: 16 MB
SMALLEST = 1e-7  # Keras's own limit to what a probability may be in the cross-entropy


def open_features(
    parts: Parts, splits: Splits, *, views: int, seed: int, precision: str, progress: bool
) -> tuple[list[StoredFeatures], StoredFeatures, StoredFeatures]:
    """Returns features of the training photos in every view, and clean ones of train and valid.

    What is missing is computed first.

    Args:
        parts: A model's front, base and head.
        splits: The photos.
        views: How many augmented versions of each training photo, where an augmentation is random.
        seed: Of the random draws.
        precision: `"float32"`, `"bfloat16"` or `"auto"`.
        progress: Whether to say what is computed.
    """
    drawn = list_views(parts.front, views=views, seed=seed)
    clean = clean_view(parts.front)
    needed = [(splits.valid, [clean]), (splits.train, [clean, *drawn])]
    store = prepare_features(
        parts.front, parts.base, needed, precision=precision, seed=seed, progress=progress
    )
    opened = [store.open(splits.train, view) for view in drawn]
    return opened, store.open(splits.train, clean), store.open(splits.valid, clean)


class Heads:
    """Heads of two dense layers as one compiled model from features to (batch, heads).

    Its loss is the sum of the heads' losses, so that each head moves as it would alone.

    Args:
        weights: float32 arrays as `gather_weights` gives them.
    """

    def __init__(self, weights: Sequence[np.ndarray]):
        kernels, biases, outputs, output_biases = weights
        *shape, width = kernels.shape
        count, hidden = outputs.shape
        self.model = keras.Sequential(
            [
                keras.Input(shape),
                keras.layers.Flatten(),
                # All hidden units of all heads in one layer: head after head, six by six.
                keras.layers.Dense(width, activation="relu"),
                keras.layers.Reshape((count, hidden)),
                keras.layers.EinsumDense(
                    "bsh,sh->bs", output_shape=(count,), bias_axes="s", activation="sigmoid"
                ),
            ]
        )
        self.model.set_weights([kernels.reshape(-1, width), biases, outputs, output_biases])

        def summed_loss(labels, probabilities):
            repeated = keras.ops.broadcast_to(labels, keras.ops.shape(probabilities))
            return count * keras.losses.binary_crossentropy(repeated, probabilities)

        # XLA would spare a quarter of a step, and compile again for the last, smaller batch.
        self.model.compile(
            optimizer="adam",
            loss=summed_loss,
            jit_compile=False,
            steps_per_execution=STEPS_PER_EXECUTION,
        )

    def get_weights(self) -> list[np.ndarray]:
        """Returns the weights as they are now, in the form of `gather_weights`."""
        kernels, *others = self.model.get_weights()
        return [kernels.reshape(*self.model.input_shape[1:], -1), *others]

    def restart(self, weights: Sequence[np.ndarray]) -> None:
        """Begins again, with other weights and an optimizer that remembers nothing.

        What TensorFlow compiled for the first training serves the next ones.

        Args:
            weights: float32 arrays of the same shapes, as `gather_weights` gives them.
        """
        kernels, *others = weights
        self.model.set_weights([kernels.reshape(-1, kernels.shape[-1]), *others])
        optimizer = self.model.optimizer
        if optimizer.built:
            for variable in optimizer.variables:
                if variable is not optimizer._learning_rate:
                    variable.assign(keras.ops.zeros_like(variable))

    def fit(self, batches: StoredViews, *, epochs: int, on_epoch_end) -> None:
        """Trains all heads.

        Args:
            batches: They bring their own order, one permutation an epoch.
            epochs: How often every photo is used.
            on_epoch_end: Called with the epoch's number, from 0.
        """
        callback = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: on_epoch_end(epoch)
        )
        options = {"epochs": epochs, "shuffle": False, "verbose": 0, "callbacks": [callback]}
        with freeing_graphs():
            self.model.fit(batches.as_dataset(), **options)

    def predict(self, views: StoredViews, *, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Returns every head's probabilities, (photos, heads), and which heads' vary.

        Args:
            views: Photos in their own order, a batch as large as memory allows.
            epoch: Which epoch's draw of the views.
        """
        kernels, biases, outputs, output_biases = self.model.get_weights()
        batches = []
        for read, _ in views.read_epoch(epoch):
            # What the model computes, in NumPy: TensorFlow would copy the features once more,
            # and Keras's `predict` trace a graph again for each set of heads.
            hidden = np.maximum(read.reshape(len(read), -1) @ kernels + biases, 0)
            hidden = hidden.reshape(len(read), *outputs.shape)
            batches.append(expit(np.einsum("bsh,sh->bs", hidden, outputs) + output_biases))
        probabilities = np.concatenate(batches)
        varies = ~is_constant(probabilities.min(axis=0), probabilities.max(axis=0))
        return probabilities, varies


def gather_weights(
    heads: Sequence[Sequence[keras.Layer]], shape: tuple[int, ...]
) -> list[np.ndarray]:
    """Returns the weights of many heads, side by side.

    Args:
        heads: Each head's layers, the last two dense, with as many units in each head.
        shape: Of one photo's features.

    Returns:
        float32 arrays: hidden kernels (*shape, heads × units), hidden biases (heads × units),
        output kernels (heads, units), output biases (heads,).
    """
    kernels, biases, outputs, output_biases = zip(
        *([array for layer in head[-2:] for array in layer.get_weights()] for head in heads),
        strict=True,
    )
    hidden = np.hstack(kernels)
    return [
        hidden.reshape(*shape, hidden.shape[-1]),
        np.hstack(biases),
        np.hstack(outputs).T,
        np.hstack(output_biases),
    ]


def in_order(views: Sequence[StoredFeatures], labels: np.ndarray, *, seed: int = 0) -> StoredViews:
    """Returns photos in their own order and large batches, to be measured on."""
    return StoredViews(views, labels, batch_size=EVALUATION_BATCH, seed=seed)


def measure_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the cross-entropy of each photo and head, shape of `probabilities`.

    Args:
        probabilities: Shape (photos, heads).
        labels: 0 or 1, shape (photos, 1).
    """
    clipped = np.clip(probabilities.astype(float), SMALLEST, 1 - SMALLEST)
    return -np.log(np.where(labels > 0.5, clipped, 1 - clipped))
