"""Nearest neighbours, spatial search, expansions: against the definitions, written out."""

import sys

import numpy as np
import pytest

from offshelf.errors import ConfigError
from offshelf.retrieval import Approximate, Nearest, SpatialSearch
from offshelf.retrieval.arrays import OnCpu
from offshelf.retrieval.expansion import augmented, expanded

RANDOM = np.random.default_rng(0)
REFERENCES = RANDOM.normal(size=(30, 4, 6)).astype(np.float32)
QUERIES = RANDOM.normal(size=(5, 3, 6)).astype(np.float32)


def unit(values):
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def all_rows(spec, references=REFERENCES, queries=QUERIES):
    return np.concatenate(list(spec.similarities(references, queries)))


def test_nearest_compares_means_of_views():
    """Minus the distance of the means."""
    means, asked = REFERENCES.mean(axis=1), QUERIES.mean(axis=1)
    expected = -np.linalg.norm(asked[:, None] - means[None], axis=2)

    assert all_rows(Nearest(device="cpu")) == pytest.approx(expected, abs=1e-5)


def test_spatial_search_compares_views():
    """Two references by hand: a query of two patches, each next to one of the first's."""
    references = np.array([[[0.0, 0], [10, 0]], [[3, 0], [3, 0]]], np.float32)
    query = np.array([[[0, 1], [9, 0]]], np.float32)
    (found,) = SpatialSearch(device="cpu").similarities(references, query)

    assert found == pytest.approx(-np.array([[(1 + 1) / 2, (np.sqrt(10) + 6) / 2]]), abs=1e-5)


@pytest.mark.parametrize("alpha", [0, 1, 3])
def test_query_expansion(alpha):
    """The query and its three nearest references, weighted, of unit length."""
    references, queries = REFERENCES[:, :1], QUERIES[:, :1]
    cosines = unit(queries[:, 0]) @ unit(references[:, 0]).T
    expected = []
    for query, row in zip(unit(queries[:, 0]), cosines, strict=True):
        best = np.argsort(-row)[:3]
        expected.append(unit(query + (row[best, None] ** alpha * unit(references[best, 0])).sum(axis=0)))

    assert expanded(queries, references, 3, alpha, OnCpu())[:, 0] == pytest.approx(np.array(expected), abs=1e-5)


def test_augmentation_of_the_database():
    """Each reference with its two nearest others."""
    references = REFERENCES[:, :1]
    cosines = unit(references[:, 0]) @ unit(references[:, 0]).T
    best = np.argsort(-cosines, axis=1)[:, :3]

    assert (best[:, 0] == np.arange(30)).all()
    expected = unit(unit(references[:, 0])[best].sum(axis=1))
    assert augmented(references, 3, 0, OnCpu())[:, 0] == pytest.approx(expected, abs=1e-5)
    assert augmented(references, 1, 2, OnCpu())[:, 0] == pytest.approx(unit(references[:, 0]), abs=1e-5)


def test_expansions_are_used():
    """First the references, then the queries, by the references that have become of them."""
    spec = Nearest("cosine", query_expansion=2, database_augmentation=3, alpha=1, device="cpu")
    references = augmented(REFERENCES[:, :1], 3, 1, OnCpu())
    queries = expanded(QUERIES[:, :1], references, 2, 1, OnCpu())

    found = all_rows(spec, REFERENCES[:, :1], QUERIES[:, :1])
    assert found == pytest.approx(queries[:, 0] @ references[:, 0].T - 1, abs=1e-5)


def test_more_neighbours_than_references():
    """All there are."""
    assert all_rows(Nearest(query_expansion=100, database_augmentation=100, device="cpu")).shape == (5, 30)


def test_half_precision_halves_the_footprint():
    """Numbers and bytes an image, and nearly the same distances."""
    halves = all_rows(SpatialSearch(storage="float16", device="cpu"))

    assert SpatialSearch().footprint(30, 500) == (15_000, 60_000)
    assert SpatialSearch(storage="float16").footprint(30, 500) == (15_000, 30_000)
    assert Nearest().footprint(8, 4096) == (4096, 16_384)
    assert halves == pytest.approx(all_rows(SpatialSearch(device="cpu")), abs=2e-3)
    assert (halves != all_rows(SpatialSearch(device="cpu"))).any()


def test_numbers_too_large_for_half_precision():
    """Not a search of infinities."""
    with pytest.raises(ConfigError, match="holds numbers up to 65,504"):
        all_rows(SpatialSearch(storage="float16", device="cpu"), -1e5 * np.ones((2, 1, 6), np.float32))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"distance": "l1"}, "retrieval.distance cannot be 'l1'; did you mean 'l2'?"),
        ({"storage": "int8"}, "retrieval.storage cannot be 'int8'"),
        ({"query_expansion": -1}, "retrieval.query_expansion must be a number of references, 0 for none; got -1."),
        ({"database_augmentation": 1.5}, "retrieval.database_augmentation must be a number"),
        ({"alpha": -1}, "retrieval.alpha must be a power of at least 0; got -1."),
    ],
)
def test_fields_that_do_not_fit(fields, sentence):
    """One sentence."""
    with pytest.raises(ConfigError) as error:
        Nearest(**fields)

    assert sentence in str(error.value)


def test_no_gpu(monkeypatch):
    """Asked for, and not there."""
    monkeypatch.setattr("offshelf.retrieval.arrays.has_cuda", lambda: False)

    with pytest.raises(ConfigError, match=r"use retrieval\.device=auto"):
        SpatialSearch(device="cuda").similarities(REFERENCES, QUERIES)


CROWD = RANDOM.normal(size=(800, 2, 6)).astype(np.float32)


@pytest.mark.parametrize("distance", ["l2", "cosine"])
def test_all_cells_are_the_exact_search(distance):
    """Whoever looks into every cell finds everything, as near as it is."""
    found = all_rows(Approximate(distance, cells=5, probes=5), CROWD)

    assert found == pytest.approx(all_rows(Nearest(distance, device="cpu"), CROWD), abs=1e-5)


def test_few_cells_find_less():
    """The nearest of what is found are exact; the rest is in no ranking; twice the same."""
    spec = Approximate(probes=1, neighbours=20)
    found, exact = all_rows(spec, CROWD), all_rows(Nearest(device="cpu"), CROWD)
    is_found = found > -np.inf

    assert 0 < is_found.sum() <= 5 * 20
    assert found[is_found] == pytest.approx(exact[is_found], abs=1e-5)
    assert (found == all_rows(spec, CROWD)).all()


def test_fewer_references_than_cells():
    """Of a handful there is one cell, and the search is exact."""
    found = all_rows(Approximate(cells=100), CROWD[:20])
    assert found == pytest.approx(all_rows(Nearest(device="cpu"), CROWD[:20]), abs=1e-5)


@pytest.mark.parametrize("field", ["cells", "probes", "neighbours"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_wrong_numbers(field, value):
    """One sentence."""
    with pytest.raises(ConfigError, match=f"retrieval.{field} must be a number of at least 1"):
        Approximate(**{field: value})


def test_without_faiss(monkeypatch):
    """What to install."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ConfigError, match=r"offshelf\[approximate\]"):
        all_rows(Approximate())


@pytest.mark.parametrize(
    "spec",
    [
        Nearest(device="cpu"),
        Nearest("cosine", query_expansion=2, database_augmentation=2, storage="float16", device="cpu"),
        SpatialSearch(device="cpu"),
        SpatialSearch("cosine", storage="float16", device="cpu"),
        Approximate(),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("references", "queries", "named"),
    [
        (REFERENCES[:, :1], QUERIES[:0, :1], "queries"),
        (REFERENCES[:0, :1], QUERIES[:, :1], "references"),
        (REFERENCES[:0, :1], QUERIES[:0, :1], "references"),
        (REFERENCES[:, :0], QUERIES[:, :1], "references"),
        (REFERENCES[:, :1, :0], QUERIES[:, :1, :0], "references"),
        (REFERENCES[:, 0], QUERIES[:, :1], "references"),
        (REFERENCES[:, :1, :4], QUERIES[:, :1], "length"),
    ],
)
def test_nothing_to_compare(spec, references, queries, named):
    """Is said in a sentence, before any search."""
    with pytest.raises(ConfigError, match=named) as caught:
        list(spec.similarities(references, queries))

    assert "\n" not in str(caught.value)
