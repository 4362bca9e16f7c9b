"""The outbox of a home: the list of its journaled runs, those that wait to be sent and those that were sent."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from offshelf.errors import TrackingError
from offshelf.tracking.outbox.journal import FILE, Journal, JournaledRun


@dataclass(frozen=True)
class Outbox:
    """The journaled runs of a home: one note per run in `<home>/offline`, in `sent` once the run was sent."""

    home: Path

    @property
    def runs(self) -> Path:
        """Folder of the journals of runs without an output folder."""
        return self.home / "offline" / "runs"

    def add(self, run: str, journal: Journal) -> None:
        """Note that a run waits to be sent; also a run that was sent and is resumed.

        Raises:
            OSError: The home cannot be written to; no partial note is left.
        """
        note = self._note(run)
        note.parent.mkdir(parents=True, exist_ok=True)
        try:
            note.write_text(json.dumps({"folder": str(journal.folder.absolute())}), encoding="utf-8")
        except OSError:
            note.unlink(missing_ok=True)
            raise
        self._note(run, "sent").unlink(missing_ok=True)

    def mark_sent(self, run: str) -> None:
        """Note that a run was sent."""
        note, sent = self._note(run), self._note(run, "sent")
        if note.exists():
            sent.parent.mkdir(exist_ok=True)
            note.replace(sent)

    def remove(self, run: str) -> None:
        """Forget a run whose journal is removed."""
        self._note(run).unlink(missing_ok=True)

    def notes(self) -> list[Path]:
        """Return the notes of the runs that wait to be sent."""
        return sorted((self.home / "offline").glob("*.json"))

    def waiting(self) -> list[Journal]:
        """Return the journals that wait to be sent.

        Raises:
            TrackingError: A note is damaged.
        """
        return list(map(noted_journal, self.notes()))

    def find(self, run: str) -> Journal | None:
        """Return the journal of a run; None if no run has this id, or its folder is gone."""
        found = [noted_journal(note) for note in (self._note(run), self._note(run, "sent")) if note.exists()]
        return next((journal for journal in found if (journal.folder / FILE).exists()), None)

    def with_tag(self, tag: str, value: str) -> Iterator[JournaledRun]:
        """Yield all runs, sent or not, that were opened with a tag and whose folders still exist."""
        for part in ("", "sent"):
            for note in (self.home / "offline" / part).glob("*.json"):
                with suppress(TrackingError):  # damage is reported when the run is to be sent
                    journal = noted_journal(note)
                    if journal.start_tags().get(tag) == value:
                        yield journal.read()

    def _note(self, run: str, part: str = "") -> Path:
        return self.home / "offline" / part / f"{run}.json"


def noted_journal(note: Path) -> Journal:
    """Return the journal that a note of the outbox names.

    Raises:
        TrackingError: The note is damaged.
    """
    try:
        return Journal(Path(json.loads(note.read_text(encoding="utf-8"))["folder"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(
            f"{note} does not name the folder of a run. Find the run's output folder and sync that; then remove this "
            "file."
        ) from error
