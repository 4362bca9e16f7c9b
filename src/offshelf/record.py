"""The record of a classification: what goes to the tracker and into the output folder, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offshelf.dataset import ImageSet, LeftOut
from offshelf.evaluate import Score, fit_cost
from offshelf.extractor import Features
from offshelf.logbook import DataCard, Logbook, extraction_cost
from offshelf.report import (
    confusion_figure,
    csv_text,
    curve_figure,
    curve_table,
    layer_figure,
    metric_columns,
    per_class,
    predictions,
    write_run,
    write_table,
    write_text,
)
from offshelf.tracking import Run


@dataclass(frozen=True)
class Record:
    """Writes down a run: parameters and data before the work, so that a broken run can be found too, numbers after."""

    run: Run
    images: ImageSet
    backbone: str
    config: Mapping[str, Any]
    """The resolved config."""
    folder: Path
    left_out: Sequence[LeftOut] = ()
    """Images of the data set that could not be used."""

    @property
    def book(self) -> Logbook:
        """What it has in common with the record of any run."""
        images = self.images
        profile = {
            "images": len(images.samples),
            "classes": len(images.classes),
            "metric": images.metric,
            "folds": [[len(fold.train), len(fold.test)] for fold in images.folds],
        }
        card = DataCard(images.name, images.digest, images.metric, ("train", "test"), profile)
        return Logbook(self.run, card, self.backbone, self.config, self.folder, self.left_out)

    def begin(self, layers: Sequence[str]) -> None:
        """Log what is about to be done."""
        self.book.begin(layers)

    def data(self) -> None:
        """Log the images that are used, and those that are not."""
        self.book.log_data()
        self.book.log_left_out()

    def layer(self, score: Score, backbone: str, feature_digest: str) -> None:
        """Log one of several layers as a run of its own, under this one."""
        params = self.book.params(score.name) | {"backbone": backbone, "dims": score.dims}
        with self.run.child(score.name) as child:
            child.log(params, score.metrics, {"feature_digest": feature_digest})
            self.book.log_data(child)
            self._log_tables(child, score)

    def end(self, scores: Sequence[Score], beside: Sequence[Score], chosen: Score, features: Features) -> None:
        """Log and write what came out; with several layers also the curve over them."""
        metrics = self._summary(scores, beside, chosen, features)
        self.run.log(metrics=metrics, tags={"feature_digest": features.digest, "extraction": features.cost.how})
        self._log_tables(self.run, chosen)
        write_run(self.folder, metrics, [*scores, *beside], self.images.classes, self.book.yaml())
        write_text(self.folder / "predictions.csv", csv_text(predictions(chosen, self.images)))
        if chosen.curve:
            self._curves(scores, beside)
        if len(scores) > 1:
            self.book.figure(layer_figure(scores, beside, self.book.title()), "layers.png")
            self.run.log_table(metric_columns([*scores, *beside]), "layers.json")

    def whereabouts(self) -> str:
        """Where to look next."""
        return self.book.whereabouts()

    def _curves(self, scores: Sequence[Score], beside: Sequence[Score]) -> None:
        """How the hyperparameter was chosen, for each layer: `c_curve.png`, `.csv` and `.json` where it is C."""
        name = f"{scores[0].parameter.lower()}_curve"
        columns = curve_table([*scores, *beside])
        write_table(self.folder / f"{name}.csv", columns)
        self.run.log_table(columns, f"{name}.json")
        self.book.figure(curve_figure(scores, beside, self.book.title()), f"{name}.png")

    def _log_tables(self, run: Run, score: Score) -> None:
        run.log_table(per_class(score, self.images.classes), "per_class.json")
        run.log_text(csv_text(predictions(score, self.images)), "predictions.csv")
        if score.confusion is not None:
            title = f"{self.images.name}, {score.name}"
            run.log_figure(confusion_figure(score.confusion, self.images.classes, title), "confusion.png")

    def _summary(
        self, scores: Sequence[Score], beside: Sequence[Score], chosen: Score, features: Features
    ) -> dict[str, float]:
        """The chosen layer's metrics; with several layers each one's official metric too, and the cost of all."""
        metrics = dict(chosen.metrics)
        metrics |= fit_cost([*scores, *beside])
        metrics |= self.book.left_out_counts()
        metrics |= extraction_cost(features.cost.extracted, features.cost.seconds)
        if len(scores) > 1:
            official = f"test/{self.images.metric}"
            metrics |= {f"{official}/{score.name}": score.metrics[official] for score in [*scores, *beside]}
        return metrics
