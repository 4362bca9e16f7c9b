"""Retrieval sets: from labels, without images that cannot be read, and their identity."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from offshelf.dataset import (
    Digits,
    Fold,
    ImageArray,
    ImageSet,
    RetrievalItem,
    RetrievalSet,
    Sample,
    Truth,
    as_retrieval,
    require_labels,
    require_retrieval,
)
from offshelf.errors import DatasetError
from offshelf.metric import RETRIEVAL_METRICS, Ranks, positions

NOTHING = np.empty(0, np.int64)


def image(seed):
    """Noise."""
    return ImageArray(np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8))


def labelled(targets):
    """A set of images of these classes."""
    samples = [Sample(f"{row}.png", image(row), target) for row, target in enumerate(targets)]
    classes = tuple("abcdefg"[: max(targets) + 1]) if not isinstance(targets[0], tuple) else ("a", "b")
    return ImageSet("mine", classes, samples, (Fold(np.arange(len(targets)), NOTHING),))


def landmarks():
    """Four references; two queries, the second of which is the last reference."""
    references = [RetrievalItem(f"r{row}", image(row)) for row in range(4)]
    queries = [RetrievalItem("q", image(9)), RetrievalItem("r3", references[3].image)]
    truths = [Truth(np.array([0, 2]), np.array([1])), Truth(np.array([2]), np.array([3]), missing=1)]
    return RetrievalSet("landmarks", references, queries, {"": truths, "hard": [truths[1], truths[0]]})


def mean(images, protocol, name, scores_QN):
    """A metric's mean over queries."""
    truths = images.truths[protocol]
    ranks = [positions(scores, truth) for scores, truth in zip(scores_QN, truths, strict=True)]
    return np.nanmean(RETRIEVAL_METRICS[name](Ranks.of(ranks, truths)))


def test_labels_as_groups():
    """Classes of three, two and one: with the query's own row, and without it."""
    images = as_retrieval(labelled([0, 1, 0, 2, 0, 1]))

    assert images.metric == "leave_query_out/mAP"
    assert images.queries == images.references
    assert [truth.relevant.tolist() for truth in images.truths["with_query"]] == [
        *([0, 2, 4], [1, 5], [0, 2, 4], [3], [0, 2, 4], [1, 5])
    ]
    left = images.truths["leave_query_out"]
    assert [truth.relevant.tolist() for truth in left] == [[2, 4], [5], [0, 4], [], [0, 2], [1]]
    assert [truth.ignored.tolist() for truth in left] == [[0], [1], [2], [3], [4], [5]]
    assert [truth.ignored.tolist() for truth in left[-2:]] == [[4], [5]]
    with pytest.raises(IndexError):
        left[6]


def test_labels_scored_by_hand():
    """Each image finds itself, then row 0, then 1, ...; the last class has one image and nothing to find."""
    images = as_retrieval(labelled([0, 1, 0, 1, 2]))
    scores = np.eye(5) * 10 - np.arange(5)
    # Rankings, the query first: 0 1 2 3 4, 1 0 2 3 4, 2 0 1 3 4, 3 0 1 2 4, 4 0 1 2 3. First two of a class of two:
    # themselves and a wrong one, but query 2, whose first other is its own class.
    assert mean(images, "with_query", "recall_at_group", scores) == pytest.approx((0.5 + 0.5 + 1 + 0.5 + 1) / 5)
    # Without the query the one relevant reference is at rank 1, 2, 0, 1: the rectangle rule gives 1/2, 1/3, 1, 1/2.
    assert mean(images, "leave_query_out", "mAP_rectangle", scores) == pytest.approx((1 / 2 + 1 / 3 + 1 + 1 / 2) / 4)


def test_groups_of_four_are_ukbench():
    """The generalised rule is recall at four, and a quarter of the N-S score."""
    images = as_retrieval(labelled([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]))
    scores = np.random.default_rng(0).normal(size=(12, 12))
    found = [mean(images, "with_query", name, scores) for name in ("recall_at_group", "recall_at_4", "ns_score")]

    assert found[0] == found[1] == found[2] / 4
    assert 0 < found[0] < 1


def test_digits():
    """A real set: precision at one is the share of images whose nearest other one has their label."""
    digits = Digits().load()
    images = require_retrieval(digits)
    pixels = np.array([one.image.pixels[..., 0].ravel() for one in images.references], float)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    nearest = NearestNeighbors(n_neighbors=2, metric="cosine").fit(pixels).kneighbors(pixels)[1]
    others = np.where(nearest[:, 0] == np.arange(1797), nearest[:, 1], nearest[:, 0])
    expected = np.mean(digits.targets[others] == digits.targets)

    assert len(images.queries) == len(images.pictures) == 1797
    assert mean(images, "leave_query_out", "mP_at_1", pixels @ pixels.T) == pytest.approx(expected)
    assert 0.9 < expected < 1


def test_sets_that_say_nothing_of_retrieval():
    """Several labels; a class for each image."""
    with pytest.raises(DatasetError, match="mine has several labels per image"):
        require_retrieval(labelled([(1, -1), (1, 1)]))
    with pytest.raises(DatasetError, match="mine has no class of two or more images"):
        as_retrieval(labelled([0, 1, 2]))


def test_the_right_kind_of_set():
    """Each task gets its own, or a sentence."""
    labels, retrieval = labelled([0, 0, 1]), landmarks()

    assert require_labels(labels) is labels
    assert require_retrieval(retrieval) is retrieval
    with pytest.raises(DatasetError, match=r"landmarks is a retrieval set: .* Score it with: offshelf retrieve$"):
        require_labels(retrieval)


def test_pictures():
    """Each image once, though a query is a reference too."""
    images = landmarks()

    assert images.pictures == [one.image for one in (*images.references, images.queries[0])]


def test_without_images_that_cannot_be_read():
    """Rows move up; a relevant reference that is gone counts as missing, a query that is gone is not asked."""
    rest, left_out = landmarks().without({2: "broken", 3: "gone"})

    assert [one.id for one in rest.references] == ["r0", "r1"]
    assert [one.id for one in rest.queries] == ["q"]
    assert [(one.id, one.role, one.why) for one in left_out] == [
        ("r2", "reference", "broken"),
        ("r3", "reference", "gone"),
        ("r3", "query", "gone"),
    ]
    (truth,) = rest.truths[""]
    assert (truth.relevant.tolist(), truth.ignored.tolist(), truth.missing) == ([0], [1], 1)
    (truth,) = rest.truths["hard"]
    assert (truth.relevant.tolist(), truth.ignored.tolist(), truth.missing) == ([], [], 2)
    rest, _ = landmarks().without({0: "broken"})
    truth = rest.truths[""][1]
    assert (truth.relevant.tolist(), truth.ignored.tolist(), truth.missing) == ([1], [2], 1)
    with pytest.raises(DatasetError, match="no reference or no query is left in landmarks"):
        landmarks().without({3: "gone", 4: "broken"})


def test_identity():
    """Pixels and truths; not names."""
    images = landmarks()
    truth, other = images.truths[""]

    assert landmarks().digest == images.digest
    renamed = [replace(one, id=f"x{one.id}") for one in images.references]
    assert replace(images, references=renamed, name="x").digest == images.digest
    digests = {
        images.digest,
        replace(images, truths={"": [truth, other]}).digest,
        replace(images, truths={"easy": [truth, other]}).digest,
        replace(images, truths={"": [truth, replace(other, missing=0)]}).digest,
        replace(images, truths={"": [Truth(np.array([0]), np.array([1, 2])), other]}).digest,
        replace(images, references=[*images.references[:3], RetrievalItem("r3", image(7))]).digest,
        replace(images, queries=images.queries[::-1]).digest,
    }
    assert len(digests) == 7
