import base64
import importlib.resources
import tomllib

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import course_utils
from course_utils.core.environment import project_dir
from course_utils.figures import (
    base,
    comparisons,
    curves,
    lines,
    photos,
    pipelines,
    reliability,
    trends,
)

PNG = b"\x89PNG\r\n\x1a\n"
IMAGES = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")


def make_history(last=0.25):
    history = {column: [0.7, 0.5, last] for column in curves.CURVES}
    return pd.DataFrame(history, index=pd.RangeIndex(1, 4, name="epoch"))


def make_runs():
    runs = pd.DataFrame({"policy": "none", "seed": [1, 2], "dead_head": False, "epoch": 1})
    robustness = {"transformation": "rotation", "unit": "degrees", "strength": 0.0, "unchanged": 1}
    photo_counts = {"train_photos": 100, "held_out_loss": 0.5, "held_out_binary_accuracy": 0.8}
    photo_counts |= {"lowest_val_loss": 0.4, "accuracy": 0.8, "gap": 0.1}
    return runs.assign(**robustness, **photo_counts, **dict.fromkeys(curves.CURVES, 0.5))


# Each plot function with what it can draw in a moment.
DRAW = {
    "plot_classes": lambda: photos.plot_classes(IMAGES, np.arange(4)[:, None] % 2, ("a", "b")),
    "plot_confusion": lambda: comparisons.plot_confusion(np.eye(2), ("a", "b"), title="Title"),
    "plot_curves": lambda: curves.plot_curves({"one": make_history(), "two": make_history(0.1)}),
    "plot_differences": lambda: comparisons.plot_differences(
        pd.DataFrame(
            [[0.1, 0.0, 0.2, -0.1, 0.3]],
            index=["flip"],
            columns=["difference", "seeds_low", "seeds_high", "photos_low", "photos_high"],
        ),
        baseline="none",
        measure="accuracy",
        title="Title",
    ),
    "plot_draws": lambda: pipelines.plot_draws(
        {"model": pd.DataFrame({"flipped": [True, False], "factor": [0.6, 1.1]})}, title="Title"
    ),
    "plot_epochs": lambda: photos.plot_epochs({"one": IMAGES, "two": IMAGES}, title="Title"),
    "plot_equivalent_photos": lambda: trends.plot_equivalent_photos(make_runs(), title="Title"),
    "plot_pairs": lambda: comparisons.plot_pairs(
        pd.DataFrame({"flip": [0.1, 0.2]}),
        pd.DataFrame({"flip": [False, True]}),
        baseline="none",
        measure="accuracy",
        title="Title",
    ),
    "plot_photo_counts": lambda: curves.plot_photo_counts(make_runs(), title="Title"),
    "plot_photos": lambda: photos.plot_photos(IMAGES, list("abba"), columns=3),
    "plot_pipelines": lambda: pipelines.plot_pipelines(
        {"model": [("augment", "CPU", "once")]}, device="CPU", title="Title"
    ),
    "plot_policies": lambda: photos.plot_policies(IMAGES[0], {"flip": IMAGES}, title="Title"),
    "plot_reliability": lambda: reliability.plot_reliability(
        {"none": pd.DataFrame({"probability": [0.1], "fraction": [0.2], "photos": [10]})},
        outcome="Truck",
        title="Title",
    ),
    "plot_robustness": lambda: trends.plot_robustness(make_runs(), title="Title"),
    "plot_seed_bands": lambda: curves.plot_seed_bands({"none": make_runs()}, title="Title"),
    "plot_subgroups": lambda: comparisons.plot_subgroups(
        {"flip": pd.DataFrame({"day": [0.7, 0.8], "dead_head": [False, True]})},
        ["day"],
        title="Title",
    ),
    "plot_views": lambda: photos.plot_views(IMAGES[0], IMAGES),
    "plot_views_needed": lambda: trends.plot_views_needed(
        pd.concat([make_runs().assign(views=views) for views in (1, 8)]), title="Title"
    ),
}


def test_every_plot_function_is_tried_here():
    assert set(DRAW) == {name for name in course_utils.__all__ if name.startswith("plot_")}


@pytest.mark.parametrize("name", DRAW)
def test_a_figure_draws_its_title_and_carries_alt_text_and_a_picture(name):
    fig = DRAW[name]()
    assert isinstance(fig, Figure)
    assert fig.get_suptitle() == fig.title
    assert fig.alt_text.startswith(fig.title) and len(fig.alt_text) > len(fig.title) + 20
    data, metadata = fig._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(PNG)
    assert data["text/plain"] == f"Figure: {fig.title}"
    assert metadata["image/png"]["alt"] == fig.alt_text


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAW)
def test_the_same_figure_gives_the_same_bytes_whatever_the_readers_settings_are(name):
    first = DRAW[name]().to_png()
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 20, "xtick.color": "red"}):
        fig = DRAW[name]()
        assert fig.to_png() == fig.to_png() == first


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAW)
def test_no_figure_calls_the_reader_to_old_words(name):
    fig = DRAW[name]()
    written = [fig.alt_text, *(text.get_text() for text in fig.findobj(matplotlib.text.Text))]
    for word in ("valid ", "train ", "living", "sealed", "share", " heart", "colour"):
        assert not [text for text in written if word in text.lower()]


def test_the_style_sheet_travels_with_the_package():
    sheet = importlib.resources.files("course_utils.figures") / "course.mplstyle"
    assert sheet.is_file()
    project = tomllib.loads((project_dir() / "pyproject.toml").read_text(encoding="utf-8"))
    assert "**/*.mplstyle" in project["tool"]["setuptools"]["package-data"]["course_utils"]


def test_each_color_has_a_line_style_and_a_marker_of_its_own():
    assert len(set(base.COLORS)) == len(set(lines.LINES)) == len(set(lines.MARKERS)) == 6


def test_a_long_title_is_written_in_several_lines():
    fig = base.DescribedFigure(title="word " * 30 + "end", figsize=(4, 2))
    assert max(map(len, fig.get_suptitle().split("\n"))) <= 36


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["png", "svg", "pdf"])
def test_a_format_of_files_is_written_the_same_way_twice(file_format):
    first, second = (DRAW["plot_curves"]().to_bytes(file_format) for _ in range(2))
    assert first == second


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="'png', 'svg', 'pdf', received 'gif'"):
        base.DescribedFigure(title="A").to_bytes("gif")


def test_names_with_signs_that_mean_something_to_matplotlib_stand_as_written():
    runs = pd.DataFrame({"$g{$": [0.6, 0.7], "dead_head": [False, False]})
    for figure in (
        photos.plot_photos(IMAGES[:2], ["$a_{$"] * 2, title="$x{$"),
        comparisons.plot_subgroups({"<b>$q{$": runs}, ["$g{$"], title="$t{$"),
    ):
        assert figure.to_png().startswith(PNG)


def test_a_legend_names_each_label_once_with_its_first_mark():
    fig = base.DescribedFigure(title="Twice")
    ax = fig.add_subplot()
    for marker in "ox":
        ax.plot([0, 1], marker, label="a run")
    base.add_legend_below(fig, ax, note="two runs")
    (legend,) = fig.legends
    assert legend.get_title().get_text() == "two runs"
    assert [handle.get_marker() for handle in legend.legend_handles] == ["o"]
