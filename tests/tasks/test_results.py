"""What tasks return, and what they say while they work."""

import csv
import json

import numpy as np
import pytest
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from test_tasks import Colours, Tags, run

from offshelf.augmentation import mirror
from offshelf.backbone import Pixels, Tiny
from offshelf.classifier import Tuned
from offshelf.config import load, perform
from offshelf.dataset import Digits
from offshelf.extractor import Extractor
from offshelf.store import MemoryStore
from offshelf.tasks.dataset import describe
from offshelf.tasks.extract import extract
from offshelf.tasks.layers import layers
from offshelf.tracking import MLflow

pytestmark = [
    pytest.mark.usefixtures("known_digits"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


def extraction(**changes):
    """Extraction of colours with small components."""
    settings = {
        "dataset": Colours(),
        "augmentation": mirror(),
        "backbone": Pixels(4),
        "layer": "last",
        "pooling": "auto",
        "extractor": Extractor(device="cpu"),
        "store": MemoryStore(),
        "dry_run": False,
        "config": {},
    }
    return extract(**{**settings, **changes})


def texts(lines):
    """The texts among lines that are not empty, and how many tables there are."""
    return [line for line in lines if isinstance(line, str) and line], sum(isinstance(line, Table) for line in lines)


def test_tasks_print_nothing(tmp_path, capsys):
    """Unless they are asked to."""
    results = [
        run(tmp_path, layer="last"),
        extraction(),
        describe(dataset=Digits(), read_images=False),
        layers(backbone=Tiny(), layer="all"),
    ]
    assert capsys.readouterr().out == ""

    for result in results:
        result.show()
        assert capsys.readouterr().out


@pytest.mark.slow
def test_a_fit_that_stopped_short_is_in_the_record(tmp_path, caplog):
    """The gap of scikit-learn's logistic regression, the number of such fits, and a line with the way out."""
    classifier = Tuned(LogisticRegression(max_iter=5000), C=1e6)
    run(tmp_path, dataset=Digits(test_fraction=0.8), layer="last", baseline=None, classifier=classifier)
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    (said,) = [record.message for record in caplog.records if "approximate" in record.message]

    assert metrics["fit/dual_gap"] > 1e-3
    assert metrics["fit/unconverged"] == 1
    assert said.startswith("block3: 1 fit(s) are approximate: LogisticRegression stopped short of the optimum")
    assert "Use classifier=logistic or logistic_ovr" in said


def test_a_command_prints_the_same_as_show(capsys):
    """Whether it is told while the task works or at the end."""
    overrides = ["dataset=digits", "read_images=false"]
    assert perform(load("dataset", overrides), None).objective is None
    printed = capsys.readouterr().out
    describe(dataset=Digits(), read_images=False).show()

    assert capsys.readouterr().out == printed
    assert "1,797" in printed


@pytest.mark.parametrize("task", [extraction, lambda **more: describe(dataset=Digits(), read_images=True, **more)])
def test_what_is_said_meanwhile_is_the_beginning_of_the_lines(task):
    """So that nothing is printed twice, and nothing is lost."""
    said = []
    result = task(notify=lambda *lines: said.extend(lines))

    assert texts([*said, *result.closing()]) == texts(result.lines())
    assert said


@pytest.mark.slow
def test_a_classification(tmp_path):
    """The same numbers as in the files of the run."""
    result = run(tmp_path, tracking=MLflow(str(tmp_path)))
    files = tmp_path / "out"
    written = list(csv.DictReader((files / "predictions.csv").read_text().splitlines()))
    predictions = result.predictions

    assert result.metrics == json.loads((files / "metrics.json").read_text())
    assert float(result) == result.objective == result.metrics["test/accuracy"]
    assert list(result.table["layer"]) == ["block1", "block2", "block3", "pixels"]
    assert list(result.table["test/accuracy"]) == [
        result.metrics[f"test/accuracy/{name}"] for name in result.table["layer"]
    ]
    assert result.layer in ("block1", "block2", "block3")
    assert result.model.layer == result.layer
    assert len(result.run_id) == 32
    assert predictions.ids == tuple(row["id"] for row in written)
    assert predictions.folds.tolist() == [int(row["fold"]) for row in written]
    assert [predictions.classes[number] for number in predictions.targets] == [row["true"] for row in written]
    assert [predictions.classes[number] for number in predictions.predicted] == [row["predicted"] for row in written]
    assert predictions.scores.max(axis=1).tolist() == [float(row["score"]) for row in written]
    assert list(result.predictions_table()["id"]) == [row["id"] for row in written]


def test_a_classification_of_several_labels(tmp_path):
    """Images are ranked label by label: no single class is predicted."""
    predictions = run(tmp_path, dataset=Tags(), layer="last").predictions

    assert predictions.predicted is None
    assert predictions.targets.shape == predictions.scores.shape == (40, 2)
    assert set(np.unique(predictions.targets)) == {-1, 0, 1}


def test_a_listing():
    """Rows in the order of the network; a listing has no number."""
    result = layers(backbone=Tiny(), layer=["block1", "block3"])

    assert list(result.table["layer"]) == ["block1", "block3"]
    assert result.objective is None
    with pytest.raises(TypeError, match="LayerListing has no single number"):
        float(result)
    assert "block1" in result._repr_html_()


def test_plain_data(tmp_path):
    """Every result goes into JSON and back unchanged."""
    results = [
        run(tmp_path, layer="last"),
        extraction(),
        describe(dataset=Digits(), read_images=False),
        layers(backbone=Tiny(), layer="all"),
    ]
    found = [json.loads(json.dumps(result.to_dict())) for result in results]

    assert [len(one["rows"]) for one in found] == [len(result.table) for result in results]
    assert found[0]["objective"] == found[0]["metrics"]["test/accuracy"] == float(results[0])
    assert found[0]["layer"] == "block3"
    assert found[1]["rows"][0]["missing"] == 60
    assert {"name": "metric", "value": "accuracy"} in found[2]["rows"]
    assert found[3]["rows"][0]["layer"] == "block1"
