"""Sending events to MLflow: at once or later, once or repeatedly, with the same result."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, assert_never

from offshelf.tracking.events import (
    DatasetEvent,
    EndEvent,
    FileEvent,
    LaterEvent,
    LogEvent,
    ResumeEvent,
    StartEvent,
)
from offshelf.tracking.mlflow.artifact_errors import artifact_errors
from offshelf.tracking.mlflow.retries import Retries
from offshelf.tracking.names import allowed_names
from offshelf.tracking.run import Content

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

RUN_TAG = "offshelf_run"
"""Tag with a run's own id, by which it is found if MLflow did not confirm its creation."""

PARTIAL_TAG = "offshelf_kept"
"""Tag of a run of which a part is in a journal, until that is sent."""

LONGEST_PARAM = 6000
"""Characters of a parameter that MLflow stores."""

LONGEST_TAG = 8000
"""Characters of a tag that MLflow stores."""

PER_CALL = 100
"""Entries of a kind per call: a server takes at most 100 parameters, 1,000 metrics and 100 tags."""


def create(client: "MlflowClient", experiment: str, start: StartEvent) -> str:
    """Create a run in MLflow, only once even if the call is repeated. Returns MLflow's id of it."""
    tags = {name: value[:LONGEST_TAG] for name, value in start.tags.items()}
    tags[RUN_TAG] = start.id
    asked: list[bool] = []

    def attempt() -> str:
        known = client.search_runs([experiment], f"tags.{RUN_TAG} = '{start.id}'", max_results=1) if asked else []
        asked.append(True)
        run = known[0] if known else client.create_run(experiment, start.time, tags, start.name)
        return str(run.info.run_id)

    return Retries().call(attempt)


def send(client: "MlflowClient", run: str, event: LaterEvent, content: Content = None) -> None:
    """Send an event; sending it twice has the same result as sending it once.

    Args:
        client: MLflow's client.
        run: MLflow's id of the run.
        event: The event.
        content: Content of a file event.
    """
    match event:
        case LogEvent():
            _log(client, run, event)
        case FileEvent():
            folder = str(PurePosixPath(event.name).parent)
            with _on_disk(PurePosixPath(event.name).name, content) as path, artifact_errors():
                client.log_artifact(run, str(path), None if folder == "." else folder)
        case DatasetEvent():
            _log_dataset(client, run, event)
        case ResumeEvent():
            pass  # only a journal tells of it
        case EndEvent():
            client.set_terminated(run, event.status, event.time)
        case _:
            assert_never(event)


def _log(client: "MlflowClient", run: str, event: LogEvent) -> None:
    """Log a batch; longer parameters are cut off, as MLflow would do: the artifact config.yaml has them in full."""
    from mlflow.entities import Metric, Param, RunTag

    params, metrics, tags = (allowed_names(each) for each in (event.params, event.metrics, event.tags))
    entries: dict[str, list[Any]] = {
        "params": [Param(params[name], value[:LONGEST_PARAM]) for name, value in event.params.items()],
        "metrics": [Metric(metrics[name], value, event.time, 0) for name, value in event.metrics.items()],
        "tags": [RunTag(tags[name], value[:LONGEST_TAG]) for name, value in event.tags.items()],
    }
    for begin in range(0, max(map(len, entries.values())), PER_CALL):
        part: dict[str, Any] = {kind: items[begin : begin + PER_CALL] for kind, items in entries.items()}
        client.log_batch(run, **part)


def _log_dataset(client: "MlflowClient", run: str, event: DatasetEvent) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"tags": {"mlflow.source.name": "offshelf"}})
    data = Dataset(event.name, event.digest[:36], "code", source, profile=json.dumps(event.profile))
    client.log_inputs(run, datasets=[DatasetInput(data, [InputTag("mlflow.data.context", event.context)])])


@contextmanager
def _on_disk(name: str, content: Content) -> Iterator[Path]:
    """Yield a file of this name with the content; MLflow takes artifacts only from files."""
    if isinstance(content, Path):
        yield content
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content or b"")
        yield path
