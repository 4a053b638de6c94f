"""Policies are compared like with like, and the sentence says what the numbers say."""

import keras
import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.evaluation.compare import AGAIN, compare
from course_utils.evaluation.runs import build_heads
from course_utils.models.classifier import HEADS, build_classifier
from course_utils.models.partition import split_model
from course_utils.training import heads
from course_utils.training.heads import gather_weights

OPTIONS = {"seeds": 3, "epochs": 3, "views": 2, "precision": "float32", "progress": False}
POLICIES = {"none": Augmentation(), "contrast": Augmentation(contrast=0.5)}


@pytest.mark.slow
def test_runs_have_their_own_orders_the_same_in_all_policies(make_base, make_splits):
    base, splits = make_base(), make_splits(batch_size=24)
    # Two names for one policy differ by nothing: same heads, same orders, same draws.
    twice = {"one": POLICIES["contrast"], "two": POLICIES["contrast"]}
    found = compare(twice, splits, base, **OPTIONS)
    assert found.policies == ["one", "two", "one again"]
    assert len(found.runs) == 3 * 3 * 3
    np.testing.assert_array_equal(found.probabilities("one"), found.probabilities("two"))
    # Which other seeds take part changes nothing for a run.
    fewer = compare(twice, splits, base, **{**OPTIONS, "seeds": [2, 7]})
    np.testing.assert_allclose(
        fewer.probabilities("one")[:, 0], found.probabilities("one")[:, 2], atol=1e-6
    )
    assert fewer.runs["seed"].unique().tolist() == [2, 7]


def test_the_heads_are_those_of_the_lessons_classifier(make_base, make_splits):
    base, splits = make_base(), make_splits(batch_size=24)
    for kind in ("lesson", "stable"):
        heads = build_heads(base, [4], kind)
        model = build_classifier(base, head=kind, seed=4)
        features = base.predict(splits.valid.read(range(32)), verbose=0)
        head = keras.Sequential([keras.Input(features.shape[1:]), *split_model(model).head])
        for ours, kerass in zip(heads.weights, gather_weights([head.layers]), strict=True):
            np.testing.assert_array_equal(ours, kerass)
        assert head.layers[-2].activation is keras.activations.get(HEADS[kind].activation)


@pytest.mark.slow
def test_the_same_policy_differs_from_itself_by_the_dice_alone(make_base, make_splits):
    found = compare(POLICIES, make_splits(), make_base(), **OPTIONS)
    none, again, contrast = (
        found.runs.query("policy == @name").set_index(["seed", "epoch"])
        for name in ("none", "none again", "contrast")
    )
    assert not np.allclose(none["val_loss"], again["val_loss"], atol=1e-6), "another order"
    # Without augmentation the train photos and their views are the same; with it they are not.
    assert (none["clean_loss"] == none["augmented_loss"]).all()
    assert not np.allclose(contrast["clean_loss"], contrast["augmented_loss"])
    assert set(found.differences().index) == {"contrast", "none again"}


@pytest.mark.slow
def test_what_is_finished_is_not_trained_again(make_base, make_splits, monkeypatch, capsys):
    base, splits = make_base(), make_splits()
    trained = []
    fit = heads.Heads.fit

    def count(self, *arguments, **options):
        trained.append(self)
        if len(trained) == 5:
            raise KeyboardInterrupt
        fit(self, *arguments, **options)

    monkeypatch.setattr(heads.Heads, "fit", count)
    first = compare(POLICIES, splits, base, **OPTIONS)
    assert len(trained) == 3
    more = {**POLICIES, "zoom": Augmentation(zoom=0.2), "hue": Augmentation(hue=30)}
    interrupted = compare(more, splits, base, **OPTIONS)
    assert interrupted.policies == ["none", "contrast", "zoom"]
    assert "kept: none, contrast, zoom." in capsys.readouterr().out
    np.testing.assert_array_equal(
        first.probabilities("contrast"), interrupted.probabilities("contrast")
    )
    whole = compare(more, splits, base, **OPTIONS)
    assert len(trained) == 6 and len(whole.policies) == 5
    fewer = {**OPTIONS, "epochs": 2}
    compare(POLICIES, splits, base, **fewer)
    assert len(trained) == 9, "other epochs are another run"


@pytest.mark.slow
def test_heads_answer_as_they_did_after_the_last_epoch(make_base, make_splits):
    base, splits = make_base(), make_splits()
    trained, stored = (compare(POLICIES, splits, base, **OPTIONS) for _ in range(2))
    features = base.predict(splits.valid.read(range(splits.valid.count)), verbose=0)
    for found in (trained, stored):
        for policy in found.policies:
            kernels, biases, outputs, output_biases = found.heads(policy).weights
            hidden = (
                np.einsum("bf,suf->bsu", 0.1 * features.reshape(len(features), -1), kernels)
                + biases
            )
            logits = (np.where(hidden > 0, hidden, 0.2 * hidden) * outputs).sum(axis=2)
            probabilities = 1 / (1 + np.exp(-logits - output_biases))
            np.testing.assert_allclose(probabilities.T, found.probabilities(policy)[-1], atol=1e-5)


@pytest.mark.slow
def test_each_policy_may_have_its_own_number_of_views(make_base, make_splits):
    base, splits = make_base(), make_splits()
    contrast = Augmentation(contrast=0.5)
    own = {**OPTIONS, "views": {"one": 1, "three": 3}}
    found = compare({"one": contrast, "three": contrast}, splits, base, **own)
    for name, number in own["views"].items():
        alike = compare(POLICIES, splits, base, **{**OPTIONS, "views": number})
        np.testing.assert_array_equal(found.probabilities(name), alike.probabilities("contrast"))
    assert not np.array_equal(found.probabilities("one"), found.probabilities("three"))


@pytest.mark.slow
def test_stored_runs_that_are_damaged_are_named_and_trained_again(
    make_base, make_splits, own_cache, capsys
):
    base, splits = make_base(), make_splits()
    first = compare(POLICIES, splits, base, **OPTIONS)
    for path in (own_cache / "comparisons").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    again = compare(POLICIES, splits, base, **OPTIONS)
    assert capsys.readouterr().out.count("is damaged") == 3
    np.testing.assert_allclose(
        first.probabilities("contrast"), again.probabilities("contrast"), atol=1e-6
    )


@pytest.mark.parametrize(
    ("policies", "options", "message"),
    [
        ({"none": Augmentation()}, {}, "two policies or more"),
        ([Augmentation(), Augmentation()], {}, "a dictionary from names to policies"),
        ({"none": Augmentation(), "flip": "horizontal"}, {}, "each an Augmentation or a list"),
        ({"none": Augmentation(), "flip": keras.layers.RandomFlip()}, {}, "a list of layers"),
        (POLICIES, {"seeds": 1}, "`seeds` to be a whole number from 2, received 1"),
        (POLICIES, {"seeds": [3, 3]}, "two seeds or more, each once, received"),
        (POLICIES, {"head": "tanh"}, "`head` to be one of 'lesson', 'stable'"),
        (POLICIES, {"epochs": 0}, "`epochs` to be a whole number from 1"),
        ({**POLICIES, "none again": Augmentation(zoom=0.1)}, {}, "no policy called 'none again'"),
    ],
)
def test_nonsense_is_refused(make_base, make_splits, policies, options, message):
    with pytest.raises(ValueError, match=message):
        compare(policies, make_splits(), make_base(), **{**OPTIONS, **options})


def test_splits_are_told_from_a_base(make_base, make_splits):
    with pytest.raises(ValueError, match="Expected Splits behind the policies, received"):
        compare(POLICIES, make_base(), make_splits(), **OPTIONS)


def test_comparison_module_takes_layers_as_well(make_base, make_splits):
    flip = [keras.layers.RandomFlip("horizontal", seed=1, dtype="float32")]
    found = compare({"none": [], "flip": flip}, make_splits(), make_base(), **OPTIONS)
    assert found.policies == ["none", "flip", AGAIN.format("none")]
