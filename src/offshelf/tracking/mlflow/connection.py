"""The connection of a run to MLflow, which detects when the store refuses a part of the run or is lost altogether.

A store may refuse a part of a run, such as files whose location cannot be reached, or be lost, so that it takes nothing
any more. Sinks journal what was not sent, and the user is told once. If a SQLite file is gone, what it had taken is
journaled as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.secret import masked
from offshelf.terminal import say
from offshelf.tracking.events import FileEvent, LaterEvent, LogEvent, StartEvent, now
from offshelf.tracking.mlflow.dead_runs import close_open_children
from offshelf.tracking.mlflow.notes import placed
from offshelf.tracking.mlflow.retries import is_unanswered, mlflow_errors
from offshelf.tracking.mlflow.sending import PARTIAL_TAG, create, send
from offshelf.tracking.outbox.sink import RunLocation
from offshelf.tracking.run import Content

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


@dataclass
class Connection:
    """The connection of a run and its child runs; once the store is lost it stays unused, so that no time is wasted."""

    client: "MlflowClient" = field(repr=False)
    experiment: str
    target: str
    """Name of the store, for messages."""
    location: RunLocation
    database: Path | None = None
    """File of a SQLite store; None for any other store."""
    is_lost: bool = False
    is_database_gone: bool = False
    """Whether the SQLite file was deleted or replaced, so that everything it had taken is lost with it."""
    accepts_files: bool = True
    when_database_gone: list[Callable[[], None]] = field(default_factory=list, repr=False)
    """Called once when the SQLite file is found to be gone."""

    def __post_init__(self) -> None:
        self._file = self._file_identity()
        self._said: set[str] = set()

    def create(self, start: StartEvent) -> str | None:
        """Create a run. Returns MLflow's id; None if the store is lost."""
        if self.is_lost:
            return None
        try:
            return create(self.client, self.experiment, start)
        except mlflow_errors() as error:
            self.mark_lost(error)
            return None

    def send(self, run: str, event: LaterEvent, content: Content = None) -> bool:
        """Send an event of a run unless the store does not take it. Returns whether it was sent."""
        self.check_database()
        if self.is_lost or (isinstance(event, FileEvent) and not self.accepts_files):
            return False
        try:
            send(self.client, run, placed(event, self.experiment, run), content)
        except mlflow_errors() as error:
            self._handle_refusal(run, event, error)
            return False
        return True

    def close_open_children(self, parent: str) -> None:
        """Close the open jobs of a sweep, whose processes were killed; what this does not close, a sync does."""
        if self.is_lost:
            return
        try:
            close_open_children(self.client, self.experiment, parent)
        except mlflow_errors() as error:
            self.mark_lost(error)

    def check_database(self) -> None:
        """Check whether the SQLite file was deleted, moved or truncated, which SQLite itself does not notice."""
        if self._file is None or self.is_database_gone:
            return
        seen = self._file_identity()
        if seen and seen[0] == self._file[0] and seen[1] >= self._file[1]:
            self._file = seen
            return
        self.is_database_gone = self.is_lost = True
        for call in self.when_database_gone:
            call()
        self._say_once(
            f"MLflow's store {self.target} was deleted, moved or cut short. The run continues, and is kept in full. "
            "Send it later with"
        )

    def mark_lost(self, error: Exception) -> None:
        """Stop using the store, and say so once."""
        if not self.is_lost:
            self.is_lost = True
            self._say_once(
                f"MLflow's store {self.target} does not take the run any more ({_short(error)}). The run continues; "
                "what was not sent is kept. Send it later with"
            )

    def _handle_refusal(self, run: str, event: LaterEvent, error: Exception) -> None:
        """Distinguish a refused part of a run from a lost store, which does not take a tag either."""
        self.check_database()
        if self.is_lost:
            return
        if is_unanswered(error) or not self._takes_a_tag(run):
            self.mark_lost(error)
        elif isinstance(event, FileEvent):
            self.accepts_files = False
            self._say_once(
                f"MLflow's store {self.target} takes the run, but not its files ({_short(error)}). They are kept. Send "
                "them later, once they can be stored there, with"
            )
        else:
            self._say_once(
                f"MLflow's store {self.target} has refused a part of the run ({_short(error)}). The run continues; the "
                "part is kept. Send it later with"
            )

    def _takes_a_tag(self, run: str) -> bool:
        try:
            send(self.client, run, LogEvent(now(), {}, {}, {PARTIAL_TAG: "true"}))
        except mlflow_errors():
            return False
        return True

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            say(f"{text}: {self.location.sync_command()}", stderr=True)

    def _file_identity(self) -> tuple[tuple[int, int], int] | None:
        """Return (device, inode) and size of the SQLite file; None if there is none."""
        try:
            found = self.database.stat() if self.database else None
        except OSError:
            return None
        return ((found.st_dev, found.st_ino), found.st_size) if found else None


def _short(error: Exception) -> str:
    return str(masked(" ".join(str(error).split())[:200]))
