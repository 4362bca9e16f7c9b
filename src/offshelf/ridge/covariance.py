"""Ridge regressions of more rows than dimensions: an eigendecomposition of each variant's covariance matrix.

The rows are read three times, however many folds and penalties there are: for their mean, for their products, and for
the predictions of all folds. Rows that belong to the same variants are summed once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from offshelf.ridge.problem import Model, Problem
from offshelf.svm.monitor import check_stop


@dataclass(eq=False)
class Moments:
    """Weighted sums over rows, about the mean of all rows."""

    weight: float
    rows_D: np.ndarray
    products_DD: np.ndarray
    """Σ c x x'."""
    target: float
    with_targets_D: np.ndarray
    """Σ c x y."""

    @staticmethod
    def none(dims: int) -> "Moments":
        """Return empty sums."""
        return Moments(0.0, np.zeros(dims), np.zeros((dims, dims)), 0.0, np.zeros(dims))

    def add(self, block: np.ndarray, roots: np.ndarray, targets: np.ndarray) -> None:
        """Add rows and targets that are multiplied by the roots of their weights."""
        self.weight += float(roots @ roots)
        self.rows_D += roots @ block
        self.products_DD += block.T @ block
        self.target += float(roots @ targets)
        self.with_targets_D += targets @ block

    def merge(self, other: "Moments") -> None:
        """Add other sums."""
        self.weight += other.weight
        self.rows_D += other.rows_D
        self.products_DD += other.products_DD
        self.target += other.target
        self.with_targets_D += other.with_targets_D


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The eigendecomposition of one variant: about its own means."""

    values: np.ndarray
    vectors: np.ndarray
    coordinates: np.ndarray
    """Products with the targets, in the directions of the vectors: float64 [D]."""
    mean_D: np.ndarray
    mean: float
    """Mean of rows and of targets, about those of all rows."""

    @staticmethod
    def of(sums: Moments) -> "Spectrum":
        """Centre the sums, and factorise."""
        mean_D, mean = sums.rows_D / sums.weight, sums.target / sums.weight
        check_stop()
        covariance = sums.products_DD - np.outer(sums.rows_D, mean_D)
        values, vectors = eigh(covariance, driver="evd", overwrite_a=True)
        coordinates = vectors.T @ (sums.with_targets_D - sums.target * mean_D)
        return Spectrum(np.maximum(values, 0), vectors, coordinates, mean_D, mean)

    def weights(self, alphas: Sequence[float]) -> np.ndarray:
        """Return the weights for each penalty: float64 [D, A]."""
        shrunk = self.coordinates[:, None] / (self.values[:, None] + np.array(alphas))
        found: np.ndarray = self.vectors @ shrunk
        return found


class Covariance:
    """A problem with the eigendecompositions of its variants."""

    def __init__(self, problem: Problem) -> None:
        """Factorise."""
        self.problem = problem
        self.spectra = [Spectrum.of(sums) for sums in _moments(problem)]

    def predictions(self, tests: Sequence[np.ndarray], alphas: Sequence[float]) -> list[np.ndarray]:
        """Return each fold's predictions for its held-out rows: float64 [A, T] each."""
        problem, folds = self.problem, self.spectra[:-1]
        weights = [spectrum.weights(alphas) for spectrum in folds]
        intercepts = [one.mean - one.mean_D @ own for one, own in zip(folds, weights, strict=True)]
        found = [np.empty((len(alphas), len(test))) for test in tests]
        for part, block in problem.blocks():
            check_stop()
            block /= np.sqrt(problem.weights[part])[:, None]
            for fold, test in enumerate(tests):
                mine = np.flatnonzero((part.start <= test) & (test < part.stop))
                products = block[test[mine] - part.start] @ weights[fold]
                found[fold][:, mine] = (problem.mean + intercepts[fold] + products).T
        return found

    def model(self, alpha: float) -> Model:
        """Return the fit to all rows."""
        problem, whole = self.problem, self.spectra[-1]
        weights_D = whole.weights([alpha])[:, 0]
        return weights_D, problem.mean + whole.mean - float((problem.centre + whole.mean_D) @ weights_D)


def _moments(problem: Problem) -> list[Moments]:
    """Return the sums of each variant, from one pass over the rows."""
    groups, uses = _groups(problem.members_RV)
    sums = [Moments.none(problem.X.shape[1]) for _ in uses]
    roots, targets = np.sqrt(problem.weights), problem.targets
    for part, block in problem.blocks():
        for number, rows in enumerate(groups):
            check_stop()
            mine = rows[part]
            if mine.any():
                sums[number].add(block[mine], roots[part][mine], targets[part][mine])
    variants = [Moments.none(problem.X.shape[1]) for _ in range(problem.members_RV.shape[1])]
    for number, variant in ((number, variant) for number, used in enumerate(uses) for variant in used):
        variants[variant].merge(sums[number])
    return variants


def _groups(members_RV: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Divide the rows by the variants that they belong to: bool [R] each, and these variants.

    Where that would be more groups than variants, as with overlapping folds, a group is a variant.
    """
    patterns, numbers = np.unique(members_RV, axis=0, return_inverse=True)
    if len(patterns) > members_RV.shape[1]:
        return list(members_RV.T), [np.array([variant]) for variant in range(members_RV.shape[1])]
    groups = [numbers.ravel() == number for number in range(len(patterns))]
    return groups, [np.flatnonzero(pattern) for pattern in patterns]
