"""Folders in the hub's layout, files of the library `datasets`, and the hub itself where it is not there."""

import json
import sys

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pictures import digests_of, png, pngs, sizes

from offshelf.dataset import HuggingFace, check_images, digests
from offshelf.errors import DatasetError

LABELS = [1, 0] * 6
CARD = """---
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': dog
          '1': cat
configs:
- config_name: default
  data_files:
  - split: train
    path: files/a-*
  - split: test
    path: files/b.parquet
---
# A card
"""


def made(count=12, names=("dog", "cat"), first=0):
    """A data set of the library, with images and class names."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(names))})
    images = [{"bytes": png(first + row), "path": None} for row in range(count)]
    return datasets.Dataset.from_dict({"image": images, "label": LABELS[:count]}, features=features)


def named(images):
    """The label of each image, in words."""
    return [images.classes[target] for target in images.targets]


def refused(match, path, **settings):
    """The one sentence of a folder."""
    with pytest.raises(DatasetError, match=match) as caught:
        HuggingFace(path=str(path), **settings).load()
    assert "\n" not in str(caught.value)


def test_hub_layout(tmp_path):
    """data/SPLIT-*.parquet: splits by their names, classes by what the files declare."""
    (tmp_path / "data").mkdir()
    made(8).to_parquet(tmp_path / "data/train-00000-of-00001.parquet")
    made(4, first=8).to_parquet(tmp_path / "data/validation-00000-of-00001.parquet")
    images = HuggingFace(path=str(tmp_path)).load()
    check_images(images.pictures)
    assert list(digests(images.pictures)) == digests_of(range(12))
    assert named(images) == ["cat", "dog"] * 6
    assert sizes(images) == (8, 4)
    assert images.samples[8].id == "data/validation-00000-of-00001.parquet:0"
    refused("no configuration 'x'", tmp_path, config="x")


def test_card(tmp_path):
    """Files, splits and class names as a README's YAML has them; files outside the folder are not read."""
    (tmp_path / "files").mkdir()
    for name, rows in (("a-0", 8), ("a-1", 8), ("b", 4)):
        pq.write_table(pa.table({"image": pngs(rows), "label": LABELS[:rows]}), tmp_path / f"files/{name}.parquet")
    (tmp_path / "README.md").write_text(CARD)
    images = HuggingFace(path=str(tmp_path)).load()
    assert sizes(images) == (16, 4)
    assert named(images)[:2] == ["cat", "dog"]
    (tmp_path / "README.md").write_text(CARD.replace("files/b.parquet", "../b.parquet"))
    refused("outside the folder", tmp_path)
    (tmp_path / "README.md").write_text(CARD.replace("files/b.parquet", "files/c.parquet"))
    refused("c.parquet does not exist", tmp_path)


def test_configurations(tmp_path):
    """As folders of their own: one has to be chosen."""
    for config, names in (("animals", ("dog", "cat")), ("things", ("cup", "jar"))):
        for split in ("train", "test"):
            (tmp_path / config / split).mkdir(parents=True)
            made(6, names).to_parquet(tmp_path / config / split / "0000.parquet")
    refused("several configurations: animals, things.*dataset.config=animals", tmp_path)
    refused("no configuration 'other'", tmp_path, config="other")
    images = HuggingFace(path=str(tmp_path), config="things").load()
    assert images.classes == ("cup", "jar")
    assert sizes(images) == (6, 6)


@pytest.mark.parametrize("is_dict", [True, False])
def test_saved_to_disk(tmp_path, is_dict):
    """By either class of the library; a file that is missing is named."""
    found = made(8)
    whole = datasets.DatasetDict({"train": found, "test": made(4, first=8)}) if is_dict else found
    whole.save_to_disk(tmp_path / "d")
    images = HuggingFace(path=str(tmp_path / "d")).load()
    assert [image.digest for image in images.pictures] == digests_of(range(12 if is_dict else 8))
    assert named(images)[:2] == ["cat", "dog"]
    assert sizes(images) == ((8, 4) if is_dict else (6, 2))
    next((tmp_path / "d").rglob("data-*.arrow")).unlink()
    refused("data-00000-of-00001.arrow is missing", tmp_path / "d")


def beside(folder, kind, **others):
    """Twelve images in a folder, and the table beside them in one of the formats."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"file_name": f"{row}.png", "label": ["007", "7"][row % 2], **others} for row in range(12)]
    for row in range(12):
        (folder / f"{row}.png").write_bytes(png(row))
    if kind == "csv":
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        (folder / "metadata.csv").write_text("\n".join(lines))
    elif kind == "jsonl":
        (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    else:
        pq.write_table(pa.Table.from_pylist(rows), folder / "metadata.parquet")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata_beside_images(tmp_path, kind):
    """Labels are as written, and images that are not listed are left out by name."""
    beside(tmp_path, kind)
    (tmp_path / "more.png").write_bytes(png(99))
    images = HuggingFace(path=str(tmp_path)).load()
    check_images(images.pictures)
    assert images.classes == ("007", "7")
    assert list(digests(images.pictures)) == digests_of(range(12))
    assert [(one.id, one.why) for one in images.not_taken] == [("more.png", "not in the metadata")]


def test_splits_of_metadata(tmp_path):
    """A table in the folder of each split, or one above folders of splits; a class that is called train is none."""
    beside(tmp_path / "a/train", "csv")
    beside(tmp_path / "a/test", "jsonl")
    assert sizes(HuggingFace(path=str(tmp_path / "a")).load()) == (12, 12)
    for folders, expected in ((("train", "test"), (6, 6)), (("train", "bus"), (9, 3))):
        top = tmp_path / folders[1]
        lines = ["file_name,label"]
        for row in range(12):
            name = f"{folders[row // 6]}/{row}.png"
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(png(row))
            lines.append(f"{name},{'ab'[row % 2]}")
        (top / "metadata.csv").write_text("\n".join(lines))
        assert sizes(HuggingFace(path=str(top)).load()) == expected


def test_metadata_that_is_none(tmp_path):
    """One sentence each."""
    beside(tmp_path, "csv")
    (tmp_path / "metadata.csv").write_text("path,label\n0.png,a\n")
    refused("no column 'file_name'; its columns: path, label", tmp_path)
    (tmp_path / "metadata.csv").unlink()
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "0.png", "label": 1}\n{"file_name"\n')
    refused("metadata.jsonl, line 2: not JSON", tmp_path)
    beside(tmp_path, "csv")
    refused("beside each other", tmp_path)
    for path in tmp_path.glob("metadata*"):
        path.unlink()
    refused("dataset=folder dataset.root=", tmp_path)
    refused("neither a folder nor the name", tmp_path / "0.png")


def test_hub(tmp_path, monkeypatch):
    """What the library keeps of a data set is read; what it says is one sentence."""
    made(8).save_to_disk(tmp_path / "kept")
    kept = datasets.DatasetDict({"train": datasets.load_from_disk(tmp_path / "kept")})
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config, download_config: kept)
    images = HuggingFace(path="owner/animals").load()
    assert (images.name, images.classes) == ("owner/animals", ("dog", "cat"))
    assert [image.digest for image in images.pictures] == digests_of(range(8))

    def fail(error):
        def load(name, config, download_config):
            raise error

        monkeypatch.setattr(datasets, "load_dataset", load)

    fail(ConnectionError("Couldn't reach 'owner/animals' on the Hub (LocalEntryNotFoundError)"))
    refused("the hub does not provide it .*ConnectionError.*give the folder of a copy", "owner/animals")
    fail(ValueError("Config name is missing.\nPlease pick one among the available configs: ['a', 'b']"))
    refused("several configurations: dataset.config=NAME", "owner/animals")
    fail(RuntimeError("Dataset scripts are no longer supported, but found x.py"))
    refused("a program, which is not run", "owner/animals")
    monkeypatch.setitem(sys.modules, "datasets", None)
    refused(r"pip install 'offshelf\[huggingface\]'", "owner/animals")
