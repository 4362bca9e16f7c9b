"""What makes two jobs the same."""

import numpy as np
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
