"""Compares where augmentation runs: the steps of each way, its speed, and its random draws.

It can run in Keras's older generator, in layers mapped over a `tf.data` pipeline, in layers of the
model, and with stored features of a frozen base. Lesson 10 shows the code of each; this module has
what is needed to compare them fairly.

Longer than 350 lines because it has the four ways side by side, each with what it needs to be timed
and checked.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from course_utils.core import backend
from course_utils.core.checks import check_count
from course_utils.data.dataset import splits_from_arrays
from course_utils.features.store import prepare_features
from course_utils.features.views import list_views

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

# The fraction of a view that flip and contrast need not explain, since pixels are rounded.
LARGEST_REST = 0.05


class Step(NamedTuple):
    """A step of training for each photo.

    Args:
        what: What happens, such as `"augment"`; the same word wherever augmentation runs.
        where: `"CPU"`, or `"device"`: the GPU if there is one.
        when: How often, such as `"every epoch"` or `"once"`.
    """

    what: str
    where: str
    when: str


_EVERY = "every epoch"
_STORED = "once per view"
_IN_PIPELINE = (
    Step("read photo", "CPU", _EVERY),
    Step("augment", "CPU", _EVERY),
    Step("frozen base", "device", _EVERY),
    Step("head learns", "device", _EVERY),
)
# From where augmentation runs to the steps of training, in order.
PLACES: dict[str, tuple[Step, ...]] = {
    "ImageDataGenerator": _IN_PIPELINE,
    "layers in tf.data": _IN_PIPELINE,
    "layers in the model": (
        Step("read photo", "CPU", _EVERY),
        Step("augment", "device", _EVERY),
        Step("frozen base", "device", _EVERY),
        Step("head learns", "device", _EVERY),
    ),
    "stored features": (
        Step("read photo", "CPU", _STORED),
        Step("augment", "device", _STORED),
        Step("frozen base", "device", _STORED),
        Step("read features", "CPU", _EVERY),
        Step("head learns", "device", _EVERY),
    ),
}


def write_photos(
    images: np.ndarray, labels: np.ndarray, folder: str | Path, *, class_names: Sequence[str]
) -> Path:
    """Writes photos as PNG files in a folder for each class, as `flow_from_directory` reads them.

    Files are named by their position, so that the order of the photos in a class stays.

    Args:
        images: float in [0, 1], shape (count, height, width, 3).
        labels: 0 or 1, shape (count, 1).
        folder: Where to write them; it is created if it is missing.
        class_names: The folders' names for labels 0 and 1, in alphabetical order.

    Returns:
        The folder.

    Raises:
        ValueError: If images and labels do not fit together, the images have another shape or
            pixels outside of [0, 1], or the names are equal or not sorted.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if labels.shape != (len(images), 1) or not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"Expected a label of 0 or 1 for each of {len(images)} photos, received the labels "
            f"{np.unique(labels)[:5]} in the shape {labels.shape}. Take both from the same split, "
            "as split.read(…) and split.labels give them."
        )
    if list(class_names) != sorted(set(class_names)) or len(class_names) != 2:
        raise ValueError(
            "Expected two different class names in alphabetical order, received "
            f"{tuple(class_names)}: Keras counts folders in that order. Sort them, and the labels "
            "with them."
        )
    if images.ndim != 4 or images.shape[-1] != 3 or not len(images):
        raise ValueError(
            "Expected one photo or more of shape (count, height, width, 3), received the shape "
            f"{images.shape}. Give three channels to each, and put a single photo in a list."
        )
    if not (images.min() >= 0 and images.max() <= 1):  # NaN fails this as well
        raise ValueError(
            f"Expected pixels in [0, 1], received {images.min():g} to {images.max():g}. Divide by "
            "the value of white."
        )
    pixels = np.round(images * 255).astype(np.uint8)
    for position, (photo, label) in enumerate(zip(pixels, labels[:, 0], strict=True)):
        path = Path(folder, class_names[int(label)], f"{position:06}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(path)
    return Path(folder)


def compile_layers(layers: Sequence[keras.Layer]) -> Callable:
    """Compiles augmentation layers into a TensorFlow graph, as `fit` does with layers in a model.

    Args:
        layers: Augmentation layers, in order.

    Returns:
        A function from images, float32 in [0, 1], shape (batch, height, width, 3), to augmented
        images, a tensor of the same shape. Its first call builds the graph.
    """

    def augment(images):
        for layer in layers:
            images = layer(images, training=True)
        return images

    return tensorflow.function(augment, autograph=False, reduce_retracing=True)


def use_up(batches: Iterable, *, augment: Callable | None = None) -> None:
    """Goes through the batches of one epoch, and waits until all of them are computed.

    Args:
        batches: Pairs of images and labels: a `tf.data.Dataset`, or a `keras.utils.PyDataset`
            such as `flow_from_directory` returns, over which a `for` loop would never end.
        augment: A function for the images of each batch, such as `compile_layers` returns.

    Raises:
        ValueError: If there are no batches.
    """
    images = None
    for images, _ in _one_epoch(batches):
        if augment:
            images = augment(images)
    if images is None:
        raise ValueError("Expected batches of photos, received none. Is the folder empty?")
    # A GPU computes in order: when the last pixel has arrived, everything is computed.
    keras.ops.convert_to_numpy(images[-1:, -1:, -1:])


def _one_epoch(batches: Iterable) -> Iterable:
    if isinstance(batches, keras.utils.PyDataset):
        return (batches[number] for number in range(len(batches)))
    return batches


def collect(batches: Iterable) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images and labels of one epoch, in the order of the batches.

    Args:
        batches: As in `use_up`.

    Returns:
        Images, float32, shape (count, height, width, 3), and labels, float32, shape (count, 1),
        also if the labels of a batch have the shape (batch,), as in `flow_from_directory`.

    Raises:
        ValueError: If there are no batches.
    """
    pairs = [tuple(map(np.asarray, batch)) for batch in _one_epoch(batches)]
    if not pairs:
        raise ValueError("Expected batches of photos, received none. Is the folder empty?")
    images, labels = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return images, labels.reshape(-1, 1)


def find_device(values) -> str:
    """Returns the device that an array or a tensor is on: `"CPU"` or `"GPU"`.

    Args:
        values: A NumPy array or an eager tensor.
    """
    return "GPU" if "GPU" in str(values.device).upper() else "CPU"


def time_in_turns(ways: Mapping[str, Callable[[], object]], *, rounds: int = 5) -> pd.DataFrame:
    """Times several ways of doing the same thing in turns, so that a busy machine affects all.

    Every other round runs in reverse order, so that no way always runs after the same other one.
    Round 0 is the warm-up, which builds graphs and fills caches.

    Args:
        ways: From a name to a function without arguments that returns when everything is done.
        rounds: The number of rounds after the warm-up, at least 1.

    Returns:
        Seconds, float64: a row for each round (index `round`, from 0), a column for each way.

    Raises:
        TypeError: If `rounds` is not a whole number.
        ValueError: If there is no way, or no round.
    """
    check_count("rounds", rounds)
    if not ways:
        raise ValueError("Expected one way or more, received none. Name a function for each way.")
    seconds = pd.DataFrame(
        np.nan, index=pd.RangeIndex(rounds + 1, name="round"), columns=list(ways)
    )
    for turn in seconds.index:
        for name, way in list(ways.items())[:: 1 if turn % 2 == 0 else -1]:
            start = time.perf_counter()
            way()
            seconds.loc[turn, name] = time.perf_counter() - start
    return seconds


def summarize_rounds(seconds: pd.DataFrame, *, photos: int | Mapping[str, int]) -> pd.DataFrame:
    """Returns photos per second from seconds per round, without the warm-up.

    Args:
        seconds: As `time_in_turns` returns them.
        photos: The number of photos in one round, for all ways or for each.

    Returns:
        A row for each way: `photos per second` (the median of the rounds), `slowest` and `fastest`
        round in photos per second, and `warm-up` in seconds.

    Raises:
        ValueError: If the number of photos of a way is missing.
    """
    if isinstance(photos, Mapping) and not set(seconds) <= set(photos):
        raise ValueError(
            f"Expected the photos of one round for each of {', '.join(seconds)}, received them "
            f"for {', '.join(photos) or 'none'}. Name every way, or give one number for all."
        )
    counts = pd.Series(
        {name: photos[name] if isinstance(photos, Mapping) else photos for name in seconds.columns}
    )
    speeds = counts / seconds.loc[1:]
    return pd.DataFrame(
        {
            "photos per second": counts / seconds.loc[1:].median(),
            "slowest": speeds.min(),
            "fastest": speeds.max(),
            "warm-up": seconds.loc[0],
        }
    )


def make_pale(images: np.ndarray) -> np.ndarray:
    """Returns photos with half their contrast, so that `recover_draws` can tell what a view shows.

    With pixels from 0.25 to 0.75, a contrast factor up to 1.5 keeps them in [0, 1], so that no
    pixel is clipped. Pixels are multiples of 1/255, so that writing them as PNG is exact.

    Args:
        images: float in [0, 1], shape (count, height, width, 3).

    Returns:
        float32 in [0.25, 0.75], the same shape.
    """
    return (np.round((0.25 + np.asarray(images) / 2) * 255) / 255).astype("float32")


def recover_draws(photos: np.ndarray, views: np.ndarray) -> pd.DataFrame:
    """Returns what was drawn for each photo: whether it was flipped, and its contrast factor.

    Contrast multiplies each channel's distance from its mean. So the factor is the slope of the
    view's pixels over the photo's pixels. A photo was flipped if its mirror image fits better.

    Args:
        photos: float in [0, 1], shape (count, height, width, 3), as `make_pale` returns them.
        views: The same photos, in the same order, after random horizontal flip and contrast.

    Returns:
        A row for each photo: `flipped`, bool, and `factor`, float64.

    Raises:
        ValueError: If a photo is its own mirror image, so that a flip cannot be seen; or if a
            view is something else than its photo, flipped or not, with another contrast.

    Source: `keras.layers.RandomContrast`: (pixel - mean) * factor + mean, channel by channel.
    """
    photos, views = (np.asarray(images, "float64") for images in (photos, views))
    if photos.shape != views.shape:
        raise ValueError(
            f"Expected one view of each photo, received photos of shape {photos.shape} and views "
            f"of shape {views.shape}. For several views of a photo, repeat it with np.repeat."
        )
    fits = [_fit_contrast(originals, views) for originals in (photos, photos[:, :, ::-1])]
    (upright, upright_rest), (mirrored, mirrored_rest) = fits
    twofold = np.isclose(upright_rest, mirrored_rest, atol=1e-3)
    foreign = np.minimum(upright_rest, mirrored_rest) > LARGEST_REST
    if foreign.any():
        raise ValueError(
            "Expected views that are their photos, flipped or not, with another contrast; received "
            f"{foreign.sum()} of {len(views)} that are something else, the first at "
            f"{foreign.argmax()}. Are they in the same order, and did you use make_pale?"
        )
    if twofold.any():
        raise ValueError(
            "Expected photos that differ from their mirror image, received "
            f"{twofold.sum()} of {len(photos)} that do not, the first at {twofold.argmax()}. "
            "Leave them out: a flip cannot be seen in them."
        )
    flipped = mirrored_rest < upright_rest
    return pd.DataFrame({"flipped": flipped, "factor": np.where(flipped, mirrored, upright)})


def _fit_contrast(photos: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns each view's slope over its photo, and the unexplained fraction of the view."""

    def center(images):
        return (images - images.mean(axis=(1, 2), keepdims=True)).reshape(len(images), -1)

    photos, views = center(photos), center(views)
    factors = (photos * views).sum(axis=1) / np.maximum((photos**2).sum(axis=1), 1e-12)
    rest = np.linalg.norm(views - factors[:, None] * photos, axis=1)
    return factors, rest / np.maximum(np.linalg.norm(views, axis=1), 1e-12)


def read_stored_views(
    layers: Sequence[keras.Layer], images: np.ndarray, *, views: int, seed: int
) -> np.ndarray:
    """Returns the views whose features training would store for these layers.

    Instead of VGG16, it uses a base that returns its input, so that you can look at the views.

    Args:
        layers: Augmentation layers, in order.
        images: float in [0, 1], shape (count, height, width, 3); small images, since all their
            views are cached.
        views: The number of views of each photo; a flip alone always has two.
        seed: Of the random draws.

    Returns:
        float32 in [0, 1], shape (views, count, height, width, 3).
    """
    unlabeled = (np.asarray(images), np.zeros((len(images), 1)))
    photos = splits_from_arrays(unlabeled, unlabeled, class_names=("", ""), source="").valid
    base = _build_passage(photos.image_size)
    drawn = list_views(layers, views=views, seed=seed)
    store = prepare_features(
        layers, base, [(photos, drawn)], precision="float32", seed=seed, progress=False
    )
    return np.stack([store.open(photos, view).read(range(photos.count)) for view in drawn])


def _build_passage(image_size: tuple[int, int]) -> keras.Model:
    """Builds a frozen base whose features are the photo itself."""
    inputs = keras.Input((*image_size, 3))
    passage = keras.layers.Conv2D(3, 1, use_bias=False, dtype="float32")
    base = keras.Model(inputs, passage(inputs), name="passage")
    passage.set_weights([np.eye(3, dtype="float32")[None, None]])
    base.trainable = False
    return base
