"""Writes colab.txt, kaggle.txt and lowest.txt: what the named environments hold, dated.

The first two come from lists that Colab and Kaggle publish, cut down to the packages that the
course installs or that would suffer if it changed one; the third from the bounds in pyproject.toml.
latest.txt is what pip chose, on one day, without any constraints.

    python environments/make.py                        # from the lists below
    python environments/make.py --lists FOLDER         # the same three files, downloaded before
    python environments/make.py --latest .venv/bin/python
"""

import argparse
import datetime
import json
import re
import subprocess
import tomllib
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
GITHUB = "https://raw.githubusercontent.com"
COLAB = f"{GITHUB}/googlecolab/backend-info/{{}}/pip-freeze.txt"
KAGGLE = f"{GITHUB}/Kaggle/docker-python/{{}}/kaggle_requirements.txt"
# Address and date of each list; Kaggle's image stands on the second one.
LISTS = {
    "colab": (COLAB.format("a72407924822ea377410b69f0a290150bcb5c9c2"), "2026-08-19"),
    "colab-of-kaggle": (COLAB.format("6f388035049b36c8555cd6467d07059189ea4e3e"), "2026-05-08"),
    "kaggle": (KAGGLE.format("78aaa43f8cc8e6b01bbaa5a56c39b4a2f61a8277"), "2026-08-12"),
}
PYTHONS = {"colab": "3.13", "kaggle": "3.12", "lowest": "3.11"}
# Not the course's, but broken by other versions of NumPy, TensorFlow or protobuf.
WITNESSES = {"numba", "tensorflow-text", "tf-keras"}
# In the Dockerfile of Kaggle's image, after all the rest.
KAGGLE_LAST = {"protobuf": "5.29.5"}
# Kaggle's nbconvert, jupyter-server and ipywidgets want others than Colab's; pip chooses them.
KAGGLE_FREE = {"nbclient", "mistune", "bleach", "widgetsnbextension", "jupyterlab-widgets"}


def main() -> None:
    """Writes the files that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--lists", type=Path, help="folder with colab.txt, … instead of the network"
    )
    parser.add_argument("--latest", help="writes latest.txt alone, as this Python's pip chooses")
    chosen = parser.parse_args()
    if chosen.latest:
        _write_latest(chosen.latest)
        return
    wanted = {*_read_pins((PROJECT / "constraints.txt").read_text(encoding="utf-8")), *WITNESSES}
    lists = {name: _read_pins(_load(name, chosen.lists)) for name in LISTS}
    kaggle = {
        name: pin for name, pin in lists["colab-of-kaggle"].items() if name not in KAGGLE_FREE
    }
    kaggle |= lists["kaggle"] | KAGGLE_LAST
    for name, pins, sources in (
        ("colab", lists["colab"], ["colab"]),
        ("kaggle", kaggle, ["kaggle", "colab-of-kaggle"]),
    ):
        about = "".join(f"# {LISTS[each][0]} ({LISTS[each][1]})\n" for each in sources)
        about = (
            f"# {name.title()}'s image, Python {PYTHONS[name]}, as far as it matters, by\n{about}"
        )
        _write(name, about, {each: pins[each] for each in sorted(wanted & pins.keys())})
    about = f"# The lowest versions that the course runs with, on Python {PYTHONS['lowest']}.\n"
    _write("lowest", about, _read_bounds())


def _load(name: str, folder: Path | None) -> str:
    if folder:
        return (folder / f"{name}.txt").read_text(encoding="utf-8")
    with urllib.request.urlopen(LISTS[name][0], timeout=60) as page:
        return page.read().decode()


def _read_pins(text: str) -> dict[str, str]:
    """Returns the versions of all lines `name==version`, by normalized name."""
    pins = re.findall(r"^([\w.-]+)==v?([\w.+-]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def _read_bounds() -> dict[str, str]:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    lines = tomllib.loads(text)["project"]["dependencies"]
    return dict(sorted(line.split(">=") for line in lines))


def _write_latest(python: str) -> None:
    words = ["install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    words = [python, "-m", "pip", *words, "-r", "requirements.txt"]
    ended = subprocess.run(words, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    report = json.loads(ended.stdout)
    chosen = [each["metadata"] for each in report["install"] if not each.get("is_direct")]
    version = report["environment"]["python_full_version"]
    today = datetime.date.today().isoformat()
    about = f"# What pip chose without constraints on {today}, Python {version}.\n"
    pins = {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in chosen}
    _write("latest", about, dict(sorted(pins.items())))


def _write(name: str, about: str, pins: dict[str, str]) -> None:
    made = "# Made by environments/make.py; do not edit.\n"
    lines = [f"{package}=={version}\n" for package, version in pins.items()]
    (HERE / f"{name}.txt").write_text(about + made + "".join(lines), encoding="utf-8")
    print(f"{name}.txt: {len(pins)} packages")


if __name__ == "__main__":
    main()
