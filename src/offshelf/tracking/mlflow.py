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
from offshelf.tracking.sending import create, failures, send
from offshelf.tracking.sweep import close_dead, close_open, finished_jobs, reopen, surroundings, under, unfinished
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
    def sweep(self, name: str, digest: str = "", resume: bool = False) -> Iterator["MLflowSweep"]:
        """See Tracker."""
        from filelock import FileLock

        link = self._link(Place(self._home, None))
        start = opening(name, self.experiment, self.uri, {"sweep_digest": digest})
        with explained(link.target), FileLock(self._home / "sweep.lock"):  # of two that start at once, one takes it up
            earlier = unfinished(link.client, link.experiment, digest) if resume else None
            if earlier:
                reopen(link.client, earlier)
        sink = link.begun(start, earlier) if earlier else link.open(start)
        with closing(sink) as run, under(run.id):
            try:
                yield MLflowSweep(run, link)
            finally:
                link.close_open(run.id)

    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        """See Tracker."""
        if not self.uri and not (self._home / "mlflow.db").exists():
            return {}
        link = self._link(Place(self._home, None))
        with explained(link.target):
            earlier = unfinished(link.client, link.experiment, digest)
            return finished_jobs(link.client, link.experiment, earlier) if earlier else {}

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
                close_dead(client, experiment)
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


@dataclass(frozen=True)
class MLflowSweep:
    """See SweepRun."""

    run: LoggedRun
    link: Link

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

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """See SweepRun."""
        self.run.log_table(columns, file)
