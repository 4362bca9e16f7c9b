"""Files of runs in a bucket, to which MLflow's server passes them on, or which its clients talk to themselves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import warm

from offshelf.tracking.mlflow.server import free_port, wait_until_up

pytestmark = pytest.mark.slow
CLASSIFY = ["classify", "backbone=tiny", "layer=block1", "classifier=knn", "bootstrap.replicates=0", "report=null"]
KINDS = {
    "passed on": ["--serve-artifacts", "--artifacts-destination", "s3://{bucket}"],
    "direct": ["--no-serve-artifacts", "--default-artifact-root", "s3://{bucket}"],
}


def offshelf(*arguments, cwd, **environment):
    """Exit code and all that is printed."""
    program = [sys.executable, "-m", "offshelf"] if environment else [warm.program()]
    streams = {"capture_output": True, "text": True}
    done = subprocess.run([*program, *arguments], cwd=cwd, env={**os.environ, **environment}, check=False, **streams)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(params=KINDS)
def uri(request, bucket, server, monkeypatch, tmp_path):
    """Address of a server whose artifacts are in the bucket."""
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    port = free_port(6400)
    command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    command += [f"--backend-store-uri=sqlite:///{tmp_path / 'runs.db'}"]
    command += [option.format(bucket=bucket[0]) for option in KINDS[request.param]]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {"PATH": path, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until_up(process, port, 300)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def files(bucket):
    """Names of the artifacts."""
    return {Path(one["path"]).name for page in bucket[1].list() for one in page}


def test_a_run_and_its_files(uri, bucket, tmp_path):
    """They are in the bucket, and what reads a run reads them there."""
    code, said = offshelf(*CLASSIFY, f"tracking.uri={uri}", "hydra.run.dir=out", cwd=tmp_path)
    assert code == 0, said
    assert {"config.yaml", "predictions.csv"} <= files(bucket)
    code, said = offshelf("rerun", "digits tiny block1", "--check", f"tracking.uri={uri}", cwd=tmp_path)
    assert code == 0, said


@pytest.mark.parametrize("uri", ["direct"], indirect=True)
def test_a_store_that_this_machine_cannot_use(uri, bucket, tmp_path, home):
    """For want of a package, or of the right credentials: one sentence, and the files are kept and sent later."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without/boto3.py").write_text("raise ModuleNotFoundError(\"No module named 'boto3'\", name='boto3')")
    without = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "without"), os.environ.get("PYTHONPATH", "")])}
    reasons = {"boto3": (without, "pip install boto3"), "wrong": ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoes")}
    for name, (environment, reason) in reasons.items():
        code, said = offshelf(*CLASSIFY, f"tracking.uri={uri}", f"hydra.run.dir={name}", cwd=tmp_path, **environment)
        assert code == 0 and "takes the run, but not its files" in said and reason in said, said
        assert not files(bucket)
        code, said = offshelf("track", "sync", name, cwd=tmp_path, **environment)
        assert code == 1 and reason in said, said
    for name in reasons:
        code, said = offshelf("track", "sync", name, cwd=tmp_path)
        assert code == 0 and "config.yaml" in files(bucket), said
    code, said = offshelf("rerun", "digits tiny block1", f"uri={uri}", cwd=tmp_path, **without)
    assert code == 1 and "cannot be read" in said and "pip install boto3" in said, said
