"""MLflow's client of a SQLite store in the home, a database, or a tracking server."""

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
from offshelf.tracking.mlflow import schema
from offshelf.tracking.mlflow.reachability import WITHOUT, require_reachable, with_password
from offshelf.tracking.mlflow.retries import Retries, mlflow_errors, retrying_client

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

LONGEST_FILE_NAME = 255
"""Bytes that common file systems allow in the name of a file."""

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
"""MLflow's settings unless the user has set them: no telemetry, and a dead or overloaded server is detected soon."""


def quiet_mlflow() -> None:
    """Switch off MLflow's telemetry and log messages; call it before importing MLflow."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for logger in ("alembic", "mlflow"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(
        logging.CRITICAL
    )  # it logs tracebacks of errors that it also raises


def search_all(client: "MlflowClient", experiment: str, text: str) -> "list[Run]":
    """Return all runs of an experiment that match a filter, newest first."""
    found: list[Run] = []
    token: str | None = None
    with _without_garbage_collection():
        while True:
            page = client.search_runs([experiment], text, max_results=1000, page_token=token)
            found += page
            token = page.token
            if not token:
                return found


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Disable garbage collection, which takes more than half of the time of building the objects of 1,000 runs."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def default_uri(home: Path) -> str:
    """Return the URI of a home's SQLite store, whose path may contain characters that are special in URLs."""
    from sqlalchemy import URL, make_url  # MLflow's own dependency

    path = str(home / "mlflow.db")
    plain = f"sqlite:///{path}"
    # Escaped only if necessary: MLflow creates a folder of the name as it is written in the URL.
    return plain if make_url(plain).database == path else URL.create("sqlite", database=path).render_as_string()


@contextmanager
def explain_errors(target: str) -> Iterator[None]:
    """Turn the exceptions of MLflow inside the block into one sentence with the way out.

    Raises:
        TrackingError: The store or server cannot be used.
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
    except mlflow_errors() as error:
        reason = masked((str(error).splitlines() or [type(error).__name__])[0])[:300]
        raise TrackingError(f"MLflow's store {target} cannot be used: {reason}. {WITHOUT}") from error


def connect(home: Path, uri: str | None, experiment: str, create: bool = True) -> "tuple[MlflowClient, str]":
    """Return a client, and the id of the experiment, which is created if it is missing.

    The client repeats calls that fail for transient reasons, for a bounded time (see `retries`).

    Args:
        home: Home whose SQLite store is used without a `uri`.
        uri: A tracking server or a database.
        experiment: Name of the experiment.
        create: Whether to create a SQLite store or an experiment that is missing; readers do not.

    Raises:
        TrackingError: The store cannot be reached, or is missing and not created, or lacks the experiment.
    """
    quiet_mlflow()
    target = with_password(uri) if uri else default_uri(home)
    require_reachable(target)
    database = schema.database_of(target)
    if not create and database and not database.exists():
        raise TrackingError(f"There is no store {masked(target)}. A run with that tracking.uri= creates one.")
    if masked(target) != target:
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # MLflow would print the password
    with explain_errors(masked(target)):
        client = _client(home, target, is_own=uri is None)
        is_server = target.startswith("http")  # a server knows where its artifacts are
        if not create:
            return client, _existing_experiment(client, experiment, masked(uri) if uri else str(home))
        return client, _experiment(client, experiment, None if is_server else home / "artifacts")


def _client(home: Path, uri: str, is_own: bool) -> "MlflowClient":
    """Return the client of a store whose tables are prepared; for a home's own store a file notes for which release."""
    from mlflow.tracking import MlflowClient

    ready = home / ".mlflow-ready"
    database = schema.database_of(uri)
    is_ready = (
        is_own and database and _text(ready) == schema.release() and database.exists() and database.stat().st_size
    )
    if not is_ready and not uri.startswith("http"):
        Retries().call(schema.prepare, uri, home)
        if is_own:
            ready.write_text(schema.release(), encoding="utf-8")
    # Without registry_uri, MLFLOW_REGISTRY_URI would send models elsewhere than their runs.
    return retrying_client(lambda: MlflowClient(uri, registry_uri=uri))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def folder_name(experiment: str) -> str:
    """Return a name for the folder of an experiment, which stays inside its parent folder: also for `../x` and `/x`."""
    name = experiment.replace("/", "%2F").replace("\0", "%00")
    if not name.strip("."):  # the parent folder itself, or the one above
        name = name.replace(".", "%2E")
    return name if len(os.fsencode(name)) <= LONGEST_FILE_NAME else hashlib.sha256(name.encode()).hexdigest()


def _existing_experiment(client: "MlflowClient", name: str, place: str) -> str:
    found = client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    names = [each.name for each in client.search_experiments() if each.name != "Default"]
    raise TrackingError(
        f"{place} has no experiment '{name}'{did_you_mean(name, names)} Choose another: experiment=NAME"
    )


def _experiment(client: "MlflowClient", name: str, artifacts: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    for _ in range(2):
        found = client.get_experiment_by_name(name)
        if found and found.lifecycle_stage == "deleted":
            raise TrackingError(
                f"The experiment '{name}' is deleted in this store. Restore it: mlflow experiments restore -x "
                f"{found.experiment_id} (with MLFLOW_TRACKING_URI as tracking.uri); or use another name: "
                "tracking.experiment=…"
            )
        if found:
            return str(found.experiment_id)
        try:
            # Without a location, MLflow puts artifacts below the working directory of the first process.
            location = (artifacts / folder_name(name)).as_uri() if artifacts else None
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            if "RESOURCE_ALREADY_EXISTS" not in str(error.error_code):
                raise
    raise TrackingError(f"The experiment '{name}' can neither be created nor found; use another: tracking.experiment=…")
