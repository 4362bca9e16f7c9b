"""The choice of a method by the shape of a problem.

All limits were measured: they are where one method becomes faster than another, or where memory ends.
"""

from dataclasses import dataclass
from typing import Literal

from offshelf.svm.solver.problem import EXACT_ROWS, ROWS_PER_GROUP, Bias, Loss

Method = Literal["ovo", "dual", "binary", "primal"]
"""`ovo`: paths of pairs of classes in compiled code (`ovo`). `dual`: in the Gram matrix of all rows (`path_dual`).
`binary`: one problem at a time in compiled code, by working sets, coordinate descent and interior points
(`path_binary`). `primal`:
Newton's method in PyTorch (`path_primal`)."""

GRAM_ROWS = 20_000
"""Most training rows for which a Gram matrix is held: 1.6 GB in float32, 3.2 GB in float64 (one-vs-one)."""
GRAM_ROWS_PER_DIM, EXACT_GRAM_ROWS_PER_DIM = 16, 2
"""Most rows per dimension for which a Gram matrix pays; the second where problems are solved to rounding error."""
SQUARED_HINGE_ROWS, SQUARED_HINGE_ROWS_PER_DIM = 10_000, 4
"""From so many rows on, the squared hinge has another limit: far more of its rows are support vectors."""
GRAM_ROWS_PER_PROBLEM, GRAM_ROWS_PER_PROBLEM_AND_DIM = (60, 400), 0.5
"""Most rows per problem for which a Gram matrix pays, in proportion to the dimensions within these limits: it takes as
long as so many problems without one, and less where its product is large enough for BLAS."""
BINARY_PAIR_ROWS = 400
"""Rows of a pair of classes from which on `binary` is faster than `ovo`, unless their products are used many times."""
GRAM_FITS = 5
"""Fits of a class from which on products pay, and of a pair, if it has fewer rows than dimensions; also if a class has
fewer than ROWS_PER_GROUP rows."""
DIMS_PER_PAIR_ROW = 1.5
"""Dimensions per row of a pair from which on products pay for fewer fits."""
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
    fits: int = 1
    """Fits of each task: variants x values of C."""


def choose_method(shape: Shape) -> Method:
    """Return the fastest method on a CPU, where the compiled parts are available."""
    if _has_gram(shape):
        return "ovo" if shape.is_ovo else "dual"
    return "primal" if shape.is_mapped else "binary"


def choose_fallback(method: Method, shape: Shape) -> Literal["binary", "dual", "primal"] | None:
    """Return the method for the tasks that the first method does not bring to the tolerance, if there is one.

    In memory that is `binary`: a large C, which stops the others, makes hardly any difference to it.
    """
    if method != "binary" and not shape.is_mapped:
        return "binary"
    if method != "primal":
        return "primal"
    return "dual" if shape.rows <= DUAL_FALLBACK_ROWS else None


def prefers_gpu(device: str, rows: int) -> bool:
    """Return whether a GPU is to be used if there is one: unless it is asked for, only many rows pay for its start."""
    return device == "cuda" or (device == "auto" and rows > GRAM_ROWS)


def _has_gram(shape: Shape) -> bool:
    """Return whether a Gram matrix of all rows fits and pays."""
    if shape.rows > GRAM_ROWS:
        return False
    if shape.is_ovo:
        return shape.is_mapped or _has_gram_of_pairs(shape)
    if shape.rows > _gram_rows_per_dim(shape) * shape.dims:
        return False
    if shape.is_mapped or shape.rows <= EXACT_ROWS:
        return True
    if shape.fits < GRAM_FITS and shape.rows * shape.fits >= ROWS_PER_GROUP * shape.problems:
        return False
    least, most = GRAM_ROWS_PER_PROBLEM
    per_problem = min(max(GRAM_ROWS_PER_PROBLEM_AND_DIM * shape.dims, least), most)
    return shape.rows <= per_problem * shape.problems


def _has_gram_of_pairs(shape: Shape) -> bool:
    if shape.fits < GRAM_FITS:
        return shape.rows_per_pair * DIMS_PER_PAIR_ROW < shape.dims
    return shape.rows_per_pair < max(BINARY_PAIR_ROWS, shape.dims)


def _gram_rows_per_dim(shape: Shape) -> int:
    if shape.loss == "squared_hinge" and shape.rows > SQUARED_HINGE_ROWS:
        return SQUARED_HINGE_ROWS_PER_DIM
    return EXACT_GRAM_ROWS_PER_DIM if shape.rows <= EXACT_ROWS else GRAM_ROWS_PER_DIM
