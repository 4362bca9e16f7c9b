"""Any scikit-learn classifier or regressor as a run's classifier, with one hyperparameter, given or cross-validated."""

import logging
import math
from collections.abc import Sequence
from copy import copy
from typing import Any, Literal

import numpy as np
from typing_extensions import override

from offshelf.classifier.calibration import Calibration, uncalibrated
from offshelf.classifier.choice import Choice, Grid, Search, Training, let_choose
from offshelf.classifier.classifier import Calibrating, Classifier, Few, FitResult
from offshelf.classifier.convergence import Convergence, watched
from offshelf.classifier.folds import draw_folds, fewest_of_class, fewest_to_hold_out, require_two
from offshelf.classifier.grid import grid_of, key_of, positive_numbers, suggested
from offshelf.classifier.scorer import Scorer, samples
from offshelf.classifier.settings import refusals, require_kind, require_settings
from offshelf.classifier.view import predicts_numbers, svm_method
from offshelf.errors import ConfigError
from offshelf.metric import METRICS, Outcome, kind_of
from offshelf.svm.cross_validation import Split
from offshelf.svm.fusion import Fusion

log = logging.getLogger(__name__)


class Tuned(Classifier, Few, Calibrating):
    """A scikit-learn classifier and the grid of one of its parameters.

    `Tuned(SVC(kernel="linear"), C=[0.2, 2, 20])` chooses C by stratified cross-validation over the training images,
    with all views of an image, and all images of a group, in one fold; `C=2` sets it. As in libsvm and liblinear C
    weighs the sum of losses, so a fold's C is not rescaled by its size.

    An estimator with a parameter for the whole grid (`Cs` for `C`, as LinearSVMCV, or `n_neighbors` itself, as
    KNNProbe) chooses by itself, by the metric that it gets as `scoring`; its `cv_results_` has the values in the order
    of their scores. Several labels per image are as many binary problems. A regressor, such as RidgeProbeCV, predicts
    numbers: its folds are not stratified, and the predictions for an image's views are averaged.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        folds: int = 5,
        one_standard_error: bool = False,
        seed: int = 0,
        simplest: Literal["smallest", "largest"] = "smallest",
        fusion: Fusion | Literal["features"] = "sum",
        calibrate: bool = False,
        validate: bool = False,
        **grid: float | Sequence[float],
    ) -> None:
        """Check the settings, before any work.

        Args:
            estimator: Unfitted estimator with `decision_function` or `predict_proba`.
            folds: Number of folds of cross-validation; fewer if a class has fewer images.
            one_standard_error: Whether to choose the simplest value within one standard error of the best, not the
                best.
            seed: Seed of the folds.
            simplest: The end of the grid where models are most regularised; among equally good values that one is
                chosen.
            fusion: Fusion of an image's views: the `sum`, `mean` or `max` of their responses (of numbers the `mean`),
                with each view a training sample; or with `features` the mean of their features, in training and in
                testing.
            calibrate: Whether to learn probabilities of classes too, from scores of images held out in these folds.
                Without it a multinomial logistic probe, and one of two classes or of several labels, has its own.
            validate: Whether to cross-validate a single given value too, so that runs can be compared without their
                test images.
            grid: One parameter of the estimator, or of an estimator in it: a positive value, or a list to choose from.
        """
        if len(grid) != 1:
            raise ConfigError(
                "classifier takes one hyperparameter besides calibrate, estimator, folds, fusion, one_standard_error, "
                f"seed, simplest and validate; got {', '.join(sorted(grid)) or 'none'}."
            )
        require_settings(estimator, folds, simplest, fusion, {"calibrate": calibrate, "validate": validate})
        ((self.parameter, values),) = grid.items()
        self.calibrate, self.validate = calibrate, validate
        self.averages_features = fusion == "features"
        self.fusion: Fusion = "sum" if fusion == "features" else fusion
        self.estimator, self.folds, self.one_standard_error, self.seed = estimator, folds, one_standard_error, seed
        settings = estimator.get_params()
        if hasattr(estimator, "class_scores") and "decision_function_shape" in settings:
            from sklearn.base import clone

            # Views are fused pair by pair, before the pairs vote.
            self.estimator = clone(estimator).set_params(decision_function_shape="ovo")
        whole_grid = grid_of(settings, self.parameter)
        self.chooses_itself = whole_grid is not None
        self._key = whole_grid or key_of(estimator, self.parameter)
        kind = int if isinstance(np.ravel(settings[self._key])[0].item(), int) else float
        self.values = tuple(sorted(positive_numbers(values, kind, self.parameter), reverse=simplest == "largest"))
        self.is_unchosen = False
        self._told: set[str] = set()

    @property
    def predicts_numbers(self) -> bool:
        """Whether its targets are numbers, not classes."""
        return predicts_numbers(self.estimator)

    @override
    def calibrating(self) -> "Tuned":
        made = copy(self)
        made.calibrate = True
        return made

    @override
    def for_few(self, targets: np.ndarray, calibrate: bool, groups: np.ndarray | None = None) -> "Tuned":
        fewest = fewest_to_hold_out(targets, groups, self.folds, self.seed)
        made = copy(self)
        made.calibrate = self.calibrate and calibrate
        if fewest >= 2:
            made.folds = min(self.folds, fewest)
            rows = len(targets) - math.ceil(len(targets) / made.folds)  # of the smallest training part
            rows = rows if groups is None else min(rows, len(targets) - int(np.bincount(groups).max()))
            if self.parameter == "n_neighbors":
                made.values = tuple(one for one in self.values if one <= rows) or (min(*self.values, rows),)
        elif len(self.values) > 1 or self.validate:
            made.is_unchosen = len(self.values) > 1
            made.values, made.validate = (min(self.values, key=lambda one: abs(np.log(one))),), False
            if self.parameter == "n_neighbors":
                made.values = (min(*made.values, len(targets)),)
        return made

    @override
    def fit(
        self,
        values_NVD: np.ndarray,
        targets: np.ndarray,
        metric: str = "accuracy",
        groups: np.ndarray | None = None,
    ) -> FitResult:
        """Fit to features of N images with V views, as `Classifier.fit` does.

        Raises:
            ConfigError: A class has too few images or groups for cross-validation, the estimator rejects its settings,
                or it is not for these targets.
        """
        require_kind(self.estimator, targets)
        splits = self._splits(targets, groups) if len(self.values) > 1 or self.validate else []
        seen = samples(values_NVD, self.averages_features)
        with refusals(self.estimator), watched(self.estimator, self.parameter) as convergence:
            choice = self._choose(Training(seen, targets, metric, splits, groups), convergence)
            fitted, value, held_out = choice.fitted, choice.value, choice.held_out
            if held_out is None and self.validate:
                held_out = self._held_out(value, values_NVD, targets, metric, splits)
        scorer = Scorer(fitted, self.fusion, self.averages_features)

        def score(values_MVD: np.ndarray) -> np.ndarray:
            with refusals(self.estimator):
                return scorer(values_MVD)

        gaps, problems = getattr(fitted, "dual_gap_", None), getattr(fitted, "n_problems_", None)
        gap = convergence.gap if gaps is None else float(np.max(gaps))
        factor, plain = 1 / seen.shape[1] if self.fusion == "sum" else 1.0, None
        calibration, out_of_fold = Calibration.own(fitted, factor), None
        if self.calibrate:
            plain = uncalibrated(fitted, factor, targets.ndim == 2)
            calibration, out_of_fold = self._calibration(value, values_NVD, targets, groups)
        certificate = gap, problems, scorer, calibration, plain, convergence.count, svm_method(fitted)
        more = *certificate, self.is_unchosen, out_of_fold
        return FitResult(self.parameter, value, choice.curve, score, held_out, *more)

    def _given(self, value: float) -> "Tuned":
        """Return the same classifier with one value of the hyperparameter, without calibration and validation."""
        fusion = "features" if self.averages_features else self.fusion
        settings: dict[str, Any] = {"seed": self.seed, "fusion": fusion, self.parameter: value}
        return Tuned(self.estimator, **settings)

    def _scores(
        self, value: float, values_NVD: np.ndarray, targets: np.ndarray, splits: Sequence[Split]
    ) -> list[np.ndarray]:
        """Return the scores of each fold's held-out images with one value of the hyperparameter."""
        return [
            self._given(self._at_most(value, len(train))).fit(values_NVD[train], targets[train]).score(values_NVD[rows])
            for train, rows in splits
        ]

    def _at_most(self, value: float, images: int) -> float:
        """Return a value that so many training images allow: neighbours chosen among more images may be too many."""
        return min(value, images) if self.parameter == "n_neighbors" else value

    def _held_out(
        self, value: float, values_NVD: np.ndarray, targets: np.ndarray, metric: str, splits: Sequence[Split]
    ) -> np.ndarray:
        """Return the metric of one value on the held-out images of each fold: float64 [folds]."""
        found = zip(splits, self._scores(value, values_NVD, targets, splits), strict=True)
        return np.array([METRICS[metric](Outcome(targets[rows], scores))[0] for (_, rows), scores in found], float)

    def _calibration(
        self, value: float, values_NVD: np.ndarray, targets: np.ndarray, groups: np.ndarray | None
    ) -> tuple[Calibration, np.ndarray]:
        """Calibrate with the chosen value on scores of held-out images. Returns these scores too, [N, K]."""
        if fewest_of_class(targets, groups)[0] < 2:
            what = "training images" if groups is None else "groups of training images"
            raise ConfigError(f"classifier.calibrate needs 2 {what} of each class, to hold one out.")
        splits = draw_folds(targets, groups, self.folds, self.seed)
        scores = np.concatenate(self._scores(value, values_NVD, targets, splits))
        order = np.concatenate([rows for _, rows in splits])
        return Calibration.learn(scores, targets[order]), scores[np.argsort(order)]

    def _choose(self, training: Training, convergence: Convergence) -> Choice:
        grid = Grid(
            self.estimator,
            self.parameter,
            self._key,
            self.values,
            self.one_standard_error,
            self.fusion,
            self.folds,
            self.seed,
            self.validate,
        )
        if not self.chooses_itself:
            return Search(grid, training, convergence).choose()
        choice, left_out = let_choose(grid, training)
        if left_out:
            named = ", ".join(f"{one:g}" for one in left_out)
            self._tell(f"{self.parameter}={named} left out: there are {len(training.targets)} training images.")
        return choice

    def _splits(self, targets: np.ndarray, groups: np.ndarray | None) -> list[Split]:
        """Return the folds of cross-validation, fewer than asked for if a class has fewer images or groups."""
        value = suggested(self.values, self.parameter, len(targets))
        way = f"classifier.{self.parameter}={value:g} classifier.validate=false"
        require_two(self.parameter, targets, groups, way)
        splits = draw_folds(targets, groups, self.folds, self.seed)
        if len(splits) < self.folds and (groups is not None or kind_of(targets) == "class"):
            what = "images" if groups is None else "groups"
            named = f"{len(splits)} folds, not {self.folds}"
            self._tell(f"Choosing {self.parameter} with {named}: a class has only that many {what}.")
        return splits

    def _tell(self, line: str) -> None:
        """Log a remark that holds for all layers and folds alike once."""
        if line not in self._told:
            self._told.add(line)
            log.warning(line)
