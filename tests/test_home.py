"""Where the home is."""

import os
from pathlib import Path

import pytest

from offshelf.errors import StoreError
from offshelf.home import home_dir, home_key, home_path


def test_order(tmp_path, monkeypatch):
    """The argument, the environment, the system."""
    monkeypatch.setenv("OFFSHELF_HOME", str(tmp_path / "environment"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "system"))

    assert home_dir(str(tmp_path / "argument")) == tmp_path / "argument"
    assert home_dir() == tmp_path / "environment"
    monkeypatch.delenv("OFFSHELF_HOME")
    assert home_dir().name == "offshelf"


def test_relative_and_tilde(tmp_path, monkeypatch):
    """Absolute, and made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert home_dir("here") == tmp_path / "here"
    assert home_dir("~/there") == tmp_path / "there"
    assert (tmp_path / "there").is_dir()


def test_key(tmp_path, monkeypatch):
    """A relative home is another one in another folder, as it is for everything else."""
    keys = set()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        for name in ("here", str(tmp_path)):
            monkeypatch.setenv("OFFSHELF_HOME", name)
            keys.add(home_key())
            assert Path(home_key()) == home_path()

    assert len(keys) == 3


def test_impossible(tmp_path):
    """A file is in the way."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be created.*home=…"):
        home_dir(str(tmp_path / "file/home"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_read_only(tmp_path):
    """Said before any work."""
    folder = Path(tmp_path / "ro")
    folder.mkdir(mode=0o500)
    with pytest.raises(StoreError, match="read-only"):
        home_dir(str(folder))
