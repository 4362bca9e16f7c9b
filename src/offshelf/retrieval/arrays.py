"""The few array functions with different names in NumPy and PyTorch, so that the search is written once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from typing_extensions import override

from offshelf.errors import ConfigError
from offshelf.process.blas import one_blas_thread
from offshelf.process.gpu import has_cuda

if TYPE_CHECKING:
    import torch

MIB = 1 << 20


class Arrays(Protocol):
    """An array library for the search. Its arrays are NumPy's or PyTorch's, float32 or float64."""

    block: int
    """Bytes of a block of references, and of products."""

    def put(self, values: np.ndarray, dtype: str = "float32") -> Any:
        """Convert values of any float type to an array."""

    def get(self, values: Any) -> np.ndarray:
        """Convert an array to NumPy."""

    def least(self, values: Any, axis: int) -> Any:
        """Return the minimum over an axis."""

    def most(self, values: Any, axis: int) -> Any:
        """Return the maximum over an axis."""

    def precisely(self) -> Any:
        """Return a context in which products have the precision of their factors."""

    def where(self, mask: Any) -> tuple[Any, Any]:
        """Return rows and columns of the True elements of a matrix, row by row."""

    def nth_least(self, values: Any, count: int) -> Any:
        """Return the `count`-th smallest value of each column: [columns]."""


class OnCpu(Arrays):
    """NumPy arrays. Blocks fit into a core's cache, so that the operations after a product are cheap."""

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
        """Return a context with one BLAS thread per product, since blocks are divided among the cores."""
        return one_blas_thread()

    @override
    def where(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.divmod(np.flatnonzero(mask), mask.shape[1])  # faster than np.nonzero
        return rows, columns

    @override
    def nth_least(self, values: np.ndarray, count: int) -> np.ndarray:
        return np.partition(values, count - 1, axis=0)[count - 1]


class InTorch(Arrays):
    """PyTorch arrays, on a GPU."""

    block = 256 * MIB

    def __init__(self, device: str) -> None:
        self.device = device

    @override
    def put(self, values: np.ndarray, dtype: str = "float32") -> "torch.Tensor":
        """Convert values to an array; float16 is transferred unchanged."""
        import torch

        copy = np.require(values, requirements=["C", "W"])  # PyTorch does not take read-only memory
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
        """Disable TF32 and bfloat16 within the context, whatever the process has set."""
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


def arrays_on(device: str, setting: str = "retrieval.device") -> Arrays:
    """Return NumPy for `cpu`, PyTorch for `cuda`, and for `auto` the GPU if there is one. Raises ConfigError.

    The error names the `setting`.

    On two cores NumPy took a quarter of PyTorch's time (`benchmark/retrieval.py arrays`), without seconds of import.
    """
    if device == "cpu" or not has_cuda():
        if device == "cuda":
            raise ConfigError(f"{setting}=cuda, but no CUDA device is available; use {setting}=auto.")
        return OnCpu()
    return InTorch("cuda")
