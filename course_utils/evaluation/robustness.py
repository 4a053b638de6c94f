"""What augmentation taught: how far a model withstands each transformation, by its strength."""

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.layer_call import force_calls
from course_utils.core import backend
from course_utils.core.checks import check_number
from course_utils.core.progress import Progress
from course_utils.data.dataset import Photos
from course_utils.evaluation.comparison import Comparison
from course_utils.features.store import prepare_features
from course_utils.features.views import View, changed_view, clean_view
from course_utils.training.heads import Heads, in_order

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# What has no strength but is done or not: the value of `Augmentation` that 1 stands for.
DONE_OR_NOT = {"flip": "horizontal", "grayscale": 1.0}
# Even at a fixed strength what happens is random: which grain, which place, which of eleven.
ALWAYS_RANDOM = ("noise", "erasing", "rand_augment", "one_operation")
MEASURABLE = tuple(name for name in CATALOGUE if name not in ALWAYS_RANDOM)


def evaluate_robustness(
    comparison: Comparison,
    photos: Photos,
    base: keras.Model,
    strengths: Mapping[str, Iterable[float]],
    *,
    precision: str = "auto",
    progress: bool = True,
) -> pd.DataFrame:
    """Measures every head of every policy on photos that are all transformed alike.

    Two measures, because one alone misleads: a model that is right as often as before may have
    changed its mind on many photos, and a dead head, which gives one answer whatever it sees,
    never changes its mind.

    The features of the transformed photos are stored as any others are, so that a second call,
    or one with more strengths, goes through the base with what is missing alone. A policy's own
    layers take no part, as in `predict`; policies with fixed layers, such as preprocessing, are
    not meant here.

    Args:
        comparison: What `compare` gives; its heads answer as they were after the last epoch.
        photos: Photos of the same two classes, such as `splits.valid`.
        base: The frozen model that the comparison was made with.
        strengths: From a name in the catalogue to strengths in the units of `Augmentation`, as
            in `{"rotation": range(-45, 46, 15), "contrast": (-0.6, -0.3, 0, 0.3), "flip": (0, 1)}`.
            0 is the photo as it is. Signs are those of the explorer's two ends: positive turns
            left, moves to the right and down, makes the vehicle larger, brighter, richer in
            contrast. Blur has no negative strength; flip (left and right) and grayscale are done,
            1, or not, 0.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the one that all features are cached
            in, or else the faster one here.
        progress: Whether to say what is computed and show how far it is.

    Returns:
        A DataFrame, one row for each policy, transformation, strength and seed: `unit`, that of
        the transformation's slider (`"degrees"`, `"percent"` for 100 times the strength,
        `"pixels"`, or `"choice"` for done or not); `accuracy`; `unchanged`, the share of photos
        whose predicted class is that of the photo as it is; `dead_head`, whether the head was
        dead at the end of training.

    Raises:
        TypeError: If `photos` are no `Photos`, or a strength is not a number.
        ValueError: If a transformation is unknown or random at a fixed strength, a strength is out
            of range or there twice, or the photos or the base do not fit the heads.

    Example:
        >>> import course_utils as cu
        >>> policies = {"none": cu.Augmentation(), "flip": cu.Augmentation(flip="horizontal")}
        >>> found = cu.compare(policies, splits, base, seeds=2, epochs=1, progress=False)
        >>> table = evaluate_robustness(found, splits.valid, base, {"flip": (0, 1)}, progress=False)
        >>> len(table)  # 3 policies, 2 strengths, 2 seeds
        12
    """
    views = {
        (name, strength): _fix_view(name, strength)
        for name, values in _check_strengths(strengths).items()
        for strength in values
    }
    check_photos(photos, base)
    heads = {policy: comparison.heads(policy) for policy in comparison.policies}
    check_base(next(iter(heads.values())), base)
    clean = clean_view(())
    store = prepare_features(
        # Any seed: nothing in these views is random.
        *((), base, [(photos, [clean, *views.values()])]),
        precision=precision,
        seed=0,
        progress=progress,
    )

    def predict(policy: str, view: View):
        stored = in_order([store.open(photos, view)], photos.labels)
        return heads[policy].predict(stored)[0] > 0.5

    tables = []
    with Progress(len(heads) * len(views), "Predictions", shown=progress) as line:
        for policy in heads:
            last = comparison.runs[comparison.runs["policy"] == policy].groupby("seed").last()
            untouched = predict(policy, clean)
            for (name, strength), view in views.items():
                predicted = predict(policy, view)
                columns = {
                    "policy": policy,
                    "transformation": name,
                    "unit": _find_unit(name),
                    "strength": strength,
                    "seed": last.index,
                    "accuracy": (predicted == (photos.labels > 0.5)).mean(axis=0),
                    "unchanged": (predicted == untouched).mean(axis=0),
                    "dead_head": last["dead_head"].to_numpy(),
                }
                tables.append(pd.DataFrame(columns))
                line.advance()
    return pd.concat(tables, ignore_index=True)


def _fix_view(name: str, strength: float) -> View:
    """Returns the view of photos that all are transformed at one strength."""
    if strength == 0:
        return clean_view(())
    effect = CATALOGUE[name].build(DONE_OR_NOT.get(name, abs(strength)))
    calls = effect.low if strength < 0 else effect.high
    # The layers' arguments stand in the name as well: a catalogue that says the same in other
    # layers gives other features.
    layers = [[call.layer, call.arguments] for call in calls]
    return changed_view((), lambda images: force_calls(calls, images)[0], [name, strength, layers])


def _find_unit(name: str) -> str:
    return "choice" if name in DONE_OR_NOT else CATALOGUE[name].unit


def _check_strengths(strengths: Mapping[str, Iterable[float]]) -> dict[str, list[float]]:
    """Returns the strengths as floats."""
    if not isinstance(strengths, Mapping) or not strengths:
        raise TypeError(
            "Expected strengths by the name of a transformation, such as "
            f'{{"rotation": (-15, 0, 15)}}, received {strengths!r}.'
        )
    checked = {}
    for name, values in strengths.items():
        if name in ALWAYS_RANDOM:
            raise ValueError(
                f"Expected a transformation that does the same to every photo, received {name!r}, "
                f"which is random at any strength. Choose from "
                f"{', '.join(MEASURABLE)}."
            )
        if name not in CATALOGUE:
            raise ValueError(
                f"Expected a transformation, one of {', '.join(MEASURABLE)}, received {name!r}."
            )
        values = list(values) if isinstance(values, Iterable) else [values]
        if not values:
            raise ValueError(f"Expected one strength of {name} or more, received none.")
        checked[name] = [_check_strength(name, value) for value in values]
        if len(set(checked[name])) < len(values):
            raise ValueError(f"Expected each strength of {name} once, received {values}.")
    return checked


def _check_strength(name: str, value: float) -> float:
    if name in DONE_OR_NOT:
        if check_number(name, value, 0, 1, hint="0 is not done, 1 is done.") not in (0, 1):
            raise ValueError(f"Expected `{name}` as 0, not done, or 1, done, received {value!r}.")
        return float(value)
    entry = CATALOGUE[name]
    # A transformation whose lowest end is the photo itself works one way only.
    least = -entry.maximum if entry.build(entry.maximum).low else 0.0
    hint = "Strengths are in the units of Augmentation."
    # What steps of 0.1 add up to: 0 is to be 0, and 0.3 the same as 0.1 + 0.2.
    return round(check_number(name, value, least, entry.maximum, hint), 6) + 0.0


def check_photos(photos: Photos, base: keras.Model) -> None:
    """Raises an error unless a base takes these photos.

    Args:
        photos: What was given as photos.
        base: The frozen model.

    Raises:
        TypeError: If they are no `Photos`.
        ValueError: If they have another size.

    Example:
        >>> check_photos(splits.valid, base)
    """
    if not isinstance(photos, Photos):
        raise TypeError(
            f"Expected photos of one split, such as splits.valid, received {type(photos).__name__}."
        )
    if photos.image_size != tuple(base.input_shape[1:3]):
        raise ValueError(
            f"Expected photos of {base.input_shape[1:3]} pixels, as the base takes them, received "
            f"{photos.image_size}. Load them in that size."
        )


def check_base(heads: Heads, base: keras.Model) -> None:
    """Raises a ValueError unless heads take as many features as a base gives.

    Args:
        heads: Trained heads.
        base: The frozen model.
    """
    received = math.prod(base.output_shape[1:])
    if received != heads.size:
        raise ValueError(
            f"Expected the base that the comparison was made with, which gives {heads.size} "
            f"features of a photo, received one that gives {received}."
        )
