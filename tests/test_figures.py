import base64

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from course_utils import comparison_figures, figures

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def images():
    return np.random.default_rng(0).random((16, 8, 8, 3)).astype("float32")


@pytest.fixture
def history():
    epochs = pd.RangeIndex(1, 4, name="epoch")
    return pd.DataFrame(
        {
            "clean_loss": [0.7, 0.5, 0.25],
            "val_loss": [0.7, 0.6, 0.65],
            "clean_binary_accuracy": [0.5, 0.7, 0.9],
            "val_binary_accuracy": [0.5, 0.65, 0.75],
        },
        index=epochs,
    )


@pytest.fixture
def results():
    rows = [[10, 0.6, False], [20, 0.5, False], [20, 0.3, False], [20, 0.69, True]]
    return pd.DataFrame(rows, columns=["train_photos", "lowest_val_loss", "dead_head"])


@pytest.fixture
def drawn(images, history, results):
    return {
        "photos": figures.plot_photos(images, ["Car"] * 10 + ["Truck"] * 6, title="Photos"),
        "views": figures.plot_views(images[0], images),
        "epochs": figures.plot_epochs({"one": images, "two": images[::-1]}, title="Epochs"),
        "curves": figures.plot_curves({"plain": history, "augmented": history}),
        "counts": figures.plot_photo_counts(results, title="Photos?"),
    }


def test_every_figure_is_a_matplotlib_figure_with_alt_text_and_a_picture(drawn):
    for fig in drawn.values():
        assert isinstance(fig, Figure)
        data, metadata = fig._repr_mimebundle_()
        assert base64.b64decode(data["image/png"]).startswith(PNG)
        assert data["text/plain"] == f"Figure: {fig.title}"
        assert metadata["image/png"]["alt"] == fig.alt_text and len(fig.alt_text) > 20


def test_the_same_figure_gives_the_same_bytes(images):
    first, second = (figures.plot_views(images[0], images).to_png() for _ in range(2))
    assert first == second


def test_names_with_signs_that_mean_something_to_matplotlib_stand_as_written(images):
    runs = pd.DataFrame({"$g{$": [0.6, 0.7], "dead_head": [False, False]})
    for figure in (
        figures.plot_photos(images[:2], ["$a_{$"] * 2, title="$x{$"),
        comparison_figures.plot_groups({"<b>$q{$": runs}, ["$g{$"], title="$t{$"),
    ):
        assert figure.to_png().startswith(b"\x89PNG")


def test_text_of_a_figure_holds_no_number_of_its_data(history):
    # nbval compares it between machines; the numbers stand in the alt text alone.
    other = figures.plot_curves({"plain": history * 0.9})._repr_mimebundle_()
    here = figures.plot_curves({"plain": history})._repr_mimebundle_()
    assert here[0]["text/plain"] == other[0]["text/plain"]
    assert here[1] != other[1]


def test_alt_text_counts_what_it_shows(drawn):
    assert "10 × Car, 6 × Truck" in drawn["photos"].alt_text
    assert "15 of which differ" in drawn["views"].alt_text
    assert "16 of 16 look different" in drawn["epochs"].alt_text


def test_alt_text_of_curves_gives_first_last_and_lowest_loss(drawn):
    assert "train loss goes from 0.70 to 0.25" in drawn["curves"].alt_text
    assert "valid loss from 0.70 to 0.65 (lowest 0.60)" in drawn["curves"].alt_text
    assert "valid accuracy is 0.75" in drawn["curves"].alt_text


def test_curves_show_four_lines_in_each_panel_told_apart_without_colour(drawn):
    for ax in drawn["curves"].axes:
        assert [line.get_linestyle() for line in ax.lines] == ["--", "-", "--", "-"]


def test_curves_carry_the_history_that_was_given(drawn, history):
    clean, valid = drawn["curves"].axes[0].lines[:2]
    assert list(clean.get_ydata()) == list(history["clean_loss"])
    assert list(valid.get_ydata()) == list(history["val_loss"])


def test_dead_heads_are_shown_but_not_averaged(drawn):
    assert "0.60 with 10 photos, 0.40 with 20 photos" in drawn["counts"].alt_text
    assert "1 of 4 heads died" in drawn["counts"].alt_text
    markers = [line.get_marker() for line in drawn["counts"].axes[0].lines]
    assert "x" in markers


def test_differences_show_both_intervals_and_say_them():
    table = pd.DataFrame(
        {"difference": [0.02], "seeds_low": [0.01], "seeds_high": [0.03]}
        | {"photos_low": [-0.01], "photos_high": [0.05], "detectable": [0.04], "pairs": [20]},
        index=["flip"],
    )
    figure = comparison_figures.plot_differences(
        table, baseline="none", measure="valid accuracy", title="Is it the flip?"
    )
    assert "flip: +0.020" in figure.alt_text and "-0.010 to +0.050" in figure.alt_text
    lines = [line.get_xdata() for line in figure.axes[0].lines]
    assert any(np.array_equal(line, (0.01, 0.03)) for line in lines)
    assert any(np.array_equal(line, (-0.01, 0.05)) for line in lines)
    assert figure.to_png().startswith(b"\x89PNG")
