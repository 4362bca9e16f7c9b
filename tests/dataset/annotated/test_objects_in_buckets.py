"""Annotated objects of a real S3-compatible server: the same crops, nothing read again, faults in one sentence."""

import http.server
import json
import threading
from functools import partial
from pathlib import Path

import numpy as np
import obstore
import pytest
import yaml
from PIL import Image

from offshelf.dataset import Coco, VocXml, Yolo, check_images, digests
from offshelf.errors import ConfigError, DatasetError

pytestmark = pytest.mark.slow

XML = (
    "<annotation><filename>{}</filename><size><width>40</width><height>20</height></size>"
    "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax></bndbox></object>"
    "<object><name>dog</name><bndbox><xmin>11</xmin><ymin>5</ymin><xmax>40</xmax><ymax>20</ymax></bndbox></object>"
    "</annotation>"
)


@pytest.fixture
def root(tmp_path):
    """The same eight images with two objects each, in the three formats."""
    root = tmp_path / "set"
    for part in ("train", "val"):
        names = [f"{part} {number}#.png" for number in range(4)]
        for number, name in enumerate(names):
            pixels = np.random.default_rng([number, len(part)]).integers(0, 256, (20, 40, 3), dtype=np.uint8)
            for folder in (root / "images" / part, root / f"{part}2017", root / "voc" / "JPEGImages"):
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / name)
            write(root / "labels" / part / f"{part} {number}#.txt", "0 0.5 0.5 0.25 0.5\n2 0.1 0.2 0.2 0.4\n")
            write(root / "voc" / "Annotations" / f"{part} {number}#.xml", XML.format(name))
        boxes = [[0, 0, 10, 10], [10, 4, 20, 12]]
        content = {
            "images": [{"id": n, "file_name": name, "width": 40, "height": 20} for n, name in enumerate(names)],
            "categories": [{"id": 1, "name": "cat"}, {"id": 9, "name": "dog"}],
            "annotations": [
                {"id": 2 * n + k, "image_id": n, "category_id": (1, 9)[k], "bbox": boxes[k]}
                for n in range(4)
                for k in range(2)
            ],
        }
        write(root / "annotations" / f"instances_{part}2017.json", json.dumps(content))
    parts = {"path": ".", "train": "images/train", "val": "images/val"}
    write(root / "data.yaml", yaml.safe_dump({**parts, "names": {0: "cat", 2: "dog"}}))
    return root


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


FORMATS = {
    "coco": lambda root: Coco(path=f"{root}/annotations/instances_train2017.json"),
    "coco with a root": lambda root: Coco(
        path=f"{root}/annotations/instances_val2017.json", root=f"{root}/images/val", context=1.5
    ),
    "yolo": lambda root: Yolo(path=f"{root}/data.yaml"),
    "voc_xml": lambda root: VocXml(root=f"{root}/voc"),
}


def upload(store, folder, prefix):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            obstore.put(store, f"{prefix}{path.relative_to(folder).as_posix()}", path.read_bytes(), use_multipart=False)


def described(images):
    """All that a run uses of a set."""
    check_images(images.pictures)
    folds = [(fold.train.tolist(), fold.test.tolist()) for fold in images.folds]
    crops = [picture.load().tobytes() for picture in images.pictures]
    return [sample.id for sample in images.samples], images.classes, folds, list(digests(images.pictures)), crops


@pytest.mark.parametrize("prefix", ["", "my sets/1/"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_set_is_the_same_in_a_bucket(kind, prefix, root, server, bucket):
    """And a second time nothing is read, neither images nor annotations."""
    name, store = bucket
    upload(store, root, prefix)
    there = FORMATS[kind](f"s3://{name}/{prefix}".rstrip("/"))
    assert described(there.load()) == described(FORMATS[kind](root).load())

    server.counted()
    again = there.load()
    check_images(again.pictures)
    listings, reads = server.counted()
    assert reads == 0
    assert listings <= 2


def test_what_is_not_there(root, server, bucket):
    """One sentence each, with the address."""
    name, store = bucket
    upload(store, root, "")
    wrong = {
        rf"dataset.path=s3://{name}/no.json cannot be read": lambda: Coco(path=f"s3://{name}/no.json"),
        r"The images of .*, such as train 0#.png, are not near it": lambda: Coco(path=f"s3://{name}/alone/a.json"),
        rf"s3://{name}/no.yaml cannot be read": lambda: Yolo(path=f"s3://{name}/no.yaml"),
        rf"s3://{name}/labels has no XML files": lambda: VocXml(root=f"s3://{name}/labels"),
        r"has no objects below it": lambda: VocXml(root=f"s3://{name}/nothing"),
    }
    obstore.put(store, "alone/a.json", (root / "annotations" / "instances_train2017.json").read_bytes())
    for sentence, make in wrong.items():
        with pytest.raises(DatasetError, match=sentence):
            make().load()


def test_a_list_that_names_what_is_elsewhere(root, server, bucket):
    """Images of a text file that the bucket does not have are images that cannot be read."""
    name, store = bucket
    write(root / "train.txt", "images/train/train 0#.png\nimages/train/gone.png\n/elsewhere/x.png\n")
    write(root / "labels" / "train" / "gone.txt", "0 0.5 0.5 0.25 0.5\n")
    write(root / "data.yaml", yaml.safe_dump({"train": "train.txt", "val": "images/val", "names": ["cat", "a", "dog"]}))
    upload(store, root, "")
    images = Yolo(path=f"s3://{name}/data.yaml").load()

    assert "images/train/gone.png#1" in [sample.id for sample in images.samples]
    assert len(images.samples) == 11


def test_of_a_web_site(root):
    """COCO's one file and its images are read; formats of many files are refused."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{site.server_port}"
        there = Coco(path=f"{address}/annotations/instances_train2017.json").load()
        assert described(there) == described(Coco(path=str(root / "annotations/instances_train2017.json")).load())
        for make in (lambda: Yolo(path=f"{address}/data.yaml"), lambda: VocXml(root=f"{address}/voc")):
            with pytest.raises(ConfigError, match="cannot be listed"):
                make().load()
        site.shutdown()


def test_a_folder_that_is_a_relative_path(root, monkeypatch):
    """Paths are those of the working folder, as before."""
    monkeypatch.chdir(root)
    assert len(VocXml(root="voc").load().samples) == 16
    assert len(Yolo(path="data.yaml").load().samples) == 16
    assert len(Coco(path=str(Path("annotations") / "instances_train2017.json")).load().samples) == 8
