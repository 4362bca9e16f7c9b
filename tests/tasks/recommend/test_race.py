"""The race, on features made for it, by a clock that tests move."""

import numpy as np
import pytest
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC
from test_sample import images

from offshelf.backbone import Tiny
from offshelf.classifier import Tuned
from offshelf.errors import BackboneError
from offshelf.evaluation.probe import Probe
from offshelf.extractor import Cost, Features
from offshelf.metric import Bootstrap, Difference, Interval
from offshelf.tasks.recommend import Rules
from offshelf.tasks.recommend.budget import Budget
from offshelf.tasks.recommend.candidate import Candidate
from offshelf.tasks.recommend.race import Race, Throughput, is_below
from offshelf.tasks.recommend.sample import growing_order, sample, sizes, training_images

COUNT = 320
SIGNAL = {"good": 3.0, "twin": 3.0, "middling": 1.5, "noise": 0.0}


class World:
    """Features of four layers of two backbones, and the time that it takes to have them."""

    def __init__(self, seconds_an_image=0.0, missing=()):
        self.now, self.seconds, self.missing = 0.0, seconds_an_image, missing
        self.asked = []
        random = np.random.default_rng(0)
        self.targets = np.arange(COUNT) % 2
        way = random.standard_normal(16)
        way /= np.linalg.norm(way)
        noise = random.standard_normal((len(SIGNAL), COUNT, 16))
        self.values = {
            name: (own + strength * (self.targets - 0.5)[:, None] * way).astype(np.float32)[:, None]
            for own, (name, strength) in zip(noise, SIGNAL.items(), strict=True)
        }
        self.done = {"cheap": set(), "dear": set()}

    def extract(self, candidate, layers, chosen):
        if candidate.name in self.missing:
            raise BackboneError("it cannot be built")
        rows = [int(one.id) for one in chosen.samples]
        self.asked.append((candidate.name, layers, len(rows)))
        new = set(rows) - self.done[candidate.name]  # the others are in the store
        self.done[candidate.name] |= new
        self.now += self.seconds * len(new) / (2 if candidate.name == "cheap" else 1)
        return Features({layer: self.values[layer][rows] for layer in layers}, "", Cost())

    def race(self, seconds=1e9):
        """Two layers a backbone; `cheap` is twice as fast."""
        rules = Rules(first=40)
        data = training_images(images(self.targets.tolist()))
        order = growing_order(data.targets, 0)
        samples = [sample(data, order, size, rules) for size in sizes(data.targets, order, rules.first)]
        probe = Probe(Normalizer(), Tuned(LinearSVC(), C=1.0), Bootstrap(500))
        race = Race(samples, probe, self.extract, Budget(seconds, lambda: self.now), 0.95, lambda _: None)
        dear, cheap = Candidate("dear", Tiny(1)), Candidate("cheap", Tiny(2))
        rate = 1 / (self.seconds or 1)
        race.run([(dear, Throughput(rate, ("good", "noise"))), (cheap, Throughput(2 * rate, ("twin", "middling")))])
        return race


def test_the_better_is_found_and_the_worse_is_dropped():
    """What has no signal goes first; twins stay to the end."""
    world = World()
    race = world.race()
    out = {contender.layer: contender.status for contender in race.ranking}

    assert {race.ranking[0].layer, race.ranking[1].layer} == {"good", "twin"}
    assert [contender.layer for contender in race.ranking[2:]] == ["middling", "noise"]
    assert out["good"] == out["twin"] == ""
    assert out["noise"].startswith("1: -0.")
    assert int(out["middling"][0]) > 1
    assert race.end == "all training images were used"
    assert world.asked[:2] == [("cheap", ("twin", "middling"), 40), ("dear", ("good", "noise"), 40)]
    assert world.asked[3] == ("dear", ("good",), 80)


def test_the_same_ranking_again():
    """To the last digit, whatever the backbones cost."""
    first, second = World().race(), World(seconds_an_image=0.5).race()

    assert [(contender.layer, contender.value, contender.status) for contender in first.ranking] == [
        (contender.layer, contender.value, contender.status) for contender in second.ranking
    ]


@pytest.mark.parametrize(
    ("seconds", "images", "taken"), [(61, 40, 60), (119, 40, 60), (120, 80, 120), (1000, 320, 480)]
)
def test_the_budget_is_kept(seconds, images, taken):
    """An image takes 1 s and 0.5 s: rounds of 40 images, and then of 40, 80 and 160 more, take 60, 60, 120 and 240 s.

    A round that would not fit is not begun, so that all that are not dropped were judged on the same images.
    """
    world = World(seconds_an_image=1.0)
    race = world.race(seconds)

    assert world.now == taken
    assert {contender.images for contender in race.running} == {images}
    assert ("would not fit into the time that is left" in race.end) == (images < 320)


def test_no_time_for_the_dear_one():
    """The first round is the cheap backbone's alone, and the other is named."""
    race = World(seconds_an_image=1.0).race(50)

    assert {contender.candidate.name for contender in race.ranking} == {"cheap"}
    assert [(one.name, one.why) for one in race.skipped] == [("dear", "no time: 40 images at 1.0 a second")]


def test_a_round_that_is_cut_off_does_not_count():
    """Images turn out dearer than measured: the second round breaks off, the first one's ranking stands."""
    world = World(seconds_an_image=1.0)
    extract = world.extract

    def slower(candidate, layers, chosen):
        world.now += 500 if len(chosen.samples) == 80 else 0
        return extract(candidate, layers, chosen)

    world.extract = slower
    race = world.race(300)

    assert race.end == "the time was over before round 2 was"
    assert {contender.images for contender in race.ranking} == {40}


def test_a_backbone_that_cannot_be_built():
    """Is skipped, and the others race."""
    race = World(missing=("dear",)).race()

    assert [(one.name, one.why) for one in race.skipped] == [("dear", "it cannot be built")]
    assert race.ranking[0].layer == "twin"


def test_the_rule():
    """By hand: -0.10 with a standard error of 0.04 is 2.5 of them below 0, which one in 161 exceeds."""
    difference = Difference(-0.10, Interval(-0.18, -0.02), 0.012, 0.04)

    assert is_below(difference, 1 / 150)
    assert not is_below(difference, 1 / 170)
    assert not is_below(Difference(0.0, Interval(0, 0), 1.0, 0.0), 0.05)
