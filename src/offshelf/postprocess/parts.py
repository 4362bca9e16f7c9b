"""Transforms of parts of a row, such as the features of several layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from offshelf.postprocess.postprocess import Transformer, adapted, learns


class ByPart(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Cuts rows into parts of given widths, transforms each part by a transformer of its own, and concatenates them.

    It is scikit-learn's ColumnTransformer for consecutive columns, with parts that can be kept as data.

    Args:
        transformers: A transformer per part.
        widths: Number of columns of each part.

    Attributes:
        transformers_: The fitted transformers.
    """

    def __init__(self, transformers: Sequence[Transformer], widths: Sequence[int]) -> None:
        self.transformers = transformers
        self.widths = widths

    def fit(self, X: np.ndarray, y: Any = None) -> "ByPart":
        """Fit a copy of each transformer to its part of rows [R, D], D being the sum of the widths.

        Raises:
            ValueError: The rows have another number of columns.
        """
        X = validate_data(self, X, dtype=(np.float64, np.float32))
        parts = zip(self.transformers, self._parts(X), strict=True)
        self.transformers_ = [clone(transformer).fit(part) for transformer, part in parts]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Transform rows [R, D] to rows [R, E], E being the sum of the widths of the transformed parts."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        parts = zip(self.transformers_, self._parts(X), strict=True)
        return np.concatenate([fitted.transform(part) for fitted, part in parts], axis=1)

    def adapted(self, X: np.ndarray) -> "ByPart":
        """Return the transformer of test rows, of which X [R, D] are all (see `postprocess.adapted`)."""
        made = ByPart(self.transformers, self.widths)
        parts = zip(self.transformers_, self._parts(X), strict=True)
        made.transformers_ = [adapted(fitted, part[:, None]) for fitted, part in parts]
        made.n_features_in_ = self.n_features_in_
        return made

    def _parts(self, X: np.ndarray) -> list[np.ndarray]:
        if X.shape[1] != sum(self.widths):
            raise ValueError(f"rows of {X.shape[1]} numbers do not have parts of {list(self.widths)}")
        return np.split(X, np.cumsum(self.widths)[:-1], axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = any(map(learns, self.transformers))
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
