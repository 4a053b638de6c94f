"""3 × 3 convolutions with a quarter of the multiplications: Winograd's way, for a frozen base.

A 3 × 3 kernel that slides over a tile of 6 × 6 pixels gives 4 × 4 outputs: 144 multiplications.
Winograd's algorithm transforms tile and kernel, multiplies them number by number (36), and
transforms the product back. The sums are the same but for rounding. What the transformations cost
is shared by all channels, so the way pays off where there are many, and where XLA compiles it: op
by op it is slower than Keras's. The kernels, which are transformed once, must not change.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015),
arXiv:1509.09308, F(4 × 4, 3 × 3).
"""

import numpy as np

from course_utils.core import backend
from course_utils.models.copies import copy_base

tensorflow = backend.import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

KERNEL, TILE, OUTPUT = 3, 6, 4  # pixels a side
# With fewer, in or out, the transformations cost what they spare, and compiling takes longer.
FEWEST_CHANNELS = 128

# One row for each number of a transformed tile or kernel, or of an output.
_OF_TILE = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_OF_KERNEL = (
    np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
)
_OF_OUTPUT = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)


class WinogradConv2D(keras.layers.Layer):
    """Computes what a frozen `Conv2D` computes, from its weights as they are now.

    From float32 (batch, height, width, channels) to float32 (batch, height, width, filters), or
    two pixels less a side where the padding is `"valid"`. The height and the width are to be
    known when it is called. It does not learn.

    Args:
        convolution: A built layer that `fits`.
    """

    def __init__(self, convolution: keras.layers.Conv2D):
        super().__init__(name=convolution.name, dtype="float32", trainable=False)
        kernel = convolution.kernel.numpy().astype("float64")
        channels, self.filters = kernel.shape[2:]
        # Both sides of a tile at once: 36 numbers from 9, 36 from 36, 16 from 36.
        transformed = np.kron(_OF_KERNEL, _OF_KERNEL) @ kernel.reshape(KERNEL**2, -1)
        self._kernel = _constant(transformed.reshape(TILE**2, channels, self.filters))
        self._bias = _constant(convolution.bias.numpy()) if convolution.use_bias else 0.0
        self._of_tile = _constant(np.kron(_OF_TILE, _OF_TILE))
        self._of_output = _constant(np.kron(_OF_OUTPUT, _OF_OUTPUT))
        self._border = KERNEL // 2 if convolution.padding == "same" else 0
        self._activation = convolution.activation

    def compute_output_shape(self, input_shape):
        # Told, so that Keras need not try it out: it takes what follows `x * 2` for sparse.
        batch, *sides, _ = input_shape
        return (batch, *(side + 2 * self._border - KERNEL + 1 for side in sides), self.filters)

    def call(self, inputs):
        channels = inputs.shape[-1]
        _, height, width, _ = self.compute_output_shape(inputs.shape)
        down, across = -(-height // OUTPUT), -(-width // OUTPUT)
        tiles = tensorflow.reshape(self._cut(inputs, down, across), [TILE**2, -1])
        tiles = tensorflow.reshape(self._of_tile @ tiles, [TILE**2, -1, channels])
        products = tensorflow.reshape(tiles @ self._kernel, [TILE**2, -1])
        pixels = tensorflow.reshape(
            self._of_output @ products, [OUTPUT, OUTPUT, -1, down, across, self.filters]
        )
        images = tensorflow.reshape(
            tensorflow.transpose(pixels, [2, 3, 0, 4, 1, 5]),
            [-1, down * OUTPUT, across * OUTPUT, self.filters],
        )
        return self._activation(images[:, :height, :width] + self._bias)

    def _cut(self, images, down: int, across: int):
        """Returns the tiles, which overlap by two pixels: (6, 6, batch, down, across, channels)."""
        padding = [
            [self._border, count * OUTPUT + KERNEL - 1 - side - self._border]
            for count, side in ((down, images.shape[1]), (across, images.shape[2]))
        ]
        images = tensorflow.pad(images, [[0, 0], *padding, [0, 0]])
        starts = range(TILE)
        last = OUTPUT - 1
        # Rows first, then columns: 12 slices for XLA to compile, and not 36.
        rows = tensorflow.stack(
            [images[:, start : start + OUTPUT * down - last : OUTPUT] for start in starts]
        )
        return tensorflow.stack(
            [rows[:, :, :, start : start + OUTPUT * across - last : OUTPUT] for start in starts],
            axis=1,
        )


def _constant(numbers: np.ndarray):
    return tensorflow.constant(numbers, "float32")


def fits(layer: keras.Layer) -> bool:
    """Whether a layer is a convolution that `WinogradConv2D` computes, and faster."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.kernel_size == (KERNEL, KERNEL)
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
        and min(layer.kernel.shape[2:]) >= FEWEST_CHANNELS
    )


def copy_with_winograd(base: keras.Model) -> keras.Model:
    """Returns a frozen copy of a base, whose convolutions are Winograd's where they fit.

    Args:
        base: A built `keras.Sequential` or functional model, of a known image size.
    """

    def copy(layer):
        return WinogradConv2D(layer) if fits(layer) else type(layer).from_config(layer.get_config())

    return copy_base(base, copy)
