"""scikit-learn transformers on features with a view axis."""

from typing import Any, Protocol

import numpy as np


class Transformer(Protocol):
    """Any scikit-learn transformer of rows."""

    def fit(self, X: np.ndarray, y: Any = None) -> Any:
        """Learn from rows [R, D]."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Rows [R, E] from rows [R, D]."""


def fit_transform(
    transformer: Transformer, train_NVD: np.ndarray, test_MVD: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a copy to all views of the training images, and transform both sets: [N, V, E] and [M, V, E]."""
    from sklearn.base import clone

    fitted = clone(transformer).fit(_rows(train_NVD))
    train, test = fitted.transform(_rows(train_NVD)), fitted.transform(_rows(test_MVD))
    return train.reshape(*train_NVD.shape[:2], -1), test.reshape(*test_MVD.shape[:2], -1)


def _rows(values_NVD: np.ndarray) -> np.ndarray:
    return values_NVD.reshape(-1, values_NVD.shape[-1])
