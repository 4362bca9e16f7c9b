"""Modules of the user's that tests write."""

import sys

import pytest


@pytest.fixture
def own_modules(monkeypatch, tmp_path):
    """In an own folder, and modules of the test's are forgotten after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "plugins", "own", "models")]:
        del sys.modules[name]
