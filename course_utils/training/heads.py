"""Many heads that train on the same stored features, each in an order of its own.

The heads are the lesson's: two dense layers, Adam, binary cross-entropy. Keras would need a model
of all heads, and a batch for each head in it: forty megabytes in each step, which go through memory
several times. Here one head at a time trains for an epoch, so that its batch and its weights stay
in the processor's cache, and the heads are spread over the processor's cores. It is the same
arithmetic as Keras's: a test trains the same head with `fit`.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from course_utils.core import backend
from course_utils.core.checks import check_choice
from course_utils.data.dataset import Splits
from course_utils.features.batches import StoredFeatures, StoredViews, read_rows
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view, list_views
from course_utils.models.classifier import HEADS, Head
from course_utils.models.partition import Parts
from course_utils.training.batch_changes import BatchChange, change_batch
from course_utils.training.head_death import is_constant
from course_utils.training.kept_features import FREE_PART, count_free_bytes

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

EVALUATION_BATCH = 512  # photos' features at once: 16 MB
SMALLEST = 1e-7  # Keras's own limit to what a probability may be in the cross-entropy
# Keras's defaults for Adam.
LEARNING_RATE, MEAN_DECAY, SQUARE_DECAY, EPSILON = 1e-3, 0.9, 0.999, 1e-7


def open_features(
    parts: Parts, splits: Splits, *, views: int, seed: int, precision: str, progress: bool
) -> tuple[list[StoredFeatures], StoredFeatures, StoredFeatures]:
    """Returns features of the training photos in every view, and clean ones of both splits.

    What is missing is computed first.

    Args:
        parts: A model's augmentation layers, base and head.
        splits: The photos.
        views: How many random draws there are of each photo.
        seed: Of these draws.
        precision: `"float32"`, `"bfloat16"` or `"auto"`.
        progress: Whether to say what is computed.
    """
    drawn = list_views(parts.front, views=views, seed=seed)
    clean = clean_view(parts.front)
    needed = [(splits.valid, [clean]), (splits.train, [clean, *drawn])]
    store = prepare_features(
        parts.front, parts.base, needed, precision=precision, seed=seed, progress=progress
    )
    opened = [store.open(splits.train, view) for view in drawn]
    return opened, store.open(splits.train, clean), store.open(splits.valid, clean)


@dataclass(frozen=True)
class Order:
    """In which order and in which views each run sees the photos.

    The same for every policy: run k uses a number u between 0 and 1 for each photo and epoch, and
    sees the view floor(u · n) of a policy's n stored views.

    Args:
        seed: Another one gives every run another order and other draws.
        runs: The number of each run.
    """

    seed: int
    runs: Sequence[int]

    def draw(self, run: int, epoch: int, *, count: int, views: int) -> tuple[np.ndarray, ...]:
        """Returns an epoch's order of the photos, and the view of each photo.

        Args:
            run: The run's place in `runs`.
            epoch: The epoch's number, from 0.
            count: The number of photos.
            views: The number of stored views.

        Returns:
            Two int64 arrays, shape (count,): a permutation of the photos, and each photo's view,
            from 0 to `views` - 1, in the photos' own order.

        Example:
            >>> order = Order(seed=31415, runs=[20, 21])
            >>> two, four = (order.draw(0, 0, count=99, views=views)[1] for views in (2, 4))
            >>> bool((two == four // 2).all())
            True
        """
        random = np.random.default_rng([self.seed, self.runs[run], epoch])
        return random.permutation(count), (random.random(count) * views).astype(int)

    def draw_changes(self, run: int, epoch: int) -> np.random.Generator:
        """Returns what an epoch's changes of features and labels draw from.

        Args:
            run: The run's place in `runs`.
            epoch: The epoch's number, from 0.
        """
        return np.random.default_rng([self.seed, self.runs[run], epoch, 1])


class Heads:
    """Heads of two dense layers that train on the same stored features, each as it would alone.

    Args:
        weights: float32 arrays as `gather_weights` gives them.
        head: Which kind they are: `"lesson"` or `"stable"`, as `build_head` builds them.
    """

    def __init__(self, weights: Sequence[np.ndarray], *, head: str):
        self.weights = [np.array(each, "float32") for each in weights]
        self.head = check_choice("head", head, HEADS)

    @property
    def size(self) -> int:
        """The number of features of a photo."""
        return self.weights[0].shape[-1]

    def fit(
        self,
        views: Sequence[StoredFeatures],
        labels: np.ndarray,
        *,
        order: Order,
        batch_size: int,
        epochs: int,
        change: BatchChange | None = None,
        on_epoch_end: Callable[[int], None] = lambda epoch: None,
    ) -> None:
        """Trains every head, with Adam as Keras compiles it by default.

        Args:
            views: The stored views of the training photos.
            labels: 0 or 1, shape (photos, 1).
            order: Each head's order of the photos, and its draws among the views.
            batch_size: Photos in a batch; the last batch of an epoch may be smaller.
            epochs: How often every photo is used.
            change: A function of each batch's features, (batch, features), its labels, (batch, 1),
                and a random generator, which returns what the head learns from instead; labels
                may then lie between 0 and 1.
            on_epoch_end: Called with the epoch's number, from 0, when all heads have finished it.
        """
        read, targets = hold_rows(views), labels[:, 0].astype("float32")
        kind = HEADS[self.head]
        trained = [_Training(each, kind) for each in zip(*self.weights, strict=True)]

        def train_epoch(epoch: int, run: int) -> None:
            photos, drawn = order.draw(run, epoch, count=len(targets), views=len(views))
            random = order.draw_changes(run, epoch)
            for start in range(0, len(photos), batch_size):
                batch = photos[start : start + batch_size]
                given = read(drawn[batch], batch), targets[batch]
                trained[run].step(*(change_batch(change, *given, random) if change else given))

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for epoch in range(epochs):
                with threadpool_limits(1, user_api="blas"):  # One head keeps one core busy.
                    list(pool.map(partial(train_epoch, epoch), range(len(trained))))
                for place, each in enumerate(self.weights):
                    each[...] = [training.weights[place] for training in trained]
                on_epoch_end(epoch)

    def predict(self, views: StoredViews, *, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Returns every head's probabilities, and which heads' probabilities vary.

        Args:
            views: Photos in their own order, a batch as large as memory allows.
            epoch: Which epoch's draw of the views.

        Returns:
            float32, shape (photos, heads), and bool, shape (heads,).
        """
        kernels, biases, outputs, output_biases = self.weights
        transposed = kernels.reshape(-1, self.size).T
        kind, batches = HEADS[self.head], []
        for read, _ in views.read_epoch(epoch):
            hidden = read.reshape(len(read), -1) @ transposed
            hidden = hidden * np.float32(kind.scale) + biases.reshape(-1)
            hidden = np.maximum(hidden, np.float32(kind.slope) * hidden)
            hidden = hidden.reshape(len(read), *outputs.shape)
            batches.append(expit(np.einsum("bsh,sh->bs", hidden, outputs) + output_biases))
        probabilities = np.concatenate(batches)
        varies = ~is_constant(probabilities.min(axis=0), probabilities.max(axis=0))
        return probabilities, varies


class _Training:
    """One head while it trains: its weights, and what Adam remembers of their gradients.

    Args:
        weights: Hidden kernel (units, features), hidden biases (units,), output kernel (units,),
            output bias ().
        kind: Of the head.
    """

    def __init__(self, weights: Sequence[np.ndarray], kind: Head):
        sizes = np.cumsum([np.size(each) for each in weights])[:-1]
        # All weights in one array, so that Adam takes one pass over them.
        self._flat = np.concatenate([np.ravel(each) for each in weights])
        self._mean, self._square = np.zeros_like(self._flat), np.zeros_like(self._flat)
        self._gradient, self._scratch = np.empty_like(self._flat), np.empty_like(self._flat)
        self.weights, self._gradients = (
            [
                part.reshape(np.shape(each))
                for part, each in zip(np.split(flat, sizes), weights, strict=True)
            ]
            for flat in (self._flat, self._gradient)
        )
        self._slope, self._scale = np.float32(kind.slope), np.float32(kind.scale)
        self._steps = 0

    def step(self, features: np.ndarray, targets: np.ndarray) -> None:
        """Takes one step down the mean cross-entropy of a batch.

        Args:
            features: float32, shape (batch, features).
            targets: float32, shape (batch,): 0 or 1, or between them where photos are mixed.
        """
        kernel, biases, output, output_bias = self.weights
        hidden = (features @ kernel.T) * self._scale + biases
        slopes = np.where(hidden > 0, np.float32(1), self._slope)
        hidden *= slopes
        errors = (expit(hidden @ output + output_bias) - targets) / np.float32(len(targets))
        at_hidden = errors[:, None] * output * slopes
        np.matmul(self._scale * at_hidden.T, features, out=self._gradients[0])
        self._gradients[1][...] = at_hidden.sum(axis=0)
        self._gradients[2][...] = errors @ hidden
        self._gradients[3][...] = errors.sum()
        self._adam()

    def _adam(self) -> None:
        """Kingma and Ba, Adam, arXiv:1412.6980, in the form that Keras computes."""
        self._steps += 1
        scratch, gradient = self._scratch, self._gradient
        for moment, decay in ((self._mean, MEAN_DECAY), (self._square, SQUARE_DECAY)):
            np.subtract(gradient, moment, out=scratch)
            scratch *= np.float32(1 - decay)
            moment += scratch
            np.square(gradient, out=gradient)  # The second moment is that of the squares.
        rate = LEARNING_RATE * np.sqrt(1 - SQUARE_DECAY**self._steps)
        rate /= 1 - MEAN_DECAY**self._steps
        np.sqrt(self._square, out=scratch)
        scratch += np.float32(EPSILON)
        np.divide(self._mean, scratch, out=scratch)
        scratch *= np.float32(rate)
        self._flat -= scratch


def hold_rows(views: Sequence[StoredFeatures]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Returns a function that reads photos' features: from memory if they fit, else from files.

    Args:
        views: The views' features, of the same photos in the same order.

    Returns:
        A function from each photo's view and position to features, float32, shape
        (photos, features).
    """
    photos = np.arange(views[0].count)
    size = len(views) * len(photos) * np.prod(views[0].shape) * views[0].dtype.itemsize
    if size > FREE_PART * count_free_bytes():
        return lambda drawn, batch: read_rows(views, drawn.tolist(), batch.tolist()).reshape(
            len(batch), -1
        )
    held = np.empty((len(views), len(photos), int(np.prod(views[0].shape))), views[0].dtype)
    for number, view in enumerate(views):
        view.check()
        for start in range(0, len(photos), EVALUATION_BATCH):
            batch = photos[start : start + EVALUATION_BATCH]
            # float32 holds every bfloat16 number, so nothing is lost on the way there and back.
            read = read_rows([view], [0] * len(batch), batch.tolist())
            held[number, batch] = read.reshape(len(batch), -1)
    return lambda drawn, batch: held[drawn, batch].astype("float32", copy=False)


def gather_weights(heads: Sequence[Sequence[keras.Layer]]) -> list[np.ndarray]:
    """Returns the weights of many heads, one after another.

    Args:
        heads: Each head's layers, the last two dense, with as many units in each head.

    Returns:
        float32 arrays: hidden kernels (heads, units, features), hidden biases (heads, units),
        output kernels (heads, units), output biases (heads,).
    """
    kernels, biases, outputs, output_biases = zip(
        *([array for layer in head[-2:] for array in layer.get_weights()] for head in heads),
        strict=True,
    )
    return [
        np.stack(kernels).swapaxes(1, 2).copy(),
        np.stack(biases),
        np.hstack(outputs).T.copy(),
        np.hstack(output_biases),
    ]


def in_order(views: Sequence[StoredFeatures], labels: np.ndarray, *, seed: int = 0) -> StoredViews:
    """Returns photos in their own order and large batches, to be measured on."""
    return StoredViews(views, labels, batch_size=EVALUATION_BATCH, seed=seed)


def measure_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the cross-entropy of each photo and head, shape of `probabilities`.

    Args:
        probabilities: Shape (photos, heads).
        labels: 0 or 1, shape (photos, 1).
    """
    clipped = np.clip(probabilities.astype(float), SMALLEST, 1 - SMALLEST)
    return -np.log(np.where(labels > 0.5, clipped, 1 - clipped))
