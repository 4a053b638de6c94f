"""The site as a visitor sees it: the explorer without a kernel, by keyboard and on a phone."""

import looks
import pytest

CANVAS = "document.querySelector('.player-canvas').toDataURL()"


@pytest.fixture
def open_page(browser, site_address):
    """Opens a page of the site, and fails if it asked another host or logged an error."""
    contexts, asked, errors = [], [], []

    def open_at(path, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{site_address}/{path}", wait_until="load")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert asked and all(url.startswith((site_address, "data:", "blob:")) for url in asked)
    assert not errors


@pytest.fixture
def explorer(open_page):
    def open_explorer(**options):
        page = open_page("try-it.html", **options)
        page.wait_for_function(f"document.querySelector('.player-canvas')?.width > 300 && {CANVAS}")
        page.wait_for_function("document.querySelector('.player-verdict').textContent.length > 9")
        return page

    return open_explorer


def changed(page, before):
    page.wait_for_function(f"before => {CANVAS} !== before", arg=before)
    return page.evaluate(CANVAS)


def test_a_key_on_the_slider_changes_views_words_and_code(explorer):
    page = explorer()
    views, code = page.evaluate(CANVAS), page.inner_text(".player-code pre")
    slider = page.locator("input[type=range]").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    changed(page, views)
    assert page.inner_text(".player-code pre") != code
    assert "RandomContrast" in page.inner_text(".player-code pre")
    assert "contrast multiplied" in page.inner_text(".player-words")
    page.keyboard.press("Home")
    page.wait_for_function(
        "document.querySelector('.player-code').innerText.includes('RandomFlip')"
    )
    assert "contrast" not in page.inner_text(".player-words")


def test_epochs_play_and_stop(explorer):
    page = explorer()
    views = page.evaluate(CANVAS)
    page.get_by_role("button", name="Play the epochs").click()
    changed(page, views)
    page.wait_for_function(
        "document.querySelector('.player-epochs').innerText.includes('2 of 5 · 32 views so far')"
    )
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Play the epochs").click()
    page.wait_for_function(
        "document.querySelector('.player-epochs').innerText.includes('5 of 5 · 80 views so far')"
    )
    # Playing stops by itself, and begins again at the first epoch.
    page.get_by_role("button", name="Play the epochs").click()
    assert "1 of 5 · 16 views" in page.inner_text(".player-epochs")


def test_the_photo_itself_shows_while_a_button_is_held(explorer):
    page = explorer()
    views = page.evaluate(CANVAS)
    hold = page.get_by_role("button", name="Hold to see")
    hold.hover()
    page.mouse.down()
    untouched = changed(page, views)
    page.mouse.up()
    assert changed(page, untouched) == views
    hold.focus()
    page.keyboard.down("Space")
    assert changed(page, views) == untouched
    page.keyboard.up("Space")
    assert changed(page, untouched) == views


def test_verdicts_stay_and_follow_when_a_slider_is_released(explorer):
    page = explorer()
    ask = page.get_by_label("Ask lesson 01's model")
    ask.check()
    page.wait_for_selector(".player-captions span")
    assert page.locator(".player-captions span").count() == 16
    said = page.inner_text(".player-verdict")
    assert "Label Truck" in said and "for the photo itself" in said
    marks = page.locator(".player-captions span").all_inner_texts()
    assert all(mark[0] in "✓✗" for mark in marks)
    slider = page.locator("input[type=range]").first
    slider.evaluate(
        "each => { each.value = 0; each.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    page.wait_for_function("!document.querySelector('.player-captions span')")
    assert "Release" in page.inner_text(".player-verdict")
    slider.dispatch_event("change")
    follows = "before => document.querySelectorAll('.player-captions span').length === 16 && "
    follows += "document.querySelector('.player-verdict').textContent !== before"
    page.wait_for_function(follows, arg=said)
    for number, value in ((1, "rotation"), (0, "0")):
        said = page.inner_text(".player-verdict")
        page.locator(".explorer-player select").nth(number).select_option(value)
        page.wait_for_function(follows, arg=said)
    assert ask.is_checked()


def test_every_change_starts_visible_and_its_strength_is_remembered(explorer):
    page = explorer()
    menu, strength = (
        page.locator(".explorer-player select").nth(1),
        page.locator(".player-slider output"),
    )
    for name in menu.locator("option").evaluate_all("each => each.map(one => one.value)"):
        menu.select_option(name)
        assert strength.first.inner_text() not in ("none", "0%", "0°")
    menu.select_option("rotation")
    page.locator("input[type=range]").first.press("End")
    menu.select_option("zoom")
    menu.select_option("rotation")
    assert strength.first.inner_text() == "180°"


def test_the_page_opens_on_a_truck_that_the_model_loses_when_it_turns(explorer):
    page = explorer()
    assert page.locator(".explorer-player select").first.input_value() == "1"
    page.get_by_label("Ask lesson 01's model").check()
    menu = page.locator(".explorer-player select").nth(1)
    menu.select_option("rotation")
    slider = page.locator("input[type=range]").first
    for key, agree in (("Home", "16 of 16"), ("End", "0 of 16")):
        slider.press(key)
        page.wait_for_function(
            "words => document.querySelector('.player-verdict').textContent.includes(words)",
            arg=f"Truck for {agree} views",
        )


def test_both_warnings_show_at_lesson_02_and_the_gray_area_only_where_there_is_one(explorer):
    page = explorer()
    assert page.locator(".player-breaks p").count() == 2
    assert "Training with flips and contrast helps most at" in page.inner_text(".player-plot")
    gray = page.get_by_text("Gray area")
    assert gray.is_visible()
    page.locator("input[type=range]").first.press("Home")
    assert gray.is_hidden()


def test_slider_and_views_are_seen_together_on_a_phone(explorer):
    page = explorer(viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)
    slider, grid = page.locator("input[type=range]").first, page.locator(".player-grid")
    top, bottom = slider.bounding_box(), grid.bounding_box()
    assert 0 < bottom["y"] + bottom["height"] - top["y"] < 600
    page.mouse.wheel(0, 600)
    assert page.locator(".back-to-top").is_hidden()


def test_every_control_has_its_frames(explorer):
    page = explorer()
    menu = page.locator(".explorer-player select").nth(1)
    for name in menu.locator("option").evaluate_all("each => each.map(one => one.value)"):
        menu.select_option(name)
        slider = page.locator("input[type=range]").first
        slider.press("End")
        page.wait_for_timeout(50)
    assert "could not" not in page.inner_text(".player-verdict")
    menu.select_option("rotation")
    assert page.locator(".player-plot svg polyline").count() == 2


def test_a_moved_slider_is_painted_within_a_frame(explorer):
    """Not a timed test: no step may wait for the network once a control is chosen."""
    page = explorer()
    page.wait_for_timeout(500)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    slider = page.locator("input[type=range]").first
    slider.press("Home")
    for _ in range(8):
        slider.press("ArrowRight")
    page.wait_for_timeout(200)
    assert not requests


@pytest.mark.parametrize("width", [390, 900, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_pass_axe(explorer, width, scheme, tmp_path):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = explorer(viewport={"width": width, "height": 844}, color_scheme=scheme)
    looks.compare(page.locator(".explorer-player"), f"site-{width}-{scheme}", tmp_path)
    page.get_by_label("Ask lesson 01's model").check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(page, context=".explorer-player")
    assert not found.response["violations"], found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_page_says_what_it_is_about_and_leads_on(open_page, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page("index.html", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert "while each photo keeps its label" in page.inner_text("article p >> nth=0")
    assert page.locator(".strip img").evaluate_all(
        "each => each.length === 6 && each.every((one) => one.naturalWidth === 128 && one.alt)"
    )
    found = axe.Axe().run(page, context="article")
    assert not found.response["violations"], found.generate_report()
    page.locator(".try-button").click()
    page.wait_for_selector(".player-canvas")
    assert "while each photo keeps its label" in page.inner_text("article p >> nth=0")


def test_search_finds_a_lesson(open_page):
    page = open_page("search.html?q=RandomContrast")
    page.wait_for_selector("#search-results li a")
    assert "augmentation" in page.inner_text("#search-results").lower()
