"""Recording a retrieval: what goes to the tracker and into the output folder, and when."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from offshelf.dataset import Vector, value_range
from offshelf.dataset.retrieval_set import RetrievalSet
from offshelf.evaluation.retrieval import RetrievalScore
from offshelf.extractor import Cost
from offshelf.report import (
    contact_sheet,
    csv_text,
    layer_figure,
    metric_columns,
    precision_recall_figure,
    query_table,
    write_text,
)
from offshelf.report.notes import retrieval_note
from offshelf.runs.recorder import RunRecorder, extraction_cost
from offshelf.tracking.note import NOTE_TAG

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE = "precision_recall.png"


@dataclass(frozen=True)
class RetrievalRecorder(RunRecorder):
    """Recorder of a retrieval."""

    PARTS = ("reference", "query")

    images: RetrievalSet

    @override
    def profile(self) -> dict[str, Any]:
        images = self.images
        profile = {
            "references": len(images.references),
            "queries": len(images.queries),
            "protocols": [protocol for protocol in images.truths if protocol],
            "metric": images.metric,
        }
        values = value_range(images.pictures)
        return profile | ({"value_range": values} if values else {})

    def layer(self, score: RetrievalScore, feature_digest: str) -> None:
        """Log one of several layers as a run of its own, under this one."""
        with self.run.child(score.name) as child:
            params = self.params(score.name) | {"dims": score.dims}
            child.log(params, score.metrics, {"feature_digest": feature_digest, **self.data_tags()})
            self.log_dataset(child)
            child.log_text(self._queries(score), "queries.csv")
            child.log_figure(self._curve(score), CURVE)

    def end(
        self, scores: Sequence[RetrievalScore], chosen: RetrievalScore, feature_digest: str, costs: Sequence[Cost]
    ) -> dict[str, float]:
        """Log and write the results, except the figures. Returns all metrics."""
        metrics = self._summary(scores, chosen, costs)
        how = next((cost.how for cost in costs if cost.extracted), costs[0].how)
        has_sheet = not isinstance(self.images.queries[0].image, Vector)
        note = retrieval_note(scores, chosen, self.images, has_sheet)
        self.run.log(metrics=metrics, tags={"feature_digest": feature_digest, "extraction": how, NOTE_TAG: note})
        files = {"queries.csv": self._queries(chosen)}
        if has_sheet:
            files["contact_sheet.html"] = contact_sheet(chosen, self.images, self._title(chosen))
        for file, text in files.items():
            write_text(self.folder / file, text)
            self.run.log_file(self.folder / file)
        write_text(self.folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
        write_text(self.folder / "config.yaml", self.yaml())
        if len(scores) > 1:
            self.run.log_table(metric_columns(scores), "layers.json")
        return metrics

    def draw(self, scores: Sequence[RetrievalScore], chosen: RetrievalScore) -> None:
        """Draw the chosen layer's precision by recall, with several layers also a plot over them."""
        self.figure(self._curve(chosen), CURVE)
        if len(scores) > 1:
            self.figure(layer_figure(scores, [], self.plot_title()), "layers.png")

    def _curve(self, score: RetrievalScore) -> "Figure":
        return precision_recall_figure(score, self._title(score))

    def _title(self, score: RetrievalScore) -> str:
        return f"{self.plot_title()}, {score.name}"

    def _queries(self, score: RetrievalScore) -> str:
        return csv_text(query_table(score, [query.id for query in self.images.queries]))

    def _summary(
        self, scores: Sequence[RetrievalScore], chosen: RetrievalScore, costs: Sequence[Cost]
    ) -> dict[str, float]:
        """Return the reported layer's metrics and the cost of all, with several layers also each official metric."""
        metrics = dict(chosen.metrics) | self.data_counts()
        metrics["cost/search_seconds"] = sum(score.seconds for score in scores)
        metrics |= extraction_cost(sum(cost.extracted for cost in costs), sum(cost.seconds for cost in costs))
        if len(scores) > 1:
            official = f"test/{self.images.metric}"
            metrics |= {f"{official}/{score.name}": score.metrics[official] for score in scores}
        return metrics
