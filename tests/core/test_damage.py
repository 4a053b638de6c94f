"""Seeded damage to everything that is kept: it is named and made again or set aside, and changes
no number.

The suite does `DAMAGES` in all; more of them by hand, with a larger number here.
"""

import os
import random
import shutil

import keras
import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.core import entries
from course_utils.core.progress import Progress
from course_utils.core.settings import PROFILES, Settings
from course_utils.data.dataset import load_car_or_truck
from course_utils.data.synthetic.dataset import write_vehicles
from course_utils.evaluation.compare import compare
from course_utils.features import forward
from course_utils.features import store as feature_store
from course_utils.features.store import FeatureStore
from course_utils.features.views import clean_view, list_views
from course_utils.lessons import guesses
from course_utils.models.classifier import build_classifier
from course_utils.training.train import train

DAMAGES = 120
PARTS = {"pixels": 0.33, "features": 0.34, "comparisons": 0.04, "histories": 0.04, "guesses": 0.25}
SIZES = {"image_size": (16, 16), "batch_size": 8, "train_photos": None, "valid_photos": None}
CHOSEN = Settings(**{**vars(PROFILES["quick"]), **SIZES})
KINDS = ("guesses", "bets")
POLICIES = {"none": Augmentation(), "flip": Augmentation(flip="horizontal")}


# Ways to damage a file, each given the file, others of its kind, and rng.


def flip_a_bit(path, others, rng):
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def overwrite_a_run(path, others, rng):
    content = bytearray(path.read_bytes())
    start = rng.randrange(len(content))
    length = min(rng.choice((2, 16, 300)), len(content) - start)
    content[start : start + length] = rng.randbytes(length)
    path.write_bytes(content)


def zero_a_run(path, others, rng):
    content = bytearray(path.read_bytes())
    start = rng.randrange(len(content))
    length = min(rng.choice((1, 64, len(content) // 2)), len(content) - start)
    content[start : start + length] = bytes(length)
    path.write_bytes(content)


def cut_off(path, others, rng):
    os.truncate(path, rng.randrange(path.stat().st_size))


def swap_two(path, others, rng):
    other = rng.choice([each for each in others if each.parent == path.parent and each != path])
    aside = path.with_name("aside")
    path.rename(aside)
    other.rename(path)
    aside.rename(other)


def put_another(path, others, rng):
    """Under this name comes an entry of other photos, of another view, or of an earlier day."""
    path.write_bytes(rng.choice([each for each in others if each != path]).read_bytes())


WAYS = (flip_a_bit, overwrite_a_run, zero_a_run, cut_off, swap_two, put_another)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders of small photos."""
    folder = tmp_path_factory.mktemp("photos")
    for name, seed in (("one", 1), ("two", 2)):
        write_vehicles(folder / name, train=24, valid=8, seed=seed, image_size=(16, 16))
    return folder / "one", folder / "two"


@pytest.fixture(scope="module")
def base():
    return build_base(seed=1)


def build_base(seed):
    kernel = keras.initializers.GlorotUniform(seed=seed)
    inputs = keras.Input((16, 16, 3))
    base = keras.Model(inputs, keras.layers.Conv2D(2, 3, 4, kernel_initializer=kernel)(inputs))
    base.trainable = False
    return base


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(feature_store, "BLOCK", 8)
    monkeypatch.setattr(forward, "BATCH", 4)


@pytest.fixture
def take(own_cache, tmp_path):
    """A function that moves a folder of the cache away, and returns its entries: those of other
    photos, or of an earlier day."""

    def move(folder):
        away = tmp_path / f"{folder} {len(list(tmp_path.iterdir()))}"
        (own_cache / folder).rename(away)
        return sorted(away.rglob("*.entry"))

    return move


@pytest.fixture
def damage_often(capsys):
    """A function that damages a part of the cache again and again, always from the same state.

    It checks that what has changed is named, that it is set aside, and that the numbers are those
    of before.
    """

    def damage(folder, use, count, *, others=(), remade=True):
        expected, safe = use(), folder.with_name(f"{folder.name} undamaged")
        shutil.copytree(folder, safe)
        unchanged = 0
        for seed in range(count):
            rng = random.Random(f"{folder.name} {seed}")
            way = rng.choice(WAYS)
            files = sorted(folder.rglob("*.entry"))
            before = {path: path.read_bytes() for path in files}
            if rng.random() < 0.7:  # As in a new kernel, and otherwise in the same.
                entries._verified.clear()
                entries._opened.clear()
            capsys.readouterr()
            way(rng.choice(files), [*files, *others], rng)
            after = {path: path.read_bytes() for path in files}
            found, said = use(), capsys.readouterr().out
            case = f"{way.__name__}, seed {seed}: {said}"
            changed = [path for path in files if after[path] != before[path]]
            unchanged += not changed
            for path in changed:
                (aside,) = path.parent.glob(f"{path.name}.damaged-*")
                assert f"{path} is damaged: " in said and aside.name in said, case
                assert aside.read_bytes() == after[path], case
                assert path.is_file() is remade, case
            for name, numbers in expected.items():
                if remade or folder / name not in changed:
                    np.testing.assert_array_equal(found[name], numbers, err_msg=case)
                else:
                    assert not found[name], case
            shutil.rmtree(folder)
            shutil.copytree(safe, folder)
        assert unchanged <= 0.2 * count  # zeros over zeros, an older copy of what has not changed

    return damage


def count_damages(part):
    return round(DAMAGES * PARTS[part])


def load_photos(folder):
    return load_car_or_truck(CHOSEN, folder=folder)


@pytest.mark.slow
def test_damaged_pixels(own_cache, folders, take, damage_often):
    photo = next((folders[0] / "train" / "Car").glob("*.png"))

    def use():
        splits = load_photos(folders[0])
        return {
            f"{what} {name}": found
            for name, photos in (("train", splits.train), ("valid", splits.valid))
            for what, found in (("pixels", photos.pixels[:]), ("keys", photos.keys))
        }

    load_photos(folders[1])
    others = take("pixels")
    os.utime(photo, (1, 1))  # an earlier day, before this photo was written once more
    use()
    others += take("pixels")
    os.utime(photo, (2, 2))
    damage_often(own_cache / "pixels", use, count_damages("pixels"), others=others)


@pytest.mark.slow
def test_damaged_features(own_cache, folders, base, take, damage_often):
    splits = load_photos(folders[0])
    front = Augmentation(contrast=0.3).layers(seed=1)
    views = {"clean": clean_view(front), "augmented": list_views(front, views=1, seed=1)[0]}

    def make_use(base, splits):
        store = FeatureStore(front, base, precision="float32", seed=1)

        def use():
            found = {}
            for name, view in views.items():
                for photos in (splits.train, splits.valid):
                    store.compute(photos, view, Progress(0, "", shown=False))
                    read = store.open(photos, view).read(np.arange(photos.count))
                    found[f"{name} {photos.count}"] = read
            return found

        return use

    make_use(base, load_photos(folders[1]))()
    others = take("features")
    make_use(build_base(seed=2), splits)()
    others += take("features")
    use, count = make_use(base, splits), count_damages("features")
    damage_often(own_cache / "features", use, count, others=others)


@pytest.mark.slow
def test_damaged_comparisons(own_cache, folders, base, take, damage_often):
    options = {"seeds": 2, "views": 2, "precision": "float32", "progress": False}

    def use(photos=folders[0], epochs=2):
        compared = compare(POLICIES, load_photos(photos), base, epochs=epochs, **options)
        runs = compared.runs.drop(columns="policy").to_numpy("float64")
        return {"runs": runs} | {name: compared.probabilities(name) for name in compared.policies}

    use(photos=folders[1])
    use(epochs=1)
    others, count = take("comparisons"), count_damages("comparisons")
    damage_often(own_cache / "comparisons", use, count, others=others)


@pytest.mark.slow
def test_damage_anywhere_leaves_a_history_as_it_was(own_cache, folders, base, damage_often):
    def use():
        front = Augmentation(contrast=0.3).layers(seed=1)
        model = build_classifier(base, front, seed=1)
        options = {"epochs": 2, "views": 2, "precision": "float32", "progress": False}
        history = train(model, load_photos(folders[0]), method="stored_features", **options)
        return {"history": history.to_numpy("float64")}

    damage_often(own_cache, use, count_damages("histories"))


def write_guesses(more=""):
    guesses.keep_guess("gap", f"smaller, weil die Fotos größer wirken{more}")
    guesses.keep_guess("loss", f"lower{more}")
    for question, sure in (("flip", 0.9), ("contrast", 0.65)):
        guesses.bet(question, "better", choices=("better", "worse"), sure=sure)


def use_guesses():
    return {f"{kind}.entry": list(map(repr, guesses.load_guesses(kind).items())) for kind in KINDS}


def test_damaged_guesses(own_cache, damage_often):
    write_guesses()
    use, count = use_guesses, count_damages("guesses")
    damage_often(own_cache, use, count, remade=False)


def test_an_older_copy_of_the_guesses_gives_what_was_written_then(own_cache):
    write_guesses()
    older = (own_cache / "guesses.entry").read_bytes()
    expected = use_guesses()
    write_guesses(more=", I think now")
    (own_cache / "guesses.entry").write_bytes(older)
    assert use_guesses() == expected
