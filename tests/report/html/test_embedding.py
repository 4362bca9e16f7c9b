"""Maps of images beside scikit-learn's, and groups that are known."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from offshelf.errors import ConfigError
from offshelf.report.html.embedding import embed, principal_components
from offshelf.report.html.html_report import HtmlReport


def two_groups(count=60, dims=20):
    """Features of two groups that lie far from each other, float32 [count, dims], the first half first."""
    values = np.random.default_rng(0).normal(size=(count, dims)).astype(np.float32)
    values[: count // 2, :3] += 12
    return values


@pytest.mark.parametrize("shape", [(60, 20), (20, 60), (200, 90)])
def test_principal_components(shape):
    """Those of scikit-learn, but for the sign."""
    values = two_groups(*shape)
    places, shares = principal_components(values)
    known = PCA(2, svd_solver="full").fit(values.astype(np.float64))

    np.testing.assert_allclose(np.abs(places), np.abs(known.transform(values)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(shares, known.explained_variance_ratio_, rtol=1e-4)


@pytest.mark.parametrize("how", ["tsne", pytest.param("umap", marks=pytest.mark.soak)])  # compiled for 40 s
def test_neighbours_stay_together(how):
    """The nearest image on the map is of the same group; the same features have the same map."""
    values = two_groups()
    found = embed(values, how)
    gaps = np.linalg.norm(found.places[:, None] - found.places, axis=2) + np.diag(np.full(60, np.inf))

    assert (gaps.argmin(axis=1) < 30).tolist() == [True] * 30 + [False] * 30
    assert (embed(values, how).places == found.places).all()
    assert {"tsne": "t-SNE with perplexity 19.6667", "umap": "UMAP with 15 neighbours"}[how] in found.about


def test_what_umap_is_asked_for(monkeypatch):
    """Its map of the principal components, begun from the first two, without chance."""
    asked = {}

    class UMAP:
        def __init__(self, **settings):
            asked.update(settings)

        def fit_transform(self, values):
            asked["values"] = values
            return values[:, :2] + 1

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    values = two_groups(12)
    found = embed(values, "umap")
    known = PCA(12, svd_solver="full").fit_transform(values.astype(np.float64))[:, :11]

    assert (asked["n_neighbors"], asked["random_state"], asked["n_jobs"]) == (11, 0, 1)
    np.testing.assert_allclose(np.abs(asked["values"][:, :11]), np.abs(known), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(asked["init"], asked["values"][:, :2] / asked["values"][:, 0].std(), rtol=1e-5)
    assert (found.places == asked["values"][:, :2] + 1).all()
    assert "UMAP with 11 neighbours" in found.about


@pytest.mark.parametrize("how", ["pca", "tsne", "umap"])
def test_few_images(how):
    """Have a map, by principal components; equal ones lie in one place."""
    assert embed(np.ones((3, 5), np.float32), how).places.tolist() == [[0, 0]] * 3


def test_umap_is_not_installed(monkeypatch):
    """Said before any work."""
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setattr("offshelf.report.html.html_report.find_spec", lambda _: None)

    with pytest.raises(ConfigError, match=r"pip install 'offshelf\[umap\]'"):
        HtmlReport(map="umap")
