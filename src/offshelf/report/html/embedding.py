"""Places of images on a map: the first two principal components of their features, or t-SNE."""

from dataclasses import dataclass

import numpy as np

PERPLEXITY = 30.0
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


def embed(values_nD: np.ndarray, how: str) -> Embedding:
    """Return the map of images by their features."""
    if how == "tsne" and len(values_nD) > 3:
        return _tsne(values_nD)
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

    reduced, _ = principal_components(values_nD, min(50, *values_nD.shape))
    perplexity = min(PERPLEXITY, (len(values_nD) - 1) / 3)
    begun = reduced[:, :2] / max(float(reduced[:, 0].std()), 1e-12) * 1e-4
    places = TSNE(perplexity=perplexity, init=begun.astype(np.float32), random_state=0).fit_transform(reduced)
    return Embedding(
        places, f"t-SNE with perplexity {perplexity:g}: near is alike, distances between groups mean little."
    )
