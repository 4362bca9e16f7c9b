"""What the page shows as pictures: test images with what they are and what they were taken for, worst first."""

from dataclasses import dataclass

import numpy as np

from offshelf.report.html.contents import Contents, Tested
from offshelf.report.html.packing import NONE

MOST_PAIRS = 5000
"""Number of wrong pairs of an image and a label that are shown."""


@dataclass(frozen=True, eq=False)
class Items:
    """I test images, worst first; of several labels, I wrong pairs of an image and a label."""

    places: np.ndarray
    """Place of the image among the tested ones: int64 [I]."""
    true: np.ndarray
    """True class, or the label that the image has: int64 [I]; NONE without one."""
    taken: np.ndarray
    """Predicted class, or the label that it was given: int64 [I]; NONE without one."""
    true_scores: np.ndarray
    """Score of the true class, NaN without one, or the true number: float64 [I]."""
    taken_scores: np.ndarray
    """Score of the predicted class, NaN without one, or the predicted number: float64 [I]."""
    is_wrong: np.ndarray
    """bool [I]; of numbers none is."""

    def order(self, tested: int) -> np.ndarray:
        """Return the places of all tested images, those of the first items first: int64 [tested]."""
        shown, first = np.unique(self.places, return_index=True)
        rest = np.setdiff1d(np.arange(tested), shown, assume_unique=True)
        return np.concatenate([self.places[np.sort(first)], rest])


def items_of(contents: Contents) -> Items:
    """Return the items of a run's test images."""
    tested, kind = contents.tested, contents.chosen.kind
    if kind == "class":
        return _of_classes(tested)
    return _of_labels(tested) if kind == "labels" else _of_numbers(tested)


def _of_classes(tested: Tested) -> Items:
    taken, places = tested.outcome.predictions, np.arange(len(tested.rows))
    wrong = taken != tested.targets
    order = np.lexsort((tested.margins, ~wrong))
    true_scores, taken_scores = tested.shown[places, tested.targets], tested.shown[places, taken]
    return Items(order, tested.targets[order], taken[order], true_scores[order], taken_scores[order], wrong[order])


def _of_labels(tested: Tested) -> Items:
    wrong = (tested.targets != 0) & (tested.outcome.predictions != tested.targets)
    places, labels = np.nonzero(wrong)
    worst = np.argsort(-np.abs(tested.scores[places, labels]), kind="stable")[:MOST_PAIRS]
    places, labels = places[worst], labels[worst]
    has_it = tested.targets[places, labels] > 0
    scores = tested.shown[places, labels]
    true, taken = np.where(has_it, labels, NONE), np.where(has_it, NONE, labels)
    return Items(
        places,
        true,
        taken,
        np.where(has_it, scores, np.nan),
        np.where(has_it, np.nan, scores),
        np.full(len(places), True),
    )


def _of_numbers(tested: Tested) -> Items:
    predicted = tested.scores[:, 0]
    order = np.argsort(-np.abs(predicted - tested.targets), kind="stable")
    none = np.full(len(order), NONE)
    return Items(order, none, none, tested.targets[order], predicted[order], np.full(len(order), False))
