"""The tables of MLflow's database: created by one process alone, copied before they are upgraded.

MLflow creates them without a lock, and upgrades those of an older release at first access, even to read; after that
the older release can no longer read them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.errors import TrackingError
from offshelf.secret import masked
from offshelf.terminal import say

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

FIRST = {"experiments", "runs", "tags", "metrics", "params", "alembic_version"}
"""Tables that MLflow creates in its first step."""


def database_of(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for any other store."""
    if not uri.startswith("sqlite"):
        return None
    from sqlalchemy import make_url

    found = make_url(uri).database
    return Path(found).absolute() if found and found != ":memory:" else None


def release() -> str:
    """Return the version of the installed MLflow."""
    from importlib.metadata import version

    return version("mlflow")


def prepare(uri: str, home: Path) -> None:
    """Create the tables of a database, or upgrade them to the schema of the installed MLflow.

    Raises:
        TrackingError: They are of a newer MLflow, or of an older one on a database server, which cannot be copied.
    """
    database = database_of(uri)
    with exclusive_access(database, home, uri):
        found = revision(uri, database)
        if found is None and database and _is_half_created(database):
            _set_aside(database)
        elif found is not None and found != latest():
            _upgrade(uri, database, found)
        _create(uri)
        if database:
            with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")  # readers beside a writer; stored in the file


def latest() -> str:
    """Return the schema revision of the installed MLflow."""
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())  # type: ignore[no-untyped-call]


def revision(uri: str, database: Path | None) -> str | None:
    """Return the schema revision of a database; None if it has no tables, or they state no revision yet."""
    from alembic.migration import MigrationContext
    from sqlalchemy.exc import DatabaseError

    if database and (not database.exists() or not database.stat().st_size):
        return None
    try:
        with _engine(uri) as engine, engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except DatabaseError as error:
        if "not a database" in str(error) or "malformed" in str(error):
            return None
        raise
    return str(found) if found else None


@contextmanager
def exclusive_access(database: Path | None, home: Path, uri: str) -> Iterator[None]:
    """Exclude other processes, by a lock beside a SQLite file, or one in the home for a database server."""
    from filelock import FileLock

    from offshelf.identity import digest

    place = database.with_name(f".{database.name}.lock") if database else home / f".{digest(masked(uri))[:16]}.lock"
    lock = FileLock(place, mode=0o666)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError):  # a read-only folder, or a file system without locks
        yield
        return
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _engine(uri: str) -> "Iterator[Engine]":
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(uri, poolclass=NullPool)
    try:
        yield engine
    finally:
        engine.dispose()


def _create(uri: str) -> None:
    from mlflow.tracking import MlflowClient

    MlflowClient(uri).search_experiments(max_results=1)


def _upgrade(uri: str, database: Path | None, found: str) -> None:
    from mlflow.store.db.utils import _upgrade_db
    from sqlalchemy.exc import SQLAlchemyError

    _require_older(uri, found)
    if database is None:
        raise TrackingError(
            f"The store {masked(uri)} was written by an older MLflow than {release()}, which would upgrade its tables "
            f"so that the older one can no longer read them. Back it up, then: mlflow db upgrade {masked(uri)}"
        )
    copy = _back_up(database)
    try:
        with _engine(uri) as engine:
            _upgrade_db(engine)  # type: ignore[no-untyped-call]
    except SQLAlchemyError as error:
        if not _has_runs(database):
            return _set_aside(database)
        reason = " ".join(str(error).split())[:200]
        raise TrackingError(
            f"The tables of {database} could not be upgraded to MLflow {release()} ({reason}). A copy from before is "
            f"{copy}"
        ) from error
    say(
        f"{database} was written by an older MLflow and was upgraded to {release()}; the older one can no longer read "
        f"it. A copy from before is kept in {copy}",
        stderr=True,
    )


def _require_older(uri: str, found: str) -> None:
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError
    from mlflow.store.db.utils import _get_alembic_config

    try:
        settings = _get_alembic_config("")  # type: ignore[no-untyped-call]
        ScriptDirectory.from_config(settings).get_revision(found)
    except CommandError as error:
        raise TrackingError(
            f"The store {masked(uri)} was written by a newer MLflow than {release()}, which cannot read it (its tables "
            f"have revision {found}). Install the newer one: pip install -U mlflow; or use another store: home=… or "
            "tracking.uri=…"
        ) from error


def _back_up(database: Path) -> Path:
    copy = _unused(database.with_name(f"{database.name}.before-mlflow-{release()}"))
    try:
        with closing(sqlite3.connect(database)) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
    except (sqlite3.Error, OSError) as error:
        copy.unlink(missing_ok=True)
        raise TrackingError(
            f"The store {database} was written by an older MLflow than {release()}, and cannot be copied before its "
            f"tables are upgraded ({error}). Free space beside it, or use another store: home=… or tracking.uri=…"
        ) from error
    return copy


def _set_aside(database: Path) -> None:
    aside = _unused(database.with_name(f"{database.name}.half-made"))
    database.replace(aside)
    say(f"{database} was incomplete and had no runs: a new one was created. The old file is {aside}", stderr=True)


def _is_half_created(database: Path) -> bool:
    """Return whether the creation of MLflow's tables was interrupted in its first step."""
    return {"experiments"} <= _tables(database) <= FIRST and not _has_runs(database)


def _has_runs(database: Path) -> bool:
    try:
        with closing(sqlite3.connect(database)) as connection:
            return "runs" in _tables(database) and connection.execute("SELECT 1 FROM runs").fetchone() is not None
    except sqlite3.Error:
        return True


def _tables(database: Path) -> set[str]:
    try:
        with closing(sqlite3.connect(database)) as connection:
            return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        return set()


def _unused(path: Path) -> Path:
    number = 0
    while (named := path.with_name(f"{path.name}{f'-{number}' if number else ''}")).exists():
        number += 1
    return named
