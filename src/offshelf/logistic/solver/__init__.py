"""Logistic regressions to a certified duality gap: all folds and values of C in one solve."""

from collections.abc import Iterator, Sequence

import numpy as np

from offshelf.logistic.solver.certificate import Certified, Certifier, relative_gap
from offshelf.logistic.solver.newton import Batch
from offshelf.logistic.solver.preconditioner import Preconditioner
from offshelf.logistic.solver.problem import ABSENT, Bias, Problems, RegularizationPath, Solution
from offshelf.logistic.solver.rows import Rows
from offshelf.process.blas import one_blas_thread
from offshelf.svm.monitor import Monitor

__all__ = ["Bias", "Problems", "RegularizationPath", "Solution", "relative_gap", "solve"]

EXACT_ROWS, EXACT_TOL = 400, 1e-19
"""Most rows for which problems are solved to rounding error, and the gap that is then aimed at."""
FLOAT64_VALUES = 1 << 18
"""Most values for which all arithmetic is float64."""
FLOAT32_TOL = 1e-7
"""Smallest tolerance for which float32 is tried."""
GROUP_VALUES = 1 << 26
"""Most scores (rows x columns x variants) held at a time, except for a single task."""
SECANT_VALUES = 1 << 27
"""Most scores of which copies are kept, to start a larger C from where two smaller ones point, and folds from the
full fit."""
TIGHTER, ROUNDS = 4.0, 3
"""Divisor of the tolerance where a certificate in float64 is larger than that in float32, and most attempts."""

Start = tuple[np.ndarray, np.ndarray]


def solve(  # noqa: PLR0913 - what a fit is, and who watches it
    rows_RD: np.ndarray,
    problems: Problems,
    Cs: Sequence[float],
    tol: float,
    start: Start | None = None,
    monitor: Monitor | None = None,
) -> RegularizationPath:
    """Solve all problems at each C, in ascending order, to a relative duality gap of `tol`.

    Products are in float32, or in float64 if the problem is small or the tolerance is. What does not reach the
    tolerance in float32 is continued in float64. Each solution is to be used before the next one is asked for.

    Args:
        rows_RD: float32 or float64; float16 too if memory-mapped.
        problems: Labels and weights.
        Cs: Positive; in any order.
        tol: Largest relative duality gap.
        start: Weights [P, D] and biases [P] to start the full fits from.
        monitor: Receives the problems solved.

    Yields:
        Which columns, and their solution at one C.
    """
    with one_blas_thread():
        is_exact = len(rows_RD) <= EXACT_ROWS or rows_RD.size <= FLOAT64_VALUES or tol < FLOAT32_TOL
        rows = Rows(rows_RD, problems, np.float64 if is_exact else np.float32)
        preconditioner, monitor = Preconditioner(rows), monitor or Monitor()
        monitor.expect(problems.tasks * problems.members_RV.shape[1] * len(Cs))
        for tasks in problems.groups(GROUP_VALUES):
            chosen = slice(tasks.start * problems.classes, tasks.stop * problems.classes)
            path = _Path(rows, preconditioner, problems.some(tasks), tol, monitor)
            if start is not None:
                path.start(start[0][chosen], start[1][chosen])
            for solution in path.solutions(sorted(Cs)):
                monitor.settle(solution.gap_KV.size)
                yield chosen, solution


class _Path:
    """The solutions of a group of tasks at ascending values of C."""

    def __init__(
        self, rows: Rows, preconditioner: Preconditioner, problems: Problems, tol: float, monitor: Monitor
    ) -> None:
        self.rows, self.problems, self.tol, self.monitor = rows, problems, tol, monitor
        self.aim = min(tol, EXACT_TOL) if rows.count <= EXACT_ROWS else tol
        self.batch = Batch(rows, preconditioner, problems, tol)
        self.certifier = Certifier(rows.source, problems)
        self.exact: Batch | None = self.batch if rows.dtype is np.float64 else None
        self.variants = problems.members_RV.shape[1]
        every = np.arange(len(self.batch.gap))
        self.full, self.folds = (
            every[self.variants - 1 :: self.variants],
            every[every % self.variants < self.variants - 1],
        )

    def start(self, weights_PD: np.ndarray, biases_P: np.ndarray) -> None:
        """Start the full fits from given weights and biases."""
        shape = (len(self.full), self.problems.classes)
        given = self.rows.from_features(weights_PD.reshape(*shape, -1), biases_P.reshape(shape))
        self.batch.W[self.full] = np.where(
            self.batch.is_constant[self.full, None, None], self.batch.W[self.full], given
        )
        self.batch.z[self.full] = self.rows.times(self.batch.W[self.full])

    def solutions(self, Cs: Sequence[float]) -> Iterator[Solution]:
        """Yield the solution at each C, in ascending order."""
        batch, keeps = self.batch, self.batch.z.size <= SECANT_VALUES
        last: Start | None = None
        for C in Cs:
            scaled = C * self.rows.scale**2
            batch.passes[:] = 0
            before = (batch.W.copy(), batch.z.copy()) if keeps else None
            if last:
                batch.move(self.full, last[0][self.full], last[1][self.full], scaled)
            certified = self._solve_full(C, scaled)
            self.monitor.advance(len(self.full))
            self._solve_folds(scaled, before, last)
            if before:
                last = (batch.W - before[0], batch.z - before[1])
            yield self._solution(C, certified)

    def _solve_full(self, C: float, scaled: float) -> Certified:
        """Solve the full fits, and certify them."""
        self.batch.tol = self.aim
        for _ in range(ROUNDS):
            self.batch.minimise(self.full, scaled)
            certified = self._certify(self.batch.W[self.full], C)
            short = certified.gap > self.tol
            if not short.any() or (self.batch.gap[self.full[short]] > self.tol).any():
                break
            self.batch.tol /= TIGHTER
        if not short.any() or self.exact is self.batch:
            return certified
        vectors = self.batch.W[self.full].astype(np.float64)
        vectors[short] = self._continue_exactly(self.full[short], scaled)
        return self._certify(vectors, C)

    def _solve_folds(self, scaled: float, before: Start | None, last: Start | None) -> None:
        """Solve the folds, from where the full fits have moved to since `before`, if that is known."""
        if not len(self.folds):
            return
        batch = self.batch
        batch.tol = self.aim
        if before:
            self._follow(scaled, before, last)
        batch.minimise(self.folds, scaled)
        short = self.folds[batch.gap[self.folds] > self.tol]
        if len(short) and self.exact is not batch:
            self._continue_exactly(short, scaled)

    def _follow(self, scaled: float, before: Start, last: Start | None) -> None:
        """Move the folds as their full fits have moved, and on by how much they differed in this the last time."""
        batch = self.batch
        for fold in range(self.variants - 1):
            free = ~batch.is_constant[self.folds[fold :: self.variants - 1]]
            mine, full = self.folds[fold :: self.variants - 1][free], self.full[free]
            batch.move(mine, batch.W[full] - before[0][full], batch.z[full] - before[1][full], scaled)
            if last:
                batch.move(mine, last[0][mine] - last[0][full], last[1][mine] - last[1][full], scaled)

    def _continue_exactly(self, short: np.ndarray, scaled: float) -> np.ndarray:
        """Continue some problems in float64, and return their weights in it."""
        if self.exact is None:
            rows = Rows(self.rows.source, self.problems, np.float64)
            self.exact = Batch(rows, Preconditioner(rows), self.problems, self.tol)
        exact = self.exact
        exact.W[short] = self.batch.W[short]
        exact.z[short] = exact.rows.times(exact.W[short])
        exact.passes[:] = 0
        exact.minimise(short, scaled)
        self.batch.passes += exact.passes
        self.batch.W[short], self.batch.z[short] = exact.W[short], exact.z[short]
        self.batch.gap[short] = exact.gap[short]
        return exact.W[short]

    def _certify(self, vectors: np.ndarray, C: float) -> Certified:
        weights, biases = self.rows.to_features(vectors)
        certified = self.certifier.certify((weights, biases), C, self.tol)
        constant = self.batch.is_constant[self.full]
        biases = np.where(constant[:, None], biases, certified.biases)
        if self.rows.is_free and self.problems.classes > 1:  # a shift of all classes changes nothing
            biases -= np.mean(biases, where=biases > ABSENT / 2, axis=1, keepdims=True)
        return Certified(weights, biases, np.where(constant, 0.0, certified.gap))

    def _solution(self, C: float, certified: Certified) -> Solution:
        gaps = self.batch.gap.reshape(-1, self.variants).copy()
        gaps[:, -1] = certified.gap
        scores = self.batch.z.reshape(-1, self.variants, *self.batch.z.shape[1:])

        def decisions(rows: np.ndarray, variant: int) -> np.ndarray:
            chosen = scores[:, variant][..., rows]
            return chosen.reshape(-1, len(rows)).T

        def model() -> tuple[np.ndarray, np.ndarray]:
            return certified.weights.reshape(-1, certified.weights.shape[2]).T, certified.biases.ravel()

        passes = self.batch.passes.reshape(-1, self.variants).copy()
        return Solution(C, decisions, gaps, model, passes)
