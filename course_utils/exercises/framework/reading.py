"""Reads what a student hands in: blanks, numbers, choices, yes or no.

Each function returns plain Python values, so that what is judged later cannot be an object of a
student's class.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

LONGEST_QUOTE = 120  # characters of a student's value or error that a sentence repeats


class Misread(Exception):
    """What was handed in cannot be judged; the message says what is expected."""


def is_blank(value: Any) -> bool:
    """Whether a value is one that an unfinished cell leaves."""
    return value is None or value is ... or (isinstance(value, str) and not value.strip(" ._"))


def count_blanks(values: Any) -> tuple[int, int]:
    """Returns how many answers are blank, and how many there are, containers looked into."""
    blank = count = 0
    for value in values.values() if isinstance(values, Mapping) else values:
        if type(value) in (dict, list, tuple) and len(value):
            inner = count_blanks(value)
            blank, count = blank + inner[0], count + inner[1]
        else:
            blank, count = blank + is_blank(value), count + 1
    return blank, count


def quote(value: Any) -> str:
    """Returns a student's value as short text."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # A student's class may have a broken __repr__.
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def quote_error(error: BaseException) -> str:
    """Returns an exception as one short sentence."""
    try:
        text = " ".join(str(error).split()).replace("`", "'")
    except Exception:  # A student's exception may have a broken __str__.
        text = ""
    text = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
    return f"it raised {type(error).__name__}{f' ({text})' if text else ''}."


def read_number(value: Any, what: str) -> float:
    """Returns a finite number that a student gave: a number, text such as `"0.13"`, or an array,
    tensor or Series that holds one number.

    Args:
        value: What the student gave.
        what: The answer's name, for the message.

    Raises:
        Misread: If it is none.

    Example:
        >>> read_number("0.13", "gap")
        0.13
    """
    import numpy as np

    number = math.nan
    try:
        if isinstance(value, str):
            number = float(value)
        elif not isinstance(value, bool | np.bool_):
            array = np.asarray(value)
            if array.size == 1 and array.dtype.kind in "iuf":
                number = float(array.reshape(-1)[0])
    except Exception:  # Whatever a student's object does when it is converted.
        number = math.nan
    if not math.isfinite(number):
        how = "Write one such as `0.5`."
        if quote(value) in ("nan", "np.float64(nan)", "np.float32(nan)"):
            how = "A missing value took part in the computation. Find where it comes from."
        raise Misread(f"Expected one finite number for `{what}`, received {quote(value)}. {how}")
    return number


def read_yes(value: Any, what: str) -> bool:
    """Returns the `True` or `False` that a student gave.

    Args:
        value: What the student gave; `"yes"`, `"no"`, 0 and 1 are read as well.
        what: The answer's name, for the message.

    Raises:
        Misread: If it is neither.
    """
    import numpy as np

    if isinstance(value, bool | np.bool_) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    word = str(value).strip().casefold() if isinstance(value, str) else ""
    if word in ("yes", "true", "no", "false"):
        return word in ("yes", "true")
    raise Misread(f"Expected `True` or `False` for `{what}`, received {quote(value)}.")


def plain_words(text: str) -> str:
    """Returns text in lower case with single spaces, without quotes and final punctuation.

    Example:
        >>> plain_words(" Can’t_tell. ")
        'cannot tell'
    """
    text = str(text).replace("’", "'").replace("_", " ").casefold()
    text = re.sub(r"\bcan't\b|\bcan not\b|\bcant\b", "cannot", text)
    return " ".join(text.split()).strip(" .!?\"'`")


def read_choice(value: Any, choices: tuple[str, ...], what: str) -> str:
    """Returns the choice that a student named, whatever its case.

    Args:
        value: What the student gave: text, or a list with one text.
        choices: The possible ones.
        what: What it names, for the message.

    Raises:
        Misread: If it is none of them.

    Example:
        >>> read_choice("can't tell", ("better", "cannot tell"), "a verdict")
        'cannot tell'
    """
    if isinstance(value, list | tuple | set) and len(value) == 1:
        value = next(iter(value))
    if isinstance(value, str):
        named = plain_words(value)
        for choice in choices:
            if named == plain_words(choice):
                return choice
    raise Misread(
        f"Expected {what} out of {', '.join(map(repr, choices))}, received {quote(value)}. "
        "Choose one of them."
    )
