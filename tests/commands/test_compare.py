"""offshelf compare, as a user types it, on runs in a real store."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

import offshelf.commands.compare
from offshelf.commands.compare import compare, main
from offshelf.errors import ConfigError, TrackingError
from offshelf.metric import METRICS, Bootstrap
from offshelf.report import csv_text, read_predictions
from offshelf.tracking import MLflow

pytestmark = [
    pytest.mark.usefixtures("known_digits"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]

IMAGES = 200


def table(right, images=IMAGES, prefix=""):
    """Predictions on images of two classes, the first `right` of them correct."""
    true = [str(row % 2) for row in range(images)]
    predicted = [label if row < right else str(1 - int(label)) for row, label in enumerate(true)]
    ids = [f"{prefix}{row}" for row in range(images)]
    return csv_text({"fold": [0] * images, "id": ids, "true": true, "predicted": predicted, "score": [1.0] * images})


def log(run, right, text=None, **params):
    """What `classify` leaves of a run."""
    run.log(
        params={"dataset": "coins", "backbone._target_": f"b{right}", **params},
        metrics={"test/accuracy": right / IMAGES, "test/accuracy_low": right / IMAGES - 0.06,
                 "test/accuracy_high": right / IMAGES + 0.04},
        tags={"metric": "accuracy"},
    )  # fmt: skip
    if text is not None:
        run.log_text(text, "predictions.csv")


@pytest.fixture
def runs(home):
    """A sweep of three layers, and a run with other test images: ids by name."""
    tracker = MLflow(str(home))
    with tracker.start("sweep") as sweep:
        for layer, right in (("low", 100), ("high", 160), ("mid", 150)):
            with sweep.child(layer) as child:
                log(child, right, table(right), layer=layer)
    with tracker.start("other images") as other:
        log(other, 140, table(140, prefix="x"), layer="high")
    return {"sweep": sweep.id, "other": other.id}


def out(tmp_path, *arguments):
    """The lines that are written."""
    assert main([*arguments, "--out", str(tmp_path / "out.csv"), "--replicates", "4000"]).code == 0
    return list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))


@pytest.mark.slow
def test_a_sweep(runs, tmp_path, capsys):
    """Its children, best first, with error bars, paired differences, and the parameters that vary."""
    lines = out(tmp_path, runs["sweep"][:10])
    shown = capsys.readouterr().out

    assert [line["run"] for line in lines] == ["high", "mid", "low"]
    assert [line["accuracy"] for line in lines] == ["0.8000 ± 0.0500", "0.7500 ± 0.0500", "0.5000 ± 0.0500"]
    assert lines[0]["to the best"] == "best"
    assert lines[1]["to the best"].startswith("-0.0500 ± 0.0")
    assert lines[1]["p"] == lines[2]["p"] == "< 0.001"
    assert [line["layer"] for line in lines] == ["high", "mid", "low"]
    assert set(lines[0]) == {"run", "id", "accuracy", "to the best", "p", "layer"}
    assert "-0.3000 ± 0.0" in shown


def test_the_difference_is_paired(runs, tmp_path):
    """Ten images of 200 differ, all in one direction: the half width is 1.96 standard errors of their share."""
    difference = out(tmp_path, "low", "mid", "high")[1]["to the best"]
    half = 1.96 * np.sqrt(0.05 * 0.95 / IMAGES)

    assert float(difference.split("±")[1]) == pytest.approx(half, rel=0.15)


def test_other_test_images_are_not_paired(runs, tmp_path, capsys):
    """Each has its error bar; nothing is said of the difference, and why."""
    lines = out(tmp_path, "high", "other images")

    assert [lines[1]["to the best"], lines[1]["p"]] == ["–", ""]
    assert (
        "not paired, as they were not tested on the same images: 200 and 200, 0 of them in both"
        in capsys.readouterr().out
    )


def probable(random, order):
    """Probabilities of three classes for all images, and their table with the rows in some order."""
    p_MK, true = random.dirichlet([2, 1, 1], IMAGES), np.arange(IMAGES) % 3
    others = np.array([np.delete(p, k) for p, k in zip(p_MK, true, strict=True)])
    columns = {
        "fold": [0] * IMAGES, "id": order, "true": true[order], "predicted": p_MK.argmax(axis=1)[order],
        "score": p_MK.max(axis=1)[order], "probability of true": p_MK[np.arange(IMAGES), true][order],
        "norm of others": np.sqrt((others**2).sum(axis=1))[order],
    }  # fmt: skip
    return p_MK, csv_text({name: np.asarray(column).tolist() for name, column in columns.items()})


@pytest.mark.parametrize("metric", ["log_loss", "brier_score"])
def test_metrics_of_probabilities_are_paired(home, tmp_path, metric):
    """Image by image, as differences computed by hand: their mean, and 1.96 standard errors of it."""
    random, losses = np.random.default_rng(0), {}
    truth = np.eye(3)[np.arange(IMAGES) % 3]
    for name, order in (("one", np.arange(IMAGES)), ("two", random.permutation(IMAGES))):
        p_MK, text = probable(random, order)
        of_image = {"log_loss": -np.log(p_MK[truth == 1]), "brier_score": ((p_MK - truth) ** 2).sum(axis=1)}
        losses[name] = of_image[metric]
        with MLflow(str(home)).start(name) as run:
            run.log(metrics={f"test/{metric}": losses[name].mean()}, tags={"metric": "accuracy"})
            run.log_text(text, "predictions.csv")
    best, other = out(tmp_path, "one", "two", "--metric", metric)
    gaps = losses[other["run"]] - losses[best["run"]]
    value, half = map(float, other["to the best"].split(" ± "))

    assert value == pytest.approx(gaps.mean(), abs=1e-4)
    assert half == pytest.approx(1.96 * gaps.std() / np.sqrt(IMAGES), rel=0.1)


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ("log_loss", "high and low kept no probabilities in predictions.csv"),
        ("ece", "a resampled calibration error is larger than that of the images themselves"),
        ("brier_score_uncalibrated", "predictions.csv holds no probabilities before calibration"),
    ],
)
def test_why_probabilities_are_not_paired(home, tmp_path, capsys, metric, why):
    """Of runs of older versions, and of what is never paired: in the terminal and on the page."""
    for name in ("low", "high"):
        with MLflow(str(home)).start(name) as run:
            log(run, 150, table(150))
            run.log(metrics={f"test/{metric}": 0.5})
    main(["high", "low", "--metric", metric, "--out", str(tmp_path / "page.html"), "--replicates", "100"])

    assert f"not paired, as {why}" in " ".join(capsys.readouterr().out.split())
    assert why in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_filter(runs, tmp_path):
    """MLflow's own language."""
    lines = out(tmp_path, "metrics.`test/accuracy` > 0.72 and params.layer != 'high'", runs["other"])

    assert [line["run"] for line in lines] == ["mid", "other images"]


def test_files(runs, tmp_path):
    """Four formats by the end of the name."""
    files = [tmp_path / f"out.{end}" for end in ("md", "html", "tex", "csv")]
    main([runs["sweep"], *(part for file in files for part in ("--out", str(file)))])
    markdown, html, tex, _ = (file.read_text(encoding="utf-8") for file in files)

    assert "| high |" in markdown
    assert "<td>0.8000 ± 0.0500</td>" in html
    assert r"0.8000 $\pm$ 0.0500" in tex


def test_run_without_predictions(home, tmp_path):
    """One of an older version: its number is shown, nothing is paired."""
    tracker = MLflow(str(home))
    for name, text in (("new", table(160)), ("old", None)):
        with tracker.start(name) as run:
            log(run, 160 if text else 150, text)

    assert [line["to the best"] for line in out(tmp_path, "new", "old")] == ["best", "–"]


def test_page_of_two_runs(runs, tmp_path, capsys):
    """The first that is named is A; without pages there are no pictures, which it says."""
    file = tmp_path / "compare.html"
    main(["low", "high", "--out", str(file), "--replicates", "200"])
    page = file.read_text(encoding="utf-8")

    assert "<bdi>low</bdi>" in page.partition("<bdi>high</bdi>")[0]
    assert "<b>B is better</b>: its accuracy is 0.3000 above A" in page
    assert "A wrong, B right <b>60</b>" in page
    assert "A and B kept no report.html" in page


@pytest.mark.parametrize(
    ("table_of_other", "why"),
    [
        (table(150, images=100), "were not tested on the same images: 200 and 100, 100 of them in both"),
        (table(150).replace("\n0,7,1,", "\n0,7,0,"), "some of the images have another true label"),
        (csv_text({"fold": [0], "id": ["0"], "true": [1.5], "predicted": [2.0]}), "one class an image and numbers"),
        (table(150).replace("\n0,", "\n1,", 100), "they have other folds: 1 and 2"),
        (None, "other kept no predictions.csv"),
    ],
)
def test_why_runs_cannot_be_compared(runs, home, tmp_path, table_of_other, why, capsys):
    """On the page and in the terminal; the numbers are beside each other all the same."""
    with MLflow(str(home)).start("other") as run:
        log(run, 150, table_of_other)
    main(["high", "other", "--out", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")

    assert why in capsys.readouterr().out
    assert why in page
    assert "How sure that is cannot be told" in page


def test_another_home(home, tmp_path):
    """As for all commands."""
    with MLflow(str(tmp_path / "there")).start("sweep") as sweep:
        for right in (1, 2):
            with sweep.child(str(right)) as child:
                log(child, right, table(right))

    assert len(out(tmp_path, "sweep", f"home={tmp_path / 'there'}")) == 2


@pytest.mark.parametrize(("metric", "expected"), [("accuracy", "b"), ("log_loss", "a"), ("ece_uncalibrated", "a")])
def test_the_best_loss_is_the_smallest(metric, expected):
    """Of probabilities; of all else it is the largest."""
    found = [SimpleNamespace(name=name, metrics={f"test/{metric}": value}) for name, value in (("a", 0.1), ("b", 0.2))]

    assert compare(found, metric, Bootstrap(0))[0].run.name == expected


def test_mistakes(runs, tmp_path):
    """A sentence each."""
    for arguments, message in (
        (["nothing", "low"], "There is no run 'nothing'"),
        (["low"], "One run alone"),
        (["low", "high", "--metric", "acuracy"], "did you mean 'accuracy'"),
        (["low", "high", "--metric", "mAP_11pt"], "Without test/mAP_11pt: low, high"),
        (["low", "high", "--out", str(tmp_path / "out.pdf")], r"must end with one of \.md"),
        (["metrics.x == 'a'"], "does not understand"),
        (["it's"], "There is no run 'it's'"),
        ([], "required"),
    ):
        with pytest.raises((ConfigError, TrackingError), match=message):
            main(arguments)
    with pytest.raises(TrackingError, match="no runs in"):
        main(["low", "high", f"home={tmp_path / 'empty'}"])


def test_interval_agrees_with_the_runs_own():
    """Predictions read back give the metric and the interval that the run computed."""
    outcome = read_predictions(table(150)).outcomes

    assert METRICS["accuracy"](outcome[0])[0] == 0.75
    assert Bootstrap(2000).interval("accuracy", outcome).low == pytest.approx(0.69, abs=0.01)


def queries(values, prefix=""):
    """A retrieval's table: AP of each query, none where it has nothing to find."""
    return csv_text({"query": [f"{prefix}{row}" for row in range(len(values))], "medium/AP": values})


@pytest.fixture
def retrievals(home):
    """Three runs on 60 queries, one of which has nothing to find; the third is on other queries."""
    random = np.random.default_rng(0)
    first = random.uniform(0.2, 0.6, 60)
    tables = {"plain": first, "whitened": first + random.normal(0.1, 0.05, 60), "others": first + 0.3}
    for name, values in tables.items():
        cells = [None, *values[1:].tolist()]
        with MLflow(str(home)).start(name) as run:
            run.log(metrics={"test/medium/mAP": float(values[1:].mean())}, tags={"metric": "medium/mAP"})
            run.log_text(queries(cells, prefix=name[:5] if name == "others" else ""), "queries.csv")
    return tables


def test_retrievals_are_paired_by_query(retrievals, tmp_path):
    """The official metric; the difference is the mean of differences, much surer than the metrics themselves."""
    plain, whitened = out(tmp_path, "plain", "whitened")[::-1]
    gaps = (retrievals["plain"] - retrievals["whitened"])[1:]
    value, half = map(float, plain["to the best"].split(" ± "))

    assert whitened["to the best"] == "best"
    assert float(whitened["medium/mAP"]) == pytest.approx(retrievals["whitened"][1:].mean(), abs=1e-4)
    assert value == pytest.approx(gaps.mean(), abs=1e-4)
    assert half == pytest.approx(1.96 * gaps.std() / np.sqrt(59), rel=0.1)
    assert plain["p"] == "< 0.001"


def test_other_queries_are_not_paired(retrievals, tmp_path):
    """Nor is there a metric that no run has."""
    rows = {row["run"]: row for row in out(tmp_path, "plain", "others")}

    assert rows["plain"]["to the best"] == "–"
    with pytest.raises(ConfigError, match="did you mean 'medium/mAP'"):
        main(["plain", "others", "--metric", "medium/mP"])


@pytest.fixture
def drawn(monkeypatch):
    """Axes of the figures that are written."""
    kept = []
    write = offshelf.commands.compare.write_figure
    monkeypatch.setattr(
        offshelf.commands.compare, "write_figure", lambda file, figure: (kept.extend(figure.axes), write(file, figure))
    )
    return kept


def curves(axes):
    """Of an axes: label to places, values and the ends of the error bars."""
    found = {}
    for bars in axes.containers:
        (ends,) = bars.lines[2]
        segments = np.array(ends.get_segments())
        found[bars.get_label()] = (*bars.lines[0].get_data(), segments[:, :, 1].T)
    return found


def test_layer_curve(home, tmp_path, drawn):
    """Layers in the order of the run, with their intervals; the baseline is a level."""
    with MLflow(str(home)).start("all layers") as parent:
        for layer, right, backbone in (("a", 100, "net"), ("b", 160, "net"), ("c", 150, "net"), ("raw", 120, "pixels")):
            with parent.child(layer) as child:
                log(child, right, table(right), layer=layer, backbone=backbone, dims=right)
    main(["all layers", "--out", str(tmp_path / "curve.svg"), "--out", str(tmp_path / "curve.png")])
    axes = drawn[0]
    places, values, (low, high) = curves(axes)["net"]

    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    assert places.tolist() == [0, 1, 2]
    assert values.tolist() == [0.5, 0.8, 0.75]
    assert low == pytest.approx(values - 0.06)
    assert high == pytest.approx(values + 0.04)
    assert [line.get_ydata() for line in axes.lines if line.get_linestyle() == "--"] == [[0.6, 0.6]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("layer", "accuracy")
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_curve_over_a_number(home, tmp_path, drawn):
    """C of a sweep, a line a layer, in any order."""
    with MLflow(str(home)).start("sweep") as parent:
        for layer, C, right in (("a", 20, 150), ("b", 2, 160), ("a", 2, 100), ("b", 20, 170), ("a", 0.2, 90)):
            with parent.child(f"{layer} {C}") as child:
                log(child, right, layer=layer, **{"classifier.C": C})
    main(["sweep", "--out", str(tmp_path / "curve.png")])
    places, values, _ = curves(drawn[0])["a"]

    assert places.tolist() == [0.2, 2, 20]
    assert values.tolist() == [0.45, 0.5, 0.75]
    assert set(curves(drawn[0])) == {"a", "b"}
    assert drawn[0].get_xscale() == "log"
    assert drawn[0].get_xlabel() == "classifier.C"


def test_parameters_that_follow_another_are_one(home, tmp_path, drawn):
    """The seed is in several places; what belongs to a backbone differs with it."""
    for seed, backbone, mean in ((1, "x", 0.5), (2, "x", 0.5), (1, "y", 0.6), (2, "y", 0.6)):
        with MLflow(str(home)).start(f"{backbone}{seed}") as run:
            log(run, 100 + seed, **{"seed": seed, "classifier.seed": seed, "backbone": backbone, "backbone.mean": mean})
    main(["x1", "x2", "y1", "y2", "--out", str(tmp_path / "curve.png")])

    assert drawn[0].get_xlabel() == "seed"
    assert set(curves(drawn[0])) == {"x", "y"}


def test_no_curve(runs, home, tmp_path):
    """A sentence, where runs differ in two numbers, or in none and in no layer."""
    for name, params in (
        ("p", {"C": 1, "folds": 3}),
        ("q", {"C": 2, "folds": 5}),
        ("r", {"C": 1, "folds": 3, "k": "l"}),
    ):
        with MLflow(str(home)).start(name) as run:
            log(run, 100, layer="a", **params)
    file = str(tmp_path / "curve.png")
    for pair, difference in ((("p", "q"), "C, folds"), (("p", "r"), "k")):
        with pytest.raises(ConfigError, match=f"differ in {difference}. A figure takes"):
            main([*pair, "--out", file])
    with pytest.raises(ConfigError, match=r"must end with one of \.md.*\(tables\) or \.png, \.svg \(figures\)"):
        main(["p", "q", "--out", str(tmp_path / "curve.jpeg")])


@pytest.fixture
def mixed(home):
    """Two classifications and a run that has not been tested, as `recommend` leaves one, on the same data."""
    tracker = MLflow(str(home))
    with tracker.start("recommended") as run:
        run.log(params={"dataset": "coins"}, metrics={"cv/accuracy": 0.9}, tags={"metric": "accuracy"})
    for name, right, target in (("mirrored", 150, "jitter16"), ("plain", 140, "center")):
        views = {"augmentation.fill": "reflect", "augmentation.angle": "10"} if target == "jitter16" else {}
        with tracker.start(name) as run:
            log(run, right, table(right), **{"augmentation._target_": f"offshelf.augmentation.{target}"}, **views)


def test_a_filter_that_means_runs_without_test_images(mixed, tmp_path, capsys):
    """They are left out and named; one that is named itself is an error."""
    lines = out(tmp_path, "params.dataset = 'coins'")
    said = capsys.readouterr().out

    assert [line["run"] for line in lines] == ["mirrored", "plain"]
    assert "Left out, as they have no test/accuracy: recommended." in said
    with pytest.raises(ConfigError, match="Without test/accuracy: recommended"):
        out(tmp_path, "mirrored", "plain", "recommended")
    with pytest.raises(ConfigError, match="no metric 'map'"):
        out(tmp_path, "params.dataset = 'coins'", "--metric", "map")


def test_an_augmentation_has_a_name(mixed, tmp_path):
    """Before the parameters that follow from it."""
    lines = out(tmp_path, "mirrored", "plain")

    assert [line["augmentation"] for line in lines] == ["jitter16", "center"]
    assert list(lines[0])[5] == "augmentation"


def test_eighty_columns(home, tmp_path, capsys, monkeypatch):
    """No word is cut: what does not fit beside the numbers is below them."""
    monkeypatch.setenv("COLUMNS", "80")
    tracker = MLflow(str(home))
    for number, name in enumerate(("EfficientNet", "ResNet")):
        with tracker.start(f"flowers {name} blocks.{number}") as run:
            log(run, 150 + number, table(150 + number), layer=f"blocks.{number}", **{
                "classifier.fusion": ("mean", "maximum")[number], "dataset.test_fraction": str(0.2 + number),
                "backbone": name, "postprocess.whitening_components": str(number),
            })  # fmt: skip
    out(tmp_path, "attributes.status = 'FINISHED'")
    lines = capsys.readouterr().out.split("\n")
    shown = "\n".join(lines)

    table_lines = [line for line in lines if "±:" not in line and "too:" not in line and "p:" not in line]
    assert max(map(len, table_lines)) <= 80
    for word in ("0.7550 ± 0.0500", "EfficientNet", "blocks.1", "to the best", "backbone", "layer"):
        assert word in shown
    assert "These differ too" in shown
