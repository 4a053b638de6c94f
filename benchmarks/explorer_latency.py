"""How long from a key press to the new grid: the explorer, and interact with Matplotlib.

Both run in the same JupyterLab and the same browser, taking turns, on the same sixteen views of
128 x 128 with flip, rotation and contrast. It needs JupyterLab, Playwright and Chromium.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import Row, median_ratio
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))
from conftest import ARGUMENTS, BROWSERS, start_lab  # noqa: E402

SET_UP = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from types import SimpleNamespace
import ipywidgets, matplotlib.pyplot as plt, numpy as np
from course_utils.augmentation.policy import Augmentation
from course_utils.augmentation.explorer.widget import AugmentationExplorer
from course_utils.data.synthetic.dataset import make_synthetic_vehicles

images, labels, _ = make_synthetic_vehicles(16, seed=31415)
train = SimpleNamespace(count=16, labels=labels, read=lambda positions: images[positions])
splits = SimpleNamespace(train=train, class_names=("Car", "Truck"))
"""
EXPLORER = """
explorer = AugmentationExplorer(splits, Augmentation(flip="horizontal", rotation=20, contrast=0.5))
explorer
"""
INTERACT = """
import keras

def show(rotation=20.0, contrast=0.5):
    layers = [
        keras.layers.RandomFlip("horizontal", seed=1),
        keras.layers.RandomRotation(rotation / 360, fill_mode="constant", seed=2),
        keras.layers.RandomContrast((contrast, contrast), value_range=(0, 1), seed=3),
    ]
    views = np.repeat(images[:1], 16, axis=0)
    for layer in layers:
        views = layer(views, training=True)
    fig, axes = plt.subplots(4, 4, figsize=(5.4, 5.4))
    for ax, view in zip(axes.flat, np.asarray(views)):
        ax.imshow(view)
        ax.axis("off")
    plt.show()

ipywidgets.interact(show, rotation=(0.0, 180.0, 5.0), contrast=(0.0, 1.0, 0.05));
"""
PRESSES, ROUNDS = 10, 3
# Resolves with the milliseconds from the key press to the frame after the new picture is decoded.
TIME_ONE_PRESS = """
([picture, slider, key]) => new Promise((resolve, reject) => {
    const handle = document.querySelectorAll(slider)[0];
    const before = document.querySelector(picture).src;
    handle.focus();
    const started = performance.now();
    handle.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    const look = () => {
        const found = document.querySelector(picture);
        if (found && found.src !== before && found.complete && found.naturalWidth) {
            found.decode().catch(() => null).then(() => requestAnimationFrame(() =>
                setTimeout(() => resolve(performance.now() - started))));
        } else if (performance.now() - started > 10000) {
            reject(new Error('no new picture within 10 s'));
        } else {
            setTimeout(look, 1);
        }
    };
    look();
})
"""
# Presses a key every 30 ms, as a held key does; resolves with the milliseconds from the last
# press to the last new picture.
TIME_HELD_KEY = """
([picture, slider, presses]) => new Promise(resolve => {
    const handle = document.querySelectorAll(slider)[0];
    handle.focus();
    let source = document.querySelector(picture).src, changed = 0, last = 0, pressed = 0;
    const look = setInterval(() => {
        const found = document.querySelector(picture);
        if (found && found.src !== source && found.complete && found.naturalWidth) {
            source = found.src;
            changed = performance.now();
        }
    }, 1);
    const press = setInterval(() => {
        const key = pressed < presses / 2 ? 'ArrowRight' : 'ArrowLeft';
        handle.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
        last = performance.now();
        if (++pressed === presses) {
            clearInterval(press);
            setTimeout(() => { clearInterval(look); resolve(Math.max(0, changed - last)); }, 2500);
        }
    }, 30);
})
"""
TITLES = ("rotation", "contrast")  # Playwright finds them with a capital too
KINDS = {
    "explorer": (EXPLORER, ".augmentation-explorer .ax-stack img"),
    "interact + Matplotlib": (INTERACT, ".widget-interact .jp-OutputArea img"),
}


def find_slider(page, title: str) -> str:
    """Marks the slider with this title and returns a selector for its handle."""
    page.locator(".widget-hslider", has_text=title).first.evaluate(
        "(one, name) => one.setAttribute('data-benchmark', name)", title
    )
    return f"[data-benchmark='{title}'] .noUi-handle"


def _time_page(lab, browser, kind: str) -> tuple[dict[str, np.ndarray], float]:
    """Returns latencies in milliseconds, one array for each slider, and that of a held key."""
    cell, picture = KINDS[kind]
    name = f"{kind.split()[0]}.ipynb"
    lab.write_notebook(name, [SET_UP, cell])
    page = browser.new_page(viewport={"width": 1400, "height": 1100})
    page.set_default_timeout(120_000)
    lab.open_notebook(page, name)
    lab.run_all_cells(page)
    page.wait_for_selector(picture)
    closed = page.locator(".augmentation-explorer .ax-fold:not(.mod-active)")
    closed.evaluate_all("folds => folds.forEach(fold => fold.click())")
    page.wait_for_timeout(2000)
    found = {}
    for title in TITLES:
        slider = find_slider(page, title)
        times = []
        for press in range(PRESSES + 5):
            key = "ArrowRight" if press % 2 else "ArrowLeft"
            times.append(page.evaluate(TIME_ONE_PRESS, [picture, slider, key]))
            page.wait_for_timeout(300)
        found[title] = np.array(times[5:])  # the first ones fill caches
    held = page.evaluate(TIME_HELD_KEY, [picture, slider, 30])
    page.close()
    return found, held


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns rows for both, each slider and a held key.

    Raises:
        FileNotFoundError: If there is no Chromium.
    """
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        raise FileNotFoundError(
            f"Expected one of {', '.join(BROWSERS)}, found none: apt-get install chromium."
        )
    found = {kind: [] for kind in KINDS}
    with (
        tempfile.TemporaryDirectory() as home,
        start_lab(Path(home)) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        for _ in range(ROUNDS):
            for kind in KINDS:
                found[kind].append(_time_page(lab, browser, kind))
        browser.close()
    rows = []
    for title in TITLES:
        times = {kind: [times[title] for times, _ in found[kind]] for kind in KINDS}
        medians = {kind: [np.median(each) for each in times[kind]] for kind in KINDS}
        every = {kind: np.concatenate(times[kind]) for kind in KINDS}
        ours, theirs = (
            f"{np.median(each):.0f} (95th percentile {np.percentile(each, 95):.0f})"
            for each in every.values()
        )
        rows.append(
            Row(
                f"{title} slider: interact + Matplotlib by the explorer",
                f"{theirs} by {ours} ms",
                f"{median_ratio(*reversed(medians.values())):.1f}",
                f"{ROUNDS} rounds of {PRESSES} presses",
            )
        )
    held = {kind: [last for _, last in found[kind]] for kind in KINDS}
    ours, theirs = (f"{statistics.median(each):.0f}" for each in held.values())
    rows.append(
        Row(
            "a key held for 30 presses, from the last press: interact + Matplotlib by the explorer",
            f"{theirs} by {ours} ms",
            f"{median_ratio(*reversed(held.values())):.1f}",
        )
    )
    return rows
