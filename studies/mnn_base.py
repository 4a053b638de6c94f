"""The frozen VGG16 through MNN, whose Winograd convolutions are three times as fast as Keras's.

For whoever publishes results: 250,000 photos and views go through the base for them, and MNN took
46 to 48 photos per second, where the kit's own way (`course_utils/features/winograd.py`) takes 28.
Lessons use TensorFlow alone. `pip install mnn` brings it; `check_features` says how far the two lie
apart.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from course_utils.core import backend
from course_utils.core.fingerprints import register
from course_utils.models.fingerprints import describe_layer

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

BATCH = 16  # photos in one pass: the shape that MNN plans for


class MnnBase:
    """Takes the place of a VGG16 base where features are computed, in float32.

    It has the layers and the fingerprint of the base: features are found under the same name.

    Args:
        base: VGG16 without its top: 3 × 3 convolutions with ReLU, and 2 × 2 max pooling.
        threads: Of MNN.
    """

    def __init__(self, base: keras.Model, *, threads: int = 2):
        self.base, self.layers = base, base.layers
        self.input_shape, self.output_shape = base.input_shape, base.output_shape
        self._net = _build_net(base, threads)

    def __call__(self, images, training: bool = False):
        """Returns the features of float32 images, (batch, height, width, 3)."""
        features = tensorflow.numpy_function(self.compute, [images], "float32")
        features.set_shape((None, *self.output_shape[1:]))
        return features

    def compute(self, images: np.ndarray) -> np.ndarray:
        """Returns the features of each image: float32, shape (batch, …)."""
        import MNN

        channels_first = MNN.expr.NCHW
        features = np.empty((len(images), *self.output_shape[1:]), "float32")
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            planes = np.zeros((BATCH, *batch.shape[1:]), "float32")
            planes[: len(batch)] = batch
            planes = np.ascontiguousarray(planes.transpose(0, 3, 1, 2))
            placed = MNN.expr.placeholder(planes.shape, channels_first)
            placed.write(planes)
            found = MNN.expr.convert(self._net.forward([placed])[0], channels_first).read()
            features[start : start + BATCH] = found[: len(batch)].transpose(0, 2, 3, 1)
        return features


register(MnnBase, lambda stand_in: describe_layer(stand_in.base))


def _build_net(base: keras.Model, threads: int):
    """Returns MNN's network, converted from ONNX."""
    import MNN

    with tempfile.TemporaryDirectory() as folder:
        written, converted = Path(folder, "vgg16.onnx"), Path(folder, "vgg16.mnn")
        onnx.save(_build_onnx(base), written)
        words = ["-f", "ONNX", "--modelFile", written, "--MNNModel", converted, "--bizCode", "mnn"]
        # In a process of its own, since the converter brings a protobuf that TensorFlow's is not;
        # and not through MNN.tools, which installs packages where it is imported.
        convert = "import sys, _tools; _tools.mnnconvert(sys.argv)"
        subprocess.run([sys.executable, "-c", convert, *words], stdout=subprocess.DEVNULL)
        if not converted.is_file():
            raise ValueError("MNN refused the network. Publish with `--engine keras`.")
        plan = {"backend": "CPU", "numThread": threads, "precision": "high", "memory": "high"}
        return MNN.nn.load_module_from_file(
            str(converted),
            ["photos"],
            ["features"],
            runtime_manager=MNN.nn.create_runtime_manager((plan,)),
            shape_mutable=False,
        )


def _build_onnx(base: keras.Model) -> onnx.ModelProto:
    height, width, channels = base.input_shape[1:]
    layers = [layer for layer in base.layers if not isinstance(layer, keras.layers.InputLayer)]
    before, nodes, weights = "photos", [], []
    for layer in layers:
        after = "features" if layer is layers[-1] else layer.name
        if isinstance(layer, keras.layers.MaxPooling2D):
            sizes = {"kernel_shape": layer.pool_size, "strides": layer.strides}
            nodes.append(helper.make_node("MaxPool", [before], [after], **sizes))
        elif isinstance(layer, keras.layers.Conv2D):
            kernel, bias = layer.get_weights()
            names = [f"{layer.name} kernel", f"{layer.name} bias"]
            arrays = [np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), bias]
            weights += map(numpy_helper.from_array, arrays, names)
            linear = f"{layer.name} before ReLU"
            nodes.append(helper.make_node("Conv", [before, *names], [linear], pads=(1, 1, 1, 1)))
            nodes.append(helper.make_node("Relu", [linear], [after]))
        else:
            raise ValueError(f"Expected convolutions and pooling, received {layer!r}.")
        before = after
    rows, columns, planes = base.output_shape[1:]
    shapes = {
        "photos": (BATCH, channels, height, width),
        "features": (BATCH, planes, rows, columns),
    }
    ends = [
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shapes[name])]
        for name in shapes
    ]
    graph = helper.make_graph(nodes, "vgg16", *ends, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def check_features(base: keras.Model, images: np.ndarray) -> float:
    """Returns the largest difference between MNN's features and Keras's, by Keras's largest.

    Args:
        base: The frozen base.
        images: float32, (batch, height, width, 3).

    Raises:
        ValueError: If they differ by more than rounding, a thousandth.
    """
    expected = np.asarray(base(images, training=False))
    apart = float(np.abs(MnnBase(base).compute(images) - expected).max() / expected.max())
    if apart > 1e-3:
        raise ValueError(f"Expected the features of Keras, but MNN's differ by {apart:.1e}.")
    return apart
