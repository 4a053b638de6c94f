"""Lesson 09's study trains what the lesson shows, and its tables agree with each other."""

import ast
import json

import keras
import numpy as np
import pandas as pd
import pytest

from course_utils.core.environment import project_dir
from course_utils.evaluation.statistics import correct_by_holm

pytestmark = pytest.mark.slow


SHOWN = ("mix", "brighten", "build_network")  # on the lesson's page and in the study


def find_functions(source):
    tree = ast.parse(source)
    return {each.name: ast.dump(each) for each in tree.body if isinstance(each, ast.FunctionDef)}


def test_the_study_trains_what_the_lesson_shows():
    (path,) = (project_dir() / "notebooks").glob("09-*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    page = "\n\n".join("".join(each["source"]) for each in cells if each["cell_type"] == "code")
    lesson = find_functions(page)
    study = find_functions((project_dir() / "studies" / "publish_beyond.py").read_text("utf-8"))
    for name in SHOWN:
        assert lesson[name] == study[name]


@pytest.fixture
def published(make_splits, tmp_path, monkeypatch):
    """Every table of a tiny study, by its name."""
    import publish_beyond
    import published_tables
    from publish_beyond import Sizes, publish

    monkeypatch.setattr(published_tables, "results_dir", lambda: tmp_path)
    monkeypatch.setattr(publish_beyond, "shrink", lambda photos: photos.read(range(photos.count)))
    monkeypatch.setattr(publish_beyond, "build_network", build_tiny_network)
    inputs = keras.Input((16, 16, 3))
    filters = keras.initializers.GlorotUniform(seed=1)
    convolution = keras.layers.Conv2D(
        512, 3, strides=7, activation="relu", kernel_initializer=filters
    )
    base = keras.Model(inputs, convolution(inputs), name="tiny")
    base.trainable = False
    sizes = Sizes(40, 32, 30, range(20, 23), range(20, 22), 2)
    publish(make_splits(train=48, valid=32), base, sizes, "float32")
    return {
        path.stem.removeprefix("beyond-"): pd.read_csv(path, comment="#")
        for path in tmp_path.glob("*.csv")
    }


def build_tiny_network(seed):
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.compile("adam", "binary_crossentropy", metrics=["binary_accuracy"])
    return network


def test_the_tables_agree_with_each_other(published):
    from beyond_tables import AGAIN, PRIMARY

    assert set(published) == {"differences", "runs", "reliability", "views"}
    table, runs = published["differences"], published["runs"]
    named = list(zip(table["where"], table["trick"], table["measure"], strict=True))
    assert len(named) == len(set(named)) == 2 * (4 + 1 + 2)
    assert [named[place] for place in np.flatnonzero(table["primary"])] == [PRIMARY]
    others = table[~table["primary"] & (table["trick"] != AGAIN)]
    np.testing.assert_allclose(others["p_holm"], correct_by_holm(others["p_value"]), atol=1e-4)
    primary = table[table["primary"]]
    np.testing.assert_array_equal(primary["p_holm"], primary["p_value"])
    # Differences are those of the runs' means.
    means = runs.groupby(["where", "trick"])[["loss", "accuracy"]].mean()
    for row in table.query("where != 'test time'").itertuples():
        expected = means.loc[(row.where, row.trick), row.measure]
        expected -= means.loc[(row.where, row.baseline), row.measure]
        assert row.difference == pytest.approx(expected, abs=1e-4)
    counted = published["reliability"].groupby(["where", "trick"])["photos"].sum()
    assert counted["stored features"].eq(3 * 32).all() and counted["pixels"].eq(2 * 32).all()


def test_the_views_keep_what_mathematics_promises(published):
    views, table = published["views"], published["differences"]
    assert (views["loss"] <= views["mean_loss_of_views"] + 1e-5).all()
    one = views[views["views"] == 1]
    np.testing.assert_allclose(one["loss"], one["mean_loss_of_views"], atol=1e-5)
    changed = views["became_right"] - views["became_wrong"]
    moved = (views["accuracy"] - views["clean_accuracy"]) * views["photos"]
    np.testing.assert_allclose(moved, changed, atol=1e-3)
    eight = views[views["views"] == 8]
    row = table.query("where == 'test time' and measure == 'loss'").iloc[0]
    assert row["difference"] == pytest.approx(
        (eight["loss"] - eight["clean_loss"]).mean(), abs=1e-4
    )
