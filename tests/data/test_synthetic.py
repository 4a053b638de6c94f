"""What the synthetic vehicles promise: the same pixels, true parameters, biases as asked."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data.synthetic import vehicles
from course_utils.data.synthetic.vehicles import (
    BODIES,
    LABELS,
    NUISANCES,
    PerClass,
    draw_vehicle,
    make_synthetic_vehicles,
    write_vehicles,
)

TINY = (16, 16)
SMALL = (48, 64)
NUMBERS = [name for name, nuisance in NUISANCES.items() if isinstance(nuisance, vehicles.Numbers)]
NAMES = [name for name in NUISANCES if name not in NUMBERS]

# A picture with nothing random left in it but its details.
PLAIN = {
    "type": "Car", "body": "saloon", "heading": "left", "azimuth": 60.0, "distance": 8.0,
    "camera_height": 1.7, "length_factor": 1.0, "height_factor": 1.0, "size": 0.7,
    "place_x": 0.0, "place_y": 0.0, "aspect": 1.5, "light": "day", "sun_azimuth": 40.0,
    "sun_elevation": 40.0, "exposure": 1.0, "paint": "bright", "colour": "grey",
    "background": "studio", "softness": 0.0, "details": 7,
}  # fmt: skip


def draw_table(count, *, seed, split="train", **nuisances):
    """The parameters that make_synthetic_vehicles gives, without the time that pictures take."""
    return pd.DataFrame(vehicles._draw_rows(count, seed, split, nuisances))


@pytest.fixture(scope="module")
def many():
    return draw_table(400, seed=5)


def as_bytes(images):
    return np.round(images * 255).astype(np.uint8)


def painted(**changes):
    """Where the paint is, as (rows, columns): what differs between bright and dark paint."""
    row = PLAIN | changes
    bright, dark = (draw_vehicle(row | {"paint": paint}).astype(int) for paint in LABELS["paint"])
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


# --- Pictures, labels, parameters


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
def test_a_picture_does_not_depend_on_the_count(seed, fewer, more):
    images, labels, parameters = make_synthetic_vehicles(more, seed=seed, image_size=TINY)
    first_images, first_labels, first_parameters = make_synthetic_vehicles(
        fewer, seed=seed, image_size=TINY
    )
    np.testing.assert_array_equal(first_images, images[:fewer])
    np.testing.assert_array_equal(first_labels, labels[:fewer])
    pd.testing.assert_frame_equal(first_parameters, parameters[:fewer])


def test_classes_balance_within_one_at_any_count(many):
    is_truck = (many["type"] == "Truck").to_numpy()
    counts = np.arange(1, len(is_truck) + 1)
    assert np.abs(2 * np.cumsum(is_truck) - counts).max() == 1
    # The order is no pattern to learn from: neither class always comes first.
    assert 0.3 < is_truck[::2].mean() < 0.7


def test_train_and_valid_share_no_picture(many):
    valid = draw_table(400, seed=5, split="valid")
    assert not set(many["details"]) & set(valid["details"])
    assert len(set(many["details"])) == 400


@pytest.mark.parametrize("label", ["type", "heading", "light", "paint"])
def test_any_two_valued_parameter_is_a_label_of_the_same_pictures(many, label):
    images, labels, parameters = make_synthetic_vehicles(12, seed=5, image_size=TINY, label=label)
    np.testing.assert_array_equal(images, make_synthetic_vehicles(12, seed=5, image_size=TINY)[0])
    pd.testing.assert_frame_equal(parameters, many[:12])
    assert LABELS[label] == tuple(sorted(set(many[label])))
    np.testing.assert_array_equal(labels[:, 0] == 1, parameters[label] == LABELS[label][1])


def test_a_row_draws_its_picture(many):
    images, _, parameters = make_synthetic_vehicles(4, seed=9, image_size=SMALL)
    for image, (_, row) in zip(images, parameters.iterrows(), strict=True):
        np.testing.assert_array_equal(draw_vehicle(row, SMALL), as_bytes(image))


# --- The parameters are true


@settings(max_examples=25, deadline=None)
@given(row=rows())
def test_mirroring_heading_sun_and_place_mirrors_the_picture(row):
    mirrored = row | {
        "heading": "right" if row["heading"] == "left" else "left",
        "sun_azimuth": -row["sun_azimuth"],
        "place_x": -row["place_x"],
    }
    picture = draw_vehicle(row, SMALL)
    np.testing.assert_array_equal(draw_vehicle(mirrored, SMALL), picture[:, ::-1])
    assert picture.std() > 1


@pytest.mark.parametrize(("place_x", "left", "right"), [(-1, 0, 92), (0, 18, 110), (1, 36, 128)])
def test_place_x_moves_the_vehicle(place_x, left, right):
    columns = painted(place_x=place_x, aspect=1.8)[1]
    assert columns.min() == pytest.approx(left, abs=4)
    assert columns.max() == pytest.approx(right, abs=8)


def test_place_y_moves_the_vehicle_down():
    higher, lower = (painted(place_y=place_y)[0].mean() for place_y in (-1, 1))
    assert lower > higher + 20


def test_size_is_the_share_of_the_photo():
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
def test_tail_lamps_shine_opposite_to_the_heading(heading):
    picture = draw_vehicle(PLAIN | {"heading": heading, "light": "dusk", "azimuth": 110.0})
    red, green, blue = np.moveaxis(picture.astype(int), 2, 0)
    columns = np.nonzero((red > 120) & (red > 2 * green) & (red > 2 * blue))[1]
    assert len(columns) > 5
    assert (columns.mean() > 64) == (heading == "left")


def test_azimuth_zero_shows_the_face_and_180_the_tail():
    def redness(azimuth):
        picture = draw_vehicle(PLAIN | {"azimuth": azimuth, "light": "dusk"}).astype(int)
        return np.sum((picture[..., 0] > 120) & (picture[..., 0] > 2 * picture[..., 1]))

    assert redness(0) == 0
    assert redness(180) > 20


def test_the_sun_lights_the_side_it_stands_on():
    from_left, from_right = (
        draw_vehicle(PLAIN | {"sun_azimuth": azimuth, "azimuth": 40.0})[:, 64:].mean()
        for azimuth in (-100.0, 60.0)
    )
    assert from_right > from_left + 3


def test_light_exposure_paint_and_softness_do_what_they_say():
    usual = draw_vehicle(PLAIN | {"background": "hills"}).astype(float)

    def changed(**changes):
        return draw_vehicle(PLAIN | {"background": "hills"} | changes).astype(float)

    assert changed(light="dusk").mean() < 0.8 * usual.mean()
    assert changed(exposure=0.5).mean() < 0.8 * usual.mean()
    assert changed(paint="dark").mean() < usual.mean() - 2
    assert changed(softness=1.5).var() < usual.var()
    red = changed(colour="red") - usual
    assert red[..., 0].sum() > red[..., 2].sum() + 10_000


@pytest.mark.parametrize("aspect", [1.0, 1.5, 2.0])
def test_aspect_sets_the_black_bars(aspect):
    lit = np.nonzero(draw_vehicle(PLAIN | {"aspect": aspect, "background": "hills"}).max((1, 2)))[0]
    assert len(lit) == round(128 / aspect)
    assert abs(lit[0] - (127 - lit[-1])) <= 1


@pytest.mark.parametrize("name", ["body", "colour", "background"])
def test_every_name_draws_something_of_its_own(name):
    pictures = set()
    for value in NUISANCES[name].names:
        type_name = BODIES[value].type if name == "body" else "Car"
        pictures.add(draw_vehicle(PLAIN | {name: value, "type": type_name}, SMALL).tobytes())
    assert len(pictures) == len(NUISANCES[name].names)


# --- Ranges, biases


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_reaches_its_range_and_can_be_drawn_at_its_limits(many, name):
    nuisance = NUISANCES[name]
    low, high = nuisance.default
    assert nuisance.low <= low < high <= nuisance.high
    values = many[name]
    assert low <= values.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < values.max() <= high
    places = (nuisance.low, (low + high) / 2, nuisance.high)
    lowest, middle, highest = (draw_vehicle(PLAIN | {name: place}, SMALL) for place in places)
    assert not np.array_equal(lowest, middle)
    assert not np.array_equal(middle, highest)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_turns_up(many, name):
    assert set(many[name]) == set(NUISANCES[name].names)


def test_bodies_are_of_their_type(many):
    assert (many["body"].map(lambda body: BODIES[body].type) == many["type"]).all()


def test_a_number_can_be_fixed_or_ranged():
    parameters = draw_table(20, seed=2, size=0.9, azimuth=(80, 85))
    assert (parameters["size"] == 0.9).all()
    assert parameters["azimuth"].between(80, 85).all()
    assert np.ptp(parameters["azimuth"]) > 2


def test_a_name_can_be_fixed_several_or_shared():
    parameters = draw_table(
        120,
        seed=2,
        light="dusk",
        background=["hills", "trees"],
        colour={"red": 0.75, "blue": 0.25},
    )
    assert set(parameters["light"]) == {"dusk"}
    assert 0.35 < (parameters["background"] == "hills").mean() < 0.65
    assert set(parameters["background"]) == {"hills", "trees"}
    assert 0.62 < (parameters["colour"] == "red").mean() < 0.87


@pytest.mark.parametrize("share", [0.0, 0.9, 1.0])
def test_a_bias_by_class_is_as_asked(share):
    mostly_left, mostly_right = ({"left": left, "right": 1 - left} for left in (share, 1 - share))
    heading = PerClass(car=mostly_left, truck=mostly_right)
    parameters = draw_table(200, seed=3, heading=heading)
    left = parameters["heading"] == "left"
    is_car = parameters["type"] == "Car"
    tolerance = 0.08 if 0 < share < 1 else 0
    assert left[is_car].mean() == pytest.approx(share, abs=tolerance)
    assert left[~is_car].mean() == pytest.approx(1 - share, abs=tolerance)


def test_only_what_a_setting_says_matters_not_how_it_is_written():
    written = ({"left": 0.3, "right": 0.7}, {"right": 7, "left": 3})
    one, other = (draw_table(9, seed=3, heading=each) for each in written)
    pd.testing.assert_frame_equal(one, other)


def test_numbers_and_bodies_can_be_biased():
    parameters = draw_table(
        12,
        seed=3,
        size=PerClass(car=(0.5, 0.6), truck=0.9),
        body=("estate", "suv"),
    ).set_index("type")
    assert parameters.loc["Car", "size"].between(0.5, 0.6).all()
    assert (parameters.loc["Truck", "size"] == 0.9).all()
    assert set(parameters.loc["Car", "body"]) == {"estate"}
    assert set(parameters.loc["Truck", "body"]) == {"suv"}


@pytest.mark.parametrize(
    ("name", "setting"), [("light", "dusk"), ("size", 0.9), ("heading", PerClass("left", "right"))]
)
def test_setting_one_nuisance_moves_no_other(many, name, setting):
    parameters = draw_table(20, seed=5, **{name: setting})
    assert not parameters[name].equals(many[name][:20])
    pd.testing.assert_frame_equal(parameters.drop(columns=name), many[:20].drop(columns=name))


# --- Nonsense is refused by name


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
        ({"heading": {"left": 0, "right": 0}}, ValueError, "above 0 for heading"),
        ({"heading": {"left": "most"}}, ValueError, "heading.*most"),
        ({"heading": {"left": float("nan")}}, ValueError, "heading.*nan"),
        ({"heading": PerClass(car="left", truck="down")}, ValueError, "heading.*down"),
        ({"azimuth": 190}, ValueError, "azimuth.*190"),
        ({"azimuth": (90, 60)}, ValueError, r"azimuth.*\(90, 60\)"),
        ({"azimuth": (60, 90, 120)}, TypeError, "azimuth"),
        ({"azimuth": "side"}, TypeError, "azimuth.*side"),
        ({"azimuth": float("nan")}, ValueError, "azimuth.*nan"),
        ({"azimuth": True}, TypeError, "azimuth.*True"),
        ({"body": "estate"}, ValueError, "body for Truck"),
        ({"body": PerClass(car="suv", truck="suv")}, ValueError, "body for Car"),
    ],
)
def test_nonsense_is_refused_by_name(arguments, error, named):
    arguments = {"count": 1, "image_size": TINY} | arguments
    with pytest.raises(error, match=named):
        make_synthetic_vehicles(arguments.pop("count"), **arguments)


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
def test_draw_vehicle_refuses_what_is_no_picture(changes, error, named):
    with pytest.raises(error, match=named):
        draw_vehicle(PLAIN | changes, TINY)


def test_draw_vehicle_names_what_is_missing():
    row = dict(PLAIN)
    del row["aspect"]
    with pytest.raises(ValueError, match="aspect"):
        draw_vehicle(row, TINY)


# --- On disk


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
            np.testing.assert_array_equal(draw_vehicle(row, SMALL), stored)


def test_a_folder_is_written_once(tmp_path, monkeypatch):
    folder = write_vehicles(tmp_path / "set", train=2, valid=2, seed=6, image_size=TINY)
    monkeypatch.setattr(vehicles, "_render", None)
    assert write_vehicles(folder, train=2, valid=2, seed=6, image_size=TINY) == folder


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    draw, drawn = vehicles._render, []

    def fail_at_the_third(*arguments):
        drawn.append(arguments)
        if len(drawn) == 3:
            raise OSError("disk full")
        return draw(*arguments)

    monkeypatch.setattr(vehicles, "_render", fail_at_the_third)
    with pytest.raises(OSError, match="disk full"):
        write_vehicles(tmp_path / "set", train=4, valid=2, seed=6, image_size=TINY)
    assert not list(tmp_path.iterdir())


def test_of_two_processes_the_first_to_finish_wins(tmp_path, monkeypatch):
    draw = vehicles._render

    def meanwhile(*arguments):
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / "theirs").touch()
        return draw(*arguments)

    monkeypatch.setattr(vehicles, "_render", meanwhile)
    folder = write_vehicles(tmp_path / "set", train=2, valid=2, seed=6, image_size=TINY)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"train": 1}, "train"), ({"valid": 0}, "valid"), ({"size": 3}, "size")],
)
def test_writing_refuses_nonsense_before_it_writes(tmp_path, arguments, named):
    with pytest.raises(ValueError, match=named):
        write_vehicles(tmp_path / "set", **{"train": 2, "valid": 2, "seed": 1} | arguments)
    assert not list(tmp_path.iterdir())


def test_importing_the_module_is_light():
    code = (
        "import sys, course_utils.data.synthetic.vehicles;"
        "print([name for name in ('tensorflow', 'keras', 'matplotlib', 'ipywidgets')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
