"""Several augmentations, many seeds: each policy's runs from the same heads, one after another."""

import types
from collections.abc import Mapping, Sequence
from typing import Any

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend
from course_utils.core.checks import check_choice, check_count
from course_utils.data.dataset import Splits
from course_utils.evaluation.cluster import fill_cache
from course_utils.evaluation.comparison import Comparison
from course_utils.evaluation.runs import Policy, PolicyRuns, run_policy
from course_utils.models.classifier import HEADS

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

AGAIN = "{} again"  # the row that differs from the baseline by orders and draws alone


def compare(
    policies: Mapping[str, Policy],
    splits: Splits,
    base: keras.Model,
    *,
    seeds: int | Sequence[int] = 20,
    epochs: int = 30,
    views: int | Mapping[str, int] = 8,
    head: str = "stable",
    seed: int = 31415,
    precision: str = "auto",
    client: Any = None,
    progress: bool = True,
) -> Comparison:
    """Trains the lesson's head under several augmentations, each from the same initial weights.

    Each run has its own order of the photos and its own random number u for each photo and epoch;
    they are the same for all policies. A policy with n stored views of a photo uses the view
    floor(u · n). So run k of two policies differs by the policy alone, and two runs of one policy
    differ by initial weights, orders and draws. What all runs of a policy share are its stored
    views.

    The first policy is the baseline. It is trained once more from the same initial weights, in
    other orders and with other draws: a row whose true difference is zero.

    What is finished is kept in the cache: an interrupted comparison, or one with one more
    policy, trains only what is missing.

    Args:
        policies: From a policy's name to its augmentation, two or more. A policy may also be a
            function of a batch's stored features, float32 (batch, features), its labels,
            (batch, 1), and a random generator to draw from. It returns what the head learns from
            instead, in the same shapes; the photos themselves stay as they are.
        splits: The photos.
        base: A frozen model from images to features, as `load_vgg16_base` returns it.
        seeds: How many runs each policy has, with the seeds 0 to `seeds` - 1; or these seeds
            themselves, such as `range(20, 40)`. A seed gives a run's initial weights, orders and
            draws.
        epochs: How often every training photo is used.
        views: How many augmented versions of a training photo are stored, one number or each
            policy's own. Nothing random is one version and a flip alone two, whatever this says.
        head: `"stable"` cannot die; `"lesson"` is the head of lessons 01 and 02, which dies in many
            runs.
        seed: Of the stored views, and with each run's own seed of its orders and draws.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the faster one here.
        client: A `dask.distributed.Client`, whose workers compute features and runs. They read and
            write the same cache: its folder has to be there under the same path on all machines.
        progress: Whether to say what is computed and show how far it is.

    Returns:
        A `Comparison`; of the policies that are finished, where the kernel was interrupted.

    Raises:
        TypeError: If `seeds` or `epochs` is not a whole number.
        ValueError: If the policies are no dictionary or the splits no `Splits`, if there are fewer
            than two policies or seeds, the same seed twice, or no epoch, or a policy has
            the name of the baseline's second training, or no number of views.
        KeyboardInterrupt: If it is interrupted before the first policy is finished.

    Example:
        >>> policies = {"none": Augmentation(), "flip": Augmentation(flip="horizontal")}
        >>> found = compare(policies, splits, base, seeds=2, epochs=1, progress=False)
        >>> found.policies
        ['none', 'flip', 'none again']
    """
    if not isinstance(policies, Mapping) or not all(map(_is_policy, policies.values())):
        raise ValueError(
            "Expected a dictionary from names to policies, each an Augmentation or a list of "
            f'layers, received {policies!r}. Write {{"none": Augmentation(), "flip": '
            'Augmentation(flip="horizontal")}.'
        )
    if not isinstance(splits, Splits):
        raise ValueError(
            f"Expected Splits behind the policies, received {type(splits).__name__}. Give what "
            "`load_car_or_truck` returns, and the base after it."
        )
    if len(policies) < 2:
        raise ValueError(f"Expected two policies or more, received {list(policies)}. Add another.")
    seeds = _list_seeds(seeds)
    check_count("epochs", epochs)
    check_choice("head", head, HEADS)
    baseline = next(iter(policies))
    if AGAIN.format(baseline) in policies:
        raise ValueError(
            f"Expected no policy called {AGAIN.format(baseline)!r}: that is the row that compare "
            "adds, the first policy trained once more. Choose another name."
        )
    numbers = dict(views) if isinstance(views, Mapping) else dict.fromkeys(policies, views)
    if set(numbers) != set(policies):
        raise ValueError(
            f"Expected a number of views for each of {list(policies)}, received one for each of "
            f"{list(numbers)}."
        )
    # Each row of the table: its augmentation, its views, and the seed of its orders and draws.
    wanted = {name: (policy, numbers[name], seed) for name, policy in policies.items()}
    wanted[AGAIN.format(baseline)] = (policies[baseline], numbers[baseline], seed + 1)
    options = {"epochs": epochs, "precision": precision, "progress": progress}
    options |= {"seeds": seeds, "head": head, "seed": seed}
    if client is not None:
        # The workers leave everything in the cache; below it is read.
        options["precision"] = fill_cache(client, wanted, splits, base, **options)
    finished: dict[str, PolicyRuns] = {}
    for name, (policy, number, draws) in wanted.items():
        try:
            if progress:
                print(f"{name}: {len(seeds)} runs.", flush=True)
            finished[name] = run_policy(policy, base, splits, views=number, draws=draws, **options)
        except KeyboardInterrupt:
            if not finished:
                raise
            print(f"Interrupted; finished and kept: {', '.join(finished)}.")
            break
    return Comparison(finished, splits, baseline=baseline, seed=seed)


def _list_seeds(seeds: int | Sequence[int]) -> list[int]:
    if not isinstance(seeds, Sequence | range):
        return list(range(check_count("seeds", seeds, least=2)))
    listed = [check_count("seeds", each, least=0) for each in seeds]
    if len(set(listed)) < max(len(listed), 2):
        raise ValueError(f"Expected two seeds or more, each once, received {listed}.")
    return listed


def _is_policy(policy) -> bool:
    if isinstance(policy, Augmentation | types.FunctionType):
        return True
    layers = policy if isinstance(policy, list | tuple) else [None]
    return all(isinstance(layer, keras.Layer) for layer in layers)
