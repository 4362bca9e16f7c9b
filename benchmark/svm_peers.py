"""What the SVM solver is compared with, fit by fit; and certificates in float64 that are not the solver's own."""

import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC

from offshelf.svm.solver import Problems, Solution, path_dual, path_primal
from offshelf.svm.solver.problem import relative_gap

MAX_ITER = 1000
"""scikit-learn's."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Binary problems: classes x Cs x variants (folds, and the whole as the last)."""

    rows: np.ndarray
    """float32 [R, D]."""
    problems: Problems
    Cs: tuple[float, ...]

    @property
    def count(self) -> int:
        """Number of problems."""
        return len(self.Cs) * self.problems.shape[1] * self.problems.shape[2]

    @cached_property
    def doubles(self) -> np.ndarray:
        """What scikit-learn would convert the rows to, given for free."""
        return self.rows.astype(np.float64)

    @cached_property
    def products(self) -> np.ndarray:
        """The Gram matrix in float64, given for free."""
        return self.doubles @ self.doubles.T

    def sample(self, fits: int, seed: int = 0) -> list[tuple[int, int, int]]:
        """Numbers of (C, class, variant): each C, each class and each variant as often as the others."""
        random = np.random.default_rng(seed)
        sizes = (len(self.Cs), *self.problems.shape[1:])
        spread = [random.permutation(np.resize(random.permutation(size), fits)) for size in sizes]
        return [(int(C), int(task), int(variant)) for C, task, variant in zip(*spread, strict=True)]

    def tasks(self, start: int, count: int) -> "Grid":
        """Some of the classes, on the same rows."""
        part = Grid(self.rows, self.problems.tasks(slice(start, start + count)), self.Cs)
        part.__dict__["doubles"] = self.doubles
        return part

    def part(self, task: int, variant: int) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers and labels of one problem, at any C."""
        rows = np.flatnonzero(self.problems.members_RV[:, variant])
        return rows, self.problems.signs_RK[rows, task]


@dataclass(frozen=True, eq=False)
class Found:
    """A solution at one C of some classes."""

    beta_RKV: np.ndarray
    scale_KV: np.ndarray
    """What w = X'β is multiplied with for the primal point, ..."""
    model: tuple[np.ndarray, np.ndarray] | None = None
    """... or w [D, K] and b [K] of a single variant."""


@dataclass(eq=False)
class Peer:
    """A library's fit of one problem after another."""

    name: str
    settings: dict[str, Any]
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """CPU seconds, which what else runs on the machine changes less."""
    short: int = 0
    """Fits that hit the limit of iterations."""
    models: dict[tuple[int, int, int], tuple[np.ndarray, float]] = field(default_factory=dict)
    gaps: list[float] = field(default_factory=list)
    """Of libsvm: its own relative duality gap."""

    def time(self, grid: Grid, sample: Sequence[tuple[int, int, int]], threads: int) -> None:
        """Fit a sample; as many fits at once as there are threads, since each runs on one."""
        with ThreadPoolExecutor(threads) as pool:
            for spent in pool.map(lambda number: self._fit(grid, number) / threads, sample):
                self.seconds.append(spent)

    @property
    def mean(self) -> float:
        """Seconds a fit."""
        return float(np.mean(self.seconds))

    def _fit(self, grid: Grid, number: tuple[int, int, int]) -> float:
        C, (rows, y) = grid.Cs[number[0]], grid.part(*number[1:])
        kernel = self.settings.get("kernel") == "precomputed"
        whole = len(rows) == len(grid.rows)
        given = grid.products if kernel else grid.doubles
        given = given if whole else given[np.ix_(rows, rows)] if kernel else given[rows]
        model = (SVC if kernel else LinearSVC)(C=C, **self.settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            start, busy = time.perf_counter(), time.thread_time()
            model.fit(given, y)
            spent, busy = time.perf_counter() - start, time.thread_time() - busy
        self.cpu.append(busy)
        if kernel:
            beta = np.zeros(len(rows))
            beta[model.support_] = model.dual_coef_[0]
            decisions = given @ beta
            quadratic = beta @ decisions
            losses = C * np.maximum(1 - y * (decisions + model.intercept_), 0).sum()
            primal = quadratic / 2 + losses
            self.gaps.append(float((primal - (np.abs(beta).sum() - quadratic / 2)) / primal))
        else:
            self.short += int(np.max(model.n_iter_) >= model.max_iter)
            self.models[number] = (model.coef_[0], float(model.intercept_[0]))
        return spent


def liblinear(loss: str, tol: float = 1e-4, max_iter: int = MAX_ITER) -> list[Peer]:
    """LinearSVC; of the squared hinge both its algorithms."""
    settings = {"loss": loss, "tol": tol, "max_iter": max_iter, "random_state": 0}
    peers = [Peer("LinearSVC, dual", {**settings, "dual": True})]
    return peers if loss == "hinge" else [*peers, Peer("LinearSVC, primal", {**settings, "dual": False})]


def libsvm(tol: float = 1e-3) -> Peer:
    """SVC in a Gram matrix that it is given."""
    return Peer("SVC, precomputed", {"kernel": "precomputed", "tol": tol, "cache_size": 1000})


@contextmanager
def recorded() -> Iterator[dict[float, dict[int, Found]]]:
    """Dual variables β [R, K, V] of every solve, with the factor [K, V] of the primal point, by C and group of classes;
    for certificates, since a solution keeps only what its user needs. Of a group solved again, the last."""
    kept: dict[float, dict[int, Found]] = {}
    in_gram, in_rows = path_dual.DualPath._solution, path_primal.PrimalPath.solve

    def group_of(path: Any) -> int:
        return path.problems.signs_RK.ctypes.data  # each group's are a part of one array

    def of_gram(self: Any, C: float, primal_scale: np.ndarray, *rest: Any) -> Any:
        kept.setdefault(C, {})[group_of(self)] = Found(self.beta.transpose(2, 0, 1) / self.gram.scale**2, primal_scale)
        return in_gram(self, C, primal_scale, *rest)

    def of_rows(self: Any, C: float) -> Any:
        solution = in_rows(self, C)
        signs = self.signs.double().cpu().numpy().reshape(-1, *self.shape)
        if self.is_squared:  # the dual variables of the certificate follow from the slacks, at weights of 1
            beta = 2 * C * signs * np.maximum(1 - signs * every_decision(solution, self.problems), 0)
        else:
            beta = signs * self.alpha.double().cpu().numpy().reshape(signs.shape) / self.rows.scale**2
        kept.setdefault(C, {})[group_of(self)] = Found(beta, np.ones(self.shape), solution.model())
        return solution

    path_dual.DualPath._solution, path_primal.PrimalPath.solve = of_gram, of_rows
    try:
        yield kept
    finally:
        path_dual.DualPath._solution, path_primal.PrimalPath.solve = in_gram, in_rows


def every_decision(solution: Solution, problems: Problems) -> np.ndarray:
    """Of all rows, in all variants: [R, K, V]."""
    rows, _, variants = problems.shape
    return np.stack([solution.decisions(np.arange(rows), variant) for variant in range(variants)], axis=-1)


def certify(grid: Grid, C: float, found: Found) -> tuple[np.ndarray, np.ndarray]:
    """Relative gaps and dual objectives [K, V] from the definition, for a penalised bias: all in float64, on all rows.

    β is clipped into the bounds. Nothing of the solver is used.
    """
    beta_RKV, scale_KV = found.beta_RKV, found.scale_KV
    X, signs_RK1 = grid.doubles, grid.problems.signs_RK[:, :, None].astype(np.float64)
    members_R1V = grid.problems.members_RV[:, None]
    is_squared = grid.problems.loss == "squared_hinge"
    alpha = np.clip(signs_RK1 * beta_RKV, 0, None if is_squared else C) * members_R1V
    beta = (signs_RK1 * alpha).reshape(len(X), -1)
    w, b = X.T @ beta, beta.sum(axis=0)
    norm = ((w * w).sum(axis=0) + b * b).reshape(scale_KV.shape)
    point = norm
    if found.model:
        w, b = found.model
        point = ((w * w).sum(axis=0) + b * b).reshape(scale_KV.shape)
    decisions = scale_KV * (X @ w + b).reshape(beta_RKV.shape)
    slack = np.maximum(1 - signs_RK1 * decisions, 0) * members_R1V
    primal_KV = scale_KV**2 * point / 2 + C * (slack**2 if is_squared else slack).sum(axis=0)
    dual_KV = alpha.sum(axis=0) - norm / 2 - (np.square(alpha).sum(axis=0) / (4 * C) if is_squared else 0.0)
    return relative_gap(primal_KV, dual_KV), dual_KV


def objective(grid: Grid, number: tuple[int, int, int], model: tuple[np.ndarray, float]) -> float:
    """The primal objective of liblinear's w and b, float64."""
    (rows, y), (w, b) = grid.part(*number[1:]), model
    slack = np.maximum(1 - y * (grid.doubles[rows] @ w + b), 0)
    losses = slack if grid.problems.loss == "hinge" else slack**2
    return float((w @ w + b * b) / 2 + grid.Cs[number[0]] * losses.sum())
