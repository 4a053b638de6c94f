"""The same augmentation in four places: who does what when, how fast it is, and what it draws.

The places are the older generator of Keras, layers mapped over a `tf.data` pipeline, layers in the
model, and stored features of a frozen base. Lesson 06 shows the code of each; here is what it
takes to compare them fairly.
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

# How much of a view may be neither mirror image nor contrast: pixels are whole 255ths.
LARGEST_REST = 0.05


class Step(NamedTuple):
    """One thing that happens to a photo on its way through training.

    Args:
        what: What happens, such as `"augment"`; the same words for the same thing in every place.
        where: `"CPU"`, or `"device"`: the GPU where there is one.
        when: How often, such as `"every epoch"` or `"once"`.
    """

    what: str
    where: str
    when: str


_EVERY = "every epoch"
_STORED = "once a view"
_IN_PIPELINE = (
    Step("read photo", "CPU", _EVERY),
    Step("augment", "CPU", _EVERY),
    Step("frozen base", "device", _EVERY),
    Step("head learns", "device", _EVERY),
)
# From a place to its steps, in the order in which a photo meets them.
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
    """Writes photos as PNG files, one folder a class, as `flow_from_directory` wants them.

    Files are named by their position, so that each class lies in the order given.

    Args:
        images: float in [0, 1], shape (count, height, width, 3).
        labels: 0 or 1, shape (count, 1).
        folder: Where to; what is missing of it is made.
        class_names: The folders' names, in alphabetical order: labels 0 and 1.

    Returns:
        The folder.

    Raises:
        ValueError: If images and labels do not fit together, the shape is another, pixels are
            outside [0, 1], or the names are equal or not sorted.
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
            "what stands for white."
        )
    pixels = np.round(images * 255).astype(np.uint8)
    for position, (photo, label) in enumerate(zip(pixels, labels[:, 0], strict=True)):
        path = Path(folder, class_names[int(label)], f"{position:06}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(path)
    return Path(folder)


def compile_layers(layers: Sequence[keras.Layer]) -> Callable:
    """Returns what `fit` makes of augmentation layers in a model: one graph, on the device.

    Args:
        layers: Augmentation layers, in their order.

    Returns:
        A function from images, float32 (batch, height, width, 3) in [0, 1], to augmented ones, a
        tensor of the same shape. Its first call builds the graph.
    """

    def augment(images):
        for layer in layers:
            images = layer(images, training=True)
        return images

    return tensorflow.function(augment, autograph=False, reduce_retracing=True)


def use_up(batches: Iterable, *, augment: Callable | None = None) -> None:
    """Goes through the batches of one epoch, and waits until all of them are there.

    Args:
        batches: Pairs of images and labels: a `tf.data.Dataset`, or a `keras.utils.PyDataset`
            such as `flow_from_directory` gives, of which a `for` would never come to an end.
        augment: What is done to the images of each batch, such as `compile_layers` gives.

    Raises:
        ValueError: If there is no batch.
    """
    images = None
    for images, _ in _one_epoch(batches):
        if augment:
            images = augment(images)
    if images is None:
        raise ValueError("Expected batches of photos, received none. Is the folder empty?")
    # A GPU computes one thing after the other: when the last pixel is here, all is done.
    keras.ops.convert_to_numpy(images[-1:, -1:, -1:])


def _one_epoch(batches: Iterable) -> Iterable:
    if isinstance(batches, keras.utils.PyDataset):
        return (batches[number] for number in range(len(batches)))
    return batches


def collect(batches: Iterable) -> tuple[np.ndarray, np.ndarray]:
    """Returns the images and labels of one epoch, in the order in which they come.

    Args:
        batches: As in `use_up`.

    Returns:
        Images, float32 (count, height, width, 3), and labels, float32 (count, 1), whether they
        come as (batch, 1) or, as from `flow_from_directory`, as (batch,).

    Raises:
        ValueError: If there is no batch.
    """
    pairs = [tuple(map(np.asarray, batch)) for batch in _one_epoch(batches)]
    if not pairs:
        raise ValueError("Expected batches of photos, received none. Is the folder empty?")
    images, labels = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return images, labels.reshape(-1, 1)


def find_device(values) -> str:
    """Returns where an array or a tensor lies: `"CPU"` or `"GPU"`.

    Args:
        values: A NumPy array or an eager tensor.
    """
    return "GPU" if "GPU" in str(values.device).upper() else "CPU"


def time_in_turns(ways: Mapping[str, Callable[[], object]], *, rounds: int = 5) -> pd.DataFrame:
    """Times several ways of doing the same, taking turns, so that a busy machine disturbs all.

    Every other round goes backwards, so that no way always comes after the same other one. The
    first round builds graphs and fills caches: it is kept apart as round 0.

    Args:
        ways: From a name to a function without arguments that returns when all is done.
        rounds: How many rounds count, from 1.

    Returns:
        Seconds, float64: one row a round (index `round`, 0 being the warm-up), one column a way.

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


def summarise_rounds(seconds: pd.DataFrame, *, photos: int | Mapping[str, int]) -> pd.DataFrame:
    """Returns photos a second, from seconds by round; the warm-up does not count.

    Args:
        seconds: As `time_in_turns` returns them.
        photos: How many photos one round of each way goes through.

    Returns:
        One row a way: `photos a second` (the median of the rounds), `slowest` and `fastest`
        round, also in photos a second, and `warm-up`, in seconds.

    Raises:
        ValueError: If the photos of a way are not told.
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
            "photos a second": counts / seconds.loc[1:].median(),
            "slowest": speeds.min(),
            "fastest": speeds.max(),
            "warm-up": seconds.loc[0],
        }
    )


def make_pale(images: np.ndarray) -> np.ndarray:
    """Returns photos squeezed into the middle of the range, so that a draw can be read off them.

    With pixels from 0.25 to 0.75, no contrast factor up to 1.5 drives one out of [0, 1], where
    it would be cut off. They are whole 255ths, so that writing them as PNG changes nothing.

    Args:
        images: float in [0, 1], shape (count, height, width, 3).

    Returns:
        float32, the same shape.
    """
    return (np.round((0.25 + np.asarray(images) / 2) * 255) / 255).astype("float32")


def recover_draws(photos: np.ndarray, views: np.ndarray) -> pd.DataFrame:
    """Returns what happened to each photo: whether it was mirrored, and its contrast factor.

    Contrast multiplies each channel's distance from its mean, so the factor is the slope of the
    view's pixels over the photo's; whichever of the photo and its mirror image fits better tells
    of the flip.

    Args:
        photos: float in [0, 1], shape (count, height, width, 3), as `make_pale` returns them.
        views: The same photos, in the same order, after a horizontal flip and a contrast.

    Returns:
        One row a photo: `flipped`, bool, and `factor`, float64.

    Raises:
        ValueError: If a photo is its own mirror image, so that no flip shows; or a view is not
            its photo, mirrored or not, at another contrast.

    Source: `keras.layers.RandomContrast`: (pixel - mean) * factor + mean, channel by channel.
    """
    photos, views = (np.asarray(images, "float64") for images in (photos, views))
    if photos.shape != views.shape:
        raise ValueError(
            f"Expected one view of each photo, received photos of shape {photos.shape} and views "
            f"of shape {views.shape}. Repeat a photo with np.repeat for several views of it."
        )
    fits = [_fit_contrast(originals, views) for originals in (photos, photos[:, :, ::-1])]
    (upright, upright_rest), (mirrored, mirrored_rest) = fits
    twofold = np.isclose(upright_rest, mirrored_rest, atol=1e-3)
    foreign = np.minimum(upright_rest, mirrored_rest) > LARGEST_REST
    if foreign.any():
        raise ValueError(
            "Expected views that are their photos, mirrored or not, at another contrast; received "
            f"{foreign.sum()} of {len(views)} that are not, the first at {foreign.argmax()}. Are "
            "they in the same order, and pale enough that nothing is cut off?"
        )
    if twofold.any():
        raise ValueError(
            "Expected photos that differ from their mirror image, received "
            f"{twofold.sum()} of {len(photos)} that do not, the first at {twofold.argmax()}. "
            "Leave them out: a flip does not show on them."
        )
    flipped = mirrored_rest < upright_rest
    return pd.DataFrame({"flipped": flipped, "factor": np.where(flipped, mirrored, upright)})


def _fit_contrast(photos: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns each view's slope over its photo, and the share of the view that is left over."""

    def centre(images):
        return (images - images.mean(axis=(1, 2), keepdims=True)).reshape(len(images), -1)

    photos, views = centre(photos), centre(views)
    factors = (photos * views).sum(axis=1) / np.maximum((photos**2).sum(axis=1), 1e-12)
    rest = np.linalg.norm(views - factors[:, None] * photos, axis=1)
    return factors, rest / np.maximum(np.linalg.norm(views, axis=1), 1e-12)


def read_stored_views(
    layers: Sequence[keras.Layer], images: np.ndarray, *, views: int, seed: int
) -> np.ndarray:
    """Returns the very views whose features would be stored for these layers.

    In the place of VGG16 stands a base that lets photos through, so that what is stored can be
    looked at.

    Args:
        layers: Augmentation layers, in their order.
        images: float in [0, 1], shape (count, height, width, 3); small ones, since all their
            views are kept in the cache.
        views: How many views of each photo; a flip alone has two, whatever this says.
        seed: Of the dice.

    Returns:
        float32 in [0, 1], shape (views, count, height, width, 3).
    """
    unlabelled = (np.asarray(images), np.zeros((len(images), 1)))
    photos = splits_from_arrays(unlabelled, unlabelled, class_names=("", ""), source="").valid
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
