"""A primal-dual interior-point method for one linear SVM: Mehrotra's predictor and corrector.

The notation, and the system that each step solves, are those of `path_interior`. Axes: F rows of a working set, D
dimensions, the last of which is the bias.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from offshelf.svm.monitor import check_stop

STEPS = 80
"""Most steps on one working set."""
BOUNDARY = 0.995
"""Share of the way to the boundary that a step takes."""


def weighted_loss(margins: np.ndarray, caps: np.ndarray, is_squared: bool) -> float:
    """Return Σ U ℓ(1 − m), where ℓ is the hinge or the squared hinge."""
    lack = np.maximum(1 - margins, 0)
    return float(caps @ (lack * lack if is_squared else lack))


class CentralPath:
    """The central path of one working set; under the squared hinge ξ is not a variable but α / 2U."""

    def __init__(
        self,
        rows_FD: np.ndarray,
        caps_F: np.ndarray,
        ridge_D: np.ndarray,
        constant: tuple[np.ndarray, float],
        loss: str,
    ) -> None:
        """Take the problem of a working set.

        Args:
            rows_FD: Rows times their sign.
            caps_F: U; under the squared hinge C times the weights.
            ridge_D: R.
            constant: g and Σ U of the rows that are held at their upper bound.
            loss: `hinge` or `squared_hinge`.
        """
        self.rows, self.caps, self.ridge, (self.g, self.held) = rows_FD, caps_F, ridge_D, constant
        self.is_squared = loss == "squared_hinge"

    def follow(self, w: np.ndarray, margins_F: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray]:
        """Take steps until the relative gap of the working set is small; returns w and α of the best point."""
        self._begin(w, margins_F)
        best, least = (self.w, self.alpha), np.inf
        for _ in range(STEPS):
            check_stop()
            margins, pull = self.rows @ self.w, self.alpha @ self.rows + self.g
            gap = self._gap(margins, pull)
            if gap < least:
                best, least = (self.w, self.alpha), gap
            if gap <= tol or not self._step(margins, pull):
                break
        return best

    def _begin(self, w: np.ndarray, margins_F: np.ndarray) -> None:
        """Take the point of the central path that has these margins, at a μ that suits the objective."""
        caps, over = self.caps, margins_F - 1
        objective = 0.5 * self.ridge @ (w * w) + weighted_loss(margins_F, caps, self.is_squared)
        mu = max(1.5 * objective / len(caps), 1e-300)
        self.w = w
        if self.is_squared:
            root = np.sqrt(over * over + 2 * mu / caps)
            self.s = np.where(over > 0, (root + over) / 2, mu / caps / np.maximum(root - over, 1e-300))
            self.alpha = mu / self.s
            return
        root = np.hypot(caps * over, 2 * mu)
        self.s, self.xi = (2 * mu + caps * over + root) / (2 * caps), (2 * mu - caps * over + root) / (2 * caps)
        self.alpha, self.v = mu / self.s, mu / self.xi

    def _gap(self, margins: np.ndarray, pull: np.ndarray) -> float:
        """Return the relative gap; an imbalance under a free bias counts as what a shift of it by 1 may cost."""
        loss = weighted_loss(margins, self.caps, self.is_squared)
        primal = 0.5 * self.ridge @ (self.w * self.w) + loss + self.held - self.g @ self.w
        dual = self.alpha.sum() + self.held - 0.5 * self.ridge @ (pull * pull) - (1 - self.ridge) @ np.abs(pull)
        if self.is_squared:
            dual -= 0.25 * (self.alpha * self.alpha / self.caps).sum()
        return float((primal - dual) / primal) if primal > 0 else np.inf

    def _step(self, margins: np.ndarray, pull: np.ndarray) -> bool:
        """Take a step along the predictor and corrector; False where none can be taken."""
        xi = self.alpha / (2 * self.caps) if self.is_squared else self.xi
        self.theta = 1 / (self.s / self.alpha + (0.5 / self.caps if self.is_squared else self.xi / self.v))
        self.residuals = self.ridge * self.w - pull, margins - 1 + xi - self.s
        factor = self._factor()
        if factor is None:
            return False
        s_alpha = self.s * self.alpha
        xi_v = np.zeros_like(s_alpha) if self.is_squared else self.xi * self.v
        ahead = self._direction(factor, -s_alpha, -xi_v)
        mu = (s_alpha + xi_v).mean()
        after = self._products(ahead, min(1.0, self._longest(ahead))).mean()
        target = (after / mu) ** 3 * mu
        _, ds, dalpha, dxi = ahead
        move = self._direction(factor, target - s_alpha - ds * dalpha, target - xi_v + dxi * dalpha)
        length = min(1.0, BOUNDARY * self._longest(move))
        if not 1e-10 < length <= 1:
            return False
        dw, ds, dalpha, dxi = move
        self.w, self.s, self.alpha = self.w + length * dw, self.s + length * ds, self.alpha + length * dalpha
        if not self.is_squared:
            self.xi, self.v = self.xi + length * dxi, self.v - length * dalpha
        return True

    def _factor(self) -> tuple[np.ndarray, bool] | None:
        system = (self.rows * self.theta[:, None]).T @ self.rows
        diagonal = np.diag_indices_from(system)
        system[diagonal] += self.ridge
        for more in (1e-15, 1e-10):  # of directions that nothing but rounding is left of
            system[diagonal] *= 1 + more
            try:
                return cho_factor(system, lower=True, check_finite=False)
            except np.linalg.LinAlgError:
                continue
        return None

    def _direction(
        self, factor: tuple[np.ndarray, bool], rs: np.ndarray, rx: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Solve Newton's system for s α and ξ v that change by `rs` and `rx`: dw, ds, dα, dξ."""
        of_w, of_margins = self.residuals
        lack = rs / self.alpha - of_margins - (0 if self.is_squared else rx / self.v)
        dw = cho_solve(factor, (self.theta * lack) @ self.rows - of_w, check_finite=False)
        along = self.rows @ dw
        dalpha = self.theta * (lack - along)
        dxi = dalpha / (2 * self.caps) if self.is_squared else (rx + self.xi * dalpha) / self.v
        return dw, along + dxi + of_margins, dalpha, dxi

    def _products(self, move: tuple[np.ndarray, ...], length: float) -> np.ndarray:
        """Return s α + ξ v after a step."""
        _, ds, dalpha, dxi = move
        products = (self.s + length * ds) * (self.alpha + length * dalpha)
        if not self.is_squared:
            products += (self.xi + length * dxi) * (self.v - length * dalpha)
        return products

    def _longest(self, move: tuple[np.ndarray, ...]) -> float:
        """Return the length of the step to the boundary."""
        _, ds, dalpha, dxi = move
        ratios = [(-ds / self.s).max(), (-dalpha / self.alpha).max()]
        if not self.is_squared:
            ratios += [(-dxi / self.xi).max(), (dalpha / self.v).max()]
        most = max(ratios)
        return float(1 / most) if most > 0 else np.inf
