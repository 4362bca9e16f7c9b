"""A thousand runs in one experiment: what is asked of the store does not grow with them."""

import sqlite3
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from offshelf.tracking import MLflow, as_job_of
from offshelf.tracking.mlflow.client import connect
from offshelf.tracking.mlflow.reading import TrackedRuns

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PARTS = ("params", "metrics", "latest_metrics", "tags")


@contextmanager
def counted():
    """A list that gets the statements sent to databases meanwhile."""
    statements = []

    def note(connection, cursor, statement, *rest):
        if not statement.startswith("PRAGMA"):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def multiply(database, run, times):
    """Copies of a run under other ids, with names and job digests of their own."""
    with closing(sqlite3.connect(database)) as connection:
        for number in range(times):
            new = uuid4().hex
            for table in ("runs", *PARTS):
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                chosen = ", ".join("?" if column == "run_uuid" else column for column in columns)
                into = f"INSERT INTO {table} ({', '.join(columns)})"
                connection.execute(f"{into} SELECT {chosen} FROM {table} WHERE run_uuid = ?", (new, run))
            connection.execute("UPDATE runs SET name = ? WHERE run_uuid = ?", (f"job {number}", new))
            for key, value in (("mlflow.runName", f"job {number}"), ("job_digest", f"j{number}")):
                connection.execute("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?", (value, new, key))
        connection.commit()


@pytest.mark.slow
def test_a_thousand_runs(tmp_path, home):
    """A run's start, the link of the UI, a run by id and by name: as with two. A sweep's jobs: by pages."""
    tracker = MLflow()
    with pytest.raises(KeyboardInterrupt), tracker.sweep("sweep", "d") as sweep:
        with as_job_of(sweep.id, "first"), tracker.start("job") as job:
            job.log({"C": 1}, {"test/accuracy": 0.5}, {"metric": "accuracy"})
        raise KeyboardInterrupt

    asked = []

    def jobs():
        return 1 + 1000 * (len(asked) - 1)

    def start():
        with tracker.start("alone"):
            pass

    def find(selector):
        (run,) = TrackedRuns().find(selector)
        return run

    def resume():
        with pytest.raises(KeyboardInterrupt), tracker.sweep("sweep", "d", resume=True) as again:
            assert again.id == sweep.id
            assert len(again.finished()) == jobs()
            raise KeyboardInterrupt

    def children():
        assert len(TrackedRuns().children(find(sweep.id[:8]))) == jobs()

    once = {
        "start": start,
        "link": lambda: connect(home, None, "offshelf"),
        "id": lambda: find(job.id[:8]),
        "name": lambda: find("job"),
    }
    paged = {"resume": resume, "jobs to come": lambda: tracker.finished("d"), "compare": children}
    for more in (0, 1000):
        multiply(home / "mlflow.db", job.id, more)
        asked.append({})
        for name, act in (once | paged).items():
            with counted() as statements:
                act()
            asked[-1][name] = len(statements)
    few, many = asked

    assert {name: many[name] for name in once} == {name: few[name] for name in once}
    assert all(many[name] < few[name] + 30 for name in paged), many
