"""The labels of a set in the order of how probably they are wrong, of single and of several labels alike."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from offshelf.inspection.label_errors import LabelErrors, log_odds

NONE = -1
"""Stands for no label: of several labels, where an image lacks one that is suggested, or has one too many."""


@dataclass(frozen=True, eq=False)
class CheckedLabels:
    """I labels of images, from the one that is most probably wrong on."""

    rows: np.ndarray
    """Rows of the images: int64 [I]; with several labels a row occurs once for each that is flagged."""
    given: np.ndarray
    """Class that the image is labelled with, or NONE: int64 [I]."""
    suggested: np.ndarray
    """The most probable other class, or NONE: int64 [I]."""
    own: np.ndarray
    """Held-out probability of what is given: float64 [I]."""
    other: np.ndarray
    """That of what is suggested: float64 [I]."""
    flagged: np.ndarray
    """Whether the label is probably wrong: bool [I]."""
    checked: int
    """Number of images whose labels were checked."""

    @staticmethod
    def of(rows_M: np.ndarray, probabilities_MK: np.ndarray, targets_M: np.ndarray) -> "CheckedLabels":
        """Check the labels of M images: class numbers, int64 [M], or several labels of 1, -1 and 0, int8 [M, K]."""
        if targets_M.ndim == 2:
            return _of_several(rows_M, probabilities_MK, targets_M)
        errors = LabelErrors.of(probabilities_MK, targets_M)
        by_place = (rows_M, errors.labels_N, errors.others_N, errors.own_N, errors.other_N, errors.flagged_N)
        rows, given, suggested, own, other, flagged = (values[errors.order] for values in by_place)
        return CheckedLabels(rows, given, suggested, own, other, flagged, len(rows_M))

    @property
    def count(self) -> int:
        """Number of flagged labels."""
        return int(self.flagged.sum())

    def suggestions(self) -> Mapping[int, int]:
        """Return the suggested class of each image whose single label is flagged, by its row."""
        return dict(zip(self.rows[self.flagged].tolist(), self.suggested[self.flagged].tolist(), strict=True))


def _of_several(rows_M: np.ndarray, probabilities_MK: np.ndarray, targets_MK: np.ndarray) -> CheckedLabels:
    """Check each label by itself, as one of two classes; only flagged ones are kept."""
    parts = []
    for number in range(targets_MK.shape[1]):
        counted = targets_MK[:, number] != 0
        has_it = (targets_MK[counted, number] > 0).astype(np.int64)
        if not 0 < has_it.sum() < len(has_it):
            continue
        share = probabilities_MK[counted, number]
        errors = LabelErrors.of(np.stack([1 - share, share], axis=1), has_it)
        places = np.flatnonzero(errors.flagged_N)
        has = has_it[places] > 0
        given, suggested = np.where(has, number, NONE), np.where(has, NONE, number)
        parts.append((rows_M[counted][places], given, suggested, errors.own_N[places], errors.other_N[places]))
    columns = [np.concatenate(values) for values in zip(*parts, strict=True)] if parts else [np.zeros(0, np.int64)] * 5
    order = np.argsort(log_odds(columns[3], columns[4]), kind="stable")
    rows, given, suggested, own, other = (values[order] for values in columns)
    return CheckedLabels(rows, given, suggested, own, other, np.ones(len(order), bool), len(rows_M))
