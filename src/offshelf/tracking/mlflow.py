"""Tracking with MLflow, by explicit run ids: nothing global, so that runs nest and threads do not meet."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from offshelf.errors import TrackingError
from offshelf.home import home_dir
from offshelf.secret import masked
from offshelf.terminal import say
from offshelf.tracking.answering import require_answer, with_secret
from offshelf.tracking.connection import connect, default_uri, explained
from offshelf.tracking.journal import Event, opening
from offshelf.tracking.link import Link, ParentSink, ServerSink
from offshelf.tracking.logged import JournalSink, LoggedRun, Sink, closing
from offshelf.tracking.members import Members
from offshelf.tracking.patient import failures
from offshelf.tracking.schema import database_of
from offshelf.tracking.shelf import Place
from offshelf.tracking.sweep import agree, close_dead, finished_jobs, surroundings, take_up, under, unfinished
from offshelf.tracking.tracker import FinishedJob, Run

ELSEWHERE = ["MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"]
"""Variables by which MLflow's own commands find runs; offshelf's config alone says where its runs go."""


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
            require_answer(with_secret(self.uri))

    @contextmanager
    def start(self, name: str, folder: Path | None = None) -> Iterator[Run]:
        """See Tracker."""
        tags = surroundings()
        place = Place(self._home, folder)
        start = opening(name, self.experiment, self.uri, tags)
        with closing(partial(self._sink, start, place, is_job=bool(tags))) as run:
            yield run

    @contextmanager
    def sweep(self, name: str, digest: str = "", resume: bool = False, shared: bool = False) -> Iterator["MLflowSweep"]:
        """See Tracker."""
        link = self._link(Place(self._home, None))
        start = opening(name, self.experiment, self.uri, {"sweep_digest": digest})
        members = Members(self._home, digest)

        def sink() -> Sink:
            with explained(link.target), members.in_turn():  # of two that start at once, one opens it
                return self._parent(link, start, members, resume, shared)

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

    def _link(self, place: Place, closes: bool = True) -> Link:
        """The connection; `closes`, which all do but jobs of a sweep: what dead processes have left open."""
        client, experiment = connect(self._home, self.uri, self.experiment)
        target = masked(self.uri) if self.uri else str(self._home / "mlflow.db")
        if closes:
            _tell_of_variables(target)
            with explained(target):
                close_dead(client, experiment, self._home)
        return Link(client, experiment, target, place, database_of(self.uri or default_uri(self._home)))


def _tell_of_variables(target: str) -> None:
    found = [name for name in ELSEWHERE if os.environ.get(name)]
    if found and not (found == ELSEWHERE[:1] and masked(os.environ[found[0]]) == target):
        where = " To send runs there: tracking.uri='${oc.env:MLFLOW_TRACKING_URI}'" if ELSEWHERE[0] in found else ""
        say(f"Not used, though set: {', '.join(found)}. Runs go to {target}.{where}", stderr=True)


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
