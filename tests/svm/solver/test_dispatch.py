"""The choice of a method by the shape of a problem."""

import pytest

from offshelf.svm.solver.dispatch import Shape, choose_fallback, choose_method, prefers_gpu

MANY = 20 * 6
"""Twenty classes, five folds and the full fit."""


@pytest.mark.parametrize(
    ("shape", "method"),
    [
        (Shape(60, 30, MANY), "dual"),
        (Shape(61, 30, MANY), "primal"),
        (Shape(400, 200, MANY), "dual"),
        (Shape(400, 199, MANY), "primal"),
        (Shape(401, 30, MANY), "dual"),
        (Shape(401, 25, MANY), "primal"),
        (Shape(5011, 4096, MANY), "dual"),
        (Shape(5011, 314, MANY), "dual"),
        (Shape(5011, 313, MANY), "primal"),
        (Shape(5011, 314, MANY, "squared_hinge"), "dual"),
        (Shape(10_000, 1000, MANY, "squared_hinge"), "dual"),
        (Shape(10_001, 1000, MANY, "squared_hinge"), "primal"),
        (Shape(10_001, 2501, MANY, "squared_hinge"), "dual"),
        (Shape(14_368, 3072, MANY), "dual"),
        (Shape(14_368, 3072, MANY, "squared_hinge"), "coordinate_descent"),
        (Shape(14_368, 3072, MANY, "squared_hinge", "free"), "primal"),
        (Shape(14_368, 1280, MANY, "squared_hinge"), "coordinate_descent"),
        (Shape(14_368, 1280, MANY), "dual"),
        (Shape(20_000, 4096, MANY), "dual"),
        (Shape(20_001, 4096, MANY), "coordinate_descent"),
        (Shape(20_001, 4096, MANY, bias="none"), "coordinate_descent"),
        (Shape(20_001, 4096, MANY, bias="free"), "primal"),
        (Shape(20_001, 4096, MANY, is_mapped=True), "primal"),
        (Shape(20_000, 4096, MANY, is_mapped=True), "dual"),
        (Shape(80_176, 4096, MANY), "coordinate_descent"),
        (Shape(80_176, 2000, MANY), "primal"),
        (Shape(1500, 300, 4), "dual_partial"),
        (Shape(1499, 300, 4), "dual"),
        (Shape(1500, 300, 5), "dual"),
        (Shape(1500, 300, 4, bias="free"), "dual"),
        (Shape(1500, 300, 1, "squared_hinge", "none"), "dual_partial"),
        (Shape(1500, 90, 1), "primal"),
        (Shape(400, 1, MANY, is_ovo=True, rows_per_pair=400), "ovo"),
        (Shape(401, 1, MANY, "squared_hinge", "free", is_ovo=True, rows_per_pair=300), "ovo"),
        (Shape(401, 1, MANY, is_ovo=True, rows_per_pair=301), "binary"),
        (Shape(5000, 4096, MANY, is_ovo=True, rows_per_pair=300), "ovo"),
        (Shape(5001, 4096, MANY, is_ovo=True, rows_per_pair=100), "binary"),
        (Shape(60_000, 32, MANY, is_ovo=True, rows_per_pair=12_000), "binary"),
        (Shape(20_000, 300, MANY, is_ovo=True, is_mapped=True, rows_per_pair=4000), "ovo"),
        (Shape(20_001, 300, MANY, is_ovo=True, is_mapped=True, rows_per_pair=4000), "primal"),
        (Shape(4999, 100, MANY), "primal"),
        (Shape(5000, 100, MANY), "interior"),
        (Shape(20_001, 128, MANY, "squared_hinge", "free"), "interior"),
        (Shape(20_001, 129, MANY, "squared_hinge", "free"), "primal"),
        (Shape(20_001, 128, MANY, is_mapped=True), "primal"),
        (Shape(1_048_577, 127, MANY), "primal"),
    ],
    ids=str,
)
def test_methods(shape, method):
    """On both sides of each limit."""
    assert choose_method(shape) == method


def test_fallbacks():
    """The primal finishes all other methods, and the dual the primal, of few rows."""
    for method in ("ovo", "binary", "dual", "dual_partial", "coordinate_descent"):
        assert choose_fallback(method, 10**6) == "primal"
    assert choose_fallback("primal", 2000) == "dual"
    assert choose_fallback("primal", 2001) is None


def test_gpu():
    """Only many rows pay for its start, unless it is asked for."""
    assert [prefers_gpu("auto", rows) for rows in (20_000, 20_001)] == [False, True]
    assert prefers_gpu("cuda", 10)
    assert not prefers_gpu("cpu", 10**6)
