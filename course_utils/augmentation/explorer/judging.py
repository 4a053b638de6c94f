"""What a classifier says of the views, and what that means beside the student's own judgment."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

QUESTIONS = (
    "Does it keep this task's class?",
    "Could my camera take it?",
    "Does my training set lack it?",
)
ROUNDING = 1e-6  # how far from 0 and 1 a probability may lie
# Probabilities of a model in half precision, or on a GPU, differ by less between two calls, and
# two of a softmax add up to 1 as closely.
SAME = 0.01


@dataclass(frozen=True)
class Verdict:
    """What the classifier says of one view: a class, and its probability from 0.5 to 1."""

    name: str
    probability: float

    def __str__(self) -> str:
        return f"{self.name} {100 * self.probability:.0f} %"


@dataclass(frozen=True)
class Outcome:
    """What the student's and the classifier's judgment mean together.

    Args:
        frame: Of the views, in the style sheet: its name says the outcome, its line shows it.
        sign: Shown with the frame, so that nothing is told by color alone.
        who: What each says.
        meaning: What that means for augmentation.
    """

    frame: str
    sign: str
    who: str
    meaning: str


AGREED = Outcome("agreed", "✓", "you yes, the model yes", "the model already agrees")
MISSED = Outcome("missed", "◆", "you yes, the model no", "augmentation can teach the model this")
NO_LONGER = Outcome(
    "no-longer", "✕", "you no, whatever the model says", "label noise: it would teach a wrong label"
)
OUTCOMES = (AGREED, MISSED, NO_LONGER)


def name_question(names: Sequence[str]) -> str:
    """Returns what is asked of augmented photos of these classes.

    Example:
        >>> name_question(("Car", "Truck"))
        'Is it still a car?'
    """
    return "Is it still a car?" if "car" in map(str.lower, names) else "Still the label?"


def check_classifier(classifier: Any) -> Any:
    """Returns what can be asked about views, or `None` for no classifier.

    Raises:
        TypeError: If it cannot be called.

    Example:
        >>> check_classifier("plain.keras")
        Traceback (most recent call last):
            ...
        TypeError: Expected a Keras model or a function as the classifier, received str. Pass the \
model that was trained.
    """
    if classifier is not None and not callable(classifier):
        raise TypeError(
            "Expected a Keras model or a function as the classifier, received "
            f"{type(classifier).__name__}. Pass the model that was trained."
        )
    return classifier


def judge(
    classifier: Callable[[np.ndarray], Any], views: np.ndarray, class_names: Sequence[str]
) -> list[Verdict]:
    """Returns the classifier's verdict on each view.

    Args:
        classifier: As in `ask_classifier`.
        views: float32 in [0, 1], shape (count, height, width, 3).
        class_names: The names of the two classes.

    Raises:
        ValueError: If there are not two classes, or the classifier's answer is not one
            probability for each view.

    Example:
        >>> judge(lambda views: [0.25, 0.75], np.zeros((2, 8, 8, 3)), ("Car", "Truck"))
        [Verdict(name='Car', probability=0.75), Verdict(name='Truck', probability=0.75)]
    """
    if len(class_names) != 2:
        raise ValueError(
            f"Expected photos of two classes, as the classifier knows two, received "
            f"{len(class_names)}: {', '.join(class_names)}. Put the photos into two folders, one "
            "for each class."
        )
    return [
        Verdict(class_names[int(one > 0.5)], float(max(one, 1 - one)))
        for one in ask_classifier(classifier, views)
    ]


def ask_classifier(classifier: Callable[[np.ndarray], Any], views: np.ndarray) -> np.ndarray:
    """Returns the probability of the second class for each view.

    The classifier is asked twice: one that augments the views it judges gives itself away.

    Args:
        classifier: A Keras model or any other function of the views. It is called with
            `training=False` if it takes that argument.
        views: float32 in [0, 1], shape (count, height, width, 3).

    Returns:
        float32 in [0, 1], shape (count,).

    Raises:
        ValueError: If the answer is not one probability for each view, or not the same for the
            same views.

    Example:
        >>> both = np.array([[0.75, 0.25], [0.5, 0.5]])
        >>> ask_classifier(lambda views: both, np.zeros((2, 8, 8, 3))).tolist()
        [0.25, 0.5]
    """
    first = _read_answer(_call(classifier, views), len(views))
    second = _read_answer(_call(classifier, views), len(views))
    apart = float(np.abs(first - second).max())
    if apart > SAME:
        raise ValueError(
            "Expected the same answer whenever the classifier sees the same views, received two "
            f"that are up to {apart:.2g} apart. The classifier seems to change the views at "
            "random. Pass the Keras model itself, or lambda images: model(images, training=False)."
        )
    return _read_probabilities(first, ends_bare=_ends_without_activation(classifier))


def compare_judgments(
    verdicts: Sequence[Verdict], labels: Sequence[str], marked: Sequence[bool]
) -> list[Outcome]:
    """Returns what student and classifier say together, for each view.

    Args:
        verdicts: The classifier's.
        labels: The name of each view's label.
        marked: Whether the student says that this label is no longer true.

    Example:
        >>> found = compare_judgments([Verdict("Car", 0.9)] * 2, ["Car", "Truck"], [False, False])
        >>> [outcome.meaning for outcome in found]
        ['the model already agrees', 'augmentation can teach the model this']
    """
    return [
        NO_LONGER if mark else AGREED if verdict.name == label else MISSED
        for verdict, label, mark in zip(verdicts, labels, marked, strict=True)
    ]


def _call(classifier: Callable[[np.ndarray], Any], views: np.ndarray) -> Any:
    import keras

    try:
        parameters = inspect.signature(classifier).parameters
    except (TypeError, ValueError):  # What is written in C may have none.
        parameters = {}
    # A bare call of a Keras model augments: its random layers take it for a step of training.
    not_training = isinstance(classifier, keras.layers.Layer) or "training" in parameters
    options = {"training": False} if not_training else {}
    return classifier(views.copy(), **options)


def _read_answer(answer: Any, count: int) -> np.ndarray:
    """Returns a classifier's answer as finite float32, shape (count, 1) or (count, 2)."""
    given = np.asarray(answer)
    values = given[:, None] if given.shape == (count,) else given
    are_numbers = given.dtype.kind in "biuf" or given.dtype.name == "bfloat16"
    if values.shape not in ((count, 1), (count, 2)) or not are_numbers:
        received = f"{given.shape} of {given.dtype}" if given.shape else repr(answer)
        raise ValueError(
            f"Expected one probability for each of {count} views from the classifier, shape "
            f"({count}, 1), received {received}. Pass a model that ends with one sigmoid output, "
            "or with a softmax of two."
        )
    values = values.astype("float32")
    broken = int((~np.isfinite(values)).any(axis=1).sum())
    if broken:
        raise ValueError(
            f"Expected a probability for each view, received NaN or infinity for {broken} of "
            f"{count}. The model's weights may hold NaN: look whether its loss became NaN, and "
            "train it again with a lower learning rate."
        )
    return values


def _read_probabilities(values: np.ndarray, *, ends_bare: bool) -> np.ndarray:
    """Returns the probability of the second class, shape (count,), from one or two outputs."""
    one_output = values.shape[1] == 1
    low, high = values.min(), values.max()
    if ends_bare or low < -ROUNDING or high > 1 + ROUNDING:
        why = "the last layer has no activation" if ends_bare else "are they logits?"
        last = "sigmoid" if one_output else "softmax"
        raise ValueError(
            f"Expected probabilities from 0 to 1 from the classifier, received numbers from "
            f"{low:.3g} to {high:.3g} ({why}). End the model with "
            f"activation={last!r}, or pass "
            f"lambda images: keras.ops.{last}(model(images, training=False))."
        )
    if not one_output and np.abs(values.sum(axis=1) - 1).max() > SAME:
        raise ValueError(
            "Expected two probabilities that add up to 1 for each view, received "
            f"{values[0, 0]:.3g} and {values[0, 1]:.3g} for the first view. Pass a model that "
            "ends with one sigmoid output, or with a softmax of two."
        )
    return values[:, -1].clip(0, 1)


def _ends_without_activation(classifier: Any) -> bool:
    """Whether a Keras model's outputs are those of a layer with weights and no activation."""
    import keras

    last = classifier
    while getattr(last, "outputs", None):
        last = last.layers[-1]
    linear = getattr(last, "activation", None) is keras.activations.linear
    # A bare Activation("linear") behind a sigmoid, as in half precision, changes nothing.
    return linear and hasattr(last, "kernel")
