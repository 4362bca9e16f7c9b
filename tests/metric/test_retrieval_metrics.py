"""Rankings by hand, the published evaluation codes written out, and scikit-learn."""

import time

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from offshelf.metric import RETRIEVAL_METRICS, Ranks, Truth, positions

RANKED = {
    # + relevant, - not, 0 junk, by falling score: trapezoid, rectangle, as others computed them
    "+-+": (0.791667, 0.833333),
    "+0-+": (0.791667, 0.833333),
    "0+-+": (0.791667, 0.833333),
    "-++-+": (0.461111, 0.588889),
    "-+": (0.25, 0.5),
}
NOTHING = np.empty(0, np.int64)


def truth_of(labels):
    """Rows by their signs."""
    return Truth(*(np.array([row for row, sign in enumerate(labels) if sign == wanted], int) for wanted in "+0"))


def measure(name, labels, missing=0):
    """A metric of one query whose references are given by falling score."""
    truth = truth_of(labels)
    truth = Truth(truth.relevant, truth.ignored, missing)
    ranks = positions(-np.arange(len(labels), dtype=float), truth)
    return RETRIEVAL_METRICS[name](Ranks.of([ranks], [truth]))[0]


def compute_ap(positive, junk, ranked):
    """The Oxford Buildings data set's compute_ap.cpp, line by line."""
    old_recall, old_precision, ap, intersection, j = 0.0, 1.0, 0.0, 0, 0
    for row in ranked:
        if row in junk:
            continue
        if row in positive:
            intersection += 1
        recall, precision = intersection / len(positive), intersection / (j + 1.0)
        ap += (recall - old_recall) * ((old_precision + precision) / 2.0)
        old_recall, old_precision = recall, precision
        j += 1
    return ap


@pytest.mark.parametrize("labels", RANKED)
def test_known_rankings(labels):
    """By the trapezoid and the rectangle rule; junk is as if it were not there, even in front."""
    found = [measure(name, labels) for name in ("mAP", "mAP_rectangle")]

    assert found == pytest.approx(RANKED[labels], abs=1e-6)


def test_positions():
    """Ranks without the junk, whatever the order of the rows."""
    scores = np.array([0.1, 0.9, 0.5, 0.7, 0.3], np.float32)  # rows 1 3 2 4 0

    assert positions(scores, Truth(np.array([0, 2]), NOTHING)).tolist() == [2, 4]
    assert positions(scores, Truth(np.array([0, 2]), np.array([1, 4]))).tolist() == [1, 2]
    assert positions(scores, Truth(NOTHING, np.array([1]))).tolist() == []
    assert scores.max() == np.float32(0.9)  # not written to


def test_ties():
    """Of equal scores the first row ranks first, a query's own row or not."""
    scores = np.array([0.5, 0.7, 0.5, 0.5, 0.5])

    assert positions(scores, Truth(np.array([2, 4]), NOTHING)).tolist() == [2, 4]
    assert positions(scores, Truth(np.array([0]), np.array([2]))).tolist() == [1]
    assert positions(np.zeros(5), Truth(np.array([3]), np.array([0]))).tolist() == [2]


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_rankings_that_are_cut_off(value):
    """A relevant reference that is not in the ranking still counts among those to find."""
    truth = Truth(np.array([0, 3]), NOTHING)
    found = positions(np.array([0.9, 0.8, value, value]), truth)

    assert found.tolist() == [0]
    assert RETRIEVAL_METRICS["mAP"](Ranks.of([found], [truth]))[0] == pytest.approx(0.5)
    assert positions(np.full(4, value), truth).tolist() == []


@pytest.mark.parametrize("seed", range(8))
def test_against_published_code(seed):
    """Random rankings with junk and ties: compute_ap, a sort of everything, scikit-learn."""
    random = np.random.default_rng(seed)
    share = (0.1, 0.7)[seed // 2 % 2]  # few relevant ones, and many
    kinds = random.choice(["+", "-", "0"], 80, p=[share, 0.85 - share, 0.15])
    scores = np.round(random.normal(0, 1, 80) + (kinds == "+"), 1 if seed % 2 else 12).astype(np.float32)
    truth = truth_of(kinds)
    order = sorted(range(80), key=lambda row: (-scores[row], row))
    found = positions(scores, truth)
    clean = [row for row in order if kinds[row] != "0"]
    ranks = Ranks.of([found], [truth])

    assert found.tolist() == [rank for rank, row in enumerate(clean) if kinds[row] == "+"]
    trapezoid = compute_ap(set(truth.relevant), set(truth.ignored), order)
    assert RETRIEVAL_METRICS["mAP"](ranks)[0] == pytest.approx(trapezoid)
    by_rank = average_precision_score([kinds[row] == "+" for row in clean], -np.arange(len(clean)))
    assert RETRIEVAL_METRICS["mAP_rectangle"](ranks)[0] == pytest.approx(by_rank)


def test_missing_references_count():
    """Of three to find one is no reference: it lowers AP and recall, and is never the last one found."""
    assert measure("mAP", "+-+", missing=1) == pytest.approx(0.791667 * 2 / 3, abs=1e-6)
    assert measure("mAP_rectangle", "++", missing=2) == pytest.approx(0.5)
    assert measure("recall_at_4", "+-+", missing=2) == pytest.approx(0.5)
    assert measure("mP_at_5", "+---------", missing=1) == pytest.approx(1 / 5)
    assert measure("mAP", "---", missing=1) == 0
    assert measure("mP_at_5", "---", missing=1) == 0


def test_precision_stops_at_the_last_relevant_reference():
    """Revisitop's rule: relevant at ranks 0 and 7 of a long list, 2/8 at ten."""
    labels = "+------+" + "-" * 20

    assert measure("mP_at_10", labels) == pytest.approx(2 / 8)
    assert measure("mP_at_5", labels) == pytest.approx(1 / 5)
    assert measure("mP_at_1", labels) == 1
    assert measure("mP_at_10", "0+0-") == 1


def test_groups():
    """N-S is a count, recall at four a quarter of it; groups of another size have recall at their size alone."""
    assert measure("ns_score", "+-++-+") == 3
    assert measure("recall_at_4", "+-++-+") == measure("recall_at_group", "+-++-+") == pytest.approx(3 / 4)
    assert measure("recall_at_group", "+-+") == pytest.approx(1 / 2)
    assert measure("recall_at_group", "-+") == 0
    assert np.isnan(measure("ns_score", "+-+"))
    assert measure("ns_score", "+-+", missing=2) == 2


@pytest.mark.parametrize("name", sorted(RETRIEVAL_METRICS))
def test_queries_are_apart(name):
    """Many at once give what each gives alone; one with nothing to find is not a number."""
    random = np.random.default_rng(3)
    truths = [Truth(np.sort(random.permutation(50)[:4]), NOTHING, missing=0) for _ in range(20)]
    if name != "ns_score":
        truths[7] = Truth(NOTHING, np.array([1, 2]))
        truths[9] = Truth(np.array([3]), NOTHING, missing=5)
        truths[11] = Truth(NOTHING, NOTHING, missing=2)
    ranks = [positions(random.normal(size=50), truth) for truth in truths]
    together = RETRIEVAL_METRICS[name](Ranks.of(ranks, truths))
    alone = [RETRIEVAL_METRICS[name](Ranks.of([one], [truth]))[0] for one, truth in zip(ranks, truths, strict=True)]

    assert together == pytest.approx(alone, nan_ok=True)
    assert np.isnan(together).sum() == (name != "ns_score")


def test_no_query():
    """No numbers."""
    assert [len(metric(Ranks.of([], []))) for metric in RETRIEVAL_METRICS.values()] == [0] * len(RETRIEVAL_METRICS)


def test_ten_thousand_queries():
    """All metrics of three protocols, a hundred relevant references a query: a second's work, or three where slow."""
    random = np.random.default_rng(0)
    truth = Truth(np.arange(100), NOTHING)
    ranks = [np.sort(random.integers(0, 100_000, 100)) for _ in range(10_000)]
    start = time.process_time()
    for _ in range(3):
        table = Ranks.of(ranks, [truth] * len(ranks))
        for metric in RETRIEVAL_METRICS.values():
            metric(table)
    assert time.process_time() - start < 3
