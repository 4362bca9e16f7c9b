"""Runs that another process sends: real processes, killed at the worst moments; the record is complete nevertheless."""

import os
import pty
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from mlflow.tracking import MlflowClient
from processes import Record, finish
from record import on_record

from offshelf.commands.track import main as track
from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.client import connect, default_uri
from offshelf.tracking.mlflow.sender import prepared, take_sender
from offshelf.tracking.outbox.outbox import Outbox
from offshelf.tracking.process import is_dead

pytestmark = [
    pytest.mark.usefixtures("known_digits"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

RUN = """
    import sys, time
    from pathlib import Path

    def log_all(tracker, folder, pause=0):
        with tracker.start("run", folder) as run:
            print("begun", flush=True)
            run.log({"classifier.C": [1, 2]}, {"test/accuracy": 0.1}, {"metric": "accuracy"})
            run.log_text("seed: 0", "config.yaml")
            run.log_dataset("digits", "d" * 64, "all", {"images": 3})
            with run.child("layer one") as child:
                child.log_table({"class": ["a", "b"], "accuracy": [1.0, 0.5]}, "per_class.json")
            run.confirm()

            def draw():
                time.sleep(pause)
                run.log_text("a figure", "confusion.txt")

            if pause < 0:
                time.sleep(60)
            run.finish(draw)
            print("table", flush=True)
        print("sent", run.id, run.is_sent, flush=True)
"""

PROCESS = f"""
    {RUN}
    from offshelf.cli import _guarded
    from offshelf.commands.result import CommandResult
    from offshelf.process.signals import on_signals
    from offshelf.tracking import MLflow
    from offshelf.tracking.mlflow import sender

    def work(arguments):
        with sender.prepared([]):
            print(sender._prepared[0].name, flush=True)
            log_all(MLflow(arguments[1], arguments[2] or None), Path("out"), float(arguments[3]))
        return CommandResult()

    on_signals()
    sys.exit(_guarded(work, sys.argv).code)
"""


@pytest.fixture
def store(tmp_path):
    """A home whose MLflow tables exist."""
    folder = tmp_path / "runs"
    folder.mkdir()
    connect(folder, None, "offshelf")
    return folder


@pytest.fixture
def expected(store, tmp_path):
    """What is on record of a run that one process computes and sends."""
    scope = {}
    exec(textwrap.dedent(RUN), scope)
    folder = tmp_path / "reference"
    folder.mkdir()
    connect(folder, None, "offshelf")
    scope["log_all"](MLflow(str(folder)), tmp_path / "reference_out")
    return recorded(folder)


def recorded(store):
    """What is on record, without the revision of the working directory."""
    found = on_record(default_uri(store))
    for run in found.values():
        run["tags"] = {name: value for name, value in run["tags"].items() if "git." not in name}
    return found


def start(store, cwd, until, uri="", pause=0.0):
    """Start a run in a process group of its own; return it and the name of its sender once a line was printed."""
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), str(store), uri, str(pause)]
    process = subprocess.Popen(command, cwd=cwd, stdout=-1, stderr=-1, text=True, process_group=0)
    sender = process.stdout.readline().strip()
    while until and process.stdout.readline().strip() != until:
        assert process.poll() is None
    return process, sender


def end(process, sender):
    """Wait for a process and its sender. Returns exit code, output and errors."""
    output, errors = process.communicate(timeout=120)
    deadline = time.monotonic() + 120
    while not is_dead(sender):
        assert time.monotonic() < deadline, "the sender does not end"
        time.sleep(0.05)
    return process.returncode, output, errors


def kill_sender(sender):
    os.kill(int(sender.split()[1]), signal.SIGKILL)


def waiting(store):
    """Runs that wait in the outbox."""
    return [journal.read() for journal in Outbox(store).waiting()]


def statuses(store):
    client = MlflowClient(default_uri(store))
    (found,) = client.search_experiments(filter_string="name = 'offshelf'")
    return {run.info.run_name: run.info.status for run in client.search_runs([found.experiment_id])}


def test_same_record(store, expected, tmp_path):
    """As that of a run which imports MLflow itself; nothing is left behind."""
    code, output, _ = end(*start(store, tmp_path, ""))
    (run,) = MlflowClient(default_uri(store)).search_runs(["1"], "attributes.run_name = 'run'")

    assert code == 0
    assert output.split()[-3:] == ["sent", run.info.run_id, "True"]
    assert recorded(store) == expected
    assert not waiting(store)
    assert not (tmp_path / "out" / "tracking").exists()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -9), (signal.SIGHUP, 129), pytest.param(signal.SIGINT, 130, marks=pytest.mark.soak)],
)
def test_terminal_is_closed_after_the_table(store, expected, tmp_path, number, code):
    """The record is complete without another command: last work and sender have sessions of their own."""
    process, sender = start(store, tmp_path, "table", pause=0.5)
    os.killpg(process.pid, number)

    assert end(process, sender)[0] == code
    assert recorded(store) == expected
    assert not waiting(store)


def test_killed_while_it_computes(store, tmp_path):
    """The sender closes the run at once."""
    process, sender = start(store, tmp_path, "begun", pause=-1)
    os.killpg(process.pid, signal.SIGKILL)
    end(process, sender)

    assert statuses(store)["run"] == "KILLED"
    assert not waiting(store)


@pytest.mark.parametrize("kills_run", [pytest.param(False, marks=pytest.mark.soak), True])
def test_sender_dies(store, expected, tmp_path, kills_run):
    """The run goes on, and `track sync` sends it, also if both were killed after the table."""
    process, sender = start(store, tmp_path, "table" if kills_run else "begun", pause=0.5)
    kill_sender(sender)
    if kills_run:
        os.killpg(process.pid, signal.SIGKILL)
        wait_for_end(store)
    code, output, errors = end(process, sender)
    track(["sync", f"home={store}"])

    assert code == (-9 if kills_run else 0)
    assert kills_run or "has died. The run is kept in" in errors
    assert kills_run or output.split()[-1] == "False"
    assert recorded(store) == expected
    assert not waiting(store)


def wait_for_end(store):
    """Wait until the last work, which survives the run, is done."""
    deadline = time.monotonic() + 60
    while not all(is_dead(process) for run in waiting(store) for process in run.busy):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_server_is_away(store, tmp_path):
    """One sentence, and the run is kept if its numbers are known."""
    process, sender = start(store, tmp_path, "", uri="http://127.0.0.1:1")
    code, _, errors = end(process, sender)

    assert code == 1
    assert errors.startswith("Error: No MLflow server answers at http://127.0.0.1:1 (")
    assert "Traceback" not in errors


def test_is_being_sent(store, tmp_path, capsys):
    """A sync leaves a run alone that a sender sends."""
    process, sender = start(store, tmp_path, "table", pause=0.5)
    track(["sync", f"home={store}"])
    assert "Skipped: run" in capsys.readouterr().out
    assert end(process, sender)[0] == 0


def test_not_needed(monkeypatch):
    """A sender that no run has taken ends with the command; some commands have none."""
    monkeypatch.delitem(sys.modules, "mlflow")
    with prepared(["layer=all"]):
        sender = take_sender()
        assert sender
        sender.end()
        assert sender.is_over
    for arguments in (["-m"], ["tracking=none"], ["--cfg", "job"]):
        with prepared(arguments):
            assert take_sender() is None


@pytest.mark.soak
def test_a_closed_terminal(home, tmp_path):
    """A warm `offshelf classify`: the numbers and figures of a run whose terminal is closed once the table is there."""
    command = ["classify", "backbone=tiny", "layer=last", "classifier.C=2"]
    first, _, errors = finish(*command, cwd=tmp_path)
    assert first == 0, errors
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "offshelf", *command])
    seen = b""
    while b"test \xc2\xb1:" not in seen:
        seen += os.read(terminal, 65536)
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    deadline = time.monotonic() + 120
    while waiting(home) or "RUNNING" in Record(home).statuses(Record(home).runs):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    client = MlflowClient(default_uri(home))
    alone, closed = Record(home).runs

    assert code == 129
    assert closed.info.status == "FINISHED"
    assert {item.path for item in client.list_artifacts(alone.info.run_id)} == {
        item.path for item in client.list_artifacts(closed.info.run_id)
    }
    assert "confusion.png" in {item.path for item in client.list_artifacts(closed.info.run_id)}
    numbers = [{name for name in run.data.metrics if not name.startswith("cost/")} for run in (alone, closed)]
    assert numbers[0] == numbers[1]  # the first one has the cost of an extraction too
