"""Several augmentations, many seeds: each policy's runs from the same starts, one after another."""

from collections.abc import Mapping, Sequence

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend
from course_utils.core.checks import check_count
from course_utils.data.dataset import Splits
from course_utils.evaluation.comparison import Comparison
from course_utils.evaluation.runs import PolicyRuns, run_policy
from course_utils.models.classifier import build_classifier
from course_utils.models.partition import split_model
from course_utils.training.heads import Heads, gather_weights

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

AGAIN = "{} again"  # the row that differs from the baseline by order and draws alone


def compare(
    policies: Mapping[str, Augmentation | Sequence[keras.Layer]],
    splits: Splits,
    base: keras.Model,
    *,
    seeds: int = 20,
    epochs: int = 30,
    views: int | Mapping[str, int] = 8,
    seed: int = 31415,
    precision: str = "auto",
    progress: bool = True,
) -> Comparison:
    """Trains the lesson's head under several augmentations, each from the same starts.

    Run number k of every policy starts from the same head and sees the photos in the same
    order, so that two policies differ by the augmentation alone. The first policy is the
    baseline; it is trained once more with another order and other draws among its stored views,
    so that every table shows how far the same policy lies from itself. All seeds of a policy
    train side by side as one Keras model; each run is what
    `train(build_classifier(base, layers, seed=k), splits, seed=seed)` gives.

    What is finished is kept in the cache: an interrupted comparison, or one with one more
    policy, trains only what is missing.

    Args:
        policies: From a policy's name to its augmentation, two or more.
        splits: The photos.
        base: A frozen model from images to features, as `load_vgg16_base` gives.
        seeds: How many runs a policy: 0 to `seeds` - 1.
        epochs: How often every train photo is used.
        views: How many augmented versions of a train photo there are to draw from, one number
            or each policy's own. Nothing random is one version and a flip alone two, whatever
            this says.
        seed: For the order of the photos and the augmentations' random draws.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the faster one here.
        progress: Whether to say what is computed and show how far it is.

    Returns:
        A `Comparison`; of the policies that are finished, where the kernel was interrupted.

    Raises:
        TypeError: If `seeds` or `epochs` is not a whole number.
        ValueError: If the policies are no dictionary or the splits no `Splits`, if there are fewer
            than two policies or seeds, or no epoch, or a policy has
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
    check_count("seeds", seeds, least=2)
    check_count("epochs", epochs)
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
    # Each row of the table: its augmentation, its views, and the seed of its order and draws.
    wanted = {name: (policy, numbers[name], seed) for name, policy in policies.items()}
    wanted[AGAIN.format(baseline)] = (policies[baseline], numbers[baseline], seed + 1)
    options = {"epochs": epochs, "precision": precision, "progress": progress}
    finished: dict[str, PolicyRuns] = {}
    starts = gather_weights(
        [split_model(build_classifier(base, (), seed=start)).head for start in range(seeds)],
        base.output_shape[1:],
    )
    heads = Heads(starts)
    for name, (policy, number, draws) in wanted.items():
        try:
            if progress:
                print(f"{name}: {seeds} runs.", flush=True)
            finished[name] = run_policy(
                policy, base, heads, starts, splits, views=number, seed=seed, draws=draws, **options
            )
        except KeyboardInterrupt:
            if not finished:
                raise
            print(f"Interrupted; finished and kept: {', '.join(finished)}.")
            break
    return Comparison(finished, splits, baseline=baseline, seed=seed)


def _is_policy(policy) -> bool:
    if isinstance(policy, Augmentation):
        return True
    layers = policy if isinstance(policy, list | tuple) else [None]
    return all(isinstance(layer, keras.Layer) for layer in layers)
