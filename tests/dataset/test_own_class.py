"""A data set class of the user's own, in a file of the working directory."""

import sys

import pytest

from offshelf.config import build, load
from offshelf.errors import ConfigError

CLASS = """
from dataclasses import dataclass

import numpy as np

from offshelf.dataset import Fold, ImageArray, ImageSet, Sample


@dataclass(frozen=True)
class Greys:
    count: int = 8

    def load(self):
        rows = np.arange(self.count)
        pixels = np.zeros((8, 8, 3), np.uint8)
        samples = [Sample(f"grey-{row}", ImageArray(pixels + np.uint8(row)), int(row % 2)) for row in rows]
        return ImageSet("greys", ("even", "odd"), samples, (Fold(rows[:6], rows[6:]),))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The class in a file, an option that names it, and a path that has neither, as a command's."""
    (tmp_path / "greys_of_mine.py").write_text(CLASS)
    (tmp_path / "my_conf/dataset").mkdir(parents=True)
    (tmp_path / "my_conf/dataset/greys.yaml").write_text("# Greys.\n_target_: greys_of_mine.Greys\ncount: 8\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield tmp_path
    sys.modules.pop("greys_of_mine", None)


def test_found_from_the_working_directory(place):
    """As a network of one's own is."""
    made = build(load("classify", ["dataset=greys", "dataset.count=10"], place / "my_conf")).keywords["dataset"]
    assert len(made.load().samples) == 10


def test_mistakes(place):
    """A parameter, a name, a file that is not there: one sentence."""
    for text, message in (
        ("greys_of_mine.Greys\ncuont: 8", "cuont"),
        ("greys_of_mine.Grey", r"greys_of_mine\.Grey"),
        ("greys_of_yours.Greys", r"greys_of_yours\.Greys"),
    ):
        (place / "my_conf/dataset/greys.yaml").write_text(f"# Greys.\n_target_: {text}\n")
        with pytest.raises(ConfigError, match=message) as error:
            build(load("classify", ["dataset=greys"], place / "my_conf"))
        assert "\n" not in str(error.value)
