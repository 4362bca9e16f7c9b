"""The race: all candidates on a small sample, those that are not ruled out on one twice as large, and so on.

Successive halving (Jamieson and Talwalkar, AISTATS 2016) doubles what the rest may use and drops the worse half. Here
error bars decide how many are dropped, as in Hoeffding races (Maron and Moore, NIPS 1993).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from offshelf.dataset import ImageSet
from offshelf.errors import BackboneError
from offshelf.evaluation.classification import Probe, Score
from offshelf.extractor import Cost, Features
from offshelf.metric import METRICS, Difference, Interval
from offshelf.tasks.recommend.budget import Budget
from offshelf.tasks.recommend.candidate import Aside, Candidate

GROWTH = 4
"""How many times as long as the last one a round may fit: products of all pairs of images are the most of it."""


@dataclass(frozen=True)
class Pace:
    """What a backbone costs here."""

    rate: float
    """Images a second, measured."""
    layers: tuple[str, ...]
    """Those that are tried."""


@dataclass
class Entry:
    """A layer in the race."""

    candidate: Candidate
    layer: str
    rate: float
    scores: list[Score] = field(default_factory=list)
    """By cross-validation, of each round that it was in."""
    images: int = 0
    """In the sample of its last round."""
    views: int = 1
    out: str = ""
    """The round it was dropped in, and the difference to that round's best; empty while it is in the race."""

    def learn(self, cost: Cost, views: int) -> None:
        """Note how many views an image has, and a better pace: longer extractions spread the start of a network."""
        self.views = views
        if cost.extracted:
            self.rate = max(self.rate, cost.extracted / cost.seconds)

    @property
    def by_round(self) -> list[float]:
        """The official metric in each round: the mean over the held-out folds."""
        return [
            float(np.mean([METRICS[score.metric](outcome)[0] for outcome in score.outcomes])) for score in self.scores
        ]

    @property
    def value(self) -> float:
        """The official metric in its last round."""
        return self.by_round[-1]

    @property
    def interval(self) -> Interval | None:
        """Of the value, over the held-out images."""
        return self.scores[-1].bootstrap.interval(self.scores[-1].metric, self.scores[-1].outcomes)

    @property
    def bytes_per_image(self) -> int:
        """Of its features, through all views, in float32."""
        return 4 * self.views * self.scores[-1].dims

    @property
    def order(self) -> tuple[int, float, int]:
        """Sorts the best first: those that lasted longer, then by value, of equals the one with fewest numbers."""
        return -len(self.scores), -self.value, self.scores[-1].dims


Extract = Callable[[Candidate, tuple[str, ...], ImageSet], Features]
"""Features of a sample."""


@dataclass
class Race:
    """Candidates on growing samples, until the images, the candidates or the time are at an end."""

    samples: Sequence[ImageSet]
    """Of each round, with the folds that it is cross-validated by."""
    probe: Probe
    extract: Extract
    budget: Budget
    confidence: float
    """That no candidate is dropped which is as good as the best one, over all rounds and candidates."""
    tell: Callable[[str], None]
    """Is told of each round."""
    entries: list[Entry] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)
    end: str = ""
    """Why it ended."""
    _fit_seconds: float = 0.0

    def run(self, paces: Sequence[tuple[Candidate, Pace]]) -> None:
        """Run the rounds; the cheapest backbones come first.

        A later round is begun where all of it fits into the time that is left, and counts when it is finished. In the
        first one the backbones for which there is no time are left aside.
        """
        cheap_first = sorted(paces, key=lambda one: -one[1].rate)
        self.entries = [Entry(one, layer, pace.rate) for one, pace in cheap_first for layer in pace.layers]
        for number in range(1, len(self.samples) + 1):
            if number > 1 and not self.budget.holds(self._forecast(number)):
                self.end = f"round {number} would not fit into the time that is left"
                return
            if not self._round(number):
                self.end = f"the time was over before round {number} was"
                return
            if len(self.running) == 1:
                self.end = "one is left"
                return
        self.end = "all training images were used"

    @property
    def running(self) -> list[Entry]:
        """Those that are not dropped, as they started."""
        return [entry for entry in self.entries if not entry.out]

    @property
    def ranking(self) -> list[Entry]:
        """All that were scored, best first."""
        return sorted((entry for entry in self.entries if entry.scores), key=lambda entry: entry.order)

    def _round(self, number: int) -> bool:
        """Score all that are running. Returns whether there was time; what is not finished does not count."""
        images = self.samples[number - 1]
        found: list[tuple[Entry, Score]] = []
        begin = self.budget.spent
        extracting = 0.0
        for candidate, group in self._groups():
            if found and not self._has_time(candidate, group, number):
                if number > 1:
                    return False
                self._set_aside(candidate, f"no time: {len(images.samples):,} images at {group[0].rate:.1f} a second")
                continue
            start = self.budget.spent
            try:
                features = self.extract(candidate, tuple(entry.layer for entry in group), images)
            except BackboneError as error:
                self._set_aside(candidate, str(error))
                continue
            extracting += self.budget.spent - start
            for entry in group:
                values_NVD = features.values[entry.layer]
                entry.learn(features.cost, views=values_NVD.shape[1])
                found.append((entry, self.probe.score(entry.layer, values_NVD, images)))
                if number > 1 and not self.budget.holds():
                    return False
        self._fit_seconds = self.budget.spent - begin - extracting
        for entry, score in found:
            entry.scores.append(score)
            entry.images = len(images.samples)
        self._drop(number)
        return True

    def _groups(self) -> Iterator[tuple[Candidate, list[Entry]]]:
        """The running layers of each backbone."""
        for _, found in groupby(self.running, key=lambda entry: entry.candidate.name):
            group = list(found)
            yield group[0].candidate, group

    def _has_time(self, candidate: Candidate, group: Sequence[Entry], number: int) -> bool:
        return self.budget.holds(self._new_images(number) / group[0].rate)

    def _forecast(self, number: int) -> float:
        """Seconds that a round will take at most."""
        extracting = sum(self._new_images(number) / group[0].rate for _, group in self._groups())
        return extracting + GROWTH * self._fit_seconds

    def _new_images(self, number: int) -> int:
        before = len(self.samples[number - 2].samples) if number > 1 else 0
        return len(self.samples[number - 1].samples) - before

    def _set_aside(self, candidate: Candidate, why: str) -> None:
        self.aside.append(Aside(candidate.name, why))
        self.entries = [entry for entry in self.entries if entry.candidate.name != candidate.name]

    def _drop(self, number: int) -> None:
        """Drop what the error bars rule out.

        Each is compared with the best of the round, paired: on the same held-out images of the same folds. It is
        dropped where the one-sided interval of the difference, normal with the bootstrap's standard error (Efron and
        Tibshirani 1993, section 13.2), ends below 0. The error is shared among all comparisons of all rounds
        (Bonferroni).
        """
        running = sorted(self.running, key=lambda entry: entry.order)
        best, *others = running
        error = (1 - self.confidence) / (len(self.samples) * max(1, len(self.entries) - 1))
        dropped = 0
        for entry in others:
            difference = self.probe.bootstrap.difference(
                best.scores[-1].metric, best.scores[-1].outcomes, entry.scores[-1].outcomes
            )
            if difference and is_below(difference, error):
                entry.out = f"{number}: {difference.value:+.3f}±{difference.standard_error:.3f}"
                dropped += 1
        self.tell(
            f"Round {number}: {best.images:,} images, {len(running)} candidates, best {best.candidate.name} "
            f"{best.layer} {best.value:.3f}; {dropped} ruled out ({self.budget.spent:.0f} s)"
        )


def is_below(difference: Difference, error: float) -> bool:
    """Whether a difference is below 0, but for a probability of error."""
    from scipy.stats import norm

    return bool(difference.value + norm.isf(error) * difference.standard_error < 0)
