"""The interface of classifiers of features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from offshelf.classifier.calibration import Calibration
from offshelf.classifier.scorer import Scorer


@dataclass(frozen=True, eq=False)
class Curve:
    """Cross-validated metric on the training images, by the value of a hyperparameter."""

    parameter: str
    """Name of the hyperparameter: `C`, `n_neighbors`."""
    values: tuple[float, ...]
    """Values from the simplest, most regularised model on."""
    scores: np.ndarray
    """The metric on the held-out images of each fold: float64 [len(values), folds]. It is NaN where it is not defined,
    as R² is of equal numbers; such folds do not count."""

    @staticmethod
    def joined(curves: Sequence["Curve"]) -> "Curve":
        """Join the folds of several curves, at the values that all of them have."""
        values = tuple(value for value in curves[0].values if all(value in curve.values for curve in curves))
        rows = [[curve.values.index(value) for value in values] for curve in curves]
        scores = [curve.scores[chosen] for curve, chosen in zip(curves, rows, strict=True)]
        return Curve(curves[0].parameter, values, np.concatenate(scores, axis=1))

    @cached_property
    def known(self) -> np.ndarray:
        """The scores of the folds where all are defined: float64 [len(values), folds]."""
        return self.scores[:, ~np.isnan(self.scores).any(axis=0)]

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean over the folds: float64 [len(values)]."""
        return self.known.mean(axis=1)

    @cached_property
    def std(self) -> np.ndarray:
        """Standard deviation over the folds: float64 [len(values)]."""
        return self.known.std(axis=1)

    @property
    def best(self) -> float:
        """The value with the best mean; the simplest of equals."""
        return self.values[int(self.mean.argmax())]

    @property
    def simplest(self) -> float:
        """The simplest value whose mean is within one standard error of the best.

        Breiman et al., Classification and Regression Trees (1984), section 3.4.3; the standard error of a mean over F
        folds is their standard deviation / sqrt(F - 1).
        """
        top = int(self.mean.argmax())
        slack = self.std[top] / np.sqrt(max(1, self.known.shape[1] - 1))
        return self.values[int(np.argmax(self.mean >= self.mean[top] - slack))]

    @property
    def edge(self) -> Literal["smallest", "largest", None]:
        """The end of the values that beats all others, so that values beyond it may be better still; or None."""
        top = int(self.mean.argmax())
        is_flat = len(self.values) < 2 or (top == 0 and self.mean[0] == self.mean[1])
        ends_here = isinstance(self.best, int) and self.best == 1  # there is no smaller positive integer
        if is_flat or ends_here or 0 < top < len(self.values) - 1:
            return None
        return "largest" if self.best == max(self.values) else "smallest"


@dataclass(frozen=True, eq=False)
class FitResult:
    """The result of fitting a classifier to training features."""

    parameter: str
    """Name of the hyperparameter that is given or chosen."""
    value: float
    """Value of the hyperparameter."""
    curve: Curve | None
    """The cross-validation that chose it; None if it was given."""
    score: Callable[[np.ndarray], np.ndarray]
    """Function to scores of classes, float64 [M, K], or to numbers, [M, 1], as in `Outcome`, from features float
    [M, V, D]; an image's views are fused."""
    held_out: np.ndarray | None = None
    """The metric of the chosen value on each fold's held-out images, float64 [folds]; None if it was given."""
    gap: float | None = None
    """Largest relative duality gap of the fitted binary problems; None without a certificate."""
    problems: int | None = None
    """Number of binary problems solved for this fit, including those of cross-validation; None if unknown."""
    scorer: Scorer | None = None
    """The `score` in a form that a run can keep; None if the classifier has none."""
    calibration: Calibration | None = None
    """Map from scores to probabilities: learnt, if that was requested, or a logistic probe's own; None without one."""
    uncalibrated: Callable[[np.ndarray], np.ndarray] | None = None
    """Map from scores to the probabilities without the calibration that was learnt; None unless one was."""
    unconverged: int = 0
    """Number of fits, including those of cross-validation, whose solver stopped short of the optimum."""
    svm_method: str | None = None
    """Method of the SVM solver, such as `dual`, or `dual, primal for 3 of 45 tasks`; None for other classifiers."""
    is_unchosen: bool = False
    """Whether the value was to be chosen, but a class has too few images; see `Few.for_few`."""
    out_of_fold: np.ndarray | None = None
    """Scores of the training images, each by a classifier fitted without it: float64 [N, K]; None without calibration,
    which is learnt from them."""


class Classifier(Protocol):
    """The spec of a classifier."""

    def fit(
        self, values_NVD: np.ndarray, targets: np.ndarray, metric: str, groups: np.ndarray | None = None
    ) -> FitResult:
        """Fit to features of N images with V views, which are training samples.

        Args:
            values_NVD: Features, float [N, V, D].
            targets: Classes 0..K-1, all present, int64 [N]; for several labels 1, -1 and 0 (not counted), int8 [N, K];
                or numbers float64 [N].
            metric: Metric for the choice of the hyperparameter, a name in `offshelf.metric`.
            groups: Numbers of the images' groups, int64 [N], each of which is in one fold of cross-validation; None:
                there are none, and a classifier of yours that knows of none need not have the argument.
        """


@runtime_checkable
class Predictive(Protocol):
    """A classifier that says what it predicts; others predict classes."""

    @property
    def predicts_numbers(self) -> bool:
        """Whether its targets are numbers, not classes."""


@runtime_checkable
class Few(Protocol):
    """A classifier that can be fitted to few images of each class."""

    def for_few(self, targets: np.ndarray, calibrate: bool, groups: np.ndarray | None = None) -> Classifier:
        """Return the classifier for training images that were drawn on purpose, however few.

        Cross-validation takes fewer folds if a class has fewer images, and no more neighbours than its training parts
        have images. With one image of a class, or no different numbers to hold out, the hyperparameter cannot be
        cross-validated: it is the value nearest 1 by ratio, which for C is scikit-learn's default.

        Args:
            targets: As for `Classifier.fit`.
            calibrate: Whether to calibrate, if the classifier does.
            groups: As for `Classifier.fit`.
        """


@runtime_checkable
class Calibrating(Protocol):
    """A classifier that can learn probabilities, and so knows scores of its training images that are held out."""

    def calibrating(self) -> Classifier:
        """Return the same classifier with calibration; see `FitResult.out_of_fold`."""
