"""Stores that take a part, or nothing any more: the rest of the run, or all of it, is kept, said, and sent later."""

import os
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import warm
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from record import on_record

from offshelf.commands.track import main
from offshelf.errors import TrackingError
from offshelf.tracking import MLflow, Offline, as_job_of
from offshelf.tracking.events import LogEvent
from offshelf.tracking.mlflow import connection as connecting
from offshelf.tracking.mlflow import retries
from offshelf.tracking.mlflow.client import connect, default_uri
from offshelf.tracking.mlflow.sending import send
from offshelf.tracking.names import allowed_names
from offshelf.tracking.outbox.journal import FILE

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_files_that_no_place_takes(tmp_path, home, capsys):
    """What arrives arrives, and the run ends well; its files are kept, and sync says what it cannot send either."""
    client, _ = connect(home, None, "other")
    closed = tmp_path / "closed"
    closed.write_text("no folder")
    client.create_experiment("offshelf", artifact_location=f"file://{closed}/artifacts")
    with MLflow(str(home)).start("a run", tmp_path / "out") as run:
        run.log({"n": 1}, {"test/accuracy": 0.5})
        run.log_text("seed: 0", "config.yaml")
        run.log_text("x", "other.txt")
        run.log(metrics={"cv/accuracy": 0.4})
        assert not run.is_sent
    told = capsys.readouterr().err
    with pytest.raises(TrackingError, match=r"1 run not sent(.|\n)*except what was refused: config.yaml"):
        main(["sync"])
    found = MlflowClient(default_uri(home)).get_run(run.id)
    closed.unlink()
    assert main(["sync"]).code == 0
    assert main(["sync"]).code == 0

    assert told.count("takes the run, but not its files") == 1
    assert "offshelf track sync" in run.hint
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"test/accuracy": 0.5, "cv/accuracy": 0.4})
    record = on_record(default_uri(home))["a run"]
    assert record["files"] == {"config.yaml": b"seed: 0", "other.txt": b"x"}
    assert "offshelf_kept" not in record["tags"]


def test_one_part_that_is_refused(tmp_path, home, monkeypatch, capsys):
    """All others are on record."""

    def sending(client, run, event, content=None):
        if isinstance(event, LogEvent) and "bad" in event.metrics:
            raise MlflowException("INVALID_PARAMETER_VALUE: bad")
        send(client, run, event, content)

    monkeypatch.setattr(connecting, "send", sending)
    with MLflow(str(home)).start("a run", tmp_path / "out") as run:
        run.log(metrics={"bad": 1})
        run.log(metrics={"good": 2})
    found = MlflowClient(default_uri(home)).get_run(run.id)
    main(["sync"])

    assert "has refused a part of the run (INVALID_PARAMETER_VALUE: bad)" in capsys.readouterr().err
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"good": 2})
    assert on_record(default_uri(home))["a run"]["metrics"] == {"bad": 1, "good": 2}


@pytest.mark.parametrize("loss", ["deleted", "moved", "emptied", "cut"])
def test_a_database_that_vanishes(tmp_path, home, capsys, loss):
    """All of the run is kept, with the layers that had ended before, and sent to the database that comes then."""
    database = home / "mlflow.db"
    with MLflow(str(home)).start("a run", tmp_path / "out") as run:
        with run.child("layer") as child:
            child.log(metrics={"test/accuracy": 0.1})
        run.log({"n": 1}, {"test/accuracy": 0.5})
        run.log_text("seed: 0", "config.yaml")
        vanish(database, loss)
        run.log(metrics={"cv/accuracy": 0.4})
    for file in home.glob("mlflow.db*"):
        file.unlink()
    told = capsys.readouterr().err
    subprocess.run([warm.program(), "track", "sync"], check=True)  # this process has the file open still
    shutil.copytree(home, tmp_path / "copy", ignore=shutil.ignore_patterns("*.lock"))
    record = on_record(default_uri(tmp_path / "copy"))

    assert told.count("was deleted, moved or cut short") == 1
    assert record["a run"]["metrics"] == {"test/accuracy": 0.5, "cv/accuracy": 0.4}
    assert record["a run"]["files"] == {"config.yaml": b"seed: 0"}
    assert record["a run"]["status"] == record["layer"]["status"] == "FINISHED"
    assert record["layer"]["metrics"] == {"test/accuracy": 0.1}
    assert record["layer"]["tags"]["mlflow.parentRunId"] == "a run"


def vanish(database, loss):
    """As a person does it by mistake."""
    if loss == "deleted":
        for file in database.parent.glob("mlflow.db*"):
            file.unlink()
    elif loss == "moved":
        shutil.move(database, database.with_name("elsewhere"))
    else:
        os.truncate(database, database.stat().st_size // 2 if loss == "cut" else 0)


class Busy(BaseHTTPRequestHandler):
    """A server that is there, and has no time."""

    def do_GET(self):
        self.send_response(200 if self.path.endswith("/health") else 429)
        self.send_header("Retry-After", "60")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_):
        pass


def test_a_server_that_has_no_time(tmp_path, monkeypatch):
    """It is not waited for as long as it asks."""
    monkeypatch.setattr(retries, "SECONDS_PER_CALL", 1.0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        begin = time.monotonic()
        with pytest.raises(TrackingError, match="429"):
            connect(tmp_path, f"http://127.0.0.1:{server.server_port}", "offshelf")
        server.shutdown()
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    "text",
    [
        "(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.experiment_id",
        "(sqlite3.OperationalError) database is locked",
        "API request to http://h failed with exception (Caused by ResponseError('too many 503 error responses'))",
    ],
)
def test_what_passes_is_repeated(monkeypatch, text):
    """For a bounded time; other errors at once."""
    left = [MlflowException(text)] * 3

    def call():
        if left:
            raise left.pop()
        return "done"

    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert retries.Retries().call(call) == "done"
    calls = []

    def never(error):
        calls.append(error)
        raise error

    with pytest.raises(MlflowException):
        retries.Retries().call(never, MlflowException("no such column"))
    with pytest.raises(MlflowException):
        retries.Retries(0).call(never, MlflowException(text))
    assert len(calls) == 2


def test_a_conflict_with_another_run_is_no_lost_store(tmp_path, home, monkeypatch, capsys):
    """As where two make the same row at the same moment: the run waits a moment, and is whole."""
    calls = []
    found = MlflowClient.log_inputs

    def log_inputs(*given, **named):
        calls.append(given)
        if len(calls) < 3:
            raise MlflowException("(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.name")
        return found(*given, **named)

    monkeypatch.setattr(MlflowClient, "log_inputs", log_inputs)
    with MLflow(str(home)).start("a run", tmp_path / "out") as run:
        run.log_dataset("digits", "d" * 36, "all", {"images": 3})

    assert (len(calls), capsys.readouterr().err) == (3, "")
    assert len(on_record(default_uri(home))["a run"]["inputs"]) == 1


def test_names_stay_different():
    """In the letters that MLflow allows; those that are allowed are as they were."""
    odd = ["/abs", "a//b", "..", ".", "", "x" * 300, "x" * 299]
    names = allowed_names(["a@b", "a_b", "a#b", "test/accuracy", "ö=", *odd])
    assert len(set(names.values())) == 12
    assert (names["a_b"], names["test/accuracy"], names["ö="]) == ("a_b", "test/accuracy", "ö_")
    assert max(map(len, names.values())) == 250
    assert allowed_names(["a@b"]) == {"a@b": "a_b"}


def test_keys_that_are_one_in_allowed_letters(tmp_path, home):
    """Both are on record."""
    with MLflow(str(home)).start("a run", tmp_path / "out") as run:
        run.log({"a@b": 1, "a_b": 2, "..": 3, "a//b": 4}, {"a@b": 1, "a_b": 2, "/c": 3, "": 4})
    found = on_record(default_uri(home))["a run"]
    assert sorted(found["params"].values()) == ["1", "2", "3", "4"]
    assert sorted(found["metrics"].values()) == [1, 2, 3, 4]
    assert not (tmp_path / "out").exists()


def test_an_experiment_that_is_deleted(tmp_path, home):
    """One sentence with the way out, for runs and for sync, which sends the others."""
    client, experiment = connect(home, None, "gone")
    client.delete_experiment(experiment)
    with (
        pytest.raises(TrackingError, match=f"restore -x {experiment}.*tracking.experiment="),
        MLflow(str(home), experiment="gone").start("a run"),
    ):
        pass
    with Offline(str(home), experiment="gone").start("kept", tmp_path / "0"):
        pass
    with Offline(str(home)).start("other", tmp_path / "1"):
        pass
    with pytest.raises(TrackingError, match="is deleted in this store"):
        main(["sync"])
    assert on_record(default_uri(home)).keys() == {"other"}


def test_a_parent_that_is_deleted_in_the_midst_of_a_sweep(tmp_path, home, capsys):
    """Its jobs go on; what it lacks is kept, and sync names it until it is restored."""
    tracker = MLflow(str(home))
    client, _ = connect(home, None, "offshelf")
    with tracker.sweep("sweep", "d") as sweep:
        client.delete_run(sweep.id)
        with as_job_of(sweep.id, "one"), tracker.start("job", tmp_path / "0") as job:
            job.log(metrics={"test/accuracy": 0.5})
        sweep.run.log(tags={"best_run": job.id})
    with pytest.raises(TrackingError, match=f"is deleted in .*restore --run-id {sweep.id}"):
        main(["sync"])
    client.restore_run(sweep.id)
    main(["sync"])

    assert "does not take the run any more" in capsys.readouterr().err
    record = on_record(default_uri(home))
    assert record["job"]["status"] == record["sweep"]["status"] == "FINISHED"
    assert record["sweep"]["tags"]["best_run"] == "job"


def test_what_cannot_be_sent_stands_in_no_others_way(tmp_path, home, capsys):
    """A folder that is gone, damaged lines, a foreign note, a lost file: all are named, and nothing is deleted."""
    for name in ("good", "gone", "damaged", "lacking", "last"):
        with Offline(str(home)).start(name, tmp_path / name) as run:
            run.log(metrics={"test/accuracy": 0.5})
            run.log_text("x", "a.txt")
            run.log_text("x", "b.txt")
    (home / "offline/foreign.json").write_text("hello")
    shutil.rmtree(tmp_path / "gone")
    (journal,) = (tmp_path / "damaged").rglob(FILE)
    lines = journal.read_text().split("\n")
    journal.write_text("\n".join([lines[0], "}{", *lines[2:]]))
    next((tmp_path / "lacking").rglob("a.txt")).unlink()
    noted = len(list((home / "offline").glob("*.json")))
    with pytest.raises(TrackingError) as error:
        main(["sync"])
    told = str(error.value)

    assert "Sent to" in capsys.readouterr().out
    assert told.startswith("4 runs not sent; nothing was deleted:")
    for reason in (
        "line 2 is damaged",
        "that waits to be sent is gone",
        "foreign.json does not name",
        "has lost a file",
    ):
        assert reason in told
    record = on_record(default_uri(home))
    assert record.keys() == {"good", "last", "lacking"}
    assert record["lacking"]["files"] == {"b.txt": b"x"}
    assert record["lacking"]["status"] == "FINISHED"
    assert len(list((home / "offline").glob("*.json"))) == noted - 2


def test_variables_of_mlflow_are_not_used_and_this_is_said(tmp_path, home, monkeypatch, capsys):
    """Where runs go is the config's alone."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:9")
    with MLflow(str(home)).start("a run", tmp_path / "out"):
        pass
    client, _ = connect(home, None, "offshelf")
    client.create_registered_model("digits")

    told = capsys.readouterr().err
    assert "Not used, though set: MLFLOW_TRACKING_URI." in told
    assert "tracking.uri='${oc.env:MLFLOW_TRACKING_URI}'" in told
    assert on_record(default_uri(home)).keys() == {"a run"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../../private.txt", "{folder}/private.txt", "link.txt"])
def test_a_journal_names_no_file_outside_of_its_folder(tmp_path, home, name):
    """Somebody else's folder of a run sends nothing of the user's own."""
    (tmp_path / "private.txt").write_text("private")
    with Offline(str(home)).start("theirs", tmp_path / "theirs") as run:
        run.log_text("x", "a.txt")
    (journal,) = (tmp_path / "theirs").rglob(FILE)
    (tmp_path / "private.txt").replace(journal.parent.parent / "private.txt")
    (journal.parent / "files/link.txt").symlink_to(journal.parent.parent / "private.txt")
    named = name.format(folder=journal.parent.parent)
    journal.write_text(journal.read_text().replace('"a.txt"', f'"{named}"'))
    with pytest.raises(TrackingError, match="a file outside of its folder"):
        main(["sync", str(tmp_path / "theirs")])

    assert not on_record(default_uri(home))["theirs"]["files"]
