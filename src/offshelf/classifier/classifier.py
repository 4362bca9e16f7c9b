"""The seam between features and classifiers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np

from offshelf.classifier.calibration import Calibration
from offshelf.classifier.scorer import Scorer


@dataclass(frozen=True, eq=False)
class Curve:
    """Cross-validated metric on the training images, by the value of a hyperparameter."""

    parameter: str
    """What was varied: `C`, `n_neighbors`."""
    values: tuple[float, ...]
    """From the simplest, most regularised model on."""
    scores: np.ndarray
    """The metric on the held-out images of each fold: float64 [len(values), folds]."""

    @staticmethod
    def joined(curves: Sequence["Curve"]) -> "Curve":
        """One curve over the folds of several, which have the values in common."""
        return Curve(curves[0].parameter, curves[0].values, np.concatenate([curve.scores for curve in curves], axis=1))

    @cached_property
    def mean(self) -> np.ndarray:
        """Over the folds: float64 [len(values)]."""
        return self.scores.mean(axis=1)

    @cached_property
    def std(self) -> np.ndarray:
        """Standard deviation over the folds: float64 [len(values)]."""
        return self.scores.std(axis=1)

    @property
    def best(self) -> float:
        """The value of the best mean; of equals the simplest."""
        return self.values[int(self.mean.argmax())]

    @property
    def simplest(self) -> float:
        """The simplest value whose mean is within one standard error of the best.

        Breiman et al., Classification and Regression Trees (1984), section 3.4.3; the standard error of a mean over F
        folds is their standard deviation / sqrt(F - 1).
        """
        top = int(self.mean.argmax())
        slack = self.std[top] / np.sqrt(self.scores.shape[1] - 1)
        return self.values[int(np.argmax(self.mean >= self.mean[top] - slack))]

    @property
    def edge(self) -> Literal["smallest", "largest", None]:
        """The end of the values that beats all others, so that values beyond it might be better still; or None."""
        top = int(self.mean.argmax())
        is_flat = top == 0 and self.mean[0] == self.mean[1]
        ends_here = isinstance(self.best, int) and self.best == 1  # no positive whole number is smaller
        if is_flat or ends_here or 0 < top < len(self.values) - 1:
            return None
        return "largest" if self.best == max(self.values) else "smallest"


@dataclass(frozen=True, eq=False)
class FitResult:
    """A classifier fitted to training features."""

    parameter: str
    """The hyperparameter that is given or chosen."""
    value: float
    """Its value in this fit."""
    curve: Curve | None
    """How it was chosen; None where it was given."""
    score: Callable[[np.ndarray], np.ndarray]
    """Scores of classes, float64 [M, K], of features float [M, V, D], as `Outcome` has them; an image's views
    are fused."""
    held_out: np.ndarray | None = None
    """The metric of the chosen value on each fold's held-out images, float64 [folds]; None where it was given."""
    gap: float | None = None
    """Largest relative duality gap of the fitted binary problems; None where no certificate is known."""
    problems: int | None = None
    """Binary problems solved for this fit, those of cross-validation included; None where that is not known."""
    scorer: Scorer | None = None
    """What `score` does, in the form that a run keeps; None of a classifier that has no such form."""
    calibration: Calibration | None = None
    """From scores to probabilities; None where that was not asked for."""
    unconverged: int = 0
    """Fits, those of cross-validation included, whose solver stopped short of the optimum."""


class Classifier(Protocol):
    """A classifier's spec."""

    def fit(self, values_NVD: np.ndarray, targets: np.ndarray, metric: str) -> FitResult:
        """Fit to features of N images through V views; views are training samples.

        Args:
            values_NVD: float [N, V, D].
            targets: Classes 0..K-1, all present, int64 [N]; or of several labels 1, -1 and, not to be counted, 0:
                int8 [N, K].
            metric: What the hyperparameter is chosen by, a name in `offshelf.metric`.
        """
