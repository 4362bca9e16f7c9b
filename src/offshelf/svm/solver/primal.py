"""The primal solver: Newton's method for many problems in lock-step, for far more rows than dimensions.

The hinge is not smooth. An augmented Lagrangian makes it so without changing the solution (the proximal point method on
the dual; Li, Sun, Toh, SIAM J. Optim. 2018): around multipliers α⁰, with m = 1 − y f and δ > 0, minimise

    φ(w) = ½|w|² + Σ a (m + δ α⁰) − (e + δ) a²/2,    a = clip((m + δ α⁰) / (e + δ), 0, U),

then take a as the new α⁰. The squared hinge is the case δ = 0, e = 1/2C, U = ∞, of which one minimisation is enough.
Each a is feasible for the dual, and w_a = X'(y a) falls out of the gradient, w − w_a, so that every step comes with the
gap. Newton's system, I + X' diag(0 < a < U)/(e + δ) X, is solved by conjugate gradients, preconditioned by I + ρ X'X
with each problem's own ρ, which one eigendecomposition serves for all problems and values of C. A product with the
rows serves all problems at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from offshelf.memo import once
from offshelf.svm.solver.problem import COMPACT, Problems, Solution, balance, relative_gap
from offshelf.svm.solver.rows import Rows

WIDTH = 1 << 28
"""Decision values (rows x problems) held at a time."""
STEPS = 400
"""Newton steps at one C, at most."""
EXACT, POLISHING = 1e-14, 40
"""The gap that is aimed at where it is to be rounding error, and the steps that it may take more."""
WIDE, NARROWING = 0.5, 3.0
"""Width of the smoothed corner of the hinge, in margins, at first; and by what it shrinks with each new α⁰."""
NARROW = 1e-4
"""Its least width."""
GRADIENTS, ACCURACY = 60, 0.1
"""Conjugate gradient steps for a Newton step, at most; and how far they reduce the residual."""
SOLVED = 0.3
"""Length of the gradient, in roots of the gap, at which new multipliers are taken."""
ROUNDING = 1e-12
"""Share of all weight that a sum of weights may be off by."""
SEARCHES = 14
"""Halvings along a step."""
LIGHT = 1 << 24
"""Multiplications in a product with the rows up to which one thread is faster: threads wait for each other, and where
the cores are busy, for milliseconds."""


def walk(rows: Rows, problems: Problems, Cs: Sequence[float], tol: float) -> Iterator[tuple[slice, Solution]]:
    """Solve all problems at each C, upwards, tasks in groups that fit into memory; see `dual.walk`."""
    identity = ("eigen", rows.source, rows.intercept, rows.device)
    eigen = once(lambda: rows.eigen, *identity)
    for chosen in problems.groups(WIDTH):
        path = _Path(rows, eigen, problems.tasks(chosen), tol)
        for C in sorted(Cs):
            with _threads(rows.count * rows.dims * path.w.shape[1]):
                solution = path.solve(C)
            yield chosen, solution


@contextmanager
def _threads(multiplications: int) -> Iterator[None]:
    """One, for light work."""
    before = torch.get_num_threads()
    try:
        if multiplications <= LIGHT:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)


class _Path:
    """The state of a walk: w of all problems, the bias last, [D + 1, P], and the multipliers [R, P]; P = K V."""

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
        """1 for weights, 0 for a free bias."""
        self.penalised[-1] = problems.bias != "free"
        self.C = 0.0

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.rows.device, self.rows.dtype)

    def solve(self, C: float) -> Solution:
        """Go on to another C: all problems until their gaps are small, then a certificate in float64."""
        C, asked = C * self.rows.scale**2, C
        self.alpha *= C / self.C if self.C else 1.0
        self.C, tol = C, self.tol / 2
        for _ in range(3):
            self._minimise(tol)
            if self.rows.count <= COMPACT:
                self._minimise(EXACT, POLISHING)
            gap, decisions = self._certify()
            if (gap <= self.tol).all():
                break
            tol /= 10
        whole = self.w.double().cpu().numpy().reshape(-1, *self.shape)[..., -1].copy()  # w goes on to the next C

        def model() -> tuple[np.ndarray, np.ndarray]:
            return whole[:-1] / self.rows.scale, whole[-1] * self.rows.intercept

        values = decisions.reshape(-1, *self.shape)
        return Solution(asked, lambda rows, variant: values[rows, :, variant], gap.reshape(self.shape), model)

    def _minimise(self, tol: float, steps: int = STEPS) -> None:
        """Newton steps; problems whose gap is small are left alone."""
        todo = torch.arange(self.w.shape[1], device=self.rows.device)
        width = torch.full((len(todo),), WIDE, dtype=self.rows.dtype, device=self.rows.device)
        f = self.rows.times(self.w)
        for _ in range(steps):
            part = _Part(self, todo, width)
            a, gradient, primal, dual = part.evaluate(self.w[:, todo], f)
            is_open = primal - dual > tol * primal
            self.alpha[:, todo] = torch.where(is_open, self.alpha[:, todo], a)
            if not is_open.any():
                break
            solved = gradient.norm(dim=0) < SOLVED * (primal - dual).clamp_min(0).sqrt()
            if not self.is_squared and solved.any():
                self.alpha[:, todo[solved]] = a[:, solved]
                width = torch.where(solved, (width / NARROWING).clamp_min(NARROW), width)
            todo, width, f, gradient = todo[is_open], width[is_open], f[:, is_open], gradient[:, is_open]
            part = _Part(self, todo, width)
            w = self.w[:, todo]
            gradient = part.evaluate(w, f)[1] if not self.is_squared and solved.any() else gradient
            direction = part.newton(f, gradient)
            along = self.rows.times(direction)
            step = part.search(w, f, direction, along)
            self.w[:, todo] = w + step * direction
            f = f + step * along

    def _certify(self) -> tuple[np.ndarray, np.ndarray]:
        """Gaps, [P], and decision values, [R, P], in float64."""
        signs, caps = self.signs.double().cpu().numpy(), self.C * self.weights.double().cpu().numpy()
        w, penalised = self.w.double().cpu().numpy(), self.penalised.double().cpu().numpy()
        decisions = self.rows.decide_exactly(w)
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
        combined = self.rows.combine_exactly(beta)
        dual = (signs * beta).sum(axis=0) - (penalised * combined**2).sum(axis=0) / 2
        if self.is_squared:
            dual -= np.divide(beta * beta, 4 * caps, out=np.zeros_like(beta), where=caps > 0).sum(axis=0)
        primal = (penalised * w * w).sum(axis=0) / 2 + losses.sum(axis=0)
        return relative_gap(primal, dual), decisions


def _best_bias(signs: np.ndarray, caps: np.ndarray, decisions: np.ndarray, is_squared: bool) -> np.ndarray:
    """What to add to the bias for the least losses, [P]: where their derivative changes sign, by halving.

    Where it is 0 on an interval (hinge, and as much weight on one side as on the other), its middle, as in libsvm.
    """
    corners, ends = np.where(caps > 0, signs - decisions, 0), []
    for flat in (-ROUNDING * caps.sum(axis=0), ROUNDING * caps.sum(axis=0)):
        low, high = corners.min(axis=0), corners.max(axis=0)
        for _ in range(60):
            middle = (low + high) / 2
            slack = 1 - signs * (decisions + middle)
            pull = (signs * caps * (2 * np.maximum(slack, 0) if is_squared else slack > 0)).sum(axis=0)
            low, high = np.where(pull > flat, middle, low), np.where(pull > flat, high, middle)
        ends.append((low + high) / 2)
    result: np.ndarray = (ends[0] + ends[1]) / 2
    return result


class _Part:
    """The smoothed problems of some columns."""

    def __init__(self, path: _Path, todo: torch.Tensor, width: torch.Tensor) -> None:
        self.path, self.rows = path, path.rows
        self.signs, self.caps = path.signs[:, todo], path.C * path.weights[:, todo]
        self.anchor = torch.zeros_like(self.caps) if path.is_squared else path.alpha[:, todo]
        self.rate = 2 * self.caps if path.is_squared else self.caps / width
        """1 / (e + δ): δ is such that a row crosses from 0 to U over the width."""
        self.upper = torch.full_like(self.caps, torch.inf) if path.is_squared else self.caps

    def evaluate(
        self, w: torch.Tensor, f: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """a, the gradient of φ, and the primal and dual objectives."""
        a, combined = self._alpha(f), None
        combined = self.rows.transposed_times(self.signs * a)
        penalised = self.path.penalised
        slack = (1 - self.signs * f).clamp_min(0)
        losses = slack * slack if self.path.is_squared else slack
        primal = (penalised * w * w).sum(dim=0) / 2 + (self.caps * losses).sum(dim=0)
        dual = a.sum(dim=0) - (penalised * combined * combined).sum(dim=0) / 2
        if self.path.is_squared:
            dual = dual - (a * losses.sqrt()).sum(dim=0) / 2
        # A free bias wants Σ ya = 0; what is missing costs about that, times b and the distance b has to go.
        dual = dual - ((1 - penalised) * (w.abs() + 1) * combined.abs()).sum(dim=0)
        return a, penalised * w - combined, primal, dual

    def newton(self, f: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """The Newton direction by preconditioned conjugate gradients, [D + 1, P]."""
        t = self._unclipped(f)
        weights = self.rate * ((t > 0) & (t < self.upper))
        values, basis = self.path.eigen
        share = weights.mean(dim=0)
        divisor_PD = 1 + share[:, None] * values.clamp_min(0)
        # A free bias has no curvature where no row is free: one that moves decision values by at most a margin.
        flat = (1 - self.path.penalised) * torch.where(share > 0, 0.0, self.caps.sum(dim=0) * self.rows.intercept**2)
        curved = self.path.penalised + flat

        def precondition(residual: torch.Tensor) -> torch.Tensor:
            return ((residual.T @ basis / divisor_PD) @ basis.T).T  # see Rows: few columns stand on the left

        x, residual = torch.zeros_like(gradient), -gradient
        z = precondition(residual)
        p, rz = z.clone(), (residual * z).sum(dim=0)
        goal = ACCURACY * residual.norm(dim=0)
        for _ in range(GRADIENTS):
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

    def search(self, w: torch.Tensor, f: torch.Tensor, direction: torch.Tensor, along: torch.Tensor) -> torch.Tensor:
        """How far to go: where the derivative of the convex φ along the direction vanishes, or all the way."""
        linear = (self.path.penalised * w * direction).sum(dim=0)
        square = (self.path.penalised * direction * direction).sum(dim=0)

        def slope(step: torch.Tensor) -> torch.Tensor:
            return linear + step * square - (self.signs * self._alpha(f + step * along) * along).sum(dim=0)

        low, high = torch.zeros_like(linear), torch.ones_like(linear)
        start, end = slope(low), slope(high)
        enough = end <= 0.1 * start.abs()
        for _ in range(SEARCHES):
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
