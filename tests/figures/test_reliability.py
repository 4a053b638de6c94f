import pandas as pd
import pytest

from course_utils.figures.reliability import plot_reliability

BINS = pd.DataFrame({"probability": [0.1, 0.8], "fraction": [0.2, 0.8], "photos": [10, 40]})


def test_dots_grow_with_their_photos_and_the_legend_has_the_distance():
    tables = {"none": BINS, "mixed": BINS.assign(fraction=[0.1, 0.6])}
    fig = plot_reliability(tables, outcome="Truck", title="Do they come true?")
    (ax,) = fig.axes
    diagonal, first, second = ax.lines
    assert list(diagonal.get_xdata()) == [0, 1] and list(diagonal.get_ydata()) == [0, 1]
    assert list(first.get_ydata()) == [0.2, 0.8] and list(second.get_ydata()) == [0.1, 0.6]
    assert first.get_marker() != second.get_marker()
    sizes = ax.collections[0].get_sizes()
    assert sizes[1] == 4 * sizes[0]
    (legend,) = fig.legends
    assert [text.get_text() for text in legend.texts] == ["none (0.020)", "mixed (0.160)"]
    assert "none: 0.10 came true 0.20 of the time" in fig.alt_text
    assert ax.get_xlabel() == "predicted probability of Truck"


@pytest.mark.parametrize("count", [0, 5])
def test_more_than_can_be_told_apart_is_refused(count):
    tables = {str(number): BINS for number in range(count)}
    with pytest.raises(ValueError, match=f"one to four tables, received {count}"):
        plot_reliability(tables, outcome="Truck", title="Many")


def test_a_table_without_a_column_is_refused():
    with pytest.raises(ValueError, match="evaluate_reliability"):
        plot_reliability({"none": BINS.drop(columns="photos")}, outcome="Truck", title="One")
