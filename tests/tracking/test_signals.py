"""Signals to a process in the midst of a run: its record tells how it ended."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from mlflow.tracking import MlflowClient

from offshelf.tracking.connection import connect, default_uri

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
CODE = """
    import sys, time
    from mlflow.tracking import MlflowClient
    from offshelf.leaving import on_sigterm
    from offshelf.tracking import MLflow

    def slowly(*given, **named):
        time.sleep(0.3)
        found(*given, **named)

    found, MlflowClient.set_terminated = MlflowClient.set_terminated, slowly
    on_sigterm()
    with MLflow(sys.argv[1]).start("a run") as run, run.child("layer"):
        print("begun", flush=True)
        time.sleep(30)
"""


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGTERM, signal.SIGTERM], 143),
        ([signal.SIGINT, signal.SIGINT], -signal.SIGINT),
        ([signal.SIGHUP], 129),
        ([signal.SIGHUP, signal.SIGTERM, signal.SIGTERM], 143),
    ],
)
def test_signals_in_a_row(tmp_path, signals, code):
    """The second comes while the first is obeyed."""
    connect(tmp_path, None, "offshelf")
    command = [sys.executable, "-c", textwrap.dedent(CODE), str(tmp_path)]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        for number in signals:
            os.kill(process.pid, number)
            time.sleep(0.05)
        process.communicate(timeout=30)
    client = MlflowClient(default_uri(tmp_path))
    runs = client.search_runs([client.get_experiment_by_name("offshelf").experiment_id])

    assert process.returncode == code
    assert [run.info.status for run in runs] == ["KILLED", "KILLED"]
