"""Votes that rank: the predicted class stays the votes' and has the largest score, which orders confidence."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from sklearn.utils.multiclass import _ovr_decision_function

from offshelf.classifier import Tuned, gram
from offshelf.serving.onnx.scorer import _Votes
from offshelf.svm import LinearSVMCV
from offshelf.svm.encoding import Encoding


def by_hand(decisions, classes):
    """Votes and sums, pair by pair."""
    votes, sums = np.zeros((2, len(decisions), classes))
    pairs = [(one, other) for one in range(classes) for other in range(one + 1, classes)]
    for column, (first, second) in zip(decisions.T, pairs, strict=True):
        votes[:, first] += column > 0
        votes[:, second] += column <= 0
        sums[:, first] += column
        sums[:, second] -= column
    return votes, sums


@pytest.mark.parametrize("classes", [3, 5, 12])
def test_scores_of_pairs(classes):
    """Cycles and ties among them: as scikit-learn's, save that the first of equal votes stays first."""
    random = np.random.default_rng(classes)
    decisions = random.normal(size=(2000, classes * (classes - 1) // 2)) * 10.0 ** random.integers(-3, 4, (2000, 1))
    decisions[:50] = np.sign(decisions[:50])
    decisions[0] = 0
    votes, sums = by_hand(decisions, classes)
    scores = Encoding(np.arange(classes), "ovo").scores(decisions, by_votes=True)
    winner = votes.argmax(axis=1)

    assert (scores.argmax(axis=1) == winner).all()
    assert (np.abs(scores - votes) < 1 / 3).all()
    others = np.where(np.arange(classes) == winner[:, None], -np.inf, scores)
    is_certain = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    assert (scores.max(axis=1) > others.max(axis=1))[is_certain].all()
    theirs = _ovr_decision_function(decisions < 0, -decisions, classes)
    has_none = (decisions != 0).all(axis=1)
    assert scores[is_certain & has_none] == pytest.approx(theirs[is_certain & has_none], abs=1e-9)
    assert (np.abs(sums).max(axis=1) > 0).mean() > 0.9
    labels = Encoding(np.arange(classes), "ovo").labels(decisions, by_votes=True)
    assert (labels == winner).all()

    found = _Votes(classes)(torch.from_numpy(decisions)).numpy()
    assert found == pytest.approx(scores, abs=1e-9)


@pytest.mark.parametrize("machine", ["ours", "libsvm"])
def test_scores_order_confidence(machine):
    """Nearly every digit wins all of its pairs: its score tells it from others, and mistakes are low."""
    values, targets = load_digits(return_X_y=True)
    values = (values / 16)[:, None]
    kinds = {
        "ours": LinearSVMCV(multiclass="ovo", loss="hinge", bias="free"),
        "libsvm": SVC(kernel=gram, decision_function_shape="ovo"),
    }
    fit = Tuned(kinds[machine], C=0.02).fit(values[:900], targets[:900])
    scores = fit.score(values[900:])
    best, is_right = scores.max(axis=1), scores.argmax(axis=1) == targets[900:]

    assert (best.round() == 9).mean() > 0.9
    assert len(np.unique(best.round(6))) > 0.95 * len(best)
    of_pairs = (best[is_right][:, None] > best[~is_right]).mean()
    assert of_pairs > 0.75
