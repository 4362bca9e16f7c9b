"""What a run logs, sent to MLflow: the same events at once or later, once or again, with the same result."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from posixpath import normpath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from offshelf.identity import digest
from offshelf.tracking.journal import Event
from offshelf.tracking.patient import Patience

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

RUN_TAG = "offshelf_run"
"""The tag with a run's own id, by which it is found where its creation was not confirmed."""

KEPT_TAG = "offshelf_kept"
"""The tag of a run of which a part is kept elsewhere, until that is sent."""

LONGEST_PARAM = 6000
LONGEST_NAME = 250


def create(client: "MlflowClient", experiment: str, start: Event) -> str:
    """Open a run in MLflow, once, also where that had to be asked for again. Returns MLflow's id of it."""
    tags = {name: value[:8000] for name, value in start["tags"].items()}
    tags[RUN_TAG] = start["id"]
    asked: list[bool] = []

    def attempt() -> str:
        known = client.search_runs([experiment], f"tags.{RUN_TAG} = '{start['id']}'", max_results=1) if asked else []
        asked.append(True)
        run = known[0] if known else client.create_run(experiment, start["time"], tags, start["name"])
        return str(run.info.run_id)

    return Patience().call(attempt)


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
    """A name in the letters that MLflow allows, and no path that leads elsewhere; others become an underscore."""
    letters = re.sub(r"[^\w\-./: ]", "_", name)
    if not letters or letters.startswith("/") or letters in (".", "..") or normpath(letters) != letters:
        letters = re.sub(r"(?:^|(?<=/))(?:\.{1,2})?(?=/|$)", lambda found: "_" * max(1, len(found[0])), letters)
    return letters[:LONGEST_NAME]


def allowed_names(names: Iterable[str]) -> dict[str, str]:
    """Of each name an allowed one, which no other of them has: `a@b` beside `a_b` gets a few letters of a digest."""
    taken = {name for name in names if allowed_name(name) == name}
    found: dict[str, str] = {}
    for name in names:
        chosen = allowed_name(name)
        if chosen != name and chosen in taken:
            chosen = f"{chosen[: LONGEST_NAME - 9]}_{digest(name)[:8]}"
        taken.add(chosen)
        found[name] = chosen
    return found


def _log(client: "MlflowClient", run: str, event: Event) -> None:
    """Parameters of over 6,000 characters are cut, as MLflow would: config.yaml holds them whole."""
    from mlflow.entities import Metric, Param, RunTag

    params, metrics, tags = (allowed_names(event[kind]) for kind in ("params", "metrics", "tags"))
    entries: dict[str, list[Any]] = {
        "params": [Param(params[name], value[:LONGEST_PARAM]) for name, value in event["params"].items()],
        "metrics": [Metric(metrics[name], float(value), event["time"], 0) for name, value in event["metrics"].items()],
        "tags": [RunTag(tags[name], value[:8000]) for name, value in event["tags"].items()],
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
