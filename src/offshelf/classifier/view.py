"""Application of estimators of rows to images with several views.

Axes: N images, V views, D features, K classes, P responses per image (classes, or pairs of classes; no axis for two
classes).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from offshelf.svm.encoding import Encoding
from offshelf.svm.fusion import Fusion, fuse

ROWS = 1 << 12
"""Number of rows that an estimator responds to at a time: for 200 classes one-vs-one gives 19,900 responses each."""


def rows(values_NVD: np.ndarray) -> np.ndarray:
    """Return one row per view, with the views of an image next to each other: [N * V, D]."""
    return values_NVD.reshape(-1, values_NVD.shape[-1])


def class_scores(fitted: Any, values_NVD: np.ndarray, fusion: Fusion = "sum") -> np.ndarray:
    """Return scores of classes, [N, K], of a fitted scikit-learn classifier; responses to an image's views are fused.

    Responses are decision values, or probabilities if an estimator has no decision values; of a regressor numbers.
    """
    block = max(1, ROWS // values_NVD.shape[1])
    blocks = [values_NVD[start : start + block] for start in range(0, len(values_NVD), block)]
    return np.concatenate([_class_scores(fitted, values_BVD, fusion) for values_BVD in blocks])


def _class_scores(fitted: Any, values_NVD: np.ndarray, fusion: Fusion) -> np.ndarray:
    respond = _responses(fitted)
    by_row = respond(rows(values_NVD))
    images = np.repeat(np.arange(len(values_NVD)), values_NVD.shape[1])
    return of_classes(fitted, fuse(by_row, images, fusion, _is_two_sided(fitted, by_row)))


def predicts_numbers(estimator: Any) -> bool:
    """Return whether an estimator is one of scikit-learn's regressors."""
    from sklearn.base import is_regressor

    try:
        return bool(is_regressor(estimator))
    except AttributeError:  # it has no tags, or one within it has none
        return False


def _responses(fitted: Any) -> Callable[[np.ndarray], np.ndarray]:
    if predicts_numbers(fitted):
        return lambda rows_RD: np.reshape(fitted.predict(rows_RD), (len(rows_RD), 1))
    respond: Callable[[np.ndarray], np.ndarray] = getattr(fitted, "decision_function", None) or fitted.predict_proba
    return respond


def of_classes(fitted: Any, responses_NP: np.ndarray) -> np.ndarray:
    """Return scores of classes, [N, K], from responses: [N, P], or [N] for two classes.

    The class with the largest score, the first of equals, is the one that the estimator predicts.
    """
    if predicts_numbers(fitted):
        return responses_NP.reshape(len(responses_NP), 1)
    own_rule = getattr(fitted, "class_scores", None)
    if own_rule:
        return np.asarray(own_rule(responses_NP), np.float64)
    if responses_NP.ndim == 1:
        return np.stack([-responses_NP, responses_NP], axis=1)
    if getattr(fitted, "decision_function_shape", "ovr") == "ovo":  # scikit-learn's SVC
        return Encoding(fitted.classes_, "ovo").scores(responses_NP, by_votes=True)
    return responses_NP


def _is_two_sided(fitted: Any, by_row: np.ndarray) -> bool:
    """Return whether responses are for two classes or pairs of classes, of scikit-learn's SVC or LinearSVM."""
    pairs = getattr(fitted, "decision_function_shape", "ovr") == "ovo" and getattr(fitted, "kind_", "ovo") == "ovo"
    return by_row.ndim == 1 or pairs


def svm_method(fitted: Any) -> str | None:
    """Return which method solved a fitted SVM of offshelf's, in words; None for other estimators."""
    method: str | None = getattr(fitted, "method_", None)
    if method is None or not hasattr(fitted, "n_fallback_tasks_"):
        return None
    if not fitted.n_fallback_tasks_:
        return method
    return f"{method}, {fitted.fallback_method_} for {fitted.n_fallback_tasks_} of {len(fitted.coef_)} tasks"
