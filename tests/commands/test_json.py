"""`--json`: one document on stdout, words on stderr, whatever the command."""

import json
import os
import subprocess

import pytest
import warm
from noise import write_noise

from offshelf.commands.result import CommandResult, as_data

FAST = ["backbone=tiny", "layer=last", "classifier.C=2", "bootstrap.replicates=0", "hydra.run.dir=out"]


def answer(*arguments, cwd, code=0, **environment):
    """The document that a command prints, and what it says beside it."""
    command = [warm.program(), *map(str, arguments), "--json"]
    surroundings = {**os.environ, "OFFSHELF_HOME": str(cwd / "home"), **environment}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=surroundings, check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images, and a classification of them on record."""
    place = tmp_path_factory.mktemp("json")
    write_noise(place / "images")
    images = ["dataset=folder", f"dataset.root={place / 'images'}"]
    result, said = answer("classify", *images, *FAST, "name=noise", cwd=place)

    assert result["objective"] == result["metrics"]["test/accuracy"]
    assert (place / "out/metrics.json").exists()
    assert "block3" in said
    return place, images, result["run_id"]


@pytest.mark.slow
def test_tasks(place):
    """Each has its own."""
    place, images, _ = place

    assert answer("layers", "backbone=tiny", cwd=place)[0]["rows"][0]["layer"] == "block1"
    assert "digits" in answer("dataset", cwd=place)[0]
    assert answer("dataset", "digits", "read_images=false", cwd=place)[0]["rows"]
    assert answer("extract", *images, "backbone=tiny", "dry_run=true", cwd=place)[0]["rows"][0]["missing"] == 0
    found, said = answer("classify", "-m", *images, *FAST[:2], "tracking=none", "classifier.C=2,20", cwd=place)
    assert [job["status"] for job in found["jobs"]] == ["done", "done"]
    assert "Begins: job 0" in said


@pytest.mark.slow
def test_commands(place):
    """On the run."""
    place, _, run = place

    assert [one["id"] for one in answer("runs", cwd=place)[0]["runs"]] == [run]
    predicted = answer("predict", run, place / "images/test", cwd=place)[0]["images"]
    assert {"image", "class", "score", "scores"} == set(predicted[0])
    assert answer("rerun", "noise", "--check", cwd=place)[0]["is_equal"] is True
    assert answer("store", "ls", cwd=place)[0][0]["used_by"][0]["name"] == "noise"
    assert answer("store", "du", cwd=place)[0]["bytes"] > 0
    assert answer("store", "verify", cwd=place)[0]["damaged"] == []
    assert answer("track", "sync", cwd=place)[0] == {"sent": [], "known": [], "left": {}, "targets": []}


@pytest.mark.slow
def test_a_failed_sweep_tells_what_was_done(place):
    """The error, and the jobs."""
    place, images, _ = place
    given = ["-m", *images, "backbone=tiny", "tracking=none", "bootstrap.replicates=0", "layer=block1,nolayer"]
    found, said = answer("classify", *given, cwd=place, code=1)

    assert "1 of 2 jobs failed" in found["error"]
    assert [job["status"] for job in found["jobs"]] == ["done", "FAILED"]
    assert "has no layer 'nolayer'" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clasify"], "did you mean 'classify'"),
        (["classify", "clasifier.C=2"], "did you mean 'classifier'"),
        (["classify", "--cfg", "job"], "has no result for --json"),
        (["ui"], "has no result for --json"),
    ],
)
def test_mistakes(arguments, message, tmp_path):
    """Are in the document, and on stderr as ever."""
    found, said = answer(*arguments, cwd=tmp_path, code=1)

    assert message in found["error"]
    assert f"Error: {found['error']}" in said


def test_forms():
    """JSON's types alone; no secret, and no number that JSON does not have."""
    text = CommandResult({"password": "dragon", "value": float("nan"), "names": ("a",)}).json()

    assert json.loads(text) == {"password": "***", "value": None, "names": ["a"]}
    with pytest.raises(TypeError, match="object has no form in JSON"):
        as_data(object())
