import numpy as np
import pandas as pd
import pytest

from course_utils.figures import comparisons


def made_up_runs(accuracies, dead=0):
    runs = pd.DataFrame(accuracies)
    return runs.assign(dead_head=np.arange(len(runs)) < dead)


def test_groups_show_means_without_heads_that_died_and_count_these():
    plain = made_up_runs({"with": [0.5, 0.9, 0.8], "against": [0.5, 0.6, 0.5]}, dead=1)
    flipped = made_up_runs({"with": [0.7, 0.8, 0.9], "against": [0.6, 0.8, 0.7]})
    figure = comparisons.plot_subgroups(
        {"plain": plain, "flip": flipped}, ["with", "against"], title="Heading"
    )
    assert "plain: with 0.85 (runs from 0.80 to 0.90), against 0.55" in figure.alt_text
    assert "1 of 3 heads died. flip: with 0.80" in figure.alt_text
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["plain\n(1 died)", "flip"]
    assert [text.get_text() for text in figure.legends[0].texts] == ["with", "against"]
    assert ax.get_xlabel() == "accuracy"  # the groups say of which photos
    large = [line.get_xdata()[0] for line in ax.lines if line.get_markersize() == 10]
    assert large == pytest.approx([0.85, 0.55, 0.8, 0.7])


def test_groups_hold_where_all_heads_died_and_below_chance():
    dead, low = made_up_runs({"all": [0.5, 0.5]}, dead=2), made_up_runs({"all": [0.1, 0.2]})
    figure = comparisons.plot_subgroups({"dead": dead, "low": low}, ["all"], title="Any")
    assert "dead: no head that did not die; 2 of 2 heads died." in figure.alt_text
    assert figure.axes[0].get_xlim()[0] < 0.1
    assert figure.to_png()
    with pytest.raises(ValueError, match="the columns none, dead_head, .*`evaluate_subgroups`"):
        comparisons.plot_subgroups({"low": low}, ["none"], title="Another")


def test_differences_show_both_intervals_and_say_them():
    table = pd.DataFrame(
        {"difference": [0.02], "seeds_low": [0.01], "seeds_high": [0.03]}
        | {"photos_low": [-0.01], "photos_high": [0.05], "detectable": [0.04], "pairs": [20]},
        index=["flip"],
    )
    figure = comparisons.plot_differences(
        table, baseline="none", measure="validation accuracy", title="Is it the flip?"
    )
    assert "flip: +0.020" in figure.alt_text and "-0.010 to +0.050" in figure.alt_text
    lines = [line.get_xdata() for line in figure.axes[0].lines]
    assert any(np.array_equal(line, (0.01, 0.03)) for line in lines)
    assert any(np.array_equal(line, (-0.01, 0.05)) for line in lines)
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() >= 2]
    assert {line.get_solid_capstyle() for line in bars} == {"butt"}, "bars end with the interval"
    for odd in (table.drop(columns="seeds_low"), table.loc["flip"], table.iloc[:0]):
        with pytest.raises(ValueError, match="a row or more and the columns difference, seeds_low"):
            comparisons.plot_differences(odd, baseline="none", measure="loss", title="Odd")


def test_pairs_show_a_dot_each_and_a_cross_where_a_head_died():
    pairs = pd.DataFrame({"flip": [0.02, 0.02, -0.01, 0.33], "none again": [-0.03, 0, 0.01, 0.02]})
    dead = pd.DataFrame({"flip": [False, False, False, True], "none again": [False] * 4})
    figure = comparisons.plot_pairs(
        pairs, dead, baseline="none", measure="validation accuracy", title="One against one"
    )
    flip = "flip: 3 of 4 above zero, 1 below, from -0.010 to +0.330, mean +0.090; in 1 a head died"
    assert flip in figure.alt_text
    assert "none again: 2 of 4 above zero, 1 below" in figure.alt_text
    dots, cross, mean = figure.axes[0].lines[1:4]
    assert list(dots.get_xdata()) == [0.02, 0.02, -0.01] and list(cross.get_xdata()) == [0.33]
    assert dots.get_ydata()[0] != dots.get_ydata()[1]  # equal pairs do not hide each other
    assert cross.get_marker() == "x" and mean.get_xdata() == pairs["flip"].mean()


def test_pairs_want_to_know_of_each_whether_a_head_died():
    pairs = pd.DataFrame({"flip": [0.02, 0.01]})
    words = {"baseline": "none", "measure": "validation accuracy", "title": "Pairs"}
    for table, dead in ((pairs, pairs[:1] > 1), (pairs, pd.DataFrame()), (pairs[:0], pairs[:0])):
        with pytest.raises(ValueError, match="Expected one or more pairs"):
            comparisons.plot_pairs(table, dead, **words)


def test_confusion_writes_every_count_and_names_the_frequent_mistakes():
    matrix = np.diag(np.full(10, 40))
    matrix[6, 9], matrix[9, 6], matrix[1, 7] = 5, 7, 1
    figure = comparisons.plot_confusion(matrix, [str(digit) for digit in range(10)], title="Digits")
    ax = figure.axes[0]
    written = np.array([int(text.get_text()) for text in ax.texts]).reshape(10, 10)
    np.testing.assert_array_equal(written, matrix)
    assert ax.get_ylabel() == "true" and ax.get_xlabel() == "predicted"
    assert "400 of 413 pictures right" in figure.alt_text
    assert (
        "mistakes by count: 9 taken for 6: 7; 6 taken for 9: 5; 1 taken for 7: 1."
        in figure.alt_text
    )
    perfect = comparisons.plot_confusion(np.eye(2, dtype=int), ("Car", "Truck"), title="Perfect")
    assert perfect.alt_text.endswith("Most frequent mistakes by count: none.")


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 3)), np.eye(3), [[0.5, 1], [0, 1]], [[-1, 0], [0, 1]]]
)
def test_a_confusion_that_is_none_is_refused(matrix):
    with pytest.raises(ValueError, match="Expected counts, 2 × 2 for the classes Car, Truck"):
        comparisons.plot_confusion(matrix, ("Car", "Truck"), title="None")


def test_affinity_and_diversity_have_a_dot_and_two_intervals_for_each_policy():
    ends = {f"{name}_{end}": 1.0 for name in ("affinity", "diversity") for end in ("low", "high")}
    rows = [{"affinity": 0.95, "diversity": 1.2}, {"affinity": 0.6, "diversity": 2.5}]
    table = pd.DataFrame([ends | row for row in rows], index=["flip", "everything"])
    figure = comparisons.plot_affinity(table, title="Why does it help?")
    assert "everything: affinity 0.60, diversity 2.50." in figure.alt_text
    (ax,) = figure.axes
    dots = [line.get_xydata()[0].tolist() for line in ax.lines if line.get_marker() == "o"]
    assert dots == [[0.95, 1.2], [0.6, 2.5]]
    assert [text.get_text() for text in ax.texts] == ["flip", "everything"]
    assert figure.to_png()
    with pytest.raises(ValueError, match="diversity_high.*`evaluate_affinity`"):
        comparisons.plot_affinity(table.drop(columns="diversity_high"), title="Odd")
