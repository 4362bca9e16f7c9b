"""Ridge regressions of no more rows than dimensions, all of them from one eigendecomposition of the Gram matrix.

With u = √c, which AA' maps to 0, let G = (AA' + αI)⁻¹ − uu'/(α u'u) = U (Λ + αI)⁻¹ U', with the eigenvectors U of AA'
that are orthogonal to u: the block of the inverse of the system of weights and intercept, [[AA' + αI, u], [u', 0]]. A
fit without the rows F, with an intercept of its own, leaves them the residuals (G_FF)⁻¹ (G t)_F, from the formula for
the inverse of a submatrix; of one row that is Allen's PRESS (Technometrics 1974), of several the generalisation by
An, Liu and Venkatesh (Pattern Recognition 2007). Nothing cancels in it for small α, other than in (I − H_FF)⁻¹ r_F.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh, lstsq

from offshelf.ridge.problem import Model, Problem
from offshelf.svm.monitor import check_stop


class Gram:
    """A problem with the eigendecomposition of its Gram matrix."""

    def __init__(self, problem: Problem) -> None:
        """Factorise."""
        self.problem = problem
        self.roots = np.sqrt(problem.weights)
        self.values, self.vectors = _without(_products(problem), self.roots)
        self.coordinates = self.vectors.T @ problem.targets

    def predictions(self, tests: Sequence[np.ndarray], alphas: Sequence[float]) -> list[np.ndarray]:
        """Return each fold's predictions for its held-out rows: float64 [A, T] each."""
        found = []
        for fold, test in enumerate(tests):
            left_out = np.flatnonzero(~self.problem.members_RV[:, fold])
            residuals = np.array([self._residuals(left_out, test, alpha) for alpha in alphas])
            found.append(self.problem.y[test] - residuals / self.roots[test])
        return found

    def model(self, alpha: float) -> Model:
        """Return the fit to all rows."""
        problem, dual_R = self.problem, self._dual(alpha)
        weights_D = np.zeros(problem.X.shape[1])
        for part, block in problem.blocks():
            weights_D += dual_R[part] @ block
        return weights_D, problem.mean - float(problem.centre @ weights_D)

    def _dual(self, alpha: float) -> np.ndarray:
        dual_R: np.ndarray = self.vectors @ (self.coordinates / (self.values + alpha))
        return dual_R

    def _residuals(self, left_out: np.ndarray, test: np.ndarray, alpha: float) -> np.ndarray:
        """Return √c (y − prediction) of the fit without some rows, for test rows, which need not be among them."""
        check_stop()
        dual_R, rows = self._dual(alpha), self.vectors[left_out]
        scaled = rows / np.sqrt(self.values + alpha)
        inner = _solve(scaled @ scaled.T, dual_R[left_out])
        all_R = alpha * (dual_R - self.vectors @ ((rows.T @ inner) / (self.values + alpha)))  # 0 where left out
        all_R[left_out] = inner
        residuals: np.ndarray = all_R[test]
        return residuals


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    try:
        found: np.ndarray = cho_solve(cho_factor(matrix, lower=True), right)
    except LinAlgError:  # the penalty is of the size of rounding errors
        found = lstsq(matrix, right)[0]
    return found


def _products(problem: Problem) -> np.ndarray:
    """Return the Gram matrix of the centred, weighted rows: float64 [R, R]."""
    rows = len(problem.X)
    gram = np.empty((rows, rows))
    for number, part in enumerate(problem.parts):
        block = problem.block(part)
        for other in problem.parts[: number + 1]:
            check_stop()
            gram[part, other] = block @ (block if other == part else problem.block(other)).T
            gram[other, part] = gram[part, other].T
    return gram


def _without(gram: np.ndarray, null_R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues [R - 1] and eigenvectors [R, R - 1] that are orthogonal to a vector of eigenvalue 0.

    A Householder reflection maps the vector to the last axis, which is then left out.
    """
    mirror = null_R / np.linalg.norm(null_R)
    mirror[-1] += 1  # the vector is positive
    mirror /= np.linalg.norm(mirror)
    product = gram @ mirror
    inner = product - 2 * (mirror @ product) * mirror
    gram -= 2 * np.outer(mirror, inner)
    gram -= 2 * np.outer(product, mirror)
    values, vectors = eigh(gram[:-1, :-1], driver="evd", overwrite_a=True)
    lifted = np.zeros((len(gram), len(values)))
    lifted[:-1] = vectors
    lifted -= 2 * np.outer(mirror, mirror[:-1] @ vectors)
    return np.maximum(values, 0), lifted
