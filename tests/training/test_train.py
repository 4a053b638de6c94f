"""Both ways of training give the same history, and its columns compare like with like.

Longer than 350 lines because both ways of training are compared on the same fixtures.
"""

import os
import re
import signal
import threading

import keras
import numpy as np
import pandas as pd
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend, settings
from course_utils.data import dataset
from course_utils.features import forward
from course_utils.models import vgg16
from course_utils.models.classifier import build_classifier
from course_utils.training import train as training
from course_utils.training.train import train

METHODS = ("in_model", "stored_features")
SEED = 31415


def flip_and_contrast():
    return Augmentation(flip="horizontal", contrast=0.5).layers(seed=1)


def kill_head(model):
    """Sets the hidden units so that none ever answers."""
    hidden = model.layers[-2]
    hidden.set_weights([np.zeros(hidden.kernel.shape), np.full(6, -1.0)])


def assert_equal_histories(one, other, tolerance):
    assert list(one.columns) == list(other.columns)
    np.testing.assert_allclose(one.astype(float), other.astype(float), atol=tolerance, rtol=0)


# The shortcut is right


@pytest.mark.slow
def test_stored_features_equal_plain_fit_without_augmentation(make_base, make_splits):
    splits = make_splits(256, 64, batch_size=64)
    histories, models = [], []
    for method in METHODS:
        models.append(build_classifier(make_base(), seed=SEED))
        options = {"epochs": 3, "method": method, "precision": "float32", "progress": False}
        histories.append(train(models[-1], splits, **options))
    assert_equal_histories(*histories, tolerance=1e-4)
    assert histories[0]["loss"].diff().abs().min() > 1e-4  # it did learn
    for one, two in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)


@pytest.mark.slow
def test_plain_fit_is_what_in_model_does(make_base, make_splits):
    splits = make_splits()
    model, same = (build_classifier(make_base(), seed=SEED) for _ in range(2))
    history = train(model, splits, epochs=3, method="in_model", seed=4, progress=False)
    kept = same.fit(
        splits.train.shuffled(seed=4),
        validation_data=splits.valid,
        epochs=3,
        verbose=0,
        shuffle=False,
    ).history
    for name in ("loss", "binary_accuracy", "val_loss", "val_binary_accuracy"):
        np.testing.assert_allclose(history[name], kept[name], atol=1e-6)


@pytest.mark.slow
def test_stored_features_equal_plain_fit_with_the_real_base(
    prepared_weights, make_splits, monkeypatch
):
    splits = make_splits(32, 16, batch_size=8, size=(32, 32))
    base = vgg16.load_vgg16_base((32, 32))
    histories = [
        train(
            build_classifier(base, seed=SEED),
            splits,
            epochs=3,
            method=method,
            precision="float32",
            progress=False,
        )
        for method in METHODS
    ]
    assert_equal_histories(*histories, tolerance=1e-4)
    assert vgg16.digest_arrays(base.get_weights()) == vgg16.DIGEST


@pytest.mark.real_photos
def test_stored_features_learn_from_real_photos(prepared_weights, real_photos):
    import dataclasses

    chosen = dataclasses.replace(
        settings.PROFILES["full"], train_photos=64, valid_photos=16, image_size=(32, 32)
    )
    splits = dataset.load_car_or_truck(chosen, folder=real_photos)
    model = build_classifier(vgg16.load_vgg16_base((32, 32)), seed=SEED)
    options = {"epochs": 8, "method": "stored_features", "precision": "float32"}
    history = train(model, splits, **options, progress=False)
    assert history["clean_loss"].iloc[-1] < history["clean_loss"].iloc[0]
    measured = model.evaluate(splits.valid, verbose=0, return_dict=True)
    assert history["val_loss"].iloc[-1] == pytest.approx(measured["loss"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("preprocessing", [False, True])
def test_last_row_is_what_evaluate_says_of_the_photos(
    make_base, make_splits, method, preprocessing
):
    splits = make_splits()
    model = build_classifier(
        make_base(), flip_and_contrast(), imagenet_preprocessing=preprocessing, seed=SEED
    )
    options = {"epochs": 2, "method": method, "views": 2, "precision": "float32"}
    last = train(model, splits, **options, progress=False).iloc[-1]
    for prefix, photos in (("val_", splits.valid), ("clean_", splits.train.unshuffled())):
        measured = model.evaluate(photos, verbose=0, return_dict=True)
        for name, value in measured.items():
            assert last[prefix + name] == pytest.approx(value, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_predict_save_and_go_on_work_afterwards(make_base, make_splits, tmp_path, method):
    splits = make_splits()
    model = build_classifier(make_base(), flip_and_contrast(), seed=SEED)
    before = model.predict(splits.valid, verbose=0)
    options = {"epochs": 2, "method": method, "views": 2, "progress": False}
    first = train(model, splits, **options)
    after = model.predict(splits.valid, verbose=0)
    assert after.shape == (32, 1) and np.abs(after - before).max() > 1e-4
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded.predict(splits.valid, verbose=0), after)
    second = train(model, splits, **options)
    assert second["clean_loss"].iloc[0] < first["clean_loss"].iloc[0]
    assert model.optimizer.iterations == 2 * 2 * len(splits.train)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_runs_give_the_same_history(make_base, make_splits, method):
    histories = []
    for _ in range(2):
        backend.set_seed(SEED)
        model = build_classifier(make_base(), flip_and_contrast(), seed=SEED)
        options = {"epochs": 2, "method": method, "views": 2, "augmented": True}
        histories.append(train(model, make_splits(), **options, progress=False))
    pd.testing.assert_frame_equal(*histories)


@pytest.mark.slow
def test_seed_decides_order_and_draws(make_base, make_splits):
    splits = make_splits()
    options = {"epochs": 1, "method": "stored_features", "views": 2, "progress": False}
    one, two = (
        train(build_classifier(make_base(), flip_and_contrast()), splits, seed=seed, **options)
        for seed in (1, 2)
    )
    assert one["loss"].iloc[0] != two["loss"].iloc[0]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_base_does_not_move_and_the_head_does(make_base, make_splits, method):
    base = make_base()
    model = build_classifier(base, flip_and_contrast(), seed=SEED)
    frozen = base.get_weights()
    head = [weight.numpy() for weight in model.trainable_weights]
    train(model, make_splits(), epochs=2, method=method, views=2, progress=False)
    for one, two in zip(frozen, base.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    moved = [np.abs(one - two.numpy()).max() for one, two in zip(head, model.trainable_weights)]  # noqa: B905
    assert max(moved) > 1e-4


# Augmentation is on


@pytest.fixture
def make_watched_base(make_base):
    """A function that builds a base that keeps the images it is shown, in training or not."""
    import tensorflow

    def make():
        seen, inputs, inner = [], keras.Input((16, 16, 3)), make_base()

        class Recorder(keras.layers.Layer):
            def call(self, images):
                tensorflow.py_function(lambda pixels: seen.append(pixels.numpy()), [images], [])
                return images

        base = keras.Model(inputs, inner.layers[-1](Recorder()(inputs)))
        base.trainable = False
        return base, seen

    return make


def fit_and_watch(make_watched_base, augmentation, photos, epochs=1):
    """Returns what the base saw in `fit`, (epochs, photos, …), and in `predict` afterwards."""
    base, seen = make_watched_base()
    model = build_classifier(base, augmentation, seed=SEED)
    seen.clear()
    model.fit(photos, epochs=epochs, verbose=0, shuffle=False)
    fitted = np.concatenate(seen).reshape(epochs, photos.count, 16, 16, 3)
    seen.clear()
    model.predict(photos, verbose=0)
    return fitted, np.concatenate(seen)


@pytest.fixture
def same_photo(make_photos):
    """48 times one photo of little contrast, so that nothing is cut off at 0 or 1."""
    photos = make_photos(48, batch_size=16)
    photos.pixels[:] = photos.pixels[0] // 4 + 100
    return photos


@pytest.mark.slow
def test_fit_sees_changed_pixels_and_predict_does_not(make_watched_base, same_photo):
    photo = same_photo.read([0])[0]
    fitted, predicted = fit_and_watch(make_watched_base, flip_and_contrast(), same_photo)
    np.testing.assert_array_equal(predicted, np.broadcast_to(photo, predicted.shape))
    changed = np.abs(fitted[0] - photo).max(axis=(1, 2, 3))
    assert (changed > 1e-3).mean() > 0.9


@pytest.mark.slow
def test_without_augmentation_fit_sees_the_photos(make_watched_base, same_photo):
    fitted, _ = fit_and_watch(make_watched_base, [], same_photo)
    np.testing.assert_array_equal(
        fitted[0], np.broadcast_to(same_photo.read([0]), fitted.shape[1:])
    )


@pytest.mark.slow
def test_views_differ_within_a_batch_and_between_epochs(make_watched_base, same_photo):
    fitted, _ = fit_and_watch(make_watched_base, flip_and_contrast(), same_photo, epochs=3)
    views = fitted.reshape(3 * 48, -1)
    assert len(np.unique(views.round(5), axis=0)) > 140
    assert (np.abs(fitted[0] - fitted[1]).max(axis=(1, 2, 3)) > 1e-4).mean() > 0.9


def realised_factors(make_watched_base, layer, photos):
    fitted, _ = fit_and_watch(make_watched_base, [layer], photos, epochs=8)
    return fitted.std(axis=(2, 3, 4)).ravel() / photos.read([0]).std()


@pytest.mark.slow
def test_contrast_really_spans_a_half_to_one_and_a_half(make_watched_base, same_photo):
    (layer,) = Augmentation(contrast=0.5).layers(seed=1)
    factors = realised_factors(make_watched_base, layer, same_photo)
    assert 0.49 < factors.min() < 0.55 and 1.45 < factors.max() < 1.51
    assert 0.4 < (factors < 1).mean() < 0.6


# The history


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("augmented", [False, True])
def test_history_has_kerass_columns_the_clean_ones_and_its_circumstances(
    make_base, make_splits, method, augmented
):
    model = build_classifier(make_base(), flip_and_contrast(), seed=SEED)
    options = {"epochs": 2, "method": method, "views": 2, "precision": "float32", "seed": 3}
    history = train(model, make_splits(), augmented=augmented, **options, progress=False)
    prefixes = ["", "clean_", "val_"] + ["augmented_", "val_augmented_"] * augmented
    expected = {prefix + name for prefix in prefixes for name in ("loss", "binary_accuracy")}
    assert set(history.columns) == expected | {"gap", "dead_head"}
    assert history.index.tolist() == [1, 2] and history.index.name == "epoch"
    assert history.attrs == {
        "method": method,
        "views": 2,
        "precision": "float32",
        "seed": 3,
    }
    assert history["dead_head"].dtype == bool and not history["dead_head"].any()
    np.testing.assert_array_equal(history["gap"], history["val_loss"] - history["clean_loss"])
    numbers = history.drop(columns="dead_head")
    assert np.isfinite(numbers.to_numpy(float)).all()
    assert numbers.filter(like="accuracy").stack().between(0, 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_clean_and_augmented_columns_tell_clean_and_augmented_photos_apart(
    make_base, make_splits, method
):
    splits = make_splits()
    augmentation = Augmentation(contrast=1.0, brightness=0.5).layers(seed=1)
    model = build_classifier(make_base(), augmentation, seed=SEED)
    options = {"epochs": 1, "method": method, "views": 2, "precision": "float32"}
    last = train(model, splits, augmented=True, **options, progress=False).iloc[-1]
    clean = model.evaluate(splits.train.unshuffled(), verbose=0)[0]
    assert last["clean_loss"] == pytest.approx(clean, abs=1e-5)
    assert abs(last["augmented_loss"] - last["clean_loss"]) > 1e-3
    assert abs(last["val_augmented_loss"] - last["val_loss"]) > 1e-3


@pytest.mark.slow
def test_without_anything_random_augmented_equals_clean(make_base, make_splits):
    for method in METHODS:
        model = build_classifier(make_base(), seed=SEED)
        options = {"epochs": 1, "method": method, "precision": "float32", "progress": False}
        last = train(model, make_splits(), augmented=True, **options).iloc[-1]
        assert last["augmented_loss"] == pytest.approx(last["clean_loss"], abs=1e-6)
        assert last["val_augmented_loss"] == pytest.approx(last["val_loss"], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_measuring_augmented_photos_does_not_change_the_training(make_base, make_splits, method):
    histories = []
    for augmented in (False, True):
        backend.set_seed(SEED)
        model = build_classifier(make_base(), flip_and_contrast(), seed=SEED)
        options = {"epochs": 3, "method": method, "views": 2, "precision": "float32"}
        histories.append(
            train(model, make_splits(), augmented=augmented, **options, progress=False)
        )
    plain, measured = histories
    np.testing.assert_allclose(measured["loss"], plain["loss"], atol=1e-6)


@pytest.mark.slow
def test_metrics_of_the_students_own_keep_their_names(make_base, make_splits):
    for method in METHODS:
        model = build_classifier(make_base(), seed=SEED)
        model.compile("sgd", "mse", metrics=[keras.metrics.AUC(name="area")])
        history = train(model, make_splits(), epochs=1, method=method, progress=False)
        assert {"loss", "area", "clean_area", "val_area"} <= set(history.columns)


# Callbacks, class weights, losses that are not finite


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_callbacks_see_every_column_and_change_the_training(make_base, make_splits, method):
    seen, splits = [], make_splits()
    model = build_classifier(make_base(), seed=SEED)
    history = train(
        model,
        splits,
        epochs=np.int64(9),
        views=np.int64(2),
        seed=np.int64(3),
        method=method,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(set(logs))),
            keras.callbacks.EarlyStopping("gap", patience=1, min_delta=9, mode="min"),
            keras.callbacks.ReduceLROnPlateau("val_loss", 0.1, patience=0, min_delta=9),
        ],
        progress=False,
    )
    assert len(history) == 2 and "learning_rate" in history
    assert seen[0] == set(history.columns) - {"learning_rate"}
    assert float(model.optimizer.learning_rate) < 1e-3
    assert history.attrs["seed"] == 3 and type(history.attrs["seed"]) is int


@pytest.mark.slow
def test_class_weights_count_the_same_with_both_methods(make_base, make_splits):
    options = {"epochs": 2, "precision": "float32", "progress": False}
    plain, *weighted = (
        train(
            build_classifier(make_base(), seed=SEED),
            make_splits(),
            method=method,
            class_weight=weights,
            **options,
        )
        for method, weights in (
            ("stored_features", None),
            ("stored_features", {0: 1, 1: 5}),
            ("in_model", {0: 1, 1: 5}),
        )
    )
    assert_equal_histories(*weighted, tolerance=1e-4)
    assert (weighted[0]["loss"] > plain["loss"] + 0.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("split", "words"), [("train", "the training photos"), ("valid", "the validation photos")]
)
def test_a_loss_that_is_not_finite_ends_the_training_and_is_named(
    make_base, make_splits, method, split, words
):
    splits = make_splits()
    getattr(splits, split).labels[3] = np.nan
    model = build_classifier(make_base(), seed=SEED)
    with pytest.warns(UserWarning, match=f"in epoch 1 the loss of {words} is nan"):
        history = train(model, splits, epochs=5, method=method, progress=False)
    assert history.index.tolist() == [1] and not history["dead_head"].any()


# Interruption


class InterruptAfter(keras.callbacks.Callback):
    """Raises at the first batch of an epoch, as a kernel's interrupt button does."""

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.epoch == self.epochs:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("finished", [0, 2])
def test_an_interrupted_run_returns_the_epochs_so_far(
    make_base, make_splits, capsys, method, finished
):
    splits = make_splits()
    options = {"epochs": 4, "method": method, "progress": False}
    whole = train(build_classifier(make_base(), seed=SEED), splits, **options)
    model = build_classifier(make_base(), seed=SEED)
    history = train(model, splits, callbacks=[InterruptAfter(finished)], **options)
    assert history.index.tolist() == list(range(1, finished + 1))
    assert history.index.name == "epoch" and history.attrs["method"] == method
    if finished:
        assert_equal_histories(history, whole.iloc[:finished], tolerance=1e-6)
    assert f"Interrupted after {finished} of 4 epochs" in capsys.readouterr().out
    assert model.predict(splits.valid, verbose=0).shape == (32, 1)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_the_interrupt_signal_stops_an_endless_run(make_base, make_splits):
    timer = threading.Timer(0, os.kill, (os.getpid(), signal.SIGINT))

    def interrupt(epoch, logs):
        if epoch == 1:
            timer.start()

    callback = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    model = build_classifier(make_base(), seed=SEED)
    options = {"epochs": 400, "method": "stored_features", "precision": "float32"}
    history = train(model, make_splits(), **options, callbacks=callback, progress=False)
    timer.join()
    assert 1 <= len(history) < 400


# Dead heads


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_dead_head_is_flagged_and_explained(make_base, make_splits, capsys, method):
    model = build_classifier(make_base(), flip_and_contrast())
    kill_head(model)
    options = {"epochs": 2, "method": method, "views": 2}
    history = train(model, make_splits(), **options)
    assert history["dead_head"].all()
    said = capsys.readouterr().out
    assert "The head is dead" in said and "another seed" in said
    train(build_classifier(make_base(), seed=SEED), make_splits(), **options)
    assert "dead" not in capsys.readouterr().out


# What is said


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_progress_off_prints_nothing(make_base, make_splits, capsys, method):
    model = build_classifier(make_base(), flip_and_contrast())
    kill_head(model)
    train(model, make_splits(), epochs=1, method=method, views=2, progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_a_line_says_which_way_why_and_how_long(make_base, make_splits, capsys):
    options = {"epochs": 2, "views": 2, "precision": "float32"}
    model = build_classifier(make_base(), flip_and_contrast(), seed=SEED)
    train(model, make_splits(), **options, method="stored_features")
    said = capsys.readouterr().out
    assert "stored features on the" in said and "as asked" in said
    # 64 train photos clean and in two views, 32 valid ones clean.
    assert re.search(r"Running 224 images .*about \d", said)
    train(model, make_splits(), **options, method="stored_features")
    assert "Using cached features" in capsys.readouterr().out
    train(model, make_splits(), **options, method="in_model")
    said = capsys.readouterr().out
    assert "complete model" in said and "as asked" in said and "measured" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("found", "method", "why"),
    [("GPU", "in_model", "there is a GPU"), ("CPU", "stored_features", "no GPU was found")],
)
def test_the_way_goes_by_the_device(
    make_base, make_splits, monkeypatch, capsys, found, method, why
):
    monkeypatch.setattr(backend, "device", lambda: found)
    history = train(build_classifier(make_base(), seed=SEED), make_splits(), epochs=1)
    assert history.attrs["method"] == method
    assert why in capsys.readouterr().out


@pytest.mark.slow
def test_precision_is_ignored_where_features_lie_ready(make_base, make_splits, monkeypatch):
    def time_nothing(base):
        raise AssertionError("timed though features are cached")

    options = {"epochs": 1, "method": "stored_features", "progress": False}
    for ready in forward.PRECISIONS:
        splits = make_splits(32 if ready == "float32" else 40)
        train(build_classifier(make_base(), seed=SEED), splits, precision=ready, **options)
        with monkeypatch.context() as patched:
            patched.setattr(forward, "choose_precision", time_nothing)
            history = train(build_classifier(make_base(), seed=SEED), splits, **options)
        assert history.attrs["precision"] == ready
    monkeypatch.setattr(forward, "choose_precision", lambda base: "bfloat16")
    history = train(build_classifier(make_base(seed=1), seed=SEED), splits, **options)
    assert history.attrs["precision"] == "bfloat16"


@pytest.mark.slow
def test_steps_taken_in_one_call_learn_what_single_steps_learn(make_base, make_splits, monkeypatch):
    histories = []
    for steps in (1, 3, 64):
        monkeypatch.setattr(training, "STEPS_PER_EXECUTION", steps)
        model = build_classifier(make_base(), seed=SEED)
        options = {"epochs": 3, "method": "stored_features", "progress": False}
        histories.append(train(model, make_splits(train=72), precision="float32", **options))
    for history in histories[1:]:  # five batches of sixteen, the last of eight
        pd.testing.assert_frame_equal(history, histories[0], check_exact=True)


# Refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "whole number from 1, received 0"),
        ({"epochs": 2.5}, "whole number from 1, received 2.5"),
        ({"method": "magic"}, "'in_model', 'stored_features'.*'magic'"),
        ({"precision": "float8"}, "'float32', 'bfloat16'.*'float8'"),
        ({"views": 0, "method": "stored_features"}, "`views`.*received 0"),
    ],
)
def test_a_wrong_argument_is_refused(make_base, make_splits, options, message):
    model = build_classifier(make_base(), flip_and_contrast())
    with pytest.raises((TypeError, ValueError), match=message):
        train(model, make_splits(), progress=False, **options)


def test_a_model_that_is_not_compiled_is_refused(make_base, make_splits):
    model = keras.Sequential([make_base(), keras.layers.Flatten(), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="compiled model"):
        train(model, make_splits())


def test_a_model_without_a_frozen_base_is_refused(make_base, make_splits):
    base = make_base()
    base.trainable = True
    with pytest.raises(ValueError, match="base.trainable = False"):
        train(build_classifier(base), make_splits())


@pytest.mark.slow
def test_a_model_without_an_input_layer_is_built_from_the_photos(make_base, make_splits):
    head = [keras.layers.Flatten(), keras.layers.Dense(6, "relu"), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential([*flip_and_contrast(), make_base(), *head])
    model.compile("adam", "binary_crossentropy", metrics=["binary_accuracy"])
    options = {"epochs": 1, "method": "stored_features", "views": 2, "progress": False}
    assert len(train(model, make_splits(), **options)) == 1


@pytest.mark.slow
def test_augmentation_kept_in_a_sequential_of_its_own_is_applied(make_base, make_splits):
    results = []
    for nested in (False, True):
        augmentation = flip_and_contrast()
        if nested:
            augmentation = [keras.Sequential([keras.Input((16, 16, 3)), *augmentation])]
        model = build_classifier(make_base(), augmentation, seed=SEED)
        options = {"epochs": 2, "method": "stored_features", "views": 2, "precision": "float32"}
        results.append(train(model, make_splits(), **options, progress=False))
    pd.testing.assert_frame_equal(*results)
