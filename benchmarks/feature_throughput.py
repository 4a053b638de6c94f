"""Photos a second through the feature store against the bare forward pass, and against peers.

The store reads pixels, augments photo by photo (flip and contrast), computes and writes to disk.
The peers are PyTorch, ONNX Runtime and OpenVINO, which pass batches through VGG16 and nothing else.
"""

import argparse
import statistics
from pathlib import Path

from measuring import Row, build_photos, median_ratio, new_cache, run_python, time_in_turns

from course_utils.core import backend
from course_utils.features.store import FeatureStore
from course_utils.features.views import list_views

tensorflow = backend.import_tensorflow()
from course_utils.augmentation.policy import Augmentation  # noqa: E402 (TensorFlow is to be quiet first)
from course_utils.core.progress import Progress  # noqa: E402
from course_utils.features.forward import choose_precision  # noqa: E402
from course_utils.models.vgg16 import load_vgg16_base  # noqa: E402

BATCH, ROUNDS, PHOTOS = 64, 3, 128
PEER = Path(__file__).with_name("peer_vgg16.py")
PEERS = {"torch": "PyTorch, channels last", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns rows for the store, and for the peers where a Python that has them is named."""
    base = load_vgg16_base()
    with new_cache():
        fastest = choose_precision(base)
        rows = []
        for precision in dict.fromkeys(("float32", fastest)):
            rows += _measure_in(precision, base, fastest, chosen.peers_python)
    return rows


def _measure_in(precision: str, base, fastest: str, python: Path | None) -> list[Row]:
    front = Augmentation(flip="horizontal", contrast=0.5).layers(seed=1)
    store = FeatureStore(front, base, precision=precision, seed=1)
    view = list_views(front, views=1, seed=1)[0]
    bare = tensorflow.function(lambda images: base(images, training=False), autograph=False)
    images = tensorflow.random.uniform((BATCH, 128, 128, 3), seed=1)
    rounds = iter(build_photos(PHOTOS, seed=number) for number in range(ROUNDS + 1))
    peers: dict[str, list[float]] = {}
    remarks: dict[str, str] = {}

    def pass_bare():
        for _ in range(PHOTOS // BATCH):
            bare(images).numpy()

    def pass_peers():
        # Their own clocks count: a peer's start-up is not what is compared.
        for peer in PEERS if python else ():
            try:
                printed = run_python(PEER, peer, str(PHOTOS), precision, python=python).split()
            except RuntimeError as error:
                remarks[peer] = str(error).strip().splitlines()[-1][:80]
                continue
            peers.setdefault(peer, []).append(float(printed[0]))
            remarks[peer] = printed[1]

    rivals = {
        "bare": pass_bare,
        "stored": lambda: store.compute(next(rounds), view, Progress(0, "")),
        "peers": pass_peers,
    }
    pass_bare()
    store.compute(next(rounds), view, Progress(0, ""))
    seconds = time_in_turns(rivals, ROUNDS)

    def row(what, each, remark=""):
        speed = PHOTOS / statistics.median(each)
        ratio = f"{median_ratio(seconds['bare'], each):.2f}"
        return Row(f"{what}, by the bare pass", f"{speed:.1f} a second", ratio, remark)

    bare_pass = "the frozen VGG16's bare pass in Keras, float32, batches of 64"
    rows = [row(bare_pass, seconds["bare"], f"`auto` chooses {fastest} here")]
    rows.append(row(f"the store in {precision}: read, augment, compute, write", seconds["stored"]))
    for peer, name in PEERS.items():
        if peer in peers:
            rows.append(row(f"{name}, {precision}", peers[peer], remarks[peer]))
        else:
            why = remarks.get(peer, "`--peers-python PATH` measures it")
            rows.append(Row(f"{name}, {precision}", "not measured", "", why))
    return rows
