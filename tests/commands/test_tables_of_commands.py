"""What commands print in 80 columns: no number is broken, no table is wider, and no advice comes twice."""

import os
import re
import subprocess

import pytest
import warm

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("known_digits")]

LAYERS = ["classify", "backbone=tiny", "layer=all", "name=all layers of a small network", "report=null"]
COMMANDS = {
    "classify": [*LAYERS, "classifier.C=2", "bootstrap.replicates=100"],
    "few shots": ["classify", "backbone=tiny", "dataset.shots=[1,5]", "classifier.C=2", "report=null"],
    "sweep": ["classify", "-m", "backbone=tiny", "classifier.C=2,20", "layer=block3", "baseline=null", "report=null"],
    "retrieve": ["retrieve", "backbone=tiny", "dataset=digits", "layer=all", "bootstrap.replicates=100"],
    "compare": ["compare", "params.dataset = 'digits' and metrics.`test/accuracy` > 0"],
    "runs": ["runs"],
    "store ls": ["store", "ls"],
    "store du": ["store", "du"],
    "layers": ["layers", "backbone=tiny"],
    "dataset": ["dataset", "dataset=digits"],
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Of each command what it printed in 80 columns, without a terminal."""
    place = tmp_path_factory.mktemp("tables")
    variables = {**os.environ, "OFFSHELF_HOME": str(place / "home"), "COLUMNS": "80"}
    return {
        name: subprocess.run(
            [warm.program(), *words], cwd=place, env=variables, check=True, capture_output=True, text=True
        ).stdout
        for name, words in COMMANDS.items()
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_tables_fit(printed, name):
    lines = printed[name].splitlines()
    rules = [number for number, line in enumerate(lines) if line.strip("─ ") == "" and "─" in line]

    assert rules or name == "dataset"
    for number in rules:
        assert len(lines[number]) <= 80
        assert len(lines[number - 1]) <= 80
    assert not [line for line in lines if re.search(r"±\s*$", line)], "a broken number"


def test_advice_comes_once(printed):
    assert printed["sweep"].count("Compare runs with: offshelf ui") == 1
    assert "Predict with" not in printed["sweep"]
    assert printed["classify"].count("Predict with") == 1


def test_nobody_reads_any_more(tmp_path):
    """Under `| head` a command goes on, and ends well: what it writes after its table is there."""
    program, variables = warm.program(), {**os.environ, "OFFSHELF_HOME": str(tmp_path / "home")}
    run = [program, "classify", "backbone=pixels", "classifier.C=2", "baseline=null", "report=null"]
    subprocess.run(run, cwd=tmp_path, env=variables, check=True, capture_output=True)
    subprocess.run([*run, "postprocess=standardize"], cwd=tmp_path, env=variables, check=True, capture_output=True)
    both = [program, "compare", "params.dataset = 'digits'", "--out", "table.md"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(both, cwd=tmp_path, env=variables, check=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "table.md").is_file()
