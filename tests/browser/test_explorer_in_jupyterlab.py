"""The explorer as a student meets it: in a real JupyterLab, by mouse and by keyboard."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

PHOTOS = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from types import SimpleNamespace
import numpy as np
from course_utils.augmentation.policy import Augmentation
from course_utils.augmentation.explorer.widget import AugmentationExplorer

class PaintedPhotos:
    count = 20
    labels = np.float32([[number % 2] for number in range(20)])

    def read(self, positions):
        images = np.full((len(positions), 64, 64, 3), 0.8, "float32")
        for image, position in zip(images, positions):
            image[30:50, 8:56] = np.random.default_rng(position).uniform(size=3)
            image[18:30, 20:40 if position % 2 else 50] = 0.3
        return images

splits = SimpleNamespace(train=PaintedPhotos(), class_names=("Car", "Truck"))
"""
EXPLORER = """
explorer = AugmentationExplorer(
    splits,
    Augmentation(flip="horizontal", rotation=20, zoom=0.12, contrast=0.5),
    classifier=lambda images: np.full(len(images), 0.2),
)
explorer
"""
NEXT = "print(explorer.augmentation.to_json(), 'pixels', round(float(explorer.views.sum()), 2))"
SHOWN = ".augmentation-explorer .ax-stack img"


@pytest.fixture(scope="module")
def opened(browser, lab):
    """A page with the lesson's cells run; tests use it one after the other."""
    lab.write_notebook("lesson.ipynb", [PHOTOS, EXPLORER, NEXT])
    page = browser.new_page(viewport={"width": 1400, "height": 1100})
    page.set_default_timeout(60_000)
    lab.choose_theme("JupyterLab Light")
    lab.open_notebook(page, "lesson.ipynb")
    lab.run_all_cells(page)
    page.wait_for_selector(SHOWN)
    yield page
    page.close()


def read_grid(page):
    """The picture in the browser, as bytes."""
    return bytes(
        page.evaluate(
            """async selector => {
                const picture = document.querySelector(selector);
                return Array.from(new Uint8Array(await (await fetch(picture.src)).arrayBuffer()));
            }""",
            SHOWN,
        )
    )


def wait_for_new_grid(page, action):
    """Does something and returns the new picture once it is decoded."""
    before = page.locator(SHOWN).get_attribute("src")
    action()
    page.wait_for_function(
        """([selector, before]) => {
            const picture = document.querySelector(selector);
            return picture.src !== before && picture.complete && picture.naturalWidth > 0;
        }""",
        arg=[SHOWN, before],
    )
    return read_grid(page)


def handle(page, title):
    return page.locator(".widget-hslider", has_text=title).first.locator(".noUi-handle")


def ask_next_cell(page):
    """Runs the notebook's last cell and returns the setting that it prints."""
    cell = page.locator(".jp-CodeCell").nth(2)
    cell.locator(".cm-content").click()
    before = cell.locator(".jp-InputPrompt").inner_text()
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_function(
        """before => {
            const cell = document.querySelectorAll('.jp-CodeCell')[2];
            const prompt = cell.querySelector('.jp-InputPrompt').innerText;
            return prompt !== before && /\\d/.test(prompt);
        }""",
        arg=before,
    )
    return json.loads(cell.locator(".jp-OutputArea-output").inner_text().split(" pixels ")[0])


def test_the_lesson_cells_run_and_show_the_grid(opened):
    grid = Image.open(io.BytesIO(read_grid(opened)))
    assert grid.width == grid.height and grid.width % 4 == 0
    assert np.asarray(grid).std() > 20
    name = opened.locator(SHOWN).get_attribute("title")
    assert name.startswith("Sixteen augmented views") and "contrast" in name
    assert "RandomContrast" in opened.locator(".augmentation-explorer pre").inner_text()


def test_showing_a_value_between_two_steps_leaves_it_alone(opened):
    assert ask_next_cell(opened)["zoom"] == 0.12


def test_arrow_keys_move_a_slider_and_the_picture(opened):
    before = read_grid(opened)
    handle(opened, "Contrast").focus()
    stronger = wait_for_new_grid(opened, lambda: opened.keyboard.press("ArrowRight"))
    assert stronger != before
    assert "contrast × 1.55" in opened.locator(".ax-pinned").inner_text()
    assert ask_next_cell(opened)["contrast"] == 0.55
    handle(opened, "Contrast").focus()
    again = wait_for_new_grid(opened, lambda: opened.keyboard.press("ArrowLeft"))
    assert again == before, "the same setting and the same seed are the same picture"
    assert ask_next_cell(opened)["contrast"] == 0.5


def test_a_held_key_ends_at_the_last_picture(opened):
    rotation = handle(opened, "Rotation")
    for _ in range(8):
        rotation.press("ArrowRight")
    opened.wait_for_function(
        "() => document.querySelector('.ax-pinned').innerText.includes('turned 60°')"
    )
    assert ask_next_cell(opened)["rotation"] == 60
    opened.get_by_role("button", name="Back to no augmentation").click()
    opened.wait_for_function(
        "() => document.querySelector('.augmentation-explorer pre').innerText.includes('= []')"
    )
    assert ask_next_cell(opened) == {}


def test_drawing_again_and_the_random_values_in_words(opened):
    opened.get_by_role("combobox", name="Flip").select_option("left ↔ right")
    opened.wait_for_selector("text=RandomFlip")
    opened.get_by_role("checkbox", name="Show the random values").check()
    captions = opened.locator(".ax-captions p")
    captions.first.wait_for()
    described = captions.all_inner_texts()
    assert len(described) == 16 and set(described) == {"mirrored", "unchanged"}
    again = opened.get_by_role("button", name="Draw again")
    wait_for_new_grid(opened, again.click)
    assert captions.all_inner_texts() != described


def test_the_student_clicks_views_and_then_sees_the_verdicts(opened):
    opened.get_by_role("button", name="Is it still a car?").click()
    for number in (2, 7):
        opened.get_by_role("button", name=f"View {number}", exact=True).click()
    opened.get_by_role("button", name="View 7, marked").wait_for()
    opened.get_by_role("button", name="Ask the classifier").click()
    opened.wait_for_selector("text=label noise")
    found = opened.locator(".ax-right").inner_text()
    assert "✕ 2: you no" in found
    assert opened.locator(".ax-captions p").first.inner_text().endswith("model: Car 80%")
    opened.get_by_role("button", name="Change the photos").click()


def test_every_control_is_reached_by_the_tab_key(opened):
    opened.get_by_role("combobox", name="Show").focus()
    reached = []
    for _ in range(45):
        reached.append(
            opened.evaluate(
                """() => {
                    const one = document.activeElement;
                    const box = one.closest('.widget-inline-hbox, .jupyter-widgets');
                    return one.tagName === 'BUTTON' ? one.innerText.trim() || one.textContent
                        : box?.querySelector('label, .widget-label')?.innerText || one.tagName;
                }"""
            )
        )
        opened.keyboard.press("Tab")
    expected = {"Show", "of class", "◀ Previous", "Next ▶", "Draw again", "Epoch"}
    expected |= {"Change the photos", "Is it still a car?", "Flip", "Rotation °", "Zoom"}
    expected |= {"Brightness", "Contrast", "More transformations", "Back to no augmentation"}
    assert expected <= set(reached), expected - set(reached)
    views = [words for words in reached if re.match(r"View \d+", words)]
    assert len(views) == 16


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_layout_holds_at_900_pixels(browser, lab, opened, tmp_path, theme):
    lab.choose_theme(theme)
    page = browser.new_page(viewport={"width": 900, "height": 1000})
    page.set_default_timeout(60_000)
    lab.open_notebook(page, "lesson.ipynb")
    lab.run_all_cells(page)
    page.wait_for_selector(SHOWN)
    explorer = page.locator(".augmentation-explorer").first
    explorer.scroll_into_view_if_needed()
    page.wait_for_function(
        "selector => document.querySelector(selector).naturalWidth > 0", arg=SHOWN
    )
    boxes = page.evaluate(
        """() => {
            const root = document.querySelector('.augmentation-explorer');
            const edge = root.getBoundingClientRect();
            return [...root.querySelectorAll('img, select, button, .noUi-handle, input, label')]
                .map(one => [one.textContent.trim(), one.getBoundingClientRect()])
                .filter(([_, box]) => box.width > 0)
                .map(([name, box]) => [name, box.left - edge.left, box.right - edge.right]);
        }"""
    )
    assert len(boxes) > 40
    outside = [name for name, left, right in boxes if left < -8 or right > 8]
    assert not outside, outside
    cut = page.evaluate(
        """() => [...document.querySelectorAll('.augmentation-explorer .widget-button,'
                + '.augmentation-explorer .widget-label')]
            .filter(one => one.offsetWidth && !one.closest('.ax-buttons'))
            .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.textContent)"""
    )
    assert cut == [], "labels that do not fit"
    picture = Image.open(io.BytesIO(explorer.screenshot(path=tmp_path / "explorer.png")))
    corner = np.asarray(picture.convert("L"))[-3, 3]
    assert (corner > 200) == (theme == "JupyterLab Light"), "the page follows the theme"
    # Text must stand out from what is behind it, in both themes.
    contrast = page.evaluate(
        """() => {
            const light = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number)
                .map(one => (one /= 255) <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
                .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
            const behind = one => {
                const color = getComputedStyle(one).backgroundColor;
                return /, 0\\)$/.test(color) ? behind(one.parentElement) : light(color);
            };
            return [...document.querySelectorAll('.augmentation-explorer .widget-label,'
                    + '.augmentation-explorer pre, .augmentation-explorer .ax-pinned span')]
                .filter(one => one.offsetWidth)
                .map(one => [light(getComputedStyle(one).color), behind(one)].sort((a, b) => b - a))
                .map(([high, low]) => (high + 0.05) / (low + 0.05));
        }"""
    )
    assert len(contrast) > 8 and min(contrast) >= 4.5
    page.close()


def test_the_explorer_lives_in_notebook_7(browser, lab):
    lab.write_notebook("classic.ipynb", [PHOTOS, EXPLORER])
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(60_000)
    page.goto(f"{lab.address}/notebooks/classic.ipynb?token={lab.token}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Control+Enter")  # Shift would add a cell and take the focus there
    page.wait_for_selector(SHOWN)
    before = read_grid(page)
    contrast = handle(page, "Contrast")
    # Notebook 7 takes the arrow keys for its cells, from every slider of ipywidgets.
    assert wait_for_new_grid(page, lambda: contrast.press("PageDown")) != before
    page.close()
