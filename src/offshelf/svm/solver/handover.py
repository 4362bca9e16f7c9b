"""What a method falls short of is taken up by another one.

In few dimensions at large C, problems of classes that overlap are so ill-conditioned in the dual that its steps hardly
move, and easy in the primal. Of few rows far from the origin it is the primal that stops short now and then.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from offshelf.svm.solver.dual import WIDTH
from offshelf.svm.solver.problem import Problems, Solution

Walk = Iterator[tuple[slice, Solution]]
Again = Callable[[np.ndarray, Sequence[float]], Iterator[tuple[np.ndarray, Iterator[Solution]]]]
"""Of some tasks, by number, at some values of C: which of them are solved together, and their solutions at each C."""


def again(method: Callable[[Problems, Sequence[float]], Walk], problems: Problems) -> Again:
    """A method, for some of the tasks, in groups that every method solves as one."""

    def of_some(tasks: np.ndarray, Cs: Sequence[float]) -> Iterator[tuple[np.ndarray, Iterator[Solution]]]:
        theirs = problems.tasks(tasks)
        for part in theirs.groups(WIDTH):
            yield tasks[part], (solution for _, solution in method(theirs.tasks(part), Cs))

    return of_some


def finished(walk: Walk, again: Again, Cs: Sequence[float], tol: float, left_K: np.ndarray) -> Walk:
    """A walk over C, group by group, whose tasks are solved again from the first C on that they fell short at.

    Args:
        walk: All tasks in groups, each group at all values of C.
        again: The other method.
        Cs: In any order; they are walked upwards.
        tol: Largest relative duality gap.
        left_K: bool, changed in place: which tasks `walk` need not bother with any more.
    """
    Cs, number, late = sorted(Cs), 0, list[tuple[np.ndarray, Iterator[Solution]]]()
    for chosen, solution in walk:
        short = np.flatnonzero(~left_K[chosen] & ~(solution.gap_KV <= tol).all(axis=1))
        if len(short):
            left_K[chosen.start + short] = True
            late += again(chosen.start + short, Cs[number:])
        for tasks, solutions in late:
            solution = _replaced(solution, tasks - chosen.start, next(solutions))
        yield chosen, solution
        number += 1
        if number == len(Cs):
            number, late = 0, []


def _replaced(solution: Solution, tasks: np.ndarray, other: Solution) -> Solution:
    """A solution with some of its tasks as in another one, if their gaps are smaller there."""
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
        of_primal = other.model()
        weights[:, tasks], biases[tasks] = of_primal[0][:, of_other], of_primal[1][of_other]
        return weights, biases

    return replace(solution, gap_KV=gap_KV, decisions=decisions, model=model)
