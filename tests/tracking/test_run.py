"""What a run logs, as the events that a journal keeps."""

import pytest

from offshelf.tracking import Offline
from offshelf.tracking.events import LogEvent
from offshelf.tracking.outbox.outbox import Outbox

TAG = "mlflow.loggedArtifacts"


def logged(home, run):
    """The log events of a run."""
    return [event for event in Outbox(home).find(run.id).read().events if isinstance(event, LogEvent)]


def test_the_names_of_tables_go_with_what_comes_next(tmp_path, home):
    """As one event, which is one request to a server."""
    with Offline().start("a run", tmp_path / "out") as run:
        run.log_table({"a": [1]}, "a.json")
        run.log(metrics={"m": 1.0}, tags={"b": "c"})
    (event,) = logged(home, run)

    assert event.metrics == {"m": 1.0}
    assert event.tags.keys() == {"b", TAG}


@pytest.mark.parametrize("error", [None, KeyError])
def test_or_with_the_end(error, tmp_path, home):
    """However the run ends; the tables that were named before are named again."""
    try:
        with Offline().start("a run", tmp_path / "out") as run:
            run.log_table({"a": [1]}, "a.json")
            run.log(metrics={"m": 1.0})
            run.log_table({"a": [1]}, "b.json")
            if error:
                raise error
    except KeyError:
        pass
    first, last = logged(home, run)

    assert "a.json" in first.tags[TAG] and "b.json" not in first.tags[TAG]
    assert "a.json" in last.tags[TAG] and "b.json" in last.tags[TAG]
    assert Outbox(home).find(run.id).read().end.status == ("FAILED" if error else "FINISHED")
