"""Logistic regression by offshelf and by scikit-learn, each to the same duality gap, in one run on one core.

`python benchmark/logistic.py cub`, `voc`, `views`, `single` or `disk`. scikit-learn's fits are a sample, spread evenly
over values of C and folds. Each is repeated with ever smaller tolerances until its gap, from `relative_gap`, is small
enough: the time of that fit alone counts, and of its solvers the fastest. Times are those of the processor, so that a
busy machine matters little. `--scale 4` divides rows, dimensions and classes by 4.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import machine, table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold
from synthetic import multi_label, on_disk, single_label
from synthetic import views as near_duplicates
from threadpoolctl import threadpool_limits

from offshelf.logistic.solver import Problems, relative_gap, solve

CS = tuple(0.01 * 4.0**step for step in range(10))
TOL = 1e-4
TOLERANCES = tuple(10.0**-power for power in range(3, 12))
SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky")
CHOLESKY_SIZE = 2_000
"""Most columns x dimensions for which newton-cholesky is tried."""


def problems_of(labels: np.ndarray, folds: int) -> Problems:
    """Class numbers [R] are one multinomial task, an indicator matrix [R, K] is K binary ones."""
    several = labels.ndim == 2
    members = np.ones((len(labels), folds + 1), bool)
    if folds:
        splits = (KFold if several else StratifiedKFold)(folds, shuffle=True, random_state=0).split(labels, labels)
        for fold, (_, test) in enumerate(splits):
            members[test, fold] = False
    signs = np.where(labels, 1, -1).astype(np.int8) if several else labels
    return Problems(signs, 1 if several else int(labels.max()) + 1, members, np.ones((len(labels), 1)), "free")


def ours(rows: np.ndarray, problems: Problems, Cs: tuple[float, ...]) -> float:
    """Print what the solve of all problems took; seconds a problem."""
    start, passes, gaps = time.process_time(), [], []
    for _, solution in solve(rows, problems, Cs, TOL):
        passes.append(solution.passes_KV.ravel())
        gaps.append(float(solution.gap_KV.max()))
        each = f"{np.mean(passes[-1]):.1f} passes a problem, {np.mean(solution.passes_KV[:, -1]):.1f} of the full fit"
        print(f"  C {solution.C:9.2f}: {each}; {time.process_time() - start:.1f} s", flush=True)
    seconds, every = time.process_time() - start, np.concatenate(passes)
    print(f"offshelf: {len(every):,} problems, {seconds:.1f} s, largest gap {max(gaps):.1e}")
    print(f"passes a problem: median {np.median(every):.1f}, mean {every.mean():.1f}, most {every.max():.1f}\n")
    return seconds / len(every)


def theirs(solver: str, rows: np.ndarray, labels: np.ndarray, C: float, first: float) -> tuple[float, float, float]:
    """Seconds, gap and tolerance of the first fit, from tolerance `first` on, whose gap is small enough."""
    is_binary = len(np.unique(labels)) == 2
    given = np.where(labels, 1, -1).astype(np.int8)[:, None] if is_binary else labels
    problem = Problems(given, 1 if is_binary else int(labels.max()) + 1, np.ones((len(rows), 1), bool),
                       np.ones((len(rows), 1)), "free")  # fmt: skip
    for tol in (each for each in TOLERANCES if each <= first):
        start = time.process_time()
        model = LogisticRegression(C=C, tol=tol, solver=solver, max_iter=20_000).fit(rows, labels)
        seconds = time.process_time() - start
        shape = (1, len(model.coef_), -1)
        weights = model.coef_.astype(np.float64).reshape(shape)
        gap = relative_gap(rows, problem, (weights, model.intercept_.astype(np.float64).reshape(shape[:2])), C)
        if gap <= TOL:
            return seconds, gap, tol
    return seconds, gap, tol


def compare(
    rows: np.ndarray, labels: np.ndarray, folds: int, Cs: tuple[float, ...], options: argparse.Namespace
) -> None:
    problems = problems_of(labels, folds)
    each = ours(rows, problems, Cs)
    sample = np.linspace(0, len(Cs) - 1, options.fits).round().astype(int)
    lines, best, at_least = [], [], dict.fromkeys(SOLVERS, TOLERANCES[0])
    for number, at in enumerate(sample):
        fold, task = number % (folds + 1), number * 7 % problems.tasks
        kept = problems.members_RV[:, fold]
        chosen = labels[kept] if labels.ndim == 1 else labels[kept, task].astype(int)
        size = rows.shape[1] * (problems.classes if labels.ndim == 1 else 1)
        solvers = [one for one in options.solvers.split(",") if one != "newton-cholesky" or size <= CHOLESKY_SIZE]
        found = {solver: theirs(solver, rows[kept], chosen, Cs[at], at_least[solver]) for solver in solvers}
        at_least |= {solver: tol for solver, (_, _, tol) in found.items()}  # larger C need smaller ones
        best.append(min(seconds for seconds, _, _ in found.values()))
        for solver, (seconds, gap, tol) in found.items():
            lines.append([f"{Cs[at]:.2f}", solver, f"{tol:g}", f"{gap:.1e}", f"{seconds:.2f}", f"{seconds / each:.1f}"])
    table(["C", "solver", "its tol", "gap", "s a fit", "x the mean time of offshelf"], lines)
    print(f"the fastest solver of each of {len(sample)} fits: {np.mean(best) / each:.1f} x the time of offshelf\n")


def cub(options: argparse.Namespace) -> None:
    rows, labels = single_label(5994 // options.scale, 2048 // options.scale, 200 // options.scale)
    compare(rows, labels, 5, CS, options)


def voc(options: argparse.Namespace) -> None:
    rows, labels = multi_label(5011 // options.scale, 4096 // options.scale)
    compare(rows, labels, 5, CS, options)


def views(options: argparse.Namespace) -> None:
    rows, labels = single_label(5011 // options.scale, 4096 // options.scale, 20)
    compare(near_duplicates(rows, 16), np.repeat(labels, 16), 0, CS[::2], options)


def single(options: argparse.Namespace) -> None:
    rows, labels = single_label(5994 // options.scale, 2048 // options.scale, 200 // options.scale)
    for C in (CS[3], CS[6]):
        compare(rows, labels, 0, (C,), options)


def disk(options: argparse.Namespace) -> None:
    """Peak memory beside the file, and passes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        labels = on_disk(path, 200_000 // options.scale, 1024, max(2, 1000 // options.scale))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ours(np.load(path, mmap_mode="r"), problems_of(labels, 0), CS[:10:2])
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory {after / 2**20:.2f} GiB, of the file's pages too; {before / 2**20:.2f} GiB before")


def main() -> None:
    works = {work.__name__: work for work in (cub, voc, views, single, disk)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=works)
    parser.add_argument("--scale", type=int, default=1, help="divisor of rows, dimensions and classes")
    parser.add_argument("--fits", type=int, default=10, help="number of fits of scikit-learn")
    parser.add_argument("--solvers", default=",".join(SOLVERS), help="scikit-learn's")
    options = parser.parse_args()
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    print(machine(), "\n")
    with threadpool_limits(1):
        works[options.work](options)


if __name__ == "__main__":
    main()
