"""What the sandbox and the grader say to each other: plain arrays, numbers and text, nothing else.

A message is its length, a JSON header, and the bytes of the arrays that the header names. Reading
one runs no code: NumPy is given bytes, a dtype out of four, and a shape.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

DTYPES = ("float32", "float64", "int64", "bool")
LARGEST = 400 * 10**6  # bytes of a message
PREFIX = 16  # bytes: the lengths of the header and of the arrays, 8 each


class Malformed(Exception):
    """A message is none: what came is not what the other side was asked for."""


def pack(values: Mapping[str, Any]) -> bytes:
    """Returns a message.

    Args:
        values: Arrays of `DTYPES`, and whatever JSON can say.

    Raises:
        TypeError: If a value is neither.

    Example:
        >>> unpack(pack({"x": np.zeros((2, 3), "float32"), "word": "a"}))["x"].shape
        (2, 3)
    """
    plain, arrays, parts = {}, [], []
    for name, value in values.items():
        if isinstance(value, np.ndarray) and value.ndim:
            if value.dtype.name not in DTYPES:
                raise TypeError(
                    f"Expected an array of {', '.join(DTYPES)}, received {value.dtype}."
                )
            arrays.append([name, value.dtype.name, list(value.shape)])
            parts.append(np.ascontiguousarray(value).tobytes())
        else:
            plain[name] = value.item() if isinstance(value, np.generic | np.ndarray) else value
    header = json.dumps({"values": plain, "arrays": arrays}).encode()
    body = b"".join(parts)
    return len(header).to_bytes(8, "big") + len(body).to_bytes(8, "big") + header + body


def read_length(prefix: bytes) -> int:
    """Returns how many bytes follow a message's first sixteen.

    Raises:
        Malformed: If they are too many.
    """
    length = int.from_bytes(prefix[:8], "big") + int.from_bytes(prefix[8:PREFIX], "big")
    if length > LARGEST:
        raise Malformed("The message is too long.")
    return length


def unpack(message: bytes) -> dict[str, Any]:
    """Returns what `pack` was given.

    Raises:
        Malformed: If the bytes are no message.
    """
    try:
        size = int.from_bytes(message[:8], "big")
        header = json.loads(message[PREFIX : PREFIX + size].decode())
        values, place = dict(header["values"]), PREFIX + size
        for name, dtype, shape in header["arrays"]:
            if dtype not in DTYPES or not all(type(side) is int and side >= 0 for side in shape):
                raise Malformed("An array is of an unknown kind.")
            count = math.prod(shape)
            length = count * np.dtype(dtype).itemsize
            if place + length > len(message):
                raise Malformed("An array is longer than its message.")
            made = np.frombuffer(message, dtype, count, place).reshape(shape)
            values[str(name)], place = made, place + length
    except Malformed:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(f"The message cannot be read: {type(error).__name__}.") from None
    return values
