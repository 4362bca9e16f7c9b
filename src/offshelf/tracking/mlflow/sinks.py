"""Sinks that send the events of a run to MLflow, and journal those that MLflow does not take."""

from dataclasses import dataclass, field, replace

from typing_extensions import override

from offshelf.tracking.events import EndEvent, LaterEvent, StartEvent
from offshelf.tracking.mlflow.connection import Connection
from offshelf.tracking.mlflow.participants import Participants
from offshelf.tracking.outbox.sink import JournalSink
from offshelf.tracking.run import Content, Sink, child_start


def open_sink(connection: Connection, start: StartEvent) -> Sink:
    """Open a new run in MLflow, or in a journal if MLflow does not take it."""
    run = connection.create(start)
    return MLflowSink(connection, begun(start, run)) if run else JournalSink.open(start, connection.location)


def begun(start: StartEvent, run: str) -> StartEvent:
    """Return the start event of a run that MLflow has under this id."""
    return replace(start, id=run, begun=True)


@dataclass
class MLflowSink(Sink):
    """A sink for a run in MLflow; what MLflow does not take is journaled."""

    connection: Connection
    start: StartEvent
    _journal: JournalSink | None = None
    _sent: list[tuple[LaterEvent, Content]] = field(default_factory=list, repr=False)
    """Events that a SQLite file has taken, in case it is deleted."""

    def __post_init__(self) -> None:
        self.connection.when_database_gone.append(self._journal_sent)

    @property
    @override
    def id(self) -> str:
        return self.start.id

    @property
    @override
    def hint(self) -> str:
        return self._journal.hint if self._journal else "Compare runs with: offshelf ui"

    @property
    @override
    def is_sent(self) -> bool:
        return not self.connection.is_lost and self.connection.accepts_files

    @override
    def put(self, event: LaterEvent, content: Content = None) -> None:
        if not self.connection.send(self.id, event, content):
            self._opened_journal().put(event, content)
            return
        if self.connection.database:
            self._sent.append((event, content))
        if isinstance(event, EndEvent):
            if self._journal:
                self._journal.put(event)
            self.connection.check_database()

    @override
    def child(self, name: str) -> Sink:
        return open_sink(self.connection, child_start(self.start, name))

    def _opened_journal(self) -> JournalSink:
        if not self._journal:
            start = replace(self.start, begun=not self.connection.is_database_gone)
            self._journal = JournalSink.open(start, self.connection.location)
        return self._journal

    def _journal_sent(self) -> None:
        """Journal the events that were lost with the SQLite file."""
        for event, content in self._sent:
            self._opened_journal().put(event, content)
        self._sent.clear()


@dataclass
class SweepSink(MLflowSink):
    """A sink for the parent run of a sweep, which the last of its participants ends."""

    participants: Participants = field(kw_only=True)

    @override
    def put(self, event: LaterEvent, content: Content = None) -> None:
        if not isinstance(event, EndEvent):
            super().put(event, content)
            return
        with self.participants.leaving() as is_last:
            if is_last or self.connection.is_lost:
                self.connection.close_open_children(self.id)
                super().put(event)
