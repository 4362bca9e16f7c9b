"""offshelf report on hand-made predictions in a real store."""

import csv
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from offshelf.commands.report import main
from offshelf.errors import ConfigError, TrackingError
from offshelf.report import csv_text
from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.client import default_uri

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)

PUBLISHED = "method,head,tail,all\nOld [3],10,-,20\nSVM [1],50,60,55.5\n"
TABLE = """\
title: Coins
metric: mean_class_accuracy
columns:
  head: { class: head }
  tail: { class: tail }
  all: {}
rows:
  - { name: first, run: coins first, beside: "SVM [1]" }
  - { name: second, run: coins second, beside: "SVM [1]" }
  - { name: third, run: coins third }
"""


def predictions(heads, tails, right_heads, right_tails):
    """So many images of each class, and so many of them right."""
    true = ["head"] * heads + ["tail"] * tails
    is_right = [row < right_heads for row in range(heads)] + [row < right_tails for row in range(tails)]
    other = {"head": "tail", "tail": "head"}
    predicted = [label if right else other[label] for label, right in zip(true, is_right, strict=True)]
    count = len(true)
    return csv_text(
        {"fold": [0] * count, "id": range(count), "true": true, "predicted": predicted, "score": [1.0] * count}
    )


def labelled(scores, targets):
    """Of one label an image can have."""
    return csv_text({"fold": [0] * 4, "id": range(4), "true red": targets, "score red": scores})


def log(home, name, text=None, layers=None, backbone="net"):
    """What `classify` leaves of a run, or of one of several layers."""
    with MLflow(str(home)).start(name) as run:
        run.log(params={"backbone": backbone, "layer": ", ".join(layers or ["last"])})
        if text:
            run.log_text(text, "predictions.csv")
        for layer, (of, table) in (layers or {}).items():
            with run.child(layer) as child:
                child.log(params={"backbone": of, "layer": layer})
                child.log_text(table, "predictions.csv")


@pytest.fixture
def study(tmp_path):
    """A function that writes a study's files, and gives its folder."""

    def make(text, published=None):
        folder = tmp_path / "coins"
        folder.mkdir(exist_ok=True)
        (folder / "study.yaml").write_text(text)
        if published:
            (folder / "published.csv").write_text(published)
        return folder

    return make


def table(folder):
    """Cells of table.md, by the first cell of the line; of lines of one name a list."""
    lines = [line.strip("| ").split(" | ") for line in (folder / "table.md").read_text().splitlines() if "|" in line]
    return [lines[0], *lines[2:]]


def test_cell_by_cell(home, study):
    """Values, half intervals and differences in the order of the published table; what was not run says so."""
    log(home, "coins first", predictions(100, 400, 40, 300))
    folder = study(TABLE, PUBLISHED)
    assert main([str(folder)]).code == 0
    lines = table(folder / "report")

    assert lines[0] == ["method", "head", "tail", "all"]
    assert lines[1] == ["Old [3]", "10.0", "–", "20.0"]
    assert lines[2] == ["SVM [1]", "50.0", "60.0", "55.5"]
    values = [cell.partition(" ± ")[0] for cell in lines[3]]
    halves = [float(cell.partition(" ± ")[2]) for cell in lines[3][1:]]
    assert values == ["ours: first", "40.0", "75.0", "57.5"]
    # Half of the interval is 1.96 standard errors: of a share p of n images √(p (1 - p) / n), of a mean of two half of
    # the root of the sum of squares.
    errors = [100 * np.sqrt(0.4 * 0.6 / 100), 100 * np.sqrt(0.75 * 0.25 / 400)]
    assert halves == pytest.approx(1.96 * np.array([*errors, np.hypot(*errors) / 2]), rel=0.1)
    assert [cell.partition(" ± ")[0] for cell in lines[4]] == ["difference", "-10.0", "+15.0", "+2.0"]
    assert [cell.partition(" ± ")[2] for cell in lines[4]] == [cell.partition(" ± ")[2] for cell in lines[3]]
    assert lines[5] == ["ours: second", "not run", "not run", "not run"]
    assert lines[6] == ["ours: third", "not run", "not run", "not run"]
    assert "Not run, so that there is no number of ours: second; third." in (folder / "report/table.md").read_text()


def test_all_digits(home, study):
    """table.csv holds every cell, with the run that it is of."""
    log(home, "coins first", predictions(3, 7, 1, 7))
    folder = study(TABLE, PUBLISHED)
    main([str(folder)])
    cells = list(csv.DictReader((folder / "report/table.csv").read_text().splitlines()))

    assert [(cell["method"], cell["column"]) for cell in cells[:4]] == [
        ("first", "head"), ("first", "tail"), ("first", "all"), ("second", "head")
    ]  # fmt: skip
    assert float(cells[0]["value"]) == pytest.approx(100 / 3, abs=1e-9)
    assert float(cells[0]["difference"]) == pytest.approx(100 / 3 - 50, abs=1e-9)
    assert float(cells[0]["low"]) < 100 / 3 < float(cells[0]["high"])
    assert re.fullmatch("[0-9a-f]{32}", cells[0]["run"])
    assert cells[3]["value"] == cells[3]["run"] == cells[3]["difference"] == ""
    assert cells[3]["published"] == "50.0"
    assert cells[-1]["published"] == ""


@pytest.mark.slow
def test_intervals_are_those_of_the_run(home, study):
    """Recomputed from the table of predictions, they are what `classify` logs for the same images."""
    from offshelf.metric import Bootstrap
    from offshelf.report import read_predictions

    text = predictions(30, 70, 20, 40)
    log(home, "coins first", text)
    folder = study(TABLE, PUBLISHED)
    main([str(folder)])
    cell = list(csv.DictReader((folder / "report/table.csv").read_text().splitlines()))[2]
    interval = Bootstrap().interval("mean_class_accuracy", read_predictions(text).outcomes)

    assert [float(cell["low"]), float(cell["high"])] == pytest.approx([100 * interval.low, 100 * interval.high])


@pytest.mark.slow
def test_what_is_written_and_logged(home, study, capsys):
    """The same files in the folder and in a new run of the tracker."""
    log(home, "coins first", predictions(10, 10, 5, 8))
    folder = study(TABLE, PUBLISHED)
    main([str(folder), "--out", str(folder / "elsewhere")])
    written = {path.name for path in (folder / "elsewhere").iterdir()}
    client = MlflowClient(default_uri(home))
    (experiment,) = client.search_experiments(filter_string="name = 'offshelf'")
    (run,) = client.search_runs([experiment.experiment_id], "attributes.run_name = 'report coins'")

    assert written == {"table.md", "table.csv", "table.html", "figure.png", "figure.svg"}
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == written
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"first/all": pytest.approx(65)}
    assert "<td>ours: first</td>" in (folder / "elsewhere/table.html").read_text()
    assert ElementTree.parse(folder / "elsewhere/figure.svg").getroot().tag.endswith("svg")
    assert (folder / "elsewhere/figure.png").stat().st_size > 5000
    shown = capsys.readouterr().out
    assert "65.0 ±" in shown
    assert "head" not in shown  # classes are for the files


@pytest.mark.slow
def test_the_same_numbers_give_the_same_files(home, study):
    """So that a report that is under version control changes with its numbers alone."""
    log(home, "coins first", predictions(10, 10, 5, 8))
    folder = study(TABLE, PUBLISHED)
    for place in ("a", "b"):
        main([str(folder), "--out", str(folder / place)])

    for file in ("table.md", "table.csv", "table.html", "figure.svg"):
        assert (folder / "a" / file).read_text() == (folder / "b" / file).read_text(), file


@pytest.mark.slow
def test_the_newest_run_counts(home, study):
    """Of several of a name."""
    log(home, "coins first", predictions(10, 10, 5, 8))
    log(home, "coins first", predictions(10, 10, 9, 9))
    folder = study(TABLE, PUBLISHED)
    main([str(folder)])

    assert table(folder / "report")[3][3].startswith("90.0 ±")


def test_columns_of_other_runs(home, study):
    """Where one run has not all numbers, a column says which one has."""
    text = (
        "title: Coins\nmetric: mean_auc\ncolumns: {near: {run: near}, far: {run: far}}\nrows: [{name: a, run: coins}]\n"
    )
    log(home, "coins near", labelled([4, 3, 2, 1], [1, 1, -1, -1]))
    log(home, "coins far", labelled([4, 3, 2, 1], [1, -1, 1, 0]))
    folder = study(text)
    main([str(folder), "--replicates", "0"])

    assert table(folder / "report")[1] == ["ours: a", "100.0", "50.0"]


@pytest.mark.slow
def test_layers(home, study):
    """A line a layer without the baseline's; a run of one layer is its own."""
    table_of = {right: predictions(10, 10, right, right) for right in range(11)}
    log(home, "deep", layers={"low": ("net", table_of[3]), "high": ("net", table_of[9]), "px": ("pixels", table_of[1])})
    log(home, "flat", table_of[5])
    text = (
        "title: Depth\nkind: layers\nmetric: mean_class_accuracy\ncolumns: {head: {class: head}, all: {}}\n"
        "rows: [{name: D, run: deep}, {name: F, run: flat}, {name: N, run: never}]\n"
    )
    folder = study(text)
    main([str(folder), "--replicates", "0"])

    assert table(folder / "report") == [
        ["run", "layer", "head", "all"],
        ["D", "low", "30.0", "30.0"],
        ["D", "high", "90.0", "90.0"],
        ["F", "last", "50.0", "50.0"],
        ["N", "–", "not run", "not run"],
    ]
    assert (folder / "report/figure.png").exists()


def test_confusion(home, study):
    """The strongest first, by the share of the true class; the mean of the diagonal is that of the shares."""
    true = ["a"] * 10 + ["b"] * 4 + ["c"] * 2
    predicted = ["a"] * 7 + ["b"] * 3 + ["b"] * 2 + ["c"] * 2 + ["c"] * 2
    log(
        home,
        "mixed",
        csv_text({"fold": [0] * 16, "id": range(16), "true": true, "predicted": predicted, "score": [1.0] * 16}),
    )
    folder = study("title: Mixed\nkind: confusion\nrows: [{name: M, run: mixed}, {name: N, run: never}]\n")
    main([str(folder), "--replicates", "0"])

    assert table(folder / "report") == [
        ["run", "true", "taken for", "images", "percent"],
        ["M", "b", "c", "2 of 4", "50.0"],
        ["M", "a", "b", "3 of 10", "30.0"],
        ["N", "not run", "–", "–", "–"],
    ]
    # (7/10 + 2/4 + 2/2) / 3
    assert "M: the mean of the diagonal is 73.3 percent." in (folder / "report/table.md").read_text()
    cells = list(csv.DictReader((folder / "report/table.csv").read_text().splitlines()))
    assert sum(int(cell["images"]) for cell in cells) == 16
    assert (folder / "report/figure.png").exists()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (TABLE.replace("class: head", "class: heat"), ConfigError, "has no class 'heat'; did you mean 'head'?"),
        (TABLE.replace("mean_class_accuracy", "mAP_11pt"), ConfigError, "mAP_11pt is for several labels per image"),
        (TABLE.replace("coins first", "coins bare"), TrackingError, "kept no predictions.csv; run it again"),
        (
            "title: R\nkind: confusion\nrows: [{name: R, run: red}]\n",
            ConfigError,
            "'red' has several labels per image",
        ),
    ],
)
def test_runs_that_do_not_fit(text, error, message, home, study):
    """One sentence."""
    log(home, "coins first", predictions(10, 10, 5, 8))
    log(home, "coins bare")
    log(home, "red", labelled([4, 3, 2, 1], [1, 1, -1, -1]))
    with pytest.raises(error, match=re.escape(message)):
        main([str(study(text, PUBLISHED if "kind" not in text else None))])


def test_no_runs_at_all(study):
    """The home is named."""
    with pytest.raises(TrackingError, match="There are no runs in"):
        main([str(study(TABLE, PUBLISHED))])


def test_misspelt(study):
    """The way out."""
    with pytest.raises(ConfigError, match="See: offshelf report --help"):
        main([str(study(TABLE)), "--outt", "x"])


QUERIES = """\
title: Objects
columns:
  easy: { metric: easy/mAP }
  recall: { metric: recall_at_4 }
rows:
  - { name: first, run: objects first }
"""


def log_queries(home, columns):
    """What `retrieve` leaves of a run."""
    with MLflow(str(home)).start("objects first") as run:
        run.log_text(csv_text(columns), "queries.csv")


def test_retrieval(home, study):
    """Means over the queries that have something to find; half of an interval is 1.96 standard errors of the mean."""
    random = np.random.default_rng(0)
    recall = random.random(400)
    easy = [None if row % 2 else value for row, value in enumerate(random.random(400))]
    log_queries(home, {"query": range(400), "easy/AP": easy, "recall_at_4": recall})
    folder = study(QUERIES)
    main([str(folder)])
    known = np.array(easy[::2], float)
    (line,) = table(folder / "report")[1:]

    for cell, values in zip(line[1:], (known, recall), strict=True):
        value, half = map(float, cell.split(" ± "))
        assert value == pytest.approx(100 * values.mean(), abs=0.05)
        assert half == pytest.approx(196 * values.std() / np.sqrt(len(values)), rel=0.1)
    assert "bootstrap interval over the queries." in (folder / "report/table.md").read_text()


def test_retrieval_without_the_metric(home, study):
    """The column and the run are named."""
    log_queries(home, {"query": [0, 1], "recall_at_4": [0.5, 1.0]})
    with pytest.raises(ConfigError, match="Column 'easy': the run 'objects first' has no metric 'easy/mAP'"):
        main([str(study(QUERIES))])


def test_classification_for_a_retrieval(home, study):
    """It kept no table of queries."""
    log(home, "objects first", predictions(1, 1, 1, 1))
    with pytest.raises(TrackingError, match=r"The run 'objects first' \(.*\) kept no queries\.csv"):
        main([str(study(QUERIES))])
