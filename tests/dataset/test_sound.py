"""A set of the user's own that contradicts itself is a sentence, not a number."""

from dataclasses import replace

import numpy as np
import pytest

from offshelf.dataset import Fold, ImageArray, ImageSet, Sample, require_labels
from offshelf.errors import DatasetError

PIXELS = np.zeros((2, 2, 3), np.uint8)
ROWS = np.arange(6)
GOOD = ImageSet(
    "own",
    ("a", "b"),
    [Sample(f"{row}", ImageArray(PIXELS + row), row % 2) for row in ROWS.tolist()],
    (Fold(ROWS[:4], ROWS[4:]),),
)


def several(*targets):
    """The same images with several labels."""
    return [replace(one, target=target) for one, target in zip(GOOD.samples, targets, strict=True)]


def test_good():
    """As it is."""
    assert require_labels(GOOD) is GOOD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": [], "folds": ()}, "no samples"),
        ({"folds": ()}, "no folds"),
        ({"folds": (Fold(ROWS, ROWS[4:]),)}, r"fold 0: 2 sample\(s\) are trained and tested on, the first of them '4'"),
        ({"folds": (Fold(ROWS[:4], ROWS[4:] + 1),)}, "test has rows outside the 6 samples, or repeats"),
        ({"folds": (Fold(ROWS[:4], -ROWS[1:2]),)}, "rows outside the 6 samples"),
        ({"folds": (Fold(np.array([0, 0, 1]), ROWS[4:]),)}, "train has rows outside the 6 samples, or repeats"),
        ({"folds": (Fold(ROWS[:4] > 1, ROWS[4:]),)}, "train must be a non-empty array of row numbers"),
        ({"folds": (Fold(ROWS[:0], ROWS[4:]),)}, "train must be a non-empty array of row numbers"),
        ({"classes": ("a",)}, "targets must be class numbers, 0 to 0 for its 1 classes"),
        ({"metric": "acuracy"}, "the metric 'acuracy' does not exist; choose one of accuracy"),
        ({"metric": "mAP_area"}, "the metric 'mAP_area' does not exist"),
        ({"samples": [GOOD.samples[0]] * 6}, "two samples '0'"),
        ({"samples": several(*[(1, 2)] * 6)}, "1, -1 or 0 for each of 2 classes"),
        ({"samples": several(*[(1,)] * 6)}, "for each of 2 classes"),
        ({"samples": several(*[(1, -1)] * 6)}, "the metric 'accuracy' does not exist; choose one of mAP"),
        ({"samples": several((1, -1), *[1] * 5)}, "not all tuples of one length"),
    ],
)
def test_contradictions(change, message):
    """Each where it is."""
    with pytest.raises(DatasetError, match=message):
        require_labels(replace(GOOD, **change))


def test_what_is_no_set():
    """What load() returned."""
    with pytest.raises(DatasetError, match=r"load\(\) returns a list; an ImageSet was expected"):
        require_labels([])
