"""Output folders: one run at a time, none over the results of another."""

import pytest

from offshelf.errors import ConfigError, StoreError
from offshelf.runs.output_folder import writing_into


def write(folder, text):
    """A run of one number."""
    with writing_into(folder):
        (folder / "metrics.json").write_text(text)
        (folder / "extra.csv").write_text(text)


def test_results_are_not_written_over(tmp_path, capsys):
    """They are moved, all that the run wrote and nothing else, and it is said."""
    folder = tmp_path / "out"
    write(folder, "first")
    (folder / "mine.txt").write_text("the user's")
    write(folder, "second")
    write(folder, "third")

    assert (folder / "metrics.json").read_text() == "third"
    assert (folder / "earlier-1/metrics.json").read_text() == (folder / "earlier-1/extra.csv").read_text() == "first"
    assert (folder / "earlier-2/metrics.json").read_text() == "second"
    assert (folder / "mine.txt").read_text() == "the user's"
    assert capsys.readouterr().err.count("held the results of a run") == 2


def test_files_of_the_users_stay(tmp_path):
    """Where a run writes into a folder with other things in it, twice."""
    (tmp_path / "photo.png").write_text("a photo")
    write(tmp_path, "first")
    write(tmp_path, "second")

    assert (tmp_path / "photo.png").read_text() == "a photo"


def test_results_of_a_run_that_left_no_list(tmp_path):
    """One of an older release, or broken off, is known by its files."""
    (tmp_path / "metrics.json").write_text("old")
    write(tmp_path, "new")

    assert (tmp_path / "earlier-1/metrics.json").read_text() == "old"


def test_two_at_once(tmp_path):
    """The second is refused, and harms nothing."""
    with writing_into(tmp_path):
        (tmp_path / "metrics.json").write_text("first")
        with pytest.raises(ConfigError, match="Another run is writing into"), writing_into(tmp_path):
            pass
    assert (tmp_path / "metrics.json").read_text() == "first"
    assert not (tmp_path / ".writing").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    """A sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Could not write the run's results to"), writing_into(tmp_path / "file"):
        pass
