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
    return transform(fitted, train_NVD), transform(adapted(fitted, test_MVD), test_MVD)


def fit(transformer: Transformer, values_NVD: np.ndarray) -> Transformer:
    """Fit a copy to all views of the images."""
    from sklearn.base import clone

    fitted: Transformer = clone(transformer).fit(_rows(values_NVD))
    return fitted


def learns(transformer: Transformer) -> bool:
    """Return whether the transformer, or a step of it, depends on the rows that it is fitted to."""
    from sklearn.utils import get_tags

    return any(get_tags(step).requires_fit for step in _steps(transformer))


def adapts(transformer: Transformer) -> bool:
    """Return whether a step transforms test images by their own statistics (see `DomainScaler`)."""
    return any(hasattr(step, "adapted") for step in _steps(transformer)) or any(
        map(adapts, getattr(transformer, "transformers", ()))
    )


def adapted(fitted: Transformer, test_NVD: np.ndarray) -> Transformer:
    """Return the transformer of test images: the fitted one, or its copy with the statistics of all test images."""
    return _adapted(fitted, _rows(test_NVD)) if adapts(fitted) else fitted


def _adapted(fitted: Any, rows_RD: np.ndarray) -> Any:
    if not hasattr(fitted, "steps"):
        return fitted.adapted(rows_RD) if hasattr(fitted, "adapted") else fitted
    from sklearn.pipeline import make_pipeline

    steps = []
    for step in _steps(fitted):
        steps.append(_adapted(step, rows_RD))
        rows_RD = steps[-1].transform(rows_RD)
    return make_pipeline(*steps)


def _steps(transformer: Transformer) -> list[Any]:
    return [step for _, step in getattr(transformer, "steps", [("", transformer)])]


def transform(fitted: Transformer, values_NVD: np.ndarray) -> np.ndarray:
    """Transform [N, V, D] to [N, V, E]."""
    return fitted.transform(_rows(values_NVD)).reshape(*values_NVD.shape[:2], -1)


def _rows(values_NVD: np.ndarray) -> np.ndarray:
    return values_NVD.reshape(-1, values_NVD.shape[-1])
