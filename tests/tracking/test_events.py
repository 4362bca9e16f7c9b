"""Events: their lines in a journal, to the byte, and a closed union whose missing cases mypy reports."""

import math
import shutil
import subprocess
import sys
from typing import get_args

import pytest

from offshelf.tracking import events
from offshelf.tracking.events import (
    DatasetEvent,
    EndEvent,
    FileEvent,
    LaterEvent,
    LogEvent,
    ResumeEvent,
    StartEvent,
    from_json,
    to_json,
)

TAGS = {"process": "host 1 2", "mlflow.parentRunId": "b"}
LINES = {
    '{"event": "start", "format": 1, "id": "a", "name": "Übung", "time": 5, "tags": {"process": "host 1 2", '
    '"mlflow.parentRunId": "b"}, "experiment": "offshelf", "uri": null, "begun": false}': StartEvent(
        "a", "Übung", 5, TAGS, "offshelf", None, False
    ),
    '{"event": "log", "time": 5, "params": {"C": "1"}, "metrics": {"m": 0.1, "up": "inf", "down": "-inf"}, '
    '"tags": {"t": "x"}}': LogEvent(5, {"C": "1"}, {"m": 0.1, "up": math.inf, "down": -math.inf}, {"t": "x"}),
    '{"event": "file", "time": 5, "name": "plots/a.png"}': FileEvent(5, "plots/a.png"),
    '{"event": "dataset", "time": 5, "name": "digits", "digest": "d", "context": "all", "profile": {"images": 3}}': (
        DatasetEvent(5, "digits", "d", "all", {"images": 3})
    ),
    '{"event": "resume", "time": 5, "process": "host 2 3"}': ResumeEvent(5, "host 2 3"),
    '{"event": "end", "time": 5, "status": "FINISHED"}': EndEvent(5, "FINISHED"),
}


@pytest.mark.parametrize(("line", "event"), LINES.items(), ids=[line[11:16] for line in LINES])
def test_lines_are_those_of_the_documented_format(line, event):
    """Journals of earlier versions are read, and written as they were."""
    assert to_json(event) == line
    assert from_json(line, 1 if isinstance(event, StartEvent) else 2) == event


def test_a_number_that_is_none():
    """NaN, which equals nothing, and an integer that no float holds."""
    line = to_json(LogEvent(5, {}, {"m": math.nan}, {}))
    assert '"m": "nan"' in line
    assert math.isnan(from_json(line, 2).metrics["m"])
    with pytest.raises(ValueError, match="no valid metrics"):
        from_json(line.replace('"nan"', "1" + "0" * 400), 2)


def test_fields_of_later_versions_are_ignored():
    assert from_json('{"event": "end", "time": 5, "status": "FAILED", "more": 1}', 2) == EndEvent(5, "FAILED")


@pytest.mark.slow
def test_mypy_reports_a_missing_case(tmp_path):
    """One function that handles all events, and one per event that does not handle it."""
    kinds = [kind.__name__ for kind in get_args(LaterEvent)]
    text = "from typing import assert_never\nfrom events import *\n"
    for missing in ["", *kinds]:
        arms = "".join(f"        case {kind}():\n            return\n" for kind in kinds if kind != missing)
        text += f"def without_{missing}(event: LaterEvent) -> None:\n    match event:\n{arms}"
        text += "        case _:\n            assert_never(event)\n"
    (tmp_path / "snippet.py").write_text(text)
    shutil.copy(events.__file__, tmp_path / "events.py")  # alone, as mypy would look at the whole package otherwise
    command = [sys.executable, "-m", "mypy", "--strict", "snippet.py"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]

    assert len(errors) == len(kinds), done.stdout + done.stderr
    for kind, error in zip(kinds, errors, strict=True):
        assert 'Argument 1 to "assert_never"' in error
        assert f'"{kind}"' in error
