"""Why an augmentation helps or harms: affinity and diversity, two numbers for each policy."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend
from course_utils.data.dataset import Photos
from course_utils.evaluation.comparison import Comparison
from course_utils.evaluation.runs import is_right
from course_utils.evaluation.statistics import t_interval
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view, list_views
from course_utils.training.heads import in_order

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def evaluate_affinity(
    comparison: Comparison,
    policies: Mapping[str, Augmentation | Sequence[keras.Layer]],
    photos: Photos,
    base: keras.Model,
    *,
    seed: int = 31415,
    precision: str = "auto",
    progress: bool = True,
) -> pd.DataFrame:
    """Measures how near a policy's photos are to real ones, and how hard they are to learn.

    **Affinity** is the accuracy of the baseline's heads on augmented photos, divided by their
    accuracy on the same photos as they are: 1 where a model that never saw the augmentation is
    right as often. **Diversity** is the training loss under the policy, measured on its augmented
    photos, divided by the training loss without augmentation: more than 1 where the augmented
    photos are harder to memorize. Policies that help tend to have much of both.

    Args:
        comparison: What `compare` returned; its first policy is one without augmentation.
        policies: The policies that were compared, by name.
        photos: The validation photos. One augmented view of each goes through the base, or two
            for a flip, which has two outcomes.
        base: The frozen model that the comparison was made with.
        seed: Of the augmented views.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the one that all features are cached
            in, or else the faster one here.
        progress: Whether to say what is computed and show how far it is.

    Returns:
        A DataFrame with a row for each policy: `affinity` and `diversity`, each the mean over the
        runs, with `…_low` and `…_high`, the 95% Student-t interval for other random
        initializations.

    Source:
        Gontijo-Lopes et al., Affinity and Diversity: Quantifying Mechanisms of Data Augmentation,
        arXiv:2002.08973.

    Example:
        >>> from course_utils.evaluation.compare import compare
        >>> policies = {"none": Augmentation(), "flip": Augmentation(flip="horizontal")}
        >>> found = compare(policies, splits, base, seeds=2, epochs=1, progress=False)
        >>> table = evaluate_affinity(found, policies, splits.valid, base, progress=False)
        >>> table.loc["none", ["affinity", "diversity"]].tolist()
        [1.0, 1.0]
    """
    heads = comparison.heads(comparison.baseline)
    last = comparison.runs[comparison.runs["epoch"] == comparison.runs["epoch"].max()]
    losses = last.pivot(index="seed", columns="policy", values="augmented_loss")
    rows = {}
    for name, policy in policies.items():
        layers = policy.layers(seed) if isinstance(policy, Augmentation) else list(policy)
        clean, views = clean_view(layers), list_views(layers, views=1, seed=seed)
        store = prepare_features(
            *(layers, base, [(photos, [clean, *views])]),
            precision=precision,
            seed=seed,
            progress=progress,
        )

        def measure(view, store=store):
            probabilities, _ = heads.predict(in_order([store.open(photos, view)], photos.labels))
            return is_right(probabilities, photos.labels).mean(axis=0)

        affinity = np.mean([measure(view) for view in views], axis=0) / measure(clean)
        diversity = losses[name] / losses[comparison.baseline]
        row = {}
        for measured, values in (("affinity", affinity), ("diversity", diversity.to_numpy())):
            mean, low, high = t_interval(values)
            row |= {measured: mean, f"{measured}_low": low, f"{measured}_high": high}
        rows[name] = row
    return pd.DataFrame(rows).T.rename_axis("policy")
