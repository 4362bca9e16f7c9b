"""Principal components, with or without whitening."""

import logging
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted, validate_data

from offshelf.errors import ConfigError

log = logging.getLogger(__name__)

ROWS = 1 << 12
"""Transformed at a time."""


class Projection(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """scikit-learn's PCA by an exact solver, so that it draws no random numbers, and only what can be whitened.

    With at least half as many rows as dimensions, R and D, the covariance matrix is decomposed: one product of R D²
    multiplications and one eigenvalue problem of size D, whose cost does not grow with the rows. With fewer rows the
    rows are. Either is done in float64, of rows less their mean: with means far from 0 small variances would else be
    rounded away, by which whitening divides. Directions in which the rows vary by no more than the rounding of their
    own type are none.

    Args:
        components: How many to keep; None: as many as there are directions in which the rows vary.
        whiten: Whether each component gets unit variance.

    Attributes:
        mean_: Of the rows, [D].
        components_: [components, D], of unit length or, with `whiten`, divided by their standard deviations.
        explained_variance_: Variances before whitening, largest first, [components].
    """

    def __init__(self, components: int | None = None, whiten: bool = False) -> None:
        self.components = components
        self.whiten = whiten

    def fit(self, X: np.ndarray, y: Any = None) -> "Projection":
        """Learn from rows [R, D].

        Raises:
            ConfigError: fewer directions in which the rows vary than components: in others there are rounding errors
                only, which whitening would blow up.
        """
        check_components(self.components)
        X = validate_data(self, X, dtype=(np.float64, np.float32), ensure_min_samples=2)
        rows, dims = X.shape
        solver = "covariance_eigh" if 2 * rows >= dims else "full"
        centred = X.astype(np.float64)
        mean = centred.mean(axis=0)
        noise = _noise(centred, X.dtype)
        centred -= mean
        with np.errstate(invalid="ignore"):  # of rows that do not vary at all: refused below
            pca = PCA(svd_solver=solver).fit(centred)
        variances = pca.explained_variance_
        computed = variances > variances[0] * max(rows, dims) * np.finfo(np.float64).eps
        varied = int(np.sum(computed & (variances > noise)))
        if not varied:
            raise ConfigError(
                f"The {rows} training rows of {dims} dimensions are all the same, up to rounding: they have no "
                "principal components. Use another layer, or postprocess=none."
            )
        if varied < (self.components or 1):
            raise ConfigError(
                f"{self.components or 1} principal components were asked for, and {rows} training rows of {dims} "
                f"dimensions vary in {varied} directions: set postprocess.components={varied}, fewer, or null for all."
            )
        if self.components is None and varied < computed.sum():
            log.warning(
                "%d principal components are kept: in %d other directions the rows vary by the rounding of %s alone.",
                *(varied, computed.sum() - varied, X.dtype),
            )
        kept = slice(self.components or varied)
        scale = np.sqrt(variances[kept, None]) if self.whiten else 1
        self.explained_variance_ = variances[kept]
        self.mean_ = mean + pca.mean_
        self.components_ = pca.components_[kept] / scale
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Rows [R, components] from rows [R, D], float32 from float32."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        out = np.empty((len(X), len(self.components_)), X.dtype)
        for start in range(0, len(X), ROWS):
            part = slice(start, start + ROWS)
            out[part] = (X[part] - self.mean_) @ self.components_.T  # in float64: see fit
        return out

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _noise(values_RD: np.ndarray, dtype: np.dtype[Any]) -> float:
    """The largest variance along any direction that rounding the rows to a type alone can make.

    A number x is rounded by at most u |x|, the unit roundoff times it, evenly: with a variance below (u x)² / 3. The
    largest eigenvalue of the covariance of D such dimensions in R rows tends to (1 + √(D / R))² of that (Geman, Annals
    of Probability 1980); that it is a third is left as room.
    """
    rows, dims = values_RD.shape
    largest = float(np.einsum("rd,rd->d", values_RD, values_RD).max()) / rows
    return largest * (float(np.finfo(dtype).eps) / 2) ** 2 * (1 + (dims / rows) ** 0.5) ** 2


def check_components(components: int | None) -> None:
    """Raise ConfigError for a number of components that is no positive whole number or None."""
    if components is None:
        return
    if isinstance(components, bool) or not isinstance(components, int) or components < 1:
        raise ConfigError(f"components is a positive whole number, or null for all there are; got {components}.")
