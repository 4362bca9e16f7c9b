"""Tracking with MLflow, by explicit run ids: nothing global, so that runs nest and threads do not meet."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.home import home_dir
from offshelf.tracking.connection import connect
from offshelf.tracking.provenance import provenance
from offshelf.tracking.tracker import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow.tracking import MlflowClient

PARENT = "OFFSHELF_PARENT_RUN"
"""Environment variable with the id of the run that a sweep's runs belong under."""
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
        client, experiment = connect(Path(home_dir(self.home)), self.uri, self.experiment)
        with _run(client, experiment, name, os.environ.get(PARENT)) as run:
            yield run

    @contextmanager
    def sweep(self, name: str) -> Iterator[Run]:
        """A run that all runs started meanwhile, in this process and its children, belong under."""
        with self.start(name) as run:
            os.environ[PARENT] = run.id
            try:
                yield run
            finally:
                del os.environ[PARENT]


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
        with _run(self.client, self.experiment, name, self.id) as run:
            yield run


@contextmanager
def _run(client: "MlflowClient", experiment: str, name: str, parent: str | None) -> Iterator[MLflowRun]:
    tags = {**provenance(), **({"mlflow.parentRunId": parent} if parent else {})}
    run = client.create_run(experiment, tags=tags, run_name=name)
    try:
        yield MLflowRun(client, experiment, run.info.run_id)
    except BaseException as error:
        client.set_terminated(run.info.run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    client.set_terminated(run.info.run_id, "FINISHED")


def allowed_name(name: str) -> str:
    """A name in the letters that MLflow allows; others become an underscore."""
    return re.sub(r"[^\w\-./: ]", "_", name)
