"""Ridge regression with the choice of the penalty."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from offshelf.ridge.base import RidgeProbeBase, factorise, interruptible
from offshelf.ridge.problem import Model, Problem
from offshelf.svm.cross_validation import (
    Split,
    choose_best,
    first_rows,
    group_samples,
    make_splits,
    memberships,
    scores_by_value,
    warn_at_edge,
)
from offshelf.svm.fusion import fuse

SCORINGS = ("r2", "neg_mean_absolute_error", "neg_mean_squared_error")
Scoring = Literal["r2", "neg_mean_absolute_error", "neg_mean_squared_error"]


class RidgeProbeCV(RidgeProbeBase):
    """Ridge regression whose penalty is chosen by cross-validation, all folds and penalties from few factorisations.

    With no more rows than dimensions it is one eigendecomposition for everything, else one per fold and one of all
    rows.

    Args:
        alphas: The grid, in any order; a single value is not cross-validated.
        cv: Number of folds, stratified by the numbers and shuffled, or pairs of training and held-out row numbers.
        scoring: `r2` (scikit-learn's), `neg_mean_absolute_error`, `neg_mean_squared_error`, all with the rows' weights,
            or a function of the held-out numbers, predictions and weights, each [N], that returns a number.
        one_standard_error: Choose the largest penalty within one standard error (std / √(folds - 1)) of the best.
        warn_at_edge: Warn where the best penalty is at an end of the grid.
        random_state: Fixes the folds.

    Attributes:
        alpha_: The chosen penalty; the largest of equally good ones.
        cv_results_: `alpha` from the largest to the smallest, `mean_test_score`, `std_test_score` and
            `split{i}_test_score`, each [len(alphas)].
        held_out_score_: Score of the chosen penalty on the held-out rows of each fold: float64 [folds].
        coef_, intercept_: As of RidgeProbe, fitted to all rows with the chosen penalty.
    """

    def __init__(
        self,
        alphas: Sequence[float] = (0.01, 0.1, 1.0, 10.0, 100.0),
        *,
        cv: int | Iterable[Split] = 5,
        scoring: Scoring | Callable[[np.ndarray, np.ndarray, np.ndarray], float] = "r2",
        one_standard_error: bool = False,
        warn_at_edge: bool = True,
        random_state: int | None = 0,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.one_standard_error = one_standard_error
        self.warn_at_edge = warn_at_edge
        self.random_state = random_state

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> "RidgeProbeCV":
        """Choose the penalty, and fit all rows.

        Args:
            X: float [R, D]; memory-mapped arrays are streamed, not loaded.
            y: Numbers [R].
            sample_weight: [R]; non-negative.
            groups: [R]; the rows of a group are observations of one sample: they are in one fold, are scored by the
                mean of their predictions, and have one number and one weight.

        Raises:
            ValueError: the settings or the data are invalid.
        """
        self._check_penalties(self.alphas)
        if not callable(self.scoring) and self.scoring not in SCORINGS:
            raise ValueError(f"scoring must be a function or one of {', '.join(SCORINGS)}; got {self.scoring!r}.")
        X, y, weights = self._check(X, y, sample_weight)
        alphas = sorted({float(alpha) for alpha in self.alphas}, reverse=True)
        samples = np.arange(len(X)) if groups is None else group_samples(groups, y, weights)
        splits = make_splits(self.cv, y, samples, "number", self.random_state) if len(alphas) > 1 else []
        kept = weights > 0
        if not kept.all():
            splits = [_renumbered(split, kept) for split in splits]
            X, y, weights, samples = X[kept], y[kept], weights[kept], samples[kept]
        if not all(len(part) for split in splits for part in split):
            raise ValueError("A fold has no samples of positive weight to train on, or to hold out: use fewer folds.")
        problem = Problem(X, y, weights, memberships(len(X), splits))
        self.coef_, self.intercept_ = interruptible(lambda: self._solve(problem, samples, splits, alphas))
        if splits and self.warn_at_edge:
            warn_at_edge("alpha", alphas, np.array([alphas.index(self.alpha_)]), stacklevel=2)
        return self

    def _solve(self, problem: Problem, samples: np.ndarray, splits: Sequence[Split], alphas: Sequence[float]) -> Model:
        """Choose the penalty, and return the model of all rows."""
        factorised, best = factorise(problem), 0
        if splits:
            tests = [test for _, test in splits]
            found = factorised.predictions(tests, alphas)
            scores = [self._scores(problem, samples, *fold) for fold in zip(tests, found, strict=True)]
            best = self._choose(np.array(scores).T, alphas)
        self.alpha_ = alphas[best]
        return factorised.model(self.alpha_)

    def _scores(
        self, problem: Problem, samples: np.ndarray, test: np.ndarray, predictions_AT: np.ndarray
    ) -> list[float]:
        """Return the score of each penalty on the held-out samples of a fold."""
        mine = samples[test]
        truth, weights = (first_rows(values[test], mine) for values in (problem.y, problem.weights))
        return [self._score(truth, fuse(one, mine, "mean", False), weights) for one in predictions_AT]

    def _score(self, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> Any:
        if callable(self.scoring):
            return self.scoring(truth, predicted, weights)
        if self.scoring == "neg_mean_absolute_error":
            return -np.average(np.abs(truth - predicted), weights=weights)
        error = np.average((truth - predicted) ** 2, weights=weights)
        if self.scoring == "neg_mean_squared_error":
            return -error
        spread = np.average((truth - np.average(truth, weights=weights)) ** 2, weights=weights)
        return 1 - error / spread if spread > 0 else np.nan

    def _choose(self, scores_AF: np.ndarray, alphas: Sequence[float]) -> int:
        """Return the number of the best penalty, and set the curve."""
        known = scores_AF[:, ~np.isnan(scores_AF).any(axis=0)]  # undefined where the numbers held out are all equal
        if not known.shape[1]:
            raise ValueError("The score is not defined on the held-out samples of any fold: use fewer folds.")
        best = int(choose_best(known[:, :, None], self.one_standard_error)[0])
        self.cv_results_ = scores_by_value("alpha", alphas, scores_AF)
        self.held_out_score_ = scores_AF[best]
        return best


def _renumbered(split: Split, kept: np.ndarray) -> Split:
    """Return a split of the rows that are kept, by their numbers among these."""
    place = np.cumsum(kept) - 1
    train, test = (part[kept[part]] for part in split)
    return place[train], place[test]
