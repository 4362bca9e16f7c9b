"""Recording a classification: what goes to the tracker and into the output folder, and when."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal
from typing_extensions import override

from offshelf.dataset import ImageSet, Leaks, Vector, value_range
from offshelf.dataset.leaks import LeakFinder
from offshelf.errors import ModelError
from offshelf.evaluation.learning_curve import LearningCurves
from offshelf.evaluation.score import Score, fit_cost
from offshelf.evaluation.spectra import Spectra
from offshelf.extractor import Features
from offshelf.model import FILE, Model
from offshelf.report import (
    confusion_figure,
    csv_text,
    curve_figure,
    curve_table,
    layer_columns,
    layer_figure,
    learning_curve_columns,
    learning_curve_figure,
    per_class,
    predictions,
    reliability_columns,
    reliability_figure,
    scatter_figure,
    similarity_figure,
    write_bytes,
    write_run,
    write_table,
    write_text,
)
from offshelf.report.html import FILE as REPORT
from offshelf.report.html import HtmlReport
from offshelf.report.html.contents import Contents
from offshelf.report.notes import classification_note, layer_note
from offshelf.runs.recorder import RunRecorder, extraction_cost
from offshelf.secret import masked
from offshelf.tracking import Run
from offshelf.tracking.note import NOTE_TAG
from offshelf.tracking.parent import is_job

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ClassificationRecorder(RunRecorder):
    """Recorder of a classification."""

    PARTS = ("train", "test")

    images: ImageSet
    spectra: Sequence[Spectra] = ()
    """Those of the layers and of the baseline, if they were asked for."""
    leaks: Leaks | None = None
    """What test images were found to share with training images."""

    @override
    def data(self) -> None:
        super().data()
        if self.leaks:
            self._table("leaks", self.leaks.columns())

    @override
    def data_counts(self) -> dict[str, float]:
        finder = self.images.leaks
        return super().data_counts() | (finder.leaks(self.images).counts if isinstance(finder, LeakFinder) else {})

    @override
    def profile(self) -> dict[str, Any]:
        images = self.images
        profile = {
            "images": len(images.samples),
            **({} if images.kind == "number" else {"classes": len(images.classes)}),
            "metric": images.metric,
            "folds": [[len(fold.train), len(fold.test)] for fold in images.folds],
        }
        values = value_range(images.pictures)
        sizes = {size.name: [size.draws, round(size.images)] for size in images.sizes}
        grouped = {"groups": [images.groups.count, images.groups.what]} if images.groups else {}
        optional = {"value_range": values, "sizes": sizes}
        return profile | {name: value for name, value in optional.items() if value} | grouped

    def layer(self, curve: Sequence[Score], backbone: str, feature_digest: str) -> None:
        """Log one of several layers as a run of its own, under this one, with a run below it for each training size."""
        score = curve[-1]
        params = self.params(score.name) | {"backbone": backbone, "dims": score.dims}
        with self.run.child(score.name) as child:
            self.log_dataset(child)
            self._log_predictions(child, score)
            tags = {"feature_digest": feature_digest, **self.data_tags(), **_svm_method(score)}
            child.log(params, score.metrics, {**tags, NOTE_TAG: layer_note(score)})
            self._log_mistakes(child, score)
            if score.has_probabilities:
                child.log_figure(self._reliability(score), "reliability.png")
            if len(curve) > 1:
                self.training_sizes(child, curve, backbone, feature_digest)

    def training_sizes(self, run: Run, curve: Sequence[Score], backbone: str, feature_digest: str) -> None:
        """Log the scores of a layer, from the smallest training size to the largest, as runs under `run`."""
        for score, size in zip(curve, self.images.sizes, strict=True):
            own = replace(self, images=self.images.at(size))
            params = self.params(score.name) | {"backbone": backbone, "dims": score.dims}
            with run.child(size.name) as child:
                tags = {"feature_digest": feature_digest, **own.data_tags(), **_svm_method(score)}
                child.log(params | {f"dataset.{size.unit}": size.value}, score.metrics, tags)
                own.log_dataset(child)
                own._log_predictions(child, score)

    def _learning_curves(self, curves: LearningCurves) -> Mapping[str, float]:
        """Log and write `learning_curve.csv` and `.json`. Returns the metrics of the reported layer's curve."""
        columns = learning_curve_columns(curves)
        write_table(self.folder / "learning_curve.csv", columns)
        self.run.log_table(columns, "learning_curve.json")
        return curves.chosen.metrics

    def end(
        self,
        scores: Sequence[Score],
        baselines: Sequence[Score],
        chosen: Score,
        features: Features,
        curves: LearningCurves | None = None,
    ) -> dict[str, float]:
        """Log and write the results, except the figures.

        Args:
            scores: Scores of the layers.
            baselines: Scores of the baseline.
            chosen: The reported one.
            features: Their features, for their cost.
            curves: Numbers at all training sizes, if the training images are drawn.

        Returns:
            All metrics.
        """
        metrics = self._summary(scores, baselines, chosen, features) | self._spectra()
        if curves and curves.has_several:
            metrics |= self._learning_curves(curves)
            points = [*curves.points, *curves.baseline_points]
            metrics["cost/fit_seconds"] = sum(point.metrics["cost/fit_seconds"] for point in points)
        predicted = self._log_predictions(self.run, chosen)
        note = classification_note(scores, baselines, chosen, self.images, bool(self.config.get("report")))
        tags = {"feature_digest": features.digest, "extraction": features.cost.how, **_svm_method(chosen)}
        self.run.log(metrics=metrics, tags={**tags, NOTE_TAG: note})
        write_run(self.folder, metrics, [*scores, *baselines], self.images.classes, self.yaml())
        write_text(self.folder / "predictions.csv", predicted)
        if chosen.curve:
            columns = curve_table([*scores, *baselines])
            write_table(self.folder / f"{_curve_file(chosen)}.csv", columns)
            self.run.log_table(columns, f"{_curve_file(chosen)}.json")
        if chosen.has_probabilities:
            write_table(self.folder / "reliability.csv", reliability_columns(chosen, self.images.classes))
        if len(scores) > 1:
            self.run.log_table(layer_columns([*scores, *baselines]), "layers.json")
        return metrics

    def _spectra(self) -> dict[str, float]:
        """Log and write the spectra of the layers and of the baseline, if there are any. Returns their cost."""
        if not self.spectra:
            return {}
        layers = [each.columns() for each in self.spectra]
        self._table("spectrum", {name: [cell for one in layers for cell in one[name]] for name in layers[0]})
        if self._has_pairs:
            self._table("cka", self.spectra[0].cka_columns())
        return {"cost/spectrum_seconds": sum(each.seconds for each in self.spectra)}

    @property
    def _has_pairs(self) -> bool:
        """Whether there are spectra of several layers, which can be compared."""
        return len(self.spectra) > 0 and len(self.spectra[0].layers) > 1

    def draw(
        self,
        scores: Sequence[Score],
        baselines: Sequence[Score],
        chosen: Score,
        curves: LearningCurves | None = None,
    ) -> None:
        """Draw what `end` has logged: mistakes, reliability, choices, layers, training sizes and similarities."""
        self._log_mistakes(self.run, chosen)
        if chosen.has_probabilities:
            self.figure(self._reliability(chosen), "reliability.png")
        if chosen.curve:
            self.figure(curve_figure(scores, baselines, self.plot_title()), f"{_curve_file(chosen)}.png")
        if len(scores) > 1:
            self.figure(layer_figure(scores, baselines, self.plot_title()), "layers.png")
        if curves and curves.has_several:
            self.figure(learning_curve_figure(curves, self.plot_title()), "learning_curve.png")
        if self._has_pairs:
            self.figure(similarity_figure(self.spectra[0], self.plot_title()), "cka.png")

    def finish(self, report: HtmlReport | None, contents: Contents) -> None:
        """Draw the figures, and write the page, if there is to be one."""
        self.draw(contents.scores, contents.baselines, contents.chosen, contents.curves)
        if report:
            words = masked({"title": contents.title, "commands": self.commands()})
            known = replace(contents, left_out=self.left_out, **words)
            write_text(self.folder / REPORT, report.page(known))
            self.run.log_file(self.folder / REPORT)

    @override
    def whereabouts(self) -> str:
        first, *others = super().whereabouts().split("\n")
        has_page = (self.folder / REPORT).is_file()
        return "\n".join([f"{first}; look at {REPORT} there" if has_page else first, *others])

    def commands(self) -> dict[str, str]:
        """Return what can be done with the run, a command by what it does."""
        where = f"{self.run.id[:8] if self.run.is_sent else shlex.quote(str(self.folder))}"
        again = {"Repeat it": f"offshelf rerun {where}{self.settings()}"}
        predicts = self._sees_images and (self.folder / FILE).is_file()
        return again | ({"Predict": f"offshelf predict {where} IMAGES{self.settings()}"} if predicts else {})

    @property
    def _sees_images(self) -> bool:
        """Whether a network saw images, so that a model can predict others."""
        return not isinstance(self.images.samples[0].image, Vector)

    def keep(self, model: Model | None, limit_mb: float) -> str:
        """Write the model into the folder and to the tracker. Returns why it is not kept; empty if it is."""
        try:
            data = _as_data(model, limit_mb)
        except ModelError as error:
            return f"The model was not kept, so that offshelf predict cannot use this run: {error}"
        write_bytes(self.folder / FILE, data)
        self.run.log_file(self.folder / FILE)
        return ""

    def how_to_predict(self) -> str:
        """Return a sentence that says how to use the model, once it is kept and the run has ended; or nothing."""
        if not self._sees_images:
            return ""
        size = (self.folder / FILE).stat().st_size
        fold = f", of the first of {len(self.images.folds)} folds" if len(self.images.folds) > 1 else ""
        where = self.run.id[:8] if self.run.is_sent else shlex.quote(str(self.folder))
        kept = f"The model is kept ({decimal(size)}{fold})."
        return kept if is_job() else f"{kept} Predict with: offshelf predict {where} IMAGES{self.settings()}"

    def _log_mistakes(self, run: Run, score: Score) -> None:
        """Log the confusion matrix, or of numbers the predicted against the true ones."""
        title = f"{self.images.name}, {score.name}"
        if score.confusion is not None:
            run.log_figure(confusion_figure(score.confusion, self.images.classes, title), "confusion.png")
        if score.kind == "number":
            run.log_figure(scatter_figure(score.outcomes, self.images.classes[0], title), "scatter.png")

    def _reliability(self, score: Score) -> "Figure":
        return reliability_figure(score, f"{self.images.name}, {score.name}")

    def _log_predictions(self, run: Run, score: Score) -> str:
        """Log the tables by class, by test image and by confidence. Returns that of the images as CSV."""
        predicted = csv_text(predictions(score, self.images))
        if table := per_class(score, self.images.classes):
            run.log_table(table, "per_class.json")
        run.log_text(predicted, "predictions.csv")
        if score.has_probabilities:
            run.log_table(reliability_columns(score, self.images.classes), "reliability.json")
        return predicted

    def _summary(
        self, scores: Sequence[Score], baselines: Sequence[Score], chosen: Score, features: Features
    ) -> dict[str, float]:
        """Return the chosen layer's metrics and the cost of all, with several layers also each official metric."""
        metrics = dict(chosen.metrics)
        metrics |= fit_cost([*scores, *baselines])
        metrics |= self.data_counts()
        metrics |= extraction_cost(features.cost.extracted, features.cost.seconds)
        if len(scores) > 1:
            official = f"test/{self.images.metric}"
            metrics |= {f"{official}/{score.name}": score.metrics[official] for score in [*scores, *baselines]}
        return metrics


def _svm_method(score: Score) -> dict[str, str]:
    """Return the tag of the method that solved a layer's SVM; none for other classifiers."""
    return {"svm_method": score.svm_method} if score.svm_method else {}


def _curve_file(score: Score) -> str:
    """Return the name, without suffix, of the files that say how the hyperparameter was chosen: `c_curve` of C."""
    return f"{score.parameter.lower()}_curve"


def _as_data(model: Model | None, limit_mb: float) -> bytes:
    if model is None:
        raise ModelError("its classifier has no form that could be read back.")
    if model.size > limit_mb * 1e6:
        raise ModelError(f"it takes {decimal(model.size)}; keep_model_mb={limit_mb:g} is less.")
    return model.to_bytes()
