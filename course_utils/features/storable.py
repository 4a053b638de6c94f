"""What may be stored: a statement about every layer, and a probe that has to agree.

Stored features stand in for a model's frozen part only where its outputs depend on the photo, on
Keras's own random states and on nothing else. The statement reads what a layer is made of: its
class, configuration, weights and code. The probe calls the layer on a few photos. Either one may
refuse.
"""

from collections.abc import Sequence

import numpy as np

from course_utils.core import backend
from course_utils.core.fingerprints import READING, NotFollowedError, is_own, random_sources
from course_utils.features.views import is_identity_in_inference, keep_random_states
from course_utils.models.fingerprints import fingerprint_layer, is_random, seed_states
from course_utils.models.partition import flatten

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

PHOTOS = 4  # that a layer is probed with
STATES = ((11, 0), (12, 5), (2**31 + 7, 3))  # random states that the probe sets
TOLERANCE = 1e-5  # of the largest value: what rounding explains
MIXING = (keras.layers.MixUp, keras.layers.CutMix)
PER_BATCH = (keras.layers.RandAugment,)
# What has passed once in this process, by its fingerprint and the photos' size.
_passed: set[tuple] = set()


class NotStorableError(ValueError):
    """Stored features would not be what the model computes."""


def check_storable(
    front: Sequence[keras.Layer], base: keras.Model, image_size: tuple[int, int]
) -> list[str]:
    """Makes sure that stored features are what a model's frozen part computes.

    Args:
        front: The model's layers before the base.
        base: The frozen base.
        image_size: (height, width) of the photos, in pixels.

    Returns:
        Sentences for the student, such as on a layer that works photo by photo here and batch by
        batch in `fit`.

    Raises:
        NotStorableError: If not; the message names the layer, the reason and what to do.
    """
    front = flatten(front)
    images = np.random.default_rng(0).random((PHOTOS, *image_size, 3), "float32")
    with keep_random_states(front):
        for layer in front:
            images = _check_layer(layer, images)
        if isinstance(base, keras.Layer):  # What a study puts in its place, the study checks.
            _check_layer(base, images, is_base=True)
    return [
        f"{layer.name}: in `fit`, RandAugment chooses its transformations once per batch. Here it "
        "chooses them for each photo."
        for layer in front
        if isinstance(layer, PER_BATCH)
    ]


def _check_layer(layer: keras.Layer, images: np.ndarray, *, is_base: bool = False) -> np.ndarray:
    """Returns what a layer makes of photos in training, once it has passed."""
    if isinstance(layer, MIXING):
        _refuse(
            layer,
            "mixes photos with each other, and their labels",
            'Map it over the batches of a tf.data dataset as layer({"images": x, "labels": y}), '
            "with labels as floats, take it out of the model, and call the model's own `fit`.",
        )
    try:
        layer(images[:1], training=False)  # builds it
        before = fingerprint_layer(layer)
    except NotFollowedError as error:
        raise NotStorableError(str(error)) from error
    about = (before, images.shape)
    if about not in _passed:
        _state(layer)
        _probe(layer, images, is_base=is_base)
        if fingerprint_layer(layer) != before:
            _refuse(layer, "changes itself when it is called")
        _passed.add(about)
    return images if is_base else _call(layer, images, True, STATES[0])


def _state(layer: keras.Layer) -> None:
    """The statement: what the layer's code calls has no random state but Keras's own."""
    seeded = bool(seed_states(layer))
    sources = [
        name
        for name, module in random_sources(layer).items()
        if not (seeded and module.startswith("keras."))
    ]
    read = sorted(name for name in sources if name.rsplit(".", 1)[-1] in READING)
    if read:
        _refuse(
            layer,
            f"uses {', '.join(read)}, whose results depend on more than the photo",
            "Read files once, in the layer's `__init__`, and keep what they say as numbers in an "
            "attribute",
        )
    if sources:
        _refuse(
            layer,
            f"uses {', '.join(sorted(sources))}, whose random values no stored view can repeat",
            "Draw with keras.random and a keras.random.SeedGenerator kept as the layer's "
            "attribute, or use one of Keras's random layers",
        )


def _probe(layer: keras.Layer, images: np.ndarray, *, is_base: bool) -> None:
    """Calls the layer again and again, and with other photos beside the ones looked at."""
    others = 1 - images[::-1]
    first, last = (
        np.concatenate([images[:1], others[1:]]),
        np.concatenate([others[:-1], images[-1:]]),
    )
    clean = _call(layer, images, False, STATES[0])
    if clean.ndim < 2 or len(clean) != PHOTOS:
        _refuse(layer, f"makes {clean.shape} out of {images.shape}, not one result per photo")
    for state in STATES:
        modes = (False,) if is_base else (False, True)
        for training in modes:
            made = _call(layer, images, training, state)
            mode = "training" if training else "inference"
            if not _alike(made, _call(layer, images, training, state)):
                _refuse(
                    layer,
                    f"gives another result at each call in {mode}, with one and the same random "
                    "state",
                    "Draw with a keras.random.SeedGenerator kept as the layer's attribute, or use "
                    "one of Keras's random layers",
                )
            if not training and not _alike(made, clean):
                _refuse(layer, "draws random values in inference too")
            beside = (_call(layer, first, training, state), _call(layer, last, training, state))
            if not (_alike(beside[0][0], made[0]) and _alike(beside[1][-1], made[-1])):
                _refuse(layer, "changes a photo's result when another photo of the batch changes")
            if training and is_random(layer):
                continue  # Each place in the batch has random values of its own.
            if not _alike(_call(layer, images[:1], training, state), made[:1]):
                _refuse(layer, f"gives a photo alone another result than in a batch, in {mode}")
            if not _alike(_call(layer, images[::-1], training, state), made[::-1]):
                _refuse(
                    layer, f"gives a photo another result in another place of the batch, in {mode}"
                )
        if not is_random(layer):
            break  # Without a random state, there is nothing else to set.
    if is_base:
        if not _alike(_call(layer, images, True, STATES[0]), clean):
            _refuse(
                layer,
                "does something else in training than in inference, though it is frozen",
                "Call it with `training=False` in a functional model",
            )
    elif is_identity_in_inference(layer) and not _alike(clean, images):
        _refuse(layer, "changes photos in inference, which this version of Keras did not do before")


def _call(layer: keras.Layer, images: np.ndarray, training: bool, state) -> np.ndarray:
    for variable in seed_states(layer):
        variable.assign(np.array(state, "uint32"))
    made = layer(images, training=training)
    if not keras.ops.is_tensor(made):
        _refuse(layer, f"returns {type(made).__name__} and not one tensor")
    return keras.ops.convert_to_numpy(keras.ops.cast(made, "float32"))


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    scale = max(1.0, float(np.nanmax(np.abs(one), initial=0)))
    return np.allclose(one, other, rtol=0, atol=TOLERANCE * scale, equal_nan=True)


def _refuse(layer: keras.Layer, why: str, instead: str = "") -> None:
    inner = getattr(layer, "operation", layer)
    kind = "own layer" if is_own(type(inner)) else type(inner).__name__
    in_model = 'train the complete model with method="in_model".'
    if not instead.endswith("."):
        instead = f"{instead}, or {in_model}" if instead else in_model.capitalize()
    raise NotStorableError(
        f"Expected layers whose results depend on the photo and on Keras's random state alone, "
        f"received {inner.name!r} ({kind}), which {why}. {instead}"
    )
