"""Sweeps in MLflow: the parent run, which is joined, resumed or created, and the finished jobs under it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from offshelf.tracking.events import PARENT_TAG, StartEvent
from offshelf.tracking.mlflow.client import explain_errors, search_all
from offshelf.tracking.mlflow.connection import Connection
from offshelf.tracking.mlflow.participants import ALONE, Participants
from offshelf.tracking.mlflow.retries import mlflow_errors
from offshelf.tracking.mlflow.sinks import SweepSink, begun
from offshelf.tracking.outbox.sink import JournalSink
from offshelf.tracking.parent import JOB_TAG, SWEEP_TAG
from offshelf.tracking.process import this_process
from offshelf.tracking.run import LoggedRun, Sink
from offshelf.tracking.tracker import FinishedJob, SweepRun

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

START_TIME = "attributes.start_time"


@dataclass(frozen=True)
class ParentRuns:
    """The parent runs in MLflow of all sweeps with one digest."""

    client: "MlflowClient"
    experiment: str
    digest: str
    """Digest of the sweeps' command."""

    def unfinished(self, known: str | None = None, include_open: bool = False) -> "Run | None":
        """Find the run that would be resumed: an open one, else the newest if it was interrupted or had failures.

        Args:
            known: Id of an open run to consider.
            include_open: Whether to consider all open runs; of several, all processes choose the oldest, and of runs
                opened at the same time the first by id.
        """
        same = f"tags.{SWEEP_TAG} = '{self.digest}' and attributes.status"
        if known or include_open:
            only = "" if include_open else f" and attributes.run_id = '{known}'"
            open_run = self._first(f"{same} = 'RUNNING'{only}", f"{START_TIME} ASC")
            if open_run:
                return open_run
        ended = self._first(f"{same} != 'RUNNING'", f"{START_TIME} DESC")
        return ended if ended and ended.info.status != "FINISHED" else None

    def resume(self, known: str | None, include_open: bool) -> str | None:
        """Resume the unfinished run. Returns its id; None if there is none.

        Args:
            known: Id of an open run whose processes have died.
            include_open: Whether to join an open run of processes on other machines.
        """
        run = self.unfinished(known, include_open)
        if run is None:
            return None
        if run.info.status != "RUNNING" or run.info.run_id == known:
            self.client.set_tag(run.info.run_id, "process", this_process())
            self.client.update_run(run.info.run_id, status="RUNNING")
        return str(run.info.run_id)

    def elect_parent(self, own: str) -> str:
        """Choose one of the runs that were opened at once, as all processes do; delete `own`, empty, if it is not it.

        Args:
            own: Id of the run that this process has just opened.

        Returns:
            Id of the chosen run.
        """
        chosen = self.unfinished(include_open=True)
        if chosen is None or chosen.info.run_id == own:
            return own
        self.client.delete_run(own)
        return str(chosen.info.run_id)

    def _first(self, text: str, order: str) -> "Run | None":
        found = self.client.search_runs([self.experiment], text, max_results=1, order_by=[order])
        return found[0] if found else None


@dataclass(frozen=True)
class ParentOpening:
    """The opening of a sweep's parent run: it is joined, resumed or created, in this order."""

    connection: Connection
    start: StartEvent
    participants: Participants
    resume: bool
    """Whether to resume an unfinished run."""
    shared: bool
    """Whether to share the run with processes that run the same sweep."""
    is_server: bool
    """Whether the store is a server, so that machines without a common home may run the same sweep."""

    def open(self) -> Sink:
        """Open the parent run, in a journal if MLflow is lost.

        Raises:
            TrackingError: The store cannot be used.
        """
        with explain_errors(self.connection.target), self.participants.taking_turns():
            parent = self._join_or_resume() or self._create()
            if parent is None:  # the journal is on this machine, where other participants cannot write
                self.participants.leave()
                return JournalSink.open(self.start, self.connection.location)
            if self.shared:
                self.participants.announce(parent)
            return SweepSink(self.connection, begun(self.start, parent), participants=self.participants)

    def _join_or_resume(self) -> str | None:
        joined = self.participants.join() if self.shared else ALONE
        if joined.is_active:
            return joined.parent
        return self._runs.resume(joined.parent, include_open=self._spans_machines) if self.resume else None

    def _create(self) -> str | None:
        created = self.connection.create(self.start)
        # Machines without a common home did not take turns.
        return self._runs.elect_parent(created) if created and self._spans_machines else created

    @property
    def _spans_machines(self) -> bool:
        return self.shared and self.is_server

    @property
    def _runs(self) -> ParentRuns:
        return ParentRuns(self.connection.client, self.connection.experiment, self.participants.digest)


@dataclass(frozen=True)
class MLflowSweep(SweepRun):
    """The open parent run of a sweep in MLflow."""

    parent: LoggedRun
    connection: Connection
    participants: Participants

    @property
    @override
    def id(self) -> str:
        return self.parent.id

    @property
    @override
    def run(self) -> LoggedRun:
        return self.parent

    @override
    def finished(self) -> Mapping[str, FinishedJob]:
        if self.connection.is_lost:  # the jobs in journals alone would be misleading
            return {}
        try:
            return finished_jobs(self.connection.client, self.connection.experiment, self.id)
        except mlflow_errors() as error:
            self.connection.mark_lost(error)
            return {}

    @property
    @override
    def folder(self) -> Path | None:
        return self.participants.folder if self.participants.has_joined else None

    @override
    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        with self.participants.taking_turns():  # two that write one file at once would corrupt it
            self.parent.log_table(columns, file)


def finished_jobs(client: "MlflowClient", experiment: str, parent: str) -> dict[str, FinishedJob]:
    """Return the finished jobs of a sweep by their digests."""
    text = f"tags.`{PARENT_TAG}` = '{parent}' and attributes.status = 'FINISHED'"
    found: dict[str, FinishedJob] = {}
    for run in search_all(client, experiment, text):
        tags = run.data.tags
        job = FinishedJob(run.info.run_id, str(run.info.run_name), tags.get("metric", ""), run.data.metrics)
        found.setdefault(tags.get(JOB_TAG, ""), job)
    found.pop("", None)
    return found
