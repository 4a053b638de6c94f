"""The catalogue and the value: what a setting says is what the Keras layers really do."""

import copy
import pickle
import subprocess
import sys
from dataclasses import fields, replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.augmentation.policy import CATALOGUE, FLIPS, Augmentation

SEED = 31415
STRENGTHS = [name for name, entry in CATALOGUE.items() if entry.unit != "choice"]
STRONGEST = (
    {"flip": "horizontal_and_vertical"}
    | {name: CATALOGUE[name].maximum for name in STRENGTHS}
    | {"grayscale": 0.5}  # a probability: at 1 no dice are left
)


def random_photos(count, height=16, width=12):
    return np.random.default_rng(7).uniform(size=(count, height, width, 3)).astype("float32")


def apply(layers, images, training=True):
    for layer in layers:
        images = layer(images, training=training)
    return np.asarray(images)


def draw(layer, images):
    """What one layer draws for a batch."""
    return layer.get_random_transformation(images, training=True)


def comparable(layer):
    """A layer's config without its name, which Keras counts up."""
    return {key: value for key, value in layer.get_config().items() if key != "name"}


@st.composite
def augmentations(draw, names=tuple(CATALOGUE)):
    """Any augmentation of up to three transformations."""
    chosen = draw(st.sets(st.sampled_from(names), max_size=3))
    return Augmentation(
        **{
            name: draw(
                st.sampled_from(FLIPS)
                if name == "flip"
                else st.floats(0.0, CATALOGUE[name].maximum, allow_subnormal=False)
            )
            for name in chosen
        }
    )


# The value


def test_catalogue_and_fields_agree():
    assert tuple(CATALOGUE) == tuple(entry.name for entry in fields(Augmentation))
    assert {name: entry.neutral for name, entry in CATALOGUE.items()} == {
        entry.name: entry.default for entry in fields(Augmentation)
    }


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_every_entry_says_what_it_teaches_and_when_it_breaks(entry):
    assert len(entry.ignores) > 10 and len(entry.breaks) > 10
    words = entry.describe(STRONGEST[entry.name])
    assert words in Augmentation(**{entry.name: STRONGEST[entry.name]}).describe()
    assert entry.keras_layer in [call.layer for call in entry.calls(STRONGEST[entry.name])]


@given(augmentations())
@settings(max_examples=200, deadline=None)
def test_repr_and_json_rebuild_the_value(augmentation):
    assert eval(repr(augmentation), {"Augmentation": Augmentation}) == augmentation
    assert Augmentation.from_json(augmentation.to_json()) == augmentation
    assert hash(Augmentation.from_json(augmentation.to_json())) == hash(augmentation)


def test_equal_values_give_the_same_text():
    whole, fractional = Augmentation(rotation=15), Augmentation(rotation=np.float64(15.0))
    assert whole == fractional
    assert (repr(whole), whole.to_json()) == (repr(fractional), fractional.to_json())
    assert repr(whole) == "Augmentation(rotation=15.0)"
    assert repr(Augmentation(zoom=-0.0)) == "Augmentation()"
    assert Augmentation(flip="horizontal").to_json() == '{"flip": "horizontal"}'


def test_value_survives_copying_and_pickling():
    value = Augmentation(rotation=15, flip="vertical")
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    assert replace(value, zoom=0.2) == Augmentation(rotation=15, flip="vertical", zoom=0.2)


def test_value_cannot_be_changed():
    with pytest.raises(AttributeError):
        Augmentation().contrast = 0.5


@pytest.mark.parametrize("name", STRENGTHS)
@pytest.mark.parametrize("wrong", [-0.01, float("nan"), float("inf")])
def test_values_out_of_range_are_refused(name, wrong):
    with pytest.raises(ValueError, match=f"Expected {name} from 0 to"):
        Augmentation(**{name: wrong})
    with pytest.raises(ValueError, match="received"):
        Augmentation(**{name: CATALOGUE[name].maximum + 0.01})


@pytest.mark.parametrize("wrong", ["0.5", None, True, (0.1, 0.2)])
def test_strengths_that_are_no_numbers_are_refused(wrong):
    with pytest.raises(TypeError, match="Expected contrast to be one number"):
        Augmentation(contrast=wrong)


def test_wrong_choices_seeds_and_texts_are_refused():
    with pytest.raises(ValueError, match="'horizontal_and_vertical'"):
        Augmentation(flip="both")
    with pytest.raises(ValueError, match="received tilt"):
        Augmentation.from_json('{"tilt": 3}')
    for text in ("[0.5]", "{}x", None):
        with pytest.raises(ValueError, match="JSON object"):
            Augmentation.from_json(text)
    with pytest.raises(TypeError, match="out of flip, .*received tilt"):
        Augmentation(tilt=3)
    with pytest.raises(TypeError, match=r"by name, .*received 0\.5"):
        Augmentation(0.5)
    with pytest.raises(ValueError, match="seed from 0 to"):
        Augmentation(contrast=0.5).layers(-1)
    with pytest.raises(TypeError, match="seed to be an integer"):
        Augmentation(contrast=0.5).layers(None)


def test_importing_the_module_does_not_import_tensorflow():
    program = (
        "import sys, course_utils.augmentation.policy as a; a.Augmentation(contrast=0.5).code(1); "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# The layers, whatever the transformation


def test_neutral_settings_give_no_layer():
    assert Augmentation().layers(SEED) == []
    assert Augmentation().active == {}
    assert Augmentation().describe() == "No augmentation: every photo stays exactly as it is."


@given(augmentations(), st.integers(1, 3), st.sampled_from([(16, 12), (9, 9), (7, 20)]))
@settings(max_examples=20, deadline=None)
def test_views_keep_shape_type_and_range_and_follow_the_seed(augmentation, count, size):
    images = random_photos(count, *size)
    views = apply(augmentation.layers(SEED), images)
    assert views.shape == images.shape and views.dtype == np.float32
    assert np.isfinite(views).all()
    assert views.min() >= -1e-6 and views.max() <= 1 + 1e-6
    assert np.array_equal(views, apply(augmentation.layers(SEED), images))
    assert np.array_equal(images, apply(augmentation.layers(SEED), images, training=False))


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_transformation_at_its_strongest(name):
    augmentation = Augmentation(**{name: STRONGEST[name]})
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


@pytest.mark.parametrize("name", CATALOGUE)
def test_code_makes_equal_layers(name):
    augmentation = Augmentation(**{name: STRONGEST[name]})
    scope = {}
    exec(augmentation.code(SEED), scope)
    pasted, made = scope["augmentation_layers"], augmentation.layers(SEED)
    assert [type(layer) for layer in pasted] == [type(layer) for layer in made]
    assert [comparable(layer) for layer in pasted] == [comparable(layer) for layer in made]
    images = random_photos(4)
    assert np.array_equal(apply(pasted, images), apply(made, images))
    assert "seed" not in augmentation.code()
    exec(augmentation.code(), {})


@given(augmentations())
@settings(max_examples=15, deadline=None)
def test_code_of_any_setting_makes_equal_layers(augmentation):
    scope = {}
    exec(augmentation.code(SEED), scope)
    pasted, made = scope["augmentation_layers"], augmentation.layers(SEED)
    assert [comparable(layer) for layer in pasted] == [comparable(layer) for layer in made]


def test_every_layer_has_its_own_seed_and_float32():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layers = Augmentation(**STRONGEST).layers(SEED)
        assert apply(layers[:4], random_photos(2)).dtype == np.float32
    finally:
        keras.config.set_dtype_policy(policy)
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    seeds = [layer.seed for layer in layers if hasattr(layer, "seed")]
    assert len(seeds) == len(layers) - 1  # all but the ReLU that ends the noise
    assert len(set(seeds)) == len(seeds)
    following = [
        layer.seed
        for layer in Augmentation(**STRONGEST).layers(SEED + 1)[:-1]
        if hasattr(layer, "seed")
    ]
    assert not set(seeds) & set(following)


def test_another_transformation_leaves_the_dice_of_the_others():
    alone = Augmentation(contrast=0.5).layers(SEED)[-1]
    among = Augmentation(flip="horizontal", rotation=30, contrast=0.5).layers(SEED)[-1]
    assert alone.seed == among.seed


def test_model_with_the_layers_can_be_saved_and_loaded(tmp_path):
    layers = Augmentation(**STRONGEST).layers(SEED)
    model = keras.Sequential([keras.Input((16, 12, 3)), *layers])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = random_photos(2)
    assert np.array_equal(loaded(images, training=False), images)
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(flip="horizontal_and_vertical", contrast=0.5, brightness=0.3),
        Augmentation(rotation=20, zoom=0.2, translation=0.1, shear=0.2, perspective=0.2),
        Augmentation(saturation=0.3, hue=30, grayscale=0.3, blur=1.0, noise=0.1, erasing=0.3),
    ],
    ids=["flip and light", "places", "colour and camera"],
)
def test_fit_trains_on_the_very_views(augmentation):
    images = random_photos(8)
    views = apply(augmentation.layers(SEED), images)

    def largest_difference(expected, received):
        return keras.ops.max(keras.ops.abs(expected - received))

    model = keras.Sequential([keras.Input(images.shape[1:]), *augmentation.layers(SEED), Shift()])
    # A rate of zero, so that the one weight stays zero and the output is what the layers gave.
    model.compile(keras.optimizers.SGD(0.0), loss="mse", metrics=[largest_difference])
    history = model.fit(images, views, batch_size=8, shuffle=False, verbose=0)
    assert history.history["largest_difference"][0] <= 1e-6


class Shift(keras.layers.Layer):
    """Adds one trainable number that starts at zero, so that `fit` has something to train."""

    def build(self, input_shape):
        self.shift = self.add_weight(shape=(), initializer="zeros")

    def call(self, images):
        return images + self.shift


# Keras's traps, one test each, against what is really drawn


def test_contrast_lowers_and_raises():
    layer = Augmentation(contrast=0.5).layers(SEED)[0]
    factors = np.asarray(draw(layer, random_photos(2000, 2, 2))["contrast_factor"])
    assert 0.5 <= factors.min() < 0.51 and 1.49 < factors.max() <= 1.5
    assert abs(factors.mean() - 1) < 0.02
    assert (
        np.asarray(
            draw(keras.layers.RandomContrast(0.5, seed=1), random_photos(2000, 2, 2))[
                "contrast_factor"
            ]
        ).min()
        >= 1.0
    ), "a scalar never lowers the contrast; if it does now, Keras has changed"


def test_contrast_stays_within_the_range_and_keeps_the_mean():
    images = random_photos(50) * 0.2 + 0.4
    views = apply(Augmentation(contrast=0.5).layers(SEED), images)
    np.testing.assert_allclose(views.mean((1, 2)), images.mean((1, 2)), atol=1e-5)
    spread = views.std((1, 2)) / images.std((1, 2))
    assert 0.5 - 1e-3 <= spread.min() < 0.6 and 1.4 < spread.max() <= 1.5 + 1e-3


def test_brightness_counts_in_shares_of_the_range():
    images = np.full((2000, 2, 2, 3), 0.5, "float32")
    views = apply(Augmentation(brightness=0.2).layers(SEED), images)
    deltas = (views - images)[:, 0, 0, 0]
    assert -0.2 - 1e-6 <= deltas.min() < -0.19 and 0.19 < deltas.max() <= 0.2 + 1e-6
    assert abs(deltas.mean()) < 0.01


def test_saturation_is_neutral_in_the_middle():
    colour = np.broadcast_to(np.float32([0.5, 0.4, 0.4]), (2000, 2, 2, 3))
    views = apply(Augmentation(saturation=0.25).layers(SEED), colour)[:, 0, 0]
    factors = (1 - views[:, 1] / views[:, 0]) / 0.2  # saturation in HSV is 1 - lowest / highest
    assert abs(factors.min() - 1 / 3) < 0.02 and abs(factors.max() - 3) < 0.05
    assert abs(np.median(factors) - 1) < 0.1
    np.testing.assert_allclose(views[:, 0], 0.5, atol=1e-5)


def test_hue_counts_in_degrees_either_way():
    layer = Augmentation(hue=36).layers(SEED)[0]
    turns = 360 * np.asarray(draw(layer, random_photos(2000, 2, 2))["factor"])
    assert -36 - 1e-3 <= turns.min() < -35 and 35 < turns.max() <= 36 + 1e-3
    red = np.broadcast_to(np.float32([1, 0, 0]), (1, 2, 2, 3))
    green = keras.layers.RandomHue((2 / 3, 2 / 3), value_range=(0, 1), seed=1)(red, training=True)
    assert np.asarray(green)[0, 0, 0].argmax() != 0, "two thirds of Keras's scale are 120 degrees"


def test_rotation_counts_in_degrees():
    layer = Augmentation(rotation=15).layers(SEED)[0]
    angles = np.asarray(draw(layer, random_photos(2000, 2, 2))["angle"])
    assert -15.001 <= angles.min() < -14.8 and 14.8 < angles.max() <= 15.001


def test_rotation_turns_left_for_what_is_told_as_left():
    bar = np.zeros((32, 65, 65, 3), "float32")
    bar[:, 32, 50:60] = 1  # to the right of the middle: it rises when the photo turns left
    layer = Augmentation(rotation=30).layers(SEED)[0]
    drawn = draw(layer, bar)
    views = np.asarray(layer.transform_images(bar, drawn, training=True))
    rows = np.average(
        np.broadcast_to(np.arange(65)[:, None], (32, 65, 65)), axis=(1, 2), weights=views[..., 0]
    )
    told = CATALOGUE["rotation"].tell(layer, drawn)
    assert [row < 32 for row in rows] == [words.endswith("left") for words in told]


def test_zoom_tells_the_size_of_the_thing():
    square = np.zeros((32, 64, 64, 3), "float32")
    square[:, 24:40, 24:40] = 1
    layer = Augmentation(zoom=0.3).layers(SEED)[0]
    drawn = draw(layer, square)
    views = np.asarray(layer.transform_images(square, drawn, training=True))
    sizes = np.sqrt(views.sum((1, 2, 3)) / square.sum((1, 2, 3)))
    told = [float(words.split("× ")[1]) for words in CATALOGUE["zoom"].tell(layer, drawn)]
    np.testing.assert_allclose(sizes, told, rtol=0.05)
    assert sizes.min() < 0.85 and sizes.max() > 1.25


def test_translation_tells_the_direction():
    dot = np.zeros((32, 64, 64, 3), "float32")
    dot[:, 32, 32] = 1
    layer = Augmentation(translation=0.25).layers(SEED)[0]
    drawn = draw(layer, dot)
    views = np.asarray(layer.transform_images(dot, drawn, training=True))
    rows, columns = (np.indices((64, 64))[axis] for axis in (0, 1))
    weights = views[..., 0] / views[..., 0].sum((1, 2), keepdims=True)
    moved = np.stack([(weights * columns).sum((1, 2)), (weights * rows).sum((1, 2))], 1) - 32
    np.testing.assert_allclose(moved, drawn["translations"], atol=0.1)
    assert np.abs(moved).max() > 12
    told = CATALOGUE["translation"].tell(layer, drawn)
    assert [(x > 0, y > 0) for x, y in moved] == [
        ("right" in words, "down" in words) for words in told
    ]


def test_shear_goes_both_ways_and_its_config_loads_again():
    layer = Augmentation(shear=0.3).layers(SEED)[0]
    factors = np.asarray(draw(layer, random_photos(500, 2, 2))["shear_factor"])
    assert -0.3 - 1e-6 <= factors[:, 0].min() < -0.28 and 0.28 < factors[:, 0].max() <= 0.3 + 1e-6
    assert not factors[:, 1].any()
    rebuilt = type(layer).from_config(layer.get_config())
    assert comparable(rebuilt) == comparable(layer)


def test_both_flips_throw_two_dice():
    corner = np.zeros((2000, 2, 2, 3), "float32")
    corner[:, 0, 0] = 1
    views = apply(Augmentation(flip="horizontal_and_vertical").layers(SEED), corner)[..., 0]
    shares = views.mean(0)
    np.testing.assert_allclose(shares, 0.25, atol=0.04)
    one_die = keras.layers.RandomFlip("horizontal_and_vertical", seed=1)(corner, training=True)
    assert np.asarray(one_die)[:, 0, 1].sum() == 0, "Keras throws two dice now"


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


def test_erasing_covers_up_to_its_share_with_gray():
    images = random_photos(300, 40, 40)
    views = apply(Augmentation(erasing=0.3).layers(SEED), images)
    erased = (views != images).any(-1)
    shares = erased.mean((1, 2))
    assert shares.max() <= 0.33 and shares.max() > 0.24
    assert np.unique(views[erased]).tolist() == [0.5]


def test_perspective_moves_corners_by_up_to_its_share():
    layer = Augmentation(perspective=0.2).layers(SEED)[0]
    drawn = draw(layer, random_photos(500, 101, 101))
    moves = np.abs(np.asarray(drawn["end_points"]) - np.asarray(drawn["start_points"]))
    assert 19 < moves.max() <= 20.001
    assert not moves[:, 0].any(), "Keras moves the top left corner now: mend the words"


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
        widths += np.asarray(draw(layer, point)["blur_factor"]).tolist()
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


@pytest.mark.parametrize("name", [name for name in STRENGTHS if name != "rand_augment"])
def test_a_stronger_setting_keeps_the_dice(name):
    """Half the strength, the same seed: every drawn number is half as far from neutral."""
    neutral = {"contrast": 1.0, "zoom": 1.0}.get(name, 0.0)
    keys = {
        "rotation": "angle",
        "translation": "translations",
        "zoom": "height_zoom",
        "shear": "shear_factor",
        "brightness": "rgb_delta",
        "contrast": "contrast_factor",
        "hue": "factor",
        "blur": "blur_factor",
    }
    images = random_photos(8)
    strong, weak = (
        Augmentation(**{name: share * CATALOGUE[name].maximum}).layers(SEED)[0]
        for share in (1.0, 0.5)
    )
    if name in keys:
        strong, weak = (np.asarray(draw(layer, images)[keys[name]]) for layer in (strong, weak))
        np.testing.assert_allclose(weak - neutral, (strong - neutral) / 2, atol=1e-4)
    elif name == "perspective":
        strong, weak = (draw(layer, images) for layer in (strong, weak))
        start = np.asarray(strong["start_points"])
        np.testing.assert_allclose(
            np.asarray(weak["end_points"]) - start,
            (np.asarray(strong["end_points"]) - start) / 2,
            atol=1e-4,
        )
    elif name == "saturation":
        strong, weak = (np.asarray(draw(layer, images)["factor"]) for layer in (strong, weak))
        strong, weak = strong / (1 + strong) - 0.5, weak / (1 + weak) - 0.5
        np.testing.assert_allclose(weak, strong / 2, atol=1e-4)
    elif name == "grayscale":
        strong, weak = (np.asarray(draw(layer, images)).reshape(-1) for layer in (strong, weak))
        assert not (weak & ~strong).any() and strong.all() and not weak.all()
    elif name == "noise":
        gray = np.full((2, 8, 8, 3), 0.5, "float32")
        strong, weak = (np.asarray(layer(gray, training=True)) for layer in (strong, weak))
        np.testing.assert_allclose(weak - 0.5, (strong - 0.5) / 2, atol=1e-5)
    else:
        assert name == "erasing"
        strong, weak = (np.asarray(draw(layer, images)["batch_masks"]) for layer in (strong, weak))
        assert (weak.sum((1, 2, 3)) <= strong.sum((1, 2, 3))).all()
        assert weak.sum() < strong.sum()


def test_rand_augment_draws_once_for_a_batch():
    layer = Augmentation(rand_augment=0.3).layers(SEED)[0]
    drawn = draw(layer, random_photos(4))
    assert np.asarray(drawn["layer_idxes"]).shape == (2,), "Keras draws for each photo now"
    told = CATALOGUE["rand_augment"].tell(layer, drawn)
    assert len(set(told)) == 1 and ", then " in told[0]


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_was_drawn_is_told_for_every_view(name):
    entry = CATALOGUE[name]
    images = random_photos(6)
    for layer in Augmentation(**{name: STRONGEST[name]}).layers(SEED):
        if hasattr(layer, "get_random_transformation"):
            drawn = draw(layer, images)
            told = entry.tell(layer, drawn)
            assert len(told) == 6 and all(isinstance(words, str) for words in told)
            views = np.asarray(layer.transform_images(images, drawn, training=True))
            for view, image, words in zip(views, images, told, strict=True):
                assert words or np.array_equal(view, image)


def test_replacing_one_setting_leaves_the_others():
    augmentation = replace(Augmentation(flip="horizontal", contrast=0.5), contrast=0.2)
    assert augmentation == Augmentation(flip="horizontal", contrast=0.2)


@pytest.mark.parametrize("name", CATALOGUE)
def test_ends_are_the_limits_of_what_is_drawn(name):
    augmentation = Augmentation(**{name: STRONGEST[name]})
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
        ({"saturation": 0.25}, ["colour × 0.33", "colour × 3.00"]),
        ({"hue": 90}, ["hue -90°", "hue +90°"]),
        ({"grayscale": 0.1}, ["unchanged", "gray"]),
        ({"blur": 0.5}, ["unchanged", "blurred 0.5 × 0.5 px"]),
        ({"noise": 0.1}, ["unchanged", "noise"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_ends_are_told_in_words(setting, expected):
    (name,) = setting
    _, words = Augmentation(**setting).show_ends(name, random_photos(1, 20, 20)[0])
    assert words == expected


def test_contrast_ends_are_the_formula():
    image = random_photos(1)[0] * 0.4 + 0.3
    ends, _ = Augmentation(contrast=0.5).show_ends("contrast", image)
    mean = image.mean((0, 1))
    np.testing.assert_allclose(ends[0], (image - mean) * 0.5 + mean, atol=1e-6)
    np.testing.assert_allclose(ends[1], np.clip((image - mean) * 1.5 + mean, 0, 1), atol=1e-6)
