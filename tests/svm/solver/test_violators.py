"""Working sets that grow by violated rows: few support vectors, at any C, and no more margins than needed."""

import numpy as np
import pytest
from oracle import best, primal
from svm_paths import pairs_of, problem_of

from offshelf.svm import native
from offshelf.svm.solver import Problems, path_binary

pytestmark = pytest.mark.skipif(not native.is_available(), reason="offshelf was installed without a C compiler")
TOL = 1e-5
KINDS = [(loss, bias) for loss in ("hinge", "squared_hinge") for bias in ("penalised", "free", "none")]


def rows_of(rows, dims, spread):
    """Rectified rows around the means of three classes, and their pairs; a few rows are in the class of another."""
    random = np.random.default_rng(rows)
    targets, means = np.arange(rows) % 3, 2 * random.normal(size=(3, dims))
    values = np.maximum(means[targets] + spread * random.normal(size=(rows, dims)) + 0.3, 0)
    targets[:6] = (targets[:6] + 1) % 3
    values = values.astype(np.float32) / np.sqrt(dims)
    pairs = np.array([(0, 1), (0, 2), (1, 2)])
    return values, (targets[:, None] == pairs[:, 0]).astype(np.int8) - (targets[:, None] == pairs[:, 1]).astype(np.int8)


def of_rest(signs):
    """Each class against the rest."""
    targets = np.where(signs[:, 0] > 0, 0, np.where(signs[:, 0] < 0, 1, 2))
    return np.where(targets[:, None] == np.arange(3), 1, -1).astype(np.int8)


@pytest.mark.parametrize("rows", [1499, 1502, 90])
@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_certificates_are_true(loss, bias, rows):
    """Around the number of rows per pair from which on it gives up early, and where all is solved to rounding error.

    The optimum of libsvm or liblinear is where the gap says, and each pair is solved as the same rows and signs are.
    """
    values, signs = rows_of(rows, 40, 0.5)
    problems = Problems(signs, np.ones((rows, 1), bool), np.ones((rows, 1)), loss, bias)
    pairs = Problems(pairs_of(signs), problems.members_RV, problems.weights_RK, loss, bias)
    for C in (0.1, 1e3):
        found = []
        for given in (problems, pairs):
            ((_, one),) = path_binary.solve_path(values, given, [C], TOL)
            weights, biases = one.model()
            assert one.gap_KV.max() <= TOL
            asked = [problem_of(values.astype(float), problems, task, C) for task in range(3)]
            found.append([primal(each, weights[:, task], biases[task]) for task, each in enumerate(asked)])
            if C < 1:
                lower = np.array(found[-1]) * (1 - one.gap_KV[:, 0])
                assert (lower <= np.array([best(each) for each in asked]) * (1 + 1e-9)).all()
        assert found[0] == pytest.approx(found[1], rel=2 * TOL)


@pytest.mark.parametrize("spread", [0.1, 0.5, 3.0])
@pytest.mark.parametrize(("loss", "bias"), KINDS)
def test_the_way_does_not_matter(loss, bias, spread):
    """From classes far apart to such that overlap: the same optimum at once and after other values of C."""
    values, signs = rows_of(2400, 30, spread)
    problems = Problems(of_rest(signs), np.ones((2400, 1), bool), np.ones((2400, 1)), loss, bias)
    ((_, one),) = path_binary.solve_path(values, problems, [50.0], TOL)
    *_, (_, other) = path_binary.solve_path(values, problems, [1e-3, 50.0], TOL)
    for task in range(3):
        problem = problem_of(values.astype(float), problems, task, 50.0)
        objectives = [primal(problem, w[:, task], b[task]) for w, b in (one.model(), other.model())]
        assert objectives[0] == pytest.approx(objectives[1], rel=2 * TOL)
    assert max(one.gap_KV.max(), other.gap_KV.max()) <= TOL


def test_the_same_digits_with_and_without_threads(monkeypatch):
    """A task is solved alone, whichever others there are."""
    values, signs = rows_of(1500, 40, 0.3)
    problems = Problems(of_rest(signs), np.ones((1500, 1), bool), np.ones((1500, 1)), "hinge", "free")
    ((_, one),) = path_binary.solve_path(values, problems, [10.0], TOL)
    monkeypatch.setattr(path_binary, "SHORT", 0)
    monkeypatch.setattr(path_binary, "TASKS_PER_JOB", 1)
    ((_, other),) = path_binary.solve_path(values, problems, [10.0], TOL)
    for ours, theirs in zip(one.model(), other.model(), strict=True):
        assert (ours == theirs).all()


def test_rows_without_a_class_of_their_own():
    """Several labels, equal rows in both classes, and classes of equal means: others solve what this cannot begin."""
    random = np.random.default_rng(0)
    values = random.normal(size=(600, 12))
    signs = np.where(np.stack([values[:, 0] + 0.1 > 0, values[:, 1] > 0.5, np.arange(600) % 2], 1), 1, -1).astype(
        np.int8
    )
    values[300:] = values[:300]
    problems = Problems(signs, np.ones((600, 1), bool), np.ones((600, 1)), "hinge", "free")
    ((_, one),) = path_binary.solve_path(values, problems, [1.0], TOL)
    weights, biases = one.model()
    assert one.gap_KV.max() <= TOL
    for task in range(3):
        problem = problem_of(values, problems, task, 1.0)
        assert primal(problem, weights[:, task], biases[task]) <= best(problem) * (1 + 2 * TOL)
