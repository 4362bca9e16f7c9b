"""The few array functions that NumPy and PyTorch call by other names: the search is written once, over these."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits
from typing_extensions import override

from offshelf.errors import ConfigError

if TYPE_CHECKING:
    import torch

MIB = 1 << 20


class Arrays(Protocol):
    """Where the search computes. Its arrays are NumPy's or PyTorch's, float32 or float64."""

    block: int
    """Bytes of a block of references, and of products."""

    def put(self, values: np.ndarray, dtype: str = "float32") -> Any:
        """Values of any float type."""

    def get(self, values: Any) -> np.ndarray:
        """Values as NumPy's."""

    def least(self, values: Any, axis: int) -> Any:
        """Minimum over an axis."""

    def most(self, values: Any, axis: int) -> Any:
        """Maximum over an axis."""

    def precisely(self) -> Any:
        """A context in which products are made in the type of their factors, in no shorter one."""

    def where(self, mask: Any) -> tuple[Any, Any]:
        """Rows and columns of the True elements of a matrix, row by row."""

    def nth_least(self, values: Any, count: int) -> Any:
        """The `count` smallest of each column, the largest of them: [columns]."""


class OnCpu(Arrays):
    """NumPy. Blocks stay in the caches of a core, so that what follows a product costs little beside it."""

    block = 4 * MIB

    @override
    def put(self, values: np.ndarray, dtype: str = "float32") -> np.ndarray:
        return np.ascontiguousarray(values, dtype)

    @override
    def get(self, values: np.ndarray) -> np.ndarray:
        return values

    @override
    def least(self, values: np.ndarray, axis: int) -> np.ndarray:
        return values.min(axis=axis)

    @override
    def most(self, values: np.ndarray, axis: int) -> np.ndarray:
        return values.max(axis=axis)

    @override
    def precisely(self) -> Any:
        """See Arrays: BLAS does. Each product by one thread, since blocks are shared by the cores."""
        return threadpool_limits(1, "blas")

    @override
    def where(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.divmod(np.flatnonzero(mask), mask.shape[1])  # faster than np.nonzero
        return rows, columns

    @override
    def nth_least(self, values: np.ndarray, count: int) -> np.ndarray:
        return np.partition(values, count - 1, axis=0)[count - 1]


class InTorch(Arrays):
    """PyTorch, on a GPU."""

    block = 256 * MIB

    def __init__(self, device: str) -> None:
        self.device = device

    @override
    def put(self, values: np.ndarray, dtype: str = "float32") -> "torch.Tensor":
        """See Arrays; float16 travels as it is."""
        import torch

        copy = np.require(values, requirements=["C", "W"])  # PyTorch takes no read-only memory
        return torch.from_numpy(copy).to(self.device).to(getattr(torch, dtype))

    @override
    def get(self, values: "torch.Tensor") -> np.ndarray:
        return values.cpu().numpy()

    @override
    def least(self, values: "torch.Tensor", axis: int) -> "torch.Tensor":
        return values.amin(axis)

    @override
    def most(self, values: "torch.Tensor", axis: int) -> "torch.Tensor":
        return values.amax(axis)

    @contextmanager
    @override
    def precisely(self) -> Iterator[None]:
        """See Arrays: whatever the process has set, no TF32 and no bfloat16."""
        import torch

        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)

    @override
    def where(self, mask: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        rows, columns = mask.nonzero(as_tuple=True)
        return rows, columns

    @override
    def nth_least(self, values: "torch.Tensor", count: int) -> "torch.Tensor":
        return values.kthvalue(count, dim=0).values


def arrays_on(device: str) -> Arrays:
    """NumPy for `cpu`, PyTorch for `cuda`, for `auto` the GPU where there is one. Raises ConfigError.

    On two cores NumPy took a quarter of PyTorch's time (`benchmark/retrieval.py arrays`), and no seconds of import.
    """
    from offshelf.extractor.plan import has_cuda

    if device == "cpu" or not has_cuda():
        if device == "cuda":
            raise ConfigError("retrieval.device=cuda, but no CUDA device is to be had; use retrieval.device=auto.")
        return OnCpu()
    return InTorch("cuda")
