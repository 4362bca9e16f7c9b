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
"""Number of rows transformed at a time."""


class Projection(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """scikit-learn's PCA by an exact solver without random numbers, restricted to directions that can be whitened.

    With at least half as many rows R as dimensions D, the covariance matrix is decomposed: one product of R D²
    multiplications and one eigenvalue problem of size D, whose cost does not grow with the rows. With fewer rows the
    rows are decomposed. Either is done in float64, on centred rows: otherwise means far from 0 would hide small
    variances in rounding errors, by which whitening divides. Directions in which the rows vary by no more than the
    rounding of their own type are left out.

    Args:
        components: Number of components to keep; None: as many as there are directions in which the rows vary.
        whiten: Whether each component gets unit variance.

    Attributes:
        mean_: Mean of the rows, [D].
        components_: [components, D], of unit length or, with `whiten`, divided by their standard deviations.
        explained_variance_: Variances before whitening, largest first, [components].
    """

    def __init__(self, components: int | None = None, whiten: bool = False) -> None:
        self.components = components
        self.whiten = whiten

    def fit(self, X: np.ndarray, y: Any = None) -> "Projection":
        """Fit to rows [R, D].

        Raises:
            ConfigError: The rows vary in fewer directions than `components`. In the others there are only rounding
                errors, which whitening would amplify.
        """
        check_components(self.components)
        X = validate_data(self, X, dtype=(np.float64, np.float32), ensure_min_samples=2)
        rows, dims = X.shape
        solver = "covariance_eigh" if 2 * rows >= dims else "full"
        centred = X.astype(np.float64)
        mean = centred.mean(axis=0)
        noise = _noise(centred, X.dtype)
        centred -= mean
        with np.errstate(invalid="ignore"):  # for rows that do not vary at all, which raise below
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
                f"{self.components or 1} principal components were requested, but {rows} training rows of {dims} "
                f"dimensions vary in {varied} directions: set postprocess.components={varied}, fewer, or null for all."
            )
        if self.components is None and varied < computed.sum():
            log.warning(
                "%d principal components are kept: in %d other directions the rows vary only by the rounding of %s.",
                *(varied, computed.sum() - varied, X.dtype),
            )
        kept = slice(self.components or varied)
        scale = np.sqrt(variances[kept, None]) if self.whiten else 1
        self.explained_variance_ = variances[kept]
        self.mean_ = mean + pca.mean_
        self.components_ = pca.components_[kept] / scale
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Transform rows [R, D] to rows [R, components], float32 from float32."""
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
    """Return the largest variance along any direction that rounding the rows to a type alone can cause.

    A number x is rounded by at most u |x|, with u the unit roundoff, uniformly: with a variance below (u x)² / 3. The
    largest eigenvalue of the covariance of D such dimensions in R rows tends to (1 + √(D / R))² of that (Geman, Annals
    of Probability 1980); the third is left as a margin.
    """
    rows, dims = values_RD.shape
    largest = float(np.einsum("rd,rd->d", values_RD, values_RD).max()) / rows
    return largest * (float(np.finfo(dtype).eps) / 2) ** 2 * (1 + (dims / rows) ** 0.5) ** 2


def check_components(components: int | None) -> None:
    """Raise ConfigError unless a number of components is a positive integer or None."""
    if components is None:
        return
    if isinstance(components, bool) or not isinstance(components, int) or components < 1:
        raise ConfigError(f"components must be a positive whole number, or null for all; got {components}.")
