"""Many rows: coordinate descent over them, and the products of the rows that it leaves active."""

import os
from dataclasses import replace

import numpy as np
import pytest
from oracle import best, primal
from svm_paths import CS, TOL, made, problem_of, solved_by

from offshelf.svm.solver import solve
from offshelf.svm.solver.coordinate_descent import descend
from offshelf.svm.solver.partial_gram import PartialGram


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_one_class_of_many_rows(loss, monkeypatch):
    """A single problem does not compute the Gram matrix of all rows, and reaches liblinear's objective."""
    values, problems = made(1600, 40, loss, "penalised")
    problems = problems.tasks(slice(0, 1))
    asked = []
    ensure_rows = PartialGram.ensure_rows

    def asking(gram, task, rows):
        asked.extend(rows)
        ensure_rows(gram, task, rows)

    monkeypatch.setattr(PartialGram, "ensure_rows", asking)
    monkeypatch.setattr("offshelf.svm.solver.dispatch.GRAM_ROWS_PER_DIM", 100)
    ((_, solution),) = solve(values.astype(np.float32), problems, [0.02], 1e-5)
    weights, biases = solution.model()
    problem = problem_of(values, problems, 0, 0.02)

    assert solution.gap_KV[0, 0] <= 1e-5
    assert primal(problem, weights[:, 0], biases[0]) == pytest.approx(best(problem), rel=2e-5)
    assert 0 < len(set(asked)) < 1600


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize(("most", "kept"), [(10_000, 2 << 30), (10_000, 0), (120, 2 << 30)])
def test_many_rows(loss, most, kept, monkeypatch):
    """Coordinate descent, and products of the active rows: held, evicted, or of the steepest rows alone."""
    monkeypatch.setattr(PartialGram, "policy", replace(PartialGram.policy, max_rows=most))
    monkeypatch.setattr("offshelf.svm.solver.partial_gram.CACHE_BYTES", kept)
    values, problems = made(900, 60, loss, "penalised", folds=2)
    expected = solved_by("primal", values, problems)
    for ours, theirs in zip(solved_by("dual_partial", values, problems), expected, strict=True):
        assert ours[0].gap_KV.max() <= TOL
        for task in range(3):
            problem = problem_of(values, problems, task, ours[0].C)
            optimum = primal(problem, theirs[1][:, task], theirs[2][task])
            assert primal(problem, ours[1][:, task], ours[2][task]) == pytest.approx(optimum, rel=2 * TOL)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_a_problem_alone(loss, monkeypatch):
    """Its bits do not depend on the threads that others are divided among; and its gap is what was asked for."""
    values, problems = made(700, 60, loss, "penalised")
    gram, signs = PartialGram(values, "penalised", 1.5), problems.signs_RK.astype(float)
    caps = np.broadcast_to(0.002 * gram.scale**2 * problems.case_weights()[:, 0], (3, len(values))).T
    e = (
        np.divide(0.5, caps, out=np.zeros_like(caps), where=caps > 0)
        if loss == "squared_hinge"
        else np.zeros_like(caps)
    )
    upper = caps if loss == "hinge" else np.where(caps > 0, np.inf, 0)
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, count=threads: set(range(count)))
        found.append(np.zeros(signs.shape))
        descend(gram.descent_kernel, (signs, upper, e), found[-1], np.full(3, 1e-4), 0)
    beta = found[0]
    decisions = gram.exact_decision_values(beta.T).T
    slack = np.maximum(1 - signs * decisions, 0)
    half = (beta * decisions).sum(axis=0) / 2
    losses = (caps * (slack**2 if loss == "squared_hinge" else slack)).sum(axis=0)
    gap = 2 * half + losses - (signs * beta).sum(axis=0) + (e * beta**2).sum(axis=0) / 2

    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    assert (signs * beta >= 0).all()
    assert (signs * beta <= upper).all()
    assert (gap <= 1e-4 * (half + losses)).all()


@pytest.mark.parametrize("held", [0, 1 << 25])
def test_exact_products(held, monkeypatch):
    """Of rows that are held in float32, from the rows as given; or of those that are held in float64."""
    monkeypatch.setattr("offshelf.svm.solver.partial_gram.EXACT_VALUES", held)
    random = np.random.default_rng(0)
    values, beta = random.random((700, 30)) + 100, random.normal(size=(700, 2))
    gram = PartialGram(values, "penalised", 2.0)
    weights, biases = gram.model(beta.T, np.zeros(2))
    plain = values.T @ beta
    assert weights * gram.scale**2 == pytest.approx(plain, rel=1e-9)
    assert biases * gram.scale**2 == pytest.approx(4 * beta.sum(axis=0), rel=1e-9)
    expected = (values @ plain + 4 * beta.sum(axis=0)) / gram.scale**2
    decisions = gram.exact_decision_values(beta.T).T
    assert decisions == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("bias", "scaling"), [("free", 1.0), ("penalised", 1e6)])
def test_free_bias_of_many_rows(bias, scaling, monkeypatch):
    """One that is free, or as good as free, is the primal's: coordinates cannot move under its constraint."""
    asked = []
    monkeypatch.setattr("offshelf.svm.solver.path_primal.solve_path", lambda *_: iter(asked.append("primal") or []))
    monkeypatch.setattr("offshelf.svm.solver.dispatch.DESCENT_VALUES", 0)
    values, problems = made(450, 25, "hinge", bias)
    assert list(solve(values, replace(problems, intercept_scaling=scaling), CS, TOL)) == []
    assert asked == ["primal"]


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_primal_solves_what_descent_does_not(loss, monkeypatch):
    """Each group, from the C on where they stop short; each task and C once, all certified."""
    monkeypatch.setattr("offshelf.svm.solver.dispatch.DESCENT_VALUES", 0)
    monkeypatch.setattr("offshelf.svm.solver.path_dual.GROUP_VALUES", 2 * 3 * 450)  # groups of two tasks and of one
    monkeypatch.setattr(PartialGram, "policy", replace(PartialGram.policy, max_rounds=1))
    values, problems = made(450, 25, loss, "penalised", folds=2)
    found = {}
    for group, solution in solve(values, problems, CS, TOL):
        assert solution.gap_KV.max() <= TOL
        weights, biases = solution.model()
        for at, task in enumerate(range(3)[group]):
            problem = problem_of(values, problems, task, solution.C)
            found[task, solution.C] = primal(problem, weights[:, at], biases[at])
            assert found[task, solution.C] == pytest.approx(best(problem), rel=2 * TOL)
    assert len(found) == 3 * len(CS)
