"""Trains a model on splits, the same way to look at on a GPU and on a CPU: `train`."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from course_utils.core import backend, gpu
from course_utils.core.progress import Progress, describe_seconds
from course_utils.data.dataset import Photos, Splits
from course_utils.features import forward
from course_utils.features.batches import StoredViews
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view, keep_random_states, list_views
from course_utils.models.classifier import is_dead
from course_utils.models.fingerprints import is_random
from course_utils.models.partition import Parts, split_model
from course_utils.training.heads import EVALUATION_BATCH, STEPS_PER_EXECUTION

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

METHODS = ("in_model", "stored_features")


@dataclass(frozen=True)
class _Task:
    """What is trained on which batches; the rest of training is the same for both methods."""

    trainee: keras.Model
    train: Iterable  # batches, as `fit` takes them
    evaluated: dict[str, Iterable]  # column prefix → batches
    steps: int | None = None  # of an epoch, where `train` goes on for ever
    finish: Callable[[], None] = lambda: None  # when training is over, or broken off


def train(
    model: keras.Model,
    splits: Splits,
    *,
    epochs: int = 30,
    method: str = "auto",
    views: int = 8,
    seed: int = 31415,
    precision: str = "auto",
    augmented: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Trains the head of a model with a frozen base, and measures like against like.

    Two methods give the same kind of history. `"in_model"` is plain `fit`: every batch goes
    through augmentation, base and head. `"stored_features"` sends each photo, and `views`
    augmented versions of it, through the frozen base once and trains the head on what came
    out; a run cut short goes on from there. Either way it is the model's own layers that
    learn, so `model.predict(photos)` works afterwards.

    Several GPUs share every batch of `"in_model"`. Where a device's memory runs out, training
    begins anew with half the batch size, once, and says so.

    Args:
        model: A compiled `keras.Sequential` of augmentation, frozen base and head.
        splits: The photos. The order of an epoch comes from `seed`, not from `splits`.
        epochs: How often every train photo is used.
        method: `"in_model"`, `"stored_features"`, or `"auto"`: in the model on a GPU, stored
            features on a CPU.
        views: With stored features, how many augmented versions of a photo there are to draw
            from. Nothing random is one version and a flip alone two, whatever this says.
        seed: Of the order, and with stored features of the augmentation.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the faster one here, timed once. With
            `"in_model"` the model's own precision counts, except that a frozen float32 base
            computes in float16 on a GPU that is made for it (compute capability 7.0 or more).
        augmented: Whether loss and accuracy are measured on augmented photos as well.
        progress: Whether to print what is done and show a line with the time left.

    Returns:
        A DataFrame, one row an epoch (index `epoch`, from 1). `loss` and the metrics by their
        own names are Keras's running means over the epoch's batches, augmented and while the
        weights move. Measured when the epoch is over, all with the same weights: `clean_loss`
        on clean train photos, `val_loss` on clean valid photos, `gap` = `val_loss` -
        `clean_loss`, and with `augmented` also `augmented_loss` and `val_augmented_loss`; each
        with its metrics. `dead_head` says whether all hidden units are zero on every clean
        train photo. `attrs` keeps method, views, precision and seed. An interrupted run
        returns the epochs it finished.

    Raises:
        ValueError: If the model is not compiled, has no frozen base, or an argument is
            unknown.
    """
    if not model.compiled:
        raise ValueError("Expected a compiled model, received one that is not: call compile().")
    if not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f"Expected `epochs` to be a whole number from 1, received {epochs!r}.")
    if method not in (*METHODS, "auto"):
        raise ValueError(f"Expected `method` out of {METHODS} or 'auto', received {method!r}.")
    if precision not in (*forward.PRECISIONS, "auto"):
        raise ValueError(
            f"Expected `precision` out of {forward.PRECISIONS} or 'auto', received {precision!r}."
        )
    if not model.built:
        model.build((None, *splits.train.image_size, 3))
    parts = split_model(model)
    device = backend.device()
    why = "as asked"
    if method == "auto":
        method = "in_model" if device == "GPU" else "stored_features"
        why = "there is a GPU" if device == "GPU" else "no GPU was found"
    if method == "in_model":
        options = {"seed": seed, "augmented": augmented, "epochs": epochs, "progress": progress}
        history, precision = _train_in_model(model, parts, splits, why=why, **options)
    else:
        _say(progress, f"Training the head on stored features on the {device} ({why}).")
        task, precision = _task_on_features(
            model,
            parts,
            splits,
            views=views,
            seed=seed,
            precision=precision,
            augmented=augmented,
            progress=progress,
        )
        history = _fit(task, epochs=epochs, progress=progress)
    history.attrs.update(method=method, views=views, precision=precision, seed=seed)
    if len(history) and history["dead_head"].iloc[-1]:
        _say(
            progress,
            "The head is dead: all its hidden units are zero on every clean train photo, so no "
            "gradient reaches them and the model gives one answer whatever it sees. That is bad "
            "luck of the initial weights; build the model with another seed and train again.",
        )
    return history


def _say(shown: bool, text: str, **options) -> None:
    if shown:
        print(text, flush=True, **options)


def _train_in_model(model, parts: Parts, splits: Splits, *, why: str, epochs, progress, **options):
    """Returns the history and the precision; where memory runs out, of half the batch size."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    learning = [variable for layer in (*parts.front, *parts.head) for variable in layer.variables]
    learning += model.optimizer.variables
    before = [variable.numpy() for variable in learning]

    def attempt(splits):
        task, how, precision = _task_in_model(model, parts, splits, **options)
        try:
            _say(progress, f"Training the whole model on {how}, batch by batch ({why}); ", end="")
            _say(progress, _estimate_in_model(task, splits.train, epochs))
            return _fit(task, epochs=epochs, progress=progress), precision
        finally:
            task.finish()

    try:
        return attempt(splits)
    except tensorflow.errors.ResourceExhaustedError:
        if splits.train.batch_size == 1:
            raise
    # Outside of the `except`: its traceback would hold on to what fills the memory.
    half = splits.train.batch_size // 2
    print(
        f"The memory of the device is full: training begins anew, from the same weights, with "
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


def _task_in_model(model, parts: Parts, splits: Splits, *, seed: int, augmented: bool):
    """Returns the task, and in words the device and the precision."""
    evaluated = {"clean_": splits.train.unshuffled(), "val_": splits.valid.unshuffled()}
    if augmented:
        for prefix, photos in (("augmented_", splits.train), ("val_augmented_", splits.valid)):
            evaluated[prefix] = _AugmentedPhotos(photos.unshuffled(), parts.front, seed=seed)
    photos = splits.train.shuffled(seed=seed)
    device, precision = f"the {backend.device()}", parts.base.dtype_policy.name
    base = parts.base
    if precision == "float32" and gpu.has_fast_half():
        half = forward.at_precision(base, "float16")
        if np.isfinite(half.predict_on_batch(photos[0][0])).all():
            base, precision = half, "mixed_float16"
    gpus = gpu.list_gpus()
    if len(gpus) > 1:
        trainee, finish = _mirror(model, parts, base, gpus)
        task = _Task(trainee, photos.as_dataset(), evaluated, len(photos), finish)
        device = f"{len(gpus)} GPUs, each with a part of every batch"
    elif base is not parts.base:
        task = _Task(_rebuild(model, (*parts.front, base, *parts.head)), photos, evaluated)
        task.trainee.optimizer = model.optimizer
    else:
        task = _Task(model, photos, evaluated)
    return task, f"{device} in {precision}", precision


def _rebuild(model: keras.Model, layers: Iterable[keras.Layer]) -> keras.Sequential:
    """Returns a model of these layers, compiled as `model` is."""
    rebuilt = keras.Sequential([keras.Input(model.input_shape[1:]), *layers])
    rebuilt.compile_from_config(model.get_compile_config())
    return rebuilt


def _mirror(model: keras.Model, parts: Parts, base: keras.Model, gpus: list[str]):
    """Returns a copy of the model on several GPUs, and what brings back what it has learned."""
    originals = (*parts.front, base, *parts.head)
    with tensorflow.distribute.MirroredStrategy(gpus).scope():
        copies = [
            keras.models.clone_model(layer)
            if layer is base
            else type(layer).from_config(layer.get_config())
            for layer in originals
        ]
        mirrored = _rebuild(model, copies)
        mirrored.optimizer.build(mirrored.trainable_variables)

    def pairs():
        for layer, copied in zip(originals, copies, strict=True):
            yield from zip(layer.variables, copied.variables, strict=True)
        yield from zip(model.optimizer.variables, mirrored.optimizer.variables, strict=True)

    for original, copied in pairs():
        copied.assign(original)

    def finish():
        frozen = {id(variable) for variable in base.variables}
        for original, copied in pairs():
            if id(original) not in frozen:
                original.assign(keras.ops.convert_to_numpy(copied))

    return mirrored, finish


class _AugmentedPhotos(keras.utils.PyDataset):
    """Photos that have gone through the front as in training, to be evaluated.

    The dice are their own, so that looking does not change the training that is looked at.
    """

    def __init__(self, photos: Photos, front, *, seed: int):
        super().__init__()
        self._photos = photos
        self._front = [layer for layer in front if is_random(layer)]
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


def _estimate_in_model(task: _Task, photos: Photos, epochs: int) -> str:
    images, labels = photos[0]
    task.trainee.test_on_batch(images, labels)  # builds the graph
    start = time.perf_counter()
    task.trainee.test_on_batch(images, labels)
    seconds = time.perf_counter() - start
    batches = len(photos) + sum(map(len, task.evaluated.values()))
    whole = describe_seconds(seconds * batches * epochs)
    return f"about {whole}, going by one batch measured."


def _task_on_features(
    model, parts: Parts, splits: Splits, *, views, seed, precision, augmented, progress
) -> tuple[_Task, str]:
    drawn = list_views(parts.front, views=views, seed=seed)
    clean = clean_view(parts.front)
    needed = [
        (splits.valid, [clean, *(drawn if augmented else ())]),
        (splits.train, [clean, *drawn]),
    ]
    store = prepare_features(
        parts.front, parts.base, needed, precision=precision, seed=seed, progress=progress
    )

    def batches(photos, chosen, **options):
        stored = [store.open(photos, view) for view in chosen]
        return StoredViews(stored, photos.labels, **options).as_dataset()

    evaluated = {
        "clean_": batches(splits.train, [clean], batch_size=EVALUATION_BATCH),
        "val_": batches(splits.valid, [clean], batch_size=EVALUATION_BATCH),
    }
    if augmented:
        for prefix, photos in (("augmented_", splits.train), ("val_augmented_", splits.valid)):
            evaluated[prefix] = batches(photos, drawn, batch_size=EVALUATION_BATCH, seed=seed)
    train_batches = batches(
        splits.train, drawn, batch_size=splits.train.batch_size, shuffle=True, seed=seed
    )
    return _Task(_build_head(model, parts), train_batches, evaluated), store.precision


def _build_head(model: keras.Model, parts: Parts) -> keras.Sequential:
    """Returns the model's own head layers as a model of features, compiled as the model is."""
    head = keras.Sequential([keras.Input(parts.base.output_shape[1:]), *parts.head])
    head.compile_from_config(model.get_compile_config())
    head.steps_per_execution = STEPS_PER_EXECUTION
    # The optimizer's own moments go with the model, so that a second `train` goes on from here.
    head.optimizer = model.optimizer
    return head


class _EpochRecord(keras.callbacks.Callback):
    """At the end of every epoch, measures each evaluated set and keeps a row."""

    def __init__(self, task: _Task, progress: Progress):
        super().__init__()
        self._task = task
        self._progress = progress
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch, logs=None):
        row = dict(logs or {})
        for prefix, batches in self._task.evaluated.items():
            measured = self._task.trainee.evaluate(batches, verbose=0, return_dict=True)
            row |= {f"{prefix}{name}": value for name, value in measured.items()}
        row["gap"] = row["val_loss"] - row["clean_loss"]
        row["dead_head"] = is_dead(self._task.trainee, self._task.evaluated["clean_"])
        self.rows.append(row)
        self._progress.advance()


def _fit(task: _Task, *, epochs: int, progress: bool) -> pd.DataFrame:
    with Progress(epochs, "Epochs", shown=progress) as line:
        record = _EpochRecord(task, line)
        try:
            # The batches bring their own order, one permutation an epoch.
            task.trainee.fit(
                task.train,
                epochs=epochs,
                steps_per_epoch=task.steps,
                shuffle=False,
                verbose=0,
                callbacks=[record],
            )
        except KeyboardInterrupt:
            print(f"Interrupted after {len(record.rows)} of {epochs} epochs; these are returned.")
    index = pd.RangeIndex(1, len(record.rows) + 1, name="epoch")
    return pd.DataFrame(record.rows, index=index)
