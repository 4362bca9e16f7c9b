"""Products with rows that may be on a GPU, or too many for memory."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch

from offshelf.svm.monitor import check_stop
from offshelf.svm.solver.mapped import is_mapped

BLOCK_ROWS = 1 << 13
"""Rows converted at a time."""
STRIP_ROWS = {"cpu": 1 << 8, "cuda": BLOCK_ROWS}
"""Rows multiplied at a time: on a CPU, so few that they stay in the cache for the second of two products."""
COVARIANCE_ROWS = 1 << 10
"""Rows of a product for X'X on a CPU, between which a fit can be stopped."""
RESIDENT_SHARE = 0.4
"""Most of a GPU's free memory that the rows may take; more rows are sent block by block."""
FLOAT64_VALUES = 1 << 24
"""Most values for which all arithmetic is float64."""


class Rows:
    """X, scaled to length 1, with a column for the bias, in blocks on one device: float64 if it is small, else float32.

    A memory-mapped array of any float type stays on disk; each product reads it once from end to end.
    """

    def __init__(self, rows_RD: np.ndarray, intercept: float, device: str) -> None:
        """`intercept` is the value of the column for the bias, 0 without a bias."""
        self.source, self.device = rows_RD, torch.device(device)
        self.scale = _length(rows_RD)
        self.intercept = intercept / self.scale
        self.is_small = rows_RD.size <= FLOAT64_VALUES
        self.dtype = torch.float64 if self.is_small else torch.float32
        self.count, self.dims = rows_RD.shape[0], rows_RD.shape[1] + 1
        self.blocks = None
        if self._fits():
            self.blocks = [block for _, block in self]

    def __iter__(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield blocks: which rows, and [B, D + 1]."""
        for number, start in enumerate(range(0, self.count, BLOCK_ROWS)):
            part = slice(start, min(start + BLOCK_ROWS, self.count))
            yield part, self.blocks[number] if self.blocks else self._block(part)

    def strips(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield the same in smaller parts; raises StoppedError between them, if the fit is to stop."""
        step = STRIP_ROWS[self.device.type]
        for whole, block in self:
            for start in range(0, len(block), step):
                check_stop()
                strip = block[start : start + step]
                yield slice(whole.start + start, whole.start + start + len(strip)), strip

    # A matrix of few columns is the left factor, since BLAS takes up to ten times as long with it on the right.

    def times(self, vectors_DP: torch.Tensor) -> torch.Tensor:
        """Return X v: [R, P]."""
        out, vectors_PD = vectors_DP.new_empty(self.count, vectors_DP.shape[1]), vectors_DP.T.contiguous()
        for part, strip in self.strips():
            out[part] = torch.mm(vectors_PD, strip.T).T
        return out

    def transposed_times(self, values_RP: torch.Tensor) -> torch.Tensor:
        """Return X' v: [D + 1, P]."""
        out_PD = values_RP.new_zeros(values_RP.shape[1], self.dims)
        for part, strip in self.strips():
            out_PD.addmm_(values_RP[part].T, strip)
        return out_PD.T.contiguous()

    def curvature(self, weights_RP: torch.Tensor, vectors_DP: torch.Tensor) -> torch.Tensor:
        """Return X' diag(weights) X v for each column, in one pass over the rows: [D + 1, P]."""
        vectors_PD = vectors_DP.T.contiguous()
        out_PD = torch.zeros_like(vectors_PD)
        for part, strip in self.strips():
            out_PD.addmm_(torch.mm(vectors_PD, strip.T).mul_(weights_RP[part].T), strip)
        return out_PD.T.contiguous()

    def covariance(self) -> torch.Tensor:
        """Return X'X: [D + 1, D + 1]."""
        out = torch.zeros(self.dims, self.dims, dtype=self.dtype, device=self.device)
        for _, block in self:
            if self.device.type == "cpu":
                for strip in block.split(COVARIANCE_ROWS):
                    check_stop()
                    values = strip.numpy()
                    out += torch.from_numpy(values.T @ values)  # NumPy computes half of a symmetric product
            else:
                out.addmm_(block.T, block)
        return out

    @cached_property
    def eigen(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The eigenvalues [D + 1] of X'X, and the eigenvectors in columns."""
        matrix = self.covariance()
        if self.device.type != "cpu":
            values, vectors = torch.linalg.eigh(matrix)
            return values, vectors
        from scipy.linalg import eigh

        parts = eigh(matrix.numpy(), overwrite_a=True, driver="evd")  # in half the time of PyTorch's
        return torch.from_numpy(parts[0]), torch.from_numpy(parts[1]).contiguous()

    def exact_decision_values(self, weights_DP: np.ndarray) -> np.ndarray:
        """Return X v in float64: [R, P]."""
        vectors_PD = torch.from_numpy(np.ascontiguousarray(weights_DP.T)).to(self.device)
        out = np.empty((self.count, weights_DP.shape[1]))
        for part, strip in self.strips():
            out[part] = torch.mm(vectors_PD, strip.double().T).T.cpu().numpy()
        return out

    def exact_combination(self, values_RP: np.ndarray) -> np.ndarray:
        """Return X' v in float64: [D + 1, P]."""
        out_PD = torch.zeros(values_RP.shape[1], self.dims, dtype=torch.float64, device=self.device)
        for part, strip in self.strips():
            out_PD.addmm_(torch.from_numpy(values_RP[part]).to(self.device).T, strip.double())
        return out_PD.T.cpu().numpy()

    def _fits(self) -> bool:
        if self.device.type == "cpu":
            return not is_mapped(self.source)
        size = self.count * self.dims * torch.finfo(self.dtype).bits // 8
        return size < RESIDENT_SHARE * torch.cuda.mem_get_info(self.device)[0]

    def _block(self, part: slice) -> torch.Tensor:
        block = torch.empty(part.stop - part.start, self.dims, dtype=self.dtype, device=self.device)
        values = np.require(self.source[part], requirements=("C", "W"))  # PyTorch warns of read-only arrays
        block[:, :-1] = torch.from_numpy(values).to(self.device)
        block[:, :-1] /= self.scale
        block[:, -1] = self.intercept
        return block


def _length(rows_RD: np.ndarray) -> float:
    """Return the root mean squared length of the rows, by blocks."""
    total = sum(
        float(np.einsum("rd,rd->", block, block))
        for block in (
            rows_RD[start : start + BLOCK_ROWS].astype(np.float64) for start in range(0, len(rows_RD), BLOCK_ROWS)
        )
    )
    return float(np.sqrt(total / len(rows_RD))) or 1.0
