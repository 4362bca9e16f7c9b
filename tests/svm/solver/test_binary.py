"""One problem at a time: the optimum from hard starts, by either of its methods, and on both sides of the choice."""

import os
import subprocess
import sys

import numpy as np
import pytest
from oracle import best, primal
from svm_paths import problem_of

from offshelf.svm.solver import GPU_FILES, OneVsOneSigns, Problems, path_binary, solve

ROWS, DIMS, TOL = 5500, 6, 1e-4
CS = [1e-3, 1.0, 1e2]
KINDS = [(loss, bias) for loss in ("hinge", "squared_hinge") for bias in ("penalised", "free", "none")]
SHAPES = ["overlapping", "separable", "rare", "lonely", "duplicated", "constant", "badly_scaled", "far"]


def rows_of(shape):
    """Values [R, D] and the classes of two tasks."""
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, ROWS)
    if shape in ("rare", "lonely"):  # one row in a hundred, and one row, which the weights leave in
        targets = (np.arange(ROWS) % (100 if shape == "rare" else ROWS) == 0).astype(int)
    values = random.normal(size=(ROWS, DIMS)) + 0.7 * targets[:, None]
    if shape == "separable":
        values = values / 10 + 3 * targets[:, None]
    elif shape == "duplicated":
        values = values[random.integers(0, 50, ROWS)]
    elif shape == "constant":
        values[:, :3] = 2.0
    elif shape == "badly_scaled":
        values *= 10.0 ** np.arange(-3, 3)
    elif shape == "far":
        values += 30
    return values, np.stack([2 * targets - 1, np.where(values[:, -1] > np.median(values[:, -1]), 1, -1)], 1).astype(
        np.int8
    )


def problems_of(signs, loss, bias, folds=0):
    """With weights, and folds before the whole."""
    random = np.random.default_rng(1)
    members = np.ones((signs.shape[0], folds + 1), bool)
    members[:, :-1] = np.arange(signs.shape[0])[:, None] % 3 != np.arange(folds)
    return Problems(signs, members, random.choice([0.0, 0.5, 1.0, 2.0], (signs.shape[0], 1)), loss, bias, 1.5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_certificate_is_true(shape, loss, bias):
    """At every C the gap is small; at the least one the optimum of libsvm or liblinear is where the gap says."""
    values, signs = rows_of(shape)
    problems = problems_of(signs, loss, bias)
    for (_, one), C in zip(solve(values, problems, CS, TOL), CS, strict=True):
        weights, biases = one.model()
        for task in range(2):
            problem = problem_of(values, problems, task, C)
            objective, gap = primal(problem, weights[:, task], biases[task]), one.gap_KV[task, -1]
            assert gap <= TOL
            if CS[0] == C:
                assert objective * (1 - gap) <= best(problem) * (1 + 1e-9)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_optimum_is_liblinears(loss):
    """On overlapping rows, where its tolerance is reached."""
    values, signs = rows_of("overlapping")
    problems = problems_of(signs, loss, "penalised")
    for _, one in path_binary.solve_path(values, problems, [0.1], 1e-6):
        weights, biases = one.model()
        for task in range(2):
            problem = problem_of(values, problems, task, 0.1)
            assert primal(problem, weights[:, task], biases[task]) == pytest.approx(best(problem), rel=1e-5)


@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_folds_are_fits_of_their_rows(loss, bias):
    """Decision values of a fold, at rows in it and beside it; and of a fold of one class."""
    values, signs = rows_of("overlapping")
    problems = problems_of(signs, loss, bias, folds=2)
    problems.members_RV[:, 0] = signs[:, 0] > 0
    ((_, one),) = path_binary.solve_path(values, problems, [1.0], 1e-7)
    kept = problems.members_RV[:, 1]
    alone = Problems(signs[kept], np.ones((kept.sum(), 1), bool), problems.weights_RK[kept], loss, bias, 1.5)
    ((_, other),) = path_binary.solve_path(values[kept], alone, [1.0], 1e-7)
    weights, biases = other.model()

    assert (one.gap_KV <= 1e-7).all()
    assert one.decisions(np.arange(ROWS), 1) == pytest.approx(values @ weights + biases, abs=5e-3)
    assert np.isfinite(one.decisions(np.arange(10), 0)).all()


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_both_sides_of_the_choice(loss, monkeypatch):
    """The method that would be taken otherwise gives the same model within the gaps."""
    values, signs = rows_of("overlapping")
    problems = problems_of(signs, loss, "penalised")
    ((_, one),) = solve(values, problems, [1.0], 1e-6)
    monkeypatch.setattr("offshelf.svm.solver.dispatch.choose_method", lambda _: "primal")
    ((_, other),) = solve(values, problems, [1.0], 1e-6)
    rows = np.arange(ROWS)

    assert (one.gap_KV <= 1e-6).all()
    assert one.decisions(rows, -1) == pytest.approx(other.decisions(rows, -1), rel=2e-3, abs=2e-2)


@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_least_C(loss, bias):
    """Where all rows are at their bounds, save for a free bias."""
    values, signs = rows_of("overlapping")
    problems = problems_of(signs, loss, bias)
    ((_, one),) = path_binary.solve_path(values, problems, [1e-6], TOL)
    weights, biases = one.model()
    assert (one.gap_KV <= TOL).all()
    for task in range(2):
        problem = problem_of(values, problems, task, 1e-6)
        assert primal(problem, weights[:, task], biases[task]) <= best(problem) * (1 + TOL)


@pytest.mark.parametrize("bias", ["free", "penalised"])
def test_pairs_of_classes(bias, monkeypatch):
    """In a Gram matrix, and without one: the same model within the gaps."""
    values, signs = rows_of("overlapping")
    values, numbers = values[:900], np.where(signs[:900, 0] > 0, 0, 1 + np.arange(900) // 2 % 2)
    problems, found = problems_of(OneVsOneSigns(numbers, *np.triu_indices(3, 1)), "hinge", bias, folds=1), []
    for method in ("ovo", "binary"):
        monkeypatch.setattr("offshelf.svm.solver.dispatch.choose_method", lambda _, method=method: method)
        ((_, one),) = solve(values, problems, [1.0], 1e-6)
        assert (one.gap_KV <= 1e-6).all()
        found.append([one.decisions(np.arange(900), variant) for variant in range(2)])
    assert np.array(found[0]) == pytest.approx(np.array(found[1]), abs=2e-2)


@pytest.mark.parametrize("C", [0.01, 1e4])
@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_both_methods_give_the_same_model(loss, bias, C):
    """The first C by coordinate descent, if it is fast enough, the second by interior points, from the first one."""
    values, signs = rows_of("overlapping")
    problems = problems_of(signs[:600], loss, bias)
    ((_, one),) = path_binary.solve_path(values[:600], problems, [C], 1e-6)
    *_, (_, other) = path_binary.solve_path(values[:600], problems, [C / 10, C], 1e-6)
    for task in range(2):
        problem = problem_of(values[:600], problems, task, C)
        objectives = [primal(problem, w[:, task], b[task]) for w, b in (one.model(), other.model())]
        assert (np.concatenate([one.gap_KV, other.gap_KV]) <= 1e-6).all()
        assert objectives[0] == pytest.approx(objectives[1], rel=2e-6)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("rows", [3000, 3001])
def test_a_poor_start(rows, loss):
    """Up to 3,000 rows all take part in interior points; of more, a sample gives the first ones."""
    values, signs = rows_of("overlapping")
    problems = problems_of(signs[:rows], loss, "penalised")
    found = []
    for start in ([], [1e2]):
        *_, (_, one) = path_binary.solve_path(values[:rows], problems, [*start, 1e3], 1e-6)
        weights, biases = one.model()
        assert (one.gap_KV <= 1e-6).all()
        found.append([primal(problem_of(values[:rows], problems, t, 1e3), weights[:, t], biases[t]) for t in range(2)])
    assert found[0] == pytest.approx(found[1], rel=2e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_types_and_orders_of_rows(dtype):
    """Those that the compiled code does not read are copied; more values of a row than a vector holds."""
    random = np.random.default_rng(0)
    values = random.normal(size=(600, 37)).astype(dtype)
    signs = np.where(values[:, :2] + random.normal(size=(600, 2)) > 0, 1, -1).astype(np.int8)
    problems, found = problems_of(signs, "hinge", "free"), []
    for rows in (values, np.asfortranarray(values), values.astype(float)):
        ((_, one),) = path_binary.solve_path(rows, problems, [0.1], 1e-6)
        found.append(one.decisions(np.arange(600), -1))
        assert (one.gap_KV <= 1e-6).all()
    assert (found[0] == found[1]).all()
    assert found[0] == pytest.approx(found[2], abs=2e-3)


@pytest.mark.parametrize("bias", ["penalised", "free"])
def test_more_dimensions_than_rows_near_the_margin(bias):
    """Where interior points would cost far more than passes over the rows."""
    random = np.random.default_rng(0)
    values = random.normal(size=(700, 300))
    signs = np.where(values[:, :2] + random.normal(size=(700, 2)) > 0, 1, -1).astype(np.int8)
    problems = problems_of(signs, "hinge", bias, folds=1)
    for (_, one), C in zip(path_binary.solve_path(values, problems, [1e-3, 0.1], TOL), [1e-3, 0.1], strict=True):
        weights, biases = one.model()
        assert (one.gap_KV <= TOL).all()
        for task in range(2):
            problem = problem_of(values, problems, task, C)
            assert primal(problem, weights[:, task], biases[task]) <= best(problem) * (1 + 2 * TOL)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or any(map(os.path.exists, GPU_FILES)), reason="there may be a GPU")
def test_the_first_fit_imports_no_pytorch():
    """Not even to ask for a GPU, of which there is no trace."""
    code = """if True:
        import sys
        import numpy as np
        from offshelf.svm import LinearSVM
        values = np.random.default_rng(0).normal(size=(20_001, 2))
        LinearSVM(0.01).fit(values, values[:, 0] > 0)
        sys.exit("torch" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
