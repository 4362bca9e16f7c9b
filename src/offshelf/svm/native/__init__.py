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


class OvoBatch(ctypes.Structure):
    """The arguments of `ovo_solve`; `ovo.c` describes them. The layouts are compared when the library is loaded."""

    _fields_ = (
        *((name, _INT) for name in ("rows", "pairs", "variants", "values")),
        *((name, ctypes.c_void_p) for name in ("products", "shift")),
        ("kappa", _DOUBLE),
        ("bias_share", _DOUBLE),
        ("has_free_bias", _INT),
        ("is_squared", _INT),
        *((name, ctypes.c_void_p) for name in ("class_starts", "first", "second", "starts", "weights", "Cs")),
        ("tol", _DOUBLE),
        ("target_gap", _DOUBLE),
        *((name, ctypes.c_void_p) for name in ("betas", "offsets", "gaps")),
    )

    def __init__(self, **values: Any) -> None:
        self.arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        """Kept alive as long as their addresses are in use."""
        for name, array in self.arrays.items():
            dtype = np.int64 if name in ("class_starts", "first", "second", "starts") else np.float64
            if array.dtype != dtype or not array.flags.c_contiguous:
                raise TypeError(f"{name} is {dtype.__name__} in C's order; got {array.dtype}, strides {array.strides}.")
        addresses = {name: array.ctypes.data for name, array in self.arrays.items()}
        super().__init__(**{**values, **addresses})


class _Field(ctypes.Structure):
    """A field of a C structure: `Field` in `ovo.c`."""

    _fields_ = (("name", ctypes.c_char_p), ("offset", _INT), ("kind", ctypes.c_char))


_KINDS = {_INT: b"i", _DOUBLE: b"d", ctypes.c_void_p: b"p"}
_DECLARED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "watch": (None, (ctypes.c_void_p,)),
    "gather_submatrix": (None, (_INT, _SINGLES, _INT, _INTS, _OUT_SINGLES)),
    "multiply_sparse": (None, (_INT, _SINGLES, _SINGLES, _OUT_SINGLES)),
    "smo_solve": (_INT, (_INT, _SINGLES, _DOUBLE, *_BOUNDS, _OUT_DOUBLES, _OUT_SINGLES, _DOUBLE, _INT)),
    "duality_gap": (_DOUBLE, (_INT, *_BOUNDS, _DOUBLES, _SINGLES)),
    "newton_solve": (_INT, (_INT, _SINGLES, _DOUBLE, _SINGLES, _INT, _INTS, _OUT_SINGLES)),
    "binary_solve_path": (
        _INT,
        (
            *(_INT, ctypes.c_void_p, _INT, _DOUBLE, _DOUBLE, _DOUBLES, _DOUBLES, _DOUBLE, _DOUBLE, _INT, _INT),
            *(_INT, _INTS, _DOUBLES, _INT, _DOUBLES, _INT, _DOUBLES, _DOUBLE, _OUT_DOUBLES, _OUT_DOUBLES),
        ),
    ),
    "ovo_solve": (_INT, (ctypes.POINTER(OvoBatch), _INT, _INT)),
    "ovo_batch_layout": (_INT, (_INT, ctypes.POINTER(_Field))),
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
    field = _Field()
    size = library.ovo_batch_layout(0, ctypes.byref(field))
    if size != ctypes.sizeof(OvoBatch):
        return f"its OvoBatch has {size} bytes, not {ctypes.sizeof(OvoBatch)}"
    for number, (name, kind, *_) in enumerate(OvoBatch._fields_):
        library.ovo_batch_layout(number, ctypes.byref(field))
        expected = (name.encode(), getattr(OvoBatch, name).offset, _KINDS[kind])
        if (field.name, field.offset, field.kind) != expected:
            return f"field {number} of its OvoBatch is {field.name!r} at {field.offset}, not {name!r} at {expected[1]}"
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


def binary_solve_path(
    rows_RD: np.ndarray,
    kernel: tuple[float, float, np.ndarray, np.ndarray, float, float],
    kind: tuple[bool, bool],
    problem: tuple[np.ndarray, np.ndarray, np.ndarray],
    path: tuple[np.ndarray, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Solve one binary problem in all its variants at all values of C; `binary.h` describes the arguments.

    Args:
        rows_RD: float32 or float64 in C's order.
        kernel: 1 / σ, the bias column, the diagonal [R], x·mean [R], |mean|² and κ.
        kind: Whether the bias is free, and whether the hinge is squared.
        problem: Row numbers [N], signs [N], and factors of C [V, N], of which those of the whole are the last.
        path: Values of C, ascending, and the largest relative gap.

    Returns:
        w of the scaled rows [C, V, D + 1], and gaps [C, V].

    Raises:
        MemoryError: some arrays of length N cannot be allocated.
    """
    dims, (rows_N, sign_N, share_VN), (Cs, tol) = rows_RD.shape[1], problem, path
    if rows_RD.dtype not in (np.float32, np.float64) or not rows_RD.flags.c_contiguous:
        raise TypeError(f"rows are float32 or float64 in C's order; got {rows_RD.dtype}, strides {rows_RD.strides}.")
    w_CVD, gap_CV = np.zeros((len(Cs), len(share_VN), dims + 1)), np.zeros((len(Cs), len(share_VN)))
    given = dims, rows_RD.ctypes.data, rows_RD.dtype == np.float64, *kernel, *kind
    counts = len(rows_N), rows_N, sign_N, len(share_VN), share_VN, len(Cs), Cs, tol
    if not _watched().binary_solve_path(*given, *counts, w_CVD, gap_CV):
        raise MemoryError
    return w_CVD, gap_CV


def ovo_solve(batch: OvoBatch, start: int, stop: int) -> None:
    """Solve the pairs of classes [start, stop) of a batch.

    Raises:
        MemoryError: the products of the rows of a pair cannot be allocated.
    """
    if not _watched().ovo_solve(ctypes.byref(batch), start, stop):
        raise MemoryError
