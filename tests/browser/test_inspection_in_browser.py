"""The page of an inspection in a real browser: by mouse and keyboard, without a request, whatever names are."""

import numpy as np
import pytest
from browsers import HOSTILE, MARKS
from inspected import contents_of, image_set, inspection_of, noise, shares

from offshelf.report.html.inspection.page import inspection_page

pytestmark = MARKS

COMMANDS = {"Once edited": "offshelf classify dataset=csv dataset.path=/a/long/path/of/a/folder/metadata.csv"}
READY = "return document.documentElement.dataset.ready"


def opened(browse, browser, folder, classes, names=None):
    """Open the page of a set with 40 wrong labels and a copy."""
    targets = np.arange(160) % len(classes)
    images = image_set(targets, classes, names=names, picture=lambda row: noise(row if row != 150 else 6))
    inspection = inspection_of(images, probabilities=shares(targets, len(classes), range(0, 160, 4)))
    path = folder / "inspection.html"
    path.write_text(inspection_page(contents_of(inspection, commands=COMMANDS), 5e6, 20_000), encoding="utf-8")
    browser.get(path.as_uri())
    browse.wait(browser, "the script", lambda: browser.execute_script(READY))


@pytest.fixture(scope="module")
def page(browse, browser, tmp_path_factory):
    opened(browse, browser, tmp_path_factory.mktemp("inspection"), [f"class {number}" for number in range(5)])
    return browser


def shown(browser, shelf):
    cards = browser.find_elements("css selector", f"#{shelf}-cards > .card")
    return [card for card in cards if card.is_displayed()]


def choose(browser, name, value):
    script = """const select = document.querySelector(`select[data-filter="${arguments[0]}"]`)
    select.value = arguments[1]
    select.dispatchEvent(new Event("change", { bubbles: true }))"""
    browser.execute_script(script, name, value)


def test_it_asks_for_nothing_and_shows_pictures(page):
    asked = page.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")

    assert [name for name in asked if not name.startswith(("data:", "blob:"))] == []
    assert [line for line in page.get_log("browser") if line["level"] == "SEVERE"] == []
    assert all(card.find_elements("css selector", ".pic canvas") for card in shown(page, "labels"))
    assert len(page.find_elements("css selector", "#leaks-cards .card .pic canvas")) == 2


def test_more_and_filters(page):
    """A list shows its first cards, then more; a filter shows those of a class alone."""
    assert len(shown(page, "labels")) == 12
    page.find_element("css selector", 'button.more[data-of="labels"]').click()
    assert len(shown(page, "labels")) == 36
    assert page.execute_script("return document.activeElement.className") == "card"

    choose(page, "given", "3")
    assert {card.get_attribute("data-given") for card in shown(page, "labels")} == {"3"}
    choose(page, "given", "")
    assert len(shown(page, "labels")) == 12


def test_from_a_card_to_the_map_and_by_keyboard(page, browse):
    button = shown(page, "labels")[2].find_element("css selector", ".where")
    path = shown(page, "labels")[2].find_element("css selector", ".path bdi").get_attribute("title")
    page.execute_script("arguments[0].click()", button)
    browse.wait(page, "the place on the map", lambda: path in page.find_element("id", "place").text)
    assert "taken for" in page.find_element("id", "place").text

    page.find_element("id", "map").send_keys("n")
    browse.wait(page, "another one", lambda: path not in page.find_element("id", "place").text)


@pytest.mark.parametrize("width", [400, 800, 1400])
def test_no_width_is_too_small(page, browse, width):
    """A phone's among them: nothing is cut off at the right."""
    page.set_window_size(width, 900)
    wide = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    has, may = page.execute_script(wide)

    assert has <= may
    page.set_window_size(1280, 1000)


def test_names_run_no_script(browse, browser, tmp_path):
    opened(browse, browser, tmp_path, [HOSTILE, "plain"], [f"{row}{HOSTILE}" for row in range(160)])
    choose(browser, "given", "0")
    browser.execute_script("document.querySelector('[data-show]').click()")

    assert browser.title.startswith("a set")
    assert not browser.find_elements("css selector", "img")
    assert HOSTILE in shown(browser, "labels")[0].text


def test_overrides_of_the_writing_direction_are_shown(browse, browser, tmp_path):
    """By the script, in pictures and lists to choose from, as by the page."""
    opened(browse, browser, tmp_path, ["\u202egpj.exe", "plain"], [f"{row}\u202egpj.exe" for row in range(160)])
    every = "return [...document.querySelectorAll('body *')].map(one => `${one.textContent} ${one.title ?? ''}`)"
    texts = browser.execute_script(every)
    pictures = browser.execute_script("return [...document.querySelectorAll('.picture')].map(one => one.title)")

    assert not any("\u202e" in text for text in texts)
    assert pictures
    assert all(r"\u202egpj.exe" in title for title in pictures)
