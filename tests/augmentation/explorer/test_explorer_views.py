"""The views shown are those of the layers that train, bit for bit, and no move leaks memory."""

import gc

import keras
import numpy as np
import psutil
import pytest
from augmentation_helpers import SEED
from explorer_hands import (
    LESSON,
    SOME,
    RandomPhotos,
    control,
    move,
    shown_grid,
    slider,
    views_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from ipywidgets.widgets import widget as all_widgets

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.explorer.views import ViewMaker
from course_utils.augmentation.explorer.widget import AugmentationExplorer
from course_utils.augmentation.layer_call import LayerCall
from course_utils.augmentation.policy import Augmentation


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


@pytest.mark.slow
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
    # Flat colors survive JPEG.
    splits.train.pixels[:] = np.linspace(0, 1, 40)[:, None, None, None]
    explorer = AugmentationExplorer(splits)
    control(explorer, "Show").value = "sixteen"
    grid = shown_grid(explorer)
    assert grid.shape == (528, 528, 3)
    for number, view in enumerate(explorer.views):
        row, column = divmod(number, 4)
        center = grid[132 * row + 66, 132 * column + 66] / 255
        np.testing.assert_allclose(center, view[64, 64], atol=0.03)


def test_a_layer_that_is_used_again_is_a_new_one(splits):
    images = RandomPhotos(4).read(range(4))
    for name, value in SOME.items():
        for _, call in Augmentation(**{name: value}).calls(SEED):
            assert np.array_equal(
                call.build()(images, training=True), call.reuse()(images, training=True)
            ), name


# Memory


def anonymous_memory():
    """The memory of this process that is no file's, in bytes."""
    gc.collect()
    found = psutil.Process().memory_full_info()
    return found.uss if hasattr(found, "uss") else found.rss


@pytest.mark.slow
def test_layers_of_new_settings_leave_little_memory_behind():
    """What is kept for use again is 15 KB each; TensorFlow would keep 35 KB more, for good."""

    def build(numbers):
        for number in numbers:
            arguments = {"factor": number / 10_000, "seed": 1, "dtype": "float32"}
            LayerCall("RandomContrast", arguments).reuse()

    build(range(1, 100))
    before = anonymous_memory()
    build(range(100, 400))
    assert anonymous_memory() - before < 9e6


def test_building_layers_again_leaves_the_names_of_a_notebook_alone():
    first = keras.layers.RandomContrast(0.5).name
    for number in range(5):
        arguments = {"factor": 0.9 + number / 1000, "seed": 1, "dtype": "float32"}
        LayerCall("RandomContrast", arguments).reuse()
    second = keras.layers.RandomContrast(0.5).name
    count = [int(name.partition("contrast_")[2] or 0) for name in (first, second)]
    assert count[1] == count[0] + 1


@pytest.mark.parametrize("moves", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_moves_leak_nothing(splits, moves):
    splits.train = RandomPhotos(4, 32, 32)
    explorer = AugmentationExplorer(splits, Augmentation(flip="horizontal"))
    names = ("brightness", "contrast", "rotation")

    def move_sliders(numbers):
        for number in numbers:
            name = names[number % 3]
            slider(explorer, name).value = CATALOGUE[name].step * (number // 3 % 20 + 1)

    def count():
        memory = anonymous_memory()
        # ipywidgets 7 keeps its widgets in the class.
        living = getattr(all_widgets, "_instances", None) or all_widgets.Widget.widgets
        return len(living), len(gc.get_objects()), memory

    move_sliders(range(60))  # Every step of every slider: what is made once is made now.
    before = count()
    move_sliders(range(moves))
    after = count()
    assert after[0] == before[0]
    assert after[1] - before[1] < 500
    # One set of views for each of the moves, kept, would be 200 KB a move; one layer built 50 KB.
    assert after[2] - before[2] < 8e6
