"""Fingerprints of values and of code: equal where two would compute the same, different otherwise.

What a function computes depends on its code, on the variables it closes over, on the global names
it reads and on the helpers it calls. All of these are part of its fingerprint. What cannot be
read, such as an open file, raises an error that names it.

Longer than 350 lines because each kind of value and of code has its own short rule, and they call
each other.
"""

import builtins
import dis
import functools
import hashlib
import pickle
import random
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import numpy as np

LIBRARY_DIRS = tuple(
    Path(sysconfig.get_path(name)).resolve()
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
# Modules whose results change from call to call although they have no random state.
CLOCKS = ("time", "datetime", "uuid", "secrets")
# Functions whose results depend on files, on the machine or on the process. The first few are
# Python's own, found by name alone.
READING_BUILTINS = ("open", "hash", "id", "input")
READING = (
    *READING_BUILTINS,
    *("getenv", "read_file", "fromfile", "loadtxt", "genfromtxt", "load", "load_img", "imread"),
    *("read_csv", "Path"),
)
# What these leave behind is in the object's attributes, which are part of its fingerprint.
ONCE = ("__init__", "build", "get_config", "from_config")
# For a library's classes: the class, and a function from an object to what its fingerprint covers.
_DESCRIBERS: list[tuple[type, Callable]] = []


class NotFollowedError(ValueError):
    """The content of a value, or of a part of it, cannot be read."""


def fingerprint(value) -> str:
    """Returns a fingerprint of a value: equal for equal values and code, different for others.

    Args:
        value: Numbers, text, arrays, tensors, containers, functions, classes or objects.

    Returns:
        32 hexadecimal digits.

    Raises:
        NotFollowedError: If a part of it cannot be read; the message names the part.

    Example:
        >>> shift = 1
        >>> first = fingerprint(lambda x: x + shift)
        >>> shift = 2
        >>> first == fingerprint(lambda x: x + shift)
        False
    """
    walk = _Walk()
    walk.add(value, "value")
    return walk.digest.hexdigest()


def random_sources(value) -> dict[str, str]:
    """Returns the functions that code calls and that return something else at each call.

    The student's own functions and classes are followed. Functions of libraries are recognized
    by their names and modules.

    Args:
        value: A function, a class, or an object that holds some.

    Returns:
        From a function's name in the code to the module that it comes from.

    Example:
        >>> import random
        >>> random_sources(lambda x: x + random.random())
        {'random.random': 'random'}
    """
    walk = _Walk(strict=False)
    walk.add(value, "value")
    return walk.random


def register(kind: type, describe: Callable) -> None:
    """Registers what the fingerprints of a library's objects cover.

    Args:
        kind: The class; subclasses are included, unless they are registered themselves.
        describe: A function from an object to a value whose fingerprint stands for the object.
    """
    _DESCRIBERS.append((kind, describe))


def is_own(thing) -> bool:
    """Whether a function, class or module is the student's own: not built in, not a library's.

    Args:
        thing: A module, or an object with a `__module__`.
    """
    name = thing.__name__ if isinstance(thing, types.ModuleType) else thing.__module__
    if isinstance(thing, types.FunctionType) and name in (None, "builtins"):
        return True  # Made by `exec`: Python's built-in functions have another type.
    if name in (None, "builtins") or name.split(".")[0] in sys.stdlib_module_names:
        return False
    if name == "__main__":
        return True
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if file is None:
        # Typed into a session, or made by hand: a library's module has a file or is a package.
        return module is None or not hasattr(module, "__path__")
    return not any(Path(file).resolve().is_relative_to(folder) for folder in LIBRARY_DIRS)


class _Walk:
    """Follows a value to everything that it depends on, and adds it to a digest."""

    def __init__(self, *, strict: bool = True):
        self.digest = hashlib.blake2b(digest_size=16)
        self.random: dict[str, str] = {}
        self._strict = strict
        # Each object's number in the walk, so that references in a circle end. The objects are
        # kept, so that no other object gets the same address meanwhile.
        self._seen: dict[int, tuple[int, object]] = {}

    def write(self, *words) -> None:
        self.digest.update("\x1f".join(map(str, words)).encode("utf-8", "surrogatepass") + b"\x1e")

    def add(self, value, where: str) -> None:
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            self.write(type(value).__name__, repr(value))
            return
        if id(value) in self._seen:
            self.write("seen", self._seen[id(value)][0])
            return
        self._seen[id(value)] = (len(self._seen), value)
        if isinstance(value, types.FunctionType | types.BuiltinFunctionType | types.MethodType):
            name = f"{_module_of(value).split('.')[0]}.{value.__name__}"
            if _is_random_source(value, name):
                self.random[name] = _module_of(value)
        for described, describe in reversed(_DESCRIBERS):  # The most specific come last.
            if isinstance(value, described):
                self.add(describe(value), str(getattr(value, "name", where)))
                return
        self.write(type(value).__name__)
        if isinstance(value, tuple | list):
            self.write(len(value))
            for each in value:
                self.add(each, where)
        elif isinstance(value, dict | types.MappingProxyType):
            self._add_items(value.items(), where)
        elif isinstance(value, set | frozenset):
            self.write(*sorted(fingerprint(each) for each in value))
        elif isinstance(value, np.ndarray | np.generic) and value.dtype != object:
            self._add_array(np.asarray(value))
        elif isinstance(value, types.ModuleType):
            self.write(value.__name__, "" if is_own(value) else _version(value.__name__))
        elif isinstance(value, type):
            self._add_class(value, where)
        elif isinstance(value, types.MethodType):
            self.add(value.__func__, where)
            self.add(value.__self__, f"{where}.__self__")
        elif isinstance(value, functools.partial):
            self.add((value.func, value.args, value.keywords), where)
        elif isinstance(value, types.FunctionType):
            self._add_function(value, where)
        elif isinstance(value, types.BuiltinFunctionType):
            self.write(value.__module__, value.__qualname__)
        elif isinstance(value, property):
            self.add((value.fget, value.fset), where)
        elif isinstance(value, staticmethod | classmethod):
            self.add(value.__func__, where)
        else:
            self._add_object(value, where)

    def _add_items(self, items, where: str) -> None:
        for key, each in sorted(items, key=lambda item: repr(item[0])):
            self.add(key, f"{where}'s keys")
            named = f"{where}.{key}" if str(key).isidentifier() else f"{where}[{key!r}]"
            self.add(each, named)

    def _add_array(self, array: np.ndarray) -> None:
        self.write(array.dtype.str, array.shape)
        self.digest.update(np.ascontiguousarray(array).data)

    def _add_function(self, function: types.FunctionType, where: str) -> None:
        wrapped = getattr(function, "__wrapped__", None)
        if not is_own(function):
            self.write(function.__module__, function.__qualname__, _version(function.__module__))
            if wrapped is not None and is_own(wrapped):  # A library's decorator around own code.
                self.add(wrapped, where)
            return
        name = function.__name__
        self._add_code(function.__code__)
        self.add((function.__defaults__, function.__kwdefaults__), f"{name}'s defaults")
        free = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for variable, cell in free.items():
            if not _is_empty(cell):
                self.add(cell.cell_contents, f"{variable} in {name}")
        for dotted, found in _list_references(function):
            if isinstance(found, types.ModuleType) and not dotted.count("."):
                self.add(found, dotted)
            elif _is_random_source(found, dotted):
                if name not in ONCE:
                    self.random[dotted] = _module_of(found)
                self.write("random", dotted)
            else:
                self.add(found, f"{dotted} in {name}")

    def _add_code(self, code: types.CodeType) -> None:
        self.write(code.co_name, code.co_argcount, code.co_flags, *code.co_names)
        self.write(*code.co_varnames, "|", *code.co_freevars)
        self.digest.update(code.co_code)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._add_code(constant)
            else:
                self.write(type(constant).__name__, repr(constant))

    def _add_class(self, cls: type, where: str) -> None:
        self.write(cls.__module__, cls.__qualname__)
        for each in cls.__mro__:
            if not is_own(each):
                # A library's class: the version stands for its code.
                self.write(each.__module__, each.__qualname__, _version(each.__module__))
                continue
            # Python's own entries (`__doc__`, `__weakref__` …) compute nothing.
            kept = {
                name: value
                for name, value in vars(each).items()
                if not (name.startswith("__") and name.endswith("__")) or callable(value)
            }
            self._add_items(kept.items(), each.__qualname__)

    def _add_object(self, value, where: str) -> None:
        """Adds an object by its content: a tensor's values, a configuration, or attributes."""
        if isinstance(value, np.random.Generator | np.random.RandomState | random.Random):
            self.random[where] = type(value).__module__
            self.write("random", where)
            return
        kind = type(value)
        self.add(kind, kind.__qualname__)
        if hasattr(value, "numpy") or hasattr(value, "__array__"):
            self._add_array(np.asarray(value))
        elif is_own(kind) and hasattr(value, "__dict__"):
            self._add_items(vars(value).items(), where)
        else:
            try:
                self.digest.update(pickle.dumps(value, protocol=4))
            except Exception as error:  # Whatever an object's own pickling raises.
                if self._strict:
                    raise NotFollowedError(
                        f"{where} is {kind.__module__}.{kind.__qualname__}, whose content cannot "
                        "be read"
                    ) from error


def _is_empty(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (an empty cell raises)
    except ValueError:
        return True
    return False


@functools.cache
def _version(module: str | None) -> str:
    """Returns the version of the package that a module belongs to; "" if it has none."""
    top = (module or "").split(".")[0]
    if top in sys.stdlib_module_names or top in ("", "builtins"):
        return ""
    loaded = getattr(sys.modules.get(top), "__version__", None)
    if loaded:
        return str(loaded)
    names = metadata.packages_distributions().get(top, [])
    return " ".join(f"{name} {metadata.version(name)}" for name in names)


def _list_references(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    """Gives the globals, closures and imports that a function reads: dotted names and values.

    A chain such as `tf.image.random_brightness` is followed as long as its parts are modules.
    """
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    free = {name: cell.cell_contents for name, cell in cells if not _is_empty(cell)}
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        yield from _follow_code(code, function.__globals__, free)


def _follow_code(code: types.CodeType, names: dict, free: dict) -> Iterator[tuple[str, object]]:
    imported, dotted, found = {}, "", None
    for kind, name in _list_steps(code):
        if kind in ("LOAD_GLOBAL", "LOAD_NAME") and name in names:
            dotted, found = name, names[name]
        elif kind == "LOAD_DEREF" and isinstance(free.get(name), types.ModuleType):
            dotted, found = name, free[name]
        elif kind == "IMPORT_NAME":
            # As Python does: `import a.b` gives a, `from a import b` asks for b next.
            dotted, found = name, sys.modules.get(name.split(".")[0])
            if name in sys.modules:
                imported["from"] = (name, sys.modules[name])
            continue
        elif kind == "IMPORT_FROM":
            origin, module = imported.get("from", ("", None))
            dotted, found = f"{origin}.{name}", getattr(module, name, None)
        elif kind in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(found, types.ModuleType):
            dotted, found = f"{dotted}.{name}", getattr(found, name, None)
        elif kind in ("STORE_FAST", "STORE_DEREF", "STORE_NAME") and found is not None:
            imported[name] = (dotted, found)
            dotted, found = "", None
            continue
        elif kind in ("LOAD_FAST", "LOAD_FAST_CHECK") and name in imported:
            dotted, found = imported[name]
        elif kind in ("PUSH_NULL", "CACHE", "PRECALL", "EXTENDED_ARG", "NOP"):
            continue
        else:
            dotted, found = "", None
        if kind == "LOAD_GLOBAL" and name in READING_BUILTINS and name not in names:
            yield name, getattr(builtins, name)
        elif found is not None and not hasattr(builtins, dotted):
            yield dotted, found


def _list_steps(code: types.CodeType) -> Iterator[tuple[str, object]]:
    """Gives each instruction's name and argument; Python 3.13's double ones, one by one."""
    for step in dis.get_instructions(code):
        kinds = step.opname.replace("_LOAD_", " LOAD_").replace("_STORE_", " STORE_").split()
        if len(kinds) == 2 and isinstance(step.argval, tuple):
            yield from zip(kinds, step.argval, strict=True)
        else:
            yield step.opname, step.argval


def _module_of(found) -> str:
    owner = type(getattr(found, "__self__", None))  # `random.random` is a method of an object.
    return str(getattr(found, "__module__", None) or owner.__module__)


def _is_random_source(found, dotted: str) -> bool:
    """Whether a name stands for a function that returns something else at each call.

    The student's own functions are not judged by their names: their code is followed.
    """
    if isinstance(found, types.FunctionType) and is_own(found):
        return False
    if isinstance(found, types.ModuleType):
        return False
    name = dotted.rsplit(".", 1)[-1]
    if name in READING and not is_own(found):
        return callable(found)
    parts = _module_of(found).split(".")
    if parts[0] in CLOCKS or (parts[0] == "os" and name == "urandom"):
        return callable(found)
    if name.startswith("stateless_") or name == "SeedGenerator":
        return False  # Their results follow from their arguments, or they keep their own state.
    randomly = any("random" in part for part in (*parts, *dotted.split("."))) and parts[0] != ""
    return callable(found) and randomly and not isinstance(found, type(ValueError))
