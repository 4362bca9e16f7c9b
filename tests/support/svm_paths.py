"""Problems of three pairs of classes, and their regularisation paths by each method."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from oracle import scaling_of
from sklearn.datasets import make_classification

from offshelf.svm.solver import OneVsOneSigns, Problems, ovo
from offshelf.svm.solver import path_binary as in_binary
from offshelf.svm.solver import path_dual as in_dual
from offshelf.svm.solver import path_primal as in_primal
from offshelf.svm.solver.dispatch import Method
from offshelf.svm.solver.gram import Gram
from offshelf.svm.solver.rows import Rows

METHODS = get_args(Method)
"""All methods of the solver: a new one needs a branch in `path_by`."""
CS = [0.001, 0.02, 0.3]
TOL = 1e-5


def in_pytorch(mark):
    """Both cases of `either_solver`, the solver without its compiled parts, which is slower, with a mark."""
    slower = pytest.param("in_pytorch", marks=getattr(pytest.mark, mark))
    return pytest.mark.parametrize("either_solver", ["compiled", slower], indirect=True)


def made(rows, dims, loss, bias, folds=0, seed=0):
    """Three classes, cut into pairs, with weights, and with folds before the whole."""
    values, targets = make_classification(
        rows, dims, n_informative=8, n_classes=3, flip_y=0.1, class_sep=0.8, random_state=seed
    )
    pairs = np.array([(0, 1), (0, 2), (1, 2)])
    signs = (targets[:, None] == pairs[:, 0]).astype(np.int8) - (targets[:, None] == pairs[:, 1]).astype(np.int8)
    random = np.random.default_rng(seed)
    members = np.ones((rows, folds + 1), bool)
    members[:, :-1] = random.integers(0, folds + 2, rows)[:, None] != np.arange(folds)
    weights = random.choice([0.5, 1.0, 2.0], (rows, 1))
    return values + 0.5, Problems(signs, members, weights, loss, bias, 1.5)


def solved_by(method, values, problems, Cs=CS, tol=TOL):
    """All tasks' solutions, at each C, with the model taken when all is done."""
    solutions = [solution for chosen, solution in path_by(method, values, problems, Cs, tol)]
    assert [solution.C for solution in solutions] == list(Cs)
    return [(solution, *solution.model()) for solution in solutions]


def path_by(method, values, problems, Cs=CS, tol=TOL):
    """The regularisation path by one method, without another one's help."""
    intercept = {"none": 0.0, "free": 1.0, "penalised": problems.intercept_scaling}[problems.bias]
    kernel = problems.bias, problems.intercept_scaling
    if method == "primal":
        return in_primal.solve_path(Rows(values, intercept, "cpu"), problems, Cs, tol)
    if method == "binary":
        return in_binary.solve_path(values, problems, Cs, tol)
    if method == "dual":
        return in_dual.solve_path(Gram(values, *kernel), problems, Cs, tol)
    assert method == "ovo", f"path_by does not know {method}"
    problems = replace(problems, signs_RK=pairs_of(problems.signs_RK))
    return ovo.solve_path(Gram(values[problems.signs_RK.order_R], *kernel, np.float64), problems, Cs, tol)


def pairs_of(signs):
    """The same signs, by class."""
    numbers = np.where(signs[:, 0] > 0, 0, np.where(signs[:, 0] < 0, 1, 2))
    pairs = OneVsOneSigns(numbers, np.array([0, 0, 1]), np.array([1, 2, 2]))
    assert (pairs[:, :] == signs).all()
    return pairs


def problem_of(values, problems, task, C, variant=-1):
    """As the oracle wants it."""
    caps = C * problems.weights_RK[:, 0] * (problems.signs_RK[:, task] != 0) * problems.members_RV[:, variant]
    scaling = scaling_of(problems.bias, problems.intercept_scaling)
    return values, problems.signs_RK[:, task].astype(float), caps, problems.loss, scaling
