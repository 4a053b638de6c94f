"""Published tables are read by name, whole or not at all, and say how they were made."""

import pandas as pd
import pytest

from course_utils.lessons import published
from course_utils.lessons.published import load_results


@pytest.fixture
def write_table(tmp_path, monkeypatch):
    """A folder of published results of its own, and a function that writes a table there."""
    monkeypatch.setattr(published, "results_dir", lambda: tmp_path)

    def write(name, table, lines=()):
        text = "".join(f"# {line}\n" for line in lines) + table.to_csv(index=False)
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")

    return write


def make_sensitivity():
    rows = [
        [policy, "rotation", "degrees", strength, seed, 0.8, 0.9, seed == 1]
        for policy in ("none", "flip")
        for strength in (0.0, 15.0)
        for seed in range(3)
    ]
    names = ["policy", "transformation", "unit", "strength", "seed", "accuracy", "unchanged"]
    return pd.DataFrame(rows, columns=[*names, "dead_head"])


def make_worth():
    rows = [
        [policy, photos, seed, 0.4, 0.8, 0.5, 0.7, False]
        for policy in ("none", "flip")
        for photos in (100, 500)
        for seed in range(3)
    ]
    names = ["policy", "train_photos", "seed", "held_out_loss", "held_out_binary_accuracy"]
    return pd.DataFrame(
        rows, columns=[*names, "last_val_loss", "last_val_binary_accuracy", "dead_head"]
    )


def test_a_table_brings_the_lines_on_how_it_was_made(write_table):
    made = ("Made by: python studies/publish_results.py", "On 2026-11-24, two cores")
    summary = pd.DataFrame({"policy": ["none", "flip"], "val_loss": [0.4, 0.3]})
    write_table("summary", summary, made)
    table = load_results("summary")
    assert table.attrs["about"] == "\n".join(made)
    assert table.loc["flip", "val_loss"] == 0.3, "one row for each policy: these are the index"


def test_every_table_that_is_published_can_be_read_and_says_how_it_was_made():
    names = sorted(path.stem for path in published.results_dir().glob("*.csv"))
    assert {"summary", "histories", "differences-accuracy"} <= set(names)
    for name in names:
        table = load_results(name)
        assert len(table) and table.attrs["about"], name
        assert ("dead_head" not in table) or table["dead_head"].dtype == bool, name


def test_an_unknown_table_is_answered_with_the_ones_there_are(write_table):
    write_table("photo-counts", make_worth())
    write_table("sensitivity", make_sensitivity())
    with pytest.raises(ValueError, match="the tables photo-counts, sensitivity, received 'views'"):
        load_results("views")
    with pytest.raises(ValueError, match="Did you mean 'photo-counts'"):
        load_results("photo_counts")


@pytest.mark.parametrize(
    ("name", "make"), [("sensitivity", make_sensitivity), ("photo-counts", make_worth)]
)
def test_tables_are_read_as_they_were_written(write_table, name, make):
    write_table(name, make(), ["Made by: a test"])
    pd.testing.assert_frame_equal(load_results(name), make())


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("sensitivity", make_sensitivity().drop(columns="unit"), "none called unit"),
        ("sensitivity", make_sensitivity().assign(unchanged=90), "unchanged from 0 to 1"),
        ("sensitivity", make_sensitivity()[1:], r"seeds \[0, 1, 2\] once .* received \[1, 2\]"),
        ("photo-counts", make_worth().drop(columns="held_out_loss"), "none called held_out_loss"),
        ("photo-counts", make_worth().assign(held_out_loss=None), "received none in row 1"),
        ("photo-counts", pd.concat([make_worth()] * 2), r"received \[0, 0, 1, 1, 2, 2\]"),
    ],
)
def test_tables_that_are_not_whole_are_refused(write_table, name, table, message):
    write_table(name, table)
    with pytest.raises(ValueError, match=message):
        load_results(name)
