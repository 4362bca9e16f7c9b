"""CoOp's draws in a folder: which images they are, which are tested, and what is refused."""

import json
import pickle

import numpy as np
import pytest

from offshelf.dataset import Fold, ImageArray, ImageSet, Sample, TrainingSizes
from offshelf.errors import DatasetError

NAMES = [f"{name}/image_{row:04d}.jpg" for name in ("ant", "bee", "cat") for row in range(6)]
SET = ImageSet(
    "insects",
    ("ant", "bee", "cat"),
    [Sample(name, ImageArray(np.zeros((2, 2, 3), np.uint8)), row // 6) for row, name in enumerate(NAMES)],
    (Fold(np.arange(18)[np.arange(18) % 6 < 4], np.arange(18)[np.arange(18) % 6 >= 4]),),
)


@pytest.fixture
def folder(tmp_path):
    """Draws of one and two shots with two seeds, in the form of Lin et al.; one of the classes has none."""
    for shots, seed in ((1, 1), (1, 2), (2, 1), (2, 2)):
        chosen = [f"{name}/image_{seed + one:04d}.jpg" for name in ("ant", "bee") for one in range(shots)]
        data = [{"impath": f"./data/insects/{name}", "label": 0, "classname": "x"} for name in chosen]
        write(tmp_path, f"shot_{shots}-seed_{seed}.json", {"train": {"data": data, "indices": []}, "val": {"data": []}})
    write(
        tmp_path, "split_zhou_Insects.json", split(["ant/image_0005.jpg", "bee/image_0004.jpg", "bee/image_0005.jpg"])
    )
    return tmp_path


def split(paths):
    return {"train": [], "val": [], "test": [[path, 0, "x"] for path in paths]}


def write(folder, name, content):
    (folder / name).write_text(json.dumps(content))


def drawn(folder, **settings):
    return TrainingSizes(draws=str(folder), **settings).drawn(SET)


def test_published_draws(folder):
    """All sizes and seeds, the published test images, and the classes that there are."""
    found = drawn(folder)

    assert [(size.name, size.draws) for size in found.sizes] == [("1 shot", 2), ("2 shots", 2)]
    assert found.classes == ("ant", "bee")
    assert "leave out: cat" in found.notes[-1]
    names = [[found.samples[row].id for row in fold.train] for fold in found.folds]
    assert names[1] == ["ant/image_0002.jpg", "ant/image_0003.jpg", "bee/image_0002.jpg", "bee/image_0003.jpg"]
    assert found.targets[found.folds[1].train].tolist() == [0, 0, 1, 1]
    assert [found.samples[row].id for row in found.folds[0].test] == [
        "ant/image_0005.jpg",
        "bee/image_0004.jpg",
        "bee/image_0005.jpg",
    ]
    assert [size.name for size in drawn(folder, shots=2).sizes] == ["2 shots"]


def test_plain_lists_and_the_sets_own_test_images(folder):
    """Paths alone, without suffixes; without a published split the set's own is tested."""
    (folder / "split_zhou_Insects.json").unlink()
    for file in folder.glob("shot_*"):
        data = json.loads(file.read_text())["train"]["data"]
        write(folder, file.name, {"train": [one["impath"].removesuffix(".jpg") for one in data]})
    found = drawn(folder, shots=1)

    assert found.classes == ("ant", "bee", "cat")
    assert len(found.folds[0].test) == 6
    assert found.samples[int(found.folds[1].train[0])].id == "ant/image_0002.jpg"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("shot_1-seed_1.json", {"train": ["ant/image_0009.jpg"]}, r"1 image\(s\) that insects does not have: ant"),
        ("shot_1-seed_1.json", {"train": ["ant/image_0001.jpg"] * 2}, "lists an image twice"),
        ("shot_1-seed_1.json", {"train": []}, "lists no images"),
        ("shot_1-seed_1.json", {"val": []}, "not a JSON file with a list of images 'train'"),
        ("shot_1-seed_1.json", {"train": [3]}, "not a JSON file with a list of images 'train'"),
        ("shot_1-seed_1.json", {"train": ["ant/image_0005.jpg"]}, "trains on 1 of the test images"),
        ("split_other.json", {"test": []}, "several splits: split_other.json, split_zhou_Insects.json"),
    ],
)
def test_mistakes_in_files(folder, name, content, message):
    """In one sentence with the file."""
    write(folder, name, content)
    with pytest.raises(DatasetError, match=message):
        drawn(folder)


def test_mistakes(folder, tmp_path):
    """No folder, no draws of so many shots, pickles alone; nothing is unpickled."""
    with pytest.raises(DatasetError, match="neither a number nor a folder"):
        drawn(folder / "nowhere")
    with pytest.raises(DatasetError, match=r"no draws of 4 shots; dataset\.shots may be 1, 2"):
        drawn(folder, shots=[1, 4])
    (tmp_path / "coop").mkdir()
    (tmp_path / "coop/shot_1-seed_1.pkl").write_bytes(pickle.dumps(print))
    with pytest.raises(DatasetError, match=r"Its 1 \.pkl file\(s\) hold Python objects and are not read"):
        drawn(tmp_path / "coop")
