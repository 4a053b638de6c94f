"""The pages are true: every row of docs/stored-features.md is tried, every path and name exists."""

import ast
import contextlib
import io
import re
import tomllib

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from keras import layers

import course_utils
from course_utils.core import environment
from course_utils.data.dataset import splits_from_arrays
from course_utils.training.fit import fit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_graphs")]

PROJECT = environment.project_dir()
PAGE = (PROJECT / "docs" / "stored-features.md").read_text(encoding="utf-8")
SIZE = (16, 16)
STORED = {"method": "stored_features", "precision": "float32", "views": 1, "verbose": 1}


def make_arrays(count, draw):
    images = np.random.default_rng(draw).random((count, *SIZE, 3), "float32")
    return images, (np.arange(count) % 2).astype("float32")[:, None]


TRAIN, VALID = make_arrays(8, 1), make_arrays(4, 2)


def list_rows():
    """What the tables say: first heading, expressions, outcome, quoted words.

    Layers that work are tried together, everything else one by one.
    """
    rows = []
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        heading, _, *lines = [
            [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()
        ]
        if heading[1:2] == ["stored features"]:
            for expressions, outcome, text in lines:
                quoted = re.findall("“(.*?)”", text)
                listed = re.findall("`(.*?)`", expressions)
                together = outcome == "works" and heading[0].startswith("layers")
                for each in [listed] if together else [[one] for one in listed]:
                    rows.append(pytest.param(heading[0], each, outcome, quoted, id=each[0]))
    return rows


class Row:
    """What expressions are put into: a model, its data, and how it is trained."""

    def __init__(self, kind, expressions, folder):
        inputs = keras.Input((*SIZE, 3))
        first = layers.Conv2D(4, 3, strides=4, activation="relu", name="first")
        base = keras.Model(inputs, layers.Conv2D(4, 3, name="second")(first(inputs)), name="base")
        base.trainable = False
        splits = splits_from_arrays(
            TRAIN, VALID, class_names=("a", "b"), source="A test.", batch_size=4
        )
        names = {
            "__name__": "__main__",  # as in a notebook
            "base": base,
            "images": TRAIN[0],
            "labels": TRAIN[1],
            "splits": splits,
            "dataset": tf.data.Dataset.from_tensor_slices(TRAIN).batch(4),
            "flip": layers.RandomFlip(seed=1),
            "folder": folder,
        }
        exec(re.search("```python\n(.*?)```", PAGE, re.DOTALL)[1], names)
        front, head, compiled, self.data, self.options = [], [], {}, splits, {}
        self.model, expression = None, expressions[0]
        if kind == "base":
            exec(expression, names)
        elif kind == "layers before the base":
            front = [eval(each, names) for each in expressions]
        elif kind == "layers after the base":
            head = [eval(each, names) for each in expressions]
        elif kind == "model":
            self.model = eval(expression, names)
        elif kind == "compile":
            compiled = eval(f"dict({expression})", names)
        elif kind == "data":
            self.data = eval(expression, names)
        else:
            assert kind == "argument", f"Expected a table of a known kind, received {kind!r}."
            self.options = eval(f"dict({expression})", names)
        self.model = self.model or keras.Sequential(
            [
                keras.Input((*SIZE, 3)),
                *(*front, names["base"], layers.Flatten(), *head),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
        compiled = {"optimizer": "adam", "loss": "binary_crossentropy", **compiled}
        self.model.compile(**compiled)

    def fit(self, **options):
        options = {"validation_data": VALID, "epochs": 2, **self.options, **options}
        return fit(self.model, self.data, **options)


@pytest.mark.parametrize(("kind", "expressions", "outcome", "quoted"), list_rows())
def test_the_table_says_what_happens(kind, expressions, outcome, quoted, tmp_path):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        if outcome == "works":
            row = Row(kind, expressions, tmp_path)
            last = row.fit(**STORED).history["val_loss"][-1]
            measured = row.model.evaluate(*VALID, verbose=0, return_dict=True)["loss"]
            assert last == pytest.approx(measured, abs=1e-4)
        else:
            assert outcome in ("in_model", "refused") and quoted
            with pytest.raises((TypeError, ValueError)) as caught:
                Row(kind, expressions, tmp_path).fit(**STORED)
            said.write(str(caught.value))
    for words in quoted:
        assert words in said.getvalue()
    if outcome == "in_model":
        history = Row(kind, expressions, tmp_path).fit(method="in_model", verbose=0)
        assert isinstance(history, keras.callbacks.History)


def list_messages():
    """The words of every refusal in the two modules that refuse."""
    package = PROJECT / "course_utils"
    for name in ("features/storable.py", "models/partition.py", "models/fingerprints.py"):
        for node in ast.walk(ast.parse((package / name).read_text(encoding="utf-8"))):
            called = getattr(getattr(node, "func", None), "id", None)
            if isinstance(node, ast.Call) and called in ("_refuse", "ValueError"):
                text = node.args[1 if called == "_refuse" else 0]
                parts = [text] if isinstance(text, ast.Constant) else getattr(text, "values", [])
                words = [part.value for part in parts if isinstance(part, ast.Constant)]
                yield from [max(words, key=len)] if words else []


@pytest.mark.parametrize("words", [*list_messages()])
def test_every_message_is_on_the_page(words):
    first = re.split(r"\. |, or ", words.strip())[0]
    assert first in re.sub(r"\s+", " ", PAGE)


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "CONTRIBUTING.md", "data/README.md"),
        *sorted(path.relative_to(PROJECT).as_posix() for path in (PROJECT / "docs").glob("*.md")),
    ],
)
def test_paths_and_links_of_the_pages_exist(name):
    page = PROJECT / name
    text = page.read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert not [path for path in linked if not (page.parent / path).exists()]
    folders = "course_utils|notebooks|tests|benchmarks|studies|docs"
    named = re.findall(rf"`((?:{folders})/[\w./-]*)`", text)
    new = "notebooks/11-its-name.ipynb"  # what a recipe adds
    assert not [path for path in named if not (PROJECT / path).exists() and path != new]


def test_the_table_of_packages_names_each_one():
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `course_utils/` \|.*", text, re.MULTILINE)
    packages = {path.parent.name for path in (PROJECT / "course_utils").glob("*/__init__.py")}
    assert packages == {*re.findall(r"`(\w+)`", row)}


def test_new_names_in_the_changelog_exist_and_old_ones_do_not():
    text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    renamed = re.findall(r"^\| `cu\.(\w+)` \| `cu\.(\w+)` \|$", text, re.MULTILINE)
    assert len(renamed) > 10
    for old, new in renamed:
        assert old not in course_utils.__all__ and new in course_utils.__all__


def test_the_citation_has_the_version_of_the_package():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
