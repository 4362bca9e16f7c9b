"""Every test has a home of its own, and no connection to the outside."""

import os
import signal
import subprocess

if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are the workers'
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of what a shell starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # commands that tests start would ignore it too

if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # under nohup, which commands obey
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

import hypothesis
import pytest
import tables

hypothesis.settings.register_profile(  # on busy cores, examples take long
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")

pytest_plugins = ["rules", "shared", "bucket_server", "rays"]

tables.share(lambda: tables.template().name)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home."""
    folder = tmp_path / "home"
    monkeypatch.setenv("OFFSHELF_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("OFFSHELF_PARENT_RUN", "MLFLOW_TRACKING_URI"):  # MLflow sets the latter itself, for good
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of one MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only the superuser may mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # databases may still be open
