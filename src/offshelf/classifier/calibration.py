"""Calibration: probabilities of classes from scores, learnt on images that the classifier was not fitted to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Calibration:
    """A map to probabilities: softmax(slope * score + offset) with one slope, or for several labels a sigmoid for each.

    For two classes, and for each of several labels, it is Platt's sigmoid (Advances in Large Margin Classifiers, 1999),
    whose targets are not quite 1 and 0: (n + 1) / (n + 2) for the class of an image, if n images are of it. For more
    classes it is temperature scaling (Guo et al., ICML 2017) with an offset for each class (Alexandari et al., ICML
    2020). One slope is learnt from all N images, so that their number takes the place of n: (N + 1) / (N + 2) for the
    class of an image, and the rest in equal shares for the others. Scores that separate the classes have a finite slope
    by that.
    """

    slopes_K: np.ndarray
    offsets_K: np.ndarray
    is_multilabel: bool

    @staticmethod
    def learn(scores_NK: np.ndarray, targets: np.ndarray) -> "Calibration":
        """Fit to scores of held-out images and their targets: classes int64 [N], or 1, -1 and 0 int8 [N, K]."""
        if targets.ndim == 1:
            slope, offsets_K = _fit(scores_NK, targets)
            return Calibration(np.full(len(offsets_K), slope), offsets_K, False)
        lines_K2 = np.array([_sigmoid(*column) for column in zip(scores_NK.T, targets.T, strict=True)])
        return Calibration(lines_K2[:, 0], lines_K2[:, 1], True)

    @staticmethod
    def own(fitted: Any, factor: float) -> "Calibration | None":
        """Return the map of a logistic probe, whose scores are log odds, if its probabilities are such a map.

        Args:
            fitted: Fitted estimator; any other than a logistic probe has none.
            factor: From fused decision values to those of a mean view.
        """
        if not hasattr(fitted, "probabilities_of"):
            return None
        slope = {"multinomial": 1.0, "multilabel": 1.0, "binary": 0.5}.get(fitted.kind_)  # of two classes: -z and z
        classes = len(fitted.classes_)
        if slope is None:
            return None
        return Calibration(np.full(classes, slope * factor), np.zeros(classes), fitted.kind_ == "multilabel")

    def __call__(self, scores_NK: np.ndarray) -> np.ndarray:
        """Return probabilities, float64 [N, K]; for single labels each row sums to 1."""
        from scipy.special import expit, softmax

        logits_NK = scores_NK * self.slopes_K + self.offsets_K
        probabilities_NK: np.ndarray = expit(logits_NK) if self.is_multilabel else softmax(logits_NK, axis=1)
        return probabilities_NK


def uncalibrated(fitted: Any, factor: float, is_multilabel: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return the map from scores to probabilities to compare a learnt calibration with.

    It is a logistic probe's own. Otherwise scores are taken for logits, as those of a network are (Guo et al., ICML
    2017): softmax, or a sigmoid for each of several labels. Of classifiers with one label and without decision values,
    such as nearest neighbours, whose scores are shares of votes, it is the scores divided by their sum.

    Args:
        fitted: Fitted estimator.
        factor: As for `Calibration.own`.
        is_multilabel: Whether scores are of several labels.
    """
    own = Calibration.own(fitted, factor)
    if own:
        return own
    if not is_multilabel and not hasattr(fitted, "decision_function"):
        return _shares
    return _as_logits(is_multilabel)


def _shares(scores_NK: np.ndarray) -> np.ndarray:
    shares_NK: np.ndarray = scores_NK / scores_NK.sum(axis=1, keepdims=True)
    return shares_NK


def _as_logits(is_multilabel: bool) -> Callable[[np.ndarray], np.ndarray]:
    def convert(scores_NK: np.ndarray) -> np.ndarray:
        classes = scores_NK.shape[1]
        return Calibration(np.ones(classes), np.zeros(classes), is_multilabel)(scores_NK)

    return convert


def _sigmoid(scores_N: np.ndarray, signs_N: np.ndarray) -> tuple[float, float]:
    """Return slope and offset of one label, over the images that count."""
    counts = signs_N != 0
    scores_N, is_positive_N = scores_N[counts], signs_N[counts] > 0
    if is_positive_N.all() or not is_positive_N.any():
        positives = int(is_positive_N.sum())
        return 0.0, float(np.log((positives + 1) / (len(scores_N) - positives + 1)))
    slope, offsets = _fit(np.stack([np.zeros(len(scores_N)), scores_N], axis=1), is_positive_N.astype(np.int64))
    return slope, float(offsets[1] - offsets[0])


def _fit(scores_NK: np.ndarray, targets_N: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the slope and the K offsets, which sum to 0, of maximum likelihood: a convex problem."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    count, classes = scores_NK.shape
    scale = float(scores_NK.std()) or 1.0
    unit_NK = scores_NK / scale
    wanted_NK = _wanted(targets_N, classes)

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        logs_NK = log_softmax(line[0] * unit_NK + line[1:], axis=1)
        surplus_NK = np.exp(logs_NK) - wanted_NK
        gradient = np.concatenate([[(surplus_NK * unit_NK).sum()], surplus_NK.sum(axis=0)])
        return float(-(wanted_NK * logs_NK).sum() / count), gradient / count

    found = minimize(loss, np.zeros(1 + classes), jac=True, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-8})
    return float(found.x[0] / scale), found.x[1:] - found.x[1:].mean()


def _wanted(targets_N: np.ndarray, classes: int) -> np.ndarray:
    """Return the probabilities that a fit aims at: float64 [N, K], rows sum to 1."""
    counts_N = np.bincount(targets_N)[targets_N] if classes == 2 else np.full(len(targets_N), len(targets_N))
    other_N = 1 / (counts_N + 2) / (classes - 1)
    wanted_NK = np.repeat(other_N[:, None], classes, axis=1)
    wanted_NK[np.arange(len(targets_N)), targets_N] = (counts_N + 1) / (counts_N + 2)
    return wanted_NK
