"""Fine-tuning on the real photos: does augmentation do more where more weights learn?

    COURSE_DATA_DIR=../shared/car-or-truck python studies/publish_fine_tuning.py run
    python studies/publish_fine_tuning.py rates

`run` trains what studies/PLAN.md says under *Fine-tuning* and writes data/results/fine-tuning-*.csv
after each random initialization from the second on. It begins with `rates`, which measures learning
rates on synthetic vehicles, and takes the one with the lowest loss for each level. Every run is an
entry of the cache: stop whenever you like and start again.
"""

import argparse
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from fine_tuning_inputs import (
    EVALUATION_BATCH,
    SEED,
    VIEWS,
    Inputs,
    apply_layers,
    build_thumbnails,
    load_inputs,
)
from fine_tuning_tables import FRESH, NONE, STORED, list_differences, list_runs
from published_tables import write_table

from course_utils.core import backend, cache, settings
from course_utils.data.dataset import Photos, load_car_or_truck, splits_from_arrays
from course_utils.data.duplicates import group_near_duplicates
from course_utils.data.synthetic.dataset import make_synthetic_vehicles
from course_utils.models.classifier import build_head
from course_utils.models.vgg16 import load_vgg16_base
from course_utils.training.heads import measure_losses

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

VERSION = 1  # Raise it when the same run gives other numbers.
TRAIN_PHOTOS, TEST_PHOTOS, BATCH_SIZE = 400, 1000, 32
STARTS, CONTROL_STARTS = range(10), range(3)
HEAD_EPOCHS, FINE_EPOCHS, SCRATCH_EPOCHS = 3, 3, 12
HEAD_RATE = 1e-3
CONVOLUTIONS = ("block5_conv1", "block5_conv2", "block5_conv3")


@dataclass(frozen=True)
class Level:
    """How much of the model learns.

    Args:
        name: In the tables.
        learns: The convolutions that learn after the head's own stage.
        rates: Learning rates that are tried on synthetic vehicles.
        rate: The learning rate of that stage.
    """

    name: str
    learns: tuple[str, ...]
    rates: tuple[float, ...]
    rate: float = 0.0


RATES = (1e-3, 3e-4, 1e-4, 3e-5)
HEAD = Level("head alone", (), (HEAD_RATE,))
LAST = Level("last convolution and head", CONVOLUTIONS[2:], RATES)
BLOCK = Level("block 5 and head", CONVOLUTIONS, RATES)
SCRATCH = Level("small network from scratch", (), (1e-2, 3e-3, 1e-3))
LEVELS = (HEAD, LAST, BLOCK, SCRATCH)
RATE_PHOTOS, RATE_BATCH_SIZE = 200, 16  # as many steps as 400 photos in batches of 32


@dataclass(frozen=True)
class Study:
    """Photos, base, and what each level gets.

    Args:
        train: The training photos.
        test: The photos that judge.
        base: VGG16's base with its own weights.
        inputs: By level's name.
        batch_size: Photos in a batch.
    """

    train: Photos
    test: Photos
    base: keras.Model
    inputs: dict[str, Inputs]
    batch_size: int = BATCH_SIZE


def load_study(train: Photos, test: Photos) -> Study:
    """Returns a study with all features: VGG16's blocks 1 to 4 see each photo and view once.

    Args:
        train: The training photos.
        test: The photos that judge.
    """
    base = load_vgg16_base()
    frozen = keras.Model(base.input, base.get_layer("block4_pool").output)
    views = HEAD_EPOCHS + FINE_EPOCHS
    block4 = load_inputs(frozen, train, test, views=views)
    thumbnails = build_thumbnails(base.input_shape[1:])
    inputs = {
        BLOCK.name: block4,
        LAST.name: apply_layers(block4, [base.get_layer(name) for name in CONVOLUTIONS[:2]]),
        HEAD.name: apply_layers(block4, base.layers[-4:]),
        SCRATCH.name: load_inputs(thumbnails, train, test, views=views),
    }
    return Study(train, test, base, inputs)


def build_small_network(shape: tuple, *, seed: int) -> keras.Sequential:
    """Returns three small convolutions and a head, none of which has learned anything yet."""
    layers = [keras.Input(shape)]
    for number, width in enumerate((16, 32, 64)):
        kernel = keras.initializers.HeNormal(seed=seed + number)
        layers.append(keras.layers.Conv2D(width, 3, activation="relu", kernel_initializer=kernel))
        layers.append(keras.layers.MaxPooling2D())
    last = keras.initializers.GlorotUniform(seed=seed)
    layers.append(keras.layers.GlobalAveragePooling2D())
    layers.append(keras.layers.Dense(1, activation="sigmoid", kernel_initializer=last))
    return keras.Sequential(layers)


def compile_at(model: keras.Model, rate: float) -> keras.Model:
    """Returns the model, compiled with Adam at a learning rate."""
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="binary_crossentropy")
    return model


def count_learning(model: keras.Model) -> int:
    """Returns how many weights learn."""
    return int(sum(np.prod(weight.shape) for weight in model.trainable_weights))


def train_model(
    study: Study, level: Level, policy: str, *, seed: int
) -> tuple[keras.Model, Inputs, int]:
    """Trains one run and returns its model, what it sees, and how many weights learned.

    The head learns first. Then the level's convolutions learn as well, with a small rate; where
    there are none, the head goes on as before.

    Args:
        study: Photos, base and inputs.
        level: What learns.
        policy: As in `Inputs.read_epochs`.
        seed: Of the head's initial weights, of orders and of draws.
    """
    keras.utils.clear_session()
    inputs = study.inputs[level.name]

    def fit(model, given, epochs):
        for features, order in given.read_epochs(policy, seed=seed, epochs=epochs):
            options = {"batch_size": study.batch_size, "shuffle": False, "verbose": 0}
            model.fit(features, study.train.labels[order], **options)

    if level.name == SCRATCH.name:
        model = compile_at(build_small_network(inputs.clean.shape[1:], seed=seed), level.rate)
        fit(model, inputs, range(SCRATCH_EPOCHS))
        return model, inputs, count_learning(model)
    on_head = study.inputs[HEAD.name]
    head = build_head("stable", seed=seed)
    model = compile_at(keras.Sequential([keras.Input(on_head.clean.shape[1:]), *head]), HEAD_RATE)
    fit(model, on_head, range(HEAD_EPOCHS))
    if level.learns:
        copies = [type(each).from_config(each.get_config()) for each in study.base.layers[-4:]]
        copies = [each for each in copies if each.name in (*level.learns, "block5_pool")]
        model = keras.Sequential([keras.Input(inputs.clean.shape[1:]), *copies, *head])
        for each in copies:
            each.trainable = True
            each.set_weights(study.base.get_layer(each.name).get_weights())
        compile_at(model, level.rate)
    fit(model, inputs, range(HEAD_EPOCHS, HEAD_EPOCHS + FINE_EPOCHS))
    return model, inputs, count_learning(model)


def load_run(study: Study, level: Level, policy: str, *, seed: int) -> dict:
    """Returns a run's numbers, out of the cache where they are there.

    Args:
        study: Photos, base and inputs.
        level: What learns.
        policy: As in `Inputs.read_epochs`.
        seed: The run's.

    Returns:
        `probabilities` of the test photos, `train_loss` on clean training photos, how many
        `weights` learned.
    """
    arrays = (study.train.keys, study.train.labels, study.test.keys, study.test.labels)
    about = [
        *(VERSION, level.name, list(level.learns), level.rate, policy, seed, HEAD_RATE, VIEWS),
        *(
            HEAD_EPOCHS,
            FINE_EPOCHS,
            SCRATCH_EPOCHS,
            study.batch_size,
            study.inputs[level.name].about,
        ),
        *(hashlib.sha256(np.ascontiguousarray(array)).hexdigest() for array in arrays),
    ]

    def train() -> dict:
        start = time.perf_counter()
        model, inputs, weights = train_model(study, level, policy, seed=seed)
        options = {"batch_size": EVALUATION_BATCH, "verbose": 0}
        probabilities = model.predict(inputs.test, **options)[:, 0]
        train_loss = model.evaluate(inputs.clean, study.train.labels, **options)
        taken = time.perf_counter() - start
        print(f"run {seed}, {level.name}, {policy}: {taken:.0f} s", flush=True)
        return {"probabilities": probabilities, "train_loss": train_loss, "weights": weights}

    expected = {"probabilities": ("float32", (study.test.count,))}
    kept = cache.load_or_make(cache.name_entry("fine-tuning", about), train, arrays=expected)
    return {"probabilities": kept["probabilities"][:], **kept.facts}


def list_policies(level: Level, seed: int) -> tuple[str, ...]:
    """Returns the policies that a level trains with from one initialization."""
    if level.name != SCRATCH.name and seed in CONTROL_STARTS:
        return (NONE, STORED, FRESH)
    return (NONE, STORED)


def publish(study: Study, levels: Sequence[Level], starts: Sequence[int]) -> None:
    """Trains every run, initialization by initialization, and writes the tables after each.

    Args:
        study: Photos, base and inputs.
        levels: With their rates.
        starts: The runs' numbers.
    """
    clusters, labels, found = group_near_duplicates(study.test), study.test.labels, {}
    rates = {level.name: level.rate for level in levels}
    for number, seed in enumerate(starts, start=1):
        begun = time.perf_counter()
        for level in levels:
            for policy in list_policies(level, seed):
                found[level.name, policy, seed] = load_run(study, level, policy, seed=seed)
        taken = time.perf_counter() - begun
        print(f"{number} of {len(starts)} initializations: {taken:.0f} s", flush=True)
        if number < 2:
            continue  # One pair has no interval.
        notes = [
            f"Kaggle's car-or-truck photos: {study.train.count:,} training photos, "
            f"{study.test.count:,} other photos as the test set, used once; {number} random "
            f"initializations; {HEAD_EPOCHS} epochs of the head, then {FINE_EPOCHS} of what "
            f"learns; the small network {SCRATCH_EPOCHS}; batches of {study.batch_size}; {VIEWS} "
            "stored views; features in float32.",
            "The plan of the analysis is in studies/PLAN.md.",
        ]
        write_table(list_runs(found, labels, rates), "fine-tuning-runs", notes)
        differences = list_differences(found, labels, clusters, HEAD.name, BLOCK.name)
        write_table(differences, "fine-tuning-differences", notes)


def choose_rates() -> list[Level]:
    """Returns the levels with the rates that had the lowest loss on other synthetic vehicles.

    No augmentation takes part, so that no rate is chosen for it. The table goes to
    data/results/fine-tuning-rates.csv.
    """
    arrays = [make_synthetic_vehicles(RATE_PHOTOS, split=split)[:2] for split in ("train", "valid")]
    names = {"class_names": ("Car", "Truck"), "source": "Synthetic vehicles."}
    splits = splits_from_arrays(*arrays, **names)
    study = replace(load_study(splits.train, splits.valid), batch_size=RATE_BATCH_SIZE)
    rows, chosen = [], []
    for level in LEVELS:
        losses = {}
        for rate in level.rates:
            run = load_run(study, replace(level, rate=rate), NONE, seed=0)
            losses[rate] = measure_losses(run["probabilities"][:, None], study.test.labels).mean()
            row = {"level": level.name, "rate": rate, "valid_loss": losses[rate]}
            rows.append(row | {"train_loss": run["train_loss"]})
        chosen.append(replace(level, rate=min(losses, key=losses.get)))
    notes = [
        f"{RATE_PHOTOS} synthetic vehicles to train on, as many others to judge; one run each, "
        f"without augmentation; batches of {RATE_BATCH_SIZE}.",
    ]
    table = pd.DataFrame(rows)
    write_table(table, "fine-tuning-rates", notes)
    print(table.round(4).to_string(), flush=True)
    return chosen


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("run", "rates"))
    parser.add_argument("--starts", type=int, default=len(STARTS), help="random initializations")
    parser.add_argument("--train", type=int, default=TRAIN_PHOTOS, help="training photos")
    parser.add_argument("--test", type=int, default=TEST_PHOTOS, help="test photos")
    asked = parser.parse_args()
    backend.set_seed()
    levels = choose_rates()
    if asked.part == "rates":
        return
    splits = load_car_or_truck(settings.load_settings("full"))
    train = splits.train.take(asked.train, seed=SEED).unshuffled()
    test = splits.valid.take(asked.test, seed=SEED).unshuffled()
    publish(load_study(train, test), levels, range(asked.starts))


if __name__ == "__main__":
    main()
