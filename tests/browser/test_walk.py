"""The README's walk through the real MLflow UI, as `offshelf ui` links it, in a real browser."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest
import warm
from PIL import Image

BROWSER = all(map(shutil.which, ("chromium", "chromedriver"))) and importlib.util.find_spec("selenium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="needs chromium, chromedriver and selenium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def guide():
    """docs/screenshot.py."""
    path = Path(__file__).parents[2] / "docs/screenshot.py"
    spec = importlib.util.spec_from_file_location("screenshot", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sweep(home, tmp_path):
    """A sweep of two layers: names of its runs, best first, and last the sweep itself."""
    command = [warm.program(), "classify", "-m", "backbone=tiny", "classifier.C=[20,200]", "baseline=null"]
    command += ["layer=block1,block3", "bootstrap.replicates=0"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return ["digits tiny block3", "digits tiny block1"]


def test_walk(guide, sweep, home, tmp_path):
    """Open the link, see the runs best first, sort, chart, compare two, look at one and its confusion matrix."""
    with guide.link_of_ui(home) as link, guide.browser() as page:
        shown = guide.open_runs(page, link, sweep)
        assert any(name.startswith("sweep classify") for name in shown), "the parent is there too"
        guide.walk(page, link, sweep, tmp_path)

    pictures = sorted(tmp_path.glob("mlflow-*.png"))
    assert [file.stem for file in pictures] == [
        "mlflow-comparison",
        "mlflow-confusion",
        "mlflow-run",
        "mlflow-runs",
        "mlflow-two-runs",
    ]
    for file in pictures:
        with Image.open(file) as picture:
            assert picture.width == 1600
            assert len(picture.convert("L").getcolors()) > 50, "there is something on it"
