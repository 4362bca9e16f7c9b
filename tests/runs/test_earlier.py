"""Records that an earlier offshelf wrote: one sentence with the way out, wherever one is read."""

import json

import pytest
import yaml

from offshelf.commands import export, predict, register, rerun
from offshelf.config import components
from offshelf.config.command_line import read
from offshelf.config.trust import EVERYTHING
from offshelf.errors import ConfigError
from offshelf.runs.earlier import RENAMED
from offshelf.tracking import MLflow

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)

RECORD = {
    "home": "/home/somebody",
    "seed": 0,
    "dataset": {"_target_": "offshelf.dataset.Digits"},
    "classifier": {"estimator": {"_target_": "offshelf.classifier.LinearSVMCV"}, "C": [2]},
    "layer": "last",
    "_target_": "offshelf.task.classify",
}
NAMES = r"offshelf\.classifier\.LinearSVMCV \(today offshelf\.svm\.LinearSVMCV\)"
TASK = r"offshelf\.task\.classify \(today offshelf\.tasks\.classify\.classify\)"


@pytest.fixture
def out(tmp_path):
    """An output folder of then."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(RECORD))
    (folder / "metrics.json").write_text(json.dumps({"test/accuracy": 0.5}))
    return folder


@pytest.mark.parametrize("command", [rerun, predict, export])
def test_an_output_folder(command, out, tmp_path):
    """By each command that reads one."""
    more = [] if command is rerun else [str(tmp_path / "target")]
    with pytest.raises(ConfigError, match=r"written by an earlier offshelf.* Run it again as it was typed") as error:
        command.main([str(out), *more])
    assert "\n" not in str(error.value)
    assert "offshelf.task.classify (today offshelf.tasks.classify.classify)" in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("command", [rerun, register])
def test_a_tracked_run(command, home):
    """By its name."""
    with MLflow(str(home)).start("then") as run:
        run.log_text(yaml.safe_dump(RECORD), "config.yaml")
    with pytest.raises(ConfigError, match=TASK):
        command.main(["then"] if command is rerun else ["then", "model"])


@pytest.mark.parametrize("overrides", [[], ["layer=all"], ["-m", "layer=block1,block2"]])
def test_as_a_config(overrides, out):
    """Which a record is too."""
    with pytest.raises(ConfigError, match=NAMES):
        read("classify", ["--config-dir", str(out), "--config-name", "config", *overrides])


def test_parts_that_are_the_same_today_are_built():
    """As `offshelf store verify --repair` needs them: those that make features."""
    assert components(RECORD, ("dataset",), EVERYTHING)["dataset"].load().name == "digits"
    with pytest.raises(ConfigError, match=NAMES):
        components(RECORD, ("classifier",), EVERYTHING)


def test_names_of_today_exist():
    """What is told is true."""
    for name in RENAMED.values():
        assert components({"part": {"_target_": name, "_partial_": True}}, ("part",), EVERYTHING)["part"]
