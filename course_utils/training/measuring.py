"""Epochs of training, each followed by a measurement with the same weights for all photos."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from course_utils.core import backend
from course_utils.core.progress import Progress
from course_utils.training.epochs import FiniteLossWatch, FixedPartWatch, run_epochs
from course_utils.training.head_death import describe_death, is_dead
from course_utils.training.trainee import Trainee

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


@dataclass(frozen=True)
class Task:
    """What is trained on which batches, and what is measured after every epoch.

    Args:
        trainee: What trains: the student's model, or what trains in its place.
        batches: Of training, as `fit` takes them.
        measured: From a column's prefix to what measures, and the batches it measures on;
            "clean_" and "val_" are among them.
        steps: Batches per epoch, where `batches` go on without an end.
        first: Callbacks before all others.
        last: Callbacks after all others.
        fixed: Layers that must not change, since what they compute is kept.
        rescue: What brings home what an interrupted epoch has learned.
    """

    trainee: keras.Model
    batches: Iterable
    measured: dict[str, tuple[Trainee, Iterable]]
    steps: int | None = None
    first: Sequence[keras.callbacks.Callback] = ()
    last: Sequence[keras.callbacks.Callback] = ()
    fixed: Sequence[keras.Layer] = ()
    rescue: Callable[[], None] = lambda: None


def train_and_measure(
    task: Task,
    model: keras.Model,
    *,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
    class_weight: dict[int, float] | None,
    progress: bool,
) -> tuple[pd.DataFrame, str, str]:
    """Returns a row for each finished epoch, and in words a broken loss and a dead head, if any.

    Args:
        task: What is trained and measured.
        model: The student's model.
        epochs: How often every photo is used.
        callbacks: The student's own.
        class_weight: As in `fit`.
        progress: Whether a line shows the time left.
    """
    finite, rows = FiniteLossWatch(), []
    with Progress(epochs, "Epochs", shown=progress) as line:

        def keep_row(epoch, logs):
            rows.append(dict(logs))
            line.advance()

        measurement = _Measurement(task)
        try:
            run_epochs(
                task.trainee,
                model,
                task.batches,
                epochs=epochs,
                steps_per_epoch=task.steps,
                class_weight=class_weight,
                callbacks=[
                    *task.first,
                    measurement,
                    *callbacks,
                    FixedPartWatch(task.fixed, model.optimizer),
                    finite,
                    keras.callbacks.LambdaCallback(on_epoch_end=keep_row),
                    *task.last,
                ],
            )
        except KeyboardInterrupt:
            task.rescue()
            print(f"Interrupted after {len(rows)} of {epochs} epochs; these are returned.")
    index = pd.RangeIndex(1, len(rows) + 1, name="epoch")
    death = describe_death(*measurement.extremes) if rows else ""
    return pd.DataFrame(rows, index=index), finite.words, death


class _Measurement(keras.callbacks.Callback):
    """At the end of every epoch, measures each set, before other callbacks look at the logs."""

    def __init__(self, task: Task):
        super().__init__()
        self._measured = task.measured
        self.extremes = None

    def on_epoch_end(self, epoch, logs=None):
        for prefix, (measurer, batches) in self._measured.items():
            measured, *extremes = measurer.measure(batches)
            logs |= {f"{prefix}{name}": value for name, value in measured.items()}
            if prefix == "clean_":
                self.extremes = extremes
        logs["gap"] = logs["val_loss"] - logs["clean_loss"]
        logs["dead_head"] = is_dead(*self.extremes)
