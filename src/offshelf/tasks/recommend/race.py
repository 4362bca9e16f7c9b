"""The race: all candidates on a small sample, those that are not dropped on one twice as large, and so on.

Successive halving (Jamieson and Talwalkar, AISTATS 2016) doubles what the rest may use and drops the worse half. Here
error bars decide how many are dropped, as in Hoeffding races (Maron and Moore, NIPS 1993).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from offshelf.dataset import ImageSet
from offshelf.errors import BackboneError
from offshelf.evaluation.probe import Probe
from offshelf.evaluation.score import Score
from offshelf.extractor import Cost, Features
from offshelf.metric import METRICS, Difference, Interval
from offshelf.tasks.recommend.budget import Budget
from offshelf.tasks.recommend.candidate import Candidate, Skipped
from offshelf.terminal import Notify

GROWTH = 4
"""Upper bound of a round's fitting time, relative to the round before: most of it is quadratic in the images."""


@dataclass(frozen=True)
class Throughput:
    """Measured speed of a backbone on this machine."""

    rate: float
    """Images per second."""
    layers: tuple[str, ...]
    """Layers that are tried."""


@dataclass
class Contender:
    """A layer in the race."""

    candidate: Candidate
    layer: str
    rate: float
    scores: list[Score] = field(default_factory=list)
    """Cross-validated scores, one per round that it was in."""
    images: int = 0
    """Images in the sample of its last round."""
    views: int = 1
    """Views per image."""
    status: str = ""
    """The round it was dropped in and the difference to that round's best; empty while it is in the race."""

    def update(self, cost: Cost, views: int) -> None:
        """Note how many views an image has, and a higher rate: in longer extractions the start counts for less."""
        self.views = views
        if cost.extracted:
            self.rate = max(self.rate, cost.extracted / cost.seconds)

    @property
    def by_round(self) -> list[float]:
        """The official metric in each round, averaged over the held-out folds."""
        return [
            float(np.mean([METRICS[score.metric](outcome)[0] for outcome in score.outcomes])) for score in self.scores
        ]

    @property
    def value(self) -> float:
        """The official metric in its last round."""
        return self.by_round[-1]

    @property
    def interval(self) -> Interval | None:
        """Interval of the value over the held-out images; None without a bootstrap."""
        return self.scores[-1].bootstrap.interval(self.scores[-1].metric, self.scores[-1].outcomes)

    @property
    def bytes_per_image(self) -> int:
        """Bytes of its features per image, through all views, in float32."""
        return 4 * self.views * self.scores[-1].dims

    @property
    def order(self) -> tuple[int, float, int]:
        """Sort key, best first: contenders that lasted longer, then higher values, then fewer dimensions."""
        return -len(self.scores), -self.value, self.scores[-1].dims


Extract = Callable[[Candidate, tuple[str, ...], ImageSet], Features]
"""Returns the features of a sample."""


@dataclass
class Race:
    """Race of candidates on growing samples, until the images, the candidates or the time run out."""

    samples: Sequence[ImageSet]
    """Sample of each round, with the folds for cross-validation."""
    probe: Probe
    extract: Extract
    budget: Budget
    confidence: float
    """Probability that no candidate as good as the best is dropped, over all rounds and candidates together."""
    notify: Notify
    """Receives a line per round."""
    contenders: list[Contender] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    end: str = ""
    """Why the race ended."""
    _fit_seconds: float = 0.0

    def run(self, measured: Sequence[tuple[Candidate, Throughput]]) -> None:
        """Run the rounds; the fastest backbones come first.

        A later round begins only if all of it fits into the time that is left, and counts only if it is finished. In
        the first round, backbones for which there is no time are skipped.
        """
        fast_first = sorted(measured, key=lambda one: -one[1].rate)
        self.contenders = [Contender(one, layer, speed.rate) for one, speed in fast_first for layer in speed.layers]
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
    def running(self) -> list[Contender]:
        """Contenders that are not dropped, in their first order."""
        return [contender for contender in self.contenders if not contender.status]

    @property
    def ranking(self) -> list[Contender]:
        """All contenders that were scored, best first."""
        return sorted(
            (contender for contender in self.contenders if contender.scores), key=lambda contender: contender.order
        )

    def _round(self, number: int) -> bool:
        """Score all running contenders. Returns whether there was time; an unfinished round does not count."""
        images = self.samples[number - 1]
        found: list[tuple[Contender, Score]] = []
        begin = self.budget.spent
        extracting = 0.0
        for candidate, group in self._groups():
            if found and not self._has_time(candidate, group, number):
                if number > 1:
                    return False
                self._skip(candidate, f"no time: {len(images.samples):,} images at {group[0].rate:.1f} a second")
                continue
            start = self.budget.spent
            try:
                features = self.extract(candidate, tuple(contender.layer for contender in group), images)
            except BackboneError as error:
                self._skip(candidate, str(error))
                continue
            extracting += self.budget.spent - start
            for contender in group:
                values_NVD = features.values[contender.layer]
                contender.update(features.cost, views=values_NVD.shape[1])
                found.append((contender, self.probe.on(features).score(contender.layer, values_NVD, images)))
                if number > 1 and not self.budget.holds():
                    return False
        self._fit_seconds = self.budget.spent - begin - extracting
        for contender, score in found:
            contender.scores.append(score)
            contender.images = len(images.samples)
        self._drop(number)
        return True

    def _groups(self) -> Iterator[tuple[Candidate, list[Contender]]]:
        """Yield each backbone with its running layers."""
        for _, found in groupby(self.running, key=lambda contender: contender.candidate.name):
            group = list(found)
            yield group[0].candidate, group

    def _has_time(self, candidate: Candidate, group: Sequence[Contender], number: int) -> bool:
        return self.budget.holds(self._new_images(number) / group[0].rate)

    def _forecast(self, number: int) -> float:
        """Return the seconds that a round takes at most."""
        extracting = sum(self._new_images(number) / group[0].rate for _, group in self._groups())
        return extracting + GROWTH * self._fit_seconds

    def _new_images(self, number: int) -> int:
        before = len(self.samples[number - 2].samples) if number > 1 else 0
        return len(self.samples[number - 1].samples) - before

    def _skip(self, candidate: Candidate, why: str) -> None:
        self.skipped.append(Skipped(candidate.name, why))
        self.contenders = [contender for contender in self.contenders if contender.candidate.name != candidate.name]

    def _drop(self, number: int) -> None:
        """Drop the contenders that the error bars rule out.

        Each is compared with the best of the round, paired: on the same held-out images of the same folds. It is
        dropped if the one-sided interval of the difference, normal with the bootstrap's standard error (Efron and
        Tibshirani 1993, section 13.2), ends below 0. The error probability is divided among all comparisons of all
        rounds (Bonferroni).
        """
        running = sorted(self.running, key=lambda contender: contender.order)
        best, *others = running
        error = (1 - self.confidence) / (len(self.samples) * max(1, len(self.contenders) - 1))
        dropped = 0
        for contender in others:
            difference = self.probe.bootstrap.difference(
                best.scores[-1].metric, best.scores[-1].outcomes, contender.scores[-1].outcomes
            )
            if difference and is_below(difference, error):
                contender.status = f"{number}: {difference.value:+.3f}±{difference.standard_error:.3f}"
                dropped += 1
        self.notify(
            f"Round {number}: {best.images:,} images, {len(running)} candidates, best {best.candidate.name} "
            f"{best.layer} {best.value:.3f}; {dropped} ruled out ({self.budget.spent:.0f} s)"
        )


def is_below(difference: Difference, error: float) -> bool:
    """Return whether a difference is below 0, except with this probability of error."""
    from scipy.stats import norm

    return bool(difference.value + norm.isf(error) * difference.standard_error < 0)
