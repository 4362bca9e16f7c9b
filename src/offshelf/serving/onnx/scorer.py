"""A fitted classifier, linear or by nearest neighbours, and the fusion of views, as torch modules in float32.

Axes: N images, V views, D features, K classes, P binary problems (classes, pairs of classes, or one for two classes).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from torch import nn

from offshelf.classifier import Scorer
from offshelf.classifier.label import EachLabel
from offshelf.classifier.view import predicts_numbers
from offshelf.errors import ModelError
from offshelf.knn import KNNProbe
from offshelf.serving.onnx.neighbours import NeighbourVotes
from offshelf.serving.onnx.transformer import Constants
from offshelf.svm import LinearSVM
from offshelf.svm.encoding import TIE_BREAK_STEPS
from offshelf.svm.fusion import Fusion


def as_module(scorer: Scorer) -> nn.Module:
    """Return a module from transformed features [N, V, D] to scores of classes [N, K], as the scorer computes them.

    Raises:
        ModelError: The estimator is of another kind.
    """
    estimator = scorer.estimator
    steps: list[nn.Module] = [_MeanView()] if scorer.averages_features else []
    if isinstance(estimator, KNNProbe):
        return nn.Sequential(*steps, NeighbourVotes(estimator), _Fuse(scorer.fusion, False))
    weights_PD, biases_P = _linear(estimator)
    by_row, by_image, is_two_sided = _rules(estimator, len(biases_P))
    steps += [_Linear(weights=weights_PD, biases=biases_P), by_row, _Fuse(scorer.fusion, is_two_sided), by_image]
    return nn.Sequential(*steps)


def vote(estimator: Any) -> float:
    """Return by how much two scores differ at most if a rounding error decides a vote: 0 if scores count no votes.

    That is a pair of classes won, or the share of the last of k neighbours, of which two may be equally near.
    """
    if isinstance(estimator, KNNProbe):
        return 1 / float(estimator.n_neighbors_)
    is_pairs = isinstance(estimator, LinearSVM) and estimator.kind_ == "ovo" and estimator.ovo_decision == "votes"
    return float(is_pairs or isinstance(estimator, OneVsOneClassifier))


def _linear(estimator: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return weights [P, D] and biases [P] of decision values, a row per binary problem."""
    if isinstance(estimator, EachLabel):
        return _joined(estimator.fitted_)
    if isinstance(estimator, OneVsRestClassifier | OneVsOneClassifier):
        return _joined(estimator.estimators_)
    if not hasattr(estimator, "coef_") or hasattr(estimator, "dual_coef_"):
        raise ModelError(
            f"{type(estimator).__name__} cannot be exported to ONNX: linear classifiers can (linear_svm, "
            "linear_svm_ovr, liblinear_ovo, logistic, logistic_ovr, ridge, sklearn_logistic, sklearn_linear_svc), and "
            "knn and nearest_neighbour. "
            "`offshelf export RUN DIR` supports any."
        )
    weights_PD = np.atleast_2d(estimator.coef_)
    return weights_PD, np.broadcast_to(np.ravel(estimator.intercept_), len(weights_PD))


def _joined(parts: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Join binary classifiers; a number replaces one for a label that all training images have, or none."""
    dims = max(getattr(part, "n_features_in_", 1) for part in parts)
    each = [(np.zeros((1, dims)), np.array([part])) if isinstance(part, float) else _linear(part) for part in parts]
    weights, biases = zip(*each, strict=True)
    return np.concatenate(weights), np.concatenate(biases)


def _rules(estimator: Any, problems: int) -> tuple[nn.Module, nn.Module, bool]:
    """Return the operations on decision values per view, then per image, and whether a response has two sides."""
    kind = getattr(estimator, "kind_", None) or ("multilabel" if isinstance(estimator, EachLabel) else "")
    if predicts_numbers(estimator):
        return nn.Identity(), nn.Identity(), False
    classes = len(estimator.classes_)
    if kind == "ovo":
        return nn.Identity(), _Votes(classes) if estimator.ovo_decision == "votes" else _Pairs(classes, False), True
    if isinstance(estimator, OneVsOneClassifier):
        return _Confidences(classes), _TwoClasses() if classes == 2 else nn.Identity(), classes == 2
    is_binary = problems == 1 and kind != "multilabel"
    return nn.Identity(), _TwoClasses() if is_binary else nn.Identity(), is_binary


class _MeanView(nn.Module):
    def forward(self, values_NVD: torch.Tensor) -> torch.Tensor:
        return values_NVD.mean(1, keepdim=True)


class _Linear(Constants):
    weights: torch.Tensor
    biases: torch.Tensor

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values @ self.weights.T + self.biases


class _Fuse(nn.Module):
    """The module of `classifier.view.fuse`."""

    def __init__(self, fusion: Fusion, is_two_sided: bool) -> None:
        super().__init__()
        self.fusion, self.is_two_sided = fusion, is_two_sided

    def forward(self, responses_NVP: torch.Tensor) -> torch.Tensor:
        if self.fusion == "max":
            largest = responses_NVP.amax(1)
            return largest + responses_NVP.amin(1) if self.is_two_sided else largest
        return responses_NVP.sum(1) if self.fusion == "sum" else responses_NVP.mean(1)


class _TwoClasses(nn.Module):
    """Scores of two classes from the response that is positive for the second."""

    def forward(self, response_N1: torch.Tensor) -> torch.Tensor:
        return torch.cat([-response_N1, response_N1], -1)


class _Pairs(nn.Module):
    """The module of `Encoding.scores`: votes, or summed decision values, of the pairs (first, second) of a class."""

    def __init__(self, classes: int, by_votes: bool) -> None:
        super().__init__()
        self.by_votes = by_votes
        first, second = np.triu_indices(classes, 1)
        numbers = np.zeros((classes, classes), np.int64)
        numbers[first, second] = numbers[second, first] = np.arange(len(first))
        others = ~np.eye(classes, dtype=bool)
        self.number: torch.Tensor
        self.is_first: torch.Tensor
        self.register_buffer("number", torch.from_numpy(numbers[others]))  # the K - 1 pairs of each class
        is_first = np.triu(np.ones((classes, classes), bool), 1)
        self.register_buffer("is_first", torch.from_numpy(is_first[others].reshape(classes, -1)))

    def forward(self, decisions: torch.Tensor) -> torch.Tensor:
        own = decisions.index_select(-1, self.number).unflatten(-1, self.is_first.shape)  # [..., K, K - 1]
        if self.by_votes:
            return ((own > 0) == self.is_first).float().sum(-1)
        return torch.where(self.is_first, own, -own).sum(-1)


class _Votes(nn.Module):
    """The module of `Encoding.scores`: votes, and a term that separates images with equal votes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.votes, self.sums = _Pairs(classes, True), _Pairs(classes, False)
        self.numbers: torch.Tensor
        self.register_buffer("numbers", torch.arange(classes))

    def forward(self, decisions: torch.Tensor) -> torch.Tensor:
        votes, sums = self.votes(decisions), self.sums(decisions)
        margins = sums / (3 * (sums.abs() + 1))
        is_winner = self.numbers == votes.argmax(-1, keepdim=True)
        top = torch.where(votes == votes.amax(-1, keepdim=True), margins, -1.0).amax(-1, keepdim=True)
        return votes + torch.where(is_winner & (margins < top), top + (1 / 3 - top) / TIE_BREAK_STEPS, margins)


class _Confidences(nn.Module):
    """scikit-learn's OneVsOneClassifier: votes, and among equal votes the larger sum, scaled into a third of a vote.

    A positive decision value counts for the second class of a pair; for two classes the second's number is the
    response.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.votes, self.sums = _Pairs(classes, True), _Pairs(classes, False)

    def forward(self, decisions: torch.Tensor) -> torch.Tensor:
        sums = -self.sums(decisions)
        scores = self.classes - 1 - self.votes(decisions) + sums / (3 * (sums.abs() + 1))
        return scores[..., 1:] if self.classes == 2 else scores
