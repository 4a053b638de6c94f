"""The same augmentation in four places: equal random draws, labels that stay, a fair clock."""

import itertools
import types

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_utils.augmentation.policy import Augmentation
from course_utils.core import backend
from course_utils.data.dataset import splits_from_arrays
from course_utils.features.batches import StoredViews
from course_utils.features.store import prepare_features
from course_utils.features.views import list_views
from course_utils.lessons import pipelines
from course_utils.lessons.pipelines import PLACES, recover_draws

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

pytestmark = pytest.mark.slow

COUNT = 600
NAMES = ("Car", "Truck")
LESSON = Augmentation(flip="horizontal", contrast=0.5)
# All seeds are fixed, so a test passes always or never; this is how odd its draws may be.
ODDEST = 1e-3


def make_tinted(count=COUNT, *, seed=0):
    """Returns pale noise, photos of the second class brighter; neither flip nor contrast changes
    a photo's mean, so that a view tells its label."""
    labels = (np.arange(count) >= count // 2).astype("float32")[:, None]
    noise = np.random.default_rng(seed).random((count, 12, 12, 3)) / 2
    return pipelines.make_pale(noise + labels[:, :, None, None] / 2), labels


def read_labels(views):
    """Returns the labels that brightness tells."""
    return (np.asarray(views).mean(axis=(1, 2, 3)) > 0.5).astype("float32")[:, None]


def build_generator():
    generator = np.random.default_rng(2)

    def change_contrast(photo):
        mean = photo.mean(axis=(0, 1))
        return np.clip(mean + generator.uniform(0.5, 1.5) * (photo - mean), 0, 255)

    return tensorflow.keras.preprocessing.image.ImageDataGenerator(
        horizontal_flip=True, preprocessing_function=change_contrast, rescale=1 / 255
    )


def build_batches(place, images, labels, folder, *, shuffle):
    """Returns an epoch's batches as they reach the base in one of the places."""
    if place == "ImageDataGenerator":
        pipelines.write_photos(images, labels, folder, class_names=NAMES)
        options = {"target_size": images.shape[1:3], "class_mode": "binary", "batch_size": 16}
        return build_generator().flow_from_directory(folder, shuffle=shuffle, seed=1, **options)
    layers = LESSON.layers(seed=1)
    dataset = tensorflow.data.Dataset.from_tensor_slices((images, labels))
    dataset = (dataset.shuffle(len(images), seed=1) if shuffle else dataset).batch(16)
    if place == "layers in tf.data":
        augment = keras.Sequential(layers)
        return dataset.map(lambda x, y: (augment(x, training=True), y))
    if place == "layers in the model":
        augment = pipelines.compile_layers(layers)
        return [(augment(x), y) for x, y in dataset]
    photos = splits_from_arrays(
        (images, labels), (images, labels), class_names=NAMES, source=""
    ).valid
    base = pipelines._build_passage(photos.image_size)
    views = list_views(layers, views=2, seed=1)
    options = {"precision": "float32", "seed": 1, "progress": False}
    store = prepare_features(layers, base, [(photos, views)], **options)
    opened = [store.open(photos, view) for view in views]
    stored = StoredViews(opened, photos.labels, batch_size=16, shuffle=shuffle, seed=1)
    return list(stored.read_epoch(0))


@pytest.fixture(scope="module")
def draws(tmp_path_factory):
    """From each place to what it drew for the same photos, once each."""
    images, labels = make_tinted()
    found = {}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COURSE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        for place in PLACES:
            folder = tmp_path_factory.mktemp("photos")
            batches = build_batches(place, images, labels, folder, shuffle=False)
            found[place] = recover_draws(images, pipelines.collect(batches)[0])
    return found


def test_flips_are_those_of_a_coin_in_every_place(draws):
    for place, drawn in draws.items():
        assert len(drawn) == COUNT
        assert stats.binomtest(int(drawn["flipped"].sum()), COUNT).pvalue > ODDEST, place


def test_contrast_factors_are_uniform_in_every_place(draws):
    for place, drawn in draws.items():
        assert stats.kstest(drawn["factor"], stats.uniform(0.5, 1).cdf).pvalue > ODDEST, place


def test_flip_and_contrast_know_nothing_of_each_other_in_any_place(draws):
    for place, drawn in draws.items():
        upright, mirrored = (drawn.loc[drawn["flipped"] == side, "factor"] for side in (0, 1))
        assert stats.ks_2samp(upright, mirrored).pvalue > ODDEST, place


def test_no_two_places_throw_the_same_dice(draws):
    for one, other in itertools.combinations(draws, 2):
        if {one, other} == {"layers in tf.data", "layers in the model"}:
            continue  # The same layers with the same seed, one batch after the other.
        assert not np.allclose(draws[one]["factor"], draws[other]["factor"], atol=0.01)


def test_these_statistics_notice_another_augmentation():
    images, _ = make_tinted()
    flip = keras.layers.RandomFlip("horizontal", seed=1)
    for factor in ((0.4, 0.5), 0.5):
        contrast = keras.layers.RandomContrast(factor, value_range=(0, 1), seed=2)
        drawn = recover_draws(images, contrast(images, training=True))
        assert not drawn["flipped"].any()
        assert stats.kstest(drawn["factor"], stats.uniform(0.5, 1).cdf).pvalue < ODDEST
    # Every other photo is never flipped: one in four instead of one in two.
    once = np.asarray(flip(images, training=True))
    quarter = np.where(np.arange(COUNT)[:, None, None, None] % 2 == 0, once, images)
    flipped = int(recover_draws(images, quarter)["flipped"].sum())
    assert stats.binomtest(flipped, COUNT).pvalue < ODDEST


@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
@pytest.mark.parametrize("place", PLACES)
def test_labels_stay_with_their_photos(place, shuffle, tmp_path):
    images, labels = make_tinted(96)
    batches = build_batches(place, images, labels, tmp_path, shuffle=shuffle)
    views, told = pipelines.collect(batches)
    assert told.shape == labels.shape and told.sum() == labels.sum()
    np.testing.assert_array_equal(told, read_labels(views))
    assert np.array_equal(told, labels) is not shuffle


def test_draws_are_recovered_exactly():
    images, _ = make_tinted(20)
    random = np.random.default_rng(3)
    flipped, factors = random.random(20) < 0.5, random.uniform(0.5, 1.5, 20)
    mean = images.mean(axis=(1, 2), keepdims=True)
    views = mean + factors[:, None, None, None] * (images - mean)
    views[flipped] = views[flipped][:, :, ::-1]
    found = recover_draws(images, views)
    assert views.min() > 0 and views.max() < 1
    assert found["flipped"].tolist() == flipped.tolist()
    np.testing.assert_allclose(found["factor"], factors, rtol=1e-5)


def test_pale_photos_survive_any_contrast_and_being_written(tmp_path):
    extremes = np.random.default_rng(0).integers(0, 2, (8, 6, 6, 3)).astype("float32")
    pale = pipelines.make_pale(extremes)
    assert pale.dtype == "float32" and pale.min() > 0.245 and pale.max() < 0.755
    contrast = keras.layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=1)
    view = np.asarray(contrast(pale, training=True))
    assert view.min() > 0 and view.max() < 1
    np.testing.assert_allclose(np.round(pale * 255) / 255, pale, atol=1e-6)


def test_what_cannot_be_recovered_is_refused():
    images, _ = make_tinted(4)
    with pytest.raises(ValueError, match=r"one view of each photo.*np\.repeat"):
        recover_draws(images, images[:2])
    with pytest.raises(ValueError, match="4 of 4 that are something else, the first at 0"):
        recover_draws(images, images[::-1])
    symmetric = images.copy()
    symmetric[2] = (images[2] + images[2][:, ::-1]) / 2
    with pytest.raises(ValueError, match="1 of 4 that do not, the first at 2"):
        recover_draws(symmetric, symmetric)
    with pytest.raises(ValueError, match="differ from their mirror image"):
        recover_draws(np.full_like(images, 0.5), np.full_like(images, 0.5))


def test_stored_views_are_few_and_stay_as_they_are():
    images, _ = make_tinted(3)
    layers = LESSON.layers(seed=1)
    views = pipelines.read_stored_views(layers, images, views=4, seed=1)
    assert views.shape == (4, *images.shape)
    factors = np.array([recover_draws(images, view)["factor"] for view in views])
    assert len(np.unique(factors.round(4))) == 12
    np.testing.assert_array_equal(
        views, pipelines.read_stored_views(layers, images, views=4, seed=1)
    )
    flip = Augmentation(flip="horizontal").layers(seed=1)
    assert len(pipelines.read_stored_views(flip, images, views=9, seed=1)) == 2


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless told to go on."""
    now = types.SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(pipelines.time, "perf_counter", lambda: now.seconds)
    return now


def test_ways_take_turns_and_each_is_timed_by_itself(clock):
    called = []

    def way(name, durations):
        durations = iter(durations)

        def run():
            called.append(name)
            clock.seconds += next(durations)

        return run

    ways = {"one": way("one", [9, 1, 2, 4]), "other": way("other", [7, 5, 5, 80])}
    seconds = pipelines.time_in_turns(ways, rounds=3)
    assert called == ["one", "other", "other", "one", "one", "other", "other", "one"]
    assert seconds["one"].tolist() == [9, 1, 2, 4]
    assert seconds["other"].tolist() == [7, 5, 5, 80]
    assert seconds.index.name == "round" and seconds.index.tolist() == [0, 1, 2, 3]


def test_the_median_counts_and_the_warm_up_does_not():
    seconds = pd.DataFrame({"one": [100.0, 1, 2, 4], "other": [1.0, 5, 5, 80]})
    table = pipelines.summarize_rounds(seconds, photos={"one": 8, "other": 40})
    assert table.loc["one"].tolist() == [4, 2, 8, 100]
    assert table.loc["other"].tolist() == [8, 0.5, 8, 1]
    assert table.columns.tolist() == ["photos per second", "slowest", "fastest", "warm-up"]
    alike = pipelines.summarize_rounds(seconds, photos=8)
    assert alike["photos per second"].tolist() == [4, 1.6]


@pytest.mark.parametrize(
    "ways, rounds, error, message",
    [
        ({}, 3, ValueError, "one way or more"),
        ({"one": print}, 0, ValueError, "`rounds` to be a whole number from 1"),
        ({"one": print}, 2.0, TypeError, "`rounds` to be a whole number from 1"),
    ],
)
def test_timing_nothing_is_refused(ways, rounds, error, message):
    with pytest.raises(error, match=message):
        pipelines.time_in_turns(ways, rounds=rounds)


def test_a_way_without_its_photos_is_refused():
    seconds = pd.DataFrame({"fit": [1.0, 2.0], "train": [1.0, 2.0]})
    with pytest.raises(ValueError, match="each of fit, train, received them for fit. Name every"):
        pipelines.summarize_rounds(seconds, photos={"fit": 4})


def test_an_error_while_timing_is_not_swallowed():
    def fail():
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        pipelines.time_in_turns({"one": fail})


def test_using_up_goes_through_every_batch_once(make_photos):
    photos, seen = make_photos(20, batch_size=8), []

    def augment(images):
        seen.append(len(images))
        return images

    pipelines.use_up(photos, augment=augment)
    dataset = tensorflow.data.Dataset.from_tensor_slices((photos.read(range(20)), photos.labels))
    pipelines.use_up(dataset.batch(16), augment=augment)
    assert seen == [8, 8, 4, 16, 4]
    with pytest.raises(ValueError, match="Expected batches of photos, received none"):
        pipelines.use_up([])


def test_collecting_nothing_is_refused():
    with pytest.raises(ValueError, match="Is the folder empty"):
        pipelines.collect([])


def test_a_device_is_told_from_where_the_values_lie():
    assert pipelines.find_device(np.zeros(3)) == "CPU"
    assert pipelines.find_device(tensorflow.zeros(3)) == backend.device()
    tensor = types.SimpleNamespace(device="/job:localhost/replica:0/task:0/device:GPU:0")
    assert pipelines.find_device(tensor) == "GPU"


def test_compiled_layers_do_what_the_layers_do():
    images, _ = make_tinted(32)
    compiled = pipelines.compile_layers(LESSON.layers(seed=1))
    layers = LESSON.layers(seed=1)
    for _ in range(2):
        expected = layers[1](layers[0](images, training=True), training=True)
        np.testing.assert_allclose(compiled(images), expected, atol=1e-6)


def test_written_photos_are_read_as_the_same_pixels_and_labels(tmp_path):
    images, labels = make_tinted(6)
    assert pipelines.write_photos(images, labels, tmp_path / "new", class_names=NAMES).is_dir()
    generator = tensorflow.keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255)
    options = {"target_size": (12, 12), "class_mode": "binary", "shuffle": False}
    read = generator.flow_from_directory(tmp_path / "new", **options)
    assert read.class_indices == {"Car": 0, "Truck": 1}
    found, told = pipelines.collect(read)
    np.testing.assert_allclose(found, images, atol=1e-6)
    np.testing.assert_array_equal(told, labels)


def test_photos_that_would_be_written_wrongly_are_refused(tmp_path):
    images, labels = make_tinted(4)
    for wrong in (labels[:, 0], labels[:3], labels + 1):
        with pytest.raises(ValueError, match="Expected a label of 0 or 1 for each of 4 photos"):
            pipelines.write_photos(images, wrong, tmp_path, class_names=NAMES)
    with pytest.raises(ValueError, match="alphabetical order"):
        pipelines.write_photos(images, labels, tmp_path, class_names=("Truck", "Car"))
    with pytest.raises(ValueError, match=r"pixels in \[0, 1\].*Divide"):
        pipelines.write_photos(images * 255, labels, tmp_path, class_names=NAMES)
    with pytest.raises(ValueError, match=r"received nan to nan"):
        pipelines.write_photos(images * np.nan, labels, tmp_path, class_names=NAMES)
    with pytest.raises(ValueError, match="two different class names"):
        pipelines.write_photos(images, labels, tmp_path, class_names=("Car", "Car"))
    for odd in (images[..., 0], images[..., :1], images[:0]):
        with pytest.raises(ValueError, match=r"of shape \(count, height, width, 3\), received the"):
            pipelines.write_photos(odd, labels[: len(odd)], tmp_path, class_names=NAMES)
    assert not list(tmp_path.iterdir())
