"""The README's walk through the real MLflow UI, as `offshelf ui` links it, in a real browser."""

import subprocess

import pytest
import warm
from browsers import MARKS
from PIL import Image

pytestmark = MARKS


@pytest.fixture
def sweep(home, tmp_path):
    """A sweep of two layers: names of its runs, best first, and last the sweep itself."""
    command = [warm.program(), "classify", "-m", "backbone=tiny", "classifier.C=[20,200]", "baseline=null"]
    command += ["layer=block1,block3", "bootstrap.replicates=0"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return ["digits tiny block3", "digits tiny block1"]


def test_walk(browse, sweep, home, tmp_path):
    """Open the link, see the runs best first, sort, chart, compare two, look at one and its confusion matrix."""
    with browse.link_of_ui(home) as link, browse.browser() as page:
        shown = browse.open_runs(page, link, sweep)
        assert any(name.startswith("sweep classify") for name in shown), "the parent is there too"
        browse.walk(page, link, sweep, tmp_path)

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
