"""The compiled parts of the solver: plain C, built as offshelf is installed, if there is a compiler then.

Where they are missing, `solve` goes to the primal solver, in PyTorch, with every problem: the same certificates, later.
Each function takes NumPy arrays of the type that its declaration names, in C's order, and works outside the interpreter
lock; `pairs.h`, `newton.c`, `pairwise.c` and `sweeps.c` tell what it computes.
"""

import ctypes
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np

VERSIONS = ("any", "avx2", "avx512")
"""Kinds of processor, as `version.c` counts them."""


def _given(dtype: Any) -> Any:
    return np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS")


def _changed(dtype: Any) -> Any:
    return np.ctypeslib.ndpointer(dtype, flags=("C_CONTIGUOUS", "WRITEABLE"))


_INT, _DOUBLE = ctypes.c_int64, ctypes.c_double
_INTS, _SINGLES, _DOUBLES = _given(np.int64), _given(np.float32), _given(np.float64)
_OUT_SINGLES, _OUT_DOUBLES = _changed(np.float32), _changed(np.float64)
_FLAGS = _changed(np.bool_)
_BOX = (_SINGLES, _DOUBLES, _SINGLES)
_KERNEL, _BOUNDS = (_SINGLES, _DOUBLES, _DOUBLE, _DOUBLES), (_DOUBLES, _DOUBLES, _DOUBLES)
_STATE = (_OUT_DOUBLES, _OUT_SINGLES, _OUT_DOUBLES)


class Walk(ctypes.Structure):
    """The arguments of `walk_pairs`; see `pairwise.c`, which has the same fields in the same order."""

    _fields_ = (
        *((name, _INT) for name in ("rows", "pairs", "variants", "values")),
        *((name, ctypes.c_void_p) for name in ("products", "shift")),
        ("kappa", _DOUBLE),
        ("share", _DOUBLE),
        ("is_free", _INT),
        ("is_squared", _INT),
        *((name, ctypes.c_void_p) for name in ("begins", "first", "second", "places", "weights", "Cs")),
        ("tol", _DOUBLE),
        ("aim", _DOUBLE),
        *((name, ctypes.c_void_p) for name in ("betas", "offsets", "gaps")),
    )

    def __init__(self, **values: Any) -> None:
        self.arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        """Alive as long as their addresses are of use."""
        for name, array in self.arrays.items():
            dtype = np.int64 if name in ("begins", "first", "second", "places") else np.float64
            if array.dtype != dtype or not array.flags.c_contiguous:
                raise TypeError(f"{name} is {dtype.__name__} in C's order; got {array.dtype}, strides {array.strides}.")
        addresses = {name: array.ctypes.data for name, array in self.arrays.items()}
        super().__init__(**{**values, **addresses})


_DECLARED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "gather": (None, (_INT, _SINGLES, _INT, _INTS, _OUT_SINGLES)),
    "multiply_sparse": (None, (_INT, _SINGLES, _SINGLES, _OUT_SINGLES)),
    "descend": (_INT, (_INT, _SINGLES, _DOUBLE, *_BOX, _OUT_DOUBLES, _OUT_SINGLES, _DOUBLE, _INT)),
    "complementarity": (_DOUBLE, (_INT, *_BOX, _DOUBLES, _SINGLES)),
    "solve_among": (_INT, (_INT, _SINGLES, _DOUBLE, _SINGLES, _INT, _INTS, _OUT_SINGLES)),
    "sweep": (None, (_INT, _INT, *_KERNEL, *_BOUNDS, *_STATE, _FLAGS, _INT, _INTS, _DOUBLES, *2 * (_OUT_DOUBLES,))),
    "walk_pairs": (_INT, (ctypes.POINTER(Walk), _INT, _INT)),
}


def is_built() -> bool:
    """Whether the compiled parts are there."""
    return _path(VERSIONS[0]) is not None


def versions() -> list[str]:
    """Those that were built and that this processor can run, the best last."""
    best: int = ctypes.CDLL(str(_path(VERSIONS[0]))).best_version()
    return [version for version in VERSIONS[: best + 1] if _path(version)]


@cache
def _path(version: str) -> Path | None:
    paths = (Path(__file__).with_name(f"library_{version}{suffix}") for suffix in EXTENSION_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_path(versions()[-1])))
    for name, (result, arguments) in _DECLARED.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def gather(matrix_RR: np.ndarray, rows_M: np.ndarray) -> np.ndarray:
    """Some rows of a matrix, and the same columns, side by side: float32 [M, M]."""
    out = np.empty((len(rows_M), len(rows_M)), np.float32)
    _library().gather(matrix_RR.shape[1], matrix_RR, len(rows_M), rows_M, out)
    return out


def multiply_sparse(K_MM: np.ndarray, x_M: np.ndarray) -> np.ndarray:
    """K x, float32 [M], of a symmetric K, float32, in time that goes with the number of entries of x that are not 0."""
    out = np.empty_like(x_M)
    _library().multiply_sparse(len(x_M), K_MM, x_M, out)
    return out


def descend(
    K_MM: np.ndarray,
    kappa: float,
    box: tuple[np.ndarray, ...],
    state: tuple[np.ndarray, np.ndarray],
    stop: tuple[float, int],
) -> int:
    """Improve β [M] and its gradient [M], in place, by greedy pairs.

    Args:
        K_MM: float32.
        kappa: Added to all of K.
        box: e float32, the upper bounds of yβ float64, and the signs y float32: [M] each.
        state: β float64, and (K + κ11' + diag e)β − y float32: [M] each.
        stop: The gap at which to stop, and the most steps.

    Returns:
        Steps taken.

    Raises:
        MemoryError: there is not even memory for four floats a row.
    """
    steps: int = _library().descend(len(K_MM), K_MM, kappa, *box, *state, *stop)
    if steps < 0:
        raise MemoryError
    return steps


def solve_among(K_MM: np.ndarray, kappa: float, e_M: np.ndarray, rows_F: np.ndarray, b_F: np.ndarray) -> bool:
    """Solve (K + κ11' + diag e) x = b, in place of b, for some rows and these columns, by a Cholesky factor.

    Args:
        K_MM: float32.
        kappa: Added to all of K.
        e_M: Added to the diagonal, float32.
        rows_F: int64.
        b_F: float32.

    Returns:
        Whether it was solved: the matrix is positive definite.

    Raises:
        MemoryError: there is none for half the matrix.
    """
    solved: int = _library().solve_among(len(K_MM), K_MM, kappa, e_M, len(rows_F), rows_F, b_F)
    if solved < 0:
        raise MemoryError
    return bool(solved)


def complementarity(box: tuple[np.ndarray, ...], state: tuple[np.ndarray, np.ndarray]) -> float:
    """Primal minus dual objective; see `descend`."""
    gap: float = _library().complementarity(len(box[0]), *box, *state)
    return gap


def sweep(
    kernel: tuple[np.ndarray, np.ndarray, float, np.ndarray],
    bounds: tuple[np.ndarray, ...],
    state: tuple[np.ndarray, ...],
    visits: tuple[np.ndarray, np.ndarray, np.ndarray],
    found: tuple[np.ndarray, np.ndarray],
) -> None:
    """One step for each undecided row; see `sweeps`, which names the parts."""
    undecided_RP, order, firm_P = visits
    dims, problems = kernel[0].shape[1], len(firm_P)
    _library().sweep(dims, problems, *kernel, *bounds, *state, undecided_RP, len(order), order, firm_P, *found)


def walk_pairs(walk: Walk, start: int, stop: int) -> None:
    """Solve some pairs of classes.

    Raises:
        MemoryError: there is no memory for the products of a pair's rows.
    """
    if not _library().walk_pairs(ctypes.byref(walk), start, stop):
        raise MemoryError
