"""`Augmentation`: which transformations a run uses, and how strong each is.

An `Augmentation` holds numbers in units a person thinks in. From the same numbers it makes
Keras layers, Keras source code and words, so that what a student reads, sees and trains is one
thing. Keras is imported when layers are built, not before.
"""

import inspect
import json
import textwrap
from dataclasses import dataclass, field, make_dataclass, replace
from typing import Any

import numpy as np

from course_utils.augmentation.catalogue import CATALOGUE, Transformation, format_percent
from course_utils.augmentation.layer_call import LayerCall, force_calls
from course_utils.core.checks import check_choice, check_count, check_number

LARGEST_SEED = 42_000_000

# One field for each entry of the catalogue, so that a new entry is a new setting.
_Settings = make_dataclass(
    "_Settings",
    [
        (name, str | None if entry.choices else float, field(default=entry.neutral))
        for name, entry in CATALOGUE.items()
    ],
    frozen=True,
    kw_only=True,
    repr=False,
)


@dataclass(frozen=True, kw_only=True, repr=False)
class Augmentation(_Settings):
    """How photos are changed at random while a model trains: the value behind the sliders.

    Every field at its neutral value, which is the default, leaves photos exactly as they are.
    Photos are RGB float32 in [0, 1], of shape (batch, height, width, 3) or (height, width, 3).
    Lesson 02 introduces it; every later lesson trains with it.

    Args:
        <settings>

    Raises:
        TypeError: If a strength is not a number.
        ValueError: If a value is outside its range, or `flip` is none of its choices.

    Example:
        >>> augmentation = Augmentation(flip="horizontal", contrast=0.5)
        >>> augmentation.describe()
        'Each time a photo is used, it is changed at random: mirrored left to right half of the \
time; contrast multiplied by 0.5 to 1.5.'

    Source:
        Keras 3 `keras.layers`, whose defaults expect pixels from 0 to 255. Erasing: Zhong et
        al., Random Erasing Data Augmentation, arXiv:1708.04896. RandAugment: Cubuk et al.,
        arXiv:1909.13719; Keras draws its two transformations once for a batch, not for a photo.
    """

    # `__new__` would hide the names of the settings from Jupyter's help.
    __signature__ = inspect.signature(_Settings)

    def __new__(cls, *positional: Any, **settings: Any) -> "Augmentation":
        # Python's own message for a misspelled name would not say which names there are.
        unknown = [name for name in settings if name not in CATALOGUE]
        if unknown or positional:
            received = ", ".join(unknown) or repr(positional[0])
            raise TypeError(
                f"Expected settings by name, from {', '.join(CATALOGUE)}, received {received}. "
                "Write for example Augmentation(rotation=15)."
            )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for name, entry in CATALOGUE.items():
            value = getattr(self, name)
            if entry.choices:
                check_choice(name, value, (None, *entry.choices))
                continue
            number = check_number(name, value, 0, entry.maximum, hint=_strength_hint(entry))
            # Floats only, so that 15 and 15.0 give the same text, code and cache key.
            object.__setattr__(self, name, abs(number))

    @property
    def active(self) -> dict[str, Any]:
        """The settings that are not neutral, by name, in the order of the layers."""
        return {
            name: getattr(self, name)
            for name, entry in CATALOGUE.items()
            if getattr(self, name) != entry.neutral
        }

    def layers(self, seed: int) -> list[Any]:
        """Builds the Keras layers, ready to use as the augmentation layers of a model.

        The layers compute in float32 whatever the dtype policy is. Each draws its own random
        numbers, which depend only on the seed and the kind of transformation: a stronger
        setting, or one more transformation, leaves the random draws of the others as they were.

        Args:
            seed: From 0 to 42,000,000. The same seed gives the same random draws, call for call.

        Returns:
            New `keras.layers.Layer` objects, none if every setting is neutral. They take
            float32 images in [0, 1], of shape (batch, height, width, 3) or (height, width, 3),
            and return the same; with `training=False` they return their input.

        Raises:
            TypeError: If the seed is not an integer.
            ValueError: If the seed is out of range.

        Example:
            >>> [layer.seed for layer in Augmentation(rotation=15).layers(seed=31415)]
            [3141502]
        """
        return [call.build() for _, call in self.calls(check_count("seed", seed, 0, LARGEST_SEED))]

    def code(self, seed: int | None = None) -> str:
        """Returns Keras source code that makes the same layers as `layers`.

        Args:
            seed: As in `layers`; `None` leaves out the seeds, so that every run draws again, and
                the dtypes, so that the layers follow Keras's dtype policy.

        Returns:
            Python source that can be pasted and run; it binds the list `augmentation_layers`.

        Raises:
            TypeError: If the seed is neither `None` nor an integer.
            ValueError: If the seed is out of range.

        Example:
            >>> print(Augmentation(zoom=0.2).code())
            import keras
            <BLANKLINE>
            augmentation_layers = [
                keras.layers.RandomZoom(height_factor=0.2, fill_mode="constant"),
            ]
            <BLANKLINE>
        """
        checked = None if seed is None else check_count("seed", seed, 0, LARGEST_SEED)
        body = "".join(f"    {call.code()},\n" for _, call in self.calls(checked))
        listed = f"[\n{body}]" if body else "[]"
        return f"import keras\n\naugmentation_layers = {listed}\n"

    def describe(self) -> str:
        """Returns one sentence on what may happen to a photo at every use.

        Example:
            >>> Augmentation(rotation=15).describe()
            'Each time a photo is used, it is changed at random: turned by up to 15° either way.'
        """
        parts = [CATALOGUE[name].build(value).description for name, value in self.active.items()]
        if not parts:
            return "No augmentation: every photo stays exactly as it is."
        return f"Each time a photo is used, it is changed at random: {'; '.join(parts)}."

    def to_json(self) -> str:
        """Returns the settings that are not neutral as JSON, the same text for equal values.

        Example:
            >>> Augmentation(rotation=15).to_json()
            '{"rotation": 15.0}'
        """
        return json.dumps(self.active)

    @classmethod
    def from_json(cls, text: str) -> "Augmentation":
        """Rebuilds the value that `to_json` wrote.

        Args:
            text: A JSON object from names to values.

        Raises:
            ValueError: If the text is no JSON object, or names an unknown transformation.

        Example:
            >>> Augmentation.from_json('{"rotation": 15.0}')
            Augmentation(rotation=15.0)
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
        """Returns what `layers` builds before it is built: names of transformations and calls.

        Args:
            seed: As in `code`.

        Example:
            >>> [(name, call.layer) for name, call in Augmentation(noise=0.1).calls(seed=1)]
            [('noise', 'GaussianNoise'), ('noise', 'ReLU')]
        """
        found = []
        for name, value in self.active.items():
            position = list(CATALOGUE).index(name)
            for number, call in enumerate(CATALOGUE[name].build(value).layers):
                arguments = dict(call.arguments)
                if call.seeded and seed is not None:
                    # Layers with the same seed draw the same random numbers. A hundred seeds for
                    # every seed of a run keep layers and runs apart.
                    arguments["seed"] = 100 * seed + 2 * position + number
                if seed is not None:
                    arguments["dtype"] = "float32"
                found.append((name, replace(call, arguments=arguments)))
        return found

    def show_ends(self, name: str, image: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Returns a photo at both ends of one setting, every other setting neutral.

        Args:
            name: A name in `CATALOGUE`.
            image: float32 in [0, 1], shape (height, width, 3).

        Returns:
            The lowest and the highest end, float32, shape (2, height, width, 3), and words for
            each. A setting with one end only has the photo itself as its lowest.

        Example:
            >>> ends, words = Augmentation(rotation=15).show_ends("rotation", np.ones((8, 8, 3)))
            >>> words
            ['turned 15° right', 'turned 15° left']
        """
        value, entry = getattr(self, name), CATALOGUE[name]
        ends = ((), ())
        if value != entry.neutral:
            effect = entry.build(value)
            ends = (effect.low, effect.high)
        views, words = zip(*(_show_end(entry, calls, image) for calls in ends), strict=True)
        return np.stack(views), list(words)


def _document_settings() -> str:
    """Returns the settings as the `Args` of the class's docstring."""
    lines = []
    for name, entry in CATALOGUE.items():
        bounds = "" if entry.choices else f"0 to {entry.maximum:g}. "
        lines += textwrap.wrap(
            f"{name}: {bounds}{entry.meaning}",
            width=100,
            initial_indent=" " * 8,
            subsequent_indent=" " * 12,
        )
    return "\n".join(lines)


Augmentation.__doc__ = Augmentation.__doc__.replace("        <settings>", _document_settings())


def _show_end(
    entry: Transformation, calls: tuple[LayerCall, ...], image: np.ndarray
) -> tuple[np.ndarray, str]:
    """Returns one photo at one end of a transformation, and words for it."""
    views, applied = force_calls(calls, image[None])
    described = [
        words
        for layer, sampled in applied
        for words in entry.describe_views(layer, sampled)
        if words
    ]
    otherwise = entry.title.lower() if calls else "unchanged"
    return np.asarray(views)[0], ", ".join(described) or otherwise


def _strength_hint(entry: Transformation) -> str:
    unit = f"{entry.maximum:g} stands for {format_percent(entry.maximum)}"
    if entry.unit != "percent":
        unit = f"It is in {entry.unit}"
    return f"{unit}; for no {entry.name}, leave it out."
