"""A layer that is not there is answered before a run is on record."""

import pytest

from offshelf.cli import check, run_task
from offshelf.errors import BackboneError, ConfigError, OffshelfError


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("layer=blocks.99", BackboneError),
        ("layer=nonsense", BackboneError),
        ("layer=block1.nonsense", BackboneError),
        ("pooling=nonsense", ConfigError),
        ("on_error=nonsense", ConfigError),
    ],
)
@pytest.mark.parametrize("task", ["classify", "retrieve"])
def test_a_typo_starts_no_run(task, override, error, tmp_path, home, monkeypatch):
    """Nothing is opened: no store of MLflow's, no outbox, no results."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as raised:
        run_task(check(task, ["backbone=tiny", override]))
    assert isinstance(raised.value, OffshelfError)
    assert not list(home.glob("mlflow.db*"))
    assert not list(home.glob("offline/*"))
    assert not list(tmp_path.rglob("metrics.json"))
