"""Imports go one way: each package may use those below it, and no package those above it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "course_utils"

# What each package may import besides itself. core ← data, models ← features ← training ←
# evaluation ← exercises, lessons ← cli; figures get what they show as arguments.
BELOW = {
    "core": (),
    "figures": ("core",),
    "data": ("core",),
    "models": ("core",),
    "augmentation": ("core",),
    "augmentation/explorer": ("core", "data"),
    "features": ("core", "data", "models"),
    "training": ("core", "data", "models", "features"),
    "evaluation": ("core", "data", "augmentation", "models", "features", "training"),
}
BELOW["exercises"] = BELOW["lessons"] = (*BELOW["evaluation"], "evaluation", "figures")
BELOW["grading"] = (*BELOW["lessons"], "exercises", "lessons")
BELOW["cli.py"] = (*BELOW["grading"], "grading")
BELOW["__main__.py"] = ("cli",)
BELOW["__init__.py"] = ()  # It names modules as text, and imports each when it is first used.


def find_room(file):
    """The longest key of `BELOW` that a file's path begins with."""
    path = file.relative_to(PACKAGE)
    rooms = [room for room in BELOW if path.is_relative_to(room)]
    assert rooms, f"Expected a line for {path} in BELOW: which packages may it import?"
    return max(rooms, key=len)


def list_imports(file):
    """The packages of course_utils that a file imports, anywhere in it, with line numbers."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: Import from course_utils, not from '.'."
            modules = [f"{node.module}.{name.name}" for name in node.names]
        for module in modules:
            if module.startswith("course_utils."):
                yield module.split(".")[1], node.lineno


@pytest.mark.parametrize(
    "file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_a_module_imports_only_packages_below_its_own(file):
    room = find_room(file)
    allowed = (room.split("/")[0], *BELOW[room])
    upward = [
        f"{target} in line {line}" for target, line in list_imports(file) if target not in allowed
    ]
    assert not upward, f"{file.name} is in {room}, which may import {allowed}: {upward}"


@pytest.mark.parametrize("folder", ["course_utils", "tests", "benchmarks", "studies"])
def test_a_module_over_350_lines_says_why(folder):
    files = sorted((PACKAGE.parent / folder).rglob("*.py"))
    assert files
    silent = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        reason = ast.get_docstring(ast.parse(text)) or ""
        if text.count("\n") > 350 and "Longer than 350 lines because" not in reason:
            silent.append(str(file))
    assert not silent, f"Split these, or say why in their docstring: {silent}"
