"""What tests of augmentation share: random photos, and layers applied and compared."""

import numpy as np

SEED = 31415


def random_photos(count, height=16, width=12):
    return np.random.default_rng(7).uniform(size=(count, height, width, 3)).astype("float32")


def apply(layers, images, training=True):
    for layer in layers:
        images = layer(images, training=training)
    return np.asarray(images)


def sample(layer, images):
    """The random values of one layer for a batch."""
    return layer.get_random_transformation(images, training=True)


def comparable(layer):
    """A layer's config without its name, which Keras counts up."""
    return {key: value for key, value in layer.get_config().items() if key != "name"}
