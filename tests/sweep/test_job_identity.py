"""What makes two jobs the same."""

import numpy as np
import pytest
from PIL import Image

from offshelf.config import load
from offshelf.launcher import Job
from offshelf.sweep.identity import Datasets


def picture(path, level):
    """A grey image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(path)


def digest(tmp_path, *overrides):
    """Of a retrieval in a folder of objects."""
    where = ["dataset=folder", f"dataset.root={tmp_path / 'objects'}", "backbone=tiny"]
    return Datasets().job_digest(Job(0, [], load("retrieve", [*where, *overrides]), tmp_path))


@pytest.mark.slow
def test_images_count(tmp_path):
    """Those that are searched, and those that whitening learns from, by what they show; not how jobs are run."""
    for number in range(4):
        picture(tmp_path / "objects" / str(number // 2) / f"{number}.png", 50 * number)
        picture(tmp_path / "lessons" / str(number // 2) / f"{number}.png", 50 * number + 20)
    lessons = ["dataset@postprocess_dataset=folder", f"postprocess_dataset.root={tmp_path / 'lessons'}"]
    alone, taught = digest(tmp_path), digest(tmp_path, *lessons)
    assert alone != taught
    assert digest(tmp_path, *lessons, "launcher=joblib") == taught

    picture(tmp_path / "lessons" / "0" / "0.png", 200)
    assert digest(tmp_path) == alone
    other = digest(tmp_path, *lessons)
    assert other != taught

    picture(tmp_path / "objects" / "0" / "0.png", 200)
    assert len({alone, digest(tmp_path), other, digest(tmp_path, *lessons)}) == 4


NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, {width}, 8, 8), nn.Flatten())
"""


def test_code_of_a_network_counts(tmp_path, monkeypatch):
    """The config is the same when it was edited, the numbers are not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for number in range(4):
        picture(tmp_path / "objects" / str(number // 2) / f"{number}.png", 50 * number)
    network = ["backbone=custom", "backbone.module=identified_net.Net", "layer='1'"]
    found = []
    for width in (4, 4, 5):
        (tmp_path / "identified_net.py").write_text(NET.format(width=width))
        found.append(digest(tmp_path, *network))

    assert found[0] == found[1] != found[2]
    assert all(found)


def test_a_network_that_is_not_at_hand_has_no_identity(tmp_path, monkeypatch):
    """Its job is done, and says why it cannot be."""
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        picture(tmp_path / "objects" / str(number // 2) / f"{number}.png", 50 * number)
    assert digest(tmp_path, "backbone=custom", "backbone.module=nowhere.Net") == ""


def test_code_of_other_classes_counts(tmp_path, monkeypatch):
    """Of a classifier of one's own, say."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for number in range(4):
        picture(tmp_path / "objects" / str(number // 2) / f"{number}.png", 50 * number)
    found = []
    for scale in (1, 1, 2):
        source = "class Scaled:\n    def fit(self, x):\n        return self\n"
        source += f"    def transform(self, x):\n        return x * {scale}\n"
        (tmp_path / "own_step.py").write_text(source)
        config = load("retrieve", ["dataset=folder", f"dataset.root={tmp_path / 'objects'}", "backbone=tiny"])
        config.postprocess = {"_target_": "own_step.Scaled"}
        found.append(Datasets().job_digest(Job(0, [], config, tmp_path)))

    assert found[0] == found[1] != found[2]
