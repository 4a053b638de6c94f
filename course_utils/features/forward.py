"""The frozen base's forward pass, in the precision and the algorithm that are fastest here.

Each photo goes through the base once, so the pass is what a first run waits for. Which way is the
fastest, no name of a processor tells for sure: it is timed once on each machine, and remembered.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from course_utils.core import backend, cache, environment
from course_utils.features import winograd
from course_utils.models.copies import copy_base
from course_utils.models.fingerprints import fingerprint_base

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

BATCH = 32  # photos in one pass
CHUNK = 8  # photos at once in a compiled pass: what its layers hand on stays in the cache
PRECISIONS = ("float32", "bfloat16")
WINOGRAD = "float32, Winograd"
# bfloat16 has to be worth its rounding (0.4% of a feature on average), Winograd its compiling.
WORTHWHILE_SPEEDUP = 1.1
# How far its features may be from float32's, by the largest of these.
TOLERANCES = {"bfloat16": 0.1, WINOGRAD: 1e-4}
_given: list[Mapping[str, float]] = []  # by `given_speeds`, in place of measured ones
SPEEDS = "speeds"  # the folder of the cache that remembers what was timed


class ForwardPass:
    """From images to the base's features, in the fastest way that keeps to a precision.

    In float32 on a CPU, whole batches go through Winograd's convolutions, compiled by XLA, where
    those are faster; the features are the same but for rounding (some millionths of the largest).
    What is left over goes through the base as Keras runs it. Pixels that are not finite spoil the
    features of their own photo, and more of these than in Keras's way.

    Args:
        base: A frozen base with float32 weights. They must not change from then on: what is
            compiled keeps them.
        precision: `"float32"` or `"bfloat16"`.
    """

    def __init__(self, base: keras.Model, precision: str):
        self._base = base
        self._plain = _build_plain(base, precision)
        self._fast = None if precision == "float32" and _may_use_winograd(base) else self._plain

    def __call__(self, images):
        """Returns features in the precision, (batch, …), of float32 (batch, height, width, 3)."""
        if len(images) != BATCH:
            return self._plain(images)
        if self._fast is None:
            described = fingerprint_base(self._base)
            speeds = _measure_speeds(self._base, described)
            worthwhile = speeds[WINOGRAD] > WORTHWHILE_SPEEDUP * speeds["float32"]
            self._fast = _build_winograd(self._base, described) if worthwhile else self._plain
        return self._fast(images)


def at_precision(base: keras.Model, precision: str) -> keras.Model:
    """Returns the base itself for float32, or a frozen copy that computes in less.

    Args:
        base: A frozen base with float32 weights.
        precision: `"float32"`, `"bfloat16"` or `"float16"`.
    """
    if precision == "float32":
        return base

    def copy(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": f"mixed_{precision}"})

    return copy_base(base, copy)


def choose_precision(base: keras.Model) -> str:
    """Returns the precision that is faster on this machine, timed once and remembered.

    bfloat16 spares work where the processor computes in it (AVX-512 BF16, AMX), and none elsewhere.

    Args:
        base: The frozen base that the features are of.
    """
    speeds = _measure_speeds(base, fingerprint_base(base))
    exact = max(speed for way, speed in speeds.items() if way != "bfloat16")
    return "bfloat16" if speeds["bfloat16"] > WORTHWHILE_SPEEDUP * exact else "float32"


def measure_speeds(base: keras.Model) -> dict[str, float]:
    """Returns photos per second for each way to compute, timed on this machine once.

    Args:
        base: The frozen base that the features are of.
    """
    return _measure_speeds(base, fingerprint_base(base))


@contextmanager
def given_speeds(speeds: Mapping[str, float]) -> Iterator[None]:
    """Chooses inside a `with` block as a machine of these speeds would.

    So that all workers of a comparison compute in the same way.

    Args:
        speeds: As `measure_speeds` returned them on that machine.
    """
    _given.append(speeds)
    try:
        yield
    finally:
        _given.pop()


def _may_use_winograd(base: keras.Model) -> bool:
    return (
        isinstance(base, keras.Model)
        and backend.device() == "CPU"
        and None not in base.input_shape[1:]
        and any(map(winograd.fits, base.layers))
    )


def _measure_speeds(base: keras.Model, described: str) -> dict[str, float]:
    """Returns photos per second for each way to compute: timed here once, and remembered."""
    if _given:
        return _given[-1]
    machine = (
        f"{backend.processor()}, {backend.device()}, TensorFlow {tensorflow.__version__}, "
        f"base {described}"
    )
    ways = (*PRECISIONS, WINOGRAD) if _may_use_winograd(base) else PRECISIONS

    def time_each() -> dict[str, object]:
        return {"machine": machine, "speeds": {way: _time_forward(base, way) for way in ways}}

    return cache.load_or_make(cache.name_entry(SPEEDS, [machine, ways]), time_each).facts["speeds"]


def _time_forward(base: keras.Model, way: str) -> float:
    """Returns photos per second: 0 for a way that fails with this base here, or says otherwise."""
    images = np.random.default_rng(0).random((BATCH // 2, *base.input_shape[1:]), "float32")
    try:
        if way == WINOGRAD:
            # As it is called later, so that it is compiled once.
            images = np.concatenate([images, images])
            forward = _build_winograd(base, fingerprint_base(base))
        else:
            forward = _build_plain(base, way)
        found = forward(images)  # builds the graph
        if way != "float32":
            _compare_features(found, _build_plain(base, "float32")(images[: BATCH // 2]), way)
    except Exception as error:  # Whatever a layer's copy raises, Keras runs the base itself.
        if way == "float32":
            raise
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        print(
            f"The base cannot run in {way} here, which may be faster, and does without: {why} "
            f"(To have it tried again, delete {environment.cache_dir() / SPEEDS}.)"
        )
        return 0.0
    start = time.perf_counter()
    forward(images).numpy()
    return len(images) / (time.perf_counter() - start)


def _compare_features(found, expected, way: str) -> None:
    found = np.asarray(found[: len(expected)]).astype("float32")
    expected = np.asarray(expected)
    apart, largest = np.abs(found - expected).max(), np.abs(expected).max()
    if not apart <= TOLERANCES[way] * largest:  # NaN fails this as well
        raise ValueError(
            f"its features lie up to {apart:.2g} from those in float32, of which the largest is "
            f"{largest:.2g}. Does a layer forget something in its `get_config`?"
        )


def _build_plain(base: keras.Model, precision: str) -> Callable:
    base = at_precision(base, precision)
    return tensorflow.function(
        lambda images: tensorflow.cast(base(images, training=False), precision),
        reduce_retracing=True,
    )


# Kept for the next store, which need not compile again; for one base at a time, since its kernels,
# once transformed, take four times the memory of what they come from (VGG16: 0.2 GB).
@lru_cache(maxsize=1)
def _build_winograd(base: keras.Model, described: str) -> Callable:
    """Returns the compiled pass of whole batches; `described` tells when weights have changed."""
    copied = winograd.copy_with_winograd(base)

    @tensorflow.function(jit_compile=True, autograph=False)
    def forward(images):
        chunks = tensorflow.reshape(images, [-1, CHUNK, *base.input_shape[1:]])
        features = tensorflow.map_fn(
            lambda chunk: tensorflow.cast(copied(chunk, training=False), "float32"),
            chunks,
            fn_output_signature="float32",
        )
        return tensorflow.reshape(features, [-1, *base.output_shape[1:]])

    return forward
