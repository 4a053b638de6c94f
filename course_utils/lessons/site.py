"""The course as a static site: lessons as they were committed, pages, results, and an explorer.

Nothing is executed, and a page asks no other host for anything when it is opened. Sphinx with
MyST-NB builds it (`pip install -e .[docs]`). docs/site holds its settings, styles and the explorer
that plays the frames which `frames` makes.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import nbformat
import numpy as np
from PIL import Image

from course_utils.augmentation.explorer.pictures import BORDER, COLUMNS
from course_utils.core import environment
from course_utils.core.files import check_writable
from course_utils.evaluation.statistics import t_interval
from course_utils.lessons import first_cell, published
from course_utils.lessons.notebooks import GUARD, list_lessons

# By heading: the pages below it, in order, as patterns from the project's folder.
PAGES = {
    "Lessons": ("notebooks/[0-9]*.ipynb",),
    "Exercises": ("notebooks/exercises/[0-9]*.ipynb",),
    "Pages": ("README.md", "docs/*.md", "data/README.md", "data/results/README.md"),
    "For contributors": ("CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/RESULTS.md"),
}
LEFT_OUT = ("docs/README.md",)  # an index of files; the site has its own
HIDDEN = {GUARD, first_cell.TAG}  # tags of cells that a reader does not need
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
BUILDERS = ("sphinx", "myst_nb", "furo", "sphinx_copybutton")
WIDGET = "application/vnd.jupyter.widget-view+json"
# By transformation: the policy that the explorer's plot compares with none, what to call its
# changes, the title of the axis, and how strengths are shown.
SENSITIVITY = {
    "contrast": (
        "flip + contrast",
        "flips and contrast",
        "contrast of every test photo (− paler, + stronger)",
        100,
        "%",
    ),
    "rotation": ("geometry", "flips, turns, shifts and zoom", "turn of every test photo", 1, "°"),
}
# By change: the strength that the first page's strip of pictures shows.
STRIP = {"flip": "horizontal", "rotation": 15.0, "zoom": 0.3, "brightness": 0.4, "contrast": 0.6}
STRIP_PHOTO = "Truck"


def build_site(out: Path) -> Path:
    """Builds the site.

    Args:
        out: Its folder, which is replaced if this command made it.

    Returns:
        The path of its first page.

    Raises:
        FileNotFoundError: If the frames of the explorer have not been made.
        ValueError: If something else is in the folder.
        RuntimeError: If Sphinx or an extension of it is not installed, or if it warns or fails; the
            message says what to do.
    """
    missing = [name for name in BUILDERS if not importlib.util.find_spec(name)]
    if missing:
        raise RuntimeError(
            f"Building the site needs {', '.join(missing)}: run pip install -e .[docs]"
        )
    if out.is_dir() and any(out.iterdir()) and not (out / ".buildinfo").is_file():
        raise ValueError(
            f"Expected {out} to be empty or a site that this command built, found other files in "
            "it. Choose another folder with --out."
        )
    check_writable(out)
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        lay_out(source)
        words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
        ended = subprocess.run(
            [*words, str(source), str(built)],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
        )
        if ended.returncode:
            words = ended.stderr.replace(f"{source}{os.sep}", "")
            raise RuntimeError(f"Sphinx found something to fix:\n{words}")
        shutil.rmtree(built / ".doctrees", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(built, out)
    return out / "index.html"


def lay_out(source: Path) -> None:
    """Writes what Sphinx reads: pages and notebooks in the project's own tree, and the settings.

    Args:
        source: A folder that does not exist yet.

    Raises:
        FileNotFoundError: If the frames of the explorer have not been made.
    """
    project, settings = environment.project_dir(), site_dir()
    frames = settings / "frames"
    if not (frames / "frames.json").is_file():
        raise FileNotFoundError(
            f"Expected the explorer's frames in {frames}, found none. Make them once: "
            "python -m course_utils site --frames"
        )
    groups = {title: _find_pages(project, patterns) for title, patterns in PAGES.items()}
    pages = {page for group in groups.values() for page in group}
    for page in sorted(pages):
        (source / page).parent.mkdir(parents=True, exist_ok=True)
        write = _copy_notebook if page.suffix == ".ipynb" else _copy_page
        write(project, page, source, pages)
    tables = "".join(_write_contents(title, group) for title, group in groups.items())
    index = (settings / "index.md").read_text("utf-8")
    (source / "index.md").write_text(
        f"{index}\n{_write_contents('', [Path('try-it.md')])}{tables}", "utf-8"
    )
    for name in ("conf.py", "try-it.md"):
        shutil.copyfile(settings / name, source / name)
    static = source / "_static"
    shutil.copytree(frames, static / "frames")
    _write_strip(frames, static / "strip")
    for name in ("explorer.js", "plot.js", "explorer.css", "site.css", "favicon.svg"):
        shutil.copyfile(settings / name, static / name)
    (static / "frames" / "sensitivity.json").write_text(json.dumps(_read_sensitivity()), "utf-8")


def site_dir() -> Path:
    """Returns the folder of the site's settings, styles and frames."""
    return environment.project_dir() / "docs" / "site"


def _find_pages(project: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = [page for pattern in patterns for page in sorted(project.glob(pattern))]
    below = [page.relative_to(project) for page in found]
    return [page for page in below if page.as_posix() not in LEFT_OUT]


def _write_contents(title: str, pages: list[Path]) -> str:
    listed = "\n".join(map(_write_entry, pages))
    caption = f":caption: {title}\n" if title else ""
    return f"\n```{{toctree}}\n:hidden:\n:maxdepth: 1\n{caption}\n{listed}\n```\n"


def _write_entry(page: Path) -> str:
    """Returns a page's line in a table of contents; a lesson's has its number."""
    name = page.with_suffix("").as_posix()
    if page.suffix != ".ipynb":
        return name
    notebook = nbformat.read(environment.project_dir() / page, as_version=4)
    heading = notebook.cells[0].source.partition("\n")[0].lstrip("# ")
    number = page.name[:2]
    return name if number in heading else f"{number} {heading} <{name}>"


def _copy_page(project: Path, page: Path, source: Path, pages: set[Path]) -> None:
    text = (project / page).read_text("utf-8")
    (source / page).write_text(_turn_links(text, project, page, source, pages), "utf-8")


def _copy_notebook(project: Path, page: Path, source: Path, pages: set[Path]) -> None:
    """Writes a notebook without the cells that only guard it, and with its pictures' alt texts."""
    notebook = nbformat.read(project / page, as_version=4)
    notebook.cells = [
        cell for cell in notebook.cells if not HIDDEN & set(cell.metadata.get("tags", ()))
    ]
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE) or [heading])[-1]
            cell.source = _turn_links(cell.source, project, page, source, pages)
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                # A lesson that draws without the kit has no text for its pictures.
                said = output.get("metadata", {}).get("image/png", {}).get("alt")
                alt = " ".join((said or f"A picture of the section {heading}").split())
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
            output.get("data", {}).pop(WIDGET, None)
    notebook.cells[0].source += f"\n\n{_link_runners(page)}"
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, source / page)


def _link_runners(page: Path) -> str:
    """Returns links that open a notebook where it runs, or the command that runs it here."""
    number = next(
        number
        for number, path in list_lessons().items()
        if path == environment.project_dir() / page
    )
    here = f"On your machine: `python -m course_utils run {number}`"
    address = _find_repository()
    if not address:
        return here
    name, path = address.removeprefix("https://github.com/"), quote(page.as_posix())
    links = {
        "Open in Colab": f"https://colab.research.google.com/github/{name}/blob/main/{path}",
        "Open in Kaggle": f"https://kaggle.com/kernels/welcome?src={address}/blob/main/{path}",
        "Open in Binder": f"https://mybinder.org/v2/gh/{name}/main?labpath={path}",
    }
    return " · ".join([*(f"[{text}]({link})" for text, link in links.items()), here])


def _find_repository() -> str:
    """Returns the repository's address; nothing where it still is a placeholder."""
    return "" if "/OWNER/" in first_cell.ADDRESS else first_cell.ADDRESS


def _turn_links(text: str, project: Path, page: Path, source: Path, pages: set[Path]) -> str:
    """Returns text whose links to files lead to a page of the site, a copy, or the repository."""

    def turn(found: re.Match) -> str:
        picture, words, target, anchor = found.groups()
        if ":" in target or target.startswith("#"):
            return found[0]
        file = Path(os.path.normpath(project / page.parent / target))
        if not file.is_relative_to(project) or not file.exists():
            return found[0]
        below = file.relative_to(project)
        if below in pages:
            return found[0]
        if picture:
            (source / below).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, source / below)
            return found[0]
        address = _find_repository()
        return f"[{words}]({address}/blob/main/{quote(below.as_posix())})" if address else words

    return LINK.sub(turn, text)


def _read_sensitivity() -> dict[str, dict]:
    """Returns mean accuracies by transformation and strength, for the explorer's plot."""
    table = published.load_results("sensitivity")
    found = {}
    for name, (policy, words, axis, scale, unit) in SENSITIVITY.items():
        rows = table[(table["transformation"] == name) & table["policy"].isin(("none", policy))]
        dead = rows.loc[rows["dead_head"].astype(bool), "seed"].unique()
        # A run whose ReLUs died gives one class for every photo: it says nothing of augmentation.
        pairs = rows[~rows["seed"].isin(dead)].pivot(
            index="seed", columns=["policy", "strength"], values="accuracy"
        )
        found[name] = {
            "strengths": pairs["none"].columns.tolist(),
            "curves": {
                "trained without augmentation": pairs["none"].mean().round(4).tolist(),
                f"trained with {words}": pairs[policy].mean().round(4).tolist(),
            },
            "says": _compare_curves(pairs["none"], pairs[policy], words, scale, unit),
            "models": len(pairs),
            "axis": axis,
            "scale": scale,
            "unit": unit,
        }
    return found


def _compare_curves(without, augmented, words: str, scale: float, unit: str) -> str:
    """Returns a sentence on where training with augmentation helps most, and one on its price.

    Args:
        without: Accuracies of the models trained without augmentation, seeds by strengths.
        augmented: Those of the models trained with it.
        words: What they were trained with.
        scale: From a strength to the unit.
        unit: The sign after a strength.
    """
    gains = augmented - without
    best = gains.mean().idxmax()
    if t_interval(gains[best].to_numpy()).low <= 0:
        return f"No strength shows that training with {words} helps."
    unchanged = t_interval(gains[0].to_numpy())
    if not unchanged.excludes_zero:
        price = "makes no clear difference"
    else:
        price = "helps too" if unchanged.mean > 0 else "costs accuracy"
    where = f"{best * scale:+.0f}{unit}".replace("-", "−")
    ours, theirs = augmented.mean(), without.mean()
    return (
        f"Training with {words} helps most at {where}: {ours[best]:.0%} correct answers instead of "
        f"{theirs[best]:.0%}. On unchanged photos it {price} ({ours[0]:.0%} and {theirs[0]:.0%})."
    )


def _write_strip(frames: Path, folder: Path) -> None:
    """Writes a photo of the explorer and, for some changes, the view that differs most from it."""
    about = json.loads((frames / "frames.json").read_text("utf-8"))
    photo = [each["label"] for each in about["photos"]].index(STRIP_PHOTO)
    stops = {
        control["name"]: [stop["value"] for stop in control["stops"]]
        for control in about["controls"]
    }
    files = {
        (each["control"], each["place"]): each["file"]
        for each in about["frames"]
        if each["photo"] == photo and each["epoch"] == 1
    }

    def cut(control, value):
        with Image.open(frames / files[control, stops[control].index(value)]) as grid:
            pixels = np.asarray(grid.convert("RGB"))
        side = len(pixels) // COLUMNS
        cells = pixels.reshape(COLUMNS, side, COLUMNS, side, 3).swapaxes(1, 2)
        return cells.reshape(-1, side, side, 3)[:, BORDER:-BORDER, BORDER:-BORDER]

    original = cut("flip", None)[0]
    pictures = {"photo": original}
    for control, value in STRIP.items():
        views = cut(control, value)
        away = np.abs(views.astype("float32") - original).mean((1, 2, 3))
        pictures[control] = views[away.argmax()]
    folder.mkdir()
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.webp", quality=90)
