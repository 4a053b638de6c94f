"""The committed figures, and what `figures --check` says of each kind of drift.

Longer than 350 lines because every figure is checked in several ways on the same pictures.
"""

import base64
import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from typing import NamedTuple

import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import Collection
from matplotlib.colors import rgb_to_hsv, to_rgba_array
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import course_utils
from course_utils import cli as command_line
from course_utils.core import environment
from course_utils.figures.base import DescribedFigure
from course_utils.lessons import figure_files, gallery, notebooks, published

pytestmark = pytest.mark.slow

# Each series of Matplotlib places text and ticks a little differently.
drawn_alike = pytest.mark.skipif(
    matplotlib.__version__.split(".")[:2]
    != figure_files.read_manifest(figure_files.committed_dir())["versions"]["matplotlib"].split(
        "."
    )[:2],
    reason="the committed figures were drawn with another series of Matplotlib",
)


@pytest.fixture
def own_gallery(monkeypatch, tmp_path):
    """A gallery of two small figures, none of them committed, and a project folder of its own."""
    monkeypatch.setattr(environment, "project_dir", lambda: tmp_path)
    monkeypatch.setattr(gallery, "FIGURES", {})
    monkeypatch.setattr(figure_files, "FIGURES", gallery.FIGURES)
    look = {"color": "#0072B2", "alt_text": "A line that rises.", "size": (5, 4)}

    @gallery.figure("01", source=gallery.NOTHING)
    def one_line():
        fig = DescribedFigure(title="A line", alt_text=look["alt_text"], figsize=look["size"])
        ax = fig.add_subplot()
        ax.plot([0, 1], [0, 1], color=look["color"])
        ax.fill_between([0, 1], [0, 0.5], [0.5, 1], alpha=0.1)
        return fig

    @gallery.figure("02", source="histories.csv")
    def from_results(table):
        return DescribedFigure(title="Rows", alt_text=f"{len(table)} rows.", figsize=(1, 1))

    return look


def run(*words):
    return command_line.main(["figures", *map(str, words)])


def commit():
    assert run("--out", figure_files.committed_dir()) == 0


@pytest.mark.parametrize("file_format", ["png", "svg", "pdf"])
def test_figures_are_the_same_bytes_twice(own_gallery, tmp_path, file_format):
    for name in ("first", "second"):
        assert run("--out", tmp_path / name, "--format", file_format) == 0
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("first", "second")
    ]
    assert contents[0] == contents[1]
    assert set(contents[0]) == {f"one-line.{file_format}", "manifest.json"}


def test_clips_of_an_svg_file_do_not_depend_on_the_last_digit_of_the_layout():
    def draw(shift):
        fig = DescribedFigure(title="A line")
        fig.set_layout_engine("none")
        fig.add_axes((0.1 + shift, 0.1, 0.8, 0.8)).plot([0, 1])
        return fig.to_bytes("svg")

    first = draw(0)
    assert first == draw(1e-13) and first != draw(1e-2)
    assert b'id="clip0"' in first and b"url(#clip0)" in first


def test_the_manifest_says_what_each_figure_is(own_gallery, tmp_path):
    run("--out", tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    about = manifest["figures"]["one-line"]
    assert about["lesson"] == "01" and about["alt_text"] == "A line. A line that rises."
    assert about["seed"] == 31415 and about["data"].startswith("Synthetic vehicles")
    content = (tmp_path / "out" / about["file"]).read_bytes()
    assert about["sha256"] == hashlib.sha256(content).hexdigest()
    assert set(manifest["versions"]) > {"python", "matplotlib", "keras"}
    assert "MIT" in manifest["license"]


def test_figures_of_missing_results_are_left_out_loudly(own_gallery, tmp_path, capsys):
    assert run("--out", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "LEFT OUT, because data/results/histories.csv is not there: from-results." in said
    assert run("--out", tmp_path / "out", "--only", "from-results") == 1
    assert "histories.csv" in capsys.readouterr().err


def test_figures_of_results_name_the_file_and_its_seeds(own_gallery, tmp_path, make_histories):
    path = make_histories(tmp_path / "data" / "results" / "histories.csv")
    assert run("--out", tmp_path / "out") == 0
    about = figure_files.read_manifest(tmp_path / "out")["figures"]["from-results"]
    assert about["data"] == "data/results/histories.csv" and about["seed"] == [0, 1, 2, 3]
    assert about["data_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_only_draws_one_and_keeps_what_the_manifest_says_of_others(own_gallery, tmp_path):
    run("--out", tmp_path / "out")
    gallery.figure("03", source=gallery.NOTHING)(lambda: DescribedFigure(title="Empty"))
    name = list(gallery.FIGURES)[-1]
    assert run("--out", tmp_path / "out", "--only", name) == 0
    assert set(figure_files.read_manifest(tmp_path / "out")["figures"]) == {"one-line", name}


def test_an_unknown_figure_is_answered_with_the_known_ones(own_gallery, capsys):
    assert run("--only", "no-such") == 1
    assert "one-line" in capsys.readouterr().err


def test_the_check_passes_on_what_is_committed(own_gallery, capsys):
    commit()
    assert run("--check") == 0
    assert "As committed: 1 figure." in capsys.readouterr().out


def test_a_changed_color_fails_the_check_and_is_shown_side_by_side(own_gallery, capsys):
    commit()
    own_gallery["color"] = "#D55E00"
    assert run("--check") == 1
    assert "one-line: A patch of its pixels differs by" in capsys.readouterr().out
    page = (environment.project_dir() / "runs" / "figures" / "drift.html").read_text(
        encoding="utf-8"
    )
    for what in ("committed", "now", "difference"):
        assert f"<figcaption>{what}</figcaption>" in page
        assert f'alt="one-line, {what}. A line. A line that rises."' in page
    assert page.count("data:image/png;base64,") == 3


def test_a_color_changed_by_rounding_passes_the_check(own_gallery):
    commit()
    own_gallery["color"] = "#0173B3"
    assert run("--check") == 0


def test_another_alt_text_or_size_or_set_of_figures_is_drift(own_gallery, capsys):
    commit()
    own_gallery["alt_text"] = "A line that falls."
    assert run("--check") == 1
    assert "“A line. A line that rises.” to “A line. A line that falls.”" in capsys.readouterr().out
    own_gallery["size"] = (4, 4)
    assert run("--check") == 1
    assert "Its size has changed from 500 × 400 to 400 × 400 pixels." in capsys.readouterr().out
    gallery.figure("03", source=gallery.NOTHING)(gallery.FIGURES.pop("one-line").draw)
    renamed = gallery.FIGURES["one-line"]
    gallery.FIGURES.clear()
    gallery.FIGURES["another"] = gallery.Entry("another", "03", renamed.source, renamed.draw)
    assert run("--check") == 1
    said = capsys.readouterr().out
    assert "another: It is not committed yet." in said
    assert "one-line: It is committed, but no function draws it here." in said


def test_real_photos_are_kept_from_the_committed_figures(own_gallery, tmp_path, capsys):
    assert run("--out", figure_files.committed_dir(), "--data", tmp_path) == 1
    assert "which is committed" in capsys.readouterr().err


def test_a_damaged_manifest_is_named(own_gallery, capsys):
    commit()
    (figure_files.committed_dir() / "manifest.json").write_text("{")
    assert run("--check") == 1
    assert "Delete it and draw the figures again" in capsys.readouterr().err


PLOT_FUNCTIONS = [name for name in course_utils.__all__ if name.startswith("plot_")]


class Gallery(NamedTuple):
    """All figures, drawn once, with what the check said of them."""

    drifts: list
    by_function: dict[str, list[DescribedFigure]]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Gallery:
    by_function = defaultdict(list)

    def spy_on(name):
        plot = getattr(course_utils, name)

        def spy(*arguments, **options):
            by_function[name].append(plot(*arguments, **options))
            return by_function[name][-1]

        return sys.modules[plot.__module__], name, spy

    with pytest.MonkeyPatch.context() as patches:
        patches.setenv("COURSE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        for name in PLOT_FUNCTIONS:
            patches.setattr(*spy_on(name))
        drifts = figure_files.find_drift(figure_files.choose_entries())
    return Gallery(drifts, by_function)


@drawn_alike
def test_the_committed_figures_are_what_the_code_draws(drawn):
    assert drawn.drifts == []


def test_every_plot_function_of_the_lessons_stands_in_the_gallery(drawn):
    assert set(drawn.by_function) == set(PLOT_FUNCTIONS)


def list_colored(fig):
    """Returns what is drawn in a color, photos as well."""
    parts = [part for ax in fig.axes for part in ax.get_children() if part is not ax.patch]
    return [
        part
        for part in parts
        if isinstance(part, AxesImage)
        or (isinstance(part, Line2D) and len(part.get_xdata()) and is_color(part.get_color()))
        or (isinstance(part, Collection | Patch) and is_color(part.get_facecolor()))
    ]


def is_color(given):
    """Returns whether it is neither gray nor nothing."""
    colors = to_rgba_array(given)
    return bool(len(colors)) and rgb_to_hsv(colors[0, :3])[1] > 0.1


def change_color(part):
    """Gives one thing another color; returns a function that gives it back the old one."""
    if isinstance(part, AxesImage) and part.get_array().ndim == 3:
        old = np.array(part.get_array())
        part.set_data(old[..., ::-1])
        return lambda: part.set_data(old)
    kinds = ["color", "markerfacecolor", "markeredgecolor"] if isinstance(part, Line2D) else []
    kinds = kinds or ["cmap" if isinstance(part, AxesImage) else "facecolor"]
    old = {kind: getattr(part, f"get_{kind}")() for kind in kinds}
    part.set(**dict.fromkeys(kinds, "Greens" if kinds == ["cmap"] else "purple"))
    return lambda: part.set(**old)


@drawn_alike
@pytest.mark.parametrize("function", PLOT_FUNCTIONS)
def test_one_changed_color_in_any_plot_function_fails_the_check(function, drawn):
    manifest = figure_files.read_manifest(figure_files.committed_dir())["figures"]
    names = {about["title"]: name for name, about in manifest.items()}
    assert len(names) == len(manifest)
    fig = drawn.by_function[function][0]
    colored = list_colored(fig)
    for part in (colored[0], colored[-1]):
        restore = change_color(part)
        changed = gallery.Entry(names[fig.title], "", gallery.NOTHING, lambda: fig)
        (drift,) = figure_files.find_drift([changed], complete=False)
        assert "A patch of its pixels differs by" in drift.why, part
        restore()


def test_every_figure_has_a_committed_file_of_its_own_hash():
    manifest = figure_files.read_manifest(figure_files.committed_dir())["figures"]
    for name, about in manifest.items():
        content = (figure_files.committed_dir() / about["file"]).read_bytes()
        assert about["sha256"] == hashlib.sha256(content).hexdigest(), name
        assert len(content) < 600_000
        assert about["data"].startswith(("Synthetic vehicles", "data/results/")), name


def test_lessons_show_the_very_figures_of_the_gallery():
    manifest = figure_files.read_manifest(figure_files.committed_dir())["figures"]
    shown = {
        f"Figure: {about['title']}": figure_files.committed_dir() / about["file"]
        for about in manifest.values()
        if about["lesson"].isdigit() and not about["data"].startswith("data/results")
    }
    compared = 0
    for path in notebooks.list_lessons().values():
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                bundle = output.get("data", {})
                if expected := shown.get(bundle.get("text/plain")):
                    picture = base64.b64decode(bundle["image/png"])
                    largest, _ = figure_files.compare_pictures(expected.read_bytes(), picture)
                    assert largest <= figure_files.TOLERANCE, (path, expected)
                    compared += 1
    assert compared == len(shown)


def test_the_folder_of_figures_holds_those_of_the_gallery_alone():
    page = (environment.project_dir() / "docs" / "photos.md").read_text(encoding="utf-8")
    assert "](figures/synthetic-vehicles.png)" in page
    listed = subprocess.run(
        ["git", "ls-files", "docs/figures"],
        cwd=environment.project_dir(),
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0 and listed.stdout:
        files = {
            about["file"]
            for about in figure_files.read_manifest(figure_files.committed_dir())[
                "figures"
            ].values()
        }
        kept = {name.removeprefix("docs/figures/") for name in listed.stdout.split()}
        assert kept == files | {"manifest.json"}


# Published histories


def test_the_figures_of_curves_are_drawn_from_published_histories(
    tmp_path, make_histories, monkeypatch
):
    for name in ("histories.csv", "eight-views-histories.csv"):
        make_histories(tmp_path / name)
    monkeypatch.setattr(published, "results_dir", lambda: tmp_path)
    chosen = [
        entry
        for entry in figure_files.choose_entries()
        if entry.source.endswith("histories.csv") and entry.lesson in ("01", "02")
    ]
    assert len(chosen) == 3
    manifest = figure_files.write_figures(chosen, tmp_path / "out")
    about = manifest["figures"]["curves-with-and-without-augmentation"]
    assert "flip and contrast: of 4 heads 0 died" in about["alt_text"]


def test_histories_are_a_table_by_run_and_epoch(tmp_path, make_histories):
    table = published.read_histories(make_histories(tmp_path / "histories.csv"))
    assert isinstance(table, pd.DataFrame) and table["dead_head"].dtype == bool
    assert list(dict.fromkeys(table["policy"])) == ["none", "flip + contrast"]
    assert set(published.choose_runs(table, "flip + contrast")["views"]) == {8}
    assert set(published.choose_runs(table, "flip + contrast", views=2)["views"]) == {2}


@pytest.mark.parametrize(
    "policy, views, message",
    [
        ("rotation", None, "Expected one of the policies none, flip"),
        ("none", 5, "Expected .views. of 'none' to be one of"),
    ],
)
def test_a_policy_that_was_not_measured_is_refused(
    tmp_path, make_histories, policy, views, message
):
    table = published.read_histories(make_histories(tmp_path / "histories.csv"))
    with pytest.raises(ValueError, match=message):
        published.choose_runs(table, policy, views=views)


def test_histories_of_one_number_of_views_need_no_such_column(tmp_path, make_histories):
    path = make_histories(tmp_path / "histories.csv")
    pd.read_csv(path).query("views != 2").drop(columns="views").to_csv(path, index=False)
    table = published.read_histories(path)
    assert published.choose_runs(table, "none")["seed"].nunique() == 4
    with pytest.raises(ValueError, match="to be None, as in the file, received 8"):
        published.choose_runs(table, "none", views=8)


def spoil_column(table):
    return table.drop(columns="val_loss")


def spoil_value(table):
    return table.assign(val_loss=table["val_loss"].mask(table.index == 4))


def spoil_epoch(table):
    return table.drop(index=1)


def double_run(table):
    return pd.concat([table, table[:3]])


@pytest.mark.parametrize(
    "spoil, message",
    [
        (spoil_column, "none called val_loss"),
        (spoil_value, "received none in row 5"),
        (spoil_epoch, r"Expected the epochs 1 to 3 .* received \[1, 3\]"),
        (double_run, r"received \[1, 1, 2, 2, 3, 3\]"),
    ],
)
def test_histories_that_are_not_whole_are_refused(tmp_path, make_histories, spoil, message):
    path = make_histories(tmp_path / "histories.csv")
    spoil(pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(ValueError, match=message):
        published.read_histories(path)


@pytest.fixture
def make_histories():
    """A function that writes histories of two policies, four seeds and three epochs each; the
    last seed of `none` has a dead head."""

    def make(path):
        random = np.random.default_rng(7)
        rows = []
        for policy, views in (("none", 1), ("flip + contrast", 2), ("flip + contrast", 8)):
            for seed in range(4):
                for epoch in (1, 2, 3):
                    clean, valid, accuracy = random.uniform(0.1, 0.6, 3)
                    dead = policy == "none" and seed == 3
                    row = [policy, views, seed, epoch, clean, valid, accuracy, accuracy - 0.1]
                    rows.append([*row, valid - clean, dead])
        columns = [*published.RUN, "epoch", *published.MEASURED]
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
        return path

    return make
