"""Studies: each run file is a sentence in today's vocabulary, and each study runs from its data to its report."""

import csv
import json
import logging
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from miniature import picture, write
from scipy.io import savemat
from server import serve

from offshelf import cli
from offshelf.config import build, load
from offshelf.metric import Bootstrap
from offshelf.study import read_study
from offshelf.study.report import make_report

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)

ROOT = Path(__file__).parents[2]
STUDIES = {path.name: path for path in sorted((ROOT / "experiments").iterdir()) if path.is_dir()}
RUNS = [path for folder in STUDIES.values() for path in sorted(folder.glob("*.yaml")) if path.stem != "study"]
PAPER = ["table1_voc2007", "table2_mit67", "table3_cub200", "table4_flowers102", "table5_uiuc", "table6_h3d"]
PHOTOGRAPHS = ["caltech101_layers", "cub_ten", "dtd_ten", "office_shift"]
EACH_RUN = ("table1_voc2007", "table3_cub200")
"""Of the tables with one row a method: one of several labels, one of classes in boxes."""
OTHERS = {*PHOTOGRAPHS, "digits_layers", "figure2a_layers", "figure2b_confusion"}
RETRIEVED = {
    "table7_retrieval": ("oxford5k", "paris6k", "sculptures6k", "holidays", "ukbench"),
    "roxford_rparis": ("roxford5k", "rparis6k"),
    "digits_retrieval": (),
}
"""Studies of retrieval, and the data sets that a run file is for by the end of its name."""
SWEPT = {"table5_uiuc": ("a_pascal", "a_yahoo", "both")}
"""Test sets that each of a study's run files is run for."""
DOMAINS = ("amazon", "caltech10", "dslr", "webcam")
PAIRS = [f"{source} {target}" for source in DOMAINS for target in DOMAINS if source != target]
BY_FILE = {
    ("cub_ten", "box"): ("dataset.context=1,1.5,2.5", ["1.5", "1", "2.5"]),
    **{
        ("office_shift", stem): (f"{source}=amazon {target}=caltech10,dslr,webcam", PAIRS)
        for stems, source, target in (
            (("surf", "surf_svm", "googlenet"), "dataset.path.train", "dataset.path.test"),
            (("lite0", "lite0_standardized", "pixels"), "dataset.root", "dataset.test"),
        )
        for stem in stems
    },
}
"""Other sweeps of a run file: what is swept, and the ends of the names of its runs, those of its defaults first."""

TRIED = {
    "table7_retrieval": {
        "cnn_oxford5k",
        "cnn_ss_paris6k",
        "cnnaug_ss_sculptures6k",
        "cnn_ss_holidays",
        "cnnaug_ss_ukbench",
    },
    "roxford_rparis": {"dinov2_roxford5k", "resnet50_gem_rparis6k"},
}
"""Run files that are run on miniatures: every method and every data set of a study."""

FAST = ["backbone=tiny", "layer=last", "baseline=null", "extractor=cpu"]


def study(path):
    """A run file's study."""
    return path.parent.name


def names(path):
    """What the tracker calls the runs of a run file."""
    if RETRIEVED.get(study(path)):
        method, _, dataset = path.stem.rpartition("_")
        return [f"{study(path)} {method} {dataset}"]
    _, parts = BY_FILE.get((study(path), path.stem), ("", SWEPT.get(study(path), ("",))))
    return [f"{study(path)} {path.stem} {part}".rstrip() for part in parts]


def asked(folder):
    """The runs that a study's report looks for."""
    found = read_study(folder)
    return {f"{row.run} {column.run}".rstrip() for row in found.rows for column in found.columns} or {
        row.run for row in found.rows
    }


def test_studies_are_seen():
    """The lists above are not empty by mistake."""
    assert set(PAPER) | set(RETRIEVED) | OTHERS == set(STUDIES)
    assert len(RUNS) == 6 + 5 + 2 + 6 * 4 + 3 * 5 + 2 * 2 + 6 + 2 + 2 + 6


@pytest.mark.slow
@pytest.mark.parametrize("path", RUNS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_run_file(path):
    """It composes and binds, says what it is, what it costs and how to run it, and has the name that is looked for."""
    config = load(path.stem, [], path.parent)
    head = [line for line in path.read_text().splitlines() if line.startswith("# ")]
    sweep = f" -m dataset.test={','.join(SWEPT[study(path)])}" if study(path) in SWEPT else ""
    sweep = f" -m {BY_FILE[study(path), path.stem][0]}" if (study(path), path.stem) in BY_FILE else sweep

    task = "retrieve" if study(path) in RETRIEVED else "classify"

    build(config)
    assert config.name == names(path)[0]
    assert head[1] == f"# offshelf {task} --config-dir experiments/{study(path)} --config-name {path.stem}{sweep}"
    assert head[2].startswith("# Cost: ")
    assert head == path.read_text().splitlines()[: len(head)]
    assert len(path.read_text().splitlines()) <= 25


def test_runs_and_reports_match():
    """Each run is looked for by a report, its own study's among them, and each that is looked for has its file."""
    made = {name: study(path) for path in RUNS for name in names(path)}

    assert set().union(*map(asked, STUDIES.values())) == set(made)
    for name, home in made.items():
        assert name in asked(STUDIES[home])


@pytest.mark.slow
@pytest.mark.parametrize("folder", STUDIES.values(), ids=lambda folder: folder.name)
def test_readme_has_the_commands(folder, monkeypatch):
    """Of each run and of the report; every one composes."""
    monkeypatch.chdir(ROOT)
    commands = [
        shlex.split(line) for line in (folder / "README.md").read_text().splitlines() if line[:9] == "offshelf "
    ]
    named = [command[command.index("--config-name") + 1] for command in commands if "--config-name" in command]

    assert commands[-1] == ["offshelf", "report", f"experiments/{folder.name}"]
    assert {path.stem for path in RUNS if path.parent == folder} <= set(named)
    plain = {f"--config-dir experiments/{study(path)} --config-name {path.stem}" for path in RUNS}
    for command in commands[:-1]:
        if " ".join(command[2:]) not in plain:  # which test_run_file composes
            cli.check(command[1], command[2:])


def together(overrides):
    """Lists of overrides that are of different groups: those of a list compose at once, in a fraction of the time."""
    lists = []
    for override in overrides:
        group = override.split("=")[0].split(".")[0]
        for some in lists:
            if group not in some:
                some[group] = override
                break
        else:
            lists.append({group: override})
    return [list(some.values()) for some in lists]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PAPER, "figure2a_layers"])
def test_readme_has_the_alternatives(name):
    """What the paper leaves open is a table of overrides; each composes and binds."""
    folder = STUDIES[name]
    rows = [line for line in (folder / "README.md").read_text().splitlines() if line[:2] == "| "][1:]
    found = [(row, word) for row in rows for code in row.split("`")[1::2] for word in shlex.split(code) if "=" in word]

    assert len(found) >= 3
    stems = [
        "overfeat" if name == "figure2a_layers" else "cnn_svm" if "(CNN-SVM)" in row else "cnnaug_svm"
        for row, _ in found
    ]
    for stem in set(stems):
        for overrides in together([override for of, (_, override) in zip(stems, found, strict=True) if of == stem]):
            build(load(stem, overrides, folder))


def means(name):
    """Of each published row the mean of its classes, and the mean that is printed."""
    published = read_study(STUDIES[name]).published
    return {
        method: (np.mean([value for column, value in cells.items() if column != "mAP"]), cells["mAP"])
        for method, cells in published.items()
    }


def test_published_rows_have_their_means():
    """Tables 1 and 6 print the means of their rows: a digit that was copied wrongly would show."""
    voc, people = means("table1_voc2007"), means("table6_h3d")

    assert voc["CNN-SVM"][0] == pytest.approx(73.87, abs=0.005)
    assert voc["CNNaug-SVM"][0] == pytest.approx(77.19, abs=0.005)
    assert voc["NUS [39]"] == (pytest.approx(70.03, abs=0.005), 70.5)  # as it is printed
    for mean, printed in [*people.values(), *(value for name, value in voc.items() if name != "NUS [39]")]:
        assert mean == pytest.approx(printed, abs=0.05)
    assert len(people) == 6


class NoRuns:
    """A store in which nothing was run."""

    def named(self, name):
        return None


ALTERED = {
    "table7_retrieval": {
        "": "cnnaug_ss_oxford5k",
        "Holidays": "cnn_ss_holidays",
        "Holidays, UKBench": "cnn_ss_ukbench",
        "Sculptures6k": "cnn_ss_sculptures6k",
    },
    "roxford_rparis": {"": "dinov2_roxford5k", "ResNet-50": "resnet50_gem_rparis6k"},
}
"""By what stands in brackets behind an override the run file that it is tried on; "": where nothing else is said."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("table7_retrieval", 10), ("roxford_rparis", 4)])
def test_retrieval_readme_has_the_alternatives(name, least):
    """Each cell of overrides composes and binds."""
    text = (STUDIES[name] / "README.md").read_text()
    rows = [line for line in text.splitlines() if line[:2] == "| "]
    found = [(row, shlex.split(code)) for row in rows for code in row.split("`")[1::2] if "=" in code]
    stems = ALTERED[name]

    assert len(found) >= least
    for row, overrides in found:
        build(load(stems.get(row.rpartition("(")[2].partition(")")[0], stems[""]), overrides, STUDIES[name]))


@pytest.mark.slow
def test_footprints_of_table_7():
    """What is kept of a reference is what the paper states: 4k; 32k to 120k; 4k to 15k numbers."""
    kept = {}
    for method in ("cnn", "cnn_ss", "cnnaug_ss"):
        for dataset in RETRIEVED["table7_retrieval"]:
            task = build(load(f"{method}_{dataset}", [], STUDIES["table7_retrieval"])).keywords
            dims = 500 if method == "cnnaug_ss" else 4096
            floats, _ = task["retrieval"].footprint(len(task["augmentation"].views), dims)
            kept.setdefault(method, []).append(floats)

    assert kept == {
        "cnn": [4096] * 5,
        "cnn_ss": [122_880] * 3 + [32_768] * 2,
        "cnnaug_ss": [15_000] * 3 + [4_000] * 2,
    }


@pytest.mark.parametrize(
    "name", [*PAPER, "figure2a_layers", "figure2b_confusion", "table7_retrieval", "roxford_rparis"]
)
def test_committed_report_has_no_number_of_ours(name):
    """Until a study is run on the real data its report is that of no runs, and both READMEs say so."""
    report = make_report(read_study(STUDIES[name]), NoRuns(), Bootstrap(0))
    (line,) = [
        line for line in (ROOT / "experiments/README.md").read_text().splitlines() if line.startswith(f"| [{name}]")
    ]

    assert (STUDIES[name] / "report/table.md").read_text() == report.sheet.markdown()
    assert report.metrics == {}
    assert "not run on the real data yet" in (STUDIES[name] / "README.md").read_text()
    assert line.endswith("| not run on the real data set yet |")


@pytest.fixture
def offshelf(monkeypatch):
    """The command line, in this process, from the root of the checkout."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    log = logging.getLogger()
    handlers, level = log.handlers[:], log.level

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["offshelf", *arguments])
        with pytest.raises(SystemExit) as done:
            cli.main()
        assert done.value.code == 0

    yield call
    log.handlers[:] = handlers  # Hydra's go to a stream that ends with the test
    log.setLevel(level)


@pytest.fixture
def run(offshelf, tmp_path):
    """A function that runs a study's run file on the miniature of a data set; metrics of its runs, in percent."""
    sites = {}

    def call(folder, stem, dataset, *overrides):
        if dataset not in sites:
            write(dataset, tmp_path / dataset)
            server = serve(tmp_path / dataset)
            sites[dataset] = (server, server.__enter__().url)
        out = tmp_path / "out" / folder / stem
        parts = SWEPT.get(folder)
        where = f"hydra.sweep.dir={out}" if parts else f"hydra.run.dir={out}"
        sweep = ["-m", f"dataset.test={','.join(parts)}"] if parts else []
        here = [f"dataset.mirrors=[{sites[dataset][1]}]", "dataset.verify=false", f"data_dir={tmp_path}/data"]
        task = "retrieve" if folder in RETRIEVED else "classify"
        fast = [one for one in FAST if task == "classify" or not one.startswith("baseline")]
        command = [task, "--config-dir", f"experiments/{folder}", "--config-name", stem]
        offshelf(*command, *sweep, *here, *fast, where, *overrides)
        files = sorted(out.rglob("metrics.json"))
        assert len(files) == len(parts or [1])
        return [json.loads(file.read_text()) for file in files]

    yield call
    for server, _ in sites.values():
        server.__exit__(None, None, None)


def cells(folder):
    """table.csv of a report."""
    return list(csv.DictReader((folder / "table.csv").read_text().splitlines()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name if name in EACH_RUN else pytest.param(name, marks=pytest.mark.soak) for name in PAPER]
)
def test_a_table_from_data_to_report(name, run, offshelf, tmp_path):
    """Both settings of the paper on a miniature: the report has their numbers, and no others of ours."""
    dataset = {"table5_uiuc": "uiuc_attributes"}.get(name, name.partition("_")[2])
    found = {stem: run(name, stem, dataset) for stem in ("cnn_svm", "cnnaug_svm")}
    offshelf("report", f"experiments/{name}", "--out", str(tmp_path / "report"))
    report = {(cell["method"], cell["column"]): cell for cell in cells(tmp_path / "report")}
    plan = read_study(STUDIES[name])

    for row in plan.rows:
        metrics = found.get(row.run.split()[1])
        for column in plan.columns:
            cell = report[row.name, column.name]
            if metrics is None:
                assert cell["value"] == cell["run"] == ""
            elif column.label is None:
                mine = metrics[SWEPT[name].index(column.run) if column.run else 0]
                assert float(cell["value"]) == pytest.approx(100 * mine[f"test/{column.metric}"])
                assert float(cell["low"]) == pytest.approx(100 * mine[f"test/{column.metric}_low"])
                assert float(cell["high"]) == pytest.approx(100 * mine[f"test/{column.metric}_high"])
            if metrics and cell["value"] and cell["published"]:
                assert float(cell["difference"]) == pytest.approx(float(cell["value"]) - float(cell["published"]))
    text = (tmp_path / "report/table.md").read_text()
    assert text.count("| difference |") == 2
    assert "ours: CNN-SVM, ConvNeXt-Tiny | not run |" in text


@pytest.mark.slow
def test_layers_from_data_to_report(run, offshelf, tmp_path):
    """Figure 2a: each layer's mean and classes, from one run."""
    (metrics,) = run("figure2a_layers", "overfeat", "voc2007", "layer=all")
    offshelf("report", "experiments/figure2a_layers", "--out", str(tmp_path / "report"))
    means = {
        cell["layer"]: float(cell["value"])
        for cell in cells(tmp_path / "report")
        if cell["column"] == "mAP" and cell["method"] == "OverFeat"
    }

    assert means == {
        layer: pytest.approx(100 * metrics[f"test/mAP_11pt/{layer}"]) for layer in ("block1", "block2", "block3")
    }
    assert "| ConvNeXt-Tiny | – | not run |" in (tmp_path / "report/table.md").read_text()
    assert (tmp_path / "report/figure.svg").exists()


@pytest.mark.slow
def test_caltech101_from_data_to_report(run, offshelf, tmp_path):
    """Draws, layers and classifiers of the study: its report has the numbers of each run."""
    few = ("dataset.shots=2", "dataset.draws=2", "layer=[block2,block3]", "bootstrap.replicates=100")
    stems = {"": (), "_logistic": (), "_knn": ("classifier.n_neighbors=[1,2]",)}
    found = {
        stem: run("caltech101_layers", f"efficientnet_lite0{stem}", "caltech101", *few, *more)[0]
        for stem, more in stems.items()
    }
    offshelf("report", "experiments/caltech101_layers", "--out", str(tmp_path / "report"))
    rows = {
        row.name: row.run.removeprefix("caltech101_layers efficientnet_lite0")
        for row in read_study(STUDIES["caltech101_layers"]).rows
    }
    values = {
        (rows[cell["method"]], cell["layer"]): float(cell["value"])
        for cell in cells(tmp_path / "report")
        if cell["value"]
    }

    assert values == {
        (stem, layer): pytest.approx(100 * metrics[f"test/mean_class_accuracy/{layer}"])
        for stem, metrics in found.items()
        for layer in ("block2", "block3")
    }


NOT_TO_BE_HAD = {"GoogLeNet, 1-NN, 20 a class": "caltech10"}
"""Runs of which some columns could not be run."""


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_committed_numbers_of_photographs_are_whole(name):
    """Every run is there, with its error bars; and a README of layers says what the table says."""
    study = read_study(STUDIES[name])
    table = cells(study.folder / "report")
    text = (study.folder / "README.md").read_text()

    assert {cell["method"] for cell in table} == {row.name for row in study.rows}
    missing = [cell for cell in table if not cell["value"]]
    assert all(NOT_TO_BE_HAD.get(cell["method"], "nothing") in cell["column"] for cell in missing)
    table = [cell for cell in table if cell["value"]]
    assert all(float(cell["low"]) <= float(cell["value"]) <= float(cell["high"]) for cell in table)
    if study.kind == "layers":
        assert all(f"{float(cell['value']):.1f}" in text for cell in table)


def test_committed_office_shift_is_what_was_published():
    """1-NN on SURF features, exactly: the published numbers have two decimals."""
    table = cells(STUDIES["office_shift"] / "report")
    differences = [cell["difference"] for cell in table if cell["method"] == "SURF, 1-NN"]

    assert len(differences) == 12
    assert all(abs(float(difference)) <= 0.005 for difference in differences)


@pytest.mark.slow
def test_office_shift_from_data_to_report(offshelf, tmp_path, monkeypatch):
    """A pair of domains, as features and as images: the report has their numbers."""
    random, folder = np.random.default_rng(0), STUDIES["office_shift"]
    for number, domain in enumerate(("amazon", "dslr")):
        labels = np.repeat([1, 2], 6)
        (tmp_path / "surf" / domain).mkdir(parents=True)
        words = random.poisson(3 + labels[:, None] * np.arange(8), (12, 8)).astype(np.uint8)
        savemat(tmp_path / "surf" / domain / f"{domain}.mat", {"fts": words, "labels": labels[:, None]})
        for row, label in enumerate(labels):
            file = tmp_path / "images" / domain / f"class {label}" / f"{row}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(100 * number + row, label))
    pairs = {
        "surf": ("surf", "dataset.path.train", "dataset.path.test"),
        "lite0": ("images", "dataset.root", "dataset.test"),
    }
    found = {}
    for stem, (place, source, target) in pairs.items():
        monkeypatch.chdir(tmp_path / place)
        own = FAST if stem == "lite0" else []
        sweep = ["-m", f"{source}=amazon", f"{target}=dslr", "bootstrap.replicates=100"]
        offshelf("classify", "--config-dir", str(folder), "--config-name", stem, *sweep, *own)
        (file,) = (tmp_path / place).rglob("metrics.json")
        found[stem] = json.loads(file.read_text())["test/accuracy"]
    offshelf("report", str(folder), "--out", str(tmp_path / "report"))
    values = {cell["method"]: cell["value"] for cell in cells(tmp_path / "report") if cell["column"] == "amazon dslr"}

    assert float(values["SURF, 1-NN"]) == pytest.approx(100 * found["surf"])
    assert float(values["EfficientNet-Lite0, linear SVM"]) == pytest.approx(100 * found["lite0"])


@pytest.mark.slow
def test_cub_ten_from_data_to_report(offshelf, tmp_path, monkeypatch):
    """The official tree, cut by the study's script; box and whole image."""
    folder = STUDIES["cub_ten"]
    write("cub200", tmp_path / "official")
    with tarfile.open(next((tmp_path / "official").glob("*.tgz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    script = [sys.executable, str(folder / "subset.py"), "CUB_200_2011", "data/cub200/CUB_200_2011"]
    subprocess.run(script, cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    few = [*FAST, "data_dir=data", "bootstrap.replicates=100", "classifier.C=1"]
    offshelf("classify", "--config-dir", str(folder), "--config-name", "whole", *few)
    offshelf("classify", "--config-dir", str(folder), "--config-name", "box", "-m", "dataset.context=1,2.5", *few)
    offshelf("report", str(folder), "--out", str(tmp_path / "report"))
    found = {cell["method"]: cell["value"] != "" for cell in cells(tmp_path / "report")}

    assert found == {"box": True, "box x 1.5": False, "box x 2.5": True, "whole image": True}


@pytest.mark.slow
def test_confusions_from_data_to_report(run, offshelf, tmp_path):
    """Figure 2b: from the run of table 2."""
    (metrics,) = run("table2_mit67", "cnn_svm", "mit67")
    offshelf("report", "experiments/figure2b_confusion", "--out", str(tmp_path / "report"))
    found = cells(tmp_path / "report")
    right = sum(int(cell["images"]) for cell in found if cell["true"] == cell["predicted"])

    assert sum(int(cell["images"]) for cell in found) == 3
    assert right / 3 == pytest.approx(metrics["test/accuracy"])
    assert "| CNN-SVM, ConvNeXt-Tiny | not run |" in (tmp_path / "report/table.md").read_text()
    assert (tmp_path / "report/figure.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("table7_retrieval", marks=pytest.mark.soak), "roxford_rparis"])
def test_retrievals_from_data_to_report(name, run, offshelf, tmp_path):
    """Every method, and the miniature of every data set: the report has their numbers, and their intervals."""
    found = {}
    for path in (path for path in RUNS if study(path) == name and path.stem in TRIED[name]):
        small = ["postprocess.components=2"] if "aug" in path.stem else []
        dataset = path.stem.rpartition("_")[2]
        (found[names(path)[0]],) = run(name, path.stem, dataset, "pooling=avg", *small)
    offshelf("report", f"experiments/{name}", "--out", str(tmp_path / "report"))
    report = {(cell["method"], cell["column"]): cell for cell in cells(tmp_path / "report")}
    plan = read_study(STUDIES[name])

    for row in plan.rows:
        for column in plan.columns:
            metrics, cell = found.get(f"{row.run} {column.run}"), report[row.name, column.name]
            if metrics is None:
                assert cell["value"] == cell["run"] == ""
                continue
            for key, end in (("value", ""), ("low", "_low"), ("high", "_high")):
                assert float(cell[key]) == pytest.approx(100 * metrics[f"test/{column.metric}{end}"])
    assert set(found) <= {f"{row.run} {column.run}" for row in plan.rows for column in plan.columns}
    assert "bootstrap interval over the queries" in (tmp_path / "report/table.md").read_text()


@pytest.mark.soak
@pytest.mark.slow
def test_digits_retrieval_from_data_to_report(offshelf, tmp_path):
    """A line a layer, from one run; the rows that were not run say so."""
    offshelf(
        *("retrieve", "--config-dir", "experiments/digits_retrieval", "--config-name", "efficientnet_lite0"),
        *("backbone=tiny", "extractor=cpu", f"hydra.run.dir={tmp_path}/out", "bootstrap.replicates=100"),
    )
    offshelf("report", "experiments/digits_retrieval", "--out", str(tmp_path / "report"))
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    means = {
        cell["layer"]: float(cell["value"])
        for cell in cells(tmp_path / "report")
        if cell["column"] == "mAP" and cell["value"]
    }

    assert means == {
        layer: pytest.approx(100 * metrics[f"test/leave_query_out/mAP/{layer}"])
        for layer in ("block1", "block2", "block3")
    }
    assert "| pixels | – | not run |" in (tmp_path / "report/table.md").read_text()


def test_committed_digits_retrieval_is_whole():
    """Every run is there, with its error bars."""
    table = cells(STUDIES["digits_retrieval"] / "report")

    assert {cell["method"] for cell in table} == {row.name for row in read_study(STUDIES["digits_retrieval"]).rows}
    assert all(float(cell["low"]) <= float(cell["value"]) <= float(cell["high"]) for cell in table)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "task", "stem", "method"),
    [
        pytest.param("digits_layers", "classify", "pixels", "pixels, 1 view", marks=pytest.mark.soak),
        ("digits_layers", "classify", "tiny", "random network, 1 view"),
        pytest.param("digits_retrieval", "retrieve", "pixels", "pixels", marks=pytest.mark.soak),
    ],
)
def test_committed_numbers_come_out_again(name, task, stem, method, offshelf, tmp_path):
    """Quick runs of a study, repeated: what is committed, to three images; and a rerun is equal to the last digit."""
    config = ("--config-dir", f"experiments/{name}", "--config-name", stem)
    offshelf(task, *config, f"hydra.run.dir={tmp_path}/out")
    offshelf("report", f"experiments/{name}", "--out", str(tmp_path / "report"))
    offshelf("rerun", f"{name} {stem}", "--check")
    now, then = (
        {(cell["layer"], cell["column"]): cell for cell in cells(folder) if cell["method"] == method}
        for folder in (tmp_path / "report", STUDIES[name] / "report")
    )

    assert not any(cell["value"] for cell in cells(tmp_path / "report") if cell["method"] != method)
    assert now.keys() == then.keys()
    compared = [key for key in then if key[1] in ("accuracy", "mAP", "P@1", "P@10")]
    assert compared
    for key in compared:
        assert float(now[key]["value"]) == pytest.approx(float(then[key]["value"]), abs=300 / 899)
