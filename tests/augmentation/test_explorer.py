"""The explorer without a browser: what its sliders do, shown by setting their values."""

import base64
import gc
import io
import json
import resource
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipywidgets.widgets import widget as all_widgets
from PIL import Image

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.explorer.widget import (
    FIRST_CONTROLS,
    AugmentationExplorer,
    FolderPhotos,
    ViewMaker,
)
from course_utils.augmentation.policy import Augmentation

SEED = 31415
LESSON = Augmentation(flip="horizontal", rotation=20, contrast=0.5)
SOME = {"flip": "horizontal_and_vertical"} | {
    name: 0.5 * entry.maximum for name, entry in CATALOGUE.items() if entry.unit != "choice"
}


class RandomPhotos:
    """Photos of two classes in turn, with the attributes that the explorer uses."""

    def __init__(self, count=40, height=16, width=12):
        self.pixels = np.random.default_rng(7).uniform(size=(count, height, width, 3))
        self.labels = np.float32([[number % 2] for number in range(count)])
        self.count = count

    def read(self, positions):
        return self.pixels[np.asarray(positions)].astype("float32")


@pytest.fixture
def splits():
    return SimpleNamespace(train=RandomPhotos(), class_names=("Car", "Truck"))


def views_of(augmentation, images, seed=SEED, epoch=1):
    """What the model's layers give, call for call."""
    layers = augmentation.layers(seed)
    for _ in range(epoch):
        views = images
        for layer in layers:
            views = layer(views, training=True)
    return np.asarray(views)


def control(explorer, description):
    """The control with this label."""
    found = [
        widget
        for widget in descendants(explorer.widget)
        if getattr(widget, "description", None) == description
    ]
    assert len(found) == 1, f"{len(found)} controls are called {description!r}"
    return found[0]


def descendants(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from descendants(child)


def move(explorer, name, value):
    """Sets a slider or, for the flip, a menu, in which none is a choice of its own."""
    slider(explorer, name).value = "none" if value is None else value


def slider(explorer, name):
    units = {"percent": "", "degrees": " °", "pixels": " px", "choice": ""}
    return control(explorer, CATALOGUE[name].title + units[CATALOGUE[name].unit])


def panels(explorer):
    (found,) = (
        widget
        for widget in descendants(explorer.widget)
        if hasattr(widget, "button_style") and hasattr(widget, "options")
    )
    return found


def shown_grid(explorer):
    """The pixels that the browser is sent."""
    images = [w for w in descendants(explorer.widget) if type(w).__name__ == "NamedImage"]
    return np.asarray(Image.open(io.BytesIO(images[0].value)))


def texts(explorer):
    return " ".join(w.value for w in descendants(explorer.widget) if type(w).__name__ == "HTML")


# What is shown is what is trained


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("epoch", [1, 3])
def test_views_are_those_of_the_layers_bit_for_bit(splits, name, epoch):
    explorer = AugmentationExplorer(splits, Augmentation(**{name: SOME[name]}))
    control(explorer, "Epoch").value = epoch
    expected = views_of(explorer.augmentation, explorer.photos, epoch=epoch)
    assert np.array_equal(explorer.views, expected)


def test_views_stay_those_of_the_layers_while_sliders_move(splits):
    explorer = AugmentationExplorer(splits)
    moves = [
        ("contrast", 0.5),
        ("flip", "horizontal_and_vertical"),
        ("noise", 0.1),
        ("rotation", 30.0),
        ("contrast", 0.2),
        ("flip", None),
        ("noise", 0.2),
        ("contrast", 0.0),
        ("zoom", 0.3),
        ("flip", "vertical"),
    ]
    for name, value in moves:
        move(explorer, name, value)
        assert getattr(explorer.augmentation, name) == value
        expected = views_of(explorer.augmentation, explorer.photos)
        assert np.array_equal(explorer.views, expected), (name, value)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["flip", "rotation", "contrast", "noise", "erasing"]),
            st.integers(0, 3),
            st.integers(1, 3),
        ),
        min_size=2,
        max_size=5,
    )
)
@settings(max_examples=12, deadline=None)
def test_any_order_of_changes_gives_the_views_of_the_layers(changes):
    images = np.random.default_rng(1).uniform(size=(3, 9, 9, 3)).astype("float32")
    maker, augmentation = ViewMaker(), {}
    for name, strength, epoch in changes:
        if name == "flip":
            augmentation[name] = [None, "horizontal", "vertical", "horizontal_and_vertical"][
                strength
            ]
        else:
            augmentation[name] = CATALOGUE[name].maximum * strength / 3
        value = Augmentation(**augmentation)
        views = maker.make(images, value, seed=SEED, epoch=epoch)
        assert np.array_equal(views, views_of(value, images, epoch=epoch))


def test_views_are_those_inside_a_model(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    model = keras.Sequential([keras.Input((16, 12, 3)), *explorer.augmentation.layers(SEED)])
    np.testing.assert_allclose(model(explorer.photos, training=True), explorer.views, atol=1e-6)


def test_the_grid_shows_the_views_in_reading_order(splits):
    splits.train = RandomPhotos(40, 128, 128)
    # Flat colours survive JPEG.
    splits.train.pixels[:] = np.linspace(0, 1, 40)[:, None, None, None]
    explorer = AugmentationExplorer(splits)
    control(explorer, "Show").value = "sixteen"
    grid = shown_grid(explorer)
    assert grid.shape == (528, 528, 3)
    for number, view in enumerate(explorer.views):
        row, column = divmod(number, 4)
        centre = grid[132 * row + 66, 132 * column + 66] / 255
        np.testing.assert_allclose(centre, view[64, 64], atol=0.03)


# Sliders


@pytest.mark.parametrize("name", CATALOGUE)
def test_moving_a_slider_changes_value_pixels_and_code_and_neutral_restores(splits, name):
    explorer = AugmentationExplorer(splits)
    pixels = shown_grid(explorer)
    assert np.array_equal(explorer.views, explorer.photos)
    slider(explorer, name).value = SOME[name]
    assert explorer.augmentation == Augmentation(**{name: SOME[name]})
    assert not np.array_equal(shown_grid(explorer), pixels)
    assert CATALOGUE[name].keras_layer in texts(explorer)
    assert CATALOGUE[name].ignores in texts(explorer)
    move(explorer, name, CATALOGUE[name].neutral)
    assert explorer.augmentation == Augmentation()
    assert np.array_equal(explorer.views, explorer.photos)
    assert np.array_equal(shown_grid(explorer), pixels)


def test_steps_of_a_browser_give_tidy_numbers(splits):
    explorer = AugmentationExplorer(splits)
    slider(explorer, "contrast").value = 0.1 + 0.2
    assert repr(explorer.augmentation) == "Augmentation(contrast=0.3)"


def test_sliders_start_at_the_value_and_follow_it(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    assert slider(explorer, "rotation").value == 20
    assert slider(explorer, "flip").value == "horizontal"
    off_the_steps = Augmentation(zoom=0.123456789, hue=7)
    explorer.augmentation = off_the_steps
    assert explorer.augmentation == off_the_steps
    assert slider(explorer, "rotation").value == 0 and slider(explorer, "hue").value == 7
    assert np.array_equal(explorer.views, views_of(off_the_steps, explorer.photos))
    control(explorer, "Back to no augmentation").click()
    assert explorer.augmentation == Augmentation()


@pytest.mark.parametrize("value", [0.05, 0.12, 0.123, 0.4999, 1 / 3])
def test_a_value_between_two_steps_gets_finer_ones(splits, value):
    explorer = AugmentationExplorer(splits, Augmentation(zoom=value))
    moved = AugmentationExplorer(splits)
    moved.augmentation = Augmentation(zoom=value)
    for one in (explorer, moved):
        step = slider(one, "zoom").step
        assert step <= 0.05 and abs(round(value / step) * step - value) < 1e-6
        assert one.augmentation.zoom == value


def test_a_stronger_setting_keeps_the_dice(splits):
    explorer = AugmentationExplorer(splits)
    moved = []
    for value in (0.1, 0.2):
        slider(explorer, "brightness").value = value
        moved.append(explorer.views - explorer.photos)
    middle = (explorer.photos > 0.25) & (explorer.photos < 0.75)
    np.testing.assert_allclose(moved[1][middle], 2 * moved[0][middle], atol=1e-5)


def test_throwing_the_dice_again_changes_the_views_and_the_seed(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    before, dice = explorer.views, control(explorer, "Throw the dice again")
    dice.click()
    assert explorer.seed == SEED + 1
    assert not np.array_equal(explorer.views, before)
    assert np.array_equal(explorer.views, views_of(LESSON, explorer.photos, seed=SEED + 1))
    assert str(100 * (SEED + 1)) in texts(explorer)


def test_the_code_shown_makes_the_views_shown(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    source = texts(explorer).split('setting">')[1].split("</pre>")[0].replace("&quot;", '"')
    scope = {}
    exec(source, scope)
    views = explorer.photos
    for layer in scope["augmentation_layers"]:
        views = layer(views, training=True)
    assert np.array_equal(np.asarray(views), explorer.views)


# Photos


def test_next_and_previous_go_through_the_photos_of_a_class(splits):
    explorer = AugmentationExplorer(splits)
    first = explorer.photos
    assert (first == first[0]).all()
    control(explorer, "Next ▶").click()
    assert not np.array_equal(explorer.photos, first)
    control(explorer, "◀ Previous").click()
    assert np.array_equal(explorer.photos, first)
    for label in (0, 1):
        control(explorer, "of class").value = label
        for _ in range(25):  # more than there are
            control(explorer, "Next ▶").click()
            assert set(explorer.labels) == {("Car", "Truck")[label]}


def test_sixteen_photos_are_sixteen_and_of_both_classes(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    control(explorer, "Show").value = "sixteen"
    assert len(np.unique(explorer.photos.reshape(16, -1), axis=0)) == 16
    assert set(explorer.labels) == {"Car", "Truck"}
    assert np.array_equal(explorer.views, views_of(LESSON, explorer.photos))
    before = explorer.photos
    control(explorer, "Next ▶").click()
    assert not (explorer.photos[:, None] == before[None]).all((2, 3, 4)).any()


def test_fewer_than_sixteen_photos_are_shown_again(splits):
    splits.train = RandomPhotos(3)
    explorer = AugmentationExplorer(splits)
    control(explorer, "Show").value = "sixteen"
    assert explorer.photos.shape == (16, 16, 12, 3)
    assert np.array_equal(explorer.photos[0], explorer.photos[3])


def test_own_pictures_are_letterboxed_on_black(tmp_path):
    Image.new("RGB", (40, 20), "white").save(tmp_path / "wide.png")
    Image.new("L", (20, 40), "white").save(tmp_path / "tall.jpg", quality=100)
    (tmp_path / "notes.txt").write_text("no picture")
    photos = FolderPhotos(tmp_path, image_size=(20, 20))
    assert photos.count == 2 and photos.class_names == (tmp_path.name,)
    tall, wide = photos.read([0, 1])
    assert wide.shape == (20, 20, 3) and wide.dtype == np.float32
    assert wide[10].min() == 1 and wide[:4].max() == 0 and wide[-4:].max() == 0
    assert tall[:, 10].min() > 0.97 and tall[:, :4].max() == 0
    explorer = AugmentationExplorer(tmp_path, LESSON, image_size=(20, 20))
    assert explorer.views.shape == (16, 20, 20, 3)
    with pytest.raises(FileNotFoundError, match="Expected a folder"):
        AugmentationExplorer(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="found none"):
        AugmentationExplorer(str(tmp_path / "empty"))
    (tmp_path / "cut.png").write_bytes((tmp_path / "wide.png").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"1 of 3 photos cannot be read: .*cut\.png"):
        AugmentationExplorer(tmp_path)


def test_own_pictures_in_folders_of_classes(tmp_path):
    for name in ("Car", "Truck"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), "white").save(tmp_path / name / "a.png")
    photos = FolderPhotos(tmp_path, image_size=(8, 8))
    assert photos.class_names == ("Car", "Truck") and photos.labels.tolist() == [[0], [1]]


# What the views are compared with, and told


def test_the_photo_and_both_ends_stand_beside_the_slider(splits):
    explorer = AugmentationExplorer(splits)
    assert texts(explorer).count("unchanged") == 2
    slider(explorer, "contrast").value = 0.5
    assert all(
        words in texts(explorer)
        for words in ("the photo itself", "contrast × 0.50", "contrast × 1.50")
    )


def test_what_was_drawn_is_told_on_demand(splits):
    explorer = AugmentationExplorer(splits, Augmentation(rotation=20, contrast=0.5))
    before = texts(explorer).count("turned ")
    control(explorer, "Say what was drawn").value = True
    assert texts(explorer).count("turned ") == before + 16
    assert texts(explorer).count("contrast × ") == 16
    factor = np.asarray(
        explorer.augmentation.layers(SEED)[1].get_random_transformation(explorer.photos)[
            "contrast_factor"
        ]
    ).reshape(-1)
    told = [f"contrast × {one:.2f}" for one in factor]
    assert all(words in texts(explorer) for words in told)


# Is it still a car?


def judge(explorer, marks):
    for mark in marks:
        control(explorer, f"View {mark}").value = True
    control(explorer, "Ask the classifier").click()


def test_the_student_judges_before_the_classifier(splits):
    asked = []

    def classifier(images):
        asked.append(images)
        return np.linspace(0, 1, 16)[:, None]  # Car for the first eight

    explorer = AugmentationExplorer(splits, LESSON, classifier=classifier)
    control(explorer, "of class").value = 0
    assert not asked
    judge(explorer, [1, 16])
    assert len(asked) == 1 and np.array_equal(asked[0], explorer.views)
    assert explorer.marked == [1, 16]
    found = texts(explorer)
    assert "✓ 7</b>: you yes, the model yes" in found
    assert "◆ 7</b>: you yes, the model no" in found
    assert "✕ 2</b>: you no" in found
    assert "model: Truck 93%" in found


def test_new_views_are_judged_anew(splits):
    explorer = AugmentationExplorer(splits, LESSON, classifier=lambda images: np.zeros(16))
    judge(explorer, [3])
    assert "model: Car" in texts(explorer)
    slider(explorer, "contrast").value = 0.7
    assert explorer.marked == [] and "model: Car" not in texts(explorer)
    judge(explorer, [3])
    assert "model: Car" in texts(explorer)
    control(explorer, "View 4").value = True  # a changed mind
    assert explorer.marked == [3, 4] and "model: Car" not in texts(explorer)
    assert control(explorer, "View 4, marked")


def test_a_keras_model_is_a_classifier(splits):
    model = keras.Sequential(
        [keras.Input((16, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")]
    )
    explorer = AugmentationExplorer(splits, LESSON, classifier=model)
    judge(explorer, [])
    assert texts(explorer).count("model: ") == 16


def test_a_classifier_that_answers_otherwise_is_refused(splits):
    explorer = AugmentationExplorer(splits, classifier=lambda images: np.zeros((16, 2)))
    judge(explorer, [])
    assert "No verdict: Expected one probability for each of 16 views" in texts(explorer)
    assert "model: " not in texts(explorer)


def test_without_a_classifier_only_the_student_judges(splits):
    explorer = AugmentationExplorer(splits)
    assert control(explorer, "Ask the classifier").disabled
    assert "No classifier was given" in texts(explorer)


def test_the_answer_belongs_to_the_task(splits):
    faces = np.arange(40) // 2 % 2
    explorer = AugmentationExplorer(
        splits,
        Augmentation(flip="horizontal"),
        classifier=lambda images: np.zeros(16),
        tasks={"car or truck": splits.train.labels, "faces left or right": faces},
    )
    control(explorer, "Show").value = "sixteen"
    assert set(explorer.labels) == {"car", "truck"}
    control(explorer, "Task").value = "faces left or right"
    assert set(explorer.labels) == {"left", "right"}
    assert control(explorer, "Ask the classifier").disabled
    assert "another task: car or truck" in texts(explorer)
    panels(explorer).value = "judge"
    assert texts(explorer).count("label: ") == 16
    explorer.task = "car or truck"
    assert set(explorer.labels) == {"car", "truck"}
    with pytest.raises(ValueError, match="out of 'car or truck', 'faces left or right'"):
        explorer.task = "age"
    with pytest.raises(ValueError, match="40 labels for the task"):
        AugmentationExplorer(splits, tasks={"a or b": [0, 1]})
    with pytest.raises(ValueError, match="faces left or right"):
        AugmentationExplorer(splits, tasks={"direction": faces})


# Everywhere


def test_a_page_that_runs_nothing_gets_a_still_picture(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    data, metadata = explorer._repr_mimebundle_()
    json.dumps(data)
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"].startswith("AugmentationExplorer")
    assert "pip install ipywidgets" in data["text/plain"]
    again, _ = AugmentationExplorer(splits)._repr_mimebundle_()
    assert data["text/plain"] == again["text/plain"], "nbval compares it"
    assert "contrast multiplied by 0.5 to 1.5" in metadata["image/png"]["alt"]
    still = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert still.format == "PNG"
    grid = np.asarray(still.convert("RGB"))[: shown_grid(explorer).shape[0]]
    assert np.abs(grid.astype(int) - shown_grid(explorer)).mean() < 12  # JPEG of pure noise


def test_the_grid_can_begin_with_sixteen_photos_and_the_still_picture_then_names_them(splits):
    explorer = AugmentationExplorer(splits, show="sixteen")
    assert len(np.unique(explorer.photos, axis=0)) == 16
    splits.train.read = lambda positions: np.ones((len(positions), 16, 12, 3), "float32")
    for show, labels_are_there in (("sixteen", True), ("one", False)):
        explorer = AugmentationExplorer(splits, show=show)
        still = Image.open(io.BytesIO(explorer.draw_still())).convert("L")
        grid = np.asarray(still)[: shown_grid(explorer).shape[0]]
        assert (grid.min() < 40) == labels_are_there, "black behind the labels, on white photos"
    with pytest.raises(ValueError, match="`show` out of 'one', 'sixteen'"):
        AugmentationExplorer(splits, show="four")


def test_a_small_explorer_has_only_its_sliders(splits):
    explorer = AugmentationExplorer(splits, controls=("contrast",))
    labels = {getattr(w, "description", "") for w in descendants(explorer.widget)}
    assert "Contrast" in labels and "Rotation °" not in labels
    assert not labels & {"Epoch", "Task", "More transformations", "Ask the classifier"}
    slider(explorer, "contrast").value = 0.5
    assert explorer.augmentation == Augmentation(contrast=0.5)
    assert np.array_equal(explorer.views, views_of(explorer.augmentation, explorer.photos))
    control(explorer, "Back to no augmentation").click()
    assert explorer.augmentation == Augmentation()


def test_the_whole_explorer_has_a_labelled_control_for_every_transformation(splits):
    explorer = AugmentationExplorer(splits)
    assert all(slider(explorer, name) for name in CATALOGUE)
    for widget in descendants(explorer.widget):
        if type(widget).__name__ in ("Button", "ToggleButton", "Dropdown", "FloatSlider"):
            assert widget.description
    rest = {slider(explorer, name) for name in CATALOGUE if name not in FIRST_CONTROLS}
    (more,) = (w for w in descendants(explorer.widget) if set(getattr(w, "children", ())) == rest)
    assert more.layout.display == "none"
    control(explorer, "More transformations").value = True
    assert more.layout.display is None


@pytest.mark.parametrize("wrong", ["contrast", (), ("tilt",)])
def test_unknown_controls_are_refused(splits, wrong):
    with pytest.raises(ValueError, match="Expected controls from flip"):
        AugmentationExplorer(splits, controls=wrong)


def test_what_is_no_splits_is_refused():
    with pytest.raises(TypeError, match="load_car_or_truck"):
        AugmentationExplorer(np.zeros((4, 8, 8, 3)))


def test_five_hundred_moves_leak_nothing(splits):
    splits.train = RandomPhotos(4, 32, 32)
    explorer = AugmentationExplorer(splits, Augmentation(flip="horizontal"))
    control(explorer, "Say what was drawn").value = True

    def move(count):
        for number in range(count):
            slider(explorer, "brightness").value = 0.1 + 0.8 * (number % 7) / 7

    move(20)  # what is made once, as TensorFlow's caches, is made now
    gc.collect()
    before = len(all_widgets._instances), len(gc.get_objects()), largest_memory()
    move(500)
    gc.collect()
    after = len(all_widgets._instances), len(gc.get_objects()), largest_memory()
    assert after[0] == before[0]
    assert after[1] - before[1] < 500
    # One set of views a move, kept, would be 100 MB.
    assert after[2] - before[2] < 40e6


def largest_memory():
    """The largest memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
