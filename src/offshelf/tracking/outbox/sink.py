"""The sink that writes a run into its journal."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.home import home_dir
from offshelf.terminal import say
from offshelf.tracking.events import FileEvent, LaterEvent, StartEvent
from offshelf.tracking.outbox.journal import Journal
from offshelf.tracking.outbox.outbox import Outbox
from offshelf.tracking.parent import PARENT
from offshelf.tracking.run import Content, Sink, child_start


@dataclass(frozen=True)
class RunLocation:
    """Where the journals of a run and of its child runs are."""

    home: Path
    folder: Path | None
    """Output folder; None for a run without one."""

    def open(self, start: StartEvent) -> Journal:
        """Begin the journal of a run, and note it in the outbox; if the home is read-only, say where the journal is.

        Raises:
            TrackingError: The folder cannot be written to.
        """
        outbox = Outbox(self.home)
        journal = Journal((self.folder / "tracking" if self.folder else outbox.runs) / start.id)
        journal.write(start)
        try:
            outbox.add(start.id, journal)
        except OSError as error:
            command = shlex.join(["offshelf", "track", "sync", str(journal.folder)])
            why = f"{self.home} cannot be written to ({error.strerror})."
            say(f"{why} Send this run by naming its folder: {command}", stderr=True)
        return journal

    def sync_command(self) -> str:
        """Return the command that sends the run; for a job of a sweep, the one that sends the whole sweep."""
        alone = self.folder and not os.environ.get(PARENT)
        folders = [str(self.folder)] if alone else []
        settings = [f"home={self.home}"] if self.home != home_dir() else []
        return shlex.join(["offshelf", "track", "sync", *folders, *settings])


@dataclass(frozen=True)
class JournalSink(Sink):
    """A sink that writes into the journal of a run."""

    start: StartEvent
    location: RunLocation
    journal: Journal
    command: str
    """Command that sends the run to MLflow."""

    @staticmethod
    def open(start: StartEvent, location: RunLocation) -> "JournalSink":
        """Begin the journal of a new run."""
        return JournalSink(start, location, location.open(start), location.sync_command())

    @property
    @override
    def id(self) -> str:
        return self.start.id

    @property
    @override
    def hint(self) -> str:
        return f"Send it to MLflow with: {self.command}"

    @property
    @override
    def is_sent(self) -> bool:
        return False

    @override
    def put(self, event: LaterEvent, content: Content = None) -> None:
        if isinstance(event, FileEvent):
            self.journal.store(event.name, content or b"")  # the file is in place before its event
        self.journal.write(event)

    @override
    def child(self, name: str) -> "JournalSink":
        start = child_start(self.start, name)
        return JournalSink(start, self.location, self.location.open(start), self.command)
