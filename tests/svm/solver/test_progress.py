"""The rules by which the rounds of a batch of problems end."""

import numpy as np

from offshelf.svm.solver.progress import Progress


def one(*, is_full, is_exact=False, tol=1e-4, patience=4):
    """A single problem."""
    return Progress((1, 1), tol, patience, is_exact=is_exact, is_full=is_full)


def rounds(progress, gaps, aim=1e-4):
    """Which rounds improve the problem, and which switch it to exact products, until the end."""
    improved, switched = [], []
    for number, gap in enumerate(gaps):
        todo = progress.unfinished(np.full((1, 1), gap), np.full((1, 1), aim))
        if progress.is_finished(todo):
            return improved, switched, number
        improved += [number] * bool(todo.any())
        switched += [number] * bool(progress.switch_to_exact(todo).any())
    return improved, switched, None


def test_a_fold_ends_at_its_aim():
    """Its certificate may come from float32 products."""
    assert rounds(one(is_full=False), [1.0, 1e-2, 1e-5]) == ([0, 1], [], 2)


def test_a_full_fit_is_certified_exactly():
    """One more round, with exact products; it goes on if they show a larger gap."""
    assert rounds(one(is_full=True), [1.0, 1e-2, 1e-5, 1e-5]) == ([0, 1], [2], 3)
    assert rounds(one(is_full=True), [1.0, 1e-5, 1e-3, 1e-5]) == ([0, 2], [1], 3)


def test_a_stalled_problem():
    """Exact products after half of the patience; given up after all of it, and sooner within the tolerance."""
    assert rounds(one(is_full=False), [1.0] * 20) == ([0, 1, 2, 3, 4, 5, 6, 7], [3], 8)
    assert rounds(one(is_full=False), [5e-5] * 20, aim=1e-6) == ([0, 1, 2, 3, 4, 5], [3], 6)


def test_aim():
    """The tolerance; less where ½|w|² is a small share of the objective, at most by a hundred."""
    progress = one(is_full=True)
    half_norm, scale = np.array([[0.5, 1 / 6, 0.0, 0.0]]), np.array([[1.0, 1.0, 1.0, 0.0]])
    assert np.allclose(progress.aim(half_norm, scale), [[1e-4, 1e-4 / 8, 1e-6, 1e-4]])
    assert one(is_full=True, is_exact=True).aim(np.ones((1, 1)), np.ones((1, 1))) == 1e-15
