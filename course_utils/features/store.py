"""The frozen base's features of every view of every photo: computed once, kept on disk.

A frozen base gives the same features for the same pixels, epoch after epoch. So each photo, and
each augmented version ("view") of it, goes through the base once; the head then trains on what
came out. A view's features are in one folder of the cache as blocks of some hundred photos, found
by each photo's own key, so that a part of the photos, more photos, or an interrupted run all use
what is there already.
"""

import time
from collections.abc import Sequence

import numpy as np

from course_utils.core import backend, cache
from course_utils.core.entries import Entry
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
    """Computes features where they are missing, and opens them where they are.

    Args:
        front: The model's layers before the base.
        base: The frozen base.
        precision: `"float32"` or `"bfloat16"`: what the base computes in and the files hold.
        seed: Of the random draws. A draw depends on the photo, the view and this, on nothing else.
    """

    def __init__(self, front: Sequence[keras.Layer], base: keras.Model, *, precision, seed: int):
        self.front = tuple(front)
        self.precision = precision
        self.seed = seed
        self._base = base
        self._described = fingerprint_base(base)
        self._view_pass = None
        self._keys: dict[Entry, np.ndarray] = {}  # of the photos of each block that is open

    def count_missing(self, photos: Photos, view: View) -> int:
        """Returns how many photos' features are yet to be computed."""
        return len(self._find_missing(photos, self._find_blocks(photos, view)))

    def compute(self, photos: Photos, view: View, progress: Progress) -> None:
        """Computes and stores the features that are missing, block by block.

        Args:
            photos: The photos.
            view: Which version of them.
            progress: Advanced by the photos done.
        """
        missing = self._find_missing(photos, self._find_blocks(photos, view))
        for start in range(0, len(missing), BLOCK):
            positions = missing[start : start + BLOCK]
            features = []
            for first in range(0, len(positions), forward.BATCH):
                batch = positions[first : first + forward.BATCH]
                features.append(self._pass(photos, batch, view))
                progress.advance(len(batch))
            self._write_block(photos, view, photos.keys[positions], np.concatenate(features))

    def open(self, photos: Photos, view: View) -> StoredFeatures:
        """Returns the features of photos that all have been computed.

        Raises:
            LookupError: If some are missing.
        """
        blocks = self._find_blocks(photos, view)
        where = _index_keys(blocks)
        try:
            places = np.array([where[key] for key in photos.keys.tolist()])
        except KeyError:
            missing = len(self._find_missing(photos, blocks))
            raise LookupError(
                f"Expected stored features of {photos.count} photos, but {missing} are missing "
                f"in {self._folder(photos, view)}. Run the cell again: it computes what is missing."
            ) from None
        stored = [block["features"] for _, block in blocks]
        return StoredFeatures(stored, places, self.precision)

    def measure_speed(self, photos: Photos, view: View) -> float:
        """Returns how many photos per second go through front and base here, measured.

        It computes and stores features that are missing anyway, of 64 photos at the most.

        Args:
            photos: The photos, of which some are missing.
            view: Which version of them.
        """
        batch = forward.BATCH
        missing = self._find_missing(photos, self._find_blocks(photos, view))[: 2 * batch]
        # The first pass builds the graph; where there is one alone, it counts with that.
        passes = [missing[start : start + batch] for start in range(0, len(missing), batch)]
        features = []
        for positions in passes:
            start = time.perf_counter()
            features.append(self._pass(photos, positions, view))
            speed = len(positions) / (time.perf_counter() - start)
        self._write_block(photos, view, photos.keys[missing], np.concatenate(features))
        return speed

    def _folder(self, photos: Photos, view: View) -> str:
        """Returns the folder of a view's blocks, by all that their features depend on."""
        about = [self._described, self.precision, view.fingerprint, list(photos.image_size)]
        return f"features/{cache.digest(about)}"

    def _find_blocks(self, photos: Photos, view: View) -> list[tuple[np.ndarray, Entry]]:
        """Returns (keys, block) of every block of the prepared folder and the cache."""
        stored = "uint16" if self.precision == "bfloat16" else "float32"
        arrays = {
            "keys": ("uint64", (None,)),
            "features": (stored, (None, ...)),  # The front may crop, so the base does not tell.
        }
        blocks = cache.load_folder(self._folder(photos, view), arrays=arrays)
        for block in blocks:
            if block not in self._keys:
                self._keys[block] = block["keys"][:]
        return [(self._keys[block], block) for block in blocks]

    def _find_missing(self, photos: Photos, blocks) -> np.ndarray:
        stored = _index_keys(blocks)
        seen, missing = set(), []
        for position, key in enumerate(photos.keys.tolist()):
            if key not in stored and key not in seen:
                missing.append(position)
                seen.add(key)
        return np.array(missing, dtype=int)

    def _write_block(
        self, photos: Photos, view: View, keys: np.ndarray, features: np.ndarray
    ) -> None:
        # NumPy's own types have no bfloat16; its two bytes are kept as they are.
        stored = features.view(np.uint16) if self.precision == "bfloat16" else features
        name = cache.name_entry(self._folder(photos, view), keys.tolist())
        cache.save(name, {"keys": keys, "features": stored}, replace=False)

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
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the one that all features are cached
            in, or else the faster one here.
        seed: Of the random draws.
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
        seconds = max(1, missing / speed)
        print(
            f"Running {missing:,} images through the frozen base once: about "
            f"{describe_seconds(seconds)}. The results are cached.",
            flush=True,
        )
        missing = count_missing(store)
    elif progress:
        print("Using cached features.", flush=True)
    with Progress(missing, "Frozen base", shown=progress) as line:
        for photos, view in wanted:
            store.compute(photos, view, line)
    return store


def _index_keys(blocks) -> dict[int, tuple[int, int]]:
    return {
        key: (number, row)
        for number, (keys, _) in enumerate(blocks)
        for row, key in enumerate(keys.tolist())
    }
