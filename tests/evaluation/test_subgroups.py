"""Heads side by side are the heads one by one, and each group's accuracy is its own."""

import keras
import numpy as np
import pandas as pd
import pytest

from course_utils.evaluation import subgroups
from course_utils.evaluation.compare import compare
from course_utils.evaluation.runs import build_heads
from course_utils.evaluation.subgroups import evaluate_subgroups
from course_utils.features.store import FeatureStore

OPTIONS = {"epochs": 3, "precision": "float32", "progress": False}


def flip():
    return [keras.layers.RandomFlip("horizontal", seed=1, dtype="float32")]


def thirds(splits):
    return np.where(np.arange(splits.valid.count) % 3 == 0, "third", "rest")


def contrast():
    layer = keras.layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=2, dtype="float32")
    return [layer]


@pytest.mark.slow
@pytest.mark.parametrize("augmentation", [list, flip, contrast], ids=["plain", "flip", "random"])
def test_the_runs_are_those_of_a_comparison(make_base, make_splits, augmentation):
    # 64 photos in batches of 24: the last batch is a smaller one.
    base, splits = make_base(), make_splits(batch_size=24)
    options = {**OPTIONS, "seeds": 4, "seed": 7}
    together = evaluate_subgroups(
        base, splits, thirds(splits), augmentation=augmentation(), **options
    )
    compared = compare({"one": augmentation(), "two": []}, splits, base, **options)
    last = compared.runs.query("policy == 'one' and epoch == epoch.max()").set_index("seed")
    for name in ("clean_loss", "val_loss", "val_binary_accuracy", "dead_head"):
        np.testing.assert_allclose(together[name], last[name], atol=1e-6)
    for seed, probabilities in enumerate(compared.probabilities("one")[-1]):
        right = (probabilities > 0.5) == (splits.valid.labels[:, 0] > 0.5)
        for name, share in pd.Series(right).groupby(thirds(splits)).mean().items():
            assert together.loc[seed, name] == share
    assert together["clean_loss"].nunique() == 4  # four heads, not one four times


@pytest.mark.slow
def test_columns_follow_the_groups_and_weigh_up_to_the_whole(make_base, make_splits):
    splits = make_splits()
    names = thirds(splits)
    results = evaluate_subgroups(make_base(), splits, names, seeds=2, **OPTIONS)
    assert list(results.columns[:2]) == ["third", "rest"]
    assert results.index.name == "seed" and list(results.index) == [0, 1]
    whole = (results["third"] * sum(names == "third") + results["rest"] * sum(names == "rest")) / 32
    np.testing.assert_allclose(whole, results["val_binary_accuracy"])


@pytest.mark.slow
def test_groups_may_be_a_column_of_a_table_with_an_index_of_its_own(make_base, make_splits):
    splits = make_splits()
    names = thirds(splits)
    table = pd.Series(names, index=np.arange(32)[::-1])
    options = OPTIONS | {"seeds": 1, "epochs": 1}
    one, other = (
        evaluate_subgroups(make_base(), splits, each, **options) for each in (names, table)
    )
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.slow
def test_random_augmentation_uses_as_many_views_as_asked(make_base, make_splits, monkeypatch):
    passes = []
    compute = FeatureStore.compute

    def counting(store, photos, view, line):
        passes.append(store.count_missing(photos, view))
        compute(store, photos, view, line)

    monkeypatch.setattr(FeatureStore, "compute", counting)
    splits = make_splits()
    options = OPTIONS | {"seeds": 2, "epochs": 1, "views": 2}
    evaluate_subgroups(make_base(), splits, thirds(splits), augmentation=contrast(), **options)
    assert passes == [32, 64, 64, 64]  # valid, train, and train twice more
    passes.clear()
    evaluate_subgroups(make_base(), splits, thirds(splits), augmentation=flip(), **options)
    assert passes == [0, 0, 64]  # clean ones lie ready; a flip has one view besides


@pytest.mark.slow
def test_dead_heads_are_told(make_base, make_splits, monkeypatch):
    def build(base, seeds, head):
        heads = build_heads(base, seeds, "lesson")
        heads.weights[0][1], heads.weights[1][1] = 0, -1
        return heads

    monkeypatch.setattr(subgroups, "build_heads", build)
    splits = make_splits()
    results = evaluate_subgroups(make_base(), splits, thirds(splits), seeds=3, **OPTIONS)
    assert results["dead_head"].tolist() == [False, True, False]
    assert results.loc[1, "val_binary_accuracy"] == 0.5


@pytest.mark.slow
def test_the_base_stays_as_it_is(make_base, make_splits):
    base, splits = make_base(), make_splits()
    before = base.get_weights()
    evaluate_subgroups(base, splits, thirds(splits), seeds=1, **OPTIONS)
    assert all(map(np.array_equal, before, base.get_weights()))


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"seeds": 0}, ValueError, "`seeds`"),
        ({"seeds": 2.0}, TypeError, "`seeds`"),
        ({"seeds": True}, TypeError, "`seeds`"),
        ({"epochs": 0}, ValueError, "`epochs`"),
        ({"groups": ["one"] * 31}, ValueError, "32 valid photos"),
        ({"groups": "with"}, ValueError, "32 valid photos"),
    ],
)
def test_nonsense_is_refused_by_name(make_base, make_splits, changes, error, said):
    splits = make_splits()
    arguments = OPTIONS | {"groups": thirds(splits), "seeds": 1} | changes
    with pytest.raises(error, match=said):
        evaluate_subgroups(make_base(), splits, **arguments)
