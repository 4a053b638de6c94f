"""The questions of exercise 01: reading curves, and which weights a step of training moves.

Longer than 350 lines because each kind of mistake has a sentence of its own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from course_utils.exercises.framework.histories import load_histories
from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.reading import (
    Misread,
    quote,
    read_choice,
    read_number,
    read_yes,
)

WOBBLE = 0.01  # of the validation loss: epochs this near to the lowest are as good to stop at
ROUNDED = 0.0011  # how far a gap may be off that was computed from three rounded decimals
NEAR = 0.011  # how near a gap is to what it may have been meant as


# --- q1: read the curves ---------------------------------------------------------------------


def load_run() -> pd.DataFrame:
    """Returns the published history that question 1 is about."""
    return load_histories()["few photos"]


def _observe_reading(memorizing, stop, gap) -> dict[str, Any]:
    return {
        "memorizing": read_yes(memorizing, "memorizing"),
        "stop": read_number(stop, "stop"),
        "gap": read_number(gap, "gap"),
    }


def _judge_reading(observed: Mapping[str, Any]) -> str | None:
    history = load_run()
    epoch, found = read_number(observed["stop"], "stop"), read_number(observed["gap"], "gap")
    losses, last = history["val_loss"], history.iloc[-1]
    if epoch not in history.index:
        raise Misread(
            f"Expected stop to be an epoch from 1 to {len(history)}, received {epoch:g}. Count "
            "from 1, as the table does."
        )
    if observed["memorizing"] is not True:
        return (
            "Is it not memorizing? By the end the model is nearly certain about its training "
            "photos, and no better on the others than it was long before."
        )
    if losses[epoch] > losses.min() + WOBBLE:
        if epoch == history["clean_loss"].idxmin():
            return (
                f"At epoch {epoch:g} the training loss is lowest, and it will always be near the "
                "end. Look at the photos that the model does not learn from."
            )
        if epoch < losses.idxmin():
            return f"At epoch {epoch:g} the validation loss is still on its way down: too early."
        return f"At epoch {epoch:g} the validation loss is past its lowest point: too late."
    true = last["val_loss"] - last["clean_loss"]
    running = last["val_loss"] - last["loss"]
    if abs(found - running) < min(0.001, abs(found - true)):
        return (
            "That sets `loss` beside `val_loss`, and `loss` is a mean over the epoch, while the "
            "weights still moved. Compare like with like: `clean_loss`."
        )
    if abs(found - true) < ROUNDED:
        return None
    if abs(found - true) < NEAR:
        return (
            f"A gap of {found:g} is nearly right. Give three decimals: with fewer, nobody can tell "
            "whether you took `clean_loss` or `loss`."
        )
    if abs(found + true) < NEAR:
        return "The gap has the wrong sign: it is validation minus training, so above 0 here."
    if abs(found - 100 * true) < 100 * NEAR:
        return "Losses are no percentages: give the difference of the two numbers as it is."
    accuracy_gap = last["clean_binary_accuracy"] - last["val_binary_accuracy"]
    if abs(abs(found) - accuracy_gap) < NEAR:
        return "That is the gap of the accuracies. The task asks for the gap of the losses."
    lowest = losses.min() - history.loc[losses.idxmin(), "clean_loss"]
    if abs(found - lowest) < NEAR:
        return "That is the gap at the lowest validation loss. The task asks for the last epoch."
    if abs(found - last["val_loss"]) < NEAR:
        return "That is the validation loss alone. How far is the training loss below it?"
    if abs(found - (history["val_loss"] - history["clean_loss"]).get(epoch, np.nan)) < NEAR:
        return "That is the gap at the epoch where you stop. The task asks for the last epoch."
    return f"A gap of {found:g} is not what the last row says: `val_loss` minus `clean_loss`."


Q1 = Question(
    name="q1",
    title="Read the curves",
    aim="tell memorizing from learning, choose where to stop, and measure the gap",
    lesson="01",
    observe=_observe_reading,
    judge=_judge_reading,
    praise="The gap shows how much is memorized; the validation loss alone shows where to stop.",
    hints=(
        "Follow the two losses from the left. Which one keeps falling, and which one stops?",
        "`history.val_loss.idxmin()` is an epoch; `history.iloc[-1]` is the last row.",
        "The gap is `val_loss` minus `clean_loss` in the last row, with three decimals.",
    ),
    explanation="The training loss goes on falling long after the validation loss has stopped: "
    "from there on the model learns these photos, not vehicles. Stop where the validation loss is "
    "lowest; any epoch within 0.01 of it does as well. The gap is smallest in the first epoch, "
    "where the model knows nothing: a smaller gap is no goal in itself.",
    code="""memorizing = True
stop = history["val_loss"].idxmin()
gap = history["val_loss"].iloc[-1] - history["clean_loss"].iloc[-1]""",
    misconceptions=("smaller gap is better",),
)


# --- q2: which weights move ------------------------------------------------------------------

HEAD = ("hidden kernel", "hidden bias", "output kernel", "output bias")
VGG16_CONVOLUTIONS = (2, 2, 3, 3, 3)  # in each block of the base


def take_step(model, images: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Takes one step of training and says what it did to every weight of the model.

    Args:
        model: A compiled classifier, as `build_classifier` gives.
        images: float32 in [0, 1], one batch.
        labels: 0 or 1, shape (batch, 1).

    Returns:
        A DataFrame, one row for each array of weights, the index such as `"hidden kernel"` (the
        base's layers by their own names, the head's as `hidden` and `output`): `weights`, how many
        there are; `moved`, how many of them changed; `largest`, the largest change.
    """
    from course_utils.models.partition import split_model

    parts = split_model(model)
    dense = [layer for layer in parts.head if layer.weights]
    names = {id(dense[0]): "hidden", id(dense[1]): "output"}
    layers = [layer for layer in parts.base.layers if layer.weights] + dense
    before = [layer.get_weights() for layer in layers]
    model.train_on_batch(images, labels)
    rows = {}
    for layer, kept in zip(layers, before, strict=True):
        named = zip(layer.weights, kept, layer.get_weights(), strict=True)
        for variable, old, new in named:
            change = np.abs(new - old)
            rows[f"{names.get(id(layer), layer.name)} {variable.name}"] = {
                "weights": change.size,
                "moved": int((change > 0).sum()),
                "largest": float(change.max()),
            }
    return pd.DataFrame(rows).T.astype({"weights": int, "moved": int})


def _measure_moves(observed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the step does to the lesson's model, without taking it: only the head may move."""
    base = [
        f"block{block}_conv{number} {part}"
        for block, count in enumerate(VGG16_CONVOLUTIONS, start=1)
        for number in range(1, count + 1)
        for part in ("kernel", "bias")
    ]
    return {"index": [*base, *HEAD], "moved": list(HEAD)}


def _observe_moves(moves, diff) -> dict[str, Any]:
    if isinstance(moves, str):
        moves = moves.replace(";", ",").split(",")
    if not isinstance(moves, Iterable) or isinstance(moves, dict):
        raise Misread(
            f'Expected a list of names such as ["hidden kernel", …], received {quote(moves)}.'
        )
    made = {}
    if diff is not None:  # The grader knows what a step does to the lesson's model.
        made = {"index": list(diff.index), "moved": list(diff.index[diff["moved"] > 0])}
    return {"named": [_plain_name(each) for each in list(moves)[:200]], **made}


def _plain_name(name) -> str:
    """Returns a weight's name in one form; a Keras variable gives its layer's and its own."""
    if not isinstance(name, str):
        path = getattr(name, "path", None)
        if not isinstance(path, str):
            raise Misread(f"Expected names in quotes, received {quote(name)}.")
        name = "/".join(path.split("/")[-2:])
    words = str(name).strip().casefold()
    for part in ("kernel", "bias"):
        if words.endswith(part):
            return words.removesuffix(part).rstrip(" _./:-") + f" {part}"
    return words


def _judge_moves(observed: Mapping[str, Any]) -> str | None:
    index, moved = list(observed["index"]), set(observed["moved"])
    if not observed["named"]:
        return "You named none. Then nothing could ever be learned; something moves."
    named = set()
    for word in observed["named"]:
        if word in ("head", "the head"):
            named |= set(HEAD)
            continue
        if word in ("base", "the base"):
            named |= set(index) - set(HEAD)
            continue
        found = {name for name in index if name.casefold() == word or name.split()[0] == word}
        if not found and word.startswith("dense"):
            raise Misread(
                f"Expected `hidden` or `output`, received {quote(str(word))}. `dense` is Keras's "
                "name for both layers of the head; the text above the answer gives each its own."
            )
        if not found:
            raise Misread(
                f"Expected names such as `{index[0]}` or `hidden kernel`, received "
                f"{quote(str(word))}. The text above the answer says which names there are."
            )
        named |= found
    if named == moved:
        return None
    base = set(index) - set(HEAD)
    if named == set(index):
        return "You named every weight, but the base is frozen. Which weights does that leave?"
    if named == base:
        return "It is the other way round: you named the frozen base, and left out what learns."
    if named & base and named >= moved:
        return (
            "What learns is among your names, but a part of the base is too. Frozen means all of "
            "it, the last block as well as the first."
        )
    if named & base:
        return "Some of your names belong to the base. All of it is frozen."
    if named == {"hidden kernel", "output kernel"}:
        return "The kernels, yes. A bias is a weight too, and it learns."
    if {name.split()[0] for name in named} == {"output"}:
        return (
            "Only the output layer? The gradient goes back through it to the layers before, and "
            "all of them are updated that are not frozen."
        )
    if {name.split()[0] for name in named} == {"hidden"}:
        return "Only the hidden layer? The output layer is nearest to the loss: it moves too."
    left = ", ".join(sorted(moved - named))
    return f"All that you named moves, but more does ({left})."


Q2 = Question(
    name="q2",
    title="Which weights move?",
    aim="say what one step of training changes in a model with a frozen base",
    lesson="01",
    observe=_observe_moves,
    judge=_judge_moves,
    measure=_measure_moves,
    praise="The head's two kernels and two biases move, and nothing else, as the table shows.",
    hints=(
        "`model.trainable_variables` lists what an optimizer may change.",
        "The base is frozen. What is left of the model, and what does each of its layers hold?",
        "A dense layer holds a kernel and a bias, and there are two such layers in the head.",
    ),
    explanation="A frozen layer keeps its weights, to the last digit. The head's two dense layers "
    "learn, kernels and biases alike. Naming the last block of the base too would be right for "
    "*fine-tuning*, which this course does not do. Not every single number of a kernel has to "
    "move: one that saw only zeros stays.",
    code='moves = ["hidden kernel", "hidden bias", "output kernel", "output bias"]',
    context=("diff",),
)


# --- q3: the dead head -----------------------------------------------------------------------

_RUNS = {"A": "slow", "B": "few photos", "C": "dead", "D": "none"}


def load_four_runs() -> dict[str, pd.DataFrame]:
    """Returns four published histories, A to D; in one of them the head is dead."""
    published = load_histories()
    return {letter: published[name] for letter, name in _RUNS.items()}


_LIVING = {
    "A": "A is nearly at chance, but look at the losses' third and fourth decimal from epoch to "
    "epoch: they move. A head that learns slowly is not dead.",
    "B": "B has nearly memorized its training photos. A dead head cannot learn anything.",
    "D": "D is the healthy one of the four: both losses come down.",
}


def _observe_dead(dead, since, answer) -> dict[str, Any]:
    if isinstance(dead, list | tuple | set) and len(dead) == 1:
        dead = next(iter(dead))
    if isinstance(dead, str):
        dead = dead.casefold().replace("history", "").replace("run", "")
    return {
        "dead": read_choice(dead, tuple(_RUNS), "the history"),
        "since": read_number(since, "since"),
        "answer": read_number(answer, "answer"),
    }


def _judge_dead(observed: Mapping[str, Any]) -> str | None:
    start, right = (read_number(observed[name], name) for name in ("since", "answer"))
    named = read_choice(observed["dead"], tuple(_RUNS), "the history")
    if named != "C":
        return _LIVING[named]
    history = load_four_runs()["C"]
    still = history["clean_loss"].sub(history["clean_loss"].iloc[-1]).abs() < 0.003
    first = int(still[::-1].cummin()[::-1].idxmax())
    if start == first + 1:
        return (
            f"C it is. Epoch {start:g} is the first with the same loss as the one before. So "
            "nothing changed during it, and the head was dead already one epoch earlier."
        )
    if start == first - 1:
        return f"C it is, but there is no epoch {start:g}: the table counts from 1."
    if start != first:
        return (
            f"C it is, but since epoch {start:g}? From its death on the loss on clean training "
            "photos stays the same: find the first such row."
        )
    last = history["val_binary_accuracy"].iloc[-1]
    if abs(right - 100 * last) < 1:
        raise Misread(f"Expected a fraction from 0 to 1, received {right:g}. Divide it by 100.")
    if abs(right - history["val_loss"].iloc[-1]) < 0.01:
        return (
            "C it is, and that is its loss. The task asks for the fraction of validation photos "
            "that it gets right."
        )
    if abs(right) < 0.01:
        return (
            "C it is. A dead head still predicts, the same for every photo: it is right as often "
            "as that class occurs, not never."
        )
    if abs(right - last) > 0.0051:
        return f"C it is, but {right:g} is not the fraction of validation photos it gets right."
    return None


Q3 = Question(
    name="q3",
    title="Find the dead head",
    aim="tell a dead head from a slow one, and know what it still scores",
    lesson="01",
    observe=_observe_dead,
    judge=_judge_dead,
    praise="One probability for every photo, at the loss of a coin, and no way back: build the "
    "model with another seed and train again.",
    hints=(
        "Draw the four with `cu.plot_curves`. Two are near 0.69 at the end.",
        "Print the last ten rows of those two with five decimals. Which one moves?",
        "It is C; its accuracy is the fraction of the class that it always names.",
    ),
    explanation="With all six hidden units at zero on every photo, only the output's bias is left "
    "to learn, and it soon stops where it fits the number of photos in each class: loss 0.69, one "
    "probability for every photo from then on. A stays near 0.69 too, but every epoch moves it: "
    "its learning rate is tiny. An accuracy of one half alone says nothing: look whether anything "
    "still changes.",
    code="""dead = "C"
losses = runs["C"]["clean_loss"]
since = (losses - losses.iloc[-1]).abs().lt(0.003).idxmax()
answer = runs["C"]["val_binary_accuracy"].iloc[-1]""",
)

q1, q2, q3 = QUESTIONS = (Q1, Q2, Q3)
