"""The study of fine-tuning: runs are paired and kept, and differences are what they say."""

from dataclasses import replace

import numpy as np
import pytest


@pytest.fixture
def found():
    """Made-up runs: augmentation halves the distance to the label, more so with block 5."""
    random = np.random.default_rng(0)
    labels = (np.arange(60) % 2).astype("float32")[:, None]
    made = {}
    for level, strength in (("head", 0.1), ("block", 0.3)):
        for policy in ("none", "flip + contrast", "flip + contrast, fresh views"):
            for seed in range(2 if "fresh" in policy else 4):
                noise = random.normal(0, 0.02, 60)
                gained = strength * (policy != "none") + noise
                right = np.clip(0.55 + gained, 0.01, 0.99)
                probabilities = np.where(labels[:, 0] > 0.5, right, 1 - right).astype("float32")
                run = {"probabilities": probabilities, "train_loss": 0.5, "weights": len(level)}
                made[level, policy, seed] = run
    return made, labels


def test_the_difference_of_differences_is_that_of_the_two_effects(found):
    from fine_tuning_tables import list_differences, list_runs

    found, labels = found
    table = list_differences(found, labels, np.arange(60), "head", "block").set_index(
        ["question", "level", "measure"]
    )
    for measure in ("loss", "accuracy"):
        effects = [
            table.loc[("augmentation", level, measure), "difference"] for level in ("head", "block")
        ]
        more = table.loc[("more than for the head", "block", measure)]
        assert more["difference"] == pytest.approx(effects[1] - effects[0])
        assert more["pairs"] == 4
    primary = table[table["primary"]]
    assert primary.index.tolist() == [("more than for the head", "block", "loss")]
    assert primary["verdict"].item() == "better"
    assert primary["p_holm"].item() == primary["p_value"].item()
    fresh = table.loc[("fresh views", "head", "loss")]
    assert (fresh["pairs"], fresh["verdict"]) == (2, "can't tell")  # Two pairs are too few.
    assert table.loc[("augmentation", "block", "loss"), "weights"] == 5
    runs = list_runs(found, labels, {"head": 0.1, "block": 0.2})
    assert len(runs) == len(found) and runs["test_accuracy"].between(0, 1).all()
    by_hand = -np.log(np.abs(1 - labels[:, 0] - found["head", "none", 0]["probabilities"]))
    assert runs.loc[0, "test_loss"] == pytest.approx(by_hand.mean(), abs=1e-6)


WIDTH = 8  # channels of the small base


def build_small_vgg16():
    """A base with VGG16's names from block 4 on, and next to nothing inside."""
    from keras import Input, Model, initializers, layers

    def convolve(number):
        options = {"padding": "same", "activation": "relu", "name": f"block5_conv{number}"}
        return layers.Conv2D(WIDTH, 3, kernel_initializer=initializers.HeNormal(number), **options)

    inputs = Input((64, 64, 3))
    x = layers.AveragePooling2D(4)(inputs)
    x = layers.Conv2D(WIDTH, 3, padding="same", kernel_initializer=initializers.HeNormal(9))(x)
    x = layers.MaxPooling2D(name="block4_pool")(x)
    for number in (1, 2, 3):
        x = convolve(number)(x)
    base = Model(inputs, layers.MaxPooling2D(name="block5_pool")(x), name="vgg16")
    base.trainable = False
    return base


@pytest.mark.slow
def test_a_small_study_runs_and_goes_on_from_what_is_kept(
    without_graphs, make_splits, tmp_path, monkeypatch, capsys
):
    import publish_fine_tuning as study
    import published_tables

    from course_utils.lessons.published import load_results

    monkeypatch.setattr(study, "load_vgg16_base", build_small_vgg16)
    for module in ("published_tables", "course_utils.lessons.published"):
        monkeypatch.setattr(f"{module}.results_dir", lambda: tmp_path)
    monkeypatch.setattr(study, "SCRATCH_EPOCHS", 1)
    monkeypatch.setattr(study, "CONTROL_STARTS", range(1))
    splits = make_splits(train=16, valid=32, size=(64, 64))
    loaded = study.load_study(splits.train.unshuffled(), splits.valid)
    levels = [replace(level, rate=level.rates[0]) for level in study.LEVELS]
    study.publish(loaded, levels, range(2))
    assert published_tables.results_dir() == tmp_path
    runs = load_results("fine-tuning-runs")
    assert len(runs) == 2 * 4 * 2 + 3
    weights = runs.groupby("level")["weights"].first()
    assert weights["block 5 and head"] - weights["head alone"] == 3 * (WIDTH * WIDTH * 9 + WIDTH)
    # The head is the same before the second stage, so that the levels are paired.
    assert "run 1, block 5 and head" in capsys.readouterr().out
    study.publish(loaded, levels, range(2))
    assert "run 1, block 5 and head" not in capsys.readouterr().out
    assert load_results("fine-tuning-runs").equals(runs)
