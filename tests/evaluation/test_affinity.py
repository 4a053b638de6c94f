"""Affinity and diversity are what their definitions say, head by head."""

import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.evaluation.affinity import evaluate_affinity
from course_utils.evaluation.compare import compare

OPTIONS = {"precision": "float32", "progress": False}
POLICIES = {
    "none": Augmentation(),
    "flip": Augmentation(flip="horizontal"),
    "dark": Augmentation(brightness=1.0),
}


@pytest.fixture
def compared(make_base, make_splits):
    base, splits = make_base(), make_splits()
    found = compare(POLICIES, splits, base, seeds=3, epochs=3, views=2, **OPTIONS)
    return found, splits, base


@pytest.mark.slow
def test_affinity_is_accuracy_on_augmented_photos_over_accuracy_on_clean_ones(compared):
    found, splits, base = compared
    table = evaluate_affinity(found, POLICIES, splits.valid, base, **OPTIONS)
    assert table.loc["none", ["affinity", "diversity"]].tolist() == [1, 1]
    # A flip has two outcomes: half of the views are the photos themselves.
    images, labels = splits.valid.read(range(32)), splits.valid.labels
    kernels, biases, outputs, output_biases = found.heads("none").weights

    def measure(pictures):
        features = base.predict(pictures, verbose=0).reshape(len(pictures), -1)
        hidden = np.einsum("bf,suf->bsu", 0.1 * features, kernels) + biases
        logits = (np.where(hidden > 0, hidden, 0.2 * hidden) * outputs).sum(axis=2)
        return ((logits + output_biases > 0) == (labels > 0.5)).mean(axis=0)

    clean, flipped = measure(images), measure(images[:, :, ::-1])
    assert table.loc["flip", "affinity"] == pytest.approx(((clean + flipped) / 2 / clean).mean())
    assert table.loc["dark", "affinity"] != 1
    assert (table["affinity_low"] <= table["affinity"]).all()


@pytest.mark.slow
def test_diversity_is_the_augmented_training_loss_over_that_without(compared):
    found, splits, base = compared
    table = evaluate_affinity(found, POLICIES, splits.valid, base, **OPTIONS)
    last = found.runs.query("epoch == 3").set_index(["policy", "seed"])["augmented_loss"]
    assert table.loc["dark", "diversity"] == pytest.approx((last["dark"] / last["none"]).mean())
    assert table.loc["dark", "diversity"] > 1
