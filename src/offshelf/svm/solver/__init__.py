"""Linear SVMs to a certified duality gap: many problems at once, by the method that suits their shape."""

import math
import os
import sys
import warnings
from collections.abc import Generator, Sequence
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from offshelf.memo import once
from offshelf.process.blas import one_blas_thread
from offshelf.svm import native
from offshelf.svm.monitor import Monitor, current, monitored
from offshelf.svm.solver import dispatch, ovo, path_binary, path_dual
from offshelf.svm.solver.background import in_background
from offshelf.svm.solver.fallback import regrouped, with_fallback
from offshelf.svm.solver.gram import Gram
from offshelf.svm.solver.mapped import is_mapped
from offshelf.svm.solver.problem import Bias, Loss, OneVsOneSigns, Problems, RegularizationPath, Solution

if TYPE_CHECKING:
    from offshelf.svm.solver.rows import Rows

__all__ = ["Bias", "Loss", "OneVsOneSigns", "Problems", "Solution", "shape_of", "solve"]

GPU_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Linux shows a GPU of NVIDIA, or of Windows' subsystem, or of AMD as one of these."""


def solve(  # noqa: PLR0913 - what a fit is, and who watches it
    rows_RD: np.ndarray,
    problems: Problems,
    Cs: Sequence[float],
    tol: float,
    device: str = "auto",
    monitor: Monitor | None = None,
) -> RegularizationPath:
    """Solve all problems at each C, in ascending order, to a relative duality gap of `tol`.

    `dispatch.choose_method` chooses the method on a CPU; on a GPU, and without the compiled parts, all is solved in the
    primal. Tasks that a method does not bring to the tolerance are solved again by another one (`fallback`). Jobs that
    share (`offshelf.memo`) compute the Gram matrix, or the eigenvectors of the primal solver, once for the same rows;
    the method and its starting points, and so all digits, are those of a single call. The work is done in a thread of
    its own, while this one can be interrupted (`background`).

    Args:
        rows_RD: float32 or float64; float16 too if memory-mapped.
        problems: Labels and weights.
        Cs: Positive; in any order.
        tol: Largest relative duality gap.
        device: `auto`, `cpu` or `cuda`.
        monitor: Receives the method and the problems solved.

    Yields:
        Which tasks, and their solution at one C.

    Raises:
        ValueError: `device` is `cuda`, and there is no CUDA device.
    """
    monitor = monitor or Monitor()
    monitor.expect(problems.shape[1] * problems.shape[2] * len(Cs))

    def work() -> Generator[tuple[slice, Solution], None, None]:
        one_thread = one_blas_thread() if len(rows_RD) <= dispatch.SINGLE_THREAD_ROWS else nullcontext()
        with monitored(monitor), one_thread:
            for chosen, solution in _solve(rows_RD, problems, sorted(Cs), tol, device):
                monitor.settle(solution.gap_KV.size)
                yield chosen, solution

    yield from in_background(work, monitor)


def _solve(rows_RD: np.ndarray, problems: Problems, Cs: Sequence[float], tol: float, device: str) -> RegularizationPath:
    monitor = current() or Monitor()
    on_gpu, dropped_K = _is_gpu(device, len(rows_RD)), np.zeros(problems.shape[1], bool)
    rows = cache(lambda: _rows(rows_RD, problems, "cuda" if on_gpu else "cpu"))

    def in_primal(problems: Problems, Cs: Sequence[float]) -> RegularizationPath:
        from offshelf.svm.solver import path_primal

        return path_primal.solve_path(rows(), problems, Cs, tol)

    def in_dual(problems: Problems, Cs: Sequence[float]) -> RegularizationPath:
        return path_dual.solve_path(_gram(rows_RD, problems), problems, Cs, tol)

    def in_binary(problems: Problems, Cs: Sequence[float]) -> RegularizationPath:
        return path_binary.solve_path(rows_RD, problems, Cs, tol)

    if on_gpu or not is_compiled():
        monitor.method = "primal"
        yield from in_primal(problems, Cs)
        return
    shape = shape_of(rows_RD, problems, len(Cs))
    method = monitor.method = dispatch.choose_method(shape)
    if method == "ovo":
        path = ovo.solve_path(_gram(rows_RD, problems, np.float64), problems, Cs, tol)
    elif method == "binary":
        path = in_binary(problems, Cs)
    elif method == "primal":
        path = in_primal(problems, Cs)
    else:
        path = path_dual.solve_path(_gram(rows_RD, problems), problems, Cs, tol, dropped_K)
    fallback = dispatch.choose_fallback(method, shape)
    if fallback:
        again = {"primal": in_primal, "dual": in_dual, "binary": in_binary}
        solve_again = regrouped(again[fallback], problems)
        monitor.fallback = fallback
        path = with_fallback(path, solve_again, Cs, tol, dropped_K)
    yield from path


def is_compiled() -> bool:
    """Return whether the compiled parts of the solver can be used; warn if they cannot."""
    reason = native.why_unavailable()
    if reason:
        warnings.warn(
            f"offshelf's compiled solver is not used: {reason}. SVMs are solved in PyTorch, to the same tolerance but "
            "more slowly. Install a C compiler and reinstall offshelf, or install a wheel that was built with one.",
            RuntimeWarning,
            stacklevel=2,
        )
    return reason is None


def shape_of(rows_RD: np.ndarray, problems: Problems, values: int) -> dispatch.Shape:
    """Return what the choice of a method depends on, for a number of values of C."""
    (rows, dims), (_, tasks, variants) = rows_RD.shape, problems.shape
    is_ovo, count = isinstance(problems.signs_RK, OneVsOneSigns), tasks * variants * values
    classes = (1 + math.isqrt(1 + 8 * tasks)) // 2
    per_pair = 2 * rows // classes if is_ovo else 0
    settings = problems.loss, problems.bias, is_ovo, is_mapped(rows_RD)
    return dispatch.Shape(rows, dims, count, *settings, per_pair, variants * values)


def _rows(rows_RD: np.ndarray, problems: Problems, device: str) -> "Rows":
    from offshelf.svm.solver.rows import Rows

    intercept = {"none": 0.0, "free": 1.0, "penalised": problems.intercept_scaling}[problems.bias]
    return Rows(rows_RD, intercept, device)


def _gram(rows_RD: np.ndarray, problems: Problems, dtype: type[np.floating] = np.float32) -> Gram:
    settings, signs = (problems.bias, problems.intercept_scaling, dtype), problems.signs_RK
    order_R = signs.order_R if isinstance(signs, OneVsOneSigns) else None
    return once(
        lambda: Gram(rows_RD if order_R is None else rows_RD[order_R], *settings), "gram", rows_RD, order_R, *settings
    )


def _may_have_gpu() -> bool:
    """Return False where there is surely no GPU, without PyTorch, whose import takes longer than most fits."""
    return sys.platform != "linux" or any(map(os.path.exists, GPU_FILES))


def _is_gpu(device: str, rows: int) -> bool:
    if not dispatch.prefers_gpu(device, rows) or (device == "auto" and not _may_have_gpu()):
        return False
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but no CUDA device is available; use device='auto'.")
    return torch.cuda.is_available()
