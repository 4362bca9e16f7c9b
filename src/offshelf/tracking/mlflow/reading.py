"""Reading tracked runs and their artifacts: by id, by name, or by a filter of MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from offshelf.errors import TrackingError
from offshelf.home import home_path
from offshelf.secret import masked
from offshelf.tracking.mlflow.artifact_errors import artifact_errors
from offshelf.tracking.mlflow.client import connect, search_all
from offshelf.tracking.mlflow.dead_runs import try_close_dead
from offshelf.tracking.mlflow.sending import RUN_TAG

if TYPE_CHECKING:
    from mlflow.entities import Run as Entity
    from mlflow.tracking import MlflowClient

SETTINGS = {"home": "", "uri": "", "experiment": "offshelf"}
"""Settings of the command line that say where runs are looked for, with their defaults."""

SHORTEST_ID = 6
"""Characters of a run's id that suffice to name it."""

LARGEST_PAGE = 50_000
"""Runs that MLflow returns at most at once."""


@dataclass(frozen=True)
class TrackedRun:
    """A run that was tracked."""

    id: str
    name: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    artifacts: str
    """URI of the folder of its artifacts."""
    source: "TrackedRuns" = field(repr=False)
    started: float = 0.0
    """Time of its start, in seconds since 1970."""

    def text(self, file: str) -> str | None:
        """Return an artifact as text; None if the run has no such file.

        Raises:
            TrackingError: The artifact cannot be read.
        """
        data = self.data(file)
        return None if data is None else data.decode()

    def data(self, file: str) -> bytes | None:
        """Return an artifact as bytes; None if the run has no such file.

        Raises:
            TrackingError: The artifact cannot be read.
        """
        return self.source.data(self, file)


class TrackedRuns:
    """The runs of one experiment, in a home or on a tracking server."""

    def __init__(self, home: str | None = None, uri: str | None = None, experiment: str = "offshelf") -> None:
        """Connect.

        Raises:
            TrackingError: There is no store, or it cannot be reached.
        """
        folder = home_path(home)
        if not uri and not (folder / "mlflow.db").exists():
            raise TrackingError(f"There are no runs in {folder} yet. Make some with: offshelf classify")
        self._client: MlflowClient
        self._client, self._experiment = connect(folder, uri, experiment, create=False)
        try_close_dead(self._client, self._experiment, folder)
        self._where = f"experiment '{experiment}' of {masked(uri) if uri else folder}"

    def find(self, selector: str) -> list[TrackedRun]:
        """Find runs by id (or its first characters), by name (the newest), or by a filter of MLflow.

        Raises:
            TrackingError: There is no such run, or several ids begin with the same characters.
        """
        found = self._by_id(selector) or self._named(selector)[:1]
        if not found and is_filter(selector):
            found = self._search(selector)
        if not found:
            raise TrackingError(f"There is no run '{selector}' in {self._where}. See them with: offshelf ui")
        return found

    def search(self, text: str = "", order: str = "", limit: int | None = None) -> list[TrackedRun]:
        """Return the runs that match a filter of MLflow.

        Args:
            text: The filter; empty: all runs.
            order: What they are sorted by, as MLflow has it: ``metrics.`test/accuracy` DESC``; empty: newest first.
            limit: Return at most so many.

        Raises:
            TrackingError: MLflow does not understand the filter.
        """
        if limit is None and not order:
            return self._search(text)
        from mlflow.exceptions import MlflowException

        largest, orders = limit or LARGEST_PAGE, [order] if order else None
        try:
            found = self._client.search_runs([self._experiment], text, max_results=largest, order_by=orders)
        except MlflowException as error:
            asked, reason = " ".join([text, order]).strip(), " ".join(str(error).split())
            raise TrackingError(f"MLflow does not understand the filter {asked}: {reason}") from error
        return [self._run(entity) for entity in found]

    def named(self, name: str) -> TrackedRun | None:
        """Return the newest finished run of a name; None if there is none."""
        found = [run for run in self._named(name) if run.status == "FINISHED"]
        return found[0] if found else None

    def children(self, run: TrackedRun) -> list[TrackedRun]:
        """Return the runs nested under a run, in the order in which they were started."""
        return self._search(f"tags.`mlflow.parentRunId` = '{run.id}'")[::-1]

    def data(self, run: TrackedRun, file: str) -> bytes | None:
        """Return an artifact of a run; None if the run has no such file.

        Raises:
            TrackingError: The artifact cannot be read.
        """
        from mlflow.artifacts import (  # by URI, as by id MLflow reads the run three times
            download_artifacts,
            list_artifacts,
        )
        from mlflow.exceptions import MlflowException

        at = self._client.tracking_uri
        try:
            with artifact_errors():
                items = list_artifacts(artifact_uri=run.artifacts, tracking_uri=at)
                if file not in {PurePosixPath(item.path).name for item in items}:  # paths begin in the parent folder
                    return None
                with TemporaryDirectory() as folder:
                    path = download_artifacts(artifact_uri=f"{run.artifacts}/{file}", dst_path=folder, tracking_uri=at)
                    return Path(path).read_bytes()
        except (MlflowException, OSError) as error:
            reason = masked(str(error).splitlines()[0])
            raise TrackingError(f"{file} of the run {run.id} cannot be read: {reason}") from error

    def _by_id(self, selector: str) -> list[TrackedRun]:
        if len(selector) < SHORTEST_ID or not all(letter in "0123456789abcdef" for letter in selector):
            return []
        own = f"tags.{RUN_TAG} LIKE '{selector}%'"  # which a run names itself by before it knows MLflow's
        found = self._search(f"attributes.run_id LIKE '{selector}%'") or self._search(own)
        if len(found) > 1:
            raise TrackingError(f"{len(found)} runs of {self._where} begin with {selector}; give more of the id.")
        return found

    def _named(self, name: str) -> list[TrackedRun]:
        """Return the runs of a name, newest first; MLflow's filters have no escapes, but two kinds of quotes."""
        if "'" not in name or '"' not in name:
            quote = '"' if "'" in name else "'"
            return self._search(f"attributes.run_name = {quote}{name}{quote}")
        return [run for run in self._search("") if run.name == name]

    def _search(self, text: str) -> list[TrackedRun]:
        from mlflow.exceptions import MlflowException

        try:
            return [self._run(entity) for entity in search_all(self._client, self._experiment, text)]
        except MlflowException as error:
            reason = " ".join(str(error).split())
            raise TrackingError(f"MLflow does not understand the filter {text}: {reason}") from error

    def _run(self, entity: "Entity") -> TrackedRun:
        info, data = entity.info, entity.data
        # Older releases recorded passwords.
        params = {name: masked(text) if "://" in text else text for name, text in data.params.items()}
        known = (info.run_id, str(info.run_name), info.status, params, data.metrics, data.tags)
        return TrackedRun(*known, str(info.artifact_uri), self, (info.start_time or 0) / 1000)


def is_filter(selector: str) -> bool:
    """Return whether a selector may be a filter of MLflow."""
    return any(operator in selector for operator in ("=", "<", ">", " LIKE ", " IN "))
