"""Fusion of views by hand."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from offshelf.classifier import view
from offshelf.classifier.view import class_scores
from offshelf.svm.fusion import fuse

RESPONSES = np.array([[1.0, -5.0], [7.0, 7.0], [3.0, 2.0], [-4.0, 1.0]])
IMAGES = np.array([8, 2, 8, 8])
"""Three views of image 8 around the one of image 2."""


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [("sum", [[7, 7], [0, -2]]), ("mean", [[7, 7], [0, -2 / 3]]), ("max", [[7, 7], [3, 2]])],
)
def test_views_of_images(fusion, expected):
    """In the order of the images, whatever that of the rows; two classes have one response a row."""
    assert fuse(RESPONSES, IMAGES, fusion, False) == pytest.approx(np.array(expected))
    assert fuse(RESPONSES[:, 0], IMAGES, fusion, False) == pytest.approx(np.array(expected)[:, 0])


def test_two_sided_maximum():
    """Image 8: of the first pair the largest response for either class is 3 and 4, of the second 2 and 5."""
    assert fuse(RESPONSES, IMAGES, "max", True).tolist() == [[14, 14], [-1, -3]]
    assert (fuse(-RESPONSES, IMAGES, "max", True) == -fuse(RESPONSES, IMAGES, "max", True)).all()


def test_precision_is_kept():
    """float32 responses stay so."""
    for fusion in ("sum", "mean", "max"):
        assert fuse(RESPONSES.astype(np.float32), IMAGES, fusion, False).dtype == np.float32


@pytest.mark.parametrize("rows", [1, 5, 12, 1000])
def test_blocks_of_images_are_scored_alike(rows, monkeypatch):
    """However many rows are scored at a time, an image's views are together."""
    random = np.random.default_rng(0)
    fitted = LogisticRegression().fit(random.normal(size=(30, 4)), np.arange(30) % 3)
    values = random.normal(size=(7, 4, 4))
    by_hand = np.array([fitted.decision_function(image).sum(axis=0) for image in values])
    monkeypatch.setattr(view, "ROWS", rows)

    assert class_scores(fitted, values) == pytest.approx(by_hand)
