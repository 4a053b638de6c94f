"""Views at test time are what each head says of each augmented photo."""

import keras
import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.evaluation.averaging import predict_views
from course_utils.evaluation.compare import compare
from course_utils.training.heads import measure_losses

pytestmark = pytest.mark.slow

OPTIONS = {"precision": "float32", "progress": False}
POLICIES = {"none": Augmentation(), "contrast": Augmentation(contrast=0.5)}


@pytest.fixture
def compared(make_base, make_splits):
    base, splits = make_base(), make_splits()
    return compare(POLICIES, splits, base, seeds=3, epochs=3, views=2, **OPTIONS), splits, base


def test_views_are_those_of_the_heads_and_the_photo_as_it_is_is_one(compared):
    found, splits, base = compared
    (clean,) = predict_views(found, "contrast", splits.valid, base, **OPTIONS)
    np.testing.assert_allclose(clean, found.probabilities("contrast")[-1], atol=1e-6)
    flip = [keras.layers.RandomFlip("horizontal", seed=1)]
    both = predict_views(found, "contrast", splits.valid, base, flip, views=8, **OPTIONS)
    assert both.shape == (2, 3, splits.valid.count)
    np.testing.assert_allclose(both[0], clean, atol=1e-6)
    mirrored = splits.valid.read(range(splits.valid.count))[:, :, ::-1]
    features = base.predict(mirrored, verbose=0).reshape(len(mirrored), -1)
    kernels, biases, outputs, output_biases = found.heads("contrast").weights
    hidden = 0.1 * features @ kernels[1].T + biases[1]
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    expected = 1 / (1 + np.exp(-(hidden @ outputs[1] + output_biases[1])))
    np.testing.assert_allclose(both[1, 1], expected, atol=1e-5)


def test_more_views_begin_with_fewer_and_averaging_never_costs_loss(compared):
    found, splits, base = compared
    layers = POLICIES["contrast"].layers(1)
    few, many = (
        predict_views(found, "contrast", splits.valid, base, layers, views=views, **OPTIONS)
        for views in (2, 4)
    )
    np.testing.assert_array_equal(many[:2], few)
    assert np.ptp(many, axis=0).max() > 1e-4
    labels = splits.valid.labels
    # In float32, rounding the mean may cost a little.
    averaged = measure_losses(many.mean(axis=0, dtype=float).T, labels)
    of_views = np.mean([measure_losses(view.T, labels) for view in many], axis=0)
    assert (averaged <= of_views + 1e-9).all()


def test_other_photos_and_names_are_refused(compared, make_photos):
    found, splits, base = compared
    with pytest.raises(TypeError, match="splits.valid"):
        predict_views(found, "contrast", splits, base, **OPTIONS)
    with pytest.raises(ValueError, match="contrast"):
        predict_views(found, "flip", splits.valid, base, **OPTIONS)
    with pytest.raises(ValueError, match="16"):
        predict_views(found, "none", make_photos(size=(32, 32)), base, **OPTIONS)
