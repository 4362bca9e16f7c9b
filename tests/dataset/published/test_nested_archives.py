"""Copies as Kaggle has them: what each archive unpacks to lies in a folder of the archive's name."""

import shutil

import pytest
from miniature import write
from test_end_to_end import RETRIEVAL_SETS, SETS, made

from offshelf.dataset.published.archive import unpack

STEMS = (".tar.gz", ".tgz", ".tar", ".zip")


def stem(name):
    """Of an archive; None of any other file."""
    return next((name.removesuffix(ending) for ending in STEMS if name.endswith(ending)), None)


@pytest.mark.slow
@pytest.mark.parametrize("name", {**SETS, **RETRIEVAL_SETS})
def test_archives_in_folders_of_their_names(name, tmp_path, monkeypatch):
    """The same images, labels and folds as where they are unpacked side by side."""
    monkeypatch.setattr("offshelf.dataset.published.caltech101.COUNT", 17)
    settings, _ = {**SETS, **RETRIEVAL_SETS}[name]
    write(name, tmp_path / "flat")
    nested = tmp_path / "nested"
    for path in (tmp_path / "flat").iterdir():
        if stem(path.name):
            unpack(path, nested / stem(path.name))
            for inner in (nested / stem(path.name)).rglob("*.tar.gz"):
                unpack(inner, inner.parent)
        else:
            nested.mkdir(exist_ok=True)
            shutil.copy(path, nested / path.name)
    overrides = [f"dataset={name}", "dataset.download=false", "dataset.verify=false", *settings]
    expected, found = (
        made([*overrides, f"dataset.root={tmp_path / root}"], []).load() for root in (adopted(tmp_path, name), "nested")
    )

    assert found.digest == expected.digest


def adopted(tmp_path, name):
    """The folder of all sets, with the official archives in the set's own."""
    spec = made([f"dataset={name}", f"dataset.root={tmp_path / 'all'}"], [])
    shutil.move(tmp_path / "flat", spec.folder)
    return "all"
