"""What the report of a run is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from offshelf.dataset import ImageSet, LeftOut, Vector
from offshelf.evaluation.learning_curve import LearningCurves
from offshelf.evaluation.score import Score
from offshelf.extractor import Features
from offshelf.metric import Outcome


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything that a report shows."""

    title: str
    """Name of the run."""
    network: str
    """Name of the backbone."""
    images: ImageSet
    scores: Sequence[Score]
    """One per layer, from input to output."""
    baselines: Sequence[Score]
    chosen: Score
    """That of the reported layer."""
    found: Features
    """Those of the layers, in the order of the samples."""
    metrics: Mapping[str, float]
    """All numbers of the run."""
    curves: LearningCurves | None = None
    """By training size, where the training images are drawn."""
    left_out: Sequence[LeftOut] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    """What can be done with the run: a command by what it does."""

    @cached_property
    def tested(self) -> "Tested":
        """The test images, each once."""
        return Tested.of(self)

    @property
    def has_pictures(self) -> bool:
        """Whether there are images, not features alone."""
        return not isinstance(self.images.samples[0].image, Vector)

    @cached_property
    def tests(self) -> int:
        """Number of tests: an image counts once for each fold that tests it."""
        return sum(len(outcome.targets) for outcome in self.chosen.outcomes)

    @property
    def is_repeated(self) -> bool:
        """Whether images are tested more than once."""
        return self.tests > len(self.tested.rows)

    def features(self, rows_n: np.ndarray, fold: int = 0) -> np.ndarray:
        """Return the features of some images as the classifier of a fold sees them, the mean over views: [n, E]."""
        is_tested = np.isin(rows_n, self.images.folds[fold].test)
        return self.chosen.seen(self.found.values[self.chosen.name][rows_n], is_tested, fold)


@dataclass(frozen=True, eq=False)
class Tested:
    """The T different test images, each with its outcome in the first fold that tests it."""

    rows: np.ndarray
    """Rows of the samples: int64 [T]."""
    folds: np.ndarray
    """Fold of each: int64 [T]."""
    targets: np.ndarray
    """As in Outcome: [T] or [T, K]."""
    scores: np.ndarray
    """Decision values, or predicted numbers, as in Outcome: float64 [T, K]."""
    shown: np.ndarray
    """Probabilities where there are some, else the scores: float64 [T, K]."""

    @staticmethod
    def of(contents: Contents) -> "Tested":
        """Collect the first test of each image."""
        chosen, folds = contents.chosen, contents.images.folds
        probable = chosen.probable["reported"] if chosen.has_probabilities else chosen.outcomes
        rows, first = np.unique(np.concatenate([fold.test for fold in folds]), return_index=True)
        numbers = np.repeat(np.arange(len(folds)), [len(fold.test) for fold in folds])
        targets, scores = (
            np.concatenate([getattr(one, name) for one in chosen.outcomes]) for name in ("targets", "scores")
        )
        shown = np.concatenate([one.scores for one in probable])
        return Tested(rows, numbers[first], targets[first], scores[first], shown[first])

    @cached_property
    def outcome(self) -> Outcome:
        """Targets and scores, for what is predicted from them."""
        return Outcome(self.targets, self.scores)

    @cached_property
    def margins(self) -> np.ndarray:
        """By how much the score of the true class exceeds the best other one: float64 [T]; of single labels."""
        places = np.arange(len(self.targets))
        others = self.scores.copy()
        others[places, self.targets] = -np.inf
        found: np.ndarray = self.scores[places, self.targets] - others.max(axis=1)
        return np.where(np.isfinite(found), found, 0.0)  # a single class has no other
