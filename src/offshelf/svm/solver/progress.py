"""Progress of the rounds in which a batch of problems converges, and the rules by which they end."""

import numpy as np

from offshelf.svm.monitor import Finished, check_stop

EXACT_GAP = 1e-15
"""Gap that is aimed at where problems are solved to rounding error."""
IMPROVEMENT = 0.9
"""A round counts as progress if it reduces the gap by this factor."""
POLISHING_ROUNDS = 2
"""Rounds without progress after which a problem whose gap is within the tolerance is left as it is."""
SMALL_NORM, FINEST = 3, 100
"""w is no further from the optimum than the root of twice the gap. For small C, where ½|w|² is less than a third of the
objective, a gap that is small relative to the objective says little about w. The gap that is aimed at is then reduced
by the cube of ½|w|² / objective x 3, at most to a hundredth: so decision values have the right order, too."""


class Progress:
    """The state of the stopping rules for a batch of problems, [K, V].

    A problem is improved until its gap is as small as is aimed at, or has stalled. Decision values come from float32
    products at first. They are replaced by exact ones, float64, where a problem stalls and, in the full fit, at the
    end: so that its certificate is exact.
    """

    def __init__(self, shape: tuple[int, ...], tol: float, patience: int, *, is_exact: bool, is_full: bool) -> None:
        """Start.

        Args:
            shape: K, V.
            tol: Largest relative duality gap.
            patience: Rounds without progress before products become exact, or an exact problem is given up.
            is_exact: Solve to rounding error, with exact products from the start.
            is_full: The variants are full fits, not folds.
        """
        self.tol, self.patience, self.is_full = tol, patience, is_full
        self.aimed_tol = EXACT_GAP if is_exact else tol
        self.exact = np.full(shape, is_exact)
        """Problems whose decision values come from exact products."""
        self._finished = Finished()
        self._best, self._stalled = np.full(shape, np.inf), np.zeros(shape, int)

    def aim(self, half_norm: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Return the gap to aim at, from ½|w|² and the scale of the objective."""
        share = np.divide(half_norm, scale, out=np.ones_like(scale), where=scale > 0)
        return self.aimed_tol * np.clip((SMALL_NORM * share) ** 3, 1 / FINEST, 1)

    def unfinished(self, gap: np.ndarray, aim: np.ndarray) -> np.ndarray:
        """Take the gaps of a round; return which problems need another one.

        Raises:
            StoppedError: nobody waits for the problems.
        """
        check_stop()
        self._stalled = np.where(gap < IMPROVEMENT * self._best, 0, self._stalled + 1)
        self._best = np.minimum(self._best, gap)
        patience = np.where(gap <= self.tol, POLISHING_ROUNDS, self.patience)
        is_open: np.ndarray = (gap > aim) & ((self._stalled <= patience) | ~self.exact)
        self._finished.at(int((~is_open).sum()))
        return is_open

    def is_finished(self, todo: np.ndarray) -> bool:
        """Return whether the rounds end: nothing is unfinished, and certificates that must be exact are."""
        return not todo.any() and (not self.is_full or bool(self.exact.all()))

    def switch_to_exact(self, todo: np.ndarray) -> np.ndarray:
        """Mark stalled problems, and at the end all full fits, as exact; return which of them were not before."""
        newly = ~self.exact & ((self._stalled > self.patience / 2) | (self.is_full and not todo.any()))
        self._stalled[newly] = 0
        self.exact |= newly
        return newly
