"""Signals to a process in the midst of a run: its record tells how it ended."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from mlflow.tracking import MlflowClient

from offshelf.tracking.mlflow.client import connect, default_uri

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
CODE = """
    import os, sys, time
    import mlflow.store.tracking.sqlalchemy_store
    from mlflow.tracking import MlflowClient
    from offshelf.process.signals import on_signals
    from offshelf.tracking import MLflow

    def slowly(*given, **named):
        time.sleep(0.3)
        found(*given, **named)

    found, MlflowClient.set_terminated = MlflowClient.set_terminated, slowly
    children = []
    for number in range(int(sys.argv[2])):
        children.append(os.fork())
        if not children[-1]:
            on_signals()
            with MLflow(sys.argv[1]).start(str(number)) as run, run.child(f"layer of {number}"):
                print("begun", os.getpid(), number, flush=True)
                time.sleep(60)
    for child in children:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
CASES = {
    143: [signal.SIGTERM, signal.SIGTERM],
    -signal.SIGINT: [signal.SIGINT, signal.SIGINT],
    129: [signal.SIGHUP],
}
"""Signals, and the exit code or signal that they end in."""


@pytest.mark.slow
def test_signals_in_a_row(tmp_path):
    """The second comes while the first is obeyed."""
    connect(tmp_path, None, "offshelf")
    command = [sys.executable, "-c", textwrap.dedent(CODE), str(tmp_path), str(len(CASES))]
    with subprocess.Popen(command, stdout=-1, stderr=subprocess.DEVNULL, text=True) as process:
        begun = [process.stdout.readline().split() for _ in CASES]
        children = {int(number): int(child) for _, child, number in begun}
        for number, signals in enumerate(CASES.values()):
            for one in signals:
                os.kill(children[number], one)
                time.sleep(0.05)
        codes = [int(process.stdout.readline()) for _ in CASES]
    client = MlflowClient(default_uri(tmp_path))
    runs = client.search_runs([client.get_experiment_by_name("offshelf").experiment_id])

    assert codes == list(CASES)
    assert [run.info.status for run in runs] == ["KILLED"] * 2 * len(CASES)
