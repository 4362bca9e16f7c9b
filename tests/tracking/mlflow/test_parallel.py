"""Many runs at once: on a home, on a new database, on a server. All of each is on record."""

import os
import subprocess
import sys
import textwrap

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from offshelf.tracking.mlflow.client import connect, default_uri

pytestmark = [
    pytest.mark.usefixtures("known_digits"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
CODE = """
    import os, sys
    import mlflow.store.tracking.sqlalchemy_store
    from offshelf.tracking import MLflow

    def record(number):
        with MLflow(sys.argv[1], sys.argv[2] or None).start(f"run {number}") as run:
            for data in range(6):
                run.log_dataset("digits", f"{data}" * 36, "all", {"images": 3})
            with run.child("layer") as child:
                child.log({"n": number}, {"test/accuracy": 0.5}, {"metric": "accuracy"})
                child.log_dataset("digits", "d" * 36, "all", {"images": 3})
            run.log({"n": number}, {"test/accuracy": number / 100, "cv/accuracy": 0.5}, {"metric": "accuracy"})

    begin, end = os.pipe()
    for number in range(int(sys.argv[3])):
        if not os.fork():
            os.close(end)
            os.read(begin, 1)  # all begin when the last is there
            record(number)
            os._exit(0)
    os.close(end)
    codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(int(sys.argv[3]))]
    sys.exit(max(codes))
"""


def together(home, uri, number):
    """What is said while that many processes record a run each, which all begin at once."""
    command = [sys.executable, "-c", textwrap.dedent(CODE), str(home), uri, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=os.environ)
    return done.returncode, done.stderr


def require_all(uri, number):
    """Each run and its layer are there, whole."""
    client = MlflowClient(uri)
    (experiment,) = client.search_experiments(filter_string="name = 'offshelf'")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 2 * number
    assert {run.info.status for run in runs} == {"FINISHED"}
    found = {run.info.run_name: run for run in runs}
    for one in range(number):
        run = found[f"run {one}"]
        assert run.data.metrics == {"test/accuracy": one / 100, "cv/accuracy": 0.5}
        assert len(run.inputs.dataset_inputs) == 6


@pytest.mark.soak
def test_on_a_home(tmp_path):
    """All meet at the same few rows."""
    connect(tmp_path, None, "other")
    code, said = together(tmp_path, "", 8)

    assert (code, said) == (0, "")
    require_all(default_uri(tmp_path), 8)
    assert not (tmp_path / "offline").exists()


def test_on_a_fresh_home(tmp_path):
    """All start at once, before there is a database."""
    code, said = together(tmp_path / "home", "", 6)

    assert (code, said) == (0, "")
    require_all(default_uri(tmp_path / "home"), 6)


@pytest.mark.soak
def test_on_a_new_database(tmp_path):
    """Which nobody has made yet, and which is not the home's."""
    uri = f"sqlite:///{tmp_path}/shared/race.db"
    (tmp_path / "shared").mkdir()
    code, said = together(tmp_path / "home", uri, 4)

    assert (code, said) == (0, "")
    require_all(uri, 4)


@pytest.mark.parametrize("create", ["create_experiment", "create_registered_model"])
def test_what_is_there_is_not_waited_for(create, tmp_path):
    """Whoever made it a moment earlier has made it: the same call would fail for as long as it is repeated."""
    client, _ = connect(tmp_path, None, "other")
    getattr(client, create)("one")
    before = client.retries.budget
    with pytest.raises(MlflowException, match="already exists"):
        getattr(client, create)("one")

    assert client.retries.budget == before


@pytest.mark.soak
def test_on_a_server(tmp_path, tracking_server):
    """Whose own processes meet."""
    uri, _ = tracking_server
    code, said = together(tmp_path / "home", uri, 8)

    assert (code, said) == (0, "")
    require_all(uri, 8)
