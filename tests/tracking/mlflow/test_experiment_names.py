"""An experiment's name is a text: its artifacts are in a folder of the home, whatever it is called."""

import pytest
from mlflow.tracking import MlflowClient

from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.client import default_uri, folder_name

FILTER = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
pytestmark = [FILTER, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.mark.parametrize("name", ["../x", "..", ".", "/", "a/../../../b", "....", "x" * 400, "ü" * 200])
def test_one_folder(tmp_path, name):
    """Nothing leads out of it, and no name is too long for a disk."""
    folder = tmp_path / folder_name(name)
    folder.mkdir()
    assert folder.resolve().parent == tmp_path.resolve()


@pytest.mark.parametrize("name", ["offshelf", "=1+1", "a b", "50%", "..hidden", "ümlaut"])
def test_usual_names_are_as_they_were(name):
    """Artifacts of older runs are found where they are."""
    assert folder_name(name) == name


def test_artifacts_stay_in_the_home(tmp_path):
    """Of a name with the way up in it, through MLflow, and back."""
    home = tmp_path / "deep" / "home"
    with MLflow(str(home), experiment="../../../elsewhere").start("run") as run:
        run.log_text("kept", "note.txt")
    (file,) = tmp_path.rglob("note.txt")
    assert file.is_relative_to(home / "artifacts")
    (kept,) = MlflowClient(default_uri(home)).list_artifacts(run.id)
    assert kept.path == "note.txt"
