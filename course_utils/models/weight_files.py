"""Reads VGG16's arrays from a file or folder of weights that any version of Keras wrote.

Only arrays are read, never a model's configuration or a pickle, so nothing in a file can run code.
Arrays are found by their shapes, and arrays of the same shape by the order of their names. So it
does not matter how layers are named, or whether the file has a head or an optimizer.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from course_utils.core import backend, entries
from course_utils.core.files import readable_name

KINDS = "a Keras .h5, .weights.h5 or .keras file, the kit's own .entry, or a SavedModel folder"
MOST_BYTES = 2 * 10**9  # of one file in an archive: four times VGG16 with its classifier


def read_weights(path: str | Path, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Returns arrays of the given shapes from a file or folder of weights.

    Args:
        path: A Keras .h5, .weights.h5 or .keras file, an .npz, the kit's own .entry, or a
            SavedModel folder.
        shapes: The shapes of the arrays, in layer order.

    Returns:
        float32 arrays, in the order of `shapes`.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If it is of another kind, damaged, or has another architecture.
    """
    path = Path(path).expanduser()
    name = readable_name(path)
    if not path.exists():
        raise FileNotFoundError(f"Expected {KINDS}, received {name!r}, which does not exist.")
    try:
        found = _read_folder if path.is_dir() else _read_file
        return found(path, shapes)
    except _Refused as refused:
        raise ValueError(
            f"Expected {KINDS} with VGG16's weights, received {name}: {refused}"
        ) from None
    except Exception as error:
        # HDF5, zip and TensorFlow each raise their own kinds of errors on a damaged file.
        raise ValueError(
            f"Expected {KINDS}, received {name}, which cannot be read "
            f"({str(error).strip()[:200] or type(error).__name__}). It is incomplete or damaged: "
            "download it again."
        ) from error


class _Refused(Exception):
    """What is wrong with a file that can be read."""


def _read_file(path: Path, shapes) -> list[np.ndarray]:
    with open(path, "rb") as stream:
        start = stream.read(8)
        if start == b"\x89HDF\r\n\x1a\n":
            return _read_hdf5(path, shapes)
        if start == entries.FIRST_LINE[:8]:
            arrays = entries.open_entry(path, None).arrays
            return _choose(arrays, lambda name: arrays[name].shape, arrays.__getitem__, shapes)
        if start[:2] == b"PK":
            return _read_zip(stream, shapes)
    if not start:
        raise _Refused("the file is empty. Download it again.")
    if start[0] == 0x80:
        raise _Refused("a pickle, which could run any code. Save the weights as .weights.h5.")
    raise _Refused("another kind of file. Save the weights as .weights.h5.")


def _read_hdf5(file, shapes) -> list[np.ndarray]:
    import h5py

    with h5py.File(file, "r") as opened:
        names = []

        def note(name, entry):
            # Arrays in other files, and links to them, are not read.
            if isinstance(entry, h5py.Dataset) and not (entry.external or entry.is_virtual):
                names.append(name)

        opened.visititems(note)
        return _choose(
            names, lambda name: opened[name].shape, lambda name: opened[name][()], shapes
        )


def _read_zip(stream, shapes) -> list[np.ndarray]:
    with zipfile.ZipFile(stream) as opened:
        members = {member.filename: member.file_size for member in opened.infolist()}
        if max(members.values(), default=0) > MOST_BYTES:
            raise _Refused(f"more than {MOST_BYTES / 1e9:.0f} GB in one part.")
        if "model.weights.h5" in members:
            return _read_hdf5(io.BytesIO(opened.read("model.weights.h5")), shapes)
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as arrays:
        names = [name for name in arrays.files if members.get(f"{name}.npy")]
        found = {name: arrays[name] for name in names}
    return _choose(found, lambda name: found[name].shape, found.__getitem__, shapes)


def _read_folder(path: Path, shapes) -> list[np.ndarray]:
    prefix = path / "variables" / "variables"
    if not prefix.with_suffix(".index").is_file():
        raise _Refused("a folder without variables/variables.index, so it is not a SavedModel.")
    reader = backend.import_tensorflow().train.load_checkpoint(str(prefix))
    stored = reader.get_variable_to_shape_map()
    return _choose(stored, lambda name: tuple(stored[name]), reader.get_tensor, shapes)


def _choose(
    names: Iterable[str], shape_of: Callable, read: Callable, shapes: Sequence[tuple[int, ...]]
) -> list[np.ndarray]:
    """Returns for each shape the next array that has it, in the order of the arrays' names."""
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for name in sorted(names, key=_natural):
        if "optimizer" not in name:
            by_shape.setdefault(shape_of(name), []).append(name)
    chosen = []
    for shape in map(tuple, shapes):
        if not by_shape.get(shape):
            kernels = sum(len(found) for known, found in by_shape.items() if len(known) == 4)
            raise _Refused(
                f"another architecture. It has {kernels} convolutions and lacks array "
                f"{len(chosen) + 1} of {len(shapes)}, of shape {shape}. Name VGG16's own file."
            )
        chosen.append(by_shape[shape].pop(0))
    return [np.asarray(read(name), dtype="float32") for name in chosen]


def _natural(name: str) -> list:
    """Sorts conv2d_10 after conv2d_9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", name)]
