"""Tracking with MLflow, by explicit run ids: nothing global, so that runs nest and threads do not meet."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.home import home_dir
from offshelf.tracking.connection import connect
from offshelf.tracking.process import this_process
from offshelf.tracking.provenance import provenance
from offshelf.tracking.sweep import (
    MLflowSweep,
    close_dead,
    close_open,
    finished_jobs,
    reopen,
    surroundings,
    under,
    unfinished,
)
from offshelf.tracking.tracker import FinishedJob, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow.tracking import MlflowClient

LONGEST_PARAM = 6000


@dataclass(frozen=True)
class MLflow:
    """Runs go to the SQLite store of a home, or to a tracking server."""

    home: str | None = None
    uri: str | None = None
    """A tracking server (`http://…`) or database; null: `<home>/mlflow.db`."""
    experiment: str = "offshelf"

    @contextmanager
    def start(self, name: str) -> Iterator[Run]:
        """See Tracker."""
        client, experiment = self._connect()
        tags = surroundings()
        if not tags:
            close_dead(client, experiment)
        with _run(client, experiment, name, tags) as run:
            yield run

    @contextmanager
    def sweep(self, name: str, digest: str = "", resume: bool = False) -> Iterator[MLflowSweep]:
        """See Tracker."""
        from filelock import FileLock

        client, experiment = self._connect()
        close_dead(client, experiment)
        with FileLock(Path(home_dir(self.home)) / "sweep.lock"):  # of two that start at once, one takes it up
            earlier = unfinished(client, experiment, digest) if resume else None
            if earlier:
                reopen(client, earlier)
        again = _closing(client, experiment, earlier) if earlier else None
        with again or _run(client, experiment, name, {"sweep_digest": digest}) as run, under(run.id):
            try:
                yield MLflowSweep(run, client, experiment)
            finally:
                close_open(client, experiment, run.id)  # of jobs in processes that were killed

    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        """See Tracker."""
        if not self.uri and not (Path(home_dir(self.home)) / "mlflow.db").exists():
            return {}
        client, experiment = self._connect()
        close_dead(client, experiment)
        earlier = unfinished(client, experiment, digest)
        return finished_jobs(client, experiment, earlier) if earlier else {}

    def _connect(self) -> "tuple[MlflowClient, str]":
        return connect(Path(home_dir(self.home)), self.uri, self.experiment)


@dataclass(frozen=True)
class MLflowRun:
    """See Run."""

    client: "MlflowClient" = field(repr=False)
    experiment: str
    id: str

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """See Run; parameters of over 6,000 characters are cut, as MLflow would: config.yaml holds them whole."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        entries: dict[str, list[Any]] = {
            "params": [
                Param(allowed_name(name)[:250], str(value)[:LONGEST_PARAM]) for name, value in (params or {}).items()
            ],
            "metrics": [Metric(allowed_name(name), float(value), now, 0) for name, value in (metrics or {}).items()],
            "tags": [RunTag(allowed_name(name), value[:8000]) for name, value in (tags or {}).items()],
        }
        # A server takes at most 100 parameters, 1,000 metrics and 100 tags in a call.
        for start in range(0, max(map(len, entries.values())), 100):
            part: dict[str, Any] = {kind: items[start : start + 100] for kind, items in entries.items()}
            self.client.log_batch(self.id, **part)

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """See Run."""
        self.client.log_table(self.id, {name: list(values) for name, values in columns.items()}, file)

    def log_figure(self, figure: "Figure", file: str) -> None:
        """See Run."""
        quick = {"dpi": 80, "pil_kwargs": {"compress_level": 1}}  # drawn for every run: speed before size
        self.client.log_figure(self.id, figure, file, save_kwargs=quick)

    def log_file(self, path: Path) -> None:
        """See Run."""
        self.client.log_artifact(self.id, str(path))

    def log_text(self, text: str, file: str) -> None:
        """See Run."""
        self.client.log_text(self.id, text, file)

    def log_dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        """See Run; MLflow keeps 36 characters of the digest."""
        import json

        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"tags": {"mlflow.source.name": "offshelf"}})
        data = Dataset(name, digest[:36], "code", source, profile=json.dumps(dict(profile)))
        self.client.log_inputs(self.id, datasets=[DatasetInput(data, [InputTag("mlflow.data.context", context)])])

    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        """See Run."""
        with _run(self.client, self.experiment, name, {"mlflow.parentRunId": self.id}) as run:
            yield run


@contextmanager
def _run(client: "MlflowClient", experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[MLflowRun]:
    everything = {**provenance(), "process": this_process(), **tags}
    run = client.create_run(experiment, tags=everything, run_name=name)
    with _closing(client, experiment, run.info.run_id) as opened:
        yield opened


@contextmanager
def _closing(client: "MlflowClient", experiment: str, run: str) -> Iterator[MLflowRun]:
    """An open run, closed whatever happens."""
    try:
        yield MLflowRun(client, experiment, run)
    except BaseException as error:
        client.set_terminated(run, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    client.set_terminated(run, "FINISHED")


def allowed_name(name: str) -> str:
    """A name in the letters that MLflow allows; others become an underscore."""
    return re.sub(r"[^\w\-./: ]", "_", name)
