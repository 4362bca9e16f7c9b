"""Linear SVMs to a certified optimum: many problems at once, by the method that suits their shape."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from offshelf.memo import once
from offshelf.svm import native
from offshelf.svm.solver import dual, pairwise
from offshelf.svm.solver.gram import Gram
from offshelf.svm.solver.handover import Walk, again, finished
from offshelf.svm.solver.mapped import is_mapped
from offshelf.svm.solver.partial_gram import PartialGram
from offshelf.svm.solver.problem import COMPACT, Bias, Loss, PairSigns, Problems, Solution
from offshelf.svm.solver.threads import one_blas_thread

if TYPE_CHECKING:
    from offshelf.svm.solver.rows import Rows

GRAM_ROWS = 20_000
"""Most training rows for which the Gram matrix is held: 1.6 GB in float32, for pairs of classes 3.2 GB in float64."""
FLAT = {True: 2, False: 16}
"""With more rows a dimension, a Gram matrix is wasteful; sooner where it is about rounding error."""
SMOOTH_ROWS, SMOOTH_FLAT = 10_000, 4
"""And sooner for many rows with the squared hinge, under which far more of them matter."""
SWEPT_VALUES, SWEPT_FLAT = 1 << 24, 40
"""With fewer values, or more rows a dimension, the primal solver is the better one: in few dimensions the dual problem
of large C is so ill-conditioned that sweeps, and greedy pairs after them, hardly move."""
SERIAL = 2000
"""Up to so many rows the products are so small that BLAS loses more by waking its threads than it wins."""
LONE, MANY = 4, 1500
"""So few problems on so many rows do not pay for a Gram matrix of all rows: that of the rows that matter is enough."""

__all__ = ["Bias", "Loss", "PairSigns", "Problems", "Solution", "solve"]


def solve(
    rows_RD: np.ndarray, problems: Problems, Cs: Sequence[float], tol: float, device: str = "auto"
) -> Iterator[tuple[slice, Solution]]:
    """Solve all problems at each C, upwards, to a relative duality gap of `tol`.

    In the Gram matrix on a CPU (`dual`; `pairwise` for signs of pairs of classes), where it fits and there are not many
    more rows than dimensions; for more rows by sweeps over them, and in the Gram matrices of those that are left
    undecided; in the primal for a free bias, far more rows than dimensions or rows that are not in memory, and on a
    GPU. What the others do not bring to the tolerance is solved in the primal again, and what the primal does not, of
    up to 2,000 rows, in the dual (`handover`). Jobs that share (`offshelf.memo`) make the Gram matrix, or the
    primal's eigenvectors, once for the same rows; the method, its start and so all digits are those of a call alone.

    Yields:
        Which tasks, and their solution at one C.
    """
    with one_blas_thread() if len(rows_RD) <= SERIAL else nullcontext():
        yield from _solve(rows_RD, problems, Cs, tol, device)


def _solve(
    rows_RD: np.ndarray, problems: Problems, Cs: Sequence[float], tol: float, device: str
) -> Iterator[tuple[slice, Solution]]:
    on_gpu, left_K = _is_gpu(device, len(rows_RD)), np.zeros(problems.shape[1], bool)
    is_fast = not on_gpu and is_compiled()
    rows = cache(lambda: _rows(rows_RD, problems, "cuda" if on_gpu else "cpu"))

    def in_primal(problems: Problems, Cs: Sequence[float]) -> Walk:
        from offshelf.svm.solver import primal

        return primal.walk(rows(), problems, Cs, tol)

    def in_dual(problems: Problems, Cs: Sequence[float]) -> Walk:
        return dual.walk(_gram(rows_RD, problems), problems, Cs, tol)

    walk = _fast_walk(rows_RD, problems, Cs, tol, left_K) if is_fast else None
    if walk:
        yield from finished(walk, again(in_primal, problems), Cs, tol, left_K)
    elif is_fast and len(rows_RD) <= SERIAL:
        yield from finished(in_primal(problems, Cs), again(in_dual, problems), Cs, tol, left_K)
    else:
        yield from in_primal(problems, Cs)


def _fast_walk(
    rows_RD: np.ndarray, problems: Problems, Cs: Sequence[float], tol: float, left_K: np.ndarray
) -> Iterator[tuple[slice, Solution]] | None:
    """By the method on a CPU that suits the shape; None where that is the primal one."""
    rows, dims = rows_RD.shape
    if isinstance(problems.signs_RK, PairSigns) and rows <= GRAM_ROWS:
        return pairwise.walk(_gram(rows_RD, problems, np.float64), problems, Cs, tol)
    if rows <= GRAM_ROWS and rows <= _flat(rows, problems.loss) * dims:
        is_partial = problems.bias != "free" and rows >= MANY and np.prod(problems.shape[1:]) * len(Cs) <= LONE
        gram = (_partial if is_partial else _gram)(rows_RD, problems)
        return dual.walk(gram, problems, Cs, tol, left_K)
    if _can_sweep(rows_RD, problems) and not (swept := _partial(rows_RD, problems)).is_free:
        return dual.walk(swept, problems, Cs, tol, left_K)
    return None


def is_compiled() -> bool:
    """Whether the compiled parts of the solver are there; says so where they are not."""
    if not native.is_built():
        warnings.warn(
            "offshelf's compiled solver is missing: SVMs are solved in PyTorch, to the same tolerance but more slowly. "
            "Install a C compiler and then offshelf anew, or a wheel that was built with one.",
            RuntimeWarning,
            stacklevel=2,
        )
    return native.is_built()


def _can_sweep(rows_RD: np.ndarray, problems: Problems) -> bool:
    rows, dims = rows_RD.shape
    is_large = rows * dims > SWEPT_VALUES and rows <= SWEPT_FLAT * dims
    return is_large and problems.bias != "free" and not is_mapped(rows_RD)


def _partial(rows_RD: np.ndarray, problems: Problems) -> PartialGram:
    return PartialGram(rows_RD, problems.bias, problems.intercept_scaling)


def _rows(rows_RD: np.ndarray, problems: Problems, device: str) -> "Rows":
    from offshelf.svm.solver.rows import Rows

    intercept = {"none": 0.0, "free": 1.0, "penalised": problems.intercept_scaling}[problems.bias]
    return Rows(rows_RD, intercept, device)


def _gram(rows_RD: np.ndarray, problems: Problems, dtype: type[np.floating] = np.float32) -> Gram:
    settings, signs = (problems.bias, problems.intercept_scaling, dtype), problems.signs_RK
    order_R = signs.order_R if isinstance(signs, PairSigns) else None
    return once(
        lambda: Gram(rows_RD if order_R is None else rows_RD[order_R], *settings), "gram", rows_RD, order_R, *settings
    )


def _flat(rows: int, loss: Loss) -> int:
    if loss == "squared_hinge" and rows > SMOOTH_ROWS:
        return SMOOTH_FLAT
    return FLAT[rows <= COMPACT]


def _is_gpu(device: str, rows: int) -> bool:
    """A GPU is worth its start for many rows only, unless it is asked for."""
    if device == "cpu" or (device == "auto" and rows <= GRAM_ROWS):
        return False
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but no CUDA device is to be had; use device='auto'.")
    return torch.cuda.is_available()
