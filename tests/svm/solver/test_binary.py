"""Problems one after the other: certificates on hard rows, folds, and the same model on both sides of the choice."""

import numpy as np
import pytest
from oracle import best, primal
from svm_paths import problem_of

from offshelf.svm.solver import OneVsOneSigns, Problems, path_binary, solve

TOL = 1e-4
CS = [1e-6, 1e-2, 1.0, 1e2, 1e6]
SHAPES = ["overlapping", "separable", "one_sample", "rare", "duplicated", "constant", "badly_scaled", "far", "wide"]
KINDS = [("hinge", "free"), ("hinge", "penalised"), ("hinge", "none"), ("squared_hinge", "free")]


def rows_of(shape):
    """Values [R, D] and signs [R, 1]: more rows than interior points take without a choice, or as many dimensions."""
    rows, dims = (1800, 6) if shape != "wide" else (300, 200)
    random = np.random.default_rng(0)
    share = {"rare": 100, "one_sample": rows}.get(shape, 2)
    targets = (np.arange(rows) % share == 0).astype(int)
    values = random.normal(size=(rows, dims)) + 0.7 * targets[:, None]
    if shape == "separable":
        values = values / 10 + 3 * targets[:, None]
    elif shape == "duplicated":
        values = values[random.integers(0, 50, rows)]
    elif shape == "constant":
        values[:, :3] = 2.0
    elif shape == "badly_scaled":
        values *= 10.0 ** np.arange(-3, 3)
    elif shape == "far":
        values += 30
    return values, (2 * targets - 1)[:, None].astype(np.int8)


def problems_of(signs, loss, bias, folds=0):
    """With folds before the whole."""
    members = np.ones((signs.shape[0], folds + 1), bool)
    members[:, :-1] = np.arange(signs.shape[0])[:, None] % 3 != np.arange(folds)
    return Problems(signs, members, np.ones((signs.shape[0], 1)), loss, bias, 1.5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_certificate_is_true(shape, loss, bias):
    """At every C the gap is small; at two of them the optimum of libsvm or liblinear is where the gap says."""
    values, signs = rows_of(shape)
    problems = problems_of(signs, loss, bias)
    for (_, one), C in zip(path_binary.solve_path(values, problems, CS, TOL), CS, strict=True):
        weights, biases = one.model()
        assert one.gap_KV[0, -1] <= TOL
        if C in CS[:2]:
            problem = problem_of(values, problems, 0, C)
            objective = primal(problem, weights[:, 0], biases[0])
            assert objective * (1 - one.gap_KV[0, -1]) <= best(problem, 3000) * (1 + 1e-9)


@pytest.mark.parametrize("dims", [6, 200])
@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_folds_are_fits_of_their_rows(loss, bias, dims):
    """Decision values of a fold that starts from the whole, and of a fold of one class."""
    values, signs = rows_of("overlapping" if dims == 6 else "wide")
    problems = problems_of(signs, loss, bias, folds=2)
    problems.members_RV[:, 0] = signs[:, 0] > 0
    ((_, one),) = path_binary.solve_path(values, problems, [1.0], 1e-7)
    kept = problems.members_RV[:, 1]
    ((_, other),) = path_binary.solve_path(values[kept], problems_of(signs[kept], loss, bias), [1.0], 1e-7)
    weights, biases = other.model()

    assert (one.gap_KV <= 1e-7).all()
    assert one.decisions(np.arange(len(values)), 1) == pytest.approx(values @ weights + biases, abs=5e-3)
    assert np.isfinite(one.decisions(np.arange(10), 0)).all()


@pytest.mark.parametrize("bias", ["free", "penalised"])
def test_both_sides_of_the_choice(bias, monkeypatch):
    """Pairs in a Gram matrix, and without one: the same model within the gaps."""
    values, signs = rows_of("overlapping")
    numbers = np.where(signs[:, 0] > 0, 0, 1 + np.arange(len(signs)) // 2 % 2)
    problems = problems_of(OneVsOneSigns(numbers, *np.triu_indices(3, 1)), "hinge", bias)
    found = []
    for rows in (0, 10_000):
        monkeypatch.setattr("offshelf.svm.solver.dispatch.OVO_ROWS", rows)
        monkeypatch.setattr("offshelf.svm.solver.dispatch.OVO_PAIR_ROWS", rows)
        ((_, one),) = solve(values, problems, [1.0], 1e-6)
        assert (one.gap_KV <= 1e-6).all()
        found.append(one.decisions(np.arange(len(values)), -1))
    assert found[0] == pytest.approx(found[1], abs=2e-2)


def test_float32_rows():
    """They are not copied to float64, and give the model of the same values in float64."""
    values, signs = rows_of("overlapping")
    values, problems = values.astype(np.float32), problems_of(signs, "hinge", "free")
    found = [next(path_binary.solve_path(rows, problems, [1.0], 1e-7))[1] for rows in (values, values.astype(float))]
    assert found[0].model()[0] == pytest.approx(found[1].model()[0], abs=1e-5)
