"""Places of images on a map: the first two principal components of their features, t-SNE or UMAP."""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

Way = Literal["pca", "tsne", "umap"]

PERPLEXITY = 30.0
NEIGHBOURS = 15
FEW = 4
"""Largest number of images that are always placed by principal components."""
SMALL = 60
"""Dimensions, or images, up to which all singular vectors are computed."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """A map of n images."""

    places: np.ndarray
    """float [n, 2]."""
    about: str
    """What the axes are, in a sentence."""


def principal_components(values_nD: np.ndarray, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates [n, count] along the first principal components, and their shares of the variance.

    They are exact: singular vectors of the centred features, by ARPACK where there are many, as scikit-learn's
    `PCA(svd_solver="arpack")` has them. Each axis points to where most of its coordinates' cubes are.
    """
    centred = values_nD - values_nD.mean(axis=0, dtype=np.float64).astype(values_nD.dtype)
    total = float(np.vdot(centred, centred))
    if not total:
        return np.zeros((len(centred), count)), np.zeros(count)
    left, singular = _singular(centred, count)
    coordinates = left * singular
    signs = np.where((coordinates**3).sum(axis=0) < 0, -1, 1)
    missing = count - len(singular)
    padded = np.pad(coordinates * signs, ((0, 0), (0, missing)))
    return padded, np.pad(singular**2, (0, missing)) / total


def embed(values_nD: np.ndarray, how: Way) -> Embedding:
    """Return the map of images by their features: of a few by principal components, whichever way is asked for."""
    if how != "pca" and len(values_nD) > FEW:
        return (_tsne if how == "tsne" else _umap)(values_nD)
    places, shares = principal_components(values_nD)
    of = " and ".join(f"{share:.0%}" for share in shares)
    return Embedding(places, f"The first two principal components, with {of} of the variance of these features.")


def _singular(centred_nD: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the left singular vectors [n, count] and values [count], the largest first."""
    if min(centred_nD.shape) <= SMALL:
        left, singular, _ = np.linalg.svd(centred_nD, full_matrices=False)
        return left[:, :count], singular[:count]
    from scipy.sparse.linalg import svds

    start = np.random.default_rng(0).standard_normal(min(centred_nD.shape))
    left, singular, _ = svds(centred_nD, count, v0=start, solver="arpack")
    order = np.argsort(-singular)
    return left[:, order], singular[order]


def _tsne(values_nD: np.ndarray) -> Embedding:
    """Return t-SNE of the first 50 principal components, begun from two (van der Maaten & Hinton, JMLR 2008)."""
    from sklearn.manifold import TSNE

    reduced, begun = _begun(values_nD)
    perplexity = min(PERPLEXITY, (len(values_nD) - 1) / 3)
    places = TSNE(perplexity=perplexity, init=begun * np.float32(1e-4), random_state=0).fit_transform(reduced)
    return Embedding(
        places, f"t-SNE with perplexity {perplexity:g}: near is alike, distances between groups mean little."
    )


def _umap(values_nD: np.ndarray) -> Embedding:
    """Return UMAP of the first 50 principal components, begun from two (McInnes, Healy & Melville, 2018)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # a part of the package needs TensorFlow
        from umap import UMAP

    reduced, begun = _begun(values_nD)
    neighbours = min(NEIGHBOURS, len(values_nD) - 1)
    made = UMAP(n_neighbors=neighbours, init=begun, random_state=0, n_jobs=1)
    places = made.fit_transform(reduced.astype(np.float32))
    return Embedding(places, f"UMAP with {neighbours} neighbours: near is alike, distances between groups mean little.")


def _begun(values_nD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return up to 50 principal components, and the first two, scaled to a standard deviation of 1: float32 [n, 2]."""
    reduced, _ = principal_components(values_nD, max(2, min(50, *values_nD.shape)))
    begun = reduced[:, :2] / max(float(reduced[:, 0].std()), 1e-12)
    return reduced, begun.astype(np.float32)
