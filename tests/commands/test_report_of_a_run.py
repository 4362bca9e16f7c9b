"""`offshelf report RUN`, `result.report()` and `load(…).report()`: the page of a run, wherever it is asked for."""

import json
import re

import numpy as np
import pytest

import offshelf
from offshelf.commands.report import main
from offshelf.errors import ConfigError


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A small run in a folder of its own."""
    folder = tmp_path_factory.mktemp("run") / "out"
    return offshelf.classify(
        backbone="tiny", classifier__C=20, bootstrap__replicates=0, store="memory", output_dir=folder
    )


@pytest.mark.slow
def test_page_of_a_result(result, tmp_path):
    page = result.report()

    metrics = json.loads((result.folder / "metrics.json").read_text())
    assert f'<p class="value">{metrics["test/accuracy"]:.4f}</p>' in page.html
    assert f"offshelf rerun {result.folder}" in page.html
    assert page.write(tmp_path / "sub/page.html").read_text(encoding="utf-8") == page.html
    frame = page._repr_html_()
    assert 'sandbox="allow-scripts"' in frame
    assert "<script" not in frame, "it is inside the frame alone"


def test_command(result, tmp_path, capsys):
    target = tmp_path / "page.html"
    done = main([str(result.folder), "--out", str(target)])

    assert target.read_bytes() == (result.folder / "report.html").read_bytes()
    assert done.data["file"] == target
    assert str(target) in re.sub(r"\s", "", capsys.readouterr().out)
    assert offshelf.load(result.folder).report().html == target.read_text(encoding="utf-8")


def test_name_that_is_no_page(result, tmp_path):
    with pytest.raises(ConfigError, match=r"end it with \.html"):
        main([str(result.folder), "--out", str(tmp_path / "page.pdf")])


@pytest.mark.slow
def test_run_without_a_page(tmp_path):
    done = offshelf.classify(
        backbone="tiny",
        classifier__C=20,
        bootstrap__replicates=0,
        store="memory",
        report=None,
        output_dir=tmp_path / "run",
    )

    with pytest.raises(ConfigError, match="report=None"):
        done.report()
    with pytest.raises(ConfigError, match="report=null"):
        offshelf.load(tmp_path / "run").report()


def test_given_features_have_no_network_and_predict_nothing(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    np.savez(tmp_path / "given.npz", features=values, labels=np.arange(40) % 2)
    settings = {"dataset__path": tmp_path / "given.npz", "bootstrap__replicates": 0, "output_dir": tmp_path / "run"}
    done = offshelf.classify(dataset="features", backbone="none", classifier__C=20, **settings)

    page = done.report().html

    assert "offshelf rerun" in page
    assert "offshelf predict" not in page
    assert "in the store" not in page
