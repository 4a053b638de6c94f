"""The examples in the docstrings run, and give what they say."""

import ast
import dataclasses
import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import course_utils as cu
from course_utils.core.settings import load_settings

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


@pytest.fixture
def given(make_splits, make_base, request):
    """What examples may use besides their module: tiny photos, a tiny base, a model on it."""

    def make(name):
        if name == "course_utils.models.vgg16":
            request.getfixturevalue("prepared_weights")
        tiny = {"synthetic_train_photos": 8, "synthetic_valid_photos": 4, "image_size": (32, 32)}
        base = make_base()
        return {
            "chosen": dataclasses.replace(load_settings("quick"), **tiny),
            "splits": make_splits(),
            "base": base,
            "model": cu.build_classifier(base),
        }

    return make


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name, given):
    module = importlib.import_module(name)
    needed = {word: value for word, value in given(name).items() if not hasattr(module, word)}
    result = doctest.testmod(module, extraglobs=needed)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("name", cu.__all__)
def test_what_lessons_call_says_what_it_takes_gives_and_raises_with_an_example(name):
    value = getattr(cu, name)
    said = inspect.getdoc(value)
    signature = inspect.signature(value)
    assert ">>>" in said, f"Add an example to {name}."
    assert "Args:" in said or not signature.parameters
    if inspect.isfunction(value):
        assert ("Returns:" in said) == (signature.return_annotation is not None)
        raises = any(isinstance(node, ast.Raise) for node in ast.walk(_parse(value)))
        assert "Raises:" in said or not raises


def _parse(function):
    return ast.parse(inspect.getsource(function))


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
