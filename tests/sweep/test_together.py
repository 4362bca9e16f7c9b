"""One sweep in several processes at once, as on machines that share a home: one parent, and each job done by one."""

import re
import signal
import time
from collections import Counter

import pytest
from processes import Record, sixteen_images, start

from offshelf.tracking import MLflow

pytestmark = [
    pytest.mark.usefixtures("known_digits"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of MLflow and SQLAlchemy
]

NET = """\
import time
from pathlib import Path

from torch import nn


class Net(nn.Sequential):
    def __init__(self, width):
        super().__init__(nn.Conv2d(3, width, 8, 8), nn.Flatten())
        self.begun = Path(f"begun-{{width}}")
        self.width = width

    def forward(self, pixels):
        if len(pixels) > 2 and not pixels.is_meta:  # others only show the layers, before a run is opened
            {act}
            self.begun.touch()
        return super().forward(pixels)
"""
SWEEP = ["classify", "-m", "backbone=custom", "backbone.module=my_net.Net", "layer='1'", "classifier=knn"]
SWEEP += ["classifier.n_neighbors=1", "bootstrap.replicates=0", "keep_model_mb=0"]
SWEEP += ["store=memory"]  # so that the network is run in the job, and not before it


def all_come(number):
    """What makes a network wait until so many processes take part."""
    return f"while len(list(Path('home/sweeps').glob('*/members/*'))) < {number}: time.sleep(0.05)"


def sweep(folder, act, *widths):
    """The command of a sweep over the width of a network that does something before it answers."""
    (folder / "my_net.py").write_text(NET.format(act=act))
    return [*SWEEP, *sixteen_images(folder), f"+backbone.kwargs.width={','.join(map(str, widths))}"]


def wait_for(path):
    """Until it is there."""
    deadline = time.monotonic() + 200
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} has not come"
        time.sleep(0.05)


def end(*processes):
    """Exit codes, tables and errors of processes, as they end by themselves."""
    ended = [process.communicate(timeout=300) for process in processes]
    assert not any("Traceback" in errors for _, errors in ended), ended
    return [process.returncode for process in processes], *zip(*ended, strict=True)


def leftovers(home):
    return list((home / "sweeps").iterdir())


def require_one(record, jobs):
    """One sweep, of which each job was done by one process and none is open."""
    assert record.statuses(record.sweeps) == ["FINISHED"]
    assert "RUNNING" not in record.statuses(record.runs)
    assert {run.data.tags["mlflow.parentRunId"] for run in record.jobs} == {record.sweeps[0].info.run_id}
    done = [run.data.tags["job_digest"] for run in record.jobs if run.info.status == "FINISHED"]
    assert len(done) == len(set(done)) == jobs
    rows = record.table(record.sweeps[0])
    assert [row["job"] for row in rows] == list(range(jobs))
    assert {row["run"] for row in rows} == {run.info.run_id for run in record.jobs if run.info.status == "FINISHED"}
    return rows


def test_two_at_once(home, tmp_path):
    """Each does a part, and both show all."""
    command = sweep(tmp_path, all_come(2), 4, 5, 6, 7, 8, 9)
    codes, tables, errors = end(*(start(*command, cwd=tmp_path) for _ in range(2)))
    found = Record(home)
    rows = require_one(found, jobs=6)

    assert codes == [0, 0]
    assert len(found.jobs) == 6
    assert Counter(row["status"] for row in rows).keys() == {"done", "done elsewhere"}
    assert [table.count("done elsewhere") for table in tables] == [told.count("Done elsewhere") for told in errors]
    assert sum(table.count("done elsewhere") for table in tables) == 6
    one, other = (
        re.findall(r"^ *(\d) +([\d.]+) +(\d) +done(?: elsewhere)? +([\d.]+)", table, re.M) for table in tables
    )
    assert one == other
    assert len(one) == 6
    assert leftovers(home) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), pytest.param(signal.SIGINT, 130, marks=pytest.mark.soak)]
)
def test_one_is_ended(number, code, home, tmp_path):
    """The other waits for its job, takes it over, and ends the parent, which is open till then."""
    act = "self.begun.touch()\n            while self.width == 4 and not Path('go').exists(): time.sleep(0.1)"
    command = sweep(tmp_path, act, 4, 5, 6)
    one = start(*command, cwd=tmp_path)
    wait_for(tmp_path / "begun-4")
    other = start(*command, cwd=tmp_path)
    said = next(line for line in other.stderr if line.startswith("Waiting for"))
    during = Record(home)
    one.send_signal(number)
    one.communicate(timeout=60)
    with MLflow().start("beside"):  # which closes the runs of the dead
        after = Record(home)
    (tmp_path / "go").touch()
    codes, (table,), _ = end(other)
    found = Record(home)
    require_one(found, jobs=3)

    assert said.startswith("Waiting for what other processes run: job 0 (")
    assert during.statuses(during.sweeps) == after.statuses(after.sweeps) == ["RUNNING"]
    assert Counter(during.statuses(during.jobs)) == {"RUNNING": 1, "FINISHED": 2}
    assert (one.returncode, codes) == (code, [0])
    assert Counter(found.statuses(found.jobs)) == {"FINISHED": 3, "KILLED": 1}
    assert "elsewhere" not in table
    assert leftovers(home) == []


def test_failure(home, tmp_path):
    """It is one for both, and not tried twice; the next start tries again."""
    command = sweep(tmp_path, "time.sleep(0.5); assert self.width != 5 or Path('mended').exists()", 4, 5, 6, 7)
    codes, tables, errors = end(*(start(*command, cwd=tmp_path) for _ in range(2)))
    found = Record(home)

    assert codes == [1, 1]
    assert [table.count("FAILED") for table in tables] == [1, 1]
    assert all("Error in job 1" in told and "1 of 4 jobs failed. To run" in told for told in errors)
    assert found.statuses(found.sweeps) == ["FAILED"]
    assert Counter(found.statuses(found.jobs)) == {"FINISHED": 3, "FAILED": 1}

    (tmp_path / "mended").touch()
    assert end(start(*command, cwd=tmp_path))[0] == [0]
    require_one(Record(home), jobs=4)


@pytest.mark.soak
def test_fail_fast(home, tmp_path):
    """A failure in one process ends the other after the job it is at."""
    act = "self.begun.touch()\n            while self.width == 4 and not Path('begun-5').exists(): time.sleep(0.1)\n"
    act += "            assert self.width != 4\n            time.sleep(1)"
    command = [*sweep(tmp_path, act, 4, 5, 6, 7), "sweep.fail_fast=true"]
    one = start(*command, cwd=tmp_path)
    wait_for(tmp_path / "begun-4")
    codes, _, errors = end(one, start(*command, cwd=tmp_path))
    found = Record(home)

    assert codes == [1, 1]
    assert "1 of 4 jobs failed, 3 not run" in errors[0]
    assert "1 of 4 jobs failed, 2 not run" in errors[1]
    assert found.statuses(found.sweeps) == ["FAILED"]
    assert sorted(found.statuses(found.jobs)) == ["FAILED", "FINISHED"]


@pytest.mark.soak
def test_three_with_a_server(home, tmp_path, tracking_server):
    """Of different launchers, all of which have come before a job ends."""
    command = sweep(tmp_path, all_come(3), 4, 5, 6, 7, 8, 9)
    uri, store = tracking_server
    command += [f"tracking.uri={uri}"]
    launchers = [], [], ["launcher=joblib", "launcher.jobs=2"]
    codes, tables, errors = end(*(start(*command, *launcher, cwd=tmp_path) for launcher in launchers))
    found = Record(store)
    require_one(found, jobs=6)

    assert codes == [0, 0, 0], errors
    assert len(found.jobs) == 6
    assert sum(table.count("done elsewhere") for table in tables) == 12
    assert leftovers(home) == []
