"""The null check finds nothing where there is nothing, and notices arms that differ."""

import pytest

from course_utils.features.store import prepare_features
from course_utils.features.views import list_views

pytestmark = pytest.mark.slow


@pytest.fixture
def measure(make_base, make_splits, monkeypatch):
    """A function that runs the check on noise and a tiny base."""
    import keras
    import null_check

    monkeypatch.setattr(null_check, "EPOCHS", 2)
    monkeypatch.setattr(null_check, "AT_ONCE", 60)
    base, splits = make_base(), make_splits(train=48, valid=40)
    front = [keras.layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=1, dtype="float32")]
    views = list_views(front, views=2, seed=1)
    options = {"precision": "float32", "seed": 1, "progress": False}
    needed = [(splits.train, views), (splits.valid, [views[0]])]
    store = prepare_features(front, base, needed, **options)
    stored = [store.open(splits.train, view) for view in views]
    valid = store.open(splits.valid, views[0])

    def run(**numbers):
        table = null_check.measure_null(stored, valid, splits, base, **numbers)
        contains = (table["low"] <= 0) & (table["high"] >= 0)
        return table.assign(contains=contains)

    return run


def test_intervals_contain_zero_where_nothing_differs(measure):
    table = measure(seeds=3, comparisons=30)
    assert len(table) == 60 and table["difference"].nunique() > 30
    assert table.groupby("measure")["contains"].mean().min() > 0.85


def test_weights_that_differ_between_the_arms_are_noticed(measure, monkeypatch):
    import null_check

    build, calls = null_check.build_heads, []

    def build_unlike(*arguments):
        heads = build(*arguments)
        calls.append(heads)
        if len(calls) % 2 == 0:
            heads.weights[3] += 8.0  # every photo is taken for a truck, from the start
        return heads

    monkeypatch.setattr(null_check, "build_heads", build_unlike)
    table = measure(seeds=3, comparisons=10)
    assert table.query("measure == 'loss'")["contains"].mean() < 0.5
