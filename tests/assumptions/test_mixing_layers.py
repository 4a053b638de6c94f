"""What lesson 09 relies on in Keras's MixUp and CutMix."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

COUNT = 8
# Photo k is k / 10 everywhere, so that a mixture tells what it is made of.
IMAGES = np.repeat(np.arange(COUNT, dtype="float32") / 10, 16 * 16 * 3).reshape(COUNT, 16, 16, 3)
LABELS = np.arange(COUNT, dtype="float32")[:, None] / 10


def mix(layer, images=IMAGES, labels=LABELS, **options):
    mixed = layer({"images": images, "labels": labels}, **options)
    return np.asarray(mixed["images"]), np.asarray(mixed["labels"])


def test_mixup_gives_labels_the_weights_of_the_pixels():
    for seed in range(5):
        images, labels = mix(layers.MixUp(alpha=1.0, seed=seed), training=True)
        assert labels.shape == (COUNT, 1)
        np.testing.assert_allclose(images, np.broadcast_to(labels[:, None, None], images.shape))


def test_mixup_draws_a_weight_for_each_photo():
    layer = layers.MixUp(alpha=0.2, seed=1)
    drawn = layer.get_random_transformation({"images": np.zeros((2000, 2, 2, 3))})
    weights = np.asarray(drawn["mix_weight"])
    assert weights.shape == (2000,) and len(np.unique(weights)) > 1000
    # With 0.2, most mixtures are nearly one of the two photos.
    assert 0.5 < np.mean((weights < 0.1) | (weights > 0.9)) < 0.8
    assert layers.MixUp().alpha == 0.2


def test_cutmix_pastes_a_box_and_gives_labels_its_area():
    for seed in range(5):
        images, labels = mix(layers.CutMix(seed=seed), training=True)
        for own, image, label in zip(LABELS[:, 0], images, labels[:, 0], strict=True):
            values = np.unique(image)
            assert len(values) <= 2 and np.isclose(values, own).any() or np.ptp(image) == 0
            # The box's sides are not whole pixels: up to one column and one row are rounded.
            assert abs(image.mean() - label) <= 0.7 * (16 + 16 + 1) / 16**2


@pytest.mark.parametrize("layer", [layers.MixUp, layers.CutMix])
def test_whole_numbers_as_labels_fail_and_floats_in_a_row_each_work(layer):
    with pytest.raises((TypeError, ValueError, tf.errors.InvalidArgumentError)):
        mix(layer(seed=1), labels=np.arange(COUNT)[:, None], training=True)
    mix(layer(seed=1), training=True)


@pytest.mark.parametrize("layer", [layers.MixUp, layers.CutMix])
def test_each_epoch_of_a_mapped_dataset_mixes_again_and_the_same_seed_the_same(layer):
    def run(seed):
        mixer = layer(seed=seed)
        batches = tf.data.Dataset.from_tensor_slices({"images": IMAGES, "labels": LABELS}).batch(8)
        batches = batches.map(mixer)
        return [next(batches.as_numpy_iterator())["labels"] for _ in range(2)]

    first, second = run(1)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, run(1)[0])


@pytest.mark.parametrize("layer", [layers.MixUp, layers.CutMix])
def test_photos_stay_as_they_are_in_inference(layer):
    images, labels = mix(layer(seed=1), training=False)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


def test_running_accuracy_counts_no_soft_label():
    accuracy = keras.metrics.BinaryAccuracy()
    accuracy.update_state(np.array([[0.3], [0.7], [1.0]]), np.array([[0.3], [0.7], [0.9]]))
    assert float(accuracy.result()) == pytest.approx(1 / 3)


def test_the_loss_of_a_soft_label_is_lowest_at_the_label_and_not_zero_there():
    guesses = np.linspace(0.01, 0.99, 99).astype("float32")
    truth = np.full_like(guesses, 0.3)
    losses = np.asarray(keras.losses.binary_crossentropy(truth[:, None], guesses[:, None]))
    assert guesses[losses.argmin()] == pytest.approx(0.3, abs=0.005) and losses.min() > 0.6
