"""The frozen base's features of every view of every photo: computed once, kept on disk.

A frozen base gives the same features for the same pixels, epoch after epoch. So each photo, and
each augmented version ("view") of it, goes through the base once; the head then trains on what
came out. A view's features lie in one folder as blocks of some hundred photos, found by each
photo's own key, so that a part of the photos, more photos, or an interrupted run all use what is
there already.
"""

import hashlib
import time
import uuid
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from course_utils.core import backend, settings
from course_utils.core.files import atomic_write
from course_utils.core.progress import Progress, describe_seconds
from course_utils.data.dataset import Photos
from course_utils.features import forward
from course_utils.features.batches import StoredFeatures
from course_utils.features.passes import ViewPass
from course_utils.features.storable import check_storable
from course_utils.features.views import View
from course_utils.models.fingerprints import fingerprint_base

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

BLOCK = 256  # photos in one file: what a killed run loses at the most


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
        self._described = fingerprint_base(base)
        self._view_pass = None
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
        about = f"{self._described}|{self.precision}|{view.fingerprint}"
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
        with atomic_write(_features_path(path)) as beside, open(beside, "wb") as stream:
            # NumPy's format knows no bfloat16; its two bytes are kept as they are.
            np.save(stream, features.view(np.uint16) if self.precision == "bfloat16" else features)
        with atomic_write(path) as beside, open(beside, "wb") as stream:
            np.save(stream, keys)

    def _pass(self, photos: Photos, positions: np.ndarray, view: View) -> np.ndarray:
        if self._view_pass is None:
            self._view_pass = ViewPass(
                self.front, self._base, precision=self.precision, seed=self.seed
            )
        return self._view_pass(photos, positions, view)


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
    for note in check_storable(front, base, needed[0][0].image_size):
        if progress:
            print(note, flush=True)
    # A view that does nothing is the clean one; each is computed once.
    wanted = {
        (number, view.fingerprint): (photos, view)
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
