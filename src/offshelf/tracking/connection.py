"""Connecting to MLflow: a SQLite store in the home, or a tracking server."""

import gc
import logging
import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from offshelf.errors import TrackingError

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Database servers that MLflow knows, and the ports they listen at."""

PATIENCE = 4
"""Seconds that a server has to answer at the start; with the start itself a dead one is known in 5."""

WITHOUT = "To go on without it: tracking=offline, to be sent later, or tracking=none"

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""MLflow's settings unless the user has set them: nothing phones home, and a dead server is known soon."""


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
    from offshelf.tracking.sending import failures

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
        reason = without_password((str(error).splitlines() or [type(error).__name__])[0])[:300]
        raise TrackingError(f"MLflow's store {target} cannot be used: {reason}. {WITHOUT}") from error


def without_password(text: str) -> str:
    """URIs in a text as they may be shown."""
    return re.sub(r"(?<=://)([^/@:\s]*):[^/@\s]*@", r"\1:***@", text)


def connect(home: Path, uri: str | None, experiment: str) -> "tuple[MlflowClient, str]":
    """A client, and the id of the experiment, which is made if it is missing.

    MLflow does not lock the creation of its schema, so the first run of a home makes it under a file lock.

    Raises:
        TrackingError: the store or server cannot be reached, in one sentence.
    """
    silence()
    target = uri or default_uri(home)
    require_answer(target)
    with explained(without_password(target)):
        from mlflow.tracking import MlflowClient

        client = _local_client(home, target) if uri is None else MlflowClient(target)
        is_server = bool(uri and uri.startswith("http"))  # which knows where its artifacts are
        return client, _experiment(client, experiment, None if is_server else home / "artifacts")


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


def require_answer(uri: str) -> None:
    """Ask a store whether it is there, before MLflow is imported and whatever it does is waited for.

    Raises:
        TrackingError: it is no URI of a store, or does not answer within PATIENCE.
    """
    scheme, _, _ = uri.partition(":")
    dialect, _, _ = scheme.partition("+")
    if dialect in ("http", "https"):
        _probe(uri)
    elif dialect in DATABASES:
        _knock(uri, DATABASES[dialect])
    elif dialect != "sqlite":
        raise TrackingError(
            f"tracking.uri={uri} is no tracking store: expected http(s)://…, sqlite:///…, or a database URI. "
            "(MLflow has retired plain folders.)"
        )


def _probe(uri: str) -> None:
    """Ask a server whether it is there."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    address = urlsplit(uri)
    bare = address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()  # urlopen takes a user for a host
    try:
        with urlopen(f"{bare.rstrip('/')}/health", timeout=PATIENCE):
            return
    except HTTPError:
        return  # it answers; whether it lets us in, the first call will tell
    except (OSError, ValueError, HTTPException) as error:
        raise _silent(uri, error) from error


def _knock(uri: str, port: int) -> None:
    """Ask a database whether it is there: MLflow itself would try for minutes."""
    try:
        address = urlsplit(uri)
        if address.hostname:
            socket.create_connection((address.hostname, address.port or port), PATIENCE).close()
    except (OSError, ValueError) as error:
        raise _silent(uri, error) from error


def _silent(uri: str, error: Exception) -> TrackingError:
    reason = getattr(error, "reason", error)
    return TrackingError(
        f"No MLflow server answers at {without_password(uri)} ({reason}). Start it, or correct tracking.uri. {WITHOUT}"
    )
