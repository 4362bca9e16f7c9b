"""The README's walk through the real MLflow UI, in a browser, with a picture of each station.

    python docs/screenshot.py HOME docs/images RUN pixels blocks.5 blocks.0

on a home with the run of `offshelf classify layer=all`. RUN is its name; layers of it follow, the worst last. Needs
Chromium with its driver, and selenium: pip install offshelf[browser]
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

METRIC = "test/accuracy"

QUIET = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "hide-scrollbars",
)

RUNS = """
return [...document.querySelectorAll('[role=row] a[href*="/runs/"]')]
    .map(link => [link.getBoundingClientRect().y, link.innerText]).sort((a, b) => a[0] - b[0]).map(pair => pair[1])
"""
"""Names of the runs in MLflow's table, from top to bottom: its elements are in another order."""

TICK = """
const link = [...document.querySelectorAll('[role=row] a[href*="/runs/"]')].find(one => one.innerText === arguments[0])
link.closest('[role=row]').querySelector('input[aria-label^="Press Space to toggle row selection"]').click()
"""
VIEW = "//label[.//input[@name='runs-view-mode'][@value='{}']]"
BARS = "return document.querySelectorAll('.js-plotly-plot .bars path').length"
PICTURES = "return Math.max(0, ...[...document.images].map(image => image.naturalWidth))"


@contextmanager
def link_of_ui(home: Path) -> Iterator[str]:
    """Run `offshelf ui` on a home; gives the link that it prints."""
    command = [sys.executable, "-m", "offshelf", "ui", f"home={home}", "port=5800"]
    # Ctrl-C ends it; background jobs of a shell ignore it, and so would their children.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=heed)
    try:
        assert server.stdout
        yield "http" + server.stdout.readline().partition("http")[2].strip()
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)


@contextmanager
def browser(width: int = 1600, height: int = 1000) -> Iterator[Any]:
    """A headless Chromium that asks nothing of the outside."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    with tempfile.TemporaryDirectory() as profile:
        for argument in [*QUIET, f"window-size={width},{height}", f"user-data-dir={profile}"]:
            options.add_argument(f"--{argument}")
        options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
        page = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            yield page
        finally:
            page.quit()


def wait(page: Any, what: str, condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What a condition returns once it holds: pages are drawn late, and again. Raises TimeoutError."""
    from selenium.common.exceptions import WebDriverException

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = condition()
        except (WebDriverException, IndexError):
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise TimeoutError(f"{what}: not within {seconds:g} s; the page says: {text(page)[:2000]}")


def text(page: Any) -> str:
    """All that can be read on the page."""
    return str(page.find_element("tag name", "body").text)


def click(page: Any, where: str) -> None:
    """Click what a CSS selector, or an XPath, finds."""
    kind = "xpath" if where.startswith("//") else "css selector"
    wait(page, where, lambda: page.find_element(kind, where).click() or True)


def close_assistant(page: Any) -> None:
    """Close the panel that MLflow opens beside its pages."""
    title = "//*[normalize-space(text())='MLflow Assistant']"
    for panel in page.find_elements("xpath", f"{title}/ancestor::*[.//button][1]"):
        panel.find_elements("tag name", "button")[-1].click()


def open_runs(page: Any, link: str, runs: Sequence[str]) -> list[str]:
    """Open the link. Returns the names in the table, from top to bottom, once those asked for are among them."""
    page.get(link)
    shown: list[str] = wait(
        page, f"the runs {runs}", lambda: set(runs) <= set(names := page.execute_script(RUNS)) and names
    )
    close_assistant(page)
    return shown


def sort(page: Any, metric: str, direction: str, first: str) -> list[str]:
    """Sort by a metric, `asc` or `desc`, by clicks. Returns the names once that of the first run is at the top."""
    click(page, "[data-testid='sort-select-dropdown']")
    click(page, f"[data-testid='sort-select-{metric}']")
    if not page.find_elements("css selector", f"[data-testid='sort-select-{direction}']"):
        click(page, "[data-testid='sort-select-dropdown']")
    click(page, f"[data-testid='sort-select-{direction}']")
    names: list[str] = wait(
        page, f"{first} at the top", lambda: (names := page.execute_script(RUNS))[0] == first and names
    )
    return names


def chart(page: Any, metric: str, bars: int) -> None:
    """Switch to the chart view, with one chart: a metric, a bar a run."""
    click(page, VIEW.format("CHART"))
    search = "input[placeholder='Search metric charts']"
    wait(page, search, lambda: page.find_element("css selector", search)).send_keys(f"^{metric}$")
    wait(page, f"{bars} bars of {metric}", lambda: page.execute_script(BARS) >= bars)


def compare(page: Any, runs: Sequence[str]) -> None:
    """Tick runs in the table, and compare them."""
    click(page, VIEW.format("TABLE"))
    wait(page, "the table", lambda: set(runs) <= set(page.execute_script(RUNS)))
    for name in runs:
        page.execute_script(TICK, name)
    click(page, "[data-testid='runs-compare-button']")
    wait(page, "the comparison", lambda: all(word in text(page) for word in (f"Comparing {len(runs)} Runs", *runs)))


def confusion(page: Any, run: str) -> None:
    """From the table to a run's confusion matrix."""
    click(page, f"//*[@role='row']//a[normalize-space(.)='{run}']")
    click(page, "//button[@role='tab'][normalize-space(.)='Artifacts']")
    click(page, "//*[normalize-space(text())='confusion.png']")
    wait(page, "the confusion matrix", lambda: page.execute_script(PICTURES) > 300)
    close_assistant(page)


def run_page(page: Any, run: str) -> None:
    """From the table to a run's page, with its whole description: the answer, the layers and the curve."""
    click(page, f"//*[@role='row']//a[normalize-space(.)='{run}']")
    wait(page, "the description", lambda: page.find_elements("xpath", "//*[normalize-space(text())='Description']"))
    wait(page, "its picture", lambda: page.execute_script(PICTURES) > 300)
    close_assistant(page)
    for more in page.find_elements("xpath", "//*[normalize-space(text())='Show more']"):
        more.click()


def walk(page: Any, link: str, runs: Sequence[str], folder: Path, described: str = "") -> None:
    """The README's walk, for at least two runs, best first, and one whose description is read; leaves its pictures."""

    def picture(name: str) -> None:
        page.save_screenshot(str(folder / f"mlflow-{name}.png"))

    shown = open_runs(page, link, runs)
    if [name for name in shown if name in runs] != list(runs):
        raise ValueError(f"The link should show {runs}, best first; it shows {shown}.")
    picture("runs")
    sort(page, METRIC, "asc", runs[-1])
    sort(page, METRIC, "desc", shown[0])
    chart(page, METRIC, len(runs))
    time.sleep(2)  # bars grow
    picture("comparison")
    compare(page, runs[:2])
    time.sleep(2)
    picture("two-runs")
    open_runs(page, link, runs)
    run_page(page, described or runs[0])
    time.sleep(1)
    picture("run")
    open_runs(page, link, runs)
    confusion(page, runs[0])
    picture("confusion")


def main(home: Path, folder: Path, described: str, runs: Sequence[str]) -> None:
    """Serve the home, open the link that `offshelf ui` prints, and walk."""
    with link_of_ui(home) as link, browser() as page:
        walk(page, link, runs, folder, described)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
