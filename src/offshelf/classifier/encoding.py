"""Labels as binary problems, and decision values as labels.

Axes: R rows, K classes, P binary problems (classes, pairs of classes, or one for two classes).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from offshelf.classifier.solver.problem import PairSigns

Multiclass = Literal["ovr", "ovo"]


@dataclass(frozen=True, eq=False)
class Encoding:
    """How labels are cut into binary problems."""

    classes_K: np.ndarray
    kind: Literal["binary", "ovr", "ovo", "multilabel"]

    def signs(self, y: np.ndarray) -> np.ndarray | PairSigns:
        """1, -1, or 0 for rows of other pairs: int8 [R, P]. In a pair the first class is positive, as in libsvm."""
        if self.kind == "multilabel":
            return np.where(y > 0, 1, -1).astype(np.int8)
        numbers = np.searchsorted(self.classes_K, y)[:, None]
        if self.kind == "binary":
            return np.where(numbers == 1, 1, -1).astype(np.int8)
        if self.kind == "ovr":
            return np.where(numbers == np.arange(len(self.classes_K)), 1, -1).astype(np.int8)
        return PairSigns(numbers[:, 0], *self.pairs)

    def weights(self, y: np.ndarray, sample_weight: np.ndarray, class_weight: Any) -> np.ndarray:
        """What C is multiplied with: float64 [R, P], or [R, 1] where all problems share it.

        `sample_weight` is [R] or, for several labels, [R, K]: 0 leaves a row out of a class. Class weights are those
        of liblinear and libsvm: one-vs-rest weighs the positive rows, one-vs-one and two classes weigh both.
        """
        from sklearn.utils.class_weight import compute_class_weight

        weights = sample_weight.reshape(len(sample_weight), -1)
        if class_weight is None:
            return weights
        if self.kind == "multilabel":
            return weights * _label_weights(y > 0, class_weight, self.classes_K)
        by_class = compute_class_weight(class_weight, classes=self.classes_K, y=y)
        numbers = np.searchsorted(self.classes_K, y)
        if self.kind == "ovr":
            return weights * np.where(numbers[:, None] == np.arange(len(self.classes_K)), by_class, 1.0)
        return weights * by_class[numbers][:, None]

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """First and second class number of each pair, in libsvm's order."""
        first, second = np.triu_indices(len(self.classes_K), 1)
        return first, second

    def scores(self, decisions_RP: np.ndarray, by_votes: bool) -> np.ndarray:
        """Of each class, [R, K]: decision values, or for pairs the votes or the summed decision values of its pairs."""
        if self.kind != "ovo":
            return decisions_RP
        from scipy.sparse import csr_array

        first, second = self.pairs
        pairs, classes = np.tile(np.arange(len(first)), 2), np.concatenate([first, second])
        signs_PK = csr_array((np.repeat([1.0, -1.0], len(first)), (pairs, classes)))
        if not by_votes:
            return np.asarray(decisions_RP @ signs_PK)
        return (decisions_RP > 0) @ signs_PK + np.bincount(second, minlength=len(self.classes_K))

    def labels(self, decisions_RP: np.ndarray, by_votes: bool) -> np.ndarray:
        """Classes [R], or 0 and 1 for each label [R, K]; of equal scores the first class, as in libsvm."""
        if self.kind == "multilabel":
            return (decisions_RP > 0).astype(int)
        if self.kind == "binary":
            return self.classes_K[(np.ravel(decisions_RP) > 0).astype(int)]
        return self.classes_K[self.scores(decisions_RP, by_votes).argmax(axis=1)]


def encode(y: np.ndarray, multiclass: Multiclass) -> Encoding:
    """The encoding of labels [R], or of an indicator matrix [R, K].

    Raises:
        ValueError: labels that are no classes, or only one class.
    """
    from sklearn.utils.multiclass import check_classification_targets, type_of_target

    check_classification_targets(y)
    if type_of_target(y).startswith("multilabel"):
        return Encoding(np.arange(y.shape[1]), "multilabel")
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(f"A linear SVM needs samples of at least 2 classes; there is 1 class: {classes[0]!r}.")
    return Encoding(classes, "binary" if len(classes) == 2 else multiclass)


def _label_weights(is_positive_RK: np.ndarray, class_weight: Any, classes_K: np.ndarray) -> np.ndarray:
    """For several labels: `balanced` gives the positive and the negative rows of each class half of the weight."""
    if class_weight == "balanced":
        positive = is_positive_RK.sum(axis=0)
        sides = np.where(is_positive_RK, positive, len(is_positive_RK) - positive)
        return len(is_positive_RK) / (2 * np.maximum(sides, 1))
    return np.where(is_positive_RK, [class_weight.get(number, 1.0) for number in classes_K], 1.0)
