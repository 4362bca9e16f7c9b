"""The regularisation path in the primal: Newton's method for many problems at once, for far more rows than dimensions.

The squared hinge is minimised by a finite Newton method (Keerthi, DeCoste, "A modified finite Newton method for fast
solution of large scale linear SVMs", JMLR 2005). The hinge is not smooth. An augmented Lagrangian makes it so without
changing the solution (the proximal point method on the dual; Li, Sun, Toh, "A highly efficient semismooth Newton
augmented Lagrangian method for solving lasso problems", SIAM J. Optim. 2018): around multipliers α⁰, with m = 1 − y f
and δ > 0, minimise

    φ(w) = ½|w|² + Σ a (m + δ α⁰) − (e + δ) a²/2,    a = clip((m + δ α⁰) / (e + δ), 0, U),

then take a as the new α⁰. The squared hinge is the case δ = 0, e = 1/2C, U = ∞, of which one minimisation is enough.
Each a is feasible for the dual, and w_a = X'(y a) is part of the gradient, w − w_a, so that every step gives the
duality gap. Newton's system, I + X' diag(0 < a < U)/(e + δ) X, is solved by conjugate gradients, preconditioned by
I + ρ X'X with each problem's own ρ, for which one eigendecomposition serves all problems and values of C. A product
with the rows serves all problems at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from offshelf.memo import once
from offshelf.svm.monitor import Finished, check_stop
from offshelf.svm.solver.problem import EXACT_ROWS, Problems, RegularizationPath, Solution, balance, relative_gap
from offshelf.svm.solver.rows import Rows

GROUP_VALUES = 1 << 28
"""Most decision values (rows x problems) held at a time."""
NEWTON_STEPS = 400
"""Most Newton steps at one C."""
EXACT_GAP, POLISHING_STEPS = 1e-14, 40
"""Gap that is aimed at where problems are solved to rounding error, and most Newton steps that are added for it."""
FIRST_WIDTH, WIDTH_DECREASE, LEAST_WIDTH = 0.5, 3.0, 1e-4
"""Width of the smoothed corner of the hinge, in margins: at first, its divisor at each new α⁰, and the least."""
CG_STEPS, CG_ACCURACY = 60, 0.1
"""Most conjugate gradient steps for a Newton step, and the factor by which they reduce the residual."""
UPDATE_GRADIENT = 0.3
"""Length of the gradient, in roots of the gap, at which the multipliers are updated."""
ROUNDING = 1e-12
"""Rounding error of a sum of weights, as a share of it."""
BISECTIONS = 14
"""Bisections of the line search."""
SINGLE_THREAD_PRODUCT = 1 << 24
"""Most multiplications in a product with the rows for which one thread is faster: threads wait for each other, for
milliseconds if the cores are busy."""


def solve_path(rows: Rows, problems: Problems, Cs: Sequence[float], tol: float) -> RegularizationPath:
    """Solve all problems at each C, tasks in groups that fit into memory.

    Args:
        rows: The training rows.
        problems: All of them.
        Cs: In ascending order.
        tol: Largest relative duality gap.

    Yields:
        Which tasks, and their solution at one C.
    """
    identity = ("eigen", rows.source, rows.intercept, rows.device)
    eigen = once(lambda: rows.eigen, *identity)
    for chosen in problems.groups(GROUP_VALUES):
        path = PrimalPath(rows, eigen, problems.tasks(chosen), tol)
        for C in Cs:
            with _threads(rows.count * rows.dims * path.w.shape[1]):
                solution = path.solve(C)
            yield chosen, solution


@contextmanager
def _threads(multiplications: int) -> Iterator[None]:
    """Limit PyTorch to one thread for small products."""
    before = torch.get_num_threads()
    try:
        if multiplications <= SINGLE_THREAD_PRODUCT:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)


class PrimalPath:
    """The state of a path: w of all problems, the bias last, [D + 1, P], and the multipliers [R, P]; P = K V."""

    def __init__(self, rows: Rows, eigen: tuple[torch.Tensor, torch.Tensor], problems: Problems, tol: float) -> None:
        self.rows, self.problems, self.tol, self.eigen = rows, problems, tol, eigen
        self.is_squared = problems.loss == "squared_hinge"
        self.shape = problems.shape[1:]
        signs = np.repeat(problems.signs_RK[:, :], self.shape[1], axis=1)
        weights = problems.weights_RK[:, :, None] * problems.members_RV[:, None]
        weights = np.broadcast_to(weights, problems.shape).reshape(signs.shape) * (signs != 0)
        self.signs, self.weights = self._tensor(signs), self._tensor(weights)
        self.w = self._tensor(np.zeros((rows.dims, signs.shape[1])))
        self.alpha = torch.zeros_like(self.weights)
        self.penalised = self._tensor(np.ones((rows.dims, 1)))
        """1 for the weights and a penalised bias, 0 for a free bias."""
        self.penalised[-1] = problems.bias != "free"
        self.C = 0.0

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.rows.device, self.rows.dtype)

    def solve(self, C: float) -> Solution:
        """Continue to a larger C: reduce the gaps of all problems, then certify them in float64."""
        C, asked = C * self.rows.scale**2, C
        self.alpha *= C / self.C if self.C else 1.0
        self.C, tol = C, self.tol / 2
        self.finished = Finished()
        for _ in range(3):
            self._minimise(tol)
            if self.rows.count <= EXACT_ROWS:
                self._minimise(EXACT_GAP, POLISHING_STEPS)
            gap, decisions = self._certify()
            if (gap <= self.tol).all():
                break
            tol /= 10
        full = self.w.double().cpu().numpy().reshape(-1, *self.shape)[..., -1].copy()  # w goes on to the next C

        def model() -> tuple[np.ndarray, np.ndarray]:
            return full[:-1] / self.rows.scale, full[-1] * self.rows.intercept

        values = decisions.reshape(-1, *self.shape)
        return Solution(asked, lambda rows, variant: values[rows, :, variant], gap.reshape(self.shape), model)

    def _minimise(self, tol: float, steps: int = NEWTON_STEPS) -> None:
        """Take Newton steps on all problems until their gaps are at most `tol`, relative."""
        todo = torch.arange(self.w.shape[1], device=self.rows.device)
        width = torch.full((len(todo),), FIRST_WIDTH, dtype=self.rows.dtype, device=self.rows.device)
        f = self.rows.times(self.w)
        for _ in range(steps):
            smoothed = _SmoothedProblems(self, todo, width)
            a, gradient, primal, dual = smoothed.evaluate(self.w[:, todo], f)
            is_open = primal - dual > tol * primal
            self.finished.at(self.w.shape[1] - int(is_open.sum()))
            self.alpha[:, todo] = torch.where(is_open, self.alpha[:, todo], a)
            if not is_open.any():
                break
            solved = gradient.norm(dim=0) < UPDATE_GRADIENT * (primal - dual).clamp_min(0).sqrt()
            if not self.is_squared and solved.any():
                self.alpha[:, todo[solved]] = a[:, solved]
                width = torch.where(solved, (width / WIDTH_DECREASE).clamp_min(LEAST_WIDTH), width)
            todo, width, f, gradient = todo[is_open], width[is_open], f[:, is_open], gradient[:, is_open]
            smoothed = _SmoothedProblems(self, todo, width)
            w = self.w[:, todo]
            gradient = smoothed.evaluate(w, f)[1] if not self.is_squared and solved.any() else gradient
            direction = smoothed.newton_direction(f, gradient)
            along = self.rows.times(direction)
            step = smoothed.line_search(w, f, direction, along)
            self.w[:, todo] = w + step * direction
            f = f + step * along

    def _certify(self) -> tuple[np.ndarray, np.ndarray]:
        """Return gaps [P] and decision values [R, P], from float64 products."""
        signs, caps = self.signs.double().cpu().numpy(), self.C * self.weights.double().cpu().numpy()
        w, penalised = self.w.double().cpu().numpy(), self.penalised.double().cpu().numpy()
        decisions = self.rows.exact_decision_values(w)
        if self.problems.bias == "free":
            shift = _best_bias(signs, caps, decisions, self.is_squared)
            decisions, w[-1] = decisions + shift, w[-1] + shift / self.rows.intercept
            self.w = self._tensor(w)
        slack = np.maximum(1 - signs * decisions, 0)
        losses = caps * (slack * slack if self.is_squared else slack)
        alpha = 2 * caps * slack if self.is_squared else self.alpha.double().cpu().numpy().clip(0, caps)
        beta = signs * alpha
        if self.problems.bias == "free":
            balance(beta, 0)
        combined = self.rows.exact_combination(beta)
        dual = (signs * beta).sum(axis=0) - (penalised * combined**2).sum(axis=0) / 2
        if self.is_squared:
            dual -= np.divide(beta * beta, 4 * caps, out=np.zeros_like(beta), where=caps > 0).sum(axis=0)
        primal = (penalised * w * w).sum(axis=0) / 2 + losses.sum(axis=0)
        return relative_gap(primal, dual), decisions


def _best_bias(signs: np.ndarray, caps: np.ndarray, decisions: np.ndarray, is_squared: bool) -> np.ndarray:
    """Return the correction of the bias with the least losses, [P]: where their derivative changes sign, by bisection.

    If it is 0 on an interval (hinge, with equal weights on both sides), this is the middle, as in libsvm.
    """
    corners, ends = np.where(caps > 0, signs - decisions, 0), []
    for flat in (-ROUNDING * caps.sum(axis=0), ROUNDING * caps.sum(axis=0)):
        low, high = corners.min(axis=0), corners.max(axis=0)
        for _ in range(60):
            check_stop()
            middle = (low + high) / 2
            slack = 1 - signs * (decisions + middle)
            pull = (signs * caps * (2 * np.maximum(slack, 0) if is_squared else slack > 0)).sum(axis=0)
            low, high = np.where(pull > flat, middle, low), np.where(pull > flat, high, middle)
        ends.append((low + high) / 2)
    result: np.ndarray = (ends[0] + ends[1]) / 2
    return result


class _SmoothedProblems:
    """The smoothed objectives φ of some problems."""

    def __init__(self, path: PrimalPath, todo: torch.Tensor, width: torch.Tensor) -> None:
        self.path, self.rows = path, path.rows
        self.signs, self.caps = path.signs[:, todo], path.C * path.weights[:, todo]
        self.anchor = torch.zeros_like(self.caps) if path.is_squared else path.alpha[:, todo]
        self.rate = 2 * self.caps if path.is_squared else self.caps / width
        """1 / (e + δ): δ is such that a row crosses from 0 to U over the width."""
        self.upper = torch.full_like(self.caps, torch.inf) if path.is_squared else self.caps

    def evaluate(
        self, w: torch.Tensor, f: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return a, the gradient of φ, and the primal and dual objectives."""
        a = self._alpha(f)
        combined = self.rows.transposed_times(self.signs * a)
        penalised = self.path.penalised
        slack = (1 - self.signs * f).clamp_min(0)
        losses = slack * slack if self.path.is_squared else slack
        primal = (penalised * w * w).sum(dim=0) / 2 + (self.caps * losses).sum(dim=0)
        dual = a.sum(dim=0) - (penalised * combined * combined).sum(dim=0) / 2
        if self.path.is_squared:
            dual = dual - (a * losses.sqrt()).sum(dim=0) / 2
        # A free bias requires Σ ya = 0; a violation costs about its size times b and the distance to the optimal b.
        dual = dual - ((1 - penalised) * (w.abs() + 1) * combined.abs()).sum(dim=0)
        return a, penalised * w - combined, primal, dual

    def newton_direction(self, f: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Return the Newton direction by preconditioned conjugate gradients: [D + 1, P]."""
        t = self._unclipped(f)
        weights = self.rate * ((t > 0) & (t < self.upper))
        values, basis = self.path.eigen
        share = weights.mean(dim=0)
        divisor_PD = 1 + share[:, None] * values.clamp_min(0)
        # A free bias has no curvature without free rows: use one that moves decision values by at most a margin.
        flat = (1 - self.path.penalised) * torch.where(share > 0, 0.0, self.caps.sum(dim=0) * self.rows.intercept**2)
        curved = self.path.penalised + flat

        def precondition(residual: torch.Tensor) -> torch.Tensor:
            return ((residual.T @ basis / divisor_PD) @ basis.T).T  # few columns on the left: see Rows

        x, residual = torch.zeros_like(gradient), -gradient
        z = precondition(residual)
        p, rz = z.clone(), (residual * z).sum(dim=0)
        goal = CG_ACCURACY * residual.norm(dim=0)
        for _ in range(CG_STEPS):
            Hp = curved * p + self.rows.curvature(weights, p)
            size = rz / (p * Hp).sum(dim=0).clamp_min(1e-30)
            size = torch.where(residual.norm(dim=0) > goal, size, 0.0)
            x += size * p
            residual = residual - size * Hp
            if (residual.norm(dim=0) <= goal).all():
                break
            z = precondition(residual)
            rz, before = (residual * z).sum(dim=0), rz
            p = z + rz / before.clamp_min(1e-30) * p
        return x

    def line_search(
        self, w: torch.Tensor, f: torch.Tensor, direction: torch.Tensor, along: torch.Tensor
    ) -> torch.Tensor:
        """Return the step length: where the derivative of the convex φ along the direction vanishes, at most 1."""
        linear = (self.path.penalised * w * direction).sum(dim=0)
        square = (self.path.penalised * direction * direction).sum(dim=0)

        def slope(step: torch.Tensor) -> torch.Tensor:
            return linear + step * square - (self.signs * self._alpha(f + step * along) * along).sum(dim=0)

        low, high = torch.zeros_like(linear), torch.ones_like(linear)
        start, end = slope(low), slope(high)
        enough = end <= 0.1 * start.abs()
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            rises = slope(middle) > 0
            low, high = torch.where(rises, low, middle), torch.where(rises, middle, high)
            if enough.all():
                break
        return torch.where(enough, 1.0, (low + high) / 2)

    def _unclipped(self, f: torch.Tensor) -> torch.Tensor:
        return self.rate * (1 - self.signs * f) + self.anchor

    def _alpha(self, f: torch.Tensor) -> torch.Tensor:
        return torch.minimum(self._unclipped(f).clamp_min(0), self.upper)
