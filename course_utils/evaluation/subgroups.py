"""How a model does on each group of valid photos, over several seeds: what a bias taught it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from course_utils.core import backend
from course_utils.core.checks import check_count
from course_utils.core.progress import Progress
from course_utils.data.dataset import Splits
from course_utils.evaluation.runs import build_heads
from course_utils.models.classifier import build_classifier
from course_utils.models.partition import split_model
from course_utils.training.heads import Order, in_order, measure_losses, open_features

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def evaluate_subgroups(
    base: keras.Model,
    splits: Splits,
    groups: Sequence[str],
    *,
    augmentation: Sequence[keras.Layer] = (),
    seeds: int = 10,
    epochs: int = 30,
    views: int = 8,
    head: str = "stable",
    seed: int = 31415,
    precision: str = "auto",
    progress: bool = True,
) -> pd.DataFrame:
    """Trains the lesson's head from several seeds and measures accuracy group by group.

    The runs differ by their initial weights, and by their order of the photos and draws among
    the stored views, as in `compare`.

    Args:
        base: A frozen model from images to features, as `load_vgg16_base` returns it.
        splits: The photos.
        groups: For each validation photo, in their order, the name of its group.
        augmentation: Keras layers that transform float32 images in [0, 1].
        seeds: How many runs: 0 to `seeds` - 1.
        epochs: How often every training photo is used.
        views: How many augmented versions of a training photo are stored. Nothing random is one
            version and a flip alone two, whatever this says.
        head: `"stable"` or `"lesson"`, as in `compare`.
        seed: Of the stored views, and with each run's own seed of its orders and draws.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the faster one here.
        progress: Whether to say what is computed and show how far it is.

    Returns:
        A DataFrame with a row for each run (index `seed`): the accuracy of each group by its
        name, in the order in which the names come first; then, on all clean photos, `clean_loss`,
        `val_loss` and `val_binary_accuracy`; and `dead_head`, as in `train`.

    Raises:
        TypeError: If `seeds` or `epochs` is not a whole number.
        ValueError: If `groups` is not as long as there are valid photos, or `seeds` or `epochs`
            is under 1.

    Example:
        >>> groups = ["left", "right"] * (splits.valid.count // 2)
        >>> runs = evaluate_subgroups(base, splits, groups, seeds=2, epochs=1, progress=False)
        >>> list(runs.columns[:2]), len(runs)
        (['left', 'right'], 2)
    """
    names = np.asarray(groups, dtype=object)
    if names.shape != (splits.valid.count,):
        raise ValueError(
            f"Expected one group for each of the {splits.valid.count} valid photos, received "
            f"{names.shape}. Make it from the valid photos' own table."
        )
    check_count("seeds", seeds)
    check_count("epochs", epochs)
    parts = split_model(build_classifier(base, augmentation, seed=seed))
    stored, clean, valid = open_features(
        parts, splits, views=views, seed=seed, precision=precision, progress=progress
    )
    heads = build_heads(base, range(seeds), head)
    with Progress(epochs, "Epochs", shown=progress) as line:
        heads.fit(
            stored,
            splits.train.labels,
            order=Order(seed, range(seeds)),
            batch_size=splits.train.batch_size,
            epochs=epochs,
            on_epoch_end=lambda epoch: line.advance(),
        )
    train_probabilities, alive = heads.predict(in_order([clean], splits.train.labels))
    probabilities, _ = heads.predict(in_order([valid], splits.valid.labels))
    right = (probabilities > 0.5) == (splits.valid.labels > 0.5)
    columns = {name: right[names == name].mean(axis=0) for name in dict.fromkeys(names)}
    columns |= {
        "clean_loss": measure_losses(train_probabilities, splits.train.labels).mean(axis=0),
        "val_loss": measure_losses(probabilities, splits.valid.labels).mean(axis=0),
        "val_binary_accuracy": right.mean(axis=0),
        "dead_head": ~alive,
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(seeds, name="seed"))
