"""Connecting to MLflow: a SQLite store in the home, or a tracking server."""

import logging
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.errors import TrackingError

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""MLflow's settings unless the user has set them: nothing phones home, and a dead server is known soon."""


def silence() -> None:
    """Switch MLflow's telemetry and chatter off; to be called before it is imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for logger in ("alembic", "mlflow"):
        logging.getLogger(logger).setLevel(logging.WARNING)


def search_all(client: "MlflowClient", experiment: str, text: str) -> "list[Run]":
    """All runs of an experiment that a filter means, the newest first."""
    found: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs([experiment], text, max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def default_uri(home: Path) -> str:
    """The SQLite store of a home."""
    return f"sqlite:///{home / 'mlflow.db'}"


def connect(home: Path, uri: str | None, experiment: str) -> "tuple[MlflowClient, str]":
    """A client, and the id of the experiment, which is made if it is missing.

    MLflow does not lock the creation of its schema, so the first run of a home makes it under a file lock.

    Raises:
        TrackingError: the store or server cannot be reached, in one sentence.
    """
    silence()
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
    from sqlalchemy.exc import SQLAlchemyError  # MLflow's own dependency, whose errors it lets through

    target = uri or default_uri(home)
    _check(target)
    try:
        client = _local_client(home, target) if uri is None else MlflowClient(target)
        return client, _experiment(client, experiment, None if uri else home / "artifacts")
    except (MlflowException, SQLAlchemyError, OSError, sqlite3.Error) as error:
        reason = str(error).splitlines()[0][:300]
        raise TrackingError(
            f"MLflow's store {target} cannot be used: {reason}. Without tracking: tracking=none"
        ) from error


def _local_client(home: Path, uri: str) -> "MlflowClient":
    from filelock import FileLock
    from mlflow.tracking import MlflowClient

    database = home / "mlflow.db"
    ready = home / ".mlflow-ready"  # the schema is complete; an empty or partial database is not enough
    if ready.exists() and database.exists():
        return MlflowClient(uri)
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "mlflow.lock"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # readers and a writer at the same time; kept in the file
        connection.close()
        ready.touch()
    return client


def _experiment(client: "MlflowClient", name: str, artifacts: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    for _ in range(2):
        found = client.get_experiment_by_name(name)
        if found:
            return str(found.experiment_id)
        try:
            # Without a location MLflow puts artifacts below the working directory of whoever comes first.
            location = (artifacts / name).as_uri() if artifacts else None
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            if "RESOURCE_ALREADY_EXISTS" not in str(error.error_code):
                raise
    raise TrackingError(f"The experiment '{name}' exists and is deleted; restore it, or use tracking.experiment=…")


def _check(uri: str) -> None:
    scheme = uri.partition(":")[0]
    if scheme in ("http", "https"):
        _probe(uri)
    elif scheme not in ("sqlite", "postgresql", "mysql", "mssql") and "+" not in scheme:
        raise TrackingError(
            f"tracking.uri={uri} is no tracking store: expected http(s)://…, sqlite:///…, or a database URI. "
            "(MLflow has retired plain folders.)"
        )


def _probe(uri: str) -> None:
    """Ask a server whether it is there, for 5 seconds at most."""
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=5):
            return
    except HTTPError:
        return  # it answers; whether it lets us in, the first call will tell
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise TrackingError(
            f"No MLflow server answers at {uri} ({reason}). Start it, correct tracking.uri, or use tracking=none"
        ) from error
