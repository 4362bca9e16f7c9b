"""Logistic regression with the choice of C."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from typing_extensions import override

from offshelf.logistic.base import LogisticProbeBase
from offshelf.logistic.solver import Bias
from offshelf.svm.cross_validation import Split
from offshelf.svm.fusion import Fusion
from offshelf.svm.grid_search import GridSearch, Scoring


class LogisticProbeCV(LogisticProbeBase, GridSearch):
    """Logistic regression whose C is chosen by cross-validation, all folds and values of C in one solve.

    Args:
        Cs: The grid, in any order; a single value is not cross-validated.
        cv: Number of folds (stratified where there is one label, shuffled), or pairs of training and held-out row
            numbers, such as the one pair of an official validation split.
        scoring: `accuracy`, `average_precision` (of each class) or `log_loss` (negated, of the fused decision values;
            for several labels and one-vs-rest, that of each binary problem), all with the rows' weights, or a function
            of the held-out labels, decision values and weights that returns a number, or one for each class.
        select: One C for all classes (`joint`, by the mean), or `per_class` for binary problems.
        one_standard_error: Choose the smallest C within one standard error (std / √(folds - 1)) of the best.
        warn_at_edge: Warn where the best C is at an end of the grid.
        random_state: Fixes the folds.
        fusion: Fusion of the decision values of the rows of a group: `sum`, `mean` or `max`; see `fuse`.
        multiclass: For more than two classes, `multinomial` (softmax) or `ovr` (each against all others).
        bias: `free` (scikit-learn's), `penalised` (b²/2s² is added, s = intercept_scaling) or `none`.
        intercept_scaling: s above.
        class_weight: None, `balanced` or weights by class; see `Encoding.weights`. `balanced` balances all rows; the
            folds use the same weights.
        tol: Largest relative duality gap, (primal - dual) / primal.

    Attributes:
        C_: The chosen C; [P] with `select=per_class`.
        cv_results_: `C`, `mean_test_score`, `std_test_score` and `split{i}_test_score`, each [len(Cs)]; the mean over
            classes, if there is a score for each.
        held_out_score_: Score of the chosen C on the held-out rows of each fold: float64 [folds].
        classes_, coef_, intercept_, dual_gap_: As of LogisticProbe, fitted to all rows with the chosen C.
        n_problems_: Number of problems, including those of the folds.
    """

    def __init__(
        self,
        Cs: Sequence[float] = (0.01, 0.1, 1.0, 10.0, 100.0),
        *,
        cv: int | Iterable[Split] = 5,
        scoring: Scoring | Literal["log_loss"] = "accuracy",
        select: Literal["joint", "per_class"] = "joint",
        one_standard_error: bool = False,
        warn_at_edge: bool = True,
        random_state: int | None = 0,
        fusion: Fusion = "sum",
        multiclass: Literal["multinomial", "ovr"] = "multinomial",
        bias: Bias = "free",
        intercept_scaling: float = 1.0,
        class_weight: Any = None,
        tol: float = 1e-4,
    ) -> None:
        self.Cs = Cs
        self.cv = cv
        self.scoring = scoring
        self.select = select
        self.one_standard_error = one_standard_error
        self.warn_at_edge = warn_at_edge
        self.random_state = random_state
        self.fusion = fusion
        self.multiclass = multiclass
        self.bias = bias
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.tol = tol

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> "LogisticProbeCV":
        """Choose C, and fit all rows.

        Args:
            X: float [R, D]; memory-mapped arrays are streamed, not loaded.
            y: Classes [R], or an indicator matrix [R, K] of several labels.
            sample_weight: [R] or, for several labels, [R, K], where 0 excludes a row from a class.
            groups: [R]; the rows of a group are observations of one sample: they are in one fold, are scored by their
                fused decision values, and have one label and one weight. To keep different samples in one fold, such
                as those of one patient, use cv=list(GroupKFold(5).split(X, y, patients)).

        Raises:
            ValueError: the settings or the data are invalid.
        """
        self._choose_and_fit(X, y, sample_weight, groups)
        return self

    @override
    def _check_search(self) -> None:
        super()._check_search()
        if self.select == "per_class" and self.multiclass == "multinomial":
            raise ValueError("select=per_class needs binary problems, multiclass=ovr; multinomial ones have one C.")

    @override
    def _score(self, y: np.ndarray, weights: np.ndarray, decisions_RP: np.ndarray) -> Any:
        if isinstance(self.scoring, str) and self.scoring == "log_loss":
            return -self._log_loss(y, weights, decisions_RP)
        return super()._score(y, weights, decisions_RP)

    def _log_loss(self, y: np.ndarray, weights: np.ndarray, decisions_RP: np.ndarray) -> np.ndarray:
        """Return the mean loss, or that of each binary problem, with probabilities of at least float32's epsilon."""
        from scipy.special import log_expit, log_softmax

        least = np.log(np.finfo(np.float32).eps)
        decisions = decisions_RP.astype(np.float64)
        if self.kind_ == "multinomial":
            numbers = self._encoding().numbers(y)
            own = log_softmax(decisions, axis=1)[np.arange(len(y)), numbers]
            return -np.average(np.maximum(own, least), weights=weights)
        own = log_expit(self._encoding().signs(y)[:, :] * decisions.reshape(len(y), -1))
        shares = np.broadcast_to(weights.reshape(len(y), -1), own.shape)
        total = shares.sum(axis=0)
        losses = -(shares * np.maximum(own, least)).sum(axis=0)
        return np.divide(losses, total, out=np.full(len(total), np.nan), where=total > 0)
