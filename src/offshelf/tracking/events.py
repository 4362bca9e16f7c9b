"""What the lines of a journal have to be: it may be damaged, edited by hand, or anybody's."""

import re
from collections.abc import Callable, Mapping
from typing import Any

LONGEST_TIME = 2**62
"""Milliseconds that every database takes."""

STATUSES = ("FINISHED", "FAILED", "KILLED")


def require_event(event: Any) -> None:
    """Refuse what is no event; of kinds that are not known, of a later release say, nothing is asked.

    Raises:
        ValueError: which part of it is wrong.
    """
    if not isinstance(event, Mapping) or not isinstance(event.get("event", ""), str):
        raise ValueError("it is no event")
    kind = event.get("event", "")
    for key, fits in KINDS.get(kind, {}).items():
        if key not in event:
            raise ValueError(f"its event '{kind}' has no {key}")
        if not fits(event[key]):
            raise ValueError(f"the {key} of its event '{kind}' is not what it should be")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _name(value: Any) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[\w-]{1,64}", value) is not None


def _time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LONGEST_TIME


def _number(value: Any) -> bool:
    if isinstance(value, str):
        return value in ("nan", "inf", "-inf")
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LONGEST_TIME**16


def _texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_text, value.values()))


def _numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_number, value.values()))


def _started(value: Any) -> bool:
    return _texts(value) and "process" in value


KINDS: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "start": {
        **{"id": _id, "name": _text, "time": _time, "tags": _started, "experiment": _name},
        **{"uri": lambda value: value is None or _text(value), "begun": lambda value: isinstance(value, bool)},
    },
    "log": {"time": _time, "params": _texts, "metrics": _numbers, "tags": _texts},
    "file": {"time": _time, "name": _name},
    "dataset": {
        **{"time": _time, "name": _text, "digest": _text, "context": _text},
        "profile": lambda value: isinstance(value, Mapping),
    },
    "resume": {"time": _time, "process": _text},
    "end": {"time": _time, "status": lambda value: value in STATUSES},
}
"""What an event of each kind has, and whether that is what it should be."""
