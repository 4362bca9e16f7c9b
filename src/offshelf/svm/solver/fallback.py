"""A second method for the tasks that the first one does not bring to the tolerance.

In few dimensions at large C, problems of overlapping classes are so ill-conditioned in the dual that its steps make
little progress, and easy in the primal. For few rows far from the origin it is the primal that sometimes fails.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from offshelf.svm.monitor import hand_over, settle
from offshelf.svm.solver.path_dual import GROUP_VALUES
from offshelf.svm.solver.problem import Problems, RegularizationPath, Solution

SolveAgain = Callable[[np.ndarray, Sequence[float]], Iterator[tuple[np.ndarray, Iterator[Solution]]]]
"""Solve some tasks, by number, at some values of C: groups of the tasks, and the solutions of each group at each C."""


def regrouped(method: Callable[[Problems, Sequence[float]], RegularizationPath], problems: Problems) -> SolveAgain:
    """Return a function that applies a method to some of the tasks, in groups that no method divides further."""

    def solve_again(tasks: np.ndarray, Cs: Sequence[float]) -> Iterator[tuple[np.ndarray, Iterator[Solution]]]:
        theirs = problems.tasks(tasks)
        for part in theirs.groups(GROUP_VALUES):  # the smallest limit of all methods
            yield tasks[part], (solution for _, solution in method(theirs.tasks(part), Cs))

    return solve_again


def with_fallback(
    path: RegularizationPath, solve_again: SolveAgain, Cs: Sequence[float], tol: float, dropped_K: np.ndarray
) -> RegularizationPath:
    """Yield a path in which tasks above the tolerance are solved again, from the first C on at which they are.

    Args:
        path: All tasks in groups, each group at all values of C.
        solve_again: The other method.
        Cs: In ascending order.
        tol: Largest relative duality gap.
        dropped_K: bool, changed in place: tasks that `path` need not solve any more.
    """
    number, repeated = 0, list[tuple[np.ndarray, Iterator[Solution]]]()
    for chosen, solution in path:
        short = np.flatnonzero(~dropped_K[chosen] & ~(solution.gap_KV <= tol).all(axis=1))
        if len(short):
            dropped_K[chosen.start + short] = True
            repeated += solve_again(chosen.start + short, Cs[number:])
            hand_over(len(short), len(short) * solution.gap_KV.shape[1] * len(Cs[number:]))
        for tasks, solutions in repeated:
            other = next(solutions)
            settle(other.gap_KV.size)
            solution = _replaced(solution, tasks - chosen.start, other)
        yield chosen, solution
        number += 1
        if number == len(Cs):
            number, repeated = 0, []


def _replaced(solution: Solution, tasks: np.ndarray, other: Solution) -> Solution:
    """Return a solution with some of its tasks taken from another one, where that has smaller gaps."""
    is_better = other.gap_KV.max(axis=1) < solution.gap_KV[tasks].max(axis=1)
    of_other, tasks = np.flatnonzero(is_better), tasks[is_better]
    gap_KV = solution.gap_KV.copy()
    gap_KV[tasks] = other.gap_KV[of_other]

    def decisions(rows: np.ndarray, variant: int) -> np.ndarray:
        out = solution.decisions(rows, variant).copy()
        out[:, tasks] = other.decisions(rows, variant)[:, of_other]
        return out

    def model() -> tuple[np.ndarray, np.ndarray]:
        weights, biases = (part.copy() for part in solution.model())
        other_weights, other_biases = other.model()
        weights[:, tasks], biases[tasks] = other_weights[:, of_other], other_biases[of_other]
        return weights, biases

    return replace(solution, gap_KV=gap_KV, decisions=decisions, model=model)
