"""Policies are compared like with like, and the sentence says what the numbers say."""

import keras
import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.data.duplicates import group_near_duplicates
from course_utils.evaluation.compare import AGAIN, compare
from course_utils.evaluation.comparison import Comparison
from course_utils.evaluation.runs import PolicyRuns, build_heads
from course_utils.evaluation.statistics import correct_by_holm
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
        clean = np.zeros((4, epochs, seeds))
        runs = range(seeds)
        return PolicyRuns(clean, probabilities.astype("float32"), died, [], runs)

    runs = {"none": build(0, 0), "flip": build(gain, dead), "none again": build(0, 0)}
    return Comparison(runs, splits, baseline="none", seed=1)


@pytest.mark.parametrize(
    ("gain", "noise", "word"),
    [
        (0.1, 0.02, "flip: better than none"),
        (-0.1, 0.02, "flip: worse than none"),
        (0.0, 0.08, "flip: can't tell"),
    ],
)
@pytest.mark.parametrize("measure", ["accuracy", "loss"])
def test_the_verdict_follows_the_numbers(make_splits, gain, noise, word, measure):
    verdict = build_comparison(make_splits(), gain=gain, noise=noise).verdict(measure)
    assert verdict.splitlines()[0].startswith(word)
    assert ("or more" in verdict.splitlines()[0]) == ("can't tell" in word)
    assert "on all 32 validation photos after epoch 2: " in verdict


def test_practically_the_same_is_said_where_two_one_sided_tests_say_it(make_splits):
    found = build_comparison(make_splits(valid=200), noise=0.01, seeds=20)
    assert found.verdict("loss").startswith("flip: practically the same (within ±0.01)")
    assert found.verdict("loss", margin=0.0001).startswith("flip: can't tell")


def test_a_gap_is_smaller_and_not_better(make_splits):
    found = build_comparison(make_splits(), gain=0.1)
    assert found.verdict("gap").startswith("flip: smaller than none")
    # The clean training losses are zero here, so a gap is a loss.
    gap, loss = (found.differences(each).loc["flip"] for each in ("gap", "loss"))
    assert gap.difference == pytest.approx(loss.difference)
    found._runs["flip"].train[0] = 0.3
    assert found.differences("gap").loc["flip", "difference"] == pytest.approx(
        loss.difference - 0.3
    )


@pytest.mark.parametrize(
    ("seeds", "photos", "noise", "missing"),
    [
        (2, 32, 0.02, "2 pairs of runs are too few, train 3 or more"),
        (5, 20, 0.02, "20 photos are too few, use 30 or more"),
        (5, 32, 0.0, "no photo and no run differs"),
    ],
)
def test_too_little_to_tell_says_what_is_missing(make_splits, seeds, photos, noise, missing):
    gain = 0.1 if noise else 0.0
    found = build_comparison(make_splits(valid=photos), gain=gain, noise=noise, seeds=seeds)
    for said in found.verdict("loss").splitlines():
        assert ": can't tell. " in said and missing in said


@pytest.mark.slow
def test_with_no_true_difference_few_runs_seldom_claim_one(make_splits):
    splits, claims = make_splits(), 0
    labels = splits.valid.labels[:, 0]
    random = np.random.default_rng(3)
    for _ in range(100):
        towards = (2 * labels - 1) * random.normal(0.2, 0.1, (2, 1, 3, len(labels)))
        runs = {
            name: PolicyRuns(
                np.zeros((4, 1, 3)),
                np.clip(0.5 + each, 0.01, 0.99).astype("float32"),
                np.zeros((1, 3), bool),
                [],
                range(3),
            )
            for name, each in zip(("none", "flip"), towards, strict=True)
        }
        found = Comparison(runs, splits, baseline="none", seed=1)
        claims += "better" in found.verdict("loss") or "worse" in found.verdict("loss")
    assert claims <= 10


def test_several_policies_are_corrected_and_the_null_check_is_not(make_splits):
    found = build_comparison(make_splits(), gain=0.01, noise=0.05)
    random = np.random.default_rng(6)
    flip = found._runs["flip"].probabilities
    for name in ("zoom", "hue"):
        noisy = np.clip(flip + random.normal(0, 0.05, flip.shape), 0.01, 0.99)
        found._runs[name] = PolicyRuns(
            np.zeros((4, 2, 12)), noisy, np.zeros((2, 12), bool), [], range(12)
        )
    table = found.differences("loss")
    several = table.drop("none again")
    np.testing.assert_allclose(several["p_holm"], correct_by_holm(several["p_value"]))
    assert (several["p_holm"] >= several["p_value"]).all()
    assert several["p_holm"].min() == pytest.approx(min(1, 3 * several["p_value"].min()))
    assert table.loc["none again", "p_holm"] == table.loc["none again", "p_value"]


def test_each_class_by_itself_adds_up_to_both(make_splits):
    splits = make_splits()
    found = build_comparison(splits, gain=0.1)
    both, *classes = (
        found.differences(class_name=name).loc["flip", "difference"]
        for name in (None, "Car", "Truck")
    )
    weights = [(splits.valid.labels == label).mean() for label in (0, 1)]
    assert np.dot(weights, classes) == pytest.approx(both)
    table = found.summary()
    np.testing.assert_allclose(
        weights[0] * table["accuracy_Car"] + weights[1] * table["accuracy_Truck"],
        table["val_binary_accuracy"],
    )
    with pytest.raises(ValueError, match="`class_name` to be one of 'Car', 'Truck'"):
        found.differences(class_name="Bus")


def test_dead_heads_count_and_pairs_without_them_are_a_second_reading(make_splits):
    found = build_comparison(make_splits(), gain=0.1, dead=6)
    verdict = found.verdict().splitlines()[0]
    assert "Dead heads: 0% and 50%" in verdict
    assert "the pairs in which neither head died (6) disagree" in verdict
    every, alive = (found.differences(exclude_dead=which).loc["flip"] for which in (False, True))
    assert every.pairs == 12 and alive.pairs == 6
    assert alive.difference > every.difference
    table = found.summary()
    assert table.loc["flip", "dead_heads"] == 0.5
    assert (
        found.summary(exclude_dead=True).loc["flip", "val_binary_accuracy"]
        > table.loc["flip", "val_binary_accuracy"]
    )


def test_the_halves_share_no_photo_and_no_near_duplicate(make_splits):
    splits = make_splits()
    found = build_comparison(splits)
    selection, held_out = found._parts["selection"], found._parts["held_out"]
    assert (selection ^ held_out).all() and 0.3 < selection.mean() < 0.7
    groups = group_near_duplicates(splits.valid)
    for group in np.unique(groups):
        assert len(np.unique(selection[groups == group])) == 1


def test_the_chosen_epoch_is_chosen_on_one_half_and_judged_on_the_other(make_splits):
    splits = make_splits()
    found = build_comparison(splits, epochs=4)
    runs = found.runs.query("policy == 'flip'").set_index(["seed", "epoch"])
    chosen = found._choose_epochs("flip")
    assert list(chosen) == list(runs["selection_loss"].unstack().idxmin(axis=1))
    difference = found.differences("loss", epoch="chosen").loc["flip"]
    baseline = found.runs.query("policy == 'none'").set_index(["seed", "epoch"])["held_out_loss"]
    expected = np.mean(
        [
            runs["held_out_loss"][seed, epoch] - baseline[seed, start]
            for seed, (epoch, start) in enumerate(
                zip(chosen, found._choose_epochs("none"), strict=True)
            )
        ]
    )
    assert difference.difference == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="`photos` to be one of 'val', 'selection', 'held_out'"):
        found.differences(photos="test")
    with pytest.raises(ValueError, match="held_out. with a chosen epoch"):
        found.differences(photos="val", epoch="chosen")
    about = found.differences("loss", epoch="chosen").attrs["about"]
    assert about.startswith(f"the {found._parts['held_out'].sum()} validation photos of the held-")


@pytest.mark.slow
def test_comparison_module_takes_layers_as_well(make_base, make_splits):
    flip = [keras.layers.RandomFlip("horizontal", seed=1, dtype="float32")]
    found = compare({"none": [], "flip": flip}, make_splits(), make_base(), **OPTIONS)
    assert found.policies == ["none", "flip", AGAIN.format("none")]
