"""How a model does on each group of valid photos, over several seeds: what a bias taught it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from course_utils import features, runtime
from course_utils.data import Splits
from course_utils.features import StoredFeatures, StoredViews
from course_utils.model import Parts, build_classifier, split_model
from course_utils.progress import Progress

runtime.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

EVALUATION_BATCH = 512  # photos' features at once: 16 MB
SMALLEST = 1e-7  # Keras's own limit to what a probability may be in the cross-entropy


def measure_groups(
    base: keras.Model,
    splits: Splits,
    groups: Sequence[str],
    *,
    augmentation: Sequence[keras.Layer] = (),
    seeds: int = 10,
    epochs: int = 30,
    views: int = 8,
    seed: int = 31415,
    precision: str = "auto",
    progress: bool = True,
) -> pd.DataFrame:
    """Trains the lesson's head from several starts and takes its valid accuracy apart by group.

    Run number k is what `train(build_classifier(base, augmentation, seed=k), splits, seed=seed)`
    gives on stored features: the runs start from other heads and share all else. They train side
    by side as one Keras model, which costs little more than one of them.

    Args:
        base: A frozen model from images to features, as `load_vgg16_base` gives.
        splits: The photos.
        groups: For each valid photo, in their order, the name of its group.
        augmentation: Keras layers that transform float32 images in [0, 1].
        seeds: How many runs: 0 to `seeds` - 1.
        epochs: How often every train photo is used.
        views: How many augmented versions of a train photo there are to draw from. Nothing
            random is one version and a flip alone two, whatever this says.
        seed: Of the order of the photos and the dice of the augmentation.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the faster one here.
        progress: Whether to say what is computed and show how far it is.

    Returns:
        A DataFrame, one row a run (index `seed`): the accuracy of each group by its name, in
        the order in which the names come first; then, on all clean photos, `clean_loss`,
        `val_loss` and `val_binary_accuracy`; and `dead_head`, as in `train`.

    Raises:
        ValueError: If `groups` is not as long as there are valid photos, or `seeds` or `epochs`
            is under 1.
    """
    names = np.asarray(groups, dtype=object)
    if names.shape != (splits.valid.count,):
        raise ValueError(
            f"Expected one group for each of the {splits.valid.count} valid photos, received "
            f"{names.shape}. Make it from the valid photos' own table."
        )
    for name, value in (("seeds", seeds), ("epochs", epochs)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"Expected `{name}` to be a whole number from 1, received {value!r}.")
    models = [build_classifier(base, augmentation, seed=number) for number in range(seeds)]
    parts = split_model(models[0])
    train_views, clean, valid = _open_features(
        parts, splits, views=views, seed=seed, precision=precision, progress=progress
    )
    heads = _build_heads([split_model(model).head for model in models], clean.shape)
    batches = StoredViews(
        train_views,
        splits.train.labels,
        batch_size=splits.train.batch_size,
        shuffle=True,
        seed=seed,
    )
    with Progress(epochs, "Epochs", shown=progress) as line:
        advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: line.advance())
        # The batches bring their own order, one permutation an epoch.
        heads.fit(
            batches.as_dataset(), epochs=epochs, shuffle=False, verbose=0, callbacks=[advance]
        )
    train_answers, alive = _answer(heads, clean)
    answers, _ = _answer(heads, valid)
    right = (answers > 0.5) == (splits.valid.labels > 0.5)
    columns = {name: right[names == name].mean(axis=0) for name in dict.fromkeys(names)}
    columns |= {
        "clean_loss": _measure_loss(train_answers, splits.train.labels),
        "val_loss": _measure_loss(answers, splits.valid.labels),
        "val_binary_accuracy": right.mean(axis=0),
        "dead_head": ~alive,
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(seeds, name="seed"))


def _open_features(
    parts: Parts, splits: Splits, *, views: int, seed: int, precision: str, progress: bool
) -> tuple[list[StoredFeatures], StoredFeatures, StoredFeatures]:
    """Returns features of the train photos in every view, and clean ones of train and valid."""
    drawn = features.list_views(parts.front, views=views, seed=seed)
    clean = features.clean_view(parts.front)
    needed = [(splits.valid, [clean]), (splits.train, [clean, *drawn])]
    store = features.prepare_features(
        parts.front, parts.base, needed, precision=precision, seed=seed, progress=progress
    )
    opened = [store.open(splits.train, view) for view in drawn]
    return opened, store.open(splits.train, clean), store.open(splits.valid, clean)


def _build_heads(heads: Sequence[Sequence[keras.Layer]], shape: tuple[int, ...]) -> keras.Model:
    """Returns heads of two dense layers as one model, compiled.

    Args:
        heads: Each head's layers, the last two dense; their weights are taken over.
        shape: Of one photo's features.

    Returns:
        A model from features to probabilities, (batch, heads). Its loss is the sum of the
        heads' losses, so that each head moves as it would alone.
    """
    count, hidden = len(heads), heads[0][-2].units
    side_by_side = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            # All hidden units of all heads in one layer: head after head, six by six.
            keras.layers.Dense(count * hidden, activation="relu"),
            keras.layers.Reshape((count, hidden)),
            keras.layers.EinsumDense(
                "bsh,sh->bs", output_shape=(count,), bias_axes="s", activation="sigmoid"
            ),
        ]
    )
    kernels, biases, outputs, output_biases = zip(
        *([array for layer in head[-2:] for array in layer.get_weights()] for head in heads),
        strict=True,
    )
    side_by_side.set_weights(
        [
            np.hstack(kernels),
            np.hstack(biases),
            np.hstack(outputs).T,
            np.hstack(output_biases),
        ]
    )

    def summed_loss(labels, answers):
        repeated = keras.ops.broadcast_to(labels, keras.ops.shape(answers))
        return count * keras.losses.binary_crossentropy(repeated, answers)

    # XLA gains nothing here and compiles anew for the last, smaller batch.
    side_by_side.compile(optimizer="adam", loss=summed_loss, jit_compile=False)
    return side_by_side


def _answer(heads: keras.Model, stored: StoredFeatures):
    """Returns every head's probabilities, (photos, heads), and which heads are alive."""
    inside = keras.Model(heads.inputs[0], [heads.layers[-2].output, heads.outputs[0]])
    answers, alive = [], []
    for start in range(0, stored.count, EVALUATION_BATCH):
        read = stored.read(np.arange(start, min(start + EVALUATION_BATCH, stored.count)))
        # Called, not predicted: `predict` would trace a graph anew for each set of heads.
        hidden, probabilities = map(keras.ops.convert_to_numpy, inside(read, training=False))
        answers.append(probabilities)
        alive.append(hidden.any(axis=(0, 2)))
    return np.concatenate(answers), np.any(alive, axis=0)


def _measure_loss(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    answers = np.clip(answers.astype(float), SMALLEST, 1 - SMALLEST)
    return -np.log(np.where(labels > 0.5, answers, 1 - answers)).mean(axis=0)
