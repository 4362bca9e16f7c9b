"""Classes that are one, and classes that are two."""

import numpy as np
import pytest

from offshelf.inspection.classes import ONE_CLASS, best_cut, confused_pairs, divided_classes


def test_pairs():
    """A pair that is guessed comes before one that is hardly confused; mistakes in one direction are no pair."""
    confusion = np.array([[50, 50, 0, 0], [48, 52, 0, 0], [0, 0, 95, 5], [3, 0, 5, 92]])
    first, second = confused_pairs(confusion)

    assert (first.one, first.other, first.taken, first.counts) == (0, 1, (50, 48), (100, 100))
    assert first.error == pytest.approx(0.49)
    assert first.low == pytest.approx(0.49 - 1.96 * np.sqrt(0.5**2 / 102 / 2), abs=0.01)
    assert first.is_flagged
    assert (second.one, second.other, second.is_flagged) == (2, 3, False)


def test_few_mistakes_are_no_proof():
    """One of two taken for the other, both ways: the interval is wide."""
    (pair,) = confused_pairs(np.array([[1, 1], [1, 1]]))

    assert pair.error == 0.5
    assert pair.low < ONE_CLASS


def test_best_cut_is_the_best_of_all():
    """Against all cuts, one by one."""
    values = np.random.default_rng(0).normal(size=60)
    ordered = np.sort(values)
    total = ((ordered - ordered.mean()) ** 2).sum()
    inside = [sum(((part - part.mean()) ** 2).sum() for part in np.split(ordered, [at])) for at in range(6, 55)]
    share, size = best_cut(values)

    assert share == pytest.approx(1 - min(inside) / total)
    assert size == 6 + int(np.argmin(inside))
    assert best_cut(np.zeros(30))[0] == 0


def test_parts_of_a_class():
    """Two clouds under one name are found, with their images; one cloud is none, nor is a class with two odd ones."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(180, 40))
    values[60:90, :20] += 2
    values[118:120] += 8
    rows = np.split(np.arange(180), [60, 120])
    rows = [np.concatenate([rows[0], np.arange(60, 90)]), np.arange(90, 120), rows[2]]
    (found,) = divided_classes(rows, lambda some: values[some])

    assert found.number == 0
    assert found.separation > 0.85
    assert [len(part) for part in found.parts] == [60, 30]
    assert set(found.parts[1].tolist()) == set(range(60, 90))
