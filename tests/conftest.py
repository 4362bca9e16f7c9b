"""Every test has a home of its own, and no connection to the outside."""

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home."""
    folder = tmp_path / "home"
    monkeypatch.setenv("OFFSHELF_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("OFFSHELF_PARENT_RUN", raising=False)
    return folder
