"""The frozen base's forward pass, in the precision and the algorithm that are fastest here.

Each photo goes through the base once, so the pass is what a first run waits for. Which way is the
fastest, no name of a processor tells for sure: it is timed once on each machine, and remembered.
"""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from course_utils import runtime, settings, winograd
from course_utils.files import write_whole

tensorflow = runtime.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

BATCH = 32  # photos in one pass
CHUNK = 8  # photos at once in a compiled pass: what its layers hand on stays in the cache
PRECISIONS = ("float32", "bfloat16")
WINOGRAD = "float32, Winograd"
# bfloat16 has to be worth its rounding (0.4 % of a feature on average), Winograd its compiling.
WORTHWHILE_SPEEDUP = 1.1


class ForwardPass:
    """From images to the base's features, in the fastest way that keeps to a precision.

    In float32 on a CPU, whole batches go through Winograd's convolutions, compiled by XLA, where
    those are faster; the features are the same but for rounding (a millionth of the largest).
    What is left over goes through the base as Keras runs it.

    Args:
        base: A frozen base with float32 weights.
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
            described = describe_base(self._base)
            speeds = _measure_speeds(self._base, described)
            worthwhile = speeds[WINOGRAD] > WORTHWHILE_SPEEDUP * speeds["float32"]
            self._fast = _build_winograd(self._base, described) if worthwhile else self._plain
        return self._fast(images)


def describe_base(base: keras.Model) -> str:
    """Returns text that differs where a base's layers, weights or image size differ."""
    digest = hashlib.blake2b(digest_size=10)
    for layer in base.layers:
        digest.update(json.dumps(describe_layer(layer), sort_keys=True, default=str).encode())
        for weight in layer.get_weights():
            digest.update(np.ascontiguousarray(weight))
    return f"{digest.hexdigest()} {base.input_shape[1:]}"


def describe_layer(layer: keras.Layer) -> dict:
    """Returns a layer's configuration without what changes nothing in the features stored.

    A random layer's own seed is left out: the dice of stored views come from elsewhere.
    """
    left_out = ("name", "dtype", "trainable", "seed")
    return {key: value for key, value in layer.get_config().items() if key not in left_out}


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

    copied = keras.models.clone_model(base, clone_function=copy)
    copied.set_weights(base.get_weights())
    copied.trainable = False
    return copied


def choose_precision(base: keras.Model) -> str:
    """Returns the precision that is faster on this machine, timed once and remembered.

    bfloat16 spares work where the processor computes in it (AVX-512 BF16, AMX), and none elsewhere.

    Args:
        base: The frozen base that the features are of.
    """
    speeds = _measure_speeds(base, describe_base(base))
    exact = max(speed for way, speed in speeds.items() if way != "bfloat16")
    return "bfloat16" if speeds["bfloat16"] > WORTHWHILE_SPEEDUP * exact else "float32"


def _may_use_winograd(base: keras.Model) -> bool:
    return (
        isinstance(base, keras.Model)
        and runtime.device() == "CPU"
        and None not in base.input_shape[1:]
        and any(map(winograd.fits, base.layers))
    )


def _measure_speeds(base: keras.Model, described: str) -> dict[str, float]:
    """Returns photos a second for each way to compute: timed here once, and remembered."""
    record = Path("machine.json")
    machine = (
        f"{runtime.processor()}, {runtime.device()}, TensorFlow {tensorflow.__version__}, "
        f"base {described}"
    )
    known = {}
    for stored in reversed(settings.list_stored(record)):  # What is prepared counts first.
        with suppress(OSError, ValueError):  # Cut off while being written: it is timed anew.
            read = json.loads(stored.read_text(encoding="utf-8"))
            known |= read if isinstance(read, dict) else {}
    ways = (*PRECISIONS, WINOGRAD) if _may_use_winograd(base) else PRECISIONS
    speeds = known.get(machine)
    if not isinstance(speeds, dict) or not all(
        isinstance(speeds.get(way), (int, float)) for way in ways
    ):
        known[machine] = speeds = {way: _time_forward(base, way) for way in ways}
        with write_whole(settings.cache_dir() / record) as beside:
            beside.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return {way: speeds[way] for way in ways}


def _time_forward(base: keras.Model, way: str) -> float:
    """Returns photos a second: 0 for a way that this base, or TensorFlow here, does not know."""
    images = np.zeros((BATCH // 2, *base.input_shape[1:]), "float32")
    try:
        if way == WINOGRAD:
            # As it is called later, so that it is compiled once.
            images = np.concatenate([images, images])
            forward = _build_winograd(base, describe_base(base))
        else:
            forward = _build_plain(base, way)
        forward(images)  # builds the graph
    except (ValueError, TypeError, NotImplementedError, tensorflow.errors.OpError) as error:
        if way == "float32":
            raise
        why = str(error).strip().splitlines()[0]
        print(f"The base cannot run in {way} here, which may be faster, and does without: {why}")
        return 0.0
    start = time.perf_counter()
    forward(images).numpy()
    return len(images) / (time.perf_counter() - start)


def _build_plain(base: keras.Model, precision: str) -> Callable:
    base = at_precision(base, precision)
    return tensorflow.function(
        lambda images: tensorflow.cast(base(images, training=False), precision),
        reduce_retracing=True,
    )


# Kept for the next store: compiling takes as long as a batch or two. One base's kernels, once
# transformed, take four times the memory of what they come from (VGG16: 0.2 GB).
@lru_cache(maxsize=1)
def _build_winograd(base: keras.Model, described: str) -> Callable:
    """Returns the compiled pass of whole batches; `described` tells when weights have changed."""
    copied = winograd.copy_with_winograd(base)

    @tensorflow.function(jit_compile=True, autograph=False)
    def forward(images):
        chunks = tensorflow.reshape(images, [-1, CHUNK, *base.input_shape[1:]])
        features = tensorflow.map_fn(
            lambda chunk: copied(chunk, training=False), chunks, fn_output_signature="float32"
        )
        return tensorflow.reshape(features, [-1, *base.output_shape[1:]])

    return forward
