"""Images seen through several views, to estimators that know rows only.

Axes: N images, V views, D features, P responses an image (classes, or pairs of classes; no axis for two classes).
"""

from typing import Any

import numpy as np


def rows(values_NVD: np.ndarray) -> np.ndarray:
    """One row a view, an image's views side by side: [N * V, D]."""
    return values_NVD.reshape(-1, values_NVD.shape[-1])


def predict(fitted: Any, values_NVD: np.ndarray) -> np.ndarray:
    """Classes [N] by a fitted scikit-learn classifier, its responses summed over an image's views.

    The 2014 paper, section 3.3. Responses are decision values, or probabilities where an estimator has no others.
    """
    respond = getattr(fitted, "decision_function", None) or fitted.predict_proba
    by_row = respond(rows(values_NVD))
    return labels(fitted, by_row.reshape(*values_NVD.shape[:2], *by_row.shape[1:]).sum(axis=1))


def labels(fitted: Any, responses_NP: np.ndarray) -> np.ndarray:
    """Classes [N] of responses [N, P], or [N] for two classes: by the estimator's own rule where it has one."""
    own_rule = getattr(fitted, "labels_of", None)
    if own_rule:
        return own_rule(responses_NP)
    if responses_NP.ndim == 1:
        return fitted.classes_[(responses_NP > 0).astype(int)]
    if getattr(fitted, "decision_function_shape", "ovr") == "ovo":  # scikit-learn's SVC
        responses_NP = _votes(responses_NP, len(fitted.classes_))
    return fitted.classes_[responses_NP.argmax(axis=1)]


def _votes(pairs_NP: np.ndarray, classes: int) -> np.ndarray:
    """Pairs won by each class, int64 [N, K]: a positive value is a vote for the first class of the pair."""
    first, second = np.triu_indices(classes, 1)
    winners = np.where(pairs_NP > 0, first, second)
    votes = np.zeros((len(pairs_NP), classes), np.int64)
    np.add.at(votes, (np.arange(len(pairs_NP))[:, None], winners), 1)
    return votes
