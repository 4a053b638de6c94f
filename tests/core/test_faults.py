"""Faults of the machine: nothing is lost, nothing half is taken for whole, the next run goes on.

Longer than 350 lines because each kind of fault has its own way to be brought about.
"""

import dataclasses
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from course_utils import cli as command_line
from course_utils.core import environment, files, settings
from course_utils.data import images, kaggle, pixels
from course_utils.data.dataset import load_car_or_truck
from course_utils.data.synthetic.dataset import write_vehicles
from course_utils.models.classifier import build_classifier
from course_utils.training.train import train

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CHOSEN = dataclasses.replace(
    settings.PROFILES["full"],
    image_size=(16, 16),
    batch_size=4,
    synthetic_train_photos=24,
    synthetic_valid_photos=8,
)

# Unpacks, draws, decodes, computes features and trains, all tiny; says when it begins and ends.
WORK = """
import dataclasses, sys
import numpy as np
sys.path.insert(0, "tests/core")
from test_faults import CHOSEN, build
from course_utils.features import forward, store
from course_utils.data.dataset import load_car_or_truck
from course_utils.training.train import train
store.BLOCK = forward.BATCH = 8
print("begun", flush=True)
sums = []
for folder in (sys.argv[1], "synthetic"):
    splits = load_car_or_truck(CHOSEN, folder=folder)
    history = train(build(), splits, epochs=3, method="stored_features", precision="float32",
                    views=2, seed=1, progress=False)
    sums += [splits.train.keys.tolist(), history["loss"].tolist(), history["val_loss"].tolist()]
print(sums, flush=True)
"""


def build():
    """A classifier with a tiny base, always the same."""
    import keras

    inputs = keras.Input((16, 16, 3))
    start = keras.initializers.GlorotUniform(seed=1)
    outputs = keras.layers.Conv2D(4, 3, strides=4, kernel_initializer=start)(inputs)
    base = keras.Model(inputs, outputs)
    base.trainable = False
    return build_classifier(base, [keras.layers.RandomContrast(0.2, seed=1)], seed=1)


def make_archive(folder: Path) -> Path:
    made = write_vehicles(folder / "made", train=24, valid=8, seed=3, image_size=(20, 20))
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        for path in sorted(made.rglob("*.png")):
            archive.write(path, f"deep/{path.relative_to(made).as_posix()}")
    return folder / "archive.zip"


def start(archive, cache):
    return subprocess.Popen(
        [sys.executable, "-c", WORK, str(archive)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "COURSE_CACHE_DIR": str(cache),
        },
    )


def visible(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.name.startswith(".")]


# Killed. For all twenty moments set COURSE_KILLS=20; each costs an import of TensorFlow.


def test_killed_at_random_moments_the_next_run_gives_the_same(tmp_path):
    archive = make_archive(tmp_path)
    whole = start(archive, tmp_path / "whole")
    begun, expected = whole.stdout.readline(), time.monotonic()
    answer = whole.stdout.read()
    seconds = time.monotonic() - expected
    assert begun == "begun\n" and answer.startswith("[")
    generator, cache = random.Random(8), tmp_path / "killed"
    moments = int(os.environ.get("COURSE_KILLS", "2"))
    for moment in range(moments):
        if moment % 4 == 0:
            shutil.rmtree(cache, ignore_errors=True)
        process = start(archive, cache)
        process.stdout.readline()
        time.sleep(generator.uniform(0, 0.7 * seconds))
        process.kill()
        process.communicate()
    again = start(archive, cache)
    assert again.communicate()[0] == begun + answer


def test_two_runs_at_once_give_what_one_gives(tmp_path):
    archive, cache = make_archive(tmp_path), tmp_path / "cache"
    runs = [start(archive, cache) for _ in range(2)]
    answers = [run.communicate()[0] for run in runs]
    assert answers[0] == answers[1] and answers[0].count("\n") == 2
    # Nothing half is left lying.
    assert not list(cache.rglob(".*"))


# Full and locked


FULL = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]


def limit_files(size: int):
    """Lets no file of this process grow beyond `size` bytes, as a full disk does."""
    resource = pytest.importorskip("resource", reason="Windows limits no file's size")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("what", ["unpack", "draw", "decode", "features"])
def test_a_full_disk_says_what_to_do_and_leaves_nothing_half(tmp_path, own_cache, what):
    archive = make_archive(tmp_path)
    folder = {"unpack": archive, "draw": "synthetic"}.get(what, tmp_path / "made")
    if what == "features":
        load_car_or_truck(CHOSEN, folder=folder)
    own_cache.mkdir(exist_ok=True)
    whole = set(visible(own_cache))

    def work():
        splits = load_car_or_truck(CHOSEN, folder=folder)
        options = {"method": "stored_features", "precision": "float32", "progress": False}
        return train(build(), splits, epochs=1, views=1, **options)

    # Pillow, NumPy and zipfile each write in their own way.
    lift = limit_files({"unpack": 300, "draw": 50, "decode": 2000, "features": 2000}[what])
    try:
        with pytest.raises(OSError) as caught:
            work()
    finally:
        lift()
    assert "The disk is full. Free some space (python -m course_utils clean" in str(caught.value)
    left = set(visible(own_cache)) - whole
    assert not [path for path in left if path.is_file() and path.stat().st_size == 0]
    assert not list(own_cache.rglob(".*"))
    assert len(work()) == 1  # once there is room, it goes on


def test_a_disk_that_is_truly_full_says_what_to_do(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("may not mount a small disk here")
    try:
        archive = make_archive(tmp_path)
        monkeypatch.setenv("COURSE_CACHE_DIR", str(disk))
        for folder in (archive, tmp_path / "made", "synthetic"):
            with pytest.raises(OSError, match="The disk is full. Free some space"):
                load_car_or_truck(CHOSEN, folder=folder)
            left = [path.name for path in disk.rglob("*") if path.is_file()]
            assert set(left) <= {"manifest.txt"}  # what was to be made, in a few lines
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("number", FULL + [errno.EROFS, errno.EACCES])
def test_every_kind_of_failed_writing_says_what_to_do(own_cache, number):
    with pytest.raises(OSError) as caught, files.atomic_write(own_cache / "a.npy") as beside:
        beside.write_bytes(b"half")
        raise OSError(number, os.strerror(number))
    assert caught.value.errno == number and "COURSE_CACHE_DIR" in str(caught.value)
    assert list(own_cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    archive = make_archive(tmp_path)
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("COURSE_CACHE_DIR", str(blocked))
    with pytest.raises(OSError, match="file"):
        load_car_or_truck(CHOSEN, folder=archive)
    assert blocked.read_text().startswith("a file")


def test_read_only_photos_are_used_and_not_touched(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_DATA_DIR")
    make_archive(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "archive.zip").rename(data / "archive.zip")
    monkeypatch.setattr(environment, "data_dir", lambda: data)
    before = data.stat().st_mtime_ns
    data.chmod(0o555)
    assert load_car_or_truck(CHOSEN).train.count == 24
    assert data.stat().st_mtime_ns == before and len(list(data.iterdir())) == 1


# The cache


def test_a_cache_deleted_under_a_running_kernel_is_made_again(tmp_path, own_cache):
    splits = load_car_or_truck(CHOSEN, folder=make_archive(tmp_path))
    options = {"epochs": 1, "method": "stored_features", "precision": "float32", "views": 1}
    first = train(build(), splits, **options)
    before = splits.train.read([0, 1])
    shutil.rmtree(own_cache)
    np.testing.assert_array_equal(splits.train.read([0, 1]), before)
    np.testing.assert_array_equal(train(build(), splits, **options), first)
    again = load_car_or_truck(CHOSEN, folder=tmp_path / "archive.zip")
    np.testing.assert_array_equal(again.train.keys, splits.train.keys)


def test_pixels_of_another_version_are_decoded_again(tmp_path, monkeypatch):
    make_archive(tmp_path)
    reads = []
    read = images.read_photo
    monkeypatch.setattr(pixels, "read_photo", lambda *all: reads.append(all) or read(*all))
    load_car_or_truck(CHOSEN, folder=tmp_path / "made")
    monkeypatch.setattr(images, "VERSION", images.VERSION + 1)
    load_car_or_truck(CHOSEN, folder=tmp_path / "made")
    assert len(reads) == 64


def test_a_clock_set_back_changes_nothing(tmp_path, monkeypatch, own_cache):
    archive = make_archive(tmp_path)
    splits = load_car_or_truck(CHOSEN, folder=archive)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    os.utime(archive, (0, 0))
    again = load_car_or_truck(CHOSEN, folder=archive)
    np.testing.assert_array_equal(again.train.pixels, splits.train.pixels)
    assert len(list((own_cache / "photos").iterdir())) == 1
    # A photo written again with an earlier date is read again.
    photo = next((tmp_path / "made" / "train" / "Car").iterdir())
    before = load_car_or_truck(CHOSEN, folder=tmp_path / "made").train.keys
    photo.write_bytes((tmp_path / "made" / "train" / "Truck").glob("*").__next__().read_bytes())
    os.utime(photo, (0, 0))
    after = load_car_or_truck(CHOSEN, folder=tmp_path / "made").train.keys
    assert not np.array_equal(before, after)


def test_clean_leaves_own_pictures_even_within_the_cache(tmp_path, own_cache, monkeypatch, capsys):
    make_archive(tmp_path)
    # Beside them what an earlier version of the kit may have left.
    (tmp_path / "made" / "4f2a.keys.npy").write_bytes(b"an old one")
    for name in ("photos", "photos/own", "synthetic", "pixels", "features/mine", "mine"):
        shutil.copytree(tmp_path / "made", own_cache / name, dirs_exist_ok=True)
    (own_cache / "photos" / "kaggle-holiday").mkdir()
    (own_cache / "photos" / "kaggle-holiday" / "a.jpeg").write_bytes(b"mine")
    pictures = sorted(path for path in own_cache.rglob("*") if path.is_file())
    load_car_or_truck(CHOSEN, folder="synthetic")
    load_car_or_truck(CHOSEN, folder=tmp_path / "archive.zip")
    assert command_line.main(["clean", "--all"]) == 0
    assert sorted(path for path in own_cache.rglob("*") if path.is_file()) == pictures


# Kaggle's download


def fail_with(monkeypatch, script):
    monkeypatch.setattr(kaggle, "COMMAND", [sys.executable, "-c", script])


def test_a_network_that_drops_packets_costs_the_limit_once(monkeypatch, tmp_path, own_cache):
    monkeypatch.delenv("COURSE_DATA_DIR")
    monkeypatch.setattr(environment, "data_dir", lambda: tmp_path / "data")
    assert kaggle.FIRST_BYTE <= 10
    monkeypatch.setattr(kaggle, "FIRST_BYTE", 1.0)
    fail_with(monkeypatch, "import time; time.sleep(60)")
    start = time.monotonic()
    source = load_car_or_truck(CHOSEN).source
    assert "Synthetic vehicles" in source and "Kaggle sent nothing for 1 s" in source
    assert time.monotonic() - start < 20
    fail_with(monkeypatch, "raise AssertionError('tried again')")
    assert "minutes ago (Kaggle sent nothing for 1 s)" in load_car_or_truck(CHOSEN).source
    assert "minutes ago" in load_car_or_truck(CHOSEN, download=True).source
    # `fetch` tries all the same, and a clock set back forgets.
    kaggle.forget_failure()
    assert "tried again" in load_car_or_truck(CHOSEN, download=True).source
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert "minutes ago" not in load_car_or_truck(CHOSEN).source
    assert not list(own_cache.rglob(".kaggle*"))


def test_a_download_that_stalls_on_the_way_is_ended(monkeypatch, own_cache):
    monkeypatch.setattr(kaggle, "STALL", 1.0)
    fail_with(
        monkeypatch,
        "import os, time; to = os.environ['KAGGLEHUB_CACHE']; os.makedirs(to);"
        "open(to + '/half', 'wb').write(b'x' * 1000); time.sleep(60)",
    )
    with pytest.raises(kaggle.DownloadFailed, match="nothing for 1 s"):
        kaggle.download_photos()
    assert [path.name for path in (own_cache / "photos").iterdir()] == ["kaggle-failed.json"]


def test_photos_that_kaggle_mounts_are_used_where_they_are(monkeypatch, tmp_path, own_cache):
    (tmp_path / "mount").mkdir()
    fail_with(monkeypatch, f"print({str(tmp_path / 'mount')!r})")
    assert kaggle.download_photos() == tmp_path / "mount"
    assert list((own_cache / "photos").iterdir()) == []
    # An empty folder in the cache would be taken for the photos the next time.
    assert kaggle.download_photos() == tmp_path / "mount"


def test_the_quick_profile_and_the_synthetic_dataset_never_reach_for_kaggle(monkeypatch, tmp_path):
    monkeypatch.setattr(kaggle, "_run", lambda *_: pytest.fail("tried"))
    monkeypatch.setattr(environment, "data_dir", lambda: tmp_path / "data")
    load_car_or_truck(CHOSEN)  # COURSE_DATA_DIR=synthetic
    load_car_or_truck(CHOSEN, download=True)
    monkeypatch.delenv("COURSE_DATA_DIR")
    quick = dataclasses.replace(CHOSEN, profile="quick")
    assert "not tried in the quick profile" in load_car_or_truck(quick).source


def test_lesson_00_reaches_for_kaggle_in_the_quick_profile_too(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(environment, "data_dir", lambda: tmp_path / "data")
    monkeypatch.delenv("COURSE_DATA_DIR")
    quick = dataclasses.replace(CHOSEN, profile="quick")
    made = write_vehicles(tmp_path / "made", train=8, valid=8, seed=1, image_size=(32, 32))
    script = (
        "import os, shutil; to = os.environ['KAGGLEHUB_CACHE'] + '/found'\n"
        f"shutil.copytree({str(made)!r}, to); print(to)"
    )
    fail_with(monkeypatch, script)
    assert "downloaded" in load_car_or_truck(quick, download=True).source
    said = capsys.readouterr().out
    assert "Kaggle (about 80 MB) …" in said and "Downloaded in " in said
    # The other lessons find what it left.
    assert "downloaded" in load_car_or_truck(quick).source
