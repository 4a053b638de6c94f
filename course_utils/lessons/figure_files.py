"""Writes the figures with their manifest, and compares them with the committed ones."""

import base64
import hashlib
import html
import importlib.metadata
import io
import json
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

from course_utils.core import environment, settings
from course_utils.core.checks import check_choice
from course_utils.core.files import atomic_write
from course_utils.data import dataset
from course_utils.data.synthetic.dataset import VERSION
from course_utils.lessons import published
from course_utils.lessons.gallery import FIGURES, NOTHING, PHOTOS, Entry

MANIFEST = "manifest.json"
LICENSE = (
    "The figures and the synthetic vehicles in them: MIT, as the course kit (LICENSE in the "
    "project's folder)."
)
PACKAGES = ("matplotlib", "numpy", "pandas", "pillow", "keras", "tensorflow")
# Pictures are compared by the mean colors of patches of 8 × 8 pixels. Rounding and the smoothing of
# letters, which differ between machines, average out there; of a dot in another color, however
# small beside the figure, enough is left.
PATCH = 8
TOLERANCE = 8  # of 255, in any color of any patch


def committed_dir() -> Path:
    """Returns the folder of the committed figures.

    Example:
        >>> committed_dir().parts[-2:]
        ('docs', 'figures')
    """
    return environment.project_dir() / "docs" / "figures"


def choose_entries(name: str | None = None) -> list[Entry]:
    """Returns the figures that can be drawn here, and says which have no results to draw from.

    Args:
        name: The one wanted; all where it is `None`.

    Raises:
        ValueError: If there is no such figure.
        FileNotFoundError: If its results are missing.

    Example:
        >>> [entry.lesson for entry in choose_entries("where-augmentation-runs")]
        ['docs']
    """
    if name is not None:
        check_choice("figure", name, FIGURES)
    chosen = list(FIGURES.values()) if name is None else [FIGURES[name]]
    missing = [entry for entry in chosen if not _has_source(entry)]
    if missing:
        files = ", ".join(sorted({f"data/results/{entry.source}" for entry in missing}))
        names = ", ".join(entry.name for entry in missing)
        line = f"LEFT OUT, because {files} is not there: {names}."
        if name is not None:
            raise FileNotFoundError(line)
        print(line, flush=True)
    return [entry for entry in chosen if entry not in missing]


def _has_source(entry: Entry) -> bool:
    return entry.source in (NOTHING, PHOTOS) or (published.results_dir() / entry.source).is_file()


def write_figures(
    entries: Sequence[Entry],
    folder: Path,
    *,
    photos: str | Path = environment.SYNTHETIC,
    file_format: str = "png",
) -> dict:
    """Draws figures into a folder and writes manifest.json beside them.

    The manifest keeps what it says of figures that are not drawn now.

    Args:
        entries: The figures.
        folder: Where they go.
        photos: The folder or archive of the photos, or `"synthetic"`.
        file_format: `"png"`, `"svg"` or `"pdf"`.

    Returns:
        The manifest: `license`, `versions`, and `figures` by name, each with lesson, file, title,
        alt text, seed, data and SHA-256.

    Raises:
        ValueError: If real photos were to go among the committed figures.

    Example:
        >>> with tempfile.TemporaryDirectory() as name:
        ...     manifest = write_figures(choose_entries("where-augmentation-runs"), Path(name))
        >>> manifest["figures"]["where-augmentation-runs"]["file"]
        'where-augmentation-runs.png'
    """
    if str(photos) != environment.SYNTHETIC and folder.resolve() == committed_dir().resolve():
        raise ValueError(
            f"Expected figures of synthetic vehicles for {folder}, which is committed, received "
            f"photos from {photos}. Name another folder with --out."
        )
    chosen = settings.load_settings("quick")
    sources = _Sources(chosen, photos)
    described = read_manifest(folder)["figures"] if (folder / MANIFEST).is_file() else {}
    for entry in entries:
        values, about = sources.load(entry.source)
        fig = entry.draw(*values)
        content = fig.to_bytes(file_format)
        path = folder / f"{entry.name}.{file_format}"
        with atomic_write(path) as beside:
            beside.write_bytes(content)
        described[entry.name] = {
            "lesson": entry.lesson,
            "file": path.name,
            "title": fig.title,
            "alt_text": fig.alt_text,
            **about,
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    synthetic = str(photos) == environment.SYNTHETIC
    manifest = {
        "license": LICENSE if synthetic else f"{LICENSE} Photos in them: as their source says.",
        "versions": _list_versions(),
        "figures": {name: described[name] for name in FIGURES if name in described},
    }
    with atomic_write(folder / MANIFEST) as beside:
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        beside.write_text(f"{text}\n", encoding="utf-8")
    return manifest


class _Sources:
    """What figures are drawn from, each loaded once."""

    def __init__(self, chosen: settings.Settings, photos: str | Path):
        self._chosen = chosen
        self._photos = photos
        self._loaded: dict[str, tuple[tuple, Mapping]] = {}

    def load(self, source: str) -> tuple[tuple, Mapping]:
        """Returns what a figure's function receives, and what the manifest says of it."""
        if source not in self._loaded:
            self._loaded[source] = self._load(source)
        return self._loaded[source]

    def _load(self, source: str) -> tuple[tuple, Mapping]:
        seed = self._chosen.seed
        if source == NOTHING:
            data = f"Synthetic vehicles from the course kit, version {VERSION}."
            return (), {"seed": seed, "data": data}
        if source == PHOTOS:
            splits = dataset.load_car_or_truck(self._chosen, folder=self._photos)
            digest = hashlib.sha256(splits.train.keys.tobytes()).hexdigest()
            return (splits,), {"seed": seed, "data": splits.source, "data_sha256": digest}
        path = published.results_dir() / source
        table = published.load_results(path.stem)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        # What is a mean over seeds already has the seed of its halves and resamples alone.
        seeds = sorted(map(int, table["seed"].unique())) if "seed" in table else seed
        return (table,), {"seed": seeds, "data": f"data/results/{source}", "data_sha256": digest}


def read_manifest(folder: Path) -> dict:
    """Returns the manifest of a folder of figures.

    Args:
        folder: As `write_figures` leaves it.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is damaged.

    Example:
        >>> sorted(read_manifest(committed_dir()))
        ['figures', 'versions']
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return {"versions": dict(manifest["versions"]), "figures": dict(manifest["figures"])}
    except (json.JSONDecodeError, LookupError, TypeError) as error:
        raise ValueError(
            f"Expected the manifest that the command figures writes in {path}, received something "
            f"else ({error}). Delete it and draw the figures again."
        ) from error


def _list_versions() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **versions}


@dataclass(frozen=True)
class Drift:
    """A figure that is not as it was committed.

    Args:
        name: Of the figure.
        why: In words.
        pictures: PNG bytes by what they show: "committed", "now", "difference", as far as there
            are.
        alt_text: Of the figure as it is now.
    """

    name: str
    why: str
    pictures: Mapping[str, bytes]
    alt_text: str = ""


def find_drift(entries: Sequence[Entry], *, complete: bool = True) -> list[Drift]:
    """Draws figures again and compares them with the committed ones.

    Args:
        entries: The figures.
        complete: Whether they are all there are: then a committed figure that is not among them
            has drifted as well.

    Example:
        >>> find_drift(choose_entries("where-augmentation-runs"), complete=False)
        []
    """
    committed = read_manifest(committed_dir())["figures"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        now = write_figures(entries, folder)["figures"]
        drifts = [_compare(name, committed.get(name), now[name], folder) for name in now]
    drifts += [
        Drift(name, "It is committed, but no function draws it here.", {})
        for name in committed
        if complete and name not in now
    ]
    return [drift for drift in drifts if drift]


def _compare(name: str, committed: dict | None, now: dict, folder: Path) -> Drift | None:
    drawn = folder / now["file"]
    old = committed_dir() / (committed or now)["file"]
    alt_text = now["alt_text"]
    pictures = {"now": drawn.read_bytes()}
    if committed is None or not old.is_file():
        return Drift(name, "It is not committed yet.", pictures, alt_text)
    pictures = {"committed": old.read_bytes(), **pictures}
    sizes = [
        " × ".join(map(str, Image.open(io.BytesIO(picture)).size)) for picture in pictures.values()
    ]
    if sizes[0] != sizes[1]:
        why = f"Its size has changed from {sizes[0]} to {sizes[1]} pixels."
        return Drift(name, why, pictures, alt_text)
    largest, difference = compare_pictures(pictures["committed"], pictures["now"])
    if largest > TOLERANCE:
        pictures["difference"] = difference
        why = f"A patch of its pixels differs by {largest} of 255, {TOLERANCE} being allowed."
        return Drift(name, why, pictures, alt_text)
    if committed["alt_text"] != alt_text:
        why = f"Its alt text has changed from “{committed['alt_text']}” to “{alt_text}”"
        return Drift(name, why, pictures, alt_text)
    return None


def compare_pictures(old: bytes, new: bytes) -> tuple[int, bytes]:
    """Returns how much two pictures differ, and a picture of the difference.

    Args:
        old: A PNG file.
        new: Another one.

    Returns:
        The largest difference between the mean colors of patches of 8 × 8 pixels, from 0 to 255;
        and the difference of each pixel, ten times as bright, as a PNG file. Pictures of
        different sizes differ by 255.

    Example:
        >>> from course_utils.figures.base import DescribedFigure
        >>> white, black = (DescribedFigure(title="A", facecolor=color).to_png() for color in "wk")
        >>> compare_pictures(white, white)[0], compare_pictures(white, black)[0]
        (0, 255)
    """
    pictures = [Image.open(io.BytesIO(content)).convert("RGB") for content in (old, new)]
    patches = ImageChops.difference(*(picture.reduce(PATCH) for picture in pictures))
    same_size = pictures[0].size == pictures[1].size
    largest = max(high for _, high in patches.getextrema()) if same_size else 255
    stream = io.BytesIO()
    ImageChops.difference(*pictures).point(lambda value: 10 * value).save(stream, "png")
    return largest, stream.getvalue()


def write_page(drifts: Sequence[Drift], path: Path) -> Path:
    """Writes one page that shows, for each figure, the committed, the new and the difference.

    Args:
        drifts: The figures.
        path: Of the page.

    Returns:
        The path.

    Example:
        >>> with tempfile.TemporaryDirectory() as name:
        ...     page = write_page([Drift("line", "It is not committed yet.", {})], Path(name, "a"))
        ...     print("<h2>line</h2>" in page.read_text(encoding="utf-8"))
        True
    """
    with atomic_write(path) as beside:
        beside.write_text("\n".join(_lines_of_page(drifts)), encoding="utf-8")
    return path


def _lines_of_page(drifts: Sequence[Drift]) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><title>Figures that drifted</title>'
    yield "<style>body{font:16px/1.5 sans-serif;margin:2em}.row{display:flex;gap:1em}"
    yield "figure{flex:1;margin:0}img{width:100%;border:1px solid #888}</style>"
    yield f"<h1>{len(drifts)} figures are not as committed</h1>"
    for drift in drifts:
        yield f"<h2>{html.escape(drift.name)}</h2><p>{html.escape(drift.why)}</p><div class='row'>"
        for what, picture in drift.pictures.items():
            alt = html.escape(f"{drift.name}, {what}. {drift.alt_text}", quote=True)
            encoded = base64.b64encode(picture).decode("ascii")
            yield f'<figure><img alt="{alt}" src="data:image/png;base64,{encoded}">'
            yield f"<figcaption>{what}</figcaption></figure>"
        yield "</div>"
    yield "</html>"
