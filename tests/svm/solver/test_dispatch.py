"""The choice of a method by the shape of a problem."""

import pytest

from offshelf.svm.solver.dispatch import Shape, choose_fallback, choose_method, prefers_gpu

MANY = 20 * 6
"""Twenty classes, five folds and the full fit."""


@pytest.mark.parametrize(
    ("shape", "method"),
    [
        (Shape(60, 30, MANY, fits=6), "dual"),
        (Shape(61, 30, MANY, fits=6), "binary"),
        (Shape(400, 200, MANY, fits=6), "dual"),
        (Shape(400, 199, MANY, fits=6), "binary"),
        (Shape(401, 30, MANY, fits=6), "dual"),
        (Shape(401, 25, MANY, fits=6), "binary"),
        (Shape(5011, 4096, MANY, fits=6), "dual"),
        (Shape(5011, 314, MANY, fits=6), "dual"),
        (Shape(5011, 313, MANY, fits=6), "binary"),
        (Shape(5011, 314, MANY, "squared_hinge", fits=6), "dual"),
        (Shape(10_000, 1000, MANY, "squared_hinge", fits=6), "dual"),
        (Shape(10_001, 1000, MANY, "squared_hinge", fits=6), "binary"),
        (Shape(10_001, 2501, MANY, "squared_hinge", fits=6), "dual"),
        (Shape(14_368, 3072, MANY, fits=6), "dual"),
        (Shape(14_368, 3072, MANY, "squared_hinge", fits=6), "binary"),
        (Shape(14_368, 3072, MANY, "squared_hinge", "free", fits=6), "binary"),
        (Shape(14_368, 1280, MANY, "squared_hinge", fits=6), "binary"),
        (Shape(14_368, 1280, MANY, fits=6), "dual"),
        (Shape(20_000, 4096, MANY, fits=6), "dual"),
        (Shape(20_001, 4096, MANY, fits=6), "binary"),
        (Shape(20_001, 4096, MANY, bias="none", fits=6), "binary"),
        (Shape(20_001, 4096, MANY, bias="free", fits=6), "binary"),
        (Shape(20_001, 4096, MANY, is_mapped=True, fits=6), "primal"),
        (Shape(20_000, 4096, MANY, is_mapped=True, fits=6), "dual"),
        (Shape(80_176, 4096, MANY, fits=6), "binary"),
        (Shape(80_176, 2000, MANY, fits=6), "binary"),
        (Shape(750, 300, 5, fits=5), "dual"),
        (Shape(751, 300, 5, fits=5), "binary"),
        (Shape(751, 300, 5, is_mapped=True), "dual"),
        (Shape(480, 64, 8, fits=8), "dual"),
        (Shape(481, 64, 8, fits=8), "binary"),
        (Shape(8000, 2048, 20, fits=5), "dual"),
        (Shape(8001, 2048, 20, fits=5), "binary"),
        (Shape(401, 300, 1, "squared_hinge", "free"), "binary"),
        (Shape(400, 300, 1, "squared_hinge", "free"), "dual"),
        (Shape(5000, 512, 20), "binary"),
        (Shape(5000, 512, 80, fits=4), "binary"),
        (Shape(5000, 512, 100, fits=5), "dual"),
        (Shape(832, 60, 104), "binary"),
        (Shape(831, 60, 104), "dual"),
        (Shape(3000, 150, 500, is_ovo=True, rows_per_pair=100), "binary"),
        (Shape(3000, 151, 500, is_ovo=True, rows_per_pair=100), "ovo"),
        (Shape(3000, 150, 500, is_ovo=True, rows_per_pair=100, fits=4), "binary"),
        (Shape(3000, 150, 500, is_ovo=True, rows_per_pair=100, fits=5), "ovo"),
        (Shape(89, 1, MANY, is_ovo=True), "ovo"),
        (Shape(20_000, 1, 1, "squared_hinge", "free", is_ovo=True), "ovo"),
        (Shape(20_001, 300, MANY, is_ovo=True), "binary"),
        (Shape(9000, 32, MANY, is_ovo=True, rows_per_pair=400, fits=5), "binary"),
        (Shape(9000, 32, MANY, is_ovo=True, rows_per_pair=399, fits=5), "ovo"),
        (Shape(9000, 10, MANY, is_ovo=True, rows_per_pair=399, fits=5), "ovo"),
        (Shape(20_000, 129, MANY, is_ovo=True, rows_per_pair=9000), "binary"),
        (Shape(9000, 1000, MANY, is_ovo=True, rows_per_pair=999, fits=4), "binary"),
        (Shape(9000, 1000, MANY, is_ovo=True, rows_per_pair=999, fits=5), "ovo"),
        (Shape(9000, 1000, MANY, is_ovo=True, rows_per_pair=1000, fits=30), "binary"),
        (Shape(60_000, 32, MANY, is_ovo=True, rows_per_pair=12_000), "binary"),
        (Shape(20_000, 300, MANY, is_ovo=True, is_mapped=True, rows_per_pair=4000), "ovo"),
        (Shape(20_001, 300, MANY, is_ovo=True, is_mapped=True, rows_per_pair=4000), "primal"),
        (Shape(20_001, 128, MANY, "squared_hinge", "free", fits=6), "binary"),
        (Shape(1_048_577, 127, MANY, fits=6), "binary"),
    ],
    ids=str,
)
def test_methods(shape, method):
    """On both sides of each limit."""
    assert choose_method(shape) == method


def test_fallbacks():
    """In memory `binary`, and the primal after it; on disk the primal, and after it the dual, of few rows."""
    for method in ("ovo", "dual", "primal"):
        assert choose_fallback(method, Shape(1000, 128, MANY)) == "binary"
        assert choose_fallback(method, Shape(10**6, 3072, MANY)) == "binary"
    for method in ("ovo", "dual", "binary"):
        assert choose_fallback(method, Shape(1000, 128, MANY, is_mapped=True)) == "primal"
    assert choose_fallback("binary", Shape(1000, 128, MANY)) == "primal"
    assert choose_fallback("primal", Shape(2000, 129, MANY, is_mapped=True)) == "dual"
    assert choose_fallback("primal", Shape(2001, 129, MANY, is_mapped=True)) is None


def test_gpu():
    """Only many rows pay for its start, unless it is asked for."""
    assert [prefers_gpu("auto", rows) for rows in (20_000, 20_001)] == [False, True]
    assert prefers_gpu("cuda", 10)
    assert not prefers_gpu("cpu", 10**6)
