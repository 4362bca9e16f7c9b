"""One problem on the rows that matter: greedy pairs find which of them are free, Newton's method solves for those."""

from dataclasses import dataclass

import numpy as np

from offshelf.svm.native import complementarity, descend, gather, multiply_sparse, solve_among

BURST = 1.0
"""Steps of greedy pairs a row, after which something else may be better."""
EARLY = 1
"""Bursts before which greedy pairs may well end by themselves."""
SETTLED = 5e-3
"""The gap, as a share of the objective, from which Newton's method ends what greedy pairs have begun: before, the free
rows still change too much for its steps."""
CLOSE = 0.02
"""Rows at a bound whose gradient is further than this from leaving it are set aside."""
WORTHWHILE = 0.6
"""Rows are set aside when fewer than this share is left."""
LOOK, FEW = 1000, 0.25
"""A burst ends after so many steps already if fewer than this share of the rows is active."""
FACTORABLE = 3000
"""Most free rows for which a Cholesky factor is computed."""
RIDGE = np.float32(1e-6)
"""Added to the diagonal, of 1 on average, of what is factored in float32."""


@dataclass(frozen=True, eq=False)
class Box:
    """min ½ β'(K + κ11' + diag e) β − y'β over 0 ≤ y_i β_i ≤ U_i, on M rows; see `pairs`."""

    K_MM: np.ndarray
    kappa: float
    e_M: np.ndarray
    upper_M: np.ndarray
    y_M: np.ndarray
    turns: int
    """Bursts of greedy pairs, at most; among some of the rows a quarter of it."""

    def solve(self, beta_M: np.ndarray, gradient_M: np.ndarray, target: float, scale: float) -> None:
        """Improve β, float64, and its gradient, float32, in place until the gap is at most `target`, or for long.

        `scale` is about what the objective will be.
        """
        for turn in range(self.turns):
            active = self._burst(beta_M, gradient_M, target)
            if active is None:
                return
            if len(active) < WORTHWHILE * len(beta_M):
                beta, gradient = beta_M[active], gradient_M[active]
                self._part(active).solve(beta, gradient, target / 2, scale)
                moved = np.zeros_like(beta_M)
                moved[active] = beta - beta_M[active]
                self.follow(moved, beta_M, gradient_M)
            elif turn >= EARLY and complementarity(self._bounds, (beta_M, gradient_M)) < SETTLED * scale:
                self.follow(self._newton(beta_M, gradient_M), beta_M, gradient_M)

    def _burst(self, beta_M: np.ndarray, gradient_M: np.ndarray, target: float) -> np.ndarray | None:
        """Greedy pairs. Returns the rows that are active then, or None once the gap is at most `target`."""
        left, active = int(BURST * len(beta_M)) + 50, np.empty(0, int)
        while left > 0:
            steps = min(left, LOOK)
            if descend(self.K_MM, self.kappa, self._bounds, (beta_M, gradient_M), (target, steps)) < steps:
                return None
            active, left = self._active(beta_M, gradient_M, CLOSE), left - steps
            if len(active) < FEW * len(beta_M):
                break
        return active

    def follow(self, moved_M: np.ndarray, beta_M: np.ndarray, gradient_M: np.ndarray) -> None:
        """Move β in a direction, in place, as far as that is of use and the bounds allow."""
        direction = self.y_M * np.clip(self.y_M * (beta_M + moved_M), 0, self.upper_M) - beta_M
        single = direction.astype(np.float32)
        bent = multiply_sparse(self.K_MM, single) + np.float32(self.kappa * direction.sum()) + self.e_M * single
        slope, curve = float(gradient_M @ direction), float(direction @ bent)
        if slope < 0:
            step = min(1.0, -slope / max(curve, 1e-30))
            beta_M += step * direction
            gradient_M += np.float32(step) * bent

    @property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.e_M, self.upper_M, self.y_M

    def _newton(self, beta_M: np.ndarray, gradient_M: np.ndarray) -> np.ndarray:
        """The step to the optimum of the free rows, the others held."""
        free, step = self._active(beta_M, gradient_M, 0.0), np.zeros_like(beta_M)
        if 0 < len(free) <= FACTORABLE:
            solved = -gradient_M[free]
            if solve_among(self.K_MM, self.kappa, self.e_M + RIDGE, free, solved):
                step[free] = solved
        return step

    def _active(self, beta_M: np.ndarray, gradient_M: np.ndarray, close: float) -> np.ndarray:
        """Rows between their bounds, or about to leave one."""
        alpha, push = self.y_M * beta_M, -self.y_M * gradient_M
        stays = ((alpha <= 0) & (push <= -close)) | ((alpha >= self.upper_M) & (push >= close))
        return np.flatnonzero((self.upper_M > 0) & ~stays)

    def _part(self, rows: np.ndarray) -> "Box":
        turns = -(-self.turns // 4)
        return Box(square(self.K_MM, rows), self.kappa, self.e_M[rows], self.upper_M[rows], self.y_M[rows], turns)


def square(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows of a matrix and the same columns, side by side: float32 [M, M]; not a copy where it is all of them."""
    return matrix if len(rows) == len(matrix) else gather(matrix, rows)
