"""Graphics cards, as far as a machine without one can show: what is said, and what is computed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from course_utils.core import backend, gpu
from course_utils.lessons import doctor
from course_utils.models.classifier import build_classifier
from course_utils.training import in_model
from course_utils.training.train import train

pytestmark = pytest.mark.slow

tensorflow = backend.import_tensorflow()

SEED = 4
TWO_DEVICES = """
from course_utils.core import backend, gpu
tensorflow = backend.import_tensorflow()
processor = tensorflow.config.list_physical_devices("CPU")[0]
half = tensorflow.config.LogicalDeviceConfiguration()
tensorflow.config.set_logical_device_configuration(processor, [half] * 2)
import keras
import numpy as np
from course_utils.data import dataset
from course_utils.models import classifier
from course_utils.training import train as training

images = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3)).astype("float32") / 255
labels = (np.arange(32) % 2).astype("float32")[:, None]
valid = (1 - images[:8], labels[:8])
splits = dataset.splits_from_arrays(
    (images, labels), valid, class_names=("a", "b"), source="", batch_size=8, seed=4
)
seen = []


class Recorder(keras.layers.Layer):
    def call(self, images, training=False):
        if training:
            tensorflow.py_function(lambda row: seen.append(row.numpy()), [images[:, 0, 0]], [])
        return images


def run(devices, *front):
    gpu.list_gpus = lambda: devices
    inputs = keras.Input((8, 8, 3))
    start = keras.initializers.GlorotUniform(seed=1)
    base = keras.Model(inputs, keras.layers.Conv2D(4, 3, kernel_initializer=start)(inputs))
    base.trainable = False
    model = classifier.build_classifier(base, front, seed=4)
    # The second call goes on from what came back of the first: weights, moments.
    history = [training.train(model, splits, epochs=epochs, seed=4, method="in_model")
               for epochs in (2, 1)]
    history = {name: [*history[0][name], *history[1][name]] for name in history[0]}
    losses = [*history["loss"], *history["clean_loss"], *history["val_loss"]]
    return np.array(losses), model.predict(valid[0], verbose=0)


alone = run([])
shared = run(["CPU:0", "CPU:1"], Recorder())
for one, other in zip(alone, shared):
    np.testing.assert_allclose(one, other, rtol=2e-4)
pixels = np.concatenate(seen)[:64]
for epoch in (0, 1):
    order = dataset.epoch_order(32, seed=4, epoch=epoch)
    for batch in range(0, 32, 8):
        # Two replicas share a batch; which of them comes first is open.
        got = pixels[32 * epoch + batch :][:8]
        wanted = images[order[batch : batch + 8], 0, 0]
        assert sorted(map(tuple, got)) == sorted(map(tuple, wanted)), (epoch, batch)
print("the same")
"""


def test_two_devices_train_as_one_does_and_begin_with_the_first_epochs_order():
    answer = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert "the same" in answer.stdout and "2 GPUs, each with a part" in answer.stdout


def both(make_base, make_splits):
    model = build_classifier(make_base(), seed=SEED)
    splits = make_splits()
    history = train(model, splits, epochs=2, method="in_model", seed=SEED)
    return history, model.predict(splits.valid.unshuffled(), verbose=0)


def test_a_card_made_for_it_computes_the_base_in_float16(
    make_base, make_splits, monkeypatch, capsys
):
    plain, expected = both(make_base, make_splits)
    monkeypatch.setattr(gpu, "has_fast_half", lambda: True)
    history, predicted = both(make_base, make_splits)
    assert "in mixed_float16" in capsys.readouterr().out
    assert (plain.attrs["precision"], history.attrs["precision"]) == ("float32", "mixed_float16")
    losses = ["loss", "clean_loss", "val_loss"]
    np.testing.assert_allclose(history[losses], plain[losses], rtol=0.02)
    # The model's own head has learned, and the model itself still computes in float32.
    np.testing.assert_allclose(predicted, expected, atol=0.01)


def test_a_base_that_overflows_in_float16_stays_in_float32(make_base, make_splits, monkeypatch):
    base = make_base()
    base.set_weights([1e6 * weights for weights in base.get_weights()])
    monkeypatch.setattr(gpu, "has_fast_half", lambda: True)
    model = build_classifier(base, seed=SEED)
    history = train(model, make_splits(), epochs=1, method="in_model", progress=False)
    assert history.attrs["precision"] == "float32"


def exhaust(monkeypatch, times):
    """Lets memory run out in the first epoch, so many times; returns the batch sizes tried."""
    tried = []

    def run(task, model, **options):
        tried.append(task.batches.batch_size)
        if len(tried) <= times:
            task.trainee.fit(task.batches, epochs=1, verbose=0, shuffle=False)
            raise tensorflow.errors.ResourceExhaustedError(None, None, "out of memory")
        return whole(task, model, **options)

    whole = in_model.train_and_measure
    monkeypatch.setattr(in_model, "train_and_measure", run)
    return tried


def test_full_memory_halves_the_batch_and_begins_again_from_the_same_weights(
    make_base, make_splits, monkeypatch, capsys
):
    splits = make_splits(batch_size=8)
    expected = train(build_classifier(make_base(), seed=SEED), splits, epochs=2, method="in_model")
    tried = exhaust(monkeypatch, 1)
    model = build_classifier(make_base(), seed=SEED)
    history = train(model, make_splits(batch_size=16), epochs=2, method="in_model", progress=False)
    assert tried == [16, 8]
    assert "batches of 8 instead of 16 photos" in capsys.readouterr().out
    np.testing.assert_array_equal(history, expected)


def test_memory_that_is_full_twice_says_what_to_do(make_base, make_splits, monkeypatch):
    tried = exhaust(monkeypatch, 2)
    with pytest.raises(tensorflow.errors.ResourceExhaustedError) as caught:
        train(build_classifier(make_base(), seed=SEED), make_splits(), method="in_model")
    assert tried == [16, 8] and "stored_features" in caught.value.__notes__[0]


# The doctor's words


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Puts an nvidia-smi of ours on the path."""
    program = tmp_path / "nvidia-smi"

    def put(script):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return put


@pytest.mark.parametrize(
    ("script", "cuda", "hidden", "parts"),
    [
        ("echo 'Tesla T4, 535.104.05'", True, None, ["Tesla T4", "535", "tensorflow[and-cuda]"]),
        ("echo 'Tesla T4, 535.104.05'", False, None, ["without CUDA", "tensorflow[and-cuda]"]),
        ("echo 'Tesla T4, 535.104.05'", True, "-1", ["CUDA_VISIBLE_DEVICES='-1' hides it"]),
        ("echo 'Driver/library version mismatch'; exit 9", True, None, ["fails", "mismatch"]),
        ("sleep 60", True, None, ["does not answer"]),
    ],
)
def test_the_doctor_explains_a_card_that_is_not_seen(smi, monkeypatch, script, cuda, hidden, parts):
    smi(script)
    monkeypatch.setattr(gpu, "LIMIT", 0.5)
    monkeypatch.setattr(tensorflow.test, "is_built_with_cuda", lambda: cuda)
    if hidden:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    found = doctor._examine_device()
    assert found.well and "TensorFlow does not see it" in found.found
    assert all(part in found.found for part in parts), found.found


def test_no_card_needs_no_explanation(monkeypatch):
    monkeypatch.setattr(gpu, "_find_card", lambda: "")
    assert gpu.explain_unseen() == ""


@pytest.mark.parametrize(
    ("capabilities", "fast"),
    [([], False), ([(7, 5)], True), ([(6, 1)], False), ([(8, 0), (6, 1)], False)],
)
def test_half_precision_goes_by_the_slowest_card(monkeypatch, capabilities, fast):
    found = [{"device_name": "Card", "compute_capability": each} for each in capabilities]
    monkeypatch.setattr(gpu, "_list_details", lambda: found)
    assert gpu.has_fast_half() == fast
    if len(found) == 1:
        assert gpu.describe_gpus() == "Card, compute capability " + ".".join(
            map(str, capabilities[0])
        )
