"""Pairs of classes: their signs, and that neither their order nor their company changes them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import make_classification
from svm_paths import CS, TOL

from offshelf.svm.solver import OneVsOneSigns, Problems, ovo
from offshelf.svm.solver.gram import Gram


def test_signs():
    """As an array would give them, row by row and pair by pair."""
    signs = OneVsOneSigns(np.array([2, 0, 1, 0]), np.array([0, 1]), np.array([1, 2]))
    expected = np.array([[0, -1], [1, 0], [-1, 1], [1, 0]])

    assert signs.shape == (4, 2)
    assert (signs[:, :] == expected).all()
    assert signs[:, :].dtype == np.int8
    assert (signs[:, 1] == expected[:, 1]).all()
    assert (signs[np.array([2, 0]), 0:1] == expected[[2, 0], 0:1]).all()


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_any_order_and_company(loss, monkeypatch):
    """The pairs of four classes of different sizes: all at once, in groups of two, and shuffled."""
    values, targets = make_classification(
        120, 30, n_informative=10, n_classes=4, weights=[0.4, 0.3, 0.2], random_state=0
    )
    members = np.ones((120, 2), bool)
    members[::4, 0] = False
    first, second = np.triu_indices(4, 1)
    problems = Problems(OneVsOneSigns(targets, first, second), members, np.ones((120, 1)), loss, "free")
    order = np.array([3, 0, 5, 1, 4, 2])  # the first class's pairs are not side by side
    shuffled = replace(problems, signs_RK=OneVsOneSigns(targets, first[order], second[order]))
    gram = Gram(values[problems.signs_RK.order_R], "free", dtype=np.float64)
    rows = np.arange(120)

    def solved_by(problems):
        found = {C: [] for C in CS}
        for _, solution in ovo.solve_path(gram, problems, CS, TOL):
            found[solution.C].append((*solution.model(), solution.gap_KV.T, solution.decisions(rows, 0)))
        return [[np.concatenate(parts, -1) for parts in zip(*groups, strict=True)] for groups in found.values()]

    together = solved_by(problems)
    mixed = solved_by(shuffled)
    monkeypatch.setattr(ovo, "GROUP_VALUES", 2 * 120 * 2 * len(CS))
    for parts, in_groups, mixed_parts in zip(together, solved_by(problems), mixed, strict=True):
        for part, same, other in zip(parts, in_groups, mixed_parts, strict=True):
            close = 1e-4 if part.dtype == np.float32 else 1e-6  # decision values are sums in another order
            assert same == pytest.approx(part, rel=1e-6, abs=close)
            assert other == pytest.approx(part[..., order], rel=1e-6, abs=close)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("seed", range(5))
def test_repeated_rows(loss, seed):
    """They depend on each other, so that greedy pairs solve for them: as exactly as for rows with weights."""
    random = np.random.default_rng(seed)
    values, targets, times = random.random((15, 30)), np.arange(15) % 3, random.integers(1, 5, 15)
    found = []
    for rows, weights in ((np.arange(15), times), (np.repeat(np.arange(15), times), None)):
        weights = np.ones(len(rows)) if weights is None else weights.astype(float)
        signs = OneVsOneSigns(targets[rows], *np.triu_indices(3, 1))
        problems = Problems(signs, np.ones((len(rows), 1), bool), weights[:, None], loss)
        gram = Gram(values[rows][signs.order_R], "penalised", dtype=np.float64)
        [(_, solution)] = ovo.solve_path(gram, problems, [1.0], TOL)
        found.append(solution.model())
    for ours, repeated in zip(*found, strict=True):
        assert repeated == pytest.approx(ours, abs=1e-9)
