"""The catalogue of transformations, and the value that says which of them a run uses.

An `Augmentation` holds numbers in units a person thinks in. From the same numbers it makes
Keras layers, Keras source code and words, so that what a student reads, sees and trains is one
thing. Keras is imported when layers are made, not before.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np

FLIPS = (None, "horizontal", "vertical", "horizontal_and_vertical")
LARGEST_SEED = 42_000_000
# Keras checks probabilities as ranges: a scalar p draws the probability itself from 0 to p.
ALWAYS = (1.0, 1.0)
VALUE_RANGE = (0, 1)


@dataclass(frozen=True)
class LayerCall:
    """One Keras layer before it is made: from it come both the layer and its source code.

    Args:
        layer: The layer's name in `keras.layers`.
        arguments: Its keyword arguments.
        seeded: Whether the layer draws random numbers, and so takes a `seed`.
        force: From what the layer drew to what is to take its place; `None` keeps the draw.
    """

    layer: str
    arguments: dict[str, Any]
    seeded: bool = True
    force: Callable[[Any], dict[str, Any]] | None = field(default=None, repr=False, compare=False)

    def make(self) -> Any:
        """Returns a new `keras.layers.Layer`."""
        import keras

        return getattr(keras.layers, self.layer)(**self.arguments)

    def reuse(self, *, drawn: int = 0) -> Any:
        """Returns a layer that was made before, with the dice of a new one.

        For whoever shows many settings: making a layer takes milliseconds, and TensorFlow keeps
        some 30 KB of every random layer for ever.

        Args:
            drawn: How many numbers the dice are to have given already.
        """
        settings = tuple((name, value) for name, value in self.arguments.items() if name != "seed")
        layer = _keep_layer(self.layer, settings)
        if self.seeded:
            dice = layer.generator if hasattr(layer, "generator") else layer.seed_generator
            dice.state.assign([self.arguments["seed"], drawn])
        return layer

    def write(self) -> str:
        """Returns the Python expression that makes the layer, wrapped if it is long."""
        written = [f"{name}={_write_value(value)}" for name, value in self.arguments.items()]
        joined = ", ".join(written)
        line = f"keras.layers.{self.layer}({joined})"
        if len(line) <= 84:
            return line
        if len(joined) > 80:
            joined = ",\n        ".join(written) + ","
        return f"keras.layers.{self.layer}(\n        {joined}\n    )"


@lru_cache(maxsize=1024)
def _keep_layer(layer: str, settings: tuple[tuple[str, Any], ...]) -> Any:
    return LayerCall(layer, dict(settings)).make()


@dataclass(frozen=True)
class Transformation:
    """One entry of the catalogue.

    Args:
        name: The field of `Augmentation` that holds its strength.
        title: What a slider calls it.
        unit: `"degrees"`, `"percent"`, `"pixels"` or, for a choice, `"choice"`. In percent the
            slider shows 100 times the value; the other units are shown as they are.
        maximum: The largest value, in the units of `Augmentation`; the smallest is 0.
        step: One press of an arrow key on the slider, in the units of `Augmentation`.
        keras_layer: The Keras layer that does it.
        ignores: What a model trained with it learns to ignore.
        breaks: When it changes what the label says.
        describe: From a value to words for what may happen to a photo.
        calls: From a value that is not neutral to the layers that do it.
        ends: From such a value to the layers for its lowest and for its highest end, which
            random draws hide: contrast at its weakest and at its strongest.
        tell: From a made layer and the numbers it drew for a batch to words, one string a view,
            empty where nothing happened to that view.
        neutral: The value that leaves photos as they are.
    """

    name: str
    title: str
    unit: str
    maximum: float
    step: float
    keras_layer: str
    ignores: str
    breaks: str
    describe: Callable[[Any], str] = field(repr=False)
    calls: Callable[[Any], tuple[LayerCall, ...]] = field(repr=False)
    ends: Callable[[Any], tuple[tuple[LayerCall, ...], tuple[LayerCall, ...]]] = field(repr=False)
    tell: Callable[[Any, Any], list[str]] = field(repr=False)
    neutral: float | None = 0.0

    @property
    def scale(self) -> int:
        """What the value is multiplied by to be shown in `unit`."""
        return 100 if self.unit == "percent" else 1


def _call(layer: str, *, seeded: bool = True, force: Any = None, **arguments: Any) -> LayerCall:
    return LayerCall(layer, arguments, seeded, force)


def _tidy(number: float) -> float:
    """Rounds what a division left, so that source code shows 0.041667, not sixteen digits."""
    return round(number, 6)


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def _column(drawn: Any) -> np.ndarray:
    """Flattens what Keras drew, of shape (batch,), (batch, 1) or (batch, 1, 1, 1)."""
    return np.asarray(drawn).reshape(-1)


def _flip_calls(flip: str) -> tuple[LayerCall, ...]:
    # Two layers for both: RandomFlip("horizontal_and_vertical") throws one die for both axes,
    # so a photo would never be mirrored without standing on its head as well.
    modes = ("horizontal", "vertical") if flip == "horizontal_and_vertical" else (flip,)
    return tuple(_call("RandomFlip", mode=mode) for mode in modes)


def _describe_flip(flip: str) -> str:
    ways = {
        "horizontal": "mirrored left to right half of the time",
        "vertical": "flipped upside down half of the time",
    }
    chosen = [words for mode, words in ways.items() if mode in flip.split("_and_")]
    return " and, independently, ".join(chosen)


def _tell_flip(layer: Any, drawn: Any) -> list[str]:
    words = {"horizontal": "mirrored", "vertical": "upside down"}[layer.mode]
    return [words if flipped else "" for flipped in _column(drawn["flips"])]


def _tell_rotation(layer: Any, drawn: Any) -> list[str]:
    # Keras turns counter-clockwise for a positive angle.
    return [
        f"turned {abs(angle):.0f}° {'left' if angle > 0 else 'right'}"
        for angle in _column(drawn["angle"])
    ]


def _tell_translation(layer: Any, drawn: Any) -> list[str]:
    return [
        f"moved {abs(x):.0f} px {'right' if x > 0 else 'left'}, "
        f"{abs(y):.0f} px {'down' if y > 0 else 'up'}"
        for x, y in np.asarray(drawn["translations"])
    ]


def _tell_zoom(layer: Any, drawn: Any) -> list[str]:
    # Keras draws how much of the scene fits in, the inverse of how large the car becomes.
    return [f"size × {1 / zoom:.2f}" for zoom in _column(drawn["height_zoom"])]


def _tell_shear(layer: Any, drawn: Any) -> list[str]:
    return [f"sheared {_percent(shear)}" for shear, _ in np.asarray(drawn["shear_factor"])]


def _tell_perspective(layer: Any, drawn: Any) -> list[str]:
    moves = np.abs(np.asarray(drawn["end_points"]) - np.asarray(drawn["start_points"]))
    return [f"a corner moved {move:.0f} px" for move in moves.max(axis=(1, 2))]


def _tell_brightness(layer: Any, drawn: Any) -> list[str]:
    return [f"brightness {100 * delta:+.0f} %" for delta in _column(drawn["rgb_delta"])]


def _tell_contrast(layer: Any, drawn: Any) -> list[str]:
    return [f"contrast × {factor:.2f}" for factor in _column(drawn["contrast_factor"])]


def _tell_saturation(layer: Any, drawn: Any) -> list[str]:
    return [f"colour × {factor:.2f}" for factor in _column(drawn["factor"])]


def _tell_hue(layer: Any, drawn: Any) -> list[str]:
    return [f"hue {360 * turn:+.0f}°" for turn in _column(drawn["factor"])]


def _tell_grayscale(layer: Any, drawn: Any) -> list[str]:
    return ["gray" if gray else "" for gray in _column(drawn)]


def _tell_blur(layer: Any, drawn: Any) -> list[str]:
    across, down = np.asarray(drawn["blur_factor"])
    views = len(np.asarray(drawn["should_apply_blur"]))
    return [f"blurred {across:.1f} × {down:.1f} px"] * views


def _tell_noise(layer: Any, drawn: Any) -> list[str]:
    return []


def _tell_erasing(layer: Any, drawn: Any) -> list[str]:
    shares = np.asarray(drawn["batch_masks"]).mean(axis=(1, 2, 3))
    return [f"{_percent(share)} erased" for share in shares]


def _tell_rand_augment(layer: Any, drawn: Any) -> list[str]:
    names = [name.removeprefix("random_").replace("_", " ") for name in layer._AUGMENT_LAYERS]
    views = len(np.asarray(drawn["transforms"]["random_rotation"]["angle"]))
    return [", then ".join(names[index] for index in np.asarray(drawn["layer_idxes"]))] * views


def _saturation_limits(value: float) -> tuple[float, float]:
    """Returns the weakest and the strongest multiplier of colour: Keras draws f, uses f/(1-f)."""
    return (0.5 - value) / (0.5 + value), (0.5 + value) / (0.5 - value)


def _one_end(call: LayerCall) -> tuple[tuple[LayerCall, ...], tuple[LayerCall, ...]]:
    """The ends of a transformation that starts from the photo itself."""
    return (), (call,)


def _two_ends(low: LayerCall, high: LayerCall) -> tuple[tuple[LayerCall], tuple[LayerCall]]:
    return (low,), (high,)


# In the order in which the layers stand in a model: first where things are, then their colours,
# then what the camera does. Outside the photo all is black, as around the data set's photos.
CATALOGUE: dict[str, Transformation] = {
    entry.name: entry
    for entry in (
        Transformation(
            name="flip",
            title="Flip",
            unit="choice",
            maximum=0.0,
            step=0.0,
            neutral=None,
            keras_layer="RandomFlip",
            ignores="which way things face",
            breaks="when left and right, or up and down, carry the meaning: b and d, 6 and 9, "
            "or a task that asks which way a car is facing",
            describe=_describe_flip,
            calls=_flip_calls,
            ends=lambda flip: (
                (),
                tuple(
                    replace(call, force=lambda drawn: {"flips": True}) for call in _flip_calls(flip)
                ),
            ),
            tell=_tell_flip,
        ),
        Transformation(
            name="rotation",
            title="Rotation",
            unit="degrees",
            maximum=180.0,
            step=5.0,
            keras_layer="RandomRotation",
            ignores="how far the camera was tilted",
            breaks="when the angle carries the meaning: 6 and 9, or N and Z",
            describe=lambda value: f"turned by up to {value:g}° either way",
            calls=lambda value: (
                # Keras counts in full turns.
                _call("RandomRotation", factor=_tidy(value / 360), fill_mode="constant"),
            ),
            ends=lambda value: _two_ends(
                *(
                    _call("RandomRotation", factor=(turns, turns), fill_mode="constant")
                    for turns in (-value / 360, value / 360)
                )
            ),
            tell=_tell_rotation,
        ),
        Transformation(
            name="translation",
            title="Translation",
            unit="percent",
            maximum=0.5,
            step=0.05,
            keras_layer="RandomTranslation",
            ignores="where in the photo the thing stands",
            breaks="when it pushes the thing out of the photo, or when the place is the answer",
            describe=lambda value: f"moved by up to {_percent(value)} of the width and the height",
            calls=lambda value: (
                _call(
                    "RandomTranslation",
                    height_factor=value,
                    width_factor=value,
                    fill_mode="constant",
                ),
            ),
            ends=lambda value: _two_ends(
                *(
                    _call(
                        "RandomTranslation",
                        height_factor=(share, share),
                        width_factor=(share, share),
                        fill_mode="constant",
                    )
                    for share in (-value, value)
                )
            ),
            tell=_tell_translation,
        ),
        Transformation(
            name="zoom",
            title="Zoom",
            unit="percent",
            maximum=0.5,
            step=0.05,
            keras_layer="RandomZoom",
            ignores="how near the camera stood",
            breaks="when size carries the meaning, or when zooming in cuts off the part that "
            "tells the classes apart, such as a pickup's bed",
            describe=lambda value: (
                f"zoomed so that {_percent(1 - value)} to {_percent(1 + value)} of the scene shows"
            ),
            calls=lambda value: (_call("RandomZoom", height_factor=value, fill_mode="constant"),),
            ends=lambda value: _two_ends(
                *(
                    _call("RandomZoom", height_factor=(share, share), fill_mode="constant")
                    for share in (value, -value)
                )
            ),
            tell=_tell_zoom,
        ),
        Transformation(
            name="shear",
            title="Shear",
            unit="percent",
            maximum=0.5,
            step=0.05,
            keras_layer="RandomShear",
            ignores="slant, as from a camera at an angle",
            breaks="when slant tells the classes apart: / and \\, or italic and upright",
            describe=lambda value: (
                f"slanted, the bottom edge moved by up to {_percent(value)} of the height"
            ),
            # A scalar would do the same, but its saved config is refused when loaded again.
            calls=lambda value: (
                _call(
                    "RandomShear", x_factor=(0.0, value), y_factor=(0.0, 0.0), fill_mode="constant"
                ),
            ),
            ends=lambda value: _two_ends(
                *(
                    _call(
                        "RandomShear",
                        x_factor=(value, value),
                        y_factor=(0.0, 0.0),
                        fill_mode="constant",
                        # Keras throws a die for the direction.
                        force=lambda drawn, way=way: {
                            "shear_factor": way * abs(drawn["shear_factor"])
                        },
                    )
                    for way in (-1.0, 1.0)
                )
            ),
            tell=_tell_shear,
        ),
        Transformation(
            name="perspective",
            title="Perspective",
            unit="percent",
            maximum=0.4,
            step=0.05,
            keras_layer="RandomPerspective",
            ignores="from where the photo was taken",
            breaks="when proportions carry the meaning: a square and a rectangle, or a long and "
            "a short car",
            describe=lambda value: (
                f"warped, three corners moved by up to {_percent(value)} of the side"
            ),
            # Keras moves corners by up to half of `scale`, and never the top left one.
            calls=lambda value: (
                _call("RandomPerspective", factor=ALWAYS, scale=_tidy(2 * value)),
            ),
            ends=lambda value: _two_ends(
                *(
                    _call(
                        "RandomPerspective",
                        factor=ALWAYS,
                        scale=_tidy(2 * value),
                        force=lambda drawn, share=share: {
                            "end_points": drawn["start_points"] * (1 + share)
                        },
                    )
                    for share in (-value, value)
                )
            ),
            tell=_tell_perspective,
        ),
        Transformation(
            name="brightness",
            title="Brightness",
            unit="percent",
            maximum=1.0,
            step=0.05,
            keras_layer="RandomBrightness",
            ignores="how much light there was",
            breaks="when light is the answer, as day or night, or when it drowns the thing in "
            "black or white",
            describe=lambda value: (
                f"made darker or brighter by up to {_percent(value)} of the range"
            ),
            calls=lambda value: (_call("RandomBrightness", factor=value, value_range=VALUE_RANGE),),
            ends=lambda value: _two_ends(
                *(
                    _call("RandomBrightness", factor=(delta, delta), value_range=VALUE_RANGE)
                    for delta in (-value, value)
                )
            ),
            tell=_tell_brightness,
        ),
        Transformation(
            name="contrast",
            title="Contrast",
            unit="percent",
            maximum=1.0,
            step=0.05,
            keras_layer="RandomContrast",
            ignores="haze, glare and the camera's settings",
            breaks="when faint differences are the answer, as a shadow in an X-ray picture",
            describe=lambda value: f"contrast multiplied by {1 - value:.3g} to {1 + value:.3g}",
            # A scalar would never lower the contrast: it draws factors from 1 upwards.
            calls=lambda value: (
                _call("RandomContrast", factor=(value, value), value_range=VALUE_RANGE),
            ),
            ends=lambda value: _two_ends(
                *(
                    _call(
                        "RandomContrast",
                        factor=(value, value),
                        value_range=VALUE_RANGE,
                        force=lambda drawn, factor=factor: {
                            "contrast_factor": 0 * drawn["contrast_factor"] + factor
                        },
                    )
                    for factor in (1 - value, 1 + value)
                )
            ),
            tell=_tell_contrast,
        ),
        Transformation(
            name="saturation",
            title="Saturation",
            unit="percent",
            maximum=0.45,
            step=0.05,
            keras_layer="RandomSaturation",
            ignores="how strong the colours are",
            breaks="when the strength of a colour is the answer, as ripe or unripe",
            describe=lambda value: "strength of colours multiplied by {:.2g} to {:.2g}".format(
                *_saturation_limits(value)
            ),
            # Neutral at 0.5, which Keras turns into a multiplier of 0.5 / (1 - 0.5) = 1.
            calls=lambda value: (
                _call(
                    "RandomSaturation",
                    factor=(_tidy(0.5 - value), _tidy(0.5 + value)),
                    value_range=VALUE_RANGE,
                ),
            ),
            ends=lambda value: _two_ends(
                *(
                    _call("RandomSaturation", factor=(factor, factor), value_range=VALUE_RANGE)
                    for factor in (_tidy(0.5 - value), _tidy(0.5 + value))
                )
            ),
            tell=_tell_saturation,
        ),
        Transformation(
            name="hue",
            title="Hue",
            unit="degrees",
            maximum=180.0,
            step=5.0,
            keras_layer="RandomHue",
            ignores="which colour things have, within the range",
            breaks="when the colour is the answer: a red and a green light, or kinds of flowers",
            describe=lambda value: f"colours turned by up to {value:g}° on the colour wheel",
            # Keras's 1.0 is half the wheel either way.
            calls=lambda value: (
                _call("RandomHue", factor=_tidy(value / 180), value_range=VALUE_RANGE),
            ),
            ends=lambda value: _two_ends(
                *(
                    _call(
                        "RandomHue",
                        factor=(_tidy(value / 180), _tidy(value / 180)),
                        value_range=VALUE_RANGE,
                        # Keras throws a die for the direction.
                        force=lambda drawn, way=way: {"factor": way * abs(drawn["factor"])},
                    )
                    for way in (-1.0, 1.0)
                )
            ),
            tell=_tell_hue,
        ),
        Transformation(
            name="grayscale",
            title="Grayscale",
            unit="percent",
            maximum=1.0,
            step=0.05,
            keras_layer="RandomGrayscale",
            ignores="colour altogether",
            breaks="when the colour is the answer",
            describe=lambda value: f"made gray {_percent(value)} of the time",
            calls=lambda value: (_call("RandomGrayscale", factor=value),),
            ends=lambda value: _one_end(_call("RandomGrayscale", factor=1.0)),
            tell=_tell_grayscale,
        ),
        Transformation(
            name="blur",
            title="Blur",
            unit="pixels",
            maximum=1.0,
            step=0.1,
            keras_layer="RandomGaussianBlur",
            ignores="whether the photo is in focus",
            breaks="when fine detail is the answer, as a badge or a crack; in small photos sooner",
            describe=lambda value: (
                f"blurred by up to {value:g} pixels, one blur drawn for a whole batch"
            ),
            # Five pixels hold 98 % of a Gaussian of one pixel; seven take twice the time.
            calls=lambda value: (
                _call(
                    "RandomGaussianBlur",
                    factor=ALWAYS,
                    kernel_size=5,
                    sigma=(0.0, value),
                    value_range=VALUE_RANGE,
                ),
            ),
            ends=lambda value: _one_end(
                _call(
                    "RandomGaussianBlur",
                    factor=ALWAYS,
                    kernel_size=5,
                    sigma=(value, value),
                    value_range=VALUE_RANGE,
                )
            ),
            tell=_tell_blur,
        ),
        Transformation(
            name="noise",
            title="Noise",
            unit="percent",
            maximum=0.5,
            step=0.01,
            keras_layer="GaussianNoise",
            ignores="the grain of a photo taken in the dark",
            breaks="when fine detail is the answer, or when nothing can be made out any more",
            describe=lambda value: (
                f"grain added with a standard deviation of {_percent(value)} of the range"
            ),
            # GaussianNoise leaves [0, 1]; a ReLU that ends at 1 cuts both sides off, and changes
            # nothing where no noise was added.
            calls=lambda value: (
                _call("GaussianNoise", stddev=value),
                _call("ReLU", max_value=1.0, seeded=False),
            ),
            ends=lambda value: (
                (),
                (
                    _call("GaussianNoise", stddev=value),
                    _call("ReLU", max_value=1.0, seeded=False),
                ),
            ),
            tell=_tell_noise,
        ),
        Transformation(
            name="erasing",
            title="Erasing",
            unit="percent",
            maximum=0.5,
            step=0.05,
            keras_layer="RandomErasing",
            ignores="that a part is hidden, so it must use more than one",
            breaks="when the erased part is the only one that tells the classes apart",
            describe=lambda value: (
                f"a gray box of up to {_percent(value)} of the photo laid over it"
            ),
            calls=lambda value: (
                _call(
                    "RandomErasing",
                    factor=ALWAYS,
                    scale=(0.0, value),
                    fill_value=0.5,
                    value_range=VALUE_RANGE,
                ),
            ),
            ends=lambda value: _one_end(
                _call(
                    "RandomErasing",
                    factor=ALWAYS,
                    scale=(value, value),
                    fill_value=0.5,
                    value_range=VALUE_RANGE,
                )
            ),
            tell=_tell_erasing,
        ),
        Transformation(
            name="rand_augment",
            title="RandAugment",
            unit="percent",
            maximum=1.0,
            step=0.05,
            keras_layer="RandAugment",
            ignores="a bit of everything, chosen by dice",
            breaks="easily: at every strength it inverts or posterizes some batches, and it turns "
            "photos by up to its strength times 360°",
            describe=lambda value: (
                f"two of eleven transformations drawn for a whole batch, at strength "
                f"{_percent(value)}"
            ),
            calls=lambda value: (
                _call("RandAugment", value_range=VALUE_RANGE, num_ops=2, factor=value),
            ),
            ends=lambda value: _one_end(
                _call("RandAugment", value_range=VALUE_RANGE, num_ops=2, factor=value)
            ),
            tell=_tell_rand_augment,
        ),
    )
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Augmentation:
    """How photos are changed at random while a model trains: the value behind the sliders.

    Every field at its neutral value, which is the default, leaves photos exactly as they are.
    Photos are RGB float32 in [0, 1], of shape (batch, height, width, 3) or (height, width, 3).

    Args:
        flip: `None`, `"horizontal"`, `"vertical"` or `"horizontal_and_vertical"`; each way with
            a probability of one half.
        rotation: Largest angle in degrees, either way, 0 to 180.
        translation: Largest move, as a share of the height and of the width, 0 to 0.5.
        zoom: How much less or more of the scene fits in, as a share, 0 to 0.5.
        shear: Largest sideways move of the bottom edge, as a share of the height, 0 to 0.5.
        perspective: Largest move of a corner, as a share of the side, 0 to 0.4.
        brightness: Largest change of all pixels, as a share of the range, 0 to 1.
        contrast: Contrast is multiplied by 1 - contrast to 1 + contrast, 0 to 1.
        saturation: Colour is multiplied by f / (1 - f), f drawn from 0.5 - saturation to
            0.5 + saturation, 0 to 0.45; 0.25 gives a third to three times.
        hue: Largest turn on the colour wheel in degrees, either way, 0 to 180.
        grayscale: Probability of making a photo gray, 0 to 1.
        blur: Largest standard deviation of the blur in pixels, 0 to 1.
        noise: Standard deviation of the noise, as a share of the range, 0 to 0.5.
        erasing: Largest erased share of the photo, 0 to 0.5.
        rand_augment: Strength of Keras's `RandAugment`, 0 to 1; at 0 it is left out.

    Raises:
        TypeError: If a strength is not a number.
        ValueError: If a value is outside its range, or `flip` is none of its choices.

    Source:
        Keras 3 `keras.layers`, whose defaults expect pixels from 0 to 255. Erasing: Zhong et
        al., Random Erasing Data Augmentation, arXiv:1708.04896. RandAugment: Cubuk et al.,
        arXiv:1909.13719; Keras draws its two transformations once for a batch, not for a photo.
    """

    flip: str | None = None
    rotation: float = 0.0
    translation: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grayscale: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    erasing: float = 0.0
    rand_augment: float = 0.0

    def __new__(cls, *positional: Any, **settings: Any) -> "Augmentation":
        # Python's own message for a misspelt name would not say which names there are.
        unknown = [name for name in settings if name not in CATALOGUE]
        if unknown or positional:
            received = ", ".join(unknown) or repr(positional[0])
            raise TypeError(
                f"Expected settings by name, out of {', '.join(CATALOGUE)}, received {received}. "
                "Write for example Augmentation(rotation=15)."
            )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if self.flip not in FLIPS:
            raise ValueError(
                f"Expected flip to be one of {', '.join(map(repr, FLIPS))}, "
                f"received {self.flip!r}. Choose one of these."
            )
        for name, entry in CATALOGUE.items():
            if entry.unit == "choice":
                continue
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise TypeError(
                    f"Expected {name} to be one number from 0 to {entry.maximum:g}, received "
                    f"{value!r}. It stands for the strength both ways; for no {name}, leave it out."
                )
            if not 0 <= value <= entry.maximum:  # also catches NaN
                raise ValueError(
                    f"Expected {name} from 0 to {entry.maximum:g}, received {value!r}. "
                    f"{_unit_help(entry)}"
                )
            # Floats only, so that 15 and 15.0 give the same text, code and cache key.
            object.__setattr__(self, name, abs(float(value)))

    @property
    def active(self) -> dict[str, Any]:
        """The settings that are not neutral, by name, in the order of the layers."""
        return {
            name: getattr(self, name)
            for name, entry in CATALOGUE.items()
            if getattr(self, name) != entry.neutral
        }

    def layers(self, seed: int) -> list[Any]:
        """Makes the Keras layers, ready to stand in front of a model.

        The layers compute in float32 whatever the policy is. Each throws its own dice, which
        depend on the seed and the kind of transformation only: a stronger setting, or one more
        transformation, leaves the dice of the others as they were.

        Args:
            seed: From 0 to 42,000,000. The same seed gives the same draws, call for call.

        Returns:
            New `keras.layers.Layer` objects, none at all if every setting is neutral. They take
            float32 images in [0, 1], of shape (batch, height, width, 3) or (height, width, 3),
            and return the same; with `training=False` they return their input.

        Raises:
            TypeError: If the seed is not an integer.
            ValueError: If the seed is out of range.
        """
        return [call.make() for _, call in self.calls(_check_seed(seed))]

    def code(self, seed: int | None = None) -> str:
        """Returns Keras source code that makes the same layers as `layers`.

        Args:
            seed: As in `layers`; `None` leaves the seeds out, so that every run draws anew.

        Returns:
            Python source that can be pasted and run; it binds the list `augmentation_layers`.

        Raises:
            TypeError: If the seed is neither `None` nor an integer.
            ValueError: If the seed is out of range.
        """
        checked = None if seed is None else _check_seed(seed)
        body = "".join(f"    {call.write()},\n" for _, call in self.calls(checked))
        listed = f"[\n{body}]" if body else "[]"
        return f"import keras\n\naugmentation_layers = {listed}\n"

    def describe(self) -> str:
        """Returns one sentence on what may happen to a photo at every use."""
        parts = [CATALOGUE[name].describe(value) for name, value in self.active.items()]
        if not parts:
            return "No augmentation: every photo stays exactly as it is."
        return f"At every use a photo is changed at random: {'; '.join(parts)}."

    def to_json(self) -> str:
        """Returns the settings that are not neutral as JSON, the same text for equal values."""
        return json.dumps(self.active)

    @classmethod
    def from_json(cls, text: str) -> "Augmentation":
        """Rebuilds the value that `to_json` wrote.

        Args:
            text: A JSON object from names to values.

        Raises:
            ValueError: If the text is no JSON object, or names an unknown transformation.
        """
        try:
            settings = json.loads(text)
        except (TypeError, json.JSONDecodeError):
            settings = None
        if not isinstance(settings, dict):
            raise ValueError(
                f"Expected a JSON object such as {cls(contrast=0.5).to_json()}, received {text!r}. "
                "Pass what to_json returned."
            )
        unknown = sorted(settings.keys() - CATALOGUE.keys())
        if unknown:
            raise ValueError(
                f"Expected names from {', '.join(CATALOGUE)}, received {', '.join(unknown)}. "
                "Correct the name, or leave it out."
            )
        return cls(**settings)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.active.items())
        return f"Augmentation({settings})"

    def calls(self, seed: int | None) -> list[tuple[str, LayerCall]]:
        """Returns what `layers` makes before it is made: names of transformations and calls.

        Args:
            seed: As in `code`.
        """
        found = []
        for name, value in self.active.items():
            place = list(CATALOGUE).index(name)
            for number, call in enumerate(CATALOGUE[name].calls(value)):
                arguments = dict(call.arguments)
                if call.seeded and seed is not None:
                    # Layers with the same seed throw the same dice. A hundred seeds for every
                    # seed of a run keep layers and runs apart.
                    arguments["seed"] = 100 * seed + 2 * place + number
                found.append((name, replace(call, arguments=arguments | {"dtype": "float32"})))
        return found

    def show_ends(self, name: str, image: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Returns a photo at both ends of one setting, every other setting neutral.

        Args:
            name: A name in `CATALOGUE`.
            image: float32 in [0, 1], shape (height, width, 3).

        Returns:
            The lowest and the highest end, float32, shape (2, height, width, 3), and words for
            each. A setting with one end only has the photo itself as its lowest.
        """
        value, entry = getattr(self, name), CATALOGUE[name]
        both = ((), ()) if value == entry.neutral else entry.ends(value)
        views, words = zip(*(_show_end(entry, calls, image) for calls in both), strict=True)
        return np.stack(views), list(words)


def _show_end(
    entry: Transformation, calls: tuple[LayerCall, ...], image: np.ndarray
) -> tuple[np.ndarray, str]:
    """Returns one photo at one end of a transformation, and words for it."""
    views, applied = force_calls(calls, image[None])
    told = [words for layer, drawn in applied for words in entry.tell(layer, drawn) if words]
    return np.asarray(views)[0], ", ".join(told) or (entry.title.lower() if calls else "unchanged")


def force_calls(calls: tuple[LayerCall, ...], images: Any) -> tuple[Any, list[tuple[Any, Any]]]:
    """Applies layers to photos, with forced draws.

    Args:
        calls: One end of a transformation, as `Transformation.ends` gives it.
        images: float32 in [0, 1], shape (batch, height, width, 3).

    Returns:
        The photos after all layers, and each layer with what it drew, where it can tell.
    """
    applied = []
    for call in calls:
        seed = {"seed": 0} if call.seeded else {}
        layer = replace(call, arguments=call.arguments | seed | {"dtype": "float32"}).reuse()
        if not hasattr(layer, "get_random_transformation"):
            images = layer(images, training=True)
            continue
        drawn = layer.get_random_transformation(images, training=True)
        if call.force is not None:
            drawn = drawn | call.force(drawn)
        applied.append((layer, drawn))
        images = layer.transform_images(images, drawn, training=True)
    return images, applied


def _unit_help(entry: Transformation) -> str:
    if entry.unit == "percent":
        return f"Choose a strength within; {entry.maximum:g} stands for {_percent(entry.maximum)}."
    return f"Choose a strength within, in {entry.unit}."


def _check_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(
            f"Expected the seed to be an integer, received {seed!r}. Pass one such as 31415."
        )
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(
            f"Expected a seed from 0 to {LARGEST_SEED}, received {seed}. Choose one within."
        )
    return int(seed)


def _write_value(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)
