"""Linear support vector machines, one-vs-one or one-vs-rest, on scikit-learn's libsvm and liblinear.

Axes: N images, V views, R = N * V rows, D features, P decision values an image (pairs of classes, or classes).
"""

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from offshelf.classifier.classifier import Curve, Fit
from offshelf.errors import ConfigError

log = logging.getLogger(__name__)

GRAM_ROWS = 20_000
"""Most training rows for which the Gram matrix is held: 3.2 GB in float64."""


@dataclass(frozen=True)
class LinearSVM:
    """A linear SVM whose C is given or chosen by stratified cross-validation on the training images.

    `one_vs_one` is the 2014 paper's choice for single-label sets (section 3.2): hinge loss, a bias that is not
    penalised, votes of all pairs of classes; solved by libsvm in one Gram matrix that all values of C and all folds
    share. `one_vs_rest` is liblinear's squared hinge with a penalised bias, the common linear probe.
    As in both libraries C weighs the sum of losses, so a fold's C is not rescaled by its size.
    """

    multiclass: Literal["one_vs_one", "one_vs_rest"] = "one_vs_one"
    C: float | Sequence[float] = (0.2, 2.0, 20.0, 200.0, 2000.0)
    """One value, or a grid to choose from; the grid starts with the paper's 0.2 and 2 and goes on in tenfold steps."""
    folds: int = 5
    seed: int = 0
    """Fixes the folds (and liblinear's order of coordinates)."""

    def __post_init__(self) -> None:
        if self.multiclass not in ("one_vs_one", "one_vs_rest"):
            raise ConfigError(f"classifier.multiclass is one_vs_one or one_vs_rest; got '{self.multiclass}'.")
        if not self._grid() or min(self._grid()) <= 0:
            raise ConfigError(f"classifier.C is a positive number or a list of them; got {self.C}.")
        if self.folds < 2:
            raise ConfigError(f"classifier.folds must be at least 2; got {self.folds}.")

    def fit(self, values_NVD: np.ndarray, targets_N: np.ndarray) -> Fit:
        """See Classifier.

        Raises:
            ConfigError: a class has too few images to choose C, or there are too many rows for one_vs_one.
        """
        machine = _OneVsOne() if self.multiclass == "one_vs_one" else _OneVsRest(self.seed)
        rows = machine.prepare(_rows(values_NVD))
        curve = self._curve(machine, rows, targets_N, values_NVD.shape[1]) if len(self._grid()) > 1 else None
        best = curve.best if curve else self._grid()[0]
        views = values_NVD.shape[1]
        decide = machine.fit(rows, np.repeat(targets_N, views), best).decide

        def predict(values_MVD: np.ndarray) -> np.ndarray:
            return machine.labels(_sum_views(decide(machine.compare(_rows(values_MVD), _rows(values_NVD))), views))

        return Fit(best, curve, predict)

    def _grid(self) -> tuple[float, ...]:
        return (float(self.C),) if isinstance(self.C, int | float) else tuple(sorted(float(C) for C in self.C))

    def _curve(self, machine: "_Machine", rows: np.ndarray, targets: np.ndarray, views: int) -> Curve:
        from sklearn.model_selection import StratifiedKFold

        folds = StratifiedKFold(self._possible_folds(targets), shuffle=True, random_state=self.seed)
        splits = list(folds.split(targets, targets))

        def score(split: tuple[np.ndarray, np.ndarray]) -> list[float]:
            train, held_out = split
            train_rows, test_rows = _view_rows(train, views), _view_rows(held_out, views)
            products, test_products = (
                machine.block(rows, train_rows, train_rows),
                machine.block(rows, test_rows, train_rows),
            )
            labels = np.repeat(targets[train], views)
            accuracies: list[float] = []
            for C in self._grid():
                fitted = machine.fit(products, labels, C)
                predicted = machine.labels(_sum_views(fitted.decide(test_products), views))
                accuracies.append(float(np.mean(predicted == targets[held_out])))
                if fitted.is_separated:  # larger C change nothing any more
                    break
            return accuracies + accuracies[-1:] * (len(self._grid()) - len(accuracies))

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # libsvm and liblinear release the interpreter lock
            scores = np.array(list(pool.map(score, splits))).T  # [C, fold]
        return Curve(self._grid(), scores.mean(axis=1), scores.std(axis=1))

    def _possible_folds(self, targets: np.ndarray) -> int:
        fewest = int(np.bincount(targets).min())
        if fewest < 2:
            raise ConfigError(
                f"C cannot be chosen by cross-validation: class number {int(np.bincount(targets).argmin())} has "
                f"{fewest} training image(s) and needs 2. Add images, or give one value: classifier.C=2"
            )
        if fewest < self.folds:
            log.warning("Choosing C with %d folds, not %d: a class has only that many images.", fewest, self.folds)
        return min(fewest, self.folds)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """One fit."""

    decide: Callable[[np.ndarray], np.ndarray]
    """Decision values float64 [M, P] of what `compare` or `block` gives for M rows."""
    is_separated: bool
    """Whether larger values of C would give the same."""


class _OneVsOne:
    """Pairs of classes, by libsvm, in terms of inner products only."""

    def prepare(self, rows_RD: np.ndarray) -> np.ndarray:
        """Gram matrix, float64 [R, R]."""
        if len(rows_RD) > GRAM_ROWS:
            raise ConfigError(
                f"classifier.multiclass=one_vs_one holds the Gram matrix of at most {GRAM_ROWS:,} training rows; "
                f"there are {len(rows_RD):,}. Use classifier=linear_svm_ovr"
            )
        return rows_RD @ rows_RD.T

    def block(self, gram: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return gram[np.ix_(rows, columns)]

    def compare(self, rows_MD: np.ndarray, train_RD: np.ndarray) -> np.ndarray:
        return rows_MD @ train_RD.T

    def fit(self, gram: np.ndarray, targets: np.ndarray, C: float) -> "_Fitted":
        from sklearn.svm import SVC

        machine = SVC(C=C, kernel="precomputed", decision_function_shape="ovo", cache_size=500).fit(gram, targets)
        # For two classes scikit-learn turns the sign: positive is the second class there, the first one otherwise.
        sign = -1 if len(machine.classes_) == 2 else 1
        # Dual coefficients below their bound C for all pairs: the margin is hard, and stays as it is for larger C.
        is_separated = bool(np.abs(machine.dual_coef_).max() < C * (1 - 1e-9))
        return _Fitted(
            lambda products: sign * machine.decision_function(products).reshape(len(products), -1), is_separated
        )

    def labels(self, decisions_MP: np.ndarray) -> np.ndarray:
        """Most votes; of equals the lowest class number, as in libsvm."""
        pairs = decisions_MP.shape[1]
        classes = round((1 + (1 + 8 * pairs) ** 0.5) / 2)
        first, second = np.triu_indices(classes, 1)
        winners = np.where(decisions_MP > 0, first, second)
        votes = np.zeros((len(decisions_MP), classes), np.int64)
        np.add.at(votes, (np.arange(len(decisions_MP))[:, None], winners), 1)
        return votes.argmax(axis=1)


class _OneVsRest:
    """Each class against all others, by liblinear."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def prepare(self, rows_RD: np.ndarray) -> np.ndarray:
        return rows_RD

    def block(self, rows_RD: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return rows_RD[rows]

    def compare(self, rows_MD: np.ndarray, train_RD: np.ndarray) -> np.ndarray:
        return rows_MD

    def fit(self, rows_RD: np.ndarray, targets: np.ndarray, C: float) -> "_Fitted":
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import LinearSVC

        machine = LinearSVC(C=C, dual="auto", random_state=self.seed, max_iter=5000)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            machine.fit(rows_RD, targets)
        if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
            log.warning("liblinear stopped at its iteration limit at C=%g; the fit is approximate.", C)
        return _Fitted(lambda rows: machine.decision_function(rows).reshape(len(rows), -1), False)

    def labels(self, decisions_MP: np.ndarray) -> np.ndarray:
        if decisions_MP.shape[1] == 1:
            return (decisions_MP[:, 0] > 0).astype(np.int64)
        return decisions_MP.argmax(axis=1)


_Machine = _OneVsOne | _OneVsRest


def _rows(values_NVD: np.ndarray) -> np.ndarray:
    """One row a view, an image's views side by side: float64 [N * V, D]."""
    return values_NVD.reshape(-1, values_NVD.shape[-1]).astype(np.float64)


def _view_rows(images: np.ndarray, views: int) -> np.ndarray:
    return (images[:, None] * views + np.arange(views)).ravel()


def _sum_views(decisions: np.ndarray, views: int) -> np.ndarray:
    """Responses summed over an image's views (the 2014 paper, section 3.3): float64 [M, P] from [M * V, P]."""
    total: np.ndarray = decisions.reshape(-1, views, decisions.shape[1]).sum(axis=1)
    return total
