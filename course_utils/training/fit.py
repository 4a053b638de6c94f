"""Keras's `fit` on stored features: `fit`."""

import warnings

import numpy as np

from course_utils.core import backend
from course_utils.core.checks import check_choice, check_count
from course_utils.data.dataset import Photos, Splits
from course_utils.features import forward
from course_utils.features.batches import StoredViews
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view, list_views
from course_utils.training.dataset_photos import DatasetPhotos, check_dataset
from course_utils.training.epochs import (
    FiniteLossWatch,
    FixedPartWatch,
    freeing_graphs,
    list_callbacks,
    run_epochs,
    watches_batches,
)
from course_utils.training.preparing import choose_method, ready_model, split_for_training
from course_utils.training.trainee import STEPS_PER_EXECUTION, Trainee

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

BATCH_SIZE = 32  # of arrays, Keras's own
# Further arguments of Keras's `fit` that mean the same on stored features, and what to write in
# place of those that do not.
TAKEN = ("initial_epoch", "steps_per_epoch", "validation_steps", "validation_freq")
INSTEAD = {
    "validation_split": "Pass validation_data.",
    "validation_batch_size": "Pass validation_data that is a dataset, in batches of its own.",
    "sample_weight": "Pass a dataset of (images, labels, sample weights).",
    "shuffle": "The data brings its own order; a dataset is shuffled by its `shuffle`.",
    "x": "Pass the photos as `data`.",
    "y": "Pass the labels with the photos: data=(images, labels).",
}


def fit(
    model: keras.Model,
    data,
    *,
    validation_data=None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    callbacks=None,
    class_weight: dict[int, float] | None = None,
    method: str = "auto",
    views: int = 8,
    seed: int = 31415,
    precision: str = "auto",
    base: keras.Layer | str | None = None,
    measure_clean: bool = False,
    progress: bool | None = None,
    **options,
) -> keras.callbacks.History:
    """Trains a model as `model.fit` does; without a GPU, on stored features.

    With nothing random in the model, the history is that of `model.fit` but for rounding. Where
    augmentation layers stand in front of the base, each photo has `views` stored versions of
    which every epoch draws one. Lesson 02 uses it.

    Args:
        model: A compiled model of augmentation, frozen base and head.
        data: The kit's `Splits` or `Photos`; a `tf.data.Dataset` of batches (images, labels) or
            (images, labels, sample weights), in any order; or arrays (images, labels). A dataset
            is gone through in every epoch, and its photos are found by their pixels, so that
            these must not change: augmentation belongs into the model.
        validation_data: The same; of `Splits` the validation photos, where it is `None`.
        batch_size: Of the kit's photos and of arrays; a dataset has its own.
        epochs: How often the data is gone through.
        verbose: 0 is silent, 1 shows a progress bar, 2 a line for each epoch.
        callbacks: Keras's callbacks or your own. Their `model` is the complete model.
        class_weight: From a label to how much its photos count in training.
        method: `"stored_features"`; `"in_model"`, which is `model.fit` itself; or `"auto"`: in
            the model on a GPU, stored features on a CPU.
        views: How many augmented versions of a photo there are to draw from. Nothing random is
            one version and a flip alone two, whatever this says.
        seed: Of the augmentation, where features are stored.
        precision: What the base computes in for stored features: `"float32"`, `"bfloat16"`, or
            `"auto"`: the faster one here, timed once.
        base: The last frozen layer or model whose output is stored, or its name. `None` takes the
            last one with weights before the first layer that learns.
        measure_clean: Whether every epoch ends with a measurement of the training photos without
            augmentation, with the model that `val_loss` is measured with: `clean_loss` and the
            metrics. In the model that is `model.evaluate(data)`; on stored features each photo
            counts once, without sample weights.
        progress: Whether to say what is done and how long it takes where features are stored;
            `None` does so unless `verbose` is 0.
        **options: `initial_epoch`, `steps_per_epoch`, `validation_steps`, `validation_freq`; in
            the model whatever else `model.fit` takes.

    Returns:
        A `keras.callbacks.History`. A loss that is not finite ends the training with its epoch,
        and a warning says which loss it is.

    Raises:
        TypeError: If data or an argument is of a kind that cannot be used; the message says
            what to write instead.
        ValueError: If the model is not compiled or has no frozen base; if photos are new in an
            epoch; if a callback changes the frozen layers.

    Example:
        >>> history = fit(model, splits, epochs=2, verbose=0)
        >>> sorted(history.history)
        ['binary_accuracy', 'loss', 'val_binary_accuracy', 'val_loss']
    """
    options |= {"epochs": check_count("epochs", epochs), "class_weight": class_weight}
    views, seed = check_count("views", views), check_count("seed", seed, 0)
    check_choice("precision", precision, (*forward.PRECISIONS, "auto"))
    method, why = choose_method(method)
    callbacks, finite = list_callbacks(callbacks), FiniteLossWatch()
    if isinstance(data, Splits):
        validation_data = data.valid if validation_data is None else validation_data
        data = data.train
    options |= {"verbose": verbose, "callbacks": [*callbacks, finite]}
    if method == "in_model":
        if measure_clean:
            photos = data if isinstance(data, tuple | list) else (data,)
            options["callbacks"] = [_CleanMeasurement(model, *photos), *options["callbacks"]]
        history = _fit_in_model(model, data, validation_data, batch_size, **options)
    else:
        _refuse_others(options)
        data = _as_batches(data, "data", batch_size, seed=seed)
        if validation_data is not None:
            size = None if isinstance(validation_data, tensorflow.data.Dataset) else batch_size
            validation_data = _as_batches(validation_data, "validation_data", size)
        progress = bool(verbose) if progress is None else progress
        if progress:
            print(f"Training the head on stored features on the {backend.device()} ({why}).")
        ready_model(model, _find_image_size(data))
        parts = split_for_training(model, base)
        stored = {"views": views, "seed": seed, "precision": precision}
        stored |= {"measure_clean": measure_clean, "progress": progress}
        history = _fit_on_features(model, parts, data, validation_data, **stored, **options)
    if finite.words:
        warnings.warn(finite.words, stacklevel=2)
    return history


def _fit_in_model(model, data, validation_data, batch_size, **options) -> keras.callbacks.History:
    """Calls `model.fit` itself; the kit's photos begin with their first epoch's order."""
    if isinstance(data, Photos):
        data, batch_size = data.in_batches_of(batch_size or data.batch_size), None
    if isinstance(data, Photos | tensorflow.data.Dataset):  # They have an order of their own.
        options.setdefault("shuffle", False)
    arrays = ()
    if isinstance(data, tuple | list):
        data, *arrays = data
    names = ("y", "sample_weight")
    options |= dict(zip(names, arrays))  # noqa: B905 (weights may be missing)
    with freeing_graphs():
        return model.fit(data, validation_data=validation_data, batch_size=batch_size, **options)


def _fit_on_features(
    model,
    parts,
    data,
    validation_data,
    *,
    views,
    seed,
    precision,
    measure_clean,
    progress,
    callbacks,
    verbose,
    **options,
) -> keras.callbacks.History:
    drawn, clean = list_views(parts.front, views=views, seed=seed), [clean_view(parts.front)]
    passes = min(options["epochs"], 2)
    train = _find_photos(data, "data", passes)
    needed = [(train, [*(clean if measure_clean else ()), *drawn])]
    if validation_data is not None:
        valid = _find_photos(validation_data, "validation_data", passes)
        needed.insert(0, (valid, clean))
    store = prepare_features(
        parts.front, parts.base, needed, precision=precision, seed=seed, progress=progress
    )
    if validation_data is not None:
        options["validation_data"] = _open(store, valid, clean, seed)
    batches = _open(store, train, drawn, seed)
    # Keras counts batches by whole calls, so that a number of steps asks for the student's calls.
    counted = options.get("steps_per_epoch") or options.get("validation_steps")
    own = counted or watches_batches(callbacks)
    steps = model.steps_per_execution if own else STEPS_PER_EXECUTION
    trainee = Trainee(model, parts.head, steps_per_execution=steps)
    if measure_clean:
        stored = [store.open(train, view) for view in clean]
        measured = StoredViews(stored, _find_labels(train), batch_size=BATCH_SIZE).as_dataset()
        callbacks = [_CleanMeasurement(trainee, measured), *callbacks]
    try:
        return run_epochs(
            trainee,
            model,
            batches,
            steps=options.get("steps_per_epoch") or len(train),
            callbacks=[*callbacks, FixedPartWatch((*parts.front, parts.base), model.optimizer)],
            verbose=verbose,
            **options,
        )
    except tensorflow.errors.OpError:
        for photos, _ in needed:
            if isinstance(photos, DatasetPhotos) and photos.error:
                raise photos.error from None
        raise


class _CleanMeasurement(keras.callbacks.Callback):
    """At the end of every epoch, measures the training photos before other callbacks see the logs.

    Args:
        measurer: What measures: the model, or what trains in its place.
        *photos: The training photos, as `evaluate` takes them.
    """

    def __init__(self, measurer: keras.Model, *photos):
        super().__init__()
        self._measurer = measurer
        self._photos = photos

    def on_epoch_end(self, epoch, logs=None):
        measured = self._measurer.evaluate(*self._photos, verbose=0, return_dict=True)
        logs |= {f"clean_{name}": value for name, value in measured.items()}


def _find_labels(photos: Photos | DatasetPhotos) -> np.ndarray:
    """Returns the label of each photo, in the photos' own order."""
    if isinstance(photos, Photos):
        return photos.labels
    found = {}
    for positions, labels, *_ in photos.ahead[0]:
        found |= zip(positions.tolist(), labels, strict=True)
    return np.stack([found[position] for position in range(photos.count)])


def _refuse_others(options) -> None:
    """Raises a TypeError if an argument of Keras's `fit` does not work on stored features."""
    for name in options:
        if name not in (*TAKEN, "epochs", "class_weight", "verbose", "callbacks"):
            raise TypeError(
                f"Expected the arguments {', '.join(TAKEN)} and those that `fit` names itself, "
                f"received {name!r}, which does not work on stored features. "
                f"{INSTEAD.get(name, 'Leave it out.')} "
                'Or train with method="in_model".'
            )


def _as_batches(data, name: str, batch_size: int | None, *, seed: int | None = None):
    """Returns the kit's photos with their first epoch's order ahead, or a checked dataset.

    Args:
        data: What was passed.
        name: `data` or `validation_data`.
        batch_size: What was passed.
        seed: Of the order of arrays; `None` leaves it.
    """
    if isinstance(data, Photos):
        return data.in_batches_of(batch_size or data.batch_size)
    if isinstance(data, tuple | list):
        data = tensorflow.data.Dataset.from_tensor_slices(tuple(data))
        if seed is not None:
            data = data.shuffle(len(data), seed=seed)
        data = data.batch(batch_size or BATCH_SIZE)
    elif batch_size is not None:
        raise ValueError(
            f"Expected no `batch_size` beside a dataset, received {batch_size!r}: `{name}` is in "
            "batches already. Change the dataset's own `batch`."
        )
    check_dataset(data, name)
    return data


def _find_image_size(data) -> tuple[int, int]:
    return data.image_size if isinstance(data, Photos) else data.element_spec[0].shape[1:3]


def _find_photos(data, name: str, passes: int) -> Photos | DatasetPhotos:
    return data if isinstance(data, Photos) else DatasetPhotos(data, name=name, passes=passes)


def _open(store, photos: Photos | DatasetPhotos, views, seed: int):
    """Returns batches of stored features as a `tf.data.Dataset`."""
    stored = [store.open(photos, view) for view in views]
    if isinstance(photos, DatasetPhotos):
        return photos.with_features(stored, seed=seed)
    options = {"batch_size": photos.batch_size, "shuffle": photos.shuffle, "seed": photos.seed}
    return StoredViews(stored, photos.labels, **options).as_dataset()
