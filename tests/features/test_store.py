"""Stored features are what the frozen base would have said, in whatever order they are asked for.

Longer than 350 lines because one set of fixtures serves every promise of the store.
"""

import os
import subprocess
import sys

import keras
import ml_dtypes
import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.core import environment
from course_utils.core.entries import open_entry, write_entry
from course_utils.core.progress import Progress
from course_utils.data.dataset import epoch_order
from course_utils.features import forward
from course_utils.features import store as feature_store
from course_utils.features.batches import StoredViews, draw_views
from course_utils.features.forward import at_precision
from course_utils.features.store import FeatureStore
from course_utils.features.views import clean_view, list_views
from course_utils.models.classifier import build_imagenet_preprocessing
from course_utils.models.fingerprints import fingerprint_base, is_random, seed_states

SEED = 5
layers = keras.layers


def contrast(seed=1, **options):
    return layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=seed, **options)


def flip(mode="horizontal", seed=2):
    return layers.RandomFlip(mode, seed=seed)


def compute(store, photos, view):
    """Computes what is missing; returns the features and how many photos were passed."""
    with Progress(photos.count, "test", shown=False) as line:
        store.compute(photos, view, line)
    return store.open(photos, view).read(np.arange(photos.count)), line.done


@pytest.fixture
def make_store(make_base):
    def make(front, *, precision="float32", seed=SEED, base=None):
        return FeatureStore(front, base or make_base(), precision=precision, seed=seed)

    return make


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(feature_store, "BLOCK", 8)
    monkeypatch.setattr(forward, "BATCH", 4)


def block_files(own_cache):
    return sorted((own_cache / "features").rglob("*.entry"))


# Views


def test_nothing_random_is_exactly_one_view_whatever_is_asked():
    for front in ([], [build_imagenet_preprocessing()], [layers.Rescaling(2.0)]):
        views = list_views(front, views=8, seed=SEED)
        assert views == [clean_view(front)]


def test_a_flip_is_two_views_and_two_flips_are_four():
    for front, count in (([flip()], 2), ([flip(), flip("vertical", seed=3)], 4)):
        views = list_views(front, views=8, seed=SEED)
        assert len({view.fingerprint for view in views}) == len(views) == count
        assert clean_view(front) in views
    both = list_views([flip("horizontal_and_vertical")], views=8, seed=SEED)
    assert len(both) == 2  # Keras samples once for the two axes


def test_dice_give_as_many_views_as_asked_and_more_keep_the_first():
    front = [flip(), contrast()]
    four = list_views(front, views=4, seed=SEED)
    assert list_views(front, views=6, seed=SEED)[:4] == four
    assert len({view.fingerprint for view in four}) == 4
    assert clean_view(front).fingerprint not in {view.fingerprint for view in four}


@pytest.mark.parametrize("views", [0, -1, 2.5, None])
def test_a_wrong_number_of_views_is_refused(views):
    with pytest.raises(ValueError, match=f"whole number from 1, received {views}"):
        list_views([contrast()], views=views, seed=SEED)


def test_flip_alone_is_exactly_the_photo_and_its_mirror_image(make_store, make_base, make_photos):
    photos, base = make_photos(20), make_base()
    images = photos.read(np.arange(20))
    front = [flip()]
    expected = {(False,): images, (True,): images[:, :, ::-1]}
    for view in list_views(front, views=1, seed=SEED):
        result, _ = compute(make_store(front, base=base), photos, view)
        np.testing.assert_allclose(result, base(expected[view.flips]), atol=1e-6)


def test_two_flips_are_exactly_their_four_outcomes(make_store, make_base, make_photos):
    photos, base = make_photos(20), make_base()
    images = photos.read(np.arange(20))
    front = [flip("horizontal"), flip("vertical", seed=3)]
    for view in list_views(front, views=1, seed=SEED):
        across, down = (-1 if flipped else 1 for flipped in view.flips)
        result, _ = compute(make_store(front, base=base), photos, view)
        np.testing.assert_allclose(result, base(images[:, ::down, ::across]), atol=1e-6)


def test_the_clean_view_is_what_predict_sees(make_store, make_base, make_photos):
    photos, base = make_photos(20), make_base()
    front = [flip(), contrast(), build_imagenet_preprocessing()]
    result, _ = compute(make_store(front, base=base), photos, clean_view(front))
    expected = keras.Sequential([*front, base]).predict(photos.read(np.arange(20)), verbose=0)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-3)


# A draw depends on photo, view and seed


def test_a_draw_depends_on_neither_batch_nor_subset_nor_order(
    make_store, make_photos, small_blocks, own_cache, tmp_path
):
    photos, front = make_photos(30), [flip(), contrast()]
    view = list_views(front, views=2, seed=SEED)[1]
    whole, _ = compute(make_store(front), photos, view)
    own_cache.rename(tmp_path / "first")
    part = photos.take(11, seed=3)  # other photos beside each, another order, other batches
    places = [photos.names.index(name) for name in part.names]
    assert places != sorted(places)
    result, passed = compute(make_store(front), part, view)
    assert passed == 11
    np.testing.assert_allclose(result, whole[places], atol=1e-6)


def test_views_seeds_and_photos_have_draws_of_their_own(make_store, make_photos):
    photos, front = make_photos(12), [contrast()]
    photos.pixels[6:] = photos.pixels[:6]  # equal pixels under other keys
    results = []
    for seed in (1, 2):
        for view in list_views(front, views=2, seed=seed):
            results.append(compute(make_store(front, seed=seed), photos, view)[0])
    for number, one in enumerate(results):
        assert np.abs(one[:6] - one[6:]).max(axis=(1, 2, 3)).min() > 1e-3
        for other in results[:number]:
            assert np.abs(one - other).max(axis=(1, 2, 3)).min() > 1e-4


def test_equal_photos_are_passed_once(make_store, make_photos):
    photos, front = make_photos(12), [contrast()]
    photos.pixels[6:], photos.keys[6:] = photos.pixels[:6], photos.keys[:6]
    result, passed = compute(make_store(front), photos, list_views(front, views=1, seed=SEED)[0])
    assert passed == 6
    np.testing.assert_array_equal(result[:6], result[6:])


def test_contrast_spans_what_it_says_and_flips_half(make_store, make_photos):
    photos = make_photos(400, size=(4, 4))
    photos.pixels[:] = photos.pixels // 8 + 110  # so little contrast that nothing is cut off
    images = keras.Input((4, 4, 3))
    pixels = keras.Model(images, layers.Conv2D(3, 1, name="copy")(images))
    pixels.get_layer("copy").set_weights([np.eye(3)[None, None], np.zeros(3)])
    front = [flip(), contrast()]
    view = list_views(front, views=1, seed=SEED)[0]
    seen, _ = compute(make_store(front, base=pixels), photos, view)
    plain = photos.read(np.arange(400))
    factors = seen.std(axis=(1, 2, 3)) / plain.std(axis=(1, 2, 3))
    assert 0.49 < factors.min() < 0.55 and 1.45 < factors.max() < 1.51
    centered = plain - plain.mean(axis=(1, 2), keepdims=True)
    straight = (centered * seen).sum(axis=(1, 2, 3)) > (centered[:, :, ::-1] * seen).sum((1, 2, 3))
    assert 150 < straight.sum() < 250


FRONTS = {
    "rotation": lambda: [layers.RandomRotation(0.2, seed=1)],
    "noise": lambda: [layers.GaussianNoise(0.2, seed=1)],
    "rand_augment": lambda: [layers.RandAugment(value_range=(0, 1), seed=1)],
    "erasing": lambda: [layers.RandomErasing((1, 1), value_range=(0, 1), seed=1)],
    "zoom_and_hue": lambda: Augmentation(zoom=0.3, hue=90).layers(seed=1),
    "everything": lambda: Augmentation(
        flip="horizontal", translation=0.2, perspective=0.2, brightness=0.3, blur=1.0, noise=0.1
    ).layers(seed=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FRONTS)
def test_every_kind_of_layer_gives_repeatable_views(make_store, make_photos, name):
    photos, front = make_photos(10), FRONTS[name]()
    (view,) = list_views(front, views=1, seed=SEED)
    result, _ = compute(make_store(front), photos, view)
    clean, _ = compute(make_store(front), photos, clean_view(front))
    moved = np.abs(result - clean).max(axis=(1, 2, 3))
    assert (moved > 1e-3).mean() > 0.7
    # Layers built again, other photos in the batch: the same draws.
    again = FRONTS[name]()
    store = make_store(again)
    assert list_views(again, views=1, seed=SEED) == [view]
    places = np.array([7, 2, 9])
    np.testing.assert_allclose(store._pass(photos, places, view), result[places], atol=1e-5)


def test_the_layers_own_dice_stay_where_they_were(make_store, make_photos):
    front = [contrast(), layers.RandomGrayscale(0.5, seed=3)]
    images = make_photos(4).read(np.arange(4))
    for layer in front:
        assert is_random(layer)
        layer(images, training=True)
    before = [state.numpy().tolist() for layer in front for state in seed_states(layer)]
    store = make_store(front)
    for view in (clean_view(front), *list_views(front, views=2, seed=SEED)):
        compute(store, make_photos(), view)
    after = [state.numpy().tolist() for layer in front for state in seed_states(layer)]
    assert after == before


# Kept on disk


def test_features_are_computed_once(make_store, make_photos, small_blocks):
    photos, front = make_photos(30), [contrast()]
    (view,) = list_views(front, views=1, seed=SEED)
    store = make_store(front)
    assert store.count_missing(photos, view) == 30
    first, passed = compute(store, photos, view)
    assert passed == 30 and store.count_missing(photos, view) == 0
    again, passed = compute(make_store([contrast()]), photos, view)
    assert passed == 0
    np.testing.assert_array_equal(again, first)


def test_more_photos_pass_only_what_is_new(make_store, make_photos, small_blocks):
    photos = make_photos(30)
    part = photos.take(11)
    view = clean_view([])
    compute(make_store([]), part, view)
    _, passed = compute(make_store([]), photos, view)
    assert passed == 19


def test_prepared_features_are_used(make_store, make_photos, own_cache, tmp_path, monkeypatch):
    photos, view = make_photos(20), clean_view([])
    first, _ = compute(make_store([]), photos, view)
    own_cache.rename(tmp_path / "prepared")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    again, passed = compute(make_store([]), photos, view)
    assert passed == 0 and not own_cache.exists()
    np.testing.assert_array_equal(again, first)


def test_an_interrupted_run_goes_on_from_its_blocks(
    make_store, make_photos, small_blocks, own_cache, tmp_path, monkeypatch
):
    photos, front = make_photos(30), [flip(), contrast()]
    (view,) = list_views(front, views=1, seed=SEED)
    store = make_store(front)
    whole_pass, passes = store._pass, []

    def interrupted(*arguments):
        passes.append(1)
        if len(passes) == 6:  # in the middle of the third block
            raise KeyboardInterrupt
        return whole_pass(*arguments)

    monkeypatch.setattr(store, "_pass", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compute(store, photos, view)
    assert len(block_files(own_cache)) == 2
    store = make_store(front)
    assert store.count_missing(photos, view) == 14
    result, passed = compute(store, photos, view)
    assert passed == 14
    own_cache.rename(tmp_path / "interrupted")
    straight, _ = compute(make_store(front), photos, view)
    np.testing.assert_allclose(result, straight, atol=1e-6)


KILLED = """
import os, signal, sys
import numpy as np
from course_utils.features import forward
from course_utils.features import store as feature_store
from course_utils.data.dataset import Photos
from course_utils.core.progress import Progress
import keras
feature_store.BLOCK, forward.BATCH = 8, 4
inputs = keras.Input((16, 16, 3))
kernel = keras.initializers.GlorotUniform(seed=0)
outputs = keras.layers.Conv2D(4, 3, strides=4, activation="relu", kernel_initializer=kernel)(inputs)
base = keras.Model(inputs, outputs)
base.trainable = False
front = [keras.layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=1)]
with np.load(sys.argv[1]) as kept:
    photos = Photos(kept["pixels"], kept["labels"], kept["keys"], list(kept["labels"]))
store = feature_store.FeatureStore(front, base, precision="float32", seed=5)
from course_utils.features.views import list_views
view = list_views(front, views=1, seed=5)[0]

class Killed(Progress):
    def advance(self, steps=1):
        super().advance(steps)
        if self.done >= 20:
            os._exit(9)  # At once, as when the system ends it.

store.compute(photos, view, Killed(30, "test", shown=False))
"""


@pytest.mark.slow
def test_a_killed_process_leaves_its_finished_blocks(
    make_store, make_photos, small_blocks, own_cache, tmp_path
):
    photos, front = make_photos(30), [contrast()]
    np.savez(tmp_path / "photos", pixels=photos.pixels, labels=photos.labels, keys=photos.keys)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "photos.npz")], capture_output=True
    )
    assert ended.returncode == 9, ended.stderr.decode()
    assert len(block_files(own_cache)) == 2
    (view,) = list_views(front, views=1, seed=SEED)
    # Another process finds them, so that names depend on nothing of the process.
    result, passed = compute(make_store(front), photos, view)
    assert passed == 14
    own_cache.rename(tmp_path / "killed")
    straight, _ = compute(make_store(front), photos, view)
    np.testing.assert_allclose(result, straight, atol=1e-6)


def test_opening_what_is_not_computed_says_what_to_do(make_store, make_photos):
    photos, view = make_photos(30), clean_view([])
    compute(make_store([]), photos.take(10), view)
    with pytest.raises(LookupError, match="30 photos, but 20 are missing.*Run the cell again"):
        make_store([]).open(photos, view)


# Damage


def truncate(path):
    os.truncate(path, path.stat().st_size - 40)


def empty(path):
    path.write_bytes(b"")


def garbage(path):
    path.write_bytes(b"course_utils entry, format 2\ngarbage {[")


def one_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def zeros(path):
    content = bytearray(path.read_bytes())
    content[100:200] = bytes(100)
    path.write_bytes(content)


def another_name(path):
    """The block of other photos, of the same view, takes its place."""
    other = next(each for each in path.parent.glob("*.entry") if each != path)
    path.write_bytes(other.read_bytes())


def other_view(path):
    content = open_entry(path, None)
    write_entry(path, "features/another/name.entry", [(n, content[n][:]) for n in content.arrays])


def other_kind(path):
    stored = open_entry(path, None)
    parts = {"keys": stored["keys"][:], "features": stored["features"][:].astype("float64")}
    write_entry(path, stored.name, parts.items())


def fewer_rows(path):
    stored = open_entry(path, None)
    parts = {"keys": stored["keys"][:], "features": stored["features"][:-1]}
    write_entry(path, stored.name, parts.items())


@pytest.mark.parametrize(
    "damage",
    [
        *(truncate, empty, garbage, one_bit, zeros),
        *(another_name, other_view, other_kind, fewer_rows),
    ],
)
def test_a_damaged_block_is_named_once_set_aside_and_computed_again(
    make_store, make_photos, small_blocks, own_cache, capsys, damage
):
    photos, view = make_photos(30), clean_view([])
    expected, _ = compute(make_store([]), photos, view)
    damaged = block_files(own_cache)[0]
    rows = len(open_entry(damaged, None)["keys"])
    damage(damaged)
    content = damaged.read_bytes()
    result, passed = compute(make_store([]), photos, view)
    assert passed == rows
    np.testing.assert_array_equal(result, expected)
    said = capsys.readouterr().out
    assert said.count(f"{damaged} is damaged: ") == 1 and said.count("\n") == 1
    (aside,) = damaged.parent.glob("*.damaged-*")
    assert aside.read_bytes() == content and f"set aside as {aside.name}" in said
    assert compute(make_store([]), photos, view)[1] == 0
    assert capsys.readouterr().out == ""


def test_a_damaged_prepared_block_is_named_once_and_passed_over(
    make_store, make_photos, small_blocks, own_cache, tmp_path, monkeypatch, capsys
):
    photos, view = make_photos(30), clean_view([])
    expected, _ = compute(make_store([]), photos, view)
    prepared = own_cache.rename(tmp_path / "prepared")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(prepared))
    one_bit(block_files(prepared)[0])
    before = sorted(path.name for path in prepared.rglob("*"))
    for passed in (8, 0):
        result, found = compute(make_store([]), photos, view)
        assert found == passed
        np.testing.assert_array_equal(result, expected)
    assert capsys.readouterr().out.count("is damaged") == 1
    assert sorted(path.name for path in prepared.rglob("*")) == before


def test_a_missing_block_is_as_if_it_had_not_been_stored(
    make_store, make_photos, small_blocks, own_cache, capsys
):
    photos, view = make_photos(30), clean_view([])
    expected, _ = compute(make_store([]), photos, view)
    block_files(own_cache)[0].unlink()
    result, passed = compute(make_store([]), photos, view)
    assert 0 < passed <= 8 and capsys.readouterr().out == ""
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("damage", [truncate, zeros])
def test_a_block_that_changes_under_a_running_kernel_is_an_error(
    make_store, make_photos, small_blocks, own_cache, damage
):
    photos, view = make_photos(30), clean_view([])
    compute(make_store([]), photos, view)
    stored = make_store([]).open(photos, view)
    batches = StoredViews([stored], photos.labels)
    stored.read([0])
    damage(block_files(own_cache)[1])
    for read in (lambda: stored.read([0]), lambda: next(batches.read_epoch(0))):
        with pytest.raises(OSError, match="changed while it was in use. Run the cell again"):
            read()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's list of open files")
def test_asking_again_opens_no_further_files(make_store, make_photos, small_blocks):
    photos, view, store = make_photos(30), clean_view([]), make_store([])
    compute(store, photos, view)
    before = len(os.listdir("/proc/self/fd"))
    kept = [store.open(photos, view) for _ in range(5)]
    assert len(os.listdir("/proc/self/fd")) == before
    assert all(stored.count == 30 for stored in kept)


# What features are kept apart by


def folder_of(store, view, make_photos):
    return str(store._folder(make_photos(2), view))


@pytest.mark.slow
def test_weights_augmentation_seed_precision_and_preprocessing_have_folders_of_their_own(
    make_store, make_base, make_photos
):
    fronts = [
        [],
        [flip()],
        [flip("vertical")],
        [contrast()],
        [layers.RandomContrast((0.3, 0.5), value_range=(0, 1), seed=1)],
        [contrast(), flip()],
        [flip(), contrast()],
        [build_imagenet_preprocessing()],
        [contrast(), build_imagenet_preprocessing()],
        [layers.Rescaling(2.0)],
        [layers.Rescaling(3.0)],
    ]
    folders = set()
    for precision in ("float32", "bfloat16"):
        for base in (make_base(), make_base(seed=1), make_base(size=(16, 20))):
            for front in fronts:
                for seed in (1, 2):
                    store = make_store(front, base=base, precision=precision, seed=seed)
                    views = list_views(front, views=2, seed=seed)
                    folders |= {
                        folder_of(store, view, make_photos) for view in (clean_view(front), *views)
                    }
    # Clean views: nothing, the preprocessing, two rescalings; flips: two ways; of the five
    # random ones two views for each of two seeds.
    assert len(folders) == 2 * 3 * (4 + 2 + 5 * 2 * 2)


def test_names_and_the_layers_own_seeds_do_not_matter(make_store, make_photos):
    one, other = [contrast(seed=1, name="one")], [contrast(seed=9, name="other")]
    assert list_views(one, views=2, seed=SEED) == list_views(other, views=2, seed=SEED)
    view = clean_view(one)
    assert view.fingerprint == clean_view([]).fingerprint == clean_view([flip()]).fingerprint
    plain = folder_of(make_store([]), view, make_photos)
    assert folder_of(make_store(one), view, make_photos) == plain


def test_changed_preprocessing_weights_are_noticed():
    one, other = build_imagenet_preprocessing(), build_imagenet_preprocessing()
    assert clean_view([one]) == clean_view([other])
    kernel, bias = other.get_weights()
    other.set_weights([kernel, bias + 1])
    assert clean_view([one]) != clean_view([other])


def test_a_base_is_told_by_layers_weights_and_size(make_base):
    described = fingerprint_base(make_base())
    assert fingerprint_base(make_base()) == described
    assert fingerprint_base(make_base(seed=1)) != described
    assert fingerprint_base(make_base(size=(20, 16))) != described
    stretched = keras.models.clone_model(
        make_base(), clone_function=lambda layer: _with_strides_two(layer)
    )
    stretched.set_weights(make_base().get_weights())
    assert fingerprint_base(stretched) != described


def _with_strides_two(layer):
    config = layer.get_config()
    if "strides" in config:
        config["strides"] = (2, 2)
    return type(layer).from_config(config)


# Precision


def test_bfloat16_features_round_the_float32_ones_and_come_back_as_stored(
    make_store, make_photos, make_base, own_cache
):
    photos, view, base = make_photos(20), clean_view([]), make_base()
    exact, _ = compute(make_store([], base=base), photos, view)
    store = make_store([], base=base, precision="bfloat16")
    rounded, passed = compute(store, photos, view)
    assert passed == 20
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, exact, rtol=0.03, atol=0.03)
    assert (rounded != exact).any()
    np.testing.assert_array_equal(rounded.astype(ml_dtypes.bfloat16).astype("float32"), rounded)
    computed = at_precision(base, "bfloat16")(photos.read(np.arange(20)))
    np.testing.assert_allclose(rounded, np.array(computed, "float32"), rtol=0.01, atol=0.01)
    sizes = {path.parent: path.stat().st_size for path in block_files(own_cache)}
    small, large = sorted(sizes.values())
    assert small < 0.6 * large


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_base_built_under_a_mixed_policy_is_stored_in_the_precision_asked_for(
    make_store, make_photos, make_base, policy, precision
):
    base, photos = make_base(dtype=policy), make_photos(8)
    front = [contrast(dtype="mixed_bfloat16")]
    store = make_store(front, base=base, precision=precision)
    for view in (clean_view(front), *list_views(front, views=1, seed=SEED)):
        result, _ = compute(store, photos, view)
        assert result.dtype == np.float32 and result.max() > 0.1


@pytest.mark.parametrize("count", [1, 10, 40, 100])
def test_speed_is_measured_on_what_is_wanted_anyway(make_store, make_photos, count):
    photos, front = make_photos(count), [contrast()]
    (view,) = list_views(front, views=1, seed=SEED)
    store = make_store(front)
    assert store.measure_speed(photos, view) > 0
    left = max(0, count - 64)
    assert store.count_missing(photos, view) == left
    features, passed = compute(store, photos, view)
    assert passed == left
    expected = store._pass(photos, np.arange(count), view)
    np.testing.assert_allclose(features, expected, atol=1e-5)


# Batches of stored views


class Constant:
    """Features of a view that tell which photo and which view they are of."""

    shape, dtype = (2,), np.dtype("float32")

    def __init__(self, number):
        self.number = number

    def locate(self, position):
        return self, 2 * position  # so that no two are neighbors

    def read_into(self, row, target):
        target[:] = np.array([row // 2, self.number], "float32").tobytes()

    def check(self):
        pass


def join(batches):
    features, labels = zip(*batches, strict=True)
    return np.concatenate(features), np.concatenate(labels)


def make_batches(count, **options):
    views = [Constant(number) for number in range(4)]
    return StoredViews(views, np.arange(count, dtype="float32")[:, None], seed=7, **options)


def test_an_epoch_uses_each_photo_once_in_the_lessons_order_in_views_drawn_at_random():
    count = 500
    batches = make_batches(count, batch_size=64, shuffle=True)
    assert len(batches) == 8
    drawn = []
    for epoch in range(3):
        seen, answers = join(batches.read_epoch(epoch))
        order = epoch_order(count, seed=7, epoch=epoch)
        np.testing.assert_array_equal(seen[:, 0], order)
        np.testing.assert_array_equal(answers[:, 0], order)
        shares = np.bincount(seen[:, 1].astype(int), minlength=4) / count
        assert (abs(shares - 0.25) < 0.1).all()
        drawn.append(dict(seen.tolist()))
    changed = np.mean([drawn[0][photo] != drawn[1][photo] for photo in range(count)])
    assert 0.6 < changed < 0.9  # three quarters, as four views have it


def test_fit_goes_through_epoch_after_epoch_beginning_with_the_first():
    import tensorflow

    seen = []

    class Recorder(keras.layers.Layer):
        """Keeps the features that training shows it."""

        def call(self, inputs, training=False):
            if training:
                tensorflow.py_function(lambda rows: seen.append(rows.numpy()), [inputs], [])
            return inputs

    batches, clean = make_batches(50, batch_size=16, shuffle=True), make_batches(20, batch_size=8)
    model = keras.Sequential([keras.Input((2,)), Recorder(), keras.layers.Dense(1)])
    model.compile(loss="mse")
    evaluated = clean.as_dataset()

    class EvaluateBetween(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(evaluated, verbose=0)

    dataset = batches.as_dataset()
    callbacks = [EvaluateBetween()]
    model.fit(dataset, epochs=3, verbose=0, shuffle=False, callbacks=callbacks)
    seen = np.concatenate(seen).reshape(3, 50, 2)
    for epoch in range(3):
        expected, _ = join(batches.read_epoch(epoch))
        np.testing.assert_array_equal(seen[epoch], expected, f"epoch {epoch}")


def test_unshuffled_views_come_in_the_photos_order():
    seen, labels = join(make_batches(20, batch_size=8).read_epoch(5))
    np.testing.assert_array_equal(seen[:, 0], np.arange(20))
    np.testing.assert_array_equal(labels[:, 0], np.arange(20))


def test_views_are_drawn_evenly_and_repeatably():
    drawn = draw_views(4000, 5, seed=1, epoch=3)
    np.testing.assert_array_equal(drawn, draw_views(4000, 5, seed=1, epoch=3))
    assert (abs(np.bincount(drawn) / 4000 - 0.2) < 0.04).all()
    assert (drawn != draw_views(4000, 5, seed=1, epoch=4)).any()
    assert (drawn != draw_views(4000, 5, seed=2, epoch=3)).any()


def test_the_cache_alone_holds_the_features(make_store, make_photos, own_cache):
    compute(make_store([]), make_photos(5), clean_view([]))
    assert environment.cache_dir() == own_cache
    assert {path.name for path in own_cache.iterdir()} == {"features", "manifest.txt"}
