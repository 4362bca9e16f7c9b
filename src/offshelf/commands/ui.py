"""`offshelf ui`: MLflow's UI on a home, opened where the runs are."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from offshelf.commands.result import CommandResult
from offshelf.errors import ConfigError, TrackingError
from offshelf.home import home_path
from offshelf.secret import masked
from offshelf.tracking.connection import QUIET, connect, default_uri, explained
from offshelf.tracking.sweep import close_left_open

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

DEFAULTS = {"home": "", "uri": "", "port": "5000", "experiment": "offshelf", "metric": "", "dataset": ""}
"""`metric` that runs are sorted by: empty is the official one of the newest run; `dataset` that they are of."""

LAST_PORT = 65_535

PATIENCE = 10
"""Seconds that the server has to end in."""

HELP = """\
usage: offshelf ui [key=value ...]

MLflow's UI on the runs of a home, until Ctrl-C; of a server, its address.

  port=5000              where it listens on this machine; the next free one if that is taken
  home=DIR               the home; by default OFFSHELF_HOME, or the system's folder for user data
  uri=URI                a tracking server, or a database, instead of the home's
  experiment=offshelf    whose runs are shown
  metric=test/accuracy   that they are sorted by
"""


def main(arguments: list[str]) -> CommandResult:
    """Serve until Ctrl-C; arguments are `key=value`.

    Raises:
        ConfigError: an argument is misspelt.
        TrackingError: there is no store to show, or the server does not start.
    """
    if {"-h", "--help"} & set(arguments):
        print(HELP, end="")
        return CommandResult()
    options = parse(arguments)
    home = home_path(options["home"])
    if not options["uri"] and not (home / "mlflow.db").exists():
        raise TrackingError(f"There are no runs in {home} yet. Make some with: offshelf classify layer=all")
    client, experiment = connect(home, options["uri"] or None, options["experiment"], makes=False)
    close_left_open(client, experiment, home)
    metric = options["metric"] or official_metric(client, experiment, options["dataset"])
    if options["uri"].startswith("http"):
        print(masked(ui_url(options["uri"], experiment, metric, options["dataset"])))
        return CommandResult()
    port = free_port(int(options["port"]))
    server = start_server(home, options["uri"] or default_uri(home), port)
    try:
        wait_until_up(server, port)
        link = ui_url(f"http://127.0.0.1:{port}", experiment, metric, options["dataset"])
        print(f"Runs, by {metric}, best first: {link}")
        print("Ctrl-C stops.", flush=True)
        return CommandResult(code=server.wait())
    except KeyboardInterrupt:
        return CommandResult()
    finally:
        stop(server)


def stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server, by force where it takes too long."""
    server.terminate()
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def official_metric(client: "MlflowClient", experiment: str, dataset: str = "") -> str:
    """That of the newest run which names one; the accuracy where there is none."""
    quote = '"' if "'" in dataset else "'"
    of_dataset = f" and params.dataset = {quote}{dataset}{quote}" if dataset else ""
    with explained("runs"):
        found = client.search_runs([experiment], f"tags.metric != ''{of_dataset}", max_results=1)
    return f"test/{found[0].data.tags['metric'] if found else 'accuracy'}"


def parse(arguments: list[str]) -> dict[str, str]:
    """Options of the command, with defaults for those not given."""
    options = dict(DEFAULTS)
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in options:
            near = get_close_matches(key, options, 1)
            hint = f"; did you mean '{near[0]}=…'?" if near else "."
            raise ConfigError(
                f"offshelf ui has no option '{argument}'{hint} It takes {', '.join(f'{k}=' for k in options)}"
            )
        options[key] = value
    if not (options["port"].isdecimal() and 0 < int(options["port"]) <= LAST_PORT):
        raise ConfigError(f"port is a number from 1 to {LAST_PORT}; got '{options['port']}'.")
    return options


def ui_url(server: str, experiment: str, metric: str, dataset: str = "") -> str:
    """Link to the runs of an experiment, of one data set or of all, sorted by a metric, best first.

    MLflow opens on its page for language models unless the link says otherwise, and hides child runs unless sorted.
    """
    order = quote(f"metrics.`{metric}`", safe="")
    view = f"workflowType=machine_learning&orderByKey={order}&orderByAsc=false"
    if dataset:
        mark = "'" if '"' in dataset else '"'
        wanted = f"params.dataset = {mark}{dataset}{mark}"
        view += f"&searchFilter={quote(wanted, safe='')}"
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?{view}"


def start_server(home: Path, uri: str, port: int) -> "subprocess.Popen[bytes]":
    """MLflow's server as a child process: one worker, no jobs, this machine only."""
    environment: Mapping[str, str] = {**QUIET, **os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    # Not as an argument, which all users of the machine could read: it may have a password.
    environment = {**environment, "MLFLOW_BACKEND_STORE_URI": uri}
    arguments = ["server", "--default-artifact-root", (home / "artifacts").as_uri()]
    arguments += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # The server looks for uvicorn on PATH, where a virtual environment that is not activated is missing.
    path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    command = [sys.executable, "-m", "mlflow", *arguments]
    with (home / "ui.log").open("wb") as log:
        return subprocess.Popen(command, env={**environment, "PATH": path}, stdout=log, stderr=subprocess.STDOUT)


def wait_until_up(server: "subprocess.Popen[bytes]", port: int, seconds: float = 90) -> None:
    """Return when the server answers. Raises TrackingError when it ends, or does not answer in time."""
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


def free_port(wanted: int) -> int:
    """The wanted port, or the next one that is free."""
    last = min(wanted + 49, LAST_PORT)
    for port in range(wanted, last + 1):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise TrackingError(f"The ports {wanted} to {last} are all taken; choose another with port=…")
