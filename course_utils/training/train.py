"""Trains a model on splits and measures like against like, on a GPU and on a CPU: `train`."""

import warnings

import pandas as pd

from course_utils.core import backend
from course_utils.core.checks import check_choice, check_count
from course_utils.data.dataset import Splits
from course_utils.features import forward
from course_utils.features.batches import StoredViews
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view, list_views
from course_utils.models.partition import Parts
from course_utils.training.epochs import list_callbacks, watches_batches
from course_utils.training.in_model import train_in_model
from course_utils.training.measuring import Task, train_and_measure
from course_utils.training.preparing import choose_method, ready_model, split_for_training
from course_utils.training.trainee import STEPS_PER_EXECUTION, Trainee

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def train(
    model: keras.Model,
    splits: Splits,
    *,
    epochs: int = 30,
    callbacks=None,
    class_weight: dict[int, float] | None = None,
    method: str = "auto",
    views: int = 8,
    seed: int = 31415,
    precision: str = "auto",
    base: keras.Layer | str | None = None,
    augmented: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Trains the head of a model with a frozen base, and measures like against like.

    Two methods give the same kind of history. `"in_model"` is plain `fit`: every batch goes
    through augmentation, base and head. `"stored_features"` sends each photo, and `views`
    augmented versions of it, through the frozen base once and trains the head on what came
    out; a run cut short goes on from there. Either way it is the model's own layers that
    learn, so `model.predict(photos)` works afterwards. Clean photos go through the base once,
    with either method.

    Several GPUs share every batch of `"in_model"`. Where a device's memory runs out, training
    begins again with half the batch size, once, and says so.

    Args:
        model: A compiled model of augmentation, frozen base and head.
        splits: The photos. The order of an epoch comes from `seed`, not from `splits`.
        epochs: How often every training photo is used.
        callbacks: Keras's callbacks or your own, as in `fit`. Their `model` is the complete model,
            and the logs at the end of an epoch hold all columns of the history.
        class_weight: From a label to how much its photos count in training, as in `fit`.
        method: `"in_model"`, `"stored_features"`, or `"auto"`: in the model on a GPU, stored
            features on a CPU.
        views: With stored features, how many augmented versions of a photo there are to draw
            from. Nothing random is one version and a flip alone two, whatever this says.
        seed: Of the order, and with stored features of the augmentation.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the faster one here, timed once. With
            `"in_model"` the model's own precision counts, except that a frozen float32 base
            computes in float16 on a GPU that is made for it (compute capability 7.0 or more).
        base: The last frozen layer or model whose output is kept, or its name. `None` takes the
            last one with weights before the first layer that learns.
        augmented: Whether loss and accuracy are measured on augmented photos as well.
        progress: Whether to print what is done and show a line with the time left.

    Returns:
        A DataFrame with a row for each epoch (index `epoch`, from 1). `loss` and the metrics by
        their own names are Keras's running means over the epoch's batches, augmented and while
        the weights move. Measured when the epoch is over, all with the same weights: `clean_loss`
        on clean training photos, `val_loss` on clean validation photos, `gap` = `val_loss` -
        `clean_loss`, and with `augmented` also `augmented_loss` and `val_augmented_loss`; each
        with its metrics. `dead_head` says whether the output is the same for every clean
        training photo. `attrs` keeps method, views, precision and seed. An interrupted run
        returns the epochs it finished. A loss that is not finite ends the training with its
        epoch, and a warning says which loss it is.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If the model is not compiled, has no frozen base, or an argument is
            unknown; if a callback changes the frozen layers.

    Example:
        >>> history = train(model, splits, epochs=2, progress=False)
        >>> history[["clean_loss", "val_loss", "gap"]].shape
        (2, 3)
    """
    options = {
        "epochs": check_count("epochs", epochs),
        "callbacks": list_callbacks(callbacks),
        "class_weight": class_weight,
        "progress": progress,
    }
    views, seed = check_count("views", views), check_count("seed", seed, 0)
    check_choice("precision", precision, (*forward.PRECISIONS, "auto"))
    method, why = choose_method(method)
    ready_model(model, splits.train.image_size)
    if method == "in_model":
        history, finite, death, precision = train_in_model(
            model, splits, base=base, why=why, seed=seed, augmented=augmented, **options
        )
    else:
        parts = split_for_training(model, base)
        if progress:
            print(f"Training the head on stored features on the {backend.device()} ({why}).")
        steps = STEPS_PER_EXECUTION
        if watches_batches(options["callbacks"]):
            steps = model.steps_per_execution
        trainee = Trainee(model, parts.head, steps_per_execution=steps)
        task, precision = _build_task(
            trainee,
            parts,
            splits,
            views=views,
            seed=seed,
            precision=precision,
            augmented=augmented,
            progress=progress,
        )
        history, finite, death = train_and_measure(task, model, **options)
    history.attrs.update(method=method, views=views, precision=precision, seed=seed)
    if finite:
        warnings.warn(finite, stacklevel=2)
    elif death and progress:
        print(death)
    return history


def _build_task(
    trainee: Trainee, parts: Parts, splits: Splits, *, views, seed, precision, augmented, progress
) -> tuple[Task, str]:
    drawn = list_views(parts.front, views=views, seed=seed)
    clean = clean_view(parts.front)
    needed = [
        (splits.valid, [clean, *(drawn if augmented else ())]),
        (splits.train, [clean, *drawn]),
    ]
    store = prepare_features(
        parts.front, parts.base, needed, precision=precision, seed=seed, progress=progress
    )

    def batches(photos, chosen, shuffle=False):
        stored = [store.open(photos, view) for view in chosen]
        options = {"batch_size": photos.batch_size, "shuffle": shuffle, "seed": seed}
        return StoredViews(stored, photos.labels, **options).as_dataset()

    measured = {"clean_": (splits.train, [clean]), "val_": (splits.valid, [clean])}
    if augmented:
        measured |= {"augmented_": (splits.train, drawn), "val_augmented_": (splits.valid, drawn)}
    measured = {prefix: (trainee, batches(*each)) for prefix, each in measured.items()}
    train_batches = batches(splits.train, drawn, shuffle=True)
    fixed = (*parts.front, parts.base)
    return Task(trainee, train_batches, measured, fixed=fixed), store.precision
