"""Reads the arrays of an ONNX file without the package onnx, whose protobuf Colab and Kaggle lack.

An ONNX file is a message of Protocol Buffers: fields, each a number, a kind and a value.
"""

from collections.abc import Iterator

import numpy as np

# The numbers of the fields, from onnx.proto.
GRAPH, INITIALIZER = 7, 5
DIMS, DATA_TYPE, NAME, RAW_DATA = 1, 2, 8, 9
FLOAT = 1  # of DATA_TYPE
VARINT, EIGHT_BYTES, SIZED, FOUR_BYTES = 0, 1, 2, 5


def read_initializers(content: bytes) -> dict[str, np.ndarray]:
    """Returns the float32 arrays that an ONNX model holds, by name.

    Args:
        content: The file's bytes.

    Raises:
        ValueError: If it is no such file, or damaged.
    """
    arrays = {}
    try:
        for number, graph in _read_fields(memoryview(content)):
            if number != GRAPH:
                continue
            for number, tensor in _read_fields(graph):
                if number == INITIALIZER:
                    arrays |= _read_tensor(tensor)
    except (IndexError, TypeError) as error:
        raise ValueError("expected an ONNX file, received a damaged one or another kind") from error
    return arrays


def _read_tensor(tensor: memoryview) -> dict[str, np.ndarray]:
    shape, found = [], {}
    for number, value in _read_fields(tensor):
        if number == DIMS:
            shape += [value] if isinstance(value, int) else _read_varints(value)
        else:
            found[number] = value
    if found.get(DATA_TYPE) != FLOAT or RAW_DATA not in found:
        return {}
    array = np.frombuffer(found[RAW_DATA], "<f4").reshape(shape)
    return {bytes(found[NAME]).decode(): array}


def _read_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Gives the number and the value of each field: a whole number, or bytes."""
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = _read_varint(message, place)
            yield number, value
            continue
        if kind == SIZED:
            size, place = _read_varint(message, place)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
        else:
            raise TypeError(f"field {number} is of kind {kind}")
        if place + size > len(message):
            raise IndexError(f"field {number} is cut off")
        yield number, message[place : place + size]
        place += size


def _read_varints(message: memoryview) -> list[int]:
    values, place = [], 0
    while place < len(message):
        value, place = _read_varint(message, place)
        values.append(value)
    return values


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    """Returns a number of seven bits a byte, the lowest first, and the place after it."""
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
