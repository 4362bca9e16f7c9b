"""Spectra of the layers of a run: which rows they are of, and where they are written."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

import offshelf
from offshelf.dataset import Digits
from offshelf.errors import ConfigError
from offshelf.evaluation import spectra as module
from offshelf.evaluation.spectra import Spectra
from offshelf.extractor import Cost, Features
from offshelf.metric.spectrum import cka, rankme, singular_values

NAMES = {"a": 6, "b": 30}


@pytest.fixture
def features():
    """Features of two layers, float32 [20, 2, D]."""
    random = np.random.default_rng(0)
    values = {name: random.normal(size=(20, 2, dims)).astype(np.float32) for name, dims in NAMES.items()}
    return Features(values, "digest", Cost())


TRAIN = np.array([1, 3, 4, 8, 9, 15])


@pytest.mark.parametrize("joined", [False, True])
def test_rows_are_all_views_of_the_training_images(joined, features):
    """Also of layers that are fused: each has a spectrum of its own."""
    found = Spectra.of(features.joined("both") if joined else features, TRAIN)
    rows = [values[TRAIN].reshape(12, -1) for values in features.values.values()]

    assert {name: one.dims for name, one in found.layers.items()} == NAMES
    for one, expected in zip(found.layers.values(), rows, strict=True):
        assert one.rows == 12
        assert one.rankme == pytest.approx(rankme(np.linalg.svd(expected, compute_uv=False)), rel=1e-5)
    np.testing.assert_allclose(found.cka_LL, cka(rows), rtol=1e-6)


def test_many_rows_are_drawn(features, monkeypatch):
    """The same in every run; fewer of a wide layer."""
    monkeypatch.setattr(module, "ROWS", 8)
    monkeypatch.setattr(module, "WIDE", 7)
    monkeypatch.setattr(module, "CKA_ROWS", 5)
    found, again = Spectra.of(features, TRAIN), Spectra.of(features, TRAIN)
    drawn = np.random.default_rng(0).permutation(12)
    rows = {name: values[TRAIN].reshape(12, -1)[drawn] for name, values in features.values.items()}

    assert [one.rows for one in found.layers.values()] == [8, 7]
    assert found.layers["b"].rankme == pytest.approx(rankme(singular_values(rows["b"][:7])))
    np.testing.assert_allclose(found.cka_LL, cka([one[:5] for one in rows.values()]))
    assert found.layers == again.layers


@pytest.mark.slow
def test_a_run(tmp_path):
    """A column each in the table, files with all of it, and a heat map; the baseline has its numbers too."""
    samples = Digits().load().samples[:120]
    images = [sample.image.pixels for sample in samples], [sample.target for sample in samples]
    settings = {"backbone": "tiny", "layer": "all", "C": 1.0, "bootstrap__replicates": 0, "store": None}

    run = offshelf.classify(images, spectrum=True, output_dir=tmp_path, **settings)

    written = pd.read_csv(tmp_path / "spectrum.csv")
    assert list(written["layer"]) == ["block1", "block2", "block3", "pixels"]
    np.testing.assert_allclose(run.table["spectrum/rankme"], written["rankme"])
    np.testing.assert_allclose(run.table["spectrum/stable_rank"], written["stable_rank"])
    similar = pd.read_csv(tmp_path / "cka.csv", index_col="layer")
    assert list(similar.columns) == list(similar.index) == ["block1", "block2", "block3"]
    np.testing.assert_allclose(similar.to_numpy(), run.spectra.cka_LL)
    assert imread(tmp_path / "cka.png").ndim == 3
    assert run.metrics["cost/spectrum_seconds"] > 0
    assert run.plot("cka").axes[0].get_title().endswith("linear CKA")
    assert [column.header for column in run.lines()[0].columns] == ["layer", "RankMe", "stable rank", "dims", "rows"]
    assert run.lines()[0].cells(0) == list(written["layer"])


def test_a_run_without(tmp_path):
    samples = Digits().load().samples[:60]
    images = [sample.image.pixels for sample in samples], [sample.target for sample in samples]
    run = offshelf.classify(images, backbone="pixels", C=1.0, bootstrap__replicates=0, store=None, output_dir=tmp_path)

    assert run.spectra is None
    assert not [name for name in run.metrics if "spectrum" in name]
    assert not (tmp_path / "spectrum.csv").exists()
    with pytest.raises(ConfigError, match=r"cka .with spectrum=True"):
        run.plot("cka")
