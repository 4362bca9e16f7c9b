"""Application of scikit-learn transformers to features with a view axis."""

from typing import Any, Protocol

import numpy as np


class Transformer(Protocol):
    """Any scikit-learn transformer of rows."""

    def fit(self, X: np.ndarray, y: Any = None) -> Any:
        """Fit to rows [R, D]."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Transform rows [R, D] to rows [R, E]."""


def fit_transform(
    transformer: Transformer, train_NVD: np.ndarray, test_MVD: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a copy to all views of the training images, and transform both sets: [N, V, E] and [M, V, E]."""
    fitted = fit(transformer, train_NVD)
    return transform(fitted, train_NVD), transform(fitted, test_MVD)


def fit(transformer: Transformer, values_NVD: np.ndarray) -> Transformer:
    """Fit a copy to all views of the images."""
    from sklearn.base import clone

    fitted: Transformer = clone(transformer).fit(_rows(values_NVD))
    return fitted


def learns(transformer: Transformer) -> bool:
    """Return whether the transformer, or a step of it, depends on the rows that it is fitted to."""
    from sklearn.utils import get_tags

    steps = [step for _, step in getattr(transformer, "steps", [("", transformer)])]
    return any(get_tags(step).requires_fit for step in steps)


def transform(fitted: Transformer, values_NVD: np.ndarray) -> np.ndarray:
    """Transform [N, V, D] to [N, V, E]."""
    return fitted.transform(_rows(values_NVD)).reshape(*values_NVD.shape[:2], -1)


def _rows(values_NVD: np.ndarray) -> np.ndarray:
    return values_NVD.reshape(-1, values_NVD.shape[-1])
