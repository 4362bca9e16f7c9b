"""Linear SVMs to a certified duality gap: many problems at once, by the method that suits their shape."""

import math
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from offshelf.memo import once
from offshelf.svm import native
from offshelf.svm.solver import dispatch, ovo, path_binary, path_dual, path_interior
from offshelf.svm.solver.fallback import regrouped, with_fallback
from offshelf.svm.solver.gram import Gram
from offshelf.svm.solver.mapped import is_mapped
from offshelf.svm.solver.partial_gram import PartialGram
from offshelf.svm.solver.problem import Bias, Loss, OneVsOneSigns, Problems, RegularizationPath, Solution
from offshelf.svm.solver.threads import one_blas_thread

if TYPE_CHECKING:
    from offshelf.svm.solver.rows import Rows

__all__ = ["Bias", "Loss", "OneVsOneSigns", "Problems", "Solution", "solve"]


def solve(
    rows_RD: np.ndarray, problems: Problems, Cs: Sequence[float], tol: float, device: str = "auto"
) -> RegularizationPath:
    """Solve all problems at each C, in ascending order, to a relative duality gap of `tol`.

    `dispatch.choose_method` chooses the method on a CPU; on a GPU, and without the compiled parts, all is solved in the
    primal. Tasks that a method does not bring to the tolerance are solved again by another one (`fallback`). Jobs that
    share (`offshelf.memo`) compute the Gram matrix, or the eigenvectors of the primal solver, once for the same rows;
    the method and its starting points, and so all digits, are those of a single call.

    Args:
        rows_RD: float32 or float64; float16 too if memory-mapped.
        problems: Labels and weights.
        Cs: Positive; in any order.
        tol: Largest relative duality gap.
        device: `auto`, `cpu` or `cuda`.

    Yields:
        Which tasks, and their solution at one C.

    Raises:
        ValueError: `device` is `cuda`, and there is no CUDA device.
    """
    with one_blas_thread() if len(rows_RD) <= dispatch.SINGLE_THREAD_ROWS else nullcontext():
        yield from _solve(rows_RD, problems, sorted(Cs), tol, device)


def _solve(rows_RD: np.ndarray, problems: Problems, Cs: Sequence[float], tol: float, device: str) -> RegularizationPath:
    on_gpu, dropped_K = _is_gpu(device, len(rows_RD)), np.zeros(problems.shape[1], bool)
    rows = cache(lambda: _rows(rows_RD, problems, "cuda" if on_gpu else "cpu"))

    def in_primal(problems: Problems, Cs: Sequence[float]) -> RegularizationPath:
        from offshelf.svm.solver import path_primal

        return path_primal.solve_path(rows(), problems, Cs, tol)

    def in_dual(problems: Problems, Cs: Sequence[float]) -> RegularizationPath:
        return path_dual.solve_path(_gram(rows_RD, problems), problems, Cs, tol)

    if on_gpu or not is_compiled():
        yield from in_primal(problems, Cs)
        return
    shape = _shape(rows_RD, problems, len(Cs))
    method = dispatch.choose_method(shape)
    partial = _partial_gram(rows_RD, problems) if method in ("dual_partial", "coordinate_descent") else None
    if method == "coordinate_descent" and partial and partial.has_free_bias:  # a penalty too small to matter
        method = dispatch.choose_method(replace(shape, bias="free"))
    if method == "ovo":
        path = ovo.solve_path(_gram(rows_RD, problems, np.float64), problems, Cs, tol)
    elif method == "binary":
        path = path_binary.solve_path(rows_RD, problems, Cs, tol)
    elif method == "interior":
        path = path_interior.solve_path(rows_RD, problems, Cs, tol)
    elif method == "primal":
        path = in_primal(problems, Cs)
    else:
        path = path_dual.solve_path(partial or _gram(rows_RD, problems), problems, Cs, tol, dropped_K)
    fallback = dispatch.choose_fallback(method, len(rows_RD))
    if fallback:
        solve_again = regrouped(in_primal if fallback == "primal" else in_dual, problems)
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


def _shape(rows_RD: np.ndarray, problems: Problems, values: int) -> dispatch.Shape:
    (rows, dims), (_, tasks, variants) = rows_RD.shape, problems.shape
    is_ovo, count = isinstance(problems.signs_RK, OneVsOneSigns), tasks * variants * values
    classes = (1 + math.isqrt(1 + 8 * tasks)) // 2
    per_pair = 2 * rows // classes if is_ovo else 0
    return dispatch.Shape(rows, dims, count, problems.loss, problems.bias, is_ovo, is_mapped(rows_RD), per_pair)


def _partial_gram(rows_RD: np.ndarray, problems: Problems) -> PartialGram:
    return PartialGram(rows_RD, problems.bias, problems.intercept_scaling)


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


def _is_gpu(device: str, rows: int) -> bool:
    if not dispatch.prefers_gpu(device, rows):
        return False
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but no CUDA device is available; use device='auto'.")
    return torch.cuda.is_available()
