"""Real servers: one that is killed in the middle of a run, and PostgreSQL, behind a server and directly."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import warm
from mlflow.tracking import MlflowClient
from record import on_record

from offshelf.tracking.mlflow.client import connect, default_uri
from offshelf.tracking.mlflow.server import free_port, start_server, wait_until_up

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
FAST = ["backbone=tiny", "classifier=knn", "bootstrap.replicates=100"]


def start(*arguments, cwd):
    """An `offshelf` process."""
    command = [warm.program(), *arguments]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*arguments, cwd):
    """Output and errors of an `offshelf` process that ends well."""
    process = start(*arguments, cwd=cwd)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return output, errors


@contextmanager
def serving(folder, uri, port):
    """A server of MLflow's, killed at the end if it is still there."""
    folder.mkdir(exist_ok=True)
    server = start_server(folder, uri, port)
    try:
        wait_until_up(server, port, 300)
        yield server
    finally:
        kill(server)


def kill(server):
    """With its workers."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    others = [int(child) for child in children.read_text().split()] if children.exists() else []
    for process in [server.pid, *others] if server.returncode is None else []:
        os.kill(process, signal.SIGKILL)
    server.wait(10)


@pytest.mark.soak
def test_a_server_that_is_killed_in_the_middle(tmp_path):
    """The run ends well, and sync completes it on the server, under the same id and with all that a whole run has."""
    port = free_port(6100)
    uri, store = f"http://127.0.0.1:{port}", tmp_path / "server"
    store.mkdir()
    connect(store, None, "other")
    command = ["classify", *FAST, "layer=all", "hydra.run.dir=out"]
    finish(*command[:-1], "hydra.run.dir=whole", f"home={tmp_path / 'whole'}", cwd=tmp_path)
    with serving(store, default_uri(store), port) as server:
        run = start(*command, f"tracking.uri={uri}", cwd=tmp_path)
        begun = wait_for_a_run(uri)
        kill(server)
    output, errors = run.communicate(timeout=600)
    assert run.returncode == 0, errors
    assert errors.count("does not take the run any more") == 1
    assert "Traceback" not in errors
    assert "offshelf track sync " in output
    with serving(store, default_uri(store), port):
        for _ in range(2):
            finish("track", "sync", "out", cwd=tmp_path)
        record = on_record(uri)
        same = MlflowClient(uri).get_run(begun).info
    whole = on_record(default_uri(tmp_path / "whole"))

    assert same.status == "FINISHED"
    assert record.keys() == whole.keys()
    assert len(record) > 2
    for name, found in record.items():
        assert found["files"].keys() == whole[name]["files"].keys()
        assert found["metrics"].keys() == whole[name]["metrics"].keys()
        assert found["params"].keys() == whole[name]["params"].keys()
        assert found["tags"].keys() == whole[name]["tags"].keys()
        assert found["metrics"]["test/accuracy"] == whole[name]["metrics"]["test/accuracy"]


def wait_for_a_run(uri):
    """The id of the first run, once its parameters are there."""
    client = MlflowClient(uri)
    for _ in range(1200):
        experiment = client.get_experiment_by_name("offshelf")
        found = client.search_runs([experiment.experiment_id]) if experiment else []
        if found and found[0].data.params:
            return found[0].info.run_id
        time.sleep(0.05)
    raise AssertionError("no run was begun")


def test_a_sweep_that_is_kept_and_sent(tmp_path, home):
    """As a sweep that was not kept; the same command has nothing left to do meanwhile."""
    command = ["classify", "-m", *FAST, "dataset.test_fraction=0.5,2", "hydra.sweep.dir=jobs"]
    whole = tmp_path / "whole"
    failed = start(*command, "tracking=offline", cwd=tmp_path)
    failed.communicate(timeout=600)
    again = start(*command, "tracking=offline", cwd=tmp_path)
    _, errors = again.communicate(timeout=600)
    start(*command, f"home={whole}", cwd=tmp_path).communicate(timeout=600)
    assert failed.returncode == again.returncode == 1
    assert "Done already, as run" in errors
    assert not (home / "mlflow.db").exists()
    for _ in range(2):
        finish("track", "sync", cwd=tmp_path)
    record, expected = on_record(default_uri(home)), on_record(default_uri(whole))

    assert {one["tags"].get("mlflow.parentRunId") for one in record.values()} == {
        None,
        *(name for name in record if name.startswith("sweep")),
    }
    kinds = sorted((one["status"], sorted(one["files"])) for one in record.values())
    assert kinds == sorted((one["status"], sorted(one["files"])) for one in expected.values())


@pytest.fixture(scope="module")
def postgresql():
    """URI of a real PostgreSQL server, which is stopped at the end."""
    pytest.importorskip("psycopg")
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *map(Path, filter(None, [shutil.which("initdb")]))]
    if not found:
        pytest.skip("PostgreSQL is not installed: no initdb")
    account = unprivileged()
    with TemporaryDirectory() as folder:  # pytest's own are closed to other users
        if account:
            shutil.chown(folder, account)

        def call(program, *arguments):
            command = [str(found[0].with_name(program)), "-D", f"{folder}/data", *arguments]
            subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120, user=account)

        port = free_port(6300)
        call("initdb", "-U", "offshelf", "-A", "trust", "--no-sync", "-E", "UTF8")
        listening = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        call("pg_ctl", "-o", listening, "-l", f"{folder}/log", "-w", "start")
        yield f"postgresql://offshelf:secret@127.0.0.1:{port}/"
        call("pg_ctl", "-m", "immediate", "stop")


def unprivileged():
    """A user that PostgreSQL agrees to run as; None for this one."""
    if os.getuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return name
    return pytest.skip("PostgreSQL does not run as the superuser, and there is no other user")


def database(postgresql, name):
    """URI of a new database."""
    import psycopg

    with psycopg.connect(f"{postgresql}postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{postgresql}{name}"


def run_sweep_and_compare(uri, cwd):
    """A sweep, a run of which one layer is best, and their table."""
    sweep = ["classify", "-m", *FAST, "layer=block1,block2", f"tracking.uri={uri}"]
    finish(*sweep, cwd=cwd)
    finish("classify", *FAST, "layer=block3", "tracking=offline", f"tracking.uri={uri}", "hydra.run.dir=kept", cwd=cwd)
    finish("track", "sync", "kept", f"tracking.uri={uri}", cwd=cwd)  # a password is on no record
    record = on_record(uri)
    assert len(record) == 4
    assert {one["status"] for one in record.values()} == {"FINISHED"}
    runs = "attributes.run_name LIKE 'digits%'"
    finish("compare", runs, f"uri={uri}", "--replicates", "100", "--out", "table.csv", cwd=cwd)
    table = (cwd / "table.csv").read_text()
    assert all(f"digits tiny block{layer}," in table for layer in (1, 2, 3))


def test_postgresql_directly(tmp_path, home, postgresql):
    """The database is the store; artifacts are in the home, not in the folder of whoever comes first."""
    run_sweep_and_compare(database(postgresql, "direct"), tmp_path)

    assert (home / "artifacts/offshelf").is_dir()
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.soak
def test_postgresql_behind_a_server(tmp_path, postgresql):
    """As in a team: clients know the server alone."""
    port = free_port(6200)
    with serving(tmp_path / "server", database(postgresql, "behind"), port):
        run_sweep_and_compare(f"http://127.0.0.1:{port}", tmp_path)
