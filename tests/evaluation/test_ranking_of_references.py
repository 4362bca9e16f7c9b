"""Rankings judged: against scikit-learn, and by hand."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from offshelf.dataset import ImageArray, require_retrieval
from offshelf.dataset.retrieval_set import RetrievalItem, RetrievalSet, Truth
from offshelf.errors import ConfigError, DatasetError
from offshelf.evaluation.retrieval import RetrievalProbe, largest
from offshelf.metric import Bootstrap
from offshelf.retrieval import Nearest, SpatialSearch

RANDOM = np.random.default_rng(0)


def pictures(count):
    return [RetrievalItem(str(row), ImageArray(np.full((1, 1, 3), row, np.uint8))) for row in range(count)]


def rows(*numbers):
    return np.array(numbers, np.int64)


def made(truths, references=40, queries=6, metric="mAP"):
    return RetrievalSet("made", pictures(references), pictures(queries), truths, metric)


def probe(retrieval=None, postprocess=None, replicates=0):
    retrieval = retrieval or Nearest(device="cpu")
    return RetrievalProbe(postprocess or FunctionTransformer(), retrieval, Bootstrap(replicates))


def test_average_precision_is_scikit_learns():
    """By the rectangle rule, of rankings without ties; junk is not there for it."""
    references, queries = RANDOM.normal(size=(40, 3, 5)).astype(np.float32), RANDOM.normal(size=(6, 2, 5))
    truths = [Truth(np.sort(RANDOM.choice(30, 7, False)), np.arange(30, 40)) for _ in range(6)]
    score = probe(SpatialSearch(device="cpu")).score("last", references, queries.astype(np.float32), made({"": truths}))
    expected = []
    for query, truth in zip(queries, truths, strict=True):
        near = -np.linalg.norm(query[:, None, None] - references[None, :30], axis=3).min(axis=2).mean(axis=0)
        expected.append(average_precision_score(np.isin(np.arange(30), truth.relevant), near))

    assert score.by_query["mAP_rectangle"] == pytest.approx(expected)
    assert score.metrics["test/mAP_rectangle"] == pytest.approx(np.mean(expected))
    assert score.footprint == (15, 60)


def test_protocols_by_hand():
    """References on a line, one query at 0: its nearest are 0, 1, 2, ..."""
    line = np.arange(12, dtype=np.float32).reshape(-1, 1, 1)
    query = np.zeros((1, 1, 1), np.float32)
    truths = {
        "easy": [Truth(rows(1), rows(0))],  # junk first
        "hard": [Truth(rows(2, 4), rows(0, 1), missing=2)],
        "none": [Truth(rows(), rows())],
    }
    score = probe().score("last", line, query, made(truths, 12, 1, "easy/mAP"))

    assert score.metrics["test/easy/mAP"] == 1
    assert score.metrics["test/hard/mAP"] == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 4)
    assert score.metrics["test/hard/mP_at_5"] == pytest.approx(2 / 5)
    assert not [name for name in score.metrics if "none" in name]
    assert "test/easy/ns_score" not in score.metrics
    assert score.first_QT.tolist() == [list(range(10))]


def test_intervals_are_over_queries():
    """One of two queries finds nothing first: the share of draws says how wide."""
    line = np.arange(4, dtype=np.float32).reshape(-1, 1, 1)
    truths = {"": [Truth(rows(0), rows()), Truth(rows(3), rows())]}
    score = probe(replicates=100).score("last", line, line[:1].repeat(2, axis=0), made(truths, 4, 2))

    assert score.metrics["test/mP_at_1"] == 0.5
    assert (score.metrics["test/mP_at_1_low"], score.metrics["test/mP_at_1_high"]) == (0, 1)


def test_postprocessing_is_learnt_of_the_references():
    """As by hand, on all their views."""
    references, queries = RANDOM.normal(size=(40, 2, 6)).astype(np.float32), RANDOM.normal(size=(6, 2, 6))
    truths = {"": [Truth(rows(query), rows()) for query in range(6)]}
    chain = make_pipeline(Normalizer(), PCA(3, whiten=True))
    score = probe(postprocess=chain).score("last", references, queries.astype(np.float32), made(truths))
    fitted = make_pipeline(Normalizer(), PCA(3, whiten=True)).fit(references.reshape(80, 6))
    means = [fitted.transform(one.reshape(-1, 6)).reshape(-1, 2, 3).mean(axis=1) for one in (references, queries)]
    near = -np.linalg.norm(means[1][:, None] - means[0][None], axis=2)

    assert score.dims == 3
    assert score.by_query["mAP_rectangle"] == pytest.approx(
        [average_precision_score(np.arange(40) == query, near[query]) for query in range(6)]
    )


def test_nothing_to_find():
    """The official metric is not defined for any query."""
    values = np.zeros((4, 1, 2), np.float32)
    with pytest.raises(DatasetError, match="mAP is not defined on made"):
        probe().score("last", values, values[:1], made({"": [Truth(rows(), rows())]}, 4, 1))


def test_largest():
    """As a stable sort."""
    values = RANDOM.integers(0, 5, 50).astype(float)
    order = np.argsort(-values, kind="stable")

    for count in (1, 10, 50, 60):
        assert (largest(values, count) == order[:count]).all()


@pytest.mark.parametrize(("references", "queries"), [(0, 3), (5, 0), (0, 0)])
def test_without_references_or_queries(references, queries):
    """A transform would complain first, in words of its own."""
    images = made({"": [Truth(rows(0), rows())] * queries}, references, queries)
    features = np.ones((5, 1, 4), np.float32)

    with pytest.raises(ConfigError, match="A search needs"):
        probe(postprocess=Normalizer()).score("last", features[:references], features[:queries], images)
    with pytest.raises(DatasetError, match=r"made has no (references|queries)"):
        require_retrieval(images)
