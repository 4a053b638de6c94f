"""What is measured on transformed photos is what the models say of them, one by one."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.policy import Augmentation
from course_utils.evaluation import robustness
from course_utils.evaluation.compare import compare
from course_utils.evaluation.robustness import (
    ALWAYS_RANDOM,
    DONE_OR_NOT,
    MEASURABLE,
    evaluate_robustness,
)
from course_utils.features.store import FeatureStore, prepare_features
from course_utils.features.views import changed_view, clean_view
from course_utils.models.classifier import build_classifier
from course_utils.training.heads import Heads

OPTIONS = {"precision": "float32", "progress": False}
POLICIES = {"none": Augmentation(), "contrast": Augmentation(contrast=0.5)}
SHAPE = (16, 16, 3)


def change(name, strength, images):
    """What the view of a strength does to photos."""
    return np.asarray(robustness._fix_view(name, strength).change(images))


def draw_photos(count=5, draw=0):
    return np.random.default_rng(draw).uniform(0.3, 0.7, (count, *SHAPE)).astype("float32")


@pytest.fixture
def compared(make_base, make_splits):
    base, splits = make_base(), make_splits()
    found = compare(POLICIES, splits, base, seeds=3, epochs=3, views=2, **OPTIONS)
    return found, splits, base


def by_hand(name, strength, images):
    if strength == 0:
        return images
    if name == "flip":
        return images[:, :, ::-1]
    if name == "contrast":  # about each channel's mean, cut off at black and white
        pivot = images.mean(axis=(1, 2), keepdims=True)
        return np.clip((images - pivot) * (1 + strength) + pivot, 0, 1)
    assert name == "brightness"
    return np.clip(images + strength, 0, 1)


@pytest.mark.slow
def test_the_table_is_what_each_model_says_of_photos_changed_by_hand(compared):
    found, splits, base = compared
    strengths = {"flip": (0, 1), "contrast": (-0.5, 0, 0.5), "brightness": (-0.2, 0.2)}
    table = evaluate_robustness(found, splits.valid, base, strengths, **OPTIONS)
    assert list(table) == [
        *("policy", "transformation", "unit", "strength", "seed"),
        *("accuracy", "unchanged", "dead_head"),
    ]
    assert len(table) == 3 * 7 * 3  # policies, the baseline's second training too; seeds
    images, labels = splits.valid.read(range(splits.valid.count)), splits.valid.labels
    changes = [(name, strength) for name, listed in strengths.items() for strength in listed]
    batches = [images, *(by_hand(*change, images) for change in changes)]
    for policy, augmentation in POLICIES.items():
        # One model for all heads, since each model's first `predict` takes a second.
        model = build_classifier(base, augmentation.layers(31415), head="stable")
        hidden, biases, outputs, output_biases = found.heads(policy).weights
        for seed in range(3):
            model.layers[-2].set_weights([hidden[seed].T, biases[seed]])
            model.layers[-1].set_weights([outputs[seed][:, None], output_biases[seed : seed + 1]])
            predicted = model.predict(np.concatenate(batches), verbose=0) > 0.5
            untouched, *changed = np.split(predicted, len(batches))
            rows = table.query("policy == @policy and seed == @seed")
            rows = rows.set_index(["transformation", "strength"])
            for change, classes in zip(changes, changed, strict=True):
                row = rows.loc[change]
                assert row["accuracy"] == pytest.approx(np.mean(classes == (labels > 0.5)))
                assert row["unchanged"] == pytest.approx(np.mean(classes == untouched))
    assert (table.query("strength == 0")["unchanged"] == 1).all()
    assert table.query("strength != 0")["unchanged"].min() < 1, "nothing was tested"


@pytest.mark.slow
def test_at_strength_0_the_accuracy_is_that_of_the_comparison(compared):
    found, splits, base = compared
    table = evaluate_robustness(found, splits.valid, base, {"zoom": [0]}, **OPTIONS)
    last = found.runs.query("epoch == 3").set_index(["policy", "seed"])
    rows = table.set_index(["policy", "seed"])
    expected = last.loc[rows.index, "val_binary_accuracy"]
    np.testing.assert_allclose(rows["accuracy"], expected, atol=1e-6)
    assert (rows["dead_head"] == last.loc[rows.index, "dead_head"]).all()


def test_a_dead_head_changes_nothing_and_is_marked(make_base, make_photos):
    base, photos = make_base(), make_photos()
    random = np.random.default_rng(3)
    shape = base.output_shape[1:]
    hidden = random.normal(size=(2, 6, np.prod(shape))).astype("float32")
    biases = np.repeat([[0.0], [-1000.0]], 6, axis=1).astype("float32")
    outputs = random.normal(size=(2, 6)).astype("float32")
    # One head alive, one dead, each near its threshold.
    middle = Heads([hidden, biases, outputs, np.zeros(2, "float32")], head="lesson")
    stored = prepare_features(
        (), base, [(photos, [clean_view(())])], precision="float32", seed=0, progress=False
    ).open(photos, clean_view(()))
    probabilities = middle.predict(robustness.in_order([stored], photos.labels))[0][:, 0]
    logits = np.log(probabilities / (1 - probabilities))
    heads = Heads([hidden, biases, outputs, np.float32([-np.median(logits), 0.3])], head="lesson")
    runs = pd.DataFrame(
        {"policy": "none", "seed": [0, 0, 1, 1], "dead_head": [True, False, False, True]}
    )
    found = SimpleNamespace(policies=["none"], heads=lambda policy: heads, runs=runs)
    strengths = {"flip": [1], "rotation": [90], "brightness": [-0.3]}
    table = evaluate_robustness(found, photos, base, strengths, **OPTIONS).set_index("seed")
    assert not table.loc[0, "dead_head"].any() and (table.loc[0, "unchanged"] < 1).any()
    assert table.loc[1, "dead_head"].all() and (table.loc[1, "unchanged"] == 1).all()
    assert (table.loc[1, "accuracy"] == 0.5).all()


@pytest.mark.slow
def test_a_second_call_and_more_strengths_compute_what_is_missing_alone(compared, monkeypatch):
    found, splits, base = compared
    passed = []
    once = FeatureStore._pass

    def count(self, photos, positions, view):
        passed.append(len(positions))
        return once(self, photos, positions, view)

    monkeypatch.setattr(FeatureStore, "_pass", count)
    few = {"contrast": (-0.5, 0, 0.5), "flip": (0, 1)}
    first = evaluate_robustness(found, splits.valid, base, few, **OPTIONS)
    assert sum(passed) == 3 * splits.valid.count, "the clean photos are there from training"
    again = evaluate_robustness(found, splits.valid, base, few, **OPTIONS)
    assert sum(passed) == 3 * splits.valid.count
    pd.testing.assert_frame_equal(first, again)
    # 0.1 + 0.4 is not 0.5 to a computer, but the same view.
    more = {"contrast": (0.1 + 0.4, 0.4 + 1e-12, -0.0), "rotation": [10], "flip": [True + 0]}
    evaluate_robustness(found, splits.valid, base, more, **OPTIONS)
    assert sum(passed) == 5 * splits.valid.count


# What a strength does to a photo


def test_positive_strengths_turn_left_move_right_and_down_and_enlarge():
    image = np.zeros((1, 33, 33, 3), "float32")
    image[:, 14:19, 24:29] = 1  # right of the middle
    rows, columns = np.mgrid[:33, :33]

    def find(name, strength):
        weights = change(name, strength, image)[0, ..., 0]
        return [np.average(axis, weights=weights) - 16 for axis in (rows, columns)], weights.sum()

    (row, column), size = find("rotation", 90)
    assert row == pytest.approx(-10, abs=0.1) and column == pytest.approx(0, abs=0.1), "up"
    assert find("rotation", -90)[0][0] == pytest.approx(10, abs=0.1), "down"
    (row, column), _ = find("translation", 0.1)
    assert row == pytest.approx(3.3, abs=0.1) and column == pytest.approx(13.3, abs=0.1)
    assert find("zoom", 0.3)[1] > size > find("zoom", -0.3)[1]
    assert find("shear", 0.3)[0][1] != find("shear", -0.3)[0][1]


def test_positive_strengths_are_brighter_richer_and_gray_is_gray():
    images = draw_photos()
    spread = images.std(axis=(1, 2))
    assert (change("brightness", 0.2, images) > images).all()
    assert (change("contrast", 0.3, images).std(axis=(1, 2)) > spread).all()
    assert (change("contrast", -0.3, images).std(axis=(1, 2)) < spread).all()
    assert change("saturation", 0.2, images).std(axis=3).mean() > images.std(axis=3).mean()
    assert change("saturation", -0.2, images).std(axis=3).mean() < images.std(axis=3).mean()
    assert np.ptp(change("grayscale", 1, images), axis=3).max() < 1e-6
    assert (change("blur", 1, images).std(axis=(1, 2)) < spread).all()


def list_strengths(name):
    if name in DONE_OR_NOT:
        return [1.0]
    entry = CATALOGUE[name]
    signs = (-1, 1) if entry.build(entry.maximum).low else (1,)
    return [sign * share * entry.maximum for share in (0.4, 0.8) for sign in signs]


@pytest.mark.parametrize("name", MEASURABLE)
def test_a_strength_does_the_same_to_a_photo_in_any_company(name):
    images = draw_photos()
    for strength in list_strengths(name):
        together = change(name, strength, images)
        assert together.shape == images.shape and not np.allclose(together, images, atol=1e-4)
        assert together.min() >= -1e-6 and together.max() <= 1 + 1e-6
        for position in range(len(images)):
            alone = change(name, strength, images[position : position + 1])
            np.testing.assert_allclose(together[position], alone[0], atol=1e-6)
        np.testing.assert_allclose(change(name, strength, images[::-1])[::-1], together, atol=1e-6)


@pytest.mark.parametrize("name", MEASURABLE)
def test_a_strength_is_the_end_that_the_explorer_shows(name):
    image = draw_photos(1)[0]
    strength = list_strengths(name)[-1]
    augmentation = Augmentation(**{name: DONE_OR_NOT.get(name, strength)})
    ends, _ = augmentation.show_ends(name, image)
    np.testing.assert_array_equal(change(name, strength, image[None])[0], ends[1])
    if -strength in list_strengths(name):
        np.testing.assert_array_equal(change(name, -strength, image[None])[0], ends[0])


@pytest.mark.parametrize("name", ALWAYS_RANDOM)
def test_what_is_left_to_dice_differs_from_photo_to_photo_or_batch_to_batch(name):
    image = draw_photos(1)
    calls = CATALOGUE[name].build(CATALOGUE[name].maximum).high
    seeds = (0, 1, 2, 3)
    given = []
    for seed in seeds:
        layers = [call.build() for call in calls]
        for layer in layers:
            for variable in layer.variables:
                variable.assign([seed, 0])
        views = image
        for layer in layers:
            views = layer(views, training=True)
        given.append(np.asarray(views))
    assert any(not np.allclose(given[0], other, atol=1e-3) for other in given[1:])


@given(st.sampled_from(MEASURABLE), st.sampled_from(MEASURABLE), st.data())
def test_views_are_named_alike_where_they_are_alike(first, second, data):
    one, other = (
        (name, data.draw(st.sampled_from([0.0, *list_strengths(name)]))) for name in (first, second)
    )
    alike = one == other or one[1] == other[1] == 0
    names = [robustness._fix_view(*each).fingerprint for each in (one, other)]
    assert (names[0] == names[1]) == alike
    assert (names[0] == clean_view(()).fingerprint) == (one[1] == 0)


def test_the_dice_of_a_model_stand_still_while_views_are_made(make_base, make_photos):
    photos, view = make_photos(), robustness._fix_view("rotation", 20.0)
    options = {"precision": "float32", "seed": 0}
    store = FeatureStore((), make_base(), **options)
    given = store._pass(photos, np.arange(8), view)
    direct = make_base()(change("rotation", 20.0, photos.read(range(8))))
    np.testing.assert_allclose(given, direct, atol=1e-5)
    # The same strength in front of a model whose own layers are random: they stay out of it.
    front = Augmentation(flip="horizontal", contrast=0.5).layers(7)
    about = ["rotation", 20.0]
    view = changed_view(front, view.change, about)
    before = [variable.numpy() for layer in front for variable in layer.variables]
    behind = FeatureStore(front, make_base(), **options)
    np.testing.assert_allclose(behind._pass(photos, np.arange(8), view), given, atol=1e-5)
    after = [variable.numpy() for layer in front for variable in layer.variables]
    assert all(map(np.array_equal, before, after))
    assert view.fingerprint == changed_view((), view.change, about).fingerprint


# What is refused


@pytest.mark.parametrize(
    ("strengths", "error", "message"),
    [
        ({"rotate": [1]}, ValueError, "one of flip, rotation, .*, received 'rotate'"),
        ({"noise": [0.1]}, ValueError, "'noise', which is random at any"),
        ({"rand_augment": [0.1]}, ValueError, "'rand_augment', which is random"),
        (
            {"rotation": [200]},
            ValueError,
            "`rotation` .* from -180 to 180, received 200",
        ),
        ({"rotation": [float("nan")]}, ValueError, "received nan"),
        ({"contrast": [-1.4]}, ValueError, "`contrast` to be a number from -1 to 1, received -1.4"),
        ({"blur": [-0.5]}, ValueError, "`blur` to be a number from 0 to 1, received -0.5"),
        (
            {"flip": [-1]},
            ValueError,
            "`flip` .* from 0 to 1, received -1. 0 is not done",
        ),
        ({"grayscale": [0.5]}, ValueError, "`grayscale` as 0, not done, or 1"),
        ({"flip": ["horizontal"]}, TypeError, "`flip` to be a number from 0 to 1, received 'horiz"),
        ({"contrast": [0.5, 0.4 + 0.1]}, ValueError, "each strength of contrast once"),
        ({"contrast": []}, ValueError, "one strength of contrast or more"),
        ({}, TypeError, "Expected strengths by the name of a transformation"),
        (["rotation"], TypeError, "Expected strengths by the name of a transformation"),
    ],
)
def test_strengths_that_make_no_sense_are_refused(
    make_base, make_photos, strengths, error, message
):
    with pytest.raises(error, match=message):  # before anything is asked of a comparison
        evaluate_robustness(None, make_photos(), make_base(), strengths, **OPTIONS)


@pytest.mark.slow
def test_photos_and_base_that_do_not_fit_are_refused(compared, make_base, make_photos):
    found, splits, base = compared
    strengths = {"flip": [1]}
    with pytest.raises(TypeError, match="such as splits.valid, received Splits"):
        evaluate_robustness(found, splits, base, strengths, **OPTIONS)
    larger = make_photos(size=(24, 24))
    with pytest.raises(ValueError, match=r"photos of \(16, 16\) pixels"):
        evaluate_robustness(found, larger, base, strengths, **OPTIONS)
    other = make_base(size=(24, 24))
    with pytest.raises(ValueError, match=r"gives 64 features of a photo, received one"):
        evaluate_robustness(found, larger, other, strengths, **OPTIONS)
