"""Take the README's picture: the runs of a home in the real MLflow UI, sorted by accuracy.

    python docs/screenshot.py HOME docs/images/mlflow-comparison.png

Needs Chromium with its driver, and selenium: pip install offshelf[browser]
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from offshelf.tracking.connection import connect, default_uri
from offshelf.tracking.ui import free_port, start_server, ui_url, wait_until_up

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


def browser(profile: str, width: int = 1600, height: int = 1000) -> Any:
    """A headless Chromium that asks nothing of the outside."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in [*QUIET, f"window-size={width},{height}", f"user-data-dir={profile}"]:
        options.add_argument(f"--{argument}")
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def wait_for_text(page: Any, words: list[str], seconds: float = 90) -> str:
    """The page's text, once it holds all the words. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    text = ""
    while time.monotonic() < deadline:
        text = page.find_element("tag name", "body").text
        if all(word in text for word in words):
            return text
        time.sleep(0.5)
    raise TimeoutError(f"{words} did not all appear; the page says: {text[:2000]}")


def close_assistant(page: Any) -> None:
    """Close the panel that MLflow opens beside its pages."""
    title = "//*[normalize-space(text())='MLflow Assistant']"
    for panel in page.find_elements("xpath", f"{title}/ancestor::*[.//button][1]"):
        panel.find_elements("tag name", "button")[-1].click()


def main(home: Path, picture: Path) -> None:
    """Serve the home, open the link that `offshelf ui` prints, and save what is there."""
    _, experiment = connect(home, None, "offshelf")
    port = free_port(5700)
    server = start_server(home, default_uri(home), port)
    try:
        wait_until_up(server, port)
        with tempfile.TemporaryDirectory() as profile:
            page = browser(profile)
            try:
                link = ui_url(f"http://127.0.0.1:{port}", experiment, "test/accuracy")
                page.get(f"{link}&compareRunsMode=CHART")
                wait_for_text(page, ["blocks.4", "pixels", "test/accuracy"])
                close_assistant(page)
                page.find_element("css selector", "input[placeholder='Search metric charts']").send_keys(
                    "^test/(mean_class_)?accuracy$"
                )
                time.sleep(4)  # charts are drawn late
                page.save_screenshot(str(picture))
            finally:
                page.quit()
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
