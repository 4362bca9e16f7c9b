"""Where kept runs are: in output folders, and in the home, which lists them all."""

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from offshelf.errors import TrackingError
from offshelf.home import home_dir
from offshelf.terminal import say
from offshelf.tracking.journal import FILE, PARENT, Event, Journal, Kept


@dataclass(frozen=True)
class Shelf:
    """The kept runs of a home: what waits to be sent, and what is sent."""

    home: Path

    @property
    def runs(self) -> Path:
        """Journals of runs that have no output folder."""
        return self.home / "offline" / "runs"

    def add(self, run: str, journal: Journal) -> None:
        """Note that a run waits; also one that was sent and goes on.

        Raises:
            OSError: the home cannot be written; nothing is left half written.
        """
        entry = self._entry(run)
        entry.parent.mkdir(parents=True, exist_ok=True)
        try:
            entry.write_text(json.dumps({"folder": str(journal.folder.absolute())}), encoding="utf-8")
        except OSError:
            entry.unlink(missing_ok=True)
            raise
        self._entry(run, "sent").unlink(missing_ok=True)

    def sent(self, run: str) -> None:
        """Note that a run waits no more."""
        entry, place = self._entry(run), self._entry(run, "sent")
        if entry.exists():
            place.parent.mkdir(exist_ok=True)
            entry.replace(place)

    def entries(self) -> list[Path]:
        """Notes of those to be sent."""
        return sorted((self.home / "offline").glob("*.json"))

    def waiting(self) -> list[Journal]:
        """Those to be sent.

        Raises:
            TrackingError: a note is none of these.
        """
        return list(map(noted, self.entries()))

    def find(self, run: str) -> Journal | None:
        """A run's journal; None where there is none of this id, or its folder is gone."""
        found = [noted(entry) for entry in (self._entry(run), self._entry(run, "sent")) if entry.exists()]
        return next((journal for journal in found if (journal.folder / FILE).exists()), None)

    def tagged(self, tag: str, value: str) -> Iterator[Kept]:
        """All with a tag that they were opened with, sent or not, whose folders are still there."""
        for part in ("", "sent"):
            for entry in (self.home / "offline" / part).glob("*.json"):
                with suppress(TrackingError):  # what is damaged is named when it is to be sent
                    journal = noted(entry)
                    if journal.tags().get(tag) == value:
                        yield journal.read()

    def _entry(self, run: str, part: str = "") -> Path:
        return self.home / "offline" / part / f"{run}.json"


@dataclass(frozen=True)
class Place:
    """Where the journals of a run and of those under it are."""

    home: Path
    folder: Path | None
    """The output folder; None of a run without one."""

    def open(self, start: Event) -> Journal:
        """Begin the journal of a run; where the home cannot be written it is found by its folder alone.

        Raises:
            TrackingError: the folder cannot be written.
        """
        shelf = Shelf(self.home)
        journal = Journal((self.folder / "tracking" if self.folder else shelf.runs) / str(start["id"]))
        journal.write(start)
        try:
            shelf.add(start["id"], journal)
        except OSError as error:
            found = shlex.join(["offshelf", "track", "sync", str(journal.folder)])
            why = f"{self.home} cannot be written ({error.strerror})."
            say(f"{why} This run is found by its folder: {found}", stderr=True)
        return journal

    def command(self) -> str:
        """That sends them; of a job of a sweep, the sweep."""
        alone = self.folder and not os.environ.get(PARENT)
        where = [str(self.folder)] if alone else []
        elsewhere = [f"home={self.home}"] if self.home != home_dir() else []
        return shlex.join(["offshelf", "track", "sync", *where, *elsewhere])


def noted(entry: Path) -> Journal:
    """The journal that a note of the home tells of.

    Raises:
        TrackingError: it is no such note.
    """
    try:
        return Journal(Path(json.loads(entry.read_text(encoding="utf-8"))["folder"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(
            f"{entry} does not tell of a run. Find the run's output folder, and sync that; then remove this file."
        ) from error
