"""The linear SVM with the choice of C."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from typing_extensions import override

from offshelf.svm.base import LinearSVMBase
from offshelf.svm.cross_validation import Split
from offshelf.svm.encoding import Multiclass
from offshelf.svm.fusion import Fusion
from offshelf.svm.grid_search import GridSearch, Scoring
from offshelf.svm.solver import Bias, Loss


class LinearSVMCV(LinearSVMBase, GridSearch):
    """A linear support vector machine whose C is chosen by cross-validation, all folds and values of C in one solve.

    Args:
        Cs: The grid, in any order; a single value is not cross-validated.
        cv: Number of folds (stratified where there is one label, shuffled), or pairs of training and held-out row
            numbers, such as the one pair of an official validation split.
        scoring: `accuracy`, `average_precision` (of each class), both with the rows' weights, or a function of the
            held-out labels, decision values and weights that returns a number, or one for each class.
        select: One C for all classes (`joint`, by the mean), or `per_class` as VISSL and mmselfsup do for VOC.
        one_standard_error: Choose the smallest C within one standard error (std / √(folds - 1)) of the best.
        warn_at_edge: Warn where the best C is at an end of the grid.
        random_state: Fixes the folds.
        fusion: Fusion of the decision values of the rows of a group: `sum`, `mean` or `max`; see `fuse`.
        loss: `hinge` or `squared_hinge`.
        multiclass: For more than two classes, `ovr` (each against all others) or `ovo` (each pair).
        ovo_decision: The decision rule of pairs: `votes` (libsvm's; the first class wins ties) or the `sum` of the
            decision values.
        decision_function_shape: For pairs, `decision_function` returns scores of classes (`ovr`) or of pairs (`ovo`).
        bias: `penalised` (liblinear's: b²/2s² is added, s = intercept_scaling), `free` (libsvm's) or `none`.
        intercept_scaling: s above.
        class_weight: None, `balanced` or weights by class; see `Encoding.weights`. `balanced` balances all rows; the
            folds use the same weights.
        tol: Largest relative duality gap; see LinearSVM. Up to 400 rows are solved to rounding error.
        device: `auto` (a GPU, if there is one, for more rows than a Gram matrix can hold), `cpu` or `cuda`.
        progress: Whether to show the problems solved and the time left, on stderr, if the fit takes over some seconds.

    Attributes:
        C_: The chosen C; [P] with `select=per_class`.
        cv_results_: `C`, `mean_test_score`, `std_test_score` and `split{i}_test_score`, each [len(Cs)]; the mean over
            classes, if there is a score for each.
        held_out_score_: Score of the chosen C on the held-out rows of each fold: float64 [folds].
        classes_, coef_, intercept_, dual_gap_: As of LinearSVM, fitted to all rows with the chosen C.
        n_problems_: Number of binary problems, including those of the folds.
        method_, fallback_method_, n_fallback_tasks_: As of LinearSVM.
    """

    def __init__(
        self,
        Cs: Sequence[float] = (0.01, 0.1, 1.0, 10.0, 100.0),
        *,
        cv: int | Iterable[Split] = 5,
        scoring: Scoring = "accuracy",
        select: Literal["joint", "per_class"] = "joint",
        one_standard_error: bool = False,
        warn_at_edge: bool = True,
        random_state: int | None = 0,
        fusion: Fusion = "sum",
        loss: Loss = "hinge",
        multiclass: Multiclass = "ovr",
        ovo_decision: Literal["votes", "sum"] = "votes",
        decision_function_shape: Literal["ovr", "ovo"] = "ovr",
        bias: Bias = "penalised",
        intercept_scaling: float = 1.0,
        class_weight: Any = None,
        tol: float = 1e-4,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        progress: bool = False,
    ) -> None:
        self.Cs = Cs
        self.cv = cv
        self.scoring = scoring
        self.select = select
        self.one_standard_error = one_standard_error
        self.warn_at_edge = warn_at_edge
        self.random_state = random_state
        self.fusion = fusion
        self.loss = loss
        self.multiclass = multiclass
        self.ovo_decision = ovo_decision
        self.decision_function_shape = decision_function_shape
        self.bias = bias
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.tol = tol
        self.device = device
        self.progress = progress

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> "LinearSVMCV":
        """Choose C, and fit all rows.

        Args:
            X: float [R, D]; memory-mapped arrays too large for a Gram matrix are streamed, not loaded.
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
    def _size(self) -> tuple[int, int]:
        values = len({float(C) for C in self.Cs})
        folds = self.cv if isinstance(self.cv, int) else len(list(self.cv))
        return (folds if values > 1 else 0), values
