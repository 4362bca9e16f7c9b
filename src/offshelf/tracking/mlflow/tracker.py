"""The MLflow tracker. It names runs by id and uses no global state of MLflow, so runs nest and threads do not mix."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from typing_extensions import override

from offshelf.errors import TrackingError
from offshelf.home import home_dir
from offshelf.secret import masked
from offshelf.terminal import say
from offshelf.tracking.events import StartEvent
from offshelf.tracking.mlflow.client import connect, default_uri, explain_errors
from offshelf.tracking.mlflow.connection import Connection
from offshelf.tracking.mlflow.dead_runs import close_dead
from offshelf.tracking.mlflow.participants import Participants
from offshelf.tracking.mlflow.reachability import require_reachable, with_password
from offshelf.tracking.mlflow.schema import database_of
from offshelf.tracking.mlflow.sender import Sender, take_sender
from offshelf.tracking.mlflow.sent_journal import SentJournalSink
from offshelf.tracking.mlflow.sinks import open_sink
from offshelf.tracking.mlflow.sweep import MLflowSweep, ParentOpening, ParentRuns, finished_jobs
from offshelf.tracking.outbox.sink import JournalSink, RunLocation
from offshelf.tracking.parent import SWEEP_TAG, is_job, nested_under, parent_tags
from offshelf.tracking.run import Sink, new_start, open_run
from offshelf.tracking.tracker import FinishedJob, Run, Tracker

UNUSED_VARIABLES = ["MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"]
"""Variables that direct MLflow's own commands; in offshelf the config alone decides where runs go."""


@dataclass(frozen=True)
class MLflow(Tracker):
    """A tracker that sends runs to the SQLite store of a home, or to a server, and journals what these do not take."""

    home: str | None = None
    uri: str | None = None
    """A tracking server (`http://…`) or database; null: `<home>/mlflow.db`."""
    experiment: str = "offshelf"

    @override
    def check(self) -> None:
        if self.uri and not is_job():  # a job of a sweep continues without a server
            require_reachable(with_password(self.uri))

    @override
    @contextmanager
    def start(self, name: str, folder: Path | None = None) -> Iterator[Run]:
        start = new_start(name, self.experiment, self.uri, parent_tags())
        location = RunLocation(self._home, folder)
        sender = take_sender() if folder and not is_job() else None
        make = partial(self._hand_over, sender, folder) if sender and folder else self._open
        with open_run(partial(make, start, location)) as run:
            yield run

    @override
    @contextmanager
    def sweep(self, name: str, digest: str = "", resume: bool = False, shared: bool = False) -> Iterator[MLflowSweep]:
        connection = self.connect(RunLocation(self._home, None))
        start = new_start(name, self.experiment, self.uri, {SWEEP_TAG: digest})
        participants = Participants(self._home, digest)
        opening = ParentOpening(connection, start, participants, resume, shared, is_server=bool(self.uri))
        with open_run(opening.open) as run, nested_under(run.id):
            yield MLflowSweep(run, connection, participants)

    @override
    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        if not self.uri and not (self._home / "mlflow.db").exists():
            return {}
        connection = self.connect(RunLocation(self._home, None))
        with explain_errors(connection.target):
            runs = ParentRuns(connection.client, connection.experiment, digest)
            earlier = runs.unfinished(Participants(self._home, digest).parent, include_open=bool(self.uri))
            return finished_jobs(connection.client, connection.experiment, earlier.info.run_id) if earlier else {}

    @property
    def _home(self) -> Path:
        return Path(home_dir(self.home))

    def _open(self, start: StartEvent, location: RunLocation) -> Sink:
        """Open a run; a job of a sweep continues in a journal if the store cannot be reached."""
        if not is_job():
            return open_sink(self.connect(location), start)
        try:
            return open_sink(self.connect(location, closes_dead=False), start)
        except TrackingError as error:
            kept = f"The run is kept in {location.folder}. Send the sweep later with: {location.sync_command()}"
            say(str(error), kept, stderr=True)
            return JournalSink.open(start, location)

    def _hand_over(self, sender: Sender, folder: Path, start: StartEvent, location: RunLocation) -> Sink:
        """Open a run that a sender sends."""
        sender.begin(self._home.absolute(), self.uri, self.experiment, folder.absolute())
        return SentJournalSink.open(sender, start, location)

    def connect(self, location: RunLocation, closes_dead: bool = True) -> Connection:
        """Connect, and close the runs of dead processes, which jobs of a sweep leave to the sweep."""
        client, experiment = connect(self._home, self.uri, self.experiment)
        target = masked(self.uri) if self.uri else str(self._home / "mlflow.db")
        if closes_dead:
            _mention_unused_variables(target)
            with explain_errors(target):
                close_dead(client, experiment, self._home)
        return Connection(client, experiment, target, location, database_of(self.uri or default_uri(self._home)))


def _mention_unused_variables(target: str) -> None:
    found = [name for name in UNUSED_VARIABLES if os.environ.get(name)]
    if found and not (found == UNUSED_VARIABLES[:1] and masked(os.environ[found[0]]) == target):
        uri = " To send runs there: tracking.uri='${oc.env:MLFLOW_TRACKING_URI}'"
        where = uri if UNUSED_VARIABLES[0] in found else ""
        say(f"Not used, though set: {', '.join(found)}. Runs go to {target}.{where}", stderr=True)
