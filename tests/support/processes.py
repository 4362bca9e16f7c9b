"""Sweeps as processes, and what they leave on record."""

import json
import subprocess
import sys
import time
from pathlib import Path

import warm
from mlflow.tracking import MlflowClient
from noise import write_noise

from offshelf.tracking.mlflow.client import default_uri

FAST = ["classify", "-m", "backbone=tiny", "classifier=knn"]


def sixteen_images(folder):
    """Overrides for two classes of noise, which are written into a folder."""
    write_noise(folder / "images")
    return ["dataset=folder", f"dataset.root={folder / 'images'}"]


def start(*arguments, cwd, fresh=False):
    """An `offshelf` process; a fresh one begins with a Python of its own."""
    return begin([sys.executable, "-m", "offshelf"] if fresh else [warm.program()], arguments, cwd)


def begin(program, arguments, cwd):
    """A process that can be read from."""
    command = [*program, *arguments]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*arguments, cwd):
    """Exit code, output and errors of an `offshelf` process."""
    process = start(*arguments, cwd=cwd)
    output, errors = process.communicate(timeout=600)
    assert "Traceback" not in errors, errors
    return process.returncode, output, errors


class Record:
    """The runs of a home: sweeps, and their jobs in the order they were started."""

    def __init__(self, home):
        self.client = MlflowClient(default_uri(home))
        (experiment,) = self.client.search_experiments(filter_string="name = 'offshelf'")
        self.runs = self.client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
        self.sweeps = [run for run in self.runs if "sweep_digest" in run.data.tags]
        self.jobs = [run for run in self.runs if "mlflow.parentRunId" in run.data.tags]

    def statuses(self, runs):
        """Of these runs."""
        return [run.info.status for run in runs]

    def table(self, sweep, file="jobs.json"):
        """Rows of an artifact of log_table, as dictionaries."""
        folder = Path(self.client.download_artifacts(sweep.info.run_id, file))
        table = json.loads(folder.read_text())
        return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def interrupt(number, home, folder, *arguments, fresh=False):
    """A sweep that gets a signal as soon as one of its jobs is finished; returns its exit code."""
    process = start(*arguments, cwd=folder, fresh=fresh)
    wait_for_a_job(process, home)
    process.send_signal(number)
    print(*process.communicate(timeout=120), sep="\n")  # shown where the test fails
    return process.returncode


def wait_for_a_job(process, home):
    """Until a job of the sweep is finished."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        if (home / ".mlflow-ready").exists():
            try:
                record = Record(home)
                if "FINISHED" in record.statuses(record.jobs):
                    break
            except ValueError:
                pass  # no experiment yet
        time.sleep(0.1)
