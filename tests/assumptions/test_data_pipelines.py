"""Keras's and TensorFlow's data pipelines: labels, orders, and how often random values are drawn.

Tests of these libraries, not of the kit. Where one fails, they have changed: the message names the
trap and the module that has to follow.
"""

import itertools

import numpy as np
import pytest
from PIL import Image

from course_utils.core import backend

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

KERAS = tuple(map(int, keras.__version__.split(".")[:2]))
PIPELINES = "course_utils.lessons.pipelines"
DATASET = "course_utils.data.dataset"
FOLDERS = "course_utils.data.folders"
FROM_SLICES = tensorflow.data.Dataset.from_tensor_slices


def noise(count=8, size=(6, 8)):
    return np.random.default_rng(0).random((count, *size, 3)).astype("float32")


@pytest.fixture
def folder(tmp_path):
    """Two classes of four PNGs each, their folders made in the wrong order."""
    pixels = (noise() * 255).astype("uint8")
    for number, photo in enumerate(pixels):
        path = tmp_path / ("Truck" if number < 4 else "Car") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(photo).save(path)
    return tmp_path


def collect(dataset):
    images, labels = zip(*dataset, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def draw_twice(dataset):
    """Two epochs' values, as NumPy arrays."""
    return [np.array(list(dataset.as_numpy_iterator())) for _ in range(2)]


# Folders


def load_folder(folder, **options):
    reading = {"image_size": (6, 8), "interpolation": "nearest", "batch_size": 3, "verbose": False}
    return keras.utils.image_dataset_from_directory(folder, **reading, **options)


def test_folders_are_labeled_in_alphabetical_order(folder):
    dataset = load_folder(folder, label_mode="binary", shuffle=False)
    images, labels = collect(dataset)
    assert dataset.class_names == ["Car", "Truck"] and labels[:, 0].tolist() == [0] * 4 + [1] * 4, (
        "image_dataset_from_directory no longer numbers classes by the alphabet, and files within "
        f"them: {FOLDERS} does."
    )
    assert labels.dtype == "float32" and labels.shape == (8, 1), (
        "label_mode='binary' no longer gives float32 labels of shape (batch, 1): the labels of "
        f"Photos in {DATASET} are such."
    )
    # The nearest pixel is the pixel itself; only other interpolations give floats.
    np.testing.assert_array_equal(
        images,
        (noise() * 255).astype("uint8")[[4, 5, 6, 7, 0, 1, 2, 3]],
        err_msg="image_dataset_from_directory changes photos of the right size now: "
        "course_utils.data.images takes them as they are.",
    )
    assert images.dtype == "uint8", (
        "interpolation='nearest' gives other than uint8 now: course_utils.training finds photos "
        "of a tf.data dataset again by their pixels."
    )


def test_folders_are_read_shuffled_and_with_whole_numbers_unless_told_otherwise(folder):
    first, second = (collect(load_folder(folder, seed=1))[0] for _ in range(2))
    dataset = load_folder(folder, seed=1)
    np.testing.assert_array_equal(
        first,
        second,
        err_msg="image_dataset_from_directory shuffles otherwise with the same seed now: "
        "course_utils.training finds photos of a tf.data dataset again by their pixels.",
    )
    orders = [collect(dataset)[0] for _ in range(2)]
    assert not np.array_equal(*orders), (
        "image_dataset_from_directory no longer shuffles, again in each epoch, unless it is told "
        "not to: course_utils.training finds photos again in any order because it does."
    )
    assert collect(dataset)[1].dtype == "int32", (
        "image_dataset_from_directory labels otherwise than by whole numbers without label_mode "
        f"now, unlike the labels of Photos in {DATASET}."
    )


def test_hidden_folders_and_other_files_are_passed_over_and_folders_in_a_class_are_not(folder):
    for name in (".hidden/1.png", "Car/inside/1.png", "Car/1.webp", "Car/notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((folder / "Car" / "4.png").read_bytes())
    found = load_folder(folder, shuffle=False).file_paths
    extra = [path.removeprefix(f"{folder}/") for path in found if "/1." in path]
    assert extra == ["Car/inside/1.png", "Truck/1.png"], (
        f"image_dataset_from_directory takes other files than before: {FOLDERS} says in its "
        "messages which files the kit does not take."
    )


# The older generator

GENERATOR = tensorflow.keras.preprocessing.image.ImageDataGenerator
READING = {"target_size": (6, 8), "class_mode": "binary", "batch_size": 4}


def test_the_generator_rescales_after_its_function_and_gives_flat_labels(folder):
    seen = []

    def note(photo):
        seen.append(photo.max())
        return photo

    generator = GENERATOR(preprocessing_function=note, rescale=1 / 255)
    images, labels = generator.flow_from_directory(folder, **READING)[0]
    assert max(seen) > 100 and images.max() <= 1, (
        "ImageDataGenerator rescales before its preprocessing_function now: lesson 10 clips at 255."
    )
    assert labels.shape == (4,) and images.dtype == labels.dtype == "float32", (
        "ImageDataGenerator no longer gives flat float32 labels with class_mode='binary': see "
        f"`collect` in {PIPELINES}."
    )
    plain = {**READING, "class_mode": "categorical"}
    assert generator.flow_from_directory(folder, **plain)[0][1].shape == (4, 2), (
        "ImageDataGenerator no longer gives a column for each class: lesson 10 sets class_mode."
    )


def test_the_generator_numbers_folders_by_the_alphabet(folder):
    found = GENERATOR().flow_from_directory(folder, **READING).class_indices
    assert found == {"Car": 0, "Truck": 1}, (
        f"ImageDataGenerator numbers classes otherwise now: see `write_photos` in {PIPELINES}."
    )


def test_the_generator_never_ends_and_sets_numpy_s_global_seed(folder):
    read = GENERATOR().flow_from_directory(folder, seed=1, **READING)
    assert len(read) == 2 and len(list(itertools.islice(read, 7))) == 7, (
        f"Iterating over ImageDataGenerator's batches ends now: `_one_epoch` in {PIPELINES} counts "
        "batches because it did not."
    )
    after = []
    for _ in range(2):
        GENERATOR().flow_from_directory(folder, seed=1, **READING)[0]
        after.append(np.random.random())  # noqa: NPY002 (the global state is what is tested)
    assert after[0] == after[1], (
        "ImageDataGenerator leaves NumPy's global seed alone now: lesson 10 gives its function a "
        "generator of its own because it did not."
    )


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`:DeprecationWarning")
def test_the_generator_flips_and_brightens_and_wants_scipy_to_rotate(monkeypatch):
    from keras.src.legacy.preprocessing import image as legacy
    from keras.src.utils.module_utils import LazyModule

    images = np.floor(noise(64) * 256)
    options = {"batch_size": 64, "shuffle": False, "seed": 1}
    flipped = GENERATOR(horizontal_flip=True).flow(images, **options)[0]
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    untouched = (flipped == images).all(axis=(1, 2, 3))
    assert (mirrored ^ untouched).all() and 16 < mirrored.sum() < 48, (
        "ImageDataGenerator no longer mirrors half of the photos, as lesson 10 has it do."
    )
    brighter = GENERATOR(brightness_range=(1.2, 1.2)).flow(images, **options)[0]
    # It passes through whole numbers, so each pixel loses up to one of 255.
    np.testing.assert_allclose(
        brighter,
        np.clip(images * 1.2, 0, 255),
        atol=1.1,
        err_msg="ImageDataGenerator brightens otherwise now: see lesson 10, the older way.",
    )
    turned = GENERATOR(rotation_range=30).flow(images, **options)
    assert not np.allclose(turned[0], images), (
        "ImageDataGenerator no longer rotates: see lesson 10, the older way."
    )
    # Keras imports SciPy when it first turns a photo.
    monkeypatch.setattr(legacy, "scipy", LazyModule("missing_here", pip_name="scipy"))
    with pytest.raises(ImportError, match="pip install scipy"):
        turned[0]
        pytest.fail("ImageDataGenerator rotates without SciPy now: see lesson 10, the older way.")


# tf.data


def test_tf_random_repeats_its_draws_in_every_epoch_and_keras_s_layers_do_not():
    keras.utils.set_random_seed(1)
    numbers = FROM_SLICES(np.zeros(6, "float32"))
    first, second = draw_twice(numbers.map(lambda x: x + tensorflow.random.uniform(())))
    np.testing.assert_array_equal(
        first,
        second,
        err_msg="tf.random under a global seed draws again in every epoch now: "
        "course_utils.features.storable points students from it to Keras's seeded layers.",
    )
    assert len(np.unique(first)) == 6, "tf.random in Dataset.map draws once for all elements now."
    layer = keras.layers.RandomBrightness(0.5, value_range=(0, 1), seed=1)
    gray = FROM_SLICES(np.full((6, 2, 2, 3), 0.5, "float32"))
    first, second = draw_twice(gray.map(lambda x: layer(x, training=True)))
    assert not np.isclose(first, second).any(), (
        "Keras's layers in Dataset.map repeat their draws in every epoch now: lesson 10 says that "
        "they draw again, and course_utils.training refuses such a dataset for stored features."
    )


def test_a_cache_behind_the_layers_freezes_what_they_drew():
    layer = keras.layers.RandomBrightness(0.5, value_range=(0, 1), seed=1)
    gray = FROM_SLICES(np.full((6, 2, 2, 3), 0.5, "float32"))
    mapped = gray.map(lambda x: layer(x, training=True))
    for dataset, frozen in ((mapped, False), (mapped.cache(), True)):
        assert np.array_equal(*draw_twice(dataset)) is frozen, (
            "Augmentation before cache() is no longer frozen, or without it is: lesson 10 warns of "
            "the order."
        )


def test_tf_image_draws_once_for_a_batch_and_keras_once_for_a_photo():
    copies = np.repeat(noise(1) * 0.2 + 0.4, 16, axis=0)
    layer = keras.layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=1)
    changes = {
        1: lambda x: tensorflow.image.random_contrast(x, 0.5, 1.5, seed=1),
        16: lambda x: layer(x, training=True),
    }
    for expected, change in changes.items():
        (views,) = tensorflow.data.Dataset.from_tensors(copies).map(change)
        spreads = np.asarray(views).std(axis=(1, 2, 3)).round(5)
        assert len(np.unique(spreads)) == expected, (
            "tf.image draws for each photo now, or Keras's layers for a batch: see lesson 10 and "
            "the views of course_utils.features.passes."
        )


# Into `fit`


def build_model(shape=(6, 8, 3)):
    dense = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), dense])
    model.compile(loss="binary_crossentropy", metrics=["binary_accuracy"])
    return model


def test_fit_warns_of_a_dataset_unless_told_not_to_shuffle(list_warnings):
    model, dataset = build_model(), FROM_SLICES((noise(), np.zeros((8, 1)))).batch(4)
    said = list_warnings(lambda: model.fit(dataset, verbose=0))
    warned = any("`shuffle=True` was passed, but will be ignored" in each for each in said)
    assert warned == (KERAS >= (3, 15)), (  # Before 3.15 it said nothing.
        "fit takes a tf.data dataset without a warning now: shuffle=False in lesson 10 and in "
        "course_utils.training is not needed."
    )
    assert not list_warnings(lambda: model.fit(dataset, verbose=0, shuffle=False)), (
        "fit warns of a tf.data dataset even with shuffle=False, as course_utils.training and "
        "lesson 10 pass it."
    )


def test_one_model_takes_labels_of_one_rank():
    # As the generator gives (batch,), and tf.data (batch, 1).
    model, images, labels = build_model(), noise(), np.zeros((8, 1))
    model.fit(images, labels[:, 0], batch_size=8, verbose=0)
    with pytest.raises(ValueError, match="unknown rank"):
        model.fit(images, labels, batch_size=8, verbose=0)
        pytest.fail(f"A model takes flat labels and columns now: see `collect` in {PIPELINES}.")


class Recorded(keras.utils.PyDataset):
    """Two batches, and a note of all that Keras asks for."""

    def __init__(self):
        super().__init__()
        self.log = []

    def __len__(self):
        return 2

    def __getitem__(self, batch):
        self.log.append(batch)
        return noise(4), np.zeros((4, 1))

    def on_epoch_begin(self):
        self.log.append("begin")

    def on_epoch_end(self):
        self.log.append("end")


def test_keras_tells_a_python_dataset_when_an_epoch_begins_and_ends_one_in_vain():
    data = Recorded()
    build_model().fit(data, epochs=2, shuffle=False, verbose=0)
    epochs = ["begin", 0, 1, "end"] * 2
    assert data.log[-8:] == epochs, (
        f"fit no longer calls on_epoch_begin before every epoch: Photos in {DATASET} draws the "
        "epoch's order there."
    )
    assert data.log[:-8] == [0, 1, "end"], (
        f"fit no longer goes through a Python dataset once in vain: Photos in {DATASET} cannot "
        "count epochs in on_epoch_end because it did."
    )
