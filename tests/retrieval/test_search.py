"""Exact search against loops in NumPy and scikit-learn's NearestNeighbors."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from offshelf.retrieval import search
from offshelf.retrieval.arrays import InTorch, OnCpu

ARRAYS = [OnCpu(), InTorch("cpu")]  # what runs on a GPU runs here on the CPU
KINDS = {"l2": "euclidean", "cosine": "cosine"}


def vectors(*shape, dtype=np.float32):
    """Seeded, of different lengths."""
    random = np.random.default_rng(sum(shape))
    return (random.normal(size=shape) * random.uniform(0.1, 3, (*shape[:-1], 1))).astype(dtype)


def apart(one, other, distance):
    """Of two vectors, in float64."""
    one, other = one.astype(float), other.astype(float)
    if distance == "l2":
        return np.sqrt(((one - other) ** 2).sum())
    return 1 - one @ other / np.sqrt((one @ one) * (other @ other))


def spatial(references, queries, distance):
    """The paper's words, one pair of patches at a time: float64 [Q, N]."""
    return np.array(
        [
            [
                np.mean([min(apart(patch, other, distance) for other in reference) for patch in query])
                for reference in references
            ]
            for query in queries
        ]
    )


@pytest.fixture
def small(monkeypatch):
    """Passes of three queries, products of six vectors, blocks of few references: every border is met."""
    monkeypatch.setattr(search, "ROWS", 4 * 23 * 6)
    monkeypatch.setattr("offshelf.retrieval.queries.WIDEST", 6)
    for kind in (OnCpu, InTorch):
        monkeypatch.setattr(kind, "block", 4 * 6 * 5 * 2)


@pytest.mark.parametrize("arrays", ARRAYS)
@pytest.mark.parametrize("distance", KINDS)
@pytest.mark.parametrize(("patches", "views"), [(5, 3), (1, 1), (1, 4), (30, 14)])
def test_rows_are_the_papers_distance(patches, views, distance, arrays, small):
    """Mean over the query's patches of the least distance to the reference's."""
    references, queries = vectors(23, patches, 8), vectors(7, views, 8)
    found = list(search.rows(references, queries, distance, arrays))

    assert [len(part) for part in found] == ([6, 1] if views == 1 else [3, 3, 1])
    assert -np.concatenate(found) == pytest.approx(spatial(references, queries, distance), abs=2e-5)


@pytest.mark.parametrize("arrays", ARRAYS)
@pytest.mark.parametrize("distance", KINDS)
def test_nearest_are_scikit_learns(distance, arrays, small):
    """Rank by rank as near, also when all are asked for: rounding may exchange rows that are equally near."""
    references, queries = vectors(500, 1, 8), vectors(40, 1, 8)
    exact = np.array([[apart(query[0], reference[0], distance) for reference in references] for query in queries])
    for count in (1, 7, 500):
        neighbours = NearestNeighbors(n_neighbors=count, metric=KINDS[distance], algorithm="brute")
        distances, _ = neighbours.fit(references[:, 0].astype(float)).kneighbors(queries[:, 0].astype(float))
        found, similarities = search.nearest(references, queries, count, distance, arrays)

        assert np.take_along_axis(exact, found, 1) == pytest.approx(distances, abs=2e-5)
        assert -similarities == pytest.approx(distances, abs=2e-5)
        assert all(len(set(row)) == count for row in found.tolist())


@pytest.mark.parametrize("arrays", ARRAYS)
def test_of_equals_the_first_row_is_the_nearest(arrays, small):
    """Whole numbers, so that equal distances are equal: all references the same, then two kinds in turn."""
    query = np.ones((2, 1, 4), np.float32)
    same, turns = np.ones((60, 1, 4), np.float32), np.ones((60, 1, 4), np.float32)
    turns[::2] = 2

    assert search.nearest(same, query, 5, "l2", arrays)[0].tolist() == [[0, 1, 2, 3, 4]] * 2
    assert search.nearest(turns, query, 5, "l2", arrays)[0].tolist() == [[1, 3, 5, 7, 9]] * 2
    assert search.nearest(turns, query, 32, "l2", arrays)[0][0].tolist() == [*range(1, 60, 2), 0, 2]


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_nearest_in_any_order_of_the_references(order, small):
    """The best come last, or first."""
    references = np.arange(400, 0, -1, dtype=np.float32)[order].reshape(-1, 1, 1)
    rows, similarities = search.nearest(references, np.zeros((3, 1, 1), np.float32), 4, "l2", OnCpu())

    assert (references[rows[0], 0, 0] == [1, 2, 3, 4]).all()
    assert similarities[2].tolist() == [-1, -2, -3, -4]


@pytest.mark.parametrize("arrays", ARRAYS)
def test_a_mapped_file_of_float16(arrays, tmp_path):
    """Read-only, block by block; the numbers are those of the rounded vectors."""
    half = vectors(50, 3, 8, dtype=np.float16)
    np.save(tmp_path / "references.npy", half)
    mapped = np.load(tmp_path / "references.npy", mmap_mode="r")
    queries = vectors(4, 2, 8)
    (found,) = search.rows(mapped, queries, "l2", arrays)

    assert -np.asarray(found) == pytest.approx(spatial(half, queries, "l2"), abs=2e-5)


class Watched(OnCpu):
    """Notes the bytes of what is put on the device, which holds little, so that few references are many blocks."""

    block = 64 * 1024

    def __init__(self):
        self.sizes = []

    def put(self, values, dtype="float32"):
        self.sizes.append(4 * values.size)
        return super().put(values, dtype)


@pytest.mark.parametrize(("queries", "dims"), [(1, 8), (1, 4096), (300, 8)])
def test_blocks_are_small_whatever_is_searched(queries, dims):
    """A single query, long vectors, many queries: no block of references is larger than it may be."""
    arrays = Watched()
    references = np.broadcast_to(np.float32(1), (5000 if dims == 8 else 50, 1, dims))
    search.nearest(references, np.zeros((queries, 1, dims), np.float32), 3, "l2", arrays)

    assert 4 * references.size > 2 * arrays.block
    assert max(arrays.sizes) <= arrays.block


def test_zeros_have_no_direction():
    """Cosine 0 to everything, themselves too; no warning."""
    values = np.zeros((2, 1, 3), np.float32)
    values[1] = 1
    (found,) = search.rows(values, values, "cosine", OnCpu())

    assert found == pytest.approx(np.array([[-1, -1], [-1, 0]]), abs=1e-6)
