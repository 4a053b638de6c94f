"""One synthetic image from its parameters: what they say is what the pixels show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.synthetic.dataset import (
    find_vehicles,
    make_synthetic_vehicles,
    redraw_vehicles,
)
from course_utils.data.synthetic.parameters import LABELS, NUISANCES, Numbers
from course_utils.data.synthetic.render import render_mask, render_vehicle
from course_utils.data.synthetic.vehicle import BODIES

TINY = (16, 16)
SMALL = (48, 64)
NUMBERS = [name for name, nuisance in NUISANCES.items() if isinstance(nuisance, Numbers)]

# An image with nothing random left in it but its details.
PLAIN = {
    "type": "Car", "body": "sedan", "heading": "left", "azimuth": 60.0, "distance": 8.0,
    "camera_height": 1.7, "length_factor": 1.0, "height_factor": 1.0, "size": 0.7,
    "place_x": 0.0, "place_y": 0.0, "aspect": 1.5, "light": "day", "sun_azimuth": 40.0,
    "sun_elevation": 40.0, "exposure": 1.0, "paint": "bright", "color": "gray",
    "background": "studio", "softness": 0.0, "details": 7,
}  # fmt: skip


def painted(**changes):
    """Where the paint is, as (rows, columns): what differs between bright and dark paint."""
    row = PLAIN | changes
    bright, dark = (render_vehicle(row | {"paint": paint}).astype(int) for paint in LABELS["paint"])
    return np.nonzero(np.abs(bright - dark).sum(axis=2) > 90)


@st.composite
def rows(draw):
    row = {"type": draw(st.sampled_from(["Car", "Truck"]))}
    for name, nuisance in NUISANCES.items():
        if name == "body":
            fitting = [body for body in BODIES if BODIES[body].type == row["type"]]
            row[name] = draw(st.sampled_from(fitting))
        elif name == "details":
            row[name] = draw(st.integers(nuisance.low, nuisance.high))
        elif name in NUMBERS:
            row[name] = draw(st.floats(nuisance.low, nuisance.high))
        else:
            row[name] = draw(st.sampled_from(nuisance.names))
    return row


def test_a_row_gives_its_image():
    images, _, parameters = make_synthetic_vehicles(4, seed=9, image_size=SMALL)
    for image, (_, row) in zip(images, parameters.iterrows(), strict=True):
        np.testing.assert_array_equal(
            render_vehicle(row, SMALL), np.round(image * 255).astype(np.uint8)
        )


@settings(max_examples=25, deadline=None)
@given(row=rows())
def test_mirroring_heading_sun_and_place_mirrors_the_image(row):
    mirrored = row | {
        "heading": "right" if row["heading"] == "left" else "left",
        "sun_azimuth": -row["sun_azimuth"],
        "place_x": -row["place_x"],
    }
    image = render_vehicle(row, SMALL)
    np.testing.assert_array_equal(render_vehicle(mirrored, SMALL), image[:, ::-1])
    assert image.std() > 1


@pytest.mark.parametrize(("place_x", "left", "right"), [(-1, 0, 92), (0, 18, 110), (1, 36, 128)])
def test_place_x_moves_the_vehicle(place_x, left, right):
    columns = painted(place_x=place_x, aspect=1.8)[1]
    assert columns.min() == pytest.approx(left, abs=4)
    assert columns.max() == pytest.approx(right, abs=8)


def test_place_y_moves_the_vehicle_down():
    higher, lower = (painted(place_y=place_y)[0].mean() for place_y in (-1, 1))
    assert lower > higher + 20


def test_size_is_the_fraction_of_the_photo():
    small, large = (np.ptp(painted(size=size, azimuth=90.0)[1]) for size in (0.4, 0.8))
    assert large / small == pytest.approx(2, abs=0.1)
    assert large == pytest.approx(0.8 * 128, abs=6)


def test_length_and_height_factors_stretch():
    def slimness(**changes):
        down, along = painted(azimuth=90.0, **changes)
        return np.ptp(along) / np.ptp(down)

    usual = slimness()
    assert slimness(length_factor=1.15) > 1.08 * usual
    assert slimness(height_factor=1.15) < 0.93 * usual


@pytest.mark.parametrize("heading", ["left", "right"])
def test_taillights_shine_opposite_to_the_heading(heading):
    image = render_vehicle(PLAIN | {"heading": heading, "light": "dusk", "azimuth": 110.0})
    red, green, blue = np.moveaxis(image.astype(int), 2, 0)
    columns = np.nonzero((red > 120) & (red > 2 * green) & (red > 2 * blue))[1]
    assert len(columns) > 5
    assert (columns.mean() > 64) == (heading == "left")


def test_azimuth_zero_shows_the_face_and_180_the_tail():
    def redness(azimuth):
        image = render_vehicle(PLAIN | {"azimuth": azimuth, "light": "dusk"}).astype(int)
        return np.sum((image[..., 0] > 120) & (image[..., 0] > 2 * image[..., 1]))

    assert redness(0) == 0
    assert redness(180) > 20


def test_the_sun_lights_the_side_it_stands_on():
    from_left, from_right = (
        render_vehicle(PLAIN | {"sun_azimuth": azimuth, "azimuth": 40.0})[:, 64:].mean()
        for azimuth in (-100.0, 60.0)
    )
    assert from_right > from_left + 3


def test_light_exposure_paint_and_softness_do_what_they_say():
    usual = render_vehicle(PLAIN | {"background": "hills"}).astype(float)

    def changed(**changes):
        return render_vehicle(PLAIN | {"background": "hills"} | changes).astype(float)

    assert changed(light="dusk").mean() < 0.8 * usual.mean()
    assert changed(exposure=0.5).mean() < 0.8 * usual.mean()
    assert changed(paint="dark").mean() < usual.mean() - 2
    assert changed(softness=1.5).var() < usual.var()
    red = changed(color="red") - usual
    assert red[..., 0].sum() > red[..., 2].sum() + 10_000


@pytest.mark.parametrize("aspect", [1.0, 1.5, 2.0])
def test_aspect_sets_the_black_bars(aspect):
    lit = np.nonzero(render_vehicle(PLAIN | {"aspect": aspect, "background": "hills"}).max((1, 2)))[
        0
    ]
    assert len(lit) == round(128 / aspect)
    assert abs(lit[0] - (127 - lit[-1])) <= 1


@pytest.mark.parametrize("name", ["body", "color", "background"])
def test_every_name_gives_an_image_of_its_own(name):
    images = set()
    for value in NUISANCES[name].names:
        type_name = BODIES[value].type if name == "body" else "Car"
        images.add(render_vehicle(PLAIN | {name: value, "type": type_name}, SMALL).tobytes())
    assert len(images) == len(NUISANCES[name].names)


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_shows_up_to_its_limits(name):
    nuisance = NUISANCES[name]
    places = (nuisance.low, sum(nuisance.default) / 2, nuisance.high)
    lowest, middle, highest = (render_vehicle(PLAIN | {name: place}, SMALL) for place in places)
    assert not np.array_equal(lowest, middle)
    assert not np.array_equal(middle, highest)


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"type": "Bus"}, ValueError, "type.*Bus"),
        ({"body": "suv"}, ValueError, "body for Car"),
        ({"size": 2}, ValueError, "size.*2"),
        ({"size": (0.5, 0.6)}, TypeError, "size"),
        ({"light": "night"}, ValueError, "light.*night"),
        ({"heading": ("left", "right")}, ValueError, "heading"),
    ],
)
def test_render_vehicle_refuses_what_is_no_image(changes, error, named):
    with pytest.raises(error, match=named):
        render_vehicle(PLAIN | changes, TINY)


def test_render_vehicle_names_what_is_missing():
    row = dict(PLAIN)
    del row["aspect"]
    with pytest.raises(ValueError, match="aspect"):
        render_vehicle(row, TINY)


def test_the_mask_is_where_the_vehicle_is():
    _, _, rows = make_synthetic_vehicles(12, seed=3, background=("buildings", "trees"))
    others = rows["background"].map({"buildings": "trees", "trees": "buildings"})
    masks = find_vehicles(rows)
    # The same vehicle stands before another background: what is covered hardly changes.
    change = np.abs(redraw_vehicles(rows) - redraw_vehicles(rows.assign(background=others)))
    inside, outside = change[masks].mean(), change[~masks].mean()
    assert masks.any(axis=(1, 2)).all() and inside < outside / 3
    # And where the paint changes is inside, but for what JPEG and softness spread.
    places = painted()
    mask = render_mask(PLAIN)
    assert mask[places].mean() > 0.98
    mirrored = render_mask(PLAIN | {"heading": "right"})
    np.testing.assert_array_equal(mirrored, mask[:, ::-1])
