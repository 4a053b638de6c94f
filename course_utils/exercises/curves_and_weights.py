"""The questions of exercise 01: reading curves, and which weights a step of training moves."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from course_utils.exercises.framework.histories import load_histories
from course_utils.exercises.framework.questions import (
    Misread,
    Question,
    quote,
    read_choice,
    read_number,
)

WOBBLE = 0.01  # of the valid loss: epochs this near to the lowest are as good a place to stop


# --- q1: read the curves ---------------------------------------------------------------------


def load_run() -> pd.DataFrame:
    """Returns the published history that question 1 is about."""
    return load_histories()["few photos"]


def _read_yes(value, what: str) -> bool:
    if isinstance(value, bool | np.bool_) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    words = {"yes": True, "true": True, "no": False, "false": False}
    return words[read_choice(value, tuple(words), what)]


def _judge_reading(memorizing, stop, gap) -> str | None:
    history = load_run()
    memorizes = _read_yes(memorizing, "memorizing")
    epoch, found = read_number(stop, "stop"), read_number(gap, "gap")
    losses, last = history["val_loss"], history.iloc[-1]
    if epoch not in history.index:
        raise Misread(
            f"Expected stop to be an epoch from 1 to {len(history)}, received {epoch:g}. Count "
            "from 1, as the table does."
        )
    if not memorizes:
        return (
            "Is it not memorizing? By the end it is nearly certain of its train photos, and no "
            "better on the others than it was long before."
        )
    if losses[epoch] > losses.min() + WOBBLE:
        if epoch == history["clean_loss"].idxmin():
            return (
                f"At epoch {epoch:g} the train loss is lowest, and it will always be near the end. "
                "Stop by the photos that the model does not learn from."
            )
        if epoch < losses.idxmin():
            return f"At epoch {epoch:g} the valid loss is still on its way down: too early."
        return f"At epoch {epoch:g} the valid loss is past its lowest: too late."
    running = last["val_loss"] - last["loss"]
    if abs(found - running) < min(0.003, abs(found - last["gap"])):
        return (
            "That sets `loss` beside `val_loss`, and `loss` is a mean over the epoch, while the "
            "weights still moved. Like with like: `clean_loss`."
        )
    if abs(found - last["gap"]) < 0.015:
        return None
    if abs(found + last["gap"]) < 0.015:
        return "The gap has the wrong sign: it is valid minus train, so above 0 here."
    accuracy_gap = last["clean_binary_accuracy"] - last["val_binary_accuracy"]
    if abs(abs(found) - accuracy_gap) < 0.012:
        return "That is the gap of the accuracies. Asked for is the gap of the losses."
    if abs(found - losses.min() + history.loc[losses.idxmin(), "clean_loss"]) < 0.015:
        return "That is the gap at the lowest valid loss. Asked for is the one at the last epoch."
    if abs(found - last["val_loss"]) < 0.012:
        return "That is the valid loss alone. How far is the train loss below it?"
    return f"A gap of {found:g} is not what the last row says: valid loss minus train loss, clean."


Q1 = Question(
    name="q1",
    title="Read the curves",
    aim="tell memorizing from learning, choose where to stop, and measure the gap",
    lesson="01",
    judge=_judge_reading,
    praise="The gap tells of memorizing; where to stop, the valid loss alone decides.",
    hints=(
        "Follow the two losses from the left. Which one keeps falling, and which one stops?",
        "`history.val_loss.idxmin()` is an epoch; `history.iloc[-1]` is the last row.",
        "The gap is `val_loss` minus `clean_loss` in the last row.",
    ),
    explanation="The train loss goes on falling long after the valid loss has stopped: what is "
    "still being learned is these photos, not vehicles. Stop where the valid loss is lowest; any "
    "epoch within its wobble does as well. The epoch of the smallest gap would be the first one, "
    "where the model knows nothing: a smaller gap is no goal in itself.",
    code="""memorizing = True
stop = history["val_loss"].idxmin()
gap = history["val_loss"].iloc[-1] - history["clean_loss"].iloc[-1]""",
    misconceptions=("smaller gap is better",),
)


# --- q2: which weights move ------------------------------------------------------------------


def take_step(model, images: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Takes one step of training and tells what it did to every weight of the model.

    Args:
        model: A compiled classifier, as `build_classifier` gives.
        images: float32 in [0, 1], one batch.
        labels: 0 or 1, shape (batch, 1).

    Returns:
        A DataFrame, one row an array of weights, the index such as `"hidden kernel"` (the base's
        layers by their own names, the head's as `hidden` and `output`): `weights`, how many there
        are; `moved`, how many of them changed; `largest`, the largest change.
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


def _judge_moves(moves, diff) -> str | None:
    if isinstance(moves, str):
        moves = moves.split(",")
    if not isinstance(moves, Iterable) or isinstance(moves, dict):
        raise Misread(
            f'Expected a list of names such as ["hidden kernel", …], received {quote(moves)}.'
        )
    named = set()
    for each in moves:
        word = str(each).strip().casefold().replace("_kernel", " kernel").replace("_bias", " bias")
        if word in ("head", "the head"):
            named |= {name for name in diff.index if name.split()[0] in ("hidden", "output")}
            continue
        found = {name for name in diff.index if name.casefold() == word or name.split()[0] == word}
        if not found:
            raise Misread(
                f"Expected names such as `{diff.index[0]}` or `hidden kernel`, received "
                f"{quote(each)}. The table's index lists them all."
            )
        named |= found
    moved = set(diff.index[diff["moved"] > 0])
    if named == moved:
        return None
    base = {name for name in diff.index if name.split()[0] not in ("hidden", "output")}
    if named == set(diff.index):
        return "You named every weight, but the base is frozen. What does that spare?"
    if named == base:
        return "It is the other way round: you named the frozen base, and left out what learns."
    if not named:
        return "You named none. Then nothing could ever be learned; something moves."
    if named & base and named >= moved:
        return (
            "What learns is among your names, but a part of the base is too. Frozen means all of "
            "it, the last block as well as the first."
        )
    if named & base:
        return "Some of your names belong to the base. It is frozen as a whole."
    if all(name.endswith("kernel") for name in named) and {n.split()[0] for n in named} == {
        "hidden",
        "output",
    }:
        return "The kernels, yes. A bias is a weight too, and it learns."
    if {name.split()[0] for name in named} == {"output"}:
        return (
            "Only the output layer? The gradient goes back through it, into the layer before; "
            "only the base stops it."
        )
    if {name.split()[0] for name in named} == {"hidden"}:
        return "Only the hidden layer? The output layer stands nearest to the loss: it moves too."
    left = ", ".join(sorted(moved - named))
    return f"All that you named moves, but more does: compare with the table ({left})."


Q2 = Question(
    name="q2",
    title="Which weights move?",
    aim="predict what one step of training changes in a model with a frozen base",
    lesson="01",
    judge=_judge_moves,
    praise="The head's two kernels and two biases move, and nothing else: the diff beside says so.",
    hints=(
        "`model.trainable_variables` lists what an optimizer may touch.",
        "The base is frozen. What is left of the model, and what does each of its layers hold?",
        "A dense layer holds a kernel and a bias, and there are two such layers in the head.",
    ),
    explanation="A frozen layer passes gradients no further and keeps its weights, to the last "
    "digit. The head's two dense layers learn, kernels and biases alike. Naming the last block of "
    "the base too would be right for *fine-tuning*, which this course does not do. Not every "
    "single number of a kernel has to move: one that saw only zeros stays.",
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
    "B": "B knows its train photos all but by heart. That is a head only too alive.",
    "D": "D is the healthy one of the four: both losses come down.",
}


def _judge_dead(dead, since, answer) -> str | None:
    dead = dead[0] if isinstance(dead, list | tuple) and len(dead) == 1 else dead
    named = str(dead).casefold().replace("history", "").replace("run", "")
    named = read_choice(named, tuple(_RUNS), "the history")
    start, share = read_number(since, "since"), read_number(answer, "answer")
    if named != "C":
        return _LIVING[named]
    history = load_four_runs()["C"]
    still = history["clean_loss"].sub(history["clean_loss"].iloc[-1]).abs() < 0.003
    first = int(still[::-1].cummin()[::-1].idxmax())
    if not first - 1 <= start <= first + 1:
        return (
            f"C it is, but at epoch {start:g}? From its death on the loss on clean train photos "
            "is all but one number: find the first such row."
        )
    last = history["val_binary_accuracy"].iloc[-1]
    if abs(share - 100 * last) < 1:
        raise Misread(f"Expected a share from 0 to 1, received {share:g}. Divide it by 100.")
    if abs(share - history["val_loss"].iloc[-1]) < 0.01:
        return "C it is, and that is its loss. Asked for is the share of valid photos it has right."
    if abs(share) < 0.01:
        return (
            "C it is. A dead head still answers, the same for every photo: it is right as "
            "often as that class occurs, not never."
        )
    if abs(share - last) > 0.015:
        return f"C it is, but {share:g} is not the share of valid photos that it has right."
    return None


Q3 = Question(
    name="q3",
    title="Find the dead head",
    aim="tell a dead head from a slow one, and know what it still scores",
    lesson="01",
    judge=_judge_dead,
    praise="One answer for every photo, at the loss of a coin, and no way back: build the model "
    "with another seed and train again.",
    hints=(
        "Draw the four with `cu.plot_curves`. Two are near 0.69 at the end.",
        "Print the last ten rows of those two with five decimals. Which one moves?",
        "It is C; its accuracy is the share of the class that it always names.",
    ),
    explanation="With all six hidden units at zero on every photo, only the output's bias is left "
    "to learn, and it soon stops at the share of the classes: loss 0.69, one answer from then on. "
    "A, the rival, stays near 0.69 too, but every epoch moves it: its learning rate is tiny. An "
    "accuracy of one half says nothing by itself: look whether anything still changes.",
    code="""dead = "C"
losses = runs["C"]["clean_loss"]
since = (losses - losses.iloc[-1]).abs().lt(0.003).idxmax()
answer = runs["C"]["val_binary_accuracy"].iloc[-1]""",
)

q1, q2, q3 = QUESTIONS = (Q1, Q2, Q3)
