"""Checks of arguments; each error says what was expected, what was received and how to fix it.

A value of the wrong type raises a TypeError, a value out of range a ValueError. NumPy's numbers
are accepted as numbers; `True` and `False` are not.
"""

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any


def check_choice(name: str, value: Any, choices: Iterable[str | None], hint: str = "") -> Any:
    """Returns the value if it is one of the choices.

    Args:
        name: The argument's name.
        value: What was received for it.
        choices: The allowed strings; `None` may be among them.
        hint: How to fix it, for the end of the message.

    Raises:
        ValueError: If it is not one of them.

    Example:
        >>> check_choice("split", "valid", ("train", "valid"))
        'valid'
        >>> check_choice("split", "test", ("train", "valid"))
        Traceback (most recent call last):
            ...
        ValueError: Expected `split` to be one of 'train', 'valid', received 'test'. Choose one \
of these.
    """
    choices = tuple(choices)
    # The type is checked first, since an array would be compared element by element.
    if not isinstance(value, str | None) or value not in choices:
        raise ValueError(
            f"Expected `{name}` to be one of {', '.join(map(repr, choices))}, received {value!r}. "
            f"{hint or 'Choose one of these.'}"
        )
    return value


def check_count(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Returns the value as an int if it is a whole number within the limits.

    Args:
        name: The argument's name.
        value: What was received for it: an int or one of NumPy's integers.
        least: The smallest number allowed.
        most: The largest number allowed; `None` sets no limit.

    Raises:
        TypeError: If it is not a whole number; 2.0 is a float.
        ValueError: If it is below `least` or above `most`.

    Example:
        >>> check_count("epochs", 30)
        30
        >>> check_count("epochs", 0)
        Traceback (most recent call last):
            ...
        ValueError: Expected `epochs` to be a whole number from 1, received 0. Write for example \
epochs=1.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < least or (most is not None and value > most):
        limits = f"from {least}" if most is None else f"from {least} to {most}"
        raise (ValueError if is_whole else TypeError)(
            f"Expected `{name}` to be a whole number {limits}, received {value!r}. "
            f"Write for example {name}={least}."
        )
    return int(value)


def check_number(name: str, value: Any, least: float, most: float, hint: str = "") -> float:
    """Returns the value as a float if it is a number within the limits, both included.

    Args:
        name: The argument's name.
        value: What was received for it.
        least: The smallest number allowed.
        most: The largest number allowed.
        hint: How to fix it; the end of the message.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is outside the limits, or not a number (NaN).

    Example:
        >>> check_number("rotation", 15, 0, 180)
        15.0
        >>> check_number("rotation", 200, 0, 180, hint="Choose an angle in degrees.")
        Traceback (most recent call last):
            ...
        ValueError: Expected `rotation` to be a number from 0 to 180, received 200. Choose an \
angle in degrees.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:  # also catches NaN
        raise (ValueError if is_number else TypeError)(
            f"Expected `{name}` to be a number from {least:g} to {most:g}, received {value!r}. "
            f"{hint or f'Write for example {name}={least:g}.'}"
        )
    return float(value)


def check_fraction(name: str, value: Any) -> float:
    """Returns the value as a float if it is a number from 0 to 1, both included.

    Args:
        name: The argument's name.
        value: What was received for it.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is outside of 0 to 1.

    Example:
        >>> check_fraction("sure", 0.7)
        0.7
        >>> check_fraction("sure", 70)
        Traceback (most recent call last):
            ...
        ValueError: Expected `sure` to be a number from 0 to 1, received 70. 0.7 stands for 70%.
    """
    return check_number(name, value, 0, 1, hint="0.7 stands for 70%.")


def check_image_size(image_size: Any, least: int = 16, most: int = 1024) -> tuple[int, int]:
    """Returns an image size as (height, width), if it is a pair of whole numbers within limits.

    Args:
        image_size: What was received.
        least: The smallest side in pixels.
        most: The largest side in pixels.

    Raises:
        TypeError: If it is not a pair of whole numbers.
        ValueError: If a side is below `least` or above `most`.

    Example:
        >>> check_image_size([128, 96])
        (128, 96)
        >>> check_image_size(128)
        Traceback (most recent call last):
            ...
        TypeError: Expected `image_size` as (height, width), whole numbers from 16 to 1024, \
received 128. Write for example image_size=(128, 128).
    """
    try:
        height, width = (check_count("image_size", side, least, most) for side in image_size)
    except (TypeError, ValueError) as error:
        is_pair = isinstance(image_size, Sequence) and len(image_size) == 2
        raise (type(error) if is_pair else TypeError)(
            f"Expected `image_size` as (height, width), whole numbers from {least} to {most}, "
            f"received {image_size!r}. Write for example image_size=(128, 128)."
        ) from None
    return height, width
