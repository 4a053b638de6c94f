"""The synthetic dataset: the same pixels for the same seed, in memory and as files."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data.synthetic import dataset
from course_utils.data.synthetic.dataset import make_synthetic_vehicles, write_vehicles
from course_utils.data.synthetic.parameters import LABELS, NUISANCES, PerClass, sample_parameters
from course_utils.data.synthetic.render import render_vehicle

TINY = (16, 16)
SMALL = (48, 64)


def as_bytes(images):
    return np.round(images * 255).astype(np.uint8)


def test_shapes_dtypes_and_ranges():
    images, labels, parameters = make_synthetic_vehicles(3, seed=1, image_size=SMALL)
    assert images.shape == (3, 48, 64, 3)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert 0.5 < images.max() <= 1
    assert labels.shape == (3, 1)
    assert labels.dtype == np.float32
    assert list(parameters) == ["type", *NUISANCES]
    assert make_synthetic_vehicles(1, seed=1)[0].shape == (1, 128, 128, 3)


def test_same_seed_same_pixels_other_seed_other_pixels():
    first, again, other = (
        make_synthetic_vehicles(3, seed=seed, image_size=SMALL)[0] for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, again)
    assert all(not np.array_equal(one, another) for one, another in zip(first, other, strict=True))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), fewer=st.integers(1, 3), more=st.integers(4, 6))
def test_an_image_does_not_depend_on_the_count(seed, fewer, more):
    images, labels, parameters = make_synthetic_vehicles(more, seed=seed, image_size=TINY)
    first_images, first_labels, first_parameters = make_synthetic_vehicles(
        fewer, seed=seed, image_size=TINY
    )
    np.testing.assert_array_equal(first_images, images[:fewer])
    np.testing.assert_array_equal(first_labels, labels[:fewer])
    pd.testing.assert_frame_equal(first_parameters, parameters[:fewer])


@pytest.mark.parametrize("label", ["type", "heading", "light", "paint"])
def test_any_two_valued_parameter_is_a_label_of_the_same_images(label):
    images, labels, parameters = make_synthetic_vehicles(12, seed=5, image_size=TINY, label=label)
    np.testing.assert_array_equal(images, make_synthetic_vehicles(12, seed=5, image_size=TINY)[0])
    expected = pd.DataFrame(sample_parameters(12, seed=5, split="train"))
    pd.testing.assert_frame_equal(parameters, expected)
    assert LABELS[label] == tuple(sorted(set(parameters[label])))
    np.testing.assert_array_equal(labels[:, 0] == 1, parameters[label] == LABELS[label][1])


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"count": 0}, ValueError, "count"),
        ({"count": 2.5}, TypeError, "count"),
        ({"count": True}, TypeError, "count"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 2**32}, ValueError, "seed"),
        ({"seed": "one"}, TypeError, "seed"),
        ({"image_size": 128}, TypeError, "image_size"),
        ({"image_size": (128, 8)}, ValueError, "image_size"),
        ({"image_size": (128, 128.0)}, TypeError, "image_size"),
        ({"label": "azimuth"}, ValueError, "label.*azimuth"),
        ({"split": "test"}, ValueError, "split.*test"),
        ({"headings": "left"}, TypeError, "headings"),
        ({"heading": "up"}, ValueError, "heading.*up"),
        ({"heading": 3}, ValueError, "heading.*3"),
        ({"heading": ()}, ValueError, "heading"),
        ({"heading": [["left"]]}, ValueError, "heading"),
        ({"heading": {"left": -0.1, "right": 1}}, ValueError, "heading.*-0.1"),
        ({"heading": {"left": 0, "right": 0}}, ValueError, "above 0 for `heading`"),
        ({"heading": {"left": "most"}}, ValueError, "heading.*most"),
        ({"heading": {"left": float("nan")}}, ValueError, "heading.*nan"),
        ({"heading": PerClass(car="left", truck="down")}, ValueError, "heading.*down"),
        ({"azimuth": 190}, ValueError, "azimuth.*190"),
        ({"azimuth": (90, 60)}, ValueError, r"azimuth.*\(90, 60\)"),
        ({"azimuth": (60, 90, 120)}, TypeError, "azimuth"),
        ({"azimuth": "side"}, TypeError, "azimuth.*side"),
        ({"azimuth": float("nan")}, ValueError, "azimuth.*nan"),
        ({"azimuth": True}, TypeError, "azimuth.*True"),
        ({"body": "station wagon"}, ValueError, "body for Truck"),
        ({"body": PerClass(car="suv", truck="suv")}, ValueError, "body for Car"),
    ],
)
def test_invalid_arguments_are_refused_by_name(arguments, error, named):
    arguments = {"count": 1, "image_size": TINY} | arguments
    with pytest.raises(error, match=named):
        make_synthetic_vehicles(arguments.pop("count"), **arguments)


def test_the_folder_layout_balance_and_parameters(tmp_path):
    folder = write_vehicles(tmp_path / "deep" / "set", train=7, valid=4, seed=6, image_size=SMALL)
    assert folder == tmp_path / "deep" / "set"
    assert sorted(entry.name for entry in folder.parent.iterdir()) == ["set"]
    assert sorted(entry.name for entry in folder.iterdir()) == ["train", "valid"]
    for split, count in (("train", 7), ("valid", 4)):
        table = pd.read_csv(folder / split / "parameters.csv")
        files = {str(path.relative_to(folder / split)) for path in folder.glob(f"{split}/*/*")}
        assert files == set(table["file"])
        assert len(files) == count
        assert abs((table["type"] == "Car").sum() - (table["type"] == "Truck").sum()) <= 1
        images = make_synthetic_vehicles(count, seed=6, image_size=SMALL, split=split)[0]
        for (_, row), image in zip(table.iterrows(), images, strict=True):
            assert row["file"].startswith(f"{row['type']}/")
            stored = np.asarray(Image.open(folder / split / row["file"]))
            np.testing.assert_array_equal(stored, as_bytes(image))
            np.testing.assert_array_equal(render_vehicle(row, SMALL), stored)


def test_a_folder_is_written_once(tmp_path, monkeypatch):
    folder = write_vehicles(tmp_path / "set", train=2, valid=2, seed=6, image_size=TINY)
    monkeypatch.setattr(dataset, "render_vehicle", None)
    assert write_vehicles(folder, train=2, valid=2, seed=6, image_size=TINY) == folder


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    draw, drawn = dataset.render_vehicle, []

    def fail_at_the_third(*arguments):
        drawn.append(arguments)
        if len(drawn) == 3:
            raise OSError("disk full")
        return draw(*arguments)

    monkeypatch.setattr(dataset, "render_vehicle", fail_at_the_third)
    with pytest.raises(OSError, match="disk full"):
        write_vehicles(tmp_path / "set", train=4, valid=2, seed=6, image_size=TINY)
    assert not list(tmp_path.iterdir())


def test_of_two_processes_the_first_to_finish_wins(tmp_path, monkeypatch):
    draw = dataset.render_vehicle

    def meanwhile(*arguments):
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / "theirs").touch()
        return draw(*arguments)

    monkeypatch.setattr(dataset, "render_vehicle", meanwhile)
    folder = write_vehicles(tmp_path / "set", train=2, valid=2, seed=6, image_size=TINY)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"train": 1}, "train"), ({"valid": 0}, "valid"), ({"size": 3}, "size")],
)
def test_writing_refuses_invalid_arguments_before_it_writes(tmp_path, arguments, named):
    with pytest.raises(ValueError, match=named):
        write_vehicles(tmp_path / "set", **{"train": 2, "valid": 2, "seed": 1} | arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_importing_the_module_is_light():
    code = (
        "import sys, course_utils.data.synthetic.dataset;"
        "print([name for name in ('tensorflow', 'keras', 'matplotlib', 'ipywidgets')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
