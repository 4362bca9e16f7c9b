"""Words, settings and options of commands that are no tasks, in any order."""

from itertools import permutations

import pytest

from offshelf.commands import export as serving
from offshelf.commands import predict
from offshelf.commands import report as command
from offshelf.commands import store as maintenance
from offshelf.commands.arguments import Parser, require_folder_name
from offshelf.errors import ConfigError


@pytest.mark.parametrize("order", list(permutations(["RUN IMAGE", "--out x.csv", "home=h"])))
def test_any_order(order):
    """Of `offshelf predict`."""
    options = predict._parser().parse_args(" ".join(order).split())

    assert (options.run, options.images, options.out) == ("RUN", ["IMAGE", "home=h"], "x.csv")


def test_a_run_whose_name_has_an_equals_sign():
    """It is a word: only keys of settings are settings."""
    options = predict._parser().parse_args(["home=h", "C=2", "image.png"])

    assert (options.run, options.images) == ("C=2", ["image.png", "home=h"])


def test_mistakes():
    """One sentence."""
    parser = Parser(prog="offshelf x")
    parser.add_argument("word")
    with pytest.raises(ConfigError, match=r"Unrecognized arguments: --frob\. See: offshelf x --help"):
        parser.parse_args(["a", "--frob"])


@pytest.mark.parametrize("name", ["x.onx", "x.ONNX", "x.onnnx", "x.on", "x.pt", "x.PTH", "x.pkl", "x.zip", "x.tflite"])
def test_a_folder_is_not_named_like_a_file(name, tmp_path):
    """By `offshelf export`, before it looks for the run; the sentence says how to get either."""
    with pytest.raises(ConfigError, match=r"An ONNX file: x\.onnx; a folder with an MLflow model: x$"):
        serving.main(["no run", str(tmp_path / name)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x", "model.v2", "resnet50-0.93", "run.1", "x.export", "x.d", ".hidden", "a.b.model"])
def test_names_of_folders(name, tmp_path):
    """Are taken, and that of a folder that is there whatever it is called."""
    require_folder_name(str(tmp_path / name), "")
    (tmp_path / "old.zip").mkdir()
    require_folder_name(str(tmp_path / "old.zip"), "")


@pytest.mark.parametrize(
    ("main", "words"),
    [(maintenance.main, ["export", "features.parquet"]), (command.main, ["../study", "--out", "report.csv"])],
)
def test_the_other_commands_that_write_folders(main, words, tmp_path, monkeypatch):
    """Say the same, before any work."""
    for name in ("study", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ConfigError, match="is named like a file, and would be a folder"):
        main(words)
    assert not list((tmp_path / "here").iterdir())
