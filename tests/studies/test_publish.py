"""What is published: a second division, tables with every reading, sentences made from them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.data.duplicates import group_near_duplicates
from course_utils.evaluation.compare import compare
from course_utils.evaluation.statistics import correct_by_holm
from course_utils.lessons.claims import describe_claims, load_claim
from course_utils.lessons.published import load_results

pytestmark = pytest.mark.slow

OPTIONS = {"precision": "float32", "progress": False}
POLICIES = {"none": Augmentation(), "flip + contrast": Augmentation(flip="horizontal")}


@pytest.fixture
def compared(make_base, make_splits):
    return compare(POLICIES, make_splits(), make_base(), seeds=[20, 21, 22], epochs=2, **OPTIONS)


@pytest.fixture
def own_results(tmp_path, monkeypatch):
    """An empty folder of results."""
    import published_tables
    import results_page

    folder = tmp_path / "results"
    folder.mkdir()
    for module in (published_tables, results_page):
        monkeypatch.setattr(module, "results_dir", lambda: folder)
    monkeypatch.setattr("course_utils.lessons.published.results_dir", lambda: folder)
    return folder


def test_a_second_division_has_the_same_counts_and_splits_no_near_duplicates(make_splits):
    from divisions import choose_train, divide_again

    splits = make_splits(train=60, valid=40)
    # Three photos are in both splits of the first division, one of them twice.
    pixels = splits.valid.pixels
    pixels[:3], pixels[3] = splits.train.pixels[:3], splits.train.pixels[0]
    splits.valid.labels[:4] = splits.train.labels[[0, 1, 2, 0]]
    again = divide_again(splits, seed=2)
    for name in ("train", "valid"):
        first, second = getattr(splits, name), getattr(again, name)
        assert second.count == first.count and second.batch_size == first.batch_size
        assert second.shuffle == first.shuffle
        assert (second.labels.sum(), len(second.names)) == (first.labels.sum(), first.count)
        np.testing.assert_array_equal(
            second.read(range(5))[0], second.pixels[second.rows[0]] / np.float32(255)
        )
    everything = np.concatenate([again.train.rows, again.valid.rows])
    assert sorted(everything) == list(range(100))
    moved = np.isin(again.train.keys, splits.valid.keys).mean()
    assert 0.2 < moved < 0.6
    labels = np.concatenate([splits.train.labels, splits.valid.labels])
    joined = again.train._with(np.arange(again.train.count))
    joined.rows, joined.labels, joined.keys = np.arange(100), labels, np.arange(100)
    clusters = group_near_duplicates(joined)
    assert clusters.max() < 97
    chosen = choose_train(labels, clusters, splits.train.labels, seed=2)
    for cluster in range(clusters.max() + 1):
        assert len(set(chosen[clusters == cluster])) == 1
    assert not np.array_equal(chosen, choose_train(labels, clusters, splits.train.labels, seed=3))


def test_the_table_of_differences_has_every_reading(compared):
    from published_tables import ABOUT, list_differences, list_runs

    table = list_differences(compared)
    assert list(table)[: len(ABOUT)] == list(ABOUT)
    questions = table[["measure", "class", "photos", "epoch"]].drop_duplicates().to_numpy().tolist()
    assert len(questions) == 8
    assert ["accuracy", "Car", "all", "last"] in questions
    assert ["loss", "both", "held-out half", "chosen"] in questions
    row = table.query("policy == 'flip + contrast' and measure == 'gap' and epoch == 'last'")
    expected = compared.differences("gap").loc["flip + contrast", "difference"]
    assert row["difference"].tolist() == [expected]
    runs = list_runs(compared, {"none": 1, "flip + contrast": 2, "none again": 1}.get)
    assert len(runs) == 3 * 3 * 2 and runs.columns[:4].tolist() == [
        *("policy", "views", "seed", "epoch")
    ]
    assert {"accuracy_Car", "accuracy_Truck"} <= set(runs)


def test_the_primary_comparison_is_corrected_over_its_measures(compared):
    from publish import correct_measures
    from published_tables import list_differences

    table = list_differences(compared)
    corrected = correct_measures(table)
    asked = "policy == 'flip + contrast' and `class` == 'both' and epoch == 'last'"
    before, after = table.query(asked), corrected.query(asked)
    np.testing.assert_allclose(after["p_holm"], correct_by_holm(before["p_value"]))
    # The null check and the classes are in no correction of these.
    others = table.index.difference(table[table["class"] == "both"].index)
    pd.testing.assert_series_equal(corrected["p_holm"][others], table["p_holm"][others])


def make_primary():
    rows = []
    for division, head, pairs in (
        *(("first", "stable", "all"), ("second", "stable", "all")),
        *(("first", "lesson", "all"), ("first", "lesson", "neither head died")),
    ):
        for measure, difference, verdict in (
            *(("gap", -0.1, "smaller"), ("loss", -0.03, "better")),
            ("accuracy", 0.004, "can't tell"),
        ):
            rows.append(
                {
                    "policy": "flip + contrast",
                    "measure": measure,
                    "class": "both",
                    "epoch": "last",
                    "division": division,
                    "head": head,
                    "pairs_counted": pairs,
                    "difference": difference,
                    "verdict": verdict,
                    "photos_low": difference - 0.01,
                    "photos_high": difference + 0.01,
                    "pairs": 12,
                    "views": 8,
                }
            )
    return pd.DataFrame(rows)


def test_the_claims_are_told_in_sentences_with_intervals():
    table = make_primary()
    said = describe_claims(table)
    assert len(said) == 5
    assert "(8 stored views of each photo)" in said[0]
    # Fewer views are told where there are no more.
    fewer = table.assign(views=4, difference=9.0)
    assert describe_claims(pd.concat([fewer, table])) == said
    assert (
        "(4 stored views of each photo) the gap after 30 epochs changes by +9.000"
        in (describe_claims(fewer)[0])
    )
    assert "-0.100 (-0.110 to -0.090; smaller)" in said[0]
    assert "validation loss -0.030 (-0.040 to -0.020; better)" in said[1]
    assert "+0.4 percentage points (-0.6 to +1.4; can't tell)" in said[1]
    assert "12 pairs" in said[4]
    assert len(describe_claims(table.query("division == 'first' and head == 'stable'"))) == 2


def test_a_claim_is_read_from_the_table(own_results):
    from published_tables import write_table

    write_table(make_primary(), "primary-differences", ["A note."])
    claim = load_claim("accuracy")
    assert (claim["division"], claim["head"], claim["views"]) == ("first", "stable", 8)
    assert claim["difference"] == 0.004 and claim["class"] == "both"
    with pytest.raises(ValueError, match="one of 'gap', 'loss', 'accuracy', received 'recall'"):
        load_claim("recall")


def test_the_page_says_what_the_tables_say(own_results):
    from published_tables import write_table
    from results_page import write_page

    write_table(make_primary(), "primary-differences", ["A note."])
    write_table(pd.DataFrame({"policy": ["none"]}), "of-old", ["By publish_results.py."])
    rows = {"noise": "normal", "seeds": [2, 10], "coverage": [0.941, 0.962]}
    write_table(pd.DataFrame(rows), "coverage", [])
    write_page()
    page = (own_results / "README.md").read_text()
    for sentence in describe_claims(make_primary()):
        assert f"* {sentence}\n" in page
    assert "in 94.1% of cases or more, and from ten runs on in 96.2% or fewer" in page
    assert "`of-old` | an older plan" in page and "`coverage.csv`" in page
    about = load_results("primary-differences").attrs["about"]
    assert "Made by: python studies/" in about and "A note." in about


def test_policies_are_those_of_the_plan():
    from publish import POLICIES, PRIMARY, SEEDS

    plan = (Path(__file__).resolve().parents[2] / "studies" / "PLAN.md").read_text()
    assert list(SEEDS) == list(range(20, 40)) and "numbers 20 to 39" in plan
    assert list(PRIMARY) == ["none", "flip + contrast"] and len(POLICIES) == 10
