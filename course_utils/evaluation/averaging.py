"""Test-time augmentation: what trained heads say of several views of the same photo."""

from collections.abc import Sequence

import numpy as np

from course_utils.core import backend
from course_utils.data.dataset import Photos
from course_utils.evaluation.comparison import Comparison
from course_utils.evaluation.robustness import check_base, check_photos
from course_utils.features.store import prepare_features
from course_utils.features.views import list_views
from course_utils.training.heads import in_order

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def predict_views(
    comparison: Comparison,
    policy: str,
    photos: Photos,
    base: keras.Model,
    augmentation: Sequence[keras.Layer] = (),
    *,
    views: int = 8,
    seed: int = 31415,
    precision: str = "auto",
    progress: bool = True,
) -> np.ndarray:
    """Returns the probabilities that a policy's heads give to augmented views of photos.

    Each view is one more pass through the base. The features are stored as any others are, so
    a second call needs no pass. Lesson 09 averages the probabilities.

    Args:
        comparison: What `compare` gives; its heads answer as they were after the last epoch.
        policy: Whose heads.
        photos: Photos of the same two classes, such as `splits.valid`.
        base: The frozen model that the comparison was made with.
        augmentation: Layers that work here as in training. Without any, the one view is the photo
            as it is.
        views: How many random draws of each photo. A flip alone has two views, whatever this says.
        seed: Of the draws. A larger number of views begins with those of a smaller one.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: the one that all features are cached
            in, or else the faster one here.
        progress: Whether to say what is computed and show how far it is.

    Returns:
        float32, shape (views, seeds, photos): the probability of class 1.

    Raises:
        TypeError: If `photos` are no `Photos`.
        ValueError: If there is no such policy, the photos or the base do not fit the heads, or
            `views` is under 1.

    Example:
        >>> import course_utils as cu
        >>> policies = {"none": cu.Augmentation(), "contrast": cu.Augmentation(contrast=0.5)}
        >>> found = cu.compare(policies, splits, base, seeds=2, epochs=1, views=1, progress=False)
        >>> layers = policies["contrast"].layers(1)
        >>> given = predict_views(
        ...     found, "contrast", splits.valid, base, layers, views=3, progress=False
        ... )
        >>> given.shape == (3, 2, splits.valid.count)
        True
    """
    check_photos(photos, base)
    heads = comparison.heads(policy)
    check_base(heads, base)
    listed = list_views(augmentation, views=views, seed=seed)
    store = prepare_features(
        *(augmentation, base, [(photos, listed)]), precision=precision, seed=seed, progress=progress
    )
    return np.stack(
        [heads.predict(in_order([store.open(photos, view)], photos.labels))[0].T for view in listed]
    ).astype("float32")
