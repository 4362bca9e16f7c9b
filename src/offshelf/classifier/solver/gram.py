"""Inner products of the training rows: shared by all classes, folds and values of C."""

from functools import cached_property

import numpy as np

from offshelf.classifier.solver.problem import Bias

ROUNDING = 1e-13
"""Rows that differ by a smaller share of their length are equal."""
STRIP = 1 << 8
"""Rows multiplied at a time."""
TURNS, FEW_TURNS, FEW_ROWS = 200, 16, 3000
"""Bursts of greedy pairs: among few rows a burst is cheap."""
HELD = 1 << 25
"""Values of which float64 copies are held: 268 MB."""
KEPT = 2 << 30
"""Bytes of products kept for later."""
UNBOUNDED = 1e8
"""A penalised bias whose share of the kernel is larger than this is as good as free."""


class Gram:
    """K = X X' + s², as K_ij = Z_ij + u_i + u_j + κ, with Z of the centred rows.

    Deep features are non-negative and share a large mean, so that their plain inner products differ in the last digits
    of float32 only; those of the centred rows do not. u and κ are float64. All is in units in which a centred row has
    length 1 on average: C̃ = C σ² and β̃ = β σ² for rows of length σ. With a free bias Σ β = 0, and only Z is left.
    """

    most = 0.5
    """From this share of the rows on, `square` is better asked for all, which saves the copy."""
    near = 0.05
    """Rows this close to a margin of 1, in standard deviations of the decision values, may matter."""
    many = 1 << 62
    """Most rows that `square` should be asked for."""
    rounds = 60
    """Times that rows are chosen anew, at most."""
    patience = 4
    """Rounds without a smaller gap before float32 products give way to float64 ones, or the search is given up."""
    together = 1000
    """Most tasks that ask at the same time."""

    def __init__(
        self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0, dtype: type[np.floating] = np.float32
    ) -> None:
        """Rows are float32 or float64."""
        self.mean_D = rows_RD.mean(axis=0, dtype=np.float64)
        self.scale = self._centre(rows_RD) or 1.0
        self.mean_D /= self.scale
        share = 0.0 if bias == "none" else (intercept_scaling / self.scale) ** 2
        self.is_free = bias == "free" or share > UNBOUNDED
        self.bias_share = np.inf if bias == "free" else share
        """s² in these units: what b² / 2 is divided by."""
        self.shift_R = np.zeros(len(rows_RD)) if self.is_free else self._through(self.mean_D[None])[0]
        self.kappa = 0.0 if self.is_free else float(self.mean_D @ self.mean_D) + share
        self.dtype = dtype
        self.is_absorbed = self.is_free

    def _centre(self, rows_RD: np.ndarray) -> float:
        """Keep the centred rows at length 1. Returns the length they had."""
        centred = rows_RD - self.mean_D
        scale = self._scale(float(np.einsum("rd,rd->", centred, centred)) / len(centred))
        self.centred_RD = np.divide(centred, scale or 1.0, out=centred)
        return scale

    def _scale(self, square: float) -> float:
        """From the mean squared length of centred rows; 0 where all rows are 0."""
        spread, level = float(np.sqrt(square)), float(np.linalg.norm(self.mean_D))
        return spread if spread > ROUNDING * level else level

    @property
    def nbytes(self) -> int:
        """Bytes that it takes, with all products."""
        return self.centred_RD.nbytes + len(self.centred_RD) ** 2 * np.dtype(self.dtype).itemsize

    @cached_property
    def products_RR(self) -> np.ndarray:  # noqa: N802 - a matrix
        """Z, or after `absorb` all of K save κ: of the given type."""
        single = self.centred_RD.astype(self.dtype, copy=False)
        products: np.ndarray = single @ single.T
        return products

    def absorb(self) -> None:
        """Add u_i + u_j to Z, in place: a little less exact than to add them to what Z gives, but done once."""
        if not self.is_absorbed:
            shift = self.shift_R.astype(self.products_RR.dtype)
            self.products_RR += shift
            self.products_RR += shift[:, None]
            self.is_absorbed = True

    def reach(self, task: int, rows_M: np.ndarray) -> None:
        """Before `square`: have the products of a task's rows at hand, as those of all rows are."""

    def turns(self, rows: int) -> int:
        """Bursts of greedy pairs among so many rows, at most."""
        return TURNS

    def trim(self) -> None:
        """Give back what can be made again, if it is much."""

    def square(self, task: int, rows_M: np.ndarray) -> np.ndarray:
        """What `absorb` has made, of some rows and the same columns: [M, M]; not a copy where it is all of them."""
        from offshelf.classifier.solver.box import square

        return square(self.products_RR, rows_M)

    def decide(self, beta_RP: np.ndarray) -> np.ndarray:
        """K β by products with what `absorb` has made, in its own type: float64 [R, P]."""
        decisions = (self.products_RR @ beta_RP.astype(self.products_RR.dtype)).astype(np.float64)
        return decisions + self.kappa * beta_RP.sum(axis=0)

    def decide_single(self, beta_RP: np.ndarray, rows_R: np.ndarray) -> np.ndarray:
        """K β of some rows, chosen by a mask, all in float32: [M, P]."""
        decisions = self.products_RR[rows_R].astype(np.float32) @ beta_RP
        if not self.is_free:
            total, shift = beta_RP.sum(axis=0), self.shift_R.astype(np.float32)
            decisions += shift[rows_R, None] * total + (shift @ beta_RP + np.float32(self.kappa) * total)
        return decisions

    def decide_exactly(self, beta_RP: np.ndarray) -> np.ndarray:
        """K β in float64, from the rows themselves: [R, P]."""
        return self._shifted(self._through(self._combined(beta_RP)).T, beta_RP)

    # In strips of rows, which stay in the cache; few columns on the left take BLAS half the time that they take on the
    # right.

    def _combined(self, beta_RP: np.ndarray) -> np.ndarray:
        """Σ β x of the centred rows in the type of β, [P, D]."""
        weights_PD = np.zeros((beta_RP.shape[1], len(self.mean_D)), beta_RP.dtype)
        for strip in _strips(len(beta_RP)):
            weights_PD += beta_RP[strip].T @ self._of_type(beta_RP.dtype, strip)
        return weights_PD

    def _through(self, weights_PD: np.ndarray) -> np.ndarray:
        """Products of w and the centred rows, in the type of w: [P, R]."""
        out_PR = np.empty((len(weights_PD), len(self.centred_RD)), weights_PD.dtype)
        for strip in _strips(len(self.centred_RD)):
            out_PR[:, strip] = weights_PD @ self._of_type(weights_PD.dtype, strip).T
        return out_PR

    def _of_type(self, dtype: np.dtype, strip: slice) -> np.ndarray:
        """Some centred rows: float64, or what is held of them."""
        return self._exact(strip) if dtype == np.float64 else self.centred_RD[strip]

    def _exact(self, strip: slice) -> np.ndarray:
        return self.centred_RD[strip]

    def _shifted(self, decisions_RP: np.ndarray, beta_RP: np.ndarray) -> np.ndarray:
        """With what the mean and the bias add to Z β."""
        if self.is_free:
            return decisions_RP
        total = beta_RP.sum(axis=0)
        return decisions_RP + self.shift_R[:, None] * total + (self.shift_R @ beta_RP + self.kappa * total)

    def model(self, beta_RP: np.ndarray, offset_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights [D, P] and biases [P] for rows as given, from β and a free bias for centred rows: float64."""
        return self.uncentre(self._combined(beta_RP), beta_RP.sum(axis=0), offset_P)

    def uncentre(
        self, weights_PD: np.ndarray, total_P: np.ndarray, offset_P: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same from the sum of β times the centred rows, which is used up, and Σ β."""
        if not self.is_free:
            weights_PD += np.outer(total_P, self.mean_D)
        weights_PD /= self.scale
        if self.is_free:  # Σ β = 0
            return weights_PD.T, offset_P - weights_PD @ self.mean_D * self.scale
        return weights_PD.T, self.bias_share * total_P


class PartialGram(Gram):
    """For more rows than a matrix can hold, or few problems: products of the rows that a task asks for, kept for it.

    Centred rows are held in float32. For exact products they are held in float64 too where that takes little memory;
    else the rows as given are centred again, strip by strip.
    """

    most, near = 0.9, 0.01
    many = 10_000
    rounds, patience = 30, 12
    together = 8

    def __init__(self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0) -> None:
        super().__init__(rows_RD, bias, intercept_scaling)
        diagonal_R = np.einsum("rd,rd->r", self.centred_RD, self.centred_RD) + 2 * self.shift_R + self.kappa
        self.kernel = (self.centred_RD, self.shift_R, self.kappa, diagonal_R)
        """What `sweeps` need."""
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        """Row numbers and their products, by task."""

    def _centre(self, rows_RD: np.ndarray) -> float:
        self._given_RD, self._exact_RD, square = rows_RD, None, 0.0
        if rows_RD.size <= HELD:
            scale = super()._centre(rows_RD)
            self._exact_RD, self.centred_RD = self.centred_RD, self.centred_RD.astype(np.float32)
            return scale
        for strip in _strips(len(rows_RD)):
            centred = rows_RD[strip] - self.mean_D
            square += float(np.einsum("rd,rd->", centred, centred)) / len(rows_RD)
        scale = self._scale(square)
        self.centred_RD = np.empty(rows_RD.shape, np.float32)
        for strip in _strips(len(rows_RD)):
            self.centred_RD[strip] = (rows_RD[strip] - self.mean_D) / (scale or 1.0)
        return scale

    def _exact(self, strip: slice) -> np.ndarray:
        if self._exact_RD is not None:
            return self._exact_RD[strip]
        centred: np.ndarray = self._given_RD[strip] / self.scale - self.mean_D
        return centred

    def absorb(self) -> None:
        """Each product has its u_i + u_j from the start."""

    def reach(self, task: int, rows_M: np.ndarray) -> None:
        """See Gram."""
        known, kept = self._kept.get(task, _NOTHING)
        new = np.setdiff1d(rows_M, known)
        if not len(new):
            return
        if len(known) + len(new) > self.many:
            (known, kept), new = _NOTHING, rows_M
        before, rows = len(known), np.concatenate([known, new])
        fresh, shift = self.centred_RD[new], self.shift_R.astype(np.float32)
        products = np.empty((len(rows), len(rows)), np.float32)
        products[:before, :before] = kept
        products[before:, before:] = fresh @ fresh.T  # NumPy sees that half of it is enough
        products[before:, :before] = fresh @ self.centred_RD[known].T
        products[before:] += shift[rows]
        products[before:] += shift[new, None]
        products[:before, before:] = products[before:, :before].T
        self._kept[task] = rows, products

    def turns(self, rows: int) -> int:
        """See Gram. The primal solver ends what so few do not."""
        return TURNS if rows <= FEW_ROWS else FEW_TURNS

    def trim(self) -> None:
        """See Gram."""
        if sum(products.nbytes for _, products in self._kept.values()) > KEPT:
            self._kept.clear()

    def square(self, task: int, rows_M: np.ndarray) -> np.ndarray:
        """See Gram; of rows that are at hand."""
        from offshelf.classifier.solver.box import gathered

        known, products = self._kept[task]
        place = np.empty(len(self.centred_RD), np.int64)
        place[known] = np.arange(len(known))
        return gathered(products, place[rows_M])

    def decide(self, beta_RP: np.ndarray) -> np.ndarray:
        """See Gram; by way of the weights, in float32."""
        single = beta_RP.astype(np.float32)
        return self._shifted(self._through(self._combined(single)).T.astype(np.float64), beta_RP)


_NOTHING = np.empty(0, np.int64), np.empty((0, 0), np.float32)


def _strips(rows: int) -> list[slice]:
    return [slice(start, min(start + STRIP, rows)) for start in range(0, rows, STRIP)]
