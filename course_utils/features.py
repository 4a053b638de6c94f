"""The frozen base's features of every view of every photo: computed once, kept on disk.

A frozen base gives the same features for the same pixels, epoch after epoch. So each photo, and
each augmented version ("view") of it, goes through the base once; the head then trains on what
came out. A view's features lie in one folder as blocks of some hundred photos, found by each
photo's own key, so that a part of the photos, more photos, or an interrupted run all use what is
there already.
"""

import hashlib
import itertools
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from course_utils import bases, forward, runtime, settings
from course_utils.data import Photos, epoch_order
from course_utils.files import write_whole
from course_utils.progress import Progress, describe_seconds

tensorflow = runtime.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)
import ml_dtypes  # noqa: E402

BLOCK = 256  # photos in one file: what a killed run loses at the most


@dataclass(frozen=True)
class View:
    """One version of the photos: as they are, changed alike, or augmented by the layers' own dice.

    Args:
        description: Text that is equal for equal versions, and for no others.
        flips: For each `RandomFlip` of the front, whether it flips; `None` if dice decide.
        number: Which throw of the dice this is.
        change: What is done to every photo alike before it enters the front: from images to
            images, float32 (batch, height, width, 3); `None` leaves them as they are.
    """

    description: str
    flips: tuple[bool, ...] | None
    number: int = 0
    change: Callable | None = field(default=None, repr=False, compare=False)


def is_random(layer: keras.Layer) -> bool:
    """Whether a layer throws dice: whether it, or a layer inside it, holds a seed's state."""
    return bool(_seed_states(layer))


def _seed_states(layer: keras.Layer) -> list:
    return [variable for variable in layer.variables if variable.name == "seed_generator_state"]


@contextmanager
def keep_dice(layers: Sequence[keras.Layer]) -> Iterator[list]:
    """Gives the variables that hold the layers' dice, and puts these back where they were.

    Args:
        layers: Keras layers, random or not.
    """
    states = [state for layer in layers for state in _seed_states(layer)]
    kept = [state.numpy() for state in states]
    try:
        yield states
    finally:
        for state, value in zip(states, kept, strict=True):
            state.assign(value)


def list_views(front: Sequence[keras.Layer], *, views: int, seed: int) -> list[View]:
    """Returns the views of the train photos that training draws from, equally likely each.

    What has few outcomes is listed exactly: one where nothing is random, two for a flip, four
    for two flips. Otherwise there are `views` throws of the dice.

    Args:
        front: The model's layers before the base.
        views: How many throws of the dice.
        seed: Of the dice.

    Raises:
        ValueError: If `views` is under 1.
    """
    if not isinstance(views, int) or views < 1:
        raise ValueError(f"Expected `views` to be a whole number from 1, received {views!r}.")
    random = [layer for layer in front if is_random(layer)]
    if all(isinstance(layer, keras.layers.RandomFlip) for layer in random):
        outcomes = itertools.product((False, True), repeat=len(random))
        return [View(_describe(front, flips), flips) for flips in outcomes]
    return [
        View(_describe(front, None) + f", seed {seed}, throw {number}", None, number)
        for number in range(views)
    ]


def clean_view(front: Sequence[keras.Layer]) -> View:
    """Returns the view that `predict` sees: nothing random happens."""
    flips = (False,) * sum(isinstance(layer, keras.layers.RandomFlip) for layer in front)
    return View(_describe(front, flips), flips)


def changed_view(front: Sequence[keras.Layer], change: Callable, about: Sequence) -> View:
    """Returns the view that `predict` sees of photos that all have been changed alike.

    Args:
        front: The model's layers before the base.
        change: As in `View`.
        about: What JSON can write; equal for equal changes, and for no others.
    """
    clean = clean_view(front)
    described = json.dumps(["changed", about], sort_keys=True)
    return View(f"{described} {clean.description}", clean.flips, change=change)


def _describe(front, flips) -> str:
    """Says what the front does to a photo; a random layer that does nothing is left out."""
    steps, outcome = [], iter(flips or ())
    for layer in front:
        if not is_random(layer):
            weights = [
                hashlib.sha256(weight.tobytes()).hexdigest()[:12] for weight in layer.get_weights()
            ]
            steps.append([type(layer).__name__, bases.describe_layer(layer), weights])
        elif flips is None:
            steps.append([type(layer).__name__, bases.describe_layer(layer)])
        elif isinstance(layer, keras.layers.RandomFlip) and next(outcome):
            steps.append(["flipped", _flipped_axes(layer)])
    return json.dumps(steps, sort_keys=True, default=str)


def _flipped_axes(layer: keras.layers.RandomFlip) -> list[int]:
    axes = {"horizontal": [2], "vertical": [1], "horizontal_and_vertical": [1, 2]}
    return axes[layer.mode]


class StoredFeatures:
    """The features of one view of a set of photos, read from memory-mapped blocks.

    Args:
        blocks: Arrays of features, (photos, …) each.
        places: int64, shape (count, 2): each photo's block and its row there.
        precision: `"float32"` or `"bfloat16"`, what the blocks hold.
    """

    def __init__(self, blocks: list[np.ndarray], places: np.ndarray, precision: str):
        # Plain arrays over the same mapped files: NumPy takes ten times as long to index a memmap.
        self.blocks = [np.asarray(block) for block in blocks]
        if precision == "bfloat16":
            self.blocks = [block.view(ml_dtypes.bfloat16) for block in self.blocks]
        self.places = places
        self.precision = precision
        self.shape = blocks[0].shape[1:]

    @property
    def count(self) -> int:
        """The number of photos."""
        return len(self.places)

    def __getitem__(self, position: int) -> np.ndarray:
        """Returns one photo's features as they are stored, shape (height, width, channels).

        Args:
            position: Which photo, from 0 to `count` - 1.
        """
        block, row = self.places[position]
        return self.blocks[block][row]

    def read(self, positions) -> np.ndarray:
        """Returns features as float32, shape (len(positions), height, width, channels).

        Args:
            positions: Which photos, from 0 to `count` - 1.
        """
        features = np.empty((len(positions), *self.shape), "float32")
        for place, position in enumerate(positions):
            features[place] = self[position]
        return features


class StoredViews:
    """Batches of stored features: each photo once an epoch, in one view drawn at random.

    Args:
        views: The views' features, of the same photos in the same order.
        labels: float32, shape (count, 1).
        batch_size: Photos in a batch; the last batch may be smaller.
        shuffle: Whether each epoch has its own order, as `Photos` has with the same seed.
        seed: Of the order and of the draw among views.
    """

    def __init__(self, views, labels, *, batch_size=64, shuffle=False, seed=31415):
        self.views = views
        self.labels = labels
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def read_epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Gives the batches of an epoch: features, float32 (batch, …), and labels.

        Args:
            epoch: The epoch's number, from 0.
        """
        count = len(self.labels)
        order = np.arange(count)
        if self.shuffle:
            order = epoch_order(count, seed=self.seed, epoch=epoch)
        drawn = draw_views(count, len(self.views), seed=self.seed, epoch=epoch)
        for start in range(0, count, self.batch_size):
            chosen = order[start : start + self.batch_size]
            features = np.empty((len(chosen), *self.views[0].shape), "float32")
            # Photo by photo, so that each is copied once, straight to its place.
            for place, photo in enumerate(chosen):
                features[place] = self.views[drawn[photo]][photo]
            yield features, self.labels[chosen]

    def as_dataset(self):
        """Returns a `tf.data.Dataset` that goes through epoch 0, 1, 2 … each time it is used.

        Keras traces a Python data set anew for every `evaluate`, which costs more than the head
        itself; a `tf.data.Dataset` is traced once. `from_generator` would make each batch cost
        twice: it sets glibc's M_TRIM_THRESHOLD, and memory is asked of the system every time.
        """
        epochs, batches = itertools.count(), iter(())

        def read(step):
            nonlocal batches
            if step == 0:
                batches = self.read_epoch(next(epochs))
            return next(batches)

        def read_batch(step):
            features, labels = tensorflow.numpy_function(read, [step], ["float32", "float32"])
            features.set_shape((None, *self.views[0].shape))
            labels.set_shape((None, 1))
            return features, labels

        return tensorflow.data.Dataset.range(len(self)).map(read_batch).prefetch(2)


def draw_views(count: int, views: int, *, seed: int, epoch: int) -> np.ndarray:
    """Returns which stored view of each photo an epoch uses: int64, shape (count,).

    Args:
        count: The number of photos.
        views: The number of stored views; each is equally likely.
        seed: The run's seed.
        epoch: The epoch's number, from 0.
    """
    return np.random.default_rng([seed, epoch, 1]).integers(views, size=count)


class FeatureStore:
    """Computes features where they are missing, and opens them where they lie.

    Args:
        front: The model's layers before the base.
        base: The frozen base.
        precision: `"float32"` or `"bfloat16"`: what the base computes in and the files hold.
        seed: Of the dice. A draw depends on the photo, the view and this, on nothing else.
    """

    def __init__(self, front: Sequence[keras.Layer], base: keras.Model, *, precision, seed: int):
        self.front = tuple(front)
        self.precision = precision
        self.seed = seed
        self._base = base
        self._described = bases.describe_base(base)
        self._states = [state for layer in self.front for state in _seed_states(layer)]
        self._forward = None
        # Blocks that are open, by their keys' path: a mapped file holds a file handle, of which
        # a process has few. `None` stands for a damaged one that has been told of.
        self._opened: dict[Path, tuple[np.ndarray, np.ndarray] | None] = {}

    def count_missing(self, photos: Photos, view: View) -> int:
        """Returns how many photos' features are yet to be computed."""
        return len(self._find_missing(photos, self._find_blocks(view)))

    def compute(self, photos: Photos, view: View, progress: Progress) -> None:
        """Computes and stores the features that are missing, block by block.

        Args:
            photos: The photos.
            view: Which version of them.
            progress: Advanced by the photos done.
        """
        missing = self._find_missing(photos, self._find_blocks(view))
        for start in range(0, len(missing), BLOCK):
            positions = missing[start : start + BLOCK]
            features = []
            for first in range(0, len(positions), forward.BATCH):
                batch = positions[first : first + forward.BATCH]
                features.append(self._pass(photos, batch, view))
                progress.advance(len(batch))
            self._write_block(view, photos.keys[positions], np.concatenate(features))

    def open(self, photos: Photos, view: View) -> StoredFeatures:
        """Returns the features of photos that all have been computed.

        Raises:
            LookupError: If some are missing.
        """
        blocks = self._find_blocks(view)
        where = _index_keys(blocks)
        try:
            places = np.array([where[key] for key in photos.keys.tolist()])
        except KeyError:
            missing = len(self._find_missing(photos, blocks))
            raise LookupError(
                f"Expected stored features of {photos.count} photos, but {missing} are missing "
                f"in {self._folder(view)}. Run the cell again: it computes what is missing."
            ) from None
        return StoredFeatures([features for _, features in blocks], places, self.precision)

    def measure_speed(self, photos: Photos, view: View) -> float:
        """Returns how many photos a second go through front and base here, measured.

        It computes and stores features that are missing anyway, of 64 photos at the most.

        Args:
            photos: The photos, of which some are missing.
            view: Which version of them.
        """
        batch = forward.BATCH
        missing = self._find_missing(photos, self._find_blocks(view))[: 2 * batch]
        # The first pass builds the graph; where there is one alone, it counts with that.
        passes = [missing[start : start + batch] for start in range(0, len(missing), batch)]
        features = []
        for positions in passes:
            start = time.perf_counter()
            features.append(self._pass(photos, positions, view))
            speed = len(positions) / (time.perf_counter() - start)
        self._write_block(view, photos.keys[missing], np.concatenate(features))
        return speed

    def _folder(self, view: View) -> Path:
        about = f"{self._described}|{self.precision}|{view.description}"
        return Path("features", hashlib.sha256(about.encode()).hexdigest()[:20])

    def _find_blocks(self, view: View) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns (keys, features) of every block that lies whole in the prepared folder or the
        cache."""
        blocks = []
        for root in (settings.prepared_dir(), settings.cache_dir()):
            # Keys are renamed into place after their features: where they stand, both stand.
            for path in sorted((root / self._folder(view)).glob("*.keys.npy")) if root else ():
                if path not in self._opened:
                    self._opened[path] = self._open_block(path)
                blocks.append(self._opened[path])
        return [block for block in blocks if block]

    def _open_block(self, path: Path) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns the (keys, features) of a block, or says that it is damaged."""
        try:
            keys = np.load(path)
            features = np.load(_features_path(path), mmap_mode="r")
            stored = "uint16" if self.precision == "bfloat16" else "float32"
            if keys.dtype != np.uint64 or features.dtype != stored:
                raise ValueError(f"{keys.dtype} keys and {features.dtype} features")
            if features.shape != (*keys.shape, *self._base.output_shape[1:]):
                raise ValueError(f"{keys.shape} keys for features of shape {features.shape}")
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            print(f"A block of stored features is damaged and left out: {path} ({error}).")
            return None
        return keys, features

    def _find_missing(self, photos: Photos, blocks) -> np.ndarray:
        stored = _index_keys(blocks)
        seen, missing = set(), []
        for position, key in enumerate(photos.keys.tolist()):
            if key not in stored and key not in seen:
                missing.append(position)
                seen.add(key)
        return np.array(missing, dtype=int)

    def _write_block(self, view: View, keys: np.ndarray, features: np.ndarray) -> None:
        folder = settings.cache_dir() / self._folder(view)
        path = folder / f"{uuid.uuid4().hex}.keys.npy"
        with write_whole(_features_path(path)) as beside, open(beside, "wb") as stream:
            # NumPy's format knows no bfloat16; its two bytes are kept as they are.
            np.save(stream, features.view(np.uint16) if self.precision == "bfloat16" else features)
        with write_whole(path) as beside, open(beside, "wb") as stream:
            np.save(stream, keys)

    def _pass(self, photos: Photos, positions: np.ndarray, view: View) -> np.ndarray:
        if self._forward is None:
            self._forward = forward.ForwardPass(self._base, self.precision)
            self._augment = tensorflow.function(
                self._augment_each, autograph=False, reduce_retracing=True
            )
        images = tensorflow.convert_to_tensor(photos.read(positions))
        with keep_dice(self.front):
            if view.change is not None:
                images = view.change(images)
            if view.flips is not None:
                images = self._apply_outcome(images, view.flips)
            else:
                states = self._draw_states(photos.keys[positions], view.number)
                images = self._augment(images, states)
        return self._forward(images).numpy()

    def _apply_outcome(self, images, flips: tuple[bool, ...]):
        outcome = iter(flips)
        for layer in self.front:
            if isinstance(layer, keras.layers.RandomFlip):
                if next(outcome):
                    images = tensorflow.reverse(images, _flipped_axes(layer))
            else:
                images = layer(images, training=False)
        return images

    def _augment_each(self, images, states):
        """Augments photo by photo, each with the dice that are its own."""

        def augment(image_and_states):
            image, own_states = image_and_states
            for number, state in enumerate(self._states):
                state.assign(own_states[number])
            batch = image[None]
            for layer in self.front:
                batch = layer(batch, training=True)
            return tensorflow.cast(batch[0], "float32")

        # One after the other: the photos share the variables that hold the dice.
        return tensorflow.map_fn(
            augment, (images, states), fn_output_signature="float32", parallel_iterations=1
        )

    def _draw_states(self, keys: np.ndarray, number: int) -> np.ndarray:
        """Returns the dice of each photo: uint32, shape (photos, random layers, 2)."""
        states = [
            hashlib.blake2b(f"{key} {number} {self.seed} {layer}".encode(), digest_size=8).digest()
            for key in keys.tolist()
            for layer in range(len(self._states))
        ]
        return np.frombuffer(b"".join(states), dtype="<u4").reshape(len(keys), len(self._states), 2)


def prepare_features(
    front: Sequence[keras.Layer],
    base: keras.Model,
    needed: Sequence[tuple[Photos, Sequence[View]]],
    *,
    precision: str = "auto",
    seed: int,
    progress: bool = True,
) -> FeatureStore:
    """Computes whatever features are missing, says how long it will take, and returns the store.

    Args:
        front: The model's layers before the base.
        base: The frozen base.
        needed: Photos, and the views of them that are wanted.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the one that all features lie ready
            in, or else the faster one here.
        seed: Of the dice.
        progress: Whether to print what is done and show a line with the time left.
    """
    # A view that does nothing is the clean one; each is computed once.
    wanted = {
        (number, view.description): (photos, view)
        for number, (photos, views) in enumerate(needed)
        for view in views
    }.values()

    def build(chosen):
        return FeatureStore(front, base, precision=chosen, seed=seed)

    def count_missing(store):
        return sum(store.count_missing(photos, view) for photos, view in wanted)

    if precision == "auto":
        ready = (each for each in forward.PRECISIONS if not count_missing(build(each)))
        precision = next(ready, None) or forward.choose_precision(base)
    store = build(precision)
    missing = count_missing(store)
    if progress and missing:
        timed = [each for each in wanted if store.count_missing(*each)][-1]
        speed = store.measure_speed(*timed)
        print(
            f"{missing:,} photos and views go through the frozen base once, in {precision}: about "
            f"{describe_seconds(missing / speed)} at the {speed:.0f} a second measured just now. "
            "The results are kept.",
            flush=True,
        )
        missing = count_missing(store)
    elif progress:
        print(f"All features lie ready from an earlier run, in {precision}.", flush=True)
    with Progress(missing, "Frozen base", shown=progress) as line:
        for photos, view in wanted:
            store.compute(photos, view, line)
    return store


def _features_path(keys_path: Path) -> Path:
    return keys_path.with_name(keys_path.name.replace(".keys.npy", ".features.npy"))


def _index_keys(blocks) -> dict[int, tuple[int, int]]:
    return {
        key: (number, row)
        for number, (keys, _) in enumerate(blocks)
        for row, key in enumerate(keys.tolist())
    }
