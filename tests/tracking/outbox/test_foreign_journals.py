"""A journal may be damaged, or anybody's: each is sent or named in a sentence, and none stands in another's way."""

import json

import pytest

from offshelf.errors import TrackingError
from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.target import MLflowTarget
from offshelf.tracking.outbox.journal import Journal
from offshelf.tracking.outbox.sync import Sync

FILTER = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
pytestmark = [FILTER, pytest.mark.filterwarnings("ignore::ResourceWarning")]

START = {
    **{"event": "start", "format": 1, "id": "a" * 32, "name": "theirs", "time": 1_700_000_000_000},
    **{"tags": {"process": "host 1 1"}, "experiment": "offshelf", "uri": None, "begun": False},
}
LOG = {"event": "log", "time": 1, "params": {}, "metrics": {}, "tags": {}}
END = {"event": "end", "time": 1_700_000_001_000, "status": "FINISHED"}


def journal(folder, *events):
    """A folder with these lines."""
    folder.mkdir(parents=True)
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    (folder / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        *((({**START, "id": name}, END), "no valid id") for name in ("../../mine", "/x", "a' OR 'b", "", 5, None)),
        *((({**START, "time": time}, END), "no valid time") for time in ("x", -1, 10**30, 1.5, True)),
        *((({**START, "tags": tags}, END), "no valid tags") for tags in (None, {}, {"process": 1}, ["process"])),
        (({**START, "tags": {"process": "h 1 1", "mlflow.parentRunId": "../x"}}, END), "no valid tags"),
        (({**START, "name": {"a": 1}}, END), "no valid name"),
        (({**START, "experiment": None}, END), "no valid experiment"),
        (({**START, "uri": 5}, END), "no valid uri"),
        ((START, {**LOG, "params": [1]}, END), r"line 2 \(log\) has no valid params"),
        ((START, {**LOG, "params": {"C": 5}}, END), "no valid params"),
        ((START, {**LOG, "metrics": {"m": "many"}}, END), "no valid metrics"),
        ((START, {"event": "log", "time": 1}, END), "no valid params, metrics, tags"),
        ((START, {"event": "dataset", "time": 1, "name": 5}, END), "no valid name, digest, context, profile"),
        ((START, {"event": "file", "time": 1, "name": None}, END), "no valid name"),
        ((START, {**END, "status": "BROKEN"}), "no valid status"),
        ((START, {"event": "execute"}, END), "an event 'execute', which is not known"),
        ((START, START, END), "line 2 is an event 'start'"),
        ((END, START), "line 1 is an event 'end'"),
        ((START, {"time": 1}, END), "line 2 is not an event"),
        (("[" * 100_000, END), "line 1 is damaged"),
    ],
)
def test_lines_that_hold_something_else(tmp_path, events, wrong):
    """The sentence says which line, and of what."""
    with pytest.raises(TrackingError, match=f"is not the journal of a run: .*{wrong}"):
        Journal(journal(tmp_path / "kept", *events)).read()


def test_circles_of_runs(tmp_path):
    """Runs that belong under each other are named; the run beside them is sent."""
    for name, parent in (("b", "c"), ("c", "b"), ("d", "d")):
        tags = {"process": "host 1 1", "mlflow.parentRunId": parent * 32}
        journal(tmp_path / "all" / name, {**START, "id": name * 32, "tags": tags}, END)
    journal(tmp_path / "all" / "a", START, END)
    sent = Sync(tmp_path / "home", MLflowTarget.connect).send([tmp_path / "all"])
    assert [run.id for run in sent.new] == ["a" * 32]
    assert set(sent.failed) == {"b" * 32, "c" * 32, "d" * 32}
    assert all("is nested under itself" in why for why in sent.failed.values())


def test_others_do_not_say_where_runs_go(tmp_path):
    """A store that the journal names is written to once the user names it."""
    uri = f"sqlite:///{tmp_path / 'theirs.db'}"
    folder = journal(tmp_path / "kept", {**START, "uri": uri}, END)
    sent = Sync(tmp_path / "home", MLflowTarget.connect).send([folder])
    assert f"tracking.uri={uri}" in sent.failed["a" * 32]
    assert not (tmp_path / "theirs.db").exists()
    assert [run.id for run in Sync(tmp_path / "home", MLflowTarget.connect, uri).send([folder]).new] == ["a" * 32]


def test_artifacts_of_others_stay_in_the_home(tmp_path):
    """An experiment that is called like a way up."""
    home, kept = tmp_path / "deep" / "home", tmp_path / "deep" / "kept"
    file = {"event": "file", "time": 1, "name": "note.txt"}
    journal(kept, {**START, "experiment": "../../../elsewhere"}, file, END)
    (kept / "files").mkdir()
    (kept / "files" / "note.txt").write_text("theirs")
    assert Sync(home, MLflowTarget.connect).send([kept]).new
    places = [path.parent for path in tmp_path.rglob("note.txt")]
    assert len(places) == 2
    assert all(place == kept / "files" or place.is_relative_to(home / "artifacts") for place in places)
    assert MLflow(str(home), experiment="../../../elsewhere").finished("none") == {}
