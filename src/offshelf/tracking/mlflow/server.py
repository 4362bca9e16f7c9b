"""MLflow's own server and UI, as a child process on this machine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from offshelf.errors import TrackingError
from offshelf.tracking.mlflow.client import ENVIRONMENT, explain_errors

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

LAST_PORT = 65_535

STOP_TIMEOUT = 10
"""Seconds that the server has to stop."""

Server = subprocess.Popen[bytes]


def start_server(home: Path, uri: str, port: int) -> Server:
    """Start MLflow's server with one worker and without background jobs, reachable from this machine only.

    Args:
        home: Home, which stores the artifacts and the log `ui.log`.
        uri: Tracking store to serve.
        port: Port to listen on.
    """
    environment: Mapping[str, str] = {**ENVIRONMENT, **os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    # Not as an argument, which all users of the machine could read: the URI may contain a password.
    environment = {**environment, "MLFLOW_BACKEND_STORE_URI": uri}
    arguments = ["server", "--default-artifact-root", (home / "artifacts").as_uri()]
    arguments += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # The server looks for uvicorn on PATH, which lacks a virtual environment that is not activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    command = [sys.executable, "-m", "mlflow", *arguments]
    with (home / "ui.log").open("wb") as log:
        return subprocess.Popen(command, env={**environment, "PATH": path}, stdout=log, stderr=subprocess.STDOUT)


def wait_until_up(server: Server, port: int, seconds: float = 90) -> None:
    """Wait until the server answers.

    Raises:
        TrackingError: The server exits, or does not answer in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise TrackingError(f"MLflow's server ended with code {server.returncode}; see ui.log in the home.")
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise TrackingError(f"MLflow's server did not answer within {seconds:.0f} s; see ui.log in the home.")


def stop_server(server: Server) -> None:
    """Terminate the server, and kill it if it does not stop in time."""
    server.terminate()
    try:
        server.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def free_port(wanted: int) -> int:
    """Return the wanted port, or the next one that is free.

    Raises:
        TrackingError: 50 ports in a row are taken.
    """
    last = min(wanted + 49, LAST_PORT)
    for port in range(wanted, last + 1):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise TrackingError(f"The ports {wanted} to {last} are all taken; choose another with port=…")


def ui_url(server: str, experiment: str, metric: str, dataset: str = "") -> str:
    """Return the link to the runs of an experiment, of one data set or of all, sorted by a metric, best first.

    MLflow opens its page for language models unless the link says otherwise, and hides child runs unless sorted.
    """
    order = quote(f"metrics.`{metric}`", safe="")
    view = f"workflowType=machine_learning&orderByKey={order}&orderByAsc=false"
    if dataset:
        mark = "'" if '"' in dataset else '"'
        wanted = f"params.dataset = {mark}{dataset}{mark}"
        view += f"&searchFilter={quote(wanted, safe='')}"
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?{view}"


def official_metric(client: "MlflowClient", experiment: str, dataset: str = "") -> str:
    """Return the official metric of the newest run that names one; the accuracy if no run does."""
    mark = '"' if "'" in dataset else "'"
    of_dataset = f" and params.dataset = {mark}{dataset}{mark}" if dataset else ""
    with explain_errors("runs"):
        found = client.search_runs([experiment], f"tags.metric != ''{of_dataset}", max_results=1)
    return f"test/{found[0].data.tags['metric'] if found else 'accuracy'}"
