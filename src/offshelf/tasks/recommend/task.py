"""The task `recommend`: a race of backbones and layers on the training images, and its record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling, without_downloads
from offshelf.classifier import Classifier
from offshelf.dataset import Dataset, Image, ImageSet, check_images, require_labels
from offshelf.errors import BackboneError, BadImagesError, ConfigError
from offshelf.evaluation.probe import Probe
from offshelf.extractor import Extractor, Features, Networks
from offshelf.layer_fusion import LayerFusion
from offshelf.metric import Bootstrap
from offshelf.postprocess import Transformer
from offshelf.report import found_line
from offshelf.store import FeatureStore, MemoryStore
from offshelf.tasks.features import FeatureSpec
from offshelf.tasks.label_kind import require_kind
from offshelf.tasks.on_error import OnError, skip_unreadable
from offshelf.tasks.recommend.budget import Budget, seconds
from offshelf.tasks.recommend.candidate import Candidate, Skipped, at_hand
from offshelf.tasks.recommend.candidate import candidates as choose_candidates
from offshelf.tasks.recommend.command import full_command
from offshelf.tasks.recommend.race import Race, Throughput
from offshelf.tasks.recommend.recorder import RecommendationRecorder, leaderboard
from offshelf.tasks.recommend.rules import Rules
from offshelf.tasks.recommend.sample import growing_order, sample, sizes, training_images
from offshelf.tasks.results import Recommendation
from offshelf.terminal import Notify, discard
from offshelf.tracking import Tracker

PROBED = 32
"""Images on which the speed of a backbone is measured."""


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
    layer_fusion: LayerFusion | None = None,
    on_error: OnError = "stop",
    name: str | None = None,
    arguments: Sequence[str] | None = None,
    notify: Notify = discard,
) -> Recommendation:
    """Find the layers whose features are best for a data set, among the backbones at hand; nothing is downloaded.

    Only training images are read. Each layer is judged by nested cross-validation: the hyperparameter is chosen and
    transforms are fitted on the training part of each fold. See `Race` for how candidates are dropped.

    Args:
        dataset: Images with labels; only the training images of the first fold are used.
        backbones: Backbones by the names that `candidates` may use.
        candidates: Names among `backbones`, `timm/ARCH` or `torchvision/ARCH`; None: all backbones that are at hand.
        layer: Layers: a name, a list, a pattern, `all` or `last`.
        pooling: How the map of a layer becomes a vector.
        augmentation: Views of an image.
        extractor: How the network is run.
        store: Where features are kept.
        postprocess: Transform of features, fitted on those of training images.
        classifier: Classifier, and the choice of its hyperparameter.
        bootstrap: Error bars, by which candidates are dropped.
        budget: Time to spend: `90s`, `10min`, `1h`.
        race: Sizes of samples, their folds, and the confidence.
        tracking: Where the run is logged.
        output_dir: Folder for the results.
        config: The resolved config, which is recorded.
        layer_fusion: How the layers of a backbone become one candidate; None: each layer is a candidate.
        on_error: `stop` at images that cannot be read, or `skip` them.
        arguments: Arguments that were typed, for the command that runs the winner in full.
        name: Name of the run in the tracker; by default `recommend` and the data set.
        notify: Receives what is known before the work, and a line per round.

    Returns:
        The ranking. As a number it is the winner's cross-validated official metric.

    Raises:
        ConfigError: no candidate is at hand, `budget` is not a time, or the classifier is for other labels.
        DatasetError: the data set is not available, or has too few training images.
        BadImagesError: images cannot be read, and `on_error` is `stop`.
        StoreError: the store or the output folder cannot be read or written.
        TrackingError: the tracker is not available.
    """
    tracking.check()
    clock = Budget(seconds(budget))
    if not bootstrap.replicates:
        raise ConfigError("Error bars decide what is dropped; bootstrap.replicates cannot be 0.")
    labelled = require_labels(dataset.load())
    require_kind(classifier, labelled)
    images = training_images(labelled)
    notify(found_line(images))
    with without_downloads():
        here, skipped = at_hand(choose_candidates(backbones, candidates))
    _require_some(here, skipped)
    spec = partial(
        FeatureSpec,
        dataset=dataset,
        augmentation=augmentation,
        layer=layer,
        pooling=pooling,
        extractor=extractor,
        store=store,
        layer_fusion=layer_fusion,
        on_error=on_error,
    )
    entrants = [Entrant(candidate, spec(backbone=candidate.backbone)) for candidate in here]
    probe = Probe(postprocess, classifier, bootstrap, layer_fusion)
    title = name or f"recommend {images.name}"
    with without_downloads(), tracking.start(title, Path(output_dir)) as run:
        recorder = RecommendationRecorder(run, images, f"{len(here)} backbones", config, Path(output_dir))
        recorder.begin(str(layer))
        run.confirm()
        images, left_out, held = skip_unreadable(
            images, on_error, lambda usable: hold_race(entrants, usable, probe, race, clock, notify)
        )
        skipped += held.skipped
        _require_some(held.ranking, skipped)
        recorder = replace(recorder, images=images, left_out=[replace(one, role="train") for one in left_out])
        recorder.data()
        winner = held.ranking[0]
        command = full_command(arguments or [], winner.candidate, None if layer_fusion else winner.layer)
        metrics = recorder.end(held.ranking, skipped, "" if arguments is None else command)
    return Recommendation(
        run=recorder.summary(title, metrics),
        images=images,
        ranking=tuple(leaderboard(held.ranking)),
        skipped={one.name: one.why for one in skipped},
        conclusion=_conclusion(held, clock),
        command=command,
        is_complete=arguments is not None,
    )


@dataclass(frozen=True)
class Entrant:
    """A candidate, and how its features are computed."""

    candidate: Candidate
    spec: FeatureSpec

    def measure(self, images: Sequence[Image], clock: Budget) -> Throughput:
        """Measure the speed of extraction on a few images, without the start of the network.

        Raises:
            BackboneError: the network, or one of the layers, is not available.
        """
        first, *others = images[: 1 + PROBED]
        spec, networks = replace(self.spec, store=MemoryStore()), Networks()
        spec.fill([first], networks)
        begin = clock.spent
        extracted = spec.fill(others, networks).extracted
        return Throughput(extracted / max(clock.spent - begin, 1e-9), spec.names)


def hold_race(
    entrants: Sequence[Entrant], images: ImageSet, probe: Probe, rules: Rules, clock: Budget, notify: Notify
) -> Race:
    """Measure the speed of all backbones, and run the race.

    Raises:
        BadImagesError: images that cannot be read, by their rows in `images`.
    """
    check_images(images.pictures)
    order = growing_order(images.targets, rules.seed, images.groups.numbers_N if images.groups else None)
    samples = [sample(images, order, size, rules) for size in sizes(images.targets, order, rules.first)]
    rows = {one.id: row for row, one in enumerate(images.samples)}
    specs = {one.candidate.name: one.spec for one in entrants}

    def extract(candidate: Candidate, names: tuple[str, ...], chosen: ImageSet) -> Features:
        spec = specs[candidate.name]
        layers = tuple(layer for name in names for layer in spec.layers_of(name))
        try:
            return spec.extract(chosen.pictures, replace(spec.request, layers=layers))
        except BadImagesError as bad:
            raise BadImagesError({rows[chosen.samples[row].id]: why for row, why in bad.faults.items()}) from bad

    race = Race(samples, probe, extract, clock, rules.confidence, notify)
    measured: list[tuple[Candidate, Throughput]] = []
    for entrant in entrants:
        if measured and not clock.holds():
            race.skipped.append(Skipped(entrant.candidate.name, "no time to measure it"))
            continue
        try:
            measured.append((entrant.candidate, entrant.measure(samples[0].pictures, clock)))
        except BackboneError as error:
            race.skipped.append(Skipped(entrant.candidate.name, str(error)))
    race.run(measured)
    return race


def _require_some(found: Sequence[object], skipped: Sequence[Skipped]) -> None:
    if not found:
        why = "; ".join(f"{one.name}: {one.why}" for one in skipped)
        raise ConfigError(f"No candidate can be tried. {why}")


def _conclusion(race: Race, clock: Budget) -> str:
    """Return a sentence: why the race ended, and which contenders cannot be told apart."""
    winner, *others = race.ranking
    equal = [contender for contender in others if not contender.status]
    told = f"; {len(equal)} other(s) cannot be told from it" if equal else ""
    return f"Ended after {clock.spent:.0f} s: {race.end}. Best: {winner.candidate.name} {winner.layer}{told}."
