"""Results of the verbs: those of the tasks, with what only a Python program asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from offshelf.api.prediction import Classes, predict
from offshelf.api.report import Report
from offshelf.errors import ConfigError, ModelError
from offshelf.report import learning_curve_figure
from offshelf.report.figures import (
    confusion_figure,
    curve_figure,
    layer_figure,
    precision_recall_figure,
    scatter_figure,
    similarity_figure,
)
from offshelf.report.html import FILE
from offshelf.tasks.results import ClassificationResult, Recommendation, RetrievalResult

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from pandas import DataFrame

    from offshelf.api.inspecting import Inspected


SEVERAL = "Images with several labels have no confusion matrix"


@dataclass(frozen=True, kw_only=True, eq=False)
class Classification(ClassificationResult):
    """Result of `classify`: scores of one or several layers, and the model of the reported one."""

    backbone: str
    """Name of the backbone."""
    config: Mapping[str, Any] = field(repr=False)
    """The resolved config."""
    parts: Mapping[str, Any] = field(repr=False)
    """The components of the run, by name."""
    classes: Classes | None = field(repr=False)
    """The way from images to classes; None if the classifier has no form that could be kept."""

    def predict(self, images: Any, *, probabilities: bool | None = None, progress: bool = False) -> "DataFrame":
        """Return the classes, or numbers, of other images by the reported layer's model, a row per image.

        Args:
            images: See `Backbone.encode`.
            probabilities: Whether to add probabilities; None: if the run calibrated them (`calibrate=True`).
            progress: Whether to show a progress bar.

        Returns:
            Columns `class` and `score`, with several labels `labels` and a score of each, or `number`; the index is the
            image.

        Raises:
            BadImagesError: images that cannot be used.
            ModelError: the classifier could not be kept, or was not calibrated.
        """
        if self.classes is None:
            raise ModelError("The classifier of this run has no form that can be kept, so that it cannot predict.")
        return predict(self.classes, images, probabilities, progress)

    def report(self) -> Report:
        """Return the page with the answer, the curves, the mistakes as pictures and a map, which a notebook shows.

        Raises:
            ConfigError: there is none, because the run was given `report=None`.
        """
        path = self.folder / FILE
        if not path.is_file():
            raise ConfigError("This run wrote no report: leave out report=None.")
        return Report(path.read_text(encoding="utf-8"))

    def inspect(self, *, output_dir: "str | Path | None" = None, progress: bool = False) -> "Inspected":
        """Return what is wrong with the images and labels of this run, by its features; see `offshelf.inspect`.

        Args:
            output_dir: A folder for the page and the tables; without, a temporary one that goes with the result.
            progress: Whether to show progress bars.
        """
        from offshelf.api.inspecting import inspect_result

        layer = self.config["layer"] if self.parts.get("layer_fusion") else self.layer
        return inspect_result(self.parts, self.config, layer, output_dir, progress)

    def confusion(self) -> "DataFrame":
        """Return the counts of test images by true class (rows) and predicted class (columns), of the reported layer.

        Raises:
            ConfigError: images have several labels, or numbers.
        """
        import pandas as pd

        if self.chosen.confusion is None:
            what = "Numbers have no confusion matrix" if self.chosen.kind == "number" else SEVERAL
            raise ConfigError(f"{what}; see table.")
        names = pd.Index(self.images.classes, name="true")
        return pd.DataFrame(self.chosen.confusion, names, names.rename("predicted"))

    def plot(
        self, kind: Literal["learning_curve", "layers", "curve", "confusion", "scatter", "cka"] | None = None
    ) -> "Figure":
        """Return a Matplotlib figure, which a notebook shows.

        Args:
            kind: `"learning_curve"`, the metric by training size; `"layers"`, by layer; `"curve"`, the cross-validated
                metric by the hyperparameter; `"confusion"`; `"scatter"`, predicted against true numbers; or `"cka"`,
                the similarity of layers of a run with `spectrum=True`. None: the first of these that there is.

        Raises:
            ConfigError: there is no such plot of this result.
        """
        if kind is None:
            last: Literal["scatter", "confusion"] = "scatter" if self.chosen.kind == "number" else "confusion"
            kind = "layers" if len(self.scores) > 1 else "curve" if self.chosen.curve else last
            kind = "learning_curve" if self.learning_curve else kind
        if kind == "learning_curve" and self.learning_curves and self.learning_curve:
            return learning_curve_figure(self.learning_curves, self.run.title)
        if kind == "layers":
            return layer_figure(self.scores, self.baselines, self.run.title)
        if kind == "curve" and self.chosen.curve:
            return curve_figure(self.scores, self.baselines, self.run.title)
        if kind == "confusion":
            return confusion_figure(self.confusion().to_numpy(), self.images.classes, self.run.title)
        if kind == "scatter" and self.chosen.kind == "number":
            return scatter_figure(self.chosen.outcomes, self.images.classes[0], self.run.title)
        if kind == "cka" and self.spectra:
            return similarity_figure(self.spectra, self.run.title)
        raise ConfigError(
            "plot is layers, curve (of a hyperparameter that was chosen), learning_curve (of several shots or "
            f"fractions), confusion, scatter (of numbers), or cka (with spectrum=True); got '{kind}'."
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Retrieval(RetrievalResult):
    """Result of `retrieve`: scores of one or several layers; the last is the reported one."""

    backbone: str
    """Name of the backbone."""
    config: Mapping[str, Any] = field(repr=False)
    """The resolved config."""

    def plot(self, kind: Literal["layers", "precision_recall"] | None = None) -> "Figure":
        """Return a Matplotlib figure: the metric by layer, or precision by recall of the reported layer.

        Raises:
            ConfigError: there is no such plot.
        """
        kind = kind or ("layers" if len(self.scores) > 1 else "precision_recall")
        if kind == "layers":
            return layer_figure(self.scores, (), self.run.title)
        if kind == "precision_recall":
            return precision_recall_figure(self.chosen, self.run.title)
        raise ConfigError(f"plot is layers or precision_recall; got '{kind}'.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Recommended(Recommendation):
    """Result of `recommend`: backbones and layers, best first."""

    config: Mapping[str, Any] = field(repr=False)
    """The resolved config."""
