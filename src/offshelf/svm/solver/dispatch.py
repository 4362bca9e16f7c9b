"""The choice of a method by the shape of a problem.

All limits were measured: they are where one method becomes faster than another, or where memory ends.
"""

from dataclasses import dataclass, replace
from typing import Literal

from offshelf.svm.solver.problem import EXACT_ROWS, Bias, Loss

Method = Literal["ovo", "dual", "dual_partial", "coordinate_descent", "interior", "primal"]
"""`ovo`: paths of pairs of classes in compiled code (`ovo`). `dual`: in the Gram matrix of all rows (`path_dual`).
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
INTERIOR_OVO_ROWS, INTERIOR_OVO_ROWS_PER_DIM = 500, 16
"""Least rows of a pair of classes, and least rows per dimension, from which they are faster than `ovo`."""
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
    if shape.is_ovo and _is_interior(shape):
        return "interior"
    if shape.is_ovo and rows <= GRAM_ROWS:
        return "ovo"
    if rows <= GRAM_ROWS and rows <= _gram_rows_per_dim(shape) * dims:
        is_partial = shape.bias != "free" and rows >= FEW_PROBLEMS_ROWS and shape.problems <= FEW_PROBLEMS
        return "dual_partial" if is_partial else "dual"
    is_large = rows * dims > DESCENT_VALUES and rows <= DESCENT_ROWS_PER_DIM * dims
    if is_large and shape.bias != "free" and not shape.is_mapped:
        return "coordinate_descent"
    return "interior" if _is_interior(shape) and rows >= INTERIOR_ROWS else "primal"


def choose_fallback(method: Method, shape: Shape) -> Literal["dual", "interior", "primal"] | None:
    """Return the method for the tasks that the first method does not bring to the tolerance, if there is one.

    In few dimensions that is `interior`, whose steps hardly grow in number with C.
    """
    if method != "interior" and _is_interior(replace(shape, is_ovo=False)):
        return "interior"
    if method != "primal":
        return "primal"
    return "dual" if shape.rows <= DUAL_FALLBACK_ROWS else None


def prefers_gpu(device: str, rows: int) -> bool:
    """Return whether a GPU is to be used if there is one: unless it is asked for, only many rows pay for its start."""
    return device == "cuda" or (device == "auto" and rows > GRAM_ROWS)


def _is_interior(shape: Shape) -> bool:
    """Return whether interior points can be used, and for pairs of classes also whether they pay."""
    is_light = shape.dims <= INTERIOR_DIMS and shape.rows * (shape.dims + 1) * 8 <= INTERIOR_BYTES
    least = max(INTERIOR_OVO_ROWS, INTERIOR_OVO_ROWS_PER_DIM * shape.dims) if shape.is_ovo else 0
    return is_light and not shape.is_mapped and shape.rows_per_pair >= least


def _gram_rows_per_dim(shape: Shape) -> int:
    if shape.loss == "squared_hinge" and shape.rows > SQUARED_HINGE_ROWS:
        return SQUARED_HINGE_ROWS_PER_DIM
    return EXACT_GRAM_ROWS_PER_DIM if shape.rows <= EXACT_ROWS else GRAM_ROWS_PER_DIM
