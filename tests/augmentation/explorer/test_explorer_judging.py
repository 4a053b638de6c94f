"""Student and classifier judge the views: only real probabilities become verdicts."""

import html

import keras
import numpy as np
import pytest
from explorer_hands import LESSON, control, judge, panels, slider, texts
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from course_utils.augmentation.explorer import judging
from course_utils.augmentation.explorer.judging import ask_classifier, compare_judgments
from course_utils.augmentation.explorer.widget import AugmentationExplorer
from course_utils.augmentation.policy import Augmentation

VIEWS = np.random.default_rng(3).uniform(size=(16, 8, 8, 3)).astype("float32")
AUGMENTING = [
    keras.layers.RandomFlip("horizontal"),
    keras.layers.RandomBrightness(0.8, value_range=(0, 1)),
]


def head(units=1, activation="sigmoid"):
    """Layers from an image to an answer that varies from view to view."""
    kernel = keras.initializers.RandomNormal(stddev=1.0, seed=1)
    dense = keras.layers.Dense(units, activation=activation, kernel_initializer=kernel)
    return [keras.layers.Flatten(), dense]


class BareCall(keras.Model):
    """A student's own model, which forgets to pass on `training`."""

    def __init__(self, layers):
        super().__init__()
        self.all = layers

    def call(self, images):
        for layer in self.all:
            images = layer(images)
        return images


def functional(layers):
    inputs = keras.Input((8, 8, 3))
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def nested(layers):
    inner = keras.Sequential(layers)
    return keras.Sequential([keras.Input((8, 8, 3)), inner])


def sequential(layers):
    return keras.Sequential(layers)


# A model that augments


@pytest.mark.parametrize("build", [sequential, functional, nested, BareCall])
def test_a_model_with_augmentation_judges_the_views_as_they_are(build):
    last = head()
    model = build([*AUGMENTING, *last])
    probabilities = ask_classifier(model, VIEWS)
    expected = VIEWS
    for layer in last:
        expected = layer(expected)
    np.testing.assert_allclose(probabilities, np.asarray(expected)[:, 0], atol=1e-6)
    assert np.array_equal(ask_classifier(model, VIEWS), probabilities)


def test_predict_is_a_classifier():
    model = sequential([*AUGMENTING, *head()])
    probabilities = ask_classifier(model.predict_on_batch, VIEWS)
    np.testing.assert_allclose(probabilities, ask_classifier(model, VIEWS), atol=1e-6)


def test_a_function_that_takes_training_is_told():
    model = sequential([*AUGMENTING, *head()])

    def classify(images, training=True):
        return model(images, training=training)

    assert np.array_equal(ask_classifier(classify, VIEWS), ask_classifier(model, VIEWS))


def test_a_function_that_augments_the_views_is_refused():
    model = sequential([*AUGMENTING, *head()])
    with pytest.raises(ValueError, match=r"up to 0\.\d+ apart.*training=False"):
        ask_classifier(lambda images: model(images, training=True), VIEWS)


def test_a_function_may_change_the_array_that_it_is_given():
    def classify(images):
        images *= 0.5
        return images.mean((1, 2, 3))

    before = VIEWS.copy()
    np.testing.assert_allclose(ask_classifier(classify, VIEWS), VIEWS.mean((1, 2, 3)) / 2, 1e-5)
    assert np.array_equal(VIEWS, before)


# Answers


def answer(values):
    return lambda images: values


def in_bfloat16(values):
    return keras.ops.cast(np.float32(values), "bfloat16")


EVEN = np.linspace(0, 1, 16)
TAKEN = {
    "one column": EVEN[:, None],
    "no column": EVEN,
    "softmax of two": np.stack([1 - EVEN, EVEN], axis=1),
    "bfloat16 softmax": in_bfloat16(np.stack([1 - EVEN, EVEN], axis=1)),
    "float16": EVEN.astype("float16"),
    "tensor": keras.ops.convert_to_tensor(EVEN[:, None]),
    "list": EVEN.tolist(),
    "a hair above 1": np.where(EVEN == 1, np.nextafter(np.float32(1), np.float32(2)), EVEN),
}
REFUSED = {
    "logits": (40 * EVEN - 20, ["numbers from -20 to 20 (are they logits?)", "'sigmoid'"]),
    "logits of two": (np.stack([-9 * EVEN, 9 * EVEN], 1), ["from -9 to 9", "'softmax'"]),
    "3.74": (3.74 * EVEN, ["numbers from 0 to 3.74"]),
    "percent": (100 * EVEN, ["numbers from 0 to 100"]),
    "NaN": (np.where(EVEN > 0.9, np.nan, EVEN), ["NaN or infinity for 2 of 16"]),
    "infinity": (np.where(EVEN > 0.95, np.inf, EVEN), ["NaN or infinity for 1 of 16"]),
    "two sigmoids": (np.stack([EVEN, EVEN], 1), ["add up to 1", "0 and 0"]),
    "three classes": (np.full((16, 3), 1 / 3), ["(16, 3) of float64", "one sigmoid output"]),
    "one number": (np.float32(0.5), ["0.5"]),
    "another count": (EVEN[:8], ["each of 16 views", "(8,)"]),
    "on its side": (EVEN[None], ["(1, 16)"]),
    "two answers": ([EVEN[:, None], EVEN[:, None]], ["(2, 16, 1)"]),
    "dictionary": ({"truck": EVEN}, ["{'truck'"]),
    "words": (["Truck"] * 16, ["(16,) of <U5"]),
    "complex": (EVEN + 1j, ["complex128"]),
    "nothing": (None, ["received None"]),
}


@pytest.mark.parametrize("values", TAKEN.values(), ids=TAKEN)
def test_probabilities_are_taken(values):
    probabilities = ask_classifier(answer(values), VIEWS)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, EVEN, atol=0.004)
    assert probabilities.min() >= 0 and probabilities.max() <= 1


@pytest.mark.parametrize(("values", "parts"), REFUSED.values(), ids=REFUSED)
def test_other_answers_are_refused_in_the_widget_by_name(splits, values, parts):
    explorer = AugmentationExplorer(splits, classifier=answer(values))
    judge(explorer)
    shown = html.unescape(texts(explorer))
    assert "No verdict: Expected " in shown and "model: " not in shown
    assert all(part in shown for part in parts), shown


@given(
    arrays.arrays(
        np.float32,
        st.sampled_from([(16,), (16, 1), (16, 2)]),
        elements=st.floats(-2, 2, width=32) | st.sampled_from([np.nan, np.inf, 0, 0.5, 1]),
    )
)
@settings(max_examples=100)
def test_whatever_the_answer_a_verdict_is_a_probability_or_there_is_none(values):
    valid = values.min() >= 0 and values.max() <= 1
    if valid and values.ndim == 2 and values.shape[1] == 2:
        valid = np.abs(values.sum(1) - 1).max() <= judging.SAME
    try:
        verdicts = judging.judge(answer(values), VIEWS, ("Car", "Truck"))
    except ValueError as error:
        assert not valid and str(error).startswith("Expected ")
        return
    assert valid or np.abs(values - values.clip(0, 1)).max() <= judging.ROUNDING
    second = values.reshape(16, -1)[:, -1]
    for verdict, probability in zip(verdicts, second, strict=True):
        assert verdict.name == ("Truck" if probability > 0.5 else "Car")
        assert 0.5 <= verdict.probability <= 1


@pytest.mark.parametrize("build", [sequential, functional, nested])
@pytest.mark.parametrize(("units", "last"), [(1, "sigmoid"), (2, "softmax")])
def test_logits_that_lie_between_0_and_1_are_named_too(build, units, last):
    flatten, dense = head(units, activation=None)
    model = build([flatten, dense])
    model(VIEWS)
    dense.set_weights([np.zeros_like(dense.kernel), np.full(units, 0.5)])
    with pytest.raises(ValueError, match=rf"no activation\).*activation='{last}'.*ops\.{last}"):
        ask_classifier(model, VIEWS)


def test_a_linear_activation_behind_a_sigmoid_is_none_to_worry_about():
    model = sequential([*head(), keras.layers.Activation("linear", dtype="float32")])
    assert 0 <= ask_classifier(model, VIEWS).min() <= ask_classifier(model, VIEWS).max() <= 1


def test_a_classifier_of_two_classes_cannot_judge_another_number(tmp_path, splits):
    splits.class_names = ("Car",)
    splits.train.labels[:] = 0
    explorer = AugmentationExplorer(splits, classifier=answer(EVEN))
    judge(explorer)
    assert "No verdict: Expected photos of two classes" in texts(explorer)


def test_what_cannot_be_called_is_no_classifier(splits):
    with pytest.raises(TypeError, match="function as the classifier, received str"):
        AugmentationExplorer(splits, classifier="plain.keras")


def test_an_error_of_the_classifier_is_shown_and_takes_old_verdicts_away(splits):
    answers = [EVEN[:1], EVEN[:1], EVEN, EVEN]  # the last ones first: the views, then the photo

    def classify(images):
        if not answers:
            raise NotImplementedError
        return answers.pop()

    explorer = AugmentationExplorer(splits, classifier=classify)
    judge(explorer)
    assert texts(explorer).count("· model: ") == 17
    judge(explorer)
    assert "No verdict: NotImplementedError" in texts(explorer)
    assert "model: " not in texts(explorer)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab"), st.booleans())))
def test_the_students_no_comes_before_the_model(rows):
    verdicts = [judging.Verdict(name, 0.9) for name, _, _ in rows]
    labels, marks = [row[1] for row in rows], [row[2] for row in rows]
    for outcome, (name, label, mark) in zip(
        compare_judgments(verdicts, labels, marks), rows, strict=True
    ):
        expected = judging.AGREED if name == label else judging.MISSED
        assert outcome is (judging.NO_LONGER if mark else expected)


# In the widget


def test_the_student_judges_before_the_classifier(splits):
    asked = []

    def classifier(images):
        asked.append(images)
        # Car for the first eight; the untouched photo comes alone.
        return np.linspace(0, 1, 16)[: len(images), None]

    explorer = AugmentationExplorer(splits, LESSON, classifier=classifier)
    control(explorer, "of class").value = 0
    assert not asked
    judge(explorer, [1, 16])
    views, untouched = asked[:2], asked[2:]
    assert all(np.array_equal(images, explorer.views) for images in views)
    assert all(np.array_equal(images, explorer.photos[:1]) for images in untouched)
    assert explorer.marked == [1, 16]
    found = texts(explorer)
    assert "✓ 7</b>: you yes, the model yes" in found
    assert "◆ 7</b>: you yes, the model no" in found
    assert "✕ 2</b>: you no" in found
    assert "◆ label Car · model: Truck 93 %" in found and "✓ label Car · model: Car 93 %" in found
    assert "The untouched photo: label Car · model: Car 100 %." in found
    assert [found.count(f'class="ax-{frame}"') for frame in ("agreed", "missed", "no-longer")] == [
        7, 7, 2,
    ]  # fmt: skip
    control(explorer, "Show").value = "sixteen"
    assert 'class="ax-agreed' not in texts(explorer)
    judge(explorer)
    agreed = sum((n < 8) == (label == "Car") for n, label in enumerate(explorer.labels))
    assert f"On the untouched photos the model agrees with {agreed} of 16" in texts(explorer)


def test_new_views_are_judged_again(splits):
    explorer = AugmentationExplorer(splits, LESSON, classifier=lambda images: np.zeros(len(images)))
    judge(explorer, [3])
    assert "model: Car" in texts(explorer)
    slider(explorer, "contrast").value = 0.7
    assert explorer.marked == [] and "model: Car" not in texts(explorer)
    judge(explorer, [3])
    assert "model: Car" in texts(explorer)
    control(explorer, "View 4").value = True  # a changed mind
    assert explorer.marked == [3, 4] and "model: Car" not in texts(explorer)
    assert control(explorer, "View 4, marked")


def test_without_a_classifier_only_the_student_judges(splits):
    explorer = AugmentationExplorer(splits)
    assert control(explorer, "Ask the classifier").disabled
    assert "No classifier was given" in texts(explorer)


def test_the_answer_belongs_to_the_task(splits):
    faces = np.arange(40) // 2 % 2
    explorer = AugmentationExplorer(
        splits,
        Augmentation(flip="horizontal"),
        classifier=lambda images: np.zeros(len(images)),
        tasks={"car or truck": splits.train.labels, "faces left or right": faces},
    )
    control(explorer, "Show").value = "sixteen"
    assert set(explorer.labels) == {"car", "truck"}
    control(explorer, "Task").value = "faces left or right"
    assert set(explorer.labels) == {"left", "right"}
    assert control(explorer, "Ask the classifier").disabled
    assert "another task: car or truck" in texts(explorer)
    panels(explorer).index = 1
    assert texts(explorer).count("<span>label ") == 16
    explorer.task = "car or truck"
    assert set(explorer.labels) == {"car", "truck"}
    with pytest.raises(ValueError, match="one of 'car or truck', 'faces left or right'"):
        explorer.task = "age"
    with pytest.raises(ValueError, match="40 labels for the task"):
        AugmentationExplorer(splits, tasks={"a or b": [0, 1]})
    with pytest.raises(ValueError, match="faces left or right"):
        AugmentationExplorer(splits, tasks={"direction": faces})
