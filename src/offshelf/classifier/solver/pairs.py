"""Greedy pairs: the compiled inner loop of the dual solver.

It minimises a quadratic over a box,

    ½ β'(K + κ11' + diag e) β − y'β,   0 ≤ y_i β_i ≤ U_i,

the dual of a linear SVM with signs y (hinge: U = C, e = 0; squared hinge: U = ∞, e = 1/2C; the bias is in κ). Each
step takes the row that violates its optimality most and the partner with which it gains most, as libsvm does (Fan,
Chen, Lin, JMLR 2005, working set selection 2), and solves for the two exactly. The gradient is kept in float32, β, its
bounds and the two-variable problem in float64; who calls refreshes the gradient from accurate products.

Scores are compared through their bits: for numbers that are not negative, float32 and int32 have the same order, and
a maximum of integers is one that compilers vectorise.
"""

import numpy as np
from numba import njit

BLOCK = 256
TINY = np.float32(1e-7)
ZERO = np.float32(0)
ONE = np.float32(1)
TWO = np.float32(2)
"""An integer would make numba compute in float64."""

_compiled = njit(nogil=True, cache=True, fastmath={"nnan", "nsz", "contract", "reassoc", "arcp"})
_exact = njit(nogil=True, cache=True)


@_compiled
def gather(matrix_RR: np.ndarray, rows_M: np.ndarray, out_MM: np.ndarray) -> None:
    """Some rows of a matrix, and the same columns, side by side."""
    for i in range(len(rows_M)):
        row, out = matrix_RR[rows_M[i]], out_MM[i]
        for j in range(len(rows_M)):
            out[j] = row[rows_M[j]]


@_exact
def descend(K_MM, kappa, e_M, upper_M, y_M, beta_M, gradient_M, target, max_steps):  # type: ignore[no-untyped-def]
    """Improve β in place until the gap is at most `target`; the gradient, (K + κ11' + diag e)β − y, goes with it.

    K and what has no other type are float32; β and its bounds are float64: with rounded bounds, rows at theirs would be
    moved off it here and back by the caller, for ever. Rows with upper bound 0 stay where they are.

    Returns:
        Steps taken.
    """
    size = len(y_M)
    curvature, slope = np.empty(size, np.float32), np.empty(size, np.float32)
    up, down = np.empty(size, np.float32), np.empty(size, np.float32)
    score = np.empty(size, np.float32)
    bits = score.view(np.int32)
    k = np.float32(kappa)
    for i in range(size):
        curvature[i] = max(K_MM[i, i] + e_M[i], TINY)
        slope[i] = 1 / np.sqrt(curvature[i] + k)
        up[i], down[i] = _movable(y_M[i], upper_M[i], beta_M[i])
    _move(gradient_M, K_MM[0], K_MM[0], (ZERO, ZERO, ZERO), slope, up, down, score)
    check = min(64, size // 4 + 8)
    for step in range(max_steps):
        if step % check == 0 and complementarity(e_M, upper_M, y_M, beta_M, gradient_M) <= target:
            return step
        i = _largest(bits)
        if i < 0:
            return step
        _gains(K_MM[i], curvature, gradient_M, up, down, gradient_M[i], curvature[i], k, score)
        score[i] = ZERO
        j = _largest(bits)
        if j < 0:
            j = 0 if i else size - 1
        change_i, change_j = _pair(
            (float(gradient_M[i]), float(gradient_M[j])),
            (curvature[i] + kappa, curvature[j] + kappa, K_MM[i, j] + kappa),
            _room(y_M[i], upper_M[i], beta_M[i]),
            _room(y_M[j], upper_M[j], beta_M[j]),
        )
        if change_i == 0 and change_j == 0:
            return step
        for row, change in ((i, change_i), (j, change_j)):
            beta_M[row] += change
            gradient_M[row] += np.float32(e_M[row] * change)
            up[row], down[row] = _movable(y_M[row], upper_M[row], beta_M[row])
        changes = (np.float32(change_i), np.float32(change_j), np.float32(kappa * (change_i + change_j)))
        _move(gradient_M, K_MM[i], K_MM[j], changes, slope, up, down, score)
    return max_steps


@_compiled
def complementarity(e_M, upper_M, y_M, beta_M, gradient_M):  # type: ignore[no-untyped-def]
    """Primal minus dual objective, a sum of what each row contributes, none of it negative.

    Hinge: α·yg + U·max(0, −yg), with α = yβ. Squared hinge: α(yf − 1) + ξ²/2e + eα²/2, with ξ = max(0, 1 − yf).
    """
    total = 0.0
    for i in range(len(y_M)):
        if upper_M[i] > 0:
            alpha = y_M[i] * beta_M[i]
            yg = float(y_M[i] * gradient_M[i])
            if e_M[i] > 0:
                margin = yg - e_M[i] * alpha
                slack = max(-margin, 0.0)
                total += alpha * margin + slack * slack / (2 * e_M[i]) + e_M[i] * alpha * alpha / 2
            else:
                total += alpha * yg + upper_M[i] * max(-yg, 0.0)
    return total


@_compiled
def _gains(row, curvature, gradient, up, down, g, q, k, score):  # type: ignore[no-untyped-def]
    """Twice the decrease by moving i and each j without bounds; 0 where j cannot move that way."""
    for j in range(len(score)):
        r, c, h, can_rise, can_fall = row[j], curvature[j], gradient[j], up[j], down[j]
        common = k * (g - h)
        determinant = max(q * c - r * r + k * (q + c - TWO * r), TINY)
        gain = g * (c * g - TWO * r * h) + q * h * h + common * (g - h)
        can = can_fall if r * g - q * h + common < ZERO else can_rise
        score[j] = max(can * gain / determinant, ZERO)


@_compiled
def _move(gradient, row_i, row_j, changes, slope, up, down, score):  # type: ignore[no-untyped-def]
    """Change two rows, and score how much each violates its optimality then."""
    change_i, change_j, common = changes
    for t in range(len(score)):
        moved = gradient[t] + (change_i * row_i[t] + change_j * row_j[t] + common)
        gradient[t] = moved
        v = moved * slope[t]
        score[t] = max(max(-v * up[t], v * down[t]), ZERO)


@_compiled
def _top(bits):  # type: ignore[no-untyped-def]
    best = np.int32(0)
    for t in range(len(bits)):
        best = max(best, bits[t])
    return best


@_exact
def _largest(bits):  # type: ignore[no-untyped-def]
    """Place of the largest positive number, -1 where there is none."""
    best, block = np.int32(0), 0
    for start in range(0, len(bits), BLOCK):
        top = _top(bits[start : start + BLOCK])
        if top > best:
            best, block = top, start
    if best <= 0:
        return -1
    for t in range(block, min(block + BLOCK, len(bits))):
        if bits[t] == best:
            return t
    return -1


@_exact
def _room(y, upper, beta):  # type: ignore[no-untyped-def]
    """How far β may move down (at most 0) and up (at least 0)."""
    if y > 0:
        return min(-beta, 0.0), max(upper - beta, 0.0)
    return min(-upper - beta, 0.0), max(-beta, 0.0)


@_exact
def _movable(y, upper, beta):  # type: ignore[no-untyped-def]
    low, high = _room(y, upper, beta)
    return ONE if high > 0 else ZERO, ONE if low < 0 else ZERO


@_exact
def _pair(gradients, curvatures, room_i, room_j):  # type: ignore[no-untyped-def]
    """The two changes that minimise g'd + ½ d'Qd in a box: inside it, or best on one of its sides."""
    gi, gj = gradients
    qi, qj, qij = curvatures
    determinant = qi * qj - qij * qij
    if determinant > 1e-12 * qi * qj:
        i, j = (qij * gj - qj * gi) / determinant, (qij * gi - qi * gj) / determinant
        if room_i[0] <= i <= room_i[1] and room_j[0] <= j <= room_j[1]:
            return i, j
    best, best_i, best_j = 0.0, 0.0, 0.0
    for side in range(6):
        if side < 4:
            i, j = room_i[side % 2], room_j[side % 2]
        else:
            i, j = 0.0, 0.0
        if side in (0, 1, 4):
            j = min(max(-(gj + qij * i) / qj, room_j[0]), room_j[1])
        else:
            i = min(max(-(gi + qij * j) / qi, room_i[0]), room_i[1])
        value = gi * i + gj * j + (qi * i * i + qj * j * j) / 2 + qij * i * j
        if value < best:
            best, best_i, best_j = value, i, j
    return best_i, best_j
