"""The examples in the docstrings run, and give what they say."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "course_utils"
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]
# Where every public function has an example by now; the list grows.
COMPLETE = (
    "course_utils.augmentation.catalogue",
    "course_utils.augmentation.explorer",
    "course_utils.augmentation.layer_call",
    "course_utils.augmentation.policy",
    "course_utils.core.checks",
    "course_utils.data.duplicates",
    "course_utils.data.equal_photos",
    "course_utils.data.folders",
    "course_utils.data.synthetic",
    "course_utils.figures",
    "course_utils.lessons.figure_files",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(COMPLETE)])
def test_every_public_function_has_an_example(name):
    module = importlib.import_module(name)
    without = [
        function.__name__
        for function in vars(module).values()
        if inspect.isfunction(function)
        and function.__module__ == name
        and not function.__name__.startswith("_")
        and ">>>" not in (function.__doc__ or "")
    ]
    assert not without, f"Add an example to {', '.join(without)} in {name}."
