"""The connection of a run to MLflow, and what becomes of that which MLflow does not take: it is kept, and said once.

What is refused may be a part of a run, as files are that no place can be reached for, or all that is to come, where the
store itself is lost. Of a SQLite file that is gone, all is kept, what it had taken too.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.secret import masked
from offshelf.terminal import say
from offshelf.tracking.journal import Event, now
from offshelf.tracking.logged import JournalSink, Sink
from offshelf.tracking.logged import under as nested
from offshelf.tracking.members import Members
from offshelf.tracking.patient import failures, is_silence
from offshelf.tracking.sending import KEPT_TAG, create, send
from offshelf.tracking.shelf import Place
from offshelf.tracking.sweep import close_open

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

Content = bytes | Path | None


@dataclass
class Link:
    """The connection of a run and of those under it: once it has failed it stays unused, so that no time is lost."""

    client: "MlflowClient" = field(repr=False)
    experiment: str
    target: str
    """As a person knows it."""
    place: Place
    database: Path | None = None
    """The file of a SQLite store."""
    is_lost: bool = False
    is_gone: bool = False
    """Whether the file is not what it was, so that all that it has taken is lost with it."""
    takes_files: bool = True
    told: set[str] = field(default_factory=set)
    sinks: "list[ServerSink]" = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._file = self._seen()

    def open(self, start: Event) -> Sink:
        """A new run."""
        if not self.is_lost:
            try:
                return self.begun(start, create(self.client, self.experiment, start))
            except failures() as error:
                self.lose(error)
        return JournalSink.open(start, self.place, self.place.command())

    def begun(self, start: Event, run: str) -> "ServerSink":
        """A run that MLflow has, by its id."""
        return ServerSink(self, {**start, "id": run, "begun": True})

    def close_open(self, parent: str) -> None:
        """Close what is open under a sweep, of jobs in processes that were killed; sync closes what this does not."""
        if self.is_lost:
            return
        try:
            close_open(self.client, self.experiment, parent)
        except failures() as error:
            self.lose(error)

    def require_file(self) -> None:
        """Note whether the file of SQLite was deleted, moved or cut short: SQLite itself would write into nothing."""
        if self._file is None or self.is_gone:
            return
        seen = self._seen()
        if seen and seen[0] == self._file[0] and seen[1] >= self._file[1]:
            self._file = seen
            return
        self.is_gone = self.is_lost = True
        for sink in self.sinks:
            sink.keep_all()
        self._say(
            f"MLflow's store {self.target} was deleted, moved or cut short. The run goes on; all of it is kept, and "
            "sent later by"
        )

    def refused(self, sink: "ServerSink", event: Event, error: Exception) -> None:
        """Tell a part of a run that is refused from a store that is lost: one that does not take a tag either."""
        self.require_file()
        if self.is_lost:
            return
        if is_silence(error) or not self._takes(sink):
            self.lose(error)
        elif event["event"] == "file":
            self.takes_files = False
            self._say(
                f"MLflow's store {self.target} takes the run, but not its files ({_short(error)}). They are kept, and "
                "sent later, once there is a place for them, by"
            )
        else:
            self._say(
                f"MLflow's store {self.target} has refused a part of the run ({_short(error)}). The run goes on; the "
                "part is kept, and sent later by"
            )

    def lose(self, error: Exception) -> None:
        """Say so, once."""
        if not self.is_lost:
            self.is_lost = True
            self._say(
                f"MLflow's store {self.target} does not take the run any more ({_short(error)}). The run goes on; what "
                "is not sent is kept, and sent later by"
            )

    def _say(self, text: str) -> None:
        if text not in self.told:
            self.told.add(text)
            say(f"{text}: {self.place.command()}", stderr=True)

    def _takes(self, sink: "ServerSink") -> bool:
        try:
            probe = {"event": "log", "time": now(), "params": {}, "metrics": {}, "tags": {KEPT_TAG: "true"}}
            send(self.client, sink.id, probe)
        except failures():
            return False
        return True

    def _seen(self) -> tuple[tuple[int, int], int] | None:
        try:
            found = self.database.stat() if self.database else None
        except OSError:
            return None
        return ((found.st_dev, found.st_ino), found.st_size) if found else None


@dataclass
class ServerSink:
    """To MLflow; what it does not take goes into the run's folder."""

    link: Link
    start: Event
    kept: JournalSink | None = None
    sent: list[tuple[Event, Content]] = field(default_factory=list, repr=False)
    """All so far, of a store that is a file."""

    def __post_init__(self) -> None:
        self.link.sinks.append(self)

    @property
    def id(self) -> str:
        """See Sink."""
        return str(self.start["id"])

    @property
    def hint(self) -> str:
        """See Sink."""
        return self.kept.hint if self.kept else "Compare runs with: offshelf ui"

    @property
    def is_sent(self) -> bool:
        """See Sink."""
        return not self.link.is_lost and self.link.takes_files

    def put(self, event: Event, content: Content = None) -> None:
        """See Sink."""
        self.link.require_file()
        if not self.link.is_lost and (self.link.takes_files or event["event"] != "file"):
            try:
                send(self.link.client, self.id, event, content)
            except failures() as error:
                self.link.refused(self, event, error)
            else:
                return self._noted(event, content)
        self.journal.put(event, content)

    def _noted(self, event: Event, content: Content) -> None:
        if self.link.database:
            self.sent.append((event, content))
        if event["event"] == "end":
            if self.kept:
                self.kept.put(event)
            self.link.require_file()

    @property
    def journal(self) -> JournalSink:
        """What is kept of the run, which is begun now if nothing was."""
        if not self.kept:
            start = {**self.start, "begun": not self.link.is_gone}
            self.kept = JournalSink.open(start, self.link.place, self.link.place.command())
        return self.kept

    def keep_all(self) -> None:
        """Keep what was sent."""
        for event, content in self.sent:
            self.journal.put(event, content)
        self.sent.clear()

    def child(self, name: str) -> Sink:
        """See Sink."""
        return self.link.open(nested(self.start, name))


@dataclass
class ParentSink(ServerSink):
    """To the parent run of a sweep, which is ended by the last of the processes that run it."""

    members: Members = field(kw_only=True)

    def put(self, event: Event, content: Content = None) -> None:
        """See Sink."""
        if event["event"] != "end":
            return super().put(event, content)
        with self.members.leaving() as is_last:
            if is_last or self.link.is_lost:
                self.link.close_open(self.id)
                super().put(event)


def _short(error: Exception) -> str:
    return str(masked(" ".join(str(error).split())[:200]))
