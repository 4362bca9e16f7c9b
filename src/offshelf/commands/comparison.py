"""What the page of two runs shows, from what the tracker has of them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from offshelf.commands.differing import DEPENDENT_PARAMETERS, independent
from offshelf.commands.pairing import Pairing, Tables, is_of_probabilities
from offshelf.metric import METRICS, Bootstrap, Difference, Outcome, metrics_of, probability_metrics_of
from offshelf.names import listed
from offshelf.report.html import FILE as REPORT
from offshelf.report.html.changes import Changes
from offshelf.report.html.comparison import ClassChange, Comparison, Side, comparison_page
from offshelf.report.html.kept import KeptPictures
from offshelf.tracking.mlflow.reading import TrackedRun

BY_CLASS = {"class": "mean_class_accuracy", "labels": "mAP_area"}
"""Metric whose numbers of single classes are compared, where the official one has none."""


def page_of(first: TrackedRun, second: TrackedRun, metric: str, bootstrap: Bootstrap) -> str:
    """Return the page that says what changed from the first run to the second.

    Raises:
        TrackingError: what the runs kept cannot be read.
    """
    return comparison_page(_Compared(Pairing(Tables(first), Tables(second), bootstrap), metric).comparison())


@dataclass(frozen=True)
class _Compared:
    pairing: Pairing
    metric: str

    @property
    def runs(self) -> tuple[TrackedRun, TrackedRun]:
        return self.pairing.first.run, self.pairing.second.run

    def comparison(self) -> Comparison:
        """Collect what the page shows."""
        first, second = self.runs
        kept = [pictures_of(run) for run in self.runs]
        class_metric, classes = self._classes()
        differences = self._differences()
        return Comparison(
            first=Side(first.name, first.id, first.metrics),
            second=Side(second.name, second.id, second.metrics),
            metric=self.metric,
            differences=differences,
            level=self.pairing.bootstrap.level,
            parameters=[
                (name, first.params.get(name, "–"), second.params.get(name, "–"))
                for name in independent(self.runs)
                if name not in DEPENDENT_PARAMETERS
            ],
            changes=self._changes(),
            class_metric=class_metric,
            class_changes=classes,
            pictures=[one for one in kept if one],
            remarks=list(self._remarks(differences, kept)),
        )

    def _common(self) -> list[str]:
        first, second = (run.metrics for run in self.runs)
        return [name.removeprefix("test/") for name in first if name.startswith("test/") and name in second]

    def _differences(self) -> dict[str, Difference]:
        outcomes = self.pairing.outcomes
        names = self._common()
        if outcomes:
            kind = outcomes[0][0].kind
            names = [name for name in names if name in metrics_of(kind) or name in probability_metrics_of(kind)]
        found = {name: self.pairing.difference(name) for name in names}
        return {name: one for name, one in found.items() if one}

    def _changes(self) -> Changes | None:
        outcomes, table = self.pairing.outcomes, self.pairing.first.predictions
        return Changes.of(*outcomes, table.ids, self._names()) if outcomes and table else None

    def _names(self) -> list[str]:
        """Return the names of the classes, in the order of the paired outcomes."""
        tables = [each.predictions for each in (self.pairing.first, self.pairing.second)]
        known = [list(table.classes) for table in tables if table]
        return known[0] if known[0] == known[1] else sorted({*known[0], *known[1]})

    def _classes(self) -> tuple[str, list[ClassChange]]:
        """Return the name of the number of a class, and those of both runs."""
        outcomes = self.pairing.outcomes
        if not outcomes or outcomes[0][0].kind not in BY_CLASS:
            return "", []
        official = METRICS.get(self.metric)
        metric = self.metric if official and official.by_class else BY_CLASS[outcomes[0][0].kind]
        measured = METRICS[metric]
        gaps = self.pairing.bootstrap.class_differences(metric, *outcomes, self.pairing.tests)
        values = [_by_class(metric, one) for one in outcomes]
        counts = np.sum([one.counts() for one in outcomes[0]], axis=0)
        return str(measured.by_class), [
            ClassChange(number, name, int(counts[number]), (float(values[0][number]), float(values[1][number])), gap)
            for number, (name, gap) in enumerate(zip(self._names(), gaps, strict=True))
        ]

    def _unpaired(self, differences: Mapping[str, Difference]) -> dict[str, list[str]]:
        """Return other metrics with intervals that are not paired although the predictions are, by the reason."""
        common, by_reason = self._common(), defaultdict[str, list[str]](list)
        for name in common if self.pairing.outcomes else ():
            if is_of_probabilities(name) and f"{name}_low" in common and name not in {self.metric, *differences}:
                by_reason[self.pairing.why_not(name)].append(name)
        return by_reason

    def _remarks(self, differences: Mapping[str, Difference], kept: list[KeptPictures | None]) -> Iterator[str]:
        pairing = self.pairing
        if self.metric not in differences:
            why = pairing.why_not(self.metric)
            yield f"A and B cannot be compared test by test, as {why}."
        for why, names in self._unpaired(differences).items():
            yield f"Without a difference: {listed(names)}, as {why}."
        if pairing.outcomes and len(pairing.tests) > 1:
            yield "Images may be tested in several folds: the pictures are of the first test of each."
        if pairing.outcomes:
            yield from _without_pictures(kept)


def _without_pictures(kept: list[KeptPictures | None]) -> Iterator[str]:
    missing = [letter for letter, one in zip("AB", kept, strict=True) if one is None]
    if missing:
        whose = " and ".join(missing)
        yield f"{whose} kept no {REPORT}, from which pictures are taken: images that are in no page have none."


def pictures_of(run: TrackedRun) -> KeptPictures | None:
    """Return the pictures in the page of a run or, if it is one layer of several, of the run above it."""
    data = run.data(REPORT)
    parent = run.tags.get("mlflow.parentRunId")
    if data is None and parent:
        data = run.source.find(parent)[0].data(REPORT)
    return KeptPictures.of(data.decode("utf-8", "replace")) if data else None


def _by_class(metric: str, outcomes: tuple[Outcome, ...]) -> np.ndarray:
    """Return the number of each class, the mean over the folds that have it: float64 [K], NaN without."""
    values = np.array([METRICS[metric].measure(one, one.once)[0] for one in outcomes])
    known = ~np.isnan(values)
    sums = np.where(known, values, 0).sum(axis=0)
    return np.divide(sums, known.sum(axis=0), out=np.full(sums.shape, np.nan), where=known.any(axis=0))
