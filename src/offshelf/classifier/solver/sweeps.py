"""Sweeps of coordinate descent in the dual, row by row: Hsieh et al., ICML 2008, the method of liblinear.

Without a Gram matrix: the weights w = Σ β_i x_i of the centred rows are kept, so that a step costs a row. Rows that are
firmly at a bound are passed over in most sweeps.
"""

import numpy as np
from numba import njit

from offshelf.classifier.solver.pairs import complementarity

SWEEPS = 40
EVERY = 4
"""Each so many sweeps all rows are visited, and the gap is estimated."""
FIRM = 0.02
"""Slope from which a row at a bound is taken to stay there."""

Kernel = tuple[np.ndarray, np.ndarray, float]
"""Centred rows float32 [R, D], u [R] and κ: K β of a row is w·x + u Σβ + Σuβ + κ Σβ; see Gram."""
Problem = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Signs, upper bounds of y β, and e: float64 [R] each."""


def descend(kernel: Kernel, problem: Problem, tol: float) -> np.ndarray:
    """β, float64 [R], whose gap is about `tol` of the objective, or what many sweeps have come to."""
    rows_RD, shift_R, kappa = kernel
    signs_R, upper_R, e_R = problem
    curvature_R = np.einsum("rd,rd->r", rows_RD, rows_RD) + 2 * shift_R + kappa + e_R
    beta_R, slope_R = np.zeros(len(rows_RD)), np.zeros(len(rows_RD))
    weights_D, totals = np.zeros(rows_RD.shape[1], np.float32), np.zeros(2)
    visited = np.flatnonzero(upper_R > 0)
    random = np.random.default_rng(0)
    for turn in range(SWEEPS):
        alpha_R = signs_R * beta_R
        if turn % EVERY == 0:
            visited = np.flatnonzero(upper_R > 0)
        else:
            stays = ((alpha_R <= 0) & (slope_R > FIRM)) | ((alpha_R >= upper_R) & (slope_R < -FIRM))
            visited = visited[~stays[visited]]
        _sweep(kernel, problem, curvature_R, (beta_R, slope_R, weights_D, totals), random.permutation(visited))
        if turn % EVERY == 0:
            gap = complementarity(e_R, upper_R, signs_R, beta_R, signs_R * slope_R)  # before each row's own step
            if gap <= tol * (signs_R @ beta_R) / 2:
                break
    return beta_R


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz", "contract", "reassoc", "arcp"})
def _sweep(kernel, problem, curvature_R, state, order):  # type: ignore[no-untyped-def]
    """One step for each row of `order`, in place: β, the slope before the step, w, and the totals Σ β and Σ u β."""
    rows_RD, shift_R, kappa = kernel
    signs_R, upper_R, e_R = problem
    beta_R, slope_R, weights_D, totals = state
    for i in order:
        row = rows_RD[i]
        product = np.float32(0)
        for d in range(len(row)):
            product += row[d] * weights_D[d]
        value = product + shift_R[i] * totals[0] + totals[1] + kappa * totals[0]
        alpha = signs_R[i] * beta_R[i]
        slope_R[i] = signs_R[i] * value - 1 + e_R[i] * alpha
        change = signs_R[i] * (min(max(alpha - slope_R[i] / curvature_R[i], 0.0), upper_R[i]) - alpha)
        if change != 0:
            beta_R[i] += change
            totals[0] += change
            totals[1] += shift_R[i] * change
            step = np.float32(change)
            for d in range(len(row)):
                weights_D[d] += step * row[d]
