"""Records that features of other releases were verified to be equal today: one small file for each verification."""

import json
from collections.abc import Iterable
from pathlib import Path

from offshelf.identity import digest

FOLDER = "releases"


def vouch(folder: Path, keys: Iterable[str], then: str, now: str) -> None:
    """Record that features of these keys, written under `then`, are equal under `now`. Raises OSError."""
    content = {"then": then, "now": now, "keys": sorted(keys)}
    path = folder / FOLDER / f"{digest(content)[:32]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def vouched(folder: Path, now: str) -> set[tuple[str, str]]:
    """Return pairs of key and releases that are verified under today's releases."""
    found: set[tuple[str, str]] = set()
    for path in (folder / FOLDER).glob("*.json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["now"] == now:
                found |= {(key, content["then"]) for key in content["keys"]}
        except (ValueError, KeyError, TypeError, OSError):
            continue  # half-written: the verification is repeated
    return found
