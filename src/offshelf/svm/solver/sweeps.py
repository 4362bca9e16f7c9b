"""Sweeps of coordinate descent in the dual, row by row: Hsieh et al., ICML 2008, the method of liblinear.

Without a Gram matrix: the weights w = Σ β_i x_i of the centred rows are kept, so that a step costs a row. A row is
fetched once for all problems that it is undecided in; rows that are firmly at a bound are passed over in most sweeps.
"""

import numpy as np

from offshelf.process.cores import usable_cores
from offshelf.svm.native import sweep
from offshelf.svm.solver.threads import side_by_side

SWEEPS = 90
EVERY = 6
"""Each so many sweeps all rows are visited, and the gap is estimated."""
PRODUCTS = 8
"""Products of rows that take as long as one step of a sweep: BLAS has another speed than a row at a time."""
FIRM = 0.02
"""Slope from which a row at a bound is taken to stay there, or less: the largest of a row that was moved in the sweep
before."""

Kernel = tuple[np.ndarray, np.ndarray, float, np.ndarray]
"""Centred rows float32 [R, D], u [R], κ, and K's diagonal [R]; see Gram. K β of a row is w·x + u Σβ + Σuβ + κ Σβ."""
Bounds = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Signs, upper bounds of y β, and e: float64 [R, P] each."""


def descend(kernel: Kernel, bounds: Bounds, beta_RP: np.ndarray, tol_P: np.ndarray, most: int) -> None:
    """Improve β in place until its gap is about `tol` of the objective, or to where products of rows are faster.

    They are not with more than `most` undecided rows. What becomes of a problem does not depend on the others.
    """
    rows_RD, shift_R, _, _ = kernel
    weights_PD = beta_RP.T.astype(np.float32) @ rows_RD  # for all at once: bits would differ with another number
    totals_2P = np.stack([beta_RP.sum(axis=0), shift_R @ beta_RP])

    def work(group: np.ndarray) -> None:
        signs, upper, e, beta, totals = (np.ascontiguousarray(part[:, group]) for part in (*bounds, beta_RP, totals_2P))
        _descend(kernel, (signs, upper, e), (beta, weights_PD[group], totals), tol_P[group], most)
        beta_RP[:, group] = beta

    groups = np.array_split(np.arange(len(tol_P)), min(len(usable_cores()), len(tol_P)))
    side_by_side(work, groups)


def _descend(
    kernel: Kernel, bounds: Bounds, state: tuple[np.ndarray, np.ndarray, np.ndarray], tol_P: np.ndarray, most: int
) -> None:
    (signs_RP, upper_RP, _), (beta_RP, _, _) = bounds, state
    can_move_RP: np.ndarray = upper_RP > 0
    undecided_RP: np.ndarray = can_move_RP.copy()
    is_open_P = np.ones(len(tol_P), bool)
    before_P, steepest_P = np.full(len(tol_P), np.inf), np.full(len(tol_P), np.inf)
    random = np.random.default_rng(0)
    for turn in range(SWEEPS):
        if turn % EVERY == 0:
            undecided_RP = can_move_RP & is_open_P
        visited_R = np.asarray(undecided_RP.any(axis=1))
        order = random.permutation(len(signs_RP))
        order = order[visited_R[order]]
        gap_P, firm_P, steepest_P = np.zeros(len(tol_P)), np.minimum(steepest_P, FIRM), np.zeros(len(tol_P))
        sweep(kernel, bounds, state, (undecided_RP, order, firm_P), (gap_P, steepest_P))
        if turn % EVERY == 0:
            target_P = tol_P * np.einsum("rp,rp->p", signs_RP, beta_RP) / 2
            rounds_P, before_P = _rounds_left(gap_P, before_P, target_P), gap_P
            undecided_P = undecided_RP.sum(axis=0)
            is_slow = rounds_P * (len(signs_RP) + EVERY * undecided_P) > undecided_P**2 / PRODUCTS
            is_open_P &= (rounds_P > 0) & ~(is_slow & (undecided_P <= most))
            undecided_RP &= is_open_P
        if not is_open_P.any():
            break


def _rounds_left(gap_P: np.ndarray, before_P: np.ndarray, target_P: np.ndarray) -> np.ndarray:
    """How many visits of all rows are still to be expected from how the gap fell in the last one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        fall_P = np.log(before_P / gap_P)
        rounds_P = np.where(fall_P > 0, np.log(gap_P / target_P) / fall_P, np.inf)
    return np.where(gap_P <= target_P, 0, np.maximum(rounds_P, 1))
