"""What the tests share: a cache of their own, tiny photos and a tiny base, the real weights."""

import os
import signal
import sys

# A shell starts what runs in the background with the interrupt ignored, for all that it starts in
# turn; the tests of interrupts need it as it is by default.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from pathlib import Path  # noqa: E402

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile("course", deadline=None, database=None)
hypothesis.settings.load_profile("course")

# As set outside, before each test is given its own.
ENVIRONMENT = dict(os.environ)
REAL_PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "car-or-truck"


# The longest files, longest first: two are run at a time, and none of these is to begin last.
LONGEST = (
    *("05-choosing", "03-what", "06-your", "04-how", "02-data", "01-frozen", "10-where"),
    *("tests/browser", "test_faults", "test_differential", "test_docs.py", "test_train"),
    *("test_gpu", "test_store"),
)


def _place(item) -> int:
    path = item.path.as_posix()
    return next((place for place, part in enumerate(LONGEST) if part in path), len(LONGEST))


def pytest_collection_modifyitems(items):
    """Long files begin first; tests of the real photos run where these are beside the checkout."""
    items.sort(key=_place)
    for item in items:
        if item.path.suffix == ".ipynb" or "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)
    if not REAL_PHOTOS.is_dir():
        away = pytest.mark.skip(reason="needs ../shared/car-or-truck, which no checkout holds")
        for item in items:
            if item.get_closest_marker("real_photos"):
                item.add_marker(away)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """Every test has a cache of its own, empty at the start, and nothing prepared."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COURSE_CACHE_DIR", str(folder))
    monkeypatch.delenv("COURSE_PREPARED_DIR", raising=False)
    return folder


@pytest.fixture(autouse=True)
def no_kaggle(monkeypatch):
    """No test reaches for Kaggle: its download fails at once."""
    from course_utils.data import kaggle

    monkeypatch.setattr(kaggle, "COMMAND", [sys.executable, "-c", "raise SystemExit('no route')"])


@pytest.fixture(scope="session")
def stored_weights() -> Path:
    """The verified weights where this machine keeps them; fetched there the first time."""
    from course_utils.core import cache
    from course_utils.models import vgg16

    with pytest.MonkeyPatch.context() as outside:
        for name in ("COURSE_CACHE_DIR", "COURSE_PREPARED_DIR"):
            if name in ENVIRONMENT:
                outside.setenv(name, ENVIRONMENT[name])
            else:
                outside.delenv(name, raising=False)
        arrays = vgg16.load_vgg16_weights()
        for path in cache.list_stored(vgg16.STORED_NAME):
            try:
                vgg16.read_stored(path)
            except vgg16.DAMAGE:
                continue
            return path.resolve()
        return vgg16.store_vgg16_weights(arrays).resolve()


@pytest.fixture
def prepared_weights(stored_weights, monkeypatch) -> Path:
    """The weights lie in the prepared folder, so that nothing is fetched; gives their path."""
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(stored_weights.parents[1]))
    return stored_weights


@pytest.fixture
def real_photos() -> Path:
    """The folder of the real photos."""
    return REAL_PHOTOS


@pytest.fixture(scope="session")
def make_photos():
    """A function that makes `Photos` of noise: the second class is brighter."""

    def make(count=40, *, size=(16, 16), batch_size=8, shuffle=False, seed=31415, draw=0):
        import hashlib

        from course_utils.data.dataset import Photos

        random = np.random.default_rng(draw)
        labels = (np.arange(count) % 2).astype("float32")[:, None]
        pixels = random.integers(0, 150, (count, *size, 3)) + 60 * labels[:, :, None, None]
        pixels = pixels.astype("uint8")
        keys = [hashlib.blake2b(photo.tobytes(), digest_size=8).hexdigest() for photo in pixels]
        return Photos(
            pixels,
            labels,
            np.array([int(key, 16) for key in keys], dtype=np.uint64),
            [f"{position}.png" for position in range(count)],
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
        )

    return make


@pytest.fixture(scope="session")
def make_splits(make_photos):
    """A function that makes `Splits` of such noise."""

    def make(train=64, valid=32, *, batch_size=16, size=(16, 16)):
        import pandas as pd

        from course_utils.data.dataset import Splits

        return Splits(
            make_photos(train, batch_size=batch_size, shuffle=True, draw=1, size=size),
            make_photos(valid, batch_size=batch_size, draw=2, size=size),
            ("Car", "Truck"),
            "Noise, made for tests.",
            pd.DataFrame(),
        )

    return make


@pytest.fixture(scope="session")
def make_base():
    """A function that builds a tiny frozen base, the same one each time for the same seed."""

    def make(seed=0, *, size=(16, 16), dtype=None):
        import keras

        inputs = keras.Input((*size, 3))
        outputs = keras.layers.Conv2D(
            4,
            3,
            strides=4,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
            dtype=dtype,
        )(inputs)
        base = keras.Model(inputs, outputs, name="tiny")
        base.trainable = False
        return base

    return make


@pytest.fixture
def without_graphs():
    """TensorFlow runs functions as they are: for a few photos that is faster than to trace them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
