"""Fixtures that are made once in a session of tests, or once in each of its workers."""

import os
import shutil
import subprocess
from itertools import count

import pytest
import warm
from filelock import FileLock
from mlflow.tracking import MlflowClient
from noise import write_noise

from offshelf.config import build, load, plain
from offshelf.tracking.mlflow.client import connect, default_uri
from offshelf.tracking.mlflow.server import free_port, start_server, wait_until_up


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """A function that returns a folder to read; whichever worker comes first has it filled by `make(folder)`."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def find(name, make):
        folder, done = base / name, base / f"{name}.done"
        with FileLock(base / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return find


@pytest.fixture(scope="session")
def noise_run(made_once):
    """A function that copies a run on two classes of noise into a folder: `images/`, `home/` and its output `out/`."""

    def make(folder):
        write_noise(folder / "images")
        chosen = ["dataset=folder", f"dataset.root={folder / 'images'}", "backbone=tiny", f"home={folder / 'home'}"]
        config = load("classify", [*chosen, "tracking=none", "bootstrap.replicates=0", "classifier=linear_svm_ovr"])
        build(config)(output_dir=str(folder / "out"), config=plain(config))

    def copy(folder):
        made = made_once("noise-run", make)
        shutil.copytree(made, folder, dirs_exist_ok=True)
        record = folder / "out/config.yaml"
        record.write_text(record.read_text(encoding="utf-8").replace(str(made), str(folder)), encoding="utf-8")
        return folder

    return copy


@pytest.fixture(scope="session")
def digit_features(made_once):
    """A store with the digits' features of all layers of EfficientNet-Lite0, to be copied: half a minute's work."""

    def make(folder):
        command = [warm.program(), "extract", "layer=all", f"home={folder}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    return made_once("digit-features", make) / "store"


@pytest.fixture(scope="session")
def _small_digit_features(made_once):
    def make(folder):
        for backbone in ("tiny", "pixels"):
            command = [warm.program(), "extract", f"backbone={backbone}", "layer=all", f"home={folder}"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)

    return made_once("small-digit-features", make) / "store"


@pytest.fixture
def known_digits(_small_digit_features, home):
    """A home that has the features of the digits by the tiny network and by pixels, for tests of what comes after."""
    shutil.copytree(_small_digit_features, home / "store", dirs_exist_ok=True)


@pytest.fixture(scope="session")
def _server(tmp_path_factory):
    """An MLflow server of this worker: its address and the folder of its store."""
    store = tmp_path_factory.mktemp("server")
    connect(store, None, "other")
    port = free_port(6000 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))
    server = start_server(store, default_uri(store), port)
    try:
        wait_until_up(server, port, 300)
        yield f"http://127.0.0.1:{port}", store
    finally:
        server.terminate()
        server.wait(30)


_used = count()


@pytest.fixture
def tracking_server(_server):
    """Address and store of a server without an experiment `offshelf`; the one that a test makes is renamed after it."""
    yield _server
    client = MlflowClient(_server[0])
    if made := client.get_experiment_by_name("offshelf"):
        client.rename_experiment(made.experiment_id, f"offshelf of an earlier test {next(_used)}")
