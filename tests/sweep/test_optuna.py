"""Optuna's sweeper: a study in memory, whose trials are jobs of a sweep like any others."""

import pytest
from processes import FAST, Record, finish

pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="pip install 'offshelf[optuna]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow and SQLAlchemy
OPTUNA = ["hydra/sweeper=optuna", "hydra.sweeper.n_jobs=1", "hydra.sweeper.sampler.seed=1"]
MAXIMIZE = "hydra.sweeper.direction=maximize"


@pytest.mark.slow
def test_trials_are_jobs(home, tmp_path):
    """One parent; the search goes by cross-validation, not by the test images; the best trial is the sweep's."""
    command = [*FAST, *OPTUNA, MAXIMIZE, "hydra.sweeper.n_trials=3", "layer=choice(block1,block2,block3)"]
    code, output, errors = finish(*command, "classifier.n_neighbors=[1,5]", "bootstrap.replicates=0", cwd=tmp_path)
    found = Record(home)
    values = [run.data.metrics["cv/accuracy"] for run in found.jobs]

    assert code == 0, errors
    assert found.statuses(found.jobs) == ["FINISHED"] * 3
    assert [row["status"] for row in found.table(found.sweeps[0])] == ["done"] * 3
    assert f"Best value: {max(values)}" in output + errors
    assert found.sweeps[0].data.metrics["cv/accuracy"] == max(values)


@pytest.mark.slow
def test_failures(home, tmp_path):
    """A study without any trial that came to its end is told as its failed jobs."""
    code, _, errors = finish(*FAST, *OPTUNA, MAXIMIZE, "hydra.sweeper.n_trials=2", "layer=not.there", cwd=tmp_path)

    assert code == 1
    assert "The sweeper has given up" in errors
    assert "2 of 2 jobs failed" in errors
    assert Record(home).statuses(Record(home).sweeps) == ["FAILED"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("hydra.sweeper.direction=minimize", "hydra.sweeper.direction=maximize"),
        ("launcher=joblib", "chooses each job by the results of those before it"),
        ("sweep.dry_run=true", "chooses each job by the results of those before it"),
    ],
)
def test_what_does_not_go_together(override, message, tmp_path):
    direction = [] if "direction" in override else [MAXIMIZE]
    code, _, errors = finish(*FAST, *OPTUNA, *direction, override, "layer=choice(block1,block2)", cwd=tmp_path)

    assert code == 1
    assert message in errors
