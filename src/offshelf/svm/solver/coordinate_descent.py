"""Dual coordinate descent: Hsieh et al., ICML 2008, as in liblinear.

Without a Gram matrix: the weights w = Σ β_i x_i of the centred rows are kept, so that a step costs a row. A row is read
once for all problems in which it is active; shrinking leaves out rows that are firmly at a bound in most passes.
"""

import numpy as np

from offshelf.process.cores import usable_cores
from offshelf.svm.native import coordinate_descent_pass
from offshelf.svm.solver.threads import run_parallel

MAX_PASSES = 90
UNSHRINK_EVERY = 6
"""Every so many passes all rows are visited, and the gap is estimated."""
PRODUCTS_PER_STEP = 8
"""Products of rows that take as long as one step: BLAS is faster than a row at a time."""
SHRINK_THRESHOLD = 0.02
"""Largest shrinking threshold, a projected gradient; it is less once the largest violation of the pass before is."""

Kernel = tuple[np.ndarray, np.ndarray, float, np.ndarray]
"""Centred rows float32 [R, D], u [R], κ, and K's diagonal [R]; see `centred_kernel`. K β of a row is
w·x + u Σβ + Σuβ + κ Σβ."""
Bounds = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Signs, upper bounds of y β, and e: float64 [R, P] each."""


def descend(kernel: Kernel, bounds: Bounds, beta_RP: np.ndarray, tol_P: np.ndarray, max_active: int) -> None:
    """Improve β in place until its gap is about `tol` of the objective, or until products of rows are faster.

    The result for a problem does not depend on the others.

    Args:
        kernel: The rows.
        bounds: The problems.
        beta_RP: float64.
        tol_P: Relative duality gaps.
        max_active: Most active rows with which products of rows may be faster.
    """
    rows_RD, shift_R, _, _ = kernel
    weights_PD = beta_RP.T.astype(np.float32) @ rows_RD  # for all at once: bits would differ with another number
    totals_2P = np.stack([beta_RP.sum(axis=0), shift_R @ beta_RP])

    def work(group: np.ndarray) -> None:
        signs, upper, e, beta, totals = (np.ascontiguousarray(part[:, group]) for part in (*bounds, beta_RP, totals_2P))
        state = beta, weights_PD[group], totals
        _descend(kernel, (signs, upper, e), state, tol_P[group], max_active)
        beta_RP[:, group] = beta

    groups = np.array_split(np.arange(len(tol_P)), min(len(usable_cores()), len(tol_P)))
    run_parallel(work, groups)


def _descend(
    kernel: Kernel, bounds: Bounds, state: tuple[np.ndarray, np.ndarray, np.ndarray], tol_P: np.ndarray, max_active: int
) -> None:
    (signs_RP, upper_RP, _), (beta_RP, _, _) = bounds, state
    can_move_RP: np.ndarray = upper_RP > 0
    active_RP: np.ndarray = can_move_RP.copy()
    is_open_P = np.ones(len(tol_P), bool)
    before_P, violation_P = np.full(len(tol_P), np.inf), np.full(len(tol_P), np.inf)
    random = np.random.default_rng(0)
    for number in range(MAX_PASSES):
        is_unshrunk = number % UNSHRINK_EVERY == 0
        if is_unshrunk:
            active_RP = can_move_RP & is_open_P
        visited_R = np.asarray(active_RP.any(axis=1))
        order = random.permutation(len(signs_RP))
        order = order[visited_R[order]]
        gap_P, threshold_P = np.zeros(len(tol_P)), np.minimum(violation_P, SHRINK_THRESHOLD)
        violation_P = np.zeros(len(tol_P))
        coordinate_descent_pass(kernel, bounds, state, (active_RP, order, threshold_P), (gap_P, violation_P))
        if is_unshrunk:
            target_P = tol_P * np.einsum("rp,rp->p", signs_RP, beta_RP) / 2
            rounds_P, before_P = _rounds_left(gap_P, before_P, target_P), gap_P
            active_P = active_RP.sum(axis=0)
            passes_P = rounds_P * (len(signs_RP) + UNSHRINK_EVERY * active_P)
            is_slow = passes_P > active_P**2 / PRODUCTS_PER_STEP
            is_open_P &= (rounds_P > 0) & ~(is_slow & (active_P <= max_active))
            active_RP &= is_open_P
        if not is_open_P.any():
            break


def _rounds_left(gap_P: np.ndarray, before_P: np.ndarray, target_P: np.ndarray) -> np.ndarray:
    """Estimate how many more passes over all rows are needed, from the decrease of the gap since the last one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        decrease_P = np.log(before_P / gap_P)
        rounds_P = np.where(decrease_P > 0, np.log(gap_P / target_P) / decrease_P, np.inf)
    return np.where(gap_P <= target_P, 0, np.maximum(rounds_P, 1))
