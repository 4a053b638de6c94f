"""`fit` on stored features is Keras's `fit`, or it refuses by name.

Longer than 350 lines because every argument of Keras's `fit` is followed or refused, each by a
test.
"""

import csv

import hypothesis
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow
from hypothesis import strategies
from keras import layers

from course_utils.models.classifier import build_classifier
from course_utils.training.fit import fit

SEED = 31415
STORED = {"method": "stored_features", "precision": "float32", "verbose": 0}
glorot = keras.initializers.GlorotUniform


def dense(units, activation=None, seed=0, **options):
    return layers.Dense(units, activation, kernel_initializer=glorot(seed), **options)


# A cell of a notebook defines such functions; Keras cannot find them by their names.


def squared_distance(labels, outputs):
    return keras.ops.mean(keras.ops.square(labels - outputs), axis=-1)


def mean_output(labels, outputs):
    return keras.ops.mean(outputs)


class ScaledLoss(keras.losses.Loss):
    def call(self, labels, outputs):
        return 3 * squared_distance(labels, outputs)


HEADS = {
    "lesson": lambda: [dense(6, "relu"), dense(1, "sigmoid", 1)],
    "activation apart": lambda: [dense(6), layers.Activation("tanh"), dense(1, "sigmoid", 1)],
    "batch normalization": lambda: [
        dense(6, "relu"),
        layers.BatchNormalization(),
        dense(1, "sigmoid", 1),
    ],
    "one Sequential": lambda: [keras.Sequential([dense(6, "tanh"), dense(1, "sigmoid", 1)])],
    "regularized": lambda: [
        dense(6, "tanh", kernel_regularizer="l2"),
        dense(1, "sigmoid", 1, activity_regularizer="l1"),
    ],
}
LOSSES = {
    "name": "binary_crossentropy",
    "object": keras.losses.BinaryCrossentropy(label_smoothing=0.1),
    "sum": keras.losses.BinaryCrossentropy(reduction="sum"),
    "function": squared_distance,
    "class": ScaledLoss(),
}
METRICS = {
    "none": dict,
    "name": lambda: {"metrics": ["accuracy"]},
    "object": lambda: {"metrics": [keras.metrics.AUC(name="area")]},
    "function": lambda: {"metrics": [mean_output, "mse"]},
    "weighted": lambda: {"weighted_metrics": ["binary_accuracy"], "metrics": ["mae"]},
}
OPTIMIZERS = {
    "adam": lambda: "adam",
    "schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5), momentum=0.9
    ),
    "decay": lambda: keras.optimizers.AdamW(0.01, clipnorm=1.0, use_ema=True),
}


def in_dataset(photos, *, shuffle=False, weights=False):
    parts = [photos.read(np.arange(photos.count)), photos.labels]
    if weights:
        parts.append(np.linspace(0.5, 2, photos.count, dtype="float32"))
    dataset = tensorflow.data.Dataset.from_tensor_slices(tuple(parts))
    if shuffle:
        dataset = dataset.shuffle(photos.count, seed=5)
    return dataset.batch(photos.batch_size)


DATA = {
    "photos": lambda photos: photos.in_batches_of(photos.batch_size),
    "dataset": in_dataset,
    "shuffled dataset": lambda photos: in_dataset(photos, shuffle=True),
    "weighted dataset": lambda photos: in_dataset(photos, weights=True),
}
CALLBACKS = {
    "none": list,
    "plateau": lambda: [keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=0, min_delta=9)],
    "early": lambda: [
        keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    ],
    "metric": lambda: [keras.callbacks.EarlyStopping("accuracy", min_delta=9, patience=1)],
    "batches": lambda: [keras.callbacks.TerminateOnNaN()],
}


def build(base, head, front=(), **compiled):
    model = keras.Sequential([keras.Input((16, 16, 3)), *front, base, layers.Flatten(), *head])
    model.compile(**{"loss": "binary_crossentropy", **compiled})
    return model


def assert_same(found, expected, tolerance=1e-5):
    assert list(found.history) == list(expected.history)
    assert found.epoch == expected.epoch
    for name, values in expected.history.items():
        np.testing.assert_allclose(found.history[name], values, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@hypothesis.settings(
    max_examples=16,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.generate],
)
@hypothesis.given(
    *(strategies.sampled_from(list(each)) for each in (HEADS, LOSSES, METRICS, OPTIMIZERS, DATA)),
    strategies.sampled_from(list(CALLBACKS)),
    strategies.sampled_from([None, {0: 1.0, 1: 3.0}]),
)
def test_the_history_is_plain_fits(
    make_base, make_splits, head, loss, metrics, optimizer, data, callbacks, class_weight
):
    if "schedule" in optimizer and callbacks == "plateau":
        callbacks = "none"  # Keras itself refuses to change a schedule.
    if callbacks == "metric" and metrics != "name":
        callbacks = "none"
    if data == "weighted dataset":
        class_weight = None  # Keras itself takes one or the other.
    splits = make_splits(24, 16)  # two batches, the last a smaller one
    histories, weights = [], []
    for way in ("fit", "stored"):
        model = build(
            make_base(),
            HEADS[head](),
            loss=LOSSES[loss],
            optimizer=OPTIMIZERS[optimizer](),
            run_eagerly=True,  # no graphs to trace
            **METRICS[metrics](),
        )
        options = {"epochs": 3, "class_weight": class_weight, "callbacks": CALLBACKS[callbacks]()}
        options["validation_data"] = DATA[data](splits.valid)
        if way == "fit":
            found = model.fit(DATA[data](splits.train), shuffle=False, verbose=0, **options)
        else:
            found = fit(model, DATA[data](splits.train), **STORED, **options)
        histories.append(found)
        weights.append(model.get_weights() + [model.optimizer.iterations.numpy()])
    assert_same(histories[1], histories[0])
    for found, expected in zip(weights[1], weights[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [{"steps_per_epoch": 2}, {"validation_steps": 2}, {"initial_epoch": 1}, {"validation_freq": 2}],
    ids=lambda asked: next(iter(asked)),
)
def test_steps_and_epochs_are_counted_as_fit_counts_them(make_base, make_splits, asked):
    splits = make_splits(40, 24)
    found = []
    for train in ("fit", "stored"):
        model = build(make_base(), HEADS["activation apart"](), optimizer="sgd")
        data, options = in_dataset(splits.train), {"epochs": 3, **asked}
        options["validation_data"] = in_dataset(splits.valid)
        if train == "fit":
            history = model.fit(data, verbose=0, **options)
        else:
            history = fit(model, data, **STORED, **options)
        found.append((history, int(model.optimizer.iterations)))
    assert found[1][1] == found[0][1]
    assert_same(found[1][0], found[0][0], 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("one_hot", [False, True])
def test_two_outputs_and_whole_steps_in_graphs(make_base, make_splits, one_hot):
    splits = make_splits(72, 40)  # the last batch is smaller
    kinds = {False: "sparse_categorical_crossentropy", True: "categorical_crossentropy"}

    def prepare(photos):
        images, labels = photos.read(np.arange(photos.count)), photos.labels[:, 0].astype(int)
        labels = np.eye(2, dtype="float32")[labels] if one_hot else labels
        return tensorflow.data.Dataset.from_tensor_slices((images, labels)).batch(16)

    histories = []
    for way in ("fit", "stored"):
        head = [dense(6, "tanh"), dense(2, "softmax", 1)]
        model = build(make_base(), head, optimizer="adam", loss=kinds[one_hot], metrics=["acc"])
        data = {"validation_data": prepare(splits.valid), "epochs": np.int64(3)}
        train = prepare(splits.train)
        if way == "fit":
            histories.append(model.fit(train, verbose=0, **data))
        else:
            histories.append(fit(model, train, **STORED, **data))
    assert_same(histories[1], histories[0])
    assert len(pd.DataFrame(histories[1].history)) == 3
    assert isinstance(histories[1], keras.callbacks.History) and model.history is histories[1]


@pytest.mark.slow
def test_an_augmenting_front_is_the_same_way_over_photos_and_splits(make_base, make_splits):
    histories = []
    for data in (make_splits(), make_splits().train):
        front = [layers.RandomContrast(0.5, value_range=(0, 1), seed=1)]
        model = build(make_base(), HEADS["lesson"](), front, metrics=["mae"], run_eagerly=True)
        histories.append(fit(model, data, epochs=2, views=np.int64(2), seed=np.int64(3), **STORED))
    assert list(histories[0].history) == ["loss", "mae", "val_loss", "val_mae"]
    assert histories[0].history["loss"] == histories[1].history["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["stored_features", "in_model"])
@pytest.mark.parametrize("data", [*DATA, "arrays"])
def test_clean_training_photos_are_measured_when_an_epoch_is_over(
    make_base, make_splits, data, method
):
    splits = make_splits(20, 8)
    arrays = (splits.train.read(range(20)), splits.train.labels)
    flip = layers.RandomFlip("horizontal", seed=1)
    head = HEADS["lesson"]()
    model = build(make_base(), head, [flip], optimizer="adam", metrics=["accuracy"])
    photos = arrays if data == "arrays" else DATA[data](splits.train)
    options = {**STORED, "method": method, "epochs": 3, "measure_clean": True}
    history = fit(model, photos, validation_data=splits.valid, **options).history
    assert len(history["clean_loss"]) == 3
    weights = {}
    if data == "weighted dataset" and method == "in_model":
        weights = {"sample_weight": np.linspace(0.5, 2, 20, dtype="float32")}
    measured = model.evaluate(*arrays, **weights, verbose=0, return_dict=True)
    for name, value in measured.items():
        assert history[f"clean_{name}"][-1] == pytest.approx(value, abs=1e-5)


def test_in_model_is_plain_fit(make_base, make_splits, monkeypatch):
    seen = {}

    def record(self, *arguments, **options):
        seen.update(options, arguments=arguments)
        return "the history"

    monkeypatch.setattr(keras.Sequential, "fit", record)
    model = build_classifier(make_base(), seed=SEED)
    arrays = np.zeros((4, 16, 16, 3)), np.zeros((4, 1))
    options = {"validation_data": arrays, "batch_size": 2, "validation_batch_size": 3}
    assert fit(model, arrays, method="in_model", **options) == "the history"
    assert seen["arguments"][0] is arrays[0] and seen["y"] is arrays[1]
    assert seen["validation_data"] is arrays and seen["epochs"] == 1
    assert seen["batch_size"] == 2 and seen["validation_batch_size"] == 3


@pytest.mark.slow
def test_arrays_are_shuffled_by_the_seed(make_base, make_splits):
    photos = make_splits().train
    arrays = photos.read(np.arange(photos.count)), photos.labels
    losses = []
    for seed in (1, 1, 2):
        model = build(make_base(), HEADS["lesson"](), optimizer="adam", run_eagerly=True)
        history = fit(model, arrays, batch_size=16, epochs=2, seed=seed, **STORED)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.slow
def test_features_of_photos_are_found_by_a_dataset_of_their_pixels(make_base, make_splits, capsys):
    splits = make_splits()
    for data in (splits.train, in_dataset(splits.train, shuffle=True)):
        model = build(make_base(), HEADS["lesson"](), run_eagerly=True)
        fit(model, data, epochs=1, method="stored_features", precision="float32", verbose=2)
    assert "Using cached features" in capsys.readouterr().out


@pytest.mark.slow
def test_pixels_from_0_to_255_are_scaled_in_the_model(make_base, make_splits):
    histories, splits = [], make_splits()
    arrays = splits.train.pixels, splits.train.labels[:, 0]
    for way in ("fit", "stored"):
        front = [layers.Rescaling(1 / 255)]
        model = build(make_base(), HEADS["lesson"](), front, metrics=["mae"], run_eagerly=True)
        data = tensorflow.data.Dataset.from_tensor_slices(arrays).batch(16)
        options = {"epochs": 2, "validation_data": arrays}
        if way == "fit":
            histories.append(model.fit(data, verbose=0, **options))
        else:
            histories.append(fit(model, data, batch_size=None, **options, **STORED))
    assert_same(histories[1], histories[0])


# Callbacks


@pytest.mark.slow
def test_callbacks_see_the_whole_model_and_validation_before_they_run(
    make_base, make_splits, tmp_path
):
    splits, seen = make_splits(), []

    class Looker(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            measured = self.model.evaluate(splits.valid, verbose=0, return_dict=True)
            seen.append((self.model, logs["val_loss"], measured["loss"]))

    model = build_classifier(make_base(), seed=SEED)
    best = tmp_path / "best.keras"
    history = fit(
        model,
        splits,
        epochs=4,
        callbacks=[
            Looker(),
            keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
            keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        ],
        **STORED,
    )
    for whole, logged, measured in seen:
        assert whole is model and logged == pytest.approx(measured, abs=1e-5)
    np.testing.assert_allclose(
        history.history["learning_rate"], [0.01, 0.005, 0.01 / 3, 0.0025], rtol=1e-5
    )
    loaded = keras.models.load_model(best).evaluate(splits.valid, verbose=0)[0]
    assert loaded == pytest.approx(min(history.history["val_loss"]), abs=1e-5)
    with open(tmp_path / "log.csv", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 4


@pytest.mark.slow
def test_early_stopping_stops_and_brings_back_the_best_weights(make_base, make_splits):
    splits = make_splits()
    model = build_classifier(make_base(), seed=SEED)
    model.optimizer.learning_rate = 3.0  # it will get worse
    stop = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    history = fit(model, splits, epochs=50, callbacks=[stop], **STORED)
    losses = history.history["val_loss"]
    assert len(losses) < 50 and np.argmin(losses) == len(losses) - 3
    assert model.evaluate(splits.valid, verbose=0)[0] == pytest.approx(min(losses), abs=1e-5)
    assert len(fit(model, splits, epochs=2, **STORED).epoch) == 2  # it does not stay stopped


def test_callbacks_know_whether_more_of_a_metric_is_better(make_base, make_splits):
    model = build_classifier(make_base(), seed=SEED)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping("val_accuracy", min_delta=9, patience=1)
    history = fit(model, make_splits(), epochs=5, callbacks=[stop], **STORED)
    assert len(history.epoch) == 2 and stop.monitor_op is keras.ops.greater


def test_a_callback_between_batches_is_called_at_every_batch(make_base, make_splits):
    steps = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: steps.append(step)
    )
    fit(build_classifier(make_base()), make_splits(), epochs=2, callbacks=callback, **STORED)
    assert steps == [0, 1, 2, 3] * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda base: base.set_weights([w + 1 for w in base.get_weights()]), "weights of"),
        (lambda base: setattr(base, "trainable", True), "`trainable`"),
    ],
)
def test_a_callback_that_changes_the_base_is_refused(make_base, make_splits, change, words):
    base = make_base()
    name = base.layers[-1].name
    callback = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: change(base) if epoch == 1 else None
    )
    with pytest.raises(ValueError, match=f"in epoch 2 the {words}.*{name}.*own `fit`"):
        fit(build_classifier(base), make_splits(), epochs=3, callbacks=[callback], **STORED)


def test_a_callback_that_compiles_the_model_is_refused(make_base, make_splits):
    model = build_classifier(make_base())
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: model.compile("sgd", "mse")
    )
    with pytest.raises(ValueError, match="in epoch 1 it got another optimizer"):
        fit(model, make_splits(), epochs=3, callbacks=[callback], **STORED)


# Refusals


def augmenting(photos):
    flip = layers.RandomFlip("horizontal")
    return in_dataset(photos).map(lambda images, labels: (flip(images, training=True), labels))


def changing_late(photos):
    passes = iter(range(10**6))

    def change(images):
        return images + np.float32(next(passes) >= 3 * 4)  # from the fourth epoch on

    def change_batch(images, labels):
        changed = tensorflow.numpy_function(change, [images], "float32")
        changed.set_shape(images.shape)
        return changed, labels

    return in_dataset(photos).map(change_batch)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (augmenting, ValueError, "`data` in every epoch.*into the model.*in_model"),
        (changing_late, ValueError, "`data` in every epoch.*into the model.*in_model"),
        (lambda photos: in_dataset(photos).repeat(), ValueError, r"`repeat\(\)`"),
        (lambda photos: in_dataset(photos).unbatch(), ValueError, "dataset.batch"),
        (lambda photos: in_dataset(photos).take(0), ValueError, "`data`.*empty"),
        (
            lambda photos: in_dataset(photos).map(lambda images, labels: {"images": images}),
            TypeError,
            "received a dataset of",
        ),
        (lambda photos: iter([]), TypeError, "in_model"),
    ],
)
def test_data_that_cannot_be_found_again_is_refused(make_base, make_splits, make, error, words):
    with pytest.raises(error, match=words):
        fit(build_classifier(make_base()), make(make_splits().train), epochs=5, **STORED)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"validation_split": 0.2}, TypeError, "'validation_split'.*validation_data"),
        ({"sample_weight": [1.0]}, TypeError, "'sample_weight'.*dataset of"),
        ({"workers": 2}, TypeError, "'workers'.*Leave it out"),
        ({"epochs": 1.5}, TypeError, "`epochs`"),
        ({"views": 0}, ValueError, "`views`"),
        ({"callbacks": ["early"]}, TypeError, "EarlyStopping"),
        ({"batch_size": 4}, ValueError, "`batch_size` beside a dataset"),
    ],
)
def test_what_cannot_work_is_refused_by_name(make_base, make_splits, options, error, words):
    data = in_dataset(make_splits().train)
    with pytest.raises(error, match=words):
        fit(build_classifier(make_base()), data, **{**STORED, **options})


def test_models_that_train_in_a_way_of_their_own_are_refused(make_base, make_splits):
    class Own(keras.Sequential):
        def train_step(self, data):
            return {"loss": 0.0}

    model = Own([keras.Input((16, 16, 3)), make_base(), layers.Flatten(), dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    with pytest.raises(ValueError, match="Own, which has its own `train_step`"):
        fit(model, make_splits(), **STORED)
    base = make_base()
    base.layers[-1].activity_regularizer = keras.regularizers.L2(0.1)
    with pytest.raises(ValueError, match=f"{base.layers[-1].name}.*`activity_regularizer`"):
        fit(build_classifier(base), make_splits(), **STORED)


# Losses that are not finite


@pytest.mark.parametrize("broken", ["training", "validation"])
def test_a_loss_that_is_not_finite_ends_the_training_and_is_named(make_base, make_splits, broken):
    splits = make_splits()

    def loss(labels, outputs):
        return squared_distance(labels, outputs)

    photos = splits.train if broken == "training" else splits.valid
    photos.labels[3] = np.nan
    model = build(make_base(), HEADS["lesson"](), loss=loss, run_eagerly=True)
    with pytest.warns(UserWarning, match=f"in epoch 1 the loss of the {broken} photos is nan"):
        history = fit(model, splits, epochs=9, **STORED)
    assert history.epoch == [0]
