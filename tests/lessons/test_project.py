"""The folder that lesson 06 starts from."""

import keras
import numpy as np
import pytest
from PIL import Image

from course_utils import cli
from course_utils.lessons import project
from course_utils.models import vgg16

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    monkeypatch.setattr(project, "COUNTS", {project.PICTURES: 6, project.NEW_CAMERA: 4})


@pytest.fixture
def no_network(monkeypatch):
    def refuse(url, limit):
        raise OSError("no route")

    monkeypatch.setattr(vgg16, "check_answer", refuse)


def list_pictures(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*"))


def test_pictures_and_vgg16_s_weights_where_nothing_can_be_downloaded(
    tmp_path, no_network, prepared_weights, capsys
):
    folder = tmp_path / "project"
    assert cli.main(["project", "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "pictures: wrote 6 synthetic" in said and "new-camera: wrote 4 synthetic" in said
    assert "vgg16.weights.h5, because MobileNetV3's weights cannot be downloaded (no route)" in said
    assert {path.name for path in (folder / "pictures").iterdir()} == {"car", "truck"}
    assert Image.open(folder / "pictures" / list_pictures(folder / "pictures")[0]).size == (
        160,
        120,
    )
    # As lesson 06 reads them.
    base = keras.applications.VGG16(
        include_top=False,
        input_shape=(32, 32, 3),
        weights=str(folder / "weights" / "vgg16.weights.h5"),
    )
    for found, expected in zip(base.get_weights(), vgg16.load_vgg16_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    before = list_pictures(folder / "pictures")
    assert cli.main(["project", "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "pictures: found 6 pictures" in said and "weights: vgg16.weights.h5." in said
    assert list_pictures(folder / "pictures") == before


def test_own_pictures_stay_and_get_no_synthetic_ones_beside_them(
    tmp_path, no_network, prepared_weights
):
    for name in ("cat/1.jpg", "dog/1.jpg"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True)
        path.touch()
    said = project.write_project(tmp_path)
    assert said[0] == "pictures: found 2 pictures, left as they are."
    assert said[1].startswith("new-camera: missing. Put pictures from another camera")
    assert not (tmp_path / "new-camera").exists()


def test_mobilenet_s_weights_where_they_can_be_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(vgg16, "check_answer", lambda url, limit: None)
    made = []

    def download(*, include_top, weights):
        assert weights == "imagenet"
        made.append(build(include_top=include_top, weights=None))
        return made[0]

    build = keras.applications.MobileNetV3Small
    monkeypatch.setattr(keras.applications, "MobileNetV3Small", download)
    said = project.write_project(tmp_path)
    assert said[2] == "weights: mobilenet_v3_small.weights.h5."
    base = build(
        input_shape=(96, 96, 3),
        include_top=False,
        weights=str(tmp_path / "weights" / "mobilenet_v3_small.weights.h5"),
    )
    for found, expected in zip(base.get_weights(), made[0].get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
