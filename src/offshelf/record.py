"""The record of a classification: what goes to the tracker and into the output folder, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from offshelf.dataset import ImageSet, LeftOut
from offshelf.evaluate import Score, fit_cost
from offshelf.extractor import Features
from offshelf.report import (
    confusion_figure,
    csv_text,
    curve_figure,
    curve_table,
    flat,
    layer_figure,
    per_class,
    predictions,
    write_run,
    write_table,
    write_text,
)
from offshelf.tracking import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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

    def begin(self, layers: Sequence[str]) -> None:
        """Log what is about to be done."""
        self.run.log(params=self._params(", ".join(layers)))
        self.run.log_text(self._yaml(), "config.yaml")

    def data(self) -> None:
        """Log the images that are used, and those that are not."""
        self.run.log(metrics=self._left_out(), tags=self._data_tags())
        self.run.log_dataset(self.images.name, self.images.digest, "all", self._profile())
        if self.left_out:
            table = {name: [getattr(one, name) for one in self.left_out] for name in ("id", "role", "why")}
            self.run.log_table(table, "left_out.json")
            write_table(self.folder / "left_out.csv", table)

    def layer(self, score: Score, backbone: str, feature_digest: str) -> None:
        """Log one of several layers as a run of its own, under this one."""
        params = self._params(score.name) | {"backbone": backbone, "dims": score.dims}
        with self.run.child(score.name) as child:
            child.log(params, score.metrics, {"feature_digest": feature_digest, **self._data_tags()})
            child.log_dataset(self.images.name, self.images.digest, "all", self._profile())
            self._log_tables(child, score)

    def end(self, scores: Sequence[Score], beside: Sequence[Score], chosen: Score, features: Features) -> None:
        """Log and write what came out; with several layers also the curve over them."""
        metrics = self._summary(scores, beside, chosen, features)
        self.run.log(metrics=metrics, tags={"feature_digest": features.digest, "extraction": features.cost.how})
        self._log_tables(self.run, chosen)
        write_run(self.folder, metrics, [*scores, *beside], self.images.classes, self._yaml())
        write_text(self.folder / "predictions.csv", csv_text(predictions(chosen, self.images)))
        if chosen.curve:
            self._curves(scores, beside)
        if len(scores) > 1:
            self._figure(layer_figure(scores, beside, self._title()), "layers.png")
            self.run.log_table(_columns([*scores, *beside]), "layers.json")

    def whereabouts(self) -> str:
        """Where to look next."""
        tracked = "\nCompare runs with: offshelf ui" if self.run.id else ""
        return f"Results are in {self.folder}{tracked}"

    def _curves(self, scores: Sequence[Score], beside: Sequence[Score]) -> None:
        """How the hyperparameter was chosen, for each layer: `c_curve.png`, `.csv` and `.json` where it is C."""
        name = f"{scores[0].parameter.lower()}_curve"
        columns = curve_table([*scores, *beside])
        write_table(self.folder / f"{name}.csv", columns)
        self.run.log_table(columns, f"{name}.json")
        self._figure(curve_figure(scores, beside, self._title()), f"{name}.png")

    def _figure(self, figure: "Figure", file: str) -> None:
        figure.savefig(self.folder / file, dpi=120, pil_kwargs={"compress_level": 1})  # speed before size
        self.run.log_file(self.folder / file)

    def _title(self) -> str:
        return f"{self.images.name}, {self.backbone}"

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
        metrics |= self._left_out()
        cost = features.cost
        metrics["cost/images_extracted"] = float(cost.extracted)
        metrics["cost/extract_seconds"] = cost.seconds
        if cost.extracted:
            metrics["cost/images_per_second"] = cost.extracted / cost.seconds
        if len(scores) > 1:
            official = f"test/{self.images.metric}"
            metrics |= {f"{official}/{score.name}": score.metrics[official] for score in [*scores, *beside]}
        return metrics

    def _data_tags(self) -> dict[str, str]:
        return {"data_digest": self.images.digest, "metric": self.images.metric}

    def _left_out(self) -> dict[str, float]:
        roles = [one.role for one in self.left_out]
        parts = {f"data/left_out_{part}": float(sum(part in role for role in roles)) for part in ("train", "test")}
        return {"data/left_out": float(len(roles)), **parts} if roles else {}

    def _params(self, layers: str) -> dict[str, Any]:
        return {**flat(self.config), "dataset": self.images.name, "backbone": self.backbone, "layer": layers}

    def _profile(self) -> dict[str, Any]:
        return {
            "images": len(self.images.samples),
            "classes": len(self.images.classes),
            "metric": self.images.metric,
            "folds": [[len(fold.train), len(fold.test)] for fold in self.images.folds],
        }

    def _yaml(self) -> str:
        return yaml.safe_dump(dict(self.config), sort_keys=False, allow_unicode=True)


def _columns(scores: Sequence[Score]) -> dict[str, list[Any]]:
    names = list(scores[0].metrics)
    columns: dict[str, list[Any]] = {"layer": [score.name for score in scores]}
    return columns | {name: [score.metrics.get(name) for score in scores] for name in names}
