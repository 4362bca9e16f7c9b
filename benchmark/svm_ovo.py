"""One-vs-one: all pairs of classes, against libsvm."""

import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial

import numpy as np
from machine import interleaved, seconds, table
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC
from synthetic import single_label

from offshelf.svm import LinearSVM
from offshelf.svm.encoding import encode
from offshelf.svm.solver import Problems, solve
from offshelf.svm.solver.gram import Gram
from offshelf.svm.solver.ovo import solve_path

CS = (0.2, 2.0, 20.0, 200.0, 2000.0)
"""The grid of `classifier=linear_svm`."""
TOL = 1e-4
Work = Callable[[], object]


def ovo(options: Namespace) -> None:
    """102 classes of 20 samples, hinge, free bias as libsvm's; the Gram matrix counted, and given to both."""
    rows, targets = single_label(2040, 4096, options.classes or 102)
    splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(rows, targets))
    LinearSVM(multiclass="ovo", bias="free").fit(rows[:300], targets[:300])
    ours, theirs = _Ours(rows, targets, splits), _Theirs(rows, targets, splits)

    def estimator() -> None:
        LinearSVM(1.0, multiclass="ovo", bias="free", decision_function_shape="ovo").fit(rows, targets)

    cases: dict[str, tuple[Work, Work]] = {
        "one C, the estimators, Gram matrix counted": (estimator, theirs.with_products),
        "one C, the solver, Gram matrix counted": (partial(ours.solve, False), theirs.with_products),
        "one C, Gram matrix given": (partial(ours.solve, True), theirs.one),
        "5 Cs x (5 folds + whole), given, against fits alone": (
            partial(ours.grid, False), partial(theirs.grid, False),
        ),
        "the same, against fits and held-out values": (partial(ours.grid, True), partial(theirs.grid, True)),
    }  # fmt: skip
    out = []
    for name, (mine, peer) in cases.items():
        times = interleaved({"ours": mine, "peer": peer}, options.rounds if name.startswith("one") else 1)
        out.append([name, f"{times['ours']:.2f} s", f"{times['peer']:.2f} s", f"{times['peer'] / times['ours']:.1f}"])
        print(" | ".join(out[-1]), file=sys.stderr, flush=True)
    pairs = ours.one.signs_RK.shape[1]
    print(f"One-vs-one, {pairs:,} pairs, {rows.shape[0]:,} x {rows.shape[1]:,}, hinge, free bias\n")
    table(["work", "offshelf, tol 1e-4", "SVC, precomputed, tol 1e-3", "ratio"], out)
    print(
        f"offshelf's largest certified gap: {ours.largest:.2e}; the Gram matrix: {seconds(ours.make_gram):.2f} s, ",
        end="",
    )
    print(f"NumPy's product of the rows: {seconds(lambda: rows @ rows.T):.2f} s\n")


class _Ours:
    """The solver."""

    def __init__(self, rows: np.ndarray, targets: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]]) -> None:
        self.rows, self.splits, self.largest = rows, splits, 0.0
        members = np.ones((len(rows), len(splits) + 1), bool)
        for fold, (_, test) in enumerate(splits):
            members[test, fold] = False
        signs, weights = encode(targets, "ovo").signs(targets), np.ones((len(rows), 1))
        self.sorted = rows[signs.order_R]
        self.gram = self.make_gram()
        self.one = Problems(signs, members[:, -1:], weights, "hinge", "free")
        self.folds = Problems(signs, members, weights, "hinge", "free")

    def make_gram(self) -> Gram:
        """What is given: centred, in the order of classes, in float64."""
        gram = Gram(self.sorted, "free", dtype=np.float64)
        _ = gram.products_RR
        return gram

    def grid(self, predicts: bool) -> None:
        """All Cs and folds, with or without the decision values of held-out rows."""
        for _, solution in solve_path(self.gram, self.folds, CS, TOL):
            self.largest = max(self.largest, float(solution.gap_KV.max()))
            for fold, (_, test) in enumerate(self.splits if predicts else ()):
                solution.decisions(test, fold)

    def solve(self, has_gram: bool) -> None:
        """All pairs at one C."""
        work = (self.one, (1.0,), TOL)
        solved = solve_path(self.gram, *work) if has_gram else solve(self.rows, *work, "cpu")
        for _, solution in solved:
            self.largest = max(self.largest, float(solution.gap_KV.max()))


class _Theirs:
    """libsvm, in double precision, in Gram matrices cut out beforehand."""

    def __init__(self, rows: np.ndarray, targets: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]]) -> None:
        self.rows, self.targets, self.products = rows, targets, (rows @ rows.T).astype(np.float64)
        self.folds = [
            (self.products[np.ix_(train, train)], targets[train], self.products[np.ix_(test, train)])
            for train, test in splits
        ]

    def fit(self, products: np.ndarray, targets: np.ndarray, C: float) -> SVC:
        """All pairs."""
        model = SVC(C=C, kernel="precomputed", decision_function_shape="ovo", cache_size=1000)
        return model.fit(products, targets)

    def one(self) -> None:
        """At C = 1."""
        self.fit(self.products, self.targets, 1.0)

    def with_products(self) -> None:
        """At C = 1, the Gram matrix counted."""
        self.fit((self.rows @ self.rows.T).astype(np.float64), self.targets, 1.0)

    def grid(self, predicts: bool) -> None:
        """All Cs and folds, with or without the decision values of held-out rows."""
        for C in CS:
            self.fit(self.products, self.targets, C)
            for train, targets, held_out in self.folds:
                model = self.fit(train, targets, C)
                if predicts:
                    model.decision_function(held_out)
