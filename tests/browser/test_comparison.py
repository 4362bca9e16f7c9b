"""The page of two runs in a real browser: tabs, classes, keyboard, phone, dark, without a request."""

import numpy as np
import pytest
from browsers import HOSTILE, MARKS
from reported import contents_of
from sklearn.datasets import load_digits

from offshelf.metric import Bootstrap, Outcome
from offshelf.report.html import HtmlReport
from offshelf.report.html.changes import Changes
from offshelf.report.html.comparison import ClassChange, Comparison, Side, comparison_page
from offshelf.report.html.kept import KeptPictures

pytestmark = MARKS


def compared(prefix=""):
    """The page of a run that takes each tenth digit for the next, and of one that takes each 7 for a 1."""
    pixels, targets = load_digits(return_X_y=True)
    pixels, targets, names = pixels[:400], targets[:400].astype(np.int64), [f"{prefix}{row}" for row in range(400)]
    classes = [f"{prefix}digit {number}" for number in range(10)]
    taken = np.where(np.arange(200) % 10 == 0, (targets[200:] + 1) % 10, targets[200:])
    better = np.where(targets[200:] == 7, 1, targets[200:])
    first, second = (Outcome(targets[200:], np.eye(10)[one]) for one in (taken, better))
    page = HtmlReport().page(contents_of(targets, np.eye(10)[taken], pixels, classes, names=names))
    bootstrap = Bootstrap(200)
    gaps = bootstrap.class_differences("mean_class_accuracy", [first], [second])
    return comparison_page(
        Comparison(
            Side(f"{prefix}A", "a" * 32, {"test/accuracy": 0.9}),
            Side(f"{prefix}B", "b" * 32, {"test/accuracy": 0.9}),
            "accuracy",
            {"accuracy": bootstrap.difference("accuracy", [first], [second])},
            0.95,
            [(f"{prefix}layer", "block1", "block2")],
            Changes.of([first], [second], [names[200:]], classes),
            "accuracy",
            [ClassChange(k, classes[k], 20, (0.9, 0.8), gap) for k, gap in enumerate(gaps)],
            [KeptPictures.of(page)],
            [f"{prefix}A remark."],
        )
    )


def open_page(browse, browser, path, page):
    path.write_text(page, encoding="utf-8")
    browser.get(path.as_uri())
    browse.wait(browser, "the script", lambda: browser.execute_script("return document.documentElement.dataset.ready"))


@pytest.fixture(scope="module")
def opened(browse, browser, tmp_path_factory):
    open_page(browse, browser, tmp_path_factory.mktemp("compare") / "compare.html", compared())


def cards(browser):
    return [card.text.split("\n") for card in browser.find_elements("css selector", ".card")]


def test_it_asks_for_nothing(opened, browser):
    asked = browser.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert [name for name in asked if not name.startswith(("data:", "blob:"))] == []
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_tabs_by_keyboard(opened, browser):
    """What A was right about and B wrong: all 7; what A was wrong about, with its pictures."""
    from selenium.webdriver.common.keys import Keys

    tabs = browser.find_elements("css selector", ".tab")
    tabs[1].send_keys(Keys.ENTER)
    assert {card[1] for card in cards(browser)} == {"digit 7"}
    assert {card[-1] for card in cards(browser)} == {"digit 1"}
    assert tabs[1].get_attribute("aria-pressed") == "true"
    tabs[0].send_keys(Keys.SPACE)
    assert len(cards(browser)) == 12
    assert len(browser.find_elements("css selector", ".card .picture canvas")) == 12
    browser.execute_script("document.getElementById('more').click()")
    assert len(cards(browser)) > 12
    assert browser.execute_script("return document.activeElement.className") == "card"


def test_class_shows_its_pictures(opened, browser):
    """Of a class that lost, what was lost; the filter is set."""
    row = browser.find_element("css selector", '#classes li[data-class="7"] button')
    browser.execute_script("arguments[0].click()", row)
    assert browser.find_element("id", "label").get_attribute("value") == "7"
    assert browser.find_element("css selector", '.tab[data-group="1"]').get_attribute("aria-pressed") == "true"
    assert browser.switch_to.active_element.get_attribute("id") == "count"


def test_sorted(opened, browser):
    """What was lost first: the 7."""
    sort = (
        "const s = document.getElementById('class-sort'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))"
    )
    first = "return document.querySelector('#classes li[data-class]').dataset.class"
    browser.execute_script(sort, "lost")
    assert browser.execute_script(first) == "7"
    browser.execute_script(sort, "number")
    assert browser.execute_script(first) == "0"


def test_phone_and_dark(opened, browse, browser):
    """Nothing is wider than the screen; the paper is dark where the system is."""
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        browse.wait(browser, "the width", lambda: browser.execute_script("return innerWidth") == 360)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
        assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_hostile_names(browse, browser, tmp_path):
    open_page(browse, browser, tmp_path / "hostile.html", compared(HOSTILE))
    browser.execute_script("document.querySelector('#classes li[data-class] button').click()")
    assert browser.title == f"{HOSTILE}A → {HOSTILE}B"
    assert HOSTILE in cards(browser)[0][0] + cards(browser)[0][1]
    assert browser.find_elements("css selector", "img, main script") == []
