"""One fit of `svm_map.py`: seconds, memory, gap and accuracy. As a program, of another build: the same as JSON."""

import json
import resource
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from svm_map_cells import FOLDS, GRID_CS, Cell, data

PEERS = ("LinearSVC", "LinearSVC primal", "OneVsOne", "SVC")


def problem_of(side: str, cell: Cell) -> Cell | None:
    """Return the problem that a contestant solves in place of a cell's; None if it is not for it."""
    bias = "penalised" if cell.bias == "free" else cell.bias
    if side == "ours":
        return cell
    if side.startswith("LinearSVC"):
        is_possible = cell.loss == "squared_hinge" or side == "LinearSVC"
        return _with(cell, multiclass="ovr", bias=bias) if is_possible else None
    if cell.multiclass == "ovr" and cell.classes > 100:
        return None  # thousands of pairs in place of a few problems
    if side == "OneVsOne":
        return _with(cell, multiclass="ovo", bias=bias) if cell.classes > 2 else None
    return _with(cell, multiclass="ovo", loss="hinge", bias="free")


def _with(cell: Cell, **changed: Any) -> Cell:
    made = Cell(**{**cell.to_dict(), **changed})
    return Cell(**{**made.to_dict(), "multiclass": "ovr"}) if cell.classes == 2 else made


def is_same(cell: Cell, problem: Cell) -> bool:
    """Return whether two problems have the same solution."""
    return _with(cell) == _with(problem)


def estimator(side: str, cell: Cell, tol: float | None, grid: bool) -> Any:
    """Return the unfitted estimator; None as the tolerance is its default."""
    if side == "ours":
        return _ours(cell, tol, grid)
    from sklearn.multiclass import OneVsOneClassifier
    from sklearn.svm import SVC, LinearSVC

    stop = {} if tol is None else {"tol": tol}
    if side == "SVC":
        return SVC(C=cell.C, kernel="linear", cache_size=1000, **stop)
    is_dual = cell.loss == "hinge" or side != "LinearSVC primal"
    settings = {"loss": cell.loss, "dual": is_dual, "fit_intercept": cell.bias != "none", "random_state": 0}
    machine = LinearSVC(C=cell.C, **settings, **stop)
    return OneVsOneClassifier(machine, n_jobs=1) if side == "OneVsOne" else machine


def _ours(cell: Cell, tol: float | None, grid: bool) -> Any:
    try:
        from offshelf import svm as ours
    except ImportError:  # where an earlier release has it
        from offshelf import classifier as ours
    settings: dict[str, Any] = {"multiclass": cell.multiclass, "loss": cell.loss, "bias": cell.bias}
    settings |= {} if tol is None else {"tol": tol}
    return ours.LinearSVMCV(GRID_CS, cv=FOLDS, **settings) if grid else ours.LinearSVM(cell.C, **settings)


def models(side: str, fitted: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return w [P, D] and b [P] of all binary problems, with the signs of `binary_problems`."""
    if side != "OneVsOne":
        return np.atleast_2d(fitted.coef_), np.broadcast_to(fitted.intercept_, len(fitted.coef_))
    parts = fitted.estimators_  # scikit-learn takes the second class as the positive one
    return -np.concatenate([one.coef_ for one in parts]), -np.array([np.ravel(one.intercept_)[0] for one in parts])


def binary_problems(y: np.ndarray, cell: Cell) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows and signs of each binary problem; of pairs the first class is positive, of two the second."""
    if cell.classes == 2:
        yield np.arange(len(y)), np.where(y == 1, 1.0, -1.0)
    elif cell.multiclass == "ovr":
        for number in range(cell.classes):
            yield np.arange(len(y)), np.where(y == number, 1.0, -1.0)
    else:
        for first, second in zip(*np.triu_indices(cell.classes, 1), strict=True):
            rows = np.flatnonzero((y == first) | (y == second))
            yield rows, np.where(y[rows] == first, 1.0, -1.0)


def objectives(
    X: np.ndarray, y: np.ndarray, cell: Cell, model: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the primal objectives [P], and a bound from below by the α that the slacks give under the squared hinge.

    Float64; the bias is penalised with intercept_scaling 1, free, or none. For the hinge the bound is -inf.
    """
    primal, dual = [], []
    is_penalised, is_squared = cell.bias == "penalised", cell.loss == "squared_hinge"
    for (rows, signs), w, b in zip(binary_problems(y, cell), *model, strict=True):
        part = X if len(rows) == len(X) else X[rows]
        slack = np.maximum(1 - signs * (part @ w + b), 0)
        losses = cell.C * (slack @ slack if is_squared else slack.sum())
        primal.append((w @ w + is_penalised * b * b) / 2 + losses)
        dual.append(_dual_of_slacks(part, signs, slack, cell) if is_squared else -np.inf)
    return np.array(primal), np.array(dual)


def _dual_of_slacks(X: np.ndarray, signs: np.ndarray, slack: np.ndarray, cell: Cell) -> float:
    alpha = 2 * cell.C * slack
    if cell.bias == "free":
        sums = [alpha[signs > 0].sum(), alpha[signs < 0].sum()]
        for sign, own in zip((1, -1), sums, strict=True):
            alpha[signs == sign] *= min(sums) / own if own else 0.0
    beta = signs * alpha
    w, b = beta @ X, beta.sum() * (cell.bias == "penalised")
    return float(alpha.sum() - (w @ w + b * b) / 2 - alpha @ alpha / (4 * cell.C))


def dual_of_svc(fitted: Any, classes: int) -> np.ndarray:
    """Return the dual objectives [P] of libsvm's α, which are feasible."""
    starts = np.concatenate([[0], np.cumsum(fitted.n_support_)])
    pairs = zip(*np.triu_indices(classes, 1), strict=True) if classes > 2 else [(0, 1)]
    sums = [
        np.abs(fitted.dual_coef_[j - 1, starts[i] : starts[i + 1]]).sum()
        + np.abs(fitted.dual_coef_[i, starts[j] : starts[j + 1]]).sum()
        for i, j in pairs
    ]
    return np.array(sums) - np.square(fitted.coef_).sum(axis=1) / 2


def relative_gap(primal: np.ndarray, dual: np.ndarray) -> float:
    """Return the largest relative gap; infinite where nothing is known."""
    return float(np.max(np.maximum(primal - dual, 0) / np.maximum(primal, 1e-300)))


@lru_cache(maxsize=1)
def rows_of(problem: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the data of a problem, which its settings do not change; the last ones are kept."""
    return data(problem)


def prepare(problem: Cell) -> None:
    """Make the data of a problem and import all contestants, so that forked processes have both."""
    rows_of(neutral(problem))
    for side in ("ours", *PEERS):
        estimator(side, neutral(problem), None, False)


def neutral(problem: Cell) -> Cell:
    """Return the problem of the same data whose settings are always the same."""
    return replace(problem, C=1.0, multiclass="ovr", loss="squared_hinge", bias="penalised")


def measure(asked: dict[str, Any]) -> dict[str, Any]:
    """Fit once, after a small fit that warms up what is needed, and return what it took."""
    side, cell, tol, grid = asked["side"], Cell(**asked["cell"]), asked["tol"], asked["grid"]
    X, y, test_X, test_y = rows_of(neutral(cell))
    given = X if side == "ours" else X.astype(np.float64)  # what scikit-learn would convert it to, given for free
    warnings.simplefilter("ignore")
    made = estimator(side, cell, tol, grid)
    small = np.flatnonzero(y < 2)[:40]
    estimator(side, cell, tol, False).fit(given[small], y[small])
    before = _memory("VmRSS")
    _reset_peak()
    signal.setitimer(signal.ITIMER_REAL, asked["limit"])  # ends this process, whatever it is doing
    wall, busy = time.perf_counter(), time.process_time()
    made.fit(given, y)
    signal.setitimer(signal.ITIMER_REAL, 0)
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - busy}
    found["memory_mb"] = (_memory("VmHWM") - before) / 1024
    found["accuracy"] = float(np.mean(made.predict(test_X.astype(given.dtype)) == test_y))
    if side == "ours" and hasattr(made, "method_"):
        found["method"] = made.method_
    if not grid:
        found["gap"] = _gap(side, cell, made, (X.astype(np.float64), y), Path(asked["bounds"]))
    return found


def _gap(side: str, cell: Cell, made: Any, rows: tuple[np.ndarray, np.ndarray], bounds: Path) -> float:
    """Return the largest relative gap; ours are kept as bounds for whoever solves the same problem."""
    primal, dual = objectives(*rows, cell, models(side, made))
    if side == "ours":
        certified = primal * (1 - made.dual_gap_)
        if not bounds.exists() and np.max(made.dual_gap_) < 1e-3:
            np.save(bounds, certified)
        return float(np.max(made.dual_gap_))
    if side == "SVC":
        dual = np.maximum(dual, dual_of_svc(made, cell.classes))
    if bounds.exists():
        dual = np.maximum(dual, np.load(bounds))
    return relative_gap(primal, dual)


def _memory(what: str) -> int:
    """Return a line of /proc/self/status in kB; elsewhere than on Linux the peak."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(what))


def _reset_peak() -> None:
    with suppress(OSError):  # the peak then includes that of making the data
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
