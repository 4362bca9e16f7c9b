"""Probabilities of all images, each by a classifier that was not fitted to it."""

from dataclasses import dataclass

import numpy as np

from offshelf.dataset import ImageSet
from offshelf.evaluation.score import Score


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Probabilities of M images of a set."""

    rows: np.ndarray
    """Rows of the images, ascending: int64 [M]."""
    probabilities: np.ndarray
    """Of the K classes; of several labels each by itself: float64 [M, K]."""

    @staticmethod
    def of(score: Score, images: ImageSet) -> "HeldOut":
        """Collect them: a test image's by the first fold that tests it, others' from within a fold's training images.

        Args:
            score: By a classifier that calibrates, see `FitResult.out_of_fold`.
            images: The set; images of no fold have none.
        """
        found = np.full((len(images.samples), len(images.classes)), np.nan)
        folds = list(zip(images.folds, score.fits, score.outcomes, strict=True))[::-1]
        for fold, fit, _ in folds:
            if fit.calibration is not None and fit.out_of_fold is not None:
                found[fold.train] = fit.calibration(fit.out_of_fold)
        for fold, fit, outcome in folds:
            if fit.calibration is not None:
                found[fold.test] = fit.calibration(outcome.scores)
        rows = np.flatnonzero(~np.isnan(found).any(axis=1))
        return HeldOut(rows, found[rows])
