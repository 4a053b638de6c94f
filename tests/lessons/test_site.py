"""The static site: complete, without a kernel, and without another host."""

import json
import re
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from course_utils.augmentation.catalogue import CATALOGUE
from course_utils.core import environment
from course_utils.lessons import first_cell, site
from course_utils.lessons.frames import EPOCHS, STRENGTHS, list_frames
from course_utils.lessons.notebooks import list_lessons

FRAMES = site.site_dir() / "frames"
ABOUT = json.loads((FRAMES / "frames.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "source"
    site.lay_out(folder)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    for name in site.BUILDERS:
        pytest.importorskip(name)
    return site.build_site(tmp_path_factory.mktemp("built") / "site").parent


@pytest.mark.slow
def test_each_lesson_and_page_has_its_page(built):
    for path in list_lessons().values():
        assert (built / path.relative_to(environment.project_dir())).with_suffix(".html").is_file()
    for name in ("index", "try-it", "README", "docs/stored-features", "CONTRIBUTING"):
        assert (built / f"{name}.html").is_file()
    assert (built / "searchindex.js").is_file()


def test_no_page_asks_another_host_for_anything(built):
    asked = re.compile(
        r"""<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=["'](?:https?:)?//"""
    )
    for page in built.rglob("*.html"):
        assert not asked.search(page.read_text("utf-8")), page
    for sheet in built.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)[\s\"']*(?:https?:)?//", sheet.read_text("utf-8"))


def test_pictures_of_lessons_have_alternative_texts(built):
    pictures = 0
    for page in (built / "notebooks").rglob("*.html"):
        for picture in re.findall(r"<img\b[^>]*_images/[^>]*>", page.read_text("utf-8")):
            alt = re.search(r'alt="([^"]*)"', picture)
            assert alt and alt[1] and "_images" not in alt[1], (page, picture[:200])
            pictures += 1
    assert pictures > 20


def test_guards_and_live_widgets_are_left_out(source):
    tags = set()
    for path in source.glob("notebooks/**/*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            tags |= set(cell.metadata.get("tags", ()))
            assert not any(
                site.WIDGET in output.get("data", ()) for output in cell.get("outputs", ())
            )
    assert not tags & site.HIDDEN


def test_a_lesson_opens_where_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(first_cell, "ADDRESS", "https://github.com/someone/kit")
    site.lay_out(tmp_path / "source")
    lesson = nbformat.read(tmp_path / "source/notebooks/02-data-augmentation.ipynb", as_version=4)
    first = lesson.cells[0].source
    path = "someone/kit/blob/main/notebooks/02-data-augmentation.ipynb"
    assert f"(https://colab.research.google.com/github/{path})" in first
    assert f"src=https://github.com/{path})" in first
    assert (
        "mybinder.org/v2/gh/someone/kit/main?labpath=notebooks/02-data-augmentation.ipynb" in first
    )
    license_link = "https://github.com/someone/kit/blob/main/LICENSE"
    assert license_link in (tmp_path / "source/README.md").read_text("utf-8")


def test_other_files_are_not_removed(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="other files"):
        site.build_site(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_missing_frames_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "site_dir", lambda: tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="site --frames"):
        site.lay_out(tmp_path / "source")


# The explorer's frames


def test_every_setting_has_its_frame():
    found = {
        (each["photo"], each["control"], each["place"], each["epoch"]) for each in ABOUT["frames"]
    }
    wanted = {
        (photo, frame.control, frame.place, frame.epoch)
        for photo in range(len(ABOUT["photos"]))
        for frame in list_frames()
    }
    assert found == wanted
    assert all((FRAMES / each["file"]).is_file() for each in ABOUT["frames"])
    assert all(len(each["truck"]) == 16 for each in ABOUT["frames"])


def test_frames_are_few_and_light():
    assert sum(path.stat().st_size for path in FRAMES.iterdir()) < 6e6
    used = {each["file"] for each in ABOUT["frames"]} | {"frames.json"}
    assert {path.name for path in FRAMES.iterdir()} == used


def test_sliders_stop_often_enough_and_within_the_catalogue():
    for name, strengths in STRENGTHS.items():
        assert strengths[0] == CATALOGUE[name].neutral and len(set(strengths)) == len(strengths)
        assert CATALOGUE[name].choices or len(strengths) >= 9
    assert EPOCHS >= 3


def test_code_and_words_are_the_kits_own():
    stops = {control["name"]: control["stops"] for control in ABOUT["controls"]}
    for frame in list_frames():
        stop = stops[frame.control][frame.place]
        assert stop["code"] == frame.augmentation.code()
        assert stop["words"] == frame.augmentation.describe()


def test_a_frame_is_what_the_layers_make():
    """Flips move pixels and nothing else, so that compressed frames can be held against them."""

    def views(place, photo):
        file = next(
            each["file"]
            for each in ABOUT["frames"]
            if (each["control"], each["place"], each["photo"]) == ("flip", place, photo)
        )
        side = 132
        grid = np.asarray(Image.open(FRAMES / file).convert("RGB"), "float32") / 255
        cells = [(row, column) for row in range(4) for column in range(4)]
        return np.stack(
            [grid[r * side + 2 : r * side + 130, c * side + 2 : c * side + 130] for r, c in cells]
        )

    for photo in range(len(ABOUT["photos"])):
        original, mirrored = views(0, photo), views(1, photo)
        same = np.abs(mirrored - original).mean((1, 2, 3))
        turned = np.abs(mirrored - original[:, :, ::-1]).mean((1, 2, 3))
        assert (np.minimum(same, turned) < 0.02).all()
        assert 0 < (turned < same).sum() < 16


def test_the_strip_shows_what_its_captions_say(source):
    pictures = {
        path.stem: np.asarray(Image.open(path), "float32")
        for path in (source / "_static" / "strip").iterdir()
    }
    page = (source / "index.md").read_text("utf-8")
    assert set(re.findall(r"strip/(\w+)\.webp", page)) == set(pictures)
    photo = pictures["photo"]
    assert np.abs(pictures["flip"] - photo[:, ::-1]).mean() < 6
    assert pictures["brightness"].mean() > photo.mean() + 20
    assert pictures["contrast"].std() < 0.7 * photo.std()
    edge = np.abs(pictures["zoom"][:8] - photo[:8]).mean()
    assert edge > 50  # Closer: the black bars are out of the picture.


def test_the_plot_says_what_its_numbers_show():
    plots = site._read_sensitivity()
    for plot in plots.values():
        without, augmented = map(np.array, plot["curves"].values())
        gains = dict(zip(plot["strengths"], augmented - without, strict=True))
        best = max(gains, key=gains.get)
        said = f"{best * plot['scale']:+.0f}{plot['unit']}".replace("-", "−")
        assert f"helps most at {said}: " in plot["says"]
    assert "no clear difference" in plots["contrast"]["says"]
    assert "costs accuracy" in plots["rotation"]["says"]
    # A head that gives one class for every photo would have an accuracy near one half.
    assert all(10 < plot["models"] < 20 for plot in plots.values())


def test_a_sentence_claims_no_gain_that_is_not_there():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(0.8, 0.05, (20, 3)), columns=[-1.0, 0.0, 1.0])
    words = (table, table[::-1].reset_index(drop=True) - 0.03, "flips", 100, "%")
    assert "No strength shows" in site._compare_curves(*words)


def test_the_player_is_short_and_its_text_is_never_markup():
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\("
    for name in ("explorer.js", "plot.js"):
        script = (site.site_dir() / name).read_text("utf-8")
        assert len(script.splitlines()) <= 350
        assert not re.search(markup, script)
        node = shutil.which("node")
        if node:
            subprocess.run([node, "--check", site.site_dir() / name], check=True)


@pytest.mark.slow
def test_the_command_says_where_the_site_is(built, tmp_path):
    words = [sys.executable, "-m", "course_utils", "site", "--out", str(tmp_path / "out")]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0 and str(tmp_path / "out" / "index.html") in ended.stdout
