"""The runs of one policy: many heads side by side, measured at each epoch, kept in the cache."""

import hashlib
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend, cache
from course_utils.core.progress import Progress
from course_utils.data.dataset import Splits
from course_utils.features.batches import StoredFeatures, StoredViews
from course_utils.features.views import clean_view, list_views
from course_utils.models.classifier import build_classifier, build_head
from course_utils.models.fingerprints import fingerprint_base
from course_utils.models.partition import split_model
from course_utils.training.batch_changes import BatchChange, describe_change
from course_utils.training.heads import (
    Heads,
    Order,
    gather_weights,
    in_order,
    measure_losses,
    open_features,
)

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# Part of the name of stored runs: raise it when the same policy gives other numbers.
VERSION = 3
# The augmentation of photos, or a function that changes batches of their stored features.
Policy = Augmentation | Sequence[keras.Layer] | BatchChange


@dataclass(frozen=True)
class PolicyRuns:
    """What the runs of one policy gave.

    Args:
        train: float32, shape (4, epochs, seeds): clean loss, clean accuracy, augmented loss,
            augmented accuracy, on the training photos at the end of each epoch.
        probabilities: float32, shape (epochs, seeds, photos): the probability of class 1 of every
            clean validation photo.
        dead: bool, shape (epochs, seeds).
        weights: float32, the heads' after the last epoch, as `heads.gather_weights` gives them.
        seeds: Of each run's initial weights.
        head: Which kind of head, as in `compare`.
    """

    train: np.ndarray
    probabilities: np.ndarray
    dead: np.ndarray
    weights: list[np.ndarray]
    seeds: Sequence[int]
    head: str = "stable"


def build_layers(policy: Policy, seed: int) -> Sequence[keras.Layer]:
    """Returns a policy's layers; a function has none, since it leaves the photos as they are.

    Args:
        policy: An `Augmentation`, layers, or a function.
        seed: Of the layers that an `Augmentation` builds.
    """
    if isinstance(policy, types.FunctionType):
        return ()
    return policy.layers(seed) if isinstance(policy, Augmentation) else policy


def build_heads(base: keras.Model, seeds: Sequence[int], head: str) -> Heads:
    """Returns the lesson's heads, one for each seed, before their first step.

    Args:
        base: The frozen model that they are for.
        seeds: Of their initial weights.
        head: Which kind, as in `compare`.
    """
    built = []
    for seed in seeds:
        layers = build_head(head, seed=seed)
        keras.Sequential([keras.Input(base.output_shape[1:]), *layers])
        built.append(layers)
    return Heads(gather_weights(built), head=head)


def run_policy(
    policy: Policy,
    base: keras.Model,
    splits: Splits,
    *,
    seeds: Sequence[int],
    head: str,
    epochs: int,
    views: int,
    seed: int,
    draws: int,
    precision: str,
    progress: bool,
) -> PolicyRuns:
    """Returns a policy's runs, one for each seed, out of the cache where they are there.

    Args:
        policy: Its augmentation, or its function of stored features, as in `compare`.
        base: The frozen model from images to features.
        splits: The photos.
        seeds: Of the runs' initial weights, and of their orders and draws.
        head: Which kind of head, as in `compare`.
        epochs: How often every training photo is used.
        views: How many augmented versions of a training photo are stored.
        seed: Of the stored views.
        draws: With each run's own seed, the seed of its orders and draws.
        precision: `"float32"`, `"bfloat16"` or `"auto"`.
        progress: Whether to say what is computed and show how far it is.

    Raises:
        ValueError: If a function draws from anything but the generator that it is given.
    """
    change = policy if isinstance(policy, types.FunctionType) else None
    parts = split_model(build_classifier(base, build_layers(policy, seed), seed=seed))
    stored, clean, valid = open_features(
        parts, splits, views=views, seed=seed, precision=precision, progress=progress
    )
    drawn = list_views(parts.front, views=views, seed=seed)
    described = [view.fingerprint for view in drawn]
    augments = described != [clean_view(parts.front).fingerprint]
    heads = build_heads(parts.base, seeds, head)
    shapes = {f"weight{n}": each.shape for n, each in enumerate(heads.weights)}
    arrays = [
        *heads.weights,
        *(each for photos in (splits.train, splits.valid) for each in (photos.keys, photos.labels)),
    ]
    about = [
        *(VERSION, fingerprint_base(parts.base), clean.precision, described),
        *(epochs, draws, list(seeds), head, splits.train.batch_size),
        *(hashlib.sha256(np.ascontiguousarray(array)).hexdigest() for array in arrays),
    ]
    about += [describe_change(change)] if change else []
    expected = {
        "train": ("float32", (4, epochs, len(seeds))),
        "probabilities": ("float32", (epochs, len(seeds), splits.valid.count)),
        "dead": ("bool", (epochs, len(seeds))),
        **{name: ("float32", shape) for name, shape in shapes.items()},
    }

    def make() -> dict[str, np.ndarray]:
        with Progress(epochs, "Epochs", shown=progress) as line:
            runs = train_runs(
                heads,
                splits,
                views=stored,
                augmented=in_order(stored, splits.train.labels, seed=draws) if augments else None,
                clean=clean,
                valid=valid,
                order=Order(draws, seeds),
                epochs=epochs,
                change=change,
                on_epoch_end=line.advance,
            )
        weights = dict(zip(shapes, runs.weights, strict=True))
        return {
            "train": runs.train,
            "probabilities": runs.probabilities,
            "dead": runs.dead,
            **weights,
        }

    kept = cache.load_or_make(cache.name_entry("comparisons", about), make, arrays=expected)
    train, probabilities, dead = (kept[name][:] for name in ("train", "probabilities", "dead"))
    weights = [kept[name][:] for name in shapes]
    return PolicyRuns(train, probabilities, dead, weights, list(seeds), head)


def train_runs(
    heads: Heads,
    splits: Splits,
    *,
    views: Sequence[StoredFeatures],
    augmented: StoredViews | None,
    clean: StoredFeatures,
    valid: StoredFeatures,
    order: Order,
    epochs: int,
    change: BatchChange | None = None,
    on_epoch_end: Callable[[], None] = lambda: None,
) -> PolicyRuns:
    """Trains all heads, each in its own order, and measures each of them after every epoch.

    Args:
        heads: As they begin.
        splits: The photos, for their labels.
        views: The training photos' features in each stored view.
        augmented: The training photos' augmented features in large batches; `None` where nothing
            is random, so that they are the clean ones.
        clean: The training photos' clean features.
        valid: The validation photos' clean features.
        order: Each run's orders and draws.
        epochs: How often every training photo is used.
        change: As in `Heads.fit`.
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

    heads.fit(
        views,
        labels,
        order=order,
        batch_size=splits.train.batch_size,
        epochs=epochs,
        change=change,
        on_epoch_end=measure,
    )
    return PolicyRuns(
        np.array(rows, "float32").swapaxes(0, 1),
        np.array(probabilities, "float32"),
        np.array(dead),
        heads.weights,
        order.runs,
        heads.head,
    )


def is_right(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns whether each photo's class is the larger of its probabilities."""
    return (probabilities > 0.5) == (labels > 0.5)
