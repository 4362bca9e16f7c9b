"""Tracking with MLflow, by explicit run ids: nothing global, so that runs nest and threads do not meet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.errors import TrackingError
from offshelf.home import home_dir
from offshelf.terminal import say
from offshelf.tracking.connection import connect, explained, require_answer, without_password
from offshelf.tracking.journal import Event, Place, opening
from offshelf.tracking.logged import JournalSink, LoggedRun, Sink, closing
from offshelf.tracking.logged import under as nested
from offshelf.tracking.members import Members
from offshelf.tracking.sending import create, failures, send
from offshelf.tracking.sweep import (
    agree,
    close_dead,
    close_open,
    finished_jobs,
    surroundings,
    take_up,
    under,
    unfinished,
)
from offshelf.tracking.tracker import FinishedJob, Run

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


@dataclass(frozen=True)
class MLflow:
    """Runs go to the SQLite store of a home, or to a tracking server; what these do not take is kept."""

    home: str | None = None
    uri: str | None = None
    """A tracking server (`http://…`) or database; null: `<home>/mlflow.db`."""
    experiment: str = "offshelf"

    def check(self) -> None:
        """See Tracker; a job of a sweep goes on without a server."""
        if self.uri and not surroundings():
            require_answer(self.uri)

    @contextmanager
    def start(self, name: str, folder: Path | None = None) -> Iterator[Run]:
        """See Tracker."""
        tags = surroundings()
        place = Place(self._home, folder)
        start = opening(name, self.experiment, self.uri, tags)
        with closing(self._sink(start, place, is_job=bool(tags))) as run:
            yield run

    @contextmanager
    def sweep(self, name: str, digest: str = "", resume: bool = False, shared: bool = False) -> Iterator["MLflowSweep"]:
        """See Tracker."""
        link = self._link(Place(self._home, None))
        start = opening(name, self.experiment, self.uri, {"sweep_digest": digest})
        members = Members(self._home, digest)
        with explained(link.target), members.in_turn():  # of two that start at once, one opens it
            sink = self._parent(link, start, members, resume, shared)
        with closing(sink) as run, under(run.id):
            yield MLflowSweep(run, link, members)

    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        """See Tracker."""
        if not self.uri and not (self._home / "mlflow.db").exists():
            return {}
        link = self._link(Place(self._home, None))
        with explained(link.target):
            noted = Members(self._home, digest).parent
            earlier = unfinished(link.client, link.experiment, digest, noted, takes_open=bool(self.uri))
            return finished_jobs(link.client, link.experiment, earlier.info.run_id) if earlier else {}

    def _parent(self, link: "Link", start: Event, members: Members, resume: bool, shared: bool) -> Sink:
        """The parent run of a sweep: that of those who run it already, one that is taken up again, or a new one."""
        digest, is_server = start["tags"]["sweep_digest"], bool(self.uri)
        run, is_shared = members.join() if shared else ("", False)
        if not is_shared:
            run = take_up(link.client, link.experiment, digest, run, shared and is_server) if resume else ""
        if not run:
            opened = link.open(start)
            if not isinstance(opened, ServerSink):  # it is kept here, where others cannot write
                members.leave()
                return opened
            # Machines without a common home have not taken turns.
            run = agree(link.client, link.experiment, digest, opened.id) if shared and is_server else opened.id
        if shared:
            members.note(run)
        return ParentSink(link, {**start, "id": run, "begun": True}, members=members)

    @property
    def _home(self) -> Path:
        return Path(home_dir(self.home))

    def _sink(self, start: Event, place: Place, is_job: bool) -> Sink:
        try:
            return self._link(place, closes=not is_job).open(start)
        except TrackingError as error:
            if not is_job:
                raise
            kept = f"The run is kept in {place.folder}; send the sweep later with: {place.command()}"
            say(str(error), kept, stderr=True)
            return JournalSink.open(start, place, place.command())

    def _link(self, place: Place, closes: bool = True) -> "Link":
        client, experiment = connect(self._home, self.uri, self.experiment)
        target = without_password(self.uri) if self.uri else str(self._home / "mlflow.db")
        if closes:
            with explained(target):
                close_dead(client, experiment, self._home)
        return Link(client, experiment, target, place)


@dataclass
class Link:
    """The connection of a run and of those under it: once it has failed it stays unused, so that no time is lost."""

    client: "MlflowClient" = field(repr=False)
    experiment: str
    target: str
    """As a person knows it."""
    place: Place
    is_lost: bool = False

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

    def lose(self, error: Exception) -> None:
        """Say so, once."""
        if not self.is_lost:
            self.is_lost = True
            reason = " ".join(str(error).split())[:200]
            say(
                f"MLflow's store {self.target} does not take the run any more ({reason}). The run goes on; what is not "
                f"sent is kept, and sent later by: {self.place.command()}",
                stderr=True,
            )


@dataclass
class ServerSink:
    """To MLflow; from the first failure on into the run's folder."""

    link: Link
    start: Event
    kept: JournalSink | None = None

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
        return not self.link.is_lost

    def put(self, event: Event, content: bytes | Path | None = None) -> None:
        """See Sink."""
        if not self.link.is_lost:
            try:
                return send(self.link.client, self.id, event, content)
            except failures() as error:
                self.link.lose(error)
        if not self.kept:
            self.kept = JournalSink.open(self.start, self.link.place, self.link.place.command())
        self.kept.put(event, content)

    def child(self, name: str) -> Sink:
        """See Sink."""
        return self.link.open(nested(self.start, name))


@dataclass
class ParentSink(ServerSink):
    """To the parent run of a sweep, which is ended by the last of the processes that run it."""

    members: Members = field(kw_only=True)

    def put(self, event: Event, content: bytes | Path | None = None) -> None:
        """See Sink."""
        if event["event"] != "end":
            return super().put(event, content)
        with self.members.leaving() as is_last:
            if is_last or self.link.is_lost:
                self.link.close_open(self.id)
                super().put(event)


@dataclass(frozen=True)
class MLflowSweep:
    """See SweepRun."""

    run: LoggedRun
    link: Link
    members: Members

    @property
    def id(self) -> str:
        """See SweepRun."""
        return self.run.id

    def finished(self) -> Mapping[str, FinishedJob]:
        """See SweepRun; none are known once MLflow is lost, rather than those alone that were kept."""
        try:
            return {} if self.link.is_lost else finished_jobs(self.link.client, self.link.experiment, self.id)
        except failures() as error:
            self.link.lose(error)
            return {}

    @property
    def folder(self) -> Path | None:
        """See SweepRun."""
        return self.members.folder if self.members.is_joined else None

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """See SweepRun; two who write one file at once would spoil it."""
        with self.members.in_turn():
            self.run.log_table(columns, file)
