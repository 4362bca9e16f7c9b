"""A preconditioner of Newton's systems, from the largest eigenvalues of X'X.

The Hessian of a column is near I + C s X'X, where s is the mean of the column's second derivatives. In the directions
of the largest eigenvalues λ it is divided by 1 + C s λ, and in all others by the same with the mean of theirs. One set
of eigenvectors serves all problems and all C. It affects how many passes a solution takes, not what it is.
"""

import numpy as np

from offshelf.logistic.solver.rows import Rows

EXACT_DIMS = 1 << 9
"""Most dimensions for which all eigenvalues are computed."""
RANK, EXTRA, ITERATIONS = 384, 32, 2
"""Eigenvalues that are computed of more dimensions, by subspace iteration (Halko, Martinsson, Tropp, "Finding structure
with randomness", SIAM Review 2011) of a slightly larger basis."""
FLAT = 1e-10
"""Least curvature of a free bias, relative to the largest of the classes."""
SAMPLE_ROWS = 1 << 12
"""Rows from which eigenvalues are estimated."""


class Preconditioner:
    """I + C s X'X in M directions and on average in all others; the bias by itself if it is free."""

    def __init__(self, rows: Rows) -> None:
        self.is_free = rows.is_free
        size = min(rows.count, SAMPLE_ROWS)
        chosen = np.sort(np.random.default_rng(0).choice(rows.count, size, replace=False))
        sample = _sample(rows, chosen) * rows.dtype(np.sqrt(rows.count / size))
        features = sample[:, :-1] if self.is_free else sample
        self.values_M, self.basis_DM, self.rest = _eigen(features)

    def divide(self, residuals: np.ndarray, curvatures: np.ndarray, count: int) -> np.ndarray:
        """Return the solution [B, G, D + 1] of the approximate system.

        Args:
            residuals: Right-hand sides [B, G, D + 1].
            curvatures: C times the sums of the second derivatives of each column, [B, G].
            count: The number of rows.
        """
        mean = curvatures[..., None] / count
        is_whole = self.basis_DM.shape[0] == self.basis_DM.shape[1]
        rest = np.zeros_like(mean) if is_whole else 1 / (1 + mean * self.rest)
        each = 1 / (1 + mean * self.values_M) - rest
        vectors = residuals[..., :-1] if self.is_free else residuals
        shape = vectors.shape
        coordinates = (vectors.reshape(-1, shape[-1]) @ self.basis_DM).reshape(*shape[:2], -1)
        coordinates *= each.astype(residuals.dtype)
        out = np.empty_like(residuals)
        body = out[..., :-1] if self.is_free else out
        body[:] = (coordinates.reshape(-1, len(self.values_M)) @ self.basis_DM.T).reshape(shape)
        if not is_whole:  # else nothing but rounding errors is left
            body += vectors * rest.astype(residuals.dtype)
        if self.is_free:
            least = FLAT * curvatures.max(axis=1, keepdims=True) + np.finfo(residuals.dtype).tiny
            out[..., -1] = residuals[..., -1] / np.maximum(curvatures, least).astype(residuals.dtype)
        return out


def _sample(rows: Rows, chosen: np.ndarray) -> np.ndarray:
    if rows.held is not None:
        return rows.held[chosen]
    parts = [part for lane in rows.lanes for part in lane]
    inside = [chosen[(part.start <= chosen) & (chosen < part.stop)] - part.start for part in parts]
    return np.concatenate([rows.block(part)[mine] for part, mine in zip(parts, inside, strict=True) if len(mine)])


def _eigen(rows_RD: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the largest eigenvalues [M] of X'X, their vectors [D, M], and the mean of all others."""
    from scipy.linalg import eigh, qr

    dims = rows_RD.shape[1]
    if dims <= EXACT_DIMS:
        values, vectors = eigh(rows_RD.T @ rows_RD)
        return values.clip(0), np.ascontiguousarray(vectors), 0.0
    start = np.random.default_rng(0).standard_normal((len(rows_RD), min(RANK + EXTRA, *rows_RD.shape)), np.float32)
    basis = rows_RD.T @ start.astype(rows_RD.dtype)
    for _ in range(ITERATIONS):
        basis = qr(basis, mode="economic", overwrite_a=True, check_finite=False)[0]
        basis = rows_RD.T @ (rows_RD @ basis)
    basis = qr(basis, mode="economic", overwrite_a=True, check_finite=False)[0]
    images = rows_RD @ basis
    values, vectors = eigh(images.T @ images)
    kept = slice(-min(RANK, len(values)), None)
    total = float(np.einsum("rd,rd->", rows_RD, rows_RD, dtype=np.float64))
    found = values[kept].clip(0)
    rest = max(total - float(found.sum()), 0) / max(dims - len(found), 1)
    return found, np.ascontiguousarray(basis @ vectors[:, kept]), rest
