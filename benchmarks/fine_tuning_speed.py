"""Lesson 08's whole table: fine-tuning by plain `fit` against the kit's way, call against call.

Two policies; the head first, then each of three levels; validation photos after every epoch. Both
ways train the same models for as many epochs. The kit's way begins with an empty cache, so that
the passes of photos and stored views count, and what a machine times once for its fastest pass.
Run by itself, it prints its rows.
"""

import argparse
from functools import partial

from measuring import Row, build_splits, median_ratio, new_cache, time_in_turns

from course_utils.core import backend

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

from course_utils.augmentation.policy import Augmentation  # noqa: E402
from course_utils.core.progress import describe_seconds  # noqa: E402
from course_utils.core.settings import load_settings  # noqa: E402
from course_utils.models.classifier import build_classifier  # noqa: E402
from course_utils.models.vgg16 import load_vgg16_base  # noqa: E402
from course_utils.training.fit import fit  # noqa: E402

PHOTOS, BATCH_SIZE, EPOCHS, ROUNDS = 128, 16, 3, 1
VIEWS = load_settings("quick").views
POLICIES = (Augmentation(), Augmentation(flip="horizontal", contrast=0.5))
BLOCK5 = ("block5_conv1", "block5_conv2", "block5_conv3")
LEVELS = ((), BLOCK5[2:], BLOCK5)
STORED = {"method": "stored_features", "views": VIEWS, "base": "block4_pool"}


def measure(chosen: argparse.Namespace | None = None) -> list[Row]:
    """Returns a row for the kit's way, and one for its second run, which finds its features."""
    base, splits = load_vgg16_base(), build_splits(PHOTOS, PHOTOS, batch_size=BATCH_SIZE)
    imagenet = base.get_weights()

    def fit_plainly(model):
        data = {"validation_data": splits.valid, "shuffle": False}
        model.fit(splits.train, epochs=EPOCHS, verbose=0, **data)

    def fit_on_features(model):
        fit(model, splits, epochs=EPOCHS, verbose=0, **STORED)

    ways = {
        "plain": partial(train_table, base, imagenet, fit_plainly),
        "first": partial(train_table, base, imagenet, fit_on_features),
        "second": partial(train_table, base, imagenet, fit_on_features),
    }
    with new_cache():
        seconds = time_in_turns(ways, ROUNDS)
    of_plain = len(POLICIES) * (1 + len(LEVELS)) * EPOCHS * 2 * PHOTOS
    remarks = {
        "first": f"{PHOTOS * (2 + VIEWS):,} passes by {of_plain:,}, and the timing of passes",
        "second": f"no passes by {of_plain:,}",
    }
    return [
        Row(
            f"{PHOTOS} + {PHOTOS} photos, {len(LEVELS)} levels, {len(POLICIES)} policies, "
            f"{EPOCHS} epochs a stage: `cu.fit`, {name} run, by plain `fit`",
            f"{describe_seconds(seconds[name][0])} by {describe_seconds(seconds['plain'][0])}",
            f"{1 / median_ratio(seconds[name], seconds['plain']):.1f} times as fast",
            remark,
        )
        for name, remark in remarks.items()
    ]


def train_table(base, imagenet, train) -> None:
    """Trains every model of the lesson's table.

    Args:
        base: VGG16's.
        imagenet: Its own weights.
        train: Trains a compiled model for one stage.
    """
    for policy in POLICIES:
        base.set_weights(imagenet)
        model = build_classifier(base, policy.layers(seed=1), head="stable")
        _let_learn(model, base, (), rate=1e-3)
        train(model)
        after_head = model.get_weights()
        for learns in LEVELS:
            model.set_weights(after_head)
            _let_learn(model, base, learns, rate=1e-4)
            train(model)


def _let_learn(model, base, names, *, rate: float) -> None:
    base.trainable = True
    for layer in base.layers:
        layer.trainable = layer.name in names
    adam = keras.optimizers.Adam(rate)
    model.compile(optimizer=adam, loss="binary_crossentropy", metrics=["binary_accuracy"])


if __name__ == "__main__":
    for row in measure():
        print(row.what, row.measured, row.ratio, row.remark, sep=" | ")
