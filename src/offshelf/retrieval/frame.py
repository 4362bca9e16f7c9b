"""The transformation of vectors before products, and bounds of the rounding errors of their distances."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from offshelf.errors import ConfigError
from offshelf.retrieval.arrays import Arrays
from offshelf.retrieval.exact import unit

SAMPLE = 1 << 17
"""Number of values of references from which the centre is computed."""
FAR = 16
"""The centre is subtracted if its square is this many times the mean square of the distances to it."""
USUAL = (1e-8, 1e8)
"""Range of lengths whose squares float32 holds, with a margin for much smaller and larger ones next to them."""
SMALLEST, LARGEST = 1e-25, 1e36
"""Range of squares of vectors in which float32 holds them and their components."""
HIDDEN = -1e37
"""The square of a vector that cannot be judged in this precision: below those of all others."""


@dataclass(frozen=True, eq=False)
class Moved:
    """Vectors in a frame."""

    vectors: Any
    """[M P, D]."""
    squares: Any
    """Summand of each in the lower bound: [M P]."""
    widths: Any
    """Summand of each in the distance between the bounds: [M P]."""
    some_hidden: bool


@dataclass(frozen=True, eq=False)
class Frame:
    """The transformation of a vector x: s (x - m), or s (x / |x| - m) for `cosine`, in float32 or float64.

    Products of such vectors y and z give a lower bound of their squared distance at the price of the distance itself:

        (1 - g) |y|² - 2 y·z + (1 - g) |z|²  <=  |y - z|²  <=  the same + 2 g (|y|² + |z|²)

    Derivation, u being the unit roundoff (2^-24, or 2^-53) and γ_n = n u / (1 - n u), which bounds the relative error
    of a sum of n products in any order, fused or not (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.
    2002, section 3.1): each component of y and z is rounded once, by at most u; the three products are off by γ_D, and
    two additions by u each, of at most (|y| + |z|)² <= 2 (|y|² + |z|²). The sum of all is below 2 (γ_D + 8 u)
    (|y|² + |z|²). For `cosine` a length is off by γ_D / 2 + 2 u more, once for each of both vectors: below
    4 γ_(D+8), when |y| = |z| = 1. With ε = γ_(D+16) / (1 - γ_(D+16))², which leaves room for terms of second order and
    for lengths being known rounded too, g = 2 ε covers both. What underflow takes away is below `tiny`.
    A vector whose square is out of range is hidden: its bounds are as wide as possible.
    """

    distance: str
    dtype: str
    dims: int
    centre_D: np.ndarray | None = None
    """m, in float32; None for the origin."""
    scale: float = 1.0
    """s, a power of two."""

    @classmethod
    def of(cls, references_NPD: np.ndarray, queries_QVD: np.ndarray, distance: str) -> "Frame":
        """Choose a frame by a sample of the references; a bad choice costs only time."""
        dims = references_NPD.shape[2]
        step = max(1, references_NPD.size // SAMPLE)
        rows = np.concatenate([references_NPD[::step].reshape(-1, dims), queries_QVD[:1].reshape(-1, dims)])
        with np.errstate(over="ignore", invalid="ignore"):
            sample = unit(rows) if distance == "cosine" else rows.astype(np.float64)
            centre_D = sample.mean(axis=0).astype(np.float32).astype(np.float64)
            spread, offset = float(((sample - centre_D) ** 2).sum(axis=1).mean()), float((centre_D**2).sum())
        if not np.isfinite(spread + offset):  # raises when the vectors are put
            return cls(distance, "float32", dims)
        is_far = offset > FAR * spread
        length = np.sqrt(spread if is_far else spread + offset)
        is_usual = not length or USUAL[0] <= length <= USUAL[1]
        scale = 1.0 if is_usual else float(2.0 ** -np.rint(np.log2(length)))
        return cls(distance, "float32", dims, centre_D if is_far else None, scale)

    @property
    def unit(self) -> float:
        """u: the largest relative error of one operation."""
        return float(np.finfo(self.dtype).eps) / 2

    @property
    def slack(self) -> float:
        """g; 1/2 if there are too many dimensions for a bound, so that all vectors are hidden."""
        steps = (self.dims + 16) * (self.unit + 2.0**-53)  # also bounds the error of float64's own measures
        gamma = steps / (1 - steps) if steps < 0.1 else 0.1
        return 2 * gamma / (1 - gamma) ** 2 if gamma < 0.1 else 0.5

    @property
    def tiny(self) -> float:
        """Loss of squared distances by underflow, and float64's errors in unit vectors near a centre."""
        lengths = 16 * (self.dims + 16) * 2.0**-53 * self.scale**2 if self._normalises_first else 0.0
        return (self.dims + 16) * 2.0**-120 + lengths

    @property
    def is_unit(self) -> bool:
        """Whether all vectors that are not hidden have length 1."""
        return self.distance == "cosine" and self.centre_D is None

    @property
    def of_one(self) -> float:
        """Summand of a vector of length 1 in the lower bound."""
        return 1 - self.slack - self.tiny

    def put(self, values_MPD: np.ndarray, arrays: Arrays) -> Moved:
        """Transform vectors for products.

        Raises:
            ConfigError: A number is not finite.
        """
        values = values_MPD.reshape(-1, self.dims)
        vectors, squares = self._put(values, arrays)
        hidden = self._hidden(values, arrays.get(squares))
        if len(hidden):
            values = values.copy()
            values[hidden] = 0
            vectors, squares = self._put(values, arrays)
        if self.is_unit:
            squares = squares * 0 + 1
        widths = squares * (2 * self.slack + 8 * self.unit) + 4 * self.tiny
        if len(hidden):
            squares[hidden], widths[hidden] = HIDDEN, np.inf
        return Moved(vectors, squares * (1 - self.slack) - self.tiny, widths, len(hidden) > 0)

    def _put(self, values_MD: np.ndarray, arrays: Arrays) -> tuple[Any, Any]:
        """Return vectors and their squares."""
        is_longer = np.finfo(values_MD.dtype).bits > np.finfo(self.dtype).bits
        if self._normalises_first or self.scale != 1 or is_longer:
            with np.errstate(over="ignore", invalid="ignore"):
                vectors = arrays.put(self._moved(values_MD), self.dtype)
        else:
            vectors = arrays.put(values_MD, self.dtype)
            if self.centre_D is not None:
                vectors = vectors - arrays.put(self.centre_D, self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = (vectors * vectors).sum(1)
            if not self.is_unit:
                return vectors, squares
            return vectors * ((squares > 0) / (squares + (squares == 0)) ** 0.5)[:, None], squares

    def _moved(self, values_MD: np.ndarray) -> np.ndarray:
        """Transform in float64, rounded once at the end."""
        moved = unit(values_MD) if self._normalises_first else values_MD.astype(np.float64)
        if self.centre_D is not None:
            moved -= self.centre_D
        moved *= self.scale
        return moved.astype(self.dtype, copy=False)

    def _hidden(self, values_MD: np.ndarray, squares_M: np.ndarray) -> np.ndarray:
        """Return the numbers of the vectors whose bounds do not hold."""
        is_hidden = ~(squares_M < LARGEST)
        if self.slack == 0.5:
            is_hidden[:] = True
        elif self._normalises_first:
            is_hidden |= ~values_MD.any(axis=1)  # zeros have no direction
        elif self.distance == "cosine":
            small = np.flatnonzero(squares_M < SMALLEST)
            is_hidden[small] = values_MD[small].any(axis=1)
        hidden = np.flatnonzero(is_hidden)
        if len(hidden) and not (np.abs(values_MD[hidden].astype(np.float64)) < 1e150).all():
            raise ConfigError(
                "Some features are NaN or infinite, which have no distance: look for images that the network "
                "or postprocess cannot handle."
            )
        return hidden

    @property
    def _normalises_first(self) -> bool:
        return self.distance == "cosine" and self.centre_D is not None
