"""MLflow's empty tables: made once in a process and copied into each new store, which would spend seconds itself."""

import functools
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from offshelf.tracking.mlflow import client, schema

make = schema.prepare


@functools.cache
def template():
    """A folder with a database that has no run, kept as long as this process lives."""
    folder = tempfile.TemporaryDirectory(prefix="offshelf-")
    client.quiet_mlflow()
    make(client.default_uri(Path(folder.name)), Path(folder.name))
    return folder


def share(made):
    """From now on new files begin with the tables of a folder, which `made` returns the name of."""

    def prepare(uri, home):
        database = schema.database_of(uri)
        if database:
            with schema.exclusive_access(database, home, uri):
                if not database.exists():
                    with (
                        closing(sqlite3.connect(f"{made()}/mlflow.db")) as old,
                        closing(sqlite3.connect(database)) as new,
                    ):
                        old.backup(new)
        return make(uri, home)

    schema.prepare = prepare
