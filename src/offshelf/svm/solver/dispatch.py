"""The choice of a method by the shape of a problem.

All limits were measured: they are where one method becomes faster than another, or where memory ends.
"""

from dataclasses import dataclass
from typing import Literal

from offshelf.svm.solver.problem import EXACT_ROWS, Bias, Loss

Method = Literal["ovo", "binary", "dual", "dual_partial", "coordinate_descent", "interior", "primal"]
"""`ovo`: paths of pairs of classes in compiled code, in the Gram matrix of all rows (`ovo`). `binary`: the same without
one, by coordinate descent and interior points (`path_binary`). `dual`: in the Gram matrix of all rows (`path_dual`).
`dual_partial`: in Gram matrices of the rows that matter. `coordinate_descent`: the same, for more rows than a Gram
matrix can hold or is worth. `interior`: interior points on rows near the margin, in few dimensions
(`path_interior`). `primal`: Newton's method in PyTorch (`path_primal`)."""

GRAM_ROWS = 20_000
"""Most training rows for which a Gram matrix is held: 1.6 GB in float32, 3.2 GB in float64 (one-vs-one)."""
GRAM_ROWS_PER_DIM, EXACT_GRAM_ROWS_PER_DIM = 16, 2
"""Most rows per dimension for which a Gram matrix pays; the second where problems are solved to rounding error."""
SQUARED_HINGE_ROWS, SQUARED_HINGE_ROWS_PER_DIM = 10_000, 4
"""From so many rows on, the squared hinge has another limit: far more of its rows are support vectors."""
DESCENT_VALUES, DESCENT_ROWS_PER_DIM = 1 << 24, 40
"""Coordinate descent is faster than the primal solver with more values (rows x dimensions), and at most so many rows
per dimension: in few dimensions the dual problem of a large C is ill-conditioned, and it converges slowly."""
INTERIOR_DIMS, INTERIOR_BYTES = 128, 1 << 30
"""Most dimensions in which interior points pay, a step costing their square; and most bytes of the rows in float64."""
INTERIOR_ROWS = 5_000
"""Fewest rows for which they are used in place of the primal solver."""
OVO_ROWS, OVO_PAIR_ROWS = 5000, 300
"""One-vs-one: most rows for which a Gram matrix pays (0.2 GB in float64), and most rows of a pair of classes."""
FEW_PROBLEMS, FEW_PROBLEMS_ROWS = 4, 1500
"""So few problems on at least so many rows do not pay for a Gram matrix of all rows."""
DUAL_FALLBACK_ROWS = 2000
"""Most rows for which the dual solves what the primal solver does not bring to the tolerance."""
SINGLE_THREAD_ROWS = 2000
"""Most rows for which BLAS uses one thread: waking its threads takes longer than the products."""


@dataclass(frozen=True)
class Shape:
    """What the choice of a method depends on."""

    rows: int
    dims: int
    problems: int
    """Binary problems: tasks x variants x values of C."""
    loss: Loss = "hinge"
    bias: Bias = "penalised"
    is_ovo: bool = False
    """Whether the tasks are pairs of classes."""
    is_mapped: bool = False
    """Whether the rows are memory-mapped."""
    rows_per_pair: int = 0
    """Mean number of rows of a pair of classes."""


def choose_method(shape: Shape) -> Method:
    """Return the fastest method on a CPU, where the compiled parts are available."""
    rows, dims = shape.rows, shape.dims
    if shape.is_ovo and rows <= GRAM_ROWS and (shape.is_mapped or _is_small_ovo(shape)):
        return "ovo"
    if shape.is_ovo and not shape.is_mapped:
        return "binary"
    if rows <= GRAM_ROWS and rows <= _gram_rows_per_dim(shape) * dims:
        is_partial = shape.bias != "free" and rows >= FEW_PROBLEMS_ROWS and shape.problems <= FEW_PROBLEMS
        return "dual_partial" if is_partial else "dual"
    is_large = rows * dims > DESCENT_VALUES and rows <= DESCENT_ROWS_PER_DIM * dims
    if is_large and shape.bias != "free" and not shape.is_mapped:
        return "coordinate_descent"
    return "interior" if _is_interior(shape) and rows >= INTERIOR_ROWS else "primal"


def choose_fallback(method: Method, rows: int) -> Literal["dual", "primal"] | None:
    """Return the method for the tasks that the first method does not bring to the tolerance, if there is one."""
    if method != "primal":
        return "primal"
    return "dual" if rows <= DUAL_FALLBACK_ROWS else None


def prefers_gpu(device: str, rows: int) -> bool:
    """Return whether a GPU is to be used if there is one: unless it is asked for, only many rows pay for its start."""
    return device == "cuda" or (device == "auto" and rows > GRAM_ROWS)


def _is_small_ovo(shape: Shape) -> bool:
    """Return whether a Gram matrix pays for pairs of classes."""
    return shape.rows <= EXACT_ROWS or (shape.rows <= OVO_ROWS and shape.rows_per_pair <= OVO_PAIR_ROWS)


def _is_interior(shape: Shape) -> bool:
    """Return whether interior points can be used."""
    is_light = shape.dims <= INTERIOR_DIMS and shape.rows * (shape.dims + 1) * 8 <= INTERIOR_BYTES
    return is_light and not shape.is_mapped


def _gram_rows_per_dim(shape: Shape) -> int:
    if shape.loss == "squared_hinge" and shape.rows > SQUARED_HINGE_ROWS:
        return SQUARED_HINGE_ROWS_PER_DIM
    return EXACT_GRAM_ROWS_PER_DIM if shape.rows <= EXACT_ROWS else GRAM_ROWS_PER_DIM
