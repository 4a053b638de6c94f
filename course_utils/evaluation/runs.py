"""The runs of one policy: many heads side by side, measured at each epoch, kept in the cache."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend, cache
from course_utils.core.progress import Progress
from course_utils.data.dataset import Splits
from course_utils.features.batches import StoredFeatures, StoredViews
from course_utils.features.views import clean_view, list_views
from course_utils.models.classifier import build_classifier
from course_utils.models.fingerprints import fingerprint_base
from course_utils.models.partition import split_model
from course_utils.training.heads import Heads, in_order, measure_losses, open_features

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# Part of the name of stored runs: raise it when the same policy gives other numbers.
VERSION = 2


@dataclass(frozen=True)
class PolicyRuns:
    """What the runs of one policy gave.

    Args:
        train: float32, shape (4, epochs, seeds): clean loss, clean accuracy, augmented loss,
            augmented accuracy, on train photos at the end of each epoch.
        probabilities: float32, shape (epochs, seeds, photos): the probability of class 1 of every
            clean valid photo.
        dead: bool, shape (epochs, seeds).
        weights: float32, the heads' after the last epoch, as `heads.gather_weights` gives them.
    """

    train: np.ndarray
    probabilities: np.ndarray
    dead: np.ndarray
    weights: list[np.ndarray]


def run_policy(
    policy: Augmentation | Sequence[keras.Layer],
    base: keras.Model,
    heads: Heads,
    starts,
    splits: Splits,
    *,
    epochs,
    views,
    seed,
    draws,
    precision,
    progress,
) -> PolicyRuns:
    """Returns a policy's runs, one for each head, from the cache where they are there."""
    layers = policy.layers(seed) if isinstance(policy, Augmentation) else policy
    parts = split_model(build_classifier(base, layers, seed=seed))
    train_views, clean, valid = open_features(
        parts, splits, views=views, seed=seed, precision=precision, progress=progress
    )
    drawn = list_views(parts.front, views=views, seed=seed)
    described = [view.fingerprint for view in drawn]
    augments = described != [clean_view(parts.front).fingerprint]
    arrays = [
        *starts,
        *(each for photos in (splits.train, splits.valid) for each in (photos.keys, photos.labels)),
    ]
    about = [
        *(VERSION, fingerprint_base(parts.base), clean.precision, described),
        *(epochs, draws, splits.train.batch_size),
        *(hashlib.sha256(np.ascontiguousarray(array)).hexdigest() for array in arrays),
    ]
    seeds, shapes = len(starts[2]), {f"weight{n}": start.shape for n, start in enumerate(starts)}
    expected = {
        "train": ("float32", (4, epochs, seeds)),
        "answers": ("float32", (epochs, seeds, splits.valid.count)),
        "dead": ("bool", (epochs, seeds)),
        **{name: ("float32", shape) for name, shape in shapes.items()},
    }

    def make() -> dict[str, np.ndarray]:
        heads.restart(starts)
        order = {"batch_size": splits.train.batch_size, "shuffle": True, "seed": draws}
        augmented = in_order(train_views, splits.train.labels, seed=draws) if augments else None
        with Progress(epochs, "Epochs", shown=progress) as line:
            runs = train_runs(
                heads,
                splits,
                batches=StoredViews(train_views, splits.train.labels, **order),
                augmented=augmented,
                clean=clean,
                valid=valid,
                epochs=epochs,
                on_epoch_end=line.advance,
            )
        weights = dict(zip(shapes, runs.weights, strict=True))
        return {"train": runs.train, "answers": runs.probabilities, "dead": runs.dead, **weights}

    kept = cache.load_or_make(cache.name_entry("comparisons", about), make, arrays=expected)
    train, probabilities, dead = (kept[name][:] for name in ("train", "answers", "dead"))
    return PolicyRuns(train, probabilities, dead, [kept[name][:] for name in shapes])


def train_runs(
    heads: Heads,
    splits: Splits,
    *,
    batches: StoredViews,
    augmented: StoredViews | None,
    clean: StoredFeatures,
    valid: StoredFeatures,
    epochs: int,
    on_epoch_end=lambda: None,
) -> PolicyRuns:
    """Trains all heads on the same batches, and measures each of them after every epoch.

    Args:
        heads: As they begin.
        splits: The photos, for their labels.
        batches: Of the train photos' features, in the order of training.
        augmented: The train photos' augmented features in large batches; `None` where nothing
            is random, so that they are the clean ones.
        clean: The train photos' clean features.
        valid: The valid photos' clean features.
        epochs: How often every train photo is used.
        on_epoch_end: Called after each epoch that is measured.
    """
    labels, rows, probabilities, dead = splits.train.labels, [], [], []

    def measure(epoch: int) -> None:
        on_clean, alive = heads.predict(in_order([clean], labels))
        on_views = on_clean if augmented is None else heads.predict(augmented, epoch=epoch)[0]
        row = []
        for given in (on_clean, on_views):
            row += [measure_losses(given, labels).mean(axis=0)]
            row += [is_right(given, labels).mean(axis=0)]
        rows.append(row)
        probabilities.append(heads.predict(in_order([valid], splits.valid.labels))[0].T)
        dead.append(~alive)
        on_epoch_end()

    heads.fit(batches, epochs=epochs, on_epoch_end=measure)
    return PolicyRuns(
        np.array(rows, "float32").swapaxes(0, 1),
        np.array(probabilities, "float32"),
        np.array(dead),
        heads.get_weights(),
    )


def is_right(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return (probabilities > 0.5) == (labels > 0.5)
