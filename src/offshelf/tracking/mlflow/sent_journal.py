"""The sink of a run that a sender sends: events are written into a journal, and the sender is told."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from typing_extensions import override

from offshelf.errors import OffshelfError, TrackingError
from offshelf.process.survivor import Survivor
from offshelf.terminal import say
from offshelf.tracking.events import EndEvent, LaterEvent, StartEvent, now
from offshelf.tracking.mlflow.sender import Sender
from offshelf.tracking.outbox.outbox import Outbox
from offshelf.tracking.outbox.sink import JournalSink, RunLocation
from offshelf.tracking.process import process_name
from offshelf.tracking.run import Content, Sink


@dataclass
class SentJournalSink(Sink):
    """A sink that writes into a journal which a sender sends; the end of the run waits for it."""

    journal: JournalSink
    sender: Sender
    is_child: bool = False
    _last_work: Survivor | None = field(default=None, repr=False)

    @staticmethod
    def open(sender: Sender, start: StartEvent, location: RunLocation) -> "SentJournalSink":
        """Begin the journal of a run, and have it sent."""
        return SentJournalSink(JournalSink.open(start, location), sender)._begun()

    @property
    @override
    def id(self) -> str:
        return self.journal.id if self.is_child else self.sender.run or self.journal.id

    @property
    @override
    def hint(self) -> str:
        return self.journal.hint if self._is_kept else "Compare runs with: offshelf ui"

    @property
    @override
    def is_sent(self) -> bool:
        return not self._is_kept

    @override
    def put(self, event: LaterEvent, content: Content = None) -> None:
        if isinstance(event, EndEvent) and not self.is_child:
            self._end(event)
        else:
            self.journal.put(event, content)
            self._tell()

    @override
    def child(self, name: str) -> "SentJournalSink":
        return SentJournalSink(self.journal.child(name), self.sender, is_child=True)._begun()

    @override
    def confirm(self) -> None:
        self.sender.confirm()

    @override
    def finish(self, work: Callable[[], None]) -> None:
        def to_the_end() -> None:
            work()
            self.journal.put(EndEvent(now(), "FINISHED"))
            self._tell()

        self._last_work = Survivor.start(to_the_end)
        if self._last_work:
            self.journal.journal.note_busy(process_name(self._last_work.process))
        else:
            work()

    @property
    def _is_kept(self) -> bool:
        return self.sender.is_over and not self.sender.is_sent

    @property
    def _folder(self) -> Path:
        return self.journal.journal.folder

    def _begun(self) -> "SentJournalSink":
        self.journal.journal.note_busy(self.sender.name)
        self._tell()
        return self

    def _tell(self) -> None:
        self.sender.tell(self._folder)

    def _end(self, event: EndEvent) -> None:
        """End the run, and wait until it is sent; with its last work done it is finished, also if it is interrupted."""
        failure = self._failure_of_last_work()
        if self._last_work:
            event = replace(event, status="FAILED" if failure else "FINISHED")
        self.journal.put(event)
        self._tell()
        self.sender.finish()
        if failure:
            raise failure
        if self._is_kept:
            self._say_kept(event)

    def _failure_of_last_work(self) -> OffshelfError | None:
        try:
            if self._last_work:
                self._last_work.wait()
        except OffshelfError as error:
            return error
        return None

    def _say_kept(self, event: EndEvent) -> None:
        kept = f"The run is kept in {self._folder.parent.parent}. Send it later with: {self.journal.command}"
        if not self.sender.error:
            if not self.sender.has_reported:
                say(f"The process that sends the run to MLflow has died. {kept}", stderr=True)
        elif event.status == "FINISHED":
            raise TrackingError(f"{self.sender.error}\n{kept}")
        else:  # nothing was done that could be lost
            Outbox(self.journal.location.home).remove(self.journal.id)
            self.journal.journal.remove()
