"""Sweeps in other processes: the same numbers and guarantees as in one."""

import os
import signal
import time
from pathlib import Path

import pytest
import rays
from processes import Record, finish, interrupt, sixteen_images, start, wait_for_a_job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of MLflow and SQLAlchemy
]
JOBLIB = ["launcher=joblib", "launcher.jobs=2"]
RAY = ["launcher=ray", "launcher.jobs=2"]
SLURM = ["launcher=slurm", "launcher.cluster=local", "launcher.array_parallelism=2", "launcher.cpus=1"]

NET = """\
import os
import time
from pathlib import Path

from torch import nn


class Net(nn.Sequential):
    def __init__(self, width):
        super().__init__(nn.Conv2d(3, width, 8, 8), nn.Flatten())
        self.width = width

    def forward(self, pixels):
        if len(pixels) > 2 and not pixels.is_meta:  # others only show the layers, before a run is opened
            {first}
        return super().forward(pixels)
"""
QUICK = ["bootstrap.replicates=0", "keep_model_mb=0"]
CUSTOM = ["classify", "-m", "backbone=custom", "backbone.module=my_net.Net", "layer='1'", *QUICK]
KNN = ["classifier=knn", "classifier.n_neighbors=1"]


def sweep(folder, first, widths, *classifier):
    """The command of a sweep over the width of a network, which does something first."""
    (folder / "my_net.py").write_text(NET.format(first=first))
    return [*CUSTOM, *sixteen_images(folder), f"+backbone.kwargs.width={widths}", *(classifier or KNN)]


def held(condition):
    """What makes a network wait for a file."""
    return f"while {condition} and not Path('go').exists(): time.sleep(0.05)"


def numbers(record):
    """What the jobs of each sweep found, by what was swept."""
    found = {}
    for run in record.jobs:
        metrics = {name: value for name, value in run.data.metrics.items() if not name.startswith("cost/")}
        key = (run.data.params["layer"], run.data.params["classifier.C"])
        found.setdefault(run.data.tags["mlflow.parentRunId"], {})[key] = metrics
    return list(found.values())


def alive(home):
    """Processes of this home: those whose environment names it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"OFFSHELF_HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return [process for process in found if process != os.getpid()]


def test_same_numbers(home, tmp_path):
    """And predictions and models, to the last digit; one parent, all jobs in its table, and nobody left."""
    command = ["classify", "-m", "backbone=tiny", "layer=block1,block2", "classifier.C=2", "baseline=null"]
    command += ["bootstrap.replicates=0"]
    ray = [*RAY, f"launcher.address={rays.address()}"]
    assert [finish(*command, *launcher, cwd=tmp_path)[0] for launcher in ([], JOBLIB, SLURM, ray)] == [0, 0, 0, 0]
    found = Record(home)
    basic, *others = numbers(found)

    assert len(basic) == 2
    assert others == [basic] * 3
    for file in ("predictions.csv", "per_class.csv", "model.safetensors"):
        for job in "01":
            written = [path.read_bytes() for path in tmp_path.glob(f"multirun/classify/*/*/{job}/{file}")]
            assert len(written) == 4
            assert len(set(written)) == 1, file
    assert found.statuses(found.sweeps) == ["FINISHED"] * 4
    assert len({sweep.data.tags["sweep_digest"] for sweep in found.sweeps}) == 1
    rows = [[(row["job"], row["layer"], row["test/accuracy"]) for row in found.table(one)] for one in found.sweeps]
    assert rows[1:] == [rows[0]] * 3
    assert alive(home) == []


def test_killed_process_is_one_job(home, tmp_path):
    """As the system kills a process when memory runs out: told, its run closed, the other job done."""
    command = sweep(tmp_path, "self.width == 5 and os.kill(os.getpid(), 9)", "4,5")
    code, _output, errors = finish(*command, *JOBLIB, cwd=tmp_path)
    found = Record(home)

    assert code == 1
    assert "Error in job 1" in errors
    assert "died of SIGKILL; if memory ran out, run fewer at once: launcher.jobs=1" in errors
    assert "1 of 2 jobs failed" in errors
    assert sorted(found.statuses(found.jobs)) == ["FINISHED", "KILLED"]
    assert [row["status"] for row in found.table(found.sweeps[0])] == ["done", "FAILED"]


@pytest.mark.soak
def test_fail_fast(home, tmp_path):
    """Nothing is begun after a failure, and what runs is broken off."""
    first = "assert self.width != 4\n            time.sleep(60 * (self.width > 4))"
    command = [*sweep(tmp_path, first, "4,5,6,7"), *JOBLIB, "sweep.fail_fast=true", "store=memory"]
    code, _output, errors = finish(*command, cwd=tmp_path)
    found = Record(home)

    assert code == 1
    assert "1 of 4 jobs failed, 3 not run" in errors
    assert sorted(found.statuses(found.jobs)) in (["FAILED", "KILLED"], ["FAILED"])
    assert alive(home) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        (signal.SIGKILL, -9),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.soak),
    ],
)
def test_interrupted_sweep_goes_on(number, code, home, tmp_path):
    """No process and no run stays behind; whatever the launcher, the jobs that are left go under the same parent."""
    command = [*sweep(tmp_path, held("self.width == 6"), "4,5,6", "classifier.C=1,2"), "store=memory"]
    assert interrupt(number, home, tmp_path, *command, *JOBLIB) == code
    assert alive(home) == []
    before = Record(home)
    done = {run.info.run_id for run in before.jobs if run.info.status == "FINISHED"}
    assert 1 <= len(done) <= 4
    assert "RUNNING" not in before.statuses(before.jobs)
    assert before.statuses(before.sweeps) == ["RUNNING" if number == signal.SIGKILL else "KILLED"]

    (tmp_path / "go").touch()
    code, output, _ = finish(*command, cwd=tmp_path)
    after = Record(home)
    finished = {run.info.run_id for run in after.jobs if run.info.status == "FINISHED"}
    assert code == 0
    assert after.statuses(after.sweeps) == ["FINISHED"]
    assert len(finished) == 6
    assert done < finished
    assert output.count("done before") == len(done)


@pytest.mark.soak
def test_preempted_job_is_done_again(home, tmp_path):
    """By the signal that Slurm sends: the job is requeued, and the sweep ends well."""
    first = "Path('begun').exists() or (Path('begun').write_text(str(os.getpid())), time.sleep(100))"
    # A store of its own, so that the network is built in the job, and not before it.
    process = start(*sweep(tmp_path, first, "4"), *SLURM, "store=memory", cwd=tmp_path)
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and not (tmp_path / "begun").exists():
        time.sleep(0.1)
    time.sleep(0.5)
    os.kill(int((tmp_path / "begun").read_text()), signal.SIGUSR2)
    _, errors = process.communicate(timeout=600)
    found = Record(home)

    assert process.returncode == 0, errors
    assert sorted(found.statuses(found.jobs)) == ["FINISHED", "KILLED"]
    assert found.statuses(found.sweeps) == ["FINISHED"]


def test_interrupted_array_is_cancelled(home, tmp_path):
    """Ctrl-C ends the jobs that were handed out, too."""
    command = [*sweep(tmp_path, held("self.width > 4"), "4,5,6"), *SLURM, "store=memory"]
    assert interrupt(signal.SIGINT, home, tmp_path, *command) == 130
    found = Record(home)

    assert "RUNNING" not in found.statuses(found.runs)
    assert alive(home) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)])
def test_interrupted_sweep_leaves_nothing_on_ray(number, home, tmp_path):
    """No job, no open run and no process; what a job has printed is in its folder."""
    command = [*sweep(tmp_path, held("self.width > 4"), "4,5,6"), *RAY, f"launcher.address={rays.address()}"]
    process = start(*command, "store=memory", cwd=tmp_path)
    wait_for_a_job(process, home)
    deadline = time.monotonic() + 60  # the log comes with the answer of the job, after its run has ended
    while not (logs := list(tmp_path.glob("multirun/classify/*/*/0/worker.log"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    process.communicate(timeout=120)
    found = Record(home)

    assert process.returncode == 128 + number
    assert "RUNNING" not in found.statuses(found.runs)
    assert alive(home) == []
    assert [log.read_text().count("Begins: job 0") for log in logs] == [1]


@pytest.mark.soak
def test_head_that_dies(home, tmp_path):
    """It ends the sweep in one sentence, and no run stays open; the same command goes on elsewhere."""
    folder = rays.short_folder()
    address = rays.start(folder, ["--head", "--port=0", "--num-cpus=2"])
    command = [*sweep(tmp_path, held("self.width > 4"), "4,5"), *RAY, f"launcher.address={address}", "store=memory"]
    process = start(*command, cwd=tmp_path)
    wait_for_a_job(process, home)
    for server in rays.servers(folder):
        os.kill(server, signal.SIGKILL)
    _, errors = process.communicate(timeout=180)
    found = Record(home)

    assert process.returncode == 1
    assert "is gone: its head does not answer. What was finished is kept" in errors
    assert sorted(found.statuses(found.jobs)) == ["FINISHED", "KILLED"]
    assert "RUNNING" not in found.statuses(found.runs)
