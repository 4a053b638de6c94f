"""Policies are compared like with like, and the sentence says what the numbers say."""

import keras
import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.data.duplicates import group_near_duplicates
from course_utils.evaluation.compare import AGAIN, compare
from course_utils.evaluation.comparison import Comparison
from course_utils.evaluation.runs import PolicyRuns
from course_utils.models.classifier import build_classifier
from course_utils.training import heads
from course_utils.training.train import train

OPTIONS = {"seeds": 3, "epochs": 3, "views": 2, "precision": "float32", "progress": False}
POLICIES = {"none": Augmentation(), "contrast": Augmentation(contrast=0.5)}


def test_each_run_is_what_train_gives(make_base, make_splits):
    base, splits = make_base(), make_splits(batch_size=24)
    found = compare(POLICIES, splits, base, **OPTIONS)
    assert found.policies == ["none", "contrast", "none again"]
    assert len(found.runs) == 3 * 3 * 3
    for policy, augmentation in POLICIES.items():
        for seed in range(3):
            model = build_classifier(base, augmentation.layers(31415), seed=seed)
            options = {"epochs": 3, "views": 2, "precision": "float32", "progress": False}
            alone = train(model, splits, method="stored_features", **options)
            runs = found.runs.query("policy == @policy and seed == @seed").set_index("epoch")
            names = ["clean_loss", "clean_binary_accuracy", "val_loss", "val_binary_accuracy"]
            np.testing.assert_allclose(runs[names], alone[names], atol=1e-4)
            assert (runs["dead_head"] == alone["dead_head"]).all()
            probabilities = found.probabilities(policy)[-1, seed]
            np.testing.assert_allclose(
                probabilities, model.predict(splits.valid, verbose=0)[:, 0], atol=1e-4
            )


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


def test_heads_answer_as_they_did_after_the_last_epoch(make_base, make_splits):
    base, splits = make_base(), make_splits()
    trained, stored = (compare(POLICIES, splits, base, **OPTIONS) for _ in range(2))
    features = base.predict(splits.valid.read(range(splits.valid.count)), verbose=0)
    for found in (trained, stored):
        for policy in found.policies:
            probabilities = found.heads(policy).model.predict(features, verbose=0)
            np.testing.assert_allclose(probabilities.T, found.probabilities(policy)[-1], atol=1e-5)


def test_each_policy_may_have_its_own_number_of_views(make_base, make_splits):
    base, splits = make_base(), make_splits()
    contrast = Augmentation(contrast=0.5)
    own = {**OPTIONS, "views": {"one": 1, "three": 3}}
    found = compare({"one": contrast, "three": contrast}, splits, base, **own)
    for name, number in own["views"].items():
        alike = compare(POLICIES, splits, base, **{**OPTIONS, "views": number})
        np.testing.assert_array_equal(found.probabilities(name), alike.probabilities("contrast"))
    assert not np.array_equal(found.probabilities("one"), found.probabilities("three"))


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


@pytest.mark.parametrize("margin", [-0.1, 5, float("nan"), "1%"])
def test_a_margin_that_is_none_is_refused(make_splits, margin):
    with pytest.raises((TypeError, ValueError), match="`margin` to be a number from 0 to 1"):
        build_comparison(make_splits(valid=20)).verdict(margin=margin)


# What is said of runs that are made up


def build_comparison(splits, *, gain=0.0, noise=0.02, seeds=12, dead=0, epochs=2):
    """A comparison whose second policy answers better by `gain` on average."""
    random = np.random.default_rng(5)
    labels = splits.valid.labels[:, 0]
    towards = 2 * labels - 1
    shared = random.normal(0.55, 0.1, (epochs, seeds, len(labels)))

    def build(better, dying):
        margin = shared + better + random.normal(0, noise, shared.shape) - 0.5
        probabilities = np.clip(0.5 + towards * margin, 0.01, 0.99)
        died = np.zeros((epochs, seeds), bool)
        died[:, :dying] = True
        probabilities[:, :dying] = 0.4
        return PolicyRuns(np.zeros((4, epochs, seeds)), probabilities.astype("float32"), died, [])

    runs = {"none": build(0, 0), "flip": build(gain, dead), "none again": build(0, 0)}
    return Comparison(runs, splits, baseline="none", seed=1)


@pytest.mark.parametrize(
    ("gain", "noise", "word"),
    [
        (0.1, 0.02, "flip: better than none"),
        (-0.1, 0.02, "flip: worse than none"),
        (0.0, 0.0, "flip: practically the same"),
        (0.0, 0.08, "flip: can't tell"),
    ],
)
@pytest.mark.parametrize("measure", ["accuracy", "loss"])
def test_the_verdict_follows_the_numbers(make_splits, gain, noise, word, measure):
    verdict = build_comparison(make_splits(), gain=gain, noise=noise).verdict(measure)
    assert verdict.splitlines()[0].startswith(word)
    assert ("or more" in verdict.splitlines()[0]) == ("can't tell" in word)


def test_dead_heads_count_and_the_living_are_a_second_reading(make_splits):
    found = build_comparison(make_splits(), gain=0.1, dead=6)
    verdict = found.verdict().splitlines()[0]
    assert "Dead heads: 0% and 50%" in verdict and "living pairs alone (6) disagree" in verdict
    every, living = (found.differences(living=which).loc["flip"] for which in (False, True))
    assert every.pairs == 12 and living.pairs == 6
    assert living.difference > every.difference
    table = found.summary()
    assert table.loc["flip", "dead_heads"] == 0.5
    assert (
        found.summary(living=True).loc["flip", "val_binary_accuracy"]
        > table.loc["flip", "val_binary_accuracy"]
    )


def test_select_and_sealed_share_no_photo_and_no_near_duplicate(make_splits):
    splits = make_splits()
    found = build_comparison(splits)
    select, sealed = found._parts["select"], found._parts["sealed"]
    assert (select ^ sealed).all() and 0.3 < select.mean() < 0.7
    groups = group_near_duplicates(splits.valid)
    for group in np.unique(groups):
        assert len(np.unique(select[groups == group])) == 1


def test_the_chosen_epoch_is_chosen_on_select_and_judged_on_sealed(make_splits):
    splits = make_splits()
    found = build_comparison(splits, epochs=4)
    runs = found.runs.query("policy == 'flip'").set_index(["seed", "epoch"])
    chosen = found._choose_epochs("flip")
    assert list(chosen) == list(runs["select_loss"].unstack().idxmin(axis=1))
    difference = found.differences("loss", photos="sealed", epoch="chosen").loc["flip"]
    baseline = found.runs.query("policy == 'none'").set_index(["seed", "epoch"])["sealed_loss"]
    expected = np.mean(
        [
            runs["sealed_loss"][seed, epoch] - baseline[seed, start]
            for seed, (epoch, start) in enumerate(
                zip(chosen, found._choose_epochs("none"), strict=True)
            )
        ]
    )
    assert difference.difference == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="`photos` to be one of 'val', 'select', 'sealed'"):
        found.differences(photos="test")


def test_comparison_module_takes_layers_as_well(make_base, make_splits):
    flip = [keras.layers.RandomFlip("horizontal", seed=1, dtype="float32")]
    found = compare({"none": [], "flip": flip}, make_splits(), make_base(), **OPTIONS)
    assert found.policies == ["none", "flip", AGAIN.format("none")]
