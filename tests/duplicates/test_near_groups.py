"""All pairs at once, groups of near duplicates, and leaks from known neighbours: against scikit-learn and loops."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from sklearn.metrics.pairwise import cosine_similarity

from offshelf.duplicates import NearDuplicates, NearSearch, all_pairs
from offshelf.errors import ConfigError


def clouds(rng, count=150, spread=0.05):
    """Some images alone, others in clouds of near duplicates, the largest of 40."""
    centres = rng.normal(size=(40, 12))
    number = np.concatenate([np.arange(40), np.repeat([0, 1, 2], [39, 20, 1]), np.full(count - 100, 3)])
    return centres[number] + spread * rng.normal(size=(count, 12))


def cosines(values):
    found = cosine_similarity(values - values.mean(axis=0))
    np.fill_diagonal(found, -2)
    return found


@pytest.mark.parametrize("block", [16, 150, 1000])
def test_neighbours_are_scikit_learns(monkeypatch, block):
    """In blocks of any size."""
    monkeypatch.setattr(all_pairs, "BLOCK", block)
    values = np.random.default_rng(0).normal(size=(150, 12))
    found = NearSearch(values[:, None], "cpu").neighbours(7)
    expected = np.argsort(-cosines(values), axis=1)[:, :7]

    assert found.rows_Nk.tolist() == expected.tolist()
    assert found.cosines_Nk == pytest.approx(np.take_along_axis(cosines(values), expected, 1), abs=1e-6)


def test_equal_rows_and_few_rows():
    """A row is not its own neighbour, however many others are equal; of two rows each has one, of one none."""
    equal = NearSearch(np.repeat(np.eye(2), 30, axis=0)[:, None], "cpu").neighbours(5)

    assert (equal.rows_Nk != np.arange(60)[:, None]).all()
    assert equal.cosines_Nk == pytest.approx(np.ones((60, 5)))
    assert NearSearch(np.eye(2)[:, None], "cpu").neighbours(5).rows_Nk.tolist() == [[1], [0]]
    assert NearSearch(np.eye(1)[:, None], "cpu").neighbours(5).rows_Nk.shape == (1, 0)


def test_numbers_without_a_distance():
    """Are refused."""
    with pytest.raises(ConfigError, match="not finite"):
        NearSearch(np.array([[[1.0]], [[np.nan]]]), "cpu").neighbours(1)


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_the_connected_components(seed):
    """Also of clouds with many more images than neighbours were looked for."""
    values = clouds(np.random.default_rng(seed))
    search = NearSearch(values[:, None], "cpu")
    near = NearDuplicates(search, search.neighbours(4), 0.9)
    _, expected = connected_components(cosines(values) >= 0.9)
    found = near.groups(np.arange(len(values)))

    first_of = lambda groups: [int(np.flatnonzero(groups == one)[0]) for one in groups]  # noqa: E731
    assert first_of(found) == first_of(expected)


@pytest.mark.parametrize("seed", range(4))
def test_nearest_across_parts_from_known_neighbours(seed):
    """Whether a test image has a near duplicate among the training images, and which is the nearest."""
    rng = np.random.default_rng(seed)
    values = clouds(rng)
    train, test = np.split(rng.permutation(len(values)), [100])
    search = NearSearch(values[:, None], "cpu")
    found = NearDuplicates(search, search.neighbours(4), 0.9).nearest(test, train)
    among = cosines(values)[np.ix_(test, train)]
    is_near = among.max(axis=1) >= 0.9

    assert found.rows_Q.tolist() == np.where(is_near, train[among.argmax(axis=1)], -1).tolist()
    assert found.cosines_Q == pytest.approx(np.where(is_near, among.max(axis=1), -1), abs=1e-6)


def test_equal_bytes_join_groups():
    """Images that are known to be equal are of one group, whatever their features are."""
    values = 10 * np.eye(4)
    near = NearDuplicates(search := NearSearch(values[:, None], "cpu"), search.neighbours(2), 0.9)

    assert near.groups(np.array([0, 1, 0, 2])).tolist() == [0, 1, 0, 2]
