"""Fingerprints change with whatever changes what is computed, and with nothing else."""

import functools
import random
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.core.fingerprints import NotFollowedError, fingerprint, random_sources

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(PLAIN, PLAIN)
def test_values_are_told_apart_and_equal_ones_are_not(one, other):
    assert fingerprint(one) == fingerprint(one)
    assert (fingerprint(one) == fingerprint(other)) == (repr(one) == repr(other))


def closing_over(value):
    return lambda x: x * value


def with_default(value):
    def function(x, factor=value):
        return x * factor

    return function


def with_global(value):
    names = {"factor": value, "__name__": "__main__"}
    exec("def function(x):\n    return x * factor\n", names)
    return names["function"]


def with_helper(value):
    names = {"__name__": "__main__"}
    exec(f"def helper(x):\n    return x * {value}\ndef function(x):\n    return helper(x)\n", names)
    return names["function"]


def with_module(value):
    module = types.ModuleType("helpers_of_a_student")
    module.factor = value
    sys.modules[module.__name__] = module
    names = {"helpers": module, "__name__": "__main__"}
    exec("def function(x):\n    return x * helpers.factor\n", names)
    return names["function"]


def with_constant(value):
    return eval(f"lambda x: x * {value}", {"__name__": "__main__"})


def with_nested(value):
    names = {"__name__": "__main__"}
    exec(f"def function(x):\n    return [each * {value} for each in x]\n", names)
    return names["function"]


def with_partial(value):
    return functools.partial(pow, value)


def with_array(value):
    array = np.full(3, value)
    return lambda x: x * array


def with_object(value):
    class Holder:
        def __init__(self):
            self.value = value

        def __call__(self, x):
            return x * self.value

    return Holder()


def with_attribute_of_its_class(value):
    return type("Holder", (), {"factor": value, "__call__": lambda self, x: x * self.factor})()


WAYS = [
    closing_over, with_default, with_global, with_helper, with_module, with_constant, with_nested,
    with_partial, with_array, with_object, with_attribute_of_its_class,
]  # fmt: skip


@pytest.mark.parametrize("make", WAYS)
def test_code_counts_with_all_that_it_uses(make):
    assert fingerprint(make(2)) == fingerprint(make(2))
    assert fingerprint(make(2)) != fingerprint(make(3))


def test_where_code_stands_and_what_it_is_called_elsewhere_do_not_count():
    first = with_constant(2)

    second = eval("\n\nlambda x: x * 2".strip(), {"__name__": "__main__"})
    assert fingerprint(first) == fingerprint(second)


def test_what_cannot_be_read_is_refused_by_name(tmp_path):
    with open(tmp_path / "file", "w") as stream, pytest.raises(NotFollowedError, match="stream"):
        fingerprint(lambda x: stream.write(x))


def test_what_refers_to_itself_ends():
    loop = []
    loop.append(loop)
    assert fingerprint(loop) != fingerprint([])

    def again(x):
        return again(x - 1) if x else 0

    assert fingerprint(again) == fingerprint(again)


def draws_by_name(x):
    return x + random.random()


def draws_by_import(x):
    from numpy import random as drawing

    return x + drawing.default_rng().random()


def draws_in_a_helper(x):
    return draws_by_name(x)


GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (draws_by_name, "random.random"),
        (draws_by_import, "numpy.random.default_rng"),
        (draws_in_a_helper, "random.random"),
        (lambda x: x + GENERATOR.random(), "GENERATOR in <lambda>"),
        (lambda x: x * float(open("strength.txt").read()), "open"),  # noqa: SIM115
        (lambda x: x * float(Path("strength.txt").read_text()), "Path"),
        (lambda x: x * hash("a"), "hash"),
        (lambda x: x * np.load("mask.npy"), "np.load"),
        (lambda x: [np.random.permutation(each) for each in x], "np.random.permutation"),  # noqa: NPY002
    ],
)
def test_random_sources_are_found_in_code_and_what_it_calls(function, found):
    assert found in random_sources(function)


class ReadsOnce:
    def __init__(self, path):
        self.strength = float(open(path).read())  # noqa: SIM115

    def __call__(self, x):
        return x * self.strength


def test_what_is_read_once_counts_by_what_it_says(tmp_path):
    found = []
    for strength in ("0.5", "0.6", "0.5"):
        (tmp_path / "strength.txt").write_text(strength)
        reader = ReadsOnce(tmp_path / "strength.txt")
        assert not random_sources(reader)
        found.append(fingerprint(reader))
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("function", [len, lambda x: np.abs(x) + 1, closing_over(3)])
def test_what_draws_nothing_has_no_random_source(function):
    assert not random_sources(function)
