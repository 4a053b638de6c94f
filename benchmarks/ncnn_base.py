"""The frozen VGG16 through ncnn, whose Winograd convolutions are twice as fast on many CPUs.

For whoever publishes results: 250,000 photos and views go through the base for them. Lessons use
Keras alone. `pip install ncnn` brings it; `check_features` says how far the two lie apart.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from course_utils import runtime

tensorflow = runtime.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


class NcnnBase:
    """Takes the place of a VGG16 base where features are computed, in float32.

    It has the layers of the base, so that features are found under the same name.

    Args:
        base: VGG16 without its top: 3 × 3 convolutions with ReLU, and 2 × 2 max pooling.
        threads: Photos at the same time.
    """

    def __init__(self, base: keras.Model, *, threads: int = 2):
        self.layers, self.input_shape, self.output_shape = (
            base.layers,
            base.input_shape,
            base.output_shape,
        )
        self._net, self._threads = _build_net(base), threads

    def __call__(self, images, training: bool = False):
        """Returns the features of float32 images, (batch, height, width, 3)."""
        features = tensorflow.numpy_function(self.compute, [images], "float32")
        features.set_shape((None, *self.output_shape[1:]))
        return features

    def compute(self, images: np.ndarray) -> np.ndarray:
        """Returns the features of each image: float32, shape (batch, …)."""
        with ThreadPoolExecutor(self._threads) as pool:
            return np.stack(list(pool.map(self._compute_one, images)))

    def _compute_one(self, image: np.ndarray) -> np.ndarray:
        import ncnn

        extractor = self._net.create_extractor()
        # ncnn puts channels first; its array must outlive the extraction.
        planes = np.ascontiguousarray(image.transpose(2, 0, 1))
        extractor.input("photo", ncnn.Mat(planes))
        _, features = extractor.extract("features")
        return np.array(features).transpose(1, 2, 0)


def _build_net(base: keras.Model):
    """Returns ncnn's network, through its own two files: layers as text, weights as numbers."""
    import ncnn

    height, width, channels = base.input_shape[1:]
    lines = [f"Input photo 0 1 photo 0={width} 1={height} 2={channels}"]
    layers = [layer for layer in base.layers if not isinstance(layer, keras.layers.InputLayer)]
    before, weights = "photo", []
    for layer in layers:
        after = "features" if layer is layers[-1] else layer.name
        if isinstance(layer, keras.layers.MaxPooling2D):
            lines.append(f"Pooling {layer.name} 1 1 {before} {after} 0=0 1=2 2=2")
        elif isinstance(layer, keras.layers.Conv2D):
            kernel, bias = layer.get_weights()
            lines.append(
                f"Convolution {layer.name} 1 1 {before} {after} 0={layer.filters} 1=3 4=1 5=1 "
                f"6={kernel.size} 9=1"
            )
            # A zero before each kernel says that it is float32.
            weights += [np.zeros(1, "int32"), kernel.transpose(3, 2, 0, 1), bias]
        else:
            raise ValueError(f"Expected convolutions and pooling, received {layer!r}.")
        before = after
    net = ncnn.Net()
    net.opt.num_threads = 1
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{option}", False)
    with tempfile.TemporaryDirectory() as folder:
        param, binary = Path(folder, "vgg16.param"), Path(folder, "vgg16.bin")
        param.write_text("\n".join(["7767517", f"{len(lines)} {len(lines)}", *lines, ""]))
        binary.write_bytes(b"".join(np.ascontiguousarray(each).tobytes() for each in weights))
        if net.load_param(str(param)) or net.load_model(str(binary)):
            raise ValueError("ncnn refused the network. Publish with `--engine keras`.")
    return net


def check_features(base: keras.Model, images: np.ndarray) -> float:
    """Returns the largest difference between ncnn's features and Keras's, by Keras's largest.

    Args:
        base: The frozen base.
        images: float32, (batch, height, width, 3).

    Raises:
        ValueError: If they differ by more than rounding, a thousandth.
    """
    expected = np.asarray(base(images, training=False))
    apart = float(np.abs(NcnnBase(base).compute(images) - expected).max() / expected.max())
    if apart > 1e-3:
        raise ValueError(f"Expected the features of Keras, but ncnn's differ by {apart:.1e}.")
    return apart
