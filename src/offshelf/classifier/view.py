"""Images seen through several views, to estimators that know rows only.

Axes: N images, V views, D features, K classes, P responses an image (classes, or pairs of classes; no axis for two
classes).
"""

from typing import Any

import numpy as np


def rows(values_NVD: np.ndarray) -> np.ndarray:
    """One row a view, an image's views side by side: [N * V, D]."""
    return values_NVD.reshape(-1, values_NVD.shape[-1])


def class_scores(fitted: Any, values_NVD: np.ndarray) -> np.ndarray:
    """Scores of classes, [N, K], by a fitted scikit-learn classifier, its responses summed over an image's views.

    The 2014 paper, section 3.3. Responses are decision values, or probabilities where an estimator has no others.
    """
    respond = getattr(fitted, "decision_function", None) or fitted.predict_proba
    by_row = respond(rows(values_NVD))
    return of_classes(fitted, by_row.reshape(*values_NVD.shape[:2], *by_row.shape[1:]).sum(axis=1))


def of_classes(fitted: Any, responses_NP: np.ndarray) -> np.ndarray:
    """Scores of classes, [N, K], from responses: [N, P], or [N] for two classes.

    The class with the largest is the one that the estimator predicts, of equals the first.
    """
    own_rule = getattr(fitted, "class_scores", None)
    if own_rule:
        return np.asarray(own_rule(responses_NP), np.float64)
    if responses_NP.ndim == 1:
        return np.stack([-responses_NP, responses_NP], axis=1)
    if getattr(fitted, "decision_function_shape", "ovr") == "ovo":  # scikit-learn's SVC
        return _votes(responses_NP, len(fitted.classes_))
    return responses_NP


def _votes(pairs_NP: np.ndarray, classes: int) -> np.ndarray:
    """Pairs won by each class, float64 [N, K]: a positive value is a vote for the first class of the pair."""
    first, second = np.triu_indices(classes, 1)
    winners = np.where(pairs_NP > 0, first, second)
    votes = np.zeros((len(pairs_NP), classes))
    np.add.at(votes, (np.arange(len(pairs_NP))[:, None], winners), 1)
    return votes
