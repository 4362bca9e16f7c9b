"""Certificates recomputed, and the methods, folds, paths, threads and disks against each other."""

import os
from dataclasses import replace

import numpy as np
import pytest
import svm_paths
import torch
from oracle import best, dual, primal, recovered_dual
from svm_paths import CS, TOL, made, pairs_of, problem_of, solved_by
from threadpoolctl import threadpool_limits

from offshelf.svm.solver import Problems, ovo, path_binary, solve
from offshelf.svm.solver import path_dual as in_dual
from offshelf.svm.solver.rows import Rows

METHODS = svm_paths.METHODS
SHAPES = [(90, 40), (450, 60)]
"""Rows and dimensions: solved to rounding error, and to the tolerance."""
KINDS = [(loss, bias) for loss in ("hinge", "squared_hinge") for bias in ("penalised", "free", "none")]
SOON = [("hinge", "penalised"), ("squared_hinge", "free"), ("squared_hinge", "none")]
"""Kinds that need little time for many rows."""
CASES = [(*kind, SHAPES[0]) for kind in KINDS] + [
    pytest.param(*kind, SHAPES[1], marks=[pytest.mark.slow] if kind in SOON else [pytest.mark.soak]) for kind in KINDS
]


@pytest.mark.parametrize(("loss", "bias", "shape"), CASES)
@pytest.mark.parametrize("method", METHODS)
def test_certificate(method, loss, bias, shape):
    """The claimed gap bounds the distance to liblinear's or libsvm's optimum; so does one recomputed from (w, b)."""
    values, problems = made(*shape, loss, bias)
    for (solution, weights, biases), C in zip(solved_by(method, values, problems), CS, strict=True):
        assert solution.gap_KV.shape == (3, 1)
        for task in range(3):
            problem = problem_of(values, problems, task, C)
            claimed = float(solution.gap_KV[task, 0])
            objective = primal(problem, weights[:, task], biases[task])
            lower = recovered_dual(problem, weights[:, task], biases[task])
            upper = best(problem)

            assert claimed <= TOL
            assert objective * (1 - claimed) <= upper * (1 + 1e-9)
            assert lower <= objective * (1 + 1e-9)
            assert lower <= upper * (1 + 1e-9)
            if shape == SHAPES[0]:
                assert (objective - lower) / objective < 1e-6


def test_oracle():
    """The oracle itself, by hand: rows 1 and -1 of one dimension, no bias: w = 1 and objective ½, or all at the cap."""
    values, signs = np.array([[1.0], [-1.0]]), np.array([1.0, -1.0])
    for caps, optimum in ((2.0, 0.5), (0.25, 0.375)):
        problem = (values, signs, np.full(2, caps), "hinge", 0.0)
        weight = np.array([min(1.0, 2 * caps)])
        assert primal(problem, weight, 0.0) == pytest.approx(optimum)
        assert dual(problem, np.full(2, min(0.5, caps))) == pytest.approx(optimum)
        assert recovered_dual(problem, weight, 0.0) == pytest.approx(optimum)
        assert best(problem) == pytest.approx(optimum)


@pytest.mark.parametrize(("loss", "bias", "shape"), CASES)
@pytest.mark.parametrize("method", METHODS)
def test_path_is_each_C_alone(method, loss, bias, shape):
    """Warm starts change nothing beyond the gap, also where a start without them does not reach the tolerance."""
    values, problems = made(*shape, loss, bias)
    for (_, weights, biases), C in zip(solved_by(method, values, problems), CS, strict=True):
        ((one, alone, lone_biases),) = solved_by(method, values, problems, [C])
        for task, gap in enumerate(one.gap_KV[:, -1]):
            problem = problem_of(values, problems, task, C)
            expected = primal(problem, alone[:, task], lone_biases[task])
            assert primal(problem, weights[:, task], biases[task]) == pytest.approx(expected, rel=max(TOL, gap))


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "bias", "shape"), CASES)
@pytest.mark.parametrize("method", METHODS)
def test_folds_are_separate_fits(method, loss, bias, shape):
    """Decision values of a fold are those of a fit to its rows alone."""
    values, problems = made(*shape, loss, bias, folds=2)
    for (solution, _, _), C in zip(solved_by(method, values, problems, tol=1e-7), CS, strict=True):
        for fold in range(2):
            kept = problems.members_RV[:, fold]
            part = Problems(
                problems.signs_RK[kept], np.ones((kept.sum(), 1), bool), problems.weights_RK[kept], loss, bias, 1.5
            )
            ((_, weights, biases),) = solved_by(method, values[kept], part, [C], 1e-7)
            seen = np.arange(len(kept))
            assert solution.decisions(seen, fold) == pytest.approx(values[seen] @ weights + biases, abs=3e-3)


@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_methods_agree(loss, bias):
    """Dual, pairs, one at a time and primal: the same decision values, and the models give them."""
    values, problems = made(90, 40, loss, bias, folds=1)
    found = {method: solved_by(method, values, problems, tol=1e-9) for method in METHODS}
    rows = np.arange(90)
    for at in range(len(CS)):
        by_dual = [found["dual"][at][0].decisions(rows, variant) for variant in range(2)]
        for solution, weights, biases in (found[method][at] for method in METHODS):
            for variant in range(2):
                assert solution.decisions(rows, variant) == pytest.approx(by_dual[variant], abs=1e-4)
            assert values @ weights + biases == pytest.approx(by_dual[-1], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bias", "shape"),
    [
        ("penalised", SHAPES[0]),
        ("free", SHAPES[0]),
        ("penalised", SHAPES[1]),
        pytest.param("free", SHAPES[1], marks=pytest.mark.soak),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_same_bits(method, shape, bias, monkeypatch):
    """Twice; and with one thread or two, where no product is so large that BLAS divides its sums among them."""
    values, problems = made(*shape, "hinge", bias, folds=1)
    before, rows = torch.get_num_threads(), np.arange(len(values))
    models = []
    for threads in (2, 2, 1):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, count=threads: set(range(count)))
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            models.append(solved_by(method, values, problems)[-1])
    torch.set_num_threads(before)

    (first, weights, biases), twice, alone = models
    exact = [twice, alone] if shape == SHAPES[0] else [twice]
    for other, other_weights, other_biases in exact:
        assert (weights == other_weights).all()
        assert (biases == other_biases).all()
        for variant in range(2):
            assert (first.decisions(rows, variant) == other.decisions(rows, variant)).all()
    assert weights == pytest.approx(alone[1], abs=1e-2)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_streamed_rows(tmp_path, monkeypatch, loss):
    """From disk, block by block: products and solutions of rows in memory."""
    monkeypatch.setattr("offshelf.svm.solver.rows.BLOCK_ROWS", 100)
    values, problems = made(450, 60, loss, "penalised")
    mapped = np.memmap(tmp_path / "values", np.float16, "w+", shape=values.shape)
    mapped[:] = values
    mapped.flush()
    mapped = np.memmap(tmp_path / "values", np.float16, "r", shape=values.shape)
    inside = np.array(mapped, np.float64)
    streamed, resident = Rows(mapped, 1.5, "cpu"), Rows(inside, 1.5, "cpu")
    random = np.random.default_rng(0)
    vectors, coefficients = random.normal(size=(61, 2)), random.normal(size=(450, 2))
    scaled = np.column_stack([inside, np.full(450, 1.5)]) / np.sqrt(np.mean(np.sum(inside**2, axis=1)))

    assert streamed.blocks is None
    assert len(resident.blocks) == 5
    assert streamed.exact_decision_values(vectors) == pytest.approx(scaled @ vectors)
    assert streamed.exact_combination(coefficients) == pytest.approx(scaled.T @ coefficients)
    assert streamed.covariance().numpy() == pytest.approx(scaled.T @ scaled)
    for ours, theirs in zip(solved_by("primal", mapped, problems), solved_by("primal", inside, problems), strict=True):
        assert (ours[1] == theirs[1]).all()
        assert (ours[0].gap_KV == theirs[0].gap_KV).all()


@pytest.mark.parametrize(("rows", "method"), [(29, ovo), (90, in_dual), (91, path_binary)])
def test_choice_of_method(rows, method, monkeypatch):
    """Pairs of fewer rows than dimensions; at most twice as many rows as dimensions; more."""
    values, problems = made(rows, 45, "hinge", "penalised")
    if method is ovo:
        problems = replace(problems, signs_RK=pairs_of(problems.signs_RK))
    chosen = []
    monkeypatch.setattr(method, "solve_path", lambda *arguments: iter(chosen.append(method) or []))

    assert list(solve(values, problems, CS, TOL)) == []
    assert chosen == [method]


@pytest.mark.parametrize("rows", [90, 91])
def test_any_order_of_C(rows):
    """The path is ascending, and yields each C as it was given, so that it can be looked up."""
    values, problems = made(rows, 45, "hinge", "penalised")
    assert [solution.C for _, solution in solve(values, problems, CS[::-1], TOL)] == CS


def test_no_gpu(monkeypatch):
    """One sentence."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    values, problems = made(90, 40, "hinge", "penalised")
    with pytest.raises(ValueError, match="no CUDA device is available; use device='auto'"):
        list(solve(values, problems, CS, TOL, "cuda"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_gpu(loss, bias):
    """The objective of a CPU, within the gap."""
    values, problems = made(450, 60, loss, bias)
    solutions = [solution for _, solution in solve(values, problems, CS, TOL, "cuda")]
    for solution, (_, weights, biases) in zip(solutions, solved_by("dual", values, problems), strict=True):
        ours = solution.model()
        for task in range(3):
            problem = problem_of(values, problems, task, solution.C)
            expected = primal(problem, weights[:, task], biases[task])
            assert primal(problem, ours[0][:, task], ours[1][task]) == pytest.approx(expected, rel=TOL)
