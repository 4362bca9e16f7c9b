"""The tables of a database that MLflow keeps runs in: made by one process alone, copied before they are changed.

MLflow makes them without a lock, and changes those of an older release at the first look, reading included; the older
release cannot read them any more then.
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
"""The tables that MLflow makes first."""


def database_of(uri: str) -> Path | None:
    """The file of a SQLite store; None of any other."""
    if not uri.startswith("sqlite"):
        return None
    from sqlalchemy import make_url

    found = make_url(uri).database
    return Path(found).absolute() if found and found != ":memory:" else None


def release() -> str:
    """Of the MLflow that is installed."""
    from importlib.metadata import version

    return version("mlflow")


def prepare(uri: str, home: Path) -> None:
    """Make the tables of a database, or change them to those that the installed MLflow wants.

    Raises:
        TrackingError: they are of a newer MLflow, or of an older one in a database that is not copied.
    """
    database = database_of(uri)
    with in_turn(database, home, uri):
        found = revision(uri, database)
        if found is None and database and _is_half_made(database):
            _set_aside(database)
        elif found is not None and found != latest():
            _renew(uri, database, found)
        _make(uri)
        if database:
            with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")  # readers and a writer at once; kept in the file


def latest() -> str:
    """The revision of the tables that the installed MLflow makes."""
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())  # type: ignore[no-untyped-call]


def revision(uri: str, database: Path | None) -> str | None:
    """That of a database's tables; None where there are none, or it was not noted yet."""
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
def in_turn(database: Path | None, home: Path, uri: str) -> Iterator[None]:
    """One process after the other: by a lock beside a file, on this machine by one in the home for a server."""
    from filelock import FileLock

    from offshelf.identity import digest

    place = database.with_name(f".{database.name}.lock") if database else home / f".{digest(masked(uri))[:16]}.lock"
    lock = FileLock(place, mode=0o666)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError):  # a folder that may only be read, or a file system without locks
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


def _make(uri: str) -> None:
    from mlflow.tracking import MlflowClient

    MlflowClient(uri).search_experiments(max_results=1)


def _renew(uri: str, database: Path | None, found: str) -> None:
    from mlflow.store.db.utils import _upgrade_db
    from sqlalchemy.exc import SQLAlchemyError

    _require_older(uri, found)
    if database is None:
        raise TrackingError(
            f"The store {masked(uri)} was written by an older MLflow than {release()}, which would change its tables "
            f"so that the older one cannot read them any more. Back it up, then: mlflow db upgrade {masked(uri)}"
        )
    copy = _copied(database)
    try:
        with _engine(uri) as engine:
            _upgrade_db(engine)  # type: ignore[no-untyped-call]
    except SQLAlchemyError as error:
        if not _has_runs(database):
            return _set_aside(database)
        reason = " ".join(str(error).split())[:200]
        raise TrackingError(
            f"The tables of {database} could not be changed for MLflow {release()} ({reason}). As it was, it is in "
            f"{copy}"
        ) from error
    say(
        f"{database} was written by an older MLflow and is changed for {release()}; the older one cannot read it any "
        f"more. As it was, it is kept in {copy}",
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
            f"have revision {found}). Install that: pip install -U mlflow; or use another store: home=… or "
            "tracking.uri=…"
        ) from error


def _copied(database: Path) -> Path:
    copy = _free(database.with_name(f"{database.name}.before-mlflow-{release()}"))
    try:
        with closing(sqlite3.connect(database)) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
    except (sqlite3.Error, OSError) as error:
        copy.unlink(missing_ok=True)
        raise TrackingError(
            f"The store {database} was written by an older MLflow than {release()}, and cannot be copied before its "
            f"tables are changed ({error}). Make room beside it, or use another store: home=… or tracking.uri=…"
        ) from error
    return copy


def _set_aside(database: Path) -> None:
    aside = _free(database.with_name(f"{database.name}.half-made"))
    database.replace(aside)
    say(f"{database} was half made and held no run: a new one is begun. What was there is {aside}", stderr=True)


def _is_half_made(database: Path) -> bool:
    """Whether making MLflow's tables was broken off at its first step."""
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


def _free(path: Path) -> Path:
    number = 0
    while (named := path.with_name(f"{path.name}{f'-{number}' if number else ''}")).exists():
        number += 1
    return named
