"""Labels that are probably wrong: confident learning (Northcutt, Jiang, Chuang, JAIR 70, 2021) on held-out scores."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


def thresholds(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return for each class the mean probability that images labelled so have of it: float64 [K], section 3.1.

    A class without images has the threshold 1, which no image passes.
    """
    classes = probabilities_NK.shape[1]
    own_N = probabilities_NK[np.arange(len(labels_N)), labels_N]
    counts_K = np.bincount(labels_N, minlength=classes)
    sums_K = np.bincount(labels_N, own_N, classes)
    return np.where(counts_K > 0, sums_K / np.maximum(counts_K, 1), 1.0)


def confident_classes(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return the class that each image is confidently of, int64 [N]; -1 where no probability reaches its threshold.

    Of several classes that reach theirs it is the most probable one (equation 1).
    """
    reached_NK = probabilities_NK >= thresholds(probabilities_NK, labels_N) - 1e-12
    found_N = np.where(reached_NK, probabilities_NK, -1.0).argmax(axis=1)
    return np.where(reached_NK.any(axis=1), found_N, -1)


def confident_joint(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return the counts of images by label (rows) and the class that they are confidently of: int64 [K, K]."""
    classes, found_N = probabilities_NK.shape[1], confident_classes(probabilities_NK, labels_N)
    known = found_N >= 0
    return np.bincount(labels_N[known] * classes + found_N[known], minlength=classes**2).reshape(classes, classes)


def estimated_errors(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> int:
    """Return how many labels are wrong, by the joint distribution of given and true labels (section 3.2).

    The confident joint is calibrated: each row is scaled to the number of images with that label. A cell counts at most
    as many images as have that label and are predicted to be of the other class.
    """
    classes = probabilities_NK.shape[1]
    joint_KK = confident_joint(probabilities_NK, labels_N).astype(np.float64)
    counts_K, sums_K = np.bincount(labels_N, minlength=classes), joint_KK.sum(axis=1)
    scales_K = np.divide(counts_K, sums_K, out=np.zeros(classes), where=sums_K > 0)
    predicted_N = labels_N * classes + probabilities_NK.argmax(axis=1)
    predicted_KK = np.bincount(predicted_N, minlength=classes**2).reshape(classes, classes)
    wrong_KK = np.minimum(joint_KK * scales_K[:, None], predicted_KK)
    return round(float(wrong_KK.sum() - wrong_KK.trace()))


def log_odds(own_N: np.ndarray, other_N: np.ndarray) -> np.ndarray:
    """Return the logarithms of the odds of labels: float64; the smallest are most probably wrong.

    Args:
        own_N: Probability of the label.
        other_N: Largest probability of another class.
    """
    least = np.finfo(np.float64).tiny
    odds_N: np.ndarray = np.log(np.maximum(own_N, least)) - np.log(np.maximum(other_N, least))
    return odds_N


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """For N images with held-out probabilities: which labels are probably wrong, and what is probably right.

    As many labels are flagged as the joint distribution says are wrong: those of the lowest odds beside another one.
    Odds order better than the difference of the two probabilities (the normalized margin), which is small where
    several other classes share the probability. They find more of randomly flipped labels with fewer wrong flags
    than pruning by class and noise rate (docs/inspect.md has the comparison).
    """

    labels_N: np.ndarray
    """Classes that the images are labelled with: int64."""
    flagged_N: np.ndarray
    """Whether the label is probably wrong: bool."""
    own_N: np.ndarray
    """Probability of the label: float64."""
    other_N: np.ndarray
    """Largest probability of another class: float64."""
    others_N: np.ndarray
    """That class: int64."""

    @staticmethod
    def of(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> "LabelErrors":
        """Find them.

        Args:
            probabilities_NK: Probabilities by a classifier that was not fitted to the image: float [N, K].
            labels_N: Classes 0..K-1: int64 [N].
        """
        rows = np.arange(len(labels_N))
        own_N = probabilities_NK[rows, labels_N]
        rest_NK = probabilities_NK.copy()
        rest_NK[rows, labels_N] = -1.0
        others_N = rest_NK.argmax(axis=1)
        other_N = rest_NK[rows, others_N]
        flagged_N = np.zeros(len(rows), bool)
        first = np.argsort(log_odds(own_N, other_N), kind="stable")[: estimated_errors(probabilities_NK, labels_N)]
        flagged_N[first] = True
        return LabelErrors(labels_N, flagged_N & (other_N > own_N), own_N, other_N, others_N)

    @property
    def suggested(self) -> np.ndarray:
        """The most probable other class where the label is flagged, else the label: int64."""
        return np.where(self.flagged_N, self.others_N, self.labels_N)

    @cached_property
    def order(self) -> np.ndarray:
        """Rows from the label that is most probably wrong on: int64 [N]."""
        return np.argsort(log_odds(self.own_N, self.other_N), kind="stable")

    @property
    def count(self) -> int:
        """Number of flagged labels."""
        return int(self.flagged_N.sum())
