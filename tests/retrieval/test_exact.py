"""Rankings are those of float64, whatever the vectors: against all distances written out in float64."""

import numpy as np
import pytest

from offshelf.errors import ConfigError
from offshelf.evaluation.retrieval import largest
from offshelf.metric.retrieval import Truth, positions
from offshelf.retrieval import Nearest, SpatialSearch, search
from offshelf.retrieval.arrays import InTorch, OnCpu
from offshelf.retrieval.frame import Frame

ARRAYS = {"numpy": OnCpu(), "torch": InTorch("cpu")}  # what runs on a GPU runs here on the CPU


def truth(references, queries, distance):
    """Minus the distances, float64 [Q, N], by the definition."""
    references, queries = references.astype(np.float64), queries.astype(np.float64)
    lengths = [np.sqrt((values**2).sum(-1, keepdims=True)) for values in (references, queries)]
    if distance == "cosine":
        references, queries = (
            values / np.where(length > 0, length, 1)
            for values, length in zip((references, queries), lengths, strict=True)
        )
    rows = []
    for query in queries:
        squares = ((references[:, None] - query[:, None]) ** 2).sum(-1)  # [N, V, P]
        if distance == "cosine":
            zeros = (lengths[0][:, None, :, 0] == 0) | (lengths[1][len(rows)][:, 0] == 0)[:, None]
            squares = np.where(zeros, 2, squares) / 2
        least = squares.min(2)
        rows.append(-(least if distance == "cosine" else np.sqrt(least)).mean(1))
    return np.array(rows)


def offset(size):
    return lambda random, shape: random.normal(size=shape) + size


def scaled(size):
    return lambda random, shape: random.normal(size=shape) * size


def near_duplicates(random, shape):
    return random.normal(size=shape[-1]) + 1e-6 * random.normal(size=shape)


def far_duplicates(random, shape):
    return 1e3 * random.normal(size=shape[-1]) + 1e-3 * random.integers(0, 3, size=shape)


def whole_numbers(random, shape):
    return random.integers(-1, 2, size=shape)


def offset_whole_numbers(random, shape):
    return 1e6 + random.integers(0, 2, size=shape)


def repeated(random, shape):
    return random.normal(size=shape)[random.integers(0, max(1, shape[0] // 4), shape[0])]


def constant(random, shape):
    return np.ones(shape)


def mixed_norms(random, shape):
    return random.normal(size=shape) * 10.0 ** random.integers(-18, 16, size=(*shape[:-1], 1))


def mixed_dimensions(random, shape):
    return random.normal(size=shape) * 10.0 ** random.integers(-20, 10, size=shape[-1])


def some_zeros(random, shape):
    return random.normal(size=shape) * random.integers(0, 2, size=(*shape[:-1], 1))


def two_far_clusters(random, shape):
    return 1e4 * random.integers(0, 2, size=(*shape[:-1], 1)) + 1e-2 * random.normal(size=shape)


KINDS = {
    **{f"offset {size:g}": offset(size) for size in (1, 1e2, 1e4, 1e6)},
    **{f"scaled {size:g}": scaled(size) for size in (1e-40, 1e-20, 1e-9, 1, 1e15, 1e30)},
    "near duplicates": near_duplicates, "far duplicates": far_duplicates, "whole numbers": whole_numbers,
    "offset whole numbers": offset_whole_numbers, "repeated": repeated, "constant": constant,
    "mixed norms": mixed_norms, "mixed dimensions": mixed_dimensions, "some zeros": some_zeros,
    "two far clusters": two_far_clusters,
}  # fmt: skip


def made(kind, seed, patches=1, views=1, count=150, dims=None, dtype=np.float32):
    """References, queries of the same kind, some of them references too."""
    random = np.random.default_rng(seed)
    dims = dims or int(random.choice([1, 2, 7, 64]))
    references = KINDS[kind](random, (count, patches, dims)).astype(dtype)
    queries = KINDS[kind](random, (12, views, dims)).astype(dtype)
    if patches == views:
        queries[:6] = references[random.integers(0, count, 6)]
    return references, queries


def ranked(row):
    return np.argsort(-row, kind="stable")


@pytest.fixture
def small(monkeypatch):
    """Passes of few queries, blocks of few references: every border is met."""
    monkeypatch.setattr(search, "ROWS", 4 * 150 * 5)
    monkeypatch.setattr("offshelf.retrieval.queries.WIDEST", 6)
    for kind in (OnCpu, InTorch):
        monkeypatch.setattr(kind, "block", 4 * 64 * 40)


@pytest.mark.parametrize("distance", ["l2", "cosine"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_nearest_are_float64s(kind, distance, small):
    """The same rows in the same order, of equals the first row first; and as near."""
    for seed, arrays in enumerate(ARRAYS.values()):
        references, queries = made(kind, seed)
        expected = truth(references, queries, distance)
        for count in (10, 150):
            rows, similarities = search.nearest(references, queries, count, distance, arrays)
            assert (rows == [ranked(row)[:count] for row in expected]).all()
            assert similarities == pytest.approx(np.take_along_axis(expected, rows, 1), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patches", "views", "arrays"), [(1, 1, "numpy"), (3, 1, "torch"), (1, 2, "torch"), (4, 3, "numpy")]
)
@pytest.mark.parametrize("distance", ["l2", "cosine"])
@pytest.mark.parametrize("kind", KINDS)
def test_ranks_are_float64s(kind, distance, patches, views, arrays, small):
    """Where relevant references are, few or many, and the first ten."""
    references, queries = made(kind, patches + views, patches, views)
    expected = truth(references, queries, distance)
    random, asked = np.random.default_rng(0), 0
    for block in search.rows(references, queries, distance, ARRAYS[arrays]):
        for number in range(len(block)):
            relevant = np.sort(random.choice(150, (1, 5, 60)[asked % 3], replace=False))
            wanted, row = Truth(relevant, relevant[:0]), block.row(number, relevant, 10)
            assert (positions(row, wanted) == positions(expected[asked], wanted)).all()
            assert (largest(row, 10) == ranked(expected[asked])[:10]).all()
            assert (block[number] == expected[asked]).all() or views > 1
            asked += 1
    assert asked == len(queries)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("distance", ["l2", "cosine"])
def test_other_precisions_of_the_vectors(distance, dtype, small):
    """Rankings are of the numbers that are given."""
    for kind in ("offset 100", "near duplicates", "whole numbers", "some zeros"):
        references, queries = made(kind, 1, dtype=dtype)
        rows, _ = search.nearest(references, queries, 20, distance, OnCpu())
        assert (rows == [ranked(row)[:20] for row in truth(references, queries, distance)]).all()


@pytest.mark.parametrize("distance", ["l2", "cosine"])
@pytest.mark.parametrize("dims", [1, 3, 100, 3000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bounds_hold(dtype, dims, distance):
    """Every measure lies between its bounds, which are as near as the product's size lets them be."""
    for kind in KINDS:
        references, queries = made(kind, 5, count=40, dims=dims)
        (block,) = search.rows(references, queries, distance, OnCpu())
        bounds = block._make(dtype)
        for number in range(len(queries)):
            lower, upper = bounds.of(number)
            measures = block._exact.measures(number, np.arange(40))
            assert (lower <= measures).all(), kind
            assert (measures <= upper).all(), kind
            if kind == "scaled 1":
                size = dims if distance == "l2" else 2
                assert np.max(upper - lower) <= 40 * (dims + 20) * np.finfo(dtype).eps * size


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("distance", ["l2", "cosine"])
def test_numbers_without_a_distance(bad, distance):
    """One sentence, wherever they are."""
    for place in ("references", "queries"):
        values = dict(zip(("references", "queries"), made("scaled 1", 0, dims=7), strict=True))
        values[place][3, 0, 2] = bad
        with pytest.raises(ConfigError, match="NaN or infinite"):
            search.nearest(values["references"], values["queries"], 3, distance, OnCpu())
        with pytest.raises(ConfigError, match="NaN or infinite"):
            list(search.rows(values["references"], values["queries"], distance, OnCpu()))


def test_far_away_the_centre_is_taken_off():
    """So that float32 tells most pairs apart, and little is left to float64."""
    random = np.random.default_rng(0)
    references = random.normal(size=(500, 1, 16)).astype(np.float32)
    assert Frame.of(references, references, "l2").centre_D is None
    assert Frame.of(references + 100, references + 100, "l2").centre_D is not None
    (block,) = search.rows(references + 100, references[:5] + 100, "l2", OnCpu())
    lower, upper = block._bounds.of(0)
    assert np.max(upper - lower) < 1e-3


def test_means_of_views_far_away():
    """A mean is float64's: the tenth nearest of it, not of what float32 leaves of it."""
    random = np.random.default_rng(0)
    references = (random.normal(size=(300, 4, 16)) + 1e5).astype(np.float32)
    queries = (random.normal(size=(5, 4, 16)) + 1e5).astype(np.float32)
    means = [values.astype(np.float64).mean(1, keepdims=True) for values in (references, queries)]
    expected = truth(*means, "l2")
    (found,) = Nearest(device="cpu").similarities(references, queries)

    for number, row in enumerate(expected):
        assert (largest(found.row(number, np.arange(0), 10), 10) == ranked(row)[:10]).all()


def test_as_an_array_it_is_all_float64():
    """For who wants the distances themselves."""
    references, queries = made("offset 10000", 3, 4, 4)
    (found,) = SpatialSearch(device="cpu").similarities(references, queries)

    assert np.asarray(found) == pytest.approx(truth(references, queries, "l2"), rel=1e-12)
    assert found.shape == (12, 150)
    with pytest.raises(IndexError):
        found[12]
