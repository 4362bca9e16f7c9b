"""Lines of a journal that are not what they should be: each is named, and nothing else is kept from being sent."""

import json

import pytest

from offshelf.errors import TrackingError
from offshelf.tracking import Offline
from offshelf.tracking.events import KINDS, require_event
from offshelf.tracking.journal import FILE, Journal
from offshelf.tracking.sync import Sync

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

START = {
    **{"event": "start", "format": 1, "id": "1a", "name": "a run", "time": 1, "tags": {"process": "host 1 1"}},
    **{"experiment": "offshelf", "uri": None, "begun": False},
}
LOG = {"event": "log", "time": 2, "params": {"C": "2"}, "metrics": {"a": 0.5, "b": "nan"}, "tags": {}}
END = {"event": "end", "time": 3, "status": "FINISHED"}
DAMAGED = {
    "deep list": "[" * 100_000,
    "deep objects": '{"event": "log", "params": ' + '{"a":' * 10_000,
    "no object": "[]",
    "time": json.dumps({**LOG, "time": "yesterday"}),
    "huge time": json.dumps({**LOG, "time": 10**40}),
    "no number": json.dumps({**LOG, "metrics": {"a": "very good"}}),
    "huge number": f'{{"event": "log", "time": 2, "params": {{}}, "tags": {{}}, "metrics": {{"a": 1{"0" * 400}}}}}',
    "no text": json.dumps({**LOG, "params": {"a": [1]}}),
    "no tags": json.dumps({key: value for key, value in LOG.items() if key != "tags"}),
    "status": json.dumps({**END, "status": "DONE"}),
    "name": json.dumps({"event": "file", "time": 2, "name": "a\0b"}),
    "no name": json.dumps({"event": "file", "time": 2}),
}
STARTS = {
    "id": {"id": "x' OR '1'='1"},
    "path": {"id": "../../x"},
    "tags": {"tags": ["a"]},
    "no process": {"tags": {}},
    "experiment": {"experiment": None},
    "uri": {"uri": 3},
}


def write(folder, *lines):
    """A journal."""
    folder.mkdir(parents=True)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / FILE).write_text("".join(f"{text}\n" for text in texts))
    return Journal(folder)


def test_a_whole_one_is_read(tmp_path):
    """As it is, with an event of a kind that is not known."""
    kept = write(tmp_path / "run", START, LOG, {"event": "later", "by": "a later release"}, END).read()
    assert kept.ending == ("FINISHED", 3)
    assert kept.collected("metrics") == LOG["metrics"]


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_lines(damage, tmp_path):
    """One sentence, with the number of the line."""
    with pytest.raises(TrackingError, match=r"is no journal of a run: line 3 is damaged \(.*\)$"):
        write(tmp_path / "run", START, LOG, DAMAGED[damage], END).read()


@pytest.mark.parametrize("damage", STARTS)
def test_damaged_starts(damage, tmp_path):
    """The same of what all that follows depends on."""
    with pytest.raises(TrackingError, match=r"line 1 is damaged \(.*'start'.*\)$"):
        write(tmp_path / "run", {**START, **STARTS[damage]}, END).read()


@pytest.mark.parametrize("first", [LOG, END])
def test_no_start(first, tmp_path):
    """A journal whose first line is gone."""
    with pytest.raises(TrackingError, match="is no journal of a run"):
        write(tmp_path / "run", first, END).read()


def test_every_key_is_asked_for():
    """Without it nothing is sent."""
    for event in (START, LOG, END):
        for key in KINDS[event["event"]]:
            with pytest.raises(ValueError, match=f"has no {key}"):
                require_event({name: value for name, value in event.items() if name != key})


def test_a_damaged_one_stands_in_no_others_way(home, tmp_path):
    """Nor do two that are each other's parent."""
    with Offline().start("sound", tmp_path / "sound") as run:
        run.log({"C": 2}, {"test/accuracy": 0.5})
    for number, damage in enumerate(DAMAGED.values()):
        write(tmp_path / "bad" / "tracking" / f"b{number}", {**START, "id": f"b{number}"}, LOG, damage, END)
    for one, other in (("c1", "c2"), ("c2", "c1")):
        tags = {"process": "host 1 1", "mlflow.parentRunId": other}
        write(tmp_path / "circle" / "tracking" / one, {**START, "id": one, "tags": tags}, LOG, END)
    sent = Sync(home).send([tmp_path])

    assert {run.start["name"] for run in sent.new} >= {"sound"}
    assert len([why for why in sent.failed.values() if "line 3 is damaged" in why]) == len(DAMAGED)
