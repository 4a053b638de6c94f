"""Heads learn what a function makes of each batch, as Keras would."""

import keras
import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.evaluation.compare import compare
from course_utils.features.store import prepare_features
from course_utils.features.views import list_views
from course_utils.models.classifier import build_classifier
from course_utils.models.partition import split_model
from course_utils.training.batch_changes import change_batch, describe_change
from course_utils.training.heads import Heads, Order, gather_weights

OPTIONS = {"seeds": 2, "epochs": 2, "views": 1, "precision": "float32", "progress": False}


def mix(features, labels, random):
    partner = random.permutation(len(features))
    weight = random.random((len(features), 1), "float32")
    return tuple(weight * each + (1 - weight) * each[partner] for each in (features, labels))


def test_heads_learn_from_soft_labels_what_keras_learns(make_base, make_photos):
    base, photos = make_base(), make_photos(count=70)
    views = list_views((), views=1, seed=1)
    options = {"precision": "float32", "seed": 1, "progress": False}
    store = prepare_features((), base, [(photos, views)], **options)
    stored = [store.open(photos, view) for view in views]
    model = build_classifier(base, head="stable", seed=3)
    model = keras.Sequential([keras.Input(base.output_shape[1:]), *split_model(model).head])
    heads = Heads(gather_weights([model.layers]), head="stable")
    order = Order(7, [3])
    heads.fit(stored, photos.labels, order=order, batch_size=32, epochs=2, change=mix)
    model.compile(optimizer="adam", loss="binary_crossentropy")
    for epoch in range(2):
        positions, _ = order.draw(0, epoch, count=photos.count, views=1)
        random = order.draw_changes(0, epoch)
        for start in range(0, photos.count, 32):
            chosen = positions[start : start + 32]
            features = stored[0].read(chosen.tolist()).reshape(len(chosen), -1)
            features, labels = mix(features, photos.labels[chosen], random)
            model.train_on_batch(features.reshape(len(chosen), *stored[0].shape), labels)
    for ours, kerass in zip(heads.weights, gather_weights([model.layers]), strict=True):
        np.testing.assert_allclose(ours, kerass, atol=2e-5)


@pytest.mark.slow
def test_a_function_is_a_policy_like_any_other(make_base, make_splits):
    base, splits = make_base(), make_splits()

    def leave(features, labels, random):
        return features, labels

    def swap(features, labels, random):
        return features, 1 - labels

    policies = {"none": Augmentation(), "mixed": mix, "left": leave, "swapped": swap}
    found = compare(policies, splits, base, **OPTIONS)
    given = {name: found.probabilities(name) for name in policies}
    np.testing.assert_array_equal(given["none"], given["left"])
    assert not np.allclose(given["none"], given["mixed"])
    assert not np.allclose(given["none"], given["swapped"])
    # The training photos themselves are measured as they are.
    mixed = found.runs.query("policy == 'mixed'")
    assert (mixed["clean_loss"] == mixed["augmented_loss"]).all()
    # Another function has another name in the cache, the same one the same.
    again = compare({"none": Augmentation(), "mixed": mix}, splits, base, **OPTIONS)
    np.testing.assert_array_equal(again.probabilities("mixed"), given["mixed"])
    other = compare({"none": Augmentation(), "mixed": swap}, splits, base, **OPTIONS)
    np.testing.assert_array_equal(other.probabilities("mixed"), given["swapped"])


def draw_elsewhere(features, labels, random):
    return features * np.random.random(), labels  # noqa: NPY002


def test_a_function_that_draws_elsewhere_is_refused():
    with pytest.raises(ValueError, match=r"third argument, but it calls np\.random\.random"):
        describe_change(draw_elsewhere)
    assert describe_change(mix) != describe_change(lambda features, labels, random: None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda features, labels, random: features, "return features, labels"),
        (lambda features, labels, random: (features[:1], labels), "one row for each photo"),
        (lambda features, labels, random: (features, labels[:, 0]), r"\(4, 1\)"),
        (lambda features, labels, random: (features, 2 * labels), "add up to 1"),
        (lambda features, labels, random: (features, labels * np.nan), "from 0 to 1"),
    ],
)
def test_what_no_head_can_learn_from_is_refused(change, words):
    features, targets = np.ones((4, 3), "float32"), np.array([0, 1, 1, 0], "float32")
    with pytest.raises(ValueError, match=words):
        change_batch(change, features, targets, np.random.default_rng(1))
