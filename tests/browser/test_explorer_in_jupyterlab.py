"""The explorer as a student meets it: in a real JupyterLab, by mouse and by keyboard.

Longer than 350 lines because one JupyterLab, which takes long to start, serves all of it.
"""

import io
import json
import re

import looks
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
SHOWN = ".augmentation-explorer .ax-stack img:not(.ax-untouched)"


def open_lesson(browser, lab, theme):
    """A page with the lesson's cells run."""
    lab.write_notebook("lesson.ipynb", [PHOTOS, EXPLORER, NEXT])
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    lab.choose_theme(theme)
    lab.open_notebook(page, "lesson.ipynb")
    lab.run_all_cells(page)
    page.wait_for_selector(".augmentation-explorer pre")
    page.wait_for_function(
        "selector => document.querySelector(selector)?.naturalWidth > 0", arg=SHOWN
    )
    return page


@pytest.fixture(scope="module")
def opened(browser, lab):
    """The lesson; tests use it one after the other."""
    page = open_lesson(browser, lab, "JupyterLab Light")
    page.get_by_role("button", name="Light: Contrast").click()
    yield page
    page.close()


@pytest.fixture(scope="module", params=["JupyterLab Light", "JupyterLab Dark"])
def themed(request, browser, lab):
    """The lesson in a theme, as it begins; tests use it one after the other."""
    page = open_lesson(browser, lab, request.param)
    page.theme = request.param
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
    opened.wait_for_selector(".ax-pinned:has-text('contrast × 1.55')")
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
    opened.get_by_role("button", name="Nothing").click()
    opened.wait_for_function(
        "() => document.querySelector('.augmentation-explorer pre').innerText.includes('= []')"
    )
    assert ask_next_cell(opened) == {}


def test_presets_and_the_way_back(opened):
    height = opened.locator(".ax-stack").bounding_box()["height"]
    for name, setting in (
        ("Phone camera", {"rotation": 5.0, "blur": 0.5, "noise": 0.02}),
        ("Too much", {"rotation": 120.0, "zoom": 0.5, "brightness": 0.6, "hue": 180.0}),
        ("Lesson 02", {"flip": "horizontal", "contrast": 0.5}),
    ):
        wait_for_new_grid(opened, opened.get_by_role("button", name=name).click)
        assert setting.items() <= ask_next_cell(opened).items()
        assert opened.locator(".ax-stack").bounding_box()["height"] == height
    wait_for_new_grid(opened, opened.get_by_role("button", name="Back to the start").click)
    assert ask_next_cell(opened)["rotation"] == 20
    wait_for_new_grid(opened, opened.get_by_role("button", name="Lesson 02").click)


def test_the_pointer_and_the_keyboard_show_a_views_random_values(opened):
    values = opened.locator(".ax-captions small")
    described = values.all_text_contents()
    assert len(described) == 16 and all("contrast × " in words for words in described)
    assert len(set(described)) > 8

    def shown():
        return values.evaluate_all(
            "each => each.map((one, place) => +getComputedStyle(one).opacity ? place : -1)"
            ".filter(place => place >= 0)"
        )

    opened.locator(".ax-first-action").hover()
    assert shown() == []
    opened.get_by_role("button", name="View 6", exact=True).hover()
    assert shown() == [5]
    opened.locator(".ax-first-action").hover()
    opened.get_by_role("button", name="View 2", exact=True).focus()
    opened.keyboard.press("Tab")
    assert shown() == [2]
    again = opened.get_by_role("button", name="Draw again")
    wait_for_new_grid(opened, again.click)
    opened.wait_for_function(
        "before => document.querySelector('.ax-captions small').textContent !== before",
        arg=described[0],
    )


def test_the_untouched_photo_shows_while_the_button_is_held(opened):
    hold = opened.get_by_role("button", name="Hold: untouched photo")
    is_shown = (
        "() => getComputedStyle(document.querySelector('.ax-untouched')).visibility === 'visible'"
    )
    assert not opened.evaluate(is_shown)
    hold.hover()
    opened.mouse.down()
    assert opened.evaluate(is_shown)
    boxes = [opened.locator(".ax-stack img").nth(number).bounding_box() for number in (0, 1)]
    assert boxes[0] == boxes[1], "it lies exactly over the views"
    opened.mouse.up()
    assert not opened.evaluate(is_shown)
    hold.focus()
    opened.keyboard.down("Space")
    assert opened.evaluate(is_shown)
    opened.keyboard.up("Space")
    assert not opened.evaluate(is_shown)


def test_the_code_is_copied_without_seed_unless_asked(opened):
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copy = opened.locator(".ax-code button")
    copy.click()
    opened.wait_for_selector(".ax-code button:text-is('Copied')")
    copied = opened.evaluate("() => navigator.clipboard.readText()")
    assert copied == opened.locator(".augmentation-explorer pre").inner_text()
    assert "RandomContrast" in copied and "seed" not in copied and "dtype" not in copied
    opened.get_by_role("checkbox", name="with seed and dtype").check()
    opened.wait_for_selector(".augmentation-explorer pre:has-text('seed=')")
    opened.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    copy.click()
    opened.wait_for_selector(".ax-code button:has-text('Selected')")
    selected = opened.evaluate("() => getSelection().toString()")
    assert "RandomContrast" in selected and "dtype" in selected
    opened.get_by_role("checkbox", name="with seed and dtype").uncheck()
    opened.wait_for_selector(".augmentation-explorer pre:not(:has-text('seed='))")


def test_epochs_play(opened):
    opened.get_by_role("button", name="Play or pause the epochs").click()
    opened.wait_for_selector(".ax-seen:has-text('48 views')")
    opened.get_by_role("button", name="Stop and go back").click()
    opened.wait_for_selector(".ax-seen:has-text('16 views')")


def test_the_student_clicks_views_and_then_sees_the_verdicts(opened):
    opened.get_by_role("button", name="Is it still a car?").click()
    for number in (2, 7):
        opened.get_by_role("button", name=f"View {number}", exact=True).click()
    opened.get_by_role("button", name="View 7, marked").wait_for()
    opened.get_by_role("button", name="Ask the classifier").click()
    opened.wait_for_selector("text=label noise")
    found = opened.locator(".ax-right").inner_text()
    assert "✕ 2: you no" in found
    assert re.search(r"The untouched photo: label (Car|Truck) · model: Car 80 %", found)
    captions = opened.locator(".ax-captions span").all_inner_texts()
    assert all(re.match(r"[✓◆✕] label (Car|Truck) · model: Car 80 %", one) for one in captions)
    lines = opened.locator(".ax-captions p").evaluate_all(
        "each => each.map(one => getComputedStyle(one).borderTopStyle)"
    )
    assert lines.count("double") == 2 and lines[1] == lines[6] == "double"
    check_accessibility(opened)
    opened.get_by_role("button", name="Change the photos").click()
    handle(opened, "Rotation").press("ArrowRight")
    opened.wait_for_function(
        "() => !document.querySelector('.ax-captions').innerText.includes('model')"
    )


def test_uploads_are_shown_or_refused_by_name(opened):
    stream = io.BytesIO()
    Image.new("RGB", (300, 200), (250, 20, 20)).save(stream, "PNG")
    page = {"name": "page<b>.jpg", "mimeType": "image/jpeg", "buffer": b"<html><script>x</script>"}
    empty = {"name": "empty.png", "mimeType": "image/png", "buffer": b""}
    good = {"name": "red.png", "mimeType": "image/png", "buffer": stream.getvalue()}

    def give(files):
        with opened.expect_file_chooser() as chooser:
            opened.get_by_role("button", name="Your photos").click()
        chooser.value.set_files(files)

    give([page, empty])
    opened.wait_for_selector("text=Not read")
    said = opened.locator(".ax-left .ax-text").first.inner_text()
    assert "page<b>.jpg" in said and "empty.png (the file is empty)" in said
    wait_for_new_grid(opened, lambda: give([good]))
    opened.wait_for_selector("text=1 photo is shown")
    assert opened.get_by_role("combobox", name="which show").is_visible()
    opened.get_by_role("combobox", name="of class").select_option("all")
    opened.get_by_role("combobox", name="which show").wait_for(state="hidden")


def test_photos_are_dropped_onto_the_explorer(opened):
    drop = """(root, kind) => {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 64;
        canvas.getContext('2d').fillStyle = 'green';
        canvas.getContext('2d').fillRect(0, 0, 64, 64);
        return new Promise(resolve => canvas.toBlob(blob => {
            const files = new DataTransfer();
            files.items.add(new File([blob], 'green.png', {type: 'image/png'}));
            files.items.add(new File(['<b>'], 'note<i>.txt', {type: 'text/plain'}));
            for (const name of ['dragover', kind]) {
                const event = new DragEvent(name, {bubbles: true, cancelable: true});
                Object.defineProperty(event, 'dataTransfer', {value: files});
                root.dispatchEvent(event);
            }
            resolve(root.classList.contains('ax-dropping'));
        }));
    }"""
    explorer = opened.locator(".augmentation-explorer")
    assert explorer.evaluate(drop, "dragenter"), "it says that photos may be dropped"
    dropped = []
    wait_for_new_grid(opened, lambda: dropped.append(explorer.evaluate(drop, "drop")))
    assert dropped == [False]
    opened.wait_for_selector("text=1 photo is shown")
    opened.wait_for_selector("text=note<i>.txt")
    grid = read_grid(opened)
    assert "note<i>.txt" in opened.locator(".ax-left .ax-text").first.inner_text()
    middle = np.asarray(Image.open(io.BytesIO(grid)))[40:90, 40:90].reshape(-1, 3).mean(0)
    assert middle[1] > middle[0] + 40 and middle[1] > middle[2] + 40, "it is green"
    opened.get_by_role("combobox", name="of class").select_option("all")
    # The page's own clicks on file inputs are as they were.
    assert opened.evaluate("!Object.hasOwn(HTMLInputElement.prototype, 'click')")
    with opened.expect_file_chooser():
        opened.get_by_role("button", name="Your photos").click()


def check_accessibility(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page, context=".augmentation-explorer")
    assert not found.response["violations"], found.generate_report()


def test_every_control_is_reached_by_the_tab_key(opened):
    opened.get_by_role("combobox", name="Show", exact=True).focus()
    reached = []
    for _ in range(85):
        reached.append(
            opened.evaluate(
                """() => {
                    const one = document.activeElement;
                    const box = one.closest('.widget-inline-hbox, .jupyter-widgets');
                    if (one.type === 'checkbox') return one.labels[0].textContent.trim();
                    return one.tagName === 'BUTTON' ? one.innerText.trim() || one.textContent
                        : [...box?.querySelectorAll('label, .widget-label') ?? []]
                            .map(label => label.innerText.trim()).find(Boolean) || one.tagName;
                }"""
            )
        )
        opened.keyboard.press("Tab")
    expected = {"Show", "of class", "◀ Previous", "Next ▶", "Draw again", "Epoch", "Copy"}
    expected |= {"Change the photos", "Is it still a car?", "Flip", "Rotation °", "Zoom"}
    expected |= {
        "Brightness",
        "Contrast",
        "Color",
        "Occlusion",
        "Several at once",
        "Your photos (0)",
    }
    expected |= {"Lesson 02", "Phone camera", "Too much", "Nothing", "Back to the start"}
    expected |= {"Hold: untouched photo", "with seed and dtype"}
    assert expected <= set(reached), expected - set(reached)
    views = {words for words in reached if re.match(r"View \d+", words)}
    assert len(views) == 16


def test_all_is_seen_at_once_and_a_screen_reader_can_use_it(themed, tmp_path):
    explorer = themed.locator(".augmentation-explorer").first
    assert explorer.bounding_box()["height"] <= 900
    looks.compare(explorer, f"explorer-1280-{themed.theme.split()[-1].lower()}", tmp_path)
    grid = themed.locator(".ax-stack").bounding_box()
    sliders = themed.locator(".ax-right").bounding_box()
    assert 480 <= grid["width"] <= 520 and sliders["x"] > grid["x"] + grid["width"]
    check_accessibility(themed)


def test_a_changed_look_is_noticed(themed):
    explorer = themed.locator(".augmentation-explorer").first
    before = looks.shrink(explorer.screenshot(animations="disabled"))
    for style in (
        ".ax-stack { visibility: hidden }",
        ".ax-stack img { filter: invert(1) }",
        ".augmentation-explorer { background: rebeccapurple }",
        ".ax-right { transform: translateX(60px) }",
        ".augmentation-explorer { zoom: 1.1 }",
    ):
        added = themed.add_style_tag(content=style)
        after = looks.shrink(explorer.screenshot(animations="disabled"))
        added.evaluate("one => one.remove()")
        assert looks.find_difference(before, after) > looks.SHARE, style
    # Another font is no other look.
    added = themed.add_style_tag(content=".augmentation-explorer * { font-family: serif }")
    after = looks.shrink(explorer.screenshot(animations="disabled"))
    added.evaluate("one => one.remove()")
    assert looks.find_difference(before, after) <= looks.SHARE


def test_the_layout_holds_at_900_pixels(themed, tmp_path):
    page, theme = themed, themed.theme
    page.set_viewport_size({"width": 900, "height": 1000})
    explorer = page.locator(".augmentation-explorer").first
    explorer.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    looks.compare(explorer, f"explorer-900-{theme.split()[-1].lower()}", tmp_path)
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
    red = page.evaluate(
        """() => {
            let one = document.querySelector('.augmentation-explorer');
            const color = () => getComputedStyle(one).backgroundColor;
            while (/, 0\\)$/.test(color())) one = one.parentElement;
            return Number(color().match(/[\\d.]+/)[0]);
        }"""
    )
    assert (red > 200) == (theme == "JupyterLab Light"), "the page follows the theme"
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


def test_every_slider_has_a_name_when_all_groups_are_open(themed):
    closed = themed.locator(".ax-fold:not(.mod-active)")
    closed.evaluate_all("folds => folds.forEach(fold => fold.click())")
    themed.get_by_text("RandAugment", exact=True).wait_for()
    names = themed.locator(".noUi-handle").evaluate_all("all => all.map(one => one.ariaLabel)")
    assert len(names) == 16 and {"Contrast", "Epoch"} <= set(names)
    # 640 pixels are 1,280 at a zoom of 200 %.
    themed.set_viewport_size({"width": 640, "height": 1000})
    themed.wait_for_timeout(300)
    widths = themed.locator(".augmentation-explorer").evaluate(
        "one => [one.scrollWidth, one.clientWidth]"
    )
    assert widths[0] <= widths[1] + 8, "nothing has to be scrolled sideways"
    check_accessibility(themed)


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
    zoom = handle(page, "Zoom")
    # Notebook 7 takes the arrow keys for its cells, from every slider of ipywidgets.
    assert wait_for_new_grid(page, lambda: zoom.press("PageDown")) != before
    page.close()
