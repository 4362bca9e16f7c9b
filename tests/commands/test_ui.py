"""The UI command: its link, its options, and the real server."""

import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from offshelf.commands.ui import parse
from offshelf.errors import ConfigError
from offshelf.tracking import MLflow
from offshelf.tracking.mlflow import server as mlflow_server
from offshelf.tracking.mlflow.client import connect
from offshelf.tracking.mlflow.server import free_port, official_metric, ui_url


def test_link_is_sorted_by_the_metric():
    """Machine learning view, best first."""
    assert ui_url("http://h:1/", "5", "test/accuracy") == (
        "http://h:1/#/experiments/5/runs?workflowType=machine_learning"
        "&orderByKey=metrics.%60test%2Faccuracy%60&orderByAsc=false"
    )


def test_options():
    """key=value, nearest name otherwise."""
    assert parse(["port=1", "home=/x=y"])["home"] == "/x=y"
    for bad, hint in (
        ("prot=1", "did you mean 'port=…'"),
        ("port=x", "port is a number"),
        ("5000", "no option '5000'"),
    ):
        with pytest.raises(ConfigError, match=hint):
            parse([bad])


def test_runs_of_one_data_set():
    """By their own metric."""
    assert ui_url("http://h:1", "5", "test/map", "holidays").endswith(
        "&orderByAsc=false&searchFilter=params.dataset%20%3D%20%22holidays%22"
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_the_metric_is_the_newest_runs_own(home):
    """Of all, or of a data set."""
    client, experiment = connect(home, None, "offshelf")
    assert official_metric(client, experiment) == "test/accuracy"
    for dataset, metric in (("holidays", "map"), ("flowers", "mean_accuracy")):
        with MLflow(str(home)).start(dataset) as run:
            run.log({"dataset": dataset}, tags={"metric": metric})
    assert official_metric(client, experiment) == "test/mean_accuracy"
    assert official_metric(client, experiment, "holidays") == "test/map"


def test_a_server_that_does_not_end(monkeypatch):
    """Is ended by force, so that what went wrong before is told."""
    monkeypatch.setattr(mlflow_server, "STOP_TIMEOUT", 0.2)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        mlflow_server.stop_server(server)
    assert server.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_server_serves_the_runs_of_a_home(tmp_path):
    """Started, linked, answering, stopped by Ctrl-C without leaving anything behind."""
    with MLflow(str(tmp_path)).start("a run") as run:
        run.log(metrics={"test/accuracy": 0.5})
    port = free_port(5600)
    command = [sys.executable, "-m", "offshelf", "ui", f"home={tmp_path}", f"port={port}"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    try:
        link = process.stdout.readline()
        assert f"http://127.0.0.1:{port}/#/experiments/" in link
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
            assert answer.status == 200
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert process.returncode == 0
    assert free_port(port) == port
