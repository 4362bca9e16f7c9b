"""What the lines of a journal hold: it may be damaged, or anybody's, and is questioned before it is used."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

LATEST = 2**53
"""Milliseconds: more than any time, and what all stores take."""
STATUSES = ("FINISHED", "FAILED", "KILLED")

Test = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[\w-]{1,64}", value, re.ASCII) is not None


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LATEST


def _are_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


def _are_tags(value: Any) -> bool:
    return _are_texts(value) and "process" in value and _is_id(value.get("mlflow.parentRunId") or "none")


def _are_numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_number, value.values()))


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value in ("nan", "inf", "-inf")
    return isinstance(value, int | float) and math.isfinite(value)


HOLDS: Mapping[str, Mapping[str, Test]] = {
    "start": {
        "id": _is_id,
        "name": _is_text,
        "time": _is_time,
        "tags": _are_tags,
        "experiment": _is_text,
        "uri": lambda value: value is None or _is_text(value),
        "begun": lambda value: isinstance(value, bool),
    },
    "log": {"time": _is_time, "params": _are_texts, "metrics": _are_numbers, "tags": _are_texts},
    "file": {"time": _is_time, "name": _is_text},
    "dataset": {
        **{"time": _is_time, "name": _is_text, "digest": _is_text, "context": _is_text},
        "profile": lambda value: isinstance(value, Mapping),
    },
    "resume": {"time": _is_time, "process": _is_text},
    "end": {"time": _is_time, "status": lambda value: value in STATUSES},
}
"""Of each kind of event its fields; others are left alone."""


def require_event(event: Any, number: int) -> None:
    """Raise ValueError for a line that is no event, or lacks what it should hold; the first line is the start."""
    kind = event.get("event") if isinstance(event, Mapping) else None
    if not isinstance(kind, str):
        raise ValueError(f"line {number} is no event")
    if kind not in HOLDS or (kind == "start") != (number == 1):
        raise ValueError(f"line {number} is an event '{kind[:40]}', which is not known there")
    wrong = [name for name, is_right in HOLDS[kind].items() if name not in event or not is_right(event[name])]
    if wrong:
        raise ValueError(f"line {number} ({kind}) has no sound {', '.join(wrong)}")
