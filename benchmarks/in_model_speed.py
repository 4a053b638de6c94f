"""`train` in the model against plain `fit`, call against call, on a base of middling size.

Each call begins with a new model, as a student's cell does, so that what it does once counts: the
graphs it builds, and with `train` the one pass of clean photos. As many validation photos as
training photos, as in the lesson. Run by itself, it prints its rows.
"""

import argparse
from functools import partial

from measuring import Row, build_splits, median_ratio, time_in_turns

from course_utils.core import backend

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

from course_utils.augmentation.policy import Augmentation  # noqa: E402
from course_utils.models.classifier import build_classifier  # noqa: E402
from course_utils.training.train import train  # noqa: E402

PHOTOS, BATCH_SIZE, ROUNDS = 128, 32, 5
EPOCHS = (3, 10)
FRONT = Augmentation(flip="horizontal", contrast=0.5)


def measure(chosen: argparse.Namespace | None = None) -> list[Row]:
    """Returns a row for each number of epochs."""
    base, splits = build_base(), build_splits(PHOTOS, PHOTOS, batch_size=BATCH_SIZE)

    def fit(epochs):
        data = {"validation_data": splits.valid, "shuffle": False}
        _build(base).fit(splits.train, epochs=epochs, verbose=0, **data)

    def train_in_model(epochs):
        train(_build(base), splits, epochs=epochs, method="in_model", progress=False)

    rows = []
    for epochs in EPOCHS:
        rivals = {"fit": partial(fit, epochs), "train": partial(train_in_model, epochs)}
        time_in_turns(rivals, 1)  # warms up
        seconds = time_in_turns(rivals, ROUNDS)
        rows.append(
            Row(
                f"{PHOTOS} + {PHOTOS} photos, {epochs} epochs, float32: "
                '`train(…, method="in_model")` by plain `fit` with validation photos',
                ", ".join(f"{each:.1f}" for each in seconds["train"]) + " s",
                f"{median_ratio(seconds['train'], seconds['fit']):.2f} times plain `fit`'s time",
                f"{PHOTOS * (2 + epochs):,} passes by {2 * PHOTOS * epochs:,}",
            )
        )
    return rows


def build_base() -> keras.Sequential:
    """Returns a frozen base of six convolutions: a tenth of VGG16's arithmetic."""
    widths, layers = (32, 64, 128), []
    for width in widths:
        for _ in range(2):
            layers.append(keras.layers.Conv2D(width, 3, padding="same", activation="relu"))
        layers.append(keras.layers.MaxPooling2D())
    base = keras.Sequential([keras.Input((128, 128, 3)), *layers, keras.layers.MaxPooling2D(4)])
    base.trainable = False
    return base


def _build(base: keras.Model) -> keras.Sequential:
    return build_classifier(base, FRONT.layers(seed=1), seed=1)


if __name__ == "__main__":
    for row in measure():
        print(row.what, row.measured, row.ratio, row.remark, sep=" | ")
