"""Typed events of a run, and their JSON form: one line of a journal per event.

`Event` is a closed union. A consumer handles it with `match` and ends with `assert_never`, so that mypy reports an
event that is not handled.
"""

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

FORMAT = 1
"""Version of the JSON form, which the start event states."""

LATEST = 2**53
"""Upper bound of a time in milliseconds, which all stores accept."""

STATUSES = ("FINISHED", "FAILED", "KILLED")

PARENT_TAG = "mlflow.parentRunId"
"""Tag with the id of the parent run."""


@dataclass(frozen=True)
class StartEvent:
    """The start of a run: always the first event, and only that."""

    id: str
    """MLflow's id if MLflow has the run already (`begun`), else the run's own."""
    name: str
    time: int
    """Milliseconds since 1970, as in all events."""
    tags: Mapping[str, str]
    """At least `process`, the process that opened the run."""
    experiment: str
    uri: str | None
    """Server that the run is meant for, without its password; None for the SQLite store of the home."""
    begun: bool
    """Whether MLflow has the run under this id, with everything before this journal."""

    @property
    def parent(self) -> str:
        """Id of the parent run; empty if there is none."""
        return self.tags.get(PARENT_TAG, "")

    @property
    def process(self) -> str:
        """Process that opened the run."""
        return self.tags["process"]


@dataclass(frozen=True)
class LogEvent:
    """Parameters, metrics and tags that were logged together."""

    time: int
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class FileEvent:
    """An artifact, whose content is stored or sent along with the event."""

    time: int
    name: str
    """POSIX path below the run's artifacts."""


@dataclass(frozen=True)
class DatasetEvent:
    """A data set that is the run's input."""

    time: int
    name: str
    digest: str
    context: str
    """`train`, `test` or `all`."""
    profile: Mapping[str, Any]


@dataclass(frozen=True)
class ResumeEvent:
    """The resumption of a sweep that had ended, by another process."""

    time: int
    process: str


@dataclass(frozen=True)
class EndEvent:
    """The end of a run."""

    time: int
    status: str
    """One of `STATUSES`."""


LaterEvent = LogEvent | FileEvent | DatasetEvent | ResumeEvent | EndEvent
"""Any event but the start."""

Event = StartEvent | LaterEvent

KINDS: Mapping[str, type[Event]] = {
    **{"start": StartEvent, "log": LogEvent, "file": FileEvent},
    **{"dataset": DatasetEvent, "resume": ResumeEvent, "end": EndEvent},
}
"""Classes by the value of `event` in JSON."""

_KIND_OF = {kind: name for name, kind in KINDS.items()}


def now() -> int:
    """Return the time in milliseconds since 1970."""
    return int(time.time() * 1000)


def to_json(event: Event) -> str:
    """Return the event as one line of JSON; non-finite numbers become the strings "nan", "inf" and "-inf"."""
    head = {"event": _KIND_OF[type(event)], **({"format": FORMAT} if isinstance(event, StartEvent) else {})}
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    return json.dumps(_json_value({**head, **values}), ensure_ascii=False, allow_nan=False, default=str)


def from_json(line: str, number: int) -> Event:
    """Return the event of a line; a journal may be damaged, or come from anyone, so every field is checked.

    Args:
        line: One line of a journal. Fields that are not known are ignored.
        number: Its line number, from 1; line 1 must be the start event.

    Raises:
        ValueError: The line is not an event of this format, or a field is missing or invalid.
    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number} is damaged ({error})") from error
    name = values.get("event") if isinstance(values, dict) else None
    if number == 1 and isinstance(values, dict) and values.get("format", FORMAT) != FORMAT:
        raise ValueError(f"it has format {values['format']!r}; this version of offshelf reads {FORMAT}")
    if not isinstance(name, str):
        raise ValueError(f"line {number} is not an event")
    if name not in KINDS or (name == "start") != (number == 1):
        raise ValueError(f"line {number} is an event '{name[:40]}', which is not known there")
    kind = KINDS[name]
    wrong = [field for field, is_valid in _CHECKS[kind].items() if field not in values or not is_valid(values[field])]
    if wrong:
        raise ValueError(f"line {number} ({name}) has no valid {', '.join(wrong)}")
    known = {field: values[field] for field in _CHECKS[kind]}
    if kind is LogEvent:
        known["metrics"] = {metric: float(value) for metric, value in known["metrics"].items()}
    return kind(**known)


def _json_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value]
    return str(float(value)) if isinstance(value, float) and not math.isfinite(value) else value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[\w-]{1,64}", value, re.ASCII) is not None


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LATEST


def _are_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


def _are_start_tags(value: Any) -> bool:
    return _are_texts(value) and "process" in value and _is_id(value.get(PARENT_TAG) or "none")


def _are_numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_number, value.values()))


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value in ("nan", "inf", "-inf")
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


_CHECKS: Mapping[type[Event], Mapping[str, Callable[[Any], bool]]] = {
    StartEvent: {
        **{"id": _is_id, "name": _is_text, "time": _is_time, "tags": _are_start_tags, "experiment": _is_text},
        "uri": lambda value: value is None or _is_text(value),
        "begun": lambda value: isinstance(value, bool),
    },
    LogEvent: {"time": _is_time, "params": _are_texts, "metrics": _are_numbers, "tags": _are_texts},
    FileEvent: {"time": _is_time, "name": _is_text},
    DatasetEvent: {
        **{"time": _is_time, "name": _is_text, "digest": _is_text, "context": _is_text},
        "profile": lambda value: isinstance(value, Mapping),
    },
    ResumeEvent: {"time": _is_time, "process": _is_text},
    EndEvent: {"time": _is_time, "status": lambda value: value in STATUSES},
}
"""Checks by class and field."""
