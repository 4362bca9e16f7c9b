"""Runs that were kept, sent: the record is that of a run that was never kept, however often and brokenly it is sent."""

import json
import shutil
import socket
import subprocess
import sys
import textwrap
import time

import pytest
from matplotlib.figure import Figure
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from record import on_record

from offshelf.cli import check, run_task
from offshelf.commands.track import main
from offshelf.errors import ConfigError, TrackingError
from offshelf.tracking import MLflow, Offline, as_job_of
from offshelf.tracking.mlflow import connection as connecting
from offshelf.tracking.mlflow import reachability
from offshelf.tracking.mlflow import target as syncing
from offshelf.tracking.mlflow import tracker as online
from offshelf.tracking.mlflow.client import connect, default_uri
from offshelf.tracking.mlflow.sending import send
from offshelf.tracking.mlflow.target import MLflowTarget
from offshelf.tracking.outbox.journal import FILE, Journal
from offshelf.tracking.outbox.outbox import Outbox
from offshelf.tracking.outbox.sync import Sync

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def log_all(tracker, folder):
    """A run that uses all there is, with two runs under it, one of which fails."""
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(bytes(range(256)))
    with tracker.start("Übung", folder) as run:
        run.log({"classifier.C": [1, 2], "long": "ö" * 20_000}, {"test/accuracy": 0.1}, {"metric": "accuracy"})
        run.log_text("seed: 0\n", "config.yaml")
        run.log_dataset("digits", "d" * 64, "all", {"images": 3})
        with run.child("layer one") as child:
            child.log(metrics={"test/accuracy": 0.5, "infinite": float("inf"), "ö=": 1})
            child.log_table({"class": ["a", "ß"], "accuracy": [1.0, float("nan")]}, "per_class.json")
        with pytest.raises(ValueError), run.child("layer two"):
            raise ValueError
        run.log_table({"layer": ["one"]}, "layers.json")
        run.log_table({"layer": ["two"]}, "plots/others.json")
        run.log_figure(Figure(), "confusion.png")
        run.log_file(folder / "model.bin")
        run.log({"n": 1}, {f"m/{number}": number for number in range(250)}, {"feature_digest": "abc"})


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What is on record of a run that was never kept."""
    folder = tmp_path_factory.mktemp("online")
    log_all(MLflow(str(folder)), folder / "out")
    assert not (folder / "out" / "tracking").exists()
    return on_record(default_uri(folder))


@pytest.mark.slow
def test_a_kept_run_is_on_record_as_any_other(tmp_path, home, expected):
    """Sent twice, it is there once; times are those of the run."""
    log_all(Offline(), tmp_path / "out")
    assert not (home / "mlflow.db").exists()
    ended = time.time() * 1000
    main(["sync", str(tmp_path / "out")])
    main(["sync", str(tmp_path / "out")])
    main(["sync"])

    assert on_record(default_uri(home)) == expected
    client = MlflowClient(default_uri(home))
    runs = client.search_runs([client.get_experiment_by_name("offshelf").experiment_id])
    assert all(run.info.start_time <= run.info.end_time <= ended for run in runs)


class Failing:
    """Hands some events on, then fails for good; the last one is taken, but this is not confirmed."""

    def __init__(self, left):
        self.left = left

    def __call__(self, *given):
        if self.left <= 0:
            raise MlflowException("the line is dead")
        self.left -= 1
        send(*given)
        if self.left == 0:
            raise MlflowException("no answer")


@pytest.mark.parametrize("events", [2, 9])
def test_a_run_that_was_half_sent_is_completed(tmp_path, home, expected, monkeypatch, events):
    """Whatever was sent before."""
    log_all(Offline(), tmp_path / "out")
    monkeypatch.setattr(syncing, "send", Failing(events))
    with pytest.raises(TrackingError, match=r"3 runs not sent(.|\n)*cannot be used: the line is dead"):
        main(["sync", str(tmp_path / "out")])
    monkeypatch.setattr(syncing, "send", send)
    main(["sync"])

    assert on_record(default_uri(home)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("events", [1, 9])
def test_a_run_whose_server_is_lost_is_completed(tmp_path, home, expected, monkeypatch, capsys, events):
    """Under the id that it was begun with; what was lost is said once."""
    failing = Failing(events)
    monkeypatch.setattr(connecting, "send", failing)
    log_all(MLflow(), tmp_path / "out")
    told = capsys.readouterr().err
    monkeypatch.setattr(connecting, "send", send)
    main(["sync", str(tmp_path / "out")])
    main(["sync", str(tmp_path / "out")])

    assert told.count("does not take the run any more") == 1
    assert f"offshelf track sync {tmp_path / 'out'}" in told
    assert on_record(default_uri(home)) == expected


@pytest.mark.slow
def test_an_opening_that_was_not_confirmed_is_found(tmp_path, home, expected, monkeypatch):
    """MLflow has the run, and did not get to say so."""

    def create(*given):
        found(*given)
        raise MlflowException("no answer")

    found = connecting.create
    monkeypatch.setattr(connecting, "create", create)
    log_all(MLflow(), tmp_path / "out")
    monkeypatch.setattr(connecting, "create", found)
    main(["sync"])

    assert on_record(default_uri(home)) == expected


def test_a_sweep_names_its_runs_as_mlflow_does(tmp_path, home):
    """Jobs under the parent, also where they are sent first; the best run by MLflow's id."""
    tracker = Offline()
    with tracker.sweep("sweep", "d", resume=True) as sweep:
        with as_job_of(sweep.id, "one"), tracker.start("job", tmp_path / "0") as job:
            job.log(metrics={"test/accuracy": 0.5}, tags={"metric": "accuracy"})
        (done,) = sweep.finished().values()
        sweep.run.log(tags={"best_run": done.id})
        sweep.log_table({"run": [done.id]}, "jobs.json")
    main(["sync", str(tmp_path)])
    main(["sync"])
    record = on_record(default_uri(home))
    client = MlflowClient(default_uri(home))
    runs = client.search_runs([client.get_experiment_by_name("offshelf").experiment_id])
    ids = {run.info.run_name: run.info.run_id for run in runs}

    assert (done.id, done.metrics) == (job.id, {"test/accuracy": 0.5})
    assert record["job"]["tags"]["mlflow.parentRunId"] == "sweep"
    assert record["sweep"]["tags"]["best_run"] == "job"
    assert json.loads(record["sweep"]["files"]["jobs.json"])["data"] == [[ids["job"]]]


def test_a_sweep_is_taken_up_again_also_after_it_was_sent(tmp_path, home):
    """By its digest, unless it is finished or in progress."""
    tracker = Offline()
    with pytest.raises(KeyboardInterrupt), tracker.sweep("sweep", "d", resume=True) as first:
        with as_job_of(first.id, "one"), tracker.start("job", tmp_path / "0"):
            pass
        with as_job_of(first.id, "two"), tracker.start("broken", tmp_path / "1"):
            raise KeyboardInterrupt
    main(["sync"])
    assert on_record(default_uri(home))["sweep"]["status"] == "KILLED"
    with (tmp_path / "home/offline/runs" / first.id / FILE).open("a") as journal:
        journal.write('{"event": "log", "cut')
    assert tracker.finished("d").keys() == {"one"}
    with tracker.sweep("again", "d", resume=True) as again:
        assert again.finished().keys() == {"one"}
        with tracker.sweep("beside", "d", resume=True) as beside:
            pass
    assert tracker.finished("d") == {}
    main(["sync"])

    assert again.id == first.id != beside.id
    record = on_record(default_uri(home))
    assert {name: run["status"] for name, run in record.items()} == {
        **{"sweep": "FINISHED", "job": "FINISHED", "broken": "KILLED", "beside": "FINISHED"}
    }


def test_a_run_that_goes_on_is_left_alone(tmp_path, home, capsys):
    """With those under it; that of a process which was killed is closed so."""
    code = """
        import sys
        from pathlib import Path
        from offshelf.tracking import Offline
        with Offline().start("a run", Path(sys.argv[1])) as run, run.child("layer") as child:
            child.log(metrics={"test/accuracy": 0.5})
            print(run.id, flush=True)
            input()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        run = process.stdout.readline().strip()
        assert main(["sync", str(tmp_path)]).code == 0
        told = capsys.readouterr().out
        assert not (home / "mlflow.db").exists()
        process.kill()
    main(["sync", str(tmp_path)])

    assert told.count("Skipped: ") == 2
    assert f"its process is {socket.gethostname()} {process.pid}" in told
    assert {name: one["status"] for name, one in on_record(default_uri(home)).items()} == {
        **{"a run": "KILLED", "layer": "KILLED"}
    }
    assert Journal(tmp_path / "out/tracking" / run).read().start.parent == ""


def test_ended_elsewhere(tmp_path, home, capsys):
    """Whether a process of another host lives cannot be told: its user tells."""
    with Offline().start("a run", tmp_path / "out") as run:
        pass
    journal = tmp_path / "out/tracking" / run.id / FILE
    start = json.loads(journal.read_text().split("\n")[0])
    start["tags"]["process"] = "elsewhere 1 2"
    journal.write_text(f"{json.dumps(start)}\n")

    main(["sync"])
    assert "its process is elsewhere 1." in capsys.readouterr().out
    main(["sync", "--ended"])
    assert on_record(default_uri(home))["a run"]["status"] == "KILLED"


def test_what_cannot_be_sent(tmp_path, home):
    """One sentence each."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrackingError, match="has no run"):
        main(["sync", str(tmp_path / "empty")])
    with pytest.raises(ConfigError, match="There is no folder"):
        main(["sync", str(tmp_path / "missing")])
    with pytest.raises(ConfigError, match="offshelf track"):
        main(["snyc"])

    with Offline().sweep("sweep", "d") as sweep, Offline().start("job", tmp_path / "job"):
        pass
    with pytest.raises(TrackingError, match=f"belongs under the run {sweep.id}, which is not here"):
        Sync(tmp_path / "elsewhere", MLflowTarget.connect).send([tmp_path / "job"]).require_success()

    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / FILE).write_text('{"format": 99}\n')
    with pytest.raises(TrackingError, match="it has format 99"):
        main(["sync", str(tmp_path / "bad")])


@pytest.mark.slow
def test_the_rest_of_a_run_goes_where_it_was_begun(tmp_path, monkeypatch):
    """Nowhere else."""
    monkeypatch.setattr(connecting, "send", Failing(3))
    log_all(MLflow(), tmp_path / "out")
    other = tmp_path / "other"
    connect(other, None, "offshelf")

    with pytest.raises(TrackingError, match="was sent elsewhere"):
        main(["sync", str(tmp_path / "out"), f"tracking.uri={default_uri(other)}"])


def test_a_full_disk_keeps_nothing_and_says_so(small_disk):
    """A sentence, not a traceback."""
    with pytest.raises(TrackingError, match="The run cannot be stored in"), Offline().start("run", small_disk) as run:
        run.log_text("x" * 2_000_000, "config.yaml")


@pytest.mark.parametrize("event", [1, 6])
def test_a_disk_that_fills_in_the_middle(small_disk, tmp_path, expected, monkeypatch, capsys, event):
    """That of the home: the run goes on in its own folder, and is completed once there is room."""
    subprocess.run(["mount", "-o", "remount,size=5m", str(small_disk)], check=True)
    ballast, sent = small_disk / "ballast", []

    def fill_and_send(*given):
        sent.append(given)
        if len(sent) == event:
            ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free))
        send(*given)

    monkeypatch.setattr(connecting, "send", fill_and_send)
    log_all(MLflow(str(small_disk)), tmp_path / "out")
    assert "mlflow.db does not take the run any more" in capsys.readouterr().err
    ballast.unlink()
    main(["sync", str(tmp_path / "out"), f"home={small_disk}"])

    assert on_record(default_uri(small_disk)) == expected


def test_jobs_of_a_sweep_go_on_without_the_server(tmp_path, home, monkeypatch, capsys):
    """One that starts when the server is gone is kept too, under the same parent."""
    tracker = MLflow()
    with tracker.sweep("sweep", "d") as sweep:
        monkeypatch.setattr(online, "connect", lambda *_: (_ for _ in ()).throw(TrackingError("no server")))
        with as_job_of(sweep.id, "one"), tracker.start("job", tmp_path / "0") as job:
            job.log(metrics={"test/accuracy": 0.5})
    monkeypatch.undo()
    assert "no server" in capsys.readouterr().err
    main(["sync", f"home={home}"])

    record = on_record(default_uri(home))
    assert record["job"]["tags"]["mlflow.parentRunId"] == "sweep"
    assert record["job"]["status"] == "FINISHED"


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_swallows_packets_is_known_in_five_seconds(tmp_path, scheme, monkeypatch):
    """It takes no connection, and does not say so; here it has less time to answer."""
    assert reachability.TIMEOUT < 5
    monkeypatch.setattr(reachability, "TIMEOUT", 0.7)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        with socket.socket() as first, socket.socket() as second:  # which fill the queue
            for one in (first, second):
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            begin = time.monotonic()
            with pytest.raises(TrackingError, match=r"timed out.*tracking=offline") as error:
                connect(tmp_path, f"{scheme}://me:secret@127.0.0.1:{port}", "offshelf")
    assert 0.7 <= time.monotonic() - begin < 5
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("task", ["classify", "retrieve"])
def test_a_server_is_asked_for_before_the_work(tmp_path, monkeypatch, task):
    """Before the data are looked at, which may take long."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrackingError, match=r"No MLflow server answers at http://127\.0\.0\.1:9 .*tracking=offline"):
        run_task(check(task, ["dataset=folder", "dataset.root=missing", "tracking.uri=http://127.0.0.1:9"]))


def test_the_outbox_lists_what_waits(tmp_path, home):
    """Until it is sent."""
    with Offline().start("a run", tmp_path / "out") as run:
        pass
    assert [journal.folder.name for journal in Outbox(home).waiting()] == [run.id]
    main(["sync"])
    assert Outbox(home).waiting() == []
