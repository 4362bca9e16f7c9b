"""Learning curves in columns, table and figure: draws, one draw of everything, and what is extrapolated."""

import io

import numpy as np
import pytest
from rich.console import Console

from offshelf.dataset import Fold, TrainingSize
from offshelf.evaluation.learning_curve import CurvePoint, LearningCurve, LearningCurves, unchosen_line
from offshelf.report import learning_curve_columns, learning_curve_figure, learning_curve_table

SHARES = (0.1, 0.25, 0.5, 1.0)


def curve(name, best):
    """Four fractions of 400 images, the last of which is drawn once."""
    points = []
    for share in SHARES:
        draws = 1 if share == 1 else 3
        fold = Fold(np.arange(int(400 * share)), np.arange(400, 500))
        size = TrainingSize(share, "fractions", draws, (fold,) * draws)
        by_draw = best - 0.5 * (400 * share) ** -0.5 + np.array([-0.01, 0, 0.01])[:draws] * (draws > 1)
        metrics = {"test/accuracy": float(by_draw.mean()), "test/accuracy_low": 0.1, "test/accuracy_high": 0.9}
        unchosen = ("C", 2.0) if share < 0.2 else None
        points.append(CurvePoint(name, size, "accuracy", metrics, by_draw, unchosen))
    return LearningCurve(tuple(points))


def test_columns():
    """A row per layer and size, then the extrapolated ones; None where there is no such number."""
    first, other = curve("conv1", 0.8), curve("conv2", 0.9)
    columns = learning_curve_columns(LearningCurves((first, other), (), other))

    assert columns["layer"] == ["conv1"] * 4 + ["conv2"] * 6
    assert columns["fractions"] == [*SHARES, *SHARES, 2.0, 4.0]
    assert columns["images"] == [40, 100, 200, 400] * 2 + [800, 1600]
    assert columns["std"] == pytest.approx(([np.std([-0.01, 0, 0.01])] * 3 + [None]) * 2 + [None, None])
    assert columns["draw 2"][3] is columns["draw 2"][-1] is None
    assert columns["accuracy"][-2:] == pytest.approx([0.9 - 0.5 * 800**-0.5, 0.9 - 0.5 * 1600**-0.5], abs=0.01)
    for low, value, high in zip(columns["low"][-2:], columns["accuracy"][-2:], columns["high"][-2:], strict=True):
        assert low <= value <= high


def test_table():
    """What is extrapolated is marked; layers that other sizes would have chosen are named with their scores."""
    first, other = curve("conv1", 0.8), curve("conv2", 0.9)
    console = Console(width=100, file=io.StringIO())
    console.print(learning_curve_table(other, [first.points[0], *other.points[1:]], "conv2"))
    text = console.file.getvalue()
    cells = [line.split() for line in text.splitlines()]

    assert any(
        line[:2] == ["10", "%"] and line[-4:-2] == ["40", "3"] and line[-2:] == ["0.7209", "conv1"] for line in cells
    )
    assert any(line[:2] == ["100", "%"] and line[-4:-2] == ["400", "1"] and "±" not in line for line in cells)
    assert "200 %, extrapolated" in text
    assert "band: 95% over draws of the fitted curve" in " ".join(text.split())
    assert unchosen_line(other.points).startswith("With 10 % a class has one training image, so that C cannot be")


def test_labels_needed():
    """For 0.88 the law 0.9 - 0.5 n^-0.5 needs 625 of 400 images; for 0.895 10,000, which is too far."""
    found = curve("conv1", 0.9)

    assert found.needed(0.88) == pytest.approx(625 / 400, rel=0.1)
    assert found.needed(0.895) is found.needed(0.95) is None
    assert LearningCurve(found.points[:3]).needed(0.88) is None


def test_figure():
    """A line for each layer, the baseline, and the dotted continuation to four times the images."""
    first, other = curve("conv1", 0.8), curve("conv2", 0.9)
    axes = learning_curve_figure(LearningCurves((first, other), (curve("pixels", 0.5),), other), "digits, $x$").axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]

    assert sorted(labels) == ["conv1", "conv2", "extrapolated", "pixels"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["10 %", "25 %", "50 %", "100 %", "200 %", "400 %"]
    (dotted,) = [line for line in axes.get_lines() if line.get_linestyle() == ":"]
    assert dotted.get_xdata()[[0, -1]] == pytest.approx([1, 4])
