"""Prints the seconds that another runtime takes to send photos through VGG16's base on the CPU.

    python benchmarks/peer_vgg16.py torch 128 float32

Runtimes: torch, onnxruntime, openvino. It needs that one (and onnx for the last two) and nothing of
this course. The weights are random: time does not depend on them.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

BATCH = 64
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions
SHAPE = (BATCH, 3, 128, 128)


def build_torch(precision: str) -> Callable:
    """Returns a pass of one batch in channels-last memory, as PyTorch is fastest on a CPU."""
    import torch
    from torch import nn

    layers, before = [], 3
    for channels, convolutions in BLOCKS:
        for _ in range(convolutions):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
            before = channels
        layers.append(nn.MaxPool2d(2))
    options = {"dtype": getattr(torch, precision), "memory_format": torch.channels_last}
    base = nn.Sequential(*layers).eval().to(**options)
    images = torch.rand(SHAPE).to(**options)

    def run():
        with torch.inference_mode():
            base(images)

    return run


def write_onnx(*, convert: Callable = lambda array: array):
    """Returns VGG16's base as an ONNX model with random weights."""
    from onnx import TensorProto, helper, numpy_helper

    random, nodes, weights, last, before = np.random.default_rng(0), [], [], "images", 3
    for block, (channels, convolutions) in enumerate(BLOCKS):
        for number in range(convolutions):
            name = f"{block}_{number}"
            kernel = random.normal(0, 0.05, (channels, before, 3, 3)).astype("float32")
            for part, array in (("kernel", kernel), ("bias", np.zeros(channels, "float32"))):
                weights.append(numpy_helper.from_array(array, f"{part}{name}"))
            inputs = [last, f"kernel{name}", f"bias{name}"]
            nodes.append(helper.make_node("Conv", inputs, [f"conv{name}"], pads=[1] * 4))
            nodes.append(helper.make_node("Relu", [f"conv{name}"], [f"relu{name}"]))
            last, before = f"relu{name}", channels
        pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
        nodes.append(helper.make_node("MaxPool", [last], [f"pool{block}"], **pool))
        last = f"pool{block}"
    entering = helper.make_tensor_value_info("images", TensorProto.FLOAT, SHAPE)
    leaving = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "base", [entering], [leaving], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def build_onnxruntime(precision: str) -> Callable:
    """Returns a pass of one batch; its CPU kernels for convolutions know float32 alone."""
    import onnxruntime

    if precision != "float32":
        raise SystemExit("ONNX Runtime has no bfloat16 convolution for CPUs")
    session = onnxruntime.InferenceSession(
        write_onnx().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    images = np.random.default_rng(0).random(SHAPE, "float32")
    return lambda: session.run(None, {"images": images})


def build_openvino(precision: str) -> Callable:
    """Returns a pass of one batch, all cores at the one request."""
    import io

    import openvino

    core = openvino.Core()
    model = core.read_model(io.BytesIO(write_onnx().SerializeToString()))
    kind = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16}[precision]
    hints = {"INFERENCE_PRECISION_HINT": kind, "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(model, "CPU", hints)
    images = np.random.default_rng(0).random(SHAPE, "float32")
    return lambda: compiled(images)


BUILDERS = {"torch": build_torch, "onnxruntime": build_onnxruntime, "openvino": build_openvino}


def main(runtime: str, count: int, precision: str) -> None:
    """Passes one batch, then times `count` photos; prints the seconds and the version."""
    run = BUILDERS[runtime](precision)
    run()
    start = time.perf_counter()
    for _ in range(count // BATCH):
        run()
    print(time.perf_counter() - start, sys.modules[runtime].__version__)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
