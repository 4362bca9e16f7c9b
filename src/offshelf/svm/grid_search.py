"""The choice of C by cross-validation, for estimators that solve all folds and values of C in one call."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from offshelf.metric import LabelKind, mean_of_known
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
from offshelf.svm.fusion import FUSIONS, Fusion, fuse
from offshelf.svm.linear_classifier import Group, LinearClassifier

Scoring = Literal["accuracy", "average_precision"] | Callable[[np.ndarray, np.ndarray, np.ndarray], Any]


class GridSearch(LinearClassifier):
    """The part of an estimator that chooses C; not an estimator by itself."""

    Cs: Sequence[float]
    cv: int | Iterable[Split]
    scoring: Any
    select: Literal["joint", "per_class"]
    one_standard_error: bool
    warn_at_edge: bool
    random_state: int | None
    fusion: Fusion

    def _solve(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, members_RV: np.ndarray, Cs: Sequence[float]
    ) -> Iterator[tuple[slice, Any]]:
        """Solve all problems; yield columns, and their `Solution` at one C."""
        raise NotImplementedError

    def _choose_and_fit(
        self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, groups: np.ndarray | None
    ) -> None:
        """Choose C, and set the attributes of the fit to all rows."""
        self._check_search()
        X, y, weights = self._check(X, y, sample_weight)
        Cs = sorted({float(C) for C in self.Cs})
        samples = np.arange(len(X)) if groups is None else group_samples(groups, y, weights)
        kind: LabelKind = "class" if y.ndim == 1 else "labels"
        splits = make_splits(self.cv, y, samples, kind, self.random_state) if len(Cs) > 1 else []
        members = memberships(len(X), splits)
        found: dict[float, list[Group]] = {C: [] for C in Cs}
        is_two_sided = self.kind_ in ("binary", "ovo")
        held_out: dict[float, list[list[np.ndarray]]] = {C: [[] for _ in splits] for C in Cs}
        for chosen, solution in self._solve(X, y, weights, members, Cs):
            for fold, (_, test) in enumerate(splits):
                values = solution.decisions(test, fold).astype(np.float32)
                held_out[solution.C][fold].append(fuse(values, samples[test], self.fusion, is_two_sided))
            found[solution.C].append((chosen, solution.gap_KV[:, -1], solution.model))
        best = np.zeros(1, int)
        if splits:
            tests = [
                (first_rows(y[test], samples[test]), first_rows(weights[test], samples[test])) for _, test in splits
            ]
            if not all(part.any() for _, part in tests):
                raise ValueError("The held-out samples of a fold all have a weight of zero: use fewer folds.")
            scores = np.array(
                [[self._score(*test, np.concatenate(held_out[C][f], 1)) for f, test in enumerate(tests)] for C in Cs]
            )
            best = self._choose(scores.reshape(len(Cs), len(splits), -1), Cs)
        self.C_ = np.array(Cs)[best] if self.select == "per_class" else Cs[best[0]]
        self._set_models([_pick([found[C][number] for C in Cs], best) for number in range(len(found[Cs[0]]))])

    def _check_search(self) -> None:
        if self.select not in ("joint", "per_class"):
            raise ValueError(f"select must be one of joint, per_class; got {self.select!r}.")
        if self.fusion not in FUSIONS:
            raise ValueError(f"fusion must be one of {', '.join(FUSIONS)}; got {self.fusion!r}.")
        if len(self.Cs) == 0:
            raise ValueError("Cs must hold one or more positive numbers; it is empty.")

    def _score(self, y: np.ndarray, weights: np.ndarray, decisions_RP: np.ndarray) -> Any:
        """Return a score, or one for each class."""
        if callable(self.scoring):
            return self.scoring(y, decisions_RP, weights)
        if self.scoring == "accuracy":
            is_right = (self.labels_of(decisions_RP) == y).reshape(len(y), -1)
            return np.average(is_right, weights=np.broadcast_to(weights.reshape(len(y), -1), is_right.shape))
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
        by_fold = mean_of_known(scores_CFK, axis=2)
        self.cv_results_ = scores_by_value("C", Cs, by_fold)
        if self.select == "per_class" and scores_CFK.shape[2] != len(self.classes_):
            raise ValueError(
                f"select=per_class needs a score for each class; scoring={self.scoring!r} gives one for all."
            )
        scores = scores_CFK if self.select == "per_class" else by_fold[:, :, None]
        best = choose_best(scores, self.one_standard_error)
        self.held_out_score_ = mean_of_known(np.take_along_axis(scores, best[None, None], 0)[0], axis=1)
        if self.warn_at_edge:
            warn_at_edge("C", Cs, best, stacklevel=4)
        return best


def _pick(solutions: Sequence[Group], best: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the weights, biases and gaps of a group of problems, each at its best C."""
    chosen = solutions[0][0]
    mine = best[chosen] if len(best) > 1 else best
    parts = {number: (*solutions[number][2](), solutions[number][1]) for number in np.unique(mine)}
    if len(parts) == 1:
        return next(iter(parts.values()))
    columns = [tuple(part[..., column] for part in parts[number]) for column, number in enumerate(mine)]
    weights, biases, gaps = zip(*columns, strict=True)
    return np.stack(weights, axis=1), np.stack(biases), np.stack(gaps)
