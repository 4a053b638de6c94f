"""The base's forward pass says the same in every way, and the fastest way here is chosen.

Longer than 350 lines because each way of the forward pass is tested alone and against the others.
"""

import shutil

import keras
import numpy as np
import pytest
import tensorflow

from course_utils.core.backend import set_seed
from course_utils.core.entries import open_entry
from course_utils.features import forward, winograd
from course_utils.features.forward import WINOGRAD, ForwardPass, at_precision, choose_precision
from course_utils.models.fingerprints import fingerprint_base

layers = keras.layers
SIZE = (8, 8, 3)


@pytest.fixture
def any_channels(monkeypatch):
    monkeypatch.setattr(winograd, "FEWEST_CHANNELS", 1)


@pytest.fixture
def timed(monkeypatch):
    """Speeds of the ways, in place of the clock's; collects which were timed."""

    class Timed(dict):
        ways = ()

        def time_forward(self, base, way):
            self.ways += (way,)
            return self[way]

    speeds = Timed({"float32": 10.0, "bfloat16": 1.0, WINOGRAD: 20.0})
    monkeypatch.setattr(forward, "_time_forward", speeds.time_forward)
    return speeds


def build_base(seed=0, *, size=SIZE):
    base = keras.Sequential(
        [
            keras.Input(size),
            layers.Conv2D(
                6,
                3,
                padding="same",
                activation="relu",
                kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
            ),
            layers.MaxPooling2D(),
        ]
    )
    base.trainable = False
    return base


def draw_images(count=forward.BATCH, *, seed=0):
    return np.random.default_rng(seed).random((count, *SIZE)).astype("float32")


def count_compiled(monkeypatch):
    """Notes every base that is compiled again."""
    forward._build_winograd.cache_clear()
    compiled, copy = [], winograd.copy_with_winograd
    monkeypatch.setattr(
        winograd, "copy_with_winograd", lambda base: compiled.append(base) or copy(base)
    )
    return compiled


# Features


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 8, 31, 32, 33])
@pytest.mark.parametrize("way", ["plain", "Winograd"])
def test_features_are_the_bases_own(any_channels, timed, monkeypatch, count, way):
    timed[WINOGRAD] = 20.0 if way == "Winograd" else 5.0
    compiled = count_compiled(monkeypatch)
    base, images = build_base(), draw_images(count)
    features = ForwardPass(base, "float32")(images)
    assert features.dtype == "float32" and features.shape == (count, *base.output_shape[1:])
    np.testing.assert_allclose(features, base(images, training=False), atol=1e-5)
    # A batch that is not whole would be compiled for itself.
    assert len(compiled) == (way == "Winograd" and count == forward.BATCH)


def test_a_base_is_compiled_once_for_all_that_use_it(any_channels, timed, monkeypatch):
    compiled = count_compiled(monkeypatch)
    base, images = build_base(), draw_images()
    first = ForwardPass(base, "float32")(images)
    np.testing.assert_array_equal(ForwardPass(base, "float32")(images), first)
    assert len(compiled) == 1


@pytest.mark.slow
def test_weights_that_have_changed_are_compiled_again(any_channels, timed):
    base, images = build_base(), draw_images()
    before = ForwardPass(base, "float32")(images).numpy()
    base.set_weights([2 * weight for weight in base.get_weights()])
    after = ForwardPass(base, "float32")(images).numpy()
    np.testing.assert_allclose(after, 2 * before, atol=1e-5)


def test_runs_that_can_be_repeated_are_compiled_as_well(any_channels, timed):
    base, images = build_base(), draw_images()
    expected = base(images, training=False)
    set_seed(1)
    forward._build_winograd.cache_clear()
    features = ForwardPass(base, "float32")(images)
    np.testing.assert_allclose(features, expected, atol=1e-5)


@pytest.mark.slow
def test_the_real_vgg16_says_the_same_compiled(prepared_weights, timed, monkeypatch):
    from course_utils.models.vgg16 import load_vgg16_base

    base = load_vgg16_base()
    # What this machine has timed lies there as well, and is not to decide.
    monkeypatch.delenv("COURSE_PREPARED_DIR")
    replaced = [layer.name for layer in base.layers if winograd.fits(layer)]
    assert replaced[0] == "block2_conv2" and len(replaced) == 10
    images = np.random.default_rng(5).random((forward.BATCH, 128, 128, 3)).astype("float32")
    expected = base(images, training=False).numpy()
    features = ForwardPass(base, "float32")(images)
    assert timed.ways == ("float32", "bfloat16", WINOGRAD)
    np.testing.assert_allclose(features, expected, atol=5e-6 * expected.max())


# Where it does not apply


def test_on_a_gpu_the_base_runs_as_it_is(any_channels, timed, monkeypatch):
    monkeypatch.setattr(forward.backend, "device", lambda: "GPU")
    compiled = count_compiled(monkeypatch)
    ForwardPass(build_base(), "float32")(draw_images())
    assert not compiled and not timed.ways


def test_neither_in_bfloat16_nor_without_its_kind_of_layer(timed, monkeypatch):
    compiled = count_compiled(monkeypatch)
    ForwardPass(build_base(), "float32")(draw_images())  # six channels: too few
    monkeypatch.setattr(winograd, "FEWEST_CHANNELS", 1)
    ForwardPass(build_base(), "bfloat16")(draw_images())
    unknown = build_base(size=(None, None, 3))
    assert ForwardPass(unknown, "float32")(draw_images()).shape == (forward.BATCH, 4, 4, 6)
    assert not compiled and not timed.ways


def test_a_machine_without_the_compiler_is_told_once(any_channels, monkeypatch, capsys, own_cache):
    def refuse(base, described):
        def compiled(images):
            raise tensorflow.errors.NotFoundError(None, None, "no compiler for this\nplatform")

        return compiled

    monkeypatch.setattr(forward, "_build_winograd", refuse)
    base, images = build_base(), draw_images()
    expected = base(images, training=False)
    for told in (True, False):
        np.testing.assert_allclose(ForwardPass(base, "float32")(images), expected, atol=1e-6)
        said = "run in float32, Winograd here, which may be faster, and does without: no compiler"
        assert (said in capsys.readouterr().out) is told
    (speeds,) = remembered(own_cache)
    assert speeds[WINOGRAD] == 0


class Uncopied(layers.Layer):
    """A layer as students write it: without a `get_config` that names its argument."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor


def test_a_base_that_cannot_be_copied_runs_as_it_is(any_channels, capsys):
    inner = build_base()
    base = keras.Sequential([keras.Input(SIZE), Uncopied(0.5), *inner.layers])
    base.trainable = False
    images = draw_images()
    assert choose_precision(base) == "float32"
    said = capsys.readouterr().out
    assert "run in bfloat16 here" in said and "run in float32, Winograd here" in said
    expected = inner(0.5 * images, training=False)
    np.testing.assert_allclose(ForwardPass(base, "float32")(images), expected, atol=1e-6)
    assert not capsys.readouterr().out


class Forgetful(layers.Layer):
    """A layer whose configuration leaves out what it does."""

    def __init__(self, factor=1.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return super().get_config()


class LessBatchMean(layers.Layer):
    """A layer that mixes the photos of a batch, so that smaller chunks change its answer."""

    def call(self, inputs):
        return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Forgetful(0.5), LessBatchMean()])
def test_a_way_that_says_otherwise_is_not_taken(any_channels, capsys, layer):
    base = keras.Sequential(
        [keras.Input(SIZE), layer, layers.Conv2D(4, 3, bias_initializer="ones", padding="same")]
    )
    base.trainable = False
    images = draw_images()
    expected = base(images, training=False)
    np.testing.assert_allclose(ForwardPass(base, "float32")(images), expected, atol=1e-6)
    assert "float32, Winograd here, which may be faster, and does without: its" in (
        capsys.readouterr().out
    )


@pytest.mark.slow
@pytest.mark.parametrize("precision", forward.PRECISIONS)
def test_a_copy_keeps_what_a_layer_derives_from_its_weights(any_channels, timed, precision):
    normal = layers.Normalization()
    normal.adapt(100 + 50 * draw_images(64, seed=1))
    base = keras.Sequential([keras.Input(SIZE), normal, *build_base().layers])
    base.trainable = False
    images = 100 + 50 * draw_images()
    expected = base(images, training=False).numpy()
    features = np.asarray(ForwardPass(base, precision)(images)).astype("float32")
    atol = {"float32": 2e-5, "bfloat16": 0.05}[precision] * expected.max()
    np.testing.assert_allclose(features, expected, atol=atol)


def build_wired(wire):
    inputs = keras.Input(SIZE)
    initializer = keras.initializers.GlorotUniform(seed=3)
    convolve = [
        layers.Conv2D(4, 3, padding="same", kernel_initializer=initializer) for _ in range(2)
    ]
    base = keras.Model(inputs, wire(inputs, *convolve))
    base.trainable = False
    return base


WIRINGS = {
    "chain": lambda x, one, two: two(one(x)),
    "times 255": lambda x, one, two: two(one(x * 255.0)),
    "reversed": lambda x, one, two: two(one(x[..., ::-1])),
    "sum": lambda x, one, two: two(one(x)) + one(x),
    "square": lambda x, one, two: two(one(x)) * one(x),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WIRINGS)
def test_operations_that_are_no_layers_are_copied_too(any_channels, timed, name):
    base, images = build_wired(WIRINGS[name]), draw_images()
    expected = base(images, training=False).numpy()
    features = ForwardPass(base, "float32")(images)
    np.testing.assert_allclose(features, expected, atol=2e-5 * np.abs(expected).max())


def test_a_base_is_described_by_its_wiring_and_not_by_its_names():
    described = [fingerprint_base(build_wired(wire)) for wire in WIRINGS.values()]
    assert len(set(described)) == len(WIRINGS)
    assert described == [fingerprint_base(build_wired(wire)) for wire in WIRINGS.values()]


def test_a_base_that_is_float32_in_part_gives_float32(any_channels, timed):
    base = keras.Sequential(
        [keras.Input(SIZE), *build_base().layers, layers.ReLU(dtype="mixed_bfloat16")]
    )
    base.trainable = False
    images = draw_images()
    features = ForwardPass(base, "float32")(images)
    assert features.dtype == "float32"
    expected = np.asarray(base(images, training=False)).astype("float32")
    np.testing.assert_allclose(features, expected, atol=0.01 * expected.max())


def test_an_error_of_the_base_itself_is_not_swallowed(any_channels):
    class Broken(layers.Layer):
        def call(self, inputs):
            if not isinstance(inputs, keras.KerasTensor) and inputs.shape[0] == 16:
                raise ValueError("broken")
            return inputs

    base = keras.Sequential([keras.Input(SIZE), Broken()])
    with pytest.raises(ValueError, match="broken"):
        choose_precision(base)


# The choice


def remembered(own_cache):
    records = (own_cache / forward.SPEEDS).glob("*.entry")
    return [open_entry(path, None).facts["speeds"] for path in records]


def test_the_ways_are_timed_once_and_remembered(any_channels, timed, monkeypatch, own_cache):
    timed["bfloat16"] = 30.0
    assert choose_precision(build_base()) == "bfloat16"
    timed["bfloat16"] = 1.0
    assert choose_precision(build_base()) == "bfloat16"  # as remembered
    assert timed.ways == ("float32", "bfloat16", WINOGRAD)
    # Another machine that shares the cache is timed for itself, and another base.
    monkeypatch.setattr(forward.backend, "processor", lambda: "another processor")
    assert choose_precision(build_base()) == "float32"
    assert choose_precision(build_base(seed=1)) == "float32"
    assert len(remembered(own_cache)) == 3


@pytest.mark.parametrize(
    ("bfloat16", "compiled", "expected"),
    [(10.5, 5.0, "float32"), (12.0, 5.0, "bfloat16"), (12.0, 20.0, "float32")],
)
def test_bfloat16_has_to_be_worth_its_rounding(any_channels, timed, bfloat16, compiled, expected):
    timed["bfloat16"], timed[WINOGRAD] = bfloat16, compiled
    assert choose_precision(build_base()) == expected


@pytest.mark.parametrize("content", [b"", b"{", b"course_utils entry, format 2\n{}", b"[" * 10**5])
def test_a_damaged_record_is_timed_again(make_base, timed, own_cache, content, capsys):
    choose_precision(make_base())
    (record,) = (own_cache / forward.SPEEDS).iterdir()
    record.write_bytes(content)
    timed["bfloat16"] = 20.0
    assert choose_precision(make_base()) == "bfloat16"
    assert f"{record} is damaged" in capsys.readouterr().out
    timed["bfloat16"] = 1.0
    assert choose_precision(make_base()) == "bfloat16"


def test_a_damaged_record_among_what_is_prepared_hides_no_other(
    make_base, timed, own_cache, tmp_path, monkeypatch
):
    choose_precision(make_base())
    shutil.copytree(own_cache, tmp_path / "prepared")
    (record,) = (tmp_path / "prepared" / forward.SPEEDS).iterdir()
    record.write_bytes(b"float32")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    timed.ways = ()
    assert choose_precision(make_base()) == "float32" and not timed.ways


def test_every_way_can_be_timed(any_channels):
    for way in (*forward.PRECISIONS, WINOGRAD):
        assert forward._time_forward(build_base(), way) > 0


def test_the_base_itself_stays_in_float32(make_base):
    base = make_base()
    assert at_precision(base, "float32") is base
    copied = at_precision(base, "bfloat16")
    assert base.compute_dtype == "float32" and copied.layers[-1].compute_dtype == "bfloat16"
    for one, two in zip(base.get_weights(), copied.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
        assert two.dtype == np.float32
