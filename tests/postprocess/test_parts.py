"""Transforms of parts of a row: scikit-learn's ColumnTransformer is the oracle."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from offshelf.model.serialise import pack, unpack
from offshelf.postprocess import ByPart, fit, learns, transform

WIDTHS = [3, 5, 2]


@pytest.fixture
def values():
    """Features of parts of different scales, float32 [20, 2, 10]."""
    random = np.random.default_rng(0)
    return (random.normal(size=(20, 2, 10)) * np.repeat([1, 100, 0.01], WIDTHS) + 5).astype(np.float32)


def test_each_part_by_itself(values):
    """As ColumnTransformer has it, fitted to the rows of all views."""
    steps = [StandardScaler(), Normalizer(), StandardScaler(with_std=False)]
    columns = np.split(np.arange(10), np.cumsum(WIDTHS)[:-1])
    oracle = ColumnTransformer([(str(row), step, columns[row]) for row, step in enumerate(steps)])
    expected = oracle.fit_transform(values.reshape(40, 10)).reshape(20, 2, 10)

    found = transform(fit(ByPart(steps, WIDTHS), values), values)

    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_a_part_may_change_its_width(values):
    found = transform(fit(ByPart([Normalizer(), PCA(2), Normalizer()], WIDTHS), values), values)

    assert found.shape == (20, 2, 7)


@pytest.mark.parametrize(("step", "expected"), [(Normalizer(), False), (StandardScaler(), True)])
def test_whether_a_part_learns(step, expected):
    assert learns(ByPart([FunctionTransformer(), step], [1, 1])) is expected


def test_rows_of_another_length_are_refused(values):
    with pytest.raises(ValueError, match="rows of 10 numbers do not have parts of"):
        fit(ByPart([Normalizer()], [9]), values)


def test_as_data(values):
    """What is read back transforms in the same way."""
    fitted, arrays = fit(ByPart([StandardScaler(), Normalizer(), FunctionTransformer()], WIDTHS), values), {}
    described = pack(fitted, "transformer", arrays)

    read = unpack(described, "transformer", arrays)

    np.testing.assert_array_equal(transform(read, values), transform(fitted, values))
