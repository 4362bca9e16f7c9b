"""Links in the description of a run, once MLflow has a place for it."""

import re
from dataclasses import replace
from urllib.parse import quote

from offshelf.tracking.events import LaterEvent, LogEvent
from offshelf.tracking.note import FILE, NOTE_TAG

_LINK = re.compile(rf"(!?)\[([^\]]*)\]\({FILE}([\w.-]+)\)")


def placed(event: LaterEvent, experiment: str, run: str) -> LaterEvent:
    """Return the event with links to the files of this run, where it has a description.

    They are relative to the address of MLflow's pages, so that they work wherever its server is reached.
    """
    if not isinstance(event, LogEvent) or NOTE_TAG not in event.tags:
        return event
    place = f"#/experiments/{quote(experiment)}/runs/{quote(run)}/artifacts"

    def link(found: re.Match[str]) -> str:
        mark, words, file = found.groups()
        address = f"get-artifact?path={quote(file)}&run_uuid={quote(run)}" if mark else f"{place}/{quote(file)}"
        return f"{mark}[{words}]({address})"

    return replace(event, tags={**event.tags, NOTE_TAG: _LINK.sub(link, event.tags[NOTE_TAG])})
