"""The real MLflow UI, as `offshelf ui` links it, in a real browser."""

import importlib.util
import shutil
import tempfile
from pathlib import Path

import pytest

from offshelf.tracking import MLflow
from offshelf.tracking.connection import connect, default_uri
from offshelf.tracking.ui import free_port, start_server, ui_url, wait_until_up

BROWSER = all(map(shutil.which, ("chromium", "chromedriver"))) and importlib.util.find_spec("selenium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="needs chromium, chromedriver and selenium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


def screenshot_module():
    """docs/screenshot.py."""
    path = Path(__file__).parents[2] / "docs/screenshot.py"
    spec = importlib.util.spec_from_file_location("screenshot", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_children_are_shown_best_first(tmp_path):
    """The link opens the runs, children included, sorted by the metric."""
    with MLflow(str(tmp_path)).start("digits tiny 2 layers") as run:
        run.log(metrics={"test/accuracy": 0.7})
        for name, accuracy in (("worst-layer", 0.4), ("best-layer", 0.9)):
            with run.child(name) as child:
                child.log(metrics={"test/accuracy": accuracy})
    _, experiment = connect(tmp_path, None, "offshelf")
    port = free_port(5800)
    server = start_server(tmp_path, default_uri(tmp_path), port)
    try:
        wait_until_up(server, port)
        module = screenshot_module()
        with tempfile.TemporaryDirectory() as profile:
            page = module.browser(profile)
            try:
                page.get(ui_url(f"http://127.0.0.1:{port}", experiment, "test/accuracy"))
                text = module.wait_for_text(page, ["best-layer", "worst-layer", "digits tiny 2 layers"])
            finally:
                page.quit()
    finally:
        server.terminate()
        server.wait(10)

    assert text.index("best-layer") < text.index("digits tiny 2 layers") < text.index("worst-layer")
