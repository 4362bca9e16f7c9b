"""Files, figures and tables of hand-made scores."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from offshelf.classifier import Curve, FitResult
from offshelf.dataset import Fold, ImageArray, ImageSet, Sample
from offshelf.errors import StoreError
from offshelf.evaluation.score import Score
from offshelf.metric import Bootstrap, Outcome
from offshelf.report import (
    confusion_figure,
    curve_figure,
    curve_table,
    flat,
    layer_figure,
    per_class,
    predictions,
    score_table,
    write_run,
)
from offshelf.report.table import open_grids


def outcome(right):
    """Two classes, `right` of four test images of class a right; class b has none."""
    return Outcome(np.zeros(4, int), np.repeat([[1.0, 0.0], [0.0, 1.0]], [right, 4 - right], axis=0))


def scored(name, fits, *rights):
    """A score of folds with so many right."""
    return Score(name, 8, "accuracy", fits, tuple(map(outcome, rights)), 1.5)


def score(name="layer4", right=3, **certificate):
    """One fold with so many of four right."""
    curve = Curve("C", (0.2, 2.0), np.array([[0.4, 0.6], [0.7, 0.8]]))
    fit = FitResult("C", 2.0, curve, lambda values: values, curve.scores[1], **certificate)
    return scored(name, (fit,), right)


def test_metrics_by_hand():
    """Names and numbers that go to MLflow and metrics.json."""
    metrics = score().metrics

    assert metrics["test/accuracy"] == 0.75
    assert metrics["test/mean_class_accuracy"] == 0.75
    assert metrics["cv/accuracy"] == 0.75
    assert metrics["cv/accuracy_std"] == pytest.approx(0.05)
    assert metrics["cv/accuracy_C_0.2"] == 0.5
    assert metrics["cv/C"] == pytest.approx(2)
    assert not any("dual_gap" in name or "problems" in name for name in metrics)


def test_accuracy_is_that_of_the_chosen_value():
    """Not of the best one, where a simpler one was chosen."""
    (best,) = score().fits
    simpler = scored("x", (FitResult("C", 0.2, best.curve, best.score, best.curve.scores[0]),), 3)

    assert simpler.metrics["cv/accuracy"] == 0.5
    assert simpler.metrics["cv/accuracy_std"] == pytest.approx(0.1)


def test_certificate_by_hand():
    """The gap, problems, and problems a second."""
    metrics = score(gap=2e-5, problems=60).metrics

    assert (metrics["fit/dual_gap"], metrics["fit/problems"]) == (2e-5, 60)
    assert metrics["cost/fit_problems_per_second"] == 40


def test_folds_are_averaged():
    """Mean and standard deviation over folds."""
    both = scored("x", score().fits * 2, 4, 2)

    assert both.metrics["test/accuracy"] == 0.75
    assert both.metrics["test/accuracy_std"] == 0.25
    assert both.confusion.tolist() == [[6, 2], [0, 0]]


def test_class_without_test_images_has_no_accuracy():
    """None in tables, an empty cell in the CSV."""
    assert per_class(score(), ["a", "b"]) == {"class": ["a", "b"], "images": [4, 0], "accuracy": [0.75, None]}


def test_folds_have_one_denominator():
    """35 of 38 images right are 35/38, however they are spread over the folds."""
    outcomes = []
    for right, count in ((30, 30), (5, 8)):
        targets = np.zeros(count, np.int64)
        taken_for = (np.arange(count) >= right).astype(int)
        outcomes.append(Outcome(targets, np.eye(2)[taken_for]))
    found = Score("x", 8, "accuracy", (FitResult("C", 2.0, None, lambda v: v),) * 2, tuple(outcomes), 1.0)

    assert per_class(found, ["a", "b"]) == {"class": ["a", "b"], "images": [38, 0], "accuracy": [35 / 38, None]}
    assert found.metrics["test/accuracy"] == pytest.approx((1 + 5 / 8) / 2)


def labels(scores):
    """Three labels on three images: of the second nothing has it, of the third one does not count."""
    targets = np.array([[1, -1, 1], [-1, -1, 0], [1, -1, -1]], np.int8)
    return Score(
        "x", 8, "mAP_11pt", (FitResult("C", 2.0, None, lambda v: v),), (Outcome(targets, np.array(scores)),), 1.0
    )


def test_labels_by_hand():
    """What is not defined for a label is left out of means, and None in tables."""
    found = labels([[0.5, 0, 1], [1, 0, 3], [-1, 0, 2]])
    table = per_class(found, ["a", "b", "c"])

    assert table["images"] == [2, 0, 1]
    assert table["AP_area"] == [pytest.approx((2 / 3 + 2 / 3) / 2), None, 0.5]
    assert table["auc"] == [0.0, None, 0.0]
    assert table["accuracy"] == [pytest.approx(1 / 3), 1.0, 0.5]
    assert found.metrics["test/mAP_area"] == pytest.approx((2 / 3 + 0.5) / 2)
    assert found.confusion is None


def test_metrics_that_are_not_defined_are_left_out():
    """No label is on a test image."""
    nothing = Outcome(-np.ones((2, 2), np.int8), np.zeros((2, 2)))
    found = Score("x", 8, "mAP_11pt", (FitResult("C", 2.0, None, lambda v: v),), (nothing,), 1.0, Bootstrap(100))

    assert [name for name in found.metrics if name.startswith("test/")] == [
        f"test/mean_label_accuracy{end}" for end in ("", "_low", "_high")
    ]
    score_table([found], [], found, "t")


def images(targets):
    """Two folds of one picture each time."""
    samples = [
        Sample(f"{n}.png", ImageArray(np.zeros((1, 1, 3), np.uint8)), target) for n, target in enumerate(targets)
    ]
    return ImageSet(
        "set", ("a", "b"), samples, (Fold(np.array([0]), np.array([2])), Fold(np.array([2]), np.array([1])))
    )


def test_predictions():
    """A row a test image, fold by fold."""
    outcomes = (Outcome(np.array([1]), np.array([[3.0, 2.0]])), Outcome(np.array([0]), np.array([[0.5, 0.5]])))
    fit = FitResult("C", 2.0, None, lambda values: values)
    table = predictions(Score("x", 8, "accuracy", (fit, fit), outcomes, 1.0), images([0, 0, 1]))
    several = (Outcome(np.array([[1, 0]]), np.array([[3.0, 2.0]])), Outcome(np.array([[-1, 1]]), np.array([[0.5, -1]])))
    wide = predictions(Score("x", 8, "mAP_11pt", (fit, fit), several, 1.0), images([(1, 1), (-1, 1), (1, 0)]))

    assert list(zip(*table.values(), strict=True)) == [(0, "2.png", "b", "a", 3.0), (1, "1.png", "a", "a", 0.5)]
    assert list(wide) == ["fold", "id", "true a", "score a", "true b", "score b"]
    assert list(zip(*wide.values(), strict=True)) == [(0, "2.png", 1, 3.0, 0, 2.0), (1, "1.png", -1, 0.5, 1, -1.0)]


def test_error_bars():
    """In metrics and in the table, with what they are."""
    (fit,) = score().fits
    barred = Score("x", 8, "accuracy", (fit,), (outcome(3),), 1.0, Bootstrap(200))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(score_table([barred], [], barred, "t"))
    low, high = (barred.metrics[f"test/accuracy_{end}"] for end in ("low", "high"))

    assert 0 <= low < 0.75 < high <= 1
    assert f"0.7500 ± {(high - low) / 2:.4f}" in console.export_text(clear=False)
    assert "95% interval" in console.export_text()


def test_several_folds_fit_in_80_columns():
    """A line a layer, whatever each fold chose: the smallest and the largest value."""
    (fit,) = score(gap=1e-4).fits
    folds = tuple(replace(fit, value=value) for value in (0.2, 2.0, 0.2, 2.0))
    many = Score("pre_logits", 1280, "accuracy", folds, tuple(map(outcome, (3, 2, 3, 4))), 14.2, Bootstrap(100))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(score_table([many], [], many, "t"))
    (row,) = (line for line in console.export_text().splitlines() if "pre_logits" in line)

    assert "0.2–2 " in row
    assert row.rstrip().endswith("14.2")


def test_files(tmp_path):
    """Everything can be read back."""
    write_run(tmp_path / "run", {"test/accuracy": 0.1}, [score()], ["ä, b", "c"], "seed: 0\n")

    assert json.loads((tmp_path / "run/metrics.json").read_text()) == {"test/accuracy": 0.1}
    rows = list(csv.DictReader((tmp_path / "run/per_class.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == {"layer": "layer4", "class": "ä, b", "images": "4", "accuracy": "0.75"}
    assert rows[1]["accuracy"] == ""


def test_folder_that_cannot_be_written(tmp_path):
    """A file is in the way."""
    (tmp_path / "run").write_text("")
    with pytest.raises(StoreError, match="run"):
        write_run(tmp_path / "run", {}, [score()], ["a", "b"], "")


def test_flat():
    """Dotted names; lists are values."""
    assert flat({"a": {"b": 1, "c": {"d": [2, {"e": 3}]}}, "f": None}) == {"a.b": 1, "a.c.d": [2, {"e": 3}], "f": None}


def test_table_shows_layers_and_baseline():
    """Every row is there."""
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(score_table([score("layer3", 2), score()], [score("pixels", 1)], score(), "t"))
    text = console.export_text()

    assert [name in text for name in ("layer3", "layer4", "pixels", "0.7500 ± 0.0500", "0.2500")] == [True] * 5


def test_table_shows_the_certificate():
    """A column where gaps are known."""
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(score_table([score(gap=2e-5)], [], score(gap=2e-5), "t"))
    text = console.export_text()

    assert "dual gap" in text
    assert "2e-05" in text


def test_curve_table():
    """A row a layer and value; nothing where the value was given."""
    given = scored("x", (FitResult("C", 2.0, None, lambda values: values),), 3)
    table = curve_table([score("a"), score("b")])

    assert table["layer"] == ["a", "a", "b", "b"]
    assert table["C"] == [0.2, 2.0, 0.2, 2.0]
    assert table["mean"] == pytest.approx([0.5, 0.75] * 2)
    assert table["std"] == pytest.approx([0.1, 0.05] * 2)
    assert curve_table([given]) == {}


def test_curve_figure():
    """A line a layer over a log axis with its parameter's name, and a star at the value that was chosen."""
    axes = curve_figure([score("a"), score("b")], [score("pixels")], "t").axes[0]
    lines = {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}
    stars = [line.get_xydata().tolist() for line in axes.get_lines() if line.get_marker() == "*"]

    assert list(lines) == ["a", "b", "pixels"]
    assert lines["a"].get_xydata() == pytest.approx(np.array([[0.2, 0.5], [2.0, 0.75]]))
    assert stars == [[[2.0, 0.75]]] * 3
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "C"


def test_open_grids():
    """A sentence for each end, with the layers and the way out; none where the best value is within."""
    small = Curve("C", (0.2, 2.0), np.array([[0.9], [0.5]]))
    low = scored("low", (FitResult("C", 0.2, small, lambda values: values),), 3)

    assert open_grids([score("a"), score("b"), low]).splitlines() == [
        "The best C is the largest tried for a, b; larger ones may do better: classifier.C=[…]",
        "The best C is the smallest tried for low; smaller ones may do better: classifier.C=[…]",
    ]
    assert open_grids([scored("x", (FitResult("C", 2.0, None, low.fits[0].score),), 3)]) == ""


def test_figures_are_drawn(tmp_path):
    """Curve with baseline, confusion matrices small and large."""
    layer_figure([score("layer3", 2), score()], [score("pixels", 1)], "t").savefig(tmp_path / "a.png")
    confusion_figure(score().confusion, ["a", "b"], "t").savefig(tmp_path / "b.png")
    confusion_figure(np.eye(120, dtype=int), [f"class {number}" for number in range(120)], "t").savefig(
        tmp_path / "c.png"
    )

    assert len(list(tmp_path.glob("*.png"))) == 3
