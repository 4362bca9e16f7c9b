"""A marked password is looked for in every byte that runs leave behind, and in all they say."""

import os
import subprocess

import pytest
import warm
import yaml
from mlflow.tracking import MlflowClient

from offshelf.errors import TrackingError
from offshelf.tracking.mlflow.reachability import with_password

pytestmark = [
    pytest.mark.usefixtures("known_digits"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
MARK = "MARKEDs3cret"
FAST = ["backbone=tiny", "classifier=knn", "bootstrap.replicates=100"]


def run(*arguments, cwd, **variables):
    """Exit code and all that is said by an `offshelf` process."""
    command = [warm.program(), *arguments]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **variables}
    )
    return done.returncode, done.stdout + done.stderr


def holding(folder):
    """Files with the mark in their names or bytes."""
    return [
        path
        for path in folder.rglob("*")
        if MARK in path.name or (path.is_file() and MARK.encode() in path.read_bytes())
    ]


@pytest.mark.slow
def test_a_password_of_a_server(tmp_path, tracking_server):
    """As the user of its address; the run is made again with the address from the command line."""
    address, store = tracking_server
    uri = address.replace("//", f"//bob:{MARK}@")
    code, said = run("classify", *FAST, f"tracking.uri={uri}", "hydra.run.dir=out", cwd=tmp_path)
    client = MlflowClient(address)
    (found,) = client.search_runs([client.get_experiment_by_name("offshelf").experiment_id])
    again = run("rerun", found.info.run_id[:8], f"uri={uri}", cwd=tmp_path)
    refused = run("rerun", "out", cwd=tmp_path)
    compared = run("compare", "attributes.status = 'FINISHED'", f"uri={uri}", cwd=tmp_path)

    assert (code, found.info.status) == (0, "FINISHED"), said
    assert found.data.params["tracking.uri"] == address.replace("//", "//bob:***@")
    assert again[0] == compared[0] == 0, again[1] + compared[1]
    assert refused[0] == 1
    assert "is on no record" in refused[1]
    assert MARK not in said + again[1] + compared[1] + refused[1]
    assert holding(tmp_path) == holding(store) == []


@pytest.mark.slow
def test_a_sweep(tmp_path):
    """Its name, digest, folders and jobs, of which one fails; what waits to be sent, and its sending."""
    swept = ["dataset.test_fraction=0.5,2", "hydra.sweep.dir=jobs", "hydra.sweep.subdir=${hydra.job.override_dirname}"]
    uri = f"postgresql://bob:{MARK}@127.0.0.1:9/runs?sslpassword={MARK}"
    code, said = run("classify", "-m", *FAST, *swept, "tracking=offline", f"tracking.uri='{uri}'", cwd=tmp_path)
    sent = run("track", "sync", cwd=tmp_path)

    assert code == sent[0] == 1
    assert "1 of 2 jobs failed" in said
    assert "is not recorded: give the whole address again" in sent[1]
    assert MARK not in said + sent[1]
    assert holding(tmp_path) == []


@pytest.mark.slow
def test_variables_and_names(tmp_path):
    """What a variable of a secret name holds, and an address in a file of the user's own."""
    (tmp_path / "conf/tracking").mkdir(parents=True)
    file = tmp_path / "conf/tracking/own.yaml"
    file.write_text(
        f"_target_: offshelf.tracking.Offline\nhome: ${{home}}\nuri: https://bob:{MARK}@host/x\nexperiment: offshelf\n"
    )
    own = run("classify", "--config-dir", "conf", "tracking=own", *FAST, "hydra.run.dir=own", cwd=tmp_path)
    named = run(
        "classify", *FAST, "tracking=offline", "name='run ${oc.env:MY_TOKEN}'", "hydra.run.dir=out", cwd=tmp_path,
        MY_TOKEN=MARK,
    )  # fmt: skip
    shown = run("classify", *FAST, f"tracking.uri=http://a:{MARK}@host", "--cfg", "job", "--resolve", cwd=tmp_path)
    typo = run("classify", *FAST, f"tracking.ur=http://a:{MARK}@host", cwd=tmp_path)
    silent = run("classify", *FAST, f"tracking.uri=http://a:{MARK}@127.0.0.1:9", cwd=tmp_path)
    file.unlink()

    assert (own[0], named[0], shown[0], typo[0], silent[0]) == (0, 0, 0, 1, 1), own[1] + named[1]
    assert "bob:***@host" in (tmp_path / "own/.hydra/config.yaml").read_text()
    assert yaml.safe_load((tmp_path / "out/config.yaml").read_text())["name"] == "run ***"
    assert MARK not in "".join(said for _, said in (own, named, shown, typo, silent))
    assert holding(tmp_path) == []


def test_a_recorded_address_takes_the_password_of_the_environment(monkeypatch):
    """Or says where it is to be given."""
    with pytest.raises(TrackingError, match="is not recorded"):
        with_password("http://bob:***@host:1")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", MARK)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "bob")
    monkeypatch.setenv("PGPASSWORD", MARK)
    assert with_password("http://bob:***@host:1/x") == "http://host:1/x"
    assert with_password("postgresql://bob:***@host/runs") == "postgresql://bob@host/runs"
    assert with_password("sqlite:///x") == "sqlite:///x"
    with pytest.raises(TrackingError, match="is not recorded"):
        with_password("postgresql://bob:***@host/runs?sslpassword=***")
