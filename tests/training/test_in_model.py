"""In the model: clean photos go through the base once, and every epoch costs what `fit` costs."""

import gc

import keras
import numpy as np
import pytest
import tensorflow
from keras import layers

from course_utils.augmentation.policy import Augmentation
from course_utils.models.classifier import build_classifier
from course_utils.training import in_model, kept_features
from course_utils.training.train import train

SEED = 31415
IN_MODEL = {"method": "in_model", "progress": False}


def flip():
    return Augmentation(flip="horizontal", contrast=0.5).layers(seed=1)


@pytest.fixture
def counting_base(make_base):
    """A base that counts the photos that go through it, and the list whose sum that is."""
    counted, inputs, inner = [], keras.Input((16, 16, 3)), make_base()

    class Counter(layers.Layer):
        def call(self, images):
            count = tensorflow.shape(images)[0]
            tensorflow.py_function(lambda n: counted.append(int(n)), [count], [])
            return images

    base = keras.Model(inputs, inner.layers[-1](Counter()(inputs)))
    base.trainable = False
    return base, counted


def test_an_epoch_costs_one_pass_for_each_training_photo(counting_base, make_splits):
    base, counted = counting_base
    model = build_classifier(base, flip(), seed=SEED)
    counted.clear()
    train(model, make_splits(64, 32), epochs=3, **IN_MODEL)
    assert sum(counted) == 64 + 32 + 3 * 64


@pytest.mark.slow
@pytest.mark.parametrize("augmented", [False, True])
def test_kept_features_measure_what_the_whole_model_does(
    make_base, make_splits, monkeypatch, capsys, augmented
):
    histories = []
    for free in (10**12, 1000):  # bytes
        monkeypatch.setattr(kept_features, "count_free_bytes", lambda free=free: free)
        keras.utils.set_random_seed(SEED)
        model = build_classifier(make_base(), flip(), imagenet_preprocessing=True, seed=SEED)
        options = {"epochs": 2, "augmented": augmented, **IN_MODEL}
        histories.append(train(model, make_splits(72, 40), **options))
    assert "do not fit into the memory" in capsys.readouterr().out
    kept, again = (history.astype(float) for history in histories)
    assert list(kept.columns) == list(again.columns)
    np.testing.assert_allclose(kept, again, atol=1e-5)


def test_a_container_may_hold_less_memory_than_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_features, "CONTAINER", tmp_path)
    whole = kept_features.count_free_bytes()
    assert whole > 2**20
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.stat").write_text("anon 1000\nfile 5000000\n")
    assert kept_features.count_free_bytes() > 2**20
    (tmp_path / "memory.max").write_text("3000\n")
    assert kept_features.count_free_bytes() == 2000


def test_a_model_without_a_frozen_part_trains_and_is_measured(make_splits, capsys):
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, strides=4, activation="tanh"),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["binary_accuracy"])
    splits = make_splits()
    last = train(model, splits, epochs=2, **IN_MODEL).iloc[-1]
    assert "after every epoch" in capsys.readouterr().out
    measured = model.evaluate(splits.valid, verbose=0)[0]
    assert last["val_loss"] == pytest.approx(measured, abs=1e-5)
    assert not last["dead_head"]
    with pytest.raises(ValueError, match="frozen"):
        train(model, splits, epochs=1, augmented=True, **IN_MODEL)


def test_a_callback_that_changes_the_base_is_refused(make_base, make_splits):
    base = make_base()
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: base.set_weights([w + 1 for w in base.get_weights()])
    )
    with pytest.raises(ValueError, match="in epoch 1 the weights"):
        train(build_classifier(base), make_splits(), epochs=2, callbacks=callback, **IN_MODEL)


def test_half_precision_is_not_taken_where_a_weight_is_too_large(make_base, make_photos):
    base = make_base()
    kernel, bias = base.get_weights()
    bias[0] = -1e5  # behind it the ReLU is zero, which is finite
    base.set_weights([kernel, bias])
    parts = in_model.split_for_training(build_classifier(base))
    images = make_photos().read([0, 1])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(in_model.gpu, "has_fast_half", lambda: True)
        assert in_model._choose_base(parts, images) == (base, "float32")
        base.set_weights([kernel, 0 * bias])
        half, precision = in_model._choose_base(parts, images)
    assert precision == "mixed_float16" and half is not base


@pytest.mark.slow
@pytest.mark.parametrize("method", ["in_model", "stored_features"])
def test_no_graph_of_a_training_stays_in_memory(make_base, make_splits, method):
    from tensorflow.python.framework.func_graph import FuncGraph

    base, splits, counts = make_base(), make_splits(), []
    for _ in range(3):
        model = build_classifier(base, seed=SEED)
        train(model, splits, epochs=1, method=method, precision="float32", progress=False)
        del model
        gc.collect()
        counts.append(sum(isinstance(each, FuncGraph) for each in gc.get_objects()))
    assert counts[2] == counts[1]
