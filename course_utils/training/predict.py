"""What a model says of photos, with the frozen part asked once for each of them: `predict`."""

import numpy as np

from course_utils.core import backend
from course_utils.data.dataset import Photos
from course_utils.features.batches import StoredViews
from course_utils.features.store import prepare_features
from course_utils.features.views import clean_view
from course_utils.training.preparing import choose_method, ready_model, split_for_training
from course_utils.training.trainee import Trainee

backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

BATCH_SIZE = 64


def predict(
    model: keras.Model,
    photos: Photos,
    *,
    method: str = "auto",
    base: keras.Layer | str | None = None,
    precision: str = "auto",
    progress: bool = False,
) -> np.ndarray:
    """Returns what `model.predict` returns; without a GPU, from stored features.

    What `fit` has stored is used again, and the other way around. Lesson 08 uses it.

    Args:
        model: A compiled model of augmentation, frozen base and head.
        photos: The kit's photos, such as `splits.valid`.
        method: `"stored_features"`, `"in_model"` or `"auto"`, as in `fit`.
        base: As in `fit`.
        precision: As in `fit`.
        progress: Whether to say what is computed and how long it takes.

    Returns:
        float32, in the photos' own order: shape (photos, 1) for the lessons' models.

    Raises:
        TypeError: If `photos` are not the kit's.
        ValueError: If the model is not compiled or has no frozen base.

    Example:
        >>> predict(model, splits.valid).shape == (splits.valid.count, 1)
        True
    """
    if not isinstance(photos, Photos):
        raise TypeError(
            f"Expected the kit's photos, received {type(photos).__name__}. Pass splits.valid, or "
            "make splits of arrays with cu.splits_from_arrays."
        )
    photos = photos.unshuffled()
    if choose_method(method)[0] == "in_model":
        return model.predict(photos, verbose=0)
    ready_model(model, photos.image_size)
    parts = split_for_training(model, base)
    clean = clean_view(parts.front)
    store = prepare_features(
        parts.front,
        parts.base,
        [(photos, [clean])],
        precision=precision,
        seed=photos.seed,
        progress=progress,
    )
    batches = StoredViews([store.open(photos, clean)], photos.labels, batch_size=BATCH_SIZE)
    return Trainee(model, parts.head).predict(batches.as_dataset(), verbose=0)
