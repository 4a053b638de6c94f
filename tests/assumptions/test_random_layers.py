"""Keras's random layers: what their arguments mean, what they draw, what they do in inference.

Tests of Keras, not of the kit. Where one fails, Keras has changed: the message names the trap and
the module that has to follow.

Longer than 350 lines because every random layer of Keras has its own assumptions.
"""

import inspect

import numpy as np
import pytest

from course_utils.core import backend
from course_utils.features.views import ALIKE, CHANGING_IN_INFERENCE, is_identity_in_inference
from course_utils.models.fingerprints import SEED_STATE

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)
from keras import layers  # noqa: E402

CATALOGUE = "course_utils.augmentation.catalogue"
LAYER_CALL = "course_utils.augmentation.layer_call"
EXPLORER = "course_utils.augmentation.explorer"
VIEWS = "course_utils.features.views"
UNIT = {"value_range": (0, 1)}


def noise(count=4, size=(8, 8), *, low=0.0, high=1.0):
    return np.random.default_rng(0).uniform(low, high, (count, *size, 3)).astype("float32")


def draw(layer, images, key=None):
    drawn = layer.get_random_transformation(images, training=True)
    return drawn if key is None else np.asarray(drawn[key])


def augment(layer, images):
    return np.asarray(layer(images, training=True))


def share_changed(layer):
    images = noise(400)
    return (augment(layer, images) != images).any(axis=(1, 2, 3)).mean()


def spans(values, low, high):
    """Whether many uniform draws fill a range and stay in it."""
    margin = 0.05 * (high - low)
    return low - 1e-6 <= values.min() < low + margin and high - margin < values.max() <= high + 1e-6


# What a seed sets


def test_setting_the_seed_again_draws_the_same_again():
    def draw():
        keras.utils.set_random_seed(1)
        return np.asarray(keras.random.uniform((4,)))

    assert np.array_equal(draw(), draw()), (
        "set_random_seed does not set Keras's own generator back, as before Keras 3.13: running a "
        "lesson's first cell again no longer repeats its numbers; pyproject.toml's bound on Keras "
        "rests on it."
    )


# What a factor means


@pytest.mark.parametrize(
    ("factor", "low", "high", "trap"),
    [
        (0.5, 1.0, 1.5, "RandomContrast(0.5) no longer raises contrast only"),
        ((0.5, 0.5), 0.5, 1.5, "RandomContrast((0.5, 0.5)) no longer draws from 0.5 to 1.5"),
        ((0.8, 0.2), 0.8, 1.8, "RandomContrast no longer sorts its pair"),
    ],
    ids=["scalar", "pair", "unsorted pair"],
)
def test_contrast_reads_a_pair_as_lower_and_upper_and_a_scalar_as_upper(factor, low, high, trap):
    factors = draw(layers.RandomContrast(factor, seed=1), noise(1000, (2, 2)), "contrast_factor")
    assert spans(factors, low, high), f"{trap}: see `contrast` in {CATALOGUE}."


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, cls in inspect.getmembers(layers, inspect.isclass)
        if "value_range" in inspect.signature(cls.__init__).parameters
    ),
)
def test_pixels_are_expected_in_0_to_255_unless_told_otherwise(name):
    default = inspect.signature(getattr(layers, name).__init__).parameters["value_range"].default
    assert tuple(default) == (0, 255), (
        f"{name} expects pixels in {default} now: {CATALOGUE} and exercise 02 rely on (0, 255)."
    )


def test_contrast_made_for_255_leaves_0_to_1():
    images = noise(100)
    assert augment(layers.RandomContrast((0.5, 0.5), seed=1), images).max() > 1.01, (
        "RandomContrast without a value range stays in [0, 1] now: "
        "course_utils.exercises.building_augmentations asks students why it does not."
    )
    assert augment(layers.RandomContrast((0.5, 0.5), seed=1, **UNIT), images).max() <= 1, (
        f"RandomContrast no longer clips to its value range, on which {CATALOGUE} relies."
    )


def test_rotation_counts_in_full_turns_counterclockwise():
    images = noise()
    quarter = layers.RandomRotation((0.25, 0.25), seed=1)
    np.testing.assert_allclose(
        draw(quarter, images, "angle"),
        90,
        atol=1e-3,
        err_msg=f"RandomRotation has another unit now: see `rotation` in {CATALOGUE}.",
    )
    np.testing.assert_allclose(
        augment(quarter, images),
        np.rot90(images, axes=(1, 2)),
        atol=1e-3,
        err_msg=f"RandomRotation turns the other way now: {CATALOGUE} describes it as left.",
    )


def test_saturation_is_neutral_at_one_half_and_multiplies_by_odds():
    images = noise() * 0.2 + 0.4
    neutral = augment(layers.RandomSaturation((0.5, 0.5), **UNIT), images)
    np.testing.assert_allclose(
        neutral,
        images,
        atol=1e-5,
        err_msg=f"RandomSaturation is no longer neutral at 0.5, on which {CATALOGUE} relies.",
    )
    factor = draw(layers.RandomSaturation((0.75, 0.75), **UNIT), images, "factor")
    np.testing.assert_allclose(
        factor,
        3,
        rtol=1e-5,
        err_msg=f"RandomSaturation no longer multiplies by f / (1 - f): see {CATALOGUE}.",
    )


def test_hue_counts_in_half_turns_of_the_color_wheel():
    red = np.broadcast_to(np.float32([1, 0, 0]), (1, 2, 2, 3))
    third = augment(layers.RandomHue((2 / 3, 2 / 3), seed=1, **UNIT), red)[0, 0, 0]
    assert third[0] < 0.01 and third.max() > 0.99, (
        f"RandomHue(2/3) no longer turns by 120 degrees: see `hue` in {CATALOGUE}."
    )


def test_brightness_counts_in_fractions_of_the_value_range():
    gray = np.full((1000, 2, 2, 3), 0.5, "float32")
    layer = layers.RandomBrightness(0.2, seed=1, **UNIT)
    assert spans((augment(layer, gray) - gray)[:, 0, 0, 0], -0.2, 0.2), (
        f"RandomBrightness(0.2) no longer adds up to 0.2 of the range either way: see {CATALOGUE}."
    )


def test_a_positive_zoom_shows_more_of_the_scene():
    square = np.zeros((1, 32, 32, 3), "float32")
    square[:, 8:24, 8:24] = 1
    layer = layers.RandomZoom((0.5, 0.5), fill_mode="constant", seed=1)
    assert 0.4 < augment(layer, square).sum() / square.sum() < 0.48, (
        f"RandomZoom(0.5) no longer makes things two thirds as large: see `zoom` in {CATALOGUE}."
    )


def test_translations_are_pixels_to_the_right_and_down():
    dot = np.zeros((1, 16, 16, 3), "float32")
    dot[:, 4, 4] = 1
    layer = layers.RandomTranslation((0.25, 0.25), (0.5, 0.5), fill_mode="constant", seed=1)
    assert draw(layer, dot, "translations").round(3).tolist() == [[8, 4]], (
        f"RandomTranslation says its moves in other units or another order: see {CATALOGUE}."
    )
    assert augment(layer, dot)[0, 8, 12].min() > 0.99, (
        f"RandomTranslation moves another way for a positive factor: see {CATALOGUE}."
    )


def test_shear_draws_its_direction_and_a_scalar_s_config_does_not_load():
    layer = layers.RandomShear(x_factor=(0.3, 0.3), seed=1)
    factors = draw(layer, noise(100), "shear_factor")[:, 0]
    assert np.unique(factors.round(5)).tolist() == pytest.approx([-0.3, 0.3]), (
        f"RandomShear no longer draws its direction, which {CATALOGUE} forces for both ends."
    )
    with pytest.raises(TypeError):
        layers.RandomShear.from_config(layers.RandomShear(x_factor=0.3).get_config())
        pytest.fail(f"RandomShear(0.3) can be saved and loaded now: {CATALOGUE} need pass no pair.")


def test_perspective_never_moves_the_first_corner_and_the_others_by_half_its_scale():
    layer = layers.RandomPerspective((1.0, 1.0), scale=0.4, seed=1)
    drawn = draw(layer, noise(500, (101, 101)))
    moves = np.abs(np.asarray(drawn["end_points"]) - np.asarray(drawn["start_points"]))
    assert not moves[:, 0].any(), (
        f"RandomPerspective moves the top left corner too: fix the words in {CATALOGUE}."
    )
    assert 19 < moves.max() <= 20.001, (
        f"RandomPerspective no longer moves corners by up to half its scale: see {CATALOGUE}."
    )


def test_noise_leaves_the_range_and_cannot_say_what_it_drew():
    views = augment(layers.GaussianNoise(0.3, seed=1), noise(20))
    assert views.min() < 0 and views.max() > 1, (
        f"GaussianNoise stays in [0, 1] now: the ReLU behind it in {CATALOGUE} is not needed."
    )
    assert not hasattr(layers.GaussianNoise, "get_random_transformation"), (
        f"GaussianNoise can say what it drew now: describe it in {CATALOGUE} and {EXPLORER}."
    )


# How often


@pytest.mark.parametrize(
    "build",
    [
        lambda factor: layers.RandomErasing(factor, seed=1, **UNIT),
        lambda factor: layers.RandomPerspective(factor, seed=1),
        lambda factor: layers.RandomGaussianBlur(factor, sigma=(0.5, 1.0), seed=1, **UNIT),
    ],
    ids=["erasing", "perspective", "blur"],
)
def test_a_scalar_factor_is_the_largest_probability_and_a_pair_of_ones_is_always(build):
    assert 0.3 < share_changed(build(1.0)) < 0.7, (
        f"factor=1.0 no longer applies to about half: `ALWAYS` in {CATALOGUE} is a pair for that."
    )
    assert share_changed(build((1.0, 1.0))) > 0.95, (
        f"factor=(1.0, 1.0) no longer applies to every photo: see `ALWAYS` in {CATALOGUE}."
    )


def test_grayscale_s_factor_is_its_probability():
    assert 0.2 < share_changed(layers.RandomGrayscale(0.3, seed=1)) < 0.4, (
        f"RandomGrayscale(0.3) no longer applies to 30 %: see `grayscale` in {CATALOGUE}."
    )


def test_blur_goes_up_to_one_pixel_and_is_drawn_once_for_a_batch():
    with pytest.raises(ValueError, match="sigma"):
        layers.RandomGaussianBlur(sigma=1.5)
        pytest.fail(f"RandomGaussianBlur takes a sigma over 1 now: raise the limit in {CATALOGUE}.")
    layer = layers.RandomGaussianBlur((1.0, 1.0), sigma=(0.0, 1.0), seed=1, **UNIT)
    assert draw(layer, noise(5), "blur_factor").shape == (2,), (
        f"RandomGaussianBlur draws its sigma for each photo now: fix the words in {CATALOGUE}."
    )


def test_rand_augment_draws_its_operations_once_for_a_batch():
    layer = layers.RandAugment(num_ops=2, seed=1, **UNIT)
    assert draw(layer, noise(5), "layer_idxes").shape == (2,), (
        f"RandAugment draws its operations for each photo now: {CATALOGUE} and "
        "course_utils.features.storable say that it does so for a batch."
    )


def test_crop_draws_once_for_a_batch():
    copies = np.repeat(noise(1, (12, 12)), 16, axis=0)
    views = augment(layers.RandomCrop(6, 6, seed=3), copies)
    assert len(np.unique(views.reshape(16, -1), axis=0)) == 1, (
        "RandomCrop draws for each photo now: course_utils.features.storable lists in PER_BATCH "
        "what draws once for a batch."
    )


def test_a_flip_both_ways_draws_one_number_for_the_two():
    corner = np.zeros((200, 2, 2, 3), "float32")
    corner[:, 0, 0] = 1
    for layer in (layers.RandomFlip(seed=1), layers.RandomFlip("horizontal_and_vertical", seed=1)):
        views = augment(layer, corner)[..., 0]
        assert not views[:, 0, 1].any() and not views[:, 1, 0].any() and views[:, 1, 1].any(), (
            f"RandomFlip(horizontal_and_vertical) mirrors without turning now: {CATALOGUE} builds "
            f"two layers for that, and {VIEWS} lists two outcomes."
        )


# Seeds

# From a factor to a layer, and the drawn value that is neutral where the factor is 0.
SCALED = {
    "rotation": (lambda f: layers.RandomRotation(f, seed=3), "angle", 0),
    "contrast": (lambda f: layers.RandomContrast((f, f), seed=3), "contrast_factor", 1),
    "zoom": (lambda f: layers.RandomZoom(f, seed=3), "height_zoom", 1),
    "translation": (lambda f: layers.RandomTranslation(f, f, seed=3), "translations", 0),
    "shear": (lambda f: layers.RandomShear((0.0, f), seed=3), "shear_factor", 0),
    "brightness": (lambda f: layers.RandomBrightness(f, seed=3), "rgb_delta", 0),
    "hue": (lambda f: layers.RandomHue(f, seed=3), "factor", 0),
}


@pytest.mark.parametrize("name", SCALED)
def test_one_seed_draws_alike_and_a_larger_factor_scales_the_draws(name):
    build, key, neutral = SCALED[name]
    half, whole, again = (draw(build(factor), noise(), key) for factor in (0.2, 0.4, 0.4))
    np.testing.assert_array_equal(
        whole, again, err_msg=f"{name} draws otherwise with the same seed: see {LAYER_CALL}."
    )
    np.testing.assert_allclose(
        2 * (half - neutral),
        whole - neutral,
        rtol=1e-3,
        atol=1e-4,
        err_msg=f"A larger factor no longer scales the draws of {name}, on which {EXPLORER} relies "
        "to keep the draws while a slider moves.",
    )


def test_layers_of_one_seed_draw_alike():
    across, down = (
        draw(layers.RandomFlip(mode, seed=7), noise(32), "flips")
        for mode in ("horizontal", "vertical")
    )
    np.testing.assert_array_equal(
        across,
        down,
        err_msg="Layers of one seed draw differently now: course_utils.augmentation.policy gives "
        f"each its own, and group_random_states in {VIEWS} repeats the likeness.",
    )


def test_the_random_state_is_one_variable_of_seed_and_draws():
    for layer in (layers.RandomContrast(0.5, seed=5), layers.GaussianNoise(0.5, seed=5)):
        (state,) = layer.variables
        assert state.name == SEED_STATE, (
            f"The variable of a SeedGenerator is called {state.name} now: SEED_STATE in "
            "course_utils.models.fingerprints finds random layers by that name."
        )
        generator = getattr(layer, "generator", None) or getattr(layer, "seed_generator", None)
        assert generator is not None and generator.state is state, (
            f"{layer.name} keeps its SeedGenerator elsewhere now: see `reuse` in {LAYER_CALL}."
        )
        before = np.asarray(state).tolist()
        augment(layer, noise())
        assert (before, np.asarray(state).tolist()) == ([5, 0], [5, 1]), (
            f"A random state is no longer (seed, numbers drawn): see `reuse` in {LAYER_CALL}."
        )


@pytest.mark.parametrize("name", ["RandomErasing", "RandAugment"])
def test_every_call_draws_equally_often_whatever_the_pixels(name):
    layer = getattr(layers, name)(seed=5)
    draws = []
    for images in (noise(), 1 - noise(), noise()):
        augment(layer, images)
        draws.append(int(np.asarray(layer.generator.state)[1]))
    assert draws[1] == 2 * draws[0] and draws[2] == 3 * draws[0], (
        f"{name} draws more often in some calls: {EXPLORER} skips draws to show a later epoch."
    )


def test_a_layer_set_to_a_state_draws_as_a_new_one_with_that_seed():
    used, new = layers.RandomContrast(0.5, seed=1), layers.RandomContrast(0.5, seed=9)
    augment(used, noise())
    used.generator.state.assign([9, 0])
    np.testing.assert_array_equal(
        augment(used, noise()),
        augment(new, noise()),
        err_msg=f"A state of (seed, 0) is no longer a fresh start: see `reuse` in {LAYER_CALL}.",
    )


def test_layers_with_seeds_of_their_own_leave_the_global_draws_alone():
    def start(*front):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((8, 8, 3)), *front, layers.Conv2D(2, 3)])
        return model.get_weights()[0 if not front else -2]

    np.testing.assert_array_equal(
        start(),
        start(layers.RandomFlip(seed=1), layers.RandomContrast(0.5, seed=2)),
        err_msg="A seeded layer takes from the global seed now: equal seeds no longer give equal "
        "heads with and without augmentation, on which lesson 05 relies.",
    )


# What was drawn

WHAT_IS_DRAWN = {
    "RandomFlip": ({}, {"flips"}),
    "RandomRotation": ({"factor": 0.1}, {"angle"}),
    "RandomTranslation": ({"height_factor": 0.1, "width_factor": 0.1}, {"translations"}),
    "RandomZoom": ({"height_factor": 0.1}, {"height_zoom", "width_zoom"}),
    "RandomShear": ({"x_factor": 0.1}, {"shear_factor"}),
    "RandomPerspective": ({"scale": 0.1}, {"start_points", "end_points"}),
    "RandomBrightness": ({"factor": 0.1}, {"rgb_delta"}),
    "RandomContrast": ({"factor": 0.1}, {"contrast_factor"}),
    "RandomSaturation": ({"factor": 0.1}, {"factor"}),
    "RandomHue": ({"factor": 0.1}, {"factor"}),
    "RandomGrayscale": ({"factor": 0.5}, set()),  # an array and not a dict
    "RandomGaussianBlur": ({}, {"blur_factor", "should_apply_blur"}),
    "RandomErasing": ({}, {"batch_masks"}),
    "RandAugment": ({}, {"layer_idxes", "transforms"}),
}


@pytest.mark.parametrize("name", WHAT_IS_DRAWN)
def test_what_was_drawn_can_be_read_and_applied_apart(name):
    arguments, keys = WHAT_IS_DRAWN[name]
    images = noise()
    called, apart = (getattr(layers, name)(**arguments, seed=3) for _ in range(2))
    drawn = draw(apart, images)
    found = set(drawn) if isinstance(drawn, dict) else set()
    assert keys <= found, f"{name} calls its draws {found} now, which {CATALOGUE} describes."
    np.testing.assert_array_equal(
        apart.transform_images(images, drawn, training=True),
        augment(called, images),
        err_msg=f"{name}'s call is no longer its draw and then its transformation: {EXPLORER} and "
        f"{LAYER_CALL} show the two apart.",
    )


def test_draws_follow_the_shape_and_not_the_pixels():
    for name, (arguments, keys) in WHAT_IS_DRAWN.items():
        one, other = (
            draw(getattr(layers, name)(**arguments, seed=3), images)
            for images in (noise(), 0 * noise())
        )
        for key in keys - {"transforms", "batch_masks"}:
            np.testing.assert_array_equal(
                one[key], other[key], f"{name} draws by the pixels now: {EXPLORER} keeps the draws."
            )


# In inference


def test_a_bare_call_augments():
    images = noise()
    view = np.asarray(layers.RandomContrast((0.5, 0.5), seed=1)(images))
    assert not np.array_equal(view, images), (
        "A bare call of a layer no longer augments: course_utils.features and the lessons pass "
        "training= in every call because it does."
    )


# What the layers below ask for before they can be built.
ARGUMENTS = {
    "factor": 0.5,
    "height": 8,
    "height_factor": 0.3,
    "rate": 0.5,
    "stddev": 0.1,
    "units": 2,
    "width": 8,
    "width_factor": 0.3,
}
# They count as random, but take no photos alone: training on stored features refuses them.
NO_PHOTOS = {"AdditiveAttention", "Attention", "GRUCell", "LSTMCell", "SimpleRNNCell"}


def draws_itself(cls):
    """Whether a layer's code makes a random state; containers hold layers that do."""
    bases = [base for base in cls.__mro__ if base.__module__.startswith("keras.src.layers.")]
    shared = (keras.Layer, layers.Rescaling.__base__)  # what all preprocessing is derived from
    return any("SeedGenerator(" in inspect.getsource(base) for base in bases if base not in shared)


def build_random(name):
    cls = getattr(layers, name)
    parameters = inspect.signature(cls.__init__).parameters.values()
    asked = {each.name for each in parameters if each.default is each.empty} - {"self", "kwargs"}
    unknown = asked - ARGUMENTS.keys()
    assert not unknown, f"{name} is a new random layer: give its {unknown} to ARGUMENTS above."
    arguments = {each: ARGUMENTS[each] for each in asked}
    if name == "RandomPosterization":
        arguments["factor"] = 4
    if any(each.name == "dropout" for each in parameters):
        arguments["dropout"] = 0.5
    if any(each.name == "value_range" for each in parameters):
        arguments |= UNIT
    return cls(**arguments)


RANDOM_LAYERS = [
    name
    for name, cls in inspect.getmembers(layers, inspect.isclass)
    if issubclass(cls, keras.Layer) and draws_itself(cls)
]


@pytest.mark.parametrize("name", RANDOM_LAYERS)
def test_every_random_layer_is_the_identity_in_inference_or_listed(name):
    layer = build_random(name)
    if not is_identity_in_inference(layer):
        assert isinstance(layer, CHANGING_IN_INFERENCE) or layer._flatten_layers(
            include_self=False
        ), f"{name} counts neither as the identity nor as listed: see {VIEWS}."
        return
    # Pixels beyond [0, 1] as well, as a Rescaling in front of the layer makes them.
    images = noise(low=-1, high=2)
    if name in NO_PHOTOS:
        with pytest.raises((TypeError, ValueError)):
            layer(images, training=False)
            pytest.fail(
                f"{name} takes photos now: is_identity_in_inference in {VIEWS} has to know."
            )
        return
    sides = getattr(layer.input_spec, "ndim", None) or 4
    images = {3: images[0], 4: images, 5: images[None]}[sides]
    np.testing.assert_array_equal(
        layer(images, training=False),
        images,
        err_msg=f"{name} changes photos in inference now: add it to CHANGING_IN_INFERENCE in "
        f"{VIEWS}.",
    )


def test_the_layers_that_the_kit_uses_are_among_those_tried():
    used = {*WHAT_IS_DRAWN, "Dropout", "GaussianNoise", "MixUp", "CutMix"} - {"RandAugment"}
    assert used < set(RANDOM_LAYERS), (
        "Keras makes random states in another way now: draws_itself, above, has to follow, or "
        f"{VIEWS} is checked on too few layers."
    )


def test_crop_does_not_crop_in_inference():
    layer, images = layers.RandomCrop(4, 4), noise()
    assert layer(images, training=False).shape == images.shape, (
        "RandomCrop crops in inference now: a model with it in front takes the same photos in "
        f"`fit` and in `predict`. CHANGING_IN_INFERENCE in {VIEWS} is ready for that."
    )


@pytest.mark.parametrize("kind", ALIKE, ids=lambda kind: kind.__name__)
def test_layers_that_do_the_same_in_training_and_in_inference(kind):
    arguments = {"Rescaling": (2.0, -1.0)}.get(kind.__name__, (5, 6))
    layer, images = kind(*arguments), noise()
    np.testing.assert_array_equal(
        layer(images, training=True),
        layer(images, training=False),
        err_msg=f"{kind.__name__} depends on training now: take it out of ALIKE in {VIEWS}.",
    )


# Photos mixed with each other


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_mixing_wants_labels_as_a_column_of_floats(name):
    def mix(labels):
        return getattr(layers, name)(seed=1)({"images": noise(), "labels": labels}, training=True)

    numbers = np.arange(4) % 2
    module = "course_utils.features.storable"
    assert mix(numbers[:, None].astype("float32"))["labels"].shape == (4, 1), (
        f"{name} no longer takes float labels of shape (n, 1), as {module} advises."
    )
    assert mix(numbers.astype("float32"))["labels"].shape == (4, 4), (
        f"{name} no longer spreads flat labels to (n, n): {module} may say so."
    )
    with pytest.raises(tensorflow.errors.InvalidArgumentError):
        mix(numbers[:, None])
        pytest.fail(f"{name} takes integer labels now: {module} need not ask for floats.")


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_mixing_one_photo_does_nothing(name):
    images = noise(1)
    np.testing.assert_allclose(
        augment(getattr(layers, name)(seed=1), images),
        images,
        atol=1e-6,
        err_msg=f"{name} changes a photo alone now: course_utils.features.storable refuses it "
        "because photos are augmented one by one.",
    )
