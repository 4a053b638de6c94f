"""The catalogue of transformations: one entry each, from a strength to Keras layers and words.

To add a transformation, add an entry here. Its name is the function's; `Augmentation`, the
explorer and the tests read the catalogue. An entry's docstring says what the strength means.

Longer than 350 lines because every transformation has its entry in this one place.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from course_utils.augmentation.layer_call import LayerCall

# Keras reads one number p here as a range: it samples the probability itself from 0 to p.
ALWAYS = (1.0, 1.0)
VALUE_RANGE = (0, 1)


class Effect(NamedTuple):
    """What a transformation does at one strength.

    Args:
        description: Words for what may happen to a photo.
        layers: The layers that do it, with a new random draw at every use.
        high: The layers for the highest end, which random draws hide: contrast at its strongest.
        low: The layers for the lowest end; none where that is the photo itself.
    """

    description: str
    layers: tuple[LayerCall, ...]
    high: tuple[LayerCall, ...]
    low: tuple[LayerCall, ...] = ()


@dataclass(frozen=True)
class Transformation:
    """One entry of the catalogue.

    Args:
        name: The field of `Augmentation` that holds its strength.
        meaning: What the strength means, and in which unit.
        title: What a slider calls it.
        unit: `"degrees"`, `"percent"`, `"pixels"` or, for a choice, `"choice"`. In percent the
            slider shows 100 times the value; the other units are shown as they are.
        maximum: The largest value, in the units of `Augmentation`; the smallest is 0.
        step: One press of an arrow key on the slider, in the units of `Augmentation`.
        choices: The values of a choice besides `None`.
        ignores: What a model trained with it learns to ignore.
        breaks: When it changes what the label says.
        build: From a value that is not neutral to what it does.
        describe_views: From a layer and the values it sampled for a batch to words, one string
            for each view, empty where nothing happened to it.
    """

    name: str
    meaning: str
    title: str
    unit: str
    maximum: float
    step: float
    choices: tuple[str, ...]
    ignores: str
    breaks: str
    build: Callable[[Any], Effect] = field(repr=False)
    describe_views: Callable[[Any, Any], list[str]] = field(repr=False)

    @property
    def neutral(self) -> float | None:
        """The value that leaves photos as they are."""
        return None if self.choices else 0.0

    @property
    def strongest(self) -> float | str:
        """The value that changes photos most."""
        return self.choices[-1] if self.choices else self.maximum

    @property
    def scale(self) -> int:
        """What the value is multiplied by to be shown in `unit`."""
        return 100 if self.unit == "percent" else 1


# In the order in which the layers stand in a model: first where things are, then their colors,
# then what the camera does. Outside the photo all is black, as around the dataset's photos.
CATALOGUE: dict[str, Transformation] = {}


def format_percent(value: float) -> str:
    """Returns a fraction as a percentage.

    Example:
        >>> format_percent(0.125)
        '12.5 %'
    """
    return f"{100 * value:.3g} %"


def _entry(
    unit: str,
    *,
    maximum: float = 0.0,
    step: float = 0.0,
    ignores: str,
    breaks: str,
    describe_views: Callable[[Any, Any], list[str]],
    title: str = "",
    choices: tuple[str, ...] = (),
) -> Callable[[Callable[[Any], Effect]], Transformation]:
    """Adds the builder below it to the catalogue, under the builder's name."""

    def add(build: Callable[[Any], Effect]) -> Transformation:
        name = build.__name__
        CATALOGUE[name] = Transformation(
            name=name,
            meaning=" ".join(build.__doc__.split()),
            title=title or name.capitalize(),
            unit=unit,
            maximum=maximum,
            step=step,
            choices=choices,
            ignores=ignores,
            breaks=breaks,
            build=build,
            describe_views=describe_views,
        )
        return CATALOGUE[name]

    return add


def _call(layer: str, *, seeded: bool = True, **arguments: Any) -> LayerCall:
    return LayerCall(layer, arguments, seeded)


def _tidy(number: float) -> float:
    """Rounds what a division left, so that source code shows 0.041667, not sixteen digits."""
    return round(number, 6)


def _column(sampled: Any) -> np.ndarray:
    """Flattens what Keras sampled, of shape (batch,), (batch, 1) or (batch, 1, 1, 1)."""
    return np.asarray(sampled).reshape(-1)


FLIPS = {
    "horizontal": ("mirrored", "mirrored left to right half of the time"),
    "vertical": ("upside down", "flipped upside down half of the time"),
}


@_entry(
    "choice",
    choices=("horizontal", "vertical", "horizontal_and_vertical"),
    ignores="which way things face",
    breaks="when left and right, or up and down, carry the meaning: b and d, 6 and 9, "
    "or a task that asks which way a car is facing",
    describe_views=lambda layer, sampled: [
        FLIPS[layer.mode][0] if flipped else "" for flipped in _column(sampled["flips"])
    ],
)
def flip(choice: str) -> Effect:
    """`None`, `"horizontal"`, `"vertical"` or `"horizontal_and_vertical"`; each direction with a
    probability of one half."""
    # Two layers for both: RandomFlip("horizontal_and_vertical") draws one random number for both
    # axes, so a photo would never be mirrored without standing on its head as well.
    modes = choice.split("_and_")
    calls = tuple(_call("RandomFlip", mode=mode) for mode in modes)
    return Effect(
        " and, independently, ".join(FLIPS[mode][1] for mode in modes),
        calls,
        high=tuple(replace(call, force=lambda sampled: {"flips": True}) for call in calls),
    )


@_entry(
    "degrees",
    maximum=180.0,
    step=5.0,
    ignores="how far the camera was tilted",
    breaks="when the angle carries the meaning: 6 and 9, or N and Z",
    # Keras turns counterclockwise for a positive angle.
    describe_views=lambda layer, sampled: [
        f"turned {abs(angle):.0f}° {'left' if angle > 0 else 'right'}"
        for angle in _column(sampled["angle"])
    ],
)
def rotation(degrees: float) -> Effect:
    """Largest angle in degrees, either way."""
    turns = degrees / 360  # Keras counts in full turns.
    call = _call("RandomRotation", factor=_tidy(turns), fill_mode="constant")
    return Effect(
        f"turned by up to {degrees:g}° either way",
        (call,),
        low=(call.fix(factor=-turns),),
        high=(call.fix(factor=turns),),
    )


@_entry(
    "percent",
    maximum=0.5,
    step=0.05,
    ignores="where in the photo the thing stands",
    breaks="when it pushes the thing out of the photo, or when the place is the answer",
    describe_views=lambda layer, sampled: [
        f"moved {abs(x):.0f} px {'right' if x > 0 else 'left'}, "
        f"{abs(y):.0f} px {'down' if y > 0 else 'up'}"
        for x, y in np.asarray(sampled["translations"])
    ],
)
def translation(fraction: float) -> Effect:
    """Largest move, as a fraction of the height and of the width."""
    call = _call(
        "RandomTranslation", height_factor=fraction, width_factor=fraction, fill_mode="constant"
    )
    return Effect(
        f"moved by up to {format_percent(fraction)} of the width and the height",
        (call,),
        low=(call.fix(height_factor=-fraction, width_factor=-fraction),),
        high=(call.fix(height_factor=fraction, width_factor=fraction),),
    )


@_entry(
    "percent",
    maximum=0.5,
    step=0.05,
    ignores="how near the camera stood",
    breaks="when size carries the meaning, or when zooming in cuts off the part that "
    "tells the classes apart, such as a pickup's bed",
    # Keras samples how much of the scene fits in, the inverse of how large the car becomes.
    describe_views=lambda layer, sampled: [
        f"size × {1 / zoom:.2f}" for zoom in _column(sampled["height_zoom"])
    ],
)
def zoom(fraction: float) -> Effect:
    """How much less or more of the scene fits in, as a fraction."""
    call = _call("RandomZoom", height_factor=fraction, fill_mode="constant")
    return Effect(
        f"zoomed so that {format_percent(1 - fraction)} to {format_percent(1 + fraction)} "
        "of the scene shows",
        (call,),
        low=(call.fix(height_factor=fraction),),
        high=(call.fix(height_factor=-fraction),),
    )


@_entry(
    "percent",
    maximum=0.5,
    step=0.05,
    ignores="slant, as from a camera at an angle",
    breaks="when slant tells the classes apart: / and \\, or italic and upright",
    describe_views=lambda layer, sampled: [
        f"sheared {format_percent(shear)}" for shear, _ in np.asarray(sampled["shear_factor"])
    ],
)
def shear(fraction: float) -> Effect:
    """Largest sideways move of the bottom edge, as a fraction of the height."""
    # A single number would do the same, but its saved config is refused when loaded again.
    call = _call("RandomShear", x_factor=(0.0, fraction), y_factor=(0.0, 0.0), fill_mode="constant")
    low, high = (
        # Keras draws the direction at random.
        replace(
            call.fix(x_factor=fraction),
            force=lambda sampled, sign=sign: {"shear_factor": sign * abs(sampled["shear_factor"])},
        )
        for sign in (-1.0, 1.0)
    )
    return Effect(
        f"slanted, the bottom edge moved by up to {format_percent(fraction)} of the height",
        (call,),
        low=(low,),
        high=(high,),
    )


def _describe_perspective(layer: Any, sampled: Any) -> list[str]:
    moves = np.abs(np.asarray(sampled["end_points"]) - np.asarray(sampled["start_points"]))
    return [f"a corner moved {move:.0f} px" for move in moves.max(axis=(1, 2))]


@_entry(
    "percent",
    maximum=0.4,
    step=0.05,
    ignores="from where the photo was taken",
    breaks="when proportions carry the meaning: a square and a rectangle, or a long and "
    "a short car",
    describe_views=_describe_perspective,
)
def perspective(fraction: float) -> Effect:
    """Largest move of a corner, as a fraction of the side."""
    # Keras moves corners by up to half of `scale`, and never the top left one.
    call = _call("RandomPerspective", factor=ALWAYS, scale=_tidy(2 * fraction))
    low, high = (
        replace(
            call,
            force=lambda sampled, move=move: {"end_points": sampled["start_points"] * (1 + move)},
        )
        for move in (-fraction, fraction)
    )
    return Effect(
        f"warped, three corners moved by up to {format_percent(fraction)} of the side",
        (call,),
        low=(low,),
        high=(high,),
    )


@_entry(
    "percent",
    maximum=1.0,
    step=0.05,
    ignores="how much light there was",
    breaks="when light is the answer, as day or night, or when it drowns the thing in "
    "black or white",
    describe_views=lambda layer, sampled: [
        f"brightness {100 * delta:+.0f} %" for delta in _column(sampled["rgb_delta"])
    ],
)
def brightness(fraction: float) -> Effect:
    """Largest change of all pixels, as a fraction of the range."""
    call = _call("RandomBrightness", factor=fraction, value_range=VALUE_RANGE)
    return Effect(
        f"made darker or brighter by up to {format_percent(fraction)} of the range",
        (call,),
        low=(call.fix(factor=-fraction),),
        high=(call.fix(factor=fraction),),
    )


@_entry(
    "percent",
    maximum=1.0,
    step=0.05,
    ignores="haze, glare and the camera's settings",
    breaks="when faint differences are the answer, as a shadow in an X-ray picture",
    describe_views=lambda layer, sampled: [
        f"contrast × {factor:.2f}" for factor in _column(sampled["contrast_factor"])
    ],
)
def contrast(fraction: float) -> Effect:
    """Contrast is multiplied by 1 - contrast to 1 + contrast."""
    least, most = 1 - fraction, 1 + fraction
    # A single number would never lower the contrast: it samples factors from 1 upwards.
    call = _call("RandomContrast", factor=(fraction, fraction), value_range=VALUE_RANGE)
    low, high = (
        replace(
            call,
            force=lambda sampled, factor=factor: {
                "contrast_factor": 0 * sampled["contrast_factor"] + factor
            },
        )
        for factor in (least, most)
    )
    return Effect(
        f"contrast multiplied by {least:.3g} to {most:.3g}", (call,), low=(low,), high=(high,)
    )


@_entry(
    "percent",
    maximum=0.45,
    step=0.05,
    ignores="how strong the colors are",
    breaks="when the strength of a color is the answer, as ripe or unripe",
    describe_views=lambda layer, sampled: [
        f"color × {factor:.2f}" for factor in _column(sampled["factor"])
    ],
)
def saturation(fraction: float) -> Effect:
    """Color is multiplied by f / (1 - f), with f sampled from 0.5 - saturation to
    0.5 + saturation; 0.25 gives a third to three times."""
    # Neutral at 0.5, which Keras turns into a multiplier of 0.5 / (1 - 0.5) = 1.
    least, most = _tidy(0.5 - fraction), _tidy(0.5 + fraction)
    call = _call("RandomSaturation", factor=(least, most), value_range=VALUE_RANGE)
    return Effect(
        f"strength of colors multiplied by {least / (1 - least):.2g} to {most / (1 - most):.2g}",
        (call,),
        low=(call.fix(factor=least),),
        high=(call.fix(factor=most),),
    )


@_entry(
    "degrees",
    maximum=180.0,
    step=5.0,
    ignores="which color things have, within the range",
    breaks="when the color is the answer: a red and a green light, or kinds of flowers",
    describe_views=lambda layer, sampled: [
        f"hue {360 * turn:+.0f}°" for turn in _column(sampled["factor"])
    ],
)
def hue(degrees: float) -> Effect:
    """Largest turn on the color wheel in degrees, either way."""
    half_turns = _tidy(degrees / 180)  # Keras's 1.0 is half the wheel either way.
    call = _call("RandomHue", factor=half_turns, value_range=VALUE_RANGE)
    low, high = (
        # Keras draws the direction at random.
        replace(
            call.fix(factor=half_turns),
            force=lambda sampled, sign=sign: {"factor": sign * abs(sampled["factor"])},
        )
        for sign in (-1.0, 1.0)
    )
    return Effect(
        f"colors turned by up to {degrees:g}° on the color wheel", (call,), low=(low,), high=(high,)
    )


@_entry(
    "percent",
    maximum=1.0,
    step=0.05,
    ignores="color altogether",
    breaks="when the color is the answer",
    describe_views=lambda layer, sampled: ["gray" if gray else "" for gray in _column(sampled)],
)
def grayscale(probability: float) -> Effect:
    """Probability of making a photo gray."""
    return Effect(
        f"made gray {format_percent(probability)} of the time",
        (_call("RandomGrayscale", factor=probability),),
        high=(_call("RandomGrayscale", factor=1.0),),
    )


def _describe_blur(layer: Any, sampled: Any) -> list[str]:
    across, down = np.asarray(sampled["blur_factor"])
    views = len(np.asarray(sampled["should_apply_blur"]))
    return [f"blurred {across:.1f} × {down:.1f} px"] * views


@_entry(
    "pixels",
    maximum=1.0,
    step=0.1,
    ignores="whether the photo is in focus",
    breaks="when fine detail is the answer, as a badge or a crack; in small photos sooner",
    describe_views=_describe_blur,
)
def blur(pixels: float) -> Effect:
    """Largest standard deviation of the blur in pixels."""
    # Five pixels hold 98 % of a Gaussian of one pixel; seven take twice the time.
    call = _call(
        "RandomGaussianBlur",
        factor=ALWAYS,
        kernel_size=5,
        sigma=(0.0, pixels),
        value_range=VALUE_RANGE,
    )
    return Effect(
        f"blurred by up to {pixels:g} pixels, one random blur for a whole batch",
        (call,),
        high=(call.fix(sigma=pixels),),
    )


@_entry(
    "percent",
    maximum=0.5,
    step=0.01,
    ignores="the grain of a photo taken in the dark",
    breaks="when fine detail is the answer, or when nothing can be made out any more",
    describe_views=lambda layer, sampled: [],  # GaussianNoise cannot say what it sampled.
)
def noise(deviation: float) -> Effect:
    """Standard deviation of the noise, as a fraction of the range."""
    # GaussianNoise leaves [0, 1]; a ReLU that ends at 1 cuts both sides off, and changes nothing
    # where no noise was added.
    calls = (
        _call("GaussianNoise", stddev=deviation),
        _call("ReLU", max_value=1.0, seeded=False),
    )
    return Effect(
        f"grain added with a standard deviation of {format_percent(deviation)} of the range",
        calls,
        high=calls,
    )


def _describe_erasing(layer: Any, sampled: Any) -> list[str]:
    fractions = np.asarray(sampled["batch_masks"]).mean(axis=(1, 2, 3))
    return [f"{format_percent(fraction)} erased" for fraction in fractions]


@_entry(
    "percent",
    maximum=0.5,
    step=0.05,
    ignores="that a part is hidden, so it must use more than one",
    breaks="when the erased part is the only one that tells the classes apart",
    describe_views=_describe_erasing,
)
def erasing(fraction: float) -> Effect:
    """Largest erased fraction of the photo."""
    call = _call(
        "RandomErasing",
        factor=ALWAYS,
        scale=(0.0, fraction),
        fill_value=0.5,
        value_range=VALUE_RANGE,
    )
    return Effect(
        f"a gray box of up to {format_percent(fraction)} of the photo laid over it",
        (call,),
        high=(call.fix(scale=fraction),),
    )


def _describe_rand_augment(layer: Any, sampled: Any) -> list[str]:
    names = [name.removeprefix("random_").replace("_", " ") for name in layer._AUGMENT_LAYERS]
    views = len(np.asarray(sampled["transforms"]["random_rotation"]["angle"]))
    return [", then ".join(names[index] for index in np.asarray(sampled["layer_idxes"]))] * views


@_entry(
    "percent",
    maximum=1.0,
    step=0.05,
    title="RandAugment",
    ignores="a bit of everything, chosen at random",
    breaks="easily: at every strength it inverts or posterizes some batches, and it turns "
    "photos by up to its strength times 360°",
    describe_views=_describe_rand_augment,
)
def rand_augment(strength: float) -> Effect:
    """Strength of Keras's `RandAugment`; at 0 it is left out."""
    call = _call("RandAugment", value_range=VALUE_RANGE, num_ops=2, factor=strength)
    return Effect(
        "two of eleven transformations, chosen at random for a whole batch, at strength "
        f"{format_percent(strength)}",
        (call,),
        high=(call,),
    )


@_entry(
    "percent",
    maximum=1.0,
    step=0.05,
    title="One operation",
    ignores="a bit of everything, one thing at a time",
    breaks="when one of the eleven breaks the label by itself: some photos are inverted, "
    "posterized, or turned by up to the strength times 360°",
    describe_views=_describe_rand_augment,
)
def one_operation(strength: float) -> Effect:
    """Largest strength of one transformation out of eleven, both sampled at random: for each photo
    on its own with stored features, for a whole batch in Keras's `fit`."""
    # What TrivialAugment does (Müller and Hutter 2021, arXiv:2103.10158): one operation for each
    # photo, its strength sampled up to the largest. Keras's own layer with one operation in place
    # of two does it wherever photos come one by one.
    call = _call("RandAugment", value_range=VALUE_RANGE, num_ops=1, factor=strength)
    return Effect(
        f"one of eleven transformations, at a random strength up to {format_percent(strength)}",
        (call,),
        high=(call,),
    )
