"""The method "in_model": every batch goes through augmentation, base and head."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from course_utils.core import backend, gpu
from course_utils.core.progress import describe_seconds
from course_utils.data.dataset import Photos, Splits
from course_utils.features import forward
from course_utils.features.views import keep_random_states
from course_utils.models.partition import Parts, WiredLayer
from course_utils.training.kept_features import has_room, keep_features
from course_utils.training.measuring import Task, train_and_measure
from course_utils.training.mirror import Mirror
from course_utils.training.preparing import split_for_training
from course_utils.training.trainee import STEPS_PER_EXECUTION, Trainee

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def train_in_model(
    model: keras.Model,
    splits: Splits,
    *,
    base: keras.Layer | str | None,
    why: str,
    epochs: int,
    seed: int,
    augmented: bool,
    progress: bool,
    **options,
) -> tuple[pd.DataFrame, str, str, str]:
    """Returns what `train_and_measure` does, and the precision of the base.

    Where the device's memory runs out, training begins again with half the batch size, once.

    Args:
        model: The compiled model, built.
        splits: The photos.
        base: As in `split_model`.
        why: Why the model is trained this way, in words.
        epochs: How often every photo is used.
        seed: Of the order, and of what `augmented` measures.
        augmented: Whether augmented photos are measured as well.
        progress: Whether to say what is done.
        **options: Of `train_and_measure`.
    """
    parts = _split_if_possible(model, base, augmented)
    learning = [*model.trainable_variables, *model.non_trainable_variables]
    frozen = {id(variable) for variable in parts.base.variables} if parts else ()
    learning = [variable for variable in learning if id(variable) not in frozen]
    learning += model.optimizer.variables
    before = [variable.numpy() for variable in learning]

    def attempt(splits):
        task, precision = _build_task(
            model, parts, splits, why, epochs=epochs, seed=seed, augmented=augmented, shown=progress
        )
        found = train_and_measure(task, model, epochs=epochs, progress=progress, **options)
        return *found, precision

    try:
        return attempt(splits)
    except tensorflow.errors.ResourceExhaustedError:
        if splits.train.batch_size == 1:
            raise
    # Outside of the `except`: its traceback would hold on to what fills the memory.
    half = splits.train.batch_size // 2
    print(
        f"The memory of the device is full: training begins again, from the same weights, with "
        f"batches of {half} instead of {splits.train.batch_size} photos."
    )
    for variable, value in zip(learning, before, strict=True):
        variable.assign(value)
    fewer = {name: getattr(splits, name).in_batches_of(half) for name in ("train", "valid")}
    try:
        return attempt(replace(splits, **fewer))
    except tensorflow.errors.ResourceExhaustedError as error:
        error.add_note(
            "The memory is too small for half the batch size as well. Close other notebooks that "
            'use the device, or train with method="stored_features".'
        )
        raise


def _build_task(
    model, parts: Parts | None, splits: Splits, why: str, *, epochs, seed, augmented, shown
) -> tuple[Task, str]:
    photos, gpus = splits.train.shuffled(seed=seed), gpu.list_gpus()
    layers, precision = [model], model.dtype_policy.name
    fixed = (*parts.front, parts.base) if parts else ()
    if parts and not (len(gpus) > 1 and _has_wired(parts)):
        base, precision = _choose_base(parts, photos[0][0])
        parts = replace(parts, base=base)
        layers = [*parts.front, base, *parts.head]
    device = f"the {backend.device()}"
    if len(gpus) > 1:
        device = f"{len(gpus)} GPUs, each with a part of every batch"
    if shown:
        print(f"Training the complete model on {device} in {precision}, batch by batch ({why}).")
    clean = {"clean_": splits.train.unshuffled(), "val_": splits.valid.unshuffled()}
    passes, both = splits.train.count, splits.train.count + splits.valid.count
    if parts and has_room(parts.base, both):
        measured, speed = _measure_kept(model, parts, clean, shown)
    else:
        if parts:
            print(
                f"The features of {both:,} clean photos do not fit into the memory that is free: "
                "after every epoch, these photos go through the base again."
            )
        measured, speed = _measure_again(model, layers, clean)
        passes += both
    if augmented:
        behind_front = Trainee(model, (parts.base, *parts.head), jit_compile=model.jit_compile)
        for prefix, each in (("augmented_", splits.train), ("val_augmented_", splits.valid)):
            batches = _AugmentedPhotos(each.unshuffled(), parts.front, seed=seed)
            measured[prefix] = behind_front, batches
        passes += both
    if shown:
        print(
            f"Expect about {describe_seconds(max(1, passes * epochs / speed))} for the epochs, at "
            f"{speed:.0f} images per second, measured now.",
            flush=True,
        )
    if len(gpus) > 1:
        mirror = Mirror(model, layers, gpus, frozen=parts.base if parts else None)
        pull, push = mirror.callbacks()
        steps = len(photos)
        task = Task(
            mirror.model, photos.as_dataset(), measured, steps, pull, push, fixed, mirror.pull
        )
    else:
        trainee = model
        if parts and parts.base not in fixed:
            trainee = Trainee(model, layers, jit_compile=model.jit_compile)
        task = Task(trainee, photos, measured, fixed=fixed)
    return task, precision


def _has_wired(parts: Parts) -> bool:
    return any(isinstance(layer, WiredLayer) for layer in (*parts.front, parts.base, *parts.head))


def _split_if_possible(model, base, augmented: bool) -> Parts | None:
    """Returns the model's parts; `None` where no part is frozen, unless that was asked for."""
    try:
        return split_for_training(model, base)
    except ValueError as error:
        if base is not None or augmented:
            raise
        print(f"Clean photos go through the complete model after every epoch. {error}")
        return None


def _choose_base(parts: Parts, images: np.ndarray) -> tuple[keras.Model, str]:
    """Returns the base that computes, in float16 where that is faster and nothing overflows."""
    base, precision = parts.base, parts.base.dtype_policy.name
    if precision != "float32" or not gpu.has_fast_half():
        return base, precision
    with np.errstate(over="ignore"):  # Too large for float16 is infinite there.
        fits = all(np.isfinite(weight.astype("float16")).all() for weight in base.get_weights())
    if fits:
        half = forward.at_precision(base, "float16")
        for layer in parts.front:
            images = layer(images, training=False)
        if np.isfinite(half.predict_on_batch(images)).all():
            return half, "mixed_float16"
    return base, precision


def _measure_kept(model, parts: Parts, clean: dict[str, Photos], shown: bool):
    """Returns what measures clean photos, on features kept in memory, and photos per second."""
    kept, speed = keep_features(parts.front, parts.base, list(clean.values()), progress=shown)
    head = Trainee(model, parts.head, steps_per_execution=STEPS_PER_EXECUTION)
    measured = {
        prefix: (head, features.as_dataset()) for prefix, features in zip(clean, kept, strict=True)
    }
    return measured, speed


def _measure_again(model, layers, clean: dict[str, Photos]):
    """Returns what measures clean photos by asking all layers again, and photos per second."""
    whole = Trainee(model, layers, jit_compile=model.jit_compile)
    images, labels = clean["clean_"][0]
    whole.test_on_batch(images, labels)  # builds the graph
    start = time.perf_counter()
    whole.test_on_batch(images, labels)
    speed = len(images) / (time.perf_counter() - start)
    return {prefix: (whole, photos) for prefix, photos in clean.items()}, speed


class _AugmentedPhotos(keras.utils.PyDataset):
    """Photos that have gone through the front as in training, to be measured.

    Their random states are their own, so that measuring does not change the training.
    """

    def __init__(self, photos: Photos, front: Sequence[keras.Layer], *, seed: int):
        super().__init__()
        self._photos = photos
        self._front = front
        self._seed = seed
        self._epoch = 0

    def on_epoch_begin(self) -> None:
        self._epoch += 1

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, batch: int):
        images, labels = self._photos[batch]
        random = np.random.default_rng([self._seed, self._epoch, batch, 2])
        with keep_random_states(self._front) as states:
            for state in states:
                state.assign(random.integers(2**32, size=2, dtype=np.uint32))
            for layer in self._front:
                images = layer(images, training=True)
        return images, labels
