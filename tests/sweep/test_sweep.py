"""Sweeps as a user meets them: failures, interruptions by real signals, what is found on record, and dry runs."""

import signal
from itertools import product
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from PIL import Image
from processes import FAST, Record, finish, interrupt, sixteen_images

import offshelf.launcher.job
from offshelf.config import load
from offshelf.errors import ConfigError, SweepError
from offshelf.launcher import Job
from offshelf.sweep import Command, Jobs, Source, Sweep, choose, covering, run_sweep
from offshelf.tracking import FinishedJob, NoTracking

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGKILL, -9, marks=pytest.mark.soak),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.soak),
    ],
)
def test_interrupted_sweep_goes_on(number, code, home, tmp_path):
    """Under the same parent, with the jobs that are left, also those of a piece; and no run stays open."""
    command = ["classify", "-m", "backbone=tiny", "layer=block1,block2,block3", "classifier.C=1,2,3", "baseline=null"]
    assert interrupt(number, home, tmp_path, *command, fresh=number == signal.SIGTERM) == code
    before = Record(home)
    done = {run.info.run_id for run in before.jobs if run.info.status == "FINISHED"}
    assert 1 <= len(done) < 9
    assert before.statuses(before.sweeps) == ["RUNNING" if number == signal.SIGKILL else "KILLED"]

    code, output, _ = finish(*command, cwd=tmp_path)
    after = Record(home)

    assert code == 0
    assert after.statuses(after.sweeps) == ["FINISHED"]
    finished = [run for run in after.jobs if run.info.status == "FINISHED"]
    assert len(finished) == 9
    assert done < {run.info.run_id for run in finished}
    assert "RUNNING" not in after.statuses(after.runs)
    assert {run.data.tags["mlflow.parentRunId"] for run in after.jobs} == {after.sweeps[0].info.run_id}
    assert output.count("done before") == len(done)
    rows = after.table(after.sweeps[0])
    assert [(row["layer"], row["classifier.C"]) for row in rows] == [
        (layer, str(number)) for layer in ("block1", "block2", "block3") for number in (1, 2, 3)
    ]
    best = max(finished, key=lambda run: run.data.metrics["test/accuracy"])
    assert after.sweeps[0].data.metrics["test/accuracy"] == best.data.metrics["test/accuracy"]
    assert max(row["test/accuracy"] for row in rows) == pytest.approx(best.data.metrics["test/accuracy"])


@pytest.mark.slow
def test_only_failures_are_done_again(home, tmp_path):
    """By the same command, under the same parent; a finished sweep is done anew, as with sweep.resume=false."""
    module = "import os\nfrom torch import nn\n\nclass Net(nn.Sequential):\n    def __init__(self, width):\n"
    module += "        1 / (width != 5 or os.path.exists('mended'))\n"
    module += "        super().__init__(nn.Conv2d(3, width, 8, 8), nn.Flatten())\n"
    (tmp_path / "my_net.py").write_text(module)
    command = ["classify", "-m", "backbone=custom", "backbone.module=my_net.Net", "layer='1'", "classifier=knn"]
    command += [*sixteen_images(tmp_path), "classifier.n_neighbors=1", "+backbone.kwargs.width=4,5,6"]

    code, output, errors = finish(*command, cwd=tmp_path)
    first = Record(home)
    assert code == 1
    assert "Error in job 1" in errors
    assert "1 of 3 jobs failed" in errors
    assert output.count("FAILED") == 1
    assert first.statuses(first.sweeps) == ["FAILED"]
    assert first.statuses(first.jobs) == ["FINISHED", "FINISHED"]

    (tmp_path / "mended").touch()
    code, output, _ = finish(*command, cwd=tmp_path)
    second = Record(home)
    assert code == 0
    assert second.statuses(second.sweeps) == ["FINISHED"]
    assert len(second.jobs) == 3
    assert [row["status"] for row in second.table(second.sweeps[0])] == ["done before", "done", "done before"]
    assert {item.path for item in second.client.list_artifacts(second.sweeps[0].info.run_id)} == {
        "jobs.json",
        "sweep.png",
    }

    code, output, _ = finish(*command, cwd=tmp_path)
    third = Record(home)
    assert "done before" not in output
    assert third.statuses(third.sweeps) == ["FINISHED", "FINISHED"]
    assert len(third.jobs) == 6


@pytest.mark.slow
def test_changed_data_are_a_new_job(home, tmp_path):
    """In a sweep that is taken up again, a finished job is done anew where an image has changed since."""
    for label, shade in product(("dark", "light"), range(8)):
        folder = tmp_path / "images" / label
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (16, 16), 10 * shade + 150 * (label == "light")).save(folder / f"{shade}.png")
    command = [*FAST, "layer=block1", "dataset=folder", f"dataset.root={tmp_path / 'images'}"]
    command += ["classifier.n_neighbors=1,-1", "bootstrap.replicates=0"]
    finish(*command, cwd=tmp_path)
    Image.new("L", (16, 16), 77).save(tmp_path / "images/dark/0.png")
    _, output, _ = finish(*command, cwd=tmp_path)

    assert "done before" not in output
    assert len(Record(home).sweeps) == 1
    assert Record(home).statuses(Record(home).jobs) == ["FINISHED", "FINISHED"]


@pytest.mark.slow
def test_dry_run(home, tmp_path):
    """What is extracted first, and what each job needs beside that; nothing is extracted, tracked or written."""
    command = [*FAST, "layer=block1,block2", "classifier.n_neighbors=1,2", "sweep.dry_run=true"]
    code, output, _ = finish(*command, cwd=tmp_path)

    assert code == 0
    words = " ".join(output.split())
    assert words.count("1,797 of 1,797 images") == 1
    assert "Features first: block1, block2 of tiny" in words
    assert words.count("no extraction") == 4
    assert not list(tmp_path.rglob("*.safetensors"))
    assert not (home / "mlflow.db").exists()
    assert not (tmp_path / "multirun").exists()


@pytest.mark.slow
def test_a_long_dry_run(tmp_path, monkeypatch, capsys):
    """The first jobs are listed, with what they need; the others are counted."""
    monkeypatch.setattr("offshelf.sweep.sweep.LISTED", 3)
    config = load("layers", ["backbone=tiny", "sweep.dry_run=true"])
    jobs = [Job(number, [f"seed={number}"], config, tmp_path) for number in range(1234)]
    run_sweep(Command("layers", [], []), config, Source(lambda call, *_: [call(job) for job in jobs]))
    lines = capsys.readouterr().out.splitlines()

    assert [line.split()[0] for line in lines if line.endswith("its run") or "its run" in line] == ["0", "1", "2"]
    assert lines[-1] == "And 1,231 more jobs, 1,234 in all."


@pytest.fixture
def performed(monkeypatch, tmp_path):
    """Jobs that are run; those with C=0 fail by a mistake that is nobody's to mend."""
    numbers = []

    def perform(config, folder):
        numbers.append(config["C"])
        return SimpleNamespace(objective=1 / config["C"])

    monkeypatch.setattr(offshelf.launcher.job, "perform", perform)
    return numbers


def run_jobs(values, folder, **options):
    """A sweep over C without tracking."""
    with NoTracking().sweep("s") as parent:
        jobs = Jobs(parent, {}, **options)
        jobs.run([Job(n, [f"C={C}", "D=1"], {"C": C}, folder) for n, C in enumerate(values)])
        jobs.conclude()
        return jobs


def test_any_error_stays_in_its_job(performed, tmp_path, capsys):
    """It is told at once, in a line; its traceback is in the folder of the job; the command runs it alone."""
    jobs = run_jobs([1, 0, 2], tmp_path)
    said = capsys.readouterr()

    assert performed == [1, 0, 2]
    assert [outcome.status for outcome in jobs.outcomes] == ["done", "FAILED", "done"]
    assert "Error in job 1 (C=0, D=1): ZeroDivisionError: division by zero" in said.err
    assert "ZeroDivisionError" in (tmp_path / "traceback.txt").read_text()
    assert "0.5000" in said.out
    with pytest.raises(SweepError, match="1 of 3 jobs failed.*\n" + r"offshelf classify -m C=0 D=1$"):
        jobs.require_success(Command("classify", ["-m"], ["C=1,0,2"]), resume=True)


def test_fail_fast(performed, tmp_path):
    """Nothing is begun after a failure; what was not run belongs to what is left."""
    jobs = run_jobs([1, 0, 2], tmp_path, fail_fast=True)

    assert performed == [1, 0]
    assert [outcome.status for outcome in jobs.outcomes] == ["done", "FAILED", "not run"]
    with pytest.raises(SweepError, match=r"1 of 3 jobs failed, 1 not run.*\n.*C=0,2 D=1$"):
        jobs.require_success(Command("classify", ["-m"], ["C=1,0,2"]), resume=True)


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([{"a": "1", "b": "[x,y]"}], [["a=1", "b=[x,y]"]]),
        ([{"a": "1", "b": "2"}, {"a": "3", "b": "2"}], [["a=1,3", "b=2"]]),
        ([{"a": "1", "b": "2"}, {"a": "3", "b": "4"}], [["a=1", "b=2"], ["a=3", "b=4"]]),
    ],
)
def test_commands_cover_just_these_jobs(jobs, expected):
    assert covering(jobs) == expected


def test_how_a_sweep_runs_is_not_its_identity():
    """Options of the sweep do not name it; the config and the other overrides do."""
    config = OmegaConf.create({"C": 1, "sweep": {"resume": True}})
    plain = Command("classify", ["-m"], ["C=1,2"])
    anew = Command("classify", ["-m"], ["C=1,2", "sweep.resume=false", "launcher=joblib", "launcher.jobs=2"])
    changed = OmegaConf.create({"C": 1, "sweep": {"resume": False}, "seed": 3})

    assert plain.digest(config) == anew.digest(config)
    assert plain.digest(config) != plain.digest(changed)
    assert plain.digest(config) != Command("classify", ["-m"], ["C=1,3"]).digest(config)


def test_best_is_chosen_on_training_images():
    """Where all jobs were cross-validated; the test metric only tells where they were not."""
    a = FinishedJob("a", "a", "accuracy", {"cv/accuracy": 0.7, "test/accuracy": 0.9})
    b = FinishedJob("b", "b", "accuracy", {"cv/accuracy": 0.8, "test/accuracy": 0.6})
    c = FinishedJob("c", "c", "accuracy", {"test/accuracy": 0.7})

    assert choose([a, b], "test/accuracy") == (b, "cv/accuracy")
    assert choose([a, b, c], "test/accuracy") == (a, "test/accuracy")
    assert choose([a], "test/accuracy") == (None, "")


def test_options_are_true_or_false():
    with pytest.raises(ConfigError, match=r"sweep\.resume is true or false; got 'yes'"):
        Sweep(resume="yes")
