"""The explorer without a browser: what its sliders do, shown by setting their values."""

import asyncio
import base64
import html
import io
import json

import numpy as np
import pytest
from augmentation_helpers import SEED
from explorer_hands import (
    LESSON,
    SOME,
    RandomPhotos,
    control,
    decode,
    descendants,
    move,
    shown_grid,
    slider,
    texts,
    views_of,
)
from PIL import Image

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.explorer.controls import PAUSE, PRESETS, group_controls
from course_utils.augmentation.explorer.widget import AugmentationExplorer
from course_utils.augmentation.policy import Augmentation

# Sliders


@pytest.mark.parametrize("name", CATALOGUE)
def test_moving_a_slider_changes_value_pixels_and_code_and_neutral_restores(splits, name):
    explorer = AugmentationExplorer(splits)
    pixels = shown_grid(explorer)
    assert np.array_equal(explorer.views, explorer.photos)
    slider(explorer, name).value = SOME[name]
    assert explorer.augmentation == Augmentation(**{name: SOME[name]})
    assert not np.array_equal(shown_grid(explorer), pixels)
    entry = CATALOGUE[name]
    assert entry.build(entry.strongest).layers[0].layer in texts(explorer)
    assert entry.ignores in texts(explorer)
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
    control(explorer, "Nothing").click()
    assert explorer.augmentation == Augmentation()
    control(explorer, "Back to the start").click()
    assert explorer.augmentation == LESSON and slider(explorer, "rotation").value == 20


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_moves_the_sliders_and_the_views(splits, name):
    explorer = AugmentationExplorer(splits, Augmentation(noise=0.1))
    control(explorer, name).click()
    assert explorer.augmentation == PRESETS[name]
    assert np.array_equal(explorer.views, views_of(PRESETS[name], explorer.photos))
    control(explorer, "Back to the start").click()
    assert explorer.augmentation == Augmentation(noise=0.1)


@pytest.mark.parametrize("value", [0.05, 0.12, 0.123, 0.4999, 1 / 3])
def test_a_value_between_two_steps_gets_finer_ones(splits, value):
    explorer = AugmentationExplorer(splits, Augmentation(zoom=value))
    moved = AugmentationExplorer(splits)
    moved.augmentation = Augmentation(zoom=value)
    for one in (explorer, moved):
        step = slider(one, "zoom").step
        assert step <= 0.05 and abs(round(value / step) * step - value) < 1e-6
        assert one.augmentation.zoom == value


def test_a_stronger_setting_keeps_the_random_values(splits):
    explorer = AugmentationExplorer(splits)
    moved = []
    for value in (0.1, 0.2):
        slider(explorer, "brightness").value = value
        moved.append(explorer.views - explorer.photos)
    middle = (explorer.photos > 0.25) & (explorer.photos < 0.75)
    np.testing.assert_allclose(moved[1][middle], 2 * moved[0][middle], atol=1e-5)


def test_drawing_again_changes_the_views_and_the_seed(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    control(explorer, "with seed and dtype").value = True
    before, again = explorer.views, control(explorer, "Draw again")
    again.click()
    assert explorer.seed == SEED + 1
    assert not np.array_equal(explorer.views, before)
    assert np.array_equal(explorer.views, views_of(LESSON, explorer.photos, seed=SEED + 1))
    assert str(100 * (SEED + 1)) in texts(explorer)


def code_shown(explorer):
    return html.unescape(texts(explorer).split('setting">')[1].split("</pre>")[0])


def test_the_code_shown_makes_the_views_shown(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    source = code_shown(explorer)
    assert "seed" not in source and "dtype" not in source
    exec(source, {})
    control(explorer, "with seed and dtype").value = True
    source = code_shown(explorer)
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


# What the views are compared with, and described


def test_the_photo_and_both_ends_stand_beside_the_slider(splits):
    explorer = AugmentationExplorer(splits)
    assert "weakest: unchanged" in texts(explorer) and "strongest: unchanged" in texts(explorer)
    slider(explorer, "contrast").value = 0.5
    assert all(
        words in texts(explorer)
        for words in ("the photo itself", "weakest: contrast × 0.50", "strongest: contrast × 1.50")
    )
    slider(explorer, "rotation").value = 20
    assert "one end: turned 20° right" in texts(explorer)


def test_each_view_has_its_random_values(splits):
    explorer = AugmentationExplorer(splits, Augmentation(rotation=20, contrast=0.5))
    assert texts(explorer).count("<small>turned ") == 16
    assert texts(explorer).count("contrast × ") == 16
    factor = np.asarray(
        explorer.augmentation.layers(SEED)[1].get_random_transformation(explorer.photos)[
            "contrast_factor"
        ]
    ).reshape(-1)
    described = [f"contrast × {one:.2f}" for one in factor]
    assert all(words in texts(explorer) for words in described)


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
    with pytest.raises(ValueError, match="`show` to be one of 'one', 'sixteen'"):
        AugmentationExplorer(splits, show="four")


def test_a_small_explorer_has_only_its_sliders(splits):
    explorer = AugmentationExplorer(splits, controls=("contrast",))
    labels = {getattr(w, "description", "") for w in descendants(explorer.widget)}
    assert "Contrast" in labels and "Rotation °" not in labels
    assert not labels & {"Epoch", "Task", "Geometry", "Your photos", "Ask the classifier"}
    slider(explorer, "contrast").value = 0.5
    assert explorer.augmentation == Augmentation(contrast=0.5)
    assert np.array_equal(explorer.views, views_of(explorer.augmentation, explorer.photos))
    control(explorer, "Nothing").click()
    assert explorer.augmentation == Augmentation()


def test_the_complete_explorer_has_a_labeled_control_for_every_transformation(splits):
    explorer = AugmentationExplorer(splits)
    assert all(slider(explorer, name) for name in CATALOGUE)
    for widget in descendants(explorer.widget):
        if type(widget).__name__ in ("Button", "ToggleButton", "Dropdown", "FloatSlider"):
            assert widget.description
    grouped = group_controls()
    assert sorted(name for members in grouped.values() for name in members) == sorted(CATALOGUE)
    for number, (title, members) in enumerate(grouped.items()):
        inside = {slider(explorer, name) for name in members}
        (fold,) = (
            w for w in descendants(explorer.widget) if set(getattr(w, "children", ())) == inside
        )
        assert fold.layout.display == ("none" if number else None), "the first group is open"
        control(explorer, title).value = not control(explorer, title).value
        assert fold.layout.display == (None if number else "none")
    slider(explorer, "hue").value = 20
    assert control(explorer, "Color: Hue")


def test_the_group_of_the_slider_in_use_begins_open(splits):
    explorer = AugmentationExplorer(splits, Augmentation(flip="horizontal", contrast=0.5))
    assert control(explorer, "Light: Contrast").value
    assert not control(explorer, "Geometry: Flip").value


def test_the_untouched_photo_waits_in_the_browser(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    pictures = [w for w in descendants(explorer.widget) if type(w).__name__ == "NamedImage"]
    plain = AugmentationExplorer(splits)
    untouched = decode(pictures[1])
    assert np.array_equal(untouched, shown_grid(plain))
    before = pictures[1].value
    slider(explorer, "contrast").value = 0.9
    assert pictures[1].value is before, "a moved slider does not send it again"


def test_the_picture_comes_first_and_the_rest_when_the_hand_rests(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    grid, said = shown_grid(explorer), texts(explorer)

    async def hold_a_key():
        for contrast in (0.55, 0.6, 0.65):
            slider(explorer, "contrast").value = contrast
            assert texts(explorer) == said
        assert not np.array_equal(shown_grid(explorer), grid)
        await asyncio.sleep(3 * PAUSE)

    asyncio.run(hold_a_key())
    assert "contrast multiplied by 0.35 to 1.65" in texts(explorer)


def test_marks_vanish_at_once_when_a_slider_moves(splits):
    explorer = AugmentationExplorer(splits, LESSON)

    async def move_once():
        control(explorer, "View 3").value = True
        slider(explorer, "contrast").value = 0.6
        assert explorer.marked == []

    asyncio.run(move_once())


def test_epochs_count_the_views_seen(splits):
    explorer = AugmentationExplorer(splits, LESSON)
    assert "16 views seen so far" in texts(explorer)
    control(explorer, "Epoch").value = 3
    assert "48 views seen so far" in texts(explorer)
    (play,) = (w for w in descendants(explorer.widget) if type(w).__name__ == "Play")
    assert (play.min, play.max) == (1, control(explorer, "Epoch").max)


@pytest.mark.parametrize("wrong", ["contrast", (), ("tilt",)])
def test_unknown_controls_are_refused(splits, wrong):
    with pytest.raises(ValueError, match="Expected controls from flip"):
        AugmentationExplorer(splits, controls=wrong)
