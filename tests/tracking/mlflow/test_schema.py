"""Stores of other releases of MLflow, and half-made ones."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base
from mlflow.tracking import MlflowClient
from sqlalchemy import create_engine

from offshelf.commands.compare import main as compare
from offshelf.errors import TrackingError
from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.client import connect, default_uri
from offshelf.tracking.mlflow.reading import TrackedRuns

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
RUN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module", params=[1, 12])
def older(request, tmp_path_factory):
    """A database with a run, whose tables are those of so many changes ago."""
    path = tmp_path_factory.mktemp("older") / "mlflow.db"
    uri = f"sqlite:///{path}"
    config = _get_alembic_config(uri)
    revisions = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    engine = create_engine(uri)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revisions[request.param])
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) "
            "VALUES (1, 'offshelf', ?, 'active')",
            (str(path.parent),),
        )
        connection.execute(
            "INSERT INTO runs (run_uuid, name, status, lifecycle_stage, experiment_id, start_time, artifact_uri, "
            "source_type, user_id) VALUES (?, 'an old run', 'FINISHED', 'active', 1, 1, ?, 'LOCAL', 'me')",
            (RUN, str(path.parent)),
        )
        connection.commit()
    return path, revisions[request.param]


def revision(database):
    """As the database notes it."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def place(database, home):
    """A copy as the store of a home."""
    home.mkdir()
    shutil.copy(database, home / "mlflow.db")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["run", "compare"])
def test_an_older_store_is_copied_before_it_is_changed(home, older, way, capsys):
    """Whoever looks at it first; its runs are still there."""
    database, old = older
    place(database, home)
    if way == "run":
        with MLflow(str(home)).start("a run"):
            pass
    else:
        with pytest.raises(TrackingError, match="One run alone"):
            compare([RUN])
    (copy,) = home.glob("mlflow.db.before-mlflow-*")
    said = capsys.readouterr().err
    with MLflow(str(home)).start("another"):
        pass

    assert f"is kept in {copy}" in said
    assert capsys.readouterr().err == ""
    assert revision(copy) == old != revision(home / "mlflow.db")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM runs").fetchall() == [("an old run",)]
    assert MlflowClient(default_uri(home)).get_run(RUN).info.run_name == "an old run"


def test_a_newer_store(home, older):
    """One sentence, and nothing is touched."""
    database, _ = older
    place(database, home)
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fffffffff000'")
        connection.commit()
    before = (home / "mlflow.db").read_bytes()
    with pytest.raises(TrackingError, match=r"newer MLflow than .*fffffffff000.*pip install -U mlflow"):
        TrackedRuns(str(home))

    assert (home / "mlflow.db").read_bytes() == before


@pytest.mark.slow
def test_a_store_that_was_half_made(tmp_path, capsys):
    """By a process that was killed: it holds no run, is put aside, and a new one is made."""
    database = tmp_path / "shared.db"
    engine = create_engine(f"sqlite:///{database}")
    Base.metadata.tables["experiments"].create(engine)
    engine.dispose()
    connect(tmp_path / "home", f"sqlite:///{database}", "offshelf")

    assert "was incomplete and had no runs" in capsys.readouterr().err
    assert (tmp_path / "shared.db.half-made").is_file()
    assert MlflowClient(f"sqlite:///{database}").get_experiment_by_name("offshelf")


@pytest.mark.slow
def test_a_store_that_was_half_changed(tmp_path, home, older, capsys):
    """A step that was done and not noted: with runs in it, the store is left with its copy and a sentence."""
    database, _ = older
    place(database, home)
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        first = ScriptDirectory.from_config(_get_alembic_config("")).get_base()
        connection.execute("UPDATE alembic_version SET version_num = ?", (first,))
        connection.commit()
    with pytest.raises(TrackingError, match=r"could not be upgraded to MLflow .*before-mlflow"):
        connect(home, None, "offshelf")
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        connection.execute("DELETE FROM runs")
        connection.commit()
    connect(home, None, "offshelf")
    assert "a new one was created" in capsys.readouterr().err
