"""Singular values, RankMe, stable rank and linear CKA, against NumPy's SVD and the formulas written out."""

import numpy as np
import pytest

from offshelf.metric import spectrum
from offshelf.metric.spectrum import cka, rankme, singular_values, stable_rank


def rows(count, dims, seed=0):
    """Correlated columns far from 0, float32."""
    random = np.random.default_rng(seed)
    return (random.normal(size=(count, dims)) @ random.normal(size=(dims, dims)) + 3).astype(np.float32)


SHAPES = [(50, 8), (8, 50), (20, 20), (1, 5)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("block", [7, 1 << 22])
def test_singular_values(shape, block, monkeypatch):
    """In blocks or at once."""
    monkeypatch.setattr(spectrum, "BLOCK", block)
    values = rows(*shape)
    expected = np.linalg.svd(values.astype(np.float64), compute_uv=False)

    np.testing.assert_allclose(singular_values(values), expected, rtol=1e-6, atol=1e-6 * expected[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_of_the_spectrum(shape):
    values = rows(*shape).astype(np.float64)
    found = singular_values(values)
    shares = np.linalg.svd(values, compute_uv=False)
    shares /= shares.sum()

    assert rankme(found) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-5)
    norms = np.linalg.norm(values), np.linalg.norm(values, 2)
    assert stable_rank(found) == pytest.approx((norms[0] / norms[1]) ** 2)


def test_by_hand():
    """k equal directions have rank k in both senses, also if the rest are rounding errors; nothing has rank 0."""
    equal = np.eye(100, 40, dtype=np.float32)[:, np.arange(40) % 5]

    assert rankme(singular_values(equal)) == pytest.approx(5)
    assert stable_rank(singular_values(equal)) == pytest.approx(5)
    assert rankme(np.array([3.0, 1.0])) == pytest.approx(4 / 3**0.75)
    assert stable_rank(np.array([3.0, 1.0])) == pytest.approx(10 / 9)
    assert rankme(np.zeros(3)) == stable_rank(np.zeros(3)) == 0


def by_grams(one, other):
    """HSIC(K, L) / √(HSIC(K, K) HSIC(L, L)) with centred Gram matrices (Kornblith et al. 2019, section 3)."""
    centre = np.eye(len(one)) - 1 / len(one)
    first, second = (centre @ (rows @ rows.T) @ centre for rows in (one, other))
    return np.trace(first @ second) / np.sqrt(np.trace(first @ first) * np.trace(second @ second))


def test_cka():
    """Of wide and narrow layers."""
    layers = [rows(30, 4), rows(30, 50, 1), rows(30, 70, 2), rows(30, 6, 3)]
    expected = [[by_grams(one.astype(np.float64), other.astype(np.float64)) for other in layers] for one in layers]

    np.testing.assert_allclose(cka(layers), expected, rtol=1e-6)


def test_cka_ignores_rotation_scale_and_offset():
    values = rows(40, 6).astype(np.float64)
    rotation, _ = np.linalg.qr(rows(6, 6, 1))

    np.testing.assert_allclose(cka([values, 7 * values @ rotation + 3]), np.ones((2, 2)))
    assert np.isnan(cka([values, np.ones((40, 2))])[0, 1])
