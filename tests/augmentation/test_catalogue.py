"""The catalogue: what an entry says is what its Keras layers really do."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from augmentation_helpers import SEED, apply, comparable, random_photos, sample

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.augmentation.policy import Augmentation


def strongest(name):
    """The strongest value that leaves something to chance: a probability of 1 does not."""
    return 0.5 if name == "grayscale" else CATALOGUE[name].strongest


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_every_entry_says_what_it_teaches_and_when_it_breaks(entry):
    assert len(entry.ignores) > 10 and len(entry.breaks) > 10
    description = entry.build(entry.strongest).description
    assert description in Augmentation(**{entry.name: entry.strongest}).describe()
    assert hasattr(keras.layers, entry.build(entry.strongest).layers[0].layer)


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_transformation_at_its_strongest(name):
    augmentation = Augmentation(**{name: strongest(name)})
    images = random_photos(12)
    images[0] = 0.0  # a black and a gray photo, where a division by the range would show
    images[1] = 0.5
    views = apply(augmentation.layers(SEED), images)
    assert np.isfinite(views).all() and views.min() >= -1e-6 and views.max() <= 1 + 1e-6
    assert not np.array_equal(views, images)
    assert not np.array_equal(views, apply(augmentation.layers(SEED + 1), images))
    assert np.array_equal(images, apply(augmentation.layers(SEED), images, training=False))
    single = apply(augmentation.layers(SEED), images[2])
    assert single.shape == images[2].shape and single.dtype == np.float32
    assert np.isfinite(single).all()


def test_contrast_lowers_and_raises():
    layer = Augmentation(contrast=0.5).layers(SEED)[0]
    factors = np.asarray(sample(layer, random_photos(2000, 2, 2))["contrast_factor"])
    assert 0.5 <= factors.min() < 0.51 and 1.49 < factors.max() <= 1.5
    assert abs(factors.mean() - 1) < 0.02


def test_contrast_stays_within_the_range_and_keeps_the_mean():
    images = random_photos(50) * 0.2 + 0.4
    views = apply(Augmentation(contrast=0.5).layers(SEED), images)
    np.testing.assert_allclose(views.mean((1, 2)), images.mean((1, 2)), atol=1e-5)
    spread = views.std((1, 2)) / images.std((1, 2))
    assert 0.5 - 1e-3 <= spread.min() < 0.6 and 1.4 < spread.max() <= 1.5 + 1e-3


def test_brightness_counts_in_fractions_of_the_range():
    images = np.full((2000, 2, 2, 3), 0.5, "float32")
    views = apply(Augmentation(brightness=0.2).layers(SEED), images)
    deltas = (views - images)[:, 0, 0, 0]
    assert -0.2 - 1e-6 <= deltas.min() < -0.19 and 0.19 < deltas.max() <= 0.2 + 1e-6
    assert abs(deltas.mean()) < 0.01


def test_saturation_is_neutral_in_the_middle():
    color = np.broadcast_to(np.float32([0.5, 0.4, 0.4]), (2000, 2, 2, 3))
    views = apply(Augmentation(saturation=0.25).layers(SEED), color)[:, 0, 0]
    factors = (1 - views[:, 1] / views[:, 0]) / 0.2  # saturation in HSV is 1 - lowest / highest
    assert abs(factors.min() - 1 / 3) < 0.02 and abs(factors.max() - 3) < 0.05
    assert abs(np.median(factors) - 1) < 0.1
    np.testing.assert_allclose(views[:, 0], 0.5, atol=1e-5)


def test_hue_counts_in_degrees_either_way():
    layer = Augmentation(hue=36).layers(SEED)[0]
    turns = 360 * np.asarray(sample(layer, random_photos(2000, 2, 2))["factor"])
    assert -36 - 1e-3 <= turns.min() < -35 and 35 < turns.max() <= 36 + 1e-3


def test_rotation_counts_in_degrees():
    layer = Augmentation(rotation=15).layers(SEED)[0]
    angles = np.asarray(sample(layer, random_photos(2000, 2, 2))["angle"])
    assert -15.001 <= angles.min() < -14.8 and 14.8 < angles.max() <= 15.001


def test_rotation_turns_left_for_what_is_described_as_left():
    bar = np.zeros((32, 65, 65, 3), "float32")
    bar[:, 32, 50:60] = 1  # to the right of the middle: it rises when the photo turns left
    layer = Augmentation(rotation=30).layers(SEED)[0]
    sampled = sample(layer, bar)
    views = np.asarray(layer.transform_images(bar, sampled, training=True))
    rows = np.average(
        np.broadcast_to(np.arange(65)[:, None], (32, 65, 65)), axis=(1, 2), weights=views[..., 0]
    )
    described = CATALOGUE["rotation"].describe_views(layer, sampled)
    assert [row < 32 for row in rows] == [words.endswith("left") for words in described]


def test_zoom_describes_the_size_of_the_thing():
    square = np.zeros((32, 64, 64, 3), "float32")
    square[:, 24:40, 24:40] = 1
    layer = Augmentation(zoom=0.3).layers(SEED)[0]
    sampled = sample(layer, square)
    views = np.asarray(layer.transform_images(square, sampled, training=True))
    sizes = np.sqrt(views.sum((1, 2, 3)) / square.sum((1, 2, 3)))
    described = [
        float(words.split("× ")[1]) for words in CATALOGUE["zoom"].describe_views(layer, sampled)
    ]
    np.testing.assert_allclose(sizes, described, rtol=0.05)
    assert sizes.min() < 0.85 and sizes.max() > 1.25


def test_translation_describes_the_direction():
    dot = np.zeros((32, 64, 64, 3), "float32")
    dot[:, 32, 32] = 1
    layer = Augmentation(translation=0.25).layers(SEED)[0]
    sampled = sample(layer, dot)
    views = np.asarray(layer.transform_images(dot, sampled, training=True))
    rows, columns = (np.indices((64, 64))[axis] for axis in (0, 1))
    weights = views[..., 0] / views[..., 0].sum((1, 2), keepdims=True)
    moved = np.stack([(weights * columns).sum((1, 2)), (weights * rows).sum((1, 2))], 1) - 32
    np.testing.assert_allclose(moved, sampled["translations"], atol=0.1)
    assert np.abs(moved).max() > 12
    described = CATALOGUE["translation"].describe_views(layer, sampled)
    assert [(x > 0, y > 0) for x, y in moved] == [
        ("right" in words, "down" in words) for words in described
    ]


def test_shear_goes_both_ways_and_its_config_loads_again():
    layer = Augmentation(shear=0.3).layers(SEED)[0]
    factors = np.asarray(sample(layer, random_photos(500, 2, 2))["shear_factor"])
    assert -0.3 - 1e-6 <= factors[:, 0].min() < -0.28 and 0.28 < factors[:, 0].max() <= 0.3 + 1e-6
    assert not factors[:, 1].any()
    rebuilt = type(layer).from_config(layer.get_config())
    assert comparable(rebuilt) == comparable(layer)


def test_both_flips_draw_two_random_numbers():
    corner = np.zeros((2000, 2, 2, 3), "float32")
    corner[:, 0, 0] = 1
    views = apply(Augmentation(flip="horizontal_and_vertical").layers(SEED), corner)[..., 0]
    fractions = views.mean(0)
    np.testing.assert_allclose(fractions, 0.25, atol=0.04)


@pytest.mark.parametrize("flip, axis", [("horizontal", 2), ("vertical", 1)])
def test_flip_mirrors_half_of_the_photos_exactly(flip, axis):
    images = random_photos(400)
    views = apply(Augmentation(flip=flip).layers(SEED), images)
    mirrored = (views == np.flip(images, axis)).all((1, 2, 3))
    assert (mirrored | (views == images).all((1, 2, 3))).all()
    assert 0.4 < mirrored.mean() < 0.6


@pytest.mark.parametrize("setting", [{"erasing": 0.4}, {"perspective": 0.3}, {"blur": 1.0}])
def test_what_is_always_applied_reaches_nearly_every_photo(setting):
    images = random_photos(300, 24, 24)
    views = apply(Augmentation(**setting).layers(SEED), images)
    # An erased box may fall between two pixels; half of the photos would be Keras's scalar.
    assert (views != images).any((1, 2, 3)).mean() > 0.95


def test_erasing_covers_up_to_its_fraction_with_gray():
    images = random_photos(300, 40, 40)
    views = apply(Augmentation(erasing=0.3).layers(SEED), images)
    erased = (views != images).any(-1)
    fractions = erased.mean((1, 2))
    assert fractions.max() <= 0.33 and fractions.max() > 0.24
    assert np.unique(views[erased]).tolist() == [0.5]


def test_perspective_moves_corners_by_up_to_its_fraction():
    layer = Augmentation(perspective=0.2).layers(SEED)[0]
    sampled = sample(layer, random_photos(500, 101, 101))
    moves = np.abs(np.asarray(sampled["end_points"]) - np.asarray(sampled["start_points"]))
    assert 19 < moves.max() <= 20.001


def test_grayscale_is_a_probability():
    images = random_photos(500)
    views = apply(Augmentation(grayscale=0.3).layers(SEED), images)
    gray = (views == views[..., :1]).all((1, 2, 3))
    assert 0.23 < gray.mean() < 0.37
    assert np.array_equal(views[~gray], images[~gray])


def test_blur_blurs_as_far_as_it_says():
    point = np.zeros((1, 15, 15, 3), "float32")
    point[:, 7, 7] = 1
    widths = []
    for seed in range(40):
        layer = Augmentation(blur=1.0).layers(seed)[0]
        widths += np.asarray(sample(layer, point)["blur_factor"]).tolist()
    assert min(widths) < 0.1 and 0.9 < max(widths) <= 1.001
    fixed = keras.layers.RandomGaussianBlur(
        factor=(1.0, 1.0), kernel_size=5, sigma=(1.0, 1.0), value_range=(0, 1)
    )
    profile = np.asarray(fixed(point, training=True))[0, :, :, 0].sum(1)
    spread = np.sqrt((profile * (np.arange(15) - 7.0) ** 2).sum() / profile.sum())
    assert 0.9 < spread < 1.0  # five pixels cut a Gaussian of one pixel a little


def test_noise_has_its_deviation_and_stays_in_range():
    gray = np.full((20, 32, 32, 3), 0.5, "float32")
    views = apply(Augmentation(noise=0.1).layers(SEED), gray)
    assert abs(views.std() - 0.1) < 0.002 and abs(views.mean() - 0.5) < 0.002
    edges = apply(Augmentation(noise=0.3).layers(SEED), np.round(random_photos(20)))
    assert edges.min() == 0.0 and edges.max() == 1.0


def layers_at(name, *strengths):
    """The first layer of a transformation at each strength, a fraction of its largest."""
    maximum = CATALOGUE[name].maximum
    return [
        replace(call, arguments=call.arguments | {"seed": SEED}).build()
        for call in (CATALOGUE[name].build(maximum * strength).layers[0] for strength in strengths)
    ]


# What is sampled is no multiple of the strength: each has a test of its own below.
NOT_LINEAR = ("saturation", "grayscale", "noise", "erasing", "rand_augment", "one_operation")


@pytest.mark.parametrize(
    "name",
    [name for name, entry in CATALOGUE.items() if not entry.choices and name not in NOT_LINEAR],
)
def test_a_stronger_setting_scales_the_same_random_draws(name):
    """Half the strength, the same seed: every sampled number is half as far from neutral."""
    images = random_photos(8)
    none, weak, strong = (sample(layer, images) for layer in layers_at(name, 1e-9, 0.5, 1.0))
    scaled = 0
    for key in strong.keys() - {"rotation_matrix"}:  # the sine and cosine of the angle
        neutral, half, whole = (
            np.asarray(sampled[key], "float32") for sampled in (none, weak, strong)
        )
        np.testing.assert_allclose(half, (neutral + whole) / 2, atol=1e-4)
        scaled += not np.array_equal(whole, neutral)
    assert scaled


def test_saturation_scales_the_same_random_draws():
    factors = (
        sample(layer, random_photos(8))["factor"] for layer in layers_at("saturation", 0.5, 1)
    )
    weak, strong = (factor / (1 + factor) - 0.5 for factor in map(np.asarray, factors))
    np.testing.assert_allclose(weak, strong / 2, atol=1e-4)


def test_a_higher_probability_of_gray_adds_gray_photos():
    weak, strong = (
        np.asarray(sample(layer, random_photos(8))).reshape(-1)
        for layer in layers_at("grayscale", 0.5, 1.0)
    )
    assert not (weak & ~strong).any() and strong.all() and not weak.all()


def test_stronger_noise_scales_the_same_grain():
    gray = np.full((2, 8, 8, 3), 0.5, "float32")
    weak, strong = (np.asarray(layer(gray, training=True)) for layer in layers_at("noise", 0.5, 1))
    np.testing.assert_allclose(weak - 0.5, (strong - 0.5) / 2, atol=1e-5)


def test_stronger_erasing_covers_more():
    weak, strong = (
        np.asarray(sample(layer, random_photos(8))["batch_masks"]).sum((1, 2, 3))
        for layer in layers_at("erasing", 0.5, 1.0)
    )
    assert (weak <= strong).all() and weak.sum() < strong.sum()


def test_rand_augment_is_described_once_for_a_batch():
    layer = Augmentation(rand_augment=0.3).layers(SEED)[0]
    sampled = sample(layer, random_photos(4))
    described = CATALOGUE["rand_augment"].describe_views(layer, sampled)
    assert len(set(described)) == 1 and ", then " in described[0]


def test_one_operation_is_one_for_each_photo_that_comes_alone():
    layer, photos = Augmentation(one_operation=0.5).layers(SEED)[0], random_photos(24)
    alone = [sample(layer, photo[None]) for photo in photos]
    described = [CATALOGUE["one_operation"].describe_views(layer, each)[0] for each in alone]
    assert len(set(described)) > 5 and not any(", then " in words for words in described)
    # Its strength is sampled for each of them as well.
    angles = [float(np.ravel(each["transforms"]["random_rotation"]["angle"])[0]) for each in alone]
    assert len(set(angles)) == 24 and max(np.abs(angles)) <= 180


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_was_sampled_is_described_for_every_view(name):
    entry = CATALOGUE[name]
    images = random_photos(6)
    for layer in Augmentation(**{name: strongest(name)}).layers(SEED):
        if hasattr(layer, "get_random_transformation"):
            sampled = sample(layer, images)
            described = entry.describe_views(layer, sampled)
            assert len(described) == 6 and all(isinstance(words, str) for words in described)
            views = np.asarray(layer.transform_images(images, sampled, training=True))
            for view, image, words in zip(views, images, described, strict=True):
                assert words or np.array_equal(view, image)


@pytest.mark.parametrize("name", CATALOGUE)
def test_ends_are_the_limits_of_what_is_sampled(name):
    augmentation = Augmentation(**{name: strongest(name)})
    image = random_photos(1, 24, 24)[0]
    ends, words = augmentation.show_ends(name, image)
    assert ends.shape == (2, 24, 24, 3) and ends.dtype == np.float32
    assert ends.min() >= -1e-6 and ends.max() <= 1 + 1e-6
    assert all(words)
    assert not np.array_equal(ends[0], ends[1])
    assert (words[0] == "unchanged") == np.array_equal(ends[0], image)
    neutral, words = Augmentation().show_ends(name, image)
    assert np.array_equal(neutral, [image, image]) and words == ["unchanged", "unchanged"]


@pytest.mark.parametrize(
    "setting, expected",
    [
        ({"flip": "horizontal_and_vertical"}, ["unchanged", "mirrored, upside down"]),
        ({"rotation": 30}, ["turned 30° right", "turned 30° left"]),
        ({"zoom": 0.25}, ["size × 0.80", "size × 1.33"]),
        ({"shear": 0.2}, ["sheared -20 %", "sheared 20 %"]),
        ({"brightness": 0.3}, ["brightness -30 %", "brightness +30 %"]),
        ({"contrast": 0.5}, ["contrast × 0.50", "contrast × 1.50"]),
        ({"saturation": 0.25}, ["color × 0.33", "color × 3.00"]),
        ({"hue": 90}, ["hue -90°", "hue +90°"]),
        ({"grayscale": 0.1}, ["unchanged", "gray"]),
        ({"blur": 0.5}, ["unchanged", "blurred 0.5 × 0.5 px"]),
        ({"noise": 0.1}, ["unchanged", "noise"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_ends_are_described_in_words(setting, expected):
    (name,) = setting
    _, words = Augmentation(**setting).show_ends(name, random_photos(1, 20, 20)[0])
    assert words == expected


def test_contrast_ends_are_the_formula():
    image = random_photos(1)[0] * 0.4 + 0.3
    ends, _ = Augmentation(contrast=0.5).show_ends("contrast", image)
    mean = image.mean((0, 1))
    np.testing.assert_allclose(ends[0], (image - mean) * 0.5 + mean, atol=1e-6)
    np.testing.assert_allclose(ends[1], np.clip((image - mean) * 1.5 + mean, 0, 1), atol=1e-6)
