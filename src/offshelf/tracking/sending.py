"""What a run logs, sent to MLflow: the same events at once or later, once or again, with the same result."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from offshelf.tracking.journal import Event

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

RUN_TAG = "offshelf_run"
"""The tag with a run's own id, by which it is found where its creation was not confirmed."""

LONGEST_PARAM = 6000


def failures() -> tuple[type[Exception], ...]:
    """What MLflow raises when it does not take something; that of SQLAlchemy and of requests it lets through."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError, sqlite3.Error


def create(client: "MlflowClient", experiment: str, start: Event) -> str:
    """Open a run in MLflow. Returns MLflow's id of it."""
    tags = {name: value[:8000] for name, value in start["tags"].items()}
    tags[RUN_TAG] = start["id"]
    run = client.create_run(experiment, start_time=start["time"], tags=tags, run_name=start["name"])
    return str(run.info.run_id)


def send(client: "MlflowClient", run: str, event: Event, content: bytes | Path | None = None) -> None:
    """Hand an event on; done twice, it is as done once.

    Args:
        client: MLflow's.
        run: MLflow's id of the run.
        event: Any but a `start`.
        content: Of a `file`.
    """
    match event["event"]:
        case "log":
            _log(client, run, event)
        case "file":
            folder = str(PurePosixPath(event["name"]).parent)
            with _on_disk(PurePosixPath(event["name"]).name, content) as path:
                client.log_artifact(run, str(path), None if folder == "." else folder)
        case "dataset":
            _log_dataset(client, run, event)
        case "end":
            client.set_terminated(run, event["status"], event["time"])


def allowed_name(name: str) -> str:
    """A name in the letters that MLflow allows; others become an underscore."""
    return re.sub(r"[^\w\-./: ]", "_", name)


def _log(client: "MlflowClient", run: str, event: Event) -> None:
    """Parameters of over 6,000 characters are cut, as MLflow would: config.yaml holds them whole."""
    from mlflow.entities import Metric, Param, RunTag

    entries: dict[str, list[Any]] = {
        "params": [Param(allowed_name(name)[:250], value[:LONGEST_PARAM]) for name, value in event["params"].items()],
        "metrics": [
            Metric(allowed_name(name), float(value), event["time"], 0) for name, value in event["metrics"].items()
        ],
        "tags": [RunTag(allowed_name(name), value[:8000]) for name, value in event["tags"].items()],
    }
    # A server takes at most 100 parameters, 1,000 metrics and 100 tags in a call.
    for begin in range(0, max(map(len, entries.values())), 100):
        part: dict[str, Any] = {kind: items[begin : begin + 100] for kind, items in entries.items()}
        client.log_batch(run, **part)


def _log_dataset(client: "MlflowClient", run: str, event: Event) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"tags": {"mlflow.source.name": "offshelf"}})
    data = Dataset(event["name"], event["digest"][:36], "code", source, profile=json.dumps(event["profile"]))
    client.log_inputs(run, datasets=[DatasetInput(data, [InputTag("mlflow.data.context", event["context"])])])


@contextmanager
def _on_disk(name: str, content: bytes | Path | None) -> Iterator[Path]:
    """A file of this name; MLflow takes nothing else."""
    if isinstance(content, Path):
        yield content
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content or b"")
        yield path
