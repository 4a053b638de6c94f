"""A comparison on several machines: Dask's workers fill the cache, and `compare` reads it.

Every view's features and every policy's runs are entries of the cache under names that contain all
that they depend on. So workers need no messages but which entry to make, and what a worker has made
stays when it is killed. The cache's folder has to be one that all machines reach under one path.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils.core import backend, environment
from course_utils.core.progress import Progress
from course_utils.data.dataset import Splits
from course_utils.evaluation.runs import Policy, build_layers, run_policy
from course_utils.features import forward
from course_utils.features.store import FeatureStore
from course_utils.features.views import clean_view, list_views

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


@dataclass(frozen=True)
class _Work:
    """What every task of a comparison has in common."""

    splits: Splits
    base: keras.Model
    seed: int
    precision: str
    speeds: Mapping[str, float]
    cache_dir: Path


def fill_cache(
    client: Any,
    rows: Mapping[str, tuple[Policy, int, int]],
    splits: Splits,
    base: keras.Model,
    *,
    seed: int,
    precision: str,
    progress: bool,
    **options: Any,
) -> str:
    """Computes features and runs on a client's workers, each under the name it has in the cache.

    Args:
        client: A `dask.distributed.Client`.
        rows: From a row's name to its policy, its number of stored views, and the seed of its
            orders and draws.
        splits: The photos.
        base: The frozen base.
        seed: Of the stored views.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the faster one where the client is.
        progress: Whether to show how many tasks are done.
        **options: Of `run_policy`.

    Returns:
        The precision.
    """
    from distributed import as_completed  # An optional extra: only who has a client needs it.

    speeds = forward.measure_speeds(base)
    if precision == "auto":
        precision = forward.choose_precision(base)
    work = _Work(splits, base, seed, precision, speeds, environment.cache_dir())
    (shared,) = client.scatter([work], broadcast=True)
    features: dict[tuple[str, str], Any] = {}
    runs = []
    for policy, views, draws in rows.values():
        layers = build_layers(policy, seed)
        store = FeatureStore(layers, base, precision=precision, seed=seed)
        needed = []
        for split, number, view in _list_needed(layers, views, seed):
            if store.count_missing(getattr(splits, split), view):
                key = (split, view.fingerprint)
                if key not in features:
                    task = (shared, policy, views, split, number)
                    features[key] = client.submit(_compute_view, *task, pure=False)
                needed.append(features[key])
        task = (shared, policy, views, draws, options, needed)
        runs.append(client.submit(_run, *task, pure=False))
    tasks = [*features.values(), *runs]
    with Progress(len(tasks), "Tasks on workers", shown=progress) as line:
        for finished in as_completed(tasks):
            finished.result()  # raises what the worker raised
            line.advance()
    return precision


def _list_needed(layers: Sequence[keras.Layer], views: int, seed: int) -> list[tuple]:
    """Returns the split, the number and the view of all features that a policy trains on."""
    clean, drawn = clean_view(layers), list_views(layers, views=views, seed=seed)
    numbered = [("train", number, view) for number, view in enumerate(drawn)]
    return [("valid", None, clean), ("train", None, clean), *numbered]


@contextmanager
def _as_on_the_client(work: _Work) -> Iterator[None]:
    """The client's cache, and its way to compute features."""
    with (
        environment.using(COURSE_CACHE_DIR=str(work.cache_dir)),
        forward.given_speeds(work.speeds),
    ):
        yield


def _compute_view(work: _Work, policy, views: int, split: str, number: int | None) -> None:
    layers = build_layers(policy, work.seed)
    view = clean_view(layers)
    if number is not None:
        view = list_views(layers, views=views, seed=work.seed)[number]
    with _as_on_the_client(work), Progress(0, "", shown=False) as line:
        store = FeatureStore(layers, work.base, precision=work.precision, seed=work.seed)
        store.compute(getattr(work.splits, split), view, line)


def _run(work: _Work, policy, views: int, draws: int, options: dict, features: list) -> None:
    """Trains a policy's runs; Dask calls it once all of `features` are there."""
    with _as_on_the_client(work):
        run_policy(
            *(policy, work.base, work.splits),
            views=views,
            draws=draws,
            seed=work.seed,
            precision=work.precision,
            progress=False,
            **options,
        )
