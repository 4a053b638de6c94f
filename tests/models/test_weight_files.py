"""Weights are read from whatever Keras wrote, by their arrays alone; the rest is named."""

import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest

from course_utils.core import cache
from course_utils.models import vgg16
from course_utils.models.weight_files import read_weights

SHAPES = [shape for _ in range(13) for shape in ((3, 3, 2, 2), (2,))]


@pytest.fixture
def arrays(monkeypatch):
    """Small arrays that pass for the real ones."""
    random = np.random.default_rng(0)
    made = [random.normal(size=shape).astype("float32") for shape in SHAPES]
    monkeypatch.setattr(vgg16, "SHAPES", SHAPES)
    monkeypatch.setattr(vgg16, "DIGEST", vgg16.digest_arrays(made))
    return made


def write_hdf5(path, arrays, kernel, bias):
    with h5py.File(path, "w") as file:
        file.create_dataset("optimizer/vars/0", data=np.zeros(SHAPES[0], "float32"))
        file.create_dataset("a_head/bias", data=np.zeros(1, "float32"))
        for number in range(13):
            for pattern, array in ((kernel, arrays[2 * number]), (bias, arrays[2 * number + 1])):
                block, layer = vgg16.CONVOLUTIONS[number].split("_conv")
                numbered = f"conv2d_{number}" if number else "conv2d"
                name = pattern.format(layer=f"{block}_conv{layer}", numbered=numbered)
                file.create_dataset(name, data=array)
    return path


def keras_2(path, arrays):
    return write_hdf5(path / "w.h5", arrays, "{layer}/{layer}_W_1:0", "{layer}/{layer}_b_1:0")


def whole_model(path, arrays):
    name = "model_weights/vgg16/{layer}"
    return write_hdf5(path / "w.h5", arrays, f"{name}/kernel:0", f"{name}/bias:0")


def keras_3(path, arrays):
    name = "layers/functional/layers/{numbered}/vars"
    return write_hdf5(path / "w.weights.h5", arrays, f"{name}/0", f"{name}/1")


def keras_archive(path, arrays):
    inner = keras_3(path, arrays)
    with zipfile.ZipFile(path / "w.keras", "w") as archive:
        archive.write(inner, "model.weights.h5")
        archive.writestr("config.json", '{"class_name": "Lambda"}')
    return path / "w.keras"


def kits_own(path, arrays):
    return vgg16.store_vgg16_weights(arrays).rename(path / "w.entry")


def saved_model(path, arrays, numbered=False):
    import tensorflow

    def keep(**parts):
        return tensorflow.train.Checkpoint(**parts)

    values = [tensorflow.Variable(array) for array in arrays]
    if numbered:
        listed = {str(number): value for number, value in enumerate(values)}
        head = keep(bias=tensorflow.Variable(np.zeros(1)))
        whole = keep(**{"variables": keep(**listed), "layer_with_weights-1": head})
    else:
        layers = {
            f"layer_with_weights-{number}": keep(
                kernel=values[2 * number], bias=values[2 * number + 1]
            )
            for number in range(13)
        }
        whole = keep(**layers)
    whole.write(str(path / "saved" / "variables" / "variables"))
    return path / "saved"


def saved_model_with_head(path, arrays):
    return saved_model(path, arrays, numbered=True)


KINDS = [
    *(keras_2, whole_model, keras_3, keras_archive, kits_own),
    *(saved_model, saved_model_with_head),
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_arrays_and_is_kept(tmp_path, arrays, kind):
    path = kind(tmp_path, arrays)
    for one, other in zip(vgg16.load_vgg16_weights(source=path), arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    assert cache.find_stored(vgg16.STORED_NAME)
    vgg16.load_vgg16_weights()  # without naming it again


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_every_kind_is_named_damaged(tmp_path, arrays, kind):
    path = kind(tmp_path, arrays)
    # The values of a SavedModel stand before its object graph.
    file = next(path.glob("variables/*data*")) if path.is_dir() else path
    os.truncate(file, file.stat().st_size // (10 if path.is_dir() else 2))
    with pytest.raises(ValueError, match="incomplete or damaged: download it again"):
        vgg16.load_vgg16_weights(source=path)


@pytest.mark.parametrize("kind", KINDS)
def test_other_values_are_named(tmp_path, arrays, kind):
    arrays[7] = arrays[7] + 1e-3
    with pytest.raises(ValueError, match="with other values.*expected the digest"):
        vgg16.load_vgg16_weights(source=kind(tmp_path, arrays))
    assert not cache.find_stored(vgg16.STORED_NAME)


@pytest.mark.parametrize("kind", KINDS)
def test_another_architecture_is_named(tmp_path, arrays, kind):
    path = kind(tmp_path, arrays)
    with pytest.raises(ValueError, match=r"another architecture.*lacks array 1 of 26, of shape"):
        read_weights(path, [(3, 3, 3, 64)] * 26)


class Trap:
    """Loading its pickle would raise an error of its own."""

    def __reduce__(self):
        return exec, ("raise AssertionError('a pickle was loaded')",)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(pickle.dumps(Trap())), "a pickle, which could run"),
        (lambda path: np.savez(path.open("wb"), a=np.array([Trap()])), "cannot be read"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("<html>log in"), "another kind of file"),
        (lambda path: path.mkdir(), "not a SavedModel"),
    ],
    ids=["pickle", "pickle in npz", "empty", "text", "folder"],
)
def test_whatever_holds_no_arrays_is_named_and_runs_nothing(tmp_path, arrays, make, said):
    make(tmp_path / "w.h5")
    with pytest.raises(ValueError, match=said):
        vgg16.load_vgg16_weights(source=tmp_path / "w.h5")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.h5"):
        vgg16.load_vgg16_base((32, 32), source=tmp_path / "nowhere.h5")
