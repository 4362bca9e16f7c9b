"""Products with rows that may be too many for memory, or live on a GPU."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch

from offshelf.svm.solver.mapped import is_mapped

BLOCK = 1 << 13
"""Rows converted at a time."""
STRIP = {"cpu": 1 << 8, "cuda": BLOCK}
"""Rows multiplied at a time: so few stay in a processor's cache for the second of two products."""
RESIDENT = 0.4
"""Share of a GPU's free memory that the rows may take; beyond, they are sent block by block."""
SMALL = 1 << 24
"""Values up to which all arithmetic is float64."""


class Rows:
    """X, scaled to length 1, with a column for the bias, in blocks on one device: float32, float64 where it is small.

    A memory-mapped array of any float type stays on disk; each product reads it once from end to end.
    """

    def __init__(self, rows_RD: np.ndarray, intercept: float, device: str) -> None:
        """`intercept`: the value of the bias' column; 0: none."""
        self.source, self.device = rows_RD, torch.device(device)
        self.scale = _length(rows_RD)
        self.intercept = intercept / self.scale
        self.is_small = rows_RD.size <= SMALL
        self.dtype = torch.float64 if self.is_small else torch.float32
        self.count, self.dims = rows_RD.shape[0], rows_RD.shape[1] + 1
        self.blocks = None
        if self._fits():
            self.blocks = [block for _, block in self]

    def __iter__(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Which rows, and [B, D + 1]."""
        for number, start in enumerate(range(0, self.count, BLOCK)):
            part = slice(start, min(start + BLOCK, self.count))
            yield part, self.blocks[number] if self.blocks else self._block(part)

    def strips(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """The same in smaller parts."""
        step = STRIP[self.device.type]
        for whole, block in self:
            for start in range(0, len(block), step):
                strip = block[start : start + step]
                yield slice(whole.start + start, whole.start + start + len(strip)), strip

    # In products with few columns, these stand on the left, where BLAS is up to ten times as fast.

    def times(self, vectors_DP: torch.Tensor) -> torch.Tensor:
        """X v, [R, P]."""
        out, vectors_PD = vectors_DP.new_empty(self.count, vectors_DP.shape[1]), vectors_DP.T.contiguous()
        for part, strip in self.strips():
            out[part] = torch.mm(vectors_PD, strip.T).T
        return out

    def transposed_times(self, values_RP: torch.Tensor) -> torch.Tensor:
        """X' v, [D + 1, P]."""
        out_PD = values_RP.new_zeros(values_RP.shape[1], self.dims)
        for part, strip in self.strips():
            out_PD.addmm_(values_RP[part].T, strip)
        return out_PD.T.contiguous()

    def curvature(self, weights_RP: torch.Tensor, vectors_DP: torch.Tensor) -> torch.Tensor:
        """X' diag(weights) X v for each column, [D + 1, P]: one pass over the rows."""
        vectors_PD = vectors_DP.T.contiguous()
        out_PD = torch.zeros_like(vectors_PD)
        for part, strip in self.strips():
            out_PD.addmm_(torch.mm(vectors_PD, strip.T).mul_(weights_RP[part].T), strip)
        return out_PD.T.contiguous()

    def covariance(self) -> torch.Tensor:
        """X'X, [D + 1, D + 1]."""
        out = torch.zeros(self.dims, self.dims, dtype=self.dtype, device=self.device)
        for _, block in self:
            if self.device.type == "cpu":
                values = block.numpy()
                out += torch.from_numpy(values.T @ values)  # NumPy sees that half of it is enough
            else:
                out.addmm_(block.T, block)
        return out

    @cached_property
    def eigen(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Eigenvalues [D + 1], and vectors in columns, of X'X."""
        matrix = self.covariance()
        if self.device.type != "cpu":
            values, vectors = torch.linalg.eigh(matrix)
            return values, vectors
        from scipy.linalg import eigh

        parts = eigh(matrix.numpy(), overwrite_a=True, driver="evd")  # in half the time of PyTorch's
        return torch.from_numpy(parts[0]), torch.from_numpy(parts[1]).contiguous()

    def decide_exactly(self, weights_DP: np.ndarray) -> np.ndarray:
        """X v in float64, [R, P]."""
        vectors_PD = torch.from_numpy(np.ascontiguousarray(weights_DP.T)).to(self.device)
        out = np.empty((self.count, weights_DP.shape[1]))
        for part, strip in self.strips():
            out[part] = torch.mm(vectors_PD, strip.double().T).T.cpu().numpy()
        return out

    def combine_exactly(self, values_RP: np.ndarray) -> np.ndarray:
        """X' v in float64, [D + 1, P]."""
        out_PD = torch.zeros(values_RP.shape[1], self.dims, dtype=torch.float64, device=self.device)
        for part, strip in self.strips():
            out_PD.addmm_(torch.from_numpy(values_RP[part]).to(self.device).T, strip.double())
        return out_PD.T.cpu().numpy()

    def _fits(self) -> bool:
        if self.device.type == "cpu":
            return not is_mapped(self.source)
        size = self.count * self.dims * torch.finfo(self.dtype).bits // 8
        return size < RESIDENT * torch.cuda.mem_get_info(self.device)[0]

    def _block(self, part: slice) -> torch.Tensor:
        block = torch.empty(part.stop - part.start, self.dims, dtype=self.dtype, device=self.device)
        values = np.require(self.source[part], requirements=("C", "W"))  # PyTorch warns of what is read-only
        block[:, :-1] = torch.from_numpy(values).to(self.device)
        block[:, :-1] /= self.scale
        block[:, -1] = self.intercept
        return block


def _length(rows_RD: np.ndarray) -> float:
    """Root of the mean squared length, by blocks."""
    total = sum(
        float(np.einsum("rd,rd->", block, block))
        for block in (rows_RD[start : start + BLOCK].astype(np.float64) for start in range(0, len(rows_RD), BLOCK))
    )
    return float(np.sqrt(total / len(rows_RD))) or 1.0
