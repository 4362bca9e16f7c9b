"""Encoding of labels as binary problems, and decoding of decision values as labels.

Axes: R rows, K classes, P binary problems (classes, pairs of classes, or one for two classes).
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from offshelf.svm.solver.problem import OneVsOneSigns

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Multiclass = Literal["ovr", "ovo", "multinomial"]
TIE_BREAK_STEPS = 1024
"""The score of the class chosen by votes exceeds its ties by this part of the distance to a third of a vote."""


@dataclass(frozen=True, eq=False)
class Encoding:
    """The binary problems of a set of classes."""

    classes_K: np.ndarray
    kind: Literal["binary", "ovr", "ovo", "multinomial", "multilabel"]
    """`multinomial`: one problem of all classes, whose columns are as those of one-vs-rest."""

    def signs(self, y: np.ndarray) -> np.ndarray | OneVsOneSigns:
        """Return 1, -1, or 0 for rows of other pairs: int8 [R, P]. The first class of a pair is 1, as in libsvm."""
        if self.kind == "multilabel":
            return np.where(y > 0, 1, -1).astype(np.int8)
        numbers = self.numbers(y)[:, None]
        if self.kind == "binary":
            return np.where(numbers == 1, 1, -1).astype(np.int8)
        if self.kind in ("ovr", "multinomial"):
            return np.where(numbers == np.arange(len(self.classes_K)), 1, -1).astype(np.int8)
        return OneVsOneSigns(numbers[:, 0], *self.pairs)

    def weights(self, y: np.ndarray, sample_weight: np.ndarray, class_weight: Any) -> np.ndarray:
        """Return the factors of C: float64 [R, P], or [R, 1] if all problems share them.

        Class weights are those of liblinear and libsvm: one-vs-rest weights the positive rows, all others weight the
        rows of every class.

        Args:
            y: Labels [R], or an indicator matrix [R, K].
            sample_weight: [R] or, for several labels, [R, K]: a row of weight k counts as k rows, in `balanced`, too;
                0 excludes it from a class.
            class_weight: None, `balanced` or weights by class.

        Raises:
            ValueError: the class weights are invalid.
        """
        weights = sample_weight.reshape(len(sample_weight), -1)
        if class_weight is None:
            return weights
        if self.kind == "multilabel":
            return weights * _label_weights(y > 0, weights, class_weight, self.classes_K)
        numbers = self.numbers(y)
        if isinstance(class_weight, str):
            totals = np.bincount(numbers, weights[:, 0], minlength=len(self.classes_K))
            by_class = totals.sum() / (len(totals) * totals)
        else:
            by_class = _given(class_weight, self.classes_K)
        if self.kind == "ovr":
            return weights * np.where(numbers[:, None] == np.arange(len(self.classes_K)), by_class, 1.0)
        return weights * by_class[numbers][:, None]

    def numbers(self, y: np.ndarray) -> np.ndarray:
        """Return class numbers [R]. Rows of classes whose weights are all 0 get any number: they are ignored."""
        return np.searchsorted(self.classes_K, y).clip(max=len(self.classes_K) - 1)

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the first and the second class of each pair, in libsvm's order."""
        first, second = np.triu_indices(len(self.classes_K), 1)
        return first, second

    def scores(self, decisions_RP: np.ndarray, by_votes: bool) -> np.ndarray:
        """Return the scores of classes, [R, K]: decision values, or for pairs their votes or summed decision values.

        Ties of votes are broken by the sum s of a class's decision values, scaled to less than a third of a vote by
        s / (3 (|s| + 1)), as in scikit-learn's `_ovr_decision_function`. The class that is predicted, the first of
        those with the most votes, has the largest score: if another one has as many votes and a larger sum, the score
        of the predicted class is set just above that.
        """
        if self.kind != "ovo":
            return decisions_RP
        sums = np.asarray(decisions_RP @ self._signs(), np.float64)
        if not by_votes:
            return sums
        votes = self._votes(decisions_RP)
        margins = sums / (3 * (np.abs(sums) + 1))
        winner = votes.argmax(axis=1)[:, None]
        top = np.where(votes == np.take_along_axis(votes, winner, 1), margins, -1).max(axis=1, keepdims=True)
        own = np.take_along_axis(margins, winner, 1)
        np.put_along_axis(margins, winner, np.where(own < top, top + (1 / 3 - top) / TIE_BREAK_STEPS, own), 1)
        return votes + margins

    def labels(self, decisions_RP: np.ndarray, by_votes: bool) -> np.ndarray:
        """Return classes [R], or 0 and 1 for each label [R, K]; of equal scores the first class wins, as in libsvm."""
        if self.kind == "multilabel":
            return (decisions_RP > 0).astype(int)
        if self.kind == "binary":
            return self.classes_K[(np.ravel(decisions_RP) > 0).astype(int)]
        is_counted = self.kind == "ovo" and by_votes
        scores = self._votes(decisions_RP) if is_counted else self.scores(decisions_RP, by_votes)
        return self.classes_K[scores.argmax(axis=1)]

    def _votes(self, decisions_RP: np.ndarray) -> np.ndarray:
        """Return the number of pairs that each class wins: float64 [R, K]."""
        lost = np.bincount(self.pairs[1], minlength=len(self.classes_K))
        return np.asarray((decisions_RP > 0) @ self._signs() + lost)

    def _signs(self) -> "csr_array":
        """Return a sparse matrix [P, K]: 1 for the first class of each pair, -1 for the second."""
        from scipy.sparse import csr_array

        first, second = self.pairs
        pairs, classes = np.tile(np.arange(len(first)), 2), np.concatenate([first, second])
        return csr_array((np.repeat([1.0, -1.0], len(first)), (pairs, classes)))


def encode(y: np.ndarray, sample_weight: np.ndarray, multiclass: Multiclass) -> Encoding:
    """Return the encoding of labels [R], or of an indicator matrix [R, K]. Classes of weight 0 are ignored.

    Raises:
        ValueError: the labels are not classes, or there is only one class.
    """
    from sklearn.utils.multiclass import type_of_target

    check_classes(y)
    if y.ndim > 1 and type_of_target(y).startswith("multilabel"):
        return Encoding(np.arange(y.shape[1]), "multilabel")
    classes = np.unique(y[sample_weight > 0])
    if len(classes) < 2:
        raise ValueError(
            f"A linear classifier needs samples of at least 2 classes; there is 1 class: {classes.tolist()[0]!r}."
        )
    return Encoding(classes, "binary" if len(classes) == 2 else multiclass)


def check_classes(y: np.ndarray) -> None:
    """Raise ValueError if labels are not classes. That there are many for so few images is no reason to warn."""
    from sklearn.utils.multiclass import check_classification_targets

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        check_classification_targets(y)


def _label_weights(
    is_positive_RK: np.ndarray, weights: np.ndarray, class_weight: Any, classes_K: np.ndarray
) -> np.ndarray:
    """Return the class weights of several labels: `balanced` gives both sides of each class half of the weight."""
    if not isinstance(class_weight, str):
        return np.where(is_positive_RK, _given(class_weight, classes_K), 1.0)
    positive = (is_positive_RK * weights).sum(axis=0)
    total = np.broadcast_to(weights, is_positive_RK.shape).sum(axis=0)
    sides = np.where(is_positive_RK, positive, total - positive)
    return np.divide(total, 2 * sides, out=np.ones(is_positive_RK.shape), where=sides > 0)


def _given(class_weight: Any, classes_K: np.ndarray) -> np.ndarray:
    """Return a weight for each class, 1 by default: float64 [K]."""
    known = classes_K.tolist()
    unknown = [key for key in class_weight if key not in known]
    if unknown:
        raise ValueError(f"class_weight has keys that are not classes: {', '.join(map(repr, unknown[:5]))}.")
    weights = np.array([class_weight.get(number, 1.0) for number in known], np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("class_weight must hold finite, non-negative numbers.")
    return weights
