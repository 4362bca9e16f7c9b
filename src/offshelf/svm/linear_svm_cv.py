"""The linear SVM with the choice of C."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from offshelf.svm.base import LinearSVMBase
from offshelf.svm.encoding import Multiclass
from offshelf.svm.fusion import FUSIONS, Fusion, fuse
from offshelf.svm.solver import Bias, Loss

Scoring = Literal["accuracy", "average_precision"] | Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
Split = tuple[np.ndarray, np.ndarray]
_Found = tuple[slice, np.ndarray, Callable[[], tuple[np.ndarray, np.ndarray]]]
"""Which problems, their gaps, and a function that returns their weights and biases."""


class GridEdgeWarning(UserWarning):
    """Warning that the best C is the smallest or the largest of the grid."""


class LinearSVMCV(LinearSVMBase):
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
        tol: Largest relative duality gap, (primal - dual) / primal; see `relative_gap` for what it says about w. Up to
            400 rows are solved to rounding error.
        device: `auto` (a GPU, if there is one, for more rows than a Gram matrix can hold), `cpu` or `cuda`.

    Attributes:
        C_: The chosen C; [P] with `select=per_class`.
        cv_results_: `C`, `mean_test_score`, `std_test_score` and `split{i}_test_score`, each [len(Cs)]; the mean over
            classes, if there is a score for each.
        held_out_score_: Score of the chosen C on the held-out rows of each fold: float64 [folds].
        classes_, coef_, intercept_, dual_gap_: As of LinearSVM, fitted to all rows with the chosen C.
        n_problems_: Number of binary problems, including those of the folds.
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
        self._check_search()
        X, y, weights = self._check(X, y, sample_weight)
        Cs = sorted({float(C) for C in self.Cs})
        samples = np.arange(len(X)) if groups is None else _samples(groups, y, weights)
        splits = self._splits(y, samples) if len(Cs) > 1 else []
        members = np.ones((len(X), len(splits) + 1), bool)
        for fold, (train, _) in enumerate(splits):
            members[:, fold] = False
            members[train, fold] = True
        found: dict[float, list[_Found]] = {C: [] for C in Cs}
        is_two_sided = self.kind_ in ("binary", "ovo")
        held_out: dict[float, list[list[np.ndarray]]] = {C: [[] for _ in splits] for C in Cs}
        for chosen, solution in self._solve(X, y, weights, members, Cs):
            for fold, (_, test) in enumerate(splits):
                values = solution.decisions(test, fold).astype(np.float32)
                held_out[solution.C][fold].append(fuse(values, samples[test], self.fusion, is_two_sided))
            found[solution.C].append((chosen, solution.gap_KV[:, -1], solution.model))
        best = np.zeros(1, int)
        if splits:
            tests = [(_first(y[test], samples[test]), _first(weights[test], samples[test])) for _, test in splits]
            if not all(part.any() for _, part in tests):
                raise ValueError("The held-out samples of a fold all have a weight of zero: use fewer folds.")
            scores = np.array(
                [[self._score(*test, np.concatenate(held_out[C][f], 1)) for f, test in enumerate(tests)] for C in Cs]
            )
            best = self._choose(scores.reshape(len(Cs), len(splits), -1), Cs)
        self.C_ = np.array(Cs)[best] if self.select == "per_class" else Cs[best[0]]
        self._set_models([_pick([found[C][number] for C in Cs], best) for number in range(len(found[Cs[0]]))])
        return self

    def _check_search(self) -> None:
        if self.select not in ("joint", "per_class"):
            raise ValueError(f"select must be one of joint, per_class; got {self.select!r}.")
        if self.fusion not in FUSIONS:
            raise ValueError(f"fusion must be one of {', '.join(FUSIONS)}; got {self.fusion!r}.")
        if len(self.Cs) == 0:
            raise ValueError("Cs must hold one or more positive numbers; it is empty.")

    def _splits(self, y: np.ndarray, samples: np.ndarray) -> list[Split]:
        """Return the training and held-out rows of each fold."""
        from sklearn.model_selection import KFold, StratifiedKFold

        if not isinstance(self.cv, int):
            splits = [(np.asarray(train), np.asarray(test)) for train, test in self.cv]
            return splits
        if self.cv < 2:
            raise ValueError(f"cv must be at least 2; got {self.cv}.")
        labels = _first(y, samples)
        folds = (StratifiedKFold if y.ndim == 1 else KFold)(self.cv, shuffle=True, random_state=self.random_state)
        of_samples = folds.split(labels, labels if y.ndim == 1 else None)

        def rows(part: np.ndarray) -> np.ndarray:
            return np.flatnonzero(np.isin(samples, part))

        return [(rows(train), rows(test)) for train, test in of_samples]

    def _score(self, y: np.ndarray, weights: np.ndarray, decisions_RP: np.ndarray) -> Any:
        """Return a score, or one for each class."""
        if callable(self.scoring):
            return self.scoring(y, decisions_RP, weights)
        if self.scoring == "accuracy":
            return np.average(self.labels_of(decisions_RP) == y, weights=weights)
        if self.scoring != "average_precision" or self.kind_ == "ovo":
            raise ValueError(
                "scoring must be 'accuracy', a function or, except for pairs, 'average_precision'; "
                f"got {self.scoring!r}."
            )
        from sklearn.metrics import average_precision_score

        positive = self._encoding().signs(y)[:, :] > 0
        each = np.broadcast_to(weights.reshape(len(y), -1), positive.shape)
        return [
            average_precision_score(is_one, values, sample_weight=shares) if (is_one & (shares > 0)).any() else np.nan
            for is_one, values, shares in zip(positive.T, decisions_RP.T, each.T, strict=True)
        ]

    def _choose(self, scores_CFK: np.ndarray, Cs: Sequence[float]) -> np.ndarray:
        """Return the numbers of the best values of C, one or one for each class, and set the curve."""
        by_fold = np.nanmean(scores_CFK, axis=2)
        curve = {f"split{fold}_test_score": scores for fold, scores in enumerate(by_fold.T)}
        self.cv_results_ = {
            "C": np.array(Cs), "mean_test_score": by_fold.mean(axis=1), "std_test_score": by_fold.std(axis=1), **curve
        }  # fmt: skip
        if self.select == "per_class" and scores_CFK.shape[2] != len(self.classes_):
            raise ValueError(
                f"select=per_class needs a score for each class; scoring={self.scoring!r} gives one for all."
            )
        scores = scores_CFK if self.select == "per_class" else by_fold[:, :, None]
        mean, std = np.nanmean(scores, axis=1), np.nanstd(scores, axis=1)
        best = mean.argmax(axis=0)
        if self.one_standard_error and scores.shape[1] > 1:
            top = np.take_along_axis(mean - std / np.sqrt(scores.shape[1] - 1), best[None], 0)
            best = (mean >= top).argmax(axis=0)
        self.held_out_score_ = np.nanmean(np.take_along_axis(scores, best[None, None], 0)[0], axis=1)
        if self.warn_at_edge:
            self._warn(best, Cs)
        return best

    def _warn(self, best: np.ndarray, Cs: Sequence[float]) -> None:
        at_edge = [Cs[number] for number in np.unique(best) if number in (0, len(Cs) - 1)]
        if at_edge:
            edges = " and ".join(f"{C:g}" for C in at_edge)
            warnings.warn(f"The best C, {edges}, is at the edge of the grid.", GridEdgeWarning, stacklevel=4)


def _pick(solutions: Sequence[_Found], best: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the weights, biases and gaps of a group of problems, each at its best C."""
    chosen = solutions[0][0]
    mine = best[chosen] if len(best) > 1 else best
    parts = {number: (*solutions[number][2](), solutions[number][1]) for number in np.unique(mine)}
    if len(parts) == 1:
        return next(iter(parts.values()))
    columns = [tuple(part[..., column] for part in parts[number]) for column, number in enumerate(mine)]
    weights, biases, gaps = zip(*columns, strict=True)
    return np.stack(weights, axis=1), np.stack(biases), np.stack(gaps)


def _samples(groups: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the number of each row's sample [R]. Raises ValueError if rows of a group differ in label or weight."""
    if np.shape(groups) != (len(y),):
        raise ValueError(f"groups must be {len(y)} group labels; got shape {np.shape(groups)}.")
    names, first, samples = np.unique(groups, return_index=True, return_inverse=True)
    for what, values in (("labels", y), ("weights", weights)):
        differ = (values != values[first][samples]).reshape(len(y), -1).any(axis=1)
        if differ.any():
            raise ValueError(
                "The rows of a group are observations of one sample, but those of group "
                f"'{names[samples[differ][0]]}' have several {what}. To keep different samples in one fold, use "
                "cv=list(GroupKFold(5).split(X, y, groups))."
            )
    return samples


def _first(values: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return the values of the first row of each sample, in the order of samples."""
    first: np.ndarray = values[np.unique(samples, return_index=True)[1]]
    return first
