"""Runs on labels that are numbers: what is scored, kept, drawn, compared and refused."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score

import offshelf
from offshelf.commands.compare import compare
from offshelf.errors import ConfigError, DatasetError, ModelError
from offshelf.metric import Bootstrap

CHEAP = {"backbone": "tiny", "target": "number", "classifier": "ridge", "bootstrap__replicates": 100}


@pytest.fixture(scope="module")
def bright():
    """Images of noise, uint8 [60, 12, 12, 3], and how bright they are."""
    random = np.random.default_rng(0)
    level = random.uniform(20, 200, 60)
    noise = random.normal(0, 15, (60, 12, 12, 3))
    return np.clip(level[:, None, None, None] + noise, 0, 255).astype(np.uint8), level


@pytest.mark.slow
def test_a_run(bright, tmp_path):
    """Metrics are those of its predictions by scikit-learn and SciPy; the model predicts the same."""
    result = offshelf.classify(bright, layer="all", output_dir=tmp_path, store=None, **CHEAP)
    table = list(csv.DictReader((tmp_path / "predictions.csv").read_text().splitlines()))
    true, predicted = (np.array([float(row[name]) for row in table]) for name in ("true", "predicted"))

    assert result.metrics["test/r2"] == pytest.approx(r2_score(true, predicted)) == float(result)
    assert result.metrics["test/mean_absolute_error"] == pytest.approx(mean_absolute_error(true, predicted))
    assert result.metrics["test/spearman"] == pytest.approx(spearmanr(true, predicted).statistic)
    assert result.metrics["test/spearman_low"] <= result.metrics["test/spearman"]
    assert float(result) > 0.8
    assert list(result.predictions.predicted) == predicted.tolist()
    again = result.predict(bright[0])
    assert list(again.columns) == ["number"]
    assert again["number"].to_numpy()[[int(row["id"]) for row in table]] == pytest.approx(predicted, abs=1e-3)
    with pytest.raises(ModelError, match="predicts numbers, which have no probabilities"):
        result.predict(bright[0], probabilities=True)
    assert not (tmp_path / "per_class.csv").exists()
    assert "classes" not in json.loads((tmp_path / "data.json").read_text())
    assert result.plot("scatter").axes[0].get_xlabel() == "true number"
    assert result.plot("curve") and result.plot()
    with pytest.raises(ConfigError, match="Numbers have no confusion matrix"):
        result.confusion()
    said = [line for line in result.lines() if isinstance(line, str) and "mean absolute error" in line]
    assert len(said) == 1 and "spearman" in said[0]


@pytest.mark.slow
def test_data_frames(bright):
    """A column of images, and one of numbers in any type; a missing one is named."""
    frame = pd.DataFrame({"image": list(bright[0]), "level": bright[1]}, index=[f"p{row}" for row in range(60)])
    expected = offshelf.classify(bright, store=None, **CHEAP)
    given = {"target": "number", **CHEAP, "store": None}
    for level in (frame["level"], frame["level"].astype("Float64"), frame["level"].astype(object)):
        result = offshelf.classify((frame["image"], level), **given)
        assert float(result) == float(expected)
        assert result.predictions.ids[0].startswith("p")
    with pytest.raises(DatasetError, match="With target='number' labels are numbers; label 3 is"):
        offshelf.classify((frame["image"], frame["level"].astype("Float64").where(frame.index != "p3")), **given)


@pytest.mark.slow
def test_labels_of_another_kind(bright):
    """One sentence, before any work, that says what to change."""
    pixels, level = bright
    for words, message in (
        ({"classifier": "linear_svm"}, "predicts classes, and the labels of images are numbers: classifier=ridge"),
        ({"target": "class"}, "predicts numbers, and the labels of images are classes.*dataset.target=number"),
    ):
        labels = np.repeat([1, 2], 30) if words.get("target") == "class" else level
        with pytest.raises(ConfigError, match=message):
            offshelf.classify((pixels, labels), store=None, **{**CHEAP, **words})
        with pytest.raises(ConfigError, match=message):
            offshelf.recommend(
                (pixels, labels), candidates=["pixels"], store=None, target=words.get("target", "number"),
                classifier=words.get("classifier", "ridge"),
            )  # fmt: skip


@pytest.mark.slow
def test_parts_of_the_training_images(bright):
    """However few: where no different numbers can be held out, the penalty is the one nearest 1, and this is said."""
    result = offshelf.classify(bright, fractions=[0.02, 0.1, 0.5, 1], draws=3, store=None, **CHEAP)
    (said,) = [line for line in result.lines() if isinstance(line, str) and "cannot be cross-validated" in line]

    assert [size.images for size in result.images.sizes] == [2, 5, 23, 45]
    assert said.startswith(
        "With 2 % the numbers are too few, or equal, so that alpha cannot be cross-validated: it is 1"
    )
    assert result.learning_curve.extrapolations[0].name == "200 %"
    with pytest.raises(DatasetError, match="shots counts images per class"):
        offshelf.classify(bright, shots=2, store=None, **CHEAP)


def test_recommended(bright):
    """By cross-validated R² of numbers; normalised pixels would not know how bright they were."""
    given = {"target": "number", "classifier": "ridge", "postprocess": "none"}
    found = offshelf.recommend(bright, candidates=["pixels"], budget="60s", store=None, **given)
    assert found.metrics["cv/r2"] == float(found) > 0.8


def test_a_smaller_error_is_better():
    """In comparisons by a metric of which less is better."""
    runs = [
        SimpleNamespace(name=name, metrics={"test/r2": r2, "test/mean_absolute_error": error})
        for name, r2, error in (("a", 0.5, 3.0), ("b", 0.7, 2.0), ("c", 0.9, 1.0))
    ]
    for metric in ("r2", "mean_absolute_error"):
        assert [row.run.name for row in compare(runs, metric, Bootstrap(0))] == ["c", "b", "a"]
