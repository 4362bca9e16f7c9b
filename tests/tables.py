"""MLflow's empty tables: made once in a process and copied into each new home, which would spend seconds on its own."""

import functools
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from filelock import FileLock

from offshelf.tracking import connection

make = connection._local_client


@functools.cache
def template():
    """A folder with a database that has no run, kept as long as this process lives."""
    folder = tempfile.TemporaryDirectory(prefix="offshelf-")
    connection.silence()
    make(Path(folder.name), connection.default_uri(Path(folder.name)))
    return folder


def share(made):
    """From now on new homes begin with the tables of a folder, which `made` returns the name of."""

    def local_client(home, uri):
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / "mlflow.lock"):
            if not (home / "mlflow.db").exists():
                source, target = f"{made()}/mlflow.db", home / "mlflow.db"
                with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
                    old.backup(new)
        return make(home, uri)

    connection._local_client = local_client
