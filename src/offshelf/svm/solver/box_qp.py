"""The box-constrained quadratic program of one problem: SMO with shrinking, finished by Newton steps.

SMO (Fan, Chen, Lin, JMLR 2005) finds the free rows. Rows at a bound that are unlikely to leave it are removed for a
while, as by libsvm's shrinking (Joachims, "Making large-scale SVM learning practical", 1999). Once the free rows hardly
change, a projected Newton step on them is faster than many SMO steps (Bertsekas, SIAM J. Control Optim. 1982).
"""

from dataclasses import dataclass

import numpy as np

from offshelf.svm.native import duality_gap, gather_submatrix, multiply_sparse, newton_solve, smo_solve

STEPS_PER_ROW = 1.0
"""SMO steps per row before shrinking or a Newton step is tried."""
FIRST_NEWTON_ROUND = 1
"""Rounds before the first Newton step: SMO often converges by itself."""
NEWTON_GAP = 5e-3
"""Gap, as a share of the objective, below which Newton steps are taken: above it the free rows still change."""
SHRINK_THRESHOLD = 0.02
"""Gradient from which a row at a bound is removed."""
SHRINK_SHARE = 0.6
"""Rows are removed if fewer than this share remain."""
CHECK_STEPS, EARLY_SHRINK_SHARE = 1000, 0.25
"""A round of SMO ends after so many steps if fewer than this share of the rows is active."""
NEWTON_ROWS = 3000
"""Most free rows for which a Cholesky factor is computed."""
RIDGE = np.float32(1e-6)
"""Added to the diagonal, of 1 on average, of what is factorised in float32."""


@dataclass(frozen=True, eq=False)
class BoxQP:
    """min ½ β'(K + κ11' + diag e) β − y'β over 0 ≤ y_i β_i ≤ U_i, on M rows; as in `native/smo.h`."""

    K_MM: np.ndarray
    kappa: float
    e_M: np.ndarray
    upper_M: np.ndarray
    y_M: np.ndarray
    max_rounds: int
    """Most rounds of SMO; a quarter of it after shrinking."""

    def solve(self, beta_M: np.ndarray, gradient_M: np.ndarray, target: float, scale: float) -> None:
        """Improve β and its gradient in place until the duality gap is at most `target`, or `max_rounds` are over.

        Args:
            beta_M: float64.
            gradient_M: float32.
            target: Duality gap.
            scale: Estimate of the objective at the optimum.
        """
        for number in range(self.max_rounds):
            active = self._smo_round(beta_M, gradient_M, target)
            if active is None:
                return
            if len(active) < SHRINK_SHARE * len(beta_M):
                beta, gradient = beta_M[active], gradient_M[active]
                self._shrunk(active).solve(beta, gradient, target / 2, scale)
                step = np.zeros_like(beta_M)
                step[active] = beta - beta_M[active]
                self.line_search(step, beta_M, gradient_M)
            elif number >= FIRST_NEWTON_ROUND and duality_gap(self._bounds, (beta_M, gradient_M)) < NEWTON_GAP * scale:
                self.line_search(self._newton_step(beta_M, gradient_M), beta_M, gradient_M)

    def _smo_round(self, beta_M: np.ndarray, gradient_M: np.ndarray, target: float) -> np.ndarray | None:
        """Run SMO; return the rows that are still active, or None once the gap is at most `target`."""
        left, active = int(STEPS_PER_ROW * len(beta_M)) + 50, np.empty(0, int)
        while left > 0:
            steps = min(left, CHECK_STEPS)
            if smo_solve(self.K_MM, self.kappa, self._bounds, (beta_M, gradient_M), (target, steps)) < steps:
                return None
            active, left = self._active(beta_M, gradient_M, SHRINK_THRESHOLD), left - steps
            if len(active) < EARLY_SHRINK_SHARE * len(beta_M):
                break
        return active

    def line_search(self, step_M: np.ndarray, beta_M: np.ndarray, gradient_M: np.ndarray) -> None:
        """Move β along a step, projected into the bounds, in place: to the minimum on the way, or to its end."""
        direction = self.y_M * np.clip(self.y_M * (beta_M + step_M), 0, self.upper_M) - beta_M
        single = direction.astype(np.float32)
        product = multiply_sparse(self.K_MM, single) + np.float32(self.kappa * direction.sum()) + self.e_M * single
        slope, curvature = float(gradient_M @ direction), float(direction @ product)
        if slope < 0:
            length = min(1.0, -slope / max(curvature, 1e-30))
            beta_M += length * direction
            gradient_M += np.float32(length) * product

    @property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.e_M, self.upper_M, self.y_M

    def _newton_step(self, beta_M: np.ndarray, gradient_M: np.ndarray) -> np.ndarray:
        """Return the step to the optimum of the free rows, the others fixed."""
        free, step = self._active(beta_M, gradient_M, 0.0), np.zeros_like(beta_M)
        if 0 < len(free) <= NEWTON_ROWS:
            solved = -gradient_M[free]
            if newton_solve(self.K_MM, self.kappa, self.e_M + RIDGE, free, solved):
                step[free] = solved
        return step

    def _active(self, beta_M: np.ndarray, gradient_M: np.ndarray, threshold: float) -> np.ndarray:
        """Return the rows between their bounds, and those at a bound that are within the threshold of leaving it."""
        alpha, push = self.y_M * beta_M, -self.y_M * gradient_M
        stays = ((alpha <= 0) & (push <= -threshold)) | ((alpha >= self.upper_M) & (push >= threshold))
        return np.flatnonzero((self.upper_M > 0) & ~stays)

    def _shrunk(self, rows: np.ndarray) -> "BoxQP":
        rounds = -(-self.max_rounds // 4)
        return BoxQP(submatrix(self.K_MM, rows), self.kappa, self.e_M[rows], self.upper_M[rows], self.y_M[rows], rounds)


def submatrix(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return some rows and the same columns of a matrix, contiguous: float32 [M, M]. All rows are not copied."""
    return matrix if len(rows) == len(matrix) else gather_submatrix(matrix, rows)
