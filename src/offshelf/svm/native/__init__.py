"""The compiled parts of the solver: plain C, built when offshelf is installed, if there is a compiler.

Without them `solve` uses the primal solver, in PyTorch, for every problem: the same certificates, but slower. Each
function takes NumPy arrays of the type that its declaration names, in C's order, and runs without the interpreter lock.
`smo.h`, `newton.c`, `ovo.c`, `descent.h` and `interior.h` describe the algorithms.
"""

import ctypes
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.svm.monitor import check_stop, current
from offshelf.svm.native.batches import BinaryBatch as BinaryBatch
from offshelf.svm.native.batches import Field, layout_difference
from offshelf.svm.native.batches import OvoBatch as OvoBatch

VERSIONS = ("any", "avx2", "avx512")
"""Instruction sets that libraries are built for, each a superset of the one before; as in `setup.py`."""
PRIMAL_SCALES = (1.0, 1 + 1e-6, 1 + 1e-5, 1 + 3e-5, 1 + 1e-4, 1 + 3e-4, 1 + 1e-3)
"""Factors of w among which the best primal point is chosen: a hard margin that is short of 1 by a rounding error costs
C times that error. `ovo.c` has the same numbers, which are compared when the library is loaded."""


def _given(dtype: Any) -> Any:
    return np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS")


def _changed(dtype: Any) -> Any:
    return np.ctypeslib.ndpointer(dtype, flags=("C_CONTIGUOUS", "WRITEABLE"))


_INT, _DOUBLE = ctypes.c_int64, ctypes.c_double
_INTS, _SINGLES, _DOUBLES = _given(np.int64), _given(np.float32), _given(np.float64)
_OUT_SINGLES, _OUT_DOUBLES = _changed(np.float32), _changed(np.float64)
_BOUNDS = (_SINGLES, _DOUBLES, _SINGLES)


_DECLARED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "watch": (None, (ctypes.c_void_p,)),
    "gather_submatrix": (None, (_INT, _SINGLES, _INT, _INTS, _OUT_SINGLES)),
    "multiply_sparse": (None, (_INT, _SINGLES, _SINGLES, _OUT_SINGLES)),
    "smo_solve": (_INT, (_INT, _SINGLES, _DOUBLE, *_BOUNDS, _OUT_DOUBLES, _OUT_SINGLES, _DOUBLE, _INT)),
    "duality_gap": (_DOUBLE, (_INT, *_BOUNDS, _DOUBLES, _SINGLES)),
    "newton_solve": (_INT, (_INT, _SINGLES, _DOUBLE, _SINGLES, _INT, _INTS, _OUT_SINGLES)),
    "describe_rows": (
        None,
        (*(_INT, _INT, ctypes.c_void_p, _INT, _INT, _given(np.int32)), *(_OUT_DOUBLES,) * 5),
    ),
    "binary_solve": (_INT, (ctypes.POINTER(BinaryBatch), _INT, _INT)),
    "binary_batch_layout": (_INT, (_INT, ctypes.POINTER(Field))),
    "ovo_solve": (_INT, (ctypes.POINTER(OvoBatch), _INT, _INT)),
    "ovo_batch_layout": (_INT, (_INT, ctypes.POINTER(Field))),
    "ovo_primal_scales": (_INT, (_INT, _OUT_DOUBLES)),
}


def is_available() -> bool:
    """Return whether the compiled parts can be used."""
    return why_unavailable() is None


@cache
def why_unavailable() -> str | None:
    """Return why the compiled parts cannot be used, as a clause; None if they can."""
    if not _path(VERSIONS[0]):
        return "it was not built"
    try:
        return difference(_library())
    except (OSError, AttributeError, ValueError) as error:
        return f"it cannot be loaded ({error})"


def difference(library: ctypes.CDLL) -> str | None:
    """Return how a library, with its functions declared, differs from this module; None if it does not."""
    found = (
        layout_difference(OvoBatch, library.ovo_batch_layout),
        layout_difference(BinaryBatch, library.binary_batch_layout),
    )
    if any(found):
        return next(filter(None, found))
    scales = np.zeros(len(PRIMAL_SCALES))
    if library.ovo_primal_scales(len(scales), scales) != len(scales) or (scales != PRIMAL_SCALES).any():
        return f"its PRIMAL_SCALES differ from {PRIMAL_SCALES}"
    return None


def versions() -> list[str]:
    """Return the versions that were built and that this processor can run, the best last."""
    library = ctypes.CDLL(str(_path(VERSIONS[0])))
    library.best_version_name.restype = ctypes.c_char_p
    best = VERSIONS.index(library.best_version_name().decode())
    return [version for version in VERSIONS[: best + 1] if _path(version)]


@cache
def _path(version: str) -> Path | None:
    paths = (Path(__file__).with_name(f"library_{version}{suffix}") for suffix in EXTENSION_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


@cache
def _library() -> ctypes.CDLL:
    return declared(ctypes.CDLL(str(_path(versions()[-1]))))


def _watched() -> ctypes.CDLL:
    """Return the library for a call that may take long: it reports to this thread's monitor, and ends if that says so.

    Raises:
        StoppedError: the fit is to stop.
    """
    check_stop()
    library, monitor = _library(), current()
    library.watch(monitor.control_2.ctypes.data if monitor else None)
    return library


def declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """Declare the types of a library's functions, and return it.

    Raises:
        AttributeError: the library lacks a function.
    """
    for name, (result, arguments) in _DECLARED.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def gather_submatrix(matrix_RR: np.ndarray, rows_M: np.ndarray) -> np.ndarray:
    """Return some rows and the same columns of a matrix, contiguous: float32 [M, M]."""
    out = np.empty((len(rows_M), len(rows_M)), np.float32)
    _library().gather_submatrix(matrix_RR.shape[1], matrix_RR, len(rows_M), rows_M, out)
    return out


def multiply_sparse(K_MM: np.ndarray, x_M: np.ndarray) -> np.ndarray:
    """Return K x, float32 [M], for a symmetric float32 K, in time proportional to the non-zero entries of x."""
    out = np.empty_like(x_M)
    _library().multiply_sparse(len(x_M), K_MM, x_M, out)
    return out


def smo_solve(
    K_MM: np.ndarray,
    kappa: float,
    bounds: tuple[np.ndarray, ...],
    state: tuple[np.ndarray, np.ndarray],
    stop: tuple[float, int],
) -> int:
    """Improve β [M] and its gradient [M], in place, by SMO; `smo.h` describes the problem.

    Args:
        K_MM: float32.
        kappa: Added to all of K.
        bounds: e float32, the upper bounds of yβ float64, and the signs y float32: [M] each.
        state: β float64, and (K + κ11' + diag e)β − y float32: [M] each.
        stop: The duality gap at which to stop, and the most steps.

    Returns:
        The number of steps.

    Raises:
        MemoryError: three floats per row cannot be allocated.
    """
    steps: int = _watched().smo_solve(len(K_MM), K_MM, kappa, *bounds, *state, *stop)
    if steps < 0:
        raise MemoryError
    return steps


def newton_solve(K_MM: np.ndarray, kappa: float, e_M: np.ndarray, rows_F: np.ndarray, b_F: np.ndarray) -> bool:
    """Solve (K + κ11' + diag e) x = b, in place of b, on some rows and columns, by a Cholesky factorisation.

    Args:
        K_MM: float32.
        kappa: Added to all of K.
        e_M: Added to the diagonal, float32.
        rows_F: int64.
        b_F: float32.

    Returns:
        Whether the matrix is positive definite; if not, b is unchanged.

    Raises:
        MemoryError: half the matrix cannot be allocated.
    """
    solved: int = _watched().newton_solve(len(K_MM), K_MM, kappa, e_M, len(rows_F), rows_F, b_F)
    if solved < 0:
        raise MemoryError
    return bool(solved)


def duality_gap(bounds: tuple[np.ndarray, ...], state: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the primal minus the dual objective; the arguments are those of `smo_solve`."""
    gap: float = _library().duality_gap(len(bounds[0]), *bounds, *state)
    return gap


def describe_rows(
    rows_RD: np.ndarray, groups_R: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what the solver asks of all rows.

    Args:
        rows_RD: float32 or float64 in C's order.
        groups_R: int32, the group of each row.
        count: Number of groups, at most as many as rows.

    Returns:
        Squared lengths [R], the mean [D], the means of groups [G, D], products with the mean [R], and distances from
        the mean of the own group [R]: float64.
    """
    rows, dims = _plain(rows_RD).shape
    squares, along, radii = np.empty((3, rows))
    mean, means = np.empty(dims), np.empty((count, dims))
    given = rows, dims, rows_RD.ctypes.data, rows_RD.dtype == np.float64, count, groups_R
    _watched().describe_rows(*given, squares, mean, means, along, radii)
    return squares, mean, means, along, radii


def _plain(rows_RD: np.ndarray) -> np.ndarray:
    if rows_RD.dtype not in (np.float32, np.float64) or not rows_RD.flags.c_contiguous:
        raise TypeError(f"rows are float32 or float64 in C's order; got {rows_RD.dtype}, strides {rows_RD.strides}.")
    return rows_RD


def binary_solve(batch: BinaryBatch, start: int, stop: int) -> None:
    """Solve the tasks [start, stop) of a batch, in all variants, at all values of C.

    Raises:
        MemoryError: some arrays of the length of a task cannot be allocated.
    """
    _plain(batch.arrays["source"])
    if not _watched().binary_solve(ctypes.byref(batch), start, stop):
        raise MemoryError


def ovo_solve(batch: OvoBatch, start: int, stop: int) -> None:
    """Solve the pairs of classes [start, stop) of a batch.

    Raises:
        MemoryError: the products of the rows of a pair cannot be allocated.
    """
    if not _watched().ovo_solve(ctypes.byref(batch), start, stop):
        raise MemoryError
