"""Any scikit-learn classifier as a run's classifier, with one hyperparameter given or chosen by cross-validation."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

from offshelf.classifier.classifier import Curve, Fit
from offshelf.classifier.search import convergence_logged, cross_validate, fit
from offshelf.classifier.view import predict, rows
from offshelf.errors import ConfigError

log = logging.getLogger(__name__)


class Tuned:
    """A scikit-learn classifier and the grid of one of its parameters.

    `Tuned(SVC(kernel="linear"), C=[0.2, 2, 20])` chooses C by stratified cross-validation over the training images, all
    views of an image in one fold; `C=2` gives it. As in libsvm and liblinear C weighs the sum of losses, so a fold's C
    is not rescaled by its size.
    An estimator with a parameter for the whole grid (`Cs` for `C`, as LinearSVMCV) is left to choose by itself.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        folds: int = 5,
        one_standard_error: bool = False,
        seed: int = 0,
        simplest: Literal["smallest", "largest"] = "smallest",
        **grid: float | Sequence[float],
    ) -> None:
        """Check the settings, before any work.

        Args:
            estimator: Unfitted, with `decision_function` or `predict_proba`.
            folds: Of cross-validation; fewer where a class has fewer images.
            one_standard_error: Choose the simplest value within one standard error of the best, not the best.
            seed: Fixes the folds.
            simplest: The end of the grid where models are most regularised; of equally good values that one is chosen.
            grid: One parameter of the estimator, or of an estimator in it: a positive value, or a list to choose from.
        """
        if len(grid) != 1:
            raise ConfigError(
                "classifier takes one hyperparameter beside estimator, folds, one_standard_error, seed and simplest; "
                f"got {', '.join(sorted(grid)) or 'none'}."
            )
        if folds < 2:
            raise ConfigError(f"classifier.folds must be at least 2; got {folds}.")
        if simplest not in ("smallest", "largest"):
            raise ConfigError(f"classifier.simplest is smallest or largest; got '{simplest}'.")
        ((self.parameter, values),) = grid.items()
        self.estimator, self.folds, self.one_standard_error, self.seed = estimator, folds, one_standard_error, seed
        settings = estimator.get_params()
        self.chooses_itself = f"{self.parameter}s" in settings
        self._key = f"{self.parameter}s" if self.chooses_itself else _key(estimator, self.parameter)
        kind = int if isinstance(settings[self._key], int) else float
        self.values = tuple(sorted(_numbers(values, kind, self.parameter), reverse=simplest == "largest"))

    def fit(self, values_NVD: np.ndarray, targets_N: np.ndarray) -> Fit:
        """See Classifier.

        Raises:
            ConfigError: a class has too few images for cross-validation, or the estimator refuses its settings.
        """
        folds = self._possible_folds(targets_N) if len(self.values) > 1 else self.folds
        choose = self._let_choose if self.chooses_itself else self._choose
        with self._refusals(), convergence_logged():
            fitted, value, curve = choose(values_NVD, targets_N, folds)

        def predict_classes(values_MVD: np.ndarray) -> np.ndarray:
            with self._refusals():
                return predict(fitted, values_MVD)

        gaps, problems = getattr(fitted, "dual_gap_", None), getattr(fitted, "n_problems_", None)
        gap = None if gaps is None else float(np.max(gaps))
        return Fit(self.parameter, value, curve, predict_classes, gap, problems)

    def _choose(self, values_NVD: np.ndarray, targets_N: np.ndarray, folds: int) -> tuple[Any, float, Curve | None]:
        """Fitted estimator, the parameter's value and how it was chosen, by our search."""
        from sklearn.base import clone

        values_NVD = values_NVD.astype(np.float64)  # scikit-learn's linear models converge badly in less
        value, curve = self.values[0], None
        candidates = [clone(self.estimator).set_params(**{self._key: value}) for value in self.values]
        if len(candidates) > 1:
            scores = cross_validate(candidates, values_NVD, targets_N, folds, self.seed)
            curve = Curve(self.parameter, self.values, scores)
            value = curve.simplest if self.one_standard_error else curve.best
        return fit(candidates[self.values.index(value)], values_NVD, targets_N), value, curve

    def _let_choose(self, values_NVD: np.ndarray, targets_N: np.ndarray, folds: int) -> tuple[Any, float, Curve | None]:
        """Fitted estimator, the parameter's value and how it was chosen, by the estimator's own search."""
        from sklearn.base import clone

        search = {"cv": folds, "one_standard_error": self.one_standard_error, "random_state": self.seed}
        fitted = clone(self.estimator).set_params(**{self._key: self.values}, **search)
        views = values_NVD.shape[1]
        images = np.repeat(np.arange(len(targets_N)), views)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*edge of the grid.*")  # the run's report says so
            fitted.fit(rows(values_NVD), np.repeat(targets_N, views), groups=images)
        value = float(getattr(fitted, f"{self.parameter}_"))
        if len(self.values) == 1:
            return fitted, value, None
        scores = np.stack([fitted.cv_results_[f"split{fold}_test_score"] for fold in range(folds)], axis=1)
        return fitted, value, Curve(self.parameter, self.values, scores)

    def _possible_folds(self, targets_N: np.ndarray) -> int:
        counts = np.bincount(targets_N)
        fewest = int(counts.min())
        if fewest < 2:
            raise ConfigError(
                f"{self.parameter} cannot be chosen by cross-validation: class number {int(counts.argmin())} has "
                f"{fewest} training image(s) and needs 2. Add images, or give one value: "
                f"classifier.{self.parameter}={sorted(self.values)[1]:g}"
            )
        if fewest < self.folds:
            log.warning(
                "Choosing %s with %d folds, not %d: a class has only that many images.",
                *(self.parameter, fewest, self.folds),
            )
        return min(fewest, self.folds)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """What scikit-learn says to unfit settings, as one sentence."""
        try:
            yield
        except ConfigError:
            raise
        except ValueError as error:
            name = type(self.estimator).__name__
            raise ConfigError(f"{name} cannot be used with these settings: {' '.join(str(error).split())}") from error


def _key(estimator: Any, parameter: str) -> str:
    """The estimator's parameter of that name, its own or that of an estimator in it (`estimator__C`)."""
    keys = [key for key in estimator.get_params() if key.rpartition("__")[2] == parameter]
    if len(keys) != 1:
        raise ConfigError(f"{type(estimator).__name__} has {len(keys) or 'no'} parameters '{parameter}'; it needs one.")
    return keys[0]


def _numbers(values: Any, kind: type[int] | type[float], parameter: str) -> set[float]:
    """Distinct positive numbers of a kind."""
    listed = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else [values]
    fit = [isinstance(one, int | float) and 0 < one < np.inf and one == kind(one) for one in listed]
    if not listed or not all(fit):
        wanted = "whole number" if kind is int else "number"
        raise ConfigError(f"classifier.{parameter} is a positive {wanted} or a list of them; got {values}.")
    return {kind(one) for one in listed}
