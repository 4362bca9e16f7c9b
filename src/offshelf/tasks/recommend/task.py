"""The task: a race of backbones and layers on the training images, and its record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling, select_layers, without_downloads
from offshelf.classifier import Classifier
from offshelf.dataset import Dataset, ImageSet, check_images, require_labels
from offshelf.errors import BackboneError, BadImagesError, ConfigError
from offshelf.evaluation.classification import Probe
from offshelf.extractor import Extractor, Features, Networks, Request, ensure, fill
from offshelf.metric import Bootstrap
from offshelf.postprocess import Transformer
from offshelf.report import found_line
from offshelf.store import FeatureStore, MemoryStore
from offshelf.tasks.on_error import OnError, screen
from offshelf.tasks.recommend.budget import Budget, seconds
from offshelf.tasks.recommend.candidate import Aside, Candidate, at_hand
from offshelf.tasks.recommend.candidate import candidates as choose_candidates
from offshelf.tasks.recommend.command import full_command
from offshelf.tasks.recommend.race import Pace, Race
from offshelf.tasks.recommend.record import Record, standings
from offshelf.tasks.recommend.rules import Rules
from offshelf.tasks.recommend.sample import growing_order, sample, sizes, training_images
from offshelf.tasks.results import Recommendation
from offshelf.terminal import Notify, discard
from offshelf.tracking import Tracker

PROBED = 32
"""Images on which a backbone's pace is measured."""


def recommend(
    *,
    dataset: Dataset,
    backbones: Mapping[str, Backbone],
    candidates: Sequence[str] | None,
    layer: str | Sequence[str],
    pooling: Pooling,
    augmentation: Augmentation,
    extractor: Extractor,
    store: FeatureStore,
    postprocess: Transformer,
    classifier: Classifier,
    bootstrap: Bootstrap,
    budget: str,
    race: Rules,
    tracking: Tracker,
    output_dir: str,
    config: dict[str, Any],
    on_error: OnError = "stop",
    name: str | None = None,
    arguments: Sequence[str] | None = None,
    notify: Notify = discard,
) -> Recommendation:
    """Find the layers whose features are best for a data set, among the backbones at hand; nothing is downloaded.

    Only training images are read. Each layer is judged by nested cross-validation: the hyperparameter is chosen, and
    transforms are fitted, on the training part of each fold. See Race for how candidates are dropped.

    `candidates` are names among the `backbones`, `timm/ARCH` or `torchvision/ARCH`; None: all at hand. `budget` is a
    time: `90s`, `10min`, `1h`. `arguments` are those that were typed, for the command that runs the winner in full.

    Returns:
        The ranking; as a number, the winner's cross-validated official metric.

    Raises:
        ConfigError: no candidate is at hand.
        DatasetError: there are too few training images.
    """
    tracking.check()
    time = Budget(seconds(budget))
    if not bootstrap.replicates:
        raise ConfigError("Error bars decide what is dropped; bootstrap.replicates cannot be 0.")
    images = training_images(require_labels(dataset.load()))
    notify(found_line(images))
    ways = Ways(extractor, store, augmentation, pooling, layer)
    title = name or f"recommend {images.name}"
    with without_downloads():
        here, aside = at_hand(choose_candidates(backbones, candidates))
    _require_some(here, aside)
    with without_downloads(), tracking.start(title, Path(output_dir)) as run:
        record = Record(run, images, f"{len(here)} backbones", config, Path(output_dir))
        record.begin([str(layer)])

        def hold(usable: ImageSet) -> Race:
            check_images(usable.pictures)
            return hold_race(here, ways, usable, Probe(postprocess, classifier, bootstrap), race, time, notify)

        images, left_out, held = screen(images, on_error, hold)
        aside += held.aside
        _require_some(held.ranking, aside)
        record = replace(record, images=images, left_out=[replace(one, role="train") for one in left_out])
        record.data()
        winner = held.ranking[0]
        command = full_command(arguments or [], winner.candidate, winner.layer)
        metrics = record.end(held.ranking, aside, "" if arguments is None else command)
    return Recommendation(
        title=title,
        run_id=run.id,
        folder=record.folder,
        whereabouts=record.whereabouts(),
        metrics=metrics,
        left_out=tuple(record.left_out),
        images=images,
        ranking=tuple(standings(held.ranking)),
        skipped={one.name: one.why for one in aside},
        conclusion=_conclusion(held, time),
        command=command,
        is_complete=arguments is not None,
    )


@dataclass(frozen=True)
class Ways:
    """How features are had of a backbone."""

    extractor: Extractor
    store: FeatureStore
    augmentation: Augmentation
    pooling: str
    layer: str | Sequence[str]

    def request(self, candidate: Candidate, layers: Sequence[str]) -> Request:
        """For some of its layers."""
        return Request(candidate.backbone, tuple(layers), self.pooling, self.augmentation.views)

    def pace(self, candidate: Candidate, images: ImageSet, time: Budget) -> Pace:
        """Measured on a few images, the start of the network left out.

        Raises:
            BackboneError: the network, or a layer of this name, cannot be had.
        """
        backbone = candidate.backbone
        layers = select_layers(self.layer, backbone.layer_names(), backbone.name, backbone.module_names)
        first, *others = images.pictures[: 1 + PROBED]
        request, networks, memory = self.request(candidate, layers), Networks(), MemoryStore()
        fill(memory, self.extractor, [first], request, networks)
        begin = time.spent
        extracted = fill(memory, self.extractor, others, request, networks).extracted
        return Pace(extracted / max(time.spent - begin, 1e-9), layers)

    def extract(self, candidate: Candidate, layers: tuple[str, ...], images: ImageSet) -> Features:
        """Features of a sample, which are in the store then."""
        return ensure(self.store, self.extractor, images.pictures, self.request(candidate, layers))


def hold_race(
    here: Sequence[Candidate],
    ways: Ways,
    images: ImageSet,
    probe: Probe,
    rules: Rules,
    time: Budget,
    notify: Notify,
) -> Race:
    """Measure what the backbones cost, and run the race.

    Raises:
        BadImagesError: images that cannot be read, by their rows in `images`.
    """
    order = growing_order(images.targets, rules.seed)
    samples = [sample(images, order, size, rules) for size in sizes(images.targets, order, rules.first)]
    rows = {one.id: row for row, one in enumerate(images.samples)}

    def extract(candidate: Candidate, layers: tuple[str, ...], chosen: ImageSet) -> Features:
        try:
            return ways.extract(candidate, layers, chosen)
        except BadImagesError as bad:
            raise BadImagesError({rows[chosen.samples[row].id]: why for row, why in bad.faults.items()}) from bad

    race = Race(samples, probe, extract, time, rules.confidence, notify)
    paces: dict[str, Pace] = {}
    for candidate in here:
        if paces and not time.holds():
            race.aside.append(Aside(candidate.name, "no time to measure it"))
            continue
        try:
            paces[candidate.name] = ways.pace(candidate, samples[0], time)
        except BackboneError as error:
            race.aside.append(Aside(candidate.name, str(error)))
    race.run([(candidate, paces[candidate.name]) for candidate in here if candidate.name in paces])
    return race


def _require_some(found: Sequence[object], aside: Sequence[Aside]) -> None:
    if not found:
        why = "; ".join(f"{one.name}: {one.why}" for one in aside)
        raise ConfigError(f"No candidate can be tried. {why}")


def _conclusion(race: Race, time: Budget) -> str:
    """Why it ended, and what cannot be told apart."""
    winner, *others = race.ranking
    equal = [entry for entry in others if not entry.out]
    told = f"; {len(equal)} other(s) cannot be told from it" if equal else ""
    return f"Ended after {time.spent:.0f} s: {race.end}. Best: {winner.candidate.name} {winner.layer}{told}."
