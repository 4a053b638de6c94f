"""Heads side by side are Keras's heads one by one, each in its own order."""

import keras
import numpy as np
import pytest

from course_utils.features.batches import StoredViews
from course_utils.features.store import prepare_features
from course_utils.features.views import list_views
from course_utils.models.classifier import build_classifier
from course_utils.models.partition import split_model
from course_utils.training import heads as module
from course_utils.training.heads import Heads, Order, gather_weights, in_order


@pytest.fixture
def stored(make_base, make_photos):
    """A base, photos, and their features in three stored views."""
    base, photos = make_base(), make_photos(count=70)
    front = [keras.layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=1, dtype="float32")]
    views = list_views(front, views=3, seed=1)
    needed = [(photos, views)]
    store = prepare_features(front, base, needed, precision="float32", seed=1, progress=False)
    return base, photos, [store.open(photos, view) for view in views]


def build(base, seed, head):
    model = build_classifier(base, head=head, seed=seed)
    return keras.Sequential([keras.Input(base.output_shape[1:]), *split_model(model).head])


@pytest.mark.parametrize("head", ["lesson", "stable"])
def test_each_head_learns_what_keras_learns_from_the_same_batches(stored, head):
    base, photos, views = stored
    models = [build(base, seed, head) for seed in (3, 4)]
    heads = Heads(gather_weights([model.layers for model in models]), head=head)
    order, epochs, batch = Order(7, [3, 4]), 3, 32
    heads.fit(views, photos.labels, order=order, batch_size=batch, epochs=epochs)
    for run, model in enumerate(models):
        model.compile(optimizer="adam", loss="binary_crossentropy")
        for epoch in range(epochs):
            positions, drawn = order.draw(run, epoch, count=photos.count, views=len(views))
            for start in range(0, photos.count, batch):
                chosen = positions[start : start + batch]
                features = np.stack([views[drawn[each]][each] for each in chosen])
                model.train_on_batch(features, photos.labels[chosen])
    assert not np.allclose(heads.weights[0][0], gather_weights([build(base, 3, head).layers])[0])
    learned = gather_weights([model.layers for model in models])
    for ours, kerass in zip(heads.weights, learned, strict=True):
        np.testing.assert_allclose(ours, kerass, atol=2e-5)
    features = views[0].read(range(photos.count))
    probabilities, varies = heads.predict(in_order(views[:1], photos.labels))
    expected = np.hstack([model.predict(features, verbose=0) for model in models])
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert varies.all()


def test_memory_and_files_give_the_same(stored, monkeypatch):
    base, photos, views = stored
    weights = gather_weights([build(base, 1, "stable").layers])
    found = []
    for free in (2**40, 0):
        monkeypatch.setattr(module, "count_free_bytes", lambda free=free: free)
        heads = Heads(weights, head="stable")
        heads.fit(views, photos.labels, order=Order(1, [0]), batch_size=16, epochs=2)
        found.append(heads.weights)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(found[0][0], weights[0]), "the weights given stay as they are"


def test_a_run_draws_the_same_order_for_every_policy_and_another_one_than_other_runs():
    order = Order(31415, [20, 21])
    drawn = {
        views: [
            order.draw(run, epoch, count=500, views=views) for run in (0, 1) for epoch in (0, 1)
        ]
        for views in (1, 2, 4)
    }
    for one, two, four in zip(*drawn.values(), strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(two[0], four[0])
        np.testing.assert_array_equal(two[1], four[1] // 2)  # one u for both
        assert not one[1].any()
        assert sorted(four[0]) == list(range(500))
    orders = [positions.tolist() for positions, _ in drawn[4]]
    assert all(orders.count(each) == 1 for each in orders)
    counts = np.bincount(np.concatenate([views for _, views in drawn[4]]))
    assert len(counts) == 4 and counts.min() > 0.2 * counts.sum()
    # The seed of the run counts, not its place among the others.
    alone = Order(31415, [21]).draw(0, 1, count=500, views=4)
    np.testing.assert_array_equal(alone, drawn[4][3])


def test_dead_heads_are_seen(stored):
    base, photos, views = stored
    weights = gather_weights([build(base, seed, "lesson").layers for seed in (1, 2)])
    weights[0][0], weights[1][0] = 0, -1
    _, varies = Heads(weights, head="lesson").predict(in_order(views[:1], photos.labels))
    assert varies.tolist() == [False, True]
    heads = Heads(weights, head="stable")
    heads.fit(views, photos.labels, order=Order(1, [1, 2]), batch_size=16, epochs=1)
    assert heads.predict(in_order(views[:1], photos.labels))[1].all(), "stable heads come back"


def test_an_unknown_head_is_refused():
    with pytest.raises(ValueError, match="`head` to be one of 'lesson', 'stable'"):
        Heads(
            [np.zeros((1, 6, 3)), np.zeros((1, 6)), np.zeros((1, 6)), np.zeros(1)],
            head="tanh",
        )


def test_views_are_read_as_stored(stored):
    _, photos, views = stored
    read = module.hold_rows(views)
    batch = np.array([5, 60, 5])
    found = read(np.array([2, 0, 1]), batch)
    for row, (view, photo) in zip(found, ((2, 5), (0, 60), (1, 5)), strict=True):
        np.testing.assert_array_equal(row, np.ravel(views[view][photo]))
    assert isinstance(in_order(views, photos.labels), StoredViews)
