"""The verdict says what the numbers say, of runs that are made up."""

import numpy as np
import pytest

from course_utils.data.duplicates import group_near_duplicates
from course_utils.evaluation.comparison import Comparison
from course_utils.evaluation.runs import PolicyRuns
from course_utils.evaluation.statistics import correct_by_holm


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
@pytest.mark.parametrize("margin", [-0.1, 5, float("nan"), "1%"])
def test_a_margin_that_is_none_is_refused(make_splits, margin):
    with pytest.raises((TypeError, ValueError), match="`margin` to be a number from 0 to 1"):
        build_comparison(make_splits(valid=20)).verdict(margin=margin)
