"""Connecting to MLflow: a SQLite store in the home, or a tracking server."""

import gc
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.errors import TrackingError
from offshelf.secret import masked
from offshelf.suggest import did_you_mean
from offshelf.tracking import schema
from offshelf.tracking.answering import WITHOUT, require_answer, with_secret
from offshelf.tracking.patient import Patience, failures, patient

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

LONGEST = 255
"""Bytes of a file's name on usual file systems."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
"""MLflow's settings unless the user has set them: nothing phones home, and a dead or busy server is known soon."""


def silence() -> None:
    """Switch MLflow's telemetry and chatter off; to be called before it is imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for logger in ("alembic", "mlflow"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # tracebacks of what is raised too, and told


def search_all(client: "MlflowClient", experiment: str, text: str) -> "list[Run]":
    """All runs of an experiment that a filter means, the newest first."""
    found: list[Run] = []
    token: str | None = None
    with _no_collection():
        while True:
            page = client.search_runs([experiment], text, max_results=1000, page_token=token)
            found += page
            token = page.token
            if not token:
                return found


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without garbage collection, which takes more than half of the time of making the objects of a thousand runs."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def default_uri(home: Path) -> str:
    """The SQLite store of a home, whose path may have signs that mean something in a URL."""
    from sqlalchemy import URL, make_url  # MLflow's own dependency

    path = str(home / "mlflow.db")
    plain = f"sqlite:///{path}"
    # Escaped only where it must be: MLflow makes a folder of the name as it stands in the URL.
    return plain if make_url(plain).database == path else URL.create("sqlite", database=path).render_as_string()


@contextmanager
def explained(target: str) -> Iterator[None]:
    """What MLflow raises meanwhile, as a sentence with the way out.

    Raises:
        TrackingError: the store or server cannot be used.
    """
    try:
        yield
    except TrackingError:
        raise
    except ModuleNotFoundError as error:
        raise TrackingError(
            f"MLflow's store {target} needs a driver that is not installed: pip install {error.name}, or name another "
            f"in the URI, as in postgresql+psycopg2://…. {WITHOUT}"
        ) from error
    except failures() as error:
        reason = masked((str(error).splitlines() or [type(error).__name__])[0])[:300]
        raise TrackingError(f"MLflow's store {target} cannot be used: {reason}. {WITHOUT}") from error


def connect(home: Path, uri: str | None, experiment: str, makes: bool = True) -> "tuple[MlflowClient, str]":
    """A client, and the id of the experiment, which is made if it is missing.

    The client repeats calls that fail for reasons that pass, for a bounded time: see `patient`.

    Args:
        home: Whose store it is without a `uri`.
        uri: A tracking server, or a database.
        experiment: Its name.
        makes: Whether what is not there, a SQLite store or the experiment, is made; whoever only reads makes nothing.

    Raises:
        TrackingError: the store or server cannot be reached, or lacks what is not made, in one sentence.
    """
    silence()
    target = with_secret(uri) if uri else default_uri(home)
    require_answer(target)
    database = schema.database_of(target)
    if not makes and database and not database.exists():
        raise TrackingError(f"There is no store {masked(target)}. A run with that tracking.uri= makes one.")
    if masked(target) != target:
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # MLflow would print it whole
    with explained(masked(target)):
        client = _client(home, target, is_own=uri is None)
        is_server = target.startswith("http")  # which knows where its artifacts are
        if not makes:
            return client, _existing(client, experiment, masked(uri) if uri else str(home))
        return client, _experiment(client, experiment, None if is_server else home / "artifacts")


def _client(home: Path, uri: str, is_own: bool) -> "MlflowClient":
    """That of a store, whose tables are as they have to be; of a home's own this is noted, by MLflow's release."""
    from mlflow.tracking import MlflowClient

    ready = home / ".mlflow-ready"
    database = schema.database_of(uri)
    is_ready = (
        is_own and database and _noted(ready) == schema.release() and database.exists() and database.stat().st_size
    )
    if not is_ready and not uri.startswith("http"):
        Patience().call(schema.prepare, uri, home)
        if is_own:
            ready.write_text(schema.release(), encoding="utf-8")
    # Else MLFLOW_REGISTRY_URI would send models elsewhere than their runs.
    return patient(lambda: MlflowClient(uri, registry_uri=uri))


def _noted(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def folder_name(experiment: str) -> str:
    """One folder's name, whatever an experiment is called: `../x` and `/x` lead nowhere else."""
    name = experiment.replace("/", "%2F").replace("\0", "%00")
    if not name.strip("."):  # the folder itself, or the one above
        name = name.replace(".", "%2E")
    return name if len(os.fsencode(name)) <= LONGEST else hashlib.sha256(name.encode()).hexdigest()


def _existing(client: "MlflowClient", name: str, place: str) -> str:
    found = client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    names = [each.name for each in client.search_experiments() if each.name != "Default"]
    raise TrackingError(f"{place} has no experiment '{name}'{did_you_mean(name, names)} Another: experiment=NAME")


def _experiment(client: "MlflowClient", name: str, artifacts: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    for _ in range(2):
        found = client.get_experiment_by_name(name)
        if found and found.lifecycle_stage == "deleted":
            raise TrackingError(
                f"The experiment '{name}' is deleted in this store. Restore it: mlflow experiments restore -x "
                f"{found.experiment_id} (with MLFLOW_TRACKING_URI as tracking.uri); or take another name: "
                "tracking.experiment=…"
            )
        if found:
            return str(found.experiment_id)
        try:
            # Without a location MLflow puts artifacts below the working directory of whoever comes first.
            location = (artifacts / folder_name(name)).as_uri() if artifacts else None
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            if "RESOURCE_ALREADY_EXISTS" not in str(error.error_code):
                raise
    raise TrackingError(f"The experiment '{name}' can neither be made nor found; use another: tracking.experiment=…")
