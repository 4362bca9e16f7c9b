"""Numbers of the singular values of features, and the similarity of the features of two layers.

Axes: R rows (an image's view each), D dimensions, S singular values, L layers.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import eigvalsh
from scipy.special import entr

BLOCK = 1 << 22
"""Numbers of rows that are converted to float64 at a time."""


def singular_values(rows_RD: np.ndarray) -> np.ndarray:
    """Return the singular values of rows that are not centred, largest first: float64 [min(R, D)].

    They are square roots of the eigenvalues of the smaller of the two products of the rows with themselves, computed in
    blocks in float64. Values below √(min(R, D) ε) of the largest, with ε = 2.2e-16, cannot be told from 0, and are 0.
    """
    squares = eigvalsh(small_product(rows_RD))[::-1]
    least = squares[0] * len(squares) * np.finfo(np.float64).eps
    return np.sqrt(np.where(squares > least, squares, 0))


def small_product(rows_RD: np.ndarray) -> np.ndarray:
    """Return X'X, float64 [D, D], or X X', [R, R]: the smaller one."""
    wide = rows_RD if rows_RD.shape[0] >= rows_RD.shape[1] else rows_RD.T
    product = np.zeros((wide.shape[1], wide.shape[1]))
    step = max(1, BLOCK // wide.shape[1])
    for start in range(0, len(wide), step):
        part = wide[start : start + step].astype(np.float64)
        product += part.T @ part
    return product


def rankme(values_S: np.ndarray) -> float:
    """Return RankMe (Garrido et al., ICML 2023): the exponential of the entropy of singular values that sum to 1.

    It is between 1 and S; 0 for features that are all 0. The paper's ε of 1e-7 is left out, since 0 log 0 is 0 here.
    """
    total = values_S.sum()
    return float(np.exp(entr(values_S / total).sum())) if total else 0.0


def stable_rank(values_S: np.ndarray) -> float:
    """Return ‖A‖²_F / ‖A‖²_2 (Rudelson and Vershynin, JACM 2007); 0 for features that are all 0."""
    largest = values_S.max() ** 2
    return float((values_S**2).sum() / largest) if largest else 0.0


def cka(features: Sequence[np.ndarray]) -> np.ndarray:
    """Return the linear centred kernel alignment of all pairs of features of the same rows.

    Kornblith et al., ICML 2019: ‖Y'X‖²_F / (‖X'X‖_F ‖Y'Y‖_F) of centred columns. It is 1 for features that are equal up
    to rotation and scale, too large where there are not many more rows than dimensions, and NaN where features do not
    vary.

    Args:
        features: Features of each layer, [R, D_layer].

    Returns:
        float64 [L, L], symmetric.
    """
    compact = [_compact(rows_RD) for rows_RD in features]
    products = np.zeros((len(compact), len(compact)))
    for row, column in zip(*np.triu_indices(len(compact)), strict=True):
        products[row, column] = products[column, row] = _product(*compact[row], *compact[column])
    norms = np.sqrt(np.diag(products))
    with np.errstate(invalid="ignore"):
        return products / np.outer(norms, norms)


def _compact(rows_RD: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return centred rows X, float64 [R, D], or if D > R their X X'; and whether it is the latter."""
    centred = rows_RD - rows_RD.mean(axis=0, dtype=np.float64)
    is_kernel = centred.shape[1] > len(centred)
    return (centred @ centred.T if is_kernel else centred), is_kernel


def _product(one: np.ndarray, one_is_kernel: bool, other: np.ndarray, other_is_kernel: bool) -> float:
    """Return the inner product of two kernels, <X X', Y Y'>."""
    if one_is_kernel and other_is_kernel:
        return float(np.vdot(one, other))
    if one_is_kernel or other_is_kernel:
        kernel, rows = (one, other) if one_is_kernel else (other, one)
        return float(np.vdot(rows, kernel @ rows))
    return float(np.square(one.T @ other).sum())
