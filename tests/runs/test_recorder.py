"""What every run writes down, on disks that are full or may only be read."""

import pytest
from matplotlib.figure import Figure

from offshelf.dataset import ImageSet
from offshelf.errors import StoreError
from offshelf.runs.classification_recorder import ClassificationRecorder
from offshelf.tracking.null import NullRun


def recorder(folder):
    """The recorder of a run that is not tracked."""
    return ClassificationRecorder(NullRun(), ImageSet("digits", ("0", "1"), [], ()), "tiny", {}, folder)


def test_a_plot_on_a_full_disk(small_disk):
    """A sentence."""
    (small_disk / "ballast").write_bytes(bytes(1 << 20))
    with pytest.raises(StoreError, match=r"Could not write the run's results to .*plot\.png: No space left"):
        recorder(small_disk).figure(Figure(), "plot.png")


def test_a_plot_where_no_folder_can_be(tmp_path):
    """The same."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"Could not write .*File exists"):
        recorder(tmp_path / "file").figure(Figure(), "plot.png")
    recorder(tmp_path / "folder").figure(Figure(), "plot.png")
    assert (tmp_path / "folder/plot.png").read_bytes().startswith(b"\x89PNG")
