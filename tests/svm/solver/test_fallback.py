"""What a method falls short of is solved in the primal, and what the primal does in the dual."""

from dataclasses import replace

import numpy as np
import pytest
from oracle import best, primal
from sklearn.model_selection import StratifiedKFold
from svm_paths import CS, made, pairs_of, problem_of

from offshelf.svm import native
from offshelf.svm.solver import Problems, ovo, path_dual, solve
from offshelf.svm.solver import path_primal as in_primal

TOL = 1e-5
pytestmark = pytest.mark.skipif(not native.is_available(), reason="offshelf was installed without a C compiler")


def falling_short(path, at):
    """The same path, which claims that some tasks' gaps are large from one C on, and gives wrong weights for them."""

    def shorter(*arguments):
        for chosen, solution in path(*arguments):
            gap_KV, tasks = solution.gap_KV.copy(), np.arange(3)[chosen]
            for task, C in at.items():
                gap_KV[(tasks == task) & (solution.C >= C)] = 0.5
            wrong = np.isin(tasks, [task for task, C in at.items() if solution.C >= C])
            model = solution.model()

            def spoilt(model=model, wrong=wrong):
                return np.where(wrong, np.nan, model[0]), model[1]

            def decisions(rows, variant, solution=solution, wrong=wrong):
                return np.where(wrong, np.nan, solution.decisions(rows, variant))

            yield chosen, replace(solution, gap_KV=gap_KV, model=spoilt, decisions=decisions)

    return shorter


@pytest.mark.parametrize("width", [1 << 23, 1])
@pytest.mark.parametrize("method", [path_dual, ovo])
def test_some_tasks(method, width, monkeypatch):
    """From the C on that they fall short at, together or in groups of one; the others are not touched."""
    values, problems = made(90, 45, "hinge", "penalised", folds=2)
    if method is ovo:
        problems = replace(problems, signs_RK=pairs_of(problems.signs_RK))
    expected = {solution.C: solution for _, solution in primal_path(values, problems)}
    asked = []
    tasks = type(problems).tasks
    monkeypatch.setattr(type(problems), "tasks", lambda self, chosen: asked.append(chosen) or tasks(self, chosen))
    monkeypatch.setattr(path_dual, "GROUP_VALUES", width)
    monkeypatch.setattr(ovo, "GROUP_VALUES", width)
    monkeypatch.setattr(method, "solve_path", falling_short(method.solve_path, {1: CS[1], 2: CS[2]}))
    rows, found = np.arange(90), {C: [None] * 3 for C in CS}
    for chosen, solution in solve(values, problems, CS, TOL):
        weights, biases = solution.model()
        assert (solution.gap_KV <= TOL).all()
        for column, task in enumerate(np.arange(3)[chosen]):
            found[solution.C][task] = weights[:, column], biases[column], solution.decisions(rows, 0)[:, column]

    for C, parts in found.items():
        theirs = expected[C].decisions(rows, 0)
        for task, (weights, bias, decisions) in enumerate(parts):
            problem = problem_of(values, problems, task, C)
            assert primal(problem, weights, bias) == pytest.approx(best(problem), rel=2 * TOL)
            assert decisions == pytest.approx(theirs[:, task], abs=1e-3)
    handed_over = [chosen.tolist() for chosen in asked if isinstance(chosen, np.ndarray)]
    assert handed_over == [[1], [2]]


def primal_path(values, problems):
    """All tasks in the primal."""
    from offshelf.svm.solver.rows import Rows

    return in_primal.solve_path(Rows(values, 1.5, "cpu"), problems, CS, TOL)


@pytest.mark.parametrize("multiclass", ["ovr", "ovo"])
def test_overlapping_classes_in_few_dimensions(multiclass):
    """Few rows at large C: certified, where the dual's steps hardly move."""
    from sklearn.datasets import make_classification

    from offshelf.svm import LinearSVM

    values, targets = make_classification(
        200, 30, n_informative=6, n_classes=3, flip_y=0.2, class_sep=0.6, random_state=0
    )
    machine = LinearSVM(1000.0, multiclass=multiclass).fit(values, targets)
    assert machine.dual_gap_.max() <= machine.tol


def test_what_the_primal_falls_short_of(monkeypatch):
    """Of few rows, more than twice as many as dimensions: some tasks of it, from one C on, are solved in the dual."""
    values, problems = made(90, 20, "hinge", "penalised", folds=2)
    monkeypatch.setattr(in_primal, "solve_path", falling_short(in_primal.solve_path, {1: CS[1]}))
    for chosen, solution in solve(values, problems, CS, TOL):
        assert chosen == slice(0, 3)
        assert (solution.gap_KV <= TOL).all()
        weights, biases = solution.model()
        for task in range(3):
            problem = problem_of(values, problems, task, solution.C)
            assert primal(problem, weights[:, task], biases[task]) == pytest.approx(best(problem), rel=2 * TOL)


def test_rows_far_from_the_origin():
    """Labels at random, in two dimensions, at a distance of a hundred: one fold of the primal ended with a gap of 1."""
    random = np.random.RandomState(0)
    values, labels = random.normal(loc=100, size=(100, 2)), random.randint(0, 2, size=100)
    signs, members = np.where(labels == 1, 1, -1).astype(np.int8)[:, None], np.ones((100, 6), bool)
    for fold, (_, test) in enumerate(StratifiedKFold(5, shuffle=True, random_state=0).split(values, labels)):
        members[test, fold] = False
    solved = solve(values, Problems(signs, members, np.ones((100, 1))), [0.1, 10.0, 100.0], TOL)
    assert [(solution.gap_KV <= TOL).all() for _, solution in solved] == [True] * 3
