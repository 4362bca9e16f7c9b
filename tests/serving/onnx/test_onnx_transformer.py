"""Transforms as torch modules, beside scikit-learn's own."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from offshelf.errors import ModelError
from offshelf.postprocess import Projection, SignedPower, chain, fit, transform
from offshelf.serving.onnx.transformer import as_module

FIT, NEW = (np.random.default_rng(seed).normal(3, 2, (30, 2, 6)).astype(np.float32) for seed in (0, 1))


@pytest.mark.parametrize(
    "transformer",
    [
        FunctionTransformer(),
        Normalizer(),
        Normalizer("l1"),
        Normalizer("max"),
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        Projection(3),
        SignedPower(0.5),
        chain(["l2", "pca_whiten", "l2", "power"], components=4, power=2),
        make_pipeline("passthrough", Normalizer()),
    ],
    ids=repr,
)
def test_the_same_rows(transformer):
    """A row of zeros among them, and negative values."""
    fitted = fit(transformer, FIT)
    new = NEW.copy()
    new[0, 0] = 0
    new[1] *= -1

    found = as_module(fitted)(torch.from_numpy(new)).numpy()

    np.testing.assert_allclose(found, transform(fitted, new), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("foreign", [PCA(2), FunctionTransformer(np.log1p), make_pipeline(Normalizer(), PCA(2))])
def test_a_foreign_transform(foreign):
    """Is named, with those that can be exported."""
    with pytest.raises(ModelError, match=r"(PCA|FunctionTransformer) cannot be exported to ONNX.*postprocess=none"):
        as_module(fit(foreign, FIT))
