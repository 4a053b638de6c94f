"""Features through MNN, with which results are published, are Keras's features."""

import importlib.util
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from course_utils.data.dataset import Photos
from course_utils.features.store import FeatureStore, prepare_features
from course_utils.features.views import clean_view

pytest.importorskip("MNN", reason="needs mnn: pip install -r tests/requirements.txt")


@pytest.fixture(scope="module")
def mnn_base():
    path = Path(__file__).parents[2] / "studies" / "mnn_base.py"
    specification = importlib.util.spec_from_file_location("mnn_base", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules["mnn_base"] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules["mnn_base"]


@pytest.fixture(scope="module")
def vgg16():
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 32, 3))
    random = np.random.default_rng(3)
    # Zeros, as Keras leaves biases, would hide one that is put in the wrong place.
    base.set_weights(
        [
            array if array.ndim > 1 else random.normal(0, 0.1, array.shape)
            for array in base.get_weights()
        ]
    )
    return base


IMAGES = np.random.default_rng(4).random((3, 64, 32, 3), dtype="float32")


def test_features_are_those_of_keras(mnn_base, vgg16):
    assert mnn_base.check_features(vgg16, IMAGES) < 1e-4


def test_other_features_are_refused(mnn_base, vgg16, monkeypatch):
    computed = mnn_base.MnnBase(vgg16).compute(IMAGES)
    spoiled = computed * np.float32(1.01)
    monkeypatch.setattr(mnn_base.MnnBase, "compute", lambda self, images: spoiled)
    with pytest.raises(ValueError, match="differ by 1.0e-02"):
        mnn_base.check_features(vgg16, IMAGES)


def test_layers_that_it_does_not_know_are_refused(mnn_base):
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2DTranspose(4, 3)])
    with pytest.raises(ValueError, match="convolutions and pooling, received"):
        mnn_base.MnnBase(network)


def test_stored_under_the_name_of_the_base_itself(mnn_base, vgg16):
    pixels = (255 * IMAGES).astype("uint8")
    keys = np.arange(3, dtype="uint64")
    photos = Photos(pixels, np.zeros((3, 1), "float32"), keys, ["a", "b", "c"])
    view = clean_view(())
    options = {"precision": "float32", "seed": 1, "progress": False}
    prepare_features((), mnn_base.MnnBase(vgg16), [(photos, [view])], **options)
    store = FeatureStore((), vgg16, precision="float32", seed=1)
    assert store.count_missing(photos, view) == 0
    stored = store.open(photos, view).read(range(3))
    expected = np.asarray(vgg16(pixels.astype("float32") / 255))
    np.testing.assert_allclose(stored, expected, atol=1e-4 * expected.max())
