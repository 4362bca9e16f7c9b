"""The report of a run in a real browser: by mouse and keyboard, without a request, whatever names are."""

import base64

import numpy as np
import pytest
from browsers import HOSTILE, MARKS
from reported import contents_of
from sklearn.datasets import load_digits

from offshelf.api.report import Report
from offshelf.report.html import HtmlReport

pytestmark = MARKS

TIP = "const tip = document.getElementById('tip'); return tip.style.display + tip.innerText"
RESET = "const select = document.getElementById('true'); select.value = ''; select.dispatchEvent(new Event('change'))"
VIEWER = """<!doctype html><iframe id="frame" sandbox="allow-scripts" width="1200" height="800"></iframe><script>
addEventListener("message", event => (document.title = event.data))
const page = atob("{page}"), bytes = Uint8Array.from(page, letter => letter.charCodeAt(0))
document.getElementById("frame").src = URL.createObjectURL(new Blob([bytes], {{type: "text/html"}}))
</script>"""
"""As MLflow's viewer of artifacts shows a page."""


def report(names=None, classes=None):
    """A report on digits, each tenth of which is taken for the next class."""
    pixels, targets = load_digits(return_X_y=True)
    pixels, targets = pixels[:600], targets[:600].astype(np.int64)
    taken = np.where(np.arange(300) % 10 == 0, (targets[300:] + 1) % 10, targets[300:])
    scores = np.zeros((300, 10))
    scores[np.arange(300), taken] = 1 + np.arange(300) / 300
    classes = classes or [f"digit {number}" for number in range(10)]
    return taken, HtmlReport().page(contents_of(targets, scores, pixels, classes, names=names))


@pytest.fixture(scope="module")
def opened(browse, browser, tmp_path_factory):
    """The page from a file, and what the test images were taken for."""
    taken, page = report()
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page, encoding="utf-8")
    browser.get(path.as_uri())
    browse.wait(browser, "the script", lambda: browser.execute_script("return document.documentElement.dataset.ready"))
    return taken


def count(browser, what):
    return len(browser.find_elements("css selector", what))


def tip(browser):
    return browser.execute_script(TIP)


def test_it_asks_for_nothing(opened, browser):
    asked = browser.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert [name for name in asked if not name.startswith(("data:", "blob:"))] == []
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_cell_shows_its_pictures(opened, browse, browser):
    """By the mouse, and by the keyboard from a cell to the next."""
    from selenium.webdriver.common.keys import Keys

    cell = browser.find_element("css selector", "#matrix td.off button")
    row, column = cell.get_attribute("data-true"), cell.get_attribute("data-taken")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
    cell.click()
    assert count(browser, ".card") == int(cell.text)
    assert {one.text for one in browser.find_elements("css selector", ".card .true b")} == {f"digit {row}"}
    assert {one.text for one in browser.find_elements("css selector", ".card .taken b")} == {f"digit {column}"}
    assert browser.switch_to.active_element.get_attribute("id") == "count"

    diagonal = browser.find_element("css selector", f'#matrix button[data-true="{row}"][data-taken="{row}"]')
    diagonal.send_keys(Keys.ARROW_RIGHT)
    assert browser.switch_to.active_element.get_attribute("data-taken") == column
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.find_element("id", "taken").get_attribute("value") == column


def test_filter_by_class(opened, browser):
    browser.execute_script(
        """for (const [id, value] of [["show", "wrong"], ["taken", ""], ["true", "4"]]) {
            const select = document.getElementById(id)
            select.value = value
            select.dispatchEvent(new Event("change"))
        }"""
    )
    assert {one.text for one in browser.find_elements("css selector", ".card .true b")} == {"digit 4"}
    assert str(count(browser, ".card")) == browser.find_element("id", "count").text.split()[0]
    assert count(browser, ".card .near .picture canvas") >= 6, "neighbours of both classes"


def test_class_row_and_more(opened, browser):
    browser.execute_script("document.querySelector('#classes li[data-class=\"7\"] button').click()")
    assert browser.find_element("id", "true").get_attribute("value") == "7"
    browser.execute_script(RESET)
    assert count(browser, ".card") == 12
    browser.execute_script("document.getElementById('more').click()")
    assert count(browser, ".card") == 30, "all mistakes"
    assert browser.execute_script("return document.activeElement.className") == "card wrong"


def test_map_by_keyboard_and_mouse(opened, browse, browser):
    from selenium.webdriver import ActionChains

    canvas = browser.find_element("id", "map")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    canvas.send_keys("n")
    browse.wait(browser, "the worst mistake", lambda: "taken for" in browser.find_element("id", "place").text)
    browse.wait(browser, "its picture", lambda: tip(browser).startswith("block") and count(browser, "#tip canvas"))

    drawn = int(canvas.get_attribute("data-drawn"))
    browser.find_element("id", "in").click()
    browse.wait(browser, "another drawing", lambda: int(canvas.get_attribute("data-drawn")) > drawn)
    browser.find_element("id", "whole").click()

    found = ""
    for step in range(-8, 9):
        ActionChains(browser, duration=0).move_to_element_with_offset(canvas, 20 * step, 10).perform()
        found = found or (tip(browser) if tip(browser).startswith("block") else "")
    assert "image-" in found, "a point that was hovered over"


def test_hover_over_a_chart(opened, browse, browser):
    from selenium.webdriver import ActionChains

    mark = browser.find_element("css selector", ".chart .mark.chosen")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", mark)
    ActionChains(browser, duration=0).move_to_element(mark).perform()
    browse.wait(browser, "the value", lambda: "C = 1: 0.8000" in tip(browser))


def test_phone(opened, browse, browser):
    """Nothing is wider than the screen, but what scrolls by itself."""
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browse.wait(browser, "the width", lambda: browser.execute_script("return innerWidth") == 360)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_paper(opened, browse, browser):
    """Nothing that needs a mouse; the map keeps its shape on the narrower paper, and light colours."""
    media = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    shape = "const map = document.getElementById('map'), box = map.getBoundingClientRect();"
    paper = {"width": 720, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", paper)
    try:
        stretched = browser.execute_script(f"{shape} return box.width / box.height * map.height / map.width")
        assert stretched == pytest.approx(1, abs=0.02)
        assert browser.execute_script("return getComputedStyle(document.querySelector('nav')).display") == "none"
        assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_hostile_names(browse, browser, tmp_path):
    """No script runs, in a page of their own or in a frame as MLflow's, which may run no other script either."""
    names = [f"{HOSTILE}{row}" for row in range(600)]
    _, page = report(names, [f"{HOSTILE} {number}" for number in range(10)])
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    browser.get(path.as_uri())
    browse.wait(browser, "the script", lambda: browser.execute_script("return document.documentElement.dataset.ready"))
    browser.execute_script("document.querySelector('.pairs button').click()")

    assert browser.title == "a run"
    assert HOSTILE in browser.find_element("css selector", ".card .true b").text
    assert count(browser, "img, main script") == 0


def test_notebook(browse, browser, tmp_path):
    """What a notebook shows of a report: a frame that works, and that cannot reach the notebook."""
    _, page = report()
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><p id='cell'></p>{Report(page)._repr_html_()}", encoding="utf-8")
    browser.get(path.as_uri())
    browser.switch_to.frame(browser.find_element("tag name", "iframe"))
    browse.wait(browser, "the script", lambda: browser.execute_script("return document.documentElement.dataset.ready"))
    assert count(browser, ".card") == 12
    reach = "try { return parent.document.title } catch (error) { return error.name }"
    assert browser.execute_script(reach) == "SecurityError"
    browser.switch_to.default_content()


def test_frame_as_mlflows(browse, browser, tmp_path):
    """A sandboxed frame of an opaque origin, without storage and with a blob for its address."""
    _, page = report()
    path = tmp_path / "viewer.html"
    path.write_text(VIEWER.format(page=base64.b64encode(page.encode()).decode()), encoding="utf-8")
    browser.get(path.as_uri())
    browser.switch_to.frame("frame")
    ready = "return document.documentElement.dataset.ready"
    browse.wait(browser, "the script in the frame", lambda: browser.execute_script(ready))
    assert count(browser, ".card") == 12
    browser.switch_to.default_content()
