"""Each transformation of the catalogue: images a second in the model, and in tf.data.

In the model, the layer is called in a compiled graph on a batch of 64, `training=True`. In tf.data
the same layer is mapped over batches of 64, several at once.
"""

import argparse
import statistics

from measuring import Row, median_ratio, time_in_turns

from course_utils.core import backend

tensorflow = backend.import_tensorflow()
from course_utils.augmentation.catalogue import CATALOGUE  # noqa: E402 (quiet first)
from course_utils.augmentation.policy import Augmentation  # noqa: E402
from course_utils.lessons.pipelines import compile_layers  # noqa: E402

BATCH, BATCHES, ROUNDS = 64, 4, 3


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns a row for each transformation, at half of its largest strength."""
    images = tensorflow.random.uniform((BATCH, 128, 128, 3), seed=1)
    return [_measure_one(name, images) for name in CATALOGUE]


def _measure_one(name: str, images) -> Row:
    entry = CATALOGUE[name]
    strength = "horizontal" if entry.unit == "choice" else entry.maximum / 2
    layers = Augmentation(**{name: strength}).layers(seed=1)
    augment = compile_layers(layers)
    pipeline = (
        tensorflow.data.Dataset.from_tensors(images)
        .repeat(BATCHES)
        .map(augment, num_parallel_calls=tensorflow.data.AUTOTUNE)
        .prefetch(tensorflow.data.AUTOTUNE)
    )

    def in_model():
        for _ in range(BATCHES):
            augment(images).numpy()

    def in_pipeline():
        for batch in pipeline:
            batch.numpy()

    in_model(), in_pipeline()  # build the graphs
    seconds = time_in_turns({"model": in_model, "tf.data": in_pipeline}, ROUNDS)
    speeds = [BATCH * BATCHES / statistics.median(each) for each in seconds.values()]
    return Row(
        f"{name} {strength if entry.unit == 'choice' else format(strength, 'g')}: "
        "in tf.data by in the model",
        f"{speeds[1]:,.0f} by {speeds[0]:,.0f} a second",
        f"{median_ratio(seconds['model'], seconds['tf.data']):.2f}",
        f"{', '.join(type(layer).__name__ for layer in layers)}",
    )
