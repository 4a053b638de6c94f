"""A second division of the same photos into training and validation."""

from dataclasses import replace

import numpy as np
import pandas as pd

from course_utils.data.dataset import Photos, Splits
from course_utils.data.duplicates import group_near_duplicates


def divide_again(splits: Splits, *, seed: int) -> Splits:
    """Returns the same photos, divided again: as many of each class, near-duplicates on one side.

    Args:
        splits: The photos as they are divided.
        seed: Of the division.
    """
    both = splits.train, splits.valid
    joined = Photos(
        np.concatenate([photos.pixels[photos.rows] for photos in both]),
        np.concatenate([photos.labels for photos in both]),
        np.concatenate([photos.keys for photos in both]),
        [name for photos in both for name in photos.names],
    )
    clusters = group_near_duplicates(joined)
    is_train = choose_train(joined.labels, clusters, splits.train.labels, seed=seed)
    divided = {
        name: Photos(
            joined.pixels,
            joined.labels[rows],
            joined.keys[rows],
            [joined.names[row] for row in rows],
            rows=rows,
            batch_size=old.batch_size,
            shuffle=old.shuffle,
            seed=old.seed,
        )
        for name, old, rows in (
            ("train", splits.train, np.flatnonzero(is_train)),
            ("valid", splits.valid, np.flatnonzero(~is_train)),
        )
    }
    counts = pd.DataFrame(
        [np.bincount(photos.labels[:, 0].astype(int), minlength=2) for photos in divided.values()],
        index=list(divided),
        columns=list(splits.class_names),
    )
    source = f"{splits.source} Divided again with seed {seed}."
    return replace(splits, **divided, counts=counts, source=source)


def choose_train(
    labels: np.ndarray, clusters: np.ndarray, train_labels: np.ndarray, *, seed: int
) -> np.ndarray:
    """Returns which photos are for training, bool, shape (photos,).

    Clusters in random order go to training as long as no class gets more photos there than it had.

    Args:
        labels: Of all photos, shape (photos, 1), 0 or 1.
        clusters: int, shape (photos,): equal for near-duplicates.
        train_labels: Of the training photos of the first division.
        seed: Of the order.
    """
    left = np.bincount(train_labels[:, 0].astype(int), minlength=2)
    chosen = np.zeros(len(labels), bool)
    for cluster in np.random.default_rng(seed).permutation(clusters.max() + 1):
        members = np.flatnonzero(clusters == cluster)
        needed = np.bincount(labels[members, 0].astype(int), minlength=2)
        if (needed <= left).all():
            chosen[members] = True
            left = left - needed
    return chosen
